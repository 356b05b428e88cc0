//! Bodies, paths and names that no sane client sends: each gets a clear answer by both doors, and
//! nothing comes of it.

use super::host::{Host, request};
use super::watch::{parsed, text};

const CONFIG: &str = r#"{"listeners":{},"routes":{"a":[{"action":{"return":200}}]}}"#;

/// A host with a configuration, and the bodies that follow are sent to it: none is taken, and each
/// answer says why.
struct Victim {
    host: Host,
    head: String,
}

impl Victim {
    fn new() -> Self {
        let host = Host::new();
        let head = host.change("PUT", "/config", CONFIG);
        Self { host, head }
    }

    /// By both doors, to the root and below it, put and appended.
    fn refuses_json(&self, body: &[u8], detail: &str) {
        for door in self.host.doors() {
            for (method, target) in [
                ("PUT", "/config"),
                ("PUT", "/config/routes/b"),
                ("POST", "/config/routes/a"),
                ("PUT", "/config/no/where"),
                ("PATCH", "/config"),
                ("PATCH", "/config/no/where"),
            ] {
                let head = String::from_utf8(request(method, target, "", "")).expect("it is text");
                let head = head.replace(
                    "Content-Length: 0",
                    &format!("Content-Length: {}", body.len()),
                );
                let reply = door.send(&[head.as_bytes(), body].concat());
                let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
                assert_eq!(
                    reply.status, 400,
                    "{method} {target} {shown}: {}",
                    reply.body
                );
                let error = parsed(&reply.body);
                assert_eq!(text(&error["error"]), "Invalid JSON.", "{shown}");
                assert!(
                    text(&error["detail"]).contains(detail),
                    "{shown}: {}",
                    error["detail"]
                );
                for place in ["offset", "line", "column"] {
                    assert!(
                        error["location"][place].as_u64().is_some(),
                        "{shown}: {}",
                        reply.body
                    );
                }
            }
        }
    }

    fn ends_unharmed(mut self) {
        let reply = self.host.ask("GET", "/config", "");
        assert_eq!(
            reply.header("ETag"),
            Some(&format!("\"{}\"", self.head)[..])
        );
        assert_eq!(
            (parsed(&reply.body), self.host.server_config()),
            (parsed(CONFIG), parsed(CONFIG))
        );
        assert_eq!(
            self.host.json("/fleet")["problems"]
                .as_array()
                .map(Vec::len),
            Some(0)
        );
        self.host
            .change("PUT", "/config/routes/a/0/action/return", "204");
        self.host.is_unharmed();
    }
}

#[test]
fn bodies_that_are_no_json_are_refused_where_they_stop_being_it() {
    let victim = Victim::new();
    let digits = "9".repeat(400);
    let bodies: &[&[u8]] = &[
        b"{",
        b"[1,",
        b"\"abc",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{'a':1}",
        b"tru",
        b"NaN",
        b"Infinity",
        b"0x10",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"--1",
        b"1e",
        b"\"\\x\"",
        b"\"\\ud800\"",
        b"\"\\udc00\\ud800\"",
        b"\"\\u12\"",
        b"\"a\nb\"",
        b"\0",
        b"{}\0",
        b"{} {}",
        b"/* not closed",
        b"\xef\xbb",
        b"[}",
        b"<html>",
        b"\x1f\x8b\x08\x00",
    ];
    for body in bodies {
        victim.refuses_json(body, "");
    }
    for number in [
        digits.clone(),
        format!("-{digits}"),
        format!("0.{digits}"),
        format!("1e{digits}"),
        "1e999999999".into(),
        "123456789012345".into(),
    ] {
        victim.refuses_json(format!("{{\"a\":{number}}}").as_bytes(), "");
    }
    victim.ends_unharmed();
}

#[test]
fn duplicate_members_are_refused_at_the_second_name() {
    let victim = Victim::new();
    victim.refuses_json(br#"{"routes":[],"routes":[]}"#, "uplicate");
    victim.refuses_json(b"{\"x\":{\"a\":1,\"\\u0061\":2}}", "uplicate");
    let reply = victim
        .host
        .ask("PUT", "/config", "{\"routes\": [],\n \"routes\": []}");
    assert_eq!(
        parsed(&reply.body)["location"].to_string(),
        r#"{"offset":16,"line":2,"column":2}"#
    );
    victim.ends_unharmed();
}

#[test]
fn ten_thousand_levels_are_refused_and_as_many_as_may_be_are_taken() {
    let victim = Victim::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[[{\"a\":[", "]}]]")] {
        for levels in [101, 10_000] {
            victim.refuses_json(
                format!("{}1{}", open.repeat(levels), close.repeat(levels)).as_bytes(),
                "",
            );
            victim.refuses_json(open.repeat(levels).as_bytes(), "");
        }
    }
    victim.refuses_json("[{},".repeat(300_000).as_bytes(), "");
    victim.refuses_json(format!("[{}1]", "1,".repeat(300_000)).as_bytes(), "");
    victim.ends_unharmed();
    let host = Host::new();
    // The configuration, its routes and the list are three of the hundred.
    let deep = format!(
        "{{\"routes\":{{\"r\":[{}1{}]}}}}",
        "[".repeat(97),
        "]".repeat(97)
    );
    host.change("PUT", "/config", &deep);
    assert_eq!(
        (host.config().to_string(), host.server_config().to_string()),
        (deep.clone(), deep)
    );
    let target = format!("/config/routes/r{}", "/0".repeat(97));
    assert_eq!(host.ask("PUT", &target, "[[1]]").status, 413);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_at_the_first() {
    let victim = Victim::new();
    for body in [
        &b"{\"\xff\xfe\":1}"[..],
        b"\"\xc3\"",
        b"[\"\xed\xa0\x80\"]",
        b"\xff",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xc0\x80\"",
    ] {
        victim.refuses_json(body, "");
    }
    victim.ends_unharmed();
}

#[test]
fn comments_may_hold_any_bytes_and_paths_raw_letters_as_in_unit() {
    let mut host = Host::new();
    let put = |target: &str, body: &[u8]| {
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        host.door().send(&[head.as_bytes(), body].concat())
    };
    let reply = put(
        "/config",
        b"{\"routes\":{\"\xc3\xa9\":[]}, // end of line \xef\t\n\"listeners\":{}} /* \xef\t\x08 */",
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply = put("/config/routes/\u{e9}", b"[{\"action\":{\"return\":204}}]");
    assert_eq!(reply.status, 200, "{}", reply.body);
    let expected =
        parsed("{\"routes\":{\"\u{e9}\":[{\"action\":{\"return\":204}}]},\"listeners\":{}}");
    assert_eq!(
        (host.config(), host.server_config()),
        (expected.clone(), expected)
    );
    host.is_unharmed();
}

#[test]
fn a_word_of_the_query_that_would_be_passed_over_is_named() {
    let mut host = Host::new();
    host.change("PUT", "/config", CONFIG);
    for (method, target, hint) in [
        ("GET", "/config?Group=b", "\"Group\": did you mean group?"),
        ("PUT", "/config/routes?GROUP=b", "did you mean group?"),
        ("PUT", "/certificates/a?Force", "did you mean force?"),
        ("GET", "/fleet/revisions?groop=b", "did you mean group?"),
        (
            "GET",
            "/fleet/nodes?limit=3",
            "there are diff, dry-run, force, group, path",
        ),
    ] {
        let reply = host.ask(method, target, "[]");
        let body = parsed(&reply.body);
        assert_eq!(
            (reply.status, text(&body["error"])),
            (400, "Unknown word in the query.".to_owned()),
            "{target}"
        );
        assert!(
            text(&body["detail"]).contains(hint),
            "{target}: {}",
            reply.body
        );
    }
    assert_eq!(
        host.ask("GET", "/config?pretty&page=2", "").status,
        200,
        "Unit does not look at queries"
    );
    host.is_unharmed();
}

#[test]
fn paths_that_lead_nowhere_are_refused_by_every_route() {
    let mut host = Host::new();
    host.change("PUT", "/config", CONFIG);
    let wrong: [(&str, u16); 9] = [
        ("%", 400),
        ("%zz", 400),
        ("%00", 400),
        ("a%00b", 400),
        ("%ff", 400),
        ("%C3", 400),
        ("%u0041", 400),
        ("../../..", 400),
        (&"aa/".repeat(5000), 400),
    ];
    for door in host.doors() {
        for route in [
            "/config",
            "/fleet/nodes",
            "/fleet/revisions",
            "/fleet",
            "/healthz",
            "/certificates",
        ] {
            for (rest, status) in wrong {
                for method in ["GET", "PUT", "POST", "DELETE"] {
                    let reply = door.send(&request(method, &format!("{route}/{rest}"), "", "{}"));
                    assert_eq!(
                        reply.status, status,
                        "{method} {route}/{rest:.20}: {}",
                        reply.body
                    );
                    assert_eq!(text(&parsed(&reply.body)["error"]), "Invalid request path.");
                }
            }
        }
        for target in ["/config\0", "/config/\u{7f}"] {
            assert_eq!(
                door.send(&request("GET", target, "", "")).status,
                400,
                "{target:?}"
            );
        }
    }
    assert_eq!(host.config(), parsed(CONFIG));
    host.is_unharmed();
}

#[test]
fn names_with_slashes_dots_and_anything_else_are_members_like_any_other() {
    let mut host = Host::new();
    host.change("PUT", "/config", r#"{"routes":{}}"#);
    let names = [
        ("a%2Fb", "a/b"),
        ("%2e%2e", ".."),
        ("%2E", "."),
        ("..%2f..%2fetc%2fpasswd", "../../etc/passwd"),
        ("%25", "%"),
        ("%2520", "%20"),
        ("%20", " "),
        ("%22%5C", "\"\\"),
        ("%0D%0AX:%20y", "\r\nX: y"),
        ("%01%7F", "\u{1}\u{7f}"),
        ("%E2%80%AE", "\u{202e}"),
        ("%F0%9F%98%80", "\u{1f600}"),
        ("\u{e9}", "\u{e9}"),
        ("a+b", "a+b"),
        ("*:80", "*:80"),
        ("~", "~"),
        ("~1", "~1"),
        ("0", "0"),
        ("-1", "-1"),
        ("__proto__", "__proto__"),
    ];
    for (at, (written, name)) in names.into_iter().enumerate() {
        let target = format!("/config/routes/{written}");
        let body = format!("[{{\"action\":{{\"return\":{at}}}}}]");
        let reply = host.ask("PUT", &target, &body);
        assert_eq!(reply.status, 200, "{name:?}: {}", reply.body);
        assert_eq!(
            parsed(&host.ask("GET", &target, "").body),
            parsed(&body),
            "{name:?}"
        );
        assert_eq!(host.config()["routes"][name], parsed(&body), "{name:?}");
        assert_eq!(
            host.ask("GET", &format!("{target}/0/action/return"), "")
                .body,
            format!("{at}\r\n"),
            "{name:?}"
        );
    }
    assert_eq!(host.config(), host.server_config());
    for (written, name) in names {
        host.change("DELETE", &format!("/config/routes/{written}"), "");
        assert!(host.config()["routes"].get(name).is_none(), "{name:?}");
    }
    assert_eq!(host.server_config(), parsed(r#"{"routes":{}}"#));
    host.is_unharmed();
}

#[test]
fn a_member_without_a_name_is_carried_though_no_path_leads_to_it() {
    let host = Host::new();
    let config = r#"{"routes":{"":[{"action":{"return":1}}],"a\u0000b":[]}}"#;
    host.change("PUT", "/config", config);
    assert_eq!(host.config(), host.server_config());
    host.server
        .tell(r#"set {"routes":{"":[{"action":{"return":2}}],"a\u0000b":[]}}"#);
    assert_eq!(
        host.ask("POST", "/config", "").status,
        200,
        "what no path leads to is published with what is around it"
    );
    assert_eq!(
        host.config()["routes"][""][0]["action"]["return"].to_string(),
        "2"
    );
}

#[test]
fn values_of_the_wrong_type_are_the_servers_to_refuse() {
    let mut host = Host::new();
    let head = host.change("PUT", "/config", CONFIG);
    for body in [
        "null",
        "true",
        "0",
        "\"text\"",
        "[]",
        "[{}]",
        r#"{"routes":1}"#,
        r#"{"listeners":[]}"#,
    ] {
        let reply = host.ask("PUT", "/config", body);
        assert_eq!(
            (reply.status, text(&parsed(&reply.body)["error"])),
            (400, "Invalid configuration.".to_owned()),
            "{body}"
        );
    }
    assert_eq!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{head}\"")[..])
    );
    host.is_unharmed();
}
