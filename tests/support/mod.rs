//! What the multi-host tests and the bench share: a lab of hosts in network namespaces,
//! each with a Starling and a stand-in server of its own, and ways to ask them things.
//!
//! The control sockets are files, so they are reached from outside the hosts' network
//! namespaces. Nothing here waits for luck: every wait is for a condition, has a deadline,
//! and on failure shows what each host last said.

pub mod host;
pub mod lab;
pub mod private;

use std::path::{Path, PathBuf};

/// Where a program of this build is: beside this program or above it, whether that is a test
/// (`target/debug/deps`) or an example (`target/release/examples`). `STARLING_BIN` names another
/// Starling, such as the static one.
pub fn program(name: &str) -> PathBuf {
    if let (Some(other), "starling") = (std::env::var_os("STARLING_BIN"), name) {
        return PathBuf::from(other);
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let found = own
        .ancestors()
        .skip(1)
        .map(|dir: &Path| dir.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built: cargo build --bins --examples"))
}
