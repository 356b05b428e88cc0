//! Changes: what a client is told of them, `If-Match`, notes, and refusals in the server's own
//! words.

use std::thread;

use super::host::{Host, request};
use super::watch::{parsed, text};
use harness::http::Reply;

const DONE: &str = "{\r\n\t\"success\": \"Reconfiguration done.\"\r\n}\r\n";

fn etag(reply: &Reply) -> String {
    reply.header("ETag").expect("there is a head").to_owned()
}

fn error_of(reply: &Reply) -> (u16, String) {
    (reply.status, text(&parsed(&reply.body)["error"]))
}

fn changed(reply: &Reply) -> bool {
    assert!(matches!(reply.status, 200 | 412), "{}", reply.body);
    reply.status == 200
}

#[test]
fn a_change_names_its_revision_and_what_the_server_runs() {
    let host = Host::new();
    let before = host.ask("GET", "/config", "");
    for header in ["ETag", "Starling-Applied", "Starling-Revision"] {
        assert_eq!(before.header(header), None, "{header} without a head");
    }
    let changes = [
        ("PUT", "/config", r#"{"routes":[]}"#),
        ("POST", "/config/routes", r#"{"action":{"return":1}}"#),
        ("DELETE", "/config/routes/0", ""),
    ];
    let mut heads = Vec::new();
    for (method, target, body) in changes {
        let reply = host.ask(method, target, body);
        assert_eq!((reply.status, &reply.body[..]), (200, DONE));
        let head = reply
            .header("Starling-Revision")
            .expect("a change has a revision")
            .to_owned();
        assert_eq!(
            (etag(&reply), reply.header("Starling-Applied")),
            (format!("\"{head}\""), Some(&head[..]))
        );
        for target in ["/config", "/config/routes", "/config/routes/"] {
            let read = host.ask("GET", target, "");
            assert_eq!(
                (etag(&read), read.header("Starling-Applied")),
                (format!("\"{head}\""), Some(&head[..])),
                "{target}"
            );
        }
        assert_eq!(host.ask("GET", "/config/nothing", "").header("ETag"), None);
        heads.push(head);
    }
    heads.dedup();
    assert_eq!(
        (heads.len(), host.config(), host.server_config()),
        (3, parsed(r#"{"routes":[]}"#), parsed(r#"{"routes":[]}"#))
    );
}

#[test]
fn a_change_that_changes_nothing_makes_no_revision_and_asks_nothing_of_the_server() {
    let host = Host::new();
    let config = r#"{"routes":[{"action":{"return":200}}]}"#;
    let head = host.change("PUT", "/config", config);
    let writes = stat(&host, "writes");
    assert_eq!(host.change("PUT", "/config", config), head);
    assert_eq!(
        host.change("PUT", "/config/routes/0/action/return", "200"),
        head
    );
    assert_eq!(stat(&host, "writes"), writes);
    assert_ne!(
        host.change("PUT", "/config/routes/0/action/return", "200.0"),
        head,
        "another spelling is another number"
    );
    assert_eq!(
        host.ask("GET", "/config/routes/0/action/return", "").body,
        "200.0\r\n"
    );
}

fn stat(host: &Host, name: &str) -> u64 {
    parsed(&host.server.tell("stats"))[name]
        .as_u64()
        .expect("it is counted")
}

#[test]
fn if_match_takes_the_heads_tag_alone_or_in_a_list_or_a_star_and_no_other() {
    let host = Host::new();
    let config = r#"{"routes":[]}"#;
    for nothing_yet in ["*", "\"x\"", ""] {
        let reply = host.ask_with(
            "PUT",
            "/config",
            &format!("If-Match: {nothing_yet}\r\n"),
            config,
        );
        assert_eq!(
            error_of(&reply),
            (412, "The document has changed.".to_owned()),
            "{nothing_yet:?} without a head"
        );
    }
    let first = host.change("PUT", "/config", config);
    let mut head = host.change("PUT", "/config/routes", "{}");
    let cases: [(&str, bool); 14] = [
        ("\"HEAD\"", true),
        ("*", true),
        (" * ", true),
        ("\"FIRST\", \"HEAD\"", true),
        ("\"a\",\"HEAD\" ,\"b\"", true),
        ("W/\"a\", \"HEAD\"", true),
        ("\"FIRST\"", false),
        ("W/\"HEAD\"", false),
        ("HEAD", false),
        ("\"HEAD", false),
        ("\"\"", false),
        ("", false),
        ("\"*\"", false),
        ("\"FIRST\", W/\"HEAD\"", false),
    ];
    for (at, (tags, fits)) in cases.into_iter().enumerate() {
        let tags = tags.replace("HEAD", &head).replace("FIRST", &first);
        for (method, target, body) in [
            ("PUT", format!("/config/routes/r{at}"), "[]"),
            ("DELETE", format!("/config/routes/r{at}"), ""),
        ] {
            let reply = host.ask_with(method, &target, &format!("If-Match: {tags}\r\n"), body);
            assert_eq!(changed(&reply), fits, "{method} with {tags}");
            if !fits {
                assert_eq!(
                    (error_of(&reply).1, reply.header("Starling-Revision")),
                    ("The document has changed.".to_owned(), Some(&head[..]))
                );
                continue;
            }
            host.change("PUT", &target, if method == "PUT" { "[{}]" } else { "[]" });
            head = etag(&host.ask("GET", "/config", ""))
                .trim_matches('"')
                .to_owned();
            break;
        }
    }
    let bare = host.ask_with(
        "PUT",
        "/config/routes/r0",
        &format!("If-Match: {head}\r\n"),
        "{}",
    );
    assert!(
        bare.body.contains("one stands in quotes"),
        "what is wrong with it is said: {}",
        bare.body
    );
    let two = format!("If-Match: \"{first}\"\r\nif-match: \"{head}\"\r\n");
    assert!(
        changed(&host.ask_with("POST", "/config/routes/r0", &two, "{}")),
        "two headers are one list"
    );
}

#[test]
fn of_many_changes_made_on_one_revision_one_is_taken() {
    let host = Host::new();
    let head = host.change("PUT", "/config", r#"{"routes":[]}"#);
    let statuses = at_once(&host, 10, |n| {
        let body = format!("{{\"match\":{{\"uri\":\"/{n}\"}}}}");
        request(
            "PUT",
            "/config/routes/0",
            &format!("If-Match: \"{head}\"\r\n"),
            &body,
        )
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 412).count(),
        9,
        "{statuses:?}"
    );
}

#[test]
fn of_many_changes_at_once_none_is_lost() {
    let host = Host::new();
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    let statuses = at_once(&host, 40, |n| {
        request(
            "POST",
            "/config/routes",
            "",
            &format!("{{\"match\":{{\"uri\":\"/{n}\"}}}}"),
        )
    });
    assert_eq!(statuses, [200; 40]);
    assert_eq!(host.config()["routes"].as_array().map(Vec::len), Some(40));
    assert_eq!(host.config(), host.server_config());
    assert_eq!(
        host.json("/fleet/revisions")[0]["height"].as_u64(),
        Some(41)
    );
}

/// The statuses of so many requests that are under way together.
fn at_once(host: &Host, count: usize, bytes: impl Fn(usize) -> Vec<u8>) -> Vec<u16> {
    let send = |n| {
        let (door, bytes) = (host.door().clone(), bytes(n));
        thread::spawn(move || door.send(&bytes).status)
    };
    let clients: Vec<_> = (0..count).map(send).collect();
    clients
        .into_iter()
        .map(|client| client.join().expect("each is answered"))
        .collect()
}

#[test]
fn a_refusal_comes_in_the_servers_own_words_and_changes_nothing() {
    let host = Host::new();
    let config = r#"{"listeners":{},"routes":[]}"#;
    let head = host.change("PUT", "/config", config);
    host.server.tell("refuse teapot");
    host.server.tell("fail kettle");
    let cases = [
        ("/config/nonsense", "{}"),
        ("/config/listeners/nonsense", "{}"),
        (
            "/config/listeners/127.0.0.1:80",
            r#"{"pass":"routes/nowhere"}"#,
        ),
        ("/config/listeners/127.0.0.1:8439", r#"{"pass":"routes"}"#),
        ("/config/routes/0", r#"{"match":{"uri":"teapot"}}"#),
        ("/config/routes/0", r#"{"match":{"uri":"kettle"}}"#),
    ];
    for (target, body) in cases {
        let (ours, theirs) = (
            host.ask("PUT", target, body),
            host.server_door().send(&request("PUT", target, "", body)),
        );
        assert!(theirs.status >= 400, "{target}: it is meant to be refused");
        assert_eq!(
            (ours.status, &ours.body),
            (theirs.status, &theirs.body),
            "{target}"
        );
        assert_eq!(
            (ours.header("ETag"), ours.header("Starling-Revision")),
            (None, None)
        );
    }
    assert_eq!(
        (etag(&host.ask("GET", "/config", "")), host.config()),
        (format!("\"{head}\""), parsed(config))
    );
    assert_eq!(
        (host.verdict(), host.server_config()),
        ("applied".to_owned(), parsed(config))
    );
    assert_eq!(
        std::fs::read_dir(host.path("state/pending/default")).map_or(0, Iterator::count),
        0,
        "what was refused is kept"
    );
}

#[test]
fn a_path_or_method_that_does_not_fit_is_answered_as_unit_does() {
    let mut host = Host::new();
    let head = host.change(
        "PUT",
        "/config",
        r#"{"routes":{"a":[{"action":{"return":200}}]}}"#,
    );
    let (missing, not_allowed) = ("Value doesn't exist.", "Method isn't allowed.");
    let long = "x".repeat(257);
    let cases = [
        ("PUT", "/config/upstreams/u/servers", "{}", 404, missing),
        ("PUT", "/config/routes/a/2", "{}", 404, missing),
        ("PUT", "/config/routes/a/x", "{}", 404, missing),
        (
            "PUT",
            "/config/routes/a/0/action/return/x",
            "1",
            404,
            missing,
        ),
        ("POST", "/config/routes", "[]", 405, not_allowed),
        (
            "POST",
            "/config/routes/a/0/action/return",
            "1",
            405,
            not_allowed,
        ),
        ("POST", "/config/nothing", "{}", 404, missing),
        ("POST", "/config", "{}", 405, not_allowed),
        ("DELETE", "/config/nothing", "", 404, missing),
        ("DELETE", "/config/routes/a/1", "", 404, missing),
        ("MERGE", "/config", "{}", 405, not_allowed),
        ("put", "/config", "{}", 405, not_allowed),
        (
            "PUT",
            &format!("/config/{long}"),
            "{}",
            500,
            "Memory allocation failed.",
        ),
    ];
    for (method, target, body, status, words) in cases {
        assert_eq!(
            error_of(&host.ask(method, target, body)),
            (status, words.to_owned()),
            "{method} {target}"
        );
    }
    assert_eq!(etag(&host.ask("GET", "/config", "")), format!("\"{head}\""));
    host.is_unharmed();
}

#[test]
fn a_note_is_kept_with_the_change_up_to_its_bound() {
    let mut host = Host::new();
    let most = "n".repeat(512);
    let notes = ["for the sale; \"ticket\" #12\\", &most];
    for (at, note) in notes.into_iter().enumerate() {
        let reply = host.ask_with(
            "PUT",
            "/config",
            &format!("Starling-Note: {note}\r\n"),
            &format!("{{\"routes\":[{{\"action\":{{\"return\":{at}}}}}]}}"),
        );
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(text(&host.json("/fleet/revisions")[0]["note"]), note);
    }
    let reply = host.ask_with(
        "PUT",
        "/config",
        &format!("Starling-Note: {most}n\r\n"),
        "{}",
    );
    assert_eq!(error_of(&reply), (400, "The note is too long.".to_owned()));
    assert_eq!(
        host.ask_with("PUT", "/config", "Starling-Note: \u{e9}\r\n", "{}")
            .status,
        400
    );
    assert_eq!(
        host.json("/fleet/revisions").as_array().map(Vec::len),
        Some(2)
    );
    host.is_unharmed();
}

#[test]
fn the_order_of_members_and_spelling_of_numbers_reach_the_server_as_sent() {
    let host = Host::new();
    let config = r#"{"routes":{"z":[],"a":[],"m":[{"action":{"return":2.00e2}}]},"settings":{"http":{"b":-0,"a":1}},"listeners":{}}"#;
    host.change("PUT", "/config", config);
    host.change("PUT", "/config/settings/http/b", "1E+2");
    let wanted = config.replace("-0", "1E+2");
    assert_eq!(host.server_config().to_string(), wanted);
    assert_eq!(host.config().to_string(), wanted);
    assert!(host.server.tell("stats").contains("\"restarts\":0"));
}
