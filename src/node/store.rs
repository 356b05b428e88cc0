//! What is held of all groups, and what of it is on disk.
//!
//! `replica` says what is held, `storing` what is on disk, and `reading` how it comes back from
//! there.

use super::keys::Keys;
use super::replica::{Keeping, Replica};
use super::storing::Storing;
use crate::model::stamp::StampClock;

/// The revisions that are held, and the disk that keeps them.
pub(super) struct Store {
    pub(super) replica: Replica,
    pub(super) storing: Storing,
    pub(super) stamps: StampClock,
    pub(super) keys: Keys,
}

impl Store {
    /// Nothing is held yet.
    pub(super) fn new(keeping: Keeping) -> Self {
        Self {
            replica: Replica::new(keeping),
            storing: Storing::default(),
            stamps: StampClock::default(),
            keys: Keys::default(),
        }
    }
}
