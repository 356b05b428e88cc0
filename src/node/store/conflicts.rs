//! The conflicts of a group: what the head lists as open, and what is uncontained and will be.
//!
//! A conflict is named by the edit that lost. Nothing is decided here about what becomes of one.

use super::Store;
use super::replica;
use crate::limits::SHORT_ID_MIN;
use crate::model::conflict::OpenConflict;
use crate::model::ledger::EditRef;
use crate::model::record::RecordId;
use crate::node::refusal::{Denial, RequestFault};

/// A conflict as it is shown.
pub(in crate::node) struct Shown {
    pub(in crate::node) edit: EditRef,
    pub(in crate::node) conflict: OpenConflict,
    /// Whether the head lists it, so that every host has it.
    pub(in crate::node) open: bool,
}

impl Store {
    pub(in crate::node) fn conflicts(&self, group: &str) -> Vec<Shown> {
        let listed = self
            .replica
            .head(group)
            .into_iter()
            .flat_map(|head| &head.open);
        let listed = listed.map(|(edit, conflict)| Shown {
            edit: *edit,
            conflict: conflict.clone(),
            open: true,
        });
        let uncontained = self
            .replica
            .group(group)
            .into_iter()
            .flat_map(replica::Group::uncontained)
            .map(|uncontained| &uncontained.revision);
        let held = uncontained.map(|revision| Shown {
            edit: revision.edit_ref(),
            conflict: revision.as_conflict(),
            open: false,
        });
        let mut all: Vec<Shown> = listed.chain(held).collect();
        all.sort_by_key(|shown| shown.edit);
        all.dedup_by_key(|shown| shown.edit);
        all
    }

    /// The one conflict whose ID begins so.
    pub(in crate::node) fn conflict(&self, group: &str, id: &str) -> Result<Shown, Denial> {
        let mut matches: Vec<Shown> = self.conflicts(group);
        matches.retain(|shown| begins(&shown.edit.id, id));
        match (matches.pop(), matches.len()) {
            (Some(shown), 0) => Ok(shown),
            (None, _) => {
                let beginning = id.to_owned();
                Err(RequestFault::NoSuchConflict { beginning }.into())
            }
            (Some(_), others) => Err(RequestFault::ManyConflicts {
                beginning: id.to_owned(),
                count: others + 1,
            }
            .into()),
        }
    }
}

/// Whether an ID begins with what a person gave for it.
pub(in crate::node) fn begins(id: &RecordId, given: &str) -> bool {
    given.len() >= SHORT_ID_MIN && id.to_string().starts_with(given)
}
