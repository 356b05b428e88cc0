//! What was recorded of Unit 1.35.0: 138 exchanges in order, as they were sent and answered.
//!
//! The recording holds no private keys: where a bundle was sent, one of the same making from
//! `fixtures/bundles` takes its place. It is valid in other years, so the years in the recorded
//! answers are those.

use super::bundles;
use starlingd::model::json::{self, Value};

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub name: String,
    pub method: String,
    pub target: String,
    pub body: String,
    /// All that was sent.
    pub bytes: Vec<u8>,
    /// Where the bytes were divided into packets.
    pub pieces: Vec<usize>,
    /// `None` if the server closed without a word.
    pub answer: Option<Recorded>,
    /// What `GET /config` showed then.
    pub config_after: String,
    /// Whether the answer was another at each time and on each machine.
    pub varies: bool,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub status: u16,
    pub status_line: String,
    /// The names of its headers, in order.
    pub headers: Vec<String>,
    pub body: String,
}

/// All of them.
pub fn all() -> Vec<Exchange> {
    TRANSCRIPTS
        .lines()
        .map(|line| read(&json::parse_own(line.as_bytes()).expect("the fixture is JSON")))
        .collect()
}

fn read(all: &Value) -> Exchange {
    let (request, response) = (&all["request"], &all["response"]);
    let lengths = request["sent_in_pieces"].as_array().into_iter().flatten();
    let (method, target) = (text(&request["method"]), text(&request["path"]));
    let (body, bytes) = match request["raw"]["text"].as_str() {
        Some(raw) => (text(&request["body"]), raw.as_bytes().to_vec()),
        None => {
            let body = bundle(
                request["body"]
                    .as_str()
                    .expect("what is not recorded is described"),
            );
            let head = format!(
                "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            (body.clone(), [head, body].concat().into_bytes())
        }
    };
    Exchange {
        name: text(&all["name"]),
        pieces: lengths
            .map(|length| {
                length
                    .as_u64()
                    .and_then(|n| usize::try_from(n).ok())
                    .expect("it is a length")
            })
            .collect(),
        answer: (!response.is_null()).then(|| recorded(response)),
        config_after: text(&all["config_after"]),
        varies: all["note"]
            .as_str()
            .is_some_and(|note| note.ends_with("vary") || note.ends_with("varies")),
        method,
        target,
        body,
        bytes,
    }
}

fn recorded(response: &Value) -> Recorded {
    let names = response["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| text(&pair[0]));
    let mut body = text(&response["body"]);
    for (recorded, is) in YEARS {
        body = body.replace(&format!(" {recorded} GMT\""), &format!(" {is} GMT\""));
    }
    Recorded {
        status: response["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .expect("it is a status"),
        status_line: text(&response["status_line"]),
        headers: names.collect(),
        body,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The bundle that the recording describes so.
fn bundle(description: &str) -> String {
    let (_, file) = BUNDLES
        .iter()
        .find(|(words, _)| description.contains(words))
        .expect("each description is in the list");
    bundles::bundle(file)
}

const TRANSCRIPTS: &str = include_str!("../fixtures/unit-transcripts.jsonl");
const BUNDLES: [(&str, &str); 5] = [
    ("RSA private key, leaf certificate, CA certificate", "a"),
    ("the same bundle", "a"),
    ("certificate only", "no-key"),
    ("EC certificate, then key", "ec"),
    (
        "CA certificate, leaf certificate, RSA key of the leaf",
        "wrong-order",
    ),
];
/// Of the recorded certificates, and of those in the fixtures.
const YEARS: [(&str, &str); 3] = [("2026", "2006"), ("2027", "2096"), ("2036", "2096")];
