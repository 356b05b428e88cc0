//! The head line of a revision's body: one line of JSON with the edit, the conflicts that it
//! settles, the open conflicts, the floor and the ledger.
//!
//! Whatever is missing, of the wrong type or out of its own bounds is refused here; what must hold
//! between the head line and the record's header is judged in [`super::Revision::decode`].

use std::collections::BTreeMap;

use super::{BadBody, Edit, Origin};
use crate::limits::{
    EDIT_TEXT_MAX, HEAD_VALUES_MAX, HEIGHT_LIMIT, OPEN_LISTED_MAX, OPERATIONS_MAX,
};
use crate::model::conflict::OpenConflict;
use crate::model::json::{self, Value, object};
use crate::model::ledger::{EditRef, Ledger};
use crate::model::operation::Operation;
use crate::model::peer_id::PeerId;

/// A head line, decoded.
pub(super) struct HeadLine {
    pub edit: Edit,
    pub settled: Vec<EditRef>,
    pub open: BTreeMap<EditRef, OpenConflict>,
    pub ledger: Ledger,
}

impl HeadLine {
    pub fn read(line: &[u8]) -> Result<Self, BadBody> {
        let head = json::parse_own_within(line, HEAD_VALUES_MAX).map_err(BadBody::Head)?;
        let edit = edit_from(member(&head, "edit")?)?;
        let settled = refs_from(member(&head, "settled")?, OPEN_LISTED_MAX)
            .ok_or(BadBody::Member("settled"))?;
        let open = open_from(member(&head, "open")?).ok_or(BadBody::Member("open"))?;
        let floor = member(&head, "floor")?
            .as_u64()
            .filter(|floor| *floor < HEIGHT_LIMIT)
            .ok_or(BadBody::Member("floor"))?;
        let ledger = member(&head, "ledger")?
            .as_str()
            .and_then(|text| Ledger::from_text(floor, text))
            .ok_or(BadBody::Member("ledger"))?;
        Ok(Self {
            edit,
            settled,
            open,
            ledger,
        })
    }
}

/// The head line of a body. The ledger stands last, next to the document: [`delta`] relies on it.
pub(super) fn text(
    edit: &Edit,
    settled: &[EditRef],
    open: &BTreeMap<EditRef, OpenConflict>,
    ledger: &Ledger,
) -> String {
    let settled: Vec<String> = settled.iter().map(|edit| format!("\"{edit}\"")).collect();
    let open: Vec<String> = open
        .iter()
        .map(|(edit, conflict)| json::compact(&conflict.to_json(edit)))
        .collect();
    format!(
        "{{\"edit\":{},\"settled\":[{}],\"open\":[{}],\"floor\":{},\"ledger\":\"{}\"}}",
        json::compact(&edit_to(edit)),
        settled.join(","),
        open.join(","),
        ledger.floor(),
        ledger.text(),
    )
}

fn edit_to(edit: &Edit) -> Value {
    let kind = match &edit.origin {
        Origin::Original => "original",
        Origin::Replay(..) => "replay",
        Origin::Note(..) => "note",
    };
    let mut members = object! { "kind": kind };
    if let Origin::Replay(of, author) | Origin::Note(of, author) = &edit.origin {
        members.extend(object! { "of": of.to_string(), "author": author.to_string() });
    }
    members.extend(
        object! { "ops": edit.operations.iter().map(Operation::to_json).collect::<Vec<_>>() },
    );
    Value::Object(members)
}

/// The operations' part of an edit as it stands in a body, in bytes of compact text.
pub(super) fn operations_len(edit: &Edit) -> usize {
    ops_len(&edit_to(edit))
}

fn ops_len(edit: &Value) -> usize {
    edit.get("ops").map_or(0, |ops| json::compact(ops).len())
}

fn edit_from(value: &Value) -> Result<Edit, BadBody> {
    let of = value
        .get("of")
        .and_then(Value::as_str)
        .and_then(EditRef::parse);
    let author = value
        .get("author")
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<PeerId>().ok());
    let origin = match (value.get("kind").and_then(Value::as_str), of, author) {
        (Some("original"), None, None) => Origin::Original,
        (Some("replay"), Some(of), Some(author)) => Origin::Replay(of, author),
        (Some("note"), Some(of), Some(author)) => Origin::Note(of, author),
        _ => return Err(BadBody::Member("edit")),
    };
    let ops = value
        .get("ops")
        .and_then(Value::as_array)
        .filter(|ops| ops.len() <= OPERATIONS_MAX);
    let operations = ops.and_then(|ops| {
        ops.iter()
            .map(Operation::from_json)
            .collect::<Option<Vec<_>>>()
    });
    if ops_len(value) > EDIT_TEXT_MAX {
        return Err(BadBody::Member("ops"));
    }
    Ok(Edit {
        origin,
        operations: operations.ok_or(BadBody::Member("ops"))?,
    })
}

fn open_from(list: &Value) -> Option<BTreeMap<EditRef, OpenConflict>> {
    let list = list
        .as_array()
        .filter(|list| list.len() <= OPEN_LISTED_MAX)?;
    list.iter().map(OpenConflict::from_json).collect()
}

fn member<'a>(head: &'a Value, name: &'static str) -> Result<&'a Value, BadBody> {
    head.get(name).ok_or(BadBody::Member(name))
}

fn refs_from(value: &Value, most: usize) -> Option<Vec<EditRef>> {
    let list = value.as_array().filter(|list| list.len() <= most)?;
    list.iter()
        .map(|entry| entry.as_str().and_then(EditRef::parse))
        .collect()
}
