//! System calls of a running program that do not come back: strace holds the thread that makes them
//! until it is ended.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// While it lives, the calls do not come back.
pub struct Standstill(Child);

impl Standstill {
    /// The first thread of this process, which is the loop, stands at the next system call named
    /// `call`. All others go on.
    pub fn of_loop(process: u32, call: &str) -> Self {
        Self::start(process, &["-p", &process.to_string()], call)
    }

    /// Whichever thread of this process makes one of these system calls stands there.
    pub fn of_all(process: u32, calls: &str) -> Self {
        Self::start(process, &["-f", "-p", &process.to_string()], calls)
    }

    /// Whichever thread of this process looks at this file stands there.
    pub fn of_file(process: u32, path: &Path) -> Self {
        Self::start(
            process,
            &[
                "-f",
                "-p",
                &process.to_string(),
                "-P",
                path.to_str().expect("it is text"),
            ],
            LOOKS,
        )
    }

    fn start(process: u32, whom: &[&str], calls: &str) -> Self {
        let mut command = Command::new("strace");
        command.args(whom).args([
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={calls}"),
            "-e",
            &injection(calls),
        ]);
        let held = Self(
            command
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("lacks() has looked for it"),
        );
        let late = Instant::now() + ATTACH_WAIT;
        while !is_traced(process, whom.contains(&"-f")) {
            assert!(Instant::now() < late, "strace does not attach");
            std::thread::sleep(Duration::from_millis(5));
        }
        held
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        // As if each call had only been slow; a killed strace leaves those that it traces as they
        // are.
        let _ = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        let _ = self.0.wait();
    }
}

/// A shell command that has `"$@"` started, and lets no thread of it come to an end that looks at
/// this file, until [`release`].
pub fn held_at_file(path: &Path) -> String {
    let (path, injection) = (path.display(), injection(LOOKS));
    format!(
        "exec strace -I2 -D -f -qq -o /dev/null -P '{path}' -e trace={LOOKS} -e {injection} \"$@\""
    )
}

/// Whoever holds threads of this process lets them go.
pub fn release(process: u32) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let tracer = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))
        .expect("a line of proc(5)")
        .trim();
    assert!(
        Command::new("kill")
            .args(["-TERM", tracer])
            .status()
            .expect("there is a kill")
            .success()
    );
}

/// Whether somebody traces the first thread of a process, or all of them.
fn is_traced(process: u32, all: bool) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let tasks = tasks
        .flatten()
        .filter(|task| all || task.file_name().to_str() == Some(&process.to_string()));
    let mut statuses =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    statuses.all(|status| !status.contains("TracerPid:\t0\n"))
}

/// More than strace takes on a busy machine.
const ATTACH_WAIT: Duration = Duration::from_secs(20);

/// The calls by which a file is looked at.
const LOOKS: &str = "openat,statx";

/// What strace is to do with these calls: an hour is longer than any test.
fn injection(calls: &str) -> String {
    format!("inject={calls}:delay_enter=3600000000")
}

/// Why nothing can be held on this machine, or nothing.
pub fn lacks() -> Option<String> {
    match Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=futex", "true"])
        .output()
    {
        Err(_) => Some("the program `strace`".to_owned()),
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "leave to trace ({})",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}
