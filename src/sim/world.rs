//! The world: time, hosts, and everything that happens to them, one thing after the other.
//!
//! After each input all effects of the node are performed, in order, before the next; a host that
//! crashes in between performs no more of them. What a world must get right for a node to be judged
//! by it is asserted: no frame beyond its link's credit or on a link that is closed, no answer
//! twice, no node that spins.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use super::disk::SimDisk;
use super::event::{EventKind, Schedule, ScheduledEvent};
use super::host::{FarEnd, Host, Spec};
use super::network::SimNetwork;
use crate::limits::{KEYS_AWAY_MAX, PORT};
use crate::node::answer::Answer;
use crate::node::ask::Ask;
use crate::node::input::{ClientId, Input, LinkId, ServerReport};
use crate::node::rng::Rng;

mod effects;
mod links;
mod mesh;
mod observer;

pub use self::observer::Observer;

/// A fleet, its network, and the time.
pub struct World<O = ()> {
    /// What all chance comes from.
    pub seed: u64,
    /// The time since the world began.
    pub now: Duration,
    /// The chance of the world, and of whoever acts on it.
    pub rng: Rng,
    /// All hosts, up or not, by number.
    pub hosts: Vec<Host>,
    /// All puppets.
    pub puppets: Vec<Puppet>,
    /// The network between the hosts.
    pub network: SimNetwork,
    /// Frames and bytes that have gone over links so far.
    pub traffic: Traffic,
    /// Whether node records, and what is said about them, get lost on all links: they grow with
    /// the square of the fleet.
    pub no_node_records: bool,
    queue: Schedule,
    next_name: u64,
    observer: Option<Box<O>>,
}

/// A peer whose frames are written from outside.
#[derive(Debug)]
pub struct Puppet {
    /// The frames that the host has sent to the puppet.
    pub frames: Vec<Vec<u8>>,
    /// Whether the host has closed the link.
    pub closed: bool,
    pub(super) host: usize,
    pub(super) link: LinkId,
}

/// Frames that were sent, and their bytes before sealing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
}

impl<O: Observer> World<O> {
    /// A world without hosts.
    pub fn new(seed: u64, observer: O) -> Self {
        Self {
            seed,
            now: Duration::ZERO,
            rng: Rng::new(seed),
            hosts: Vec::new(),
            puppets: Vec::new(),
            network: SimNetwork::new(),
            traffic: Traffic::default(),
            no_node_records: false,
            queue: Schedule::default(),
            next_name: 0,
            observer: Some(Box::new(observer)),
        }
    }

    /// The usual host of this number: it has a server, and unless it is the first, which began the
    /// fleet, that one is configured.
    pub fn spec(number: usize) -> Spec {
        let peers = if number == 0 {
            Vec::new()
        } else {
            vec![address(0).to_string()]
        };
        let group = "default".to_owned();
        Spec {
            identity: number as u64 + 1,
            copy: 0,
            group,
            server: true,
            began: number == 0,
            peers,
            keys_kept: KEYS_KEPT,
        }
    }

    /// Adds a host and starts it.
    pub fn add(&mut self, spec: Spec) -> usize {
        let disk = SimDisk::new(spec.began);
        self.add_with(spec, disk)
    }

    /// Adds a host that finds this on its disk, and starts it.
    pub fn add_with(&mut self, spec: Spec, disk: SimDisk) -> usize {
        let number = self.hosts.len();
        let seed = self.rng.draw();
        self.hosts.push(Host::new(spec, disk, seed, self.now));
        self.begin(number);
        number
    }

    /// A host stops dead. If its process was killed, others are told so by its system; with `power`
    /// cut nobody is told, and what its disk has not made durable may be gone or torn.
    pub fn crash(&mut self, host: usize, power: bool) {
        if !self.hosts[host].up {
            return;
        }
        self.observe(|observer, world| observer.crashing(world, host));
        let here = &mut self.hosts[host];
        (here.up, here.dark, here.start, here.crash_after) = (false, power, here.start + 1, None);
        here.disk.crash(power, &mut self.rng);
        for (_, end) in std::mem::take(&mut here.links) {
            if let (FarEnd::Host(to, theirs), false) = (end.other, power) {
                self.ends_for(host, &end, to, theirs, "connection reset by peer");
            }
        }
    }

    /// Starts a host again that is not up.
    pub fn restart(&mut self, host: usize) {
        assert!(!self.hosts[host].up, "seed {}: host {host} runs", self.seed);
        let seed = self.rng.draw();
        self.hosts[host].restart(seed, self.now);
        self.begin(host);
    }

    /// Cuts the network into parts: hosts of different parts do not hear each other. Those that are
    /// not named are a part too.
    pub fn partition(&mut self, parts: &[Vec<usize>]) {
        let sides = parts
            .iter()
            .enumerate()
            .flat_map(|(number, part)| part.iter().map(move |host| (*host, number + 1)));
        self.network.set_sides(sides.collect());
        self.release();
    }

    /// Mends the cut between two parts, by their place in the list that [`World::partition`] took,
    /// counted from 1; 0 are the unnamed.
    pub fn join(&mut self, part: usize, into: usize) {
        self.network.join(part, into);
        self.release();
    }

    /// Cuts the way from one host to another, and not the way back; or mends it.
    pub fn cut(&mut self, from: usize, to: usize, cut: bool) {
        self.network.cut(from, to, cut);
        self.release();
    }

    /// All hear each other again; what was on its way arrives.
    pub fn heal(&mut self) {
        self.network.mend();
        self.release();
    }

    fn release(&mut self) {
        for event in self.network.release() {
            self.queue.put(self.now, event);
        }
    }

    /// Lets so much time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, event)) = self.queue.pop(end) {
            self.now = self.now.max(at);
            self.perform(event);
        }
        self.now = end;
    }

    /// Lets time pass until `holds`, looking at it every `step`, but not longer than `most`.
    /// Whether it came to hold.
    pub fn run_until(
        &mut self,
        step: Duration,
        most: Duration,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.now + most;
        while !holds(self) {
            if self.now >= end {
                return false;
            }
            self.run(step);
        }
        true
    }

    /// Gives an input to a host's node now, and performs what it wants done.
    pub fn deliver(&mut self, host: usize, input: Input) {
        self.observe(|observer, world| observer.input(world, host, &input));
        let here = &mut self.hosts[host];
        match &input {
            Input::Sent(link, credit) => here
                .links
                .get_mut(link)
                .into_iter()
                .for_each(|end| end.used -= credit),
            Input::Unlinked(link, _) => drop(here.links.remove(link)),
            _ => {}
        }
        let (now, start) = (here.now(self.now), here.start);
        let mut effects = Vec::new();
        here.node.handle(now, input, &mut effects);
        self.observe(|observer, world| observer.handled(world, host));
        for effect in effects {
            if self.is_last_moment(host) {
                return;
            }
            self.observe(|observer, world| observer.effect(world, host, &effect));
            self.effect(host, effect);
        }
        if self.hosts[host].start == start {
            self.schedule_tick(host);
        }
    }

    /// Asks a host as a client. What can be said at once has been answered when this returns.
    pub fn ask(&mut self, host: usize, ask: impl Into<Ask>) -> ClientId {
        let client = self.name();
        self.deliver(host, Input::Asked(client, ask.into()));
        client
    }

    /// Takes the answer to a client, if there is one.
    pub fn take_answer(&mut self, host: usize, client: ClientId) -> Option<Answer> {
        self.hosts[host].answers.remove(&client)
    }

    /// The numbers of the hosts that run.
    pub fn running(&self) -> Vec<usize> {
        (0..self.hosts.len())
            .filter(|host| self.hosts[*host].up)
            .collect()
    }

    /// The observer.
    pub fn observer(&self) -> &O {
        self.observer
            .as_ref()
            .expect("it is away only while it is told")
    }

    /// The observer, to be changed.
    pub fn observer_mut(&mut self) -> &mut O {
        self.observer
            .as_mut()
            .expect("it is away only while it is told")
    }

    /// The last lines of all logs by time, for whoever has to find out what went wrong.
    pub fn report(&self) -> String {
        let said = self
            .hosts
            .iter()
            .enumerate()
            .flat_map(|(number, host)| host.said.iter().map(move |line| (line, number)));
        let mut lines: Vec<(&String, usize)> = said.collect();
        lines.sort_by(|a, b| a.0[..TIME_WIDTH].cmp(&b.0[..TIME_WIDTH]));
        lines
            .iter()
            .map(|(line, number)| format!("  host {number}: {line}\n"))
            .collect()
    }

    fn begin(&mut self, host: usize) {
        self.observe(|observer, world| observer.started(world, host));
        self.deliver(host, Input::Addresses(vec![address(host)]));
    }

    fn observe(&mut self, tell: impl FnOnce(&mut O, &Self)) {
        if let Some(mut observer) = self.observer.take() {
            tell(&mut observer, self);
            self.observer = Some(observer);
        }
    }

    /// Whether the host crashes before its next effect.
    fn is_last_moment(&mut self, host: usize) -> bool {
        match &mut self.hosts[host].crash_after {
            Some((0, power)) => {
                let power = *power;
                self.crash(host, power);
                true
            }
            Some((left, _)) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    fn perform(&mut self, event: ScheduledEvent) {
        let ScheduledEvent {
            to, start, from, ..
        } = event;
        if from.is_some_and(|from| !self.network.reaches(from, to)) {
            return self.hold_up(event);
        }
        let host = &mut self.hosts[to];
        let is_meant = host.up && host.start == start;
        match event.kind {
            EventKind::Frame {
                link,
                sender,
                bytes,
            } if is_meant && host.links.contains_key(&link) => {
                self.arrives(to, from, link, sender, bytes);
            }
            EventKind::Frame { sender, .. } if host.up && host.start != start => {
                self.refuse_unknown(to, from, sender)
            }
            // Whoever closes a connection goes on reading for a moment and throws away what still
            // comes.
            EventKind::Frame { .. } => {}
            _ if !is_meant => {}
            EventKind::Input(Input::Linked { link, .. }) if !host.links.contains_key(&link) => {}
            EventKind::Input(input) => self.deliver(to, input),
            EventKind::Tick => self.tick(to),
            EventKind::Dial(dial, address) => self.dialled(to, dial, &address),
            EventKind::Load(ticket, group, name) => {
                let read = host.disk.revisions.get(&(group, name)).cloned();
                self.deliver(to, Input::Loaded(ticket, Ok(read)));
            }
            EventKind::Decode(ticket, undecoded) => {
                self.deliver(to, Input::Decoded(ticket, undecoded.decode()))
            }
            EventKind::Disk => {
                if let Some((ticket, result)) = host.disk.perform_next() {
                    self.deliver(to, Input::Stored(ticket, result));
                }
            }
            EventKind::Server(ticket, job) => self.server_does(to, ticket, job),
            EventKind::ReadBack(ticket, document) => {
                let report = ServerReport::new(ticket, host.server.read_back(&document));
                self.deliver(to, Input::Server(report));
            }
            EventKind::WatchServer(number) => self.server_watched(to, number),
        }
    }

    /// A tick has come; the node may have put off what it was for.
    fn tick(&mut self, number: usize) {
        let host = &mut self.hosts[number];
        if host.tick != Some(self.now) {
            return;
        }
        host.tick = None;
        if host.started + host.node.deadline().min(FOREVER) > self.now {
            return self.schedule_tick(number);
        }
        self.deliver(number, Input::Tick);
    }

    fn schedule_tick(&mut self, number: usize) {
        let host = &mut self.hosts[number];
        let due = (host.started + host.node.deadline().min(FOREVER)).max(self.now);
        host.spins = if due == self.now { host.spins + 1 } else { 0 };
        assert!(
            host.spins < SPINS_MAX,
            "seed {}: host {number} spins at {:?}\n{}",
            self.seed,
            self.now,
            self.report()
        );
        if host.tick.is_none_or(|tick| tick > due) {
            host.tick = Some(due);
            self.arrange(number, due, None, EventKind::Tick);
        }
    }

    /// A name that nothing else has: of a link, of a client.
    pub(super) fn name(&mut self) -> u64 {
        self.next_name += 1;
        self.next_name
    }

    /// Something will happen to a host as it is now.
    pub(super) fn arrange(
        &mut self,
        to: usize,
        at: Duration,
        from: Option<usize>,
        kind: EventKind,
    ) {
        let start = self.hosts[to].start;
        self.queue.put(
            at,
            ScheduledEvent {
                to,
                start,
                from,
                kind,
            },
        );
    }

    pub(super) fn later(&mut self, host: usize, after: Duration, kind: EventKind) {
        self.arrange(host, self.now + after, None, kind);
    }

    /// The host that listens at an address.
    pub(super) fn host_at(&self, text: &str) -> Option<usize> {
        let SocketAddr::V4(address) = text.parse().ok()? else {
            return None;
        };
        let number = u32::from(*address.ip()).checked_sub(u32::from(FIRST))? as usize;
        (number < self.hosts.len() && address.port() == PORT).then_some(number)
    }
}

/// Where a host listens.
pub fn address(host: usize) -> SocketAddr {
    let number = u32::try_from(host).expect("hosts are fewer than addresses");
    SocketAddr::from((Ipv4Addr::from(u32::from(FIRST) + number), PORT))
}

/// Bytes of a body that are decoded in a microsecond, as a small board does.
const DECODED_PER_US: u64 = 50;
/// Less than people are given, so that keys go while runs last, and more than a cut between hosts
/// may: those that last longer matter.
const KEYS_KEPT: Range<Duration> = Duration::from_secs(10)..KEYS_AWAY_MAX;
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const FOREVER: Duration = Duration::from_secs(1 << 30);
const SPINS_MAX: u32 = 50;
/// Columns of the time in a line of the log.
const TIME_WIDTH: usize = 12;
