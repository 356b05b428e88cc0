//! Starling in front of a server is to its clients what the server was: every exchange below `/config` that was recorded of Unit 1.35.0,
//! sent again as it was sent, through the built program and a stand-in server that validates as Unit did.
//!
//! Status and body must be the recorded ones, and afterwards both Starling and the server must show the recorded configuration.

#[path = "front/direct.rs"]
mod direct;
#[path = "front/faults.rs"]
mod faults;
#[path = "front/functions.rs"]
mod functions;
#[path = "rest/host.rs"]
mod host;
#[path = "rest/http.rs"]
mod http;
#[path = "standin/server.rs"]
mod standin;
#[path = "support/transcripts.rs"]
mod transcripts;

use std::io::Write;

use host::{Host, request};
use http::{Door, Reply};
use starlingd::model::json::{self, Value};
use transcripts::Exchange;

/// Exchanges that are answered otherwise, with what, and why.
const OTHERWISE: &[(&str, u16, &str)] = &[
    ("HEAD on /config", 405, "the answer to HEAD has no body (RFC 9110, section 9.3.2); Unit sends one"),
    ("lower-case method", 405, "Unit closes without a word"),
    ("GET key with raw percent", 400, "Unit closes without a word"),
    ("chunked request body is not decoded", 200, "here it is"),
    ("body in a later packet, no Content-Length", 501, "it says Transfer-Encoding: identity, which Unit does not look at"),
    ("bytes after the body are parsed with it", 200, "here the body ends where it says"),
    ("Content-Length invalid", 400, "Unit closes without a word"),
    ("request head of 1025 bytes", 200, "Unit closes without a word; longer heads are taken here"),
    ("POST to object", 200, "here it adds the members"),
    ("PATCH on /config", 200, "here it is a merge patch"),
    ("PUT below a scalar crashes the controller (1.35.0)", 404, "so it must never get there"),
];

/// The recorded server had certificates and modules by then, which the stand-in has not.
const LEFT_OUT: [&str; 2] = ["cert: ", "js: "];

#[test]
fn every_recorded_exchange_comes_out_the_same_through_starling() {
    let host = Host::new();
    let (mut same, mut otherwise) = (0, Vec::new());
    let mut before = shown(&host.server_door());
    for exchange in exchanges() {
        let reply = send(host.door(), &exchange);
        let listed = OTHERWISE.iter().find(|(name, ..)| *name == exchange.name);
        match (listed, &exchange.answer) {
            (Some((name, status, why)), _) => {
                assert_eq!(reply.status, *status, "{name} ({why}): {}", reply.body);
                otherwise.push(*name);
                // What is taken here and was not there is taken back, for the others were recorded without it.
                let reply = host.ask("PUT", "/config", &before);
                assert_eq!(reply.status, 200, "{name}: {}", reply.body);
            }
            (None, Some(recorded)) => {
                assert_eq!((reply.status, &reply.body), (recorded.status, &recorded.body), "{}", exchange.name);
                assert_eq!(reply.header("Content-Type"), Some("application/json"));
                same += 1;
            }
            (None, None) => panic!("{}: Unit closed, and the list does not say what is to come instead", exchange.name),
        }
        for door in [host.door(), &host.server_door()] {
            is_recorded(&exchange, &shown(door));
        }
        before = exchange.config_after;
    }
    assert_eq!(otherwise.len(), OTHERWISE.len(), "only {otherwise:?} of the list are in the recording");
    assert_eq!(same, 84, "exchanges came out the same; a change of that number wants a reason in the lists above");
}

#[test]
fn a_value_read_through_starling_looks_as_the_server_prints_it() {
    let host = Host::new();
    let config = r#"{"routes":{"a/b":[],"t":[{"action":{"return":2e2}}]},"settings":{"http":{"max_body_size":1.50,"x":{}}}}"#;
    assert_eq!(host.server.tell(&format!("set {config}")), "set");
    assert_eq!(host.ask("PUT", "/config", config).status, 200);
    for target in ["/config", "/config/routes", "/config/routes/a%2Fb", "/config/routes/t/0/action/return", "/config/settings"] {
        let (ours, theirs) = (host.ask("GET", target, ""), host.server_door().send(&request("GET", target, "", "")));
        assert_eq!((ours.status, ours.body), (theirs.status, theirs.body), "{target}");
    }
}

fn exchanges() -> impl Iterator<Item = Exchange> {
    let is_config = |exchange: &Exchange| exchange.target.starts_with("/config");
    let left_out = |exchange: &Exchange| LEFT_OUT.iter().any(|start| exchange.name.starts_with(start));
    transcripts::all().into_iter().filter(move |exchange| is_config(exchange) && !left_out(exchange))
}

/// In the recorded packets. The pause that lay between them is of no use here: a body is read until it is whole.
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

fn shown(door: &Door) -> String {
    let reply = door.send(&request("GET", "/config", "", ""));
    assert_eq!(reply.status, 200);
    reply.body
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
