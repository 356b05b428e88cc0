//! What is held of all groups, and what of it is on disk.
//!
//! `replica` says what is held, `storing` what is on disk, and `reading` how it comes back from
//! there.

pub(in crate::node) mod conflicts;
pub(in crate::node) mod containment;
pub(in crate::node) mod finding;
pub mod given;
pub(in crate::node) mod keys;
pub(in crate::node) mod numbers;
pub(in crate::node) mod places;
pub(in crate::node) mod reading;
pub(in crate::node) mod replica;
pub mod revision_file;
pub(in crate::node) mod stamps;
pub(in crate::node) mod storing;

use std::collections::VecDeque;
use std::sync::Arc;

use self::keys::Keys;
use self::numbers::Numbers;
use self::replica::{Keeping, Replica};
use self::storing::Storing;
use crate::limits::LATELY_HELD_MAX;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::model::stamp::StampClock;
use crate::node::context::Context;

/// The revisions that are held, and the disk that keeps them.
pub(in crate::node) struct Store {
    pub(in crate::node) replica: Replica,
    pub(in crate::node) storing: Storing,
    pub(in crate::node) stamps: StampClock,
    pub(in crate::node) numbers: Numbers,
    pub(in crate::node) keys: Keys,
    /// The newest of the records that are held.
    pub(in crate::node) lately_held: VecDeque<RecordId>,
}

impl Store {
    /// The head of each group that is held.
    pub(in crate::node) fn heads(&self) -> impl Iterator<Item = (&str, &Arc<Revision>)> {
        self.replica
            .groups()
            .filter_map(|(name, group)| Some((name, group.head()?)))
    }

    /// The own group's head; none if the group was removed.
    pub(in crate::node) fn head(&self, cx: &Context) -> Option<&Arc<Revision>> {
        self.replica.head(&cx.setup.group)
    }

    /// Nothing is held yet.
    pub(in crate::node) fn new(keeping: Keeping) -> Self {
        Self {
            replica: Replica::new(keeping),
            storing: Storing::default(),
            stamps: StampClock::default(),
            numbers: Numbers::default(),
            keys: Keys::default(),
            lately_held: VecDeque::new(),
        }
    }

    /// The next copies of a record that is held need not even be decoded.
    pub(in crate::node) fn note_held(&mut self, id: RecordId) {
        self.lately_held.push_back(id);
        if self.lately_held.len() > LATELY_HELD_MAX {
            self.lately_held.pop_front();
        }
    }
}
