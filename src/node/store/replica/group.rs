//! What is held of one group: its head, what is uncontained, and the history.
//!
//! A new revision becomes the head if it is the greatest in rank of those that are not dated far
//! ahead of the time; else it is kept beside the head, if the head does not contain its edit, or
//! belongs to the history. Budgets over several groups are not kept here. Invariant: a revision is
//! uncontained exactly if the head, and what this host knows from before its ledger forgot, say
//! that it does not contain its edit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Summary;
use crate::limits::DELTA_WORTH;
use crate::model::conflict::OpenConflict;
use crate::model::delta;
use crate::model::ledger::{EditRef, Standing};
use crate::model::record::{Rank, RecordId};
use crate::model::revision::Revision;
use crate::node::store::containment::{Containment, Parting};

/// What became of a revision.
#[derive(Debug)]
pub enum Taken {
    /// The revision is the head now, in place of this one.
    Head(Option<Arc<Revision>>),
    /// The revision is kept beside the head, which does not contain it.
    Uncontained,
    /// The head contains it; it belongs to the history.
    History,
    /// The revision was here already.
    Held,
    /// The head contains it, and it is older than what is kept.
    Stale,
    /// There is no room for another group, or it is over its author's share of what is kept
    /// uncontained.
    NoRoom,
}

/// An uncontained revision, and since when.
#[derive(Debug, Clone)]
pub struct Uncontained {
    /// The revision.
    pub revision: Arc<Revision>,
    /// Since when the head does not contain it.
    pub since: Duration,
    /// When its body was last needed: the one that was not for longest goes from memory first.
    pub(super) needed: Duration,
}

impl Uncontained {
    pub(super) fn new(revision: Arc<Revision>, now: Duration) -> Self {
        Self {
            revision,
            since: now,
            needed: now,
        }
    }
}

/// What is held of one group.
#[derive(Debug, Default)]
pub struct Group {
    /// How many older revisions are kept beside the head and what is kept in any case.
    pub(super) kept: usize,
    /// Whether this host follows it.
    pub(super) is_own: bool,
    /// Milliseconds of the latest stamp that is not far ahead of the time, as far as this host
    /// knows the time.
    pub(super) bound_ms: Option<u64>,
    pub(super) head: Option<Arc<Revision>>,
    /// When the head was put there.
    pub(super) head_since: Duration,
    pub(super) uncontained: BTreeMap<RecordId, Uncontained>,
    pub(super) containment: Containment,
    pub(super) history: BTreeMap<Rank, Summary>,
    /// The head's body as a delta against its base's, when that was the head before it.
    pub(super) delta: Option<(RecordId, Vec<u8>)>,
}

impl Group {
    /// The revision that the group is at; it may be one that removes it.
    pub fn head(&self) -> Option<&Arc<Revision>> {
        self.head.as_ref()
    }

    /// When the head was put there.
    pub fn head_since(&self) -> Duration {
        self.head_since
    }

    /// The uncontained revisions.
    pub fn uncontained(&self) -> impl Iterator<Item = &Uncontained> {
        self.uncontained.values()
    }

    /// Everything kept, oldest first: head, uncontained and history.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Summary> + ExactSizeIterator {
        self.history.values()
    }

    /// The head's body as a delta, and the base that it takes.
    pub fn delta(&self) -> Option<&(RecordId, Vec<u8>)> {
        self.delta.as_ref()
    }

    /// The head or an uncontained revision by its ID, if its body is in memory.
    pub fn find(&self, id: &RecordId) -> Option<&Arc<Revision>> {
        let head = self.head.as_ref().filter(|head| head.id() == *id);
        head.or_else(|| {
            self.uncontained
                .get(id)
                .map(|uncontained| &uncontained.revision)
        })
        .filter(|found| !found.is_light())
    }

    /// Whether it is the head or uncontained.
    pub(super) fn counts(&self, id: &RecordId) -> bool {
        self.is_head(id) || self.uncontained.contains_key(id)
    }

    /// Open conflicts and uncontained revisions together.
    pub fn unsettled(&self) -> usize {
        self.uncontained.len() + self.head.as_ref().map_or(0, |head| head.open.len())
    }

    /// Takes a revision in. The caller has checked signature and body.
    pub(super) fn take(&mut self, revision: Arc<Revision>, now: Duration) -> Taken {
        if self.is_head(&revision.id()) {
            return self.take_head_again(revision);
        }
        let demotes = self.demotes(&revision.rank());
        if let Some(summary) = self.history.get(&revision.rank()).filter(|_| !demotes) {
            // Another branch has won, and it was not read back yet: here it is.
            let revived = self.is_uncontained(summary) && self.hold_again(revision, now);
            return if revived {
                Taken::Uncontained
            } else {
                Taken::Held
            };
        }
        if demotes
            || self
                .head
                .as_ref()
                .is_none_or(|head| self.worth(&revision.rank()) > self.worth(&head.rank()))
        {
            return self.set_head(revision, now);
        }
        if self.standing(&revision.edit_ref()) == Standing::In || self.is_made_on(&revision) {
            let originals = self.originals();
            let oldest = self
                .history
                .values()
                .find(|summary| !self.is_needed(summary, &originals));
            let is_old = oldest.map_or(self.kept() == 0, |oldest| {
                revision.rank() < oldest.record.rank()
            });
            if is_old && self.surplus(&originals) >= 0 && !originals.contains(&revision.id()) {
                return Taken::Stale;
            }
            self.remember(&revision);
            return Taken::History;
        }
        self.remember(&revision);
        self.uncontained
            .insert(revision.id(), Uncontained::new(revision, now));
        Taken::Uncontained
    }

    pub(super) fn remember(&mut self, revision: &Revision) {
        let base = &revision.record.header.base;
        let base = self
            .head
            .iter()
            .chain(
                self.uncontained
                    .get(base)
                    .map(|uncontained| &uncontained.revision),
            )
            .find(|held| held.id() == *base);
        let summary = Summary::of(revision, base.map(|base| &**base), &self.last_bundles());
        self.history.insert(revision.rank(), summary);
    }

    /// Notes when a revision came, unless that is noted already.
    pub fn note_received(&mut self, rank: &Rank, received: Option<u64>) {
        if let Some(summary) = self.history.get_mut(rank) {
            summary.received = summary.received.or(received);
        }
    }

    /// The place of a revision in the order: one that is dated far ahead of the time is below all
    /// that are not.
    pub(super) fn worth(&self, rank: &Rank) -> (bool, Rank) {
        (!self.is_ahead(rank), *rank)
    }

    /// Whether a revision is dated far ahead of the time.
    pub fn is_ahead(&self, rank: &Rank) -> bool {
        self.bound_ms
            .is_some_and(|bound| rank.stamp.wall_ms() > bound)
    }

    /// Whether the head is dated far ahead of the time, and would not be the head beside this
    /// revision.
    pub fn demotes(&self, rank: &Rank) -> bool {
        self.head
            .as_ref()
            .is_some_and(|head| self.is_ahead(&head.rank()) && !self.is_ahead(rank))
    }

    /// The uncontained revision that is to be the head in place of one that turns out to be dated
    /// far ahead of the time.
    pub fn rightful(&self) -> Option<Arc<Revision>> {
        let sound = self
            .uncontained
            .values()
            .map(|uncontained| &uncontained.revision)
            .filter(|revision| self.demotes(&revision.rank()));
        sound.max_by_key(|revision| revision.rank()).cloned()
    }

    /// The head has come once more. If its file was lost while its body was not in memory, that is
    /// what it was asked for.
    pub(super) fn take_head_again(&mut self, head: Arc<Revision>) -> Taken {
        let is_whole = self.find(&head.id()).is_some();
        let is_new = !self.history.contains_key(&head.rank());
        if is_new {
            self.remember(&head);
        }
        if !is_whole {
            self.head = Some(head);
        }
        if is_new { Taken::History } else { Taken::Held }
    }

    /// What is known of an edit from the history, if anything.
    pub fn remembered(&self, edit: &EditRef) -> Option<&OpenConflict> {
        self.history
            .values()
            .find(|summary| edit.names(&summary.edit_ref()))
            .map(|summary| &summary.conflict)
    }

    /// Whether edits that `revision` contains are known here and are not contained in the head.
    pub fn has_lost_some_of(&self, revision: &Revision) -> bool {
        let lost = |edit: &EditRef| {
            revision.standing(edit) == Standing::In && self.standing(edit) == Standing::Out
        };
        self.history
            .values()
            .any(|summary| lost(&summary.edit_ref()))
    }

    /// Whether the head contains `edit`: as it says itself, or as this host knows from before its
    /// ledger forgot.
    pub fn standing(&self, edit: &EditRef) -> Standing {
        self.head
            .as_ref()
            .map_or(Standing::Out, |head| self.containment.standing(head, edit))
    }

    /// Whether an edit bears the number of another that was seen in the head's line.
    pub fn is_odd(&self, edit: &EditRef) -> bool {
        self.containment.is_odd(edit)
    }

    /// An edit by the place that it goes by in this group.
    pub fn judged(&self, edit: &EditRef) -> EditRef {
        self.containment.judged(edit)
    }

    /// Edits of which this host cannot tell whether the head contains them, and has to know, the
    /// most needed first: the uncontained ones, and those that the head before contained.
    pub fn unsure(&self) -> Vec<EditRef> {
        let revisions = self
            .uncontained
            .values()
            .map(|uncontained| &uncontained.revision);
        let carried = revisions.map(|revision| self.judged(&revision.edit_ref()));
        let mut named = BTreeSet::new();
        let all = carried.chain(self.containment.unsure().copied());
        all.filter(|edit| self.standing(edit) == Standing::Unknown && named.insert(*edit))
            .collect()
    }

    /// Those that the head before contained and the history has, and since when nobody could tell;
    /// `None` if there are none.
    pub fn unruled(&self) -> Option<(Duration, Vec<EditRef>)> {
        let kept: Vec<EditRef> = self
            .containment
            .unsure()
            .filter(|edit| self.remembered(edit).is_some())
            .copied()
            .collect();
        (!kept.is_empty()).then_some((self.containment.since(), kept))
    }

    /// Takes in what a peer knows of such edits that is at the same head. What turns out to be
    /// contained is history.
    pub fn learn(&mut self, contained: &[EditRef], out: &[EditRef]) {
        self.containment.learn(contained, out);
        self.drop_contained();
    }

    /// Whether the head was made on this revision, and its ledger reaches back less far: then the
    /// edit is contained, since each of the revisions between them has taken over what its base
    /// contained.
    pub(super) fn is_made_on(&self, revision: &Revision) -> bool {
        let unknown = self.standing(&revision.edit_ref()) == Standing::Unknown;
        unknown
            && self
                .line()
                .any(|summary| summary.record.header.base == revision.id())
    }

    pub(super) fn set_head(&mut self, revision: Arc<Revision>, now: Duration) -> Taken {
        self.remember(&revision);
        self.head_since = now;
        self.delta = self
            .find(&revision.record.header.base)
            .filter(|_| self.is_head(&revision.record.header.base))
            .and_then(|base| {
                let delta = delta::between(&base.body, &revision.body);
                (delta.len() * DELTA_WORTH <= revision.body.len()).then(|| (base.id(), delta))
            });
        let was = self.head.replace(revision);
        if let Some(was) = &was {
            // An uncontained document is seldom looked into again, and its value is many times as
            // large as its text.
            self.uncontained
                .insert(was.id(), Uncontained::new(Arc::new(was.folded()), now));
        }
        let parting = was.as_ref().and_then(|was| self.parting(was.id()));
        let head = self.head.as_ref().expect("it was just put there");
        let new = self.history.get(&head.rank());
        let new = new
            .map(|summary| summary.adds().collect())
            .unwrap_or_default();
        self.containment
            .moved(was.as_deref(), head, new, parting, now);
        self.drop_contained();
        Taken::Head(was)
    }

    /// What the branch that ends in `was` and the head's have for themselves; `None` if they are
    /// not held as far as their fork.
    pub(super) fn parting(&self, was: RecordId) -> Option<Parting> {
        let kept: BTreeMap<RecordId, &Summary> = self
            .history
            .values()
            .map(|summary| (summary.record.id, summary))
            .collect();
        let down = |from: RecordId| {
            std::iter::successors(kept.get(&from).copied(), |summary| {
                kept.get(&summary.record.header.base).copied()
            })
        };
        let head = self.head.as_ref()?.id();
        let line: BTreeSet<RecordId> = down(head)
            .flat_map(|summary| [summary.record.id, summary.record.header.base])
            .collect();
        let branch = || down(was).take_while(|summary| !line.contains(&summary.record.id));
        let fork = branch()
            .last()
            .map_or(was, |lowest| lowest.record.header.base);
        line.contains(&fork).then(|| Parting {
            lost: branch().flat_map(Summary::adds).collect(),
            won: down(head)
                .take_while(|summary| summary.record.id != fork)
                .flat_map(Summary::adds)
                .collect(),
        })
    }

    pub(super) fn is_head(&self, id: &RecordId) -> bool {
        self.head.as_ref().is_some_and(|head| head.id() == *id)
    }

    pub(super) fn drop_contained(&mut self) {
        let mut still = std::mem::take(&mut self.uncontained);
        still.retain(|_, uncontained| {
            self.standing(&uncontained.revision.edit_ref()) != Standing::In
        });
        self.uncontained = still;
    }
}
