//! A peer on the loopback: the real program with a state directory, in front of a stand-in server
//! or of none.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::standin::{Setup, StandIn};
use harness::daemon::Daemon;
use harness::http::{self, Reply};
use harness::log::Log;

/// A peer: where its things are, and what runs there.
pub struct Peer {
    /// Its state directory.
    pub state: PathBuf,
    /// What it said so far, over all its runs.
    pub log: Log,
    /// Words before the program's own, such as those of strace.
    pub through: Vec<String>,
    dir: PathBuf,
    name: String,
    daemon: Option<Daemon>,
    server: Option<StandIn>,
}

impl Peer {
    /// One that keeps its state in `state` and all else in `dir`. Nothing runs yet.
    pub fn new(dir: &Path, state: &Path, name: &str) -> Self {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("empty.conf"), "{}").unwrap();
        Self {
            state: state.to_owned(),
            log: Log::default(),
            through: Vec::new(),
            dir: dir.to_owned(),
            name: name.to_owned(),
            daemon: None,
            server: None,
        }
    }

    /// Some of them, of one fleet, without servers, below `dir`. The first has founded it.
    pub fn fleet<const N: usize>(dir: &Path) -> [Self; N] {
        let peers = std::array::from_fn(|number| {
            let dir = dir.join(format!("p{number}"));
            Self::new(&dir, &dir.join("state"), &format!("p{number}"))
        });
        peers[0].command(&["init"], "");
        let token = peers[0].command(&["token", "--peer", "127.0.0.1:9"], "");
        peers[1..]
            .iter()
            .for_each(|peer| drop(peer.command(&["join", "-"], &token)));
        peers
    }

    /// Puts a stand-in server behind it.
    pub fn serve(&mut self) {
        let setup = Setup {
            socket: self.dir.join("unit.sock"),
            ..Setup::default()
        };
        self.server = Some(StandIn::start(setup).unwrap());
    }

    /// Its server.
    pub fn server(&self) -> &StandIn {
        self.server.as_ref().expect("it was given one")
    }

    /// Runs a subcommand; gives what it printed, or panics with what it complained of.
    pub fn command(&self, words: &[&str], input: &str) -> String {
        let (status, printed, complaint) = self.try_command(words, input);
        assert_eq!(status, 0, "starling {words:?}: {complaint}");
        printed
    }

    /// Runs a subcommand; gives its exit status, what it printed and what it complained of.
    pub fn try_command(&self, words: &[&str], input: &str) -> (i32, String, String) {
        let words = words
            .iter()
            .map(OsString::from)
            .chain(["--state".into(), self.state.clone().into_os_string()]);
        let mut command = self.program(words);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read it is no failure here.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().unwrap_or(-1),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Starts the daemon, linked to these, and waits until it answers.
    pub fn start(&mut self, to: &[&Self]) {
        self.launch(to);
        self.daemon()
            .wait_started(|| self.get("/healthz").is_some());
    }

    /// Starts the daemon, and does not wait.
    pub fn launch(&mut self, to: &[&Self]) {
        let unit = if self.server.is_some() {
            self.dir.join("unit.sock").into_os_string()
        } else {
            "none".into()
        };
        let mut words: Vec<OsString> = ["run", "--no-mdns", "--listen", "127.0.0.1:0"]
            .map(OsString::from)
            .to_vec();
        words.extend([
            "--name".into(),
            self.name.clone().into(),
            "--unit".into(),
            unit,
        ]);
        words.extend(["--control".into(), self.control().into_os_string()]);
        words.extend(["--state".into(), self.state.clone().into_os_string()]);
        words.extend(
            to.iter()
                .flat_map(|peer| ["--peer".into(), peer.address().into()]),
        );
        let mut command = self.program(words.into_iter());
        command.stdin(Stdio::null());
        self.daemon = Some(Daemon::launch(command, &self.log));
    }

    /// Ends the daemon in good order.
    pub fn stop(&mut self) {
        self.signal("TERM");
        self.ended();
    }

    /// Whether the daemon, which was started, has ended by itself.
    pub fn is_over(&self) -> bool {
        self.daemon.as_ref().is_none_or(Daemon::is_over)
    }

    /// Waits until the daemon has ended, however it does; gives its exit status, if it had the time
    /// to have one.
    pub fn ended(&mut self) -> Option<i32> {
        self.daemon.take().expect("it runs").ended().0.code()
    }

    /// Where others reach this run.
    pub fn address(&self) -> String {
        self.daemon().says("listening on ")
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it was started")
    }

    /// The answer, if there is one and it is 200.
    pub fn get(&self, target: &str) -> Option<Reply> {
        http::request(&self.control(), "GET", target, b"")
            .ok()
            .filter(|reply| reply.status == 200)
    }

    /// The answer as JSON; `Null` if there is none.
    pub fn json(&self, target: &str) -> Value {
        self.get(target)
            .map(|reply| reply.json())
            .unwrap_or_default()
    }

    /// A change.
    pub fn put(&self, target: &str, body: &str) -> Reply {
        http::request(&self.control(), "PUT", target, body.as_bytes()).unwrap_or_else(|error| {
            panic!(
                "PUT {target} to {}: {error}\n{}",
                self.name,
                self.log.tail(20)
            )
        })
    }

    /// A change to a daemon that may die of it: whether it was taken.
    pub fn try_put(&self, target: &str, body: &str) -> bool {
        http::request(&self.control(), "PUT", target, body.as_bytes())
            .is_ok_and(|reply| reply.status == 200)
    }

    /// A change that must be taken: a route of this name.
    pub fn change(&self, name: &str) {
        let reply = self.put(&format!("/config/routes/{name}"), "[]");
        assert_eq!(reply.status, 200, "{}\n{}", reply.body, self.log.tail(20));
    }

    /// Whether the document has a route of this name.
    pub fn has(&self, name: &str) -> bool {
        self.json("/config")
            .pointer(&format!("/routes/{name}"))
            .is_some()
    }

    /// Whether it may speak for the fleet.
    pub fn is_in_step(&self) -> bool {
        self.json("/fleet").pointer("/peer/joined") == Some(&true.into())
    }

    /// What is wrong, as this peer reports it.
    pub fn problems(&self) -> Vec<String> {
        let fleet = self.json("/fleet");
        let listed = fleet["problems"].as_array().cloned().unwrap_or_default();
        listed
            .iter()
            .map(|problem| problem.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The directory of the group that everybody is in.
    pub fn revisions(&self) -> PathBuf {
        self.state.join("revisions/default")
    }

    /// The names of its sound or unsound revisions, without what was set aside or is being written.
    pub fn kept(&self) -> Vec<String> {
        super::names(&self.revisions())
            .into_iter()
            .filter(|name| !name.contains('.'))
            .collect()
    }

    fn control(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    fn program(&self, words: impl Iterator<Item = OsString>) -> Command {
        let mut all = self
            .through
            .iter()
            .map(OsString::from)
            .chain([env!("CARGO_BIN_EXE_starling").into()])
            .chain(words);
        let mut command = Command::new(all.next().expect("there is a program"));
        command
            .args(all)
            .arg("--config")
            .arg(self.dir.join("empty.conf"));
        command
    }

    /// The daemon's process, under strace too: that one has a single child.
    pub fn process(&self) -> String {
        let child = self.daemon().child.id();
        let children =
            fs::read_to_string(format!("/proc/{child}/task/{child}/children")).unwrap_or_default();
        children
            .split_whitespace()
            .next()
            .map_or(child.to_string(), str::to_owned)
    }

    fn signal(&self, name: &str) {
        // It may be over by now.
        let _ = Command::new("kill")
            .args([&format!("-{name}"), &self.process()])
            .status();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Under strace it is not the daemon that dropping ends.
        if self.daemon.is_some() && !self.is_over() {
            self.signal("KILL");
        }
    }
}
