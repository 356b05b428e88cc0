//! A network of hosts in one thread and virtual time.
//!
//! Everything that can be late, lost or cut off in a real network is drawn from the seed here; frames of one link stay in order, as TCP
//! keeps them. After each input all effects of the node are performed, in order. What must hold always is asserted in here: no frame
//! beyond its link's credit, none on a link that was closed, no answer twice, no node that spins.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use starlingd::daemon::link::charge;
use starlingd::limits::LINK_WINDOW;
use starlingd::node::answer::Answer;
use starlingd::node::effect::{DiskJob, Effect, ServerJob};
use starlingd::node::input::{Ask, ClientId, Input, LinkId, Ticket};
use starlingd::wire::handshake::Hello;

use crate::chance::Chance;
use crate::host::{End, Host, Other, Spec};

pub struct Net {
    pub seed: u64,
    pub now: Duration,
    pub chance: Chance,
    pub hosts: Vec<Host>,
    pub puppets: Vec<Puppet>,
    /// Frames that were sent, and their bytes.
    pub frames: u64,
    pub bytes: u64,
    /// The least and the most that a packet takes.
    pub delay: (Duration, Duration),
    events: BTreeMap<(Duration, u64), Event>,
    /// What is on its way to the other side of a cut.
    stalled: Vec<Event>,
    next: u64,
    sides: Vec<usize>,
}

/// A peer whose frames the test writes itself.
#[derive(Default)]
pub struct Puppet {
    pub frames: Vec<Vec<u8>>,
    pub closed: bool,
    host: usize,
    link: LinkId,
}

struct Event {
    to: usize,
    start: u64,
    /// The host that it comes from over the network, if it does.
    from: Option<usize>,
    what: What,
}

enum What {
    Input(Input),
    Disk(DiskJob),
    Load(Ticket, String, String),
    Server(Ticket, ServerJob),
    Dial(u64, String),
    Tick,
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Duration::ZERO,
            chance: Chance::new(seed),
            hosts: Vec::new(),
            puppets: Vec::new(),
            frames: 0,
            bytes: 0,
            delay: (Duration::from_micros(200), Duration::from_millis(8)),
            events: BTreeMap::new(),
            stalled: Vec::new(),
            next: 0,
            sides: Vec::new(),
        }
    }

    /// So many hosts with servers, of which the first began the fleet and is configured at the others.
    pub fn fleet(seed: u64, count: usize) -> Self {
        let mut net = Self::new(seed);
        for number in 0..count {
            net.add(Self::spec(number));
        }
        net
    }

    pub fn spec(number: usize) -> Spec {
        let peers = if number == 0 { Vec::new() } else { vec![address(0).to_string()] };
        let identity = u8::try_from(number + 1).expect("hosts are few");
        Spec { identity, server: true, began: number == 0, peers, clock_ms: 0, copy: 0 }
    }

    /// Adds a host and starts it.
    pub fn add(&mut self, spec: Spec) -> usize {
        let number = self.hosts.len();
        let seed = self.chance.next();
        self.hosts.push(Host::new(spec, seed, self.now));
        self.sides.push(0);
        self.begin(number);
        number
    }

    /// The host stops dead. If `silently`, nobody is told: its power is gone.
    pub fn crash(&mut self, host: usize, silently: bool) {
        self.hosts[host].up = false;
        self.hosts[host].start += 1;
        for (_, end) in std::mem::take(&mut self.hosts[host].links) {
            if let (Other::Host(other, link), false) = (end.other, silently) {
                let at = end.arrives.max(self.now + self.latency());
                self.over(host, other, at, Input::Unlinked(link, "reset".into()));
            }
        }
    }

    pub fn restart(&mut self, host: usize) {
        let seed = self.chance.next();
        self.hosts[host].restart(seed, self.now);
        self.begin(host);
    }

    fn begin(&mut self, host: usize) {
        self.happens(host, Input::Addresses(vec![address(host)]));
    }

    /// Cuts the network: hosts of different sides do not hear each other. Those not named are on the first side.
    pub fn split(&mut self, others: &[usize]) {
        self.sides.iter_mut().for_each(|side| *side = 0);
        others.iter().for_each(|host| self.sides[*host] = 1);
    }

    /// All hear each other again; what was on its way arrives.
    pub fn heal(&mut self) {
        self.sides.iter_mut().for_each(|side| *side = 0);
        for event in std::mem::take(&mut self.stalled) {
            self.put(self.now, event);
        }
    }

    /// Lets so much time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            self.perform(event);
        }
        self.now = end;
    }

    /// Lets time pass until `holds`, and panics after `most`.
    pub fn until(&mut self, what: &str, most: Duration, mut holds: impl FnMut(&mut Self) -> bool) {
        let end = self.now + most;
        while !holds(self) {
            assert!(self.now < end, "seed {}: not within {most:?}: {what}\n{}", self.seed, self.report());
            self.run(STEP);
        }
    }

    /// Gives a host something from outside, now.
    pub fn happens(&mut self, host: usize, input: Input) {
        let here = &mut self.hosts[host];
        let mut effects = Vec::new();
        let now = here.now(self.now);
        if let Input::Sent(link, credit) = &input
            && let Some(end) = here.links.get_mut(link)
        {
            end.used -= credit;
        }
        if let Input::Unlinked(link, _) = &input {
            here.links.remove(link);
        }
        here.node.handle(now, input, &mut effects);
        effects.into_iter().for_each(|effect| self.effect(host, effect));
        self.schedule_tick(host);
    }

    /// Asks a host as a client. What can be said at once has been answered when this returns.
    pub fn ask(&mut self, host: usize, ask: Ask) -> ClientId {
        self.next += 1;
        let client = self.next;
        self.happens(host, Input::Asked(client, ask));
        client
    }

    /// Links a puppet to a host: it was dialled by the puppet. The puppet's number.
    pub fn puppet(&mut self, host: usize, hello: Hello) -> usize {
        let (number, link) = (self.puppets.len(), self.link_id());
        self.puppets.push(Puppet { host, link, ..Puppet::default() });
        self.hosts[host].links.insert(link, End { other: Other::Puppet(number), used: 0, arrives: self.now });
        let address = "10.1.0.1:7117".parse().expect("an address");
        self.happens(host, Input::Linked { link, hello, address, dial: None });
        number
    }

    /// The puppet says something, and it is heard at once.
    pub fn says(&mut self, puppet: usize, frame: Vec<u8>) {
        let Puppet { host, link, .. } = self.puppets[puppet];
        self.happens(host, Input::Frame(link, frame));
    }

    fn perform(&mut self, event: Event) {
        if event.from.is_some_and(|from| self.sides[from] != self.sides[event.to]) {
            return self.stalled.push(event);
        }
        let host = &mut self.hosts[event.to];
        if !host.up || host.start != event.start {
            return;
        }
        match event.what {
            What::Input(input) => self.happens(event.to, input),
            What::Tick => self.tick(event.to),
            What::Dial(dial, address) => self.dialled(event.to, dial, &address),
            What::Load(ticket, group, name) => {
                let read = host.disk.revisions.get(&(group, name)).cloned();
                self.happens(event.to, Input::Loaded(ticket, Ok(read)));
            }
            What::Disk(job) => {
                if let Some((ticket, result)) = host.disk.perform(job) {
                    self.happens(event.to, Input::Stored(ticket, result));
                }
            }
            What::Server(ticket, job) => {
                let report = host.server.perform(ticket, &job);
                self.happens(event.to, Input::Server(report));
            }
        }
    }

    fn tick(&mut self, number: usize) {
        let host = &mut self.hosts[number];
        if host.tick != Some(self.now) {
            return;
        }
        host.tick = None;
        self.happens(number, Input::Tick);
    }

    fn schedule_tick(&mut self, number: usize) {
        let host = &mut self.hosts[number];
        let due = (host.started + host.node.deadline().min(FOREVER)).max(self.now);
        host.spins = if due == self.now { host.spins + 1 } else { 0 };
        assert!(host.spins < SPINS_MAX, "seed {}: host {number} spins at {:?}\n{}", self.seed, self.now, self.report());
        if host.tick.is_none_or(|tick| tick != due) {
            host.tick = Some(due);
            let start = host.start;
            self.put(due, Event { to: number, start, from: None, what: What::Tick });
        }
    }

    fn effect(&mut self, host: usize, effect: Effect) {
        match effect {
            Effect::Send(link, bytes) => self.send(host, link, bytes),
            Effect::Close(link) => self.close(host, link),
            Effect::Dial { dial, address } => {
                self.hosts[host].dials += 1;
                let after = self.latency();
                self.later(host, after, What::Dial(dial, address));
            }
            Effect::Load(ticket, group, name) => {
                let after = self.hosts[host].disk.slow;
                self.later(host, after, What::Load(ticket, group, name));
            }
            Effect::Disk(job) => {
                let disk = &mut self.hosts[host].disk;
                disk.free_at = disk.free_at.max(self.now) + disk.slow;
                let after = disk.free_at - self.now;
                self.later(host, after, What::Disk(job));
            }
            Effect::Server(ticket, job) => {
                let server = &mut self.hosts[host].server;
                server.free_at = server.free_at.max(self.now) + server.slow;
                let after = server.free_at - self.now;
                self.later(host, after, What::Server(ticket, job));
            }
            Effect::Answer(client, answer) => {
                let twice = self.hosts[host].answers.insert(client, answer);
                assert!(twice.is_none(), "seed {}: client {client} was answered twice", self.seed);
            }
            Effect::Say(level, area, text) => {
                let line = format!("{:9.3} {level:?} {area}: {text}", self.now.as_secs_f64());
                self.hosts[host].said.push(line);
            }
        }
    }

    fn send(&mut self, host: usize, link: LinkId, bytes: Vec<u8>) {
        let (latency, now, seed) = (self.latency(), self.now, self.seed);
        (self.frames, self.bytes) = (self.frames + 1, self.bytes + bytes.len() as u64);
        let end = self.hosts[host].links.get_mut(&link);
        let end = end.unwrap_or_else(|| panic!("seed {seed}: host {host} sends on link {link}, which is closed"));
        let cost = charge(bytes.len());
        end.used += cost;
        assert!(end.used <= LINK_WINDOW, "seed {seed}: host {host} sends beyond the credit of link {link}");
        end.arrives = end.arrives.max(now + latency);
        let (at, other) = (end.arrives, end.other);
        match other {
            Other::Puppet(number) => {
                self.puppets[number].frames.push(bytes);
                self.later(host, latency, What::Input(Input::Sent(link, cost)));
            }
            Other::Host(to, theirs) => {
                self.over(host, to, at, Input::Frame(theirs, bytes));
                // The credit comes back when the other side has read, so a cut keeps it.
                self.over(to, host, at, Input::Sent(link, cost));
            }
        }
    }

    fn close(&mut self, host: usize, link: LinkId) {
        let Some(end) = self.hosts[host].links.remove(&link) else { return };
        match end.other {
            Other::Puppet(number) => self.puppets[number].closed = true,
            Other::Host(to, theirs) => {
                let at = end.arrives.max(self.now + self.latency());
                self.over(host, to, at, Input::Unlinked(theirs, "closed by the other side".into()));
            }
        }
        self.later(host, Duration::from_millis(1), What::Input(Input::Unlinked(link, "closed".into())));
    }

    fn dialled(&mut self, from: usize, dial: u64, text: &str) {
        let to = (0..self.hosts.len()).find(|host| address(*host).to_string() == text);
        let failed = |reason: &str| What::Input(Input::DialFailed(dial, reason.to_owned()));
        match to {
            Some(to) if self.sides[from] != self.sides[to] => self.later(from, CONNECT_WAIT, failed("timed out")),
            Some(to) if to == from => self.later(from, Duration::ZERO, failed("a connection to oneself")),
            Some(to) if self.hosts[to].up => self.link(from, to, dial),
            Some(_) => self.later(from, Duration::ZERO, failed("connection refused")),
            None => self.later(from, CONNECT_WAIT, failed("no route")),
        }
    }

    /// A handshake is completed: the dialler knows first, and what it sends comes after the listener knows.
    fn link(&mut self, from: usize, to: usize, dial: u64) {
        let (here, there) = (self.link_id(), self.link_id());
        let first = self.now + 2 * self.latency();
        let second = first + self.latency();
        self.hosts[from].links.insert(here, End { other: Other::Host(to, there), used: 0, arrives: second });
        self.hosts[to].links.insert(there, End { other: Other::Host(from, here), used: 0, arrives: first });
        let (from_hello, to_hello) = (self.hosts[from].hello(address(from)), self.hosts[to].hello(address(to)));
        let linked = |link, hello, at, dial| Input::Linked { link, hello, address: address(at), dial };
        self.over(to, from, first, linked(here, to_hello, to, Some(dial)));
        self.over(from, to, second, linked(there, from_hello, from, None));
    }

    fn link_id(&mut self) -> LinkId {
        self.next += 1;
        self.next
    }

    fn latency(&mut self) -> Duration {
        let (least, most) = self.delay;
        least + Duration::from_micros(self.chance.below((most - least).as_micros() as usize + 1) as u64)
    }

    fn over(&mut self, from: usize, to: usize, at: Duration, input: Input) {
        let start = self.hosts[to].start;
        self.put(at, Event { to, start, from: Some(from), what: What::Input(input) });
    }

    fn later(&mut self, host: usize, after: Duration, what: What) {
        let start = self.hosts[host].start;
        self.put(self.now + after, Event { to: host, start, from: None, what });
    }

    fn put(&mut self, at: Duration, event: Event) {
        self.next += 1;
        self.events.insert((at, self.next), event);
    }

    /// What the hosts have said last, for whoever has to find out what went wrong.
    pub fn report(&self) -> String {
        let lines = self.hosts.iter().enumerate().flat_map(|(number, host)| {
            let last = host.said.iter().rev().take(REPORTED).rev();
            last.map(move |line| format!("  host {number}: {line}"))
        });
        let mut lines: Vec<String> = lines.collect();
        lines.sort_by_key(|line| line.split_once(": ").map(|(_, text)| text[..9].to_owned()));
        lines.join("\n")
    }

    /// The pairs of hosts that are linked, the smaller number first.
    pub fn pairs(&self) -> BTreeSet<(usize, usize)> {
        let ends = self.hosts.iter().enumerate().flat_map(|(here, host)| host.links.values().map(move |end| (here, end.other)));
        let pair = |(here, other): (usize, Other)| match other {
            Other::Host(there, _) => Some((here.min(there), here.max(there))),
            Other::Puppet(_) => None,
        };
        ends.filter_map(pair).collect()
    }

    /// Takes the answer to a client, if there is one.
    pub fn take_answer(&mut self, host: usize, client: ClientId) -> Option<Answer> {
        self.hosts[host].answers.remove(&client)
    }
}

/// Where a host listens.
pub fn address(host: usize) -> SocketAddr {
    let last = u8::try_from(host + 1).expect("hosts are few");
    SocketAddr::from(([10, 0, 0, last], 7117))
}

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);
/// How long a dial into the void takes.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
const FOREVER: Duration = Duration::from_secs(1 << 30);
const SPINS_MAX: u32 = 50;
const REPORTED: usize = 25;
