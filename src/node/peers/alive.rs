//! Which links are alive: what counts as a sign of life, when a link is pinged, and when it is
//! given up.
//!
//! Nothing here closes a link for what its peer says. Invariant: every link is pinged or given up
//! by [`Peers::pings_due`], whatever else goes over it.

use std::time::Duration;

use super::Peers;
use super::link::Link;
use crate::limits::{PING_AFTER, PING_ALONG_AFTER, PING_SECOND_AFTER, SPEAK_AFTER};
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::input::LinkId;
use crate::wire::frame::Frame;

impl Link {
    /// When it is to be pinged or given up.
    pub fn due(&self) -> Duration {
        match self.pinged {
            None => (self.heard + self.ping_after()).min(self.spoke + SPEAK_AFTER),
            Some(_) => self.dies_at(),
        }
    }

    /// The silence after which it is pinged: of both sides the dialler is the first.
    fn ping_after(&self) -> Duration {
        if self.outgoing {
            PING_AFTER
        } else {
            PING_SECOND_AFTER
        }
    }

    /// Whether it is pinged now if others are.
    pub fn is_pinged_along(&self, now: Duration) -> bool {
        let goes_along = self.outgoing && self.heard + PING_ALONG_AFTER <= now;
        self.pinged.is_none() && (goes_along || self.due() <= now)
    }
}

impl Peers {
    /// A frame came over a link, which is a sign of life. Whether it is looked at now; else it is
    /// kept until what came before it was.
    pub(in crate::node) fn hears(&mut self, cx: &mut Context, id: LinkId, bytes: &[u8]) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        let first = (link.bytes_in == 0).then_some(link.hello.peer);
        link.hears(cx.now.elapsed);
        link.bytes_in += bytes.len() as u64;
        if let Some(peer) = first {
            self.speaks(cx, &peer);
        }
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        if link.is_held() {
            link.keep(bytes.to_vec());
            return false;
        }
        true
    }

    /// The daemon has sent as much as this credit says.
    pub(in crate::node) fn sent(&mut self, cx: &mut Context, id: LinkId, credit: u32) {
        if let Some(link) = self.links.get_mut(&id) {
            // What goes out is a sign of life too: a ping may wait behind a large body, and TCP
            // ends a wire that takes nothing. Not for long, for it shows no more than
            // that the other host's kernel takes it.
            link.heard = cx.now.elapsed;
            link.sent(credit, &mut cx.effects);
        }
    }

    /// A peer wants a sign of life. Who is to be pinged before long is pinged now, as this host is
    /// awake.
    pub(in crate::node) fn is_pinged(&mut self, cx: &mut Context, id: LinkId, number: u64) {
        self.answer(cx, id, &Frame::Pong(number));
        self.pings_along = true;
    }

    /// A ping was answered that was sent at `sent`, in microseconds of the monotonic time.
    pub(in crate::node) fn pong(&mut self, cx: &Context, id: LinkId, sent: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.pinged = None;
        link.round_trip = cx.now.elapsed.checked_sub(Duration::from_micros(sent));
    }

    /// When the next link has to be pinged or given up.
    pub(in crate::node) fn pings_due(&self) -> Duration {
        self.links
            .values()
            .map(Link::due)
            .min()
            .unwrap_or(Duration::MAX)
    }

    /// Pings whom nothing was heard of, and gives up whom that did not help.
    pub(in crate::node) fn check_pings(&mut self, cx: &mut Context) {
        let now = cx.now.elapsed;
        if !std::mem::take(&mut self.pings_along) && self.pings_due() > now {
            return;
        }
        let quiet = |link: &&mut Link| link.is_pinged_along(now);
        let mut silent: Vec<LinkId> = Vec::new();
        for link in self.links.values_mut().filter(quiet) {
            link.pinged = Some(now);
            silent.push(link.id);
        }
        silent
            .iter()
            .for_each(|id| self.answer(cx, *id, &Frame::Ping(now.as_micros() as u64)));
        let dead: Vec<LinkId> = self
            .links
            .values()
            .filter(|link| link.dies_at() <= now)
            .map(|link| link.id)
            .collect();
        for id in dead {
            cx.effects.push(Effect::Close(id));
            self.lost(cx, id, "no sign of life");
        }
    }
}
