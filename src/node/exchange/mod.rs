//! What is asked of linked peers: bodies on their way, what is missing, and what somebody waits
//! for.
//!
//! `pulls` has the bodies, `fetch` what somebody looks for in the history, `sync` the exchange
//! itself, `spread` what is flooded, and `tree` over which links.

pub(in crate::node) mod containment_query;
pub(in crate::node) mod dates;
pub mod decode;
pub(in crate::node) mod fetch;
pub(in crate::node) mod pulling;
mod pulls;
pub(in crate::node) mod reading;
pub mod records;
pub(in crate::node) mod spread;
pub(in crate::node) mod sync;
pub(in crate::node) mod tree;

use std::collections::BTreeSet;

use self::fetch::Fetch;
use self::pulls::Pulls;
use self::tree::Trees;
use crate::model::record::RecordId;

/// What this host asks of the peers that it is linked with.
pub(in crate::node) struct Exchange {
    pulls: Pulls,
    /// Over which links revisions spread.
    trees: Trees,
    /// Revisions that peers are asked for by ID.
    pub(in crate::node) missing: BTreeSet<RecordId>,
    /// The one of them that somebody waits for who looks at the history.
    pub(in crate::node) fetch: Option<Fetch>,
    /// Whether an exchange about documents has ended in this run: before that, what is held may be
    /// old.
    pub(in crate::node) exchanged: bool,
    pub(in crate::node) joined: bool,
}

impl Exchange {
    /// Nothing is asked for yet.
    pub(in crate::node) fn new(joined: bool) -> Self {
        Self {
            pulls: Pulls::default(),
            trees: Trees::default(),
            missing: BTreeSet::new(),
            fetch: None,
            exchanged: false,
            joined,
        }
    }

    /// How many bodies are being fetched.
    pub(in crate::node) fn pulls_under_way(&self) -> usize {
        self.pulls.len()
    }
}
