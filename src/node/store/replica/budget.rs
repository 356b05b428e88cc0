//! What may be kept, in bytes, and what goes first.
//!
//! Any member can make heads that contain nothing of each other, and a few bytes of a delta can
//! stand for megabytes: without a bound what is uncontained would fill memory and disk. Over a
//! budget the author with the most bytes loses first, his lowest in rank first, so that a flood of
//! one author costs no other his work, and hosts that hold the same drop the same. What this host's
//! clients were promised never goes. Bodies leave memory long before revisions are dropped: those
//! that nobody needed for longest are then on disk only.
//!
//! The head of a group is always kept. What a peer offers is judged by its header, so that a body
//! which would be dropped is not fetched, however often it is offered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Group, Replica};
use crate::limits::{
    FILE_AROUND, HISTORY_MEMORY_MAX, SPILL_MIN, UNCONTAINED_AUTHOR_BYTES_MAX,
    UNCONTAINED_BYTES_MAX, UNCONTAINED_GROUP_BYTES_MAX, UNCONTAINED_MAX, UNCONTAINED_MEMORY_MAX,
};
use crate::model::peer_id::PeerId;
use crate::model::record::{Rank, Record, RecordId};
use crate::model::revision::{Origin, Revision};

/// An uncontained revision, or the original of an open conflict that is listed by hash, as it is
/// counted.
#[derive(Debug, Clone, Copy)]
struct Share<'a> {
    group: &'a str,
    rank: Rank,
    bytes: u64,
    is_uncontained: bool,
    /// Whether a client of this host was promised that it stays.
    is_promised: bool,
}

impl Replica {
    /// Of all groups, what is over a budget goes.
    pub fn balance(&mut self) {
        self.forget_removals();
        while let Some((group, rank)) =
            excess(&self.shares()).map(|share| (share.group.to_owned(), share.rank))
        {
            self.drop(&group, &rank);
        }
        self.spill();
        self.cut_history();
    }

    /// What was dropped since it was last asked for, each with whether it was uncontained: the
    /// files are to be removed.
    pub fn dropped(&mut self) -> Vec<(Record, bool)> {
        std::mem::take(&mut self.dropped)
    }

    /// Whether a revision that a peer offers would be kept, as far as its header can tell.
    pub fn has_room_for(&self, record: &Record) -> bool {
        let header = &record.header;
        let Some(group) = self.groups.get(&header.key) else {
            return true;
        };
        if group
            .head
            .as_ref()
            .is_none_or(|head| group.worth(&record.rank()) > group.worth(&head.rank()))
        {
            return true;
        }
        let mut shares = self.shares();
        shares.push(Share {
            group: &header.key,
            rank: record.rank(),
            bytes: file_bytes(record),
            is_uncontained: true,
            is_promised: header.author == self.me,
        });
        while let Some(victim) = excess(&shares).map(|share| share.rank) {
            if victim == record.rank() {
                return false;
            }
            shares.retain(|share| share.rank != victim);
        }
        self.fits(file_bytes(record))
    }

    /// Whether so many bytes more find room on disk, once all that may be pruned is.
    pub fn fits(&self, bytes: u64) -> bool {
        let needed: u64 = self.groups.values().map(Group::needed_bytes).sum();
        needed + bytes <= self.files_max
    }

    /// Whether a revision of this host's own finds room on disk.
    pub fn fits_own(&self, revision: &Revision) -> bool {
        self.fits(file_bytes(&revision.record))
    }

    /// What is wrong with the room that revisions have, for people.
    pub fn problem(&self) -> Option<String> {
        let mib = self.files_max >> 20;
        match () {
            () if !self.fits(0) => Some(format!(
                "what must be kept takes more than the {mib} MiB of --state-max: settle \
                 conflicts, or set more"
            )),
            () if self.is_cut => Some(format!(
                "fewer old revisions are kept than --history says: there are {mib} MiB, see \
                 --state-max"
            )),
            () => None,
        }
    }

    /// What the files of all revisions take, in bytes.
    pub fn files_bytes(&self) -> u64 {
        self.groups.values().map(Group::files_bytes).sum()
    }

    /// Memory that heads and uncontained revisions take, but for the head of the own group, in
    /// bytes.
    pub fn memory(&self) -> usize {
        self.groups
            .iter()
            .map(|(name, group)| group.memory(name == &self.own))
            .sum()
    }

    /// The same of what is known of older revisions.
    pub fn history_memory(&self) -> usize {
        self.groups.values().map(Group::history_memory).sum()
    }

    /// A revision is on its way to the disk: until it is there, its body stays in memory.
    pub fn writing(&mut self, id: RecordId) {
        self.unwritten.insert(id);
    }

    /// The file of a revision is there.
    pub fn written(&mut self, id: &RecordId) {
        self.unwritten.remove(id);
        self.balance();
    }

    /// Whether the disk takes writes, so that bodies may leave memory.
    pub fn set_spills(&mut self, spills: bool) {
        self.spills = spills;
    }

    /// Gives back the values of all large documents.
    pub fn fold(&mut self) {
        let all = self.groups.values_mut().flat_map(|group| {
            let uncontained = group
                .uncontained
                .values_mut()
                .map(|uncontained| &mut uncontained.revision);
            group.head.iter_mut().chain(uncontained)
        });
        all.filter(|revision| revision.document.is_large())
            .for_each(|revision| *revision = Arc::new(revision.folded()));
    }

    fn shares(&self) -> Vec<Share<'_>> {
        self.groups
            .iter()
            .flat_map(|(name, group)| group.shares(name, &self.me))
            .collect()
    }

    fn drop(&mut self, group: &str, rank: &Rank) {
        let Some(group) = self.groups.get_mut(group) else {
            return;
        };
        group.uncontained.remove(&rank.id);
        self.dropped.extend(
            group
                .history
                .remove(rank)
                .map(|summary| (summary.record, true)),
        );
        self.unwritten.remove(&rank.id);
    }

    /// Bodies leave memory until the rest is within the budget. If that is not enough, revisions
    /// go.
    fn spill(&mut self) {
        while self.memory() > UNCONTAINED_MEMORY_MAX {
            if let Some((name, id)) = self.least_needed() {
                self.groups
                    .get_mut(&name)
                    .into_iter()
                    .for_each(|group| group.lighten(&id));
            } else if let Some((group, rank)) =
                first(&self.shares()).map(|share| (share.group.to_owned(), share.rank))
            {
                self.drop(&group, &rank);
            } else {
                return;
            }
        }
    }

    /// The body that was needed least lately, among those that are on disk and worth it.
    fn least_needed(&self) -> Option<(String, RecordId)> {
        let all = self
            .groups
            .iter()
            .filter(|_| self.spills)
            .flat_map(|(name, group)| {
                let head = group
                    .head
                    .iter()
                    .filter(|_| *name != self.own)
                    .map(|head| (group.head_since, head));
                let uncontained = group
                    .uncontained
                    .values()
                    .map(|uncontained| (uncontained.needed, &uncontained.revision));
                head.chain(uncontained)
                    .map(move |(needed, revision)| (needed, revision, name))
            });
        let fit = all.filter(|(_, revision, _)| {
            revision.body.len() >= SPILL_MIN && !self.unwritten.contains(&revision.id())
        });
        let least = fit.min_by_key(
            |(needed, revision, _): &(Duration, &Arc<Revision>, &String)| {
                (*needed, revision.rank())
            },
        );
        least.map(|(_, revision, name)| (name.clone(), revision.id()))
    }

    /// Older revisions go, of the group that has most of them, then uncontained ones, until the
    /// files fit.
    fn cut_history(&mut self) {
        while self.files_bytes() > self.files_max || self.history_memory() > HISTORY_MEMORY_MAX {
            let largest = self
                .groups
                .values_mut()
                .filter_map(|group| Some((group.oldest_spare()?, group)));
            if let Some((rank, group)) = largest.max_by_key(|(_, group)| group.files_bytes()) {
                self.dropped.extend(
                    group
                        .history
                        .remove(&rank)
                        .map(|summary| (summary.record, false)),
                );
                self.is_cut = true;
            } else if let Some((group, rank)) =
                first(&self.shares()).map(|share| (share.group.to_owned(), share.rank))
            {
                self.drop(&group, &rank);
            } else {
                return;
            }
        }
    }
}

impl Group {
    fn shares<'a>(&'a self, name: &'a str, me: &'a PeerId) -> impl Iterator<Item = Share<'a>> {
        let uncontained = self.uncontained.values().map(move |uncontained| {
            let revision = &uncontained.revision;
            // Not each time that it was made again: the original is what was promised, and stays.
            let is_first = revision.edit.origin == Origin::Original
                || !self.uncontained.contains_key(&revision.edit_ref().id);
            let is_promised = revision.record.header.author == *me && is_first;
            let (rank, bytes) = (revision.rank(), file_bytes(&revision.record));
            Share {
                group: name,
                rank,
                bytes,
                is_uncontained: true,
                is_promised,
            }
        });
        let originals = self.originals();
        let listed = self.history.values().filter(move |summary| {
            let id = &summary.record.id;
            originals.contains(id) && !self.counts(id)
        });
        uncontained.chain(listed.map(move |summary| {
            let (rank, bytes) = (summary.record.rank(), file_bytes(&summary.record));
            Share {
                group: name,
                rank,
                bytes,
                is_uncontained: false,
                is_promised: rank.author == *me,
            }
        }))
    }

    fn lighten(&mut self, id: &RecordId) {
        if let Some(head) = self.head.as_mut().filter(|head| head.id() == *id) {
            *head = Arc::new(head.light());
        }
        if let Some(uncontained) = self.uncontained.get_mut(id) {
            uncontained.revision = Arc::new(uncontained.revision.light());
        }
    }

    fn memory(&self, is_own: bool) -> usize {
        let head = self
            .head
            .iter()
            .filter(|_| !is_own)
            .map(|head| head.weight());
        head.chain(
            self.uncontained
                .values()
                .map(|uncontained| uncontained.revision.weight()),
        )
        .sum()
    }

    fn history_memory(&self) -> usize {
        self.history.values().map(|summary| summary.weight).sum()
    }

    fn files_bytes(&self) -> u64 {
        self.history
            .values()
            .map(|summary| file_bytes(&summary.record))
            .sum()
    }

    /// What the files of those take that are kept whatever their age.
    fn needed_bytes(&self) -> u64 {
        let originals = self.originals();
        self.history
            .values()
            .filter(|summary| self.is_needed(summary, &originals))
            .map(|summary| file_bytes(&summary.record))
            .sum()
    }

    fn oldest_spare(&self) -> Option<Rank> {
        let originals = self.originals();
        self.history
            .iter()
            .find(|(_, summary)| !self.is_needed(summary, &originals))
            .map(|(rank, _)| *rank)
    }
}

/// What a revision's file takes on disk, in bytes.
fn file_bytes(record: &Record) -> u64 {
    u64::from(record.header.body_len) + 2 * record.bytes.len() as u64 + FILE_AROUND
}

/// Which goes, if any is too many.
fn excess<'a, 'b>(shares: &'b [Share<'a>]) -> Option<&'b Share<'a>> {
    let mut groups: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    let mut authors: BTreeMap<PeerId, u64> = BTreeMap::new();
    for share in shares {
        let (count, bytes) = groups.entry(share.group).or_default();
        (*count, *bytes) = (
            *count + usize::from(share.is_uncontained),
            *bytes + share.bytes,
        );
        *authors.entry(share.rank.author).or_default() += share.bytes;
    }
    let full = groups.iter().filter(|(_, (count, bytes))| {
        *count > UNCONTAINED_MAX || *bytes > UNCONTAINED_GROUP_BYTES_MAX
    });
    let of_groups = full.map(|(name, _)| {
        shares
            .iter()
            .filter(move |share| share.group == *name)
            .collect::<Vec<_>>()
    });
    let greedy = authors
        .iter()
        .filter(|(_, bytes)| **bytes > UNCONTAINED_AUTHOR_BYTES_MAX);
    let of_authors = greedy.map(|(author, _)| {
        shares
            .iter()
            .filter(|share| share.rank.author == *author)
            .collect()
    });
    let is_over = authors.values().sum::<u64>() > UNCONTAINED_BYTES_MAX;
    let of_all = is_over.then(|| shares.iter().collect());
    of_groups
        .chain(of_authors)
        .chain(of_all)
        .find_map(|all: Vec<&Share<'_>>| first_of(&all))
}

/// The one that goes first.
fn first<'a, 'b>(shares: &'b [Share<'a>]) -> Option<&'b Share<'a>> {
    first_of(&shares.iter().collect::<Vec<_>>())
}

/// The lowest in rank of the author with the most bytes, among those that may go.
fn first_of<'a, 'b>(shares: &[&'b Share<'a>]) -> Option<&'b Share<'a>> {
    let mut authors: BTreeMap<PeerId, u64> = BTreeMap::new();
    let may_go = || shares.iter().copied().filter(|share| !share.is_promised);
    may_go().for_each(|share| *authors.entry(share.rank.author).or_default() += share.bytes);
    let (most, _) = authors
        .into_iter()
        .max_by_key(|(author, bytes)| (*bytes, *author))?;
    may_go()
        .filter(|share| share.rank.author == most)
        .min_by_key(|share| share.rank)
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
