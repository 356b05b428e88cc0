//! One revision in the making: tried on the own server first, durable before it is published.
//!
//! ```text
//!  begun ──▶ kept as pending ──▶ tried by the server ──▶ published ──┬─▶ durable ───┬─▶ answered
//!                 │ disk full         │ refused  │ a dry run          └─▶ read back ─┘
//!                 ▼                   ▼          ▼
//!             given up            given up   put back, answered
//!
//!  without a server:  begun ──▶ published ──▶ made durable, answered
//! ```
//!
//! It is made for a client who waits, or to replay an uncontained edit. If the head moves
//! meanwhile the result is thrown away and the cause begins anew. Whatever was not published is not
//! left on the server either.
//!
//! What a server has taken is published at once, and made durable and read back meanwhile: should
//! this host lose power in between, the revision comes back from those who have it. Nobody has been
//! told 200 then.
//! Without a server the same goes where the disk has taken whatever was written last, so that many
//! changes are on their way to it at once, and share their fsyncs. Of a disk that was not written
//! to yet nobody knows that, and of one that has failed it is known that it takes no writes: then
//! the disk comes first.

use std::sync::Arc;

use super::answering::respond;
use super::attempt::{Attempt, Cause};
use super::request::Asker;
use super::uncontained::rebase_jitter;
use super::uploads::success;
use super::{Below, Changes};
use crate::limits::{FLAP_PATIENCE, REBASE_JITTER};
use crate::model::document::Document;
use crate::model::replay::replayed;
use crate::model::revision::{Draft, Origin, Revision};
use crate::node::answer::{Answer, Success};
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Level, ServerJob, revision_name};
use crate::node::input::{Outcome, Refusal};
use crate::node::local::effective::effective_or_refuse;
use crate::node::local::serve::words;
use crate::node::local::server::NO_ANSWER;
use crate::node::local::state::Verdict;
use crate::node::refusal::{Denial, DiskFault, LimitReached, ServerFault};
use crate::node::store::revision_file::file_text;
use crate::node::store::storing::hanging;
use crate::node::views::problems::missing_uploads;
use crate::node::waiting::Waiting;

/// A revision in the making: what is made, and what its phase goes with.
pub(in crate::node) enum Transaction {
    /// The revision is on its way to the disk as pending. `effective` is what is to be tried: its
    /// document with this host's overlay and variables.
    Pending {
        attempt: Attempt,
        effective: Document,
    },
    /// The own server tries it.
    Trying {
        attempt: Attempt,
        effective: Document,
    },
    /// The revision is on its way to the disk for good, before it is published: nobody knows that
    /// the disk takes it.
    Storing {
        attempt: Attempt,
        /// What the server took; `None` where there was no server to try it.
        tried: Option<Accepted>,
    },
    /// The server has accepted what is published by now, and is read back.
    ReadingBack(Published),
    /// The server has taken a dry run, and is given back `head`, which comes to `effective` here.
    RollingBack {
        attempt: Attempt,
        head: Arc<Revision>,
        effective: Document,
    },
}

/// What the own server took.
pub(in crate::node) struct Accepted {
    pub(super) effective: Document,
    /// Whether the server was seen to run it.
    pub(super) verified: bool,
}

/// A revision that is published, and what the own server has accepted of it.
pub(in crate::node) struct Published {
    pub(super) revision: Arc<Revision>,
    pub(super) effective: Document,
}

impl Transaction {
    /// What is made, whatever has become of it so far, unless it is published.
    fn into_attempt(self) -> Result<Attempt, Self> {
        match self {
            Self::Pending { attempt, .. }
            | Self::Trying { attempt, .. }
            | Self::Storing { attempt, .. }
            | Self::RollingBack { attempt, .. } => Ok(attempt),
            Self::ReadingBack(..) => Err(self),
        }
    }
}

impl Below<'_> {
    /// The answer to a refusal. Where the head is refused too, a change that mends it is taken; for
    /// any other the client does better with another host.
    fn refused(&self, cause: &Cause, refusal: Refusal) -> Answer {
        match cause {
            Cause::Client(_) if self.refuses_head() => {
                let reason = words(&refusal);
                ServerFault::RefusesBoth { reason }
                    .at(self.store.head(self.cx).map(|head| head.id()))
                    .into()
            }
            _ => Answer::Refused(refusal),
        }
    }

    /// Whether the own server, or what is this host's own, does not take the head.
    pub(in crate::node) fn refuses_head(&self) -> bool {
        matches!(self.local.server.verdict(), Some(Verdict::Refused(_)))
            && self.local.applied_id() != self.store.head(self.cx).map(|head| head.id())
    }

    /// Makes a revision known to all, and says who waits for it, and what succeeds for him.
    pub(super) fn publish(&mut self, attempt: Attempt) -> Option<(Asker, Success)> {
        // If the head has moved while the disk wrote, this revision is beaten, as it would be had
        // that head come a moment later.
        let revision = attempt.revision;
        let name = revision.id().short();
        let text = match &revision.edit.origin {
            Origin::Replay(edit, _) => {
                format!(
                    "revision {name} by this host replays {}: {}",
                    edit.id.short(),
                    summary(&revision)
                )
            }
            _ => format!(
                "revision {name} by this host published: {}",
                summary(&revision)
            ),
        };
        self.cx.say(Level::Info, "config", text);
        self.take_revision(None, Arc::clone(&revision));
        if attempt.base.is_none() {
            missing_uploads(self.store, self.cx)
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|text| self.cx.say(Level::Warn, "config", text));
        }
        if matches!(attempt.cause, Cause::Replay(_)) {
            self.cx.rebase_soon(rebase_jitter(self.store, self.cx));
        }
        let Cause::Client(request) = attempt.cause else {
            return None;
        };
        Some((request.asker, success(&request.wish)))
    }
}

impl Changes {
    /// Makes the child of the present head that `draft` describes; `before` is what it changes.
    pub(in crate::node) fn begin_transaction(
        &mut self,
        below: &mut Below<'_>,
        cause: Cause,
        draft: Draft,
        before: Document,
    ) {
        let base = below.store.tip(below.cx).cloned();
        let Some(revision) = below.author(base.as_deref(), draft).map(Arc::new) else {
            return self.abandon(
                below,
                cause,
                Denial::from(LimitReached::RevisionTooLarge).into(),
            );
        };
        // Of the revision's own document, so that where nothing is this host's own there is one of
        // them in memory. Without a server nobody can say whether the document and this host go
        // together, and nobody need.
        let has_server = below.local.server.is_present();
        let effective = has_server.then(|| effective_or_refuse(below.cx, &revision.document));
        let effective = match effective.transpose() {
            Ok(effective) => effective,
            Err(refusal) => {
                let answer = below.refused(&cause, refusal);
                return self.abandon(below, cause, answer);
            }
        };
        if !below.store.replica.fits_own(&revision) {
            return self.abandon(below, cause, Denial::from(LimitReached::StateFull).into());
        }
        let (group, name) = file_of(&revision);
        let text = file_text(&revision);
        let attempt = Attempt {
            cause,
            revision,
            base,
            before,
        };
        self.transaction = Some(match effective {
            Some(effective) => {
                let ticket = below.cx.ticket(Waiting::Transaction);
                below.cx.disk(DiskJob::Pending(ticket, group, name, text));
                Transaction::Pending { attempt, effective }
            }
            None if below.store.storing.takes_writes() => {
                return self.publish_untried(below, attempt);
            }
            None => {
                let record = &attempt.revision.record;
                below.store.numbers.use_up(below.cx, record);
                let ticket = below.cx.ticket(Waiting::Transaction);
                below.cx.disk(DiskJob::Store(ticket, group, name, text));
                let tried = None;
                Transaction::Storing { attempt, tried }
            }
        });
    }

    /// The revision in hand is on disk, as pending or for good; or could not be written.
    pub(in crate::node) fn transaction_stored(
        &mut self,
        below: &mut Below<'_>,
        result: Result<(), String>,
    ) {
        let not_stored = |reason| Denial::from(DiskFault::NotStored { reason }).into();
        match (self.transaction.take(), result) {
            (Some(Transaction::Pending { attempt, effective }), Ok(())) => {
                let job = ServerJob::attempt(effective.clone(), attempt.may_run_already());
                self.transaction = Some(Transaction::Trying { attempt, effective });
                below.local.try_on_server(below.cx, job);
            }
            (Some(Transaction::Storing { attempt, tried }), Ok(())) => {
                self.publish_stored(below, attempt, tried);
            }
            (
                Some(Transaction::Pending { attempt, .. } | Transaction::Storing { attempt, .. }),
                Err(error),
            ) => self.give_up(below, attempt, not_stored(error), true),
            // Nothing of it is on its way to the disk.
            (other, _) => self.transaction = other,
        }
    }

    /// The disk has not answered for too long. Whether the revision in hand is durable nobody knows
    /// then, so it is not published, and removed as soon as the disk does anything again.
    pub(in crate::node) fn give_up_what_hangs(&mut self, below: &mut Below<'_>) {
        self.unacknowledged.give_up(below.cx, &hanging());
        let denial = match &self.transaction {
            Some(Transaction::Pending { .. }) => {
                Denial::from(DiskFault::NotStored { reason: hanging() })
            }
            Some(Transaction::Storing { attempt, .. }) => {
                below.cx.remove_file(&attempt.revision.record);
                Denial::from(DiskFault::Silent { reason: hanging() })
            }
            Some(
                Transaction::Trying { .. }
                | Transaction::ReadingBack(..)
                | Transaction::RollingBack { .. },
            )
            | None => return,
        };
        // What the disk says of it later is nobody's any more.
        below
            .cx
            .tickets
            .retain(|_, waiting| !matches!(waiting, Waiting::Transaction));
        if let Some(Ok(attempt)) = self.transaction.take().map(Transaction::into_attempt) {
            self.give_up(below, attempt, denial.into(), true);
        }
    }

    /// The server has tried the revision in hand.
    pub(in crate::node) fn tried(&mut self, below: &mut Below<'_>, outcome: Outcome) {
        match self.transaction.take() {
            Some(Transaction::Trying { attempt, effective }) => {
                self.judged(below, attempt, effective, outcome);
            }
            Some(Transaction::ReadingBack(published)) => {
                let is_verified = outcome == Outcome::Applied;
                self.is_read_back(below, published, is_verified);
            }
            Some(Transaction::RollingBack {
                attempt,
                head,
                effective,
            }) => self.transaction_rolled_back(below, attempt, &head, effective, outcome),
            // The server was asked for nothing of it.
            other => self.transaction = other,
        }
    }

    /// The server has its say on a revision.
    fn judged(
        &mut self,
        below: &mut Below<'_>,
        attempt: Attempt,
        effective: Document,
        outcome: Outcome,
    ) {
        let unreachable =
            |reason: String| Answer::from(Denial::from(ServerFault::Unreachable { reason }));
        match outcome {
            Outcome::Applied | Outcome::Unverified(_) if attempt.is_dry() => {
                self.roll_back_transaction(below, attempt);
            }
            Outcome::Applied | Outcome::Unverified(_)
                if attempt.is_overtaken(below.store, below.cx) =>
            {
                self.begin_anew(below, attempt);
            }
            Outcome::Applied | Outcome::Unverified(_) => {
                let accepted = Accepted {
                    effective,
                    verified: matches!(outcome, Outcome::Applied),
                };
                self.accepted(below, attempt, accepted);
            }
            Outcome::Refused(refusal) => {
                let answer = below.refused(&attempt.cause, refusal);
                self.give_up(below, attempt, answer, false);
            }
            Outcome::Unreachable(reason) => {
                self.give_up(below, attempt, unreachable(reason), false);
            }
            Outcome::Unknown(reason) => self.give_up(below, attempt, unreachable(reason), true),
            Outcome::Unreadable(reason) => {
                let answer = Denial::from(ServerFault::Untouched { reason }).into();
                self.give_up(below, attempt, answer, false);
            }
            Outcome::Observed { .. } | Outcome::Found { .. } | Outcome::Unchanged => {
                self.give_up(below, attempt, unreachable(NO_ANSWER.to_owned()), true);
            }
        }
    }

    /// The head has moved while the server tried: once more on the new head, if a client's change
    /// still fits there.
    fn begin_anew(&mut self, below: &mut Below<'_>, attempt: Attempt) {
        if let Some(answer) = attempt.why_not_again(below.store, below.cx) {
            return self.give_up(below, attempt, answer, true);
        }
        // The server still runs what it tried: unless the next try is published, the head is put
        // back. That comes within a moment, and the server should not flap.
        below
            .local
            .server
            .roll_back(None, below.cx.now.elapsed + FLAP_PATIENCE);
        self.again(below, attempt);
    }

    /// The cause has its turn again.
    pub(super) fn again(&mut self, below: &mut Below<'_>, attempt: Attempt) {
        discard(below.cx, &attempt);
        match attempt.cause {
            Cause::Client(request) => {
                let fits = below
                    .store
                    .head(below.cx)
                    .is_some_and(|head| replayed(&head.document, &attempt.revision).is_some());
                self.retry(below.cx, *request, (!fits).then_some(attempt.revision));
            }
            Cause::Replay(_) => below.cx.rebase_soon(REBASE_JITTER),
        }
    }

    /// The revision in hand did not come to the server.
    pub(in crate::node) fn drop_transaction(&mut self, below: &mut Below<'_>, denial: Denial) {
        match self.transaction.take().map(Transaction::into_attempt) {
            Some(Ok(attempt)) => self.give_up(below, attempt, denial.into(), false),
            published => self.transaction = published.and_then(Result::err),
        }
    }

    pub(super) fn give_up(
        &mut self,
        below: &mut Below<'_>,
        attempt: Attempt,
        answer: Answer,
        roll_back: bool,
    ) {
        discard(below.cx, &attempt);
        if roll_back && below.local.server.is_present() {
            let has_head = attempt.base.as_ref().is_some_and(|base| !base.is_removal());
            let base = (!has_head).then(|| attempt.before.clone());
            below.local.server.roll_back(base, below.cx.now.elapsed);
        }
        self.abandon(below, attempt.cause, answer);
    }

    fn abandon(&mut self, below: &mut Below<'_>, cause: Cause, answer: Answer) {
        match cause {
            Cause::Client(request) => respond(below.cx, request.asker, answer),
            Cause::Replay(uncontained) => self.replay_failed(below, &uncontained, &answer),
        }
    }

    /// Whether the revision in hand is a dry run's, and the server has not taken it yet.
    pub(in crate::node) fn is_tried_only(&self) -> bool {
        matches!(&self.transaction, Some(Transaction::Trying { attempt, .. }) if attempt.is_dry())
    }
}

/// What a revision changed, in words.
pub(in crate::node) fn summary(revision: &Revision) -> String {
    let words = revision
        .edit
        .operations
        .iter()
        .map(|operation| format!("{} {}", operation.verb.word(), operation.path));
    let settled = revision
        .settled
        .iter()
        .map(|edit| format!("settle {}", edit.id.short()));
    let words: Vec<String> = words.chain(settled).take(4).collect();
    words.join(", ")
}

pub(super) fn file_of(revision: &Revision) -> (String, String) {
    let header = &revision.record.header;
    (
        header.key.clone(),
        revision_name(header.height, &revision.id()),
    )
}

fn discard(cx: &mut Context, attempt: &Attempt) {
    let (group, name) = file_of(&attempt.revision);
    cx.disk(DiskJob::Discard(group, name));
}
