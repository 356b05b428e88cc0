//! Which bundles stand in the history only, and what is struck out of it.
//!
//! A revision out of which bundles were struck is remembered like any other. It is not what its
//! author has signed any more, so it goes to nobody, and counts neither as head nor as uncontained.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Group, Replica, Summary};
use crate::limits::WITHDRAWN_MAX;
use crate::model::document::BundleId;
use crate::model::ledger::EditRef;
use crate::model::record::{Rank, Record, RecordId};
use crate::model::revision::Revision;

impl Group {
    /// The list of the newest revision: most hold what the one before held.
    pub(in crate::node) fn last_bundles(&self) -> Arc<[BundleId]> {
        self.history
            .values()
            .next_back()
            .map(|last| Arc::clone(&last.bundles))
            .unwrap_or_default()
    }

    /// The bundles that kept revisions hold and the head does not, each with the newest revision
    /// that holds it. None while the head is dated far ahead of the time, for an older one may
    /// take its place, or removes the group, of which nothing is kept then.
    pub fn withdrawn(&self) -> BTreeMap<BundleId, Rank> {
        let head = self
            .head
            .as_ref()
            .map(|head| head.rank())
            .filter(|head| !self.is_ahead(head) && !self.is_removed());
        let Some(present) = head
            .and_then(|head| self.history.get(&head))
            .map(|head| &head.bundles)
        else {
            return BTreeMap::new();
        };
        let others = self
            .history
            .iter()
            .filter(|(_, summary)| !Arc::ptr_eq(&summary.bundles, present));
        let mut withdrawn = BTreeMap::new();
        for (rank, summary) in others {
            for bundle in summary
                .bundles
                .iter()
                .filter(|bundle| present.binary_search(bundle).is_err())
            {
                // Oldest first, so that the newest stays.
                if withdrawn.len() < WITHDRAWN_MAX || withdrawn.contains_key(bundle) {
                    withdrawn.insert(*bundle, *rank);
                }
            }
        }
        withdrawn
    }

    /// Whether the head is known to contain everything that is kept.
    pub fn is_settled(&self) -> bool {
        self.uncontained.is_empty()
            && self.unsure().is_empty()
            && !self
                .history
                .values()
                .any(|summary| self.is_uncontained(summary))
    }

    /// The revisions that hold some of these bundles and may do without, oldest first: all but the
    /// head, the uncontained, and what it takes to settle an open conflict. Originals of edits
    /// that were made again may: when keys go, all hosts have these.
    pub fn holding(&self, goes: &[BundleId]) -> Vec<Record> {
        let originals = self.listed_originals().collect();
        let holds = |summary: &&Summary| summary.bundles.iter().any(|bundle| goes.contains(bundle));
        let spare = self
            .history
            .values()
            .filter(holds)
            .filter(|summary| !self.is_needed(summary, &originals));
        spare.map(|summary| summary.record.clone()).collect()
    }

    /// These bundles were struck out of the file of a revision.
    pub fn strike(&mut self, rank: &Rank, goes: &[BundleId]) {
        if let Some(summary) = self.history.get_mut(rank) {
            summary.bundles = summary
                .bundles
                .iter()
                .filter(|bundle| !goes.contains(bundle))
                .copied()
                .collect();
            summary.is_struck = true;
        }
    }

    /// Whether an edit is only known from a revision out of whose file bundles were struck.
    pub fn is_struck(&self, edit: &EditRef) -> bool {
        let mut carries = self
            .history
            .values()
            .filter(|summary| edit.names(&summary.edit_ref()))
            .peekable();
        carries.peek().is_some() && carries.all(|summary| summary.is_struck)
    }

    fn take_struck(&mut self, revision: &Revision) {
        if !self.history.contains_key(&revision.rank()) {
            self.remember(revision);
            self.history
                .get_mut(&revision.rank())
                .into_iter()
                .for_each(|summary| summary.is_struck = true);
        }
    }

    /// A revision out of whose file bundles were struck has come once more, whole, and is needed.
    pub(in crate::node) fn unstrike(&mut self, revision: &Revision) {
        let Some(summary) = self
            .history
            .get_mut(&revision.rank())
            .filter(|summary| summary.is_struck)
        else {
            return;
        };
        (summary.bundles, summary.is_struck) = (revision.document.bundles().into(), false);
    }
}

impl Replica {
    /// Takes in a revision out of whose file bundles were struck earlier. It may be the first of
    /// its group: the oldest files come first.
    pub fn take_struck(&mut self, revision: &Revision) {
        self.group_or_new(revision.record.header.key.clone())
            .take_struck(revision);
    }

    /// As [`Replica::kept`], but only if its author's own bytes are kept.
    pub fn whole(&self, id: &RecordId) -> Option<&Record> {
        let mut all = self
            .groups
            .values()
            .flat_map(|group| group.history.values());
        all.find(|summary| summary.record.id == *id && !summary.is_struck)
            .map(|summary| &summary.record)
    }
}
