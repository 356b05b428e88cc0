//! A host's disk: what is durable, what only seems to be, and what a power cut makes of the
//! difference.
//!
//! Jobs are done one after the other, each in its time. `Pending` is answered before it is durable,
//! a removal is durable only when a later job has synced the directory; everything else is durable
//! when it is answered. A power cut meets up to a batch of jobs that were under way: each file of
//! these is whole, torn or absent, by chance. A process that is killed leaves whole files or none.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::limits::{APPLIED_REMEMBERED, DISK_BATCH, REVISION_FILE_MAX};
use crate::model::fingerprint::Fingerprint;
use crate::model::record::RecordId;
use crate::node::effect::DiskJob;
use crate::node::input::Ticket;
use crate::node::kept_file::acknowledged;
use crate::node::rng::Rng;
use crate::node::store::revision_file::struck_text;

/// A file by its group and name.
type FileName = (String, String);

/// How a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFailure {
    /// The disk is full: nothing new is written.
    Full,
    /// Nothing is written or removed.
    ReadOnly,
    /// Nothing becomes durable: fsync says so.
    Sync,
}

/// A host's state directory on its disk.
pub struct SimDisk {
    /// The files of `revisions/`.
    pub revisions: BTreeMap<FileName, Vec<u8>>,
    /// The files of `pending/`.
    pub pending: BTreeMap<FileName, Vec<u8>>,
    /// Removed from `revisions/`, which a power cut may undo.
    removed: BTreeMap<FileName, Vec<u8>>,
    /// The address book.
    pub book: Vec<u8>,
    /// Whether the host has joined.
    pub joined: bool,
    /// What the server ran before Starling first configured it.
    pub before: Option<Vec<u8>>,
    /// What was kept of what somebody had put on the server, by name.
    pub drifts: BTreeMap<String, Vec<u8>>,
    /// What was applied, the last first: group, revision, and what it came to.
    pub applied: Vec<(String, RecordId, Fingerprint)>,
    /// How the disk fails, if it does.
    pub failure: Option<DiskFailure>,
    /// Writes so far, of whatever kind.
    pub writes: u64,
    /// How long a job takes.
    pub slow: Duration,
    /// Jobs that are handed to the disk are not begun before this time.
    pub hangs_until: Duration,
    queue: VecDeque<DiskJob>,
    free_at: Duration,
}

impl SimDisk {
    /// An empty disk.
    pub(super) fn new(joined: bool) -> Self {
        Self {
            revisions: BTreeMap::new(),
            pending: BTreeMap::new(),
            removed: BTreeMap::new(),
            book: Vec::new(),
            joined,
            before: None,
            drifts: BTreeMap::new(),
            applied: Vec::new(),
            failure: None,
            writes: 0,
            slow: USUAL,
            hangs_until: Duration::ZERO,
            queue: VecDeque::new(),
            free_at: Duration::ZERO,
        }
    }

    /// A copy of what can be read on it now: a backup, or what a clone is made of.
    pub fn copy(&self) -> Self {
        let (revisions, pending) = (self.revisions.clone(), self.pending.clone());
        let (book, before) = (self.book.clone(), self.before.clone());
        let (drifts, applied) = (self.drifts.clone(), self.applied.clone());
        Self {
            revisions,
            pending,
            book,
            before,
            drifts,
            applied,
            ..Self::new(self.joined)
        }
    }

    /// Queues a job; when it will be done.
    pub(super) fn submit(&mut self, job: DiskJob, now: Duration) -> Duration {
        let takes = if is_synced(&job) {
            self.slow
        } else {
            self.slow.min(USUAL)
        };
        self.queue.push_back(job);
        self.free_at = self.free_at.max(now).max(self.hangs_until) + takes;
        self.free_at
    }

    /// Does the oldest job, and says what is to be answered.
    pub(super) fn perform_next(&mut self) -> Option<(Ticket, Result<(), String>)> {
        let job = self
            .queue
            .pop_front()
            .expect("a job was submitted for each that is done");
        self.perform(job)
    }

    /// The host stops dead, and with `power` the disk does too.
    pub(super) fn crash(&mut self, power: bool, rng: &mut Rng) {
        let jobs = std::mem::take(&mut self.queue);
        self.free_at = Duration::ZERO;
        let done = rng.below(jobs.len() as u64 + 1) as usize;
        let mut under_way = DISK_BATCH;
        for (number, job) in jobs.into_iter().enumerate() {
            if number < done {
                self.perform(job);
            } else if power && under_way > 0 && is_new_content(&job) {
                under_way -= 1;
                self.cut(job, rng);
            } else {
                break;
            }
        }
        if power {
            self.lose_unsynced(rng);
        }
    }

    /// A job that the power cut has met.
    fn cut(&mut self, job: DiskJob, rng: &mut Rng) {
        match rng.below(3) {
            0 => drop(self.perform(job)),
            1 if self.failure.is_none() => self.tear(job, rng),
            _ => {}
        }
    }

    fn tear(&mut self, job: DiskJob, rng: &mut Rng) {
        let (name, bytes) = match job {
            DiskJob::Store(_, group, name, bytes) => ((group, name), Some(bytes)),
            DiskJob::Commit(_, group, name) => {
                let bytes = self.pending.remove(&(group.clone(), name.clone()));
                ((group, name), bytes)
            }
            // What is pending is torn with the rest of what was not synced.
            other => return drop(self.perform(other)),
        };
        // A file that is there already is not written again.
        if let Some(bytes) = bytes.filter(|_| !self.revisions.contains_key(&name)) {
            self.revisions.insert(name, torn(bytes, rng));
        }
    }

    fn lose_unsynced(&mut self, rng: &mut Rng) {
        for (name, bytes) in std::mem::take(&mut self.pending) {
            match rng.below(3) {
                0 => drop(self.pending.insert(name, bytes)),
                1 => drop(self.pending.insert(name, torn(bytes, rng))),
                _ => {}
            }
        }
        for (name, bytes) in std::mem::take(&mut self.removed) {
            if rng.below(2) == 0 {
                self.revisions.entry(name).or_insert(bytes);
            }
        }
    }

    fn perform(&mut self, job: DiskJob) -> Option<(Ticket, Result<(), String>)> {
        // The book is written only if it has changed.
        let is_known = match &job {
            DiskJob::Addresses(bytes) => *bytes == self.book,
            DiskJob::Applied(_, id, _) => self
                .applied
                .first()
                .is_some_and(|(_, newest, _)| newest == id),
            _ => false,
        };
        self.writes += u64::from(!is_known);
        match job {
            DiskJob::Pending(ticket, group, name, bytes) => {
                let result = self.can_write(false);
                if result.is_ok() {
                    self.pending.insert((group, name), bytes);
                }
                Some((ticket, result))
            }
            DiskJob::Commit(ticket, group, name) => {
                let name = (group, name);
                let result = self
                    .can_write(true)
                    .and_then(|()| self.pending.remove(&name).ok_or_else(|| GONE.to_owned()));
                Some((ticket, result.map(|bytes| self.keep(name, bytes))))
            }
            DiskJob::Probe(ticket) => Some((ticket, self.can_write(true))),
            DiskJob::BeforeStarling(ticket, bytes) => {
                let result = self.can_write(true);
                if result.is_ok() {
                    self.before = self.before.take().or(Some(bytes));
                }
                Some((ticket, result))
            }
            DiskJob::KeepDrift(ticket, name, bytes, goes) => {
                let result = self.can_write(true);
                if result.is_ok() {
                    self.drifts.insert(name, bytes);
                    goes.into_iter()
                        .for_each(|goes| drop(self.drifts.remove(&goes)));
                }
                Some((ticket, result))
            }
            DiskJob::AcknowledgeDrift(ticket, name) => {
                let text = self.drifts.get(&name).and_then(|text| acknowledged(text));
                let result = self
                    .can_write(true)
                    .and_then(|()| text.ok_or_else(|| GONE.to_owned()));
                Some((
                    ticket,
                    result.map(|text| drop(self.drifts.insert(name, text))),
                ))
            }
            DiskJob::Strike(ticket, group, name, goes) => {
                let name = (group, name);
                let struck = self
                    .revisions
                    .get(&name)
                    .and_then(|bytes| struck_text(bytes, &goes));
                let result = if struck.is_some() {
                    self.can_write(true)
                } else {
                    Ok(())
                };
                Some((
                    ticket,
                    result.map(|()| {
                        struck
                            .into_iter()
                            .for_each(|text| self.keep(name.clone(), text))
                    }),
                ))
            }
            DiskJob::Store(ticket, group, name, bytes) => {
                assert!(
                    bytes.len() <= REVISION_FILE_MAX,
                    "a revision's file is bounded"
                );
                let name = (group, name);
                let here = self.revisions.get(&name) == Some(&bytes);
                let result = if here { Ok(()) } else { self.can_write(true) };
                Some((ticket, result.map(|()| self.keep(name, bytes))))
            }
            other => {
                self.perform_silently(other);
                None
            }
        }
    }

    fn perform_silently(&mut self, job: DiskJob) {
        if self.failure == Some(DiskFailure::ReadOnly) {
            return;
        }
        match job {
            DiskJob::Discard(group, name) => drop(self.pending.remove(&(group, name))),
            DiskJob::SetAside(group, name) => drop(self.revisions.remove(&(group, name))),
            DiskJob::Remove(group, name) => {
                let name = (group, name);
                if let Some(bytes) = self.revisions.remove(&name) {
                    self.removed.insert(name, bytes);
                }
            }
            _ if self.failure.is_some() => {}
            DiskJob::Addresses(bytes) => self.book = bytes,
            DiskJob::Joined => self.joined = true,
            // Servers of the simulator hold no certificates.
            DiskJob::Given(_) => {}
            DiskJob::Applied(group, id, document) => {
                let newest = (group, id, document.fingerprint());
                self.applied.retain(|known| *known != newest);
                self.applied.insert(0, newest);
                self.applied.truncate(APPLIED_REMEMBERED);
            }
            DiskJob::Pending(..)
            | DiskJob::Commit(..)
            | DiskJob::Store(..)
            | DiskJob::Strike(..)
            | DiskJob::Probe(..)
            | DiskJob::KeepDrift(..)
            | DiskJob::AcknowledgeDrift(..)
            | DiskJob::BeforeStarling(..) => {
                unreachable!("these are answered")
            }
        }
    }

    /// Makes a file durable, and with it what was removed beside it.
    fn keep(&mut self, name: FileName, bytes: Vec<u8>) {
        self.revisions.insert(name, bytes);
        self.removed.clear();
    }

    fn can_write(&self, durably: bool) -> Result<(), String> {
        match self.failure {
            Some(DiskFailure::Full) => Err("No space left on device (os error 28)".to_owned()),
            Some(DiskFailure::ReadOnly) => Err("Read-only file system (os error 30)".to_owned()),
            Some(DiskFailure::Sync) if durably => Err("Input/output error (os error 5)".to_owned()),
            Some(DiskFailure::Sync) | None => Ok(()),
        }
    }
}

fn is_new_content(job: &DiskJob) -> bool {
    matches!(
        job,
        DiskJob::Pending(..) | DiskJob::Commit(..) | DiskJob::Store(..)
    )
}

/// Cut off somewhere, and perhaps filled up with zeros.
fn torn(mut bytes: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let whole = bytes.len();
    bytes.truncate(rng.below(whole as u64) as usize);
    if rng.below(2) == 0 {
        bytes.resize(whole, 0);
    }
    bytes
}

/// Whether a job is answered only when it is durable: what takes long on a memory card.
fn is_synced(job: &DiskJob) -> bool {
    !matches!(
        job,
        DiskJob::Pending(..) | DiskJob::Remove(..) | DiskJob::Discard(..)
    )
}

/// How long a disk takes that is well.
const USUAL: Duration = Duration::from_millis(3);
const GONE: &str = "No such file or directory (os error 2)";
