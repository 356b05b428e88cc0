//! One revision in the making: tried on the own server first, durable before it is published.
//!
//! ```text
//!  begun ──▶ kept as pending ──▶ tried by the server ──▶ made durable ──▶ published
//!                 │ disk full         │ refused  │ a dry run    │ disk full
//!                 ▼                   ▼          ▼              ▼
//!             given up            given up   put back,      put back,
//!                                            answered       given up
//! ```
//!
//! It is made for a client who waits, or to replay an uncontained edit. If the head moves
//! meanwhile the result is thrown away and the cause begins anew. Whatever was not published is not
//! left on the server either.

use crate::node::refusal::{Denial, DiskFault, FleetState, LimitReached, ServerFault};
use crate::node::store::storing::hanging;
use std::sync::Arc;

use super::if_match::check_if_match;
use super::request::{Request, Wish, is_tried_again};
use super::uncontained::rebase_jitter;
use super::uploads::success;
use super::{Below, Changes};
use crate::limits::{FLAP_PATIENCE, REBASE_JITTER};
use crate::model::document::Document;
use crate::model::edit::Verb;
use crate::model::record::Header;
use crate::model::replay::replayed;
use crate::model::revision::{Author, Draft, Origin, Revision};
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Effect, Level, ServerJob, revision_name};
use crate::node::event::Event;
use crate::node::input::{Outcome, Refusal};
use crate::node::local::effective::{effective_document, effective_or_refuse};
use crate::node::local::serve::words;
use crate::node::local::server::{NO_ANSWER, Verdict};
use crate::node::store::Store;
use crate::node::store::revision_file::file_text;
use crate::node::views::problems::missing_uploads;
use crate::node::waiting::Waiting;

/// What a revision is made for.
pub(in crate::node) enum Cause {
    /// A client's change.
    Client(Box<Request>),
    /// An edit that the head does not contain, carried by this revision.
    Replay(Arc<Revision>),
}

/// A revision in the making.
pub(in crate::node) struct Transaction {
    cause: Cause,
    revision: Arc<Revision>,
    base: Option<Arc<Revision>>,
    /// What the server ran before the first revision of all.
    before: Document,
    /// The revision's document with this host's overlay and variables: what is tried.
    effective: Document,
    /// Whether the server was seen to run it.
    verified: bool,
    phase: Phase,
}

enum Phase {
    Pending,
    Trying,
    Committing,
    /// After a dry run: the server is given this revision, the head as it was then.
    TakingBack(Arc<Revision>),
}

impl Transaction {
    fn is_dry(&self) -> bool {
        matches!(&self.cause, Cause::Client(request) if request.is_dry)
    }
}

impl Below<'_> {
    /// Makes and signs a revision of the own group. `None` if no other peer would take it.
    pub(in crate::node) fn author(
        &mut self,
        base: Option<&Revision>,
        draft: Draft,
    ) -> Option<Revision> {
        self.author_of(&self.cx.setup.group.clone(), base, draft)
    }

    /// The same of any group.
    pub(in crate::node) fn author_of(
        &mut self,
        group: &str,
        base: Option<&Revision>,
        draft: Draft,
    ) -> Option<Revision> {
        let stamp = self.store.next_stamp(self.cx, self.peers, base);
        let author = Author {
            secret: &self.cx.setup.secret,
            fleet: *self.cx.setup.fleet.id().as_bytes(),
            group,
            stamp,
        };
        Revision::author(&author, base, draft)
    }

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
        matches!(self.local.server.verdict, Verdict::Refused(_))
            && self.local.applied_id() != self.store.head(self.cx).map(|head| head.id())
    }

    fn publish(&mut self, transaction: Transaction) {
        // If the head has moved while the disk wrote, this revision is beaten, as it would be had
        // that head come a moment later.
        let revision = transaction.revision;
        // Not a server that has been found since.
        if revision.record.header.flags & Header::UNTRIED == 0 {
            self.local
                .server
                .set_applied(&revision, transaction.effective, transaction.verified);
            self.local.runs_revision(self.cx);
        }
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
        self.cx.tell(Event::Revision(None, Arc::clone(&revision)));
        if transaction.base.is_none() {
            missing_uploads(self.store, self.cx)
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|text| self.cx.say(Level::Warn, "config", text));
        }
        if matches!(transaction.cause, Cause::Replay(_)) {
            self.cx.rebase_soon(rebase_jitter(self.store, self.cx));
        }
        if let Cause::Client(request) = transaction.cause {
            let (success, applied) = (success(&request.wish), self.local.applied_id());
            let done = Answer::Done {
                success,
                revision: revision.id(),
                applied,
                changed: true,
                kept: self.local.kept.take_of_job(),
            };
            self.cx.effects.push(Effect::Answer(request.client, done));
        }
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
        // them in memory. Without a server nobody can say whether the document and this
        // host go together, and nobody need.
        let effective = match below
            .local
            .server
            .present
            .then(|| effective_or_refuse(below.cx, &revision.document))
        {
            Some(Err(refusal)) => {
                let answer = below.refused(&cause, refusal);
                return self.abandon(below, cause, answer);
            }
            Some(Ok(effective)) => effective,
            None => revision.document.clone(),
        };
        if !below.store.replica.fits_own(&revision) {
            return self.abandon(below, cause, Denial::from(LimitReached::StateFull).into());
        }
        let (group, name) = file_of(&revision);
        let ticket = below.cx.ticket(Waiting::Transaction);
        let phase = if below.local.server.present {
            Phase::Pending
        } else {
            Phase::Committing
        };
        let text = file_text(&revision);
        below.cx.disk(match phase {
            Phase::Pending => DiskJob::Pending(ticket, group, name, text),
            _ => DiskJob::Store(ticket, group, name, text),
        });
        self.transaction = Some(Transaction {
            cause,
            revision,
            base,
            before,
            effective,
            verified: false,
            phase,
        });
    }

    /// The revision in hand is on disk, as pending or for good; or could not be written.
    pub(in crate::node) fn transaction_stored(
        &mut self,
        below: &mut Below<'_>,
        result: Result<(), String>,
    ) {
        let Some(mut transaction) = self.transaction.take() else {
            return;
        };
        match (&transaction.phase, result) {
            (Phase::Pending, Ok(())) => {
                let document = transaction.effective.clone();
                // What the server may run already must not be sent to it again: it might restart
                // applications.
                let look_first = match &transaction.cause {
                    Cause::Replay(_) => true,
                    Cause::Client(request) => {
                        matches!(request.wish, Wish::Local { .. } | Wish::Settle(_))
                    }
                };
                transaction.phase = Phase::Trying;
                self.transaction = Some(transaction);
                below
                    .local
                    .try_on_server(below.cx, ServerJob::attempt(document, look_first));
            }
            (_, Ok(())) => below.publish(transaction),
            (_, Err(error)) => self.give_up(
                below,
                transaction,
                Denial::from(DiskFault::NotStored { reason: error }).into(),
                true,
            ),
        }
    }

    /// The disk has not answered for too long. Whether the revision in hand is durable nobody knows
    /// then, so it is not published, and removed as soon as the disk does anything again.
    pub(in crate::node) fn give_up_what_hangs(&mut self, below: &mut Below<'_>) {
        let Some(transaction) = self
            .transaction
            .take_if(|transaction| matches!(transaction.phase, Phase::Pending | Phase::Committing))
        else {
            return;
        };
        // What the disk says of it later is nobody's any more.
        below
            .cx
            .tickets
            .retain(|_, waiting| !matches!(waiting, Waiting::Transaction));
        let denial = match transaction.phase {
            Phase::Committing => {
                let record = transaction.revision.record.clone();
                below.cx.remove_file(&record);
                Denial::from(DiskFault::Silent { reason: hanging() })
            }
            _ => Denial::from(DiskFault::NotStored { reason: hanging() }),
        };
        self.give_up(below, transaction, denial.into(), true);
    }

    /// The server has tried the revision in hand.
    pub(in crate::node) fn tried(&mut self, below: &mut Below<'_>, outcome: Outcome) {
        let Some(mut transaction) = self.transaction.take() else {
            return;
        };
        let unreachable =
            |reason: String| Answer::from(Denial::from(ServerFault::Unreachable { reason }));
        if let Phase::TakingBack(head) = &transaction.phase {
            let head = Arc::clone(head);
            return self.transaction_rolled_back(below, transaction, &head, outcome);
        }
        match outcome {
            Outcome::Applied | Outcome::Unverified(_) if transaction.is_dry() => {
                self.roll_back_transaction(below, transaction)
            }
            Outcome::Applied | Outcome::Unverified(_)
                if has_moved(below.store, below.cx, &transaction) =>
            {
                self.begin_anew(below, transaction)
            }
            Outcome::Applied | Outcome::Unverified(_) => {
                transaction.verified = matches!(outcome, Outcome::Applied);
                transaction.phase = Phase::Committing;
                let (group, name) = file_of(&transaction.revision);
                let ticket = below.cx.ticket(Waiting::Transaction);
                below.cx.disk(DiskJob::Commit(ticket, group, name));
                self.transaction = Some(transaction);
            }
            Outcome::Refused(refusal) => self.turn_down(below, transaction, refusal),
            Outcome::Unreachable(reason) => {
                self.give_up(below, transaction, unreachable(reason), false)
            }
            Outcome::Unknown(reason) => self.give_up(below, transaction, unreachable(reason), true),
            Outcome::Unreadable(reason) => self.give_up(
                below,
                transaction,
                Denial::from(ServerFault::Untouched { reason }).into(),
                false,
            ),
            Outcome::Observed { .. } | Outcome::Found { .. } | Outcome::Unchanged => {
                self.give_up(below, transaction, unreachable(NO_ANSWER.to_owned()), true)
            }
        }
    }

    fn turn_down(&mut self, below: &mut Below<'_>, transaction: Transaction, refusal: Refusal) {
        let answer = below.refused(&transaction.cause, refusal);
        self.give_up(below, transaction, answer, false);
    }

    /// The server has taken a dry run, and is given back what it is to run before anything else
    /// happens.
    fn roll_back_transaction(&mut self, below: &mut Below<'_>, mut transaction: Transaction) {
        // Not what it was begun on, if that is not the head any more: the server would have to be
        // given another once more. Where the group was removed meanwhile the server stays
        // as it was.
        let head = below
            .store
            .head(below.cx)
            .or(transaction.base.as_ref())
            .cloned()
            .expect("a dry run is begun on a head");
        let document = match effective_document(below.cx, &head.document) {
            Ok(document) => document,
            Err(unfit) => {
                return self.transaction_not_rolled_back(below, transaction, unfit.to_string());
            }
        };
        transaction.effective = document.clone();
        transaction.phase = Phase::TakingBack(head);
        self.transaction = Some(transaction);
        below
            .local
            .try_on_server(below.cx, ServerJob::apply(document));
    }

    /// The server runs what it is to run after a dry run, or cannot be given it: then that is done
    /// again as after any failure, and shown.
    fn transaction_rolled_back(
        &mut self,
        below: &mut Below<'_>,
        transaction: Transaction,
        head: &Revision,
        outcome: Outcome,
    ) {
        let failure = match outcome {
            Outcome::Applied => None,
            Outcome::Refused(refusal) => Some(words(&refusal)),
            Outcome::Unverified(reason)
            | Outcome::Unreachable(reason)
            | Outcome::Unreadable(reason)
            | Outcome::Unknown(reason) => Some(reason),
            Outcome::Observed { .. } | Outcome::Found { .. } | Outcome::Unchanged => {
                Some("no answer".into())
            }
        };
        if let Some(reason) = failure {
            return self.transaction_not_rolled_back(below, transaction, reason);
        }
        below
            .local
            .server
            .set_applied(head, transaction.effective.clone(), true);
        below.local.runs_revision(below.cx);
        below.cx.own_record_changed();
        if has_moved(below.store, below.cx, &transaction) {
            return match why_not_again(below.store, below.cx, &transaction) {
                Some(answer) => self.give_up(below, transaction, answer, false),
                None => self.again(below, transaction),
            };
        }
        let text = format!(
            "dry run: the server takes {}; it runs {} again",
            summary(&transaction.revision),
            head.id().short()
        );
        below.cx.say(Level::Info, "config", text);
        let answer = Answer::DryRun {
            changes: true,
            head: head.id(),
            applied: below.local.applied_id(),
        };
        self.give_up(below, transaction, answer, false);
    }

    fn transaction_not_rolled_back(
        &mut self,
        below: &mut Below<'_>,
        transaction: Transaction,
        reason: String,
    ) {
        below.cx.say(
            Level::Warn,
            "server",
            format!("after a dry run the server was not given back what it ran: {reason}"),
        );
        let denial = Denial::from(ServerFault::NotRolledBack { reason });
        self.give_up(below, transaction, denial.into(), true);
    }

    /// The head has moved while the server tried: once more on the new head, if a client's change
    /// still fits there.
    fn begin_anew(&mut self, below: &mut Below<'_>, transaction: Transaction) {
        if let Some(answer) = why_not_again(below.store, below.cx, &transaction) {
            return self.give_up(below, transaction, answer, true);
        }
        // The server still runs what it tried: unless the next try is published, the head is put
        // back. That comes within a moment, and the server should not flap.
        below
            .local
            .server
            .roll_back(None, below.cx.now.elapsed + FLAP_PATIENCE);
        self.again(below, transaction);
    }

    /// The cause has its turn again.
    fn again(&mut self, below: &mut Below<'_>, transaction: Transaction) {
        discard(below.cx, &transaction);
        match transaction.cause {
            Cause::Client(request) => {
                let fits = below
                    .store
                    .head(below.cx)
                    .is_some_and(|head| replayed(&head.document, &transaction.revision).is_some());
                self.retry(below.cx, *request, (!fits).then_some(transaction.revision));
            }
            Cause::Replay(_) => below.cx.rebase_soon(REBASE_JITTER),
        }
    }

    /// The revision in hand did not come to the server.
    pub(in crate::node) fn drop_transaction(&mut self, below: &mut Below<'_>, denial: Denial) {
        if let Some(transaction) = self.transaction.take() {
            self.give_up(below, transaction, denial.into(), false);
        }
    }

    fn give_up(
        &mut self,
        below: &mut Below<'_>,
        transaction: Transaction,
        answer: Answer,
        roll_back: bool,
    ) {
        discard(below.cx, &transaction);
        if roll_back && below.local.server.present {
            let has_head = transaction
                .base
                .as_ref()
                .is_some_and(|base| !base.is_removal());
            let base = (!has_head).then(|| transaction.before.clone());
            below.local.server.roll_back(base, below.cx.now.elapsed);
        }
        self.abandon(below, transaction.cause, answer);
    }

    fn abandon(&mut self, below: &mut Below<'_>, cause: Cause, answer: Answer) {
        match cause {
            Cause::Client(request) => below
                .cx
                .effects
                .push(Effect::Answer(request.client, answer)),
            Cause::Replay(uncontained) => self.replay_failed(below, &uncontained, &answer),
        }
    }

    /// Whether the revision in hand is a dry run's, and the server has not taken it yet.
    pub(in crate::node) fn is_tried_only(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| {
            transaction.is_dry() && matches!(transaction.phase, Phase::Trying)
        })
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

/// Whether it does nothing but append to arrays.
fn is_append(revision: &Revision) -> bool {
    revision
        .edit
        .operations
        .iter()
        .all(|operation| operation.verb == Verb::Append)
}

fn file_of(revision: &Revision) -> (String, String) {
    let header = &revision.record.header;
    (
        header.key.clone(),
        revision_name(header.height, &revision.id()),
    )
}

fn has_moved(store: &Store, cx: &Context, transaction: &Transaction) -> bool {
    store.tip(cx).map(|head| head.id()) != transaction.base.as_ref().map(|base| base.id())
}

/// Why a client's change cannot be made once more on the head that has come meanwhile.
fn why_not_again(store: &Store, cx: &Context, transaction: &Transaction) -> Option<Answer> {
    let Cause::Client(request) = &transaction.cause else {
        return None;
    };
    let head = store.head(cx);
    let met = head.map(|head| head.id());
    let still = head.is_some_and(|head| replayed(&head.document, &transaction.revision).is_some());
    let guarded = check_if_match(request.if_match.as_deref(), met).err();
    match () {
        () if guarded.is_some() => guarded,
        () if !still && !is_append(&transaction.revision) => {
            Some(FleetState::Collides { path: None }.at(met).into())
        }
        () if !is_tried_again(cx, request) => Some(FleetState::OthersAreChanging.at(met).into()),
        () => None,
    }
}

fn discard(cx: &mut Context, transaction: &Transaction) {
    let (group, name) = file_of(&transaction.revision);
    cx.disk(DiskJob::Discard(group, name));
}
