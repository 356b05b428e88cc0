//! Brokers that Debian packages, measured beside Starling by the same rule, so that anybody can
//! check the ratio: from the publisher's request until the last of the subscribers, of which there
//! is one on each host, has the document.
//!
//! Nothing of what Starling does behind that is in their figures: no server is configured, no
//! subscriber writes to a disk, nothing is encrypted or signed. Publishers and subscribers are
//! programs of their own on the hosts (`agent.rs`), whose cost is not counted.

pub mod agent;
mod etcd;
mod nats;

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use super::arrivals::{self, Arrivals};
use super::carrier::{Carrier, Document, Published, Rate, WAIT};
use super::support::lab::Lab;
use super::support::private::NETLAB;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Broker {
    Nats,
    Etcd,
}

impl Broker {
    /// All that can be measured.
    pub const ALL: [Self; 2] = [Self::Nats, Self::Etcd];

    /// The name of its program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats-server",
            Self::Etcd => "etcd",
        }
    }

    /// The broker of this name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|broker| broker.name() == name)
    }

    /// What its figures do not have in them.
    pub fn note(self) -> &'static str {
        match self {
            Self::Nats => {
                "nats-server: one on each host, as a cluster; at most once, in memory only, \
                 nothing acknowledged, no encryption, no server behind the subscribers"
            }
            Self::Etcd => {
                "etcd: three members (one if there are fewer hosts), which write to disk; the \
                 subscribers, which watch by its JSON gateway, do not; no encryption, no server \
                 behind them"
            }
        }
    }

    /// Starts it on `count` hosts, with a subscriber on each.
    pub fn up(self, dir: &Path, count: usize) -> Brokers {
        let lab = Lab::up(dir, count, 1);
        let members = match self {
            Self::Nats => count,
            Self::Etcd if count < ETCD_MEMBERS => 1,
            Self::Etcd => ETCD_MEMBERS,
        };
        let start = |number: usize| {
            let words = match self {
                Self::Nats => nats::words(number),
                Self::Etcd => etcd::words(number, members, &lab.host(number).file("etcd")),
            };
            let mut command = on_host(number, self.name());
            command.args(words).stdin(Stdio::null());
            let said = File::create(lab.host(number).file("broker.log"));
            let said = said.expect("the scratch directory can be written");
            command.stdout(said.try_clone().expect("a file can be opened twice"));
            Running(command.stderr(said).spawn().expect("the broker starts"))
        };
        let programs = (1..=members).map(start).collect();
        let arrivals = Arrivals::new();
        let agent = |number: usize| Agent::start(self, number, members, &arrivals);
        let agents = (1..=count).map(agent).collect();
        let up = Brokers {
            agents,
            programs,
            arrivals,
            broker: self,
            _lab: lab,
        };
        up.wait_ready();
        up
    }
}

/// A broker that runs. What runs on the hosts goes before the hosts do.
pub struct Brokers {
    agents: Vec<Agent>,
    programs: Vec<Running>,
    arrivals: Arrivals,
    broker: Broker,
    _lab: Lab,
}

impl Brokers {
    /// Waits until a change reaches every host: who has subscribed with one broker is news to the
    /// others for a while.
    fn wait_ready(&self) {
        let late = Instant::now() + WAIT * 2;
        loop {
            let document = Document::new(1 << 10);
            let published = self.publish(1, document).is_some();
            let last = self
                .arrivals
                .last(self.hosts(), &document.text(), Duration::from_secs(2));
            if published && last.is_ok() {
                return;
            }
            let name = self.broker.name();
            assert!(
                Instant::now() < late,
                "{name}: only so many hosts: {last:?}"
            );
        }
    }
}

impl Carrier for Brokers {
    fn hosts(&self) -> usize {
        self.agents.len()
    }

    fn programs(&self) -> Vec<u32> {
        self.programs.iter().map(|program| program.0.id()).collect()
    }

    fn places(&self) -> Vec<u32> {
        self.agents.iter().map(|agent| agent.child.0.id()).collect()
    }

    fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    fn publish(&self, author: usize, document: Document) -> Option<Published> {
        let agent = &self.agents[author - 1];
        agent.tell(&format!("{} {}", document.bytes, document.seed));
        let text = document.text();
        let said = |name: &str| self.arrivals.said(&format!("{name}{author}"), &text, WAIT);
        let begun = said(agent::BEGUN)?;
        let answered = match self.broker {
            Broker::Nats => None,
            Broker::Etcd => Some(said(agent::ANSWERED)?),
        };
        Some(Published { begun, answered })
    }

    fn flat_out(&self, count: usize) -> Rate {
        self.arrivals.forget();
        let documents: Vec<Document> = (0..count).map(|_| Document::new(1 << 10)).collect();
        let lines: Vec<String> = documents
            .iter()
            .map(|document| format!("{} {}", document.bytes, document.seed))
            .collect();
        let begin = SystemTime::now();
        self.agents[0].tell(&lines.join("\n"));
        let texts: Vec<String> = documents.iter().map(|document| document.text()).collect();
        // The last one first: when that is there, or is lost, so are all before it.
        let mut last = begin;
        let mut lost = 0;
        for text in texts.iter().rev() {
            let patience = if lost == 0 { WAIT } else { Duration::ZERO };
            match self.arrivals.last(self.hosts(), text, patience) {
                Ok(at) => last = last.max(at),
                Err(_) => lost += 1,
            }
        }
        let answered = |text: &String| {
            let name = format!("{}1", agent::ANSWERED);
            self.arrivals.said(&name, text, Duration::ZERO)
        };
        let answered = texts.iter().filter_map(answered).max();
        let rate = |until: SystemTime| {
            let seconds = until.duration_since(begin).unwrap_or_default();
            (count - lost) as f64 / seconds.as_secs_f64()
        };
        Rate {
            accepted: answered.map_or(f64::NAN, rate),
            whole: rate(last),
            lost,
        }
    }
}

/// The program on a host that publishes and subscribes.
struct Agent {
    child: Running,
    input: RefCell<ChildStdin>,
}

impl Agent {
    fn start(broker: Broker, number: usize, members: usize, arrivals: &Arrivals) -> Self {
        let own = std::env::current_exe().expect("a running program has a path");
        let mut command = on_host(number, &own.to_string_lossy());
        let member = 1 + (number - 1) % members;
        command
            .args([agent::WORD, broker.name()])
            .args([address(member), number.to_string()])
            .stdin(Stdio::piped())
            .stdout(arrivals.outlet());
        let mut child = command.spawn().expect("this program can be started");
        let input = RefCell::new(child.stdin.take().expect("it was piped"));
        let ready = arrivals.said(&arrivals::host(number), agent::READY, WAIT);
        assert!(ready.is_some(), "host {number} does not subscribe");
        Self {
            child: Running(child),
            input,
        }
    }

    fn tell(&self, lines: &str) {
        writeln!(self.input.borrow_mut(), "{lines}").expect("it reads until it is killed");
    }
}

/// A program that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn on_host(number: usize, program: &str) -> Command {
    let mut command = Command::new(NETLAB);
    command.args(["exec", &number.to_string(), program]);
    command
}

/// The address of host `number`, as netlab.sh has it.
fn address(number: usize) -> String {
    format!("10.77.0.{number}")
}

/// As many as keep a majority when one fails.
const ETCD_MEMBERS: usize = 3;
