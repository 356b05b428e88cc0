//! Tests that cannot run on this machine.

/// Says that a test was not run, and for want of what. Where every test is asked for, that is a
/// failure.
pub fn skip(need: &str) {
    assert!(
        std::env::var("STARLING_TEST_REQUIRE").as_deref() != Ok("all"),
        "this needs {need}"
    );
    println!("skipped: needs {need}");
}
