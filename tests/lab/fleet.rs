//! What only the tests need of a lab: stand-in servers and their faults, and whether hosts agree.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::host::Host;
use super::support::lab::Lab;
use super::support::program;
use harness::http;

impl Host {
    /// Starts the stand-in server and waits until it answers.
    pub fn serve(&mut self) {
        let child = Command::new(program("examples/unit-standin"))
            .arg(self.unit_socket())
            .arg("--state")
            .arg(self.file("unit.json"))
            .arg("--faults")
            .arg(self.file("faults"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.server = Some(child.expect("the stand-in server can be started"));
        let deadline = Instant::now() + START_WAIT;
        while self.server_config().is_none() || !self.file("faults").exists() {
            assert!(
                Instant::now() < deadline,
                "the stand-in server of host {} does not answer",
                self.number
            );
            std::thread::sleep(POLL);
        }
    }

    /// The time on a processor of the running Starling, over all threads that live (the first field
    /// of `schedstat`).
    pub fn processor_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the peer runs");
        let stats = tasks
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
        Duration::from_nanos(
            stats
                .filter_map(|stat| stat.split_whitespace().next()?.parse::<u64>().ok())
                .sum(),
        )
    }

    /// The open conflicts as this host lists them.
    pub fn conflicts(&self) -> Vec<Value> {
        self.json("/fleet/conflicts")
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Whether there is a file of this revision of the group `default`.
    pub fn has_stored(&self, revision: &str) -> bool {
        let files = fs::read_dir(self.state().join("revisions/default"))
            .into_iter()
            .flatten()
            .flatten();
        files
            .into_iter()
            .any(|file| file.file_name().to_string_lossy().ends_with(revision))
    }

    /// What the stand-in server runs; `None` while it does not answer.
    pub fn server_config(&self) -> Option<Value> {
        http::request(&self.unit_socket(), "GET", "/config", b"")
            .ok()
            .map(|reply| reply.json())
    }

    /// Gives the stand-in server one of its fault lines; returns its answer.
    pub fn fault(&self, line: &str) -> String {
        let mut stream =
            http::connect(&self.file("faults")).expect("the stand-in server takes faults");
        stream
            .set_read_timeout(Some(START_WAIT))
            .expect("a wait that is not zero");
        writeln!(stream, "{line}").expect("the stand-in server takes faults");
        let mut answer = String::new();
        BufReader::new(stream)
            .read_line(&mut answer)
            .expect("the stand-in server answers each fault line");
        answer.trim().to_owned()
    }
}

impl Lab {
    /// Starts these hosts, each with a server of its own.
    pub fn start(&mut self, members: &[usize]) {
        for &member in members {
            self.host_mut(member).serve();
            self.host_mut(member).start();
        }
    }

    /// Makes a fleet of these hosts, starts them with a server each, and waits for the full mesh.
    pub fn fleet(&mut self, members: &[usize]) {
        self.join(members);
        self.start(members);
        self.wait_linked(members, members.len() - 1);
    }

    /// Waits until each of these hosts has `links` links.
    pub fn wait_linked(&self, members: &[usize], links: usize) -> Duration {
        let what = format!("hosts {members:?} have {links} links each");
        self.wait(LINK_WAIT, &what, || {
            members.iter().all(|&m| self.host(m).links().len() == links)
        })
    }

    /// Whether these hosts have one head, one document and the same conflicts, and their servers
    /// run it.
    pub fn agree(&self, members: &[usize]) -> bool {
        let head = self.host(members[0]).head();
        let document = self.host(members[0]).json("/config");
        let conflicts = conflict_ids(self.host(members[0]));
        head.is_some()
            && members.iter().map(|&m| self.host(m)).all(|host| {
                host.head() == head
                    && host.json("/config") == document
                    && conflict_ids(host) == conflicts
                    && (!host.unit_socket().exists()
                        || host.server_config().as_ref() == Some(&document))
            })
    }

    /// Whether these hosts agree, and nothing is left to be done about what lost: the head lists
    /// it.
    pub fn at_rest(&self, members: &[usize]) -> bool {
        let noted = |i: usize| {
            self.host(i)
                .conflicts()
                .iter()
                .all(|conflict| conflict["state"] == "open")
        };
        self.agree(members) && members.iter().all(|&i| noted(i))
    }
}

fn conflict_ids(host: &Host) -> BTreeSet<String> {
    host.conflicts().iter().map(Value::to_string).collect()
}

/// Linking takes milliseconds; the rest is for two cores that do ten other things.
const LINK_WAIT: Duration = Duration::from_secs(20);
/// More than a start takes on a busy machine with two cores.
const START_WAIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);
