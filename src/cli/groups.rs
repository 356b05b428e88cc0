//! `groups`: the groups that share the fleet.
//!
//! The answer is that of `GET /fleet/groups`. What peers said of themselves is made harmless for terminals.

use super::Failure;
use super::asking::Daemon;
use super::page::{fit, moment, person, short, table, text, width};
use crate::model::json::Value;

/// Prints each group with its head and what has become of it.
pub(super) fn list(daemon: &Daemon, as_json: bool) -> Result<(), Failure> {
    let answer = daemon.get("/fleet/groups")?;
    super::print(&if as_json { answer.json_text() } else { fit(&page(&answer.json()?), width()) })
}

fn page(answer: &Value) -> String {
    let groups = answer.as_array().map_or(&[][..], Vec::as_slice);
    let titles = ["GROUP", "HEAD", "HEIGHT", "AUTHOR", "TIME", "HOSTS", "APPLIED", "CONFLICTS"].map(str::to_owned);
    let row = |group: &Value| {
        let head = group.get("head").unwrap_or(&Value::Null);
        let mark = if group.get("own") == Some(&Value::Bool(true)) { " (here)" } else { "" };
        let time = head.get("time").map_or("-".to_owned(), moment);
        let counts = ["/hosts", "/applied", "/conflicts"].map(|count| text(group, count));
        let [hosts, applied, conflicts] = counts;
        let (height, author) = (text(head, "/height"), person(head, "/author_name", "/author"));
        [text(group, "/name") + mark, short(head, "/id"), height, author, time, hosts, applied, conflicts]
    };
    table(&std::iter::once(titles).chain(groups.iter().map(row)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json;

    #[test]
    fn groups_are_listed_with_their_heads() {
        let answer = r#"[
            {"name": "default", "own": true, "hosts": 3, "applied": 2, "conflicts": 1,
             "head": {"id": "77aabbccddee", "height": 4, "author_name": "tern", "time": 1763843460000}},
            {"name": "edge", "own": false, "hosts": 1, "applied": 0, "conflicts": 0, "head": null}
        ]"#;
        let expected = "\
GROUP           HEAD      HEIGHT  AUTHOR  TIME                  HOSTS  APPLIED  CONFLICTS
default (here)  77aabbcc  4       tern    2025-11-22 20:31 UTC  3      2        1
edge            -         -       -       -                     1      0        0
";
        assert_eq!(page(&json::parse_own(answer.as_bytes()).unwrap()), expected);
    }
}
