//! The stand-in against what was recorded of Unit 1.35.0: the same bytes sent, in the same order, the same status and body back.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use starlingd::model::json::{self, Value};

#[path = "standin/server.rs"]
mod standin;

use standin::{Setup, StandIn};

#[test]
fn the_stand_in_answers_as_the_recorded_server_did() {
    let socket = std::env::temp_dir().join(format!("starling-transcripts-{}.sock", std::process::id()));
    let standin = StandIn::start(Setup { socket: socket.clone(), ..Setup::default() }).unwrap();
    let recorded = std::fs::read_to_string(fixture()).unwrap();
    let (mut replayed, mut left_out) = (0, 0);
    for line in recorded.lines() {
        let exchange = json::parse_own(line.as_bytes()).unwrap();
        let name = exchange["name"].as_str().unwrap();
        if LEFT_OUT.iter().any(|(start, _)| name.starts_with(start)) {
            left_out += 1;
            continue;
        }
        let raw = exchange["request"]["raw"]["text"].as_str().unwrap_or_else(|| panic!("{name}: no raw request is recorded"));
        let answer = ask(&socket, raw, exchange["request"]["sent_in_pieces"].as_array());
        compare(name, &exchange["response"], &answer);
        replayed += 1;
    }
    assert_eq!((replayed, left_out), (105, 33), "the fixture has changed: look at the list again");
    assert!(standin.tell("stats").contains("\"restarts\":0"));
}

#[test]
fn every_left_out_exchange_is_in_the_fixture() {
    let recorded = std::fs::read_to_string(fixture()).unwrap();
    for (start, why) in LEFT_OUT {
        assert!(recorded.contains(&format!("{{\"name\": \"{start}")), "{start} ({why})");
    }
}

/// Sends `raw` and reads to the end; an empty answer is a close without a word. Of a request that was recorded in pieces, and whose
/// head announces no body, only the head is sent: whatever followed, the server had answered by then.
fn ask(socket: &Path, raw: &str, pieces: Option<&Vec<Value>>) -> String {
    let head = pieces.and_then(|pieces| usize::try_from(pieces[0].as_u64()?).ok());
    let sent = match head {
        Some(head) if !raw[..head].contains("Content-Length") => &raw[..head],
        _ => raw,
    };
    let mut stream = UnixStream::connect(socket).unwrap();
    // The server closes on some requests before it has read them whole, and a close with bytes unread shows as a reset.
    let _ = stream.write_all(sent.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn compare(name: &str, recorded: &Value, answer: &str) {
    if recorded.is_null() {
        assert_eq!(answer, "", "{name}: closed without a word");
        return;
    }
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{name}: answered with {answer:?}"));
    let mut lines = head.lines();
    assert_eq!(lines.next(), recorded["status_line"].as_str(), "{name}: {body}");
    let names = |text: &str| text.split_once(':').unwrap().0.to_owned();
    let recorded_names: Vec<_> = recorded["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert_eq!(lines.map(names).collect::<Vec<_>>(), recorded_names, "{name}");
    assert_eq!(Some(body), recorded["body"].as_str(), "{name}");
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/unit-transcripts.jsonl")
}

/// What is not replayed, by the beginning of its name, and why.
const LEFT_OUT: [(&str, &str); 4] = [
    ("cert: ", "the stand-in keeps no certificates yet, and the recording holds no keys"),
    ("js: ", "it keeps no modules yet"),
    ("status: whole", "shows the recorded machine's modules and times"),
    ("GET / (everything)", "shows the recorded certificates, modules and status"),
];
