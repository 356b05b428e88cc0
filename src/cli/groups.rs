//! `groups`: the groups that share the fleet, and how one goes.
//!
//! The answer is that of `GET /fleet/groups`. What peers said of themselves is made harmless for
//! terminals.

use super::asking::{Daemon, note};
use super::failure::CommandError;
use super::output;
use super::page::{fit, moment, person, short, table, text, width};
use crate::model::json::Value;
use crate::model::name::is_name;

/// Prints each group with its head and what has become of it. There are options that go with a
/// removal only.
pub(super) fn list(
    daemon: &Daemon,
    (force, given): (bool, Option<&str>),
    as_json: bool,
) -> Result<(), CommandError> {
    if force || given.is_some() {
        return Err(CommandError::Usage(
            "starling groups: --force and --note go with remove only".to_owned(),
        ));
    }
    let answer = daemon.get("/fleet/groups")?;
    output::print(&if as_json {
        answer.json_text()
    } else {
        fit(&page(&answer.json()?), width())
    })
}

/// `starling groups remove`: removes a group from the fleet.
pub(super) fn remove(
    daemon: &Daemon,
    (what, name): (&str, &str),
    (force, given): (bool, Option<&str>),
    as_json: bool,
) -> Result<(), CommandError> {
    match (what, name) {
        ("remove", "") => {
            return Err(CommandError::Usage(
                "starling groups remove: which group? name one".to_owned(),
            ));
        }
        ("remove", name) if is_name(name) => {}
        ("remove", name) => {
            return Err(CommandError::Usage(format!(
                "starling groups remove: {name:?} is no name of a group"
            )));
        }
        (other, _) => {
            return Err(CommandError::Usage(format!(
                "starling groups: {other:?}: expected remove"
            )));
        }
    }
    let force = if force { "?force" } else { "" };
    let answer = daemon.delete(&format!("/fleet/groups/{name}{force}"), note(given)?)?;
    output::print(&match answer.is_unchanged() {
        _ if as_json => answer.json_text(),
        true => format!("there was nothing to do: group {name} is removed already\n"),
        false => format!("group {name} is removed\n"),
    })
}

fn page(answer: &Value) -> String {
    let groups = answer.as_array().map_or(&[][..], Vec::as_slice);
    let titles = [
        "GROUP",
        "HEAD",
        "HEIGHT",
        "AUTHOR",
        "TIME",
        "HOSTS",
        "APPLIED",
        "CONFLICTS",
    ]
    .map(str::to_owned);
    let row = |group: &Value| {
        let head = group.get("head").unwrap_or(&Value::Null);
        let is = |member| group.get(member) == Some(&Value::Bool(true));
        let mark = if is("own") { " (here)" } else { "" };
        let mark = if is("removed") { " (removed)" } else { mark };
        let time = head.get("time").map_or("-".to_owned(), moment);
        let counts = ["/hosts", "/applied", "/conflicts"].map(|count| text(group, count));
        let [hosts, applied, conflicts] = counts;
        let (height, author) = (
            text(head, "/height"),
            person(head, "/author_name", "/author"),
        );
        [
            text(group, "/name") + mark,
            short(head, "/id"),
            height,
            author,
            time,
            hosts,
            applied,
            conflicts,
        ]
    };
    table(
        &std::iter::once(titles)
            .chain(groups.iter().map(row))
            .collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json;

    #[test]
    fn what_is_no_removal_is_refused_before_anything_is_asked() {
        let daemon = Daemon {
            control: std::path::Path::new("/nowhere"),
            group: None,
        };
        let asked = |what, name| remove(&daemon, (what, name), (false, None), false).unwrap_err();
        for (what, name) in [
            ("remove", ""),
            ("remove", "../x"),
            ("remove", "a?force"),
            ("delete", "edge"),
        ] {
            assert_eq!(asked(what, name).status(), 2, "{what} {name}");
        }
        assert_eq!(
            asked("remove", "edge").status(),
            1,
            "nobody is there to be asked"
        );
        assert_eq!(list(&daemon, (true, None), false).unwrap_err().status(), 2);
        assert_eq!(
            list(&daemon, (false, Some("why")), false)
                .unwrap_err()
                .status(),
            2
        );
    }

    #[test]
    fn groups_are_listed_with_their_heads() {
        let answer = r#"[
            {"name": "default", "own": true, "hosts": 3, "applied": 2, "conflicts": 1,
             "head": {"id": "77aabbccddee", "height": 4, "author_name": "tern", "time": 1763843460000}},
            {"name": "gone", "own": false, "hosts": 0, "applied": 0, "conflicts": 1, "head": null, "removed": true},
            {"name": "edge", "own": false, "hosts": 1, "applied": 0, "conflicts": 0, "head": null}
        ]"#;
        let expected = "\
GROUP           HEAD      HEIGHT  AUTHOR  TIME                  HOSTS  APPLIED  CONFLICTS
default (here)  77aabbcc  4       tern    2025-11-22 20:31 UTC  3      2        1
gone (removed)  -         -       -       -                     0      0        1
edge            -         -       -       -                     1      0        0
";
        assert_eq!(page(&json::parse_own(answer.as_bytes()).unwrap()), expected);
    }
}
