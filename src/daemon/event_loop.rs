//! The loop: it owns the node and performs what the node asks for.
//!
//! Every thread tells the loop through one bounded queue and may wait for room in it; the loop
//! never waits for anybody, so nobody can wait for each other in a circle. After each event all
//! effects are performed, in order, before the next.

mod ending;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use super::clock::Clock;
use super::decode::Decoder;
use super::dialler::{DialEvent, Dialler};
use super::discovery::Discovery;
use super::disk::{Disk, DiskDone};
use super::gate::{Gate, HttpResponse, Responder};
use super::link::{LinkEvent, LinkParts};
use super::links::Links;
use super::listener::Listener;
use super::loop_queue::{LoopQueue, LoopSender};
use super::network::NetworkView;
use super::overlay::OverlayReading;
use super::pass::Pass;
use super::pulse::Pulse;
use super::state_dir::read_revision;
use super::target::{self, Target};
use super::unit::{Control, Unit};
use super::watch::{Watch, WatchEvent};
use super::{api, logger};
use crate::limits::{DISK_WAITING_MAX, LOADS_MAX};
use crate::model::revision::Revision;
use crate::node::Node;
use crate::node::answer::Answer;
use crate::node::ask::Ask;
use crate::node::effect::{DiskJob, Effect, ServerJob};
use crate::node::input::{ClientId, Input, LinkId, Outcome, ServerReport, Ticket, Trouble};
use crate::wire::forwarded::{ForwardedRequest, ForwardedResponse};

/// What the threads tell the loop.
pub(super) enum LoopEvent {
    /// A peer has dialled this host and its handshake is complete.
    Linked(Box<LinkParts>),
    /// A dial has ended.
    Dial(DialEvent),
    /// mDNS shows a peer.
    Found {
        instance: String,
        addresses: Vec<SocketAddr>,
        unheard: bool,
    },
    /// Something around this host has changed.
    Watch(WatchEvent),
    /// This host's overlay was read, and is another than before.
    Overlay(OverlayReading),
    /// Something of this host does not work, or works again.
    Trouble(Trouble, Option<String>),
    /// A body was decoded.
    Decoded(Ticket, Result<Arc<Revision>, String>),
    /// A revision was read from disk.
    Loaded(Ticket, Result<Option<Vec<u8>>, String>),
    /// The thread `disk` has done a job, or failed at it.
    Disk(DiskDone),
    /// The thread `target` reports what became of a job, or that the server is gone.
    Server(Input),
    /// A client asks for something, and is owed an answer.
    Asked(Ask, Responder),
    /// The process was told to end.
    Stop,
}

/// All that the loop owns.
pub(super) struct LoopParts {
    pub clock: Clock,
    pub pulse: Pulse,
    pub node: Node,
    pub links: Links,
    pub queue: LoopQueue<LoopEvent>,
    pub events: LoopSender<LoopEvent>,
    /// How the network looked when this host started.
    pub network: NetworkView,
    pub watch: Watch,
    pub dialler: Dialler,
    pub disk: Disk,
    pub decoder: Decoder,
    pub target: Option<Target>,
    pub pass: Option<Pass>,
    pub listener: Listener,
    pub discovery: Option<Discovery>,
    pub gate: Gate,
    pub state: PathBuf,
}

pub(super) struct Loop {
    parts: LoopParts,
    next_link: LinkId,
    clients: BTreeMap<ClientId, Responder>,
    /// Requests that are carried out for peers: which forwarded request each is.
    forwarding: BTreeMap<ClientId, u64>,
    next_client: ClientId,
    /// Jobs for which the disk had no room yet.
    waiting: VecDeque<DiskJob>,
    /// Files that wait to be read, each with the ticket of who asked.
    loads: VecDeque<(Ticket, PathBuf)>,
    /// How many files are being read now.
    loading: usize,
    /// What has happened while effects were performed: it comes after all of them.
    inputs: VecDeque<Input>,
}

impl Loop {
    pub(super) fn new(parts: LoopParts) -> Self {
        Self {
            parts,
            next_link: 0,
            clients: BTreeMap::new(),
            forwarding: BTreeMap::new(),
            next_client: 0,
            waiting: VecDeque::new(),
            loads: VecDeque::new(),
            loading: 0,
            inputs: VecDeque::new(),
        }
    }

    /// Runs the loop until the process is told to stop.
    pub(super) fn run(mut self) {
        self.tell_network(self.parts.network.clone());
        while self.turn() {}
        self.stop();
    }

    /// Waits for something to happen, and deals with all that has. `false` when the process is to
    /// end. What is sent meanwhile goes out at the end, as few writes as it takes.
    fn turn(&mut self) -> bool {
        self.parts.links.flush();
        let now = self.parts.clock.now().elapsed;
        let mut wait = self.parts.node.deadline().saturating_sub(now);
        self.parts.pulse.promise(now.saturating_add(wait));
        let mut first = self.parts.queue.take_or_wait().ok();
        if first.is_some() {
            wait = Duration::ZERO;
        }
        if let Err(error) = self.parts.links.wait(wait) {
            log::error!(target: "link", "links cannot be waited for: {error}");
        }
        self.parts.queue.woke_up();
        self.parts.pulse.turn();
        let mut is_tick = true;
        while let Some(event) = self.parts.links.next_event() {
            self.handle_link_event(event);
            is_tick = false;
        }
        for _ in 0..TURN_MAX {
            match first.take().map_or_else(|| self.parts.queue.take(), Ok) {
                Ok(LoopEvent::Stop) | Err(TryRecvError::Disconnected) => return false,
                Ok(event) => self.handle_event(event),
                Err(TryRecvError::Empty) => break,
            }
            is_tick = false;
        }
        if is_tick {
            self.handle(Input::Tick);
        }
        true
    }

    fn handle_link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Frame { link, bytes } => self.handle(Input::Frame(link, bytes)),
            LinkEvent::Sent { link, credit } => self.handle(Input::Sent(link, credit)),
            LinkEvent::Down { link, reason } => {
                self.handle(Input::Unlinked(link, reason));
                self.look_who_is_missing();
            }
        }
    }

    fn handle_event(&mut self, event: LoopEvent) {
        match event {
            LoopEvent::Linked(parts) => self.link(*parts),
            LoopEvent::Dial(DialEvent::Linked(parts)) => self.link(parts),
            LoopEvent::Dial(DialEvent::Failed { id, reason, .. }) => {
                self.handle(Input::DialFailed(id, reason))
            }
            LoopEvent::Found {
                instance,
                addresses,
                unheard,
            } => self.handle(Input::Found {
                instance,
                addresses,
                unheard,
            }),
            LoopEvent::Watch(change) => self.handle_watch_event(change),
            LoopEvent::Overlay(overlay) => self.handle(Input::Overlay(overlay)),
            LoopEvent::Trouble(what, why) => self.handle(Input::Trouble(what, why)),
            LoopEvent::Decoded(ticket, decoded) => {
                self.decode_next();
                self.handle(Input::Decoded(ticket, decoded));
            }
            LoopEvent::Loaded(ticket, read) => {
                self.loading -= 1;
                self.load();
                self.handle(Input::Loaded(ticket, read));
            }
            LoopEvent::Disk(done) => {
                self.handle(Input::Stored(done.ticket, done.result));
                self.feed_disk();
            }
            LoopEvent::Server(input) => self.handle(input),
            LoopEvent::Asked(ask, responder) => {
                self.next_client += 1;
                self.clients.insert(self.next_client, responder);
                self.handle(Input::Asked(self.next_client, ask));
            }
            LoopEvent::Stop => {}
        }
    }

    fn link(&mut self, parts: LinkParts) {
        self.next_link += 1;
        let id = self.next_link;
        let (hello, address, dial) = (parts.hello.clone(), parts.address, parts.dialled);
        match self.parts.links.add(id, parts) {
            Ok(()) => self.handle(Input::Linked {
                link: id,
                hello,
                address,
                dial,
            }),
            Err(error) => {
                log::warn!(target: "link", "no link with {address}: {error}");
                dial.into_iter()
                    .for_each(|dial| self.handle(Input::DialFailed(dial, error.to_string())));
            }
        }
        self.look_who_is_missing();
    }

    fn handle(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let mut effects = Vec::new();
            self.parts
                .node
                .handle(self.parts.clock.now(), input, &mut effects);
            effects.into_iter().for_each(|effect| self.perform(effect));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send(link, bytes) => self.send(link, bytes),
            Effect::Close(link) => self.parts.links.close(link),
            Effect::Dial { dial, address } => {
                if !self.parts.dialler.dial(dial, address) {
                    self.inputs
                        .push_back(Input::DialFailed(dial, "too many dials are waiting".into()));
                }
            }
            Effect::Hold(link) => self.parts.links.hold(link),
            Effect::GoOn(link) => self.parts.links.go_on(link),
            Effect::Decode(ticket, undecoded) => {
                if let Some(undecoded) = self.parts.decoder.submit(ticket, undecoded) {
                    self.inputs
                        .push_back(Input::Decoded(ticket, undecoded.decode()));
                }
            }
            Effect::Disk(job) => {
                self.waiting.push_back(job);
                self.feed_disk();
            }
            Effect::Load(ticket, group, name) => {
                self.loads.push_back((
                    ticket,
                    self.parts.state.join("revisions").join(group).join(name),
                ));
                self.load();
            }
            Effect::LoadDrift(ticket, name) => {
                self.loads.push_back((ticket, self.parts.state.join(name)));
                self.load();
            }
            Effect::Server(ticket, job) => self.ask_server(ticket, job),
            Effect::Answer(client, Answer::Server { question, document }) => {
                // Without the thread the server is gone too, and dropping the responder says so.
                if let (Some(responder), Some(pass)) =
                    (self.clients.remove(&client), &self.parts.pass)
                {
                    pass.ask(question, document, responder);
                }
            }
            Effect::ForwardedRequest(number, forwarded) => self.carry_out(number, forwarded),
            Effect::Answer(client, answer) if self.forwarding.contains_key(&client) => {
                // The answer to a change is short.
                let response = api::rendering::render(answer, &self.parts.state);
                self.forwarding
                    .remove(&client)
                    .into_iter()
                    .for_each(|number| self.inputs.push_back(done(number, response.clone())));
            }
            Effect::Answer(client, answer) => {
                if let Some(responder) = self.clients.remove(&client) {
                    let state = self.parts.state.clone();
                    responder.respond(Box::new(move || api::rendering::render(answer, &state)));
                }
            }
            Effect::Say(level, area, text) => logger::say(level, area, &text),
        }
    }

    /// A body was decoded: the next has its turn, here if there is no thread for it.
    fn decode_next(&mut self) {
        while let Some((ticket, body)) = self.parts.decoder.goes_on() {
            self.inputs.push_back(Input::Decoded(ticket, body.decode()));
        }
    }

    /// A peer's client wants a change: it is asked for like by a client of this host's.
    fn carry_out(&mut self, number: u64, forwarded: ForwardedRequest) {
        let now_ms = self.parts.clock.now().wall_ms;
        match api::ask_for_peer(forwarded, now_ms) {
            Ok(ask) => {
                self.next_client += 1;
                self.forwarding.insert(self.next_client, number);
                self.inputs.push_back(Input::Asked(self.next_client, ask));
            }
            Err(response) => self.inputs.push_back(done(number, response)),
        }
    }

    fn send(&mut self, link: LinkId, bytes: Vec<u8>) {
        if !self.parts.links.send(link, bytes) {
            // The node keeps accounts of what a link may take: this happens only when the link has
            // just ended.
            self.parts.links.abort(link);
        }
    }

    /// Gives the disk as many of the waiting jobs as it has room for. If it has stopped altogether,
    /// new ones are reported as failed.
    fn feed_disk(&mut self) {
        while let Some(job) = self.waiting.pop_front() {
            if let Err(job) = self.parts.disk.submit(job) {
                self.waiting.push_front(job);
                break;
            }
        }
        while self.waiting.len() > DISK_WAITING_MAX {
            // Not what takes something away: a change that was given up must not come back with the
            // next start.
            let is_kept = |job: &DiskJob| matches!(job, DiskJob::Discard(..) | DiskJob::Remove(..));
            let Some(last) = self.waiting.iter().rposition(|job| !is_kept(job)) else {
                break;
            };
            let ticket = self.waiting.remove(last).and_then(|job| job.ticket());
            let failed =
                |ticket| Input::Stored(ticket, Err("the disk has stopped taking writes".into()));
            self.inputs.extend(ticket.map(failed));
        }
    }

    /// Reads the next of the files that are wanted, on a thread of its own, unless enough are being
    /// read: the disk may be slow, each may hold a whole document, and this is seldom needed.
    fn load(&mut self) {
        if self.loading >= LOADS_MAX {
            return;
        }
        let Some((ticket, path)) = self.loads.pop_front() else {
            return;
        };
        self.loading += 1;
        let events = self.parts.events.clone();
        let read = move || {
            let read = read_revision(&path).map_err(|error| error.to_string());
            events.send(LoopEvent::Loaded(ticket, read));
        };
        if let Err(error) = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(read)
        {
            self.loading -= 1;
            self.inputs.push_back(Input::Loaded(
                ticket,
                Err(format!("no thread to read it: {error}")),
            ));
        }
    }

    fn ask_server(&mut self, ticket: Ticket, job: ServerJob) {
        if self
            .parts
            .target
            .as_ref()
            .is_none_or(|target| !target.submit(ticket, job))
        {
            let outcome = Outcome::Unreachable("the server's thread is busy".into());
            self.inputs
                .push_back(Input::Server(ServerReport::new(ticket, outcome)));
        }
    }

    /// Something around this host has changed, or was looked at: that is done often while somebody
    /// is missing, for then a cable may just have been plugged in.
    fn handle_watch_event(&mut self, change: WatchEvent) {
        match change {
            WatchEvent::Network(None) => {}
            WatchEvent::Network(Some(network)) => {
                self.announce();
                self.tell_network(network);
            }
            WatchEvent::Server(path) => self.server_appears(path),
            WatchEvent::OverlayLate(words) => self.handle(Input::Overlay(Err(words))),
        }
        self.look_who_is_missing();
    }

    fn look_who_is_missing(&self) {
        let LoopParts {
            node,
            watch,
            discovery,
            ..
        } = &self.parts;
        watch.set_eager(node.misses_somebody());
        if let Some(discovery) = discovery {
            discovery.set_missing(node.misses_somebody() || node.is_alone());
        }
    }

    /// Announces this host by mDNS, where it is now.
    fn announce(&self) {
        let port = self
            .parts
            .listener
            .local_addrs()
            .first()
            .map_or(0, SocketAddr::port);
        if self
            .parts
            .discovery
            .as_ref()
            .is_some_and(|discovery| !discovery.announce(port))
        {
            log::debug!(target: "mdns", "too busy to announce this host anew");
        }
    }

    fn tell_network(&mut self, network: NetworkView) {
        self.handle(Input::Own(network.own));
        self.handle(Input::Addresses(network.told));
        self.handle(Input::Trouble(Trouble::Interfaces, network.trouble));
    }

    /// A server that was started after this program is there.
    fn server_appears(&mut self, path: PathBuf) {
        let events = self.parts.events.clone();
        let tell = move |input| {
            events.send(LoopEvent::Server(input));
        };
        let unit = Unit::new(Control::Unix(path.clone()));
        match target::start(unit.clone(), self.parts.node.given().clone(), tell)
            .and_then(|target| Ok((target, Pass::start(unit)?)))
        {
            Ok((target, pass)) => {
                log::info!(target: "server", "configuring the server at {} from now on", path.display());
                self.parts.target = Some(target);
                self.parts.pass = Some(pass);
                self.parts.node.server_appears();
                self.handle(Input::Tick);
            }
            Err(error) => log::warn!(target: "server", "no thread for the server: {error}"),
        }
    }
}

/// What the other threads have told is dealt with in turns of so many at most: then what is to be
/// sent goes out, and links are read.
const TURN_MAX: usize = 16;

fn done(number: u64, response: HttpResponse) -> Input {
    let HttpResponse {
        status,
        headers,
        body,
    } = response;
    Input::ForwardedDone(
        number,
        ForwardedResponse {
            status,
            headers,
            body,
        },
    )
}
