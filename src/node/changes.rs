//! Changes in the making: by clients of this host, for other hosts, and edits that are made again.
//!
//! `writes` has the changes that wait, `transaction` the one in hand, `rebase` what is made again,
//! and `forwarding` what is made by other hosts.

use std::collections::BTreeSet;

use super::forwarding::Forwarding;
use super::transaction::Transaction;
use super::writes::Writes;
use crate::model::ledger::EditRef;
use crate::model::record::RecordId;

/// What is to become a revision of this host's.
pub(super) struct Changes {
    pub(super) writes: Writes,
    pub(super) transaction: Option<Transaction>,
    pub(super) forwarding: Forwarding,
    /// Revisions that peers are asked for (`Exchange::wanted`) because their edits were lost with
    /// others, and are to be made again or listed.
    pub(super) missing: BTreeSet<RecordId>,
    /// The edits of others that the own server refuses on this head.
    pub(super) refused: (RecordId, BTreeSet<EditRef>),
}

impl Changes {
    /// Nothing is being made.
    pub(super) fn new() -> Self {
        Self {
            writes: Writes::default(),
            transaction: None,
            forwarding: Forwarding::default(),
            missing: BTreeSet::new(),
            refused: (RecordId::NONE, BTreeSet::new()),
        }
    }
}
