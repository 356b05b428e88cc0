//! Views of a fleet as JSON: each member of each answer below `/fleet`, as starling-api(7) names
//! them.
//!
//! The node says what there is to show, as values; here it is only spelt. Order and names of
//! members are the interface, so nothing else writes them. Whoever has an [`Answer`] and wants what
//! a client would see takes [`json`].

use std::time::Duration;

use crate::model::conflict::{OpenConflict, WantedValue};
use crate::model::document::Document;
use crate::model::json::{Map, Value, object};
use crate::model::operation::Operation;
use crate::model::record::RecordId;
use crate::model::resources;
use crate::model::revision::Origin;
use crate::node::answer::Answer;
use crate::node::answer::views::{
    ConflictView, EffectiveView, FleetView, FollowedView, GroupView, HostView, LinkView, NodeView,
    RevisionView,
};
use crate::node::kept_file::KeptFile;

/// The JSON of an answer that is a view, and whole by itself; `None` of any other.
pub fn json(answer: &Answer) -> Option<Value> {
    Some(match answer {
        Answer::Fleet(view) => fleet(view),
        Answer::Nodes(views) => list(views, node),
        Answer::Node(view) => node(view),
        Answer::Links(views) => list(views, link),
        Answer::Groups(views) => list(views, group),
        Answer::Effective(view) => effective(view),
        Answer::Conflicts(views) => list(views, conflict),
        Answer::Conflict(view) => conflict(view),
        Answer::Drifts(files) => list(files, drift),
        Answer::Acknowledged(file) => drift(file),
        Answer::History(views, _) => list(views, revision),
        Answer::Healthy => object! { "status": "ok" }.into(),
        _ => return None,
    })
}

fn list<T>(views: &[T], spelt: fn(&T) -> Value) -> Value {
    Value::Array(views.iter().map(spelt).collect())
}

fn fleet(view: &FleetView) -> Value {
    Value::Object(object! {
        "fleet": object! { "name": view.name.as_str(), "id": view.id.to_string() },
        "peer": host(&view.host),
        "group": followed(&view.group),
        "links": list(&view.links, link),
        "nodes": list(&view.nodes, node),
        "conflicts": list(&view.conflicts, conflict),
        "problems": view.problems.clone(),
    })
}

fn host(view: &HostView) -> Map<String, Value> {
    object! {
        "id": view.id.to_string(),
        "name": view.name.as_str(),
        "version": view.version.as_str(),
        "group": view.group.as_str(),
        "joined": view.has_joined,
        "in_memory": view.in_memory,
        "uptime_ms": millis(view.uptime),
    }
}

fn followed(view: &FollowedView) -> Map<String, Value> {
    object! {
        "name": view.name.as_str(),
        "head": view.head.as_ref().map(revision),
        "applied": id(view.applied),
        "verdict": view.verdict,
        "detail": view.detail.as_str(),
        "drift": view.drift.clone(),
        "kept": list(&view.kept, drift),
    }
}

fn link(view: &LinkView) -> Value {
    Value::Object(object! {
        "peer": view.peer.to_string(),
        "name": view.name.as_str(),
        "address": view.address.to_string(),
        "outgoing": view.is_outgoing,
        "since_ms": millis(view.age),
        "bytes_in": view.bytes_in,
        "bytes_out": view.bytes_out,
        "queue": view.queue,
        "round_trip_ms": view.round_trip.map(|time| time.as_micros() as f64 / 1000.0),
    })
}

fn node(view: &NodeView) -> Value {
    let said = &view.said;
    Value::Object(object! {
        "id": view.id.to_string(),
        "name": said.name.as_str(),
        "version": said.version.as_str(),
        "group": said.group.as_str(),
        "verdict": said.verdict.as_str(),
        "detail": said.detail.as_str(),
        "problem": said.problem.as_str(),
        "desired": said.desired.clone(),
        "applied": said.applied.clone(),
        "server": said.has_server,
        "drift": said.has_drift,
        "addresses": said.addresses.clone(),
        "state": view.state.to_string(),
        "age_ms": millis(view.age),
        "clock_ms": view.clock_ms,
        "linked": view.is_linked,
        "self": view.is_self,
    })
}

fn group(view: &GroupView) -> Value {
    Value::Object(object! {
        "name": view.name.as_str(),
        "own": view.is_own,
        "head": view.head.as_ref().map(revision),
        "hosts": view.hosts,
        "applied": view.applied,
        "conflicts": view.conflicts,
        "removed": view.is_removed,
    })
}

/// A revision without its document.
pub(super) fn revision(view: &RevisionView) -> Value {
    let mut members = object! {
        "id": view.id.to_string(),
        "height": view.height,
        "author": view.author.to_string(),
        "author_name": view.author_name.as_str(),
        "time": view.time_ms,
        "received": view.received_ms,
        "note": view.note.as_str(),
        "base": id(view.base),
        "size": view.size,
        "untried": view.is_untried,
        "stored": view.is_stored,
        "struck": view.is_struck,
        "guarded": view.is_guarded,
        "removed": view.is_removal,
    };
    members.extend(origin(view));
    let settled = view.settled.iter().map(RecordId::to_string);
    members.extend(object! {
        "edit": list(&view.edit, Operation::to_json),
        "settled": settled.collect::<Vec<_>>(),
        "beaten": view.is_beaten,
    });
    Value::Object(members)
}

fn origin(view: &RevisionView) -> Map<String, Value> {
    let (kind, edit, author) = match &view.origin {
        Origin::Original => return object! { "kind": "original" },
        Origin::Replay(edit, author) => ("replay", edit, author),
        Origin::Note(edit, author) => ("note", edit, author),
    };
    object! {
        "kind": kind,
        "edit_id": edit.id.to_string(),
        "edit_author": author.to_string(),
        "edit_author_name": view.edit_author_name.clone().unwrap_or_default(),
        "edit_time": edit.stamp.wall_ms(),
    }
}

fn conflict(view: &ConflictView) -> Value {
    let mut members = object! {
        "id": view.edit.id.to_string(),
        "state": if view.is_open { "open" } else { "uncontained" },
        "time": view.edit.stamp.wall_ms(),
    };
    // The rest as it stands in the body of a revision, where the edit is named in another way.
    if let Value::Object(stored) = view.conflict.to_json(&view.edit) {
        let stored = stored.into_iter().filter(|(name, _)| name != "edit");
        members.extend(stored.map(|(name, value)| match name.as_str() {
            "ops" => ("edit".to_owned(), with_fingerprints(value, &view.conflict)),
            _ => (name, value),
        }));
    }
    members.extend(object! { "author_name": view.author_name.clone() });
    Value::Object(members)
}

/// The operations of a conflict, each certificate that was wanted shown as certificates are.
fn with_fingerprints(mut ops: Value, conflict: &OpenConflict) -> Value {
    let shown = ops
        .as_array_mut()
        .into_iter()
        .flatten()
        .zip(&conflict.operations);
    for (op, (operation, wanted)) in shown {
        if let (WantedValue::Long { hash, .. }, true) =
            (wanted, resources::is_secret(&operation.path))
        {
            op["value"] = resources::fingerprint_text(hash).into();
        }
    }
    ops
}

/// What is kept of what somebody had put on the server, without its configuration.
fn drift(file: &KeptFile) -> Value {
    Value::Object(object! {
        "file": file.name.as_str(),
        "time": file.time_ms,
        "acknowledged": file.acknowledged,
        "group": file.group.as_str(),
        "revision": id(file.revision),
        "paths": file.paths.clone(),
    })
}

fn effective(view: &EffectiveView) -> Value {
    let variables = view.variables.iter().map(|variable| {
        object! {
            "path": variable.path.as_str(),
            "name": variable.name.as_str(),
            "value": variable.value.as_str(),
        }
    });
    Value::Object(object! {
        "group": view.group.as_str(),
        "revision": id(view.head),
        "overlay": view.overlaid.clone(),
        "variables": variables.collect::<Vec<_>>(),
        "certificates": names(&view.document, "certificates"),
        "js_modules": names(&view.document, "js_modules"),
        "config": view.document.config().clone(),
    })
}

/// The names of what a document holds of one kind.
fn names(document: &Document, kind: &str) -> Value {
    let held = document.value()[kind].as_object().into_iter();
    held.flat_map(Map::keys)
        .map(|name| Value::from(name.as_str()))
        .collect()
}

fn id(id: Option<RecordId>) -> Option<String> {
    id.map(|id| id.to_string())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::edit::{Found, Verb};
    use crate::model::fingerprint::Fingerprint;
    use crate::model::json;
    use crate::model::ledger::EditRef;
    use crate::model::path::Path;
    use crate::model::peer_id::PeerId;
    use crate::model::signature::SecretKey;
    use crate::model::stamp::Stamp;
    use crate::node::answer::Older;
    use crate::node::answer::state::HostState;
    use crate::node::answer::views::{SaidView, VariableView};
    use crate::wire::fleet::FleetId;

    fn edit() -> EditRef {
        EditRef::odd(
            Stamp::from_u64(7 << 16).expect("a stamp"),
            RecordId([4; 32]),
            1,
        )
    }

    fn peer() -> PeerId {
        PeerId::from_bytes(SecretKey::from_seed(&[1; 32]).public()).expect("a key")
    }

    fn operation(path: &str) -> Operation {
        Operation {
            verb: Verb::Put,
            path: Path::parse(path).expect("a path"),
            found: Found::Absent,
        }
    }

    fn revision(origin: Origin) -> RevisionView {
        RevisionView {
            id: RecordId([1; 32]),
            height: 2,
            author: peer(),
            author_name: "here".into(),
            time_ms: 7,
            received_ms: None,
            note: "why".into(),
            base: Some(RecordId([2; 32])),
            size: 3,
            is_untried: false,
            is_stored: true,
            is_struck: false,
            is_guarded: false,
            is_removal: false,
            edit_author_name: matches!(origin, Origin::Note(..)).then(|| "there".into()),
            origin,
            edit: vec![operation("/config/a")],
            settled: vec![RecordId([3; 32])],
            is_beaten: true,
        }
    }

    /// The JSON of an answer, with the IDs in it shortened.
    fn shown(answer: &Answer) -> String {
        let mut text = json::compact(&json(answer).expect("a view"));
        for (long, short) in [
            (peer().to_string(), "PEER"),
            (RecordId([1; 32]).to_string(), "ONE"),
            (RecordId([2; 32]).to_string(), "TWO"),
            (RecordId([3; 32]).to_string(), "THREE"),
            (RecordId([4; 32]).to_string(), "FOUR"),
        ] {
            text = text.replace(&long, short);
        }
        text
    }

    #[test]
    fn revisions_are_spelt_as_the_manual_names_their_members() {
        let beginning = r#"{"id":"ONE","height":2,"author":"PEER","author_name":"here","time":7,"received":null,"note":"why","base":"TWO","size":3,"untried":false,"stored":true,"struck":false,"guarded":false,"removed":false"#;
        let end = r#""edit":[{"op":"put","path":"/config/a","found":{"is":"absent"}}],"settled":["THREE"],"beaten":true}"#;
        let history = Answer::History(
            vec![
                revision(Origin::Original),
                revision(Origin::Note(edit(), peer())),
            ],
            Older::Nothing,
        );
        assert_eq!(
            shown(&history),
            format!(
                "[{beginning},\"kind\":\"original\",{end},{beginning},\"kind\":\"note\",\"edit_id\":\"FOUR\",\"edit_author\":\"PEER\",\"edit_author_name\":\"there\",\"edit_time\":7,{end}]"
            )
        );
    }

    #[test]
    fn a_conflict_shows_certificates_by_fingerprint_and_no_edit_by_its_inner_name() {
        let wanted = WantedValue::Long {
            len: 5,
            hash: [5; 32],
        };
        let view = ConflictView {
            edit: edit(),
            conflict: OpenConflict {
                author: Some(peer()),
                guarded: true,
                note: "why".into(),
                operations: vec![(operation("/certificates/a"), wanted)],
            },
            is_open: false,
            author_name: Some("here".into()),
        };
        let hash = "05".repeat(32);
        assert_eq!(
            shown(&Answer::Conflict(Box::new(view))),
            format!(
                r#"{{"id":"FOUR","state":"uncontained","time":7,"author":"PEER","guarded":true,"note":"why","edit":[{{"op":"put","path":"/certificates/a","found":{{"is":"absent"}},"value_len":5,"value_hash":"{hash}","value":"sha256:{hash}"}}],"author_name":"here"}}"#
            )
        );
    }

    #[test]
    fn a_fleet_is_spelt_as_the_manual_names_its_members() {
        let node = NodeView {
            id: peer(),
            said: SaidView {
                name: "here".into(),
                version: "1".into(),
                group: "default".into(),
                verdict: "applied".into(),
                detail: String::new(),
                problem: String::new(),
                desired: Some("x".into()),
                applied: None,
                has_server: true,
                has_drift: false,
                addresses: vec!["192.0.2.1:1".into()],
            },
            state: HostState::InStep,
            age: Duration::from_millis(1),
            clock_ms: Some(-3),
            is_linked: false,
            is_self: true,
        };
        let link = LinkView {
            peer: peer(),
            name: "there".into(),
            address: "192.0.2.2:1".parse().expect("an address"),
            is_outgoing: true,
            age: Duration::from_millis(2),
            bytes_in: 3,
            bytes_out: 4,
            queue: 5,
            round_trip: Some(Duration::from_micros(1500)),
        };
        let file = KeptFile {
            name: "drift-1.json".into(),
            number: 1,
            time_ms: 9,
            group: "default".into(),
            revision: None,
            paths: vec!["/config/a".into()],
            acknowledged: false,
            fingerprint: Fingerprint::of(&Value::Null),
        };
        let view = FleetView {
            name: "shop".into(),
            id: FleetId::from_bytes(SecretKey::from_seed(&[6; 32]).public()).expect("a key"),
            host: HostView {
                id: peer(),
                name: "here".into(),
                version: "1".into(),
                group: "default".into(),
                has_joined: true,
                in_memory: 0,
                uptime: Duration::from_secs(1),
            },
            group: FollowedView {
                name: "default".into(),
                head: None,
                applied: Some(RecordId([1; 32])),
                verdict: "applied",
                detail: String::new(),
                drift: Vec::new(),
                kept: vec![file],
            },
            links: vec![link],
            nodes: vec![node],
            conflicts: Vec::new(),
            problems: vec!["no room".into()],
        };
        let id = view.id.to_string();
        assert_eq!(
            shown(&Answer::Fleet(Box::new(view))),
            format!(
                r#"{{"fleet":{{"name":"shop","id":"{id}"}},"peer":{{"id":"PEER","name":"here","version":"1","group":"default","joined":true,"in_memory":0,"uptime_ms":1000}},"group":{{"name":"default","head":null,"applied":"ONE","verdict":"applied","detail":"","drift":[],"kept":[{{"file":"drift-1.json","time":9,"acknowledged":false,"group":"default","revision":null,"paths":["/config/a"]}}]}},"links":[{{"peer":"PEER","name":"there","address":"192.0.2.2:1","outgoing":true,"since_ms":2,"bytes_in":3,"bytes_out":4,"queue":5,"round_trip_ms":1.5}}],"nodes":[{{"id":"PEER","name":"here","version":"1","group":"default","verdict":"applied","detail":"","problem":"","desired":"x","applied":null,"server":true,"drift":false,"addresses":["192.0.2.1:1"],"state":"in step","age_ms":1,"clock_ms":-3,"linked":false,"self":true}}],"conflicts":[],"problems":["no room"]}}"#
            )
        );
    }

    #[test]
    fn what_a_host_makes_of_a_document_and_its_groups_are_spelt_in_full() {
        let effective = EffectiveView {
            group: "default".into(),
            head: Some(RecordId([1; 32])),
            overlaid: vec!["/config/a".into()],
            variables: vec![VariableView {
                path: "/config/b".into(),
                name: "port".into(),
                value: "1".into(),
            }],
            document: Document::factory(),
        };
        let config = json::compact(Document::factory().config());
        assert_eq!(
            shown(&Answer::Effective(Box::new(effective))),
            format!(
                r#"{{"group":"default","revision":"ONE","overlay":["/config/a"],"variables":[{{"path":"/config/b","name":"port","value":"1"}}],"certificates":[],"js_modules":[],"config":{config}}}"#
            )
        );
        let group = GroupView {
            name: "edge".into(),
            is_own: false,
            head: None,
            hosts: 2,
            applied: 1,
            conflicts: 0,
            is_removed: false,
        };
        assert_eq!(
            shown(&Answer::Groups(vec![group])),
            r#"[{"name":"edge","own":false,"head":null,"hosts":2,"applied":1,"conflicts":0,"removed":false}]"#
        );
        assert_eq!(shown(&Answer::Healthy), r#"{"status":"ok"}"#);
    }
}
