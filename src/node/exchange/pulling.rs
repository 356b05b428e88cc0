//! Fetching bodies: what is sent and told of what `pulls` decides.
//!
//! Nothing is remembered here. Invariant: whoever vouches for this host is believed only when all
//! that it has offered is here or will not come, so each body that is settled is told to the links
//! that have offered it.

use std::time::Duration;

use crate::limits::PULL_PATIENCE;
use crate::model::record::{Record, RecordId};
use crate::node::context::Context;
use crate::node::event::Event;
use crate::node::exchange::Exchange;
use crate::node::exchange::pulls::{Offered, Piece};
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::node::undecoded::Body;
use crate::wire::frame::{Frame, Payload};

impl Exchange {
    /// Takes up the next of what has waited for a body that is here now, or will not come. `false`
    /// if there is none.
    pub(in crate::node) fn follow_pull(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
    ) -> bool {
        let is_held = |id: &RecordId| store.replica.find(id).is_some();
        let Some(ready) = self.pulls.take_ready(is_held) else {
            return false;
        };
        let (link, record) = (ready.link, ready.record);
        if !store.replica.holds(&record.header.key, &record.rank()) {
            let payload = Payload::Delta(ready.base, ready.delta);
            self.document_record(cx, peers, store, link, record, payload);
        }
        cx.tell(Event::Whole(link));
        true
    }

    /// A link offers a body: it is asked for it, or remembered.
    pub(super) fn pull(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        record: Record,
    ) {
        let id = record.id;
        match self.pulls.offer(link, record, cx.now.elapsed) {
            Offered::First => self.ask(cx, peers, store, id),
            Offered::Remembered => {}
            // Not forgotten: the link is marked, and the exchange that follows offers it again.
            Offered::Full => {
                let at = cx.now.elapsed + PULL_PATIENCE;
                if let Some(link) = peers.link_mut(link) {
                    link.compare_again(at);
                }
            }
        }
    }

    /// A link has brought a piece of a body.
    pub(in crate::node) fn piece(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        id: RecordId,
        offset: usize,
        bytes: &[u8],
    ) {
        match self.pulls.piece(link, &id, offset, bytes, cx.now.elapsed) {
            Piece::Taken => {}
            Piece::Fault => peers.fault(cx, link, "a piece beyond the end of its body"),
            Piece::Again => self.ask(cx, peers, store, id),
            Piece::Whole(record, body, offers) => {
                self.take_body(cx, peers, link, record, Body::Whole(body), offers);
            }
        }
    }

    /// The link does not have the body after all.
    pub(in crate::node) fn pull_missing(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        id: RecordId,
    ) {
        if self.pulls.is_missing(link, &id) {
            self.ask(cx, peers, store, id);
        }
    }

    /// The revision is held now, however it came.
    pub(in crate::node) fn pull_settled(&mut self, cx: &mut Context, id: &RecordId) {
        for link in self.pulls.settle(id) {
            cx.tell(Event::Whole(link));
        }
    }

    /// A link is gone: what it was asked for, others are asked for.
    pub(in crate::node) fn pulls_without(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
    ) {
        for id in self.pulls.without(link) {
            self.ask(cx, peers, store, id);
        }
    }

    /// Asks others for bodies of which nothing comes.
    pub(in crate::node) fn stalled_pulls(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
    ) {
        for id in self.pulls.stalled(cx.now.elapsed) {
            self.ask(cx, peers, store, id);
        }
    }

    /// When the next body is to be asked of somebody else.
    pub(in crate::node) fn pulls_due(&self) -> Option<Duration> {
        self.pulls.due()
    }

    /// A delta came whose base is not held: the body itself is asked for. `false` if it is not
    /// being pulled from this link.
    pub(super) fn pull_plainly(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        id: &RecordId,
    ) -> bool {
        let was_asked = self.pulls.takes_no_delta(link, id);
        if was_asked {
            self.ask(cx, peers, store, *id);
        }
        was_asked
    }

    /// Asks whoever is next for what is missing of a body.
    fn ask(&mut self, cx: &mut Context, peers: &mut Peers, store: &Store, id: RecordId) {
        let Some(request) = self.pulls.next(&id, cx.now.elapsed) else {
            return;
        };
        let base = request.group.and_then(|group| store.replica.tip(&group));
        let have = base.map_or(RecordId::NONE, |head| head.id());
        let offset = request.offset;
        peers.answer(cx, request.link, &Frame::Pull { id, offset, have });
    }
}
