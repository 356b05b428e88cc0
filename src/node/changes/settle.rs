//! Settling conflicts: the edit that lost is made now, or is dropped; either way one revision
//! settles it on every host.
//!
//! What was wanted stands in the conflict, or, where that is long, in the revision that first
//! carried the edit: that one is read from disk, or fetched from peers. From there on it is an
//! ordinary change, tried by the own server.

use std::sync::Arc;

use super::planned::{Plan, plan_of};
use super::request::Wish;
use super::{Below, Changes};
use crate::limits::NEEDED_MAX;
use crate::model::edit::Op;
use crate::model::ledger::EditRef;
use crate::model::path::Path;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::node::answer::{Answer, Older};
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::input::ClientId;
use crate::node::refusal::{DiskFault, FleetState, LimitReached, WantedGap};
use crate::node::store::Store;
use crate::node::store::conflicts::Shown;
use crate::node::waiting::{Needing, Reading, Waiting};

impl Below<'_> {
    /// How to make an edit that lost on the present head. The conflict that goes with it is settled
    /// by name.
    pub(in crate::node) fn plan_settling(&self, ops: &[Op]) -> Result<Plan, Answer> {
        plan_of(
            self.store,
            self.cx,
            self.local.base_document(self.cx, self.store)?,
            ops.to_vec(),
        )
    }
}

impl Changes {
    /// Shows a document whose body is on disk only.
    pub(in crate::node) fn show(
        &mut self,
        cx: &mut Context,
        client: ClientId,
        head: Record,
        path: Path,
    ) {
        self.read_for(cx, head, Needing::Show { client, path });
    }

    /// Settles a conflict, with or without making its edit.
    pub(in crate::node) fn settle(
        &mut self,
        below: &mut Below<'_>,
        client: ClientId,
        id: &str,
        keep: bool,
        if_match: Option<String>,
        note: String,
    ) {
        let Shown {
            edit,
            conflict,
            open,
        } = match below.store.conflict(&below.cx.setup.group, id) {
            Ok(shown) => shown,
            Err(denial) => return below.cx.reply(client, denial),
        };
        if !open {
            let has_exchanged = below.exchange.exchanged;
            return below
                .cx
                .reply(client, FleetState::Unlisted { has_exchanged });
        }
        let what = if keep { "keep" } else { "drop" };
        let note = if note.is_empty() {
            format!("{what} of {}", edit.id.short())
        } else {
            note
        };
        match conflict.ops() {
            _ if !keep => self.wish(
                below.cx,
                client,
                Wish::Settle(Vec::new()),
                if_match,
                note,
                vec![edit.id.to_string()],
            ),
            Some(ops) => self.wish(
                below.cx,
                client,
                Wish::Settle(ops),
                if_match,
                note,
                vec![edit.id.to_string()],
            ),
            None => self.keep_by_original(
                below,
                &edit,
                Needing::Keep {
                    client,
                    if_match,
                    note,
                },
            ),
        }
    }

    /// The revision is here: the change that needs it can be made.
    pub(in crate::node) fn needed_is_here(
        &mut self,
        below: &mut Below<'_>,
        needing: Needing,
        revision: &Arc<Revision>,
    ) {
        match needing {
            Needing::Restore {
                client,
                path,
                if_match,
                note,
            } => {
                self.wish(
                    below.cx,
                    client,
                    Wish::Restore(revision.document.clone(), path),
                    if_match,
                    note,
                    Vec::new(),
                );
            }
            Needing::Show { client, path } => {
                let answer = Answer::Value {
                    document: revision.document.clone(),
                    path,
                    head: Some(revision.id()),
                    applied: None,
                };
                below.cx.effects.push(Effect::Answer(client, answer));
            }
            Needing::Keep {
                client,
                if_match,
                note,
            } => match revision.ops() {
                Some(ops) if is_as_listed(below.store, below.cx, revision) => {
                    self.wish(
                        below.cx,
                        client,
                        Wish::Settle(ops),
                        if_match,
                        note,
                        vec![revision.edit_ref().id.to_string()],
                    );
                }
                _ => below
                    .cx
                    .reply(client, FleetState::WantedUnknown(WantedGap::Unsaid)),
            },
        }
    }

    fn keep_by_original(&mut self, below: &mut Below<'_>, edit: &EditRef, needing: Needing) {
        let carrying = below
            .store
            .replica
            .group(&below.cx.setup.group)
            .and_then(|group| group.carrying(edit));
        let (id, carrying) = (edit.id, carrying.map(|summary| summary.record.clone()));
        if edit.is_ghost() && carrying.is_none() {
            let denial = FleetState::WantedUnknown(WantedGap::Lost);
            return below.cx.reply(needing.client(), denial);
        }
        if let Some(original) = carrying.clone().filter(|record| record.id == id) {
            return self.read_for(below.cx, original, needing);
        }
        let denial = match (below.exchange.fetch(below.cx, below.peers, id), carrying) {
            (Older::Asked, _) => FleetState::Fetching { revision: id },
            (_, Some(replay)) => return self.read_for(below.cx, replay, needing),
            _ => FleetState::WantedUnknown(WantedGap::Lost),
        };
        below.cx.reply(needing.client(), denial);
    }

    /// Reads a revision for a client, if not too many are read already.
    pub(in crate::node) fn read_for(&mut self, cx: &mut Context, record: Record, needing: Needing) {
        let read = cx
            .tickets
            .values()
            .filter(|waiting| matches!(waiting, Waiting::Read(_, Reading::Needed(_))))
            .count();
        if read + self.writes.holding() >= NEEDED_MAX {
            let denial = LimitReached::RevisionsBeingRead;
            return cx.reply(needing.client(), denial);
        }
        cx.read_kept(record, Reading::Needed(needing));
    }
}

/// The revision cannot be read.
pub(in crate::node) fn needed_is_not_to_be_had(cx: &mut Context, needing: Needing, reason: String) {
    cx.reply(needing.client(), DiskFault::RevisionUnreadable { reason });
}

/// Whether a revision wants what the open conflict of its edit shows: of what is only a replay
/// nobody else vouches for that.
fn is_as_listed(store: &Store, cx: &Context, revision: &Revision) -> bool {
    let listed = store
        .head(cx)
        .and_then(|head| head.open.get(&revision.edit_ref()));
    listed.is_some_and(|listed| listed.operations == revision.as_conflict().operations)
}
