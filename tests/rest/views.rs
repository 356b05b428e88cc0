//! What `/fleet` and its parts show, and under which names.

use starlingd::model::json::Value;

use super::host::Host;
use super::watch::{parsed, text};

fn names(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("{value} is no object"))
        .keys()
        .map(String::as_str)
        .collect()
}

fn is_id(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[test]
fn a_host_that_was_never_configured_shows_an_empty_fleet() {
    let host = Host::new();
    let fleet = host.json("/fleet");
    assert_eq!(
        names(&fleet),
        [
            "fleet",
            "peer",
            "group",
            "links",
            "nodes",
            "conflicts",
            "problems"
        ]
    );
    assert_eq!(names(&fleet["fleet"]), ["name", "id"]);
    assert_eq!(fleet["fleet"]["name"], "gulls");
    assert_eq!(
        names(&fleet["peer"]),
        [
            "id",
            "name",
            "version",
            "group",
            "joined",
            "in_memory",
            "uptime_ms"
        ]
    );
    assert_eq!(
        (
            text(&fleet["peer"]["id"]).len(),
            text(&fleet["peer"]["name"])
        ),
        (52, "gull".to_owned())
    );
    assert_eq!(
        (text(&fleet["peer"]["group"]), &fleet["peer"]["joined"]),
        ("default".to_owned(), &Value::Bool(true))
    );
    assert_eq!(
        names(&fleet["group"]),
        [
            "name", "head", "applied", "verdict", "detail", "drift", "kept"
        ]
    );
    assert_eq!(
        (&fleet["group"]["head"], &fleet["group"]["applied"]),
        (&Value::Null, &Value::Null)
    );
    for part in ["links", "conflicts", "problems"] {
        assert_eq!(fleet[part].as_array().map(Vec::len), Some(0), "{part}");
    }
    for part in ["/fleet/links", "/fleet/revisions", "/fleet/conflicts"] {
        assert_eq!(host.ask("GET", part, "").body, "[]\r\n");
    }
    assert_eq!(
        host.ask("GET", "/healthz", "").body,
        "{\r\n\t\"status\": \"ok\"\r\n}\r\n"
    );
}

/// Its node record follows a change only after a while.
#[test]
fn what_a_host_shows_of_itself_is_what_it_is_now() {
    let host = Host::new();
    for count in 0..20 {
        let head = host.change(
            "PUT",
            "/config",
            &format!(
                r#"{{"routes":[{{"action":{{"return":{}}}}}]}}"#,
                200 + count
            ),
        );
        let fleet = host.json("/fleet");
        let node = &fleet["nodes"][0];
        assert_eq!(
            (text(&node["applied"]), text(&node["desired"])),
            (head.clone(), head)
        );
        assert_eq!(
            (&node["verdict"], &node["age_ms"]),
            (&fleet["group"]["verdict"], &Value::from(0))
        );
        assert_eq!(host.json("/fleet/groups")[0]["applied"], 1);
    }
}

#[test]
fn a_node_says_what_it_wants_and_runs_and_is_found_by_the_end_of_its_id() {
    let host = Host::new();
    let head = host.change("PUT", "/config", r#"{"routes":[]}"#);
    let nodes = host.json("/fleet/nodes");
    let [node] = &nodes.as_array().expect("a list")[..] else {
        panic!("{nodes}")
    };
    let members = [
        "id", "name", "version", "group", "verdict", "detail", "problem", "desired", "applied",
        "server", "drift",
    ];
    assert_eq!(
        names(node),
        [
            &members[..],
            &["addresses", "state", "age_ms", "clock_ms", "linked", "self"]
        ]
        .concat()
    );
    let expected = [
        ("name", "gull"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("group", "default"),
        ("verdict", "applied"),
        ("state", "in step"),
    ];
    expected
        .into_iter()
        .for_each(|(member, value)| assert_eq!(node[member], value));
    assert_eq!(
        (text(&node["desired"]), text(&node["detail"])),
        (head, String::new())
    );
    let flags = ["server", "drift", "linked", "self"]
        .map(|member| node[member].as_bool().expect("a boolean"));
    assert_eq!(flags, [true, false, false, true]);
    assert!(
        node["addresses"]
            .as_array()
            .is_some_and(|all| all.len() == 1 && text(&all[0]).starts_with("127.0.0.1:"))
    );
    assert!(node["age_ms"].as_u64().is_some());

    let id = text(&node["id"]);
    for ending in [&id[..], &id[44..], &id[51..]] {
        assert_eq!(
            text(&host.json(&format!("/fleet/nodes/{ending}"))["id"]),
            id
        );
    }
    for (ending, status) in [
        ("zzzzzzzz", 404),
        ("%2E%2E%2Fidentity.key", 404),
        ("a/b", 404),
    ] {
        assert_eq!(
            host.ask("GET", &format!("/fleet/nodes/{ending}"), "")
                .status,
            status,
            "{ending}"
        );
    }
    assert_eq!(text(&host.json("/fleet")["nodes"][0]["id"]), id);
}

#[test]
fn revisions_are_listed_newest_first() {
    let host = Host::new();
    let first = host.change("PUT", "/config", r#"{"routes":[]}"#);
    let reply = host.ask_with(
        "POST",
        "/config/routes",
        "Starling-Note: why not\r\nIf-Match: *\r\n",
        r#"{"action":{"return":201}}"#,
    );
    assert_eq!(reply.status, 200);
    let revisions = host.json("/fleet/revisions");
    let [second, oldest] = &revisions.as_array().expect("a list")[..] else {
        panic!("{revisions}")
    };
    let members = [
        "id",
        "height",
        "author",
        "author_name",
        "time",
        "received",
        "note",
        "base",
        "size",
        "untried",
        "stored",
        "struck",
        "guarded",
        "removed",
    ];
    let members = [&members[..], &["kind", "edit", "settled", "beaten"]].concat();
    assert_eq!(names(second), members);
    assert!(
        is_id(&second["id"])
            && second["size"].as_u64().is_some()
            && second["time"].as_u64() > Some(1_700_000_000_000)
    );
    assert_eq!(
        (
            text(&oldest["id"]),
            &oldest["base"],
            oldest["height"].as_u64()
        ),
        (first.clone(), &Value::Null, Some(1))
    );
    assert_eq!(
        (text(&second["base"]), second["height"].as_u64()),
        (first.clone(), Some(2))
    );
    assert_eq!(
        (text(&second["note"]), text(&oldest["note"])),
        ("why not".to_owned(), String::new())
    );
    assert_eq!(
        (&second["guarded"], &oldest["guarded"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(
        (text(&second["author_name"]), text(&second["kind"])),
        ("gull".to_owned(), "original".to_owned())
    );
    assert_eq!(second["author"], host.json("/fleet")["peer"]["id"]);
    let [edit] = &second["edit"].as_array().expect("a list")[..] else {
        panic!("{second}")
    };
    assert_eq!(
        (text(&edit["op"]), text(&edit["path"])),
        ("append".to_owned(), "/config/routes".to_owned())
    );
    assert_eq!(host.json("/fleet")["group"]["head"], *second);
}

#[test]
fn a_revision_is_found_by_the_beginning_of_its_id_and_by_nothing_else() {
    let host = Host::new();
    let first = host.change("PUT", "/config", r#"{"routes":[]}"#);
    host.change("PUT", "/config", r#"{"routes":{}}"#);
    let listed = host.json("/fleet/revisions");
    let members = names(&listed[0]);
    for (beginning, status) in [
        (&first[..], 200),
        (&first[..8], 200),
        (&first[..4], 200),
        (&first[..3], 404),
        ("0000", 404),
    ] {
        let reply = host.ask("GET", &format!("/fleet/revisions/{beginning}"), "");
        assert_eq!(reply.status, status, "{beginning}: {}", reply.body);
        if status == 200 {
            let one = parsed(&reply.body);
            assert_eq!(names(&one), [&members[..], &["document"]].concat());
            assert_eq!(
                names(&one["document"]),
                ["config", "certificates", "js_modules"]
            );
            assert_eq!(
                (text(&one["id"]), one["document"]["config"].to_string()),
                (first.clone(), r#"{"routes":[]}"#.to_owned())
            );
        }
    }
    for strange in [
        "%2E%2E%2F%2E%2E%2Fidentity.key",
        "..%2f..%2fidentity.key",
        &format!("{first}0"),
        "ZZZZ",
        "%F0%9F%98%80%F0%9F%98%80",
    ] {
        assert_eq!(
            host.ask("GET", &format!("/fleet/revisions/{strange}"), "")
                .status,
            404,
            "{strange}"
        );
    }
}

#[test]
fn a_revision_whose_file_is_gone_is_404_and_the_rest_goes_on() {
    let mut host = Host::new();
    let first = host.change("PUT", "/config", r#"{"routes":[]}"#);
    host.change("PUT", "/config", r#"{"routes":{}}"#);
    let file = host
        .path("state/revisions/default")
        .join(format!("{:015}-{first}", 1));
    std::fs::remove_file(file).expect("a revision is a file");
    let reply = host.ask("GET", &format!("/fleet/revisions/{first}"), "");
    assert_eq!(
        (reply.status, text(&parsed(&reply.body)["error"])),
        (404, "No such revision.".to_owned())
    );
    host.is_unharmed();
}

#[test]
fn what_is_not_there_is_answered_as_unit_answers_it() {
    let host = Host::new();
    for target in [
        "/foo",
        "/configs",
        "/fleet/events",
        "/fleet/nodes/a/b",
        "/healthz/x",
        "/%63onfig2",
    ] {
        let reply = host.ask("GET", target, "");
        assert_eq!(
            (reply.status, &reply.body[..]),
            (404, "{\r\n\t\"error\": \"Value doesn't exist.\"\r\n}\r\n"),
            "{target}"
        );
    }
}

#[test]
fn only_get_is_taken_by_what_only_shows() {
    let mut host = Host::new();
    for target in ONLY_SHOWN {
        for method in ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let reply = host.ask(method, target, "{}");
            assert_eq!(
                (reply.status, reply.header("Allow")),
                (405, Some("GET")),
                "{method} {target}"
            );
            assert_eq!(
                reply.body,
                "{\r\n\t\"error\": \"Method isn't allowed.\"\r\n}\r\n"
            );
        }
        let reply = host.ask("HEAD", target, "");
        assert_eq!((reply.status, &reply.body[..]), (405, ""), "{target}");
        assert_eq!(
            host.ask("GET", target, "what a GET bears is not looked at")
                .status,
            if target.ends_with("/0") { 404 } else { 200 }
        );
        assert_ne!(
            host.ask("GET", &format!("{target}/?group=default#y"), "")
                .status,
            400
        );
    }
    host.is_unharmed();
}

const ONLY_SHOWN: [&str; 11] = [
    "/healthz",
    "/fleet",
    "/fleet/nodes",
    "/fleet/nodes/0",
    "/fleet/links",
    "/fleet/groups",
    "/fleet/revisions",
    "/fleet/revisions/0",
    "/fleet/conflicts",
    "/fleet/conflicts/0",
    "/fleet/blame/config/0",
];
