//! System calls of a running program that do not come back: strace holds the thread that makes them until it is ended.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// While it lives, the calls do not come back.
pub struct Standstill(Child);

impl Standstill {
    /// The first thread of this process, which is the loop, stands at the next system call named `call`. All others go on.
    pub fn of_loop(process: u32, call: &str) -> Self {
        Self::start(&["-p", &process.to_string()], call)
    }

    /// Whichever thread of this process looks at this file stands there.
    pub fn of_file(process: u32, path: &Path) -> Self {
        Self::start(&["-f", "-p", &process.to_string(), "-P", path.to_str().expect("it is text")], LOOKS)
    }

    fn start(whom: &[&str], calls: &str) -> Self {
        let mut command = Command::new("strace");
        command.args(whom).args(["-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &injection(calls)]);
        Self(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("lacks() has looked for it"))
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        // As if each call had only been slow; a killed strace leaves those that it traces as they are.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// A shell command that has `"$@"` started, and lets no thread of it come to an end that looks at this file, until [`release`].
pub fn held_at_file(path: &Path) -> String {
    let (path, injection) = (path.display(), injection(LOOKS));
    format!("exec strace -I2 -D -f -qq -o /dev/null -P '{path}' -e trace={LOOKS} -e {injection} \"$@\"")
}

/// Whoever holds threads of this process lets them go.
pub fn release(process: u32) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).expect("a line of proc(5)").trim();
    assert!(Command::new("kill").args(["-TERM", tracer]).status().expect("there is a kill").success());
}

/// The calls by which a file is looked at.
const LOOKS: &str = "openat,statx";

/// What strace is to do with these calls: an hour is longer than any test.
fn injection(calls: &str) -> String {
    format!("inject={calls}:delay_enter=3600000000")
}

/// Why nothing can be held on this machine, or nothing.
pub fn lacks() -> Option<String> {
    match Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=futex", "true"]).output() {
        Err(_) => Some("the program `strace`".to_owned()),
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("leave to trace ({})", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
