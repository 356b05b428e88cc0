//! What clients are shown: the document, and the fleet as this host sees it.
//!
//! Shapes are those of starling-api(7). Everything here only reads; what was before is shown by
//! `history`, what lost by `settle`.

use std::time::Duration;

use super::Node;
use super::answer::{Answer, Problem};
use super::effect::{Effect, Level};
use super::input::{Ask, ClientId, Question};
use super::link::Link;
use super::roster::NodeRecord;
use super::state::{Known, State};
use super::{Context, Local, Peers};
use crate::model::document::Document;
use crate::model::json::{Value, object};
use crate::model::path::Path;
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;

impl Node {
    pub(super) fn read(&mut self, client: ClientId, ask: Ask) {
        let answer = match ask {
            // At most one from each of the gate's connections.
            Ask::Read(path) if self.is_blind() => return self.local.early.push((client, path)),
            Ask::Read(path) => self.value(path),
            Ask::Fleet => Answer::Json(self.fleet_view()),
            Ask::Nodes(None) => Answer::Json(Value::Array(
                self.peers
                    .roster
                    .iter()
                    .map(|(peer, node)| self.node_view(peer, node))
                    .collect(),
            )),
            Ask::Nodes(Some(ending)) => self.one_node(&ending),
            Ask::Effective => self.effective_view(),
            Ask::Links => Answer::Json(self.peers.links_view(&self.cx)),
            Ask::Groups => Answer::Json(self.groups_view()),
            ask @ (Ask::Revisions(_)
            | Ask::Difference { .. }
            | Ask::Blame(_)
            | Ask::Conflicts(_)) => self.past(&self.cx.setup.group.clone(), ask),
            Ask::Server(question) => self.server_question(question),
            Ask::Health => Answer::Json(object! { "status": "ok" }.into()),
            Ask::Restore {
                id,
                path,
                if_match,
                note,
            } => return self.restore(client, &id, path, if_match, note),
            Ask::Settle {
                id,
                keep,
                if_match,
                note,
            } => return self.settle(client, &id, keep, if_match, note),
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
                self.cx
                    .say(Level::Error, "api", "a change came the way of questions");
                Problem::new(500, "This cannot be.", "").into()
            }
        };
        self.cx.effects.push(Effect::Answer(client, answer));
    }

    /// The name of a live peer of the group that has a server, if there is one.
    pub(super) fn live_server(&self) -> Option<String> {
        let counts = |node: &NodeRecord| {
            let said = node.said();
            said.get("server") == Some(&Value::Bool(true))
                && text(&said, "group") == Some(&self.cx.setup.group)
        };
        let others = self
            .peers
            .roster
            .iter()
            .filter(|(peer, node)| **peer != self.cx.me && self.is_live(peer, node));
        others
            .filter(|(_, node)| counts(node))
            .map(|(peer, _)| self.peers.roster.name(peer))
            .next()
    }

    pub(super) fn is_live(&self, peer: &PeerId, node: &NodeRecord) -> bool {
        self.peers.is_linked(peer) || node.age(self.cx.now.elapsed) < 3 * self.refresh_every()
    }

    /// What the next change would be made on: the head, or else what the own server runs. Where
    /// that is not known nothing is guessed, for a client may send back what it is shown.
    fn value(&self, path: Path) -> Answer {
        match self.base_document() {
            Ok(document) => Answer::Value {
                document,
                path,
                head: self.store.head(&self.cx).map(|head| head.id()),
                applied: self.local.applied_id(),
            },
            Err(problem) => problem.into(),
        }
    }

    fn server_question(&self, question: Question) -> Answer {
        if !self.local.server.present {
            return Problem::new(503, "This host has no server.", "ask a host that has one").into();
        }
        match self.base_document() {
            Ok(document) => Answer::Server { question, document },
            // What the server says of itself is worth most when it cannot be understood.
            Err(_) if question != Question::Everything => Answer::Server {
                question,
                document: Document::factory(),
            },
            Err(problem) => problem.into(),
        }
    }

    /// Whether there is nothing to show yet, but soon will be.
    fn is_blind(&self) -> bool {
        self.store.head(&self.cx).is_none() && self.local.server.is_unseen()
    }

    /// Answers those who asked for the document before there was one to show.
    pub(super) fn serve_early_reads(&mut self) {
        if self.is_blind() {
            return;
        }
        for (client, path) in std::mem::take(&mut self.local.early) {
            let answer = self.value(path);
            self.cx.effects.push(Effect::Answer(client, answer));
        }
    }

    fn fleet_view(&self) -> Value {
        let own = &self.cx.setup.group;
        let peer = object! {
            "id": self.cx.me.to_string(),
            "name": self.cx.setup.name.as_str(),
            "version": self.cx.setup.version.as_str(),
            "group": own.as_str(),
            "joined": self.exchange.joined,
            "in_memory": self.store.storing.in_memory(),
            "uptime_ms": millis(self.cx.now.elapsed),
        };
        let group = object! {
            "name": own.as_str(),
            "head": self.head_view(own),
            "applied": self.local.applied_id().map(|id| id.to_string()),
            "verdict": self.local.server.verdict.word(),
            "detail": self.local.server.verdict.detail(),
            "drift": self.local.server.drift.clone(),
            "kept": self.local.unseen_view(),
        };
        Value::Object(object! {
            "fleet": object! { "name": self.cx.setup.fleet.name(), "id": self.cx.setup.fleet.id().to_string() },
            "peer": peer,
            "group": group,
            "links": self.peers.links_view(&self.cx),
            "nodes": self.peers.roster.iter().map(|(peer, node)| self.node_view(peer, node)).collect::<Vec<_>>(),
            "conflicts": self.conflicts_view(own),
            "problems": self.problems().collect::<Vec<_>>(),
        })
    }

    fn node_view(&self, peer: &PeerId, node: &NodeRecord) -> Value {
        let is_self = *peer == self.cx.me;
        let said = self.said_by(peer, node);
        let mut view = object! { "id": peer.to_string() };
        // Only what is documented, and only of the type that is documented: a peer may say
        // anything.
        let texts = ["name", "version", "group", "verdict", "detail", "problem"];
        view.extend(texts.map(|member| {
            (
                member.to_owned(),
                text(&said, member).unwrap_or_default().into(),
            )
        }));
        view.extend(
            ["desired", "applied"].map(|member| (member.to_owned(), text(&said, member).into())),
        );
        let flag = |member| {
            said.get(member)
                .and_then(Value::as_bool)
                .unwrap_or_default()
        };
        view.extend(["server", "drift"].map(|member| (member.to_owned(), flag(member).into())));
        let addresses = said
            .get("addresses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        view.extend(object! {
            "addresses": addresses.filter(|address| address.is_string()).cloned().collect::<Vec<_>>(),
            "state": self.state_of(peer, node, &said).to_string(),
            "age_ms": millis(if is_self { Duration::ZERO } else { node.age(self.cx.now.elapsed) }),
            "clock_ms": self.clock_off(peer, node),
            "linked": self.peers.is_linked(peer),
            "self": is_self,
        });
        Value::Object(view)
    }

    /// In one word how a host stands to the head of its group.
    fn state_of(&self, peer: &PeerId, node: &NodeRecord, said: &Value) -> State {
        let is_young =
            *peer == self.cx.me || node.age(self.cx.now.elapsed) < 3 * self.refresh_every();
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
    pub(super) fn said_by(&self, peer: &PeerId, node: &NodeRecord) -> Value {
        if *peer == self.cx.me {
            self.said_of_self()
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
            [(peer, node)] => Answer::Json(self.node_view(peer, node)),
            [] => Problem::new(
                404,
                "No such peer.",
                format!("no peer ID ends with {ending}"),
            )
            .into(),
            _ => Problem::new(
                409,
                "More than one peer.",
                format!("{} peer IDs end with {ending}", matches.len()),
            )
            .into(),
        }
    }
}

impl Local {
    /// What the own server runs, as far as is known.
    pub(super) fn applied_id(&self) -> Option<RecordId> {
        self.server.applied.as_ref().map(|applied| applied.id)
    }
}

impl Peers {
    pub(super) fn is_linked(&self, peer: &PeerId) -> bool {
        self.links.values().any(|link| link.hello.peer == *peer)
    }

    fn links_view(&self, cx: &Context) -> Value {
        Value::Array(
            self.links
                .values()
                .map(|link| self.link_view(cx, link))
                .collect(),
        )
    }

    fn link_view(&self, cx: &Context, link: &Link) -> Value {
        Value::Object(object! {
            "peer": link.hello.peer.to_string(),
            "name": self.roster.name(&link.hello.peer),
            "address": link.address.to_string(),
            "outgoing": link.outgoing,
            "since_ms": millis(cx.now.elapsed.saturating_sub(link.since)),
            "bytes_in": link.bytes_in,
            "bytes_out": link.bytes_out,
            "queue": link.backlog(),
            "round_trip_ms": link.round_trip.map(|time| time.as_micros() as f64 / 1000.0),
        })
    }
}

/// A member that is text.
pub(super) fn text<'a>(said: &'a Value, member: &str) -> Option<&'a str> {
    said.get(member).and_then(Value::as_str)
}

fn millis(time: Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}
