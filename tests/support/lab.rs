//! A lab: N hosts on one or more Ethernet segments, made by `netlab.sh` inside the private
//! namespaces of the running test.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::host::Host;
use super::private::NETLAB;

/// The hosts, and the network between them.
pub struct Lab {
    /// The hosts, number 1 first.
    pub hosts: Vec<Host>,
}

impl Lab {
    /// Makes `count` hosts on `subnets` segments; their things go under `dir`. Nothing runs yet.
    pub fn up(dir: &Path, count: usize, subnets: usize) -> Lab {
        let hosts = (1..=count)
            .map(|i| Host::new(i, dir.join(format!("h{i}"))))
            .collect();
        let lab = Lab { hosts };
        lab.net(&["up", &count.to_string(), "--subnets", &subnets.to_string()]);
        lab
    }

    /// Host `number`, counted from 1.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number - 1]
    }

    /// Host `number`, to start and stop things on it.
    pub fn host_mut(&mut self, number: usize) -> &mut Host {
        &mut self.hosts[number - 1]
    }

    /// Runs a command of `netlab.sh`; gives what it printed.
    pub fn net(&self, arguments: &[&str]) -> String {
        let output = Command::new(NETLAB)
            .args(arguments)
            .output()
            .expect("netlab.sh can be started");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "netlab.sh {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes these hosts one fleet, the first of them by `init`, without any addresses.
    pub fn join(&self, members: &[usize]) {
        self.host(members[0]).command(&["init"], "");
        let token = self.host(members[0]).command(&["token"], "");
        for &member in &members[1..] {
            self.host(member).command(&["join", "-"], &token);
        }
    }

    /// Waits until `done`, and gives how long that took. When it takes longer than `within`, the
    /// test fails and shows every host's last words.
    pub fn wait(&self, within: Duration, what: &str, done: impl Fn() -> bool) -> Duration {
        self.wait_for(within, || what.to_owned(), done)
    }

    /// The same, with words that are only found when it fails.
    pub fn wait_for(
        &self,
        within: Duration,
        what: impl Fn() -> String,
        done: impl Fn() -> bool,
    ) -> Duration {
        let begin = Instant::now();
        while !done() {
            if begin.elapsed() > within {
                let accounts: String = self.hosts.iter().map(Host::account).collect();
                panic!("not within {within:?}: {}\n{accounts}", what());
            }
            std::thread::sleep(POLL);
        }
        begin.elapsed()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.hosts.clear();
        let _ = Command::new(NETLAB).arg("down").output();
    }
}

const POLL: Duration = Duration::from_millis(20);
