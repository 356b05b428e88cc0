//! What is going to happen, in the order in which it will: by time, and what was arranged first
//! comes first.
//!
//! An event is meant for one start of a host. Whether it still finds that, and whether it gets
//! through, is seen when it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::document::Document;
use crate::node::effect::ServerJob;
use crate::node::input::{Input, LinkId, Ticket};
use crate::node::undecoded::Undecoded;

/// Something that happens to a host.
pub(super) struct ScheduledEvent {
    pub(super) to: usize,
    /// Meant for this start of the host: one that has crashed in between never hears of it.
    pub(super) start: u64,
    /// The host that it comes from over the network, if it does.
    pub(super) from: Option<usize>,
    pub(super) kind: EventKind,
}

pub(super) enum EventKind {
    Input(Input),
    /// A frame arrives on a link; `sender` is the sender's name of it.
    Frame {
        link: LinkId,
        sender: LinkId,
        bytes: Vec<u8>,
    },
    /// The disk has done the oldest of its jobs.
    Disk,
    Load(Ticket, String, String),
    Decode(Ticket, Undecoded),
    Server(Ticket, ServerJob),
    /// It is seen whether the server's socket is still the same: the look of this number.
    WatchServer(u64),
    /// The server has accepted this document, and is read back.
    ReadBack(Ticket, Document),
    /// A dial gets where it leads.
    Dial(u64, String),
    Tick,
}

/// All that is going to happen.
#[derive(Default)]
pub(super) struct Schedule {
    events: BTreeMap<(Duration, u64), ScheduledEvent>,
    next: u64,
}

impl Schedule {
    pub(super) fn put(&mut self, at: Duration, event: ScheduledEvent) {
        self.next += 1;
        self.events.insert((at, self.next), event);
    }

    /// The next event, if it happens by `end`, and when.
    pub(super) fn pop(&mut self, end: Duration) -> Option<(Duration, ScheduledEvent)> {
        let entry = self
            .events
            .first_entry()
            .filter(|entry| entry.key().0 <= end)?;
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }
}
