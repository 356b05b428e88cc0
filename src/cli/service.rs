//! `starling service`: a unit with which systemd runs the daemon, with the least rights that work.
//!
//! Its text stands in a file of its own. It is printed, never installed: where it belongs is for
//! whoever runs the machine to decide.

use std::env;
use std::os::unix::ffi::OsStrExt;

/// The text of a systemd unit that runs the program from where it lies now.
pub(super) fn unit() -> String {
    let found = env::current_exe()
        .ok()
        .and_then(|path| quoted(path.as_os_str().as_bytes()));
    UNIT.replace("@PROGRAM@", &found.unwrap_or_else(|| USUAL.to_owned()))
}

/// A path as systemd reads the first word of a command (systemd.service(5), "Command lines"): in
/// quotes if it needs them, with `%` doubled. A dollar stands for itself there. `None` for control
/// characters, which systemd does not take in any spelling.
fn quoted(path: &[u8]) -> Option<String> {
    // Linux adds this to the path of a program that was replaced since it was started; there is
    // another at that place now.
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._+-".contains(byte);
    if path.iter().any(u8::is_ascii_control) {
        return None;
    }
    let mut text = String::new();
    for byte in path {
        match byte {
            b'%' => text.push_str("%%"),
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            byte if byte.is_ascii() => text.push(char::from(*byte)),
            byte => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    Some(if path.iter().all(is_plain) {
        text
    } else {
        format!("\"{text}\"")
    })
}

const UNIT: &str = include_str!("starling.service");
/// The path at which packages install the program.
const USUAL: &str = "/usr/bin/starling";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_systemd_reads_it() {
        for (path, expected) in [
            (
                &b"/usr/local/bin/starling"[..],
                Some("/usr/local/bin/starling"),
            ),
            (
                b"/opt/my tools/starling",
                Some("\"/opt/my tools/starling\""),
            ),
            (
                b"/opt/100%/\"a\"\\$b;/starling",
                Some("\"/opt/100%%/\\\"a\\\"\\\\$b;/starling\""),
            ),
            (
                "/opt/möwe/starling".as_bytes(),
                Some("\"/opt/m\\xc3\\xb6we/starling\""),
            ),
            (b"/usr/bin/starling (deleted)", Some("/usr/bin/starling")),
            (b"/opt/a\nb", None),
        ] {
            assert_eq!(quoted(path).as_deref(), expected);
        }
    }
}
