//! Connections: frames and credit over them, and the ways in which they end.
//!
//! Frames of one connection stay in order, and none comes after its end. Credit is given back as
//! the daemon does it, in large parts, when the other side has read. A connection can be lost
//! between any two frames, with what is on its way, and one direction of it can stall: what is sent
//! is taken by the system and never read.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Observer, Puppet, World, address};
use crate::limits::{CREDIT_STEP, LINK_WINDOW};
use crate::node::input::{Input, LinkId};
use crate::sim::event::{EventKind, ScheduledEvent};
use crate::sim::host::{End, FarEnd};
use crate::sim::purpose::{FramePurpose, purpose};
use crate::wire::frame::charge;
use crate::wire::handshake::Hello;

impl End {
    fn new(other: FarEnd, arrives: Duration) -> Self {
        Self {
            other,
            stalled: false,
            used: 0,
            owed: 0,
            arrives,
        }
    }
}

impl<O: Observer> World<O> {
    /// Loses a connection, between any two frames that are on their way or in the midst of one.
    pub fn reset(&mut self, host: usize, link: LinkId) {
        let Some(end) = self.hosts[host].links.get(&link) else {
            return;
        };
        let FarEnd::Host(to, theirs) = end.other else {
            return;
        };
        let on_the_way = end.arrives.saturating_sub(self.now);
        let here = self.now + self.rng.up_to(on_the_way);
        let there = self.now + self.rng.up_to(on_the_way);
        self.arrange(
            host,
            here,
            None,
            EventKind::Input(Input::Unlinked(link, RESET.into())),
        );
        self.arrange(
            to,
            there,
            None,
            EventKind::Input(Input::Unlinked(theirs, RESET.into())),
        );
    }

    /// From now on nothing that a host sends over a connection is read.
    pub fn stall(&mut self, host: usize, link: LinkId) {
        if let Some(end) = self.hosts[host].links.get_mut(&link) {
            end.stalled = true;
        }
    }

    /// Links a puppet to a host: it was dialled by the puppet. The puppet's number.
    pub fn puppet(&mut self, host: usize, hello: Hello) -> usize {
        let (number, link) = (self.puppets.len(), self.name());
        self.puppets.push(Puppet {
            frames: Vec::new(),
            closed: false,
            host,
            link,
        });
        self.hosts[host]
            .links
            .insert(link, End::new(FarEnd::Puppet(number), self.now));
        let address = SocketAddr::from(([10, 255, 255, 1], crate::limits::PORT));
        self.deliver(
            host,
            Input::Linked {
                link,
                hello,
                address,
                dial: None,
            },
        );
        number
    }

    /// The puppet says something, and it is heard at once.
    pub fn says(&mut self, puppet: usize, frame: Vec<u8>) {
        let (host, link) = (self.puppets[puppet].host, self.puppets[puppet].link);
        self.deliver(host, Input::Frame(link, frame));
    }

    pub(in crate::sim) fn send(&mut self, host: usize, link: LinkId, bytes: Vec<u8>) {
        let (now, seed, cost) = (self.now, self.seed, charge(bytes.len()));
        let left_out = self.leaves_out(purpose(&bytes));
        self.traffic.frames += u64::from(!left_out);
        self.traffic.bytes += if left_out { 0 } else { bytes.len() as u64 };
        let end = self.hosts[host].links.get_mut(&link);
        let end = end.unwrap_or_else(|| {
            panic!("seed {seed}: host {host} sends on link {link}, which is closed")
        });
        end.used += cost;
        assert!(
            end.used <= LINK_WINDOW,
            "seed {seed}: host {host} sends beyond the credit of link {link}"
        );
        match end.other {
            FarEnd::Host(to, _) if left_out => self.give_back(host, to, link, cost),
            FarEnd::Puppet(number) => {
                self.puppets[number].frames.push(bytes);
                self.later(
                    host,
                    Duration::from_millis(1),
                    EventKind::Input(Input::Sent(link, cost)),
                );
            }
            FarEnd::Host(..) if end.stalled => {}
            FarEnd::Host(to, theirs) => {
                let latency = self.network.latency(host, to, bytes.len(), &mut self.rng);
                end.arrives = end.arrives.max(now + latency);
                let at = end.arrives;
                self.arrange(
                    to,
                    at,
                    Some(host),
                    EventKind::Frame {
                        link: theirs,
                        sender: link,
                        bytes,
                    },
                );
                if self.network.break_ppm > self.rng.below(1_000_000) {
                    self.reset(host, link);
                }
            }
        }
    }

    /// A frame arrives: it is read, and its sender has its credit back.
    pub(in crate::sim) fn arrives(
        &mut self,
        to: usize,
        from: Option<usize>,
        link: LinkId,
        sender: LinkId,
        bytes: Vec<u8>,
    ) {
        let from = from.expect("frames come from hosts");
        self.give_back(from, to, sender, charge(bytes.len()));
        self.deliver(to, Input::Frame(link, bytes));
    }

    /// A frame was read, so its sender has its credit back, in large parts.
    fn give_back(&mut self, from: usize, to: usize, sender: LinkId, cost: u32) {
        let Some(end) = self.hosts[from].links.get_mut(&sender) else {
            return;
        };
        end.owed += cost;
        if end.owed >= CREDIT_STEP {
            let owed = std::mem::take(&mut end.owed);
            self.arrange(
                from,
                self.now,
                Some(to),
                EventKind::Input(Input::Sent(sender, owed)),
            );
        }
    }

    /// Whether frames for this purpose are not simulated.
    pub(in crate::sim) fn leaves_out(&self, purpose: FramePurpose) -> bool {
        self.no_node_records && matches!(purpose, FramePurpose::Nodes | FramePurpose::NodeExchange)
    }

    /// A frame arrives at a host that was started anew and does not know of its connection: it is
    /// answered by a reset, if at all.
    pub(in crate::sim) fn refuse_unknown(
        &mut self,
        to: usize,
        from: Option<usize>,
        sender: LinkId,
    ) {
        let Some(from) = from.filter(|_| self.rng.below(2) == 0) else {
            return;
        };
        let latency = self.network.latency(to, from, 0, &mut self.rng);
        self.arrange(
            from,
            self.now + latency,
            Some(to),
            EventKind::Input(Input::Unlinked(sender, RESET.into())),
        );
    }

    pub(in crate::sim) fn close(&mut self, host: usize, link: LinkId) {
        let Some(end) = self.hosts[host].links.remove(&link) else {
            return;
        };
        match end.other {
            FarEnd::Puppet(number) => self.puppets[number].closed = true,
            FarEnd::Host(to, theirs) => {
                self.ends_for(host, &end, to, theirs, "closed by the other side")
            }
        }
        self.later(
            host,
            Duration::from_millis(1),
            EventKind::Input(Input::Unlinked(link, "closed".into())),
        );
    }

    /// The other side hears that a connection has ended, after all that was sent before.
    pub(in crate::sim) fn ends_for(
        &mut self,
        host: usize,
        end: &End,
        to: usize,
        theirs: LinkId,
        why: &str,
    ) {
        let latency = self.network.latency(host, to, 0, &mut self.rng);
        let at = end.arrives.max(self.now + latency);
        self.arrange(
            to,
            at,
            Some(host),
            EventKind::Input(Input::Unlinked(theirs, why.into())),
        );
    }

    pub(in crate::sim) fn dialled(&mut self, from: usize, dial: u64, text: &str) {
        let failed = |reason: &str| EventKind::Input(Input::DialFailed(dial, reason.to_owned()));
        match self.host_at(text) {
            Some(to) if to == from => {
                self.later(from, Duration::ZERO, failed("a connection to oneself"))
            }
            Some(to)
                if self.hosts[to].dark
                    || !self.network.reaches(from, to)
                    || !self.network.reaches(to, from) =>
            {
                self.later(from, CONNECT_WAIT, failed("timed out"));
            }
            Some(to) if self.hosts[to].up => self.link(from, to, dial),
            Some(_) => self.later(from, Duration::ZERO, failed("connection refused")),
            None => self.later(from, CONNECT_WAIT, failed("no route")),
        }
    }

    /// A handshake is completed: the dialler knows first, and what it sends comes after the
    /// listener knows.
    fn link(&mut self, from: usize, to: usize, dial: u64) {
        let (here, there) = (self.name(), self.name());
        let out = self.network.latency(from, to, 0, &mut self.rng);
        let back = self.network.latency(to, from, 0, &mut self.rng);
        let first = self.now + out + back;
        let second = first + self.network.latency(from, to, 0, &mut self.rng);
        self.hosts[from]
            .links
            .insert(here, End::new(FarEnd::Host(to, there), second));
        self.hosts[to]
            .links
            .insert(there, End::new(FarEnd::Host(from, here), first));
        let (from_hello, to_hello) = (
            self.hosts[from].hello(address(from)),
            self.hosts[to].hello(address(to)),
        );
        let linked = |link, hello, at, dial| {
            EventKind::Input(Input::Linked {
                link,
                hello,
                address: address(at),
                dial,
            })
        };
        self.arrange(
            from,
            first,
            Some(to),
            linked(here, to_hello, to, Some(dial)),
        );
        self.arrange(
            to,
            second,
            Some(from),
            linked(there, from_hello, from, None),
        );
    }

    /// What cannot arrive now: it waits, unless it is part of a handshake, which has not got so
    /// much time.
    pub(in crate::sim) fn hold_up(&mut self, event: ScheduledEvent) {
        let EventKind::Input(Input::Linked { link, dial, .. }) = &event.kind else {
            return self.network.hold_up(event);
        };
        let Some(end) = self.hosts[event.to].links.remove(link) else {
            return;
        };
        if let (Some(dial), FarEnd::Host(other, theirs)) = (*dial, end.other) {
            self.hosts[other].links.remove(&theirs);
            self.later(
                event.to,
                CONNECT_WAIT,
                EventKind::Input(Input::DialFailed(dial, "timed out".into())),
            );
        }
    }
}

/// How long a dial into the void takes.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
const RESET: &str = "connection reset by peer";
