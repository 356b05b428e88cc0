//! The loop: it owns the node and performs what the node asks for.
//!
//! Every thread tells the loop through one bounded queue and may wait for room in it; the loop never waits for anybody, so nobody can
//! wait for each other in a circle. After each event all effects are performed, in order, before the next.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use super::clock::Clock;
use super::dialler::{Addresses, DialEvent, Dialler};
use super::discovery::Discovery;
use super::disk::{self, Disk, Done};
use super::gate::{Gate, Responder};
use super::link::{self, Link, LinkEvent};
use super::listener::Listener;
use super::target::{self, Report, Target};
use super::{api, interfaces, start};
use crate::limits::{DISK_WAITING_MAX, WATCH_EVERY, WATCH_LOST_EVERY};
use crate::node::Node;
use crate::node::effect::{DiskJob, Effect, Level, ServerJob};
use crate::node::input::{Ask, ClientId, Input, LinkId, Outcome, ServerReport, Ticket};

/// What the threads tell the loop.
pub(super) enum Event {
    /// Somebody has dialled and is verified.
    Linked(Box<link::Parts>),
    /// A dial has ended.
    Dial(DialEvent),
    /// Something came over a link, or went, or it is gone.
    Link(LinkEvent),
    /// mDNS shows a peer.
    Found { instance: String, addresses: Vec<SocketAddr>, unheard: bool },
    /// A job is on disk.
    Disk(Done),
    /// The server has answered.
    Server(Report),
    /// A client asks.
    Asked(Ask, Responder),
    /// The process is to end.
    Stop,
}

/// All that the loop owns.
pub(super) struct Parts {
    pub clock: Clock,
    pub node: Node,
    pub queue: Receiver<Event>,
    pub events: SyncSender<Event>,
    pub addresses: Addresses,
    pub dialler: Dialler,
    pub disk: Disk,
    pub target: Option<Target>,
    pub listener: Listener,
    pub discovery: Option<Discovery>,
    pub gate: Gate,
    pub state: PathBuf,
}

pub(super) struct Loop {
    parts: Parts,
    links: BTreeMap<LinkId, Link>,
    next_link: LinkId,
    clients: BTreeMap<ClientId, Responder>,
    next_client: ClientId,
    /// Jobs for which the disk had no room yet.
    waiting: VecDeque<disk::Job>,
    watch: interfaces::Watch,
    watch_at: Duration,
}

impl Loop {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts,
            links: BTreeMap::new(),
            next_link: 0,
            clients: BTreeMap::new(),
            next_client: 0,
            waiting: VecDeque::new(),
            watch: interfaces::Watch::new(),
            watch_at: Duration::ZERO,
        }
    }

    /// Until the process is told to stop.
    pub(super) fn run(mut self) {
        let addresses = (self.parts.addresses)();
        self.happens(Input::Addresses(addresses));
        loop {
            let (now, _) = self.parts.clock.now();
            let wait = self.parts.node.deadline().min(self.watch_at).saturating_sub(now);
            match self.parts.queue.recv_timeout(wait) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => self.happens(Input::Tick),
            }
            self.watch_network();
        }
        self.stop();
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Linked(parts) => self.link(*parts),
            Event::Dial(DialEvent::Linked(parts)) => self.link(parts),
            Event::Dial(DialEvent::Failed { id, reason, .. }) => self.happens(Input::DialFailed(id, reason)),
            Event::Link(LinkEvent::Frame { link, bytes }) => self.happens(Input::Frame(link, bytes)),
            Event::Link(LinkEvent::Sent { link, credit }) => self.happens(Input::Sent(link, credit)),
            Event::Link(LinkEvent::Down { link, reason }) => {
                self.links.remove(&link);
                self.happens(Input::Unlinked(link, reason));
            }
            Event::Found { instance, addresses, unheard } => self.happens(Input::Found { instance, addresses, unheard }),
            Event::Disk(done) => {
                self.happens(Input::Stored(done.ticket, done.result));
                self.feed_disk();
            }
            Event::Server(report) => self.happens(Input::Server(server_report(report))),
            Event::Asked(ask, responder) => {
                self.next_client += 1;
                self.clients.insert(self.next_client, responder);
                self.happens(Input::Asked(self.next_client, ask));
            }
            Event::Stop => {}
        }
    }

    fn link(&mut self, parts: link::Parts) {
        self.next_link += 1;
        let id = self.next_link;
        let (hello, address, dial) = (parts.hello.clone(), parts.address, parts.dialled);
        let events = self.parts.events.clone();
        let tell = move |event| {
            let _nobody_left_to_tell = events.send(Event::Link(event));
        };
        match link::start(id, parts, tell) {
            Ok(link) => {
                self.links.insert(id, link);
                self.happens(Input::Linked { link: id, hello, address, dial });
            }
            Err(error) => {
                log::warn!("no threads for a link with {address}: {error}");
                dial.into_iter().for_each(|dial| self.happens(Input::DialFailed(dial, error.to_string())));
            }
        }
    }

    fn happens(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.parts.node.handle(start::at(&self.parts.clock), input, &mut effects);
        effects.into_iter().for_each(|effect| self.perform(effect));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send(link, bytes) => self.send(link, bytes),
            Effect::Close(link) => drop(self.links.remove(&link)),
            Effect::Dial { dial, address } => {
                if !self.parts.dialler.dial(dial, address) {
                    self.happens(Input::DialFailed(dial, "too many dials are waiting".into()));
                }
            }
            Effect::Disk(job) => {
                self.waiting.push_back(disk_job(job));
                self.feed_disk();
            }
            Effect::Server(ticket, job) => self.ask_server(ticket, job),
            Effect::Answer(client, answer) => {
                if let Some(responder) = self.clients.remove(&client) {
                    let state = self.parts.state.clone();
                    responder.respond(Box::new(move || api::render(answer, &state)));
                }
            }
            Effect::Say(level, area, text) => say(level, area, &text),
        }
    }

    fn send(&mut self, link: LinkId, bytes: Vec<u8>) {
        let Some(thread) = self.links.get(&link) else { return };
        if !thread.send(bytes) {
            // The node keeps accounts of what a link may take: this happens only when the link has just ended.
            if let Some(link) = self.links.remove(&link) {
                link.abort();
            }
        }
    }

    /// Gives the disk as many of the waiting jobs as it has room for. If it has stopped altogether, new ones are reported as failed.
    fn feed_disk(&mut self) {
        while let Some(job) = self.waiting.pop_front() {
            if let Err(job) = self.parts.disk.submit(job) {
                self.waiting.push_front(job);
                break;
            }
        }
        while self.waiting.len() > DISK_WAITING_MAX {
            let ticket = self.waiting.pop_back().and_then(|job| disk_ticket(&job));
            let failed = |ticket| Input::Stored(ticket, Err("the disk has stopped taking writes".into()));
            ticket.map(failed).into_iter().for_each(|input| self.happens(input));
        }
    }

    fn ask_server(&mut self, ticket: Ticket, job: ServerJob) {
        let job = match job {
            ServerJob::Try(document) => target::Job::Try { ticket, document },
            ServerJob::Apply(document) => target::Job::Apply { ticket, document },
            ServerJob::Observe => target::Job::Observe { ticket },
        };
        if self.parts.target.as_ref().is_none_or(|target| target.submit(job).is_err()) {
            let outcome = Outcome::Unreachable("the server's thread is busy".into());
            self.happens(Input::Server(ServerReport { ticket, outcome, before: None }));
        }
    }

    /// Looks for changes of interfaces and addresses: often while somebody is missing, for then a cable may just have been plugged in.
    fn watch_network(&mut self) {
        let (now, _) = self.parts.clock.now();
        if now < self.watch_at {
            return;
        }
        self.watch_at = now + if self.parts.node.misses_somebody() { WATCH_LOST_EVERY } else { WATCH_EVERY };
        if self.watch.changed() {
            let addresses = (self.parts.addresses)();
            self.happens(Input::Addresses(addresses));
        }
    }

    /// Says goodbye, and lets what is under way end: answers, writes, frames.
    fn stop(mut self) {
        let mut effects = Vec::new();
        self.parts.node.leave(&mut effects);
        effects.into_iter().for_each(|effect| self.perform(effect));
        self.links.clear();
        let Parts { gate, discovery, listener, disk, queue, .. } = self.parts;
        drop((listener, self.clients));
        gate.stop();
        drop((discovery, queue));
        if !disk.stop() {
            log::warn!("the disk did not finish in time");
        }
        log::info!("stopped");
    }
}

fn disk_job(job: DiskJob) -> disk::Job {
    match job {
        DiskJob::Pending(ticket, group, name, bytes) => disk::Job::Pending { ticket, group, name, bytes },
        DiskJob::Commit(ticket, group, name) => disk::Job::Commit { ticket, group, name },
        DiskJob::Discard(group, name) => disk::Job::Discard { group, name },
        DiskJob::Store(ticket, group, name, bytes) => disk::Job::Store { ticket, group, name, bytes },
        DiskJob::Remove(group, name) => disk::Job::Remove { group, name },
        DiskJob::Addresses(bytes) => disk::Job::Addresses { bytes },
        DiskJob::Joined => disk::Job::Joined,
        DiskJob::BeforeStarling(bytes) => disk::Job::BeforeStarling { bytes },
    }
}

fn disk_ticket(job: &disk::Job) -> Option<Ticket> {
    match job {
        disk::Job::Pending { ticket, .. } | disk::Job::Commit { ticket, .. } | disk::Job::Store { ticket, .. } => Some(*ticket),
        _ => None,
    }
}

fn server_report(report: Report) -> ServerReport {
    let outcome = match report.outcome {
        target::Outcome::Applied => Outcome::Applied,
        target::Outcome::AppliedUnverified(words) => Outcome::Unverified(words),
        target::Outcome::Refused { status, body } => Outcome::Refused(status, body),
        target::Outcome::Unreachable(reason) => Outcome::Unreachable(reason),
        target::Outcome::Unknown(reason) => Outcome::Unknown(reason),
        target::Outcome::Observed { config, .. } => Outcome::Observed(config),
        target::Outcome::Unchanged => Outcome::Unchanged,
    };
    ServerReport { ticket: report.ticket, outcome, before: report.before }
}

fn say(level: Level, area: &'static str, text: &str) {
    let level = match level {
        Level::Error => log::Level::Error,
        Level::Warn => log::Level::Warn,
        Level::Info => log::Level::Info,
        Level::Debug => log::Level::Debug,
    };
    log::log!(target: area, level, "{text}");
}
