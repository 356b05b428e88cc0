//! What the parts of a node share while one input is dealt with: the time, chance, what never
//! changes, and where effects go.
//!
//! A part that has something to say to another says it here, and the node passes it on when the
//! part is done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::effect::{DiskJob, Effect, Level};
use super::event::Event;
use super::input::{ClientId, Now, Ticket, Trouble};
use super::rng::Rng;
use super::setup::Setup;
use super::waiting::Waiting;
use crate::limits::{PROBLEMS_MAX, SYNC_EVERY, SYNC_NODES_EVERY, WANTED_MAX};
use crate::model::peer_id::PeerId;
use crate::model::record::{Record, RecordId};
use crate::node::answer::Answer;
use crate::node::effect::revision_name;
use crate::node::refusal::Denial;
use crate::node::waiting::Reading;

/// What all parts of a node share.
pub(super) struct Context {
    pub(super) setup: Setup,
    pub(super) me: PeerId,
    pub(super) instance: String,
    pub(super) now: Now,
    pub(super) rng: Rng,
    pub(super) problems: BTreeSet<String>,
    /// What does not work now.
    pub(super) troubles: BTreeMap<Trouble, String>,
    pub(super) tickets: BTreeMap<Ticket, Waiting>,
    pub(super) next_ticket: Ticket,
    pub(super) effects: Vec<Effect>,
    /// What was told and not passed on yet.
    pub(super) events: VecDeque<Event>,
    /// Whether there is something new to say in the own node record.
    pub(super) news: bool,
    pub(super) timers: Timers,
}

/// When each of the things that recur is due.
pub(super) struct Timers {
    pub(super) sync: Duration,
    pub(super) sync_nodes: Duration,
    pub(super) rotate: Duration,
    pub(super) trim: Duration,
    pub(super) rebase: Option<Duration>,
    pub(super) dial: Duration,
    pub(super) save_book: Option<Duration>,
    pub(super) fold: Option<Duration>,
}

impl Context {
    /// A node that has done nothing yet.
    pub(super) fn new(setup: Setup, now: Now) -> Self {
        let me =
            PeerId::from_bytes(setup.secret.public()).expect("a key pair's public half is sound");
        let instance = setup.fleet.key().instance(setup.fleet.id(), &me);
        let rng = Rng::new(setup.seed);
        Self {
            setup,
            me,
            instance,
            now,
            rng,
            problems: BTreeSet::new(),
            troubles: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            effects: Vec::new(),
            events: VecDeque::new(),
            news: false,
            timers: Timers {
                sync: SYNC_EVERY,
                sync_nodes: SYNC_NODES_EVERY,
                rotate: SYNC_EVERY,
                trim: Duration::ZERO,
                rebase: None,
                dial: Duration::ZERO,
                save_book: None,
                fold: None,
            },
        }
    }

    /// A ticket for something that is answered by an input.
    pub(super) fn ticket(&mut self, waiting: Waiting) -> Ticket {
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket, waiting);
        self.next_ticket
    }

    /// Something for the disk; the node notes for what an answer is awaited.
    pub(super) fn disk(&mut self, job: DiskJob) {
        self.effects.push(Effect::Disk(job));
    }

    /// Something for the parts above.
    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// A revision is not kept any more.
    pub(super) fn remove_file(&mut self, record: &Record) {
        let name = revision_name(record.header.height, &record.id);
        self.disk(DiskJob::Remove(record.header.key.clone(), name));
    }

    /// A line for the log.
    pub(super) fn say(&mut self, level: Level, area: &'static str, text: impl Into<String>) {
        self.effects.push(Effect::Say(level, area, text.into()));
    }

    /// Tells a client why it cannot be done.
    pub(super) fn reply(&mut self, client: ClientId, denial: impl Into<Denial>) {
        let answer = Answer::Denied(denial.into());
        self.effects.push(Effect::Answer(client, answer));
    }

    /// There is something new to say in the own node record: it is made at the end of this turn, or
    /// soon.
    pub(super) fn own_record_changed(&mut self) {
        self.news = true;
    }

    /// Something is wrong; shown until the node ends.
    pub(super) fn report_problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX && self.problems.insert(problem) {
            self.own_record_changed();
        }
    }

    /// The uncontained edits are looked at after a random time up to `most`, unless that is due
    /// sooner.
    pub(super) fn rebase_soon(&mut self, most: Duration) {
        if self
            .timers
            .rebase
            .is_none_or(|due| due > self.now.elapsed + most)
        {
            self.timers.rebase = Some(self.now.elapsed + self.rng.up_to(most));
        }
    }

    /// A problem that is logged when it is found first.
    pub(in crate::node) fn say_once(&mut self, area: &'static str, problem: String) {
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.say(Level::Warn, area, problem.clone());
            self.report_problem(problem);
        }
    }

    /// Whether it is being read for this host itself.
    pub(in crate::node) fn is_being_read(&self, id: &RecordId) -> bool {
        let mut waiting = self.tickets.values();
        waiting.any(
            |waiting| matches!(waiting, Waiting::Read(record, Reading::Uncontained) if record.id == *id),
        )
    }

    /// Reads a revision that is kept.
    pub(in crate::node) fn read_kept(&mut self, record: Record, reading: Reading) {
        let (group, name) = (
            record.header.key.clone(),
            revision_name(record.header.height, &record.id),
        );
        let ticket = self.ticket(Waiting::Read(record, reading));
        self.effects.push(Effect::Load(ticket, group, name));
    }

    /// Whether one more file may be read for a peer: what peers can make this host do at once is
    /// bounded.
    pub(in crate::node) fn may_read(&self) -> bool {
        let reads = self
            .tickets
            .values()
            .filter(|waiting| matches!(waiting, Waiting::Read(..)));
        reads.count() < WANTED_MAX
    }

    /// The name under which a peer announces itself by mDNS.
    pub(in crate::node) fn instance_of(&self, peer: &PeerId) -> String {
        self.setup.fleet.key().instance(self.setup.fleet.id(), peer)
    }

    /// Whom to dial is looked at once more in this turn.
    pub(in crate::node) fn wake_dialler(&mut self) {
        self.timers.dial = self.now.elapsed;
    }

    /// Something of this host does not work, for this reason, or works again.
    pub(in crate::node) fn troubled(&mut self, what: Trouble, why: Option<String>) {
        let was = match why {
            Some(why) => self
                .troubles
                .insert(what, why.clone())
                .filter(|was| *was == why),
            None => self
                .troubles
                .remove(&what)
                .map_or_else(|| Some(String::new()), |_| None),
        };
        if was.is_none() {
            self.own_record_changed();
        }
    }
}
