//! Bad input to every route of starling-api(7): each is answered with a status that fits and a
//! sentence that says what is wrong, and the peer goes on.
//!
//! The page and the list of routes here must name the same, so that a new route is tried in all
//! these ways or fails.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::Shutdown;

use super::host::{Host, TOKEN, request};
use super::watch::{parsed, text};
use harness::http::{Reply, Stream};

const PAGE: &str = include_str!("../../man/starling-api.7");

/// What becomes of a body.
#[derive(PartialEq, Clone, Copy)]
enum Takes {
    /// It is read as JSON.
    Json,
    /// It must be a bundle.
    Bundle,
    /// It is a source, of which the server says what it is worth.
    Source,
    /// It must be empty.
    Empty,
    /// It is not looked at.
    Nothing,
}

struct Route {
    /// As the page has it, without its markup.
    page: &'static str,
    /// One that is there; `NAME` is where a name can stand.
    target: &'static str,
    takes: Takes,
}

const fn route(page: &'static str, target: &'static str, takes: Takes) -> Route {
    Route {
        page,
        target,
        takes,
    }
}

const ROUTES: &[Route] = &[
    route("GET /config /path", "/config/routes/NAME", Takes::Nothing),
    route("PUT /config /path", "/config/routes/NAME", Takes::Json),
    route("POST /config/path", "/config/routes/NAME", Takes::Json),
    route(
        "DELETE /config /path",
        "/config/routes/NAME",
        Takes::Nothing,
    ),
    route("PATCH /config /path", "/config/routes/NAME", Takes::Json),
    route("POST /config with an empty body", "/config", Takes::Empty),
    route(
        "PUT /certificates/NAME",
        "/certificates/NAME",
        Takes::Bundle,
    ),
    route(
        "DELETE /certificates/NAME",
        "/certificates/NAME",
        Takes::Nothing,
    ),
    route("PUT /js_modules/NAME", "/js_modules/NAME", Takes::Source),
    route(
        "DELETE /js_modules/NAME",
        "/js_modules/NAME",
        Takes::Nothing,
    ),
    route("GET /", "/", Takes::Nothing),
    route(
        "GET /certificates /NAME",
        "/certificates/NAME",
        Takes::Nothing,
    ),
    route("GET /js_modules /NAME", "/js_modules/NAME", Takes::Nothing),
    route("GET /status /path", "/status/NAME", Takes::Nothing),
    route(
        "GET /control/applications/NAME/restart",
        "/control/applications/NAME/restart",
        Takes::Nothing,
    ),
    route(
        "POST /control/applications/NAME/restart",
        "/control/applications/NAME/restart",
        Takes::Nothing,
    ),
    route("GET /healthz", "/healthz", Takes::Nothing),
    route("GET /fleet", "/fleet", Takes::Nothing),
    route("GET /fleet/effective", "/fleet/effective", Takes::Nothing),
    route("GET /fleet/nodes", "/fleet/nodes", Takes::Nothing),
    route("GET /fleet/nodes/ID", "/fleet/nodes/NAME", Takes::Nothing),
    route("GET /fleet/groups", "/fleet/groups", Takes::Nothing),
    route(
        "DELETE /fleet/groups/NAME",
        "/fleet/groups/NAME",
        Takes::Nothing,
    ),
    route("GET /fleet/links", "/fleet/links", Takes::Nothing),
    route("GET /fleet/revisions", "/fleet/revisions", Takes::Nothing),
    route(
        "GET /fleet/revisions/ID",
        "/fleet/revisions/NAME",
        Takes::Nothing,
    ),
    route(
        "GET /fleet/revisions/ID?diff = other",
        "/fleet/revisions/NAME?diff=NAME",
        Takes::Nothing,
    ),
    route(
        "POST /fleet/revisions/ID/restore ?path=/config/path",
        "/fleet/revisions/NAME/restore?path=/config/NAME",
        Takes::Nothing,
    ),
    route(
        "GET /fleet/blame/config /path",
        "/fleet/blame/config/routes/NAME",
        Takes::Nothing,
    ),
    route(
        "GET /fleet/blame/certificates/NAME",
        "/fleet/blame/certificates/NAME",
        Takes::Nothing,
    ),
    route(
        "GET /fleet/blame/js_modules/NAME",
        "/fleet/blame/js_modules/NAME",
        Takes::Nothing,
    ),
    route("GET /fleet/conflicts", "/fleet/conflicts", Takes::Nothing),
    route(
        "GET /fleet/conflicts/ID",
        "/fleet/conflicts/NAME",
        Takes::Nothing,
    ),
    route(
        "POST /fleet/conflicts/ID/keep",
        "/fleet/conflicts/NAME/keep",
        Takes::Nothing,
    ),
    route(
        "POST /fleet/conflicts/ID/drop",
        "/fleet/conflicts/NAME/drop",
        Takes::Nothing,
    ),
    route("GET /fleet/drift", "/fleet/drift", Takes::Nothing),
    route("GET /fleet/drift/FILE", "/fleet/drift/NAME", Takes::Nothing),
    route(
        "POST /fleet/drift/FILE/acknowledge",
        "/fleet/drift/NAME/acknowledge",
        Takes::Nothing,
    ),
    route(
        "POST /fleet/drift/FILE/adopt",
        "/fleet/drift/NAME/adopt",
        Takes::Nothing,
    ),
    route("POST /fleet/repair", "/fleet/repair", Takes::Nothing),
    route(
        "POST /fleet/nodes/ID/repair",
        "/fleet/nodes/NAME/repair",
        Takes::Nothing,
    ),
];

impl Route {
    fn method(&self) -> &'static str {
        self.page
            .split(' ')
            .next()
            .expect("a page names the method first")
    }

    /// Whether it is served at this target: where the page has a path in brackets, also without
    /// one.
    fn is_at(&self, target: &str) -> bool {
        let path = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
        let shorter = self
            .page
            .split_once(" /path")
            .and_then(|(start, _)| start.split(' ').nth(1));
        path(&self.at("a")) == path(target) || shorter == Some(target)
    }

    fn at(&self, name: &str) -> String {
        self.target.replace("NAME", name)
    }
}

/// A host with something at each place, and what is asked of it.
struct Victim {
    host: Host,
    writes: u32,
}

impl Victim {
    fn new() -> Self {
        let host = Host::new();
        host.change(
            "PUT",
            "/config",
            r#"{"routes":{"a":[{"action":{"return":200}}]}}"#,
        );
        Self { host, writes: 0 }
    }

    /// An answer with an error, from each door.
    fn refused(&self, what: &str, bytes: &[u8]) -> [(u16, String); 2] {
        self.host.doors().map(|door| error(what, &door.send(bytes)))
    }

    /// It answers, and a write is taken.
    fn goes_on(&mut self) {
        self.writes += 1;
        let before = self.host.ask("GET", "/healthz", "");
        assert_eq!(before.status, 200, "{}", before.body);
        self.host.change(
            "PUT",
            "/config/routes/good",
            &format!(r#"[{{"action":{{"return":{}}}}}]"#, 200 + self.writes % 300),
        );
    }
}

/// The status, and the sentence that says what is wrong.
fn error(what: &str, reply: &Reply) -> (u16, String) {
    assert!(
        (400..600).contains(&reply.status),
        "{what}: {} {}",
        reply.status,
        reply.body
    );
    let error = text(&parsed(&reply.body)["error"]);
    assert!(error.len() > 8 && error.ends_with('.'), "{what}: {error}");
    (reply.status, error)
}

fn with_bytes(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    );
    [
        format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(),
        body,
    ]
    .concat()
}

fn with_head(method: &str, target: &str, rest: &str) -> Vec<u8> {
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n{rest}"
    )
    .into_bytes()
}

/// Nothing more will be sent.
fn finish(stream: &Stream) {
    // The other side may have closed already.
    let _ = match stream {
        Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
    };
}

#[test]
fn the_page_and_the_list_of_this_test_name_the_same_routes() {
    let markup = ["Pa", "Ns", "Op", "Ar", "No"];
    let plain = |line: &str| {
        line.split(' ')
            .filter(|word| !markup.contains(word))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let is_method = |line: &&str| {
        line.split(' ')
            .next()
            .is_some_and(|word| METHODS.contains(&word))
    };
    let items = PAGE.lines().filter_map(|line| line.strip_prefix(".It Ic "));
    let on_page: BTreeSet<String> = items.filter(is_method).map(plain).collect();
    let here: BTreeSet<String> = ROUTES.iter().map(|route| route.page.to_owned()).collect();
    assert_eq!(
        on_page, here,
        "starling-api(7) on the left, ROUTES on the right"
    );
}

#[test]
fn a_method_that_a_route_does_not_have_is_405() {
    let mut victim = Victim::new();
    for route in ROUTES {
        let target = route.at("a");
        let has = |method: &str| {
            ROUTES
                .iter()
                .any(|other| other.method() == method && other.is_at(&target))
        };
        for method in METHODS.into_iter().filter(|method| !has(method)) {
            let what = format!("{method} {target}");
            for door in victim.host.doors() {
                let reply = door.send(&request(method, &target, "", "{}"));
                assert_eq!(reply.status, 405, "{what}: {}", reply.body);
                if method == "HEAD" {
                    assert_eq!(reply.body, "", "{what}: the answer to HEAD has no body");
                } else {
                    error(&what, &reply);
                }
            }
        }
        victim.goes_on();
    }
    victim.host.is_unharmed();
}

#[test]
fn a_body_that_a_route_cannot_use_is_refused_or_not_looked_at() {
    let mut victim = Victim::new();
    let bodies = bodies();
    for route in ROUTES {
        let (method, target) = (route.method(), route.at("a"));
        let plain = victim.host.ask(method, &target, "").status;
        for (what, body) in &bodies {
            let what = format!("{method} {target} with {what}");
            let bytes = with_bytes(method, &target, body);
            match route.takes {
                Takes::Json => assert!(
                    victim.refused(&what, &bytes).iter().all(|(status, error)| (
                        *status,
                        &error[..]
                    ) == (
                        400,
                        "Invalid JSON."
                    )),
                    "{what}"
                ),
                Takes::Bundle => {
                    let is = |(status, error): &(u16, String)| {
                        (*status, &error[..]) == (400, "Invalid certificate.")
                    };
                    assert!(victim.refused(&what, &bytes).iter().all(is), "{what}");
                }
                Takes::Source => assert!(
                    [200, 400].contains(&victim.host.door().send(&bytes).status),
                    "{what}"
                ),
                Takes::Empty if body.is_empty() => {}
                Takes::Empty => assert!(
                    victim
                        .refused(&what, &bytes)
                        .iter()
                        .all(|(status, _)| *status == 405),
                    "{what}"
                ),
                Takes::Nothing if method == "DELETE" => {}
                Takes::Nothing => {
                    assert_eq!(victim.host.door().send(&bytes).status, plain, "{what}")
                }
            }
        }
        victim.host.change("PUT", "/config/routes/a", "[]");
        victim.goes_on();
    }
    victim.host.is_unharmed();
}

/// What no route takes, where it takes JSON at all.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let digits = "9".repeat(400);
    let levels = 10_000;
    vec![
        ("nothing", Vec::new()),
        ("half a value", b"{\"a\":[1,".to_vec()),
        ("bytes that are not UTF-8", b"{\"a\":\"\xff\xfe\"}".to_vec()),
        ("NUL", b"\0".to_vec()),
        (
            "a number of 400 digits",
            format!("{{\"a\":{digits}}}").into_bytes(),
        ),
        (
            "10000 levels",
            format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes(),
        ),
        ("a member twice", br#"{"a":1,"a":2}"#.to_vec()),
        ("text after the value", b"[] []".to_vec()),
    ]
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_or_too_long_is_refused_by_every_route() {
    let mut victim = Victim::new();
    let twenty = "x".repeat(20 << 20);
    for route in ROUTES {
        let (method, target) = (route.method(), route.at("a"));
        for (rest, status) in LENGTHS {
            let what = format!("{method} {target} with {rest:?}");
            for (is, _) in victim.refused(&what, &with_head(method, &target, rest)) {
                assert_eq!(is, *status, "{what}");
            }
        }
        for door in victim.host.doors() {
            let what = format!("{method} {target} cut short");
            let mut stream = door.connect();
            let _ = stream.write_all(&with_head(
                method,
                &target,
                "Content-Length: 9\r\n\r\n{\"a\"",
            ));
            finish(&stream);
            let rest = stream.rest();
            assert!(
                rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"),
                "{what}: {}",
                String::from_utf8_lossy(&rest)
            );
        }
        let declared = with_head(
            method,
            &target,
            &format!("Content-Length: {}\r\n\r\n", twenty.len()),
        );
        for door in victim.host.doors() {
            assert_eq!(
                error("20 MB", &door.send(&declared)).0,
                413,
                "{method} {target}"
            );
        }
        if route.takes != Takes::Nothing {
            assert_eq!(
                error(
                    "20 MB",
                    &victim
                        .host
                        .door()
                        .send(&[&declared[..], twenty.as_bytes()].concat())
                )
                .0,
                413
            );
        }
        victim.goes_on();
    }
    victim.host.is_unharmed();
}

/// What follows the head's first lines, and the answer.
const LENGTHS: &[(&str, u16)] = &[
    ("Content-Length: two\r\n\r\n{}", 400),
    ("Content-Length: -2\r\n\r\n{}", 400),
    ("Content-Length: 99999999999999999999999\r\n\r\n{}", 413),
    ("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    (
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        400,
    ),
    (
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    (
        "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    ("Transfer-Encoding: gzip\r\n\r\n", 501),
];

#[test]
fn a_name_that_cannot_be_is_refused_by_every_route() {
    let mut victim = Victim::new();
    let long = "n".repeat(5000);
    let longest = "n".repeat(40_000);
    for route in ROUTES.iter().filter(|route| route.target.contains("NAME")) {
        let method = route.method();
        for (name, status) in [
            ("%00", 400),
            ("a%00b", 400),
            ("%", 400),
            ("%zz", 400),
            ("%ff", 400),
            ("../../../../../../../..", 400),
            (&longest, 431),
        ] {
            let what = format!("{method} {} with {name:.20}", route.target);
            for (is, _) in victim.refused(&what, &request(method, &route.at(name), "", "[]")) {
                assert_eq!(is, status, "{what}");
            }
        }
        for name in [
            "a%2Fb",
            "%2F",
            "..%2f..%2fetc%2fpasswd",
            "%2e%2e",
            "%20",
            "%0D%0AX:%20y",
            "\u{202e}",
            &long,
        ] {
            let what = format!("{method} {} with {name:.20}", route.target);
            for door in victim.host.doors() {
                let reply = door.send(&request(method, &route.at(name), "", "[]"));
                if reply.status != 200 {
                    let (status, sentence) = error(&what, &reply);
                    assert!(
                        [400, 404, 405, 409].contains(&status)
                            || sentence == "Memory allocation failed.",
                        "{what}: {status} {sentence}"
                    );
                }
            }
        }
        victim.goes_on();
    }
    victim.host.is_unharmed();
}

/// All that clients send, and one that nobody has heard of.
const METHODS: [&str; 9] = [
    "GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW",
];
