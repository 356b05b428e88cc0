//! Passing on: what is new goes to every link but the one it came from.
//!
//! A body that is small, or small as a delta, goes along; a larger one is announced and pulled. A
//! link that has the record, or has named it, is left out.

use crate::node::exchange::Exchange;
use std::sync::Arc;

use crate::limits::INLINE_MAX;
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::peers::link::Offer;
use crate::node::store::Store;
use crate::node::waiting::Reading;
use crate::wire::frame::{Frame, Payload};

impl Exchange {
    pub(in crate::node) fn flood_revision(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        from: Option<LinkId>,
        revision: &Arc<Revision>,
    ) {
        let offer = cx.offer(revision, store.payload(revision));
        for link in peers
            .links
            .values_mut()
            .filter(|link| Some(link.id) != from)
        {
            link.flood_document(revision, &offer, &mut cx.effects);
        }
    }

    /// Offers a link the head of a group, unless it has it or was sent it: after a cut many old
    /// records may come over one link, and one copy of the head answers all of them.
    pub(in crate::node) fn offer_head(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        group: &str,
    ) {
        let knows = |head: &Arc<Revision>| {
            peers
                .links
                .get(&id)
                .is_some_and(|link| link.knows(&head.id()))
        };
        if let Some(head) = store
            .replica
            .tip(group)
            .filter(|head| !knows(head))
            .cloned()
        {
            self.offer_revision(cx, peers, store, id, &head);
        }
    }

    /// Sends a link a revision that it lacks.
    pub(in crate::node) fn offer_revision(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        revision: &Arc<Revision>,
    ) {
        let payload = match store.payload(revision) {
            // Nothing is known of what this link holds, so a delta would be a guess.
            Payload::Delta(..) if revision.body.len() <= INLINE_MAX => {
                Payload::Whole(revision.body.to_vec())
            }
            Payload::Delta(..) => Payload::Announced,
            other => other,
        };
        let offer = cx.offer(revision, payload);
        if let Some(link) = peers.links.get_mut(&id) {
            link.offer_document(revision, &offer, &mut cx.effects);
        }
    }

    /// A peer wants a body, from an offset on. If it holds the base of our delta, the delta is
    /// enough.
    pub(in crate::node) fn serve_pull(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        wanted: RecordId,
        offset: usize,
        have: RecordId,
    ) {
        if peers
            .links
            .get(&id)
            .is_none_or(|link| link.serves(&wanted, offset, cx.now.elapsed))
        {
            return;
        }
        let Some(revision) = store.replica.find(&wanted).cloned() else {
            return match store.replica.whole(&wanted).cloned() {
                Some(record) if cx.may_read() => cx.read_kept(record, Reading::Pulled(id, offset)),
                _ => peers.answer(cx, id, &Frame::Missing(wanted)),
            };
        };
        let payload = store.payload(&revision);
        if offset == 0 && matches!(&payload, Payload::Delta(base, _) if *base == have) {
            return peers.answer(cx, id, &Frame::Record(revision.record.clone(), 0, payload));
        }
        let Some(link) = peers.links.get_mut(&id) else {
            return;
        };
        let body = Arc::clone(&revision.body);
        if offset >= body.len()
            || !link.serve(wanted, body, offset, cx.now.elapsed, &mut cx.effects)
        {
            peers.answer(cx, id, &Frame::Missing(wanted));
        }
    }
}

impl Peers {
    pub(in crate::node) fn flood_node(
        &mut self,
        cx: &mut Context,
        from: Option<LinkId>,
        author: PeerId,
        id: RecordId,
        frame: &Frame,
    ) {
        for link in self
            .links
            .values_mut()
            .filter(|link| Some(link.id) != from && link.hello.peer != author)
        {
            link.flood_node(author, id, frame, &mut cx.effects);
        }
    }
}

impl Context {
    fn offer(&self, revision: &Revision, payload: Payload) -> Offer {
        let whole_at = matches!(payload, Payload::Whole(_)).then_some(self.now.elapsed);
        Offer {
            bytes: Frame::Record(revision.record.clone(), 0, payload).encode(),
            whole_at,
        }
    }
}

impl Store {
    fn payload(&self, revision: &Revision) -> Payload {
        let group = self.replica.group(&revision.record.header.key);
        let is_head = group
            .and_then(|group| group.head())
            .is_some_and(|head| head.id() == revision.id());
        let delta = group
            .and_then(|group| group.delta())
            .filter(|(_, delta)| is_head && delta.len() <= INLINE_MAX);
        match delta {
            // Its body is on disk: whoever lacks it pulls it from there.
            _ if revision.is_light() => Payload::Announced,
            Some((base, delta)) => Payload::Delta(*base, delta.clone()),
            None if revision.body.len() <= INLINE_MAX => Payload::Whole(revision.body.to_vec()),
            None => Payload::Announced,
        }
    }
}
