//! Requests that other hosts have forwarded to this one, and the answers that go back.
//!
//! A request is carried out like one of a client of this host's; it is never forwarded again.

use super::super::{Below, Changes};
use crate::limits::{FORWARDED_MAX, FORWARDED_WAIT, INLINE_MAX, RELAYED_MAX};
use crate::model::error_body;
use crate::node::changes::forwarding::Coming;
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::wire::forwarded::{ForwardedRequest, ForwardedResponse};
use crate::wire::frame::Frame;

fn failure(status: u16, error: &str) -> ForwardedResponse {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    ForwardedResponse {
        status,
        headers,
        body: error_body::print(error, ""),
    }
}

fn tell(peers: &mut Peers, cx: &mut Context, link: LinkId, ticket: u64, told: &ForwardedResponse) {
    let too_long = || {
        failure(500, "The answer is too long to be passed on.")
            .encode()
            .expect("it is short")
    };
    let bytes = told.encode().unwrap_or_else(too_long);
    send_pieces(peers, cx, link, &bytes, |more, bytes| {
        Frame::ForwardedResponse(ticket, more, bytes)
    });
}

pub(in crate::node) fn send_pieces(
    peers: &mut Peers,
    cx: &mut Context,
    link: LinkId,
    bytes: &[u8],
    frame: impl Fn(bool, Vec<u8>) -> Frame,
) {
    let count = bytes.chunks(INLINE_MAX).len();
    for (place, piece) in bytes.chunks(INLINE_MAX).enumerate() {
        peers.answer(cx, link, &frame(place + 1 < count, piece.to_vec()));
    }
}

impl Changes {
    /// A piece of what a peer asks for.
    pub(in crate::node) fn forwarded_request_comes(
        &mut self,
        below: &mut Below<'_>,
        link: LinkId,
        ticket: u64,
        more: bool,
        bytes: &[u8],
    ) {
        if !self.forwarding.coming.contains_key(&(link, ticket))
            && self.forwarding.coming_from(link) >= RELAYED_MAX
        {
            return below
                .peers
                .fault(below.cx, link, "too many forwarded requests at once");
        }
        let (has_room, until) = (
            self.forwarding.has_room(),
            below.cx.now.elapsed + FORWARDED_WAIT,
        );
        let begin = || Coming {
            bytes: has_room.then(Vec::new),
            until,
        };
        let coming = self
            .forwarding
            .coming
            .entry((link, ticket))
            .or_insert_with(begin);
        coming
            .bytes
            .iter_mut()
            .for_each(|kept| kept.extend_from_slice(bytes));
        if coming
            .bytes
            .as_ref()
            .is_some_and(|kept| kept.len() > FORWARDED_MAX)
        {
            return below
                .peers
                .fault(below.cx, link, "a forwarded request that is too long");
        }
        if more {
            return;
        }
        let Some(whole) = self
            .forwarding
            .coming
            .remove(&(link, ticket))
            .and_then(|coming| coming.bytes)
        else {
            return tell(
                below.peers,
                below.cx,
                link,
                ticket,
                &failure(503, "Too many changes are waiting."),
            );
        };
        match ForwardedRequest::decode(&whole) {
            Err(error) => below.peers.fault(below.cx, link, &error.to_string()),
            // This host may have changed its group since the asker had its node record.
            Ok(forwarded) if forwarded.group != below.cx.setup.group => {
                tell(
                    below.peers,
                    below.cx,
                    link,
                    ticket,
                    &failure(
                        409,
                        "The host that was asked is not in that group any more.",
                    ),
                );
            }
            Ok(forwarded) => {
                self.forwarding.next += 1;
                let number = self.forwarding.next;
                self.forwarding.doing.insert(number, (link, ticket));
                below
                    .cx
                    .effects
                    .push(Effect::ForwardedRequest(number, forwarded));
            }
        }
    }

    /// What a peer asked for is done, or is not.
    pub(in crate::node) fn forwarded_done(
        &mut self,
        below: &mut Below<'_>,
        number: u64,
        told: &ForwardedResponse,
    ) {
        if let Some((link, ticket)) = self.forwarding.doing.remove(&number) {
            tell(below.peers, below.cx, link, ticket, told);
        }
    }
}
