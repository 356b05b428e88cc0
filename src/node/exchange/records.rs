//! Frames as they come in, and the records they bring.
//!
//! A record is believed only with the author's signature over its ID and, before it counts, with
//! the body that its header names. A bad one is the fault of the link that brought it, which is
//! closed; it is never held against the record's ID. What is held already is dropped after one
//! look-up, so a doubled flood costs next to nothing.

use crate::node::store::Store;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Exchange;
use crate::limits::{ADDRESSES_MAX, PROBLEMS_MAX};
use crate::model::ledger::{EditRef, Standing};
use crate::model::peer_id::PeerId;
use crate::model::record::{Kind, Record};
use crate::node::context::Context;
use crate::node::effect::Level;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::peers::book::usable;
use crate::node::peers::roster::NodeRecord;
use crate::node::undecoded::Body;
use crate::wire::frame::{Frame, Payload};

impl Exchange {
    pub(in crate::node) fn record(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        id: LinkId,
        record: Record,
        age: Duration,
        payload: Payload,
    ) {
        if let Some(link) = peers.links.get_mut(&id) {
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
            Kind::Node => peers
                .roster
                .get(&record.header.author)
                .is_some_and(|node| node.record.rank() >= record.rank()),
            Kind::Policy => true,
        };
        if held {
            return store.note_held(record.id);
        }
        // A signature costs more than anything else that is done about a node record, and whoever
        // holds the key of a fleet may invent as many hosts as it likes. What is passed
        // over here comes again with a later exchange.
        let is_own = peers
            .links
            .get(&id)
            .is_some_and(|link| link.hello.peer == record.header.author);
        if record.header.kind == Kind::Node && !is_own && !peers.may_check(cx, id) {
            return;
        }
        if !(cx.setup.is_signed)(&record) {
            return peers.fault(cx, id, "a record that its author did not sign");
        }
        match record.header.kind {
            Kind::Document => self.document_record(cx, peers, store, id, record, payload),
            Kind::Node => self.node_record(cx, peers, store, id, record, age, payload),
            Kind::Policy => {}
        }
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
        if self.is_decoded_for(id, &record.id) {
            return;
        }
        let body = match payload {
            Payload::Whole(body) => Body::Whole(body),
            Payload::Delta(base, delta) => {
                match store.replica.find(&base).map(|base| Arc::clone(&base.body)) {
                    Some(base) => Body::Delta { base, delta },
                    None if self.waits_for_base(id, base, &record, &delta) => return,
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
        let original = EditRef {
            stamp: record.header.stamp,
            id: record.id,
        };
        let group = store
            .replica
            .group(&record.header.key)
            .filter(|_| !self.missing.contains(&record.id));
        let head = group
            .filter(|group| !group.demotes(&record.rank()))
            .and_then(|group| group.head());
        if head.is_some_and(|head| {
            head.standing(&original) == Standing::In && head.rank() > record.rank()
        }) {
            return self.offer_head(cx, peers, store, id, &record.header.key.clone());
        }
        self.pull(cx, peers, store, id, record);
    }

    fn node_record(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        id: LinkId,
        record: Record,
        age: Duration,
        payload: Payload,
    ) {
        let Payload::Whole(body) = payload else {
            return peers.fault(cx, id, "a node record without its body");
        };
        if !record.matches(&body) {
            return peers.fault(
                cx,
                id,
                "a node record whose body is not the one its header names",
            );
        }
        let author = record.header.author;
        let Some(node) = NodeRecord::decode(record, body, age, cx.now.elapsed) else {
            return peers.fault(cx, id, "a node record that is no JSON object");
        };
        if author == cx.me {
            return peers.overtake(node.record);
        }
        let frame = node_frame(&node, cx.now.elapsed);
        let (record_id, addresses) = (node.record.id, node_addresses(&node));
        let is_first = peers.roster.get(&author).is_none();
        let known: BTreeSet<PeerId> = peers.links.values().map(|link| link.hello.peer).collect();
        let (me, book) = (cx.me, &peers.book);
        let is_known =
            |peer: &PeerId| *peer == me || known.contains(peer) || book.is_acquainted(peer);
        if !peers.roster.take(node, cx.now.elapsed, is_known) {
            return;
        }
        store.note_held(record_id);
        peers.clock_heard(cx, &author, is_first);
        if !addresses.is_empty()
            && peers
                .book
                .hear_of(author, &cx.instance_of(&author), &addresses)
        {
            peers.book_changed(cx);
            cx.wake_dialler();
        }
        peers.flood_node(cx, Some(id), author, record_id, &frame);
    }
}

impl Peers {
    pub(in crate::node) fn sent(&mut self, cx: &mut Context, id: LinkId, credit: u32) {
        if let Some(link) = self.links.get_mut(&id) {
            // What goes out is a sign of life too: a ping may wait behind a large body, and TCP
            // ends a wire that takes nothing. Not for long, for it shows no more than
            // that the other host's kernel takes it.
            link.heard = cx.now.elapsed;
            link.sent(credit, &mut cx.effects);
        }
    }

    pub(in crate::node) fn pong(&mut self, cx: &Context, id: LinkId, sent: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.pinged = None;
        link.round_trip = cx.now.elapsed.checked_sub(Duration::from_micros(sent));
    }

    /// Whether one more node record of a third host, brought by this link, is looked at now.
    fn may_check(&mut self, cx: &Context, id: LinkId) -> bool {
        let now = cx.now.elapsed;
        self.links
            .get_mut(&id)
            .is_some_and(|link| link.may_check(now))
    }
}

impl Context {
    /// A problem that is logged when it is found first.
    pub(in crate::node) fn say_once(&mut self, area: &'static str, problem: String) {
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.say(Level::Warn, area, problem.clone());
            self.report_problem(problem);
        }
    }
}

/// A node record as it is sent: its age goes beside it.
pub(in crate::node) fn node_frame(node: &NodeRecord, now: Duration) -> Frame {
    let age = u64::try_from(node.age(now).as_millis()).expect("ages are below a week");
    Frame::Record(node.record.clone(), age, Payload::Whole(node.body.clone()))
}

/// Where a peer says that it listens, as far as another host can use that.
fn node_addresses(node: &NodeRecord) -> Vec<String> {
    let said = node.said();
    let list = said
        .get("addresses")
        .and_then(|list| list.as_array())
        .map_or(&[][..], Vec::as_slice);
    let parsed = list
        .iter()
        .filter_map(|text| text.as_str()?.parse::<std::net::SocketAddr>().ok());
    parsed
        .filter_map(|address| usable(&address, false))
        .take(ADDRESSES_MAX)
        .map(|address| address.to_string())
        .collect()
}
