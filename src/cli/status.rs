//! `starling status`: asks the daemon, and prints its answer for people.
//!
//! The answer is that of `GET /fleet`. The daemon may be older or newer than this program: what is
//! missing is left out or shown as `-`, what is unknown is passed over. What peers said of
//! themselves is made harmless for terminals.

use std::fmt::Write;

use super::asking::Daemon;
use super::conflicts::conflict;
use super::drift::paths;
use super::failure::CommandError;
use super::page::{SHORT, dated, ending, fit, person, scalar, text, width};
use super::{nodes, output};
use crate::daemon::logger::one_line;
use crate::model::json::Value;

/// Prints what the daemon says: as it is, or as a table.
pub(super) fn print(daemon: &Daemon, as_json: bool) -> Result<(), CommandError> {
    let reply = daemon.get("/fleet")?;
    if as_json {
        return output::print(&reply.json_text());
    }
    output::print(&page(&reply.json()?, width()))
}

/// The whole page, its rows cut at `width` characters if that is known.
fn page(answer: &Value, width: Option<usize>) -> String {
    let mut page = head(answer);
    page.push_str(&nodes::table(answer));
    for (title, member) in [
        ("conflicts", "conflicts"),
        ("problems", "problems"),
        ("drift", "/group/drift"),
    ] {
        let items = answer
            .pointer(member)
            .or_else(|| answer.get(member))
            .and_then(Value::as_array);
        for (index, item) in items.into_iter().flatten().enumerate() {
            let title = if index == 0 {
                format!("\n{title}:\n")
            } else {
                String::new()
            };
            writeln!(
                page,
                "{title}  {}",
                if member == "conflicts" {
                    conflict(item)
                } else {
                    sentence(item)
                }
            )
            .expect("a String takes everything");
        }
    }
    for (index, file) in answer
        .pointer("/group/kept")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        let title = if index == 0 {
            "\nreplaced on this host's server, and kept:\n"
        } else {
            ""
        };
        writeln!(page, "{title}  {}  {}", text(file, "/file"), paths(file))
            .expect("a String takes everything");
    }
    page.push_str(&elsewhere(answer));
    fit(&page, width)
}

/// What is wrong on other hosts, as they say: with the host itself, and why its server does not run
/// the head.
fn elsewhere(answer: &Value) -> String {
    let nodes = answer
        .get("nodes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let others = nodes.filter(|node| node.get("self") != Some(&Value::Bool(true)));
    let lines = others.flat_map(|node| {
        let said = |member: &str| {
            node.get(member)
                .map(scalar)
                .filter(|words| !words.is_empty() && words != "-")
        };
        let verdict = said("verdict").filter(|verdict| verdict != "applied");
        let detail = said("detail").map(|detail| {
            format!(
                "{}: {detail}",
                verdict.unwrap_or_else(|| "server".to_owned())
            )
        });
        let name = format!("{} ({})", text(node, "/name"), ending(&text(node, "/id")));
        [said("problem"), detail]
            .into_iter()
            .flatten()
            .map(move |words| format!("  {name}: {words}\n"))
    });
    let lines: String = lines.collect();
    if lines.is_empty() {
        lines
    } else {
        format!("\nproblems elsewhere:\n{lines}")
    }
}

/// Fleet and peer; head; what this host's server makes of it.
fn head(answer: &Value) -> String {
    let fleet = text(answer, "/fleet/name");
    let peer = text(answer, "/peer/name");
    let group = text(answer, "/group/name");
    let id = ending(&text(answer, "/peer/id"));
    let waiting = if answer.pointer("/peer/joined") == Some(&Value::Bool(false)) {
        ", waiting to meet the fleet"
    } else {
        ""
    };
    let mut lines = format!("fleet {fleet}, host {peer} ({id}), group {group}{waiting}\n");
    match answer
        .pointer("/group/head")
        .filter(|head| head.is_object())
    {
        None => lines.push_str("no head yet: nothing was ever changed\n"),
        Some(head) => {
            let id: String = text(head, "/id").chars().take(SHORT).collect();
            let author = person(head, "/author_name", "/author");
            let time = dated(head);
            let height = text(head, "/height");
            let note = head
                .get("note")
                .map(scalar)
                .filter(|note| !note.is_empty())
                .map_or(String::new(), |note| format!(": {note}"));
            writeln!(
                lines,
                "head {id}, height {height}, by {author}, {time}{note}"
            )
            .expect("a String takes everything");
        }
    }
    if let Some(verdict) = answer.pointer("/group/verdict") {
        let detail = answer
            .pointer("/group/detail")
            .map(scalar)
            .filter(|detail| !detail.is_empty() && detail != "-");
        let detail = detail.map_or(String::new(), |detail| format!(": {detail}"));
        writeln!(lines, "here: {}{detail}", scalar(verdict)).expect("a String takes everything");
    }
    lines
}

/// An item of a list: text as it is, an object as its members.
fn sentence(item: &Value) -> String {
    match item {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| format!("{} {}", one_line(name), scalar(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => scalar(other),
    }
}

#[cfg(test)]
mod tests;
