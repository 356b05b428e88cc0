//! What is asked of linked peers: bodies on their way, what is missing, and what somebody waits
//! for.
//!
//! `pulls` has the bodies, `fetch` what somebody looks for in the history, `sync` the exchange
//! itself, and `spread` what is flooded.

use std::collections::{BTreeSet, VecDeque};

use super::fetch::Fetch;
use super::pulls::Pulls;
use crate::model::record::RecordId;

/// What this host asks of the peers that it is linked with.
pub(super) struct Exchange {
    pub(super) pulls: Pulls,
    /// The newest of the records that are held.
    pub(super) lately_held: VecDeque<RecordId>,
    /// Revisions that peers are asked for by ID.
    pub(super) missing: BTreeSet<RecordId>,
    /// The one of them that somebody waits for who looks at the history.
    pub(super) fetch: Option<Fetch>,
    /// Whether an exchange about documents has ended in this run: before that, what is held may be
    /// old.
    pub(super) exchanged: bool,
    pub(super) joined: bool,
}

impl Exchange {
    /// Nothing is asked for yet.
    pub(super) fn new(joined: bool) -> Self {
        Self {
            pulls: Pulls::default(),
            lately_held: VecDeque::new(),
            missing: BTreeSet::new(),
            fetch: None,
            exchanged: false,
            joined,
        }
    }
}
