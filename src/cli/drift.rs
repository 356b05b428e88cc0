//! `drift` and `repair`: what somebody had put on this host's server, and how a server is given the
//! head again.
//!
//! All of it is asked of the daemon. A repair of many hosts asks for one after the other and says
//! of each what became of it, so that nobody is said to be repaired who was not reached.

use std::fmt::Write;

use super::asking::{Daemon, DaemonAnswer, note};
use super::failure::CommandError;
use super::page::{compact, ending, fit, moment, short, table, text, width};
use super::{asking, output};
use crate::model::json::Value;

/// `starling drift`: lists the kept drifts, or shows, acknowledges or adopts one.
pub(super) fn drift(
    daemon: &Daemon,
    (what, file): (&str, &str),
    given: Option<&str>,
    as_json: bool,
) -> Result<(), CommandError> {
    let usage = |words: &str| Err(CommandError::Usage(format!("starling drift: {words}")));
    if given.is_some() && what != "adopt" {
        return usage("--note goes with adopt only");
    }
    match (what, file) {
        ("", _) => list(daemon, as_json),
        ("show" | "acknowledge" | "adopt", "") => usage(&format!(
            "{what} which file? name one that starling drift prints"
        )),
        ("show", file) => show(daemon, &target(file)?, as_json),
        ("acknowledge", file) => {
            let answer = daemon.post(&format!("{}/acknowledge", target(file)?), None)?;
            output::print(&format!(
                "{} is acknowledged\n",
                text(&answer.json()?, "/file")
            ))
        }
        ("adopt", file) => {
            let answer = daemon.post(&format!("{}/adopt", target(file)?), note(given)?)?;
            output::print(&match answer.is_unchanged() {
                true => "nothing differs: the document has it already\n".to_owned(),
                false => format!("published from {file}\n{}", kept(&answer)),
            })
        }
        (other, _) => usage(&format!("{other:?}: expected show, acknowledge or adopt")),
    }
}

/// Has servers run the head: this host's own, that of a host by its name or the end of its peer ID,
/// or those of all of this host's group.
pub(super) fn repair(daemon: &Daemon, name: &str, all: bool) -> Result<(), CommandError> {
    if all && !name.is_empty() {
        return Err(CommandError::Usage(
            "starling repair: give a NAME or --all, not both".to_owned(),
        ));
    }
    if !all && name.is_empty() {
        let answer = daemon.post("/fleet/repair", None)?;
        return output::print(&format!("the server runs the head\n{}", kept(&answer)));
    }
    let fleet = daemon.get("/fleet")?.json()?;
    let hosts = hosts(&fleet, name)?;
    let mut failed = 0;
    for host in &hosts {
        let (id, called) = (text(host, "/id"), text(host, "/name"));
        let result = match host.get("self") {
            Some(Value::Bool(true)) => daemon.post("/fleet/repair", None),
            _ => daemon.post(&format!("/fleet/nodes/{id}/repair"), None),
        };
        let words = match result {
            Ok(answer) => format!(
                "runs the head{}",
                answer.kept().map_or(String::new(), |file| format!(
                    "; what it ran is kept there in {file}"
                ))
            ),
            Err(failure) => {
                failed += 1;
                failure.to_string()
            }
        };
        output::print(&format!("{called} ({}): {words}\n", ending(&id)))?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(CommandError::Failed(format!(
            "{failed} of {} servers are not known to run the head",
            hosts.len()
        ))),
    }
}

/// The hosts that are meant: those with a server in this host's group, or the one of this name, or
/// whose peer ID ends so.
fn hosts<'a>(fleet: &'a Value, name: &str) -> Result<Vec<&'a Value>, CommandError> {
    let nodes: Vec<&Value> = fleet
        .get("nodes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    if name.is_empty() {
        let group = fleet.pointer("/group/name");
        let is_meant = |node: &&&Value| {
            node.get("server") == Some(&Value::Bool(true)) && node.get("group") == group
        };
        let meant: Vec<&Value> = nodes.iter().filter(is_meant).copied().collect();
        return if meant.is_empty() {
            Err(CommandError::Failed(
                "no host of this group has a server".to_owned(),
            ))
        } else {
            Ok(meant)
        };
    }
    let named: Vec<&Value> = nodes
        .iter()
        .filter(|node| text(node, "/name") == name)
        .copied()
        .collect();
    let meant = match named[..] {
        [_] => named,
        _ => nodes
            .into_iter()
            .filter(|node| text(node, "/id").ends_with(name))
            .collect(),
    };
    match meant[..] {
        [_] => Ok(meant),
        [] => Err(CommandError::Failed(format!(
            "no one host is called {name:?}, and no peer ID ends so; see starling status"
        ))),
        _ => Err(CommandError::Failed(format!(
            "more than one peer ID ends with {name:?}"
        ))),
    }
}

/// A line about what was replaced, if something was.
pub(super) fn kept(answer: &DaemonAnswer) -> String {
    answer.kept().map_or(String::new(), |file| {
        format!("what somebody had put on the server is kept in {file}: see starling drift\n")
    })
}

fn list(daemon: &Daemon, as_json: bool) -> Result<(), CommandError> {
    let answer = daemon.get("/fleet/drift")?;
    output::print(&if as_json {
        answer.json_text()
    } else {
        fit(&list_page(&answer.json()?), width())
    })
}

fn list_page(answer: &Value) -> String {
    let files = answer.as_array().map_or(&[][..], Vec::as_slice);
    if files.is_empty() {
        return "nothing that somebody had put on the server was replaced\n".to_owned();
    }
    let titles = ["FILE", "KEPT", "SEEN", "REVISION", "PATHS"].map(str::to_owned);
    let row = |file: &Value| {
        let time = file.get("time").map_or("-".to_owned(), moment);
        let seen = if file.get("acknowledged") == Some(&Value::Bool(true)) {
            "yes"
        } else {
            "no"
        };
        [
            text(file, "/file"),
            time,
            seen.to_owned(),
            short(file, "/revision"),
            paths(file),
        ]
    };
    table(
        &std::iter::once(titles)
            .chain(files.iter().map(row))
            .collect::<Vec<_>>(),
    )
}

/// The paths of a drift, the first few by name.
pub(super) fn paths(file: &Value) -> String {
    let paths = file
        .get("paths")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let more = paths.len().saturating_sub(PATHS_SHOWN);
    let words = paths
        .iter()
        .take(PATHS_SHOWN)
        .map(|path| text(path, ""))
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        format!("{words} and {more} more")
    } else {
        words
    }
}

fn show(daemon: &Daemon, target: &str, as_json: bool) -> Result<(), CommandError> {
    let answer = daemon.get(target)?;
    if as_json {
        return output::print(&answer.json_text());
    }
    output::print(&fit(&show_page(&answer.json()?), width()))
}

fn show_page(file: &Value) -> String {
    let mut page = String::new();
    let time = file.get("time").map_or("-".to_owned(), moment);
    for (title, words) in [
        ("kept", time),
        ("group", text(file, "/group")),
        ("revision", text(file, "/revision")),
    ] {
        writeln!(page, "{title:<8}  {words}").expect("a String takes everything");
    }
    let Some(changes) = file.get("changes").and_then(Value::as_array) else {
        writeln!(
            page,
            "\nwhat the server had been given was not known; it ran\n  {}",
            file.get("config").map_or(String::new(), compact)
        )
        .expect("a String takes everything");
        return page;
    };
    for change in changes {
        writeln!(page, "\n{}", text(change, "/path")).expect("a String takes everything");
        for (sign, side) in [("-", "was"), ("+", "now")] {
            if let Some(value) = change.get(side) {
                writeln!(page, "  {sign} {}", compact(value)).expect("a String takes everything");
            }
        }
    }
    page
}

/// Where a file is asked for: what was typed may also be its path.
fn target(file: &str) -> Result<String, CommandError> {
    let name = file.rsplit('/').next().unwrap_or_default();
    let is_good = !name.is_empty()
        && name.len() <= asking::ID_LEN
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    match is_good {
        true => Ok(format!("/fleet/drift/{name}")),
        false => Err(CommandError::Usage(format!(
            "{file:?}: expected the name of a file as starling drift prints it, or a part of it"
        ))),
    }
}

/// Paths of a drift that are named in its row.
const PATHS_SHOWN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json;

    fn value(text: &str) -> Value {
        json::parse(text.as_bytes()).expect("tests write JSON")
    }

    #[test]
    fn files_are_listed_and_shown_for_people() {
        let file = r#"{"file":"drift-20261128T175712.123Z.json","time":1795888632123,"acknowledged":false,"group":"default",
            "revision":"983b3b9c04b7cfa0","paths":["/config/a","/config/b"],"changes":[{"path":"/config/a","was":1,"now":{"x":"\u001b"}},
            {"path":"/config/b","was":2}],"config":{}}"#;
        let listed = list_page(&value(&format!("[{file}]")));
        let row = "drift-20261128T175712.123Z.json  2026-11-28 17:57 UTC  no    983b3b9c  /config/a, /config/b\n";
        assert!(
            listed.starts_with("FILE ") && listed.ends_with(row),
            "{listed}"
        );
        let shown = show_page(&value(file));
        assert!(
            shown.contains("/config/a\n  - 1\n  + {\"x\":\"\\u001B\"}\n\n/config/b\n  - 2\n"),
            "{shown}"
        );
        assert_eq!(
            list_page(&value("[]")),
            "nothing that somebody had put on the server was replaced\n"
        );
    }

    #[test]
    fn a_file_may_be_named_by_its_path_and_leads_nowhere_else() {
        assert_eq!(
            target("/var/lib/starling/drift-1.json").unwrap(),
            "/fleet/drift/drift-1.json"
        );
        for wrong in ["", "a b", "drift/", "x?y", "é"] {
            assert_eq!(target(wrong).unwrap_err().status(), 2, "{wrong}");
        }
    }

    #[test]
    fn hosts_are_named_by_name_or_by_the_end_of_a_peer_id() {
        let node = |id: &str, name: &str, group: &str, server: bool| {
            format!(r#"{{"id":"{id}","name":"{name}","group":"{group}","server":{server}}}"#)
        };
        let nodes = [
            node("1aa", "gull", "g", true),
            node("2aa", "tern", "g", true),
            node("3ab", "tern", "h", true),
            node("4", "x", "g", false),
        ];
        let fleet = value(&format!(
            r#"{{"group":{{"name":"g"}},"nodes":[{}]}}"#,
            nodes.join(",")
        ));
        let ids = |name: &str| {
            hosts(&fleet, name).map(|hosts| {
                hosts
                    .iter()
                    .map(|host| text(host, "/id"))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(ids("").unwrap(), ["1aa", "2aa"]);
        assert_eq!(ids("gull").unwrap(), ["1aa"]);
        assert_eq!(ids("ab").unwrap(), ["3ab"]);
        assert!(ids("tern").is_err() && ids("aa").is_err() && ids("y").is_err());
    }
}
