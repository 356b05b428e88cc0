//! The real program as a daemon: how every test starts it, waits for it, hears it and ends it. What
//! it is started through (a shell, a namespace, strace) and what it is told are its caller's
//! business; whatever stands before it uses `exec`.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::log::Log;

/// Killed when dropped.
pub struct Daemon {
    pub child: Child,
    log: Log,
    /// Where its own part of the log begins.
    from: usize,
    /// Ends when everybody has closed the standard error of the daemon.
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts it, and has its standard error go on in `log`. Does not wait.
    pub fn launch(mut command: Command, log: &Log) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (from, stderr) = (log.size(), child.stderr.take().expect("it was piped"));
        Self {
            child,
            log: log.clone(),
            from,
            reader: Some(log.follow(stderr)),
        }
    }

    /// One whose standard error goes elsewhere.
    pub fn unheard(child: Child) -> Self {
        Self {
            child,
            log: Log::default(),
            from: 0,
            reader: None,
        }
    }

    /// Waits until it answers. One that ends before, or takes too long, fails the test with its
    /// last words.
    pub fn wait_started(&self, answers: impl Fn() -> bool) {
        let late = Instant::now() + START_WAIT;
        while !answers() {
            self.must_be_starting(late, "an answer");
            std::thread::sleep(POLL);
        }
    }

    /// What stands behind these words where it says them first; waits until it does, as in
    /// [`Daemon::wait_started`].
    pub fn says(&self, words: &str) -> String {
        let late = Instant::now() + START_WAIT;
        loop {
            let line = self
                .log
                .wait(self.from, 10 * POLL, |line| line.contains(words));
            if let Some((_, rest)) = line.as_ref().and_then(|line| line.text.split_once(words)) {
                return rest.to_owned();
            }
            self.must_be_starting(late, words);
        }
    }

    fn must_be_starting(&self, late: Instant, wanted: &str) {
        let is_over = self.is_over();
        assert!(
            !is_over && Instant::now() < late,
            "no {wanted}, and it has ended: {is_over}\n{}",
            self.log.tail(20)
        );
    }

    /// All that it has said so far.
    pub fn log(&self) -> String {
        self.log.text(self.from)
    }

    /// Whether it has ended by itself.
    pub fn is_over(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.child.id()))
            .is_ok_and(|stat| stat.contains(") Z "))
    }

    /// A size in KiB, by its name in `/proc/PID/status`.
    pub fn memory_kib(&self, name: &str) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status
            .lines()
            .find(|line| line.split(':').next() == Some(name))
            .expect("a field of proc(5)");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a number of KiB")
    }

    /// Asks it to end.
    pub fn signal_to_end(&self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .expect("there is a kill")
                .success()
        );
    }

    /// Waits until it has ended, however it does; gives its exit status and all that it has said.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("it is our child");
        // Its end of the pipe is closed: the thread that reads it comes to the end.
        self.reader
            .take()
            .into_iter()
            .for_each(|reader| reader.join().expect("no reader of a log panics"));
        (status, self.log())
    }

    /// Asks it to end, and gives its exit status and all that it has said.
    pub fn terminate(self) -> (Option<i32>, String) {
        self.signal_to_end();
        let late = Instant::now() + START_WAIT;
        while !self.is_over() {
            assert!(Instant::now() < late, "it does not end:\n{}", self.log());
            std::thread::sleep(POLL);
        }
        let (status, said) = self.ended();
        (status.code(), said)
    }

    /// Ends it at once, as power loss of its process would.
    pub fn kill(mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// More than a start takes on a busy machine with two cores.
const START_WAIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
