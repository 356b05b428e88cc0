//! What the head does not contain is read back from disk, for it is to be made again.
//!
//! Only the head and what is uncontained have their bodies in memory. When another branch wins, or
//! a peer knows that an edit is not contained, revisions of the history are uncontained again. What
//! was read is judged by `exchange::reading`, not here. Invariant: no revision is read twice at
//! once for this.

use std::collections::BTreeSet;

use super::Store;
use super::replica::Group;
use crate::limits::REBASE_JITTER;
use crate::model::ledger::EditRef;
use crate::model::record::RecordId;
use crate::node::context::Context;
use crate::node::waiting::{Reading, Waiting};

impl Store {
    /// Another branch has won: what it does not contain of the old one is read from disk and
    /// becomes uncontained again.
    pub(in crate::node) fn read_uncontained(&mut self, cx: &mut Context, group: &str) {
        let uncontained_on_disk = self
            .replica
            .group(group)
            .map(Group::uncontained_on_disk)
            .unwrap_or_default();
        let reads = cx.tickets.values().filter_map(|waiting| match waiting {
            Waiting::Read(record, Reading::Uncontained) => Some(record.id),
            _ => None,
        });
        let reads: BTreeSet<RecordId> = reads.collect();
        let uncontained_on_disk = uncontained_on_disk
            .into_iter()
            .filter(|record| !reads.contains(&record.id));
        uncontained_on_disk.for_each(|record| cx.read_kept(record, Reading::Uncontained));
    }

    /// Reads back what is uncontained in whatever group: after the start, and where a read has
    /// failed before.
    pub(in crate::node) fn read_all_uncontained(&mut self, cx: &mut Context) {
        let groups: Vec<String> = self
            .replica
            .groups()
            .map(|(name, _)| name.to_owned())
            .collect();
        groups
            .iter()
            .for_each(|group| self.read_uncontained(cx, group));
    }

    /// A peer tells what it knows.
    pub(in crate::node) fn containment_reply(
        &mut self,
        cx: &mut Context,
        name: &str,
        head: RecordId,
        mut contained: Vec<EditRef>,
        mut out: Vec<EditRef>,
    ) {
        let Some(group) = self
            .replica
            .group_mut(name)
            .filter(|group| group.head().is_some_and(|own| own.id() == head))
        else {
            return;
        };
        let unsure: BTreeSet<EditRef> = group.unsure().into_iter().collect();
        let asked = |edit: &EditRef| unsure.contains(edit);
        contained.retain(asked);
        out.retain(asked);
        group.learn(&contained, &out);
        self.read_uncontained(cx, name);
        if name == cx.setup.group {
            cx.rebase_soon(REBASE_JITTER);
        }
    }
}
