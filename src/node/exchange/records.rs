//! Frames as they come in, and the records they bring.
//!
//! A record is believed only with the author's signature over its ID and, before it counts, with
//! the body that its header names. A bad one is the fault of the link that brought it, which is
//! closed; it is never held against the record's ID. What is held already is dropped after one
//! look-up, so a doubled flood costs next to nothing.

use std::sync::Arc;

use super::Exchange;
use crate::model::ledger::{EditRef, Standing};
use crate::model::record::{Kind, Record};
use crate::node::context::Context;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::node::undecoded::Body;
use crate::wire::frame::Payload;

impl Exchange {
    pub(in crate::node) fn record(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        id: LinkId,
        record: Record,
        aside: u64,
        payload: Payload,
    ) {
        if let Some(link) = peers.link_mut(id) {
            link.learn(record.id);
        }
        if record.header.fleet != *cx.setup.fleet.id().as_bytes() {
            return peers.fault(cx, id, "a record of another fleet");
        }
        if self.passes_over(cx, peers, store, id, &record) {
            return;
        }
        let held = match record.header.kind {
            Kind::Document => store.replica.holds(&record.header.key, &record.rank()),
            Kind::Node | Kind::Policy => true,
        };
        if held {
            if record.header.kind == Kind::Document {
                self.comes_again(cx, peers, id, &record.id, aside);
            }
            return store.note_held(record.id);
        }
        if !(cx.setup.is_signed)(&record) {
            return peers.fault(cx, id, "a record that its author did not sign");
        }
        self.comes(cx, peers, id, record.id, aside);
        self.document_record(cx, peers, store, id, record, payload);
    }

    pub(in crate::node) fn document_record(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        id: LinkId,
        record: Record,
        payload: Payload,
    ) {
        // Judged by its header, before a body is fetched or a delta, a few bytes perhaps, becomes
        // megabytes.
        let has_room = self.missing.contains(&record.id)
            || store.has_place_for(cx, &record) && store.replica.has_room_for(&record);
        if !has_room {
            return;
        }
        if self.pulls.is_decoded_for(id, &record.id) {
            return;
        }
        let body = match payload {
            Payload::Whole(body) => Body::Whole(body),
            Payload::Delta(base, delta) => {
                match store.replica.find(&base).map(|base| Arc::clone(&base.body)) {
                    Some(base) => Body::Delta { base, delta },
                    None if self.pulls.waits_for_base(id, base, &record, &delta) => return,
                    None => return self.without_base(cx, peers, store, id, record),
                }
            }
            Payload::Announced => return self.offered(cx, peers, store, id, record),
        };
        self.take_body(cx, peers, id, record, body, Vec::new());
    }

    /// A delta against a body that is not held, or not any more: the whole body is asked for.
    fn without_base(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        record: Record,
    ) {
        if !self.pull_plainly(cx, peers, store, id, &record.id) {
            self.offered(cx, peers, store, id, record);
        }
    }

    /// A body may be had from this link. An original that the head contains already is not worth
    /// pulling.
    fn offered(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        record: Record,
    ) {
        let original = EditRef::of(&record);
        let group = store
            .replica
            .group(&record.header.key)
            .filter(|_| !self.missing.contains(&record.id));
        let head = group
            .filter(|group| !group.demotes(&record.rank()))
            .and_then(|group| group.head());
        if head.is_some_and(|head| {
            head.standing(&original) == Standing::In
                && head.rank() > record.rank()
                && !group.is_some_and(|group| group.is_odd(&original))
        }) {
            return self.offer_head(cx, peers, store, id, &record.header.key.clone());
        }
        self.pull(cx, peers, store, id, record);
    }
}
