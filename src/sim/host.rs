//! One host: a node, its disk, its server, its clock, and what its clients were answered.
//!
//! It starts as the daemon does: what is on disk is handed to the node as far as it is whole, what
//! is damaged is set aside.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use super::disk::{DiskFailure, SimDisk};
use super::server::SimServer;
use crate::limits::{HISTORY_KEPT, STATE_MIB};
use crate::model::signature::SecretKey;
use crate::node::answer::Answer;
use crate::node::input::{ClientId, LinkId, Now};
use crate::node::kept_file::KeptFile;
use crate::node::load::Loading;
use crate::node::{Node, Setup};
use crate::wire::fleet::{Fleet, FleetId, FleetKey};
use crate::wire::forwarded::ForwardedRequest;
use crate::wire::handshake::Hello;

/// What a host is made of; a restart takes the same again.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Seeds its identity; two hosts with one seed bear one identity.
    pub identity: u64,
    /// Tells the hosts apart that bear one identity.
    pub copy: u64,
    /// The group that it follows.
    pub group: String,
    /// Whether there is a server to configure.
    pub server: bool,
    /// Whether it began the fleet.
    pub began: bool,
    /// Configured addresses.
    pub peers: Vec<String>,
    /// How long the keys of deleted certificates stay in its history: at least until, and then at
    /// most.
    pub keys_kept: Range<Duration>,
}

/// What a host believes the time to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct SimClock {
    /// By how many milliseconds the clock is wrong.
    pub off_ms: i64,
    /// The time at which the clock stands still, in milliseconds since 1970, if it does.
    pub stands_at_ms: Option<u64>,
}

/// A host and all that belongs to it.
pub struct Host {
    /// The host's node.
    pub node: Node,
    /// What the host is made of.
    pub spec: Spec,
    /// Whether the host runs.
    pub up: bool,
    /// Whether its power is cut: nobody is even refused there.
    pub dark: bool,
    /// Which start of the host this is: what was meant for an earlier one is lost.
    pub start: u64,
    /// When it was started.
    pub started: Duration,
    /// The host's ends of connections, by the name that its node has for them.
    pub links: BTreeMap<LinkId, End>,
    /// The host's disk.
    pub disk: SimDisk,
    /// The host's server.
    pub server: SimServer,
    /// The host's clock.
    pub clock: SimClock,
    /// Answers that no client has taken yet.
    pub answers: BTreeMap<ClientId, Answer>,
    /// What peers have asked for on behalf of their clients. A simulated host has no REST
    /// endpoint: whoever drives the world answers.
    pub forwarding: Vec<(u64, ForwardedRequest)>,
    /// The last lines of the host's log.
    pub said: VecDeque<String>,
    /// How often the host has dialled.
    pub dials: u64,
    /// The host crashes after so many more effects; the flag says whether its power is cut.
    pub crash_after: Option<(u64, bool)>,
    /// When the next tick is on its way.
    pub(super) tick: Option<Duration>,
    /// Ticks without any time going by.
    pub(super) spins: u32,
}

/// A side of a connection.
#[derive(Debug, Clone)]
pub struct End {
    /// Who is on the other side.
    pub other: FarEnd,
    /// Whether what is sent from here is taken by the system and never read.
    pub stalled: bool,
    /// Credit that is in use.
    pub(super) used: u32,
    /// Credit of frames that were read, and is not given back yet.
    pub(super) owed: u32,
    /// When the last frame that was sent arrives: the next one is not faster.
    pub(super) arrives: Duration,
}

/// Who is on the other side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarEnd {
    /// A host, and its name for the link.
    Host(usize, LinkId),
    /// A peer whose frames are written from outside.
    Puppet(usize),
}

impl Host {
    /// A new host with this disk, started now.
    pub(super) fn new(spec: Spec, disk: SimDisk, seed: u64, now: Duration) -> Self {
        let clock = SimClock::default();
        let mut disk = disk;
        let node = boot(&spec, 0, &mut disk, seed, clock.wall_ms(now));
        Self {
            node,
            spec,
            up: true,
            dark: false,
            start: 0,
            started: now,
            links: BTreeMap::new(),
            disk,
            server: SimServer::new(),
            clock,
            answers: BTreeMap::new(),
            forwarding: Vec::new(),
            said: VecDeque::new(),
            dials: 0,
            crash_after: None,
            tick: None,
            spins: 0,
        }
    }

    /// Starts again from what is on disk.
    pub(super) fn restart(&mut self, seed: u64, now: Duration) {
        (self.up, self.dark, self.start, self.started, self.tick) =
            (true, false, self.start + 1, now, None);
        self.server.forget_given();
        self.node = boot(
            &self.spec,
            self.start,
            &mut self.disk,
            seed,
            self.clock.wall_ms(now),
        );
    }

    /// What it says of itself in a handshake.
    pub(super) fn hello(&self, address: SocketAddr) -> Hello {
        Hello {
            peer: self.node.peer(),
            run: run_number(&self.spec, self.start),
            features: 0,
            addresses: vec![address],
        }
    }

    /// The time as this host sees it: since its start, and by its clock.
    pub fn now(&self, now: Duration) -> Now {
        Now {
            elapsed: now - self.started,
            wall_ms: self.clock.wall_ms(now),
        }
    }

    /// Says a line into its log; the oldest are forgotten.
    pub(super) fn say(&mut self, line: String) {
        if self.said.len() >= SAID_KEPT {
            self.said.pop_front();
        }
        self.said.push_back(line);
    }
}

impl SimClock {
    /// What the clock shows, in milliseconds since 1970.
    pub fn wall_ms(&self, now: Duration) -> u64 {
        let right = BEGINNING_MS
            + u64::try_from(now.as_millis())
                .expect("runs are shorter than the age of the universe");
        self.stands_at_ms
            .unwrap_or_else(|| right.saturating_add_signed(self.off_ms))
    }
}

/// A run is told by its number even where identities are shared.
fn run_number(spec: &Spec, start: u64) -> u64 {
    (spec.copy << 48) ^ (spec.identity << 24) ^ start
}

fn boot(spec: &Spec, start: u64, disk: &mut SimDisk, seed: u64, wall_ms: u64) -> Node {
    let setup = Setup {
        secret: secret(spec.identity),
        fleet: fleet(),
        run: run_number(spec, start),
        name: format!("host-{}", spec.identity),
        group: spec.group.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        server: spec.server,
        joined: disk.joined,
        peers: spec.peers.clone(),
        history: HISTORY_KEPT,
        files_max: STATE_MIB << 20,
        keys_kept: spec.keys_kept.clone(),
        before_kept: disk.before.is_some(),
        seed,
        overlay: Default::default(),
        drift: Default::default(),
        words: |denial| format!("{denial:?}"),
        is_signed: super::signatures::is_signed,
    };
    let mut node = Node::new(
        setup,
        &disk.book,
        Now {
            elapsed: Duration::ZERO,
            wall_ms,
        },
    );
    let mut loading = Loading::new(&mut node);
    // Names begin with the height, so this is oldest first.
    for ((group, name), bytes) in &disk.revisions {
        loading.file(group.clone(), name.clone(), bytes);
    }
    let mut damaged = Vec::new();
    loading.finish(|group, name| {
        damaged.push((group.to_owned(), name.to_owned()));
        if disk.failure == Some(DiskFailure::ReadOnly) {
            Err("Read-only file system (os error 30)".into())
        } else {
            Ok(format!("{name}.damaged"))
        }
    });
    if disk.failure != Some(DiskFailure::ReadOnly) {
        damaged
            .iter()
            .for_each(|name| drop(disk.revisions.remove(name)));
    }
    node.remember_applied(&disk.applied);
    let drifts = disk
        .drifts
        .iter()
        .filter_map(|(name, text)| KeptFile::parse(name, text));
    drifts.for_each(|file| node.remember_drift(file));
    for ((group, name), bytes) in &disk.pending {
        node.remember_transaction(bytes);
        node.forget_pending(group.clone(), name.clone());
    }
    disk.joined &= !node.is_distrusted() || disk.failure.is_some();
    node
}

/// The key pair of an identity.
pub fn secret(identity: u64) -> SecretKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&identity.to_be_bytes());
    SecretKey::from_seed(&seed)
}

/// The fleet that all hosts are of.
pub fn fleet() -> Fleet {
    let id =
        FleetId::from_bytes(secret(u64::MAX).public()).expect("a key pair's public half is sound");
    Fleet::new(
        "simulated".to_owned(),
        id,
        vec![FleetKey::from_bytes([9; 32])],
    )
    .expect("a name and one key make a fleet")
}

/// What a clock shows that is right when a world begins: the 15th of January 2027.
pub(super) const BEGINNING_MS: u64 = 1_800_000_000_000;
/// Lines of a host's log that are kept.
const SAID_KEPT: usize = 25;
