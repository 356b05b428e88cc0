//! Which hosts count as running, and which follow a group, by what they say of themselves.
//!
//! A host that is linked counts whatever it has said; of the others only those of which there is
//! news that has not run out. Nothing here changes anything.

use super::Peers;
use super::node_record::{NodeRecord, text};
use crate::model::json::Value;
use crate::model::peer_id::PeerId;
use crate::node::context::Context;
use crate::node::refusal::{Denial, FleetState};

impl Peers {
    /// The name of a live peer of the group that has a server, if there is one.
    pub(in crate::node) fn live_server(&self, cx: &Context) -> Option<String> {
        let counts = |node: &NodeRecord| {
            let said = node.said();
            said.get("server") == Some(&Value::Bool(true))
                && text(&said, "group") == Some(&cx.setup.group)
        };
        let others = self
            .roster
            .iter()
            .filter(|(peer, node)| **peer != cx.me && self.is_live(cx, peer, node));
        others
            .filter(|(_, node)| counts(node))
            .map(|(peer, _)| self.roster.name(peer))
            .next()
    }

    /// Whether news of a host is fresh, or it is linked.
    pub(in crate::node) fn is_live(&self, cx: &Context, peer: &PeerId, node: &NodeRecord) -> bool {
        self.is_linked(peer) || node.heard(cx.now.elapsed) < 3 * self.refresh_every()
    }

    /// Whether a host can be counted on to run.
    pub(in crate::node) fn is_there(&self, cx: &Context, peer: &PeerId, node: &NodeRecord) -> bool {
        self.is_linked(peer) || (self.is_live(cx, peer, node) && !node.lost)
    }

    /// Whether there is a link with a peer.
    pub(in crate::node) fn is_linked(&self, peer: &PeerId) -> bool {
        self.links.values().any(|link| link.hello.peer == *peer)
    }

    /// A change of another group's document: this host has no server to try it on.
    pub(in crate::node) fn not_ours(&self, cx: &Context, group: &str) -> Denial {
        let hosts = self
            .roster
            .iter()
            .filter(|(_, node)| text(&node.said(), "group") == Some(group));
        let not_ours = FleetState::NotOurs {
            own: cx.setup.group.clone(),
            group: group.to_owned(),
            hosts: hosts.map(|(peer, _)| self.roster.name(peer)).collect(),
        };
        not_ours.into()
    }
}
