//! Peers that take connections and say nothing: a handshake succeeds, and not one frame follows.
//!
//! Something on the way may lose all large packets, or the other host's program may be broken in a
//! way that its listener is not. Such a link costs both sides its time-out again and again, and to
//! everybody else the peer seems to be linked, so it is left in peace for a while and named to
//! people until it speaks.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Peers;
use crate::limits::{RETRY_MAX, SILENT_LINKS, SILENT_PEERS_MAX};
use crate::model::peer_id::PeerId;
use crate::node::context::Context;
use crate::node::effect::Level;
use crate::node::input::LinkId;

/// How many links with each peer have ended in a row over which no frame had come.
#[derive(Default)]
pub(in crate::node) struct Silences {
    counts: BTreeMap<PeerId, u32>,
}

impl Silences {
    /// Adds a silent link of this peer; how many these are. What finds no place is not counted.
    fn add(&mut self, peer: PeerId) -> u32 {
        let has_room = self.counts.len() < SILENT_PEERS_MAX || self.counts.contains_key(&peer);
        let count = self
            .counts
            .get(&peer)
            .map_or(1, |count| count.saturating_add(1));
        has_room.then(|| self.counts.insert(peer, count));
        count
    }

    /// The peer has spoken. Says whether it had been named.
    fn end(&mut self, peer: &PeerId) -> bool {
        self.counts
            .remove(peer)
            .is_some_and(|count| count >= SILENT_LINKS)
    }

    fn named(&self) -> impl Iterator<Item = &PeerId> {
        self.counts
            .iter()
            .filter(|(_, count)| **count >= SILENT_LINKS)
            .map(|(peer, _)| peer)
    }
}

impl Peers {
    /// The connection is gone, or is given up, and this host did not want that.
    pub(in crate::node) fn lost(&mut self, cx: &mut Context, id: LinkId, reason: &str) {
        let silent = self
            .links
            .get(&id)
            .filter(|link| link.bytes_in == 0 && link.goodbye.is_none());
        let peer = silent.map(|link| link.hello.peer);
        self.unlinked(cx, id, reason);
        peer.into_iter().for_each(|peer| self.was_silent(cx, peer));
    }

    fn was_silent(&mut self, cx: &mut Context, peer: PeerId) {
        let count = self.silences.add(peer);
        if count < SILENT_LINKS {
            return;
        }
        let pause: Duration = cx.rng.around(RETRY_MAX);
        self.book.rest(&peer, cx.now.elapsed + pause);
        if count == SILENT_LINKS {
            cx.say(Level::Warn, "link", self.silence_of(&peer));
            cx.own_record_changed();
        }
    }

    /// A first frame has come over a link.
    pub(in crate::node) fn speaks(&mut self, cx: &mut Context, peer: &PeerId) {
        if self.silences.end(peer) {
            cx.say(
                Level::Info,
                "link",
                format!("{} speaks again", self.called(peer)),
            );
            cx.own_record_changed();
        }
    }

    /// What a person should look at.
    pub(in crate::node) fn silent_peers(&self) -> impl Iterator<Item = String> {
        self.silences.named().map(|peer| self.silence_of(peer))
    }

    fn silence_of(&self, peer: &PeerId) -> String {
        format!("{} takes connections and says nothing", self.called(peer))
    }
}
