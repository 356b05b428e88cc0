//! The control API of Unit 1.35.0, exchange by exchange: `fixtures/unit-transcripts.jsonl` was
//! recorded from a running `unitd`, and every exchange below `/config` must come out the same from
//! parser, paths, edits and printer alone: status, body, and what the configuration is afterwards.

use starlingd::model::document::Document;
use starlingd::model::edit::{Change, EditError, Op, apply};
use starlingd::model::json::{self, JsonError, Value};
use starlingd::model::path::Path;

use super::transcripts::{self, Exchange};

/// Exchanges that these functions alone cannot repeat, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("PUT unknown member at root", "Unit validates the document"),
    ("DELETE referenced member", "Unit validates the document"),
    (
        "Invalid configuration: wrong type",
        "Unit validates the document",
    ),
    ("Invalid configuration: null", "Unit validates the document"),
    (
        "Invalid configuration: pass to nowhere",
        "Unit validates the document",
    ),
    (
        "Invalid configuration: bad listener address",
        "Unit validates the document",
    ),
    (
        "Invalid configuration: missing certificate",
        "Unit validates the document",
    ),
    (
        "Invalid configuration: missing js module",
        "Unit validates the document",
    ),
    (
        "Invalid configuration: module not built",
        "Unit validates the document",
    ),
    (
        "Failed to apply: address not on this host",
        "Unit applies the document",
    ),
    ("Failed to apply: port in use", "Unit applies the document"),
    (
        "Failed to apply: listener without pass",
        "Unit applies the document",
    ),
    (
        "cert: use a bundle in the wrong order",
        "Unit applies the document",
    ),
    ("app: fails to start", "Unit applies the document"),
    (
        "object with 11 members is reordered",
        "Unit prints such an object in the order of its hash",
    ),
    (
        "PATCH on /config",
        "the method is refused before the path is looked at",
    ),
    (
        "HEAD on /config",
        "the method is refused before the path is looked at",
    ),
    (
        "OPTIONS on /config",
        "the method is refused before the path is looked at",
    ),
    ("lower-case method", "transport: not HTTP to Unit"),
    (
        "body in a later packet, no Content-Length",
        "transport: Unit does not read the body",
    ),
    (
        "bytes after the body are parsed with it",
        "transport: Unit reads beyond the body",
    ),
    ("Content-Length invalid", "transport: not HTTP to Unit"),
    (
        "request head of 1025 bytes",
        "transport: more than Unit's buffer",
    ),
];

/// Exchanges that Unit ended without an answer, and what is answered instead.
const UNANSWERED: &[(&str, u64)] = &[
    ("GET key with raw percent", 400),
    ("PUT below a scalar crashes the controller (1.35.0)", 404),
];

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn invalid_json(error: &JsonError) -> (u64, Value) {
    let place = [
        ("offset", error.offset.into()),
        ("line", error.line.into()),
        ("column", error.column.into()),
    ];
    (
        400,
        object([
            ("error", "Invalid JSON.".into()),
            ("detail", error.detail.into()),
            ("location", object(place)),
        ]),
    )
}

fn refused(error: EditError) -> (u64, Value) {
    let (status, text) = match error {
        EditError::Missing => (404, "Value doesn't exist."),
        EditError::NotAllowed => (405, "Method isn't allowed."),
        EditError::NotText => (400, "Invalid value."),
        EditError::TokenTooLong => (500, "Memory allocation failed."),
        EditError::TooLarge => (413, "Too large."),
    };
    (status, object([("error", text.into())]))
}

/// What a server would do that takes every document that it can read.
fn answer(document: &mut Document, exchange: &Exchange) -> (u64, Value) {
    let Ok(path) = Path::parse(&exchange.target) else {
        return (400, Value::Null);
    };
    let parsed = || json::parse(exchange.body.as_bytes());
    let change = match exchange.method.as_str() {
        "GET" => {
            return document
                .get(&path)
                .map_or_else(|| refused(EditError::Missing), |value| (200, value.clone()));
        }
        "PUT" => parsed().map(Change::Put),
        "POST" => parsed().map(Change::Append),
        "DELETE" => Ok(Change::Delete),
        other => panic!("{}: unexpected method {other}", exchange.name),
    };
    let applied = match change {
        Ok(change) => apply(document, &Op { path, change }),
        Err(error) => return invalid_json(&error),
    };
    match applied {
        Ok(after) => {
            *document = after;
            (200, object([("success", "Reconfiguration done.".into())]))
        }
        Err(error) => refused(error),
    }
}

fn document_of(config: &str) -> Document {
    Document::from_config(
        json::parse(config.as_bytes()).expect("the fixture holds what Unit printed"),
    )
    .expect("it is short")
}

#[test]
fn every_exchange_below_config_comes_out_as_unit_had_it() {
    let mut before = Document::factory();
    let mut replayed = 0;
    for exchange in transcripts::all() {
        let after = document_of(&exchange.config_after);
        let is_config = exchange.target.starts_with("/config") || exchange.target == "/foo";
        let is_left_out = LEFT_OUT.iter().any(|(name, _)| *name == exchange.name);
        if is_config && !is_left_out {
            let mut document = before.clone();
            let (status, body) = answer(&mut document, &exchange);
            match &exchange.answer {
                Some(expected) => {
                    assert_eq!(
                        (status, json::unit_format(&body)),
                        (u64::from(expected.status), expected.body.clone()),
                        "{}",
                        exchange.name
                    );
                }
                None => assert!(
                    UNANSWERED.contains(&(exchange.name.as_str(), status)),
                    "{}: {status}",
                    exchange.name
                ),
            }
            assert_eq!(
                json::unit_format(document.config()),
                exchange.config_after,
                "{}",
                exchange.name
            );
            replayed += 1;
        }
        before = after;
    }
    assert_eq!(
        replayed, 79,
        "exchanges were replayed; a change of that number wants a reason in the list above"
    );
}

#[test]
fn nothing_is_left_out_that_does_not_exist() {
    let all = transcripts::all();
    for (name, _) in LEFT_OUT {
        assert!(all.iter().any(|exchange| exchange.name == *name), "{name}");
    }
}
