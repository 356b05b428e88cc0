//! The thread "decode": bodies of megabytes become revisions here, so that the loop does not stand
//! still for them.
//!
//! It is there while it has something to do, which is seldom, and has one body at a time; each link
//! has at most one here, for its reading waits: that is all the memory that peers can make this
//! take.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{TrySendError, sync_channel};
use std::thread;

use crate::limits::{DECODE_STACK, LINKS_MAX};
use crate::model::revision::Revision;
use crate::node::input::Ticket;
use crate::node::undecoded::Undecoded;

/// Takes what has become of a body, on the thread `decode`.
type BodySink = Arc<dyn Fn(Ticket, Result<Arc<Revision>, String>) + Send + Sync>;

/// The bodies that are to be decoded, and whether one is.
pub(super) struct Decoder {
    waiting: VecDeque<(Ticket, Undecoded)>,
    is_busy: bool,
    sink: BodySink,
}

impl Decoder {
    /// Nothing to decode yet. `sink` may block.
    pub(super) fn new(
        sink: impl Fn(Ticket, Result<Arc<Revision>, String>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            waiting: VecDeque::new(),
            is_busy: false,
            sink: Arc::new(sink),
        }
    }

    /// Takes a body; gives it back if there is no room, or no thread to be had. Never blocks.
    pub(super) fn submit(&mut self, ticket: Ticket, undecoded: Undecoded) -> Option<Undecoded> {
        if !self.is_busy {
            return self
                .begin(ticket, undecoded)
                .map(|(_, undecoded)| undecoded);
        }
        // There is room for one body of each link, and of each that has just ended and left one
        // behind.
        if self.waiting.len() >= 2 * LINKS_MAX {
            return Some(undecoded);
        }
        self.waiting.push_back((ticket, undecoded));
        None
    }

    /// The sink was told of a body: the next has its turn. Gives back one for which there is no
    /// thread; then it is to be called again.
    pub(super) fn goes_on(&mut self) -> Option<(Ticket, Undecoded)> {
        self.is_busy = false;
        let (ticket, undecoded) = self.waiting.pop_front()?;
        self.begin(ticket, undecoded)
    }

    fn begin(&mut self, ticket: Ticket, undecoded: Undecoded) -> Option<(Ticket, Undecoded)> {
        // What is moved into a thread that does not come about is lost, and this must not be.
        let (give, take) = sync_channel::<(Ticket, Undecoded)>(1);
        let sink = Arc::clone(&self.sink);
        let run = move || {
            if let Ok((ticket, undecoded)) = take.recv() {
                sink(ticket, undecoded.decode());
            }
        };
        let thread: io::Result<_> = thread::Builder::new()
            .name("decode".to_owned())
            .stack_size(DECODE_STACK)
            .spawn(run);
        self.is_busy = thread.is_ok();
        match thread {
            // There is room for it, and it is waited for.
            Ok(_) => give
                .try_send((ticket, undecoded))
                .err()
                .map(|error| match error {
                    TrySendError::Full(body) | TrySendError::Disconnected(body) => body,
                }),
            Err(_) => Some((ticket, undecoded)),
        }
    }
}
