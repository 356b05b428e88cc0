//! Members that lie: their link is closed, and what is held stays as it was.

use std::time::Duration;

use starlingd::limits::{FORWARDED_MAX, FORWARDED_WAIT, INLINE_MAX, NAMES_AHEAD_MAX, RELAYED_MAX};
use starlingd::model::document::Document;
use starlingd::model::record::{Header, Kind, Record, RecordId};
use starlingd::model::revision::{Author, Revision};
use starlingd::model::stamp::Stamp;
use starlingd::node::ask::PastQuery;
use starlingd::node::rng::Rng;
use starlingd::sim::secret;
use starlingd::wire::forwarded::ForwardedRequest;
use starlingd::wire::frame::{Frame, Payload, Scope};

use super::anything;
use super::seeds;
use super::spreading::joined;
use crate::asks::value;
use crate::fleet::{Fleet, SOON};
use crate::members::{self, announced, draft, hello, ours, whole};
use crate::watch::Watch;

/// The identity of those that lie.
pub const LIAR: u64 = 99;

/// A first revision by the liar, of the fleet that is named.
pub fn revision(fleet: [u8; 32], stamp: u64, config: &str) -> Revision {
    let secret = secret(LIAR);
    let stamp = Stamp::from_u64(stamp << 16).unwrap();
    let author = Author {
        secret: &secret,
        fleet,
        group: "default",
        stamp,
        numbered: None,
    };
    let document = Document::from_config(value(config)).unwrap();
    Revision::author(&author, None, draft(document)).unwrap()
}

/// The lies, each by its name.
fn lies() -> Vec<(&'static str, Vec<u8>)> {
    let honest = revision(ours(), 5, "{}");
    let mut unsigned = honest.record.clone();
    unsigned.signature[9] ^= 1;
    let mut body = honest.body.to_vec();
    *body.last_mut().unwrap() ^= 1;
    let bytes = |record: &Record, payload| Frame::Record(record.clone(), 0, payload).encode();
    let header = Header {
        kind: Kind::Node,
        key: String::new(),
        ..(*honest.record.header).clone()
    };
    let node = Record::sign(header.clone(), b"[1]", &secret(LIAR));
    let nonsense = Record::sign(
        Header {
            kind: Kind::Document,
            key: "default".into(),
            ..header
        },
        b"no body",
        &secret(LIAR),
    );
    vec![
        (
            "a bad signature",
            bytes(&unsigned, Payload::Whole(honest.body.to_vec())),
        ),
        ("another body", bytes(&honest.record, Payload::Whole(body))),
        ("another fleet's record", whole(&revision([7; 32], 5, "{}"))),
        (
            "a body that is none",
            bytes(&nonsense, Payload::Whole(b"no body".to_vec())),
        ),
        (
            "a node record that is no object",
            members::news(&node, b"[1]"),
        ),
        ("a node record without a body", members::news(&node, b"")),
        (
            "a node record that is a revision",
            members::news(&honest.record, &honest.body),
        ),
        ("half a frame", vec![8, 0]),
        (
            "a frame with something after it",
            [&Frame::Ping(1).encode()[..], b"x"].concat(),
        ),
        ("a flag that is none", vec![11, 0, 2]),
        (
            "a forwarded request that is none",
            Frame::ForwardedRequest(1, false, b"no forwarded request".to_vec()).encode(),
        ),
        ("an empty frame", Vec::new()),
    ]
}

#[test]
fn each_lie_ends_its_link_and_changes_nothing() {
    let mut net = joined(1, 2);
    let head = net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    for (name, frame) in lies() {
        let revisions = net.view(0, PastQuery::Revisions);
        let puppet = net.puppet(0, hello(LIAR));
        assert!(!net.puppets[puppet].closed, "{name}: the link is not up");
        net.says(puppet, frame);
        assert!(net.puppets[puppet].closed, "{name}: the link stays");
        assert!(net.all_at(head), "{name}");
        assert_eq!(net.view(0, PastQuery::Revisions), revisions, "{name}");
        assert_eq!(net.degree(0), 1, "{name}: the other link stays");
    }
}

/// A lie is held against the link, never against the record: it may come again, and whole.
#[test]
fn a_record_that_came_with_a_lie_is_taken_when_it_comes_honestly() {
    let mut net = joined(1, 2);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    let honest = revision(ours(), 5, "{}");
    let puppet = net.puppet(0, hello(LIAR));
    net.says(puppet, members::record(&honest.record, b"lie\n{}"));
    assert!(net.puppets[puppet].closed);
    let puppet = net.puppet(0, hello(LIAR));
    net.says(puppet, whole(&honest));
    assert!(!net.puppets[puppet].closed);
    assert!(
        net.conflicts(0)
            .iter()
            .any(|(id, _)| *id == honest.id().to_string())
    );
}

#[test]
fn pieces_that_are_not_of_the_body_end_the_link() {
    let mut net = joined(1, 2);
    let head = net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    let long = revision(ours(), 5, &format!("[\"{}\"]", "x".repeat(40_000)));
    let id = long.id();
    let puppet = net.puppet(0, hello(LIAR));
    net.says(puppet, announced(&long.record));
    let asked = net.puppets[puppet]
        .frames
        .iter()
        .any(|frame| matches!(Frame::decode(frame), Ok(Some(Frame::Pull { id: wanted, .. })) if wanted == id));
    assert!(asked, "a body that was announced is asked for");
    for offset in (0..long.body.len()).step_by(INLINE_MAX) {
        let bytes = vec![b'y'; INLINE_MAX.min(long.body.len() - offset)];
        net.says(
            puppet,
            Frame::Piece {
                id,
                offset: offset as u32,
                bytes,
            }
            .encode(),
        );
    }
    assert!(net.puppets[puppet].closed);
    assert!(net.all_at(head) && net.conflicts(0).is_empty());
}

#[test]
fn forwarded_requests_without_end_end_the_link() {
    let mut net = joined(1, 1);
    let puppet = net.puppet(0, hello(LIAR));
    for number in 0..RELAYED_MAX as u64 {
        net.says(
            puppet,
            Frame::ForwardedRequest(number, true, vec![1; 100]).encode(),
        );
    }
    assert!(!net.puppets[puppet].closed, "so many may be on their way");
    net.says(
        puppet,
        Frame::ForwardedRequest(u64::MAX, true, vec![1; 100]).encode(),
    );
    assert!(net.puppets[puppet].closed, "and no more");
    let puppet = net.puppet(0, hello(LIAR));
    for _ in 0..=FORWARDED_MAX / INLINE_MAX {
        net.says(
            puppet,
            Frame::ForwardedRequest(7, true, vec![1; INLINE_MAX]).encode(),
        );
    }
    assert!(net.puppets[puppet].closed, "nor one that is too long");
}

#[test]
fn forwarded_requests_that_never_end_keep_others_out_for_a_while() {
    let mut net = joined(1, 1);
    let liar = net.puppet(0, hello(LIAR));
    for number in 0..RELAYED_MAX as u64 {
        net.says(
            liar,
            Frame::ForwardedRequest(number, true, vec![1; 100]).encode(),
        );
    }
    let honest = net.puppet(0, hello(LIAR + 1));
    let forwarded = ForwardedRequest {
        group: "default".into(),
        method: "PUT".into(),
        target: "/config".into(),
        headers: Vec::new(),
        body: vec![b' '; 2 * INLINE_MAX],
    };
    let bytes = forwarded.encode().unwrap();
    let ask = |net: &mut Fleet, number: u64| {
        let pieces: Vec<&[u8]> = bytes.chunks(INLINE_MAX).collect();
        for (place, piece) in pieces.iter().enumerate() {
            net.says(
                honest,
                Frame::ForwardedRequest(number, place + 1 < pieces.len(), piece.to_vec()).encode(),
            );
        }
        let told = |frame: &Vec<u8>| matches!(Frame::decode(frame), Ok(Some(Frame::ForwardedResponse(told, ..))) if told == number);
        let refused = net.puppets[honest].frames.iter().any(told);
        assert!(!net.puppets[honest].closed, "{}", net.report());
        refused
    };
    for number in 0..2 * RELAYED_MAX as u64 {
        assert!(ask(&mut net, number), "there is no room");
    }
    for number in 100.. {
        net.says(liar, Frame::Ping(1).encode());
        if !ask(&mut net, number) {
            break;
        }
        assert!(net.now < 2 * FORWARDED_WAIT, "it is kept out for ever");
        net.run(Duration::from_secs(5));
    }
    assert!(!net.puppets[liar].closed);
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_given_up() {
    let mut net = joined(1, 1);
    let puppet = net.puppet(0, hello(LIAR));
    let mut said = 0;
    while !net.puppets[puppet].closed {
        net.says(
            puppet,
            Frame::Root(Scope::Documents, false, [said as u8; 32]).encode(),
        );
        said += 1;
        assert!(said < 5_000, "its answers are queued without end");
    }
    assert!(said > 100);
}

#[test]
fn garbage_and_altered_frames_never_make_a_node_panic_or_change_its_head() {
    for seed in seeds(10) {
        let mut net = joined(seed, 1);
        let head = net.set(0, "/config/routes", "[0]");
        let mut rng = Rng::new(seed);
        let mut below = |bound: usize| rng.below(bound as u64) as usize;
        let honest: Vec<Vec<u8>> = lies()
            .into_iter()
            .map(|(_, frame)| frame)
            .chain(more_frames(head))
            .collect();
        for _ in 0..300 {
            let puppet = net.puppet(0, hello(LIAR));
            let mut frame = honest[below(honest.len())].clone();
            for _ in 0..=below(3) {
                if !frame.is_empty() {
                    let at = below(frame.len());
                    frame[at] = below(256) as u8;
                }
            }
            net.says(puppet, frame);
            assert_eq!(net.head(0), Some(head));
        }
    }
}

fn more_frames(head: RecordId) -> Vec<Vec<u8>> {
    let all = [
        Frame::Pull {
            id: head,
            offset: 0,
            have: RecordId::NONE,
        },
        Frame::Pull {
            id: head,
            offset: 1 << 20,
            have: head,
        },
        Frame::Piece {
            id: head,
            offset: 0,
            bytes: vec![1; 100],
        },
        Frame::Missing(head),
        Frame::Root(Scope::Nodes, true, [1; 32]),
        Frame::Buckets(Scope::Documents, vec![[3; 8]; 256]),
        Frame::Ids(Scope::Nodes, true, (0..=255).collect(), vec![head; 100]),
        Frame::Done(Scope::Documents, true),
        Frame::Degree(9),
        Frame::Pong(u64::MAX),
    ];
    all.iter().map(Frame::encode).collect()
}

/// What a lying revision says in its head line, which its author would not have written.
fn saying(honest: &Revision, member: &str, said: &str) -> Vec<u8> {
    let body = String::from_utf8(honest.body.to_vec()).unwrap();
    let (head, document) = body.split_once('\n').unwrap();
    let mut head = value(head);
    head[member] = value(said);
    let body = format!("{}\n{document}", starlingd::model::json::compact(&head)).into_bytes();
    let record = Record::sign((*honest.record.header).clone(), &body, &secret(LIAR));
    members::record(&record, &body)
}

/// A floor or a name that is above all stamps of all honest edits would make every later edit
/// unknown, for ever.
#[test]
fn a_ledger_that_reaches_into_the_future_is_a_fault_and_changes_nothing() {
    let mut net = joined(1, 2);
    let head = net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    let far = "3fffffffffffffff";
    let names: Vec<String> = (0..256)
        .map(|number| format!("\"{:016x}{number:064x}\"", u64::MAX >> 2))
        .collect();
    // All with the latest stamp there can be: 2^46 - 1 milliseconds after the floor.
    let ids = (0..256).map(|number| format!("{number:03}"));
    let ledger = ids.enumerate().fold(String::new(), |ledger, (place, id)| {
        let ms = if place == 0 { "-________D" } else { "A" };
        format!("{ledger}{ms}{id}{:A<40}", "")
    });
    let honest = revision(ours(), 1_800_000_000_000, "{}");
    for (member, said) in [
        ("floor", format!("\"{far}\"")),
        ("ledger", format!("\"{ledger}\"")),
        (
            "settled",
            format!("[{}]", names[..=NAMES_AHEAD_MAX].join(",")),
        ),
    ] {
        let puppet = net.puppet(0, hello(LIAR));
        net.says(puppet, saying(&honest, member, &said));
        assert!(net.puppets[puppet].closed, "{member}");
        assert!(net.all_at(head), "{member}");
    }
}

/// A panic, hosts that do not agree in the end, or one that takes no change, names the seed; `make
/// fuzz TARGETS=node` runs as many as one likes.
#[test]
fn a_fleet_stands_a_member_that_says_anything() {
    seeds(4).for_each(|seed| anything::live(seed, Watch::default()));
}
