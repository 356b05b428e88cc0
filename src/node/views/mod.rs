//! What clients are shown: the document, and the fleet as this host sees it.
//!
//! Shapes are those of starling-api(7). Everything here only reads; what was before is shown by
//! `history`, what lost by `settle`.

pub(in crate::node) mod conflicts;
pub(in crate::node) mod effective;
pub(in crate::node) mod groups;
pub(in crate::node) mod history;
pub(in crate::node) mod inspect;
pub(in crate::node) mod problems;

use std::time::Duration;

use super::answer::Answer;
use super::answer::state::{HostState, Known};
use super::answer::views::{FleetView, FollowedView, HostView, LinkView, NodeView, SaidView};
use super::ask::{HostQuery, Question};
use super::context::Context;
use super::local::Local;
use super::peers::Peers;
use super::peers::link::Link;
use super::peers::node_record::NodeRecord;
use crate::limits::{ADDRESSES_MAX, WORDS_MAX};
use crate::model::document::Document;
use crate::model::json::{Map, Value, object};
use crate::model::path::Path;
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::node::effect::address_texts;
use crate::node::exchange::Exchange;
use crate::node::peers::node_record::text;
use crate::node::refusal::{Denial, RequestFault, ServerFault};
use crate::node::store::Store;
use crate::node::views::effective::effective_view;

/// All parts but the changes in the making, to be looked at.
#[derive(Clone, Copy)]
pub(in crate::node) struct View<'a> {
    pub(in crate::node) cx: &'a Context,
    pub(in crate::node) peers: &'a Peers,
    pub(in crate::node) store: &'a Store,
    pub(in crate::node) exchange: &'a Exchange,
    pub(in crate::node) local: &'a Local,
}

impl View<'_> {
    /// What there is to say now.
    pub(in crate::node) fn said_of_self(&self) -> Map<String, Value> {
        let id = |id: Option<RecordId>| id.map(|id| id.to_string());
        let addresses: Vec<_> = self
            .peers
            .addresses
            .iter()
            .take(ADDRESSES_MAX)
            .copied()
            .collect();
        let detail: String = self
            .local
            .server
            .detail()
            .chars()
            .take(WORDS_MAX / 4)
            .collect();
        let mut said = object! {
            "name": self.cx.setup.name.as_str(),
            "version": self.cx.setup.version.as_str(),
            "group": self.cx.setup.group.as_str(),
            "addresses": address_texts(&addresses),
            "server": self.local.server.is_present(),
            "desired": id(self.store.head(self.cx).map(|head| head.id())),
            "applied": id(self.local.server.applied().map(|applied| applied.id)),
            "verdict": self.local.server.word(),
            "detail": detail,
            "drift": !self.local.server.drift().is_empty(),
        };
        if let Some(problem) = self.problems().next() {
            let problem: String = problem.chars().take(WORDS_MAX / 4).collect();
            said.extend(object! { "problem": problem });
        }
        said
    }

    pub(in crate::node) fn effective_view(&self) -> Answer {
        if let Some(reason) = self.local.lacks_overlay() {
            return Denial::from(ServerFault::OverlayUnknown {
                reason: reason.to_owned(),
            })
            .into();
        }
        let document = match self.local.base_document(self.cx, self.store) {
            Ok(document) => document,
            Err(denial) => return denial.into(),
        };
        match self.cx.setup.overlay.apply(&document) {
            Ok(effective) => {
                let view = effective_view(self.store, self.cx, effective);
                Answer::Effective(Box::new(view))
            }
            Err(unfit) => {
                let head = self.store.head(self.cx).map(|head| head.id());
                ServerFault::OverlayMisfit {
                    reason: unfit.to_string(),
                }
                .at(head)
                .into()
            }
        }
    }

    /// What a question about this host and its fleet is answered.
    pub(in crate::node) fn read(&self, query: HostQuery) -> Answer {
        match query {
            HostQuery::Fleet => Answer::Fleet(Box::new(self.fleet_view())),
            HostQuery::Nodes => Answer::Nodes(self.node_views()),
            HostQuery::Node(ending) => self.one_node(&ending),
            HostQuery::Effective => self.effective_view(),
            HostQuery::Links => Answer::Links(link_views(self.peers, self.cx)),
            HostQuery::Groups => Answer::Groups(self.group_views()),
            HostQuery::Drifts => Answer::Drifts(self.local.kept_files().to_vec()),
            HostQuery::Drift(name) => match self.local.drift_file(&name) {
                Ok(name) => Answer::KeptDrift(name),
                Err(denial) => denial.into(),
            },
            HostQuery::Server(question) => self.server_question(question),
            HostQuery::Health => Answer::Healthy,
        }
    }

    /// What the next change would be made on: the head, or else what the own server runs. Where
    /// that is not known nothing is guessed, for a client may send back what it is shown.
    pub(in crate::node) fn value(&self, path: Path) -> Answer {
        match self.local.base_document(self.cx, self.store) {
            Ok(document) => Answer::Value {
                document,
                path,
                head: self.store.head(self.cx).map(|head| head.id()),
                applied: self.local.applied_id(),
            },
            Err(denial) => denial.into(),
        }
    }

    /// What only the own server can answer, or do.
    pub(in crate::node) fn server_question(&self, question: Question) -> Answer {
        if !self.local.server.is_present() {
            return Denial::from(ServerFault::NoneToAsk).into();
        }
        match self.local.base_document(self.cx, self.store) {
            Ok(document) => Answer::Server { question, document },
            // What the server says of itself is worth most when it cannot be understood.
            Err(_) if question != Question::Everything => Answer::Server {
                question,
                document: Document::factory(),
            },
            Err(denial) => denial.into(),
        }
    }

    /// Whether there is nothing to show yet, but soon will be.
    pub(in crate::node) fn is_blind(&self) -> bool {
        self.store.head(self.cx).is_none() && self.local.server.is_unseen()
    }

    fn fleet_view(&self) -> FleetView {
        let own = &self.cx.setup.group;
        FleetView {
            name: self.cx.setup.fleet.name().to_owned(),
            id: *self.cx.setup.fleet.id(),
            host: HostView {
                id: self.cx.me,
                name: self.cx.setup.name.clone(),
                version: self.cx.setup.version.clone(),
                group: own.clone(),
                has_joined: self.exchange.joined,
                in_memory: self.store.storing.in_memory(),
                uptime: self.cx.now.elapsed,
            },
            group: FollowedView {
                name: own.clone(),
                head: self.head_view(own),
                applied: self.local.applied_id(),
                verdict: self.local.server.word(),
                detail: self.local.server.detail().to_owned(),
                drift: self.local.server.drift().to_vec(),
                kept: self.local.unseen_files().cloned().collect(),
            },
            links: link_views(self.peers, self.cx),
            nodes: self.node_views(),
            conflicts: self.conflict_views(own),
            problems: self.problems().collect(),
        }
    }

    fn node_views(&self) -> Vec<NodeView> {
        let all = self.peers.roster.iter();
        all.map(|(peer, node)| self.node_view(peer, node)).collect()
    }

    fn node_view(&self, peer: &PeerId, node: &NodeRecord) -> NodeView {
        let is_self = *peer == self.cx.me;
        let said = self.said_by(peer, node);
        NodeView {
            id: *peer,
            state: self.state_of(peer, node, &said),
            said: said_view(&said),
            age: if is_self {
                Duration::ZERO
            } else {
                node.heard(self.cx.now.elapsed)
            },
            clock_ms: self.peers.clock_off(self.cx, peer, node),
            is_linked: self.peers.is_linked(peer),
            is_self,
        }
    }

    /// In one word how a host stands to the head of its group.
    fn state_of(&self, peer: &PeerId, node: &NodeRecord, said: &Value) -> HostState {
        let is_young =
            *peer == self.cx.me || node.heard(self.cx.now.elapsed) < 3 * self.peers.refresh_every();
        Known {
            head: text(said, "group")
                .and_then(|group| self.store.replica.head(group))
                .map(|head| head.id()),
            is_live: *peer == self.cx.me || self.peers.is_linked(peer) || (is_young && !node.lost),
            has_server: said
                .get("server")
                .and_then(Value::as_bool)
                .filter(|_| is_young),
            desired: text(said, "desired"),
            applied: text(said, "applied"),
            verdict: text(said, "verdict").unwrap_or_default(),
            drift: said
                .get("drift")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
        }
        .state()
    }

    /// What a peer says of itself; this host what it would say now, for its record is made anew
    /// only a while after a change.
    pub(in crate::node) fn said_by(&self, peer: &PeerId, node: &NodeRecord) -> Value {
        if *peer == self.cx.me {
            Value::Object(self.said_of_self())
        } else {
            node.said()
        }
    }

    fn one_node(&self, ending: &str) -> Answer {
        let matches: Vec<_> = self
            .peers
            .roster
            .iter()
            .filter(|(peer, _)| peer.to_string().ends_with(ending))
            .collect();
        match matches[..] {
            [(peer, node)] => Answer::Node(Box::new(self.node_view(peer, node))),
            [] => Denial::from(RequestFault::NoSuchPeer {
                ending: ending.to_owned(),
            })
            .into(),
            _ => Denial::from(RequestFault::ManyPeers {
                ending: ending.to_owned(),
                count: matches.len(),
            })
            .into(),
        }
    }
}

/// What a node record says, as far as it is documented.
fn said_view(said: &Value) -> SaidView {
    let words = |member| text(said, member).unwrap_or_default().to_owned();
    let flag = |member| {
        let flag = said.get(member).and_then(Value::as_bool);
        flag.unwrap_or_default()
    };
    let addresses = said.get("addresses").and_then(Value::as_array);
    SaidView {
        name: words("name"),
        version: words("version"),
        group: words("group"),
        verdict: words("verdict"),
        detail: words("detail"),
        problem: words("problem"),
        desired: text(said, "desired").map(str::to_owned),
        applied: text(said, "applied").map(str::to_owned),
        has_server: flag("server"),
        has_drift: flag("drift"),
        addresses: addresses
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn link_views(peers: &Peers, cx: &Context) -> Vec<LinkView> {
    peers
        .links()
        .map(|link| link_view(peers, cx, link))
        .collect()
}

fn link_view(peers: &Peers, cx: &Context, link: &Link) -> LinkView {
    LinkView {
        peer: link.hello.peer,
        name: peers.roster.name(&link.hello.peer),
        address: link.address,
        is_outgoing: link.outgoing,
        age: cx.now.elapsed.saturating_sub(link.since),
        bytes_in: link.bytes_in,
        bytes_out: link.bytes_out,
        queue: link.backlog(),
        round_trip: link.round_trip,
    }
}
