//! Changes by clients: one at a time, tried on the own server first, durable before they are answered.
//!
//! ```text
//! waiting ──▶ kept as pending ──▶ tried by the server ──▶ made durable ──▶ published and answered
//!                  │                    │ refused               │ disk full
//!                  ▼                    ▼                       ▼
//!              answered             answered              put back, answered
//! ```
//!
//! If the head moves meanwhile, a change whose place still holds what it found is redone on the new head, three times at most; one
//! that collides is answered 409. Whatever was not published is not left on the server either.

use std::collections::VecDeque;
use std::sync::Arc;

use super::answer::{Answer, Problem};
use super::effect::{DiskJob, Effect, Level, ServerJob};
use super::input::{Change, ClientId, Outcome};
use super::records::file_text;
use super::server::Verdict;
use super::{Node, Waiting, revision_name};
use crate::limits::{OPEN_MAX, SHORT_ID_MIN, WRITE_TRIES, WRITES_MAX};
use crate::model::difference::difference;
use crate::model::document::{Document, is_factory};
use crate::model::edit::{self, Op};
use crate::model::ledger::EditRef;
use crate::model::path::Path;
use crate::model::record::{Header, RecordId};
use crate::model::revision::{Author, Draft, Edit, Origin, Revision, operations};

/// What a client wants.
pub(super) enum Wish {
    Change(Op),
    /// Publish what the server runs; also its factory default, if that is forced.
    Local {
        force: bool,
    },
    /// Make of what is at a path what it is in this document.
    Restore(Document, Path),
    /// Make these operations of an edit that lost, or none, and settle its conflict.
    Settle(Vec<Op>),
}

struct Request {
    client: ClientId,
    wish: Wish,
    if_match: Option<String>,
    note: String,
    settles: Vec<String>,
    tries: usize,
    /// Whether the server is looked at, or was, for this change.
    looked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Pending,
    Trying,
    Committing,
}

struct Current {
    request: Request,
    ops: Vec<Op>,
    revision: Arc<Revision>,
    base: Option<Arc<Revision>>,
    /// What the server ran before the first revision of all.
    before: Document,
    verified: bool,
    phase: Phase,
}

/// All changes that wait, and the one in hand.
#[derive(Default)]
pub(super) struct Writes {
    queue: VecDeque<Request>,
    current: Option<Current>,
}

impl Writes {
    /// Whether a change is in hand.
    pub(super) fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    /// How many wait that hold something which was read for them.
    pub(super) fn errands(&self) -> usize {
        self.queue.iter().filter(|request| matches!(request.wish, Wish::Restore(..) | Wish::Settle(_))).count()
    }
}

/// What is to be published, and what it was made on.
pub(super) struct Plan {
    pub(super) ops: Vec<Op>,
    pub(super) before: Document,
    pub(super) after: Document,
    pub(super) settles: Vec<EditRef>,
}

impl Node {
    pub(super) fn write(&mut self, client: ClientId, change: Change) {
        let Change { op, if_match, note, settles } = change;
        self.enqueue(Request { client, wish: Wish::Change(op), if_match, note, settles, tries: 0, looked: false });
    }

    pub(super) fn publish_local(&mut self, client: ClientId, force: bool, if_match: Option<String>, note: String) {
        self.enqueue(Request {
            client,
            wish: Wish::Local { force },
            if_match,
            note,
            settles: Vec::new(),
            tries: 0,
            looked: false,
        });
    }

    /// A change that was worked out from what is held here: at most so many may wait, for each holds a document.
    pub(super) fn wish(&mut self, client: ClientId, wish: Wish, if_match: Option<String>, note: String, settles: Vec<String>) {
        self.enqueue(Request { client, wish, if_match, note, settles, tries: 0, looked: false });
    }

    fn enqueue(&mut self, request: Request) {
        if self.writes.queue.len() >= WRITES_MAX {
            return self.reply(request.client, Problem::new(503, "Too many changes are waiting.", "try again in a moment"));
        }
        self.writes.queue.push_back(request);
    }

    /// Takes the next change in hand, if none is and the server is free.
    pub(super) fn serve_writes(&mut self) {
        while self.writes.current.is_none() && self.server.is_free() && !self.server.is_unseen() {
            let Some(mut request) = self.writes.queue.pop_front() else { return };
            // Without a head a change is made on what the server runs now, not on what it ran a moment ago.
            let looks = matches!(request.wish, Wish::Local { .. }) || self.head().is_none();
            if looks && !request.looked && self.server.present {
                request.looked = true;
                self.writes.queue.push_front(request);
                return self.look_at_server();
            }
            match self.plan(&request) {
                Ok(plan) => self.begin(request, plan),
                Err(answer) => self.effects.push(Effect::Answer(request.client, answer)),
            }
        }
    }

    /// The server could not be looked at. A change that waits for that is given up.
    pub(super) fn looked_in_vain(&mut self) {
        if self.writes.queue.front().is_some_and(|request| request.looked)
            && let Some(request) = self.writes.queue.pop_front()
        {
            let detail = self.server.verdict.detail().to_owned();
            self.reply(request.client, Problem::new(503, "The server cannot be reached.", detail));
        }
    }

    /// Whether the next change publishes the server's factory default on purpose: it must not be given its configuration back first.
    pub(super) fn is_default_meant(&self) -> bool {
        self.writes.queue.front().is_some_and(|request| matches!(request.wish, Wish::Local { force: true }))
    }

    /// Whether and how a change can be made on the present head.
    fn plan(&self, request: &Request) -> Result<Plan, Answer> {
        let head = self.head();
        let settles = self.settled_by(&request.settles)?;
        self.may_write(!settles.is_empty())?;
        check_if_match(request.if_match.as_deref(), head.map(|head| head.id()))?;
        let mut plan = match &request.wish {
            Wish::Change(op) => {
                let before = self.base_document()?;
                let after = edit::apply(&before, op).map_err(Answer::Edit)?;
                Plan { ops: vec![op.clone()], before, after, settles: Vec::new() }
            }
            Wish::Local { force } => self.plan_local(*force)?,
            Wish::Restore(document, path) => self.plan_restore(document, path)?,
            Wish::Settle(ops) => self.plan_settling(ops)?,
        };
        plan.settles = settles;
        match head {
            Some(head) if head.document.text() == plan.after.text() && plan.settles.is_empty() => {
                Err(Answer::Done { revision: head.id(), applied: self.applied_id() })
            }
            _ => Ok(plan),
        }
    }

    /// The open conflicts that a client names.
    fn settled_by(&self, named: &[String]) -> Result<Vec<EditRef>, Problem> {
        let open: Vec<EditRef> = self.head().into_iter().flat_map(|head| head.open.keys().copied()).collect();
        let mut settles = Vec::new();
        for name in named {
            let matching: Vec<EditRef> =
                open.iter().filter(|edit| name == "*" || edit.id.to_string().starts_with(name)).copied().collect();
            if name != "*" && (matching.len() != 1 || name.len() < SHORT_ID_MIN) {
                let detail = format!("{} open conflicts have an ID that begins with {name}", matching.len());
                return Err(Problem::new(409, "No such conflict.", detail).at(self.head().map(|head| head.id())));
            }
            settles.extend(matching);
        }
        settles.dedup();
        Ok(settles)
    }

    fn may_write(&self, settles: bool) -> Result<(), Answer> {
        let group = self.replica.group(&self.setup.group);
        let problem = match &self.server.verdict {
            _ if !self.joined => Problem::new(
                503,
                "This host is not in step with its fleet yet.",
                "it takes changes once it has completed an exchange with a host that is",
            ),
            _ if !settles && group.is_some_and(|group| group.unsettled() >= OPEN_MAX) => {
                let detail = "settle some of those in /fleet/conflicts: name them in a header Starling-Settles of a change";
                Problem::new(409, "Too many conflicts are open.", detail)
            }
            Verdict::Refused(words)
                if self.server.applied.as_ref().map(|applied| applied.id) != self.head().map(|head| head.id()) =>
            {
                let detail = format!("send the change to a host in step; this one's server said: {words}");
                Problem::new(409, "This host's own server refuses the fleet's revision.", detail)
                    .at(self.head().map(|head| head.id()))
            }
            Verdict::NoServer if self.live_server().is_some() => {
                let detail = format!("send the change to {}, which can try it", self.live_server().unwrap_or_default());
                Problem::new(409, "This host has no server to try the change on.", detail)
            }
            _ => return Ok(()),
        };
        Err(problem.into())
    }

    /// What the first change of all is made on: what the own server runs; without one, what Unit starts with.
    pub(super) fn base_document(&self) -> Result<Document, Problem> {
        if let Some(head) = self.head() {
            return Ok(head.document.clone());
        }
        match (&self.server.observed, &self.server.verdict) {
            (_, Verdict::NoServer) => Ok(Document::factory()),
            (Some(config), _) => Document::from_config((**config).clone())
                .map_err(|error| Problem::new(409, "What the server runs cannot be a fleet's document.", error.to_string())),
            (None, verdict) => Err(Problem::new(503, "The server cannot be reached.", verdict.detail())),
        }
    }

    /// What the server runs, as a change made on what was last applied here.
    fn plan_local(&self, force: bool) -> Result<Plan, Answer> {
        let refused = |error, detail: &str| Answer::from(Problem::new(409, error, detail));
        let Some(config) = &self.server.observed else {
            return Err(refused("There is nothing to publish.", "this host has no server"));
        };
        let Some(head) = self.head() else {
            let before = Document::factory();
            let after = self.base_document()?;
            let op = Op { path: config_path(), change: edit::Change::Put(after.config().clone()) };
            return Ok(Plan { ops: vec![op], before, after, settles: Vec::new() });
        };
        if is_factory(config) && !is_factory(head.document.config()) && !force {
            return Err(refused(
                "The server shows its factory default.",
                "to publish an empty configuration, DELETE /config here",
            ));
        }
        let applied = self.server.applied.as_ref();
        let Some(applied) = applied.filter(|applied| applied.id == head.id() || self.server.verdict != Verdict::Pending) else {
            return Err(refused("Nothing of the fleet's has been applied here yet.", "try again in a moment"));
        };
        let ops = difference(&config_path(), applied.document.config(), config);
        let mut after = head.document.clone();
        for (op, operation) in ops.iter().zip(operations(&applied.document, &ops)) {
            let collides = || Problem::new(409, "It collides with a newer change.", op.path.to_string()).at(Some(head.id()));
            if !edit::still_there(&head.document, op, &operation.found) {
                return Err(collides().into());
            }
            after = edit::apply(&after, op).map_err(|_| Answer::from(collides()))?;
        }
        Ok(Plan { ops, before: head.document.clone(), after, settles: Vec::new() })
    }

    fn begin(&mut self, request: Request, plan: Plan) {
        let base = self.head().cloned();
        let edit = Edit { origin: Origin::Original, operations: operations(&plan.before, &plan.ops) };
        let mut flags = if self.server.present { 0 } else { Header::UNTRIED };
        flags |= if request.if_match.is_some() { Header::GUARDED } else { 0 };
        let note = request.note.clone();
        let draft = Draft { edit, document: plan.after, opens: Default::default(), settles: plan.settles, flags, note };
        let stamp = self.stamps.next(self.now.wall_ms);
        let author =
            Author { secret: &self.setup.secret, fleet: *self.setup.fleet.id().as_bytes(), group: &self.setup.group, stamp };
        let Some(revision) = Revision::author(&author, base.as_deref(), draft).map(Arc::new) else {
            let detail = "with the edit and the open conflicts it would be longer than peers take";
            return self.reply(request.client, Problem::new(413, "The revision is too large.", detail));
        };
        let (group, name) = file_of(&revision);
        let ticket = self.ticket(Waiting::Write);
        let phase = if self.server.present { Phase::Pending } else { Phase::Committing };
        let text = file_text(&revision);
        self.disk(match phase {
            Phase::Pending => DiskJob::Pending(ticket, group, name, text),
            _ => DiskJob::Store(ticket, group, name, text),
        });
        self.writes.current =
            Some(Current { request, ops: plan.ops, revision, base, before: plan.before, verified: false, phase });
    }

    /// The change in hand is on disk, as pending or for good; or could not be written.
    pub(super) fn write_stored(&mut self, result: Result<(), String>) {
        let Some(mut current) = self.writes.current.take() else { return };
        match (current.phase, result) {
            (Phase::Pending, Ok(())) => {
                let document = current.revision.document.clone();
                let known = matches!(current.request.wish, Wish::Local { .. } | Wish::Settle(_));
                current.phase = Phase::Trying;
                self.writes.current = Some(current);
                // What the server runs already must not be sent to it again: it might restart applications.
                self.try_on_server(if known { ServerJob::Apply(document) } else { ServerJob::Try(document) });
            }
            (_, Ok(())) => self.publish(current),
            (_, Err(error)) => self.give_up(current, Problem::new(507, "The change cannot be stored.", error).into(), true),
        }
    }

    /// The server has tried the change in hand.
    pub(super) fn tried(&mut self, outcome: Outcome) {
        let Some(mut current) = self.writes.current.take() else { return };
        let unreachable = |reason: String| Answer::from(Problem::new(503, "The server cannot be reached.", reason));
        match outcome {
            Outcome::Applied | Outcome::Unverified(_) if self.has_moved(&current) => self.redo(current),
            Outcome::Applied | Outcome::Unverified(_) => {
                current.verified = matches!(outcome, Outcome::Applied);
                current.phase = Phase::Committing;
                if self.head().is_none() {
                    let observed = self.server.observed.clone();
                    self.keep_before(observed);
                }
                let (group, name) = file_of(&current.revision);
                let ticket = self.ticket(Waiting::Write);
                self.disk(DiskJob::Commit(ticket, group, name));
                self.writes.current = Some(current);
            }
            Outcome::Refused(status, body) => self.give_up(current, Answer::Refused(status, body), false),
            Outcome::Unreachable(reason) => self.give_up(current, unreachable(reason), false),
            Outcome::Unknown(reason) => self.give_up(current, unreachable(reason), true),
            Outcome::Observed(_) | Outcome::Unchanged => self.give_up(current, unreachable("no answer".into()), true),
        }
    }

    fn has_moved(&self, current: &Current) -> bool {
        self.head().map(|head| head.id()) != current.base.as_ref().map(|base| base.id())
    }

    /// The head has moved while the server tried: once more on the new head, if the places still hold what was found.
    fn redo(&mut self, mut current: Current) {
        let head = self.head().cloned();
        let met = head.as_ref().map(|head| head.id());
        let still = |head: &Arc<Revision>| {
            current
                .ops
                .iter()
                .zip(&current.revision.edit.operations)
                .all(|(op, was)| edit::still_there(&head.document, op, &was.found))
        };
        let collides = !head.as_ref().is_some_and(still);
        let guarded = check_if_match(current.request.if_match.as_deref(), met).err();
        current.request.tries += 1;
        let problem = match () {
            () if guarded.is_some() => guarded,
            () if collides => Some(Problem::new(409, "It collides with a newer change.", "").at(met).into()),
            () if current.request.tries >= WRITE_TRIES => {
                Some(Problem::new(503, "Others are changing the document too.", "try again in a moment").at(met).into())
            }
            () => None,
        };
        if let Some(answer) = problem {
            return self.give_up(current, answer, true);
        }
        self.discard(&current);
        // The server still runs what it tried: unless the next try is published, the head is put back.
        self.server.put_back(None, self.now.elapsed);
        current.request.looked = false;
        self.writes.queue.push_front(current.request);
    }

    fn publish(&mut self, current: Current) {
        let revision = current.revision;
        if self.server.present {
            self.server.set_applied(&revision, current.verified);
        }
        let name = revision.id().short();
        self.say(Level::Info, "config", format!("revision {name} by this host published: {}", summary(&revision)));
        self.take_revision(None, Arc::clone(&revision));
        self.effects
            .push(Effect::Answer(current.request.client, Answer::Done { revision: revision.id(), applied: self.applied_id() }));
    }

    fn give_up(&mut self, current: Current, answer: Answer, put_back: bool) {
        self.discard(&current);
        if put_back && self.server.present {
            let base = current.base.is_none().then(|| current.before.clone());
            self.server.put_back(base, self.now.elapsed);
        }
        self.effects.push(Effect::Answer(current.request.client, answer));
    }

    fn discard(&mut self, current: &Current) {
        let (group, name) = file_of(&current.revision);
        self.disk(DiskJob::Discard(group, name));
    }

    pub(super) fn reply(&mut self, client: ClientId, problem: Problem) {
        self.effects.push(Effect::Answer(client, problem.into()));
    }
}

/// What a revision changed, in words.
pub(super) fn summary(revision: &Revision) -> String {
    let words = revision.edit.operations.iter().map(|operation| format!("{} {}", operation.verb.word(), operation.path));
    let settled = revision.settled.iter().map(|edit| format!("settle {}", edit.id.short()));
    let words: Vec<String> = words.chain(settled).take(4).collect();
    words.join(", ")
}

/// RFC 9110, section 13.1.1: `*`, or a list of entity tags of which a strong one must be the head's.
fn check_if_match(header: Option<&str>, head: Option<RecordId>) -> Result<(), Answer> {
    let Some(header) = header else { return Ok(()) };
    let matches = match head {
        None => false,
        Some(_) if header.trim() == "*" => true,
        Some(head) => header.split(',').any(|tag| tag.trim() == format!("\"{head}\"")),
    };
    let problem =
        || Problem::new(412, "The document has changed.", "the ETag given is not that of the present revision").at(head);
    if matches { Ok(()) } else { Err(problem().into()) }
}

fn file_of(revision: &Revision) -> (String, String) {
    let header = &revision.record.header;
    (header.key.clone(), revision_name(header.height, &revision.id()))
}

pub(super) fn config_path() -> Path {
    Path::parse("/config").expect("it is a path")
}
