//! `conflicts` and `resolve`: the changes that lost, and what is to become of them.
//!
//! All of it is asked of the daemon; what peers wrote is made harmless for terminals.

use super::asking::Daemon;
use super::failure::CommandError;
use super::page::{compact, cut, fit, moment, note, person, short, table, text, width};
use super::{asking, output};
use crate::model::json::Value;

/// Prints the conflicts, oldest first.
pub(super) fn list(daemon: &Daemon, as_json: bool) -> Result<(), CommandError> {
    let answer = daemon.get("/fleet/conflicts")?;
    output::print(&if as_json {
        answer.json_text()
    } else {
        fit(&list_page(&answer.json()?), width())
    })
}

/// Settles a conflict: `keep` makes its edit now, `drop` does not.
pub(super) fn resolve(
    daemon: &Daemon,
    id: &str,
    (keep, drop): (bool, bool),
    note: Option<&str>,
) -> Result<(), CommandError> {
    let id = asking::id(id)?;
    let what = match (keep, drop) {
        (true, false) => "keep",
        (false, true) => "drop",
        _ => {
            return Err(CommandError::Usage(
                "starling resolve: give one of --keep and --drop".to_owned(),
            ));
        }
    };
    let note = asking::note(note)?;
    daemon.post(&format!("/fleet/conflicts/{id}/{what}"), note)?;
    output::print(&format!(
        "{id} is settled: {}\n",
        if keep { "kept" } else { "dropped" }
    ))
}

/// A conflict in one line: what was wanted, by whom, when and why.
pub(super) fn conflict(item: &Value) -> String {
    let author = person(item, "/author_name", "/author");
    format!(
        "{}  {}, by {author}, {}{}",
        short(item, "/id"),
        wanted(item),
        time(item),
        note(item)
    )
}

fn list_page(answer: &Value) -> String {
    let conflicts = answer.as_array().map_or(&[][..], Vec::as_slice);
    if conflicts.is_empty() {
        return "no conflicts\n".to_owned();
    }
    let titles = ["CONFLICT", "AUTHOR", "TIME", "STATE", "EDIT"].map(str::to_owned);
    let row = |item: &Value| {
        let edit = format!("{}{}", wanted(item), note(item));
        [
            short(item, "/id"),
            person(item, "/author_name", "/author"),
            time(item),
            text(item, "/state"),
            edit,
        ]
    };
    table(
        &std::iter::once(titles)
            .chain(conflicts.iter().map(row))
            .collect::<Vec<_>>(),
    )
}

/// What an edit that lost wanted; values that are long are given by their length.
fn wanted(item: &Value) -> String {
    let ops = item
        .get("edit")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let wanted = ops.iter().map(|op| {
        let len = op
            .get("value_len")
            .map(|len| format!("{} bytes", compact(len)));
        let value = op
            .get("value")
            .map(|value| cut(&compact(value), VALUE_WIDTH))
            .or(len);
        let value = value.map_or(String::new(), |value| format!(" = {value}"));
        format!("{} {}{value}", text(op, "/op"), text(op, "/path"))
    });
    let wanted = wanted.collect::<Vec<_>>().join(", ");
    match (wanted.is_empty(), item.get("author")) {
        (true, Some(Value::Null)) => "nothing is known of it".to_owned(),
        (true, _) => "no change".to_owned(),
        (false, _) => wanted,
    }
}

fn time(item: &Value) -> String {
    item.get("time").map_or("-".to_owned(), moment)
}

/// Characters of a value that a conflict is shown with.
const VALUE_WIDTH: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json;

    fn page(text: &str) -> String {
        list_page(&json::parse_own(text.as_bytes()).unwrap())
    }

    #[test]
    fn conflicts_are_listed_with_what_was_wanted() {
        let answer = r#"[
            {"id": "77aabbccddee", "state": "open", "author": "12D3KooWBBBBBBBB", "author_name": "tern", "time": 1763843460000,
             "note": "because", "edit": [{"op": "put", "path": "/config/a", "value": "x\u001b"}, {"op": "delete", "path": "/config/b"}]},
            {"id": "88", "state": "uncontained", "author": "12D3KooWBBBBBBBB", "author_name": "a much longer name", "time": 0, "note": "",
             "edit": [{"op": "append", "path": "/config/c", "value_len": 5000, "value_hash": "00"}]},
            {"id": "99", "state": "open", "author": null, "author_name": null, "time": 0, "note": "", "edit": []},
            {}
        ]"#;
        let expected = "\
CONFLICT  AUTHOR                         TIME                  STATE        EDIT
77aabbcc  tern (BBBBBBBB)                2025-11-22 20:31 UTC  open         put /config/a = \"x\\u001B\", delete /config/b: because
88        a much longer name (BBBBBBBB)  1970-01-01 00:00 UTC  uncontained  append /config/c = 5000 bytes
99        -                              1970-01-01 00:00 UTC  open         nothing is known of it
-         -                              -                     -            no change
";
        assert_eq!(page(answer), expected);
        assert_eq!(page("[]"), "no conflicts\n");
    }
}
