//! Asking peers about edits that the head's ledger does not reach, and answering them.
//!
//! Only a peer at the same head is believed, and only about what was asked. Who cannot tell leaves
//! an edit out of the answer. As long as nobody could tell, nothing is decided about such an edit,
//! for half a minute; see `rebase`.

use crate::limits::{CONTAINMENT_EDITS_MAX, CONTAINMENT_QUERY_AGAIN};
use crate::model::ledger::{EditRef, Standing};
use crate::model::record::RecordId;
use crate::node::context::Context;
use crate::node::exchange::Exchange;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::wire::frame::Frame;

impl Exchange {
    /// Asks a peer about all edits that this host is unsure about.
    pub(in crate::node) fn ask_about_edits(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
    ) {
        let now = cx.now.elapsed;
        if peers
            .link(link)
            .is_none_or(|link| link.containment_query.0 > now)
        {
            return;
        }
        let unsure = store.replica.groups().filter_map(|(name, group)| {
            let mut edits = group.unsure();
            edits.truncate(CONTAINMENT_EDITS_MAX);
            let head = group.head().filter(|_| !edits.is_empty())?.id();
            Some(Frame::ContainmentQuery {
                group: name.to_owned(),
                head,
                edits,
            })
        });
        let frames: Vec<Frame> = unsure.collect();
        let Some(at) = peers.link_mut(link).filter(|_| !frames.is_empty()) else {
            return;
        };
        // Who could not tell will hardly be able to later.
        let [least, most] = CONTAINMENT_QUERY_AGAIN;
        at.containment_query = (
            now + (least * 2_u32.saturating_pow(at.containment_query.1.min(16))).min(most),
            at.containment_query.1.saturating_add(1),
        );
        frames
            .iter()
            .for_each(|frame| peers.answer(cx, link, frame));
    }

    /// A peer asks what this host knows of some edits.
    pub(in crate::node) fn containment_query(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        name: String,
        head: RecordId,
        edits: &[EditRef],
    ) {
        let Some(group) = store
            .replica
            .group(&name)
            .filter(|group| group.head().is_some_and(|own| own.id() == head))
        else {
            return;
        };
        let with = |wanted: Standing| {
            edits
                .iter()
                .filter(|edit| group.standing(edit) == wanted)
                .copied()
                .collect::<Vec<_>>()
        };
        let (contained, out) = (with(Standing::In), with(Standing::Out));
        if !contained.is_empty() || !out.is_empty() {
            peers.answer(
                cx,
                link,
                &Frame::ContainmentReply {
                    group: name,
                    head,
                    contained,
                    out,
                },
            );
        }
    }
}
