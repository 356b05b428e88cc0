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
    command
        .args(["private", demo])
        .arg(program("starling"))
        .arg(program("examples/unit-standin"));
    let output = command
        .env("STARLING_DEMO_ONCE", "1")
        .stdin(Stdio::null())
        .output()
        .expect("netlab.sh can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    for word in ["peer ID", "linked", "curl", "server 3", " ms"] {
        assert!(
            said.contains(word),
            "the demo does not show '{word}':\n{said}{errors}"
        );
    }
}

/// Who tries the demo waits for one build, and what is built there is what is then started.
#[test]
fn the_demo_is_built_by_one_call_in_a_profile_that_optimises_nothing() {
    let makefile = include_str!("../../Makefile");
    let (_, rest) = makefile.split_once("\ndemo:").expect("there is a demo");
    let recipe = rest.split("\n\n").next().expect("a split has a first part");
    assert!(rest.starts_with('\n'), "it needs no other build: {recipe}");
    assert_eq!(recipe.matches("$(CARGO)").count(), 1, "{recipe}");
    assert!(
        recipe.contains("--profile demo --locked --bin starling --example unit-standin"),
        "{recipe}"
    );
    assert!(
        recipe.contains("demo.sh target/demo/starling target/demo/examples/unit-standin"),
        "{recipe}"
    );
    let (_, profile) = include_str!("../../Cargo.toml")
        .split_once("\n[profile.demo]\n")
        .expect("it is there");
    let profile = profile
        .split("\n[")
        .next()
        .expect("a split has a first part");
    assert!(profile.starts_with("inherits = \"dev\"\n"), "{profile}");
    assert!(
        !profile.contains("opt-level") && !profile.contains("lto"),
        "{profile}"
    );
}
