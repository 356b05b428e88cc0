//! What is remembered of each revision that is held, whether its body is in memory or not.
//!
//! It is what histories show, what a conflict would be listed with, and what a branch has for
//! itself.

use std::sync::Arc;

use crate::model::conflict::OpenConflict;
use crate::model::document::BundleId;
use crate::model::ledger::EditRef;
use crate::model::record::Record;
use crate::model::revision::{Origin, Revision};

/// What is remembered of a revision whose body is on disk.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Header and signature.
    pub record: Record,
    /// Whether it carries its edit for the first time.
    pub origin: Origin,
    edit: EditRef,
    /// What it changed, with the values that are short: what a conflict would be listed with.
    pub conflict: OpenConflict,
    /// The open conflicts that it settles.
    pub settled: Vec<EditRef>,
    /// When it came to this host, by its clock, in milliseconds since 1970, if that showed a
    /// possible time.
    pub received: Option<u64>,
    /// The open conflicts that it lists, without those that its base listed, if that was at hand.
    pub(in crate::node) listed: Vec<EditRef>,
    /// The bundles that its document still holds, sorted; most revisions share the list with
    /// another.
    pub(in crate::node) bundles: Arc<[BundleId]>,
    /// Whether bundles were struck out of its file: it can be shown, and serves nobody who wants
    /// what its author has signed.
    pub is_struck: bool,
    /// About how many bytes of memory this takes.
    pub(in crate::node) weight: usize,
}

impl Summary {
    pub(in crate::node) fn of(
        revision: &Revision,
        base: Option<&Revision>,
        known: &Arc<[BundleId]>,
    ) -> Self {
        let before = |edit: &&EditRef| base.is_some_and(|base| base.open.contains_key(edit));
        let listed: Vec<EditRef> = revision
            .open
            .keys()
            .filter(|edit| !before(edit))
            .copied()
            .collect();
        let conflict = revision.as_conflict();
        let bundles = revision.document.bundles();
        let bundles = if bundles[..] == known[..] {
            Arc::clone(known)
        } else {
            bundles.into()
        };
        let own = if Arc::ptr_eq(&bundles, known) {
            0
        } else {
            size_of_val(&bundles[..])
        };
        let names = size_of_val(&revision.settled[..]) + size_of_val(&listed[..]) + own;
        let weight =
            size_of::<Self>() + 2 * revision.record.bytes.len() + conflict.weight() + names;
        Self {
            record: revision.record.clone(),
            origin: revision.edit.origin.clone(),
            edit: revision.edit_ref(),
            conflict,
            settled: revision.settled.clone(),
            received: None,
            listed,
            bundles,
            is_struck: false,
            weight,
        }
    }

    /// All edits that a revision adds to what its base contained, and perhaps some that were
    /// contained before.
    pub(in crate::node) fn adds(&self) -> impl Iterator<Item = EditRef> {
        std::iter::once(self.edit_ref()).chain(self.settled.iter().chain(&self.listed).copied())
    }

    /// The edit that it carries, under the edit's own name.
    pub fn edit_ref(&self) -> EditRef {
        self.edit
    }
}
