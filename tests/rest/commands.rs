//! The subcommands that ask the daemon, against one that runs: what they print, and with which exit
//! status.

use std::process::{Command, Output};

use super::host::{Host, STARLING};
use super::planted;
use super::watch::{parsed, text};

impl Host {
    /// Runs a subcommand as somebody at this host would.
    pub fn command(&self, words: &[&str]) -> Output {
        let mut command = Command::new(STARLING);
        command
            .args(words)
            .arg("--control")
            .arg(self.path("control.sock"))
            .arg("-f")
            .arg(self.path("empty.conf"));
        command
            .env_remove("COLUMNS")
            .output()
            .expect("the program is built")
    }

    /// What a subcommand prints that must be done.
    pub fn prints(&self, words: &[&str]) -> String {
        let output = self.command(words);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &complaints[..]),
            (Some(0), ""),
            "{words:?}"
        );
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// What it complains of, if it must fail.
    pub fn complains(&self, words: &[&str]) -> String {
        let output = self.command(words);
        assert_eq!(
            (output.status.code(), &output.stdout[..]),
            (Some(1), &b""[..]),
            "{words:?}"
        );
        String::from_utf8(output.stderr).expect("it is text")
    }
}

/// The first eight digits, which people are shown.
fn short(id: &str) -> &str {
    &id[..8]
}

#[test]
fn the_history_is_printed_newest_first_and_each_revision_can_be_shown() {
    let host = Host::new();
    assert_eq!(host.prints(&["log"]), "nothing was ever changed\n");
    let first = host.change("PUT", "/config", r#"{"routes":["a"]}"#);
    let reply = host.ask_with(
        "PUT",
        "/config/listeners",
        "Starling-Note: open the door\r\n",
        "{}",
    );
    let second = reply
        .header("Starling-Revision")
        .expect("it is a change")
        .to_owned();
    let log = host.prints(&["log"]);
    let lines: Vec<&str> = log.lines().collect();
    assert!(
        lines[0].starts_with("REVISION  AUTHOR           TIME") && lines.len() == 3,
        "{log}"
    );
    // A name anybody may take; the end of the peer ID is this host's alone.
    let peer = text(&host.json("/fleet")["peer"]["id"]);
    let end = &peer[peer.len() - 8..];
    assert!(
        lines[1].starts_with(&format!("{}  gull ({end})  20", short(&second))),
        "{log}"
    );
    assert!(
        lines[1].ends_with(" added /config/listeners: open the door"),
        "{log}"
    );
    assert!(
        lines[2].starts_with(short(&first)) && lines[2].ends_with(" replaced /config"),
        "{log}"
    );
    assert_eq!(
        parsed(&host.prints(&["log", "--json"])),
        host.json("/fleet/revisions")
    );

    let shown = host.prints(&["show", &second[..4]]);
    for line in [
        format!("revision  {second}"),
        format!("base      {first}"),
        "note      open the door".into(),
        "    \"config\": {".into(),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    assert_eq!(
        parsed(&host.prints(&["show", &first, "--json"])),
        host.json(&format!("/fleet/revisions/{first}"))
    );
    assert!(
        host.complains(&["show", "0000"])
            .ends_with("answered 404: No such revision (none that is kept here begins with 0000 (at least 4 digits))\n")
    );
}

#[test]
fn differences_and_the_origin_of_a_value_are_printed() {
    let host = Host::new();
    let first = host.change("PUT", "/config", r#"{"routes":["a"],"listeners":{}}"#);
    let second = host.change("PUT", "/config/listeners/*:80", r#"{"pass":"routes"}"#);
    let third = host.change("PUT", "/config/routes", r#"["b"]"#);
    let diff = host.prints(&["diff", &first, &third]);
    assert!(
        diff.starts_with(&format!("from  {} by gull (", short(&first))),
        "{diff}"
    );
    assert!(
        diff.ends_with(
            "\n\nreplaced /config/routes\n  - [\"a\"]\n  + [\"b\"]\n\nadded /config/listeners/*:80\n  + {\"pass\":\"routes\"}\n"
        ),
        "{diff}"
    );
    assert!(
        host.prints(&["diff", &third])
            .contains(&format!("from  {}", short(&second)))
    );
    assert!(
        host.prints(&["diff", &third, &third])
            .ends_with("\n\nno difference\n")
    );
    let json = host.prints(&["diff", &third, &first, "--json"]);
    assert_eq!(parsed(&json)["changes"][1]["what"], "removed");

    let blame = host.prints(&["blame", "/config/listeners/*:80"]);
    let expected = format!(
        "/config/listeners/*:80 = {{\"pass\":\"routes\"}}\nsince {} by gull (",
        short(&second)
    );
    assert!(
        blame.starts_with(&expected) && blame.ends_with("\n  added /config/listeners/*:80\n"),
        "{blame}"
    );
    assert!(
        host.prints(&["blame", "/config/routes/0"])
            .contains(&format!("since {}", short(&third)))
    );
    assert_eq!(
        parsed(&host.prints(&["blame", "/config/routes", "--json"]))["reach"],
        "set"
    );
    assert!(
        host.complains(&["blame", "/config/nothing"])
            .ends_with("answered 404: Value doesn't exist\n")
    );
}

#[test]
fn where_the_history_ends_that_is_said() {
    let mut host = Host::founded();
    host.start_as(
        "exec \"$@\"",
        &[
            "--api-token-file",
            host.path("token").to_str().expect("it is text"),
            "--history",
            "16",
        ],
    );
    host.change("PUT", "/config", r#"{"routes":[],"applications":{"a":1}}"#);
    for n in 0..20 {
        host.change("PUT", "/config/routes", &format!("[{n}]"));
    }
    assert!(
        host.prints(&["log"])
            .ends_with("\nthere are older revisions, which are not kept\n")
    );
    let blame = host.prints(&["blame", "/config/applications/a"]);
    assert!(
        blame.ends_with("\nit is older than that\nthere are older revisions, which are not kept\n"),
        "{blame}"
    );
    assert!(!host.prints(&["blame", "/config/routes"]).contains("older"));
}

#[test]
fn a_revision_is_restored_by_one_command() {
    let host = Host::new();
    let first = host.change("PUT", "/config", r#"{"routes":["a"],"applications":{}}"#);
    host.change(
        "PUT",
        "/config",
        r#"{"routes":["b"],"applications":{"x":1}}"#,
    );
    let words = [
        "restore",
        short(&first),
        "--path",
        "/config/routes",
        "--note",
        "as it was: 100% sure & \"so\"",
    ];
    assert_eq!(
        host.prints(&words),
        format!("restored from {}\n", short(&first))
    );
    assert_eq!(
        host.config(),
        parsed(r#"{"routes":["a"],"applications":{"x":1}}"#)
    );
    assert_eq!(text(&host.json("/fleet/revisions")[0]["note"]), words[5]);
    host.prints(&["restore", &first]);
    assert_eq!(
        (host.config(), host.server_config()),
        (
            parsed(r#"{"routes":["a"],"applications":{}}"#),
            host.config()
        )
    );
    assert_eq!(
        text(&host.json("/fleet/revisions")[0]["note"]),
        format!("restore of {}", &first[..12])
    );
    host.change("DELETE", "/config/applications", "");
    host.server.tell("refuse applications");
    assert!(
        host.complains(&["restore", &first])
            .contains("answered 400: Invalid configuration")
    );
    assert!(
        host.complains(&["restore", "0000"])
            .contains("answered 404: No such revision")
    );
    let long = format!("/config{}", "/x".repeat(600));
    assert!(
        host.complains(&["restore", &first, "--path", &long])
            .contains("answered 404"),
        "longer than Unit would take"
    );
}

#[test]
fn conflicts_are_listed_and_resolved_either_way() {
    for (flag, routes) in [("--keep", r#"["lost"]"#), ("--drop", r#"["won"]"#)] {
        let (mut host, planted) = planted::conflict(&parsed(r#"["won"]"#), &parsed(r#"["lost"]"#));
        host.start();
        let list = host.prints(&["conflicts"]);
        let line = list.lines().nth(1).expect("there is one");
        assert!(
            line.starts_with(short(&planted.lost)) && line.contains("2025-11-22 20:31 UTC  open "),
            "{list}"
        );
        assert!(
            line.ends_with("  put /config/routes = [\"lost\"]: planted"),
            "{list}"
        );
        assert_eq!(
            parsed(&host.prints(&["conflicts", "--json"])),
            host.json("/fleet/conflicts")
        );
        let log = host.prints(&["log"]);
        assert!(
            log.contains(&format!("listed {} by ", short(&planted.lost))),
            "{log}"
        );
        let beaten: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("(beaten)"))
            .collect();
        assert!(
            beaten.len() == 1 && beaten[0].starts_with(short(&planted.lost)),
            "{log}"
        );
        assert!(host.prints(&["status"]).contains("\nconflicts:\n"));

        let said = host.prints(&["resolve", short(&planted.lost), flag, "--note", "so be it"]);
        let word = if flag == "--keep" { "kept" } else { "dropped" };
        assert_eq!(
            said,
            format!("{} is settled: {word}\n", short(&planted.lost))
        );
        assert_eq!(
            (&host.config()["routes"], host.prints(&["conflicts"])),
            (&parsed(routes), "no conflicts\n".to_owned())
        );
        let log = host.prints(&["log"]);
        let newest = log.lines().nth(1).expect("there is one");
        assert!(
            newest.ends_with(&format!("settled {}: so be it", short(&planted.lost))),
            "{log}"
        );
        assert!(
            host.complains(&["resolve", short(&planted.lost), flag])
                .contains("answered 404: No such conflict")
        );
        let revisions = host.json("/fleet/revisions");
        assert_eq!(revisions.as_array().map(Vec::len), Some(5));
    }
}
