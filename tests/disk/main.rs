//! What becomes of the state directory when the power, the disk or a file fails: the real program,
//! real files.
//!
//! `power` cuts the power at every system call of a recorded run, `damage` spoils files and watches
//! peers mend them, `full` takes the room, the right to write and fsync away, `fsck` asks the
//! program what it finds. What needs strace or namespaces of its own says so where these are not to
//! be had and passes, unless `STARLING_TEST_REQUIRE=all` is set. `cargo test --test disk NAME` runs
//! those whose name contains NAME.

mod damage;
mod fsck;
mod full;
mod judge;
mod model;
mod model_tests;
mod peer;
mod power;
#[path = "../support/private.rs"]
mod private;
#[path = "../support/privately.rs"]
mod privately;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../standin/server.rs"]
mod standin;
mod strace;

use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until `done`; when that takes too long, the test fails and says what it waited for.
fn wait(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The names in a directory, sorted; none if there is no such directory.
fn names(directory: &Path) -> Vec<String> {
    let listed = std::fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> = listed
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What takes milliseconds, or seconds where it is tried again, gets this long: the machine may be
/// busy.
const SOON: Duration = Duration::from_secs(40);
