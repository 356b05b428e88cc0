//! What is on disk, and what is in memory only because the disk would not take it.
//!
//! A revision from elsewhere is taken up, passed on and applied whether it can be stored or not; one that cannot is marked, and stored when
//! the disk takes writes again, which a probe finds out. Nothing that was acknowledged here is ever among them: a client hears 200 only
//! when its change is durable.

use std::collections::BTreeSet;
use std::time::Duration;

use super::effect::{DiskJob, Level};
use super::input::Ticket;
use super::records::file_text;
use super::{Node, Waiting, revision_name};
use crate::limits::{PROBE_MAX, PROBE_MIN};
use crate::model::record::RecordId;
use crate::model::revision::Revision;

/// What is known of the disk.
pub(super) struct Storing {
    /// Revisions that are held and could not be written.
    unstored: BTreeSet<RecordId>,
    /// Why the disk takes no writes, if it takes none.
    error: Option<String>,
    probe_at: Option<Duration>,
    wait: Duration,
}

impl Default for Storing {
    fn default() -> Self {
        Self { unstored: BTreeSet::new(), error: None, probe_at: None, wait: PROBE_MIN }
    }
}

impl Storing {
    /// When the disk is to be probed.
    pub(super) fn due(&self) -> Option<Duration> {
        self.probe_at
    }

    /// How many revisions are in memory only.
    pub(super) fn in_memory(&self) -> usize {
        self.unstored.len()
    }

    /// Whether a revision that is held is on disk too, or on its way there.
    pub(super) fn has(&self, id: &RecordId) -> bool {
        !self.unstored.contains(id)
    }

    /// What is wrong with the disk, for people.
    pub(super) fn problem(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        Some(match self.unstored.len() {
            0 => format!("the disk takes no writes: {error}"),
            count => format!("the disk takes no writes: {error}; {count} of the revisions held are in memory only"),
        })
    }
}

impl Node {
    /// Has a revision from elsewhere written.
    pub(super) fn store(&mut self, revision: &Revision) {
        let ticket = self.ticket(Waiting::Stored(revision.id()));
        let header = &revision.record.header;
        let name = revision_name(header.height, &revision.id());
        self.disk(DiskJob::Store(ticket, header.key.clone(), name, file_text(revision)));
    }

    /// A write is durable, or has failed.
    pub(super) fn stored(&mut self, ticket: Ticket, result: Result<(), String>) {
        let Some(waiting) = self.tickets.remove(&ticket) else { return };
        if let Err(error) = &result {
            self.disk_fails(error);
        }
        match waiting {
            Waiting::Note(note) => self.note_stored(note, result.is_ok()),
            Waiting::Trial => self.trial_stored(result),
            Waiting::Stored(id) if result.is_ok() => drop(self.storing.unstored.remove(&id)),
            Waiting::Stored(id) => self.keep_in_memory(id),
            Waiting::Probe if result.is_ok() => self.store_again(),
            Waiting::Before => self.before_stored(result),
            Waiting::Kept => self.drift_kept(result),
            Waiting::Acknowledged(client, name) => self.is_acknowledged(client, &name, result),
            Waiting::Probe | Waiting::Server | Waiting::Read(..) | Waiting::Adopting(_) => {}
        }
    }

    /// Whether a revision is on its way to the disk.
    pub(super) fn is_being_stored(&self, id: &RecordId) -> bool {
        self.tickets.values().any(|waiting| matches!(waiting, Waiting::Stored(other) if other == id))
    }

    pub(super) fn probe_if_due(&mut self) {
        if self.storing.probe_at.is_some_and(|due| due <= self.now.elapsed) {
            self.storing.probe_at = None;
            let ticket = self.ticket(Waiting::Probe);
            self.disk(DiskJob::Probe(ticket));
        }
    }

    fn disk_fails(&mut self, error: &str) {
        if self.storing.error.is_none() {
            self.say(Level::Error, "disk", format!("{error}; what comes is kept in memory until the disk takes writes again"));
            self.selfie_changed();
        }
        self.storing.error = Some(error.to_owned());
        if self.storing.probe_at.is_none() {
            self.storing.probe_at = Some(self.now.elapsed + self.storing.wait);
            self.storing.wait = (self.storing.wait * 2).min(PROBE_MAX);
        }
    }

    /// The disk takes writes again: all that is in memory only is given to it.
    fn store_again(&mut self) {
        let unstored: Vec<RecordId> = self.storing.unstored.iter().copied().collect();
        for id in unstored {
            match self.replica.find(&id).cloned() {
                Some(revision) => self.store(&revision),
                None => self.forget_unstored(id),
            }
        }
        if self.storing.unstored.is_empty() {
            self.storing = Storing::default();
            self.say(Level::Info, "disk", "the disk takes writes again");
            self.selfie_changed();
        } else {
            // Whether all of them fit shows at the next probe.
            self.storing.probe_at.get_or_insert(self.now.elapsed + PROBE_MIN);
        }
    }

    /// A revision could not be written. Those that have become history since are let go: only what is in memory whole can be written later.
    fn keep_in_memory(&mut self, id: RecordId) {
        self.storing.unstored.insert(id);
        let gone = self.storing.unstored.iter().filter(|id| self.replica.find(id).is_none());
        gone.copied().collect::<Vec<_>>().into_iter().for_each(|id| self.forget_unstored(id));
    }

    /// It has become history, and its body is not in memory: it is held no more.
    fn forget_unstored(&mut self, id: RecordId) {
        self.storing.unstored.remove(&id);
        let Some(record) = self.replica.kept(&id).cloned() else { return };
        if let Some(group) = self.replica.group_mut(&record.header.key) {
            group.forget(&record.rank());
        }
    }
}
