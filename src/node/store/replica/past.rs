//! What is kept of the past of a group: the line that leads to the head, what falls out of it, and
//! what comes back.
//!
//! The newest of the old revisions are kept for people, as many as were asked for; whatever it
//! takes to settle a conflict, or to make an edit again, is kept whatever its age.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Group, Summary, Uncontained};
use crate::model::ledger::{EditRef, Standing};
use crate::model::record::{Rank, Record, RecordId};
use crate::model::revision::{Origin, Revision};

impl Group {
    /// What falls out of the history: all but the newest so many, the head, the uncontained, and
    /// the originals of open conflicts that are listed by hash. To be removed from disk.
    pub fn prune(&mut self) -> Vec<Record> {
        // It is made anew within moments, and lists again what the removal has settled.
        if self.is_own && self.is_removed() {
            return Vec::new();
        }
        // With a replay the original goes that was kept for it, and of a group that was removed all
        // that others needed.
        let mut all = Vec::new();
        loop {
            let more = self.prune_once();
            if more.is_empty() {
                break;
            }
            all.extend(more);
        }
        all
    }

    fn prune_once(&mut self) -> Vec<Record> {
        let originals = self.originals();
        let surplus = usize::try_from(self.surplus(&originals)).unwrap_or_default();
        let old = self
            .history
            .iter()
            .filter(|(_, summary)| !self.is_needed(summary, &originals))
            .take(surplus);
        let old: Vec<Rank> = old.map(|(rank, _)| *rank).collect();
        old.iter()
            .filter_map(|rank| self.history.remove(rank))
            .map(|summary| summary.record)
            .collect()
    }

    /// The names of revisions in the history that the head turns out not to contain: another branch
    /// has won. Their bodies are on disk; with them they can be taken back by
    /// [`Group::hold_again`]. Those out of which bundles were struck cannot.
    pub fn uncontained_on_disk(&self) -> Vec<Record> {
        let uncontained_on_disk = self
            .history
            .values()
            .filter(|summary| self.is_uncontained(summary) && !summary.is_struck);
        uncontained_on_disk
            .map(|summary| summary.record.clone())
            .collect()
    }

    pub(in crate::node) fn is_uncontained(&self, summary: &Summary) -> bool {
        !self.counts(&summary.record.id) && self.standing(&summary.edit_ref()) == Standing::Out
    }

    /// Takes back a revision of the history that the head does not contain. Says whether it did.
    pub(in crate::node) fn hold_again(&mut self, revision: Arc<Revision>, now: Duration) -> bool {
        if let Some(uncontained) = self.uncontained.get_mut(&revision.id()) {
            // The body of an uncontained revision is wanted in memory again.
            (uncontained.revision, uncontained.needed) = (revision, now);
            return false;
        }
        let is_history =
            self.history.contains_key(&revision.rank()) && !self.counts(&revision.id());
        let revived = is_history && self.standing(&revision.edit_ref()) == Standing::Out;
        if revived {
            self.unstrike(&revision);
            self.uncontained
                .insert(revision.id(), Uncontained::new(revision, now));
        }
        revived
    }

    /// Drops a revision whose file is damaged, unless it is whole in memory.
    pub fn forget(&mut self, rank: &Rank) {
        if self.find(&rank.id).is_none() {
            self.history.remove(rank);
            self.uncontained.remove(&rank.id);
        }
    }

    /// The head, what it was made on, what that was made on, and so on as far as they are kept.
    pub fn line(&self) -> impl Iterator<Item = &Summary> {
        let kept: BTreeMap<RecordId, &Summary> = self
            .history
            .values()
            .map(|summary| (summary.record.id, summary))
            .collect();
        let head = self
            .head
            .as_ref()
            .and_then(|head| kept.get(&head.id()).copied());
        std::iter::successors(head, move |summary| {
            kept.get(&summary.record.header.base).copied()
        })
    }

    /// What the oldest of the head's line was made on and is not kept; `None` if that is the first
    /// revision of all.
    pub fn beyond(&self) -> Option<RecordId> {
        self.line()
            .last()
            .map(|oldest| oldest.record.header.base)
            .filter(|base| *base != RecordId::NONE)
    }

    /// Whether there is room for one more revision of the history.
    pub fn has_room(&self) -> bool {
        self.surplus(&self.originals()) < 0
    }

    /// Revisions of the history that only people may want: all but what is kept whatever its age.
    pub fn spare(&self) -> usize {
        self.spare_but(&self.originals())
    }

    pub(in crate::node) fn spare_but(&self, originals: &BTreeSet<RecordId>) -> usize {
        self.history
            .values()
            .filter(|summary| !self.is_needed(summary, originals))
            .count()
    }

    /// By how many they are more than are kept.
    pub(in crate::node) fn surplus(&self, originals: &BTreeSet<RecordId>) -> isize {
        self.spare_but(originals) as isize - self.kept() as isize
    }

    /// The revisions that it takes to make edits again: the originals of those that the head lists
    /// by hash, also such as are not held yet, and where they are not to be had what else
    /// carries the edit; and the originals of those of which a replay is kept, for that may lose
    /// again, however old the original has become meanwhile.
    pub(in crate::node) fn originals(&self) -> BTreeSet<RecordId> {
        let replayed = self
            .history
            .values()
            .filter_map(|summary| match &summary.origin {
                Origin::Replay(edit, _) => Some(edit.id),
                _ => None,
            });
        self.listed_originals().chain(replayed).collect()
    }

    /// Those among them that the head lists by hash.
    pub(in crate::node) fn listed_originals(&self) -> impl Iterator<Item = RecordId> {
        let open = self
            .head
            .iter()
            .flat_map(|head| &head.open)
            .filter(|(_, conflict)| !conflict.is_whole());
        open.flat_map(|(edit, _)| {
            [
                Some(edit.id),
                self.carrying(edit).map(|summary| summary.record.id),
            ]
        })
        .flatten()
    }

    /// The revision of the history that says what an edit wants: its original, or else the greatest
    /// replay of it.
    pub fn carrying(&self, edit: &EditRef) -> Option<&Summary> {
        let carries = |summary: &&Summary| {
            edit.names(&summary.edit_ref()) && !matches!(summary.origin, Origin::Note(..))
        };
        self.history
            .values()
            .filter(carries)
            .max_by_key(|summary| (summary.origin == Origin::Original, summary.record.rank()))
    }

    /// Whether a revision is kept whatever its age: the head, the uncontained, those of them that
    /// are still being read back, and originals.
    pub(in crate::node) fn is_needed(
        &self,
        summary: &Summary,
        originals: &BTreeSet<RecordId>,
    ) -> bool {
        let id = &summary.record.id;
        self.counts(id) || originals.contains(id) || self.is_uncontained(summary)
    }
}
