//! What becomes of edits that lost.
//!
//! The author of an uncontained edit *replays* it: if every place that it touches still holds what
//! it found, or what it wanted, and the own server accepts the result, the edit is published again
//! on the head. Otherwise it publishes a *note*: the head's document unchanged, the edit among its
//! open conflicts, so that every host lists it. Oldest edits come first. Edits that the uncontained
//! revision was made on, and that nobody holds any more, are listed with it. Only an original shows
//! what its author asked for, by his signature: who replays an edit only says whose it is. So
//! nothing is made again from a replay; the original is sought for ten seconds, and then the
//! edit is listed in the name of whoever signed what is held. If an author stays away for ten
//! seconds, whoever holds the edit and has a server that can judge it does this in its place; doing
//! it twice is harmless, for the ledger names it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::attempt::Cause;
use super::notes::{report_beyond, room_on};
use super::remedy::{Circumstances, Remedy, remedy};
use super::uncontained::{held, is_last_resort, lost_with, missing};
use super::{Below, Changes};
use crate::limits::{REAPPLY_MIN, STAND_IN_AFTER};
use crate::model::document::Document;
use crate::model::ledger::EditRef;
use crate::model::record::{Header, RecordId};
use crate::model::revision::{Draft, Edit, Origin, Revision};
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::effect::Level;
use crate::node::local::Local;
use crate::node::local::state::Verdict;
use crate::node::refusal::{Denial, LimitReached, Obstacle};
use crate::node::store::Store;
use crate::node::waiting::{Reading, Waiting};

impl Changes {
    /// When the uncontained edits are to be looked at, unless something is being made or tried, or
    /// edits are being read back without which others would seem to collide: its end brings the
    /// next look.
    pub(in crate::node) fn rebase_due(
        &self,
        cx: &Context,
        store: &Store,
        local: &Local,
    ) -> Option<Duration> {
        let awaited = |waiting: &Waiting| {
            matches!(
                waiting,
                Waiting::Note(_) | Waiting::Read(_, Reading::Uncontained | Reading::Former)
            )
        };
        let busy = store.storing.hangs()
            || self.transaction.is_some()
            || !local.server.is_free()
            || cx.tickets.values().any(awaited);
        cx.timers.rebase.filter(|_| !busy)
    }

    pub(in crate::node) fn rebase_if_due(&mut self, below: &mut Below<'_>) {
        if self
            .rebase_due(below.cx, below.store, below.local)
            .is_none_or(|due| due > below.cx.now.elapsed)
        {
            return;
        }
        below.cx.timers.rebase = None;
        // Without an exchange in this run what is held may be old, and a revision made on it would
        // beat what the fleet has agreed on since. The exchange comes first, and brings the
        // next look. Later a host that is alone goes on: perhaps all others are gone.
        if below.exchange.exchanged && below.local.may_configure(below.cx) {
            self.rebase(below);
        }
    }

    /// A replay could not be made: noted if the server refused it, else tried again later.
    pub(in crate::node) fn replay_failed(
        &mut self,
        below: &mut Below<'_>,
        uncontained: &Arc<Revision>,
        answer: &Answer,
    ) {
        let name = uncontained.edit_ref().id.short();
        match answer {
            Answer::Refused(..) if !is_last_resort(below.store, below.cx, uncontained) => {
                // Only this host's server may refuse it, for want of a module, say: another that
                // holds the edit may do better.
                if let Some(head) = below.store.head(below.cx).map(|head| head.id()) {
                    self.refused = (head, std::mem::take(&mut self.refused.1));
                    self.refused.1.insert(uncontained.edit_ref());
                }
                below.cx.timers.rebase = Some(below.cx.now.elapsed + STAND_IN_AFTER);
            }
            Answer::Refused(..)
            | Answer::Denied(Denial {
                obstacle: Obstacle::Limit(LimitReached::RevisionTooLarge),
                ..
            }) => {
                below.cx.say(
                    Level::Info,
                    "rebase",
                    format!("the edit {name} does not fit the head any more"),
                );
                below.note(std::slice::from_ref(uncontained));
            }
            _ => below.cx.timers.rebase = Some(below.cx.now.elapsed + REAPPLY_MIN),
        }
    }

    /// Does the next thing about the uncontained edits, oldest first: one replay, or one note of
    /// all that must be noted before it.
    fn rebase(&mut self, below: &mut Below<'_>) {
        if below
            .store
            .tip(below.cx)
            .is_some_and(|tip| tip.is_removal())
        {
            return below.keep_group();
        }
        let Some((group, head)) = below
            .store
            .replica
            .group(&below.cx.setup.group)
            .and_then(|group| Some((group, group.head()?)))
        else {
            return;
        };
        let held = held(group);
        let missing = missing(below.store, group, &held);
        let unruled = group.unruled();
        let mut next = unruled
            .as_ref()
            .map(|(since, _)| *since + 3 * STAND_IN_AFTER)
            .filter(|at| *at > below.cx.now.elapsed);
        let mut noted: Vec<Arc<Revision>> = Vec::new();
        let (mut replay, mut done, mut later, mut load) = (None, Vec::new(), BTreeMap::new(), None);
        let none = BTreeSet::new();
        let circumstances = Circumstances {
            now: below.cx.now.elapsed,
            me: below.cx.me,
            group,
            head,
            held: &held,
            refused: if self.refused.0 == head.id() {
                &self.refused.1
            } else {
                &none
            },
            can_judge: below.can_judge(head),
        };
        for uncontained in held.carriers() {
            match remedy(&circumstances, &later, uncontained) {
                Remedy::Later(at) => {
                    later.insert(uncontained.revision.edit_ref(), at);
                    next = Some(next.map_or(at, |next| next.min(at)));
                }
                Remedy::Note => noted.push(Arc::clone(&uncontained.revision)),
                Remedy::Nothing => done.push(uncontained.revision.edit_ref()),
                Remedy::Load => {
                    load = Some(uncontained.revision.record.clone());
                    break;
                }
                Remedy::Replay(document) if noted.is_empty() => {
                    replay = Some((Arc::clone(&uncontained.revision), document));
                    break;
                }
                Remedy::Replay(_) => break,
            }
        }
        match replay {
            _ if !noted.is_empty() => below.note(&noted),
            Some((uncontained, document)) => self.replay(below, uncontained, document),
            None if load.is_some() => {
                load.into_iter()
                    .for_each(|record| below.cx.read_kept(record, Reading::Uncontained));
                below.cx.timers.rebase = Some(below.cx.now.elapsed + STAND_IN_AFTER);
            }
            // Jitter, so that not all hosts stand in at once for one that is away.
            None => {
                below.cx.timers.rebase = next.map(|at| at + below.cx.rng.up_to(STAND_IN_AFTER / 4))
            }
        }
        self.seek(below, missing);
        if let (Some((_, edits)), None) = (unruled, next) {
            report_unruled(below.cx, &edits);
        }
        if let Some(group) = below.store.replica.group_mut(&below.cx.setup.group) {
            group.learn(&done, &[]);
        }
    }

    /// Asks peers for the originals of edits; what was asked for before and is not needed any more
    /// is asked for no more.
    fn seek(&mut self, below: &mut Below<'_>, missing: BTreeSet<RecordId>) {
        for done in self.missing.difference(&missing) {
            below.exchange.missing.remove(done);
        }
        let (asked, new): (BTreeSet<RecordId>, Vec<RecordId>) = {
            let new = missing.difference(&self.missing).copied().collect();
            (missing.intersection(&self.missing).copied().collect(), new)
        };
        self.missing = asked;
        for id in new {
            // Those for which there is no room come when others have been found.
            if below.exchange.want(below.cx, below.peers, id) {
                self.missing.insert(id);
            }
        }
    }

    fn replay(&mut self, below: &mut Below<'_>, uncontained: Arc<Revision>, document: Document) {
        report_beyond(below.store, below.cx, &uncontained);
        let Some(head) = below.store.head(below.cx).cloned() else {
            return;
        };
        let origin = Origin::Replay(uncontained.edit_ref(), uncontained.edit_author());
        let mut opens = lost_with(below.store, below.cx, &uncontained);
        if opens.len() > room_on(&head) {
            return below.note(std::slice::from_ref(&uncontained));
        }
        opens.retain(|edit, _| !uncontained.settled.contains(edit));
        let draft = Draft {
            // What it found is what it found when it was asked for: on a newer base that is still
            // there, else it would not be replayed.
            edit: Edit {
                origin,
                operations: uncontained.edit.operations.clone(),
            },
            document,
            opens,
            settles: uncontained.settled.clone(),
            flags: if below.local.server.is_present() {
                0
            } else {
                Header::UNTRIED
            },
            note: uncontained.record.header.note.clone(),
        };
        self.begin_transaction(
            below,
            Cause::Replay(uncontained),
            draft,
            head.document.clone(),
        );
    }
}

impl Below<'_> {
    /// Whether what the own server says of a replay says something about the replay. A host without
    /// a server leaves it to those that have one.
    fn can_judge(&self, head: &Revision) -> bool {
        match self.local.server.verdict() {
            None => self.peers.live_server(self.cx).is_none(),
            Some(Verdict::Refused(_)) => self
                .local
                .server
                .applied()
                .is_some_and(|applied| applied.id == head.id()),
            Some(verdict) => !verdict.is_out_of_reach(),
        }
    }
}

/// Nobody is left who has followed the head for long enough to tell what of this host's own
/// history it contains.
fn report_unruled(cx: &mut Context, edits: &[EditRef]) {
    let Some(last) = edits.last() else { return };
    let (count, name) = (edits.len(), last.id.short());
    let text = format!(
        "nobody can tell whether {count} changes up to {name} are contained: see starling log and \
         starling diff"
    );
    cx.report_problem(text);
}
