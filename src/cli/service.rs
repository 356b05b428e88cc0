//! `starling service`: a unit with which systemd runs the daemon, with the least rights that work.
//!
//! Its text stands in a file of its own. It is printed, never installed: where it belongs is for whoever runs the machine to decide.

use std::env;

/// The unit, for the program where it is now.
pub(super) fn unit() -> String {
    let found = env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
    // systemd would read more into others: a space, a quote, a percent sign, a dollar.
    let is_plain = |path: &String| path.chars().all(|c| c.is_ascii_alphanumeric() || "/._+-".contains(c));
    UNIT.replace("@PROGRAM@", &found.filter(is_plain).unwrap_or_else(|| USUAL.to_owned()))
}

const UNIT: &str = include_str!("starling.service");
/// Where packages put the program.
const USUAL: &str = "/usr/bin/starling";
