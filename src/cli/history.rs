//! `log`, `show`, `diff`, `blame` and `restore`: the history, for people.
//!
//! All of it is asked of the daemon. What authors wrote into notes, names and documents is made
//! harmless for terminals.

use std::fmt::Write;

use super::asking::Daemon;
use super::failure::CommandError;
use super::page::{compact, dated, fit, note, person, scalar, short, table, text, width};
use super::{asking, output};
use crate::daemon::logger::one_line;
use crate::model::json::{self, Value};

/// Prints the revisions that are kept, newest first.
pub(super) fn log(daemon: &Daemon, as_json: bool) -> Result<(), CommandError> {
    let answer = daemon.get("/fleet/revisions")?;
    if as_json {
        return output::print(&answer.json_text());
    }
    let page = log_page(&answer.json()?);
    output::print(&fit(&(page + &last_line(answer.older())), width()))
}

/// Prints one revision with its document.
pub(super) fn show(daemon: &Daemon, id: &str, as_json: bool) -> Result<(), CommandError> {
    let answer = daemon.get(&format!("/fleet/revisions/{}", asking::id(id)?))?;
    output::print(&if as_json {
        answer.json_text()
    } else {
        show_page(&answer.json()?)
    })
}

/// Prints what leads from `from` to `to`, or to `from` if that is the only one.
pub(super) fn diff(
    daemon: &Daemon,
    from: &str,
    to: &str,
    as_json: bool,
) -> Result<(), CommandError> {
    let from = asking::id(from)?;
    let target = match to {
        "" => format!("/fleet/revisions/{from}?diff"),
        to => format!("/fleet/revisions/{}?diff={from}", asking::id(to)?),
    };
    let answer = daemon.get(&target)?;
    output::print(&if as_json {
        answer.json_text()
    } else {
        fit(&diff_page(&answer.json()?), width())
    })
}

/// Prints since which revision the value at a path stands.
pub(super) fn blame(daemon: &Daemon, path: &str, as_json: bool) -> Result<(), CommandError> {
    let answer = daemon.get(&format!("/fleet/blame{}", asking::path(path)?))?;
    if as_json {
        return output::print(&answer.json_text());
    }
    let said = answer.json()?;
    let older = answer.older().filter(|_| text(&said, "/reach") == "kept");
    output::print(&fit(&(blame_page(&said) + &last_line(older)), width()))
}

/// Publishes the content of an old revision again.
pub(super) fn restore(
    daemon: &Daemon,
    id: &str,
    path: Option<&str>,
    note: Option<&str>,
) -> Result<(), CommandError> {
    let id = asking::id(id)?;
    let query = path
        .map(asking::path)
        .transpose()?
        .map_or(String::new(), |path| format!("?path={path}"));
    let note = asking::note(note)?;
    let answer = daemon.post(&format!("/fleet/revisions/{id}/restore{query}"), note)?;
    let done = if answer.is_unchanged() {
        "nothing differs: the document is as it was\n".to_owned()
    } else {
        format!("restored from {id}\n")
    };
    output::print(&(done + &super::drift::kept(&answer)))
}

fn log_page(answer: &Value) -> String {
    let revisions = answer.as_array().map_or(&[][..], Vec::as_slice);
    if revisions.is_empty() {
        return "nothing was ever changed\n".to_owned();
    }
    let titles = ["REVISION", "AUTHOR", "TIME", "BYTES", "CHANGE"].map(str::to_owned);
    let row = |revision: &Value| {
        let change = format!("{}{}", change(revision), note(revision));
        [
            short(revision, "/id"),
            author(revision),
            time(revision),
            text(revision, "/size"),
            change,
        ]
    };
    table(
        &std::iter::once(titles)
            .chain(revisions.iter().map(row))
            .collect::<Vec<_>>(),
    )
}

fn show_page(revision: &Value) -> String {
    let marks = ["untried", "guarded", "removed"]
        .into_iter()
        .filter(|mark| revision.get(*mark) == Some(&Value::Bool(true)));
    let mut page = String::new();
    for (title, words) in [
        ("revision", text(revision, "/id")),
        ("base", text(revision, "/base")),
        ("height", text(revision, "/height")),
        ("author", author(revision)),
        ("time", time(revision)),
        ("note", text(revision, "/note")),
        ("bytes", text(revision, "/size")),
        ("marks", marks.collect::<Vec<_>>().join(", ")),
        ("change", change(revision)),
    ] {
        if !words.is_empty() {
            writeln!(page, "{title:<8}  {words}").expect("a String takes everything");
        }
    }
    let document = json::unit_format(revision.get("document").unwrap_or(&Value::Null));
    page.push('\n');
    for line in document.lines() {
        let text = line.trim_start_matches('\t');
        writeln!(
            page,
            "{}{}",
            "    ".repeat(line.len() - text.len()),
            one_line(text)
        )
        .expect("a String takes everything");
    }
    page
}

fn diff_page(answer: &Value) -> String {
    let named = |end: &str| match answer.get(end) {
        Some(revision @ Value::Object(_)) => format!(
            "{} by {}, {}",
            short(revision, "/id"),
            author(revision),
            time(revision)
        ),
        _ => "nothing: the first revision of all".to_owned(),
    };
    let mut page = format!("from  {}\nto    {}\n", named("from"), named("to"));
    let changes = answer
        .get("changes")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if changes.is_empty() {
        page.push_str("\nno difference\n");
    }
    for change in changes {
        writeln!(
            page,
            "\n{} {}",
            text(change, "/what"),
            text(change, "/path")
        )
        .expect("a String takes everything");
        for (sign, side) in [("-", "old"), ("+", "new")] {
            let len = change
                .get(&format!("{side}_len"))
                .map(|len| format!("{} bytes, too long to be shown", scalar(len)));
            if let Some(value) = change.get(side).map(compact).or(len) {
                writeln!(page, "  {sign} {value}").expect("a String takes everything");
            }
        }
    }
    page
}

fn blame_page(answer: &Value) -> String {
    let revision = answer.get("revision").unwrap_or(&Value::Null);
    let named = format!(
        "{} by {}, {}{}",
        short(revision, "/id"),
        author(revision),
        time(revision),
        note(revision)
    );
    let words = match &text(answer, "/reach")[..] {
        "set" => "",
        "first" => "that is the first revision of all: the server may have run it before\n",
        "read" => "it is older than that; so many long revisions are not read at once\n",
        _ => "it is older than that\n",
    };
    let value = answer.get("value").map_or(String::new(), compact);
    format!(
        "{} = {value}\nsince {named}\n  {}\n{words}",
        text(answer, "/path"),
        change(revision)
    )
}

/// Who asked for what a revision does; of a note, who listed it.
fn author(revision: &Value) -> String {
    match revision
        .get("edit_author_name")
        .filter(|_| !is_note(revision))
    {
        Some(_) => person(revision, "/edit_author_name", "/edit_author"),
        None => person(revision, "/author_name", "/author"),
    }
}

fn is_note(revision: &Value) -> bool {
    text(revision, "/kind") == "note"
}

fn time(revision: &Value) -> String {
    dated(revision)
}

/// The change that a revision makes, in words.
fn change(revision: &Value) -> String {
    let edit = revision
        .get("edit")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if is_note(revision) {
        let (id, author) = (
            short(revision, "/edit_id"),
            person(revision, "/edit_author_name", "/edit_author"),
        );
        return format!("listed {id} by {author} as conflict: {}", operations(edit));
    }
    let settled = revision
        .get("settled")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let settled = settled
        .iter()
        .map(|id| format!("settled {}", short(id, "")));
    let mut words: Vec<String> = Some(operations(edit))
        .filter(|words| !words.is_empty())
        .into_iter()
        .chain(settled)
        .collect();
    if text(revision, "/kind") == "replay" {
        words.push(format!(
            "replayed by {}",
            person(revision, "/author_name", "/author")
        ));
    }
    let beaten = if revision.get("beaten") == Some(&Value::Bool(true)) {
        " (beaten)"
    } else {
        ""
    };
    words.join(", ") + beaten
}

/// The paths that an edit adds, replaces and removes, the first few by name.
fn operations(edit: &[Value]) -> String {
    let word = |operation: &Value| match (
        &text(operation, "/op")[..],
        &text(operation, "/found/is")[..],
    ) {
        ("put", "absent") => "added".to_owned(),
        ("put", _) => "replaced".to_owned(),
        ("append", _) => "added to".to_owned(),
        ("delete", _) => "removed".to_owned(),
        (other, _) => other.to_owned(),
    };
    let words = edit
        .iter()
        .take(OPERATIONS_SHOWN)
        .map(|operation| format!("{} {}", word(operation), text(operation, "/path")));
    let more = edit.len().saturating_sub(OPERATIONS_SHOWN);
    words
        .chain((more > 0).then(|| format!("and {more} more")))
        .collect::<Vec<_>>()
        .join(", ")
}

fn last_line(words: Option<&str>) -> String {
    words.map_or(String::new(), |words| format!("{words}\n"))
}

/// Operations of an edit that are named; a page shows where to look, `diff` shows all.
const OPERATIONS_SHOWN: usize = 4;

#[cfg(test)]
mod tests;
