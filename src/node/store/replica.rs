//! What this host holds of each group: the head, the uncontained revisions, and which older ones
//! are on disk.
//!
//! State here is a function of the set of revisions taken in: the head is the greatest in rank, and
//! a revision is uncontained exactly if the head says that it does not contain its edit. Nothing
//! here sends, stores or applies anything; [`Taken`] tells the caller what became of a revision.
//! Only the head and the uncontained keep their bodies in memory, and of them only as many as the
//! budgets allow; see `budget`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::room::Room;
use crate::model::peer_id::PeerId;
use crate::model::record::{Rank, Record, RecordId};
use crate::model::revision::Revision;

mod budget;
mod group;
mod keys;
mod past;
mod room;
mod summary;

pub use self::group::{Group, Taken, Uncontained};
pub use self::summary::Summary;

/// What is held of all groups of the fleet.
#[derive(Debug)]
pub struct Replica {
    groups: BTreeMap<String, Group>,
    kept: usize,
    /// Whose acknowledged edits stay whatever the budgets say.
    me: PeerId,
    /// The group whose head stays in memory.
    own: String,
    /// What the files of all revisions may take, in bytes.
    files_max: u64,
    /// Whether bodies may leave memory: not while the disk takes no writes.
    spills: bool,
    /// Revisions that are not on disk yet, and keep their bodies.
    unwritten: BTreeSet<RecordId>,
    /// What went over a budget: its files are to be removed. With whether it was uncontained.
    dropped: Vec<(Record, bool)>,
    /// Whether there is less history than was asked for, because its files would take too much.
    is_cut: bool,
    room: Room,
    bound_ms: Option<u64>,
}

/// What a replica is made with.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// Whose host this is.
    pub me: PeerId,
    /// The group that it follows.
    pub group: String,
    /// How many older revisions of a group are kept beside the head and the uncontained ones.
    pub history: usize,
    /// What the files of all revisions may take, in bytes.
    pub files_max: u64,
}

impl Replica {
    /// Holds nothing yet.
    pub fn new(keeping: Keeping) -> Self {
        let Keeping {
            me,
            group: own,
            history: kept,
            files_max,
        } = keeping;
        let (unwritten, dropped, room) = (BTreeSet::new(), Vec::new(), Room::default());
        // The own group has its place, however many others there are.
        let groups = BTreeMap::from([(
            own.clone(),
            Group {
                kept,
                is_own: true,
                ..Group::default()
            },
        )]);
        Self {
            groups,
            kept,
            me,
            own,
            files_max,
            spills: true,
            unwritten,
            dropped,
            is_cut: false,
            room,
            bound_ms: None,
        }
    }

    /// What is dated later than this, in milliseconds since 1970, is far ahead of the time from now
    /// on; nothing is if the time is not known.
    pub fn judge_by(&mut self, bound_ms: Option<u64>) {
        self.bound_ms = bound_ms;
        self.groups
            .values_mut()
            .for_each(|group| group.bound_ms = bound_ms);
    }

    /// A group, if anything of it is held.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// All groups of which anything is held, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(name, group)| (&name[..], group))
    }

    /// A group, to be changed, if anything of it is held.
    pub fn group_mut(&mut self, name: &str) -> Option<&mut Group> {
        self.groups.get_mut(name)
    }

    /// Takes a revision into its group.
    pub fn take(&mut self, revision: Arc<Revision>, now: Duration) -> Taken {
        let (name, id) = (revision.record.header.key.clone(), revision.id());
        if !self.admits(&revision.record) {
            return Taken::NoRoom;
        }
        let taken = self.group_or_new(name).take(revision, now);
        self.balance();
        let is_gone = matches!(taken, Taken::Uncontained) && self.kept(&id).is_none();
        if is_gone { Taken::NoRoom } else { taken }
    }

    /// A group, of which nothing need be held yet.
    fn group_or_new(&mut self, name: String) -> &mut Group {
        let new = || Group {
            kept: self.kept,
            bound_ms: self.bound_ms,
            ..Group::default()
        };
        self.groups.entry(name).or_insert_with(new)
    }

    /// Takes back a revision of the history that its group's head does not contain, or the body of
    /// one that is uncontained. Says whether it is uncontained only now.
    pub fn hold_again(&mut self, revision: Arc<Revision>, now: Duration) -> bool {
        let (name, id) = (revision.record.header.key.clone(), revision.id());
        let revived = self
            .groups
            .get_mut(&name)
            .is_some_and(|group| group.hold_again(revision, now));
        self.balance();
        revived && self.kept(&id).is_some()
    }

    /// The head of a group; none if that was removed.
    pub fn head(&self, group: &str) -> Option<&Arc<Revision>> {
        self.tip(group).filter(|head| !head.is_removal())
    }

    /// What the next revision of a group is made on: its head, also one that removes it.
    pub fn tip(&self, group: &str) -> Option<&Arc<Revision>> {
        self.group(group).and_then(Group::head)
    }

    /// A head or an uncontained revision, of whatever group, if its body is in memory.
    pub fn find(&self, id: &RecordId) -> Option<&Arc<Revision>> {
        self.groups.values().find_map(|group| group.find(id))
    }

    /// The record of this ID, if it is held in any form.
    pub fn kept(&self, id: &RecordId) -> Option<&Record> {
        let all = self
            .groups
            .values()
            .flat_map(|group| group.history.values());
        all.map(|summary| &summary.record)
            .find(|record| record.id == *id)
    }

    /// Whether a record of this rank is held, and of no use if it comes once more.
    pub fn holds(&self, group: &str, rank: &Rank) -> bool {
        let held = |group: &Group| {
            group
                .history
                .get(rank)
                .is_some_and(|summary| !group.is_uncontained(summary) && !group.demotes(rank))
        };
        self.group(group).is_some_and(held)
    }

    /// What anti-entropy is about: heads and uncontained revisions.
    pub fn exchanged(&self) -> impl Iterator<Item = &Arc<Revision>> {
        self.groups.values().flat_map(|group| {
            group.head.iter().chain(
                group
                    .uncontained
                    .values()
                    .map(|uncontained| &uncontained.revision),
            )
        })
    }
}

#[cfg(test)]
#[path = "replica_tests.rs"]
mod tests;
