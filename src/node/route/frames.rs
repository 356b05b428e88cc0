//! Frames: each goes to the part that it concerns.
//!
//! What a frame says is believed by nobody here; whoever takes it checks it.

use super::super::Node;
use super::super::input::LinkId;
use crate::wire::frame::Frame;

/// Hands a frame of a link to the part that it concerns.
pub(super) fn take_frame(node: &mut Node, id: LinkId, frame: Frame) {
    let Node {
        cx,
        peers,
        store,
        exchange,
        changes,
        ..
    } = node;
    match frame {
        Frame::Ping(number) => peers.is_pinged(cx, id, number),
        Frame::Pong(sent) => peers.pong(cx, id, sent),
        Frame::Degree(others) => {
            peers.degree(cx, id, others, |link| changes.forwarding.need(link));
        }
        Frame::Addresses(addresses) => {
            addresses
                .iter()
                .for_each(|address| peers.book.hint(address));
        }
        Frame::Bye(why, text) => peers.goodbye(cx, id, why, &text),
        Frame::Record(record, aside, payload) => {
            exchange.record(cx, peers, store, id, record, aside, payload);
        }
        Frame::News(news) => peers.news(cx, id, news),
        Frame::Pull {
            id: wanted,
            offset,
            have,
        } => exchange.serve_pull(cx, peers, store, id, wanted, offset as usize, have),
        Frame::Piece {
            id: of,
            offset,
            bytes,
        } => exchange.piece(cx, peers, store, id, of, offset as usize, &bytes),
        Frame::Missing(of) => {
            exchange.named_is_missing(cx, id, &of);
            exchange.pull_missing(cx, peers, store, id, of);
            exchange.fetch_missing(cx, peers, id, of);
        }
        Frame::Root(scope, complete, root) => {
            exchange.root(cx, peers, store, id, scope, complete, root);
        }
        Frame::Buckets(scope, buckets) => {
            exchange.buckets(cx, peers, store, id, scope, &buckets);
        }
        Frame::Ids(scope, asks, buckets, ids) => {
            exchange.ids(cx, peers, store, id, scope, asks, &buckets, &ids);
        }
        Frame::Done(scope, complete) => {
            exchange.exchange_done(cx, peers, store, id, scope, complete);
        }
        Frame::Want(wanted) => exchange.wanted_by(cx, peers, store, id, wanted),
        Frame::ContainmentQuery { group, head, edits } => {
            exchange.containment_query(cx, peers, store, id, group, head, &edits);
        }
        Frame::ContainmentReply {
            group,
            head,
            contained,
            out,
        } => store.containment_reply(cx, &group, head, contained, out),
        Frame::Have(haves) => exchange.haves(cx, peers, store, id, &haves),
        Frame::Graft(tree, wanted) => exchange.grafted(cx, peers, store, id, tree, wanted),
        Frame::Prune(tree) => exchange.pruned(peers, id, tree),
        Frame::ForwardedRequest(ticket, more, bytes) => node.changes(|changes, below| {
            changes.forwarded_request_comes(below, id, ticket, more, &bytes);
        }),
        Frame::ForwardedResponse(ticket, more, bytes) => {
            node.changes(|changes, below| changes.told(below, id, ticket, more, &bytes));
        }
    }
}
