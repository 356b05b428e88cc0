//! A test in namespaces of its own: it runs twice, and the outer run reports what became of the
//! inner one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::private::{Scratch, inside, lacks, run_inside};
use super::skip::skip;

/// Runs `scenario` in private namespaces, with a directory of its own; `test` is the name of the
/// test that calls this. Where namespaces are not to be had it is skipped.
pub fn privately(test: &str, within: Duration, scenario: impl FnOnce(&Path)) {
    if let Some(dir) = inside() {
        scenario(&dir);
        return fs::write(dir.join("done"), "").expect("the scratch directory can be written");
    }
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let scratch = Scratch::new();
    let output = scratch.path().join("output");
    let ended = run_inside(
        &scratch,
        &["--exact", test, "--nocapture", "--test-threads=1"],
        Some(&output),
        within,
    );
    let done = scratch.path().join("done").exists();
    let said = fs::read_to_string(&output).unwrap_or_default();
    assert!(ended && done, "inside:\n{said}");
    // The figures, for those who ask for them with --show-output.
    print!("{said}");
}

/// The name of the test that made a closure of type `F`: `lab::away::sentence::{{closure}}` without
/// its ends. Should it ever be wrong, the inner run finds no such test and the outer one fails.
pub fn test_name<F>() -> &'static str {
    let name = std::any::type_name::<F>();
    let name = name.split_once("::").map_or(name, |(_, rest)| rest);
    name.split_once("::{{").map_or(name, |(rest, _)| rest)
}
