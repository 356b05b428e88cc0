//! Who is known to be somewhere, who is linked, and what hosts say of themselves.
//!
//! `book` has the addresses, `linking` the links that come and go, `mesh` which of them there are
//! to be, `dialling` the way to them, `alive` their signs of life, and `node_records` what goes
//! round of each host. Nothing of documents is known here: what is said over links is asked for and
//! answered by `exchange`.

pub(in crate::node) mod alive;
pub(in crate::node) mod book;
pub(in crate::node) mod clocks;
pub(in crate::node) mod dialling;
pub(in crate::node) mod link;
pub(in crate::node) mod linking;
pub(in crate::node) mod living;
pub(in crate::node) mod mesh;
pub(in crate::node) mod news;
pub(in crate::node) mod node_record;
pub(in crate::node) mod node_records;
pub(in crate::node) mod own_record;
pub(in crate::node) mod ration;
pub(in crate::node) mod roster;
pub(in crate::node) mod silence;
pub(in crate::node) mod untold;
pub(in crate::node) mod whereabouts;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::book::Book;
use self::clocks::Clocks;
use self::link::Link;
use self::own_record::OwnRecord;
use self::ration::Ration;
use self::roster::Roster;
use self::silence::Silences;
use super::context::Context;
use super::effect::{Effect, Level};
use super::input::LinkId;
use crate::limits::{ADDRESSES_MAX, REASON_MAX};
use crate::model::peer_id::PeerId;
use crate::model::revision::Revision;
use crate::node::peers::linking::Newcomer;
use crate::wire::frame::{Frame, Goodbye};

/// Who is known to be somewhere, who is linked, and what they say of themselves.
pub(in crate::node) struct Peers {
    pub(in crate::node) addresses: Vec<SocketAddr>,
    /// Every address where this host itself listens, told to others or not.
    pub(in crate::node) own: Vec<SocketAddr>,
    pub(in crate::node) book: Book,
    /// When the address book was last written, and its text then.
    pub(in crate::node) saved_book: (Duration, Vec<u8>),
    pub(in crate::node) ration: Ration,
    pub(in crate::node) links: BTreeMap<LinkId, Link>,
    pub(in crate::node) newcomers: Vec<Newcomer>,
    pub(in crate::node) silences: Silences,
    pub(in crate::node) roster: Roster,
    pub(in crate::node) own_record: OwnRecord,
    pub(in crate::node) clocks: Clocks,
    /// Whether links are pinged now that could wait a little.
    pings_along: bool,
}

impl Peers {
    /// There is a head that does not contain the last: peers may be asked at once what they know of
    /// the edits that this host is unsure about.
    pub(in crate::node) fn is_unsure_again(&mut self) {
        self.links
            .values_mut()
            .for_each(|link| link.containment_query = (Duration::ZERO, 0));
    }

    /// How a peer is called in the log: its name, if it has said one, and the end of its peer ID.
    pub(in crate::node) fn called(&self, peer: &PeerId) -> String {
        match self
            .roster
            .get(peer)
            .and_then(self::node_record::NodeRecord::name)
        {
            Some(name) => format!("{name} …{}", peer.short()),
            None => format!("…{}", peer.short()),
        }
    }

    /// Nobody is known but those in `book`, the address book as it was last written, which is still
    /// to be read.
    pub(in crate::node) fn new(me: PeerId, book: &[u8]) -> Self {
        Self {
            addresses: Vec::new(),
            own: Vec::new(),
            book: Book::of(&me),
            saved_book: (Duration::ZERO, book.to_vec()),
            ration: Ration::default(),
            links: BTreeMap::new(),
            newcomers: Vec::new(),
            silences: Silences::default(),
            roster: Roster::default(),
            own_record: OwnRecord::default(),
            clocks: Clocks::default(),
            pings_along: false,
        }
    }

    /// A body from disk goes to a peer that pulls it.
    pub(in crate::node) fn serve_body(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        revision: &Revision,
        offset: usize,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let (record, body) = (revision.id(), Arc::clone(&revision.body));
        if offset >= body.len()
            || !link.serve(record, body, offset, cx.now.elapsed, &mut cx.effects)
        {
            self.answer(cx, id, &Frame::Missing(record));
        }
    }

    /// A link, if it is up.
    pub(in crate::node) fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// A link, if it is up, to be told something.
    pub(in crate::node) fn link_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// All links that are up.
    pub(in crate::node) fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// All links that are up, to be told something.
    pub(in crate::node) fn links_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.links.values_mut()
    }

    /// The names of all links that are up.
    pub(in crate::node) fn link_ids(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }
}

impl Peers {
    /// Queues what must be sent; a link that cannot keep up is closed instead.
    pub(in crate::node) fn answer(&mut self, cx: &mut Context, id: LinkId, frame: &Frame) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if !link.answer(frame, &mut cx.effects) {
            cx.effects.push(Effect::Close(id));
            self.unlinked(cx, id, "it does not read what it asked for");
        }
    }

    /// Closes a link because of what came over it.
    pub(in crate::node) fn fault(&mut self, cx: &mut Context, id: LinkId, what: &str) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let called = self.called(&link.hello.peer);
        cx.say(
            Level::Warn,
            "link",
            format!("{called} at {} is at fault: {what}", link.address),
        );
        self.dismiss(cx, id, Goodbye::Fault, what);
    }

    /// Says goodbye on an admitted link and closes it.
    pub(in crate::node) fn dismiss(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        why: Goodbye,
        text: &str,
    ) {
        self.answer_bye(cx, id, why, text);
        cx.effects.push(Effect::Close(id));
        self.unlinked(cx, id, text);
    }

    fn answer_bye(&mut self, cx: &mut Context, id: LinkId, why: Goodbye, text: &str) {
        let mut end = text.len().min(REASON_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.answer(cx, id, &Frame::Bye(why, text[..end].to_owned()));
    }

    /// Where some of the other peers listen, drawn by chance: all who are sent away must not meet
    /// at the same few.
    pub(in crate::node) fn other_addresses(
        &mut self,
        cx: &mut Context,
        except: LinkId,
    ) -> Vec<SocketAddr> {
        let others = self
            .links
            .values()
            .filter(|link| link.id != except)
            .flat_map(|link| &link.hello.addresses);
        let mut others: Vec<SocketAddr> = others.copied().collect();
        while others.len() > ADDRESSES_MAX {
            others.swap_remove(cx.rng.below(others.len() as u64) as usize);
        }
        others
    }
}
