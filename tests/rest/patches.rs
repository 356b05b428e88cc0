//! PATCH, and POST of members: what they make of the document, what the history says of them, and
//! each way to get them wrong.

use super::host::Host;
use super::watch::{parsed, text};
use harness::http::Reply;

const CONFIG: &str =
    r#"{"listeners":{},"routes":[{"action":{"return":200}}],"settings":{"http":{"a":1.0,"b":2}}}"#;
const DONE: &str = "{\r\n\t\"success\": \"Reconfiguration done.\"\r\n}\r\n";
const MERGE: &str = "Content-Type: application/merge-patch+json\r\n";
const STEPS: &str = "Content-Type: application/json-patch+json\r\n";

fn configured() -> Host {
    let host = Host::new();
    host.change("PUT", "/config", CONFIG);
    host
}

fn error_of(reply: &Reply) -> (u16, String, String) {
    let body = parsed(&reply.body);
    (
        reply.status,
        text(&body["error"]),
        body.get("detail").map(text).unwrap_or_default(),
    )
}

/// `put /config/a, append /config/b`: what the head's edit says.
fn said(host: &Host) -> String {
    let edit = host.json("/fleet/revisions")[0]["edit"].clone();
    let word =
        |op: &starlingd::model::json::Value| format!("{} {}", text(&op["op"]), text(&op["path"]));
    edit.as_array()
        .expect("a list")
        .iter()
        .map(word)
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn a_patch_is_made_as_its_content_type_says_and_the_history_names_what_it_changed() {
    let host = configured();
    let cases = [
        (
            "",
            "/config/settings/http",
            r#"{"b":null,"a":3.50,"c":0}"#,
            r#"{"a":3.50,"c":0}"#,
            "delete /b, put /a, put /c",
        ),
        (
            MERGE,
            "/config/settings",
            r#"{"http":{"b":{}}}"#,
            r#"{"http":{"a":3.50,"c":0,"b":{}}}"#,
            "put /http/b",
        ),
        (
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "/config/settings/http/",
            r#" {"a":2}"#,
            r#"{"a":2,"c":0,"b":{}}"#,
            "put /a",
        ),
        (
            "Content-Type: Application/JSON; charset=utf-8\r\n",
            "/config/settings/http/",
            r#"{"a":1 /* one */,}"#,
            r#"{"a":1,"c":0,"b":{}}"#,
            "put /a",
        ),
        (
            STEPS,
            "/config/settings/http",
            r#"[{"op":"test","path":"/a","value":1.0},{"op":"move","from":"/c","path":"/d"},{"op":"replace","path":"/a","value":2}]"#,
            r#"{"a":2,"b":{},"d":0}"#,
            "put /a, delete /c, put /d",
        ),
        (
            STEPS,
            "/config/routes",
            r#"[{"op":"copy","from":"/0","path":"/-"}]"#,
            r#"[{"action":{"return":200}},{"action":{"return":200}}]"#,
            "append ",
        ),
    ];
    for (headers, target, body, after, edit) in cases {
        let reply = host.ask_with(
            "PATCH",
            target,
            &format!("{headers}Starling-Note: why\r\n"),
            body,
        );
        assert_eq!(
            (reply.status, &reply.body[..]),
            (200, DONE),
            "{target} {body}"
        );
        assert_eq!(
            host.ask("GET", target, "").header("ETag"),
            reply.header("ETag")
        );
        assert_eq!(host.json(target).to_string(), after, "{body}");
        let path = target.trim_end_matches('/');
        assert_eq!(
            said(&host),
            edit.replace(" /", &format!(" {path}/"))
                .replace("append ", &format!("append {path}"))
        );
        assert_eq!(text(&host.json("/fleet/revisions")[0]["note"]), "why");
        assert_eq!(host.server_config(), host.config());
    }
}

#[test]
fn a_patch_honours_if_match_and_one_that_changes_nothing_makes_no_revision() {
    let host = configured();
    let head = host
        .ask("GET", "/config", "")
        .header("ETag")
        .expect("there is a head")
        .to_owned();
    let reply = host.ask_with(
        "PATCH",
        "/config",
        &format!("{MERGE}If-Match: \"x\"\r\n"),
        r#"{"routes":[]}"#,
    );
    assert_eq!(reply.status, 412);
    for (headers, body) in [
        (MERGE, r#"{"settings":{"http":{"a":1.0,"z":null}}}"#),
        (STEPS, "[]"),
        (MERGE, "{}"),
    ] {
        let reply = host.ask_with("PATCH", "/config", headers, body);
        assert_eq!(
            (reply.status, reply.header("ETag")),
            (200, Some(&head[..])),
            "{body}"
        );
    }
    let reply = host.ask_with(
        "PATCH",
        "/config",
        &format!("{MERGE}If-Match: {head}\r\n"),
        r#"{"routes":[]}"#,
    );
    assert_eq!(reply.status, 200);
    assert_eq!(host.json("/fleet/revisions")[0]["guarded"], true);
}

#[test]
fn members_are_posted_all_or_none() {
    let host = configured();
    host.change(
        "POST",
        "/config/listeners",
        r#"{"*:81":{"pass":"routes"},"*:82":{"pass":"routes"}}"#,
    );
    assert_eq!(
        said(&host),
        "put /config/listeners/*:81, put /config/listeners/*:82"
    );
    let both = host.json("/config/listeners");
    let reply = host.ask(
        "POST",
        "/config/listeners",
        r#"{"*:83":{"pass":"routes"},"*:82":{"pass":"routes"}}"#,
    );
    let exists = (
        409,
        "Value exists already.".to_owned(),
        "/config/listeners/*:82".to_owned(),
    );
    assert_eq!(error_of(&reply), exists);
    for (target, body, status) in [
        ("/config/listeners", "[]", 405),
        ("/config/listeners", "1", 405),
        ("/config/routes/0/action/return", "{}", 405),
        ("/config", "{\"routes\":[]}", 405),
        ("/config/no/where", "{}", 404),
        ("/config/listeners", r#"{"*:84":{"pass":"nowhere"}}"#, 400),
    ] {
        assert_eq!(
            host.ask("POST", target, body).status,
            status,
            "{target} {body}"
        );
    }
    assert_eq!(host.json("/config/listeners"), both);
    let head = host.change("POST", "/config/routes", r#"{"action":{"return":404}}"#);
    assert_eq!(
        said(&host),
        "append /config/routes",
        "onto an array an object is an element"
    );
    assert_eq!(
        host.change("POST", "/config/settings", "{}"),
        head,
        "no members are no change"
    );
}

#[test]
fn every_way_to_get_a_patch_wrong_is_told_and_nothing_comes_of_it() {
    let mut host = configured();
    let head = host
        .ask("GET", "/config", "")
        .header("ETag")
        .map(str::to_owned);
    let unfit = (409, "The patch does not fit the document.");
    let invalid = (400, "Invalid patch.");
    let cases = [
        ("{}", invalid, "a JSON Patch is an array of operations"),
        ("[[]]", invalid, "operation 0 is not an object"),
        (
            r#"[{"op":"test","path":"/routes","value":1},{"op":"add","path":"/a"}]"#,
            invalid,
            "operation 1 has no member \"value\"",
        ),
        (
            r#"[{"op":"merge","path":"/a"}]"#,
            invalid,
            "operation 0, member \"op\": it is add, remove, replace, move, copy or test",
        ),
        (
            r#"[{"op":"remove","path":"routes"}]"#,
            invalid,
            "operation 0, member \"path\": a pointer is empty or begins with a slash, and has ~ only in ~0 and ~1",
        ),
        (
            r#"[{"op":"remove","path":"/no"}]"#,
            unfit,
            "operation 0 (remove \"/no\"): nothing is there",
        ),
        (
            r#"[{"op":"remove","path":"/routes"},{"op":"add","path":"/routes/-","value":1}]"#,
            unfit,
            "operation 1 (add \"/routes/-\"): what should hold it is not there",
        ),
        (
            r#"[{"op":"remove","path":"/routes"},{"op":"test","path":"/settings/http/b","value":3}]"#,
            (409, "A test of the patch does not hold."),
            "operation 1 (test \"/settings/http/b\"): the value there is 2",
        ),
        (
            r#"[{"op":"add","path":"/listeners/*:1","value":{"pass":"nowhere"}}]"#,
            (400, "Invalid configuration."),
            "Request \"pass\" points to invalid location \"nowhere\".",
        ),
    ];
    for (body, (status, error), detail) in cases {
        for door in host.doors() {
            let reply = door.send(&super::host::request("PATCH", "/config", STEPS, body));
            assert_eq!(
                error_of(&reply),
                (status, error.to_owned(), detail.to_owned()),
                "{body}"
            );
        }
    }
    let many = format!(
        "[{}]",
        vec![r#"{"op":"test","path":"","value":1}"#; 257].join(",")
    );
    assert_eq!(
        error_of(&host.ask_with("PATCH", "/config", STEPS, &many)).2,
        "a JSON Patch has at most 256 operations"
    );
    let growing = format!(
        "[{}]",
        vec![r#"{"op":"copy","from":"","path":"/x"},{"op":"copy","from":"","path":"/y"}"#; 40]
            .join(",")
    );
    assert_eq!(
        host.ask_with("PATCH", "/config", STEPS, &growing).status,
        413
    );
    assert_eq!(
        host.ask_with("PATCH", "/config/no/where", MERGE, "{}")
            .status,
        404
    );
    let steps = r#"[{"op":"remove","path":"/routes"}]"#;
    let sent = ["text/plain", "application/yaml", "json"].map(|kind| (kind, "{\"routes\":[]}"));
    for (kind, body) in sent
        .into_iter()
        .chain([("application/x-www-form-urlencoded", steps)])
    {
        let reply = host.ask_with(
            "PATCH",
            "/config",
            &format!("Content-Type: {kind}\r\n"),
            body,
        );
        let kinds = "application/merge-patch+json, application/json-patch+json";
        assert_eq!(
            (reply.status, reply.header("Accept-Patch")),
            (415, Some(kinds)),
            "{kind}"
        );
    }
    for target in ["/fleet", "/healthz", "/nothing"] {
        assert!(
            matches!(
                host.ask_with("PATCH", target, MERGE, "{}").status,
                404 | 405
            ),
            "{target}"
        );
    }
    assert_eq!(
        (host.config(), host.server_config()),
        (parsed(CONFIG), parsed(CONFIG))
    );
    assert_eq!(
        host.ask("GET", "/config", "")
            .header("ETag")
            .map(str::to_owned),
        head
    );
    host.is_unharmed();
}
