//! The configurations that are kept of what somebody had put on the server: listed, shown,
//! acknowledged, and published again.
//!
//! What is published is what was changed there, as an ordinary change of the head: where the head
//! has something else by now than the server had been given then, or where this host's overlay
//! acts, nothing is guessed and the change is refused.

use super::planned::{Plan, plan_of};
use super::request::Wish;
use super::{Below, Changes};
use crate::limits::{NEEDED_MAX, OPERATIONS_MAX};
use crate::model::edit::{Change, Op};
use crate::model::json;
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::input::{ClientId, Ticket};
use crate::node::kept_file::{Changed, changes_in};
use crate::node::refusal::{
    Denial, DiskFault, FleetState, LimitReached, RequestFault, ServerFault,
};
use crate::node::waiting::{Adopting, Waiting};

impl Below<'_> {
    /// What was changed on the server, as a change made on the head.
    pub(in crate::node) fn plan_adoption(&self, changes: &[Changed]) -> Result<Plan, Answer> {
        let before = self.local.base_document(self.cx, self.store)?;
        let head = self.store.head(self.cx).map(|head| head.id());

        if changes.len() > OPERATIONS_MAX {
            return Err(LimitReached::OperationsInFile.at(head).into());
        }
        let effective = self.cx.setup.overlay.apply(&before).map_err(|unfit| {
            ServerFault::OverlayMisfit {
                reason: unfit.to_string(),
            }
            .at(head)
        })?;
        let mut ops = Vec::new();
        for Changed { path, was, now } in changes {
            let present = before.get(path);
            let is = |other: &Option<_>| match (present, other) {
                (Some(present), Some(other)) => json::same(present, other),
                (present, other) => present.is_none() && other.is_none(),
            };
            if is(now) {
                continue;
            }
            if effective.is_own(&path.to_string()) {
                let path = Some(path.clone());
                return Err(ServerFault::IsOwn { path }.at(head).into());
            }
            if !is(was) {
                let path = Some(path.clone());
                return Err(FleetState::Collides { path }.at(head).into());
            }
            let change = now.clone().map_or(Change::Delete, Change::Put);
            ops.push(Op {
                path: path.clone(),
                change,
            });
        }
        plan_of(self.store, self.cx, before, ops)
    }
}

impl Changes {
    pub(in crate::node) fn adopt_drift(
        &mut self,
        below: &mut Below<'_>,
        client: ClientId,
        name: &str,
        if_match: Option<String>,
        note: String,
    ) {
        let name = match below.local.drift_file(name) {
            Ok(name) => name,
            Err(denial) => return below.cx.reply(client, denial),
        };
        let read = below
            .cx
            .tickets
            .values()
            .filter(|waiting| matches!(waiting, Waiting::Adopting(_)))
            .count();
        if read + self.writes.holding() >= NEEDED_MAX {
            return below.cx.reply(client, LimitReached::FilesBeingRead);
        }
        let note = if note.is_empty() {
            format!("what {name} holds")
        } else {
            note
        };
        let ticket = below.cx.ticket(Waiting::Adopting(Adopting {
            client,
            name: name.clone(),
            if_match,
            note,
        }));
        below.cx.effects.push(Effect::LoadDrift(ticket, name));
    }

    /// A file was read, if it was for this: else the ticket is still to be answered.
    pub(in crate::node) fn drift_loaded(
        &mut self,
        cx: &mut Context,
        ticket: Ticket,
        read: &Result<Option<Vec<u8>>, String>,
    ) -> bool {
        if !matches!(cx.tickets.get(&ticket), Some(Waiting::Adopting(_))) {
            return false;
        }
        let Some(Waiting::Adopting(adopting)) = cx.tickets.remove(&ticket) else {
            return false;
        };
        let Adopting {
            client,
            name,
            if_match,
            note,
        } = adopting;
        let changes = match read {
            Ok(Some(text)) => changes_in(text)
                .ok_or_else(|| Denial::from(ServerFault::ChangesUnknown { file: name })),
            Ok(None) => Err(RequestFault::FileGone { name }.into()),
            Err(reason) => Err(DiskFault::FileUnreadable {
                reason: reason.clone(),
            }
            .into()),
        };
        match changes {
            Ok(changes) => self.wish(cx, client, Wish::Adopt(changes), if_match, note, Vec::new()),
            Err(denial) => cx.reply(client, denial),
        }
        true
    }
}
