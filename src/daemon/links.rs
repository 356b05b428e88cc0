//! All links, polled by one thread: it waits for their sockets, and for whoever wakes it.
//!
//! The thread that holds the [`Links`] is never made to wait by a peer: what a socket does not take
//! stays queued, within the window of credit that the caller keeps, and what it gives is read in
//! turns. Each link gives exactly one [`LinkEvent::Down`], as the last of its events, whatever
//! ended it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};

use super::clock;
use super::link::{LinkEvent, LinkParts, PolledLink};
use crate::limits::{LINKS_MAX, READ_TURN};

/// The links of a host. Dropping it ends all of them at once.
pub struct Links {
    poll: Poll,
    events: Events,
    links: BTreeMap<u64, PolledLink>,
    /// Links to which something was queued since they were last written to.
    queued: BTreeSet<u64>,
    happened: VecDeque<LinkEvent>,
    scratch: Box<[u8]>,
}

impl Links {
    /// No links yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(LINKS_MAX),
            links: BTreeMap::new(),
            queued: BTreeSet::new(),
            happened: VecDeque::new(),
            scratch: vec![0; READ_TURN].into(),
        })
    }

    /// What ends a [`Links::wait`] from another thread. There may be one only.
    pub fn waker(&self) -> io::Result<Arc<Waker>> {
        Waker::new(self.poll.registry(), WAKE).map(Arc::new)
    }

    /// Adds a link under a number that no other has had. After an error the connection is closed,
    /// and no event comes.
    pub fn add(&mut self, link: u64, parts: LinkParts) -> io::Result<()> {
        let mut polled = PolledLink::new(link, parts)?;
        let interests = Interest::READABLE | Interest::WRITABLE;
        let token = Token(usize::try_from(link).map_err(io::Error::other)?);
        self.poll
            .registry()
            .register(polled.stream(), token, interests)?;
        self.links.insert(link, polled);
        Ok(())
    }

    /// Queues a frame, which the next [`Links::flush`] writes. `false` if it is beyond the link's
    /// window, which is a fault of the caller's accounts, or if the link has ended.
    #[must_use]
    pub fn send(&mut self, link: u64, frame: Vec<u8>) -> bool {
        let is_queued = self
            .links
            .get_mut(&link)
            .is_some_and(|polled| polled.queue(frame));
        if is_queued {
            self.queued.insert(link);
        }
        is_queued
    }

    /// Lets what is queued go out, for a while, then ends the link; frames that still come are
    /// dropped.
    pub fn close(&mut self, link: u64) {
        if let Some(polled) = self.links.get_mut(&link) {
            polled.close();
            self.queued.insert(link);
        }
    }

    /// Closes all links.
    pub fn close_all(&mut self) {
        let all: Vec<u64> = self.links.keys().copied().collect();
        all.into_iter().for_each(|link| self.close(link));
    }

    /// Ends a link at once; what is queued is lost.
    pub fn abort(&mut self, link: u64) {
        self.end(link, "aborted".to_owned());
    }

    /// Reads nothing more until [`Links::go_on`]: the peer's frames wait in the kernel, and in the
    /// end with the peer. What has been read already still comes.
    pub fn hold(&mut self, link: u64) {
        if let Some(polled) = self.links.get_mut(&link) {
            polled.hold();
        }
    }

    /// Lets reading go on after [`Links::hold`].
    pub fn go_on(&mut self, link: u64) {
        if let Some(polled) = self.links.get_mut(&link) {
            polled.go_on();
        }
    }

    /// Whether there are any, those that are being closed included.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Waits until something happens on a link, or for somebody to wake it, for this long at most.
    /// What has happened is taken with [`Links::next_event`].
    pub fn wait(&mut self, most: Duration) -> io::Result<()> {
        let is_busy = !self.happened.is_empty()
            || !self.queued.is_empty()
            || self.links.values().any(PolledLink::is_to_be_read);
        let now = clock::instant();
        let due = self.links.values().filter_map(PolledLink::due).min();
        let due = due.map_or(most, |due| due.saturating_duration_since(now).min(most));
        let timeout = if is_busy { Duration::ZERO } else { due };
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            other => other?,
        }
        for event in &self.events {
            let Ok(link) = u64::try_from(event.token().0) else {
                continue;
            };
            if let Some(polled) = self.links.get_mut(&link) {
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    polled.becomes_readable(event.is_read_closed() || event.is_error());
                }
                if event.is_writable() && polled.has_more() {
                    self.queued.insert(link);
                }
            }
        }
        self.read();
        self.end_late();
        Ok(())
    }

    /// The next thing that has happened.
    pub fn next_event(&mut self) -> Option<LinkEvent> {
        self.happened.pop_front()
    }

    /// Writes what is queued, as far as the sockets take it.
    pub fn flush(&mut self) {
        for link in std::mem::take(&mut self.queued) {
            let Some(polled) = self.links.get_mut(&link) else {
                continue;
            };
            if let Err(reason) = polled.write(&mut self.happened) {
                self.end(link, reason);
            }
        }
    }

    fn read(&mut self) {
        let mut over = Vec::new();
        for (link, polled) in &mut self.links {
            if polled.is_to_be_read()
                && let Err(reason) = polled.read(&mut self.scratch, &mut self.happened)
            {
                over.push((*link, reason));
            }
        }
        over.into_iter()
            .for_each(|(link, reason)| self.end(link, reason));
    }

    fn end_late(&mut self) {
        let now: Instant = clock::instant();
        let late = |polled: &PolledLink| polled.due().is_some_and(|due| due <= now);
        let over: Vec<(u64, String)> = self
            .links
            .iter()
            .filter(|(_, polled)| late(polled))
            .map(|(link, polled)| (*link, polled.overdue()))
            .collect();
        over.into_iter()
            .for_each(|(link, reason)| self.end(link, reason));
    }

    fn end(&mut self, link: u64, reason: String) {
        if let Some(mut polled) = self.links.remove(&link) {
            let _closed_in_any_case = self.poll.registry().deregister(polled.stream());
            self.queued.remove(&link);
            self.happened.push_back(LinkEvent::Down { link, reason });
        }
    }
}

/// The token of the waker; links have lower numbers.
const WAKE: Token = Token(usize::MAX);
