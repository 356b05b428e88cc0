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

use super::answering::respond;
use super::attempt::Cause;
use super::planned::Plan;
use super::request::{Asker, Request, Wish, is_tried_again};
use super::{Below, Changes};
use crate::limits::{TRY_PAUSE, TRY_PAUSE_MAX, WRITES_MAX};
use crate::model::operation::operations;
use crate::model::record::Header;
use crate::model::revision::{Draft, Edit, Origin, Revision};
use crate::node::answer::Answer;
use crate::node::ask::{Change, DryRun, Patching};
use crate::node::context::Context;
use crate::node::input::ClientId;
use crate::node::refusal::{Denial, DiskFault, FleetState, LimitReached, ServerFault};
use crate::node::store::Store;
use crate::node::store::storing::hanging;

/// The changes that wait.
#[derive(Default)]
pub(in crate::node) struct Writes {
    queue: VecDeque<Request>,
    /// Those that were tried in vain, and when they have their turn again.
    pausing: Vec<(Duration, Request)>,
}

impl Writes {
    /// How many changes wait their turn.
    pub(in crate::node) fn len(&self) -> usize {
        self.queue.len() + self.pausing.len()
    }

    /// When the next of those that pause has its turn again.
    pub(in crate::node) fn due(&self) -> Option<Duration> {
        self.pausing.iter().map(|(due, _)| *due).min()
    }

    /// How many wait that hold something which was read for them.
    pub(in crate::node) fn holding(&self) -> usize {
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

impl Changes {
    /// Takes the next change in hand, if none is and the server is free.
    pub(in crate::node) fn serve_writes(&mut self, below: &mut Below<'_>) {
        self.resume_writes(below);
        self.turn_away_writes(below);
        while self.transaction.is_none()
            && !self.unacknowledged.is_full()
            && below.local.server.is_free()
            && !below.local.server.is_unseen()
            && !below.local.is_to_roll_back(below.cx, below.store)
        {
            let Some(mut request) = self.writes.queue.pop_front() else {
                return;
            };
            // Without a head a change is made on what the server runs now, not on what it ran a
            // moment ago. A dry run must not undo what somebody has changed there. And
            // what it ran is kept before any change: one that was away may be back.
            let is_made_on_it = matches!(request.wish, Wish::Local { .. })
                || request.is_dry
                || below.store.head(below.cx).is_none();
            let is_repair = matches!(request.wish, Wish::Repair);
            let looks = is_made_on_it
                || below.local.server.is_to_be_kept()
                || (below.local.adopts(below.cx) && !is_repair)
                || below.local.is_unread();
            if looks && !request.looked && below.local.server.is_present() {
                request.looked = true;
                self.writes.queue.push_front(request);
                return below.local.look_at_server(below.cx);
            }
            if !below.local.may_configure(below.cx) {
                return self.writes.queue.push_front(request);
            }
            match below.plan(&request) {
                Ok(plan) => self.begin(below, request, plan),
                // Nothing is to be changed; but a 200 says that what was asked for is durable here.
                Err(Answer::Done { revision, .. })
                    if below.store.is_being_stored(below.cx, &revision) =>
                {
                    return self.writes.queue.push_front(request);
                }
                Err(Answer::Done { revision, .. }) if !below.store.storing.has(&revision) => {
                    let reason = below.store.storing.problem().unwrap_or_default();
                    respond(
                        below.cx,
                        request.asker,
                        Denial::from(DiskFault::NotStored { reason }),
                    );
                }
                // Nor is it said before the server runs that.
                Err(Answer::Done { .. }) if below.local.server.is_present() => {
                    return self.put_in_step(below, request);
                }
                Err(answer) => respond(below.cx, request.asker, answer),
            }
        }
    }

    /// Answers the changes that cannot be tried for want of what would be tried.
    fn turn_away_writes(&mut self, below: &mut Below<'_>) {
        let denial = match below.local.lacks_overlay() {
            Some(reason) => Denial::from(ServerFault::OverlayUnknown {
                reason: reason.to_owned(),
            }),
            None if below.store.storing.hangs() => {
                Denial::from(DiskFault::NotStored { reason: hanging() })
            }
            None => return,
        };
        let pausing = std::mem::take(&mut self.writes.pausing)
            .into_iter()
            .map(|(_, request)| request);
        for request in std::mem::take(&mut self.writes.queue)
            .into_iter()
            .chain(pausing)
        {
            respond(below.cx, request.asker, denial.clone());
        }
    }

    /// The server could not be looked at. A change that waits for that is given up.
    pub(in crate::node) fn looked_in_vain(&mut self, below: &mut Below<'_>) {
        if self
            .writes
            .queue
            .front()
            .is_some_and(|request| request.looked)
            && let Some(request) = self.writes.queue.pop_front()
        {
            let denial = below.local.server.hindrance();
            respond(below.cx, request.asker, denial);
        }
    }

    fn begin(&mut self, below: &mut Below<'_>, request: Request, plan: Plan) {
        let edit = Edit {
            origin: Origin::Original,
            operations: operations(&plan.before, &plan.ops),
        };
        let mut flags = if below.local.server.is_present() {
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
        self.begin_transaction(below, Cause::Client(Box::new(request)), draft, plan.before);
    }

    /// Changes that have paused have their turn, the oldest first and before all others.
    fn resume_writes(&mut self, below: &mut Below<'_>) {
        let now = below.cx.now.elapsed;
        let mut due: Vec<Request> = self
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
                .filter(|follows| has_lost_some_of(below.store, below.cx, follows));
            match follows {
                Some(follows) if is_tried_again(below.cx, &request) => {
                    self.retry(below.cx, request, Some(follows))
                }
                Some(_) => respond(
                    below.cx,
                    request.asker,
                    FleetState::OthersAreChanging
                        .at(below.store.head(below.cx).map(|head| head.id())),
                ),
                // Not before one for which the server was looked at just now.
                None => {
                    let place =
                        usize::from(self.writes.queue.front().is_some_and(|first| first.looked));
                    self.writes.queue.insert(place, request);
                }
            }
        }
    }

    pub(in crate::node) fn write(&mut self, cx: &mut Context, client: ClientId, change: Change) {
        self.enqueue(cx, Request::of_change(client, change));
    }

    pub(in crate::node) fn patch(
        &mut self,
        cx: &mut Context,
        client: ClientId,
        patching: Patching,
    ) {
        self.enqueue(cx, Request::of_patch(client, patching));
    }

    pub(in crate::node) fn dry_run(&mut self, cx: &mut Context, client: ClientId, change: DryRun) {
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

    pub(in crate::node) fn publish_local(
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
    pub(in crate::node) fn adopt_now(&mut self, cx: &Context) {
        let (wish, note) = (Wish::Local { force: false }, ADOPTED.to_owned());
        let request = Request::new(Asker::Host, wish, None, note, Vec::new());
        self.writes.queue.push_front(Request {
            looked: true,
            since: cx.now.elapsed,
            ..request
        });
    }

    /// A change that was worked out from what is held here: at most so many may wait, for each
    /// holds a document.
    pub(in crate::node) fn wish(
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
            return respond(
                cx,
                request.asker,
                Denial::from(LimitReached::ChangesWaiting),
            );
        }
        self.writes.queue.push_back(Request {
            since: cx.now.elapsed,
            ..request
        });
    }

    /// What the server showed is not what it runs any more: the next change has it looked at once
    /// more.
    pub(in crate::node) fn look_again(&mut self) {
        self.writes
            .queue
            .iter_mut()
            .for_each(|request| request.looked = false);
    }

    /// The next change cannot be made, for this reason.
    pub(in crate::node) fn deny_next(&mut self, cx: &mut Context, denial: Denial) {
        if let Some(request) = self.writes.queue.pop_front() {
            respond(cx, request.asker, denial);
        }
    }

    /// Whether the next change publishes the server's factory default on purpose: it must not be
    /// given its configuration back first.
    pub(in crate::node) fn is_default_meant(&self) -> bool {
        self.writes
            .queue
            .front()
            .is_some_and(|request| matches!(request.wish, Wish::Local { force: true }))
    }

    /// A change whose transaction came too late has its turn again after a moment. `follows` is
    /// what was tried, if edits that it was made on are to be made again first.
    pub(in crate::node) fn retry(
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

/// Whether edits that a revision contains are uncontained now.
fn has_lost_some_of(store: &Store, cx: &Context, revision: &Revision) -> bool {
    store
        .replica
        .group(&cx.setup.group)
        .is_some_and(|group| group.has_lost_some_of(revision))
}

/// The note of a change that nobody has asked for.
const ADOPTED: &str = "changed on the server itself";
