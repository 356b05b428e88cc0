//! Changes in the making: by clients of this host, for other hosts, and edits that are made again.
//!
//! `writes` has the changes that wait, `transaction` the one in hand, `rebase` what is made again,
//! and `forwarding` what is made by other hosts.

pub(in crate::node) mod acknowledging;
pub(in crate::node) mod adoption;
mod again;
mod answering;
pub(in crate::node) mod attempt;
pub(in crate::node) mod date_anew;
pub(in crate::node) mod dry_run;
mod dry_run_end;
pub(in crate::node) mod forwarding;
pub(in crate::node) mod if_match;
pub(in crate::node) mod in_step;
pub(in crate::node) mod notes;
pub(in crate::node) mod plan;
pub(in crate::node) mod planned;
mod read_back;
pub(in crate::node) mod rebase;
pub(in crate::node) mod remedy;
pub(in crate::node) mod removal;
pub(in crate::node) mod request;
pub(in crate::node) mod restore;
pub(in crate::node) mod settle;
pub(in crate::node) mod taking;
pub(in crate::node) mod transaction;
pub(in crate::node) mod uncontained;
pub(in crate::node) mod uploads;
pub(in crate::node) mod writes;

use std::collections::BTreeSet;

use self::acknowledging::Unacknowledged;
use self::forwarding::Forwarding;
use self::request::Request;
use self::transaction::Transaction;
use self::writes::Writes;
use crate::model::ledger::EditRef;
use crate::model::record::RecordId;
use crate::model::revision::{Author, Draft, Revision};
use crate::node::context::Context;
use crate::node::exchange::Exchange;
use crate::node::local::Local;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::node::views::View;

/// The parts below the changes, by which they are made.
pub(in crate::node) struct Below<'a> {
    pub(in crate::node) cx: &'a mut Context,
    pub(in crate::node) peers: &'a mut Peers,
    pub(in crate::node) store: &'a mut Store,
    pub(in crate::node) exchange: &'a mut Exchange,
    pub(in crate::node) local: &'a mut Local,
}

impl Below<'_> {
    /// The same, to be looked at.
    pub(in crate::node) fn view(&self) -> View<'_> {
        View {
            cx: self.cx,
            peers: self.peers,
            store: self.store,
            exchange: self.exchange,
            local: self.local,
        }
    }

    /// Makes and signs a revision of the own group. `None` if no other peer would take it.
    pub(in crate::node) fn author(
        &mut self,
        base: Option<&Revision>,
        draft: Draft,
    ) -> Option<Revision> {
        self.author_of(&self.cx.setup.group.clone(), base, draft)
    }

    /// The same of any group.
    pub(in crate::node) fn author_of(
        &mut self,
        group: &str,
        base: Option<&Revision>,
        draft: Draft,
    ) -> Option<Revision> {
        let stamp = self.store.next_stamp(self.cx, self.peers, base);
        let held = self.store.replica.group(group);
        let numbered = self.store.numbers.next(self.cx, group, held);
        let author = Author {
            secret: &self.cx.setup.secret,
            fleet: *self.cx.setup.fleet.id().as_bytes(),
            group,
            stamp,
            numbered: Some(numbered),
        };
        Revision::author(&author, base, draft)
    }
}

/// What is to become a revision of this host's.
pub(in crate::node) struct Changes {
    pub(in crate::node) writes: Writes,
    pub(in crate::node) transaction: Option<Transaction>,
    pub(in crate::node) unacknowledged: Unacknowledged,
    /// Whoever waits for the server to run the head, where a change would change nothing else.
    pub(in crate::node) in_step: Option<Request>,
    pub(in crate::node) forwarding: Forwarding,
    /// Revisions that peers are asked for (`Exchange::wanted`) because their edits were lost with
    /// others, and are to be made again or listed.
    pub(in crate::node) missing: BTreeSet<RecordId>,
    /// The edits of others that the own server refuses on this head.
    pub(in crate::node) refused: (RecordId, BTreeSet<EditRef>),
}

impl Changes {
    /// Nothing is being made.
    pub(in crate::node) fn new() -> Self {
        Self {
            writes: Writes::default(),
            transaction: None,
            unacknowledged: Unacknowledged::default(),
            in_step: None,
            forwarding: Forwarding::default(),
            missing: BTreeSet::new(),
            refused: (RecordId::NONE, BTreeSet::new()),
        }
    }
}
