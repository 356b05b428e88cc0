//! The newcomer's demo does what it says.

use std::process::{Command, Stdio};

use super::skip;
use super::support::private::{NETLAB, lacks};
use super::support::program;

#[test]
fn the_demo_shows_one_change_on_three_peers_and_leaves_nothing_behind() {
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/demo.sh");
    let mut command = Command::new(NETLAB);
    command.args(["private", demo]).arg(program("starling")).arg(program("examples/unit-standin"));
    let output = command.env("STARLING_DEMO_ONCE", "1").stdin(Stdio::null()).output().expect("netlab.sh can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    for word in ["peer ID", "linked", "curl", "server 3", " ms"] {
        assert!(said.contains(word), "the demo does not show '{word}':\n{said}{errors}");
    }
}
