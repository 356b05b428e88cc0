//! Passing on: what is new goes to every link but the one it came from.
//!
//! A body that is small, or small as a delta, goes along; a larger one is announced and pulled. A
//! link that has the record, or has named it, is left out.

use std::sync::Arc;

use crate::limits::INLINE_MAX;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::exchange::Exchange;
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
        let offer = offer(cx, revision, payload(store, revision));
        for link in peers.links_mut().filter(|link| Some(link.id) != from) {
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
        let knows =
            |head: &Arc<Revision>| peers.link(id).is_some_and(|link| link.knows(&head.id()));
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
        let payload = match payload(store, revision) {
            // Nothing is known of what this link holds, so a delta would be a guess.
            Payload::Delta(..) if revision.body.len() <= INLINE_MAX => {
                Payload::Whole(revision.body.to_vec())
            }
            Payload::Delta(..) => Payload::Announced,
            other => other,
        };
        let offer = offer(cx, revision, payload);
        if let Some(link) = peers.link_mut(id) {
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
            .link(id)
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
        let payload = payload(store, &revision);
        if offset == 0 && matches!(&payload, Payload::Delta(base, _) if *base == have) {
            return peers.answer(cx, id, &Frame::Record(revision.record.clone(), 0, payload));
        }
        let Some(link) = peers.link_mut(id) else {
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

/// A revision as it is sent over links.
fn offer(cx: &Context, revision: &Revision, payload: Payload) -> Offer {
    let whole_at = matches!(payload, Payload::Whole(_)).then_some(cx.now.elapsed);
    Offer {
        bytes: Frame::Record(revision.record.clone(), 0, payload).encode(),
        whole_at,
    }
}

/// What goes along with the header of a revision: its body, a delta of it, or nothing, so that
/// whoever lacks it pulls it.
fn payload(store: &Store, revision: &Revision) -> Payload {
    let group = store.replica.group(&revision.record.header.key);
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
