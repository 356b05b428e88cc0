//! One host of the simulated network: a node, its disk, its server, and what its clients were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use starlingd::limits::{BODY_MAX, HISTORY_KEPT};
use starlingd::model::document::Document;
use starlingd::model::json::{self, Value};
use starlingd::model::signature::SecretKey;
use starlingd::node::answer::Answer;
use starlingd::node::effect::{DiskJob, ServerJob};
use starlingd::node::input::{ClientId, LinkId, Now, Outcome, ServerReport, Ticket};
use starlingd::node::records::from_file;
use starlingd::node::{Node, Setup};
use starlingd::wire::fleet::{Fleet, FleetId, FleetKey};
use starlingd::wire::handshake::Hello;

/// What a host is made of; a restart takes the same again.
#[derive(Clone)]
pub struct Spec {
    /// Seeds its identity; two hosts with one seed bear one identity.
    pub identity: u8,
    pub server: bool,
    /// Whether it began the fleet.
    pub began: bool,
    pub peers: Vec<String>,
    /// What its clock is off by.
    pub clock_ms: i64,
    /// Tells the hosts apart that bear one identity.
    pub copy: u64,
}

pub struct Host {
    pub node: Node,
    pub spec: Spec,
    pub up: bool,
    /// Which start of the host this is: what was meant for an earlier one is lost.
    pub start: u64,
    pub started: Duration,
    pub links: BTreeMap<LinkId, End>,
    pub disk: Disk,
    pub server: Server,
    pub answers: BTreeMap<ClientId, Answer>,
    pub said: Vec<String>,
    pub dials: u64,
    /// When the next tick is on its way.
    pub tick: Option<Duration>,
    /// Ticks without any time going by.
    pub spins: u32,
}

/// One side of a link.
pub struct End {
    pub other: Other,
    /// Credit that is in use.
    pub used: u32,
    /// When the last frame that was sent arrives: the next one is not faster.
    pub arrives: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    Host(usize, LinkId),
    /// A peer whose frames the test writes itself.
    Puppet(usize),
}

#[derive(Default)]
pub struct Disk {
    pub revisions: BTreeMap<(String, String), Vec<u8>>,
    pub pending: BTreeSet<(String, String)>,
    kept: BTreeMap<(String, String), Vec<u8>>,
    pub book: Vec<u8>,
    pub joined: bool,
    pub before: Option<Vec<u8>>,
    pub full: bool,
    /// Writes so far, of whatever kind.
    pub writes: u64,
    pub slow: Duration,
    pub free_at: Duration,
}

pub struct Server {
    pub up: bool,
    pub config: Arc<Value>,
    /// Refuses a configuration with a member of this name.
    pub refuses: Option<&'static str>,
    /// How often it was given a configuration.
    pub changes: u64,
    pub slow: Duration,
    pub free_at: Duration,
}

impl Host {
    pub fn new(spec: Spec, seed: u64, now: Duration) -> Self {
        let disk = Disk { joined: spec.began, slow: Duration::from_millis(3), ..Disk::default() };
        let factory = Document::factory().config().clone();
        let config = Arc::new(factory);
        let (slow, free_at) = (Duration::from_millis(20), Duration::ZERO);
        let server = Server { up: true, config, refuses: None, changes: 0, slow, free_at };
        let node = boot(&spec, seed, 0, &disk, now);
        Self {
            node,
            spec,
            up: true,
            start: 0,
            started: now,
            links: BTreeMap::new(),
            disk,
            server,
            answers: BTreeMap::new(),
            said: Vec::new(),
            dials: 0,
            tick: None,
            spins: 0,
        }
    }

    /// Starts again from what is on disk.
    pub fn restart(&mut self, seed: u64, now: Duration) {
        (self.up, self.start, self.started, self.tick) = (true, self.start + 1, now, None);
        self.node = boot(&self.spec, seed, self.start, &self.disk, now);
    }

    pub fn hello(&self, address: std::net::SocketAddr) -> Hello {
        Hello { peer: self.node.peer(), run: run_number(&self.spec, self.start), features: 0, addresses: vec![address] }
    }

    /// The time as this host sees it: since its start, and by its clock.
    pub fn now(&self, now: Duration) -> Now {
        let wall = 1_700_000_000_000 + i64::try_from(now.as_millis()).expect("runs are short") + self.spec.clock_ms;
        Now { elapsed: now - self.started, wall_ms: u64::try_from(wall).unwrap_or(0) }
    }
}

/// A run is told by its number even where identities are shared.
fn run_number(spec: &Spec, start: u64) -> u64 {
    (spec.copy << 40) + (u64::from(spec.identity) << 32) + start
}

fn boot(spec: &Spec, seed: u64, start: u64, disk: &Disk, now: Duration) -> Node {
    let setup = Setup {
        secret: secret(spec.identity),
        fleet: fleet(),
        run: run_number(spec, start),
        name: format!("host-{}", spec.identity),
        group: "default".to_owned(),
        version: "test".to_owned(),
        server: spec.server,
        joined: disk.joined,
        peers: spec.peers.clone(),
        before_kept: disk.before.is_some(),
        history: HISTORY_KEPT,
        seed,
    };
    let wall_ms = 1_700_000_000_000 + u64::try_from(now.as_millis()).expect("runs are short");
    let mut node = Node::new(setup, &disk.book, Now { elapsed: Duration::ZERO, wall_ms });
    // Names begin with the height, so this is oldest first.
    for bytes in disk.revisions.values() {
        node.load(from_file(bytes, fleet().id().as_bytes()).expect("what was stored can be read"));
    }
    disk.pending.iter().for_each(|(group, name)| node.forget_pending(group.clone(), name.clone()));
    node
}

pub fn secret(identity: u8) -> SecretKey {
    SecretKey::from_seed(&[identity; 32])
}

pub fn fleet() -> Fleet {
    let id = FleetId::from_bytes(secret(250).public()).expect("a public key");
    Fleet::new("test".to_owned(), id, vec![FleetKey::from_bytes([9; 32])]).expect("a fleet")
}

impl Disk {
    /// Does a job, and says what is to be answered.
    pub fn perform(&mut self, job: DiskJob) -> Option<(Ticket, Result<(), String>)> {
        // The book is written only if it has changed.
        self.writes += u64::from(!matches!(&job, DiskJob::Addresses(bytes) if *bytes == self.book));
        let result = || if self.full { Err("No space left on device (os error 28)".to_owned()) } else { Ok(()) };
        match job {
            DiskJob::Pending(ticket, group, name, bytes) => {
                self.pending.insert((group.clone(), name.clone()));
                self.kept.insert((group, name), bytes);
                Some((ticket, Ok(())))
            }
            DiskJob::Commit(ticket, group, name) => {
                let result = result();
                if result.is_ok() {
                    let key = (group, name);
                    self.pending.remove(&key);
                    let bytes = self.kept.remove(&key).expect("what is committed was kept as pending");
                    self.revisions.insert(key, bytes);
                }
                Some((ticket, result))
            }
            DiskJob::Store(ticket, group, name, bytes) => {
                assert!(bytes.len() < 3 * BODY_MAX, "a revision's file is bounded");
                let result = result();
                if result.is_ok() {
                    self.revisions.insert((group, name), bytes);
                }
                Some((ticket, result))
            }
            other => {
                self.perform_silently(other);
                None
            }
        }
    }

    fn perform_silently(&mut self, job: DiskJob) {
        match job {
            DiskJob::Discard(group, name) => {
                self.kept.remove(&(group.clone(), name.clone()));
                self.pending.remove(&(group, name));
            }
            DiskJob::SetAside(group, name) | DiskJob::Remove(group, name) => drop(self.revisions.remove(&(group, name))),
            DiskJob::Addresses(bytes) => self.book = bytes,
            DiskJob::Joined => self.joined = true,
            DiskJob::BeforeStarling(bytes) => self.before = self.before.take().or(Some(bytes)),
            _ => unreachable!("the others are answered"),
        }
    }
}

impl Server {
    pub fn perform(&mut self, ticket: Ticket, job: &ServerJob) -> ServerReport {
        if !self.up {
            return ServerReport {
                ticket,
                outcome: Outcome::Unreachable("Connection refused (os error 111)".into()),
                before: None,
            };
        }
        match job {
            ServerJob::Observe => ServerReport { ticket, outcome: Outcome::Observed(Arc::clone(&self.config)), before: None },
            ServerJob::Try(document) | ServerJob::Apply(document) => {
                let before = Some(Arc::clone(&self.config));
                ServerReport { ticket, outcome: self.configure(document), before }
            }
        }
    }

    /// It crashes, and comes back as it was delivered.
    pub fn lose_everything(&mut self) {
        self.config = Arc::new(Document::factory().config().clone());
    }

    fn configure(&mut self, document: &Document) -> Outcome {
        if self.refuses.is_some_and(|name| document.config().get(name).is_some()) {
            return Outcome::Refused(400, REFUSAL.to_vec());
        }
        if !json::same(&self.config, document.config()) {
            self.changes += 1;
            self.config = Arc::new(document.config().clone());
        }
        Outcome::Applied
    }
}

pub const REFUSAL: &[u8] = b"{\n\t\"error\": \"Invalid configuration.\",\n\t\"detail\": \"Unknown parameter.\"\n}\n";
