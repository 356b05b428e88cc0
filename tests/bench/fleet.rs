//! Starling as a carrier: hosts in namespaces, each with a stand-in server behind it, where a
//! change is whole when the last of these servers has taken it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use harness::http;
use serde_json::Value;

use super::arrivals::{self, Arrivals};
use super::carrier::{AT_ONCE, Carrier, Document, Published, Rate, WAIT};
use super::support::host::Host;
use super::support::lab::Lab;
use super::support::program;

/// A fleet that is up.
pub struct Fleet {
    /// Its hosts.
    pub lab: Lab,
    arrivals: Arrivals,
    /// From the first program's start until the first change had reached all servers; `None` if
    /// there are no servers, or it did not.
    pub first_change: Option<Duration>,
}

impl Fleet {
    /// Starts `count` hosts at one moment, and makes a first change as soon as the first of them
    /// takes it. They find each other by mDNS, and nothing else tells them of each other.
    pub fn up(dir: &Path, count: usize, with_servers: bool) -> Self {
        let mut lab = Lab::up(dir, count, 1);
        let arrivals = Arrivals::new();
        lab.join(&(1..=count).collect::<Vec<_>>());
        for host in &mut lab.hosts {
            if with_servers {
                serve(host, &arrivals);
            }
            launch_waiting(host);
        }
        let (begin, document) = (SystemTime::now(), Document::new(1 << 10));
        lab.hosts.iter_mut().for_each(go);
        let mut fleet = Self {
            lab,
            arrivals,
            first_change: None,
        };
        let late = Instant::now() + WAIT;
        while fleet.publish(1, document).is_none() {
            assert!(Instant::now() < late, "host 1 takes no change");
            std::thread::sleep(Duration::from_millis(5));
        }
        if with_servers {
            let last = fleet.arrivals.last(count, &document.text(), WAIT);
            fleet.first_change = last.ok().and_then(|at| at.duration_since(begin).ok());
        }
        let (links, head) = (LINKS.min(count - 1), fleet.lab.host(1).head());
        fleet.lab.wait(WAIT, "all are linked, and one", || {
            let all = &fleet.lab.hosts;
            all.iter()
                .all(|host| host.links().len() >= links && host.head() == head)
        });
        fleet
    }

    /// Publishes on host 1, and waits until all hosts have it.
    pub fn settle(&self, bytes: usize) {
        let published = self.publish(1, Document::new(bytes));
        assert!(published.is_some(), "a change was refused");
        self.wait_one_head();
    }

    /// The resident memory of the host that has most, in MB.
    pub fn memory_mb(&self) -> f64 {
        let each = self.lab.hosts.iter().map(|host| host.memory_kib("VmRSS"));
        each.max().unwrap_or_default() as f64 * 1024.0 / 1e6
    }

    /// Waits until all hosts have one head, and their servers run it.
    fn wait_one_head(&self) {
        let first = self.lab.host(1);
        let same = |host: &Host, head: &Option<String>| {
            let fleet = host.json("/fleet");
            let at = |place: &str| fleet.pointer(place).and_then(Value::as_str);
            at("/group/head/id") == head.as_deref()
                && (host.server.is_none() || at("/group/applied") == head.as_deref())
        };
        self.lab.wait(WAIT, "all have one head", || {
            let head = first.head();
            self.lab.hosts.iter().all(|host| same(host, &head))
        });
    }
}

impl Carrier for Fleet {
    fn hosts(&self) -> usize {
        self.lab.hosts.len()
    }

    fn programs(&self) -> Vec<u32> {
        self.lab.hosts.iter().map(Host::pid).collect()
    }

    fn places(&self) -> Vec<u32> {
        self.programs()
    }

    fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    fn publish(&self, author: usize, document: Document) -> Option<Published> {
        let (text, socket) = (document.text(), self.lab.host(author).control_socket());
        let begun = SystemTime::now();
        let reply = http::request(&socket, "PUT", "/config", text.as_bytes()).ok()?;
        let answered = Some(SystemTime::now());
        (reply.status == 200).then_some(Published { begun, answered })
    }

    /// Some clients at once, each of which writes at a place of its own: afterwards each place must
    /// have what was accepted last, and there must be as many revisions as were accepted.
    fn flat_out(&self, count: usize) -> Rate {
        let first = self.lab.host(1);
        let places: Vec<String> = (0..AT_ONCE)
            .map(|place| format!("\"w{place}\":{}", step(place, 0)))
            .collect();
        let document = format!(r#"{{"listeners":{{}},"routes":{{{}}}}}"#, places.join(","));
        let reply = first.put("/config", document.as_bytes());
        assert!(reply.status == 200, "refused: {}", reply.body);
        self.wait_one_head();
        let (before, next) = (height(first), AtomicUsize::new(0));
        let begin = Instant::now();
        let accepted: Vec<Vec<usize>> = std::thread::scope(|scope| {
            let next = &next;
            let clients: Vec<_> = (0..AT_ONCE)
                .map(|place| scope.spawn(move || write(first, place, count, next)))
                .collect();
            clients
                .into_iter()
                .map(|client| client.join().expect("no client panics"))
                .collect()
        });
        let answered = begin.elapsed().as_secs_f64();
        self.wait_one_head();
        let whole = begin.elapsed().as_secs_f64();
        let made: usize = accepted.iter().map(Vec::len).sum();
        let lost = self.missing(&accepted) + made.abs_diff(height(first) - before);
        Rate {
            accepted: made as f64 / answered,
            whole: made as f64 / whole,
            lost,
        }
    }
}

impl Fleet {
    /// How many places of how many hosts do not have what was accepted last.
    fn missing(&self, accepted: &[Vec<usize>]) -> usize {
        let lacks = |host: &Host| {
            let routes = host.json("/config/routes");
            let last = accepted.iter().enumerate();
            last.filter(|(place, numbers)| {
                let wanted = numbers.last().copied().unwrap_or_default();
                let found = routes[format!("w{place}")].to_string();
                found != step(*place, wanted)
            })
            .count()
        };
        self.lab.hosts.iter().map(lacks).sum()
    }
}

/// Writes at its own place for as long as there are changes to make; the numbers of those that were
/// accepted.
fn write(host: &Host, place: usize, count: usize, next: &AtomicUsize) -> Vec<usize> {
    let (socket, mut accepted) = (host.control_socket(), Vec::new());
    let target = format!("/config/routes/w{place}");
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed) + 1;
        if number > count {
            return accepted;
        }
        let body = step(place, number);
        let reply = http::request(&socket, "PUT", &target, body.as_bytes());
        if reply.is_ok_and(|reply| reply.status == 200) {
            accepted.push(number);
        }
    }
}

/// What client `place` writes as change `number`: sixteen of them make a document of a kilobyte.
fn step(place: usize, number: usize) -> String {
    format!(r#"[{{"action":{{"return":301,"location":"/{place}/{number}"}}}}]"#)
}

fn height(host: &Host) -> usize {
    let fleet = host.json("/fleet");
    let height = fleet.pointer("/group/head/height").and_then(Value::as_u64);
    height.map_or(0, |height| height as usize)
}

/// Starts the stand-in server of a host, and waits until it answers.
fn serve(host: &mut Host, arrivals: &Arrivals) {
    let child = Command::new(program("examples/unit-standin"))
        .arg(host.unit_socket())
        .arg("--state")
        .arg(host.file("unit.json"))
        .arg("--moments")
        .arg(arrivals::host(host.number))
        .stdin(Stdio::null())
        .stdout(arrivals.outlet())
        .spawn();
    host.server = Some(child.expect("the stand-in server can be started"));
    let late = Instant::now() + WAIT;
    while http::request(&host.unit_socket(), "GET", "/config", b"").is_err() {
        assert!(Instant::now() < late, "the stand-in server does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts Starling up to its `exec`, so that what the lab does to start it is not counted.
pub fn launch_waiting(host: &mut Host) {
    host.launch("echo ready >&2; read -r line; exec \"$@\"");
    let ready = host.log.wait(0, WAIT, |line| line == "ready");
    assert!(ready.is_some(), "host {} does not start", host.number);
}

/// Lets what [`launch_waiting`] started go on.
pub fn go(host: &mut Host) {
    let daemon = host.starling.as_mut();
    let stdin = daemon.and_then(|daemon| daemon.child.stdin.as_mut());
    writeln!(stdin.expect("launched, with a pipe")).expect("it waits for a line");
}

/// The size on disk of the newest revision of the group `default` on a host, in bytes.
pub fn newest_revision(host: &Host) -> u64 {
    let files = std::fs::read_dir(host.state().join("revisions/default"));
    // Their names begin with the height, in as many digits each.
    let sizes: BTreeMap<_, u64> = files
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| Some((file.file_name(), file.metadata().ok()?.len())))
        .collect();
    sizes.into_values().next_back().unwrap_or_default()
}

/// As many links has every host at least before anything is measured, if there are so many others.
const LINKS: usize = 3;
