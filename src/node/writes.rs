//! Changes by clients: taken in order of arrival, one at a time, each made on the head at its turn.
//!
//! What a change comes to is decided in `plan`, the way from there to the answer is in
//! `transaction`. If the head moves meanwhile, a change whose place still holds what it found is
//! made anew on the new head, after a moment and for some seconds; one that collides is answered
//! 409. An append collides with nothing, but waits for what it follows, if that is still to be made
//! again on the new head.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::answer::{Answer, Problem};
use super::effect::Effect;
use super::input::{Change, ClientId, DryRun, Patching};
use super::kept_file::Changed;
use super::plan::Plan;
use super::transaction::{Cause, not_stored};
use super::{Changes, Context, Store};
use crate::limits::{TRIED_FOR, TRY_PAUSE, TRY_PAUSE_MAX, WRITES_MAX};
use crate::model::document::Document;
use crate::model::edit::Op;
use crate::model::operation::operations;
use crate::model::patch::Patch;
use crate::model::path::Path;
use crate::model::record::Header;
use crate::model::revision::{Draft, Edit, Origin, Revision};

/// What a client wants.
pub(super) enum Wish {
    Change(Op),
    /// Make this patch of what is at a path.
    Patch(Path, Patch),
    /// Publish what the server runs; also its factory default, if that is forced.
    Local {
        force: bool,
    },
    /// Make of what is at a path what it is in this document.
    Restore(Document, Path),
    /// Make these operations of an edit that lost, or none, and settle its conflict.
    Settle(Vec<Op>),
    /// Publish what somebody had put on the server, and what is kept of it.
    Adopt(Vec<Changed>),
    /// Have the server run the head.
    Repair,
}

pub(super) struct Request {
    pub(super) client: ClientId,
    pub(super) wish: Wish,
    pub(super) if_match: Option<String>,
    pub(super) note: String,
    pub(super) settles: Vec<String>,
    /// When it came.
    since: Duration,
    /// How often it was tried in vain.
    tries: u32,
    /// What was tried last, if that was made on edits which are still to be made again on the
    /// head.
    follows: Option<Arc<Revision>>,
    /// Whether it is to be tried only.
    pub(super) is_dry: bool,
    /// Whether the server is looked at, or was, for this change.
    looked: bool,
}

impl Request {
    fn new(
        client: ClientId,
        wish: Wish,
        if_match: Option<String>,
        note: String,
        settles: Vec<String>,
    ) -> Self {
        let (since, tries, follows) = (Duration::ZERO, 0, None);
        Self {
            client,
            wish,
            if_match,
            note,
            settles,
            since,
            tries,
            follows,
            is_dry: false,
            looked: false,
        }
    }

    fn of_change(client: ClientId, change: Change) -> Self {
        let Change {
            op,
            if_match,
            note,
            settles,
        } = change;
        Self::new(client, Wish::Change(op), if_match, note, settles)
    }

    fn of_patch(client: ClientId, patching: Patching) -> Self {
        let Patching {
            path,
            patch,
            if_match,
            note,
            settles,
        } = patching;
        Self::new(client, Wish::Patch(path, patch), if_match, note, settles)
    }
}

/// The changes that wait.
#[derive(Default)]
pub(super) struct Writes {
    queue: VecDeque<Request>,
    /// Those that were tried in vain, and when they have their turn again.
    pausing: Vec<(Duration, Request)>,
}

impl Writes {
    /// How many changes wait their turn.
    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.pausing.len()
    }

    /// When the next of those that pause has its turn again.
    pub(super) fn due(&self) -> Option<Duration> {
        self.pausing.iter().map(|(due, _)| *due).min()
    }

    /// How many wait that hold something which was read for them.
    pub(super) fn holding(&self) -> usize {
        let all = self
            .queue
            .iter()
            .chain(self.pausing.iter().map(|(_, request)| request));
        all.filter(|request| {
            matches!(
                request.wish,
                Wish::Restore(..) | Wish::Settle(_) | Wish::Adopt(_)
            )
        })
        .count()
    }
}

impl Node {
    /// Takes the next change in hand, if none is and the server is free.
    pub(super) fn serve_writes(&mut self) {
        self.resume_writes();
        self.turn_away_writes();
        while self.changes.transaction.is_none()
            && self.local.server.is_free()
            && !self.local.server.is_unseen()
            && !self.is_to_roll_back()
        {
            let Some(mut request) = self.changes.writes.queue.pop_front() else {
                return;
            };
            // Without a head a change is made on what the server runs now, not on what it ran a
            // moment ago. A dry run must not undo what somebody has changed there. And
            // what it ran is kept before any change: one that was away may be back.
            let is_made_on_it = matches!(request.wish, Wish::Local { .. })
                || request.is_dry
                || self.store.head(&self.cx).is_none();
            let is_repair = matches!(request.wish, Wish::Repair);
            let looks = is_made_on_it
                || self.local.server.is_to_be_kept()
                || (self.local.adopts(&self.cx) && !is_repair)
                || self.local.is_unread();
            if looks && !request.looked && self.local.server.present {
                request.looked = true;
                self.changes.writes.queue.push_front(request);
                return self.local.look_at_server(&mut self.cx);
            }
            if !self.local.may_configure(&mut self.cx) {
                return self.changes.writes.queue.push_front(request);
            }
            match self.plan(&request) {
                Ok(plan) => self.begin(request, plan),
                // Nothing is to be changed; but a 200 says that what was asked for is durable here.
                Err(Answer::Done { revision, .. })
                    if self.store.is_being_stored(&self.cx, &revision) =>
                {
                    return self.changes.writes.queue.push_front(request);
                }
                Err(Answer::Done { revision, .. }) if !self.store.storing.has(&revision) => {
                    let detail = self.store.storing.problem().unwrap_or_default();
                    self.cx.reply(
                        request.client,
                        Problem::new(507, "The change cannot be stored.", detail),
                    );
                }
                // Nor is it said before the server runs that.
                Err(Answer::Done { .. }) if self.local.server.present => {
                    return self.put_in_step(request);
                }
                Err(answer) => self.cx.effects.push(Effect::Answer(request.client, answer)),
            }
        }
    }

    /// Answers the changes that cannot be tried for want of what would be tried.
    fn turn_away_writes(&mut self) {
        let problem = match self.local.lacks_overlay() {
            Some(reason) => Problem::new(503, "This host's overlay is not known.", reason),
            None if self.store.storing.hangs() => not_stored(),
            None => return,
        };
        let pausing = std::mem::take(&mut self.changes.writes.pausing)
            .into_iter()
            .map(|(_, request)| request);
        for request in std::mem::take(&mut self.changes.writes.queue)
            .into_iter()
            .chain(pausing)
        {
            self.cx.reply(request.client, problem.clone());
        }
    }

    /// The server could not be looked at. A change that waits for that is given up.
    pub(super) fn looked_in_vain(&mut self) {
        if self
            .changes
            .writes
            .queue
            .front()
            .is_some_and(|request| request.looked)
            && let Some(request) = self.changes.writes.queue.pop_front()
        {
            let verdict = &self.local.server.verdict;
            let problem = Problem::new(503, verdict.hindrance(), verdict.detail());
            self.cx.reply(request.client, problem);
        }
    }

    fn begin(&mut self, request: Request, plan: Plan) {
        let edit = Edit {
            origin: Origin::Original,
            operations: operations(&plan.before, &plan.ops),
        };
        let mut flags = if self.local.server.present {
            0
        } else {
            Header::UNTRIED
        };
        flags |= if request.if_match.is_some() {
            Header::GUARDED
        } else {
            0
        };
        let note = request.note.clone();
        let draft = Draft {
            edit,
            document: plan.after,
            opens: Default::default(),
            settles: plan.settles,
            flags,
            note,
        };
        self.begin_transaction(Cause::Client(Box::new(request)), draft, plan.before);
    }

    /// Changes that have paused have their turn, the oldest first and before all others.
    fn resume_writes(&mut self) {
        let now = self.cx.now.elapsed;
        let mut due: Vec<Request> = self
            .changes
            .writes
            .pausing
            .extract_if(.., |(due, _)| *due <= now)
            .map(|(_, request)| request)
            .collect();
        due.sort_by_key(|request| std::cmp::Reverse(request.since));
        for mut request in due {
            let follows = request
                .follows
                .take()
                .filter(|follows| self.store.has_lost_some_of(&self.cx, follows));
            match follows {
                Some(follows) if self.cx.is_tried_again(&request) => {
                    self.changes.retry(&mut self.cx, request, Some(follows))
                }
                Some(_) => self.cx.reply(
                    request.client,
                    others_are_changing().at(self.store.head(&self.cx).map(|head| head.id())),
                ),
                // Not before one for which the server was looked at just now.
                None => {
                    let place = usize::from(
                        self.changes
                            .writes
                            .queue
                            .front()
                            .is_some_and(|first| first.looked),
                    );
                    self.changes.writes.queue.insert(place, request);
                }
            }
        }
    }
}

impl Changes {
    pub(super) fn write(&mut self, cx: &mut Context, client: ClientId, change: Change) {
        self.enqueue(cx, Request::of_change(client, change));
    }

    pub(super) fn patch(&mut self, cx: &mut Context, client: ClientId, patching: Patching) {
        self.enqueue(cx, Request::of_patch(client, patching));
    }

    pub(super) fn dry_run(&mut self, cx: &mut Context, client: ClientId, change: DryRun) {
        let request = match change {
            DryRun::Write(change) => Request::of_change(client, change),
            DryRun::Patch(patching) => Request::of_patch(client, patching),
        };
        self.enqueue(
            cx,
            Request {
                is_dry: true,
                ..request
            },
        );
    }

    pub(super) fn publish_local(
        &mut self,
        cx: &mut Context,
        client: ClientId,
        force: bool,
        if_match: Option<String>,
        note: String,
    ) {
        self.enqueue(
            cx,
            Request::new(client, Wish::Local { force }, if_match, note, Vec::new()),
        );
    }

    /// What the server was just seen to run is published before anything else changes it.
    pub(super) fn adopt_now(&mut self, cx: &Context, client: ClientId, note: String) {
        let request = Request::new(client, Wish::Local { force: false }, None, note, Vec::new());
        self.writes.queue.push_front(Request {
            looked: true,
            since: cx.now.elapsed,
            ..request
        });
    }

    /// A change that was worked out from what is held here: at most so many may wait, for each
    /// holds a document.
    pub(super) fn wish(
        &mut self,
        cx: &mut Context,
        client: ClientId,
        wish: Wish,
        if_match: Option<String>,
        note: String,
        settles: Vec<String>,
    ) {
        self.enqueue(cx, Request::new(client, wish, if_match, note, settles));
    }

    fn enqueue(&mut self, cx: &mut Context, request: Request) {
        if self.writes.len() >= WRITES_MAX {
            return cx.reply(
                request.client,
                Problem::new(
                    503,
                    "Too many changes are waiting.",
                    "try again in a moment",
                ),
            );
        }
        self.writes.queue.push_back(Request {
            since: cx.now.elapsed,
            ..request
        });
    }

    /// What the server showed is not what it runs any more: the next change has it looked at once
    /// more.
    pub(super) fn look_again(&mut self) {
        self.writes
            .queue
            .iter_mut()
            .for_each(|request| request.looked = false);
    }

    /// The next change cannot be made, for this reason.
    pub(super) fn deny_next(&mut self, cx: &mut Context, problem: Problem) {
        if let Some(request) = self.writes.queue.pop_front() {
            cx.reply(request.client, problem);
        }
    }

    /// Whether the next change publishes the server's factory default on purpose: it must not be
    /// given its configuration back first.
    pub(super) fn is_default_meant(&self) -> bool {
        self.writes
            .queue
            .front()
            .is_some_and(|request| matches!(request.wish, Wish::Local { force: true }))
    }

    /// A change whose transaction came too late has its turn again after a moment. `follows` is
    /// what was tried, if edits that it was made on are to be made again first.
    pub(super) fn retry(
        &mut self,
        cx: &mut Context,
        mut request: Request,
        follows: Option<Arc<Revision>>,
    ) {
        let pause = (TRY_PAUSE * 2_u32.saturating_pow(request.tries.min(8))).min(TRY_PAUSE_MAX);
        (request.looked, request.tries, request.follows) = (false, request.tries + 1, follows);
        let due = cx.now.elapsed + cx.rng.up_to(pause);
        self.writes.pausing.push((due, request));
    }
}

impl Context {
    /// Whether a change is tried again if the head has moved under it.
    pub(super) fn is_tried_again(&self, request: &Request) -> bool {
        self.now.elapsed < request.since + TRIED_FOR
    }
}

impl Store {
    /// Whether edits that a revision contains are uncontained now.
    fn has_lost_some_of(&self, cx: &Context, revision: &Revision) -> bool {
        self.replica
            .group(&cx.setup.group)
            .is_some_and(|group| group.has_lost_some_of(revision))
    }
}

/// The answer to a change that never had a word in.
pub(super) fn others_are_changing() -> Problem {
    Problem::new(
        503,
        "Others are changing the document too.",
        "try again in a moment",
    )
}
