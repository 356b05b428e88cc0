//! Bodies on their way to becoming revisions.
//!
//! A short one is decoded where it comes. One of megabytes takes longer than anything that waits
//! for the loop should: it is given away as an effect and comes back as an input, and until then
//! nothing that the same link brings is looked at, nor read. So the order of what a link says is
//! kept, and a peer can have one body worked on at a time.

use std::sync::Arc;

use super::effect::Effect;
use super::input::{LinkId, Ticket};
use super::link::Link;
use super::{Node, Waiting};
use crate::limits::DECODED_AT_ONCE_MAX;
use crate::model::delta;
use crate::model::record::Record;
use crate::model::revision::Revision;

/// A document record and what its body is to be made of.
#[derive(Debug)]
pub struct Undecoded {
    record: Record,
    body: Body,
}

/// How a body came.
pub(super) enum Body {
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

impl Node {
    /// A body is here, from a link: it is decoded now, or beside the loop. The other links have
    /// offered it too, and may wait for it.
    pub(super) fn take_body(
        &mut self,
        link: LinkId,
        record: Record,
        body: Body,
        others: Vec<LinkId>,
    ) {
        let id = record.id;
        let undecoded = Undecoded { record, body };
        if undecoded.len() <= DECODED_AT_ONCE_MAX || !self.peers.links.contains_key(&link) {
            let decoded = undecoded.decode();
            return self.take_decoded(link, decoded, others);
        }
        self.exchange.pulls.decoding.insert(id, others);
        let ticket = self.cx.ticket(Waiting::Decoded(link, id));
        self.peers
            .links
            .get_mut(&link)
            .into_iter()
            .for_each(Link::hold);
        self.cx
            .effects
            .extend([Effect::Hold(link), Effect::Decode(ticket, undecoded)]);
    }

    /// A body was decoded. What its link has brought since is looked at now.
    pub(super) fn decoded(&mut self, ticket: Ticket, decoded: Result<Arc<Revision>, String>) {
        let Some(Waiting::Decoded(link, id)) = self.cx.tickets.remove(&ticket) else {
            return;
        };
        let others = self.exchange.pulls.decoding.remove(&id).unwrap_or_default();
        self.take_decoded(link, decoded, others);
        self.peers
            .links
            .get_mut(&link)
            .into_iter()
            .for_each(Link::go_on);
        while let Some(frame) = self.peers.links.get_mut(&link).and_then(Link::next_held) {
            self.take_bytes(link, &frame);
        }
        if self
            .peers
            .links
            .get(&link)
            .is_some_and(|link| !link.is_held())
        {
            self.cx.effects.push(Effect::GoOn(link));
        }
        self.join_if_done(link);
    }

    fn take_decoded(
        &mut self,
        link: LinkId,
        decoded: Result<Arc<Revision>, String>,
        others: Vec<LinkId>,
    ) {
        match decoded {
            Ok(revision) => self.take_revision(Some(link), revision),
            Err(error) => self.peers.fault(&mut self.cx, link, &error),
        }
        // Whoever has vouched for this host and waited only for this body can be believed now.
        others
            .into_iter()
            .for_each(|other| self.join_if_done(other));
    }
}
