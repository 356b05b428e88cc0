//! The history and the conflicts over REST: what is shown, compared, restored and settled, and what
//! is said when that cannot be.

use starlingd::model::json::Value;

use super::host::Host;
use super::planted;
use super::watch::{parsed, text, until};
use harness::http::Reply;

fn error_of(reply: &Reply) -> (u16, String) {
    (reply.status, text(&parsed(&reply.body)["error"]))
}

fn file_of(host: &Host, id: &str, height: usize) -> std::path::PathBuf {
    host.path("state/revisions/default")
        .join(format!("{height:015}-{id}"))
}

/// Three revisions: routes, then an application, then routes again.
fn with_history() -> (Host, [String; 3]) {
    let host = Host::new();
    let first = host.change("PUT", "/config", r#"{"routes":["a"],"applications":{}}"#);
    let second = host.change("PUT", "/config/applications/x%2Fy", r#"{"n":1}"#);
    let third = host.change("PUT", "/config/routes", r#"["b"]"#);
    (host, [first, second, third])
}

#[test]
fn a_difference_names_each_place_with_the_old_and_the_new_value() {
    let (mut host, [first, second, third]) = with_history();
    let own = host.json(&format!("/fleet/revisions/{third}?diff"));
    let change = parsed(r#"[{"what":"replaced","path":"/config/routes","old":["a"],"new":["b"]}]"#);
    assert_eq!(
        (
            &own["changes"],
            text(&own["from"]["id"]),
            text(&own["to"]["id"])
        ),
        (&change, second.clone(), third.clone())
    );
    let forward = host.json(&format!("/fleet/revisions/{third}?diff={}", &first[..12]));
    let added = parsed(r#"{"what":"added","path":"/config/applications/x%2Fy","new":{"n":1}}"#);
    assert_eq!(
        (&forward["changes"][0], &forward["changes"][1]),
        (&change[0], &added)
    );
    let back = host.json(&format!("/fleet/revisions/{first}?diff={third}"));
    let removed = parsed(r#"{"what":"removed","path":"/config/applications/x%2Fy","old":{"n":1}}"#);
    assert_eq!(back["changes"][1], removed);
    assert_eq!(
        host.json(&format!("/fleet/revisions/{first}?diff={first}"))["changes"],
        Value::Array(Vec::new())
    );
    let whole = host.json(&format!("/fleet/revisions/{first}?diff"));
    assert_eq!(
        (&whole["from"], &whole["changes"][0]["what"]),
        (&Value::Null, &"added".into())
    );
    assert_eq!(
        whole["changes"][0]["new"],
        parsed(r#"{"routes":["a"],"applications":{}}"#)
    );
    for (target, status) in [
        (format!("/fleet/revisions/0000?diff={third}"), 404),
        (format!("/fleet/revisions/{third}?diff=0000"), 404),
        (
            format!("/fleet/revisions/{third}?diff=..%2F..%2Fidentity.key"),
            404,
        ),
        (
            format!("/fleet/revisions/{third}?diff={}", &third[..3]),
            404,
        ),
    ] {
        assert_eq!(host.ask("GET", &target, "").status, status, "{target}");
    }
    host.is_unharmed();
}

#[test]
fn long_values_of_a_difference_are_given_by_their_length() {
    let mut host = Host::new();
    let long = |mark: &str| format!("[\"{}\"]", mark.repeat(3 << 20));
    let old = host.change("PUT", "/config/routes", &long("a"));
    let new = host.change("PUT", "/config/routes", &long("b"));
    let difference = host.json(&format!("/fleet/revisions/{new}?diff={old}"));
    let change = &difference["changes"][0];
    assert_eq!(change["old"].to_string().len(), (3 << 20) + 4);
    assert_eq!(
        (&change["new"], change["new_len"].as_u64()),
        (&Value::Null, Some((3 << 20) + 4))
    );
    host.ask("POST", &format!("/fleet/revisions/{old}/restore"), "");
    assert_eq!(host.config()["routes"].to_string(), long("a"));
    host.goes_on();
}

#[test]
fn blame_names_the_revision_since_which_the_value_stands() {
    let (mut host, [first, second, third]) = with_history();
    for (path, expected, reach) in [
        ("/config/routes", &third, "set"),
        ("/config/routes/0", &third, "set"),
        ("/config/applications/x%2Fy/n", &second, "set"),
        ("/config/applications", &second, "set"),
        ("/config", &third, "set"),
    ] {
        let blame = host.json(&format!("/fleet/blame{path}"));
        assert_eq!(
            (text(&blame["path"]), text(&blame["revision"]["id"])),
            (path.to_owned(), expected.clone()),
            "{path}"
        );
        assert_eq!(blame["reach"], reach, "{path}");
    }
    host.change("PUT", "/config/routes", r#"["a"]"#);
    let again = host.change("PUT", "/config/settings", "{}");
    let blame = host.json("/fleet/blame/config/routes");
    assert_ne!(
        text(&blame["revision"]["id"]),
        first,
        "it was away in between"
    );
    assert_eq!(
        (&blame["value"], &blame["reach"]),
        (&parsed(r#"["a"]"#), &"set".into())
    );
    assert_eq!(
        text(&host.json("/fleet/blame/config/settings")["revision"]["id"]),
        again
    );
    host.change("PUT", "/config", r#"{"routes":["a"],"applications":{}}"#);
    for path in [
        "/config/nothing",
        "/config/routes/7",
        "/config/routes/0/deeper",
    ] {
        assert_eq!(
            error_of(&host.ask("GET", &format!("/fleet/blame{path}"), "")),
            (404, "Value doesn't exist.".to_owned())
        );
    }
    assert_eq!(host.ask("GET", "/fleet/blame", "").status, 404);
    assert_eq!(host.ask("GET", "/fleet/blame/certificates", "").status, 404);
    host.is_unharmed();
}

#[test]
fn blame_says_so_where_the_line_begins_and_where_it_leaves_what_is_kept() {
    let host = Host::new();
    assert_eq!(
        host.ask("GET", "/fleet/blame/config", "").status,
        404,
        "nothing was ever changed"
    );
    // The first revision of all is made on what the server runs.
    let first = host.change("PUT", "/config/applications/a", "1");
    let second = host.change("PUT", "/config/applications/b", "1");
    let blame = host.json("/fleet/blame/config/applications/a");
    assert_eq!(
        (text(&blame["revision"]["id"]), &blame["reach"]),
        (first.clone(), &"set".into())
    );
    let blame = host.json("/fleet/blame/config/routes");
    assert_eq!(
        (text(&blame["revision"]["id"]), &blame["reach"]),
        (first.clone(), &"first".into())
    );
    std::fs::write(file_of(&host, &first, 1), "not a revision").expect("a revision is a file");
    let reply = host.ask("GET", "/fleet/blame/config/routes", "");
    assert_eq!(
        error_of(&reply),
        (500, "The revision cannot be read.".to_owned())
    );
    std::fs::remove_file(file_of(&host, &first, 1)).expect("a revision is a file");
    let blame = host.json("/fleet/blame/config/routes");
    assert_eq!(
        (text(&blame["revision"]["id"]), &blame["reach"]),
        (second, &"kept".into())
    );
}

#[test]
fn a_revision_is_restored_whole_or_at_a_path_under_the_rules_of_any_change() {
    let (mut host, [first, second, third]) = with_history();
    let restore = |headers: &str, id: &str, query: &str| {
        host.ask_with(
            "POST",
            &format!("/fleet/revisions/{id}/restore{query}"),
            headers,
            "",
        )
    };
    let reply = restore(&format!("If-Match: \"{second}\"\r\n"), &first, "");
    assert_eq!(
        (reply.status, reply.header("Starling-Revision")),
        (412, Some(&third[..]))
    );
    let reply = restore(
        &format!("If-Match: \"{third}\"\r\nStarling-Note: back again\r\n"),
        &first[..8],
        "?path=/config/routes",
    );
    assert_eq!(
        (reply.status, parsed(&reply.body)["success"].is_string()),
        (200, true),
        "{}",
        reply.body
    );
    assert_eq!(
        host.config(),
        parsed(r#"{"routes":["a"],"applications":{"x/y":{"n":1}}}"#)
    );
    let newest = host.json("/fleet/revisions")[0].clone();
    assert_eq!(
        (text(&newest["note"]), &newest["guarded"]),
        ("back again".to_owned(), &true.into())
    );
    assert_eq!(reply.header("Starling-Revision"), newest["id"].as_str());

    assert_eq!(restore("", &first, "").status, 200);
    assert_eq!(
        (host.config(), host.config()),
        (
            parsed(r#"{"routes":["a"],"applications":{}}"#),
            host.server_config()
        )
    );
    assert_eq!(
        text(&host.json("/fleet/revisions")[0]["note"]),
        format!("restore of {}", &first[..12])
    );
    assert_eq!(
        restore("", &second, "?path=/config/applications/x%2Fy").status,
        200
    );
    assert_eq!(host.config()["applications"], parsed(r#"{"x/y":{"n":1}}"#));
    assert_eq!(
        restore("", &first, "?path=/config/applications/x%2Fy").status,
        200,
        "it was not there, and goes"
    );
    assert_eq!(host.config()["applications"], parsed("{}"));

    for (id, query, status) in [
        ("0000", "", 404),
        (&first[..3], "", 404),
        ("..%2F..%2Fidentity.key", "", 404),
        (&first[..], "?path=/certificates/x", 404),
        (&first[..], "?path=/certificates", 400),
        (&first[..], "?path=/certificates/x/chain", 400),
        (&first[..], "?path=config", 400),
        (&first[..], "?path=", 400),
        (&first[..], "?path=/config/%zz", 400),
        (&first[..], "?path=/config/nowhere", 404),
    ] {
        assert_eq!(restore("", id, query).status, status, "{id}{query}");
    }
    let long = format!("Starling-Note: {}\r\n", "x".repeat(513));
    assert_eq!(restore(&long, &first, "").status, 400);
    for method in ["GET", "PUT", "DELETE"] {
        let reply = host.ask(method, &format!("/fleet/revisions/{first}/restore"), "");
        assert_eq!(
            (reply.status, reply.header("Allow")),
            (405, Some("POST")),
            "{method}"
        );
    }
    assert_eq!(
        host.json("/fleet/revisions").as_array().map(Vec::len),
        Some(7)
    );
    host.is_unharmed();
}

#[test]
fn what_the_server_refuses_is_not_restored() {
    let (host, [first, _, third]) = with_history();
    host.server.tell("refuse a");
    let reply = host.ask("POST", &format!("/fleet/revisions/{first}/restore"), "");
    assert_eq!(reply.status, 400, "{}", reply.body);
    assert_eq!(text(&host.json("/fleet/revisions")[0]["id"]), third);
    assert_eq!(host.server_config(), host.config());
}

#[test]
fn a_file_that_cannot_be_read_is_500_with_the_reason_and_nothing_is_guessed() {
    let (mut host, [first, second, third]) = with_history();
    let file = file_of(&host, &first, 1);
    let sound = std::fs::read(&file).expect("a revision is a file");
    let mut damaged = sound.clone();
    // A letter of the document: it still parses.
    let at = damaged
        .iter()
        .rposition(|byte| *byte == b'a')
        .expect("it has an a");
    damaged[at] = b'z';
    std::fs::write(&file, &damaged).expect("it is ours");
    for target in [
        format!("/fleet/revisions/{first}"),
        format!("/fleet/revisions/{second}?diff"),
    ] {
        let reply = host.ask("GET", &target, "");
        assert_eq!(
            error_of(&reply),
            (500, "The revision cannot be read.".to_owned()),
            "{target}"
        );
        assert!(
            reply.body.contains("is damaged"),
            "{target}: {}",
            reply.body
        );
    }
    assert_eq!(
        host.json(&format!("/fleet/revisions/{third}?diff"))["changes"][0]["what"],
        "replaced"
    );
    std::fs::remove_file(&file).expect("it is ours");
    std::fs::create_dir(&file).expect("its place is free");
    let reply = host.ask("GET", &format!("/fleet/revisions/{first}"), "");
    assert_eq!(
        error_of(&reply),
        (500, "The revision cannot be read.".to_owned())
    );
    assert!(reply.body.contains("is damaged"), "{}", reply.body);
    std::fs::remove_dir(&file).expect("it is ours");
    std::fs::write(&file, &damaged).expect("it is ours");
    let reply = host.ask("POST", &format!("/fleet/revisions/{first}/restore"), "");
    assert_eq!(
        error_of(&reply),
        (500, "The revision cannot be read.".to_owned())
    );
    assert!(
        text(&host.json("/fleet")["problems"][0]).contains("is damaged"),
        "{}",
        host.json("/fleet")["problems"]
    );
    until("it is set aside", || !file.exists());
    let reply = host.ask("GET", "/fleet/revisions", "");
    assert_eq!(
        (
            reply.header("Starling-Older"),
            parsed(&reply.body).as_array().map(Vec::len)
        ),
        (Some("nowhere"), Some(2))
    );
    assert_eq!(
        host.ask("POST", &format!("/fleet/revisions/{first}/restore"), "")
            .status,
        404
    );
    host.is_unharmed();
}

#[test]
fn as_many_older_revisions_are_kept_as_the_settings_say() {
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
    for n in 0..20 {
        host.change("PUT", "/config/routes", &format!("[{n}]"));
    }
    let reply = host.ask("GET", "/fleet/revisions", "");
    assert_eq!(
        (
            reply.header("Starling-Older"),
            parsed(&reply.body).as_array().map(Vec::len)
        ),
        (Some("pruned"), Some(17))
    );
    let files = || {
        std::fs::read_dir(host.path("state/revisions/default"))
            .expect("it is there")
            .count()
    };
    until("the others are removed", || files() == 17);
}

#[test]
fn a_conflict_is_shown_and_kept_by_what_it_lists() {
    let (mut host, planted) = planted::conflict(&parsed(r#"["won"]"#), &parsed(r#"["lost"]"#));
    host.start();
    let conflicts = host.json("/fleet/conflicts");
    assert_eq!(
        (
            conflicts.as_array().map(Vec::len),
            text(&conflicts[0]["id"])
        ),
        (Some(1), planted.lost.clone())
    );
    assert_eq!(
        host.json(&format!("/fleet/conflicts/{}", &planted.lost[..4])),
        conflicts[0]
    );
    assert_eq!(host.ask("GET", "/fleet/conflicts/0000", "").status, 404);
    let note = host.json("/fleet/revisions")[0].clone();
    assert_eq!(
        (text(&note["kind"]), text(&note["edit_id"])),
        ("note".to_owned(), planted.lost.clone())
    );
    assert_eq!(note["edit_author"], conflicts[0]["author"]);

    let target = format!("/fleet/conflicts/{}/keep", &planted.lost[..8]);
    let guarded = host.ask_with(
        "POST",
        &target,
        &format!("If-Match: \"{}\"\r\n", planted.base),
        "",
    );
    assert_eq!(guarded.status, 412);
    let reply = host.ask_with("POST", &target, "Starling-Note: it was right\r\n", "");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(
        (&host.config()["routes"], host.config()),
        (&parsed(r#"["lost"]"#), host.server_config())
    );
    assert_eq!(host.ask("GET", "/fleet/conflicts", "").body, "[]\r\n");
    let newest = host.json("/fleet/revisions")[0].clone();
    assert_eq!(
        (text(&newest["note"]), text(&newest["settled"][0])),
        ("it was right".to_owned(), planted.lost.clone())
    );
    assert_eq!(
        error_of(&host.ask("POST", &target, "")),
        (404, "No such conflict.".to_owned())
    );
    host.is_unharmed();
}

#[test]
fn a_conflict_is_dropped_without_a_word_to_the_server() {
    let (mut host, planted) = planted::conflict(&parsed(r#"["won"]"#), &parsed(r#"["lost"]"#));
    host.start();
    until("the head is applied", || host.verdict() == "applied");
    let writes = |host: &Host| parsed(&host.server.tell("stats"))["writes"].clone();
    let before = writes(&host);
    let reply = host.ask(
        "POST",
        &format!("/fleet/conflicts/{}/drop", planted.lost),
        "",
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(
        (writes(&host), &host.config()["routes"]),
        (before, &parsed(r#"["won"]"#))
    );
    assert_eq!(host.ask("GET", "/fleet/conflicts", "").body, "[]\r\n");
    let newest = host.json("/fleet/revisions")[0].clone();
    assert_eq!(
        (text(&newest["note"]), &newest["edit"]),
        (format!("drop of {}", &planted.lost[..12]), &parsed("[]"))
    );
    assert!(
        host.running()
            .log()
            .contains(&format!("published: settle {}", &planted.lost[..12]))
    );
    for what in ["keep", "drop"] {
        let target = format!("/fleet/conflicts/{}/{what}", planted.lost);
        for method in ["GET", "PUT", "DELETE"] {
            let reply = host.ask(method, &target, "");
            assert_eq!(
                (reply.status, reply.header("Allow")),
                (405, Some("POST")),
                "{method} {what}"
            );
        }
        assert_eq!(host.ask("POST", &target, "").status, 404);
    }
    assert_eq!(
        host.ask(
            "POST",
            &format!("/fleet/conflicts/{}/forget", planted.lost),
            ""
        )
        .status,
        404
    );
    host.is_unharmed();
}

#[test]
fn a_conflict_with_a_long_value_is_kept_from_its_revisions_file_while_that_is_sound() {
    let long = Value::from(vec!["x".repeat(3 << 20)]);
    let (mut host, planted) = planted::conflict(&parsed("[]"), &long);
    host.start();
    let conflict = host.json("/fleet/conflicts")[0].clone();
    assert_eq!(
        (
            &conflict["edit"][0]["value"],
            conflict["edit"][0]["value_len"].as_u64()
        ),
        (&Value::Null, Some((3 << 20) + 4))
    );
    let keep = format!("/fleet/conflicts/{}/keep", planted.lost);
    let sound = std::fs::read(&planted.file).expect("it was planted");
    std::fs::write(&planted.file, &sound[..sound.len() - 1]).expect("it is ours");
    let reply = host.ask("POST", &keep, "");
    assert_eq!(
        error_of(&reply),
        (500, "The revision cannot be read.".to_owned())
    );
    let reply = host.ask("POST", &keep, "");
    assert_eq!(
        error_of(&reply),
        (409, "What the change wanted is not known here.".to_owned()),
        "nobody is there to ask"
    );

    let (mut host, planted) = planted::conflict(&parsed("[]"), &long);
    host.start();
    let reply = host.ask(
        "POST",
        &format!("/fleet/conflicts/{}/keep", planted.lost),
        "",
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(host.config()["routes"], long);
    host.goes_on();
}
