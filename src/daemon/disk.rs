//! The thread "disk": all writing while the daemon runs, so that a slow SD card stalls nothing
//! else.
//!
//! Jobs take effect in the order in which they were handed over. Those that wait at the same time
//! share their fsyncs: each file has its own, a directory one for all. What can fail (a full disk,
//! a read-only one) is reported with path and reason and ends nothing. Durable means: it is there
//! after a power cut that comes when the report is made.

mod batch;

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread;

use self::batch::BatchWriter;
use super::state_dir::StateDir;
use crate::limits;
use crate::node::effect::DiskJob;
use crate::node::input::Ticket;

/// What became of a job that has a ticket; failures of the others are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskDone {
    /// The ticket of the job.
    pub ticket: Ticket,
    /// Whether the job is durable; the error names path and reason.
    pub result: Result<(), String>,
}

/// The way to the thread `disk`, which ends with it.
#[derive(Debug)]
pub struct Disk {
    jobs: SyncSender<DiskJob>,
    /// Nothing is ever sent here: the channel is disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl Disk {
    /// Starts the thread, which holds `dir` and its lock until it ends. `sink` gets the answers in
    /// the order of the jobs, and may block.
    ///
    /// An error means that there is no thread to be had.
    pub fn start(dir: StateDir, sink: impl Fn(DiskDone) + Send + 'static) -> io::Result<Self> {
        let mut writer = BatchWriter::new(dir);
        let (jobs, queue) = mpsc::sync_channel(limits::DISK_QUEUE);
        let (ending, ended) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("disk".to_owned())
            .stack_size(limits::DISK_STACK)
            .spawn(move || {
                let _ending = ending;
                while let Ok(first) = queue.recv() {
                    let batch = std::iter::once(first)
                        .chain(queue.try_iter())
                        .take(limits::DISK_BATCH)
                        .collect();
                    writer.perform(batch).into_iter().for_each(&sink);
                }
            })?;
        Ok(Self { jobs, ended })
    }

    /// Queues a job; gives it back if the queue is full, that is if the disk has stopped. Never
    /// blocks.
    pub fn submit(&self, job: DiskJob) -> Result<(), DiskJob> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }

    /// Lets what is queued be written, and waits for it, at most [`limits::DISK_STOP_WAIT`]. The
    /// sink must not wait for the caller.
    ///
    /// `false` if the time was not enough; the thread goes on then.
    pub fn stop(self) -> bool {
        drop(self.jobs);
        self.ended.recv_timeout(limits::DISK_STOP_WAIT) == Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests;
