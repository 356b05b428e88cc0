//! `starling status`: asks the daemon, and prints its answer for people.
//!
//! The answer is that of `GET /fleet`. The daemon may be older or newer than this program: what is missing is left out or shown as `-`,
//! what is unknown is passed over. What peers said of themselves is made harmless for terminals.

use std::env;
use std::fmt::Write;

use super::{Failure, nodes};
use crate::daemon::logger::one_line;
use crate::daemon::unit;
use crate::model::json::{self, Value};
use crate::settings::Settings;

/// Prints what the daemon says: as it is, or as a table.
pub(super) fn print(settings: &Settings, as_json: bool) -> Result<(), Failure> {
    let control = settings.control.display();
    let unreachable = |error| Failure::Failed(format!("{error}; is `starling run` running here?"));
    let reply = unit::get(&settings.control, "/fleet").map_err(unreachable)?;
    let words = String::from_utf8_lossy(&reply.body);
    if reply.status != 200 {
        return Err(Failure::Failed(format!("{control}: answered {}: {}", reply.status, one_line(words.trim()))));
    }
    if as_json {
        return super::print(&words);
    }
    let answer =
        json::parse_own(&reply.body).map_err(|error| Failure::Failed(format!("{control}: answered no JSON: {error}")))?;
    super::print(&page(&answer, env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok())))
}

/// The whole page, its rows cut at `width` characters if that is known.
fn page(answer: &Value, width: Option<usize>) -> String {
    let mut page = head(answer);
    page.push_str(&nodes::table(answer));
    for (title, member) in [("conflicts", "conflicts"), ("problems", "problems"), ("drift", "/group/drift")] {
        let items = answer.pointer(member).or_else(|| answer.get(member)).and_then(Value::as_array);
        for (index, item) in items.into_iter().flatten().enumerate() {
            let title = if index == 0 { format!("\n{title}:\n") } else { String::new() };
            writeln!(page, "{title}  {}", if member == "conflicts" { conflict(item) } else { sentence(item) })
                .expect("a String takes everything");
        }
    }
    page.push_str(&elsewhere(answer));
    match width {
        Some(width) => page.lines().map(|line| cut(line, width) + "\n").collect(),
        None => page,
    }
}

/// What is wrong on other hosts, as they say.
fn elsewhere(answer: &Value) -> String {
    let nodes = answer.get("nodes").and_then(Value::as_array).into_iter().flatten();
    let others = nodes.filter(|node| node.get("self") != Some(&Value::Bool(true)));
    let lines = others.filter_map(|node| {
        let problem = node.get("problem").map(scalar).filter(|problem| !problem.is_empty() && problem != "-")?;
        Some(format!("  {} ({}): {problem}\n", text(node, "/name"), ending(&text(node, "/id"))))
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\nproblems elsewhere:\n{lines}") }
}

/// Fleet and peer; head; what this host's server makes of it.
fn head(answer: &Value) -> String {
    let fleet = text(answer, "/fleet/name");
    let peer = text(answer, "/peer/name");
    let group = text(answer, "/group/name");
    let id = ending(&text(answer, "/peer/id"));
    let waiting = if answer.pointer("/peer/joined") == Some(&Value::Bool(false)) { ", waiting to meet the fleet" } else { "" };
    let mut lines = format!("fleet {fleet}, host {peer} ({id}), group {group}{waiting}\n");
    match answer.pointer("/group/head").filter(|head| head.is_object()) {
        None => lines.push_str("no head yet: nothing was ever changed\n"),
        Some(head) => {
            let id: String = text(head, "/id").chars().take(SHORT).collect();
            let author =
                if head.get("author_name").is_some() { text(head, "/author_name") } else { ending(&text(head, "/author")) };
            let time = head.get("time").map_or("-".to_owned(), moment);
            let height = text(head, "/height");
            let note =
                head.get("note").map(scalar).filter(|note| !note.is_empty()).map_or(String::new(), |note| format!(": {note}"));
            writeln!(lines, "head {id}, height {height}, by {author}, {time}{note}").expect("a String takes everything");
        }
    }
    if let Some(verdict) = answer.pointer("/group/verdict") {
        let detail = answer.pointer("/group/detail").map(scalar).filter(|detail| !detail.is_empty() && detail != "-");
        let detail = detail.map_or(String::new(), |detail| format!(": {detail}"));
        writeln!(lines, "here: {}{detail}", scalar(verdict)).expect("a String takes everything");
    }
    lines
}

/// What stands at a pointer, for people; `-` if nothing does.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).map_or("-".to_owned(), scalar)
}

/// The last characters of a peer ID: the first are the same for all.
pub(super) fn ending(id: &str) -> String {
    let from = id.char_indices().rev().nth(SHORT - 1).map_or(0, |(at, _)| at);
    id[from..].to_owned()
}

/// A value in one line.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => one_line(text),
        other => one_line(&json::compact(other)),
    }
}

/// An item of a list: text as it is, an object as its members.
fn sentence(item: &Value) -> String {
    match item {
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{} {}", one_line(name), scalar(value))).collect::<Vec<_>>().join(", ")
        }
        other => scalar(other),
    }
}

/// A conflict: what was wanted, by whom, when and why.
fn conflict(item: &Value) -> String {
    let ops = item.get("edit").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let wanted = ops.iter().map(|op| {
        let value = op.get("value").map_or(String::new(), |value| format!(" = {}", cut(&scalar(value), VALUE_WIDTH)));
        format!("{} {}{value}", text(op, "/op"), text(op, "/path"))
    });
    let wanted = wanted.collect::<Vec<_>>().join(", ");
    let id: String = text(item, "/id").chars().take(SHORT).collect();
    let time = item.get("time").map_or("-".to_owned(), moment);
    let note = item.get("note").map(scalar).filter(|note| !note.is_empty()).map_or(String::new(), |note| format!(": {note}"));
    format!("{id}  {wanted}, by {} ({}), {time}{note}", text(item, "/author_name"), ending(&text(item, "/author")))
}

/// A time: milliseconds since 1970 as a date, in UTC; anything else as it is.
fn moment(time: &Value) -> String {
    let Some(ms) = time.as_u64().filter(|ms| *ms < YEAR_9999_MS) else { return scalar(time) };
    let (days, minutes) = (ms / 86_400_000, ms / 60_000 % 1440);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

/// The Gregorian date, so many days after 1970-01-01. By counting from a 1 March, leap days are last in their years, and every stretch
/// of 400 years is alike (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn cut(line: &str, width: usize) -> String {
    match line.char_indices().nth(width) {
        Some(_) if width > 0 => line.chars().take(width - 1).chain(['…']).collect(),
        _ => line.to_owned(),
    }
}

/// Characters of an ID that people are shown.
const SHORT: usize = 8;
/// Characters of a value that a conflict is shown with.
const VALUE_WIDTH: usize = 60;
const YEAR_9999_MS: u64 = 253_370_764_800_000;

#[cfg(test)]
mod tests;
