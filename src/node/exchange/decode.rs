//! Bodies on their way to becoming revisions.
//!
//! A short one is decoded where it comes. One of megabytes takes longer than anything that waits
//! for the loop should: it is given away as an effect and comes back as an input, and until then
//! nothing that the same link brings is looked at, nor read. So the order of what a link says is
//! kept, and a peer can have one body worked on at a time.

use std::sync::Arc;

use crate::limits::DECODED_AT_ONCE_MAX;
use crate::model::record::{Record, RecordId};
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::event::Event;
use crate::node::exchange::Exchange;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::peers::link::Link;
use crate::node::undecoded::{Body, Undecoded};
use crate::node::waiting::Waiting;

impl Exchange {
    /// A body was decoded beside the loop.
    pub(in crate::node) fn decoded(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        link: LinkId,
        id: &RecordId,
        decoded: Result<Arc<Revision>, String>,
    ) {
        let others = self.pulls.end_decoding(id);
        self.take_decoded(cx, peers, link, decoded, others);
    }

    /// A body is here, from a link: it is decoded now, or beside the loop. The other links have
    /// offered it too, and may wait for it.
    pub(in crate::node) fn take_body(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        link: LinkId,
        record: Record,
        body: Body,
        others: Vec<LinkId>,
    ) {
        let id = record.id;
        let undecoded = Undecoded { record, body };
        if undecoded.len() <= DECODED_AT_ONCE_MAX || peers.link(link).is_none() {
            let decoded = undecoded.decode();
            return self.take_decoded(cx, peers, link, decoded, others);
        }
        self.pulls.begin_decoding(id, others);
        let ticket = cx.ticket(Waiting::Decoded(link, id));
        peers.link_mut(link).into_iter().for_each(Link::hold);
        cx.effects
            .extend([Effect::Hold(link), Effect::Decode(ticket, undecoded)]);
    }

    fn take_decoded(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        link: LinkId,
        decoded: Result<Arc<Revision>, String>,
        others: Vec<LinkId>,
    ) {
        match decoded {
            Ok(revision) => cx.tell(Event::Revision(Some(link), revision)),
            Err(error) => peers.fault(cx, link, &error),
        }
        // Whoever has vouched for this host and waited only for this body can be believed now.
        others
            .into_iter()
            .for_each(|other| cx.tell(Event::Whole(other)));
    }
}
