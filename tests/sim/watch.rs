//! Who looks on: keeps the history of a run, knows every revision that was ever made, and tells
//! what must hold always.
//!
//! A run is judged by what is seen here and by nothing that a node says of itself, where the two
//! can differ. What the rules are stands in `always.rs` (after each step), `eventually.rs` (once
//! faults have stopped) and `content.rs` (at the end).

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::model::document::Document;
use starlingd::model::json::Value;
use starlingd::model::overlay::Overlay;
use starlingd::model::record::{Kind, Rank, Record, RecordId};
use starlingd::model::revision::Revision;
use starlingd::model::stamp::Stamp;
use starlingd::node::answer::Answer;
use starlingd::node::effect::revision_name;
use starlingd::node::effect::{Effect, Level};
use starlingd::node::input::{ClientId, Input, Ticket};
use starlingd::node::refusal::Aftermath;
use starlingd::sim::{FarEnd, Observer};
use starlingd::wire::frame::{Frame, Payload, carried};

use crate::content;
use crate::ledgers::Places;
use crate::news::Beliefs;

pub type World = starlingd::sim::World<Watch>;

/// A change that a client asked for, and what became of it.
pub struct Asked {
    pub host: usize,
    pub at: Duration,
    /// The number that its value bears, if it has a value.
    pub token: Option<u64>,
    pub answer: Option<ForwardedResponse>,
    /// The host crashed before it answered: anything may have become of it.
    pub hung_up: bool,
    /// Its host's disk was put back to a state before it, or was a clone's, and nobody else had
    /// it: it may be lost.
    pub excused: bool,
}

/// What a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedResponse {
    Done(RecordId),
    /// With this status: nothing has changed.
    Refused(u16),
    /// That nobody knows.
    Unknown,
}

/// What is remembered of a host.
#[derive(Default)]
pub struct Memory {
    pub head: Option<(Rank, String)>,
    pub applied: Option<RecordId>,
    /// The group that it followed when `head` was seen.
    pub group: String,
    /// What it lays over its group's document.
    pub overlay: Overlay,
    /// Documents that the server was given, by ticket; and of which revision, if that was only
    /// tried.
    pub given: BTreeMap<Ticket, (Document, Option<RecordId>)>,
    /// What somebody has put on its server past Starling, until something else is there.
    pub theirs: Option<Arc<Value>>,
    /// What is in `pending/`: the server is about to try it.
    pub trying: Option<RecordId>,
    /// What it has made its head, and is about to hand to its disk.
    pub unwritten: Option<RecordId>,
    /// What its server has accepted, and was not read back after yet.
    pub unread: Option<RecordId>,
    /// The greatest stamp of a document of its own that it has written.
    pub stamp: Option<Stamp>,
    /// Whether it has been put back to an older state, or bears somebody else's identity: its
    /// stamps may repeat.
    pub unnatural: bool,
    /// Changes that it has acknowledged.
    pub acknowledged: Vec<RecordId>,
}

/// Everything that was seen.
#[derive(Default)]
pub struct Seen {
    pub history: Vec<String>,
    /// Of all inputs of all hosts, in order.
    pub trace: u64,
    pub revisions: BTreeMap<RecordId, Revision>,
    /// Whose the places of all edits are, as far as they were heads.
    pub places: Places,
    /// The heads whose ledgers were looked at.
    pub judged: BTreeSet<RecordId>,
    /// So many of them were made before the world began, or by puppets.
    pub behind: usize,
    /// Documents that puppets have said, rightly signed. Whoever signs them may say what it likes.
    pub said: BTreeSet<RecordId>,
    /// Whether a clock was wrong at some time.
    pub were_wrong: bool,
    pub asked: BTreeMap<ClientId, Asked>,
    pub hosts: BTreeMap<usize, Memory>,
    /// How often a body was sent over a link, by the sender's name for the link and the record.
    pub crossed: BTreeMap<(u64, RecordId), u32>,
    /// Records of nodes whose signature was found good.
    pub signed: BTreeSet<RecordId>,
    /// Configurations that some server has accepted, or had before there was anything else.
    pub accepted: BTreeSet<String>,
    /// The greatest that was seen of what is bounded, for the report.
    pub frames: u64,
    /// Changes and replays that servers were given to try.
    pub tries: u64,
    /// What hosts were at, and are told of each other.
    pub beliefs: Beliefs,
    /// Nothing is wrong any more: what came over a link since then does not go back over it.
    pub calm: bool,
    /// Records that came over links since then.
    pub came: BTreeSet<(u64, RecordId)>,
}

#[derive(Clone, Default)]
pub struct Watch(Rc<RefCell<Seen>>);

impl Watch {
    pub fn seen(&self) -> Ref<'_, Seen> {
        self.0.borrow()
    }

    pub fn seen_mut(&self) -> RefMut<'_, Seen> {
        self.0.borrow_mut()
    }
}

impl Seen {
    /// What was made before the world begins, and that servers have taken it.
    pub fn remember(&mut self, past: &[Revision]) {
        for revision in past {
            let again = Revision::decode(revision.record.clone(), revision.body.clone())
                .expect("it was just made");
            self.accepted.insert(again.document.text().to_owned());
            self.revisions.insert(again.id(), again);
        }
        self.behind = past.len();
    }

    /// A puppet says something. What is rightly signed its author has made, wherever that is.
    fn says(&mut self, bytes: &[u8]) {
        let Ok(Some(Frame::Record(record, _, payload))) = Frame::decode(bytes) else {
            return;
        };
        if record.header.kind == Kind::Document && record.is_signed() {
            self.said.insert(record.id);
            if let Payload::Whole(body) = payload {
                self.learn(record, body.into());
            }
        }
    }

    /// What a puppet has said is known whole, and passes for something that some server runs.
    pub fn learn(&mut self, record: Record, body: Arc<[u8]>) {
        let is_known = self.revisions.contains_key(&record.id);
        if is_known || !self.said.contains(&record.id) || !record.matches(&body) {
            return;
        }
        if let Ok(revision) = Revision::decode(record, body) {
            self.accepted.insert(revision.document.text().to_owned());
            self.behind += 1;
            self.revisions.insert(revision.id(), revision);
        }
    }

    pub fn note(&mut self, now: Duration, text: String) {
        self.history
            .push(format!("{:10.3} {text}", now.as_secs_f64()));
    }

    /// A promise is broken: the run ends here.
    pub fn broken(&mut self, now: Duration, what: String) -> ! {
        let what = format!("BROKEN: {what}");
        self.note(now, what.clone());
        panic!("{what}");
    }

    pub fn memory(&mut self, host: usize) -> &mut Memory {
        self.hosts.entry(host).or_default()
    }

    /// The disk of `host` was changed for another, or is gone for good. Acknowledged changes that
    /// are now on no disk may be lost.
    pub fn forget(&mut self, host: usize, is_on_disk: impl Fn(&str) -> bool) {
        let memory = self.memory(host);
        memory.acknowledged.clear();
        (memory.unnatural, memory.head) = (true, None);
        for asked in self.asked.values_mut() {
            if let Some(ForwardedResponse::Done(id)) = asked.answer
                && let Some(revision) = self.revisions.get(&id)
            {
                asked.excused |= !is_on_disk(&revision_name(revision.rank().height, &id));
            }
        }
    }

    fn fold(&mut self, word: u64) {
        self.trace = (self.trace.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn trace(&mut self, now: Duration, host: usize, input: &Input) {
        self.fold(now.as_micros() as u64);
        let (kind, detail) = match input {
            Input::Linked { link, .. } => (1, *link),
            Input::Frame(link, _) => (2, *link),
            Input::Sent(link, credit) => (3, link ^ u64::from(*credit)),
            Input::Unlinked(link, _) => (4, *link),
            Input::DialFailed(dial, _) => (5, *dial),
            Input::Found { .. } => (6, 0),
            Input::Addresses(_) | Input::Own(_) | Input::Trouble(..) => (7, 0),
            Input::Stored(ticket, result) => (8, ticket ^ u64::from(result.is_ok()) << 32),
            Input::Loaded(ticket, _) => (9, *ticket),
            Input::Decoded(ticket, _) => (15, *ticket),
            Input::Server(report) => (10, report.ticket),
            Input::Accepted(ticket) => (20, *ticket),
            Input::Asked(client, _) => (11, *client),
            Input::Overlay(_) => (13, 0),
            Input::ForwardedDone(number, _) => (14, *number),
            Input::Tick => (12, 0),
            Input::ServerGone => (16, 0),
        };
        self.fold(host as u64 | kind << 32);
        self.fold(detail);
        if let Input::Frame(_, bytes) = input {
            self.frames += 1;
            bytes.chunks(8).for_each(|chunk| {
                self.fold(
                    chunk
                        .iter()
                        .fold(0, |word, byte| word << 8 | u64::from(*byte)),
                )
            });
        }
    }

    fn asks(
        &mut self,
        now: Duration,
        host: usize,
        client: ClientId,
        (what, token): (String, Option<u64>),
    ) {
        self.note(now, format!("host {host}: client {client} asks: {what}"));
        let asked = Asked {
            host,
            at: now,
            token,
            answer: None,
            hung_up: false,
            excused: false,
        };
        self.asked.insert(client, asked);
    }

    fn answers(&mut self, world: &World, host: usize, client: ClientId, answer: &Answer) {
        let now = world.now;
        let Some(asked) = self.asked.get_mut(&client) else {
            return;
        };
        let told = match answer {
            Answer::Done { revision, .. } => ForwardedResponse::Done(*revision),
            Answer::Edit(_) => ForwardedResponse::Refused(404),
            // It must not be found anywhere, like what was refused.
            Answer::DryRun { .. } => ForwardedResponse::Refused(200),
            Answer::Refused(refusal) => ForwardedResponse::Refused(refusal.status),
            // Whether it comes about nobody knows, and the client is told so.
            Answer::Denied(denial) if denial.aftermath() != Aftermath::Unchanged => {
                ForwardedResponse::Unknown
            }
            Answer::Denied(denial) => ForwardedResponse::Refused(said(denial).status),
            other => self.broken(
                now,
                format!("client {client} of host {host} gets no answer to a change: {other:?}"),
            ),
        };
        let twice = asked.answer.replace(told).is_some();
        self.note(
            now,
            format!("host {host}: client {client} is told {told:?}"),
        );
        if twice {
            self.broken(
                now,
                format!("client {client} of host {host} is answered twice"),
            );
        }
        if let ForwardedResponse::Done(revision) = told {
            if !world.hosts[host].node.is_joined() {
                self.broken(
                    now,
                    format!("host {host} takes a change before it is in step with its fleet"),
                );
            }
            if self.memory(host).unread == Some(revision) {
                self.broken(
                    now,
                    format!("host {host} acknowledges {revision:?} before its server is read back"),
                );
            }
            self.memory(host).acknowledged.push(revision);
        }
    }
}

impl Observer for Watch {
    fn started(&mut self, world: &World, host: usize) {
        let mut seen = self.seen_mut();
        seen.note(world.now, format!("host {host} starts"));
        seen.check_start(world, host);
    }

    fn crashing(&mut self, world: &World, host: usize) {
        let mut seen = self.seen_mut();
        seen.note(world.now, format!("host {host} crashes"));
        let waiting = seen
            .asked
            .values_mut()
            .filter(|asked| asked.host == host && asked.answer.is_none());
        waiting.for_each(|asked| asked.hung_up = true);
    }

    fn input(&mut self, world: &World, host: usize, input: &Input) {
        let mut seen = self.seen_mut();
        seen.trace(world.now, host, input);
        seen.hears(input);
        match input {
            Input::Asked(client, ask) => {
                if let Some(asked) = content::asked(ask) {
                    seen.asks(world.now, host, *client, asked);
                }
            }
            Input::Frame(link, bytes) => {
                let end = &world.hosts[host].links.get(link);
                if end.is_some_and(|end| matches!(end.other, FarEnd::Puppet(_))) {
                    seen.says(bytes);
                }
                if seen.calm {
                    let came = carried(bytes).map(|carried| (*link, carried.id));
                    seen.came.extend(came);
                }
            }
            Input::Overlay(Ok(overlay)) => seen.memory(host).overlay = overlay.clone(),
            Input::Accepted(ticket) => seen.server_accepts(host, *ticket),
            Input::Server(report) => {
                seen.check_theirs(world, host);
                seen.server_reports(world, host, report);
            }
            _ => {}
        }
    }

    fn handled(&mut self, world: &World, host: usize) {
        let mut seen = self.seen_mut();
        seen.check_node(world, host);
        seen.check_beliefs(world, host);
    }

    fn effect(&mut self, world: &World, host: usize, effect: &Effect) {
        let mut seen = self.seen_mut();
        match effect {
            Effect::Send(link, bytes) => seen.check_frame(world, host, *link, bytes),
            Effect::Disk(job) => seen.check_job(world, host, job),
            Effect::Server(ticket, job) => seen.check_server_job(world, host, *ticket, job),
            Effect::Answer(client, answer) => seen.answers(world, host, *client, answer),
            Effect::Say(level, area, text) if *level != Level::Debug && *area != "dial" => {
                seen.note(world.now, format!("host {host} {area}: {text}"));
            }
            _ => {}
        }
    }
}
