//! When something was taken: one line on standard output, for the bench, which gives one pipe to
//! all the programs of a fleet.
//!
//! `NAME NANOSECONDS BEGINNING`: who took it, the time since 1970 by the clock that all processes
//! of the machine share, and the first letters of what was taken, which tell one document of the
//! bench from another. The bench reads the lines when it likes: what they say was true when they
//! were written.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Prints that `name` has taken `text` at this moment. A reader who has gone is no concern of ours.
pub fn print(name: &str, text: &str) {
    let now = SystemTime::now();
    let since = now
        .duration_since(UNIX_EPOCH)
        .expect("the clock is set to a time after 1970");
    let beginning: String = text.chars().take(BEGINNING).collect();
    // In one write of less than PIPE_BUF, so that the lines of several programs do not mix.
    let line = format!("{name} {} {beginning}\n", since.as_nanos());
    let mut output = std::io::stdout().lock();
    let _ = output
        .write_all(line.as_bytes())
        .and_then(|()| output.flush());
}

/// As many letters tell two documents of the bench apart.
const BEGINNING: usize = 128;
