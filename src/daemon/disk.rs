//! The thread "disk": all writing while the daemon runs, so that a slow SD card stalls nothing else.
//!
//! Jobs take effect in the order in which they were handed over. Those that wait at the same time share their fsyncs: each file has
//! its own, a directory one for all. What can fail (a full disk, a read-only one) is reported with path and reason and ends nothing.
//! Durable means: it is there after a power cut that comes when the report is made.

mod batch;

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;

use self::batch::Writer;
use super::state_dir::StateDir;
use crate::limits;
use crate::model::document::{Bundle, Document};
use crate::model::record::RecordId;

/// Something to write. Those with a ticket are answered by a [`Done`] that bears it; failures of the others are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Puts a revision that is about to be tried into `pending/`. Not durable: that costs time, and the trial comes first.
    Pending {
        /// Comes back in the answer.
        ticket: u64,
        /// The group.
        group: String,
        /// The file's name.
        name: String,
        /// The content of the file.
        bytes: Vec<u8>,
    },
    /// Moves a revision from `pending/` to `revisions/`, durably. After an error it is still in `pending/`, unless it was not there, and not
    /// in `revisions/`.
    Commit {
        /// Comes back in the answer.
        ticket: u64,
        /// The group.
        group: String,
        /// The file's name.
        name: String,
    },
    /// Removes a revision from `pending/`, if it is there.
    Discard {
        /// The group.
        group: String,
        /// The file's name.
        name: String,
    },
    /// Writes a revision into `revisions/`, durably.
    Store {
        /// Comes back in the answer.
        ticket: u64,
        /// The group.
        group: String,
        /// The file's name.
        name: String,
        /// The content of the file.
        bytes: Vec<u8>,
    },
    /// Writes a revision in `revisions/` anew without these bundles, durably, if it is there and holds any of them.
    Strike {
        /// Comes back in the answer.
        ticket: u64,
        /// The group.
        group: String,
        /// The file's name.
        name: String,
        /// What is struck out.
        goes: Vec<Bundle>,
    },
    /// Removes a revision from `revisions/`, if it is there.
    Remove {
        /// The group.
        group: String,
        /// The file's name.
        name: String,
    },
    /// Writes a small file durably and removes it again.
    Probe {
        /// Comes back in the answer.
        ticket: u64,
    },
    /// Gives a damaged revision another name beside its own, if it is there.
    SetAside {
        /// The group.
        group: String,
        /// The file's name.
        name: String,
    },
    /// Keeps the address book, unless it is as it was.
    Addresses {
        /// Its whole text.
        bytes: Vec<u8>,
    },
    /// Keeps the names that were given to what lies on the server.
    Given {
        /// The whole text of the list.
        bytes: Vec<u8>,
    },
    /// Marks the membership as joined.
    Joined,
    /// Keeps what the server ran before Starling first configured it, unless something was kept before.
    BeforeStarling {
        /// Comes back in the answer.
        ticket: u64,
        /// The configuration.
        bytes: Vec<u8>,
    },
    /// Keeps what the server runs past Starling, durably, and sees that it is there; then removes the file that makes room for it.
    KeepDrift {
        /// Comes back in the answer.
        ticket: u64,
        /// The file's name.
        name: String,
        /// The content of the file.
        bytes: Vec<u8>,
        /// The name of the other file, if there is one.
        goes: Option<String>,
    },
    /// Marks such a file as one that somebody has seen, durably.
    AcknowledgeDrift {
        /// Comes back in the answer.
        ticket: u64,
        /// The file's name.
        name: String,
    },
    /// Remembers that the server runs this, unless that is what was remembered last.
    Applied {
        /// The group.
        group: String,
        /// The revision.
        id: RecordId,
        /// What it comes to on this host.
        document: Document,
    },
}

/// What became of a job with a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The job's.
    pub ticket: u64,
    /// The error names path and reason.
    pub result: Result<(), String>,
}

/// The way to the thread.
#[derive(Debug)]
pub struct Disk {
    jobs: SyncSender<Job>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl Disk {
    /// Starts the thread, which holds `dir` and its lock until it ends. `sink` gets the answers in the order of the jobs, and may block.
    ///
    /// An error means that there is no thread to be had.
    pub fn start(dir: StateDir, sink: impl Fn(Done) + Send + 'static) -> io::Result<Self> {
        let mut writer = Writer::new(dir);
        let (jobs, queue) = mpsc::sync_channel(limits::DISK_QUEUE);
        let (ending, ended) = mpsc::channel::<()>();
        thread::Builder::new().name("disk".to_owned()).stack_size(limits::DISK_STACK).spawn(move || {
            let _ending = ending;
            while let Ok(first) = queue.recv() {
                let batch = std::iter::once(first).chain(queue.try_iter()).take(limits::DISK_BATCH).collect();
                writer.perform(batch).into_iter().for_each(&sink);
            }
        })?;
        Ok(Self { jobs, ended })
    }

    /// Queues a job; gives it back if the queue is full, that is if the disk has stopped. Never blocks.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }

    /// Lets what is queued be written, and waits for it, at most [`limits::DISK_STOP_WAIT`]. The sink must not wait for the caller.
    ///
    /// `false` if the time was not enough; the thread goes on then.
    pub fn stop(self) -> bool {
        drop(self.jobs);
        self.ended.recv_timeout(limits::DISK_STOP_WAIT) == Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests;
