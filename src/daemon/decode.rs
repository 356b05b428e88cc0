//! The thread "decode": bodies of megabytes become revisions here, so that the loop does not stand
//! still for them.
//!
//! One at a time, and each link has at most one here, for its reading waits: that is all the memory
//! that peers can make this take.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread;

use crate::limits::{DECODE_STACK, LINKS_MAX};
use crate::model::revision::Revision;
use crate::node::input::Ticket;
use crate::node::undecoded::Undecoded;

/// The way to the thread `decode`, which ends with it.
pub(super) struct Decoder(SyncSender<Box<(Ticket, Undecoded)>>);

impl Decoder {
    /// Starts the thread. `sink` may block. An error means that there is no thread to be had.
    pub(super) fn start(
        sink: impl Fn(Ticket, Result<Arc<Revision>, String>) + Send + 'static,
    ) -> io::Result<Self> {
        // There is room for one body of each link, and of each that has just ended and left one
        // behind.
        let (bodies, queue) = mpsc::sync_channel::<Box<(Ticket, Undecoded)>>(2 * LINKS_MAX);
        thread::Builder::new()
            .name("decode".to_owned())
            .stack_size(DECODE_STACK)
            .spawn(move || {
                for job in queue {
                    let (ticket, undecoded) = *job;
                    sink(ticket, undecoded.decode());
                }
            })?;
        Ok(Self(bodies))
    }

    /// Queues a body; gives it back if there is no room. Never blocks.
    pub(super) fn submit(&self, ticket: Ticket, undecoded: Undecoded) -> Option<Undecoded> {
        // By pointer: a queue has all of its places in memory from the start.
        match self.0.try_send(Box::new((ticket, undecoded))) {
            Ok(()) => None,
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => Some(job.1),
        }
    }
}
