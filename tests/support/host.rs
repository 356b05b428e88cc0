//! One host of a lab: a Starling with a state directory of its own and, unless told
//! otherwise, a stand-in server behind it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::private::NETLAB;
use super::program;
use harness::daemon::Daemon;
use harness::http::{self, Reply};
use harness::log::Log;

/// A host: where its things are, and what runs there.
pub struct Host {
    /// Its number in the lab, from 1.
    pub number: usize,
    /// Flags for `starling run` beside those that every host gets.
    pub flags: Vec<String>,
    /// Variables of its environment, such as a wall clock to believe in.
    pub environment: Vec<(String, String)>,
    /// What it said so far, over all its runs.
    pub log: Log,
    /// The running Starling itself: every program on the way to it has used `exec`.
    pub starling: Option<Daemon>,
    /// The running stand-in server, if there is one in this lab.
    pub server: Option<Child>,
    dir: PathBuf,
}

impl Host {
    /// A host with nothing running, keeping its things in `dir`.
    pub fn new(number: usize, dir: PathBuf) -> Host {
        fs::create_dir_all(&dir).expect("the scratch directory can be written");
        Host {
            number,
            flags: Vec::new(),
            environment: Vec::new(),
            log: Log::default(),
            dir,
            starling: None,
            server: None,
        }
    }

    /// Starts Starling, in front of the stand-in server if that runs, and waits until it answers.
    pub fn start(&mut self) {
        self.launch("exec \"$@\"");
        self.wait_started();
    }

    /// Waits until the Starling that was launched answers.
    pub fn wait_started(&mut self) {
        self.daemon().wait_started(|| self.get("/fleet").is_some());
    }

    /// Starts Starling through the shell command `how`, which is to `exec "$@"`. Does not wait.
    pub fn launch(&mut self, how: &str) {
        let unit = if self.server.is_some() {
            self.unit_socket().into_os_string()
        } else {
            "none".into()
        };
        let mut command = Command::new(NETLAB);
        command.args(["exec", &self.number.to_string(), "env"]);
        command.args(
            self.environment
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        command
            .args(["sh", "-c", how, "sh"])
            .arg(program("starling"))
            .arg("run");
        command
            .arg("--state")
            .arg(self.state())
            .arg("--control")
            .arg(self.control_socket())
            .arg("--unit")
            .arg(unit);
        command
            .args(["--name", &format!("h{}", self.number)])
            .args(&self.flags);
        command.stdin(Stdio::piped());
        self.starling = Some(Daemon::launch(command, &self.log));
    }

    /// Ends Starling as power loss of its process would: `kill -9`.
    pub fn kill(&mut self) {
        self.starling.take().into_iter().for_each(Daemon::kill);
    }

    /// Runs `starling COMMAND… --state DIR` with `input`, without any network, so that a token
    /// holds no addresses; gives what it printed.
    pub fn command(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new("unshare");
        command
            .arg("--net")
            .arg(program("starling"))
            .args(arguments)
            .arg("--state")
            .arg(self.state())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("starling can be started");
        child
            .stdin
            .take()
            .expect("it was piped")
            .write_all(input.as_bytes())
            .expect("it reads its input or ends");
        let output = child.wait_with_output().expect("our own child");
        assert!(
            output.status.success(),
            "starling {arguments:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Asks this Starling. `None` when it does not answer, or not with 200.
    pub fn get(&self, target: &str) -> Option<Reply> {
        http::request(&self.control_socket(), "GET", target, b"")
            .ok()
            .filter(|reply| reply.status == 200)
    }

    /// Asks this Starling for JSON; `Null` when it does not answer.
    pub fn json(&self, target: &str) -> Value {
        self.get(target)
            .map(|reply| reply.json())
            .unwrap_or_default()
    }

    /// Sends a change to this Starling and gives the answer.
    pub fn put(&self, target: &str, body: &[u8]) -> Reply {
        let answer = http::request(&self.control_socket(), "PUT", target, body);
        answer.unwrap_or_else(|error| {
            panic!(
                "PUT {target} on host {}: {error}\n{}",
                self.number,
                self.log.tail(15)
            )
        })
    }

    /// The ID of the head, when there is one.
    pub fn head(&self) -> Option<String> {
        self.json("/fleet")
            .pointer("/group/head/id")
            .and_then(Value::as_str)
            .map(str::to_owned)
    }

    /// The ends of this host's links.
    pub fn links(&self) -> Vec<Value> {
        self.json("/fleet/links")
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// A file of this host, beside its state directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.file("state")
    }

    /// The socket of its server.
    pub fn unit_socket(&self) -> PathBuf {
        self.file("unit.sock")
    }

    /// The process ID of the running Starling.
    pub fn pid(&self) -> u32 {
        self.daemon().child.id()
    }

    /// A size in KiB of the running Starling, by its name in `/proc/PID/status`.
    pub fn memory_kib(&self, name: &str) -> u64 {
        self.daemon().memory_kib(name)
    }

    fn daemon(&self) -> &Daemon {
        self.starling.as_ref().expect("it was started")
    }

    /// What a person needs who looks into a failed test.
    pub fn account(&self) -> String {
        let fleet = self
            .get("/fleet")
            .map(|reply| reply.body)
            .unwrap_or_else(|| "no answer".into());
        format!(
            "--- host {}: last words\n{}    GET /fleet: {fleet}\n",
            self.number,
            self.log.tail(15)
        )
    }

    /// The socket of its REST endpoint.
    pub fn control_socket(&self) -> PathBuf {
        self.file("control.sock")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Before its server.
        drop(self.starling.take());
        if let Some(mut child) = self.server.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
