//! What clients are shown: the document, and the fleet as this host sees it.
//!
//! Shapes are those of starling-api(7). Everything here only reads; what was before is shown by `history`, what lost by `settle`.

use std::time::Duration;

use super::Node;
use super::answer::{Answer, Problem};
use super::effect::{Effect, Level};
use super::input::{Ask, ClientId, Question};
use super::link::Link;
use super::roster::NodeRecord;
use super::state::{Known, State};
use crate::model::document::Document;
use crate::model::json::{Map, Value};
use crate::model::path::Path;
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;

impl Node {
    pub(super) fn read(&mut self, client: ClientId, ask: Ask) {
        let answer = match ask {
            // At most one from each of the gate's connections.
            Ask::Read(path) if self.is_blind() => return self.early.push((client, path)),
            Ask::Read(path) => self.value(path),
            Ask::Fleet => Answer::Json(self.fleet_view()),
            Ask::Nodes(None) => {
                Answer::Json(Value::Array(self.roster.iter().map(|(peer, node)| self.node_view(peer, node)).collect()))
            }
            Ask::Nodes(Some(ending)) => self.one_node(&ending),
            Ask::Effective => self.effective_view(),
            Ask::Links => Answer::Json(self.links_view()),
            Ask::Groups => Answer::Json(self.groups_view()),
            ask @ (Ask::Revisions(_) | Ask::Difference { .. } | Ask::Blame(_) | Ask::Conflicts(_)) => {
                self.past(&self.setup.group.clone(), ask)
            }
            Ask::Server(question) => self.server_question(question),
            Ask::Health => Answer::Json(Value::Object(Map::from_iter([("status".to_owned(), "ok".into())]))),
            Ask::Restore { id, path, if_match, note } => return self.restore(client, &id, path, if_match, note),
            Ask::Settle { id, keep, if_match, note } => return self.settle(client, &id, keep, if_match, note),
            Ask::Write(_)
            | Ask::Patch(_)
            | Ask::DryRun(_)
            | Ask::PublishLocal { .. }
            | Ask::OfGroup(..)
            | Ask::RemoveGroup { .. }
            | Ask::Drifts(_)
            | Ask::AcknowledgeDrift(_)
            | Ask::AdoptDrift { .. }
            | Ask::Repair
            | Ask::RepairHost(..) => {
                self.say(Level::Error, "api", "a change came the way of questions");
                Problem::new(500, "This cannot be.", "").into()
            }
        };
        self.effects.push(Effect::Answer(client, answer));
    }

    /// What the own server runs, as far as is known.
    pub(super) fn applied_id(&self) -> Option<RecordId> {
        self.server.applied.as_ref().map(|applied| applied.id)
    }

    /// The name of a live peer of the group that has a server, if there is one.
    pub(super) fn live_server(&self) -> Option<String> {
        let counts = |node: &NodeRecord| {
            let said = node.said();
            said.get("server") == Some(&Value::Bool(true)) && text(&said, "group") == Some(&self.setup.group)
        };
        let others = self.roster.iter().filter(|(peer, node)| **peer != self.me && self.is_live(peer, node));
        others.filter(|(_, node)| counts(node)).map(|(peer, _)| self.roster.name(peer)).next()
    }

    pub(super) fn is_live(&self, peer: &PeerId, node: &NodeRecord) -> bool {
        self.is_linked(peer) || node.age(self.now.elapsed) < 3 * self.refresh_every()
    }

    pub(super) fn is_linked(&self, peer: &PeerId) -> bool {
        self.links.values().any(|link| link.hello.peer == *peer)
    }

    /// What the next change would be made on: the head, or else what the own server runs. Where that is not known nothing is guessed,
    /// for a client may send back what it is shown.
    fn value(&self, path: Path) -> Answer {
        match self.base_document() {
            Ok(document) => Answer::Value { document, path, head: self.head().map(|head| head.id()), applied: self.applied_id() },
            Err(problem) => problem.into(),
        }
    }

    fn server_question(&self, question: Question) -> Answer {
        if !self.server.present {
            return Problem::new(503, "This host has no server.", "ask a host that has one").into();
        }
        match self.base_document() {
            Ok(document) => Answer::Server { question, document },
            // What the server says of itself is worth most when it cannot be understood.
            Err(_) if question != Question::Everything => Answer::Server { question, document: Document::factory() },
            Err(problem) => problem.into(),
        }
    }

    /// Whether there is nothing to show yet, but soon will be.
    fn is_blind(&self) -> bool {
        self.head().is_none() && self.server.is_unseen()
    }

    /// Answers those who asked for the document before there was one to show.
    pub(super) fn serve_early_reads(&mut self) {
        if self.is_blind() {
            return;
        }
        for (client, path) in std::mem::take(&mut self.early) {
            let answer = self.value(path);
            self.effects.push(Effect::Answer(client, answer));
        }
    }

    fn fleet_view(&self) -> Value {
        let mut fleet = Map::new();
        fleet.insert("name".into(), self.setup.fleet.name().into());
        fleet.insert("id".into(), self.setup.fleet.id().to_string().into());
        let mut peer = Map::new();
        peer.insert("id".into(), self.me.to_string().into());
        peer.insert("name".into(), self.setup.name.clone().into());
        peer.insert("version".into(), self.setup.version.clone().into());
        peer.insert("group".into(), self.setup.group.clone().into());
        peer.insert("joined".into(), self.joined.into());
        peer.insert("in_memory".into(), self.storing.in_memory().into());
        peer.insert("uptime_ms".into(), millis(self.now.elapsed));
        let mut group = Map::new();
        group.insert("name".into(), self.setup.group.clone().into());
        group.insert("head".into(), self.head_view(&self.setup.group));
        group.insert("applied".into(), self.applied_id().map_or(Value::Null, |id| id.to_string().into()));
        group.insert("verdict".into(), self.server.verdict.word().into());
        group.insert("detail".into(), self.server.verdict.detail().into());
        group.insert("drift".into(), self.server.drift.clone().into());
        group.insert("kept".into(), self.unseen_view());
        let nodes = self.roster.iter().map(|(peer, node)| self.node_view(peer, node)).collect();
        let mut view = Map::new();
        view.insert("fleet".into(), Value::Object(fleet));
        view.insert("peer".into(), Value::Object(peer));
        view.insert("group".into(), Value::Object(group));
        view.insert("links".into(), self.links_view());
        view.insert("nodes".into(), Value::Array(nodes));
        view.insert("conflicts".into(), self.conflicts_view(&self.setup.group));
        view.insert("problems".into(), self.problems().collect::<Vec<_>>().into());
        Value::Object(view)
    }

    fn links_view(&self) -> Value {
        Value::Array(self.links.values().map(|link| self.link_view(link)).collect())
    }

    fn link_view(&self, link: &Link) -> Value {
        let mut view = Map::new();
        view.insert("peer".into(), link.hello.peer.to_string().into());
        view.insert("name".into(), self.roster.name(&link.hello.peer).into());
        view.insert("address".into(), link.address.to_string().into());
        view.insert("outgoing".into(), link.outgoing.into());
        view.insert("since_ms".into(), millis(self.now.elapsed.saturating_sub(link.since)));
        view.insert("bytes_in".into(), link.bytes_in.into());
        view.insert("bytes_out".into(), link.bytes_out.into());
        view.insert("queue".into(), link.backlog().into());
        let round_trip = link.round_trip.map(|time| time.as_micros() as f64 / 1000.0);
        view.insert("round_trip_ms".into(), round_trip.map_or(Value::Null, Value::from));
        Value::Object(view)
    }

    fn node_view(&self, peer: &PeerId, node: &NodeRecord) -> Value {
        let is_self = *peer == self.me;
        let (said, mut view) = (self.said_by(peer, node), Map::new());
        view.insert("id".into(), peer.to_string().into());
        // Only what is documented, and only of the type that is documented: a peer may say anything.
        for member in ["name", "version", "group", "verdict", "detail", "problem"] {
            view.insert(member.into(), text(&said, member).unwrap_or_default().into());
        }
        for member in ["desired", "applied"] {
            view.insert(member.into(), text(&said, member).map_or(Value::Null, Value::from));
        }
        for member in ["server", "drift"] {
            view.insert(member.into(), said.get(member).and_then(Value::as_bool).unwrap_or_default().into());
        }
        let addresses = said.get("addresses").and_then(Value::as_array).cloned().unwrap_or_default();
        view.insert("addresses".into(), Value::Array(addresses.into_iter().filter(Value::is_string).collect()));
        view.insert("state".into(), self.state_of(peer, node, &said).to_string().into());
        view.insert("age_ms".into(), millis(if is_self { Duration::ZERO } else { node.age(self.now.elapsed) }));
        view.insert("clock_ms".into(), self.clock_off(peer, node).map_or(Value::Null, Value::from));
        view.insert("linked".into(), self.is_linked(peer).into());
        view.insert("self".into(), is_self.into());
        Value::Object(view)
    }

    /// One word for how a host stands to the head of its group.
    fn state_of(&self, peer: &PeerId, node: &NodeRecord, said: &Value) -> State {
        let is_young = *peer == self.me || node.age(self.now.elapsed) < 3 * self.refresh_every();
        Known {
            head: text(said, "group").and_then(|group| self.replica.head(group)).map(|head| head.id()),
            is_live: *peer == self.me || self.is_linked(peer) || (is_young && !node.lost),
            has_server: said.get("server").and_then(Value::as_bool).filter(|_| is_young),
            desired: text(said, "desired"),
            applied: text(said, "applied"),
            verdict: text(said, "verdict").unwrap_or_default(),
            drift: said.get("drift").and_then(Value::as_bool).unwrap_or_default(),
        }
        .state()
    }

    /// What a peer says of itself; this host what it would say now, for its record is made anew only a while after a change.
    pub(super) fn said_by(&self, peer: &PeerId, node: &NodeRecord) -> Value {
        if *peer == self.me { self.said_of_self() } else { node.said() }
    }

    fn one_node(&self, ending: &str) -> Answer {
        let matches: Vec<_> = self.roster.iter().filter(|(peer, _)| peer.to_string().ends_with(ending)).collect();
        match matches[..] {
            [(peer, node)] => Answer::Json(self.node_view(peer, node)),
            [] => Problem::new(404, "No such peer.", format!("no peer ID ends with {ending}")).into(),
            _ => Problem::new(409, "More than one peer.", format!("{} peer IDs end with {ending}", matches.len())).into(),
        }
    }
}

/// A member that is text.
pub(super) fn text<'a>(said: &'a Value, member: &str) -> Option<&'a str> {
    said.get(member).and_then(Value::as_str)
}

fn millis(time: Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}
