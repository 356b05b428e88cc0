//! Passing on: what is new goes to every link but the one it came from.
//!
//! A body that is small, or small as a delta, goes along; a larger one is announced and pulled. A
//! link that has the record, or has named it, is left out.

use std::sync::Arc;

use super::Node;
use super::input::LinkId;
use super::link::Offer;
use super::reading::Reading;
use super::{Context, Peers, Store};
use crate::limits::INLINE_MAX;
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::wire::frame::{Frame, Payload};

impl Node {
    pub(super) fn flood_revision(&mut self, from: Option<LinkId>, revision: &Arc<Revision>) {
        let offer = self.cx.offer(revision, self.store.payload(revision));
        for link in self
            .peers
            .links
            .values_mut()
            .filter(|link| Some(link.id) != from)
        {
            link.flood_document(revision, &offer, &mut self.cx.effects);
        }
    }

    /// Offers a link the head of a group, unless it has it or was sent it: after a cut many old
    /// records may come over one link, and one copy of the head answers all of them.
    pub(super) fn offer_head(&mut self, id: LinkId, group: &str) {
        let knows = |head: &Arc<Revision>| {
            self.peers
                .links
                .get(&id)
                .is_some_and(|link| link.knows(&head.id()))
        };
        if let Some(head) = self
            .store
            .replica
            .tip(group)
            .filter(|head| !knows(head))
            .cloned()
        {
            self.offer_revision(id, &head);
        }
    }

    /// Sends a link a revision that it lacks.
    pub(super) fn offer_revision(&mut self, id: LinkId, revision: &Arc<Revision>) {
        let payload = match self.store.payload(revision) {
            // Nothing is known of what this link holds, so a delta would be a guess.
            Payload::Delta(..) if revision.body.len() <= INLINE_MAX => {
                Payload::Whole(revision.body.to_vec())
            }
            Payload::Delta(..) => Payload::Announced,
            other => other,
        };
        let offer = self.cx.offer(revision, payload);
        if let Some(link) = self.peers.links.get_mut(&id) {
            link.offer_document(revision, &offer, &mut self.cx.effects);
        }
    }

    /// A peer wants a body, from an offset on. If it holds the base of our delta, the delta is
    /// enough.
    pub(super) fn serve_pull(
        &mut self,
        id: LinkId,
        wanted: RecordId,
        offset: usize,
        have: RecordId,
    ) {
        if self
            .peers
            .links
            .get(&id)
            .is_none_or(|link| link.serves(&wanted, offset, self.cx.now.elapsed))
        {
            return;
        }
        let Some(revision) = self.store.replica.find(&wanted).cloned() else {
            return match self.store.replica.whole(&wanted).cloned() {
                Some(record) if self.cx.may_read() => {
                    self.cx.read_kept(record, Reading::Pulled(id, offset))
                }
                _ => self.peers.answer(&mut self.cx, id, &Frame::Missing(wanted)),
            };
        };
        let payload = self.store.payload(&revision);
        if offset == 0 && matches!(&payload, Payload::Delta(base, _) if *base == have) {
            return self.peers.answer(
                &mut self.cx,
                id,
                &Frame::Record(revision.record.clone(), 0, payload),
            );
        }
        let Some(link) = self.peers.links.get_mut(&id) else {
            return;
        };
        let body = Arc::clone(&revision.body);
        if offset >= body.len()
            || !link.serve(
                wanted,
                body,
                offset,
                self.cx.now.elapsed,
                &mut self.cx.effects,
            )
        {
            self.peers.answer(&mut self.cx, id, &Frame::Missing(wanted));
        }
    }
}

impl Peers {
    pub(super) fn flood_node(
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
