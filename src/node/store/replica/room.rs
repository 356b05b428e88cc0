//! Which groups are held: as many as there is room for, and beside them the removals of others.
//!
//! A group is removed by a revision like any other, which says so in its header. That it was made
//! on the last head is what keeps a host that was away from bringing the group back; so it is kept
//! when all else of the group is gone, and the newest of many are kept by every host alike. A group
//! that was removed takes no place: whoever goes on from its removal makes it anew. The host's own
//! group has its place in any case, and whatever it holds of that stays, for it may be wanted
//! again.

use std::collections::BTreeSet;

use super::{Group, Replica, Summary};
use crate::limits::{GROUPS_MAX, GROUPS_NAMED, REMOVALS_MAX};
use crate::model::ledger::Standing;
use crate::model::record::{Record, RecordId};
use crate::model::stamp::Stamp;

/// Where room was missing.
#[derive(Debug, Default)]
pub(in crate::node) struct Room {
    /// Groups that are not held for want of it, the first that were met.
    refused: BTreeSet<String>,
}

impl Group {
    /// Whether its head removes it.
    pub fn is_removed(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.is_removal())
    }

    /// Whether it takes one of the places for groups.
    fn is_live(&self) -> bool {
        self.head.is_some() && !self.is_removed()
    }

    /// How many older revisions are kept of it.
    pub(in crate::node) fn kept(&self) -> usize {
        if self.is_removed() && !self.is_own {
            0
        } else {
            self.kept
        }
    }

    /// The last revision that is held whole of what the group was before it was removed.
    pub fn former(&self) -> Option<&Summary> {
        let was = |summary: &Summary| {
            !summary.record.header.is_removal()
                && self.standing(&summary.edit_ref()) != Standing::Out
        };
        let counts = |summary: &&Summary| !summary.is_struck && was(summary);
        self.history
            .values()
            .rev()
            .find(counts)
            .filter(|_| self.is_removed())
    }

    /// The removal, if it is all that there is to be kept of the group.
    fn removal(&self) -> Option<(Stamp, RecordId)> {
        let alone = self.is_removed() && !self.is_own && self.uncontained.is_empty();
        self.head
            .as_ref()
            .filter(|_| alone)
            .map(|head| age(&head.record))
    }
}

impl Replica {
    /// Whether as many groups have a head as are kept.
    pub fn is_full(&self) -> bool {
        self.groups.values().filter(|group| group.is_live()).count() >= GROUPS_MAX
    }

    /// Whether there is room for this record's group. If not, the group is remembered as one of
    /// those for which there is none.
    pub fn admits(&mut self, record: &Record) -> bool {
        let name = &record.header.key;
        let group = self
            .groups
            .get(name)
            .filter(|group| group.is_own || group.head.is_some());
        let is_at_home = group.is_some_and(|group| {
            let beats = || {
                group
                    .head
                    .as_ref()
                    .is_none_or(|head| group.worth(&record.rank()) > group.worth(&head.rank()))
            };
            group.is_own || group.is_live() || record.header.is_removal() || !beats()
        });
        let fits = match () {
            () if is_at_home => true,
            () if record.header.is_removal() => return self.is_among_the_newest(record),
            () => !self.is_full(),
        };
        if fits {
            self.room.refused.remove(name);
        } else if self.room.refused.len() < GROUPS_NAMED {
            self.room.refused.insert(name.clone());
        }
        fits
    }

    /// Groups that are not held for want of room, or the first of them.
    pub fn refused(&self) -> impl Iterator<Item = &str> {
        self.room.refused.iter().map(String::as_str)
    }

    /// Forgets the groups that were not held for want of room, if there is room now. Says whether
    /// there were any.
    pub fn has_room_again(&mut self) -> bool {
        !self.is_full() && !std::mem::take(&mut self.room.refused).is_empty()
    }

    /// The oldest removals go when there are too many. One beside which there are edits that nobody
    /// has looked at stays.
    pub(in crate::node) fn forget_removals(&mut self) {
        let mut removals: Vec<_> = self
            .groups
            .iter()
            .filter_map(|(name, group)| Some((group.removal()?, name.clone())))
            .collect();
        let surplus = removals.len().saturating_sub(REMOVALS_MAX);
        removals.sort_unstable();
        for group in removals
            .into_iter()
            .take(surplus)
            .filter_map(|(_, name)| self.groups.remove(&name))
        {
            group
                .history
                .values()
                .for_each(|summary| _ = self.unwritten.remove(&summary.record.id));
            self.dropped.extend(
                group
                    .history
                    .into_values()
                    .map(|summary| (summary.record, false)),
            );
        }
    }

    fn is_among_the_newest(&self, removal: &Record) -> bool {
        let newer = self
            .groups
            .values()
            .filter_map(Group::removal)
            .filter(|other| *other > age(removal));
        newer.count() < REMOVALS_MAX
    }
}

/// What says which of two removals is the older, on all hosts alike.
fn age(removal: &Record) -> (Stamp, RecordId) {
    (removal.header.stamp, removal.id)
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
