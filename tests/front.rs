//! Starling in front of a server is to its clients what the server was: every exchange that was
//! recorded of Unit 1.35.0, sent again as it was sent, through the built program and a stand-in
//! server that validates as Unit did.
//!
//! Status and body must be the recorded ones, and afterwards both Starling and the server must show
//! the recorded configuration.

#[path = "support/bundles.rs"]
mod bundles;
#[path = "front/direct.rs"]
mod direct;
#[path = "front/faults.rs"]
mod faults;
#[path = "front/functions.rs"]
mod functions;
#[path = "rest/host.rs"]
mod host;
#[path = "standin/server.rs"]
mod standin;
#[path = "support/transcripts.rs"]
mod transcripts;
#[path = "front/unitd.rs"]
mod unitd;

use std::io::Write;

use harness::http::{Door, Reply};
use host::{Host, request};
use starlingd::model::json::{self, Value};
use transcripts::{Exchange, Recorded};
use unitd::Unitd;

/// An exchange that is answered otherwise: with what status, a part of the body, and why.
struct Otherwise(&'static str, u16, &'static str, &'static str);

const OTHERWISE: &[Otherwise] = &[
    Otherwise(
        "HEAD on /config",
        405,
        "",
        "the answer to HEAD has no body (RFC 9110, section 9.3.2); Unit sends one",
    ),
    Otherwise(
        "lower-case method",
        405,
        "Method isn't allowed.",
        "Unit closes without a word",
    ),
    Otherwise(
        "GET key with raw percent",
        400,
        "Invalid request path.",
        "Unit closes without a word",
    ),
    Otherwise(
        "chunked request body is not decoded",
        200,
        "Reconfiguration done.",
        "here it is",
    ),
    Otherwise(
        "body in a later packet, no Content-Length",
        501,
        "chunked",
        "it says Transfer-Encoding: identity, which Unit ignores",
    ),
    Otherwise(
        "bytes after the body are parsed with it",
        200,
        "Reconfiguration done.",
        "here the body ends where it says",
    ),
    Otherwise(
        "Content-Length invalid",
        400,
        "Content-Length is invalid.",
        "Unit closes without a word",
    ),
    Otherwise(
        "request head of 1025 bytes",
        200,
        "",
        "Unit closes without a word; longer heads are taken here",
    ),
    Otherwise(
        "POST to object",
        200,
        "Reconfiguration done.",
        "here it adds the members",
    ),
    Otherwise(
        "PATCH on /config",
        200,
        "Reconfiguration done.",
        "here it is a merge patch",
    ),
    Otherwise(
        "PUT below a scalar crashes the controller (1.35.0)",
        404,
        "Value doesn't exist.",
        "so it must never get there",
    ),
    Otherwise(
        "cert: upload again under the same name",
        200,
        "Certificate chain uploaded.",
        "here that replaces it",
    ),
    Otherwise(
        "cert: upload without key",
        400,
        "Invalid certificate.",
        "here the detail says why",
    ),
    Otherwise(
        "cert: upload junk",
        400,
        "Invalid certificate.",
        "here the detail says why",
    ),
    Otherwise(
        "cert: upload CA before leaf is accepted",
        400,
        "Invalid certificate.",
        "no server can use it: it is refused at once",
    ),
    Otherwise(
        "cert: use a bundle in the wrong order",
        400,
        "\\\"wrongorder\\\" is not found.",
        "so it is not there",
    ),
    Otherwise(
        "GET / (everything)",
        200,
        "\"ec\": {",
        "it is not there either",
    ),
];

#[test]
fn every_recorded_exchange_comes_out_the_same_through_starling() {
    let exchanges = transcripts::all();
    assert_eq!(exchanges.len(), 138, "the fixture has changed");
    let replayed: Vec<&Exchange> = exchanges.iter().collect();
    let otherwise = replay(&Host::new(), &replayed, |_, recorded, body| {
        recorded.body == body || recorded.status == 500 && recorded.body == without_detail(body)
    });
    assert_eq!(
        otherwise,
        OTHERWISE.len(),
        "as many of the list are in the recording"
    );
}

#[test]
fn so_does_every_one_before_a_real_unitd() {
    let mut host = Host::founded();
    host.server.tell("down");
    let Some(unitd) = Unitd::start(&host.path("unit.sock")) else {
        return;
    };
    host.start();
    let exchanges = transcripts::all();
    let replayed: Vec<&Exchange> = exchanges
        .iter()
        .filter(|exchange| unitd.can(exchange))
        .collect();
    replay(&host, &replayed, unitd::is_alike);
}

/// A refusal as the server gave it: where Unit says nothing of the reason, what was found of it is
/// added.
fn without_detail(body: &str) -> String {
    let mut value = json::parse_own(body.as_bytes()).unwrap_or_default();
    value
        .as_object_mut()
        .map(|members| members.shift_remove("detail"));
    json::unit_format(&value)
}

/// Sends them all, and compares answers and configurations; gives the number of those that were
/// answered otherwise.
fn replay(
    host: &Host,
    exchanges: &[&Exchange],
    same: impl Fn(&Exchange, &Recorded, &str) -> bool,
) -> usize {
    let mut otherwise = 0;
    let mut before = shown(&host.server_door());
    for exchange in exchanges {
        let name = &exchange.name;
        let reply = send(host.door(), exchange);
        let listed = OTHERWISE.iter().find(|Otherwise(other, ..)| other == name);
        match (listed, &exchange.answer) {
            (Some(Otherwise(name, status, part, why)), _) => {
                assert_eq!(reply.status, *status, "{name} ({why}): {}", reply.body);
                assert!(reply.body.contains(part), "{name} ({why}): {}", reply.body);
                otherwise += 1;
                // What is taken here and was not there is taken back, for the others were recorded
                // without it.
                let reply = host.ask("PUT", "/config", &before);
                assert_eq!(reply.status, 200, "{name}: {}", reply.body);
            }
            (None, Some(recorded)) => {
                assert_eq!(reply.status, recorded.status, "{name}: {}", reply.body);
                assert!(
                    same(exchange, recorded, &reply.body),
                    "{name}: {}, not {}",
                    reply.body,
                    recorded.body
                );
                assert_eq!(
                    reply.header("Content-Type"),
                    Some("application/json"),
                    "{name}"
                );
            }
            (None, None) => {
                panic!("{name}: Unit closed, and the list does not say what is to come instead")
            }
        }
        for door in [host.door(), &host.server_door()] {
            is_recorded(exchange, &shown(door));
        }
        before.clone_from(&exchange.config_after);
    }
    otherwise
}

#[test]
fn a_value_read_through_starling_looks_as_the_server_prints_it() {
    let host = Host::new();
    let config = r#"{"routes":{"a/b":[],"t":[{"action":{"return":2e2}}]},"settings":{"http":{"max_body_size":1.50,"x":{}}}}"#;
    assert_eq!(host.server.tell(&format!("set {config}")), "set");
    assert_eq!(host.ask("PUT", "/config", config).status, 200);
    for target in [
        "/config",
        "/config/routes",
        "/config/routes/a%2Fb",
        "/config/routes/t/0/action/return",
        "/config/settings",
    ] {
        let (ours, theirs) = (
            host.ask("GET", target, ""),
            host.server_door().send(&request("GET", target, "", "")),
        );
        assert_eq!(
            (ours.status, ours.body),
            (theirs.status, theirs.body),
            "{target}"
        );
    }
}

/// In the recorded packets. The pause that lay between them is of no use here: a body is read until
/// it is whole.
fn send(door: &Door, exchange: &Exchange) -> Reply {
    let mut stream = door.connect();
    let mut rest = &exchange.bytes[..];
    for length in &exchange.pieces {
        let (piece, after) = rest.split_at(*length);
        // One that is refused for its head is answered before its body is sent.
        let _ = stream.write_all(piece);
        rest = after;
    }
    let _ = stream.write_all(rest);
    stream.reply()
}

/// The configuration; on the server a certificate's name has a part of its hash behind it.
fn shown(door: &Door) -> String {
    let reply = door.send(&request("GET", "/config", "", ""));
    assert_eq!(reply.status, 200);
    let mut parts = reply.body.split('~');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        shown + part.get(12..).unwrap_or_default()
    })
}

/// The order of an object's members is Unit's own business from eleven members on.
fn is_recorded(exchange: &Exchange, shown: &str) {
    let value = |text: &str| json::parse(text.as_bytes()).expect("a configuration is JSON");
    let (wanted, is) = (value(&exchange.config_after), value(shown));
    if has_many(&wanted) {
        assert!(json::same(&wanted, &is), "{}: {shown}", exchange.name);
    } else {
        assert_eq!(exchange.config_after, shown, "{}", exchange.name);
    }
}

fn has_many(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.len() > 10 || members.values().any(has_many),
        Value::Array(elements) => elements.iter().any(has_many),
        _ => false,
    }
}
