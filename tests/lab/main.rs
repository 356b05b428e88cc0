//! The real program on several hosts, in network namespaces on one bridge.
//!
//! Each test is one sentence about Starling, runs in private namespaces (see
//! `support/private.rs`) and needs root or unprivileged user namespaces. Where these are not to
//! be had it says so and passes, unless `STARLING_TEST_REQUIRE=all` is set.
//! `cargo test --test lab NAME` runs those whose name contains NAME.

mod away;
mod bare;
#[path = "../support/bundles.rs"]
mod bundles;
mod certificates;
mod clients;
mod clocks;
mod conflicts;
mod crowd;
mod demo;
mod fleet;
mod hostile;
mod kills;
#[path = "../support/privately.rs"]
mod privately;
mod reach;
mod scarce;
mod servers;
#[path = "../support/skip.rs"]
mod skip;
mod slow;
mod split;
mod spread;
mod stalled;
mod strangers;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::time::Duration;

use harness::http::Reply;
use privately::{privately, test_name};
use skip::skip;
use support::lab::Lab;
use support::private;

/// How a scenario spends its time: this decides what may run beside it.
#[derive(Clone, Copy, PartialEq)]
enum Pace {
    /// Busy most of the time: one of these at a time, for the machine may have two cores only.
    Busy,
    /// Waits most of the time: runs beside others.
    Waiting,
}

/// Runs `scenario` on `hosts` hosts on `subnets` segments. The test that calls this runs twice: the
/// outer run starts the inner one in private namespaces and reports what became of it.
fn lab<F: FnOnce(&mut Lab)>(hosts: usize, subnets: usize, pace: Pace, scenario: F) {
    static BUSY: Mutex<()> = Mutex::new(());
    let _turn =
        (pace == Pace::Busy).then(|| BUSY.lock().unwrap_or_else(|failed| failed.into_inner()));
    privately(test_name::<F>(), TIME_MAX, |dir| {
        scenario(&mut Lab::up(dir, hosts, subnets))
    });
}

/// Publishes the first document of a fleet through host `author`.
fn publish(lab: &Lab, author: usize) {
    accepted(lab.host(author).put("/config", FIRST.as_bytes()));
}

/// Makes a change on host `author` that is known again by `mark`, a word.
fn change(lab: &Lab, author: usize, mark: &str) {
    accepted(lab.host(author).put(
        &format!("/config/routes/{mark}"),
        br#"[{"action":{"return":204}}]"#,
    ));
}

fn accepted(reply: Reply) {
    assert!(
        reply.status == 200,
        "the change was answered {}: {}",
        reply.status,
        reply.body
    );
}

/// Whether host `number` has the change that is known by `mark`.
fn has(lab: &Lab, number: usize, mark: &str) -> bool {
    lab.host(number)
        .json("/config")
        .pointer(&format!("/routes/{mark}"))
        .is_some()
}

/// Waits until these hosts agree and all have the changes known by `marks`.
fn wait_all_have(lab: &Lab, members: &[usize], marks: &[&str]) -> Duration {
    let what = format!("hosts {members:?} agree, with {marks:?}");
    lab.wait(SOON, &what, || {
        lab.agree(members)
            && members
                .iter()
                .all(|&m| marks.iter().all(|mark| has(lab, m, mark)))
    })
}

/// Checks over and over, for as long as `time`, that something that must not happen does not.
fn stays(lab: &Lab, time: Duration, what: &str, holds: impl Fn() -> bool) {
    let end = std::time::Instant::now() + time;
    lab.wait(time * 2, what, || {
        assert!(holds(), "no longer so: {what}");
        std::time::Instant::now() > end
    });
}

/// A document that NGINX Unit takes without any application being there.
const FIRST: &str = r#"{"listeners":{},"routes":{"main":[{"action":{"return":200}}]}}"#;
/// What takes milliseconds gets this long, for the machine may be busy.
const SOON: Duration = Duration::from_secs(20);
/// The longest scenario waits 150 s for a cable.
const TIME_MAX: Duration = Duration::from_secs(400);
