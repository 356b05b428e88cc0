//! Node records as they come in.
//!
//! A record is the word of its author alone: whoever brings it has it signed. It is told from one
//! that is at fault, which its link is closed for, and never stored. What is made of it is that the
//! roster has it, that its addresses stand in the book, and that its clock counts.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::Peers;
use super::book::usable;
use super::node_record::NodeRecord;
use super::untold::Lacks;
use crate::limits::ADDRESSES_MAX;
use crate::model::peer_id::PeerId;
use crate::node::context::Context;
use crate::node::input::LinkId;
use crate::wire::news::NewsRecord;

impl Peers {
    /// A link has brought a node record. If it is taken in, the other links are told of it.
    pub(super) fn node_record(&mut self, cx: &mut Context, id: LinkId, news: NewsRecord) {
        let (now, record) = (cx.now.elapsed, &news.record);
        let author = record.header.author;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if record.header.fleet != *cx.setup.fleet.id().as_bytes() {
            return self.fault(cx, id, "a record of another fleet");
        }
        let held = self.roster.get(&author).map(|node| node.record.rank());
        if held.is_some_and(|held| held >= record.rank()) {
            if held == Some(record.rank()) {
                link.untold.knows(&author, Lacks::RECORD);
            }
            return;
        }
        // A signature costs more than anything else that is done about a node record, and whoever
        // holds the key of a fleet may invent as many hosts as it likes. What is passed over here
        // comes again with a later exchange.
        if link.hello.peer != author && !link.may_check(now) {
            return;
        }
        if !(cx.setup.is_signed)(record) {
            return self.fault(cx, id, "a record that its author did not sign");
        }
        match node_of(news, now) {
            Ok(node) if author == cx.me => self.overtake(node.record),
            Ok(node) => self.take_node(cx, id, author, node),
            Err(fault) => self.fault(cx, id, fault),
        }
    }

    fn take_node(&mut self, cx: &mut Context, id: LinkId, author: PeerId, node: NodeRecord) {
        let now = cx.now.elapsed;
        let addresses = node_addresses(&node);
        let is_first = self.roster.get(&author).is_none();
        let known: BTreeSet<PeerId> = self.links.values().map(|link| link.hello.peer).collect();
        let (me, book) = (cx.me, &self.book);
        let is_known =
            |peer: &PeerId| *peer == me || known.contains(peer) || book.is_acquainted(peer);
        if !self.roster.take(node, now, is_known) {
            return;
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
        if let Some(link) = self.links.get_mut(&id) {
            link.untold.knows(&author, Lacks::ALL);
        }
        self.tell(cx, Some(id), author, Lacks::ALL);
    }

    /// Forgets the node records of hosts that nobody has heard of for too long.
    pub(in crate::node) fn forget_old_records(&mut self, now: Duration) {
        self.roster.expire(now);
    }
}

/// What a link has brought as a node record, or in what way that is its fault.
fn node_of(news: NewsRecord, now: Duration) -> Result<NodeRecord, &'static str> {
    let NewsRecord { record, age, body } = news;
    if !record.matches(&body) {
        return Err("a node record whose body is not the one its header names");
    }
    NodeRecord::decode(record, body, Duration::from_millis(age), now)
        .ok_or("a node record that is no JSON object")
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
