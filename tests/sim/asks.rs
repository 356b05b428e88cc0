//! What clients ask for, as values: every test of a fleet says it in these words, and hands it to a
//! host with `World::ask`, or to a `Fleet` that waits for the answer.
//!
//! Paths are those of the API, from `/config` or `/certificates` on; texts are JSON. Nothing here
//! asks anybody.

use starlingd::daemon::api::refusals::{Said, said};
use starlingd::model::edit::{Change as Edit, Op};
use starlingd::model::json::{self, Value};
use starlingd::model::patch::{JsonPatch, Patch};
use starlingd::model::path::Path;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Ask, Change, Command, Patching};
use starlingd::wire::forwarded::ForwardedRequest;

pub fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).expect("tests write JSON")
}

pub fn path(text: &str) -> Path {
    Path::parse(text).expect("tests write paths")
}

/// `PUT`
pub fn put(at: &str, value: Value) -> Change {
    change(at, Edit::Put(value))
}

/// `POST`: one more element of an array, or more members of an object.
pub fn append(at: &str, value: Value) -> Change {
    change(at, Edit::Append(value))
}

/// `DELETE`
pub fn delete(at: &str) -> Change {
    change(at, Edit::Delete)
}

/// `PUT` that settles all that is open.
pub fn put_settling_all(at: &str, value: Value) -> Change {
    Change {
        settles: vec!["*".to_owned()],
        ..put(at, value)
    }
}

/// `PATCH` with a JSON Merge Patch.
pub fn merge(at: &str, patch: &str) -> Patching {
    patching(at, Patch::Merge(value(patch)))
}

/// `PATCH` with a JSON Patch.
pub fn steps(at: &str, patch: &str) -> Patching {
    let steps = JsonPatch::read(&value(patch)).expect("tests write patches");
    patching(at, Patch::Json(steps))
}

/// `POST /fleet/revisions/ID/restore`; the ID may be cut short.
pub fn restore(id: impl ToString, at: &str) -> Command {
    Command::Restore {
        id: id.to_string(),
        path: path(at),
        if_match: None,
        note: String::new(),
    }
}

/// `POST /fleet/conflicts/ID/keep`: the change that lost is made now.
pub fn keep(id: impl ToString) -> Command {
    settle(id, true)
}

/// `POST /fleet/conflicts/ID/drop`: the change that lost is given up.
pub fn give_up(id: impl ToString) -> Command {
    settle(id, false)
}

/// `DELETE /fleet/groups/NAME`
pub fn remove_group(name: &str, force: bool) -> Command {
    Command::RemoveGroup {
        name: name.to_owned(),
        force,
        note: String::new(),
    }
}

/// `POST /fleet/drift/FILE/adopt`
pub fn adopt(name: &str) -> Command {
    Command::AdoptDrift {
        name: name.to_owned(),
        if_match: None,
        note: String::new(),
    }
}

/// The same of another group's document; a change goes to no other host.
pub fn of_group(group: &str, ask: impl Into<Ask>) -> Ask {
    ask.into().of_group(group.to_owned())
}

/// `PUT /config/routes` of another group, which goes to a host of it with a body of so many bytes.
pub fn put_forwarded(group: &str, bytes: usize) -> Ask {
    let mut body = b"[]".to_vec();
    body.resize(bytes, b' ');
    let request = ForwardedRequest {
        group: group.to_owned(),
        method: "PUT".to_owned(),
        target: "/config/routes".to_owned(),
        headers: Vec::new(),
        body,
    };
    let change = put("/config/routes", Value::Array(Vec::new()));
    Ask::Command {
        group: Some(group.to_owned()),
        command: Command::Write(change),
        forwarded: Some(Box::new(request)),
    }
}

/// What a client is told who is refused.
pub fn problem(answer: Answer) -> Said {
    match answer {
        Answer::Denied(denial) => said(&denial),
        other => panic!("no problem, but {other:?}"),
    }
}

fn settle(id: impl ToString, keep: bool) -> Command {
    Command::Settle {
        id: id.to_string(),
        keep,
        if_match: None,
        note: String::new(),
    }
}

fn change(at: &str, change: Edit) -> Change {
    let path = path(at);
    Change {
        op: Op { path, change },
        if_match: None,
        note: String::new(),
        settles: Vec::new(),
    }
}

fn patching(at: &str, patch: Patch) -> Patching {
    Patching {
        path: path(at),
        patch,
        if_match: None,
        note: String::new(),
        settles: Vec::new(),
    }
}
