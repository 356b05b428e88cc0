//! Two groups in one fleet: each host's server runs its own group's document, and either document
//! is read on both hosts.

use std::process::Command;

use starlingd::model::json::Value;

use super::host::{Host, STARLING};
use super::watch::{parsed, text, until};
use harness::http::Reply;

const EDGE: &str = "Starling-Group: edge\r\n";

/// One of group `default`, and one of group `edge` in the same fleet.
fn two_groups() -> (Host, Host) {
    let mut one = Host::founded();
    one.start_linked(&[]);
    let mut two = Host::joined_to(&one);
    start_in(&mut two, "edge", &one);
    until("both know both groups", || {
        [&one, &two]
            .iter()
            .all(|host| names(host) == ["default", "edge"])
    });
    (one, two)
}

fn start_in(host: &mut Host, group: &str, peer: &Host) {
    host.start_as(
        "exec \"$@\"",
        &["--group", group, "--peer", &peer.address()],
    );
}

fn names(host: &Host) -> Vec<String> {
    host.json("/fleet/groups")
        .as_array()
        .expect("a list")
        .iter()
        .map(|group| text(&group["name"]))
        .collect()
}

/// What `/fleet/groups` says of `edge`.
fn edge(host: &Host) -> Value {
    host.json("/fleet/groups")[1].clone()
}

fn detail(reply: &Reply) -> String {
    text(&parsed(&reply.body)["detail"])
}

#[test]
fn another_groups_document_history_and_conflicts_are_read_on_any_host() {
    let (one, two) = two_groups();
    let ours = one.change("PUT", "/config/routes", r#"["ours"]"#);
    let first = two.change("PUT", "/config/routes", r#"["first"]"#);
    let second = two.change("PUT", "/config/routes", r#"["second"]"#);
    until("the head is known", || {
        edge(&one)["head"]["id"] == second[..] && edge(&one)["applied"] == 1
    });
    assert_eq!(
        (&edge(&one)["own"], &edge(&two)["own"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    assert_eq!(
        (&edge(&one)["hosts"], &edge(&one)["conflicts"]),
        (&1.into(), &0.into())
    );

    let read = one.ask_with("GET", "/config/routes/0", EDGE, "");
    assert_eq!((read.status, parsed(&read.body)), (200, "second".into()));
    assert_eq!(
        (read.header("ETag"), read.header("Starling-Applied")),
        (Some(&format!("\"{second}\"")[..]), None)
    );
    assert_eq!(
        one.json("/config/routes/0?group=edge"),
        Value::from("second")
    );
    assert_eq!(
        one.json("/config/routes/0?group=default"),
        Value::from("ours")
    );
    assert_eq!(one.json("/config/routes/0"), Value::from("ours"));

    let log = one.json("/fleet/revisions?group=edge");
    let ids: Vec<String> = log
        .as_array()
        .expect("a list")
        .iter()
        .map(|revision| text(&revision["id"]))
        .collect();
    assert_eq!(ids, [second.clone(), first.clone()]);
    let shown = one.json(&format!("/fleet/revisions/{first}?group=edge"));
    assert_eq!(
        shown["document"]["config"]["routes"],
        parsed(r#"["first"]"#)
    );
    let difference = one.json(&format!("/fleet/revisions/{second}?diff&group=edge"));
    assert_eq!(
        (
            &difference["changes"][0]["old"],
            text(&difference["from"]["id"])
        ),
        (&parsed(r#"["first"]"#), first.clone())
    );
    assert_eq!(
        text(&one.json("/fleet/blame/config/routes?group=edge")["revision"]["id"]),
        second
    );
    assert_eq!(one.json("/fleet/conflicts?group=edge"), parsed("[]"));
    assert_eq!(
        one.ask("GET", &format!("/fleet/revisions/{first}"), "")
            .status,
        404,
        "it is no revision of the own group"
    );
    assert_eq!(
        one.ask("GET", &format!("/fleet/revisions/{ours}?group=edge"), "")
            .status,
        404
    );
    assert_eq!(one.server_config()["routes"], parsed(r#"["ours"]"#));
    assert_eq!(two.server_config()["routes"], parsed(r#"["second"]"#));
}

#[test]
fn a_change_of_another_group_is_made_by_a_host_of_it_and_answered_in_its_words() {
    let (mut one, two) = two_groups();
    let ours = one.change("PUT", "/config/routes", r#"["ours"]"#);
    let made = one.ask_with("PUT", "/config/routes", EDGE, r#"["theirs"]"#);
    assert_eq!(
        (made.status, made.header("Starling-Host")),
        (200, Some("gull")),
        "{}",
        made.body
    );
    let theirs = text(&two.json("/fleet")["group"]["head"]["id"]);
    assert_eq!(made.header("Starling-Revision"), Some(&theirs[..]));
    assert_eq!(
        two.server_config()["routes"],
        parsed(r#"["theirs"]"#),
        "its server has tried it"
    );
    let note = "Starling-Note: by hand\r\n";
    for (method, target, headers, body, status) in [
        ("PUT", "/config/settings?dry-run", "", "{}", 200),
        ("PATCH", "/config", "", r#"{"routes":["patched"]}"#, 200),
        (
            "PATCH",
            "/config",
            "Content-Type: application/json-patch+json\r\n",
            r#"[{"op":"add","path":"/routes/-","value":1}]"#,
            200,
        ),
        ("PUT", "/config/routes", "If-Match: \"x\"\r\n", "[]", 412),
        ("POST", "/config/nothing", "", "1", 404),
        ("PUT", "/config/routes", "", "{", 400),
        ("PUT", "/js_modules/a", note, "export default {}", 200),
        ("DELETE", "/js_modules/nope", "", "", 404),
        ("POST", "/fleet/conflicts/abcd1234/drop", "", "", 404),
        (
            "POST",
            &format!("/fleet/revisions/{theirs}/restore?path=/config/routes"),
            "",
            "",
            200,
        ),
    ] {
        let reply = one.ask_with(method, target, &[EDGE, headers].concat(), body);
        assert_eq!(reply.status, status, "{method} {target}: {}", reply.body);
        assert_eq!(
            reply.header("Starling-Host").is_some(),
            status != 400,
            "{target}: what is no request at all is not passed on"
        );
    }
    assert_eq!(two.config()["routes"], parsed(r#"["theirs"]"#), "restored");
    let log = two.json("/fleet/revisions");
    assert!(
        log.as_array()
            .unwrap()
            .iter()
            .any(|revision| revision["note"] == "by hand")
    );
    two.server.tell("refuse teapot");
    let refused = one.ask_with("PUT", "/config/routes", EDGE, r#"["teapot"]"#);
    assert_eq!(
        (refused.status, detail(&refused)),
        (400, "The word \"teapot\" is refused here.".to_owned())
    );
    let long = one.ask_with(
        "PUT",
        "/config/routes",
        EDGE,
        &format!("[\"{}\"]", "x".repeat(600 << 10)),
    );
    assert_eq!(long.status, 413, "{}", long.body);
    let fits = one.ask_with(
        "PUT",
        "/config/routes",
        EDGE,
        &format!("[\"{}\"]", "x".repeat(400 << 10)),
    );
    assert_eq!(fits.status, 200, "{}", fits.body);
    assert_eq!(
        text(&one.json("/fleet")["group"]["head"]["id"]),
        ours,
        "the own document is as it was"
    );
    one.is_unharmed();
}

#[test]
fn without_a_host_of_the_group_a_change_of_it_is_refused_and_never_made_of_the_own() {
    let (mut one, mut two) = two_groups();
    let ours = one.change("PUT", "/config/routes", r#"["ours"]"#);
    let theirs = two.change("PUT", "/config/routes", r#"["theirs"]"#);
    until("the head is known", || {
        edge(&one)["head"]["id"] == theirs[..]
    });
    two.running.take().expect("it runs").terminate();
    until("the link is gone", || {
        one.json("/fleet/links") == parsed("[]")
    });
    for (method, target, body) in [
        ("PUT", "/config/routes", "[]"),
        ("PUT", "/config/routes?dry-run", "[]"),
        ("PATCH", "/config", "{}"),
        ("POST", "/config", ""),
        ("DELETE", "/js_modules/a", ""),
        ("POST", &format!("/fleet/revisions/{theirs}/restore"), ""),
        ("POST", "/fleet/conflicts/abcd/drop", ""),
    ] {
        let refused = one.ask_with(method, target, EDGE, body);
        assert_eq!(refused.status, 409, "{method} {target}: {}", refused.body);
        assert!(
            detail(&refused).ends_with("a host of group edge: gull"),
            "{}",
            refused.body
        );
    }
    for (target, headers, status) in [
        ("/config?group=edgy", "", 404),
        ("/config?group=", "", 400),
        ("/config?group=..", "", 400),
        ("/config", "Starling-Group: a/b\r\n", 400),
        ("/config?group=default", EDGE, 400),
        ("/fleet/links", EDGE, 400),
        ("/fleet/links?group=default", "", 200),
    ] {
        assert_eq!(
            one.ask_with("GET", target, headers, "").status,
            status,
            "{target} {headers}"
        );
    }
    let unknown = one.ask("PUT", "/config/routes?group=edgy", "[]");
    assert_eq!(
        (unknown.status, detail(&unknown)),
        (
            404,
            "edgy is not known here; there are default, edge".to_owned()
        )
    );
    assert_eq!(text(&one.json("/fleet")["group"]["head"]["id"]), ours);
    one.is_unharmed();
}

#[test]
fn a_host_that_dies_over_a_change_leaves_it_unknown_and_that_is_said() {
    let (one, mut two) = two_groups();
    two.server.tell("slow 60000");
    let door = one.door().clone();
    let asking = std::thread::spawn(move || {
        door.send(&super::host::request("PUT", "/config/routes", EDGE, "[1]"))
    });
    until("its server has it in hand", || {
        two.server.tell("stats").contains("\"writes\":1")
    });
    two.running.take().expect("it runs").kill();
    let reply = asking.join().expect("it is answered");
    assert_eq!(
        (
            reply.status,
            detail(&reply).ends_with("look before you repeat the change")
        ),
        (503, true),
        "{}",
        reply.body
    );
}

#[test]
fn a_host_that_changes_its_group_follows_the_other_document() {
    let (one, mut two) = two_groups();
    let ours = one.change("PUT", "/config/routes", r#"["ours"]"#);
    two.change("PUT", "/config/routes", r#"["theirs"]"#);
    two.running.take().expect("it runs").terminate();
    start_in(&mut two, "default", &one);
    until("it runs the other document", || {
        two.server_config()["routes"] == parsed(r#"["ours"]"#)
    });
    until("it says so", || {
        two.json("/fleet")["group"]["applied"] == ours[..] && two.verdict() == "applied"
    });
    assert_eq!(two.json("/fleet")["peer"]["joined"], true);
    assert_eq!(
        two.json("/config/routes?group=edge"),
        parsed(r#"["theirs"]"#),
        "the old one is still held"
    );
    let changed = two.change("PUT", "/config/routes", r#"["both"]"#);
    until("it writes the other document", || {
        one.json("/fleet")["group"]["applied"] == changed[..]
    });
}

#[test]
fn the_commands_print_the_group_that_is_named() {
    let (one, two) = two_groups();
    one.change("PUT", "/config/routes", r#"["ours"]"#);
    let theirs = two.change("PUT", "/config/routes", r#"["theirs"]"#);
    until("the head is known", || {
        edge(&one)["head"]["id"] == theirs[..]
    });
    let run = |words: &[&str]| {
        let mut command = Command::new(STARLING);
        command
            .args(words)
            .arg("--control")
            .arg(one.path("control.sock"))
            .arg("-f")
            .arg(one.path("empty.conf"));
        let output = command.output().expect("the program is built");
        (
            output.status.success(),
            String::from_utf8([output.stdout, output.stderr].concat()).expect("it is text"),
        )
    };
    let short = &theirs[..8];
    let (_, groups) = run(&["groups"]);
    assert!(
        groups.contains("default (here)") && groups.contains(short),
        "{groups}"
    );
    for words in [
        &["log"][..],
        &["show", short],
        &["blame", "/config/routes"],
        &["diff", short],
    ] {
        let (done, page) = run(&[words, &["--group", "edge"]].concat());
        assert!(done && page.contains(short), "{words:?}: {page}");
    }
    assert!(!run(&["log"]).1.contains(short));
    let newer = two.change("PUT", "/config/routes", r#"["newer"]"#);
    let (done, words) = run(&["restore", short, "--group", "edge"]);
    assert!(done, "{words}");
    assert_eq!(
        two.config()["routes"],
        parsed(r#"["theirs"]"#),
        "over {newer}"
    );
}

/// What the program says, and whether it has done it.
fn command(host: &Host, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(STARLING);
    command
        .args(words)
        .arg("--control")
        .arg(host.path("control.sock"))
        .arg("-f")
        .arg(host.path("empty.conf"));
    let output = command.output().expect("the program is built");
    (
        output.status.success(),
        String::from_utf8([output.stdout, output.stderr].concat()).expect("it is text"),
    )
}

#[test]
fn a_group_goes_when_its_last_host_has_left_it_and_not_before() {
    let (mut one, mut two) = two_groups();
    let ours = one.change("PUT", "/config/routes", r#"["ours"]"#);
    let theirs = two.change("PUT", "/config/routes", r#"["theirs"]"#);
    until("the head is known", || {
        edge(&one)["head"]["id"] == theirs[..]
    });
    for (target, status, words) in [
        (
            "/fleet/groups/edge",
            409,
            "by gull: set another group there first",
        ),
        (
            "/fleet/groups/edge?force",
            409,
            "by gull: set another group there first",
        ),
        ("/fleet/groups/default", 409, "it is this host's own"),
        (
            "/fleet/groups/edgy",
            404,
            "edgy is not known here; there are default, edge",
        ),
        ("/fleet/groups/.edge", 400, "not beginning with a dot"),
    ] {
        let refused = one.ask("DELETE", target, "");
        assert_eq!(refused.status, status, "{target}: {}", refused.body);
        assert!(
            detail(&refused).contains(words),
            "{target}: {}",
            refused.body
        );
    }
    assert_eq!(
        one.ask("PUT", "/fleet/groups/edge", "{}").header("Allow"),
        Some("DELETE")
    );
    let (done, words) = command(&one, &["groups", "remove", "edge"]);
    assert!(
        !done && words.contains("answered 409: The group is followed (by gull: set another"),
        "{words}"
    );
    two.running.take().expect("it runs").terminate();
    start_in(&mut two, "default", &one);
    until("it says so", || edge(&one)["hosts"] == 0);
    let removed = one.ask_with(
        "DELETE",
        "/fleet/groups/edge",
        "Starling-Note: by hand\r\n",
        "",
    );
    assert_eq!(
        (removed.status, text(&parsed(&removed.body)["success"])),
        (200, "The group is removed.".to_owned())
    );
    assert_eq!(removed.header("Starling-Changed"), Some("yes"));
    until("it is gone everywhere", || {
        [&one, &two].iter().all(|host| names(host) == ["default"])
    });
    assert_eq!(one.ask("GET", "/config?group=edge", "").status, 404);
    for host in [&one, &two] {
        let again = host.ask("DELETE", "/fleet/groups/edge", "");
        assert_eq!(
            (again.status, again.header("Starling-Changed")),
            (200, Some("no")),
            "{}",
            again.body
        );
        assert_eq!(
            again.header("Starling-Revision"),
            removed.header("Starling-Revision")
        );
        let files = || {
            std::fs::read_dir(host.path("state/revisions/edge"))
                .expect("it was there")
                .count()
        };
        until("its history is gone", || files() == 1);
    }
    let (done, words) = command(&one, &["groups", "remove", "edge"]);
    assert!(
        done && words == "there was nothing to do: group edge is removed already\n",
        "{words}"
    );
    until("nothing else has moved", || {
        text(&two.json("/fleet")["group"]["head"]["id"]) == ours
    });
    one.is_unharmed();
}

#[test]
fn a_host_that_was_away_is_named_and_keeps_its_group_though_that_is_removed() {
    let (one, mut two) = two_groups();
    let theirs = two.change("PUT", "/config/routes", r#"["theirs"]"#);
    until("the head is known", || {
        edge(&one)["head"]["id"] == theirs[..]
    });
    two.running.take().expect("it runs").terminate();
    until("the link is gone", || {
        one.json("/fleet/links") == parsed("[]")
    });
    let mut refusal = String::new();
    until("it is away", || {
        refusal = command(&one, &["groups", "remove", "edge"]).1;
        refusal.contains("away now")
    });
    assert!(
        refusal.contains("by gull, away now; to remove it all the same give --force (?force)"),
        "{refusal}"
    );
    let (done, words) = command(
        &one,
        &["groups", "remove", "edge", "--force", "--note", "gone"],
    );
    assert!(done && words == "group edge is removed\n", "{words}");
    until("it is gone", || names(&one) == ["default"]);
    let (done, words) = command(&one, &["groups", "remove", "edge"]);
    assert!(done, "twice is once, whoever is away: {words}");
    start_in(&mut two, "edge", &one);
    until("it is there again", || {
        names(&one) == ["default", "edge"] && edge(&one)["head"].is_object()
    });
    until("its server runs it", || two.verdict() == "applied");
    assert_eq!(
        one.json("/config/routes/0?group=edge"),
        Value::from("theirs")
    );
    assert_eq!(two.server_config()["routes"], parsed(r#"["theirs"]"#));
}
