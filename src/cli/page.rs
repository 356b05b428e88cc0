//! What is printed for people: tables, times, short IDs, and foreign text made harmless for
//! terminals.
//!
//! The daemon may be older or newer than this program, and peers may say anything: what is missing
//! is shown as `-`, and control characters are spelt out. Nothing here asks anybody.

use std::env;
use std::fmt::Write;

use crate::daemon::logger::{deceives, one_line};
use crate::model::date::date;
use crate::model::json::{self, Value};

/// The width of the terminal, if the user has said it.
pub(super) fn width() -> Option<usize> {
    env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
}

/// The page, its lines cut at `width` characters if that is known.
pub(super) fn fit(page: &str, width: Option<usize>) -> String {
    match width {
        Some(width) => page.lines().map(|line| cut(line, width) + "\n").collect(),
        None => page.to_owned(),
    }
}

/// Rows one below another, columns as wide as their widest cell.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let line = |row: &[String; N]| {
        let cells: String = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}  "))
            .collect();
        format!("{}\n", cells.trim_end())
    };
    rows.iter().map(line).collect()
}

/// What stands at a pointer, for people; `-` if nothing does.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).map_or("-".to_owned(), scalar)
}

/// The last characters of a peer ID: the first are the same for all.
pub(super) fn ending(id: &str) -> String {
    let from = id
        .char_indices()
        .rev()
        .nth(SHORT - 1)
        .map_or(0, |(at, _)| at);
    id[from..].to_owned()
}

/// Who somebody is: the name, which anybody may take, and the end of the peer ID, which nobody else
/// can have.
pub(super) fn person(value: &Value, name: &str, id: &str) -> String {
    let (name, id) = (text(value, name), text(value, id));
    match (&name[..], &id[..]) {
        (_, "-") => name,
        ("-", _) => ending(&id),
        // Who has not said a name is called by the end of its ID already.
        (name, id) if name.strip_prefix('…').is_some_and(|end| id.ends_with(end)) => {
            name.to_owned()
        }
        (name, id) => format!("{name} ({})", ending(id)),
    }
}

/// JSON as it came, for a terminal too: what [`deceives`] is written as its code, which means the
/// same to programs.
pub(super) fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' | '\r' | '\t' => text.push(c),
            c if deceives(c) => {
                write!(text, "\\u{:04x}", u32::from(c)).expect("a String takes everything")
            }
            c => text.push(c),
        }
    }
    text
}

/// A JSON value for people, in one line: a string without quotes, null as `-`.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => one_line(text),
        other => one_line(&json::compact(other)),
    }
}

/// A time: milliseconds since 1970 as a date, in UTC; anything else as it is.
pub(super) fn moment(time: &Value) -> String {
    let Some(ms) = time.as_u64().filter(|ms| *ms < YEAR_9999_MS) else {
        return scalar(time);
    };
    let (days, minutes) = (ms / 86_400_000, ms / 60_000 % 1440);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC",
        minutes / 60,
        minutes % 60
    )
}

/// When a revision was made, by its author's clock; and when it came here, if that was not within a
/// minute of it.
pub(super) fn dated(revision: &Value) -> String {
    let made = revision.get("time").map_or("-".to_owned(), moment);
    let ms = |member: &str| revision.get(member).and_then(Value::as_u64);
    let apart = |(made, came): &(u64, u64)| made.abs_diff(*came) >= 60_000;
    match ms("time").zip(ms("received")).filter(apart) {
        Some(_) => format!(
            "{made} (came {})",
            revision.get("received").map_or("-".to_owned(), moment)
        ),
        None => made,
    }
}

pub(super) fn cut(line: &str, width: usize) -> String {
    match line.char_indices().nth(width) {
        Some(_) if width > 0 => line.chars().take(width - 1).chain(['…']).collect(),
        _ => line.to_owned(),
    }
}

/// The beginning of an ID, as much as people are shown.
pub(super) fn short(value: &Value, pointer: &str) -> String {
    text(value, pointer).chars().take(SHORT).collect()
}

/// A value as JSON in one line.
pub(super) fn compact(value: &Value) -> String {
    one_line(&json::compact(value))
}

/// A colon and the note, if there is one.
pub(super) fn note(value: &Value) -> String {
    value
        .get("note")
        .map(scalar)
        .filter(|note| !note.is_empty())
        .map_or(String::new(), |note| format!(": {note}"))
}

/// Characters of an ID that people are shown.
pub(super) const SHORT: usize = 8;
const YEAR_9999_MS: u64 = 253_370_764_800_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_named_without_what_only_he_can_have() {
        let value = json::parse_own(
            br#"{"name":"gull","id":"12D3KooWaaaaaaaaAAAAAAAA","none":"\u2026AAAAAAAA"}"#,
        )
        .unwrap();
        assert_eq!(person(&value, "/name", "/id"), "gull (AAAAAAAA)");
        assert_eq!(person(&value, "/none", "/id"), "…AAAAAAAA");
        assert_eq!(person(&value, "/nowhere", "/id"), "AAAAAAAA");
        assert_eq!(person(&value, "/name", "/nowhere"), "gull");
    }

    #[test]
    fn json_means_the_same_when_it_is_made_harmless() {
        let json = "{\n\t\"a\": \"x\u{202e}\u{7f}\u{9b}ö\"\r\n}";
        assert_eq!(
            harmless(json),
            "{\n\t\"a\": \"x\\u202e\\u007f\\u009bö\"\r\n}"
        );
        assert_eq!(
            json::parse_own(harmless(json).as_bytes()),
            json::parse_own(json.as_bytes())
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_spaces() {
        let rows =
            [["A", "B", "C"], ["längst", "", ""], ["", "x", "y"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "A       B  C\nlängst\n        x  y\n");
        assert_eq!(fit(&table(&rows), Some(4)), "A  …\nlän…\n   …\n");
    }
}
