//! Node records as they go round: taken in once, passed on to everybody else.
//!
//! A record is the word of its author alone: whoever brings it has it signed. It is told from one
//! that is at fault, which its link is closed for, and never stored. What is made of it is that the
//! roster has it, that its addresses stand in the book, and that its clock counts. Invariant: a
//! record goes to each link at most once, and never back to its author or to whom it came from.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::Peers;
use super::book::usable;
use super::roster::NodeRecord;
use crate::limits::ADDRESSES_MAX;
use crate::model::peer_id::PeerId;
use crate::model::record::{Record, RecordId};
use crate::node::context::Context;
use crate::node::input::LinkId;
use crate::wire::frame::{Frame, Payload};

impl Peers {
    /// A link has brought a node record that its author has signed. The ID of the record, if it was
    /// taken in; then it goes on to the other links.
    pub(in crate::node) fn node_record(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        record: Record,
        age: Duration,
        payload: Payload,
    ) -> Option<RecordId> {
        let now = cx.now.elapsed;
        let node = match node_of(record, age, payload, now) {
            Ok(node) => node,
            Err(fault) => {
                self.fault(cx, id, fault);
                return None;
            }
        };
        let author = node.record.header.author;
        if author == cx.me {
            self.overtake(node.record);
            return None;
        }
        let frame = node_frame(&node, now);
        let (record_id, addresses) = (node.record.id, node_addresses(&node));
        let is_first = self.roster.get(&author).is_none();
        let known: BTreeSet<PeerId> = self.links.values().map(|link| link.hello.peer).collect();
        let (me, book) = (cx.me, &self.book);
        let is_known =
            |peer: &PeerId| *peer == me || known.contains(peer) || book.is_acquainted(peer);
        if !self.roster.take(node, now, is_known) {
            return None;
        }
        self.clock_heard(cx, &author, is_first);
        if !addresses.is_empty()
            && self
                .book
                .hear_of(author, &cx.instance_of(&author), &addresses)
        {
            self.book_changed(cx);
            cx.wake_dialler();
        }
        self.flood_node(cx, Some(id), author, record_id, &frame);
        Some(record_id)
    }

    /// Whether one more node record of a third host, brought by this link, is looked at now.
    pub(in crate::node) fn may_check(&mut self, cx: &Context, id: LinkId) -> bool {
        let now = cx.now.elapsed;
        self.links
            .get_mut(&id)
            .is_some_and(|link| link.may_check(now))
    }

    /// Sends a node record to every link but the one that it came from, and its author.
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

    /// Sends a link the node records that it lacks, as `lacking` says.
    pub(in crate::node) fn offer_nodes(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        lacking: impl Fn(&RecordId) -> bool,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        for (author, node) in self.roster.iter() {
            let record = node.record.id;
            if lacking(&record) {
                let frame = node_frame(node, cx.now.elapsed);
                link.offer_node(*author, record, &frame, &mut cx.effects);
            }
        }
    }

    /// Forgets the node records of hosts that nobody has heard of for too long.
    pub(in crate::node) fn forget_old_records(&mut self, now: Duration) {
        self.roster.expire(now);
    }
}

/// What a link has brought as a node record, or in what way that is its fault.
fn node_of(
    record: Record,
    age: Duration,
    payload: Payload,
    now: Duration,
) -> Result<NodeRecord, &'static str> {
    let Payload::Whole(body) = payload else {
        return Err("a node record without its body");
    };
    if !record.matches(&body) {
        return Err("a node record whose body is not the one its header names");
    }
    NodeRecord::decode(record, body, age, now).ok_or("a node record that is no JSON object")
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
        .filter_map(|text| text.as_str()?.parse::<SocketAddr>().ok());
    parsed
        .filter_map(|address| usable(&address, false))
        .take(ADDRESSES_MAX)
        .map(|address| address.to_string())
        .collect()
}
