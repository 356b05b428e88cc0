//! Settling conflicts: the edit that lost is made now, or is dropped; either way one revision
//! settles it on every host.
//!
//! What was wanted stands in the conflict, or, where that is long, in the revision that first
//! carried the edit: that one is read from disk, or fetched from peers. From there on it is an
//! ordinary change, tried by the own server.

use crate::node::changes::Below;
use crate::node::waiting::Needing;
use std::sync::Arc;

use super::Changes;
use super::plan::Plan;
use super::writes::Wish;
use crate::limits::{NEEDED_MAX, SHORT_ID_MIN};
use crate::model::conflict::{OpenConflict, WantedValue};
use crate::model::edit::Op;
use crate::model::json::{Value, object};
use crate::model::ledger::EditRef;
use crate::model::path::Path;
use crate::model::record::Record;
use crate::model::resources;
use crate::model::revision::Revision;
use crate::node::answer::{Answer, Older, Problem};
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::input::ClientId;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::node::store::replica;
use crate::node::views::history::begins;
use crate::node::waiting::Reading;
use crate::node::waiting::Waiting;

/// A conflict as it is shown.
pub(in crate::node) struct Shown {
    edit: EditRef,
    conflict: OpenConflict,
    /// Whether the head lists it, so that every host has it.
    open: bool,
}

impl Below<'_> {
    /// How to make an edit that lost on the present head. The conflict that goes with it is settled
    /// by name.
    pub(in crate::node) fn plan_settling(&self, ops: &[Op]) -> Result<Plan, Answer> {
        self.store.plan_of(
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
            Err(problem) => return below.cx.reply(client, problem),
        };
        if !open {
            let detail = match below.exchange.exchanged {
                true => {
                    "its author, or another host, lists it or makes the change again within seconds"
                }
                false => {
                    "that takes a link to another host, which this one has not had since it was started"
                }
            };
            return below.cx.reply(
                client,
                Problem::new(503, "The head does not list this conflict yet.", detail),
            );
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
                Some(ops) if below.store.is_as_listed(below.cx, revision) => {
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
                    .reply(client, unknown("the revision of this name does not say it")),
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
        if let Some(original) = carrying.clone().filter(|record| record.id == id) {
            return self.read_for(below.cx, original, needing);
        }
        let problem = match (below.exchange.fetch(below.cx, below.peers, id), carrying) {
            (Older::Asked, _) => {
                let detail = format!(
                    "peers are asked for the revision {}; ask again in a moment",
                    id.short()
                );
                Problem::new(503, "What the change wanted is being fetched.", detail)
            }
            (_, Some(replay)) => return self.read_for(below.cx, replay, needing),
            _ => unknown(
                "neither this host nor a linked one has the revision that first made it: drop it, or make the change anew",
            ),
        };
        below.cx.reply(needing.client(), problem);
    }

    /// Reads a revision for a client, if not too many are read already.
    pub(in crate::node) fn read_for(&mut self, cx: &mut Context, record: Record, needing: Needing) {
        let read = cx
            .tickets
            .values()
            .filter(|waiting| matches!(waiting, Waiting::Read(_, Reading::Needed(_))))
            .count();
        if read + self.writes.holding() >= NEEDED_MAX {
            let problem = Problem::new(
                503,
                "Too many revisions are being read for changes.",
                "try again in a moment",
            );
            return cx.reply(needing.client(), problem);
        }
        cx.read_kept(record, Reading::Needed(needing));
    }
}

impl Context {
    /// The revision cannot be read.
    pub(in crate::node) fn needed_is_not_to_be_had(&mut self, needing: Needing, reason: String) {
        self.reply(
            needing.client(),
            Problem::new(500, "The revision cannot be read.", reason),
        );
    }
}

impl Store {
    /// Whether a revision wants what the open conflict of its edit shows: of what is only a replay
    /// nobody else vouches for that.
    fn is_as_listed(&self, cx: &Context, revision: &Revision) -> bool {
        let listed = self
            .head(cx)
            .and_then(|head| head.open.get(&revision.edit_ref()));
        listed.is_some_and(|listed| listed.operations == revision.as_conflict().operations)
    }

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
    pub(in crate::node) fn conflict(&self, group: &str, id: &str) -> Result<Shown, Problem> {
        let mut matches: Vec<Shown> = self.conflicts(group);
        matches.retain(|shown| begins(&shown.edit.id, id));
        match (matches.pop(), matches.len()) {
            (Some(shown), 0) => Ok(shown),
            (None, _) => {
                let detail = format!("none begins with {id} (at least {SHORT_ID_MIN} digits)");
                Err(Problem::new(404, "No such conflict.", detail))
            }
            (Some(_), others) => Err(Problem::new(
                409,
                "More than one conflict.",
                format!("{} conflicts begin with {id}", others + 1),
            )),
        }
    }
}

impl Peers {
    pub(in crate::node) fn conflict_view(&self, shown: &Shown) -> Value {
        let Shown {
            edit,
            conflict,
            open,
        } = shown;
        let mut view = object! {
            "id": edit.id.to_string(),
            "state": if *open { "open" } else { "uncontained" },
            "time": edit.stamp.wall_ms(),
        };
        if let Value::Object(members) = conflict.to_json(edit) {
            view.extend(members.into_iter().filter(|(name, _)| name != "edit").map(
                |(name, value)| match name.as_str() {
                    "ops" => ("edit".to_owned(), with_fingerprints(value, conflict)),
                    _ => (name, value),
                },
            ));
        }
        view.extend(
            object! { "author_name": conflict.author.map(|author| self.roster.name(&author)) },
        );
        Value::Object(view)
    }
}

/// The operations of a conflict, each certificate that was wanted shown as certificates are.
fn with_fingerprints(mut ops: Value, conflict: &OpenConflict) -> Value {
    let shown = ops
        .as_array_mut()
        .into_iter()
        .flatten()
        .zip(&conflict.operations);
    for (op, (operation, wanted)) in shown {
        if let (WantedValue::Long { hash, .. }, true) =
            (wanted, resources::is_secret(&operation.path))
        {
            op["value"] = resources::fingerprint_text(hash).into();
        }
    }
    ops
}

fn unknown(detail: &str) -> Problem {
    Problem::new(409, "What the change wanted is not known here.", detail)
}
