//! The table of hosts in `starling status`: one row each, columns as wide as their widest cell.
//!
//! It decides what a person is shown of a host, and in which words: how it stands to the head shown
//! above, in the one word that the daemon has for it, what its server runs, and how old the news is
//! that this rests on. It asks nobody and relies on nothing: what is missing from the answer is
//! shown as `-`, what is not known as `unknown`.

use super::page::{self, ending, scalar, short, text};
use crate::model::json::Value;

/// The table, preceded by an empty line; nothing if the answer has no hosts. This host comes first,
/// then those that are not in step, then the others, each by name.
pub(super) fn table(answer: &Value) -> String {
    let nodes = answer
        .get("nodes")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let known: Vec<String> = nodes.iter().map(|node| text(node, "/id")).collect();
    let links = answer
        .get("links")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    // A host that has linked and not yet said anything of itself.
    let silent = links
        .iter()
        .filter(|link| !known.contains(&text(link, "/peer")));
    let mut rows: Vec<Row> = nodes
        .iter()
        .map(|node| row(answer, node))
        .chain(silent.map(silent_row))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by_cached_key(|row| {
        (
            row[CONTACT] != THIS_HOST,
            row[STATE] == IN_STEP,
            row[NAME].clone(),
            row[PEER].clone(),
        )
    });
    rows.insert(
        0,
        ["NAME", "PEER", "STATE", "RUNS", "NEWS", "CONTACT", "GROUP"].map(str::to_owned),
    );
    format!("\n{}", page::table(&rows))
}

type Row = [String; COLUMNS];
const COLUMNS: usize = 7;
const NAME: usize = 0;
const PEER: usize = 1;
const STATE: usize = 2;
const CONTACT: usize = 5;

fn row(answer: &Value, node: &Value) -> Row {
    let id = text(node, "/id");
    let is_self = answer.pointer("/peer/id").map(scalar).as_ref() == Some(&id);
    let contact = match node.get("linked") {
        _ if is_self => THIS_HOST,
        Some(Value::Bool(true)) => "linked",
        _ => "-",
    };
    let state = node.get("state").map_or("unknown".to_owned(), scalar);
    let runs = if node.get("server") == Some(&Value::Bool(false)) {
        "no server".to_owned()
    } else {
        short(node, "/applied")
    };
    let news = node
        .get("age_ms")
        .and_then(Value::as_u64)
        .filter(|_| !is_self);
    let news = if is_self {
        "now".to_owned()
    } else {
        news.map_or("-".to_owned(), |ms| format!("{} ago", span(ms)))
    };
    [
        text(node, "/name"),
        ending(&id),
        state,
        runs,
        news,
        contact.to_owned(),
        text(node, "/group"),
    ]
}

fn silent_row(link: &Value) -> Row {
    let peer = ending(&text(link, "/peer"));
    let [state, contact, nothing] = ["unknown", "linked", "-"].map(str::to_owned);
    [
        text(link, "/name"),
        peer,
        state,
        nothing.clone(),
        nothing.clone(),
        contact,
        nothing,
    ]
}

/// A length of time in its largest unit.
fn span(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

const THIS_HOST: &str = "this host";
/// The word for a host that nothing is to be done about.
const IN_STEP: &str = "in step";
