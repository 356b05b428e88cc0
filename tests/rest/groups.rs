//! Two groups in one fleet: each host's server runs its own group's document, and either document is read on both hosts.

use std::process::Command;

use starlingd::model::json::Value;

use super::host::{Host, STARLING};
use super::http::Reply;
use super::watch::{parsed, text, until};

const EDGE: &str = "Starling-Group: edge\r\n";

/// One of group `default`, and one of group `edge` in the same fleet.
fn two_groups() -> (Host, Host) {
    let mut one = Host::founded();
    one.start_linked(&[]);
    let mut two = Host::joined_to(&one);
    start_in(&mut two, "edge", &one);
    until("both know both groups", || [&one, &two].iter().all(|host| names(host) == ["default", "edge"]));
    (one, two)
}

fn start_in(host: &mut Host, group: &str, peer: &Host) {
    host.start_as("exec \"$@\"", &["--group", group, "--peer", &peer.address()]);
}

fn names(host: &Host) -> Vec<String> {
    host.json("/fleet/groups").as_array().expect("a list").iter().map(|group| text(&group["name"])).collect()
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
    until("the head is known", || edge(&one)["head"]["id"] == second[..] && edge(&one)["applied"] == 1);
    assert_eq!((&edge(&one)["own"], &edge(&two)["own"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!((&edge(&one)["hosts"], &edge(&one)["conflicts"]), (&1.into(), &0.into()));

    let read = one.ask_with("GET", "/config/routes/0", EDGE, "");
    assert_eq!((read.status, parsed(&read.body)), (200, "second".into()));
    assert_eq!((read.header("ETag"), read.header("Starling-Applied")), (Some(&format!("\"{second}\"")[..]), None));
    assert_eq!(one.json("/config/routes/0?group=edge"), Value::from("second"));
    assert_eq!(one.json("/config/routes/0?group=default"), Value::from("ours"));
    assert_eq!(one.json("/config/routes/0"), Value::from("ours"));

    let log = one.json("/fleet/revisions?group=edge");
    let ids: Vec<String> = log.as_array().expect("a list").iter().map(|revision| text(&revision["id"])).collect();
    assert_eq!(ids, [second.clone(), first.clone()]);
    let shown = one.json(&format!("/fleet/revisions/{first}?group=edge"));
    assert_eq!(shown["document"]["config"]["routes"], parsed(r#"["first"]"#));
    let difference = one.json(&format!("/fleet/revisions/{second}?diff&group=edge"));
    assert_eq!((&difference["changes"][0]["old"], text(&difference["from"]["id"])), (&parsed(r#"["first"]"#), first.clone()));
    assert_eq!(text(&one.json("/fleet/blame/config/routes?group=edge")["revision"]["id"]), second);
    assert_eq!(one.json("/fleet/conflicts?group=edge"), parsed("[]"));
    assert_eq!(one.ask("GET", &format!("/fleet/revisions/{first}"), "").status, 404, "it is no revision of the own group");
    assert_eq!(one.ask("GET", &format!("/fleet/revisions/{ours}?group=edge"), "").status, 404);
    assert_eq!(one.server_config()["routes"], parsed(r#"["ours"]"#));
    assert_eq!(two.server_config()["routes"], parsed(r#"["second"]"#));
}

#[test]
fn a_change_of_another_group_is_refused_and_never_made_of_the_own() {
    let (mut one, two) = two_groups();
    let ours = one.change("PUT", "/config/routes", r#"["ours"]"#);
    let theirs = two.change("PUT", "/config/routes", r#"["theirs"]"#);
    until("the head is known", || edge(&one)["head"]["id"] == theirs[..]);
    for (method, target, body) in [
        ("PUT", "/config/routes", "[]"),
        ("PUT", "/config/routes?dry-run", "[]"),
        ("PATCH", "/config", "{}"),
        ("POST", "/config/routes", "1"),
        ("POST", "/config", ""),
        ("DELETE", "/config/routes", ""),
        ("DELETE", "/js_modules/a", ""),
        ("POST", &format!("/fleet/revisions/{theirs}/restore"), ""),
        ("POST", "/fleet/conflicts/abcd/drop", ""),
    ] {
        let refused = one.ask_with(method, target, EDGE, body);
        assert_eq!(refused.status, 409, "{method} {target}: {}", refused.body);
        assert!(detail(&refused).ends_with("a host of group edge: gull"), "{}", refused.body);
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
        assert_eq!(one.ask_with("GET", target, headers, "").status, status, "{target} {headers}");
    }
    let unknown = one.ask("PUT", "/config/routes?group=edgy", "[]");
    assert_eq!((unknown.status, detail(&unknown)), (404, "edgy is not known here; there are default, edge".to_owned()));
    assert_eq!(text(&one.json("/fleet")["group"]["head"]["id"]), ours);
    assert_eq!(text(&two.json("/fleet")["group"]["head"]["id"]), theirs);
    one.is_unharmed();
}

#[test]
fn a_host_that_changes_its_group_follows_the_other_document() {
    let (one, mut two) = two_groups();
    let ours = one.change("PUT", "/config/routes", r#"["ours"]"#);
    two.change("PUT", "/config/routes", r#"["theirs"]"#);
    two.running.take().expect("it runs").terminate();
    start_in(&mut two, "default", &one);
    until("it runs the other document", || two.server_config()["routes"] == parsed(r#"["ours"]"#));
    until("it says so", || two.json("/fleet")["group"]["applied"] == ours[..] && two.verdict() == "applied");
    assert_eq!(two.json("/fleet")["peer"]["joined"], true);
    assert_eq!(two.json("/config/routes?group=edge"), parsed(r#"["theirs"]"#), "the old one is still held");
    let changed = two.change("PUT", "/config/routes", r#"["both"]"#);
    until("it writes the other document", || one.json("/fleet")["group"]["applied"] == changed[..]);
}

#[test]
fn the_commands_print_the_group_that_is_named() {
    let (one, two) = two_groups();
    one.change("PUT", "/config/routes", r#"["ours"]"#);
    let theirs = two.change("PUT", "/config/routes", r#"["theirs"]"#);
    until("the head is known", || edge(&one)["head"]["id"] == theirs[..]);
    let run = |words: &[&str]| {
        let mut command = Command::new(STARLING);
        command.args(words).arg("--control").arg(one.path("control.sock")).arg("-f").arg(one.path("empty.conf"));
        let output = command.output().expect("the program is built");
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).expect("it is text"))
    };
    let short = &theirs[..8];
    let (_, groups) = run(&["groups"]);
    assert!(groups.contains("default (here)") && groups.contains(short), "{groups}");
    for words in [&["log"][..], &["show", short], &["blame", "/config/routes"], &["diff", short]] {
        let (done, page) = run(&[words, &["--group", "edge"]].concat());
        assert!(done && page.contains(short), "{words:?}: {page}");
    }
    assert!(!run(&["log"]).1.contains(short));
    let (done, words) = run(&["restore", short, "--group", "edge"]);
    assert!(!done && words.contains("409") && words.contains("group edge: gull"), "{words}");
}
