//! The table of peers in `starling status`: one row each, columns as wide as their widest cell.
//!
//! It decides what a person is shown of a node, and in which words. It asks nobody and relies on nothing: what is missing from
//! the answer is shown as `-`.

use super::page::{self, ending, scalar, text};
use crate::model::json::Value;

/// The table, preceded by an empty line; nothing if the answer has no nodes.
pub(super) fn table(answer: &Value) -> String {
    let nodes = answer.get("nodes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if nodes.is_empty() {
        return String::new();
    }
    let titles = ["NAME", "PEER", "CONTACT", "GROUP", "SERVER", "VERDICT"].map(str::to_owned);
    let rows: Vec<Row> = std::iter::once(titles).chain(nodes.iter().map(|node| row(answer, node))).collect();
    format!("\n{}", page::table(&rows))
}

type Row = [String; COLUMNS];
const COLUMNS: usize = 6;

fn row(answer: &Value, node: &Value) -> Row {
    let id = text(node, "/id");
    let contact = match node.get("linked") {
        _ if answer.pointer("/peer/id").map(scalar).as_ref() == Some(&id) => "this host".to_owned(),
        Some(Value::Bool(true)) => "linked".to_owned(),
        _ => node.get("age_ms").and_then(Value::as_u64).map_or("-".to_owned(), |ms| format!("seen {} ago", span(ms))),
    };
    let verdict = node.get("verdict").map_or(String::new(), scalar);
    [text(node, "/name"), ending(&id), contact, text(node, "/group"), server(node).to_owned(), verdict]
}

/// Whether the server runs what the fleet wants: desired is not applied.
fn server(node: &Value) -> &'static str {
    let is_set = |member: &str| node.get(member).filter(|value| !value.is_null());
    match (is_set("desired"), is_set("applied"), node.get("drift")) {
        _ if node.get("server") == Some(&Value::Bool(false)) => "-",
        (_, _, Some(Value::Bool(true))) => "drift",
        (Some(desired), Some(applied), _) if desired == applied => "in step",
        (Some(_), _, _) => "behind",
        (None, _, _) => "-",
    }
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
