//! Bodies on their way to becoming revisions.
//!
//! A short one is decoded where it comes. One of megabytes takes longer than anything that waits
//! for the loop should: it is given away as an effect and comes back as an input, and until then
//! nothing that the same link brings is looked at, nor read. So the order of what a link says is
//! kept, and a peer can have one body worked on at a time.

use crate::model::record::RecordId;
use crate::node::context::Context;
use crate::node::event::Event;
use crate::node::exchange::Exchange;
use crate::node::peers::Peers;
use std::sync::Arc;

use crate::limits::DECODED_AT_ONCE_MAX;
use crate::model::delta;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::node::context::Waiting;
use crate::node::effect::Effect;
use crate::node::input::LinkId;
use crate::node::peers::link::Link;

/// A document record and what its body is to be made of.
#[derive(Debug)]
pub struct Undecoded {
    record: Record,
    body: Body,
}

/// How a body came.
pub(in crate::node) enum Body {
    /// As it is.
    Whole(Vec<u8>),
    /// As a delta against this one.
    Delta {
        /// The body of another revision.
        base: Arc<[u8]>,
        /// As it came.
        delta: Vec<u8>,
    },
}

impl std::fmt::Debug for Body {
    /// By its length: there may be private keys in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(body) => write!(f, "{} bytes", body.len()),
            Self::Delta { delta, .. } => write!(f, "a delta of {} bytes", delta.len()),
        }
    }
}

impl Undecoded {
    /// The revision, or in what way its body is a fault of whoever sent it. Of a delta no more is
    /// made than the header names, which is bounded.
    pub fn decode(self) -> Result<Arc<Revision>, String> {
        let Self { record, body } = self;
        let body = match body {
            Body::Whole(body) => body,
            Body::Delta { base, delta } => {
                delta::apply(&base, &delta, record.header.body_len as usize)
                    .map_err(|error| error.to_string())?
            }
        };
        if !record.matches(&body) {
            return Err("a body that is not the one its header names".into());
        }
        Revision::decode(record, body.into())
            .map(Arc::new)
            .map_err(|error| error.to_string())
    }

    /// Bytes of the body.
    pub fn len(&self) -> usize {
        self.record.header.body_len as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

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
        let others = self.pulls.decoding.remove(id).unwrap_or_default();
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
        if undecoded.len() <= DECODED_AT_ONCE_MAX || !peers.links.contains_key(&link) {
            let decoded = undecoded.decode();
            return self.take_decoded(cx, peers, link, decoded, others);
        }
        self.pulls.decoding.insert(id, others);
        let ticket = cx.ticket(Waiting::Decoded(link, id));
        peers.links.get_mut(&link).into_iter().for_each(Link::hold);
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
