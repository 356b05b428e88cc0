//! Members that lie: their link is closed, and what is held stays as it was.

use std::time::Duration;

use starlingd::limits::{FORWARDED_MAX, FORWARDED_WAIT, INLINE_MAX, NAMES_AHEAD_MAX, RELAYED_MAX};
use starlingd::model::document::Document;
use starlingd::model::edit::{Change, Op, apply};
use starlingd::model::ledger::EditRef;
use starlingd::model::operation::operations;
use starlingd::model::path::Path;
use starlingd::model::peer_id::PeerId;
use starlingd::model::record::{Header, Kind, Record, RecordId};
use starlingd::model::revision::{Author, Draft, Edit, Origin, Revision};
use starlingd::model::stamp::Stamp;
use starlingd::node::answer::Answer;
use starlingd::node::input::{self, Ask};
use starlingd::node::rng::Rng;
use starlingd::sim::{fleet, secret};
use starlingd::wire::forwarded::ForwardedRequest;
use starlingd::wire::frame::{Frame, Payload, Scope};
use starlingd::wire::handshake::Hello;

use super::anything;
use super::replay::append;
use super::seeds;
use super::spreading::joined;
use crate::client::{SOON, value};
use crate::fleet::Fleet;
use crate::watch::Watch;

const LIAR: u64 = 99;

fn hello() -> Hello {
    let peer = PeerId::from_bytes(secret(LIAR).public()).unwrap();
    Hello {
        peer,
        run: 1,
        features: 0,
        addresses: Vec::new(),
    }
}

/// A first revision by the liar, of the fleet that is named.
pub fn revision(fleet: [u8; 32], stamp: u64, config: &str) -> Revision {
    let secret = secret(LIAR);
    let stamp = Stamp::from_u64(stamp << 16).unwrap();
    let author = Author {
        secret: &secret,
        fleet,
        group: "default",
        stamp,
    };
    let edit = Edit {
        origin: Origin::Original,
        operations: Vec::new(),
    };
    let document = Document::from_config(value(config)).unwrap();
    let draft = Draft {
        edit,
        document,
        opens: Default::default(),
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    };
    Revision::author(&author, None, draft).unwrap()
}

pub fn ours() -> [u8; 32] {
    *fleet().id().as_bytes()
}

fn whole(revision: &Revision) -> Frame {
    Frame::Record(
        revision.record.clone(),
        0,
        Payload::Whole(revision.body.to_vec()),
    )
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
        (
            "another fleet's record",
            whole(&revision([7; 32], 5, "{}")).encode(),
        ),
        (
            "a body that is none",
            bytes(&nonsense, Payload::Whole(b"no body".to_vec())),
        ),
        (
            "a node record that is no object",
            bytes(&node, Payload::Whole(b"[1]".to_vec())),
        ),
        (
            "a node record without a body",
            bytes(&node, Payload::Announced),
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
        let revisions = net.view(0, Ask::Revisions(None));
        let puppet = net.puppet(0, hello());
        assert!(!net.puppets[puppet].closed, "{name}: the link is not up");
        net.says(puppet, frame);
        assert!(net.puppets[puppet].closed, "{name}: the link stays");
        assert!(net.all_at(head), "{name}");
        assert_eq!(net.view(0, Ask::Revisions(None)), revisions, "{name}");
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
    let puppet = net.puppet(0, hello());
    net.says(
        puppet,
        Frame::Record(
            honest.record.clone(),
            0,
            Payload::Whole(b"lie\n{}".to_vec()),
        )
        .encode(),
    );
    assert!(net.puppets[puppet].closed);
    let puppet = net.puppet(0, hello());
    net.says(puppet, whole(&honest).encode());
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
    let puppet = net.puppet(0, hello());
    net.says(
        puppet,
        Frame::Record(long.record.clone(), 0, Payload::Announced).encode(),
    );
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
    let puppet = net.puppet(0, hello());
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
    let puppet = net.puppet(0, hello());
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
    let liar = net.puppet(0, hello());
    for number in 0..RELAYED_MAX as u64 {
        net.says(
            liar,
            Frame::ForwardedRequest(number, true, vec![1; 100]).encode(),
        );
    }
    let peer = PeerId::from_bytes(secret(LIAR + 1).public()).unwrap();
    let honest = net.puppet(0, Hello { peer, ..hello() });
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
    let puppet = net.puppet(0, hello());
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
            let puppet = net.puppet(0, hello());
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
fn saying(honest: &Revision, member: &str, said: &str) -> Frame {
    let body = String::from_utf8(honest.body.to_vec()).unwrap();
    let (head, document) = body.split_once('\n').unwrap();
    let mut head = value(head);
    head[member] = value(said);
    let body = format!("{}\n{document}", starlingd::model::json::compact(&head)).into_bytes();
    let record = Record::sign((*honest.record.header).clone(), &body, &secret(LIAR));
    Frame::Record(record, 0, Payload::Whole(body))
}

/// The most that a ledger may claim is all that was there before it: whoever writes after it is not
/// touched by that.
#[test]
fn the_highest_floor_there_may_be_is_over_with_the_next_change() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        let secret = secret(LIAR);
        for part in 0..2_u8 {
            let base = net.hosts[0].node.own_head().expect("there is one");
            let stamp =
                Stamp::from_u64((base.record.header.stamp.wall_ms() + 60_000) << 16).unwrap();
            let named = |number: u8| EditRef {
                stamp,
                id: RecordId([number.wrapping_mul(2).wrapping_add(part); 32]),
            };
            let author = Author {
                secret: &secret,
                fleet: ours(),
                group: "default",
                stamp,
            };
            let edit = Edit {
                origin: Origin::Original,
                operations: Vec::new(),
            };
            let (document, settles) = (base.document.clone(), (0..=255).map(named).collect());
            let draft = Draft {
                edit,
                document,
                opens: Default::default(),
                settles,
                flags: 0,
                note: String::new(),
            };
            let lie = Revision::author(&author, Some(base), draft).unwrap();
            let puppet = net.puppet(0, hello());
            // Its ledger makes it longer than what goes with its record.
            net.says(
                puppet,
                Frame::Record(lie.record.clone(), 0, Payload::Announced).encode(),
            );
            for offset in (0..lie.body.len()).step_by(INLINE_MAX) {
                let bytes = lie.body[offset..lie.body.len().min(offset + INLINE_MAX)].to_vec();
                net.says(
                    puppet,
                    Frame::Piece {
                        id: lie.id(),
                        offset: offset as u32,
                        bytes,
                    }
                    .encode(),
                );
            }
            net.until("the lie is head", SOON, |net| net.all_at(lie.id()));
        }
        let mut waiting: Vec<_> = (0..3)
            .map(|host| (host, append(&mut net, host, "/config/routes", host + 1)))
            .collect();
        let made = waiting
            .drain(..)
            .filter(|(host, client)| matches!(net.answer(*host, *client), Answer::Done { .. }))
            .count();
        assert!(made > 0, "seed {seed}: nobody can write");
        net.until("all are there", Duration::from_secs(5), |net| {
            net.agree()
                && value(&net.config(0))["routes"].as_array().map(Vec::len) == Some(1 + made)
        });
        assert!(net.conflicts(0).is_empty(), "seed {seed}");
    }
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
    let honest = revision(ours(), 1_800_000_000_000, "{}");
    for (member, said) in [
        ("floor", format!("\"{far}\"")),
        ("ledger", format!("[{}]", names.join(","))),
        (
            "settled",
            format!("[{}]", names[..=NAMES_AHEAD_MAX].join(",")),
        ),
    ] {
        let puppet = net.puppet(0, hello());
        net.says(puppet, saying(&honest, member, &said).encode());
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

/// `base` with a member of `applications`, signed by the liar as what it says.
fn signed(
    base: Option<&Revision>,
    origin: Origin,
    stamp: Stamp,
    name: &str,
    text: &str,
) -> Revision {
    let before = base.map_or_else(Document::factory, |base| base.document.clone());
    let op = Op {
        path: Path::parse(format!("/config/applications/{name}")).unwrap(),
        change: Change::Put(value(text)),
    };
    let document = apply(&before, &op).unwrap();
    let edit = Edit {
        origin,
        operations: operations(&before, &[op]),
    };
    let draft = Draft {
        edit,
        document,
        opens: Default::default(),
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    };
    let secret = secret(LIAR);
    let author = Author {
        secret: &secret,
        fleet: ours(),
        group: "default",
        stamp,
    };
    Revision::author(&author, base, draft).unwrap()
}

fn stamp_after(revision: &Revision, ms: u64) -> Stamp {
    Stamp::from_u64((revision.record.header.stamp.wall_ms() + ms) << 16).unwrap()
}

/// A fleet of three and two revisions of it, of which the second is the head.
fn two_revisions(seed: u64) -> (Fleet, Revision) {
    let mut net = joined(seed, 3);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    let first = net.hosts[0].node.own_head().expect("there is one");
    let first = Revision::decode(first.record.clone(), first.body.clone()).unwrap();
    net.set(0, "/config/routes", "[1]");
    net.set(0, "/config/routes", "[2]");
    net.settle(SOON);
    (net, first)
}

/// Whose edit it is, a replay only says. What it carries is made by nobody in that name.
#[test]
fn a_replay_of_an_edit_that_nobody_made_is_listed_in_the_name_of_whoever_signed_it() {
    for seed in seeds(6) {
        let (mut net, base) = two_revisions(seed);
        let (victim, dead) = (
            net.hosts[1].node.peer(),
            PeerId::from_bytes(secret(LIAR + 7).public()).unwrap(),
        );
        let author = if seed % 2 == 0 { victim } else { dead };
        let invented = EditRef {
            stamp: stamp_after(&base, 1),
            id: RecordId([7; 32]),
        };
        let forged = signed(
            Some(&base),
            Origin::Replay(invented, author),
            stamp_after(&base, 2),
            "evil",
            "1",
        );
        let puppet = net.puppet(0, hello());
        net.says(puppet, whole(&forged).encode());
        net.until("it is listed", Duration::from_secs(60), |net| {
            net.says(puppet, Frame::Ping(1).encode());
            net.agree()
                && net.conflicts(1) == vec![(RecordId([7; 32]).to_string(), "open".to_owned())]
        });
        net.settle(SOON);
        let conflicts = net.view(1, Ask::Conflicts(None));
        assert_eq!(
            conflicts[0]["author"],
            hello().peer.to_string(),
            "seed {seed}"
        );
        for host in 0..3 {
            assert!(
                !net.config(host).contains("evil"),
                "seed {seed}: {}",
                net.config(host)
            );
            let revisions = net.view(host, Ask::Revisions(None));
            let replays = revisions
                .as_array()
                .unwrap()
                .iter()
                .filter(|revision| revision["kind"] == "replay");
            assert_eq!(
                replays
                    .filter(|replay| replay["author"] != hello().peer.to_string())
                    .count(),
                0,
                "seed {seed}"
            );
        }
    }
}

/// What is listed by its hash can be taken up all the same: a person has looked at it, and nobody
/// is asked for what he wanted.
#[test]
fn a_long_value_of_which_only_a_replay_is_left_can_be_kept() {
    for seed in seeds(4) {
        let (mut net, base) = two_revisions(seed);
        let gone = EditRef {
            stamp: stamp_after(&base, 1),
            id: RecordId([7; 32]),
        };
        let long = format!("\"{}\"", "x".repeat(6_000));
        let replay = signed(
            Some(&base),
            Origin::Replay(gone, hello().peer),
            stamp_after(&base, 2),
            "long",
            &long,
        );
        let puppet = net.puppet(0, hello());
        net.says(puppet, whole(&replay).encode());
        let listed = vec![(gone.id.to_string(), "open".to_owned())];
        net.until("it is listed", Duration::from_secs(60), |net| {
            net.says(puppet, Frame::Ping(1).encode());
            net.agree() && net.conflicts(1) == listed
        });
        net.settle(SOON);
        for number in 0..70 {
            net.set(0, "/config/routes", &format!("[{number}]"));
        }
        net.settle(SOON);
        let mut tries = 0;
        let answer = loop {
            let ask = Ask::Settle {
                id: gone.id.to_string(),
                keep: true,
                if_match: None,
                note: String::new(),
            };
            let client = net.ask(1, ask);
            match net.answer(1, client) {
                Answer::Problem(problem) if problem.status == 503 && tries < 5 => tries += 1,
                other => break other,
            }
            net.run(Duration::from_secs(3));
        };
        net.done(answer);
        net.settle(SOON);
        assert!(
            net.config(2).contains("xxxxx") && net.conflicts(2).is_empty(),
            "seed {seed}"
        );
    }
}

/// The original is asked for first: whoever has it may be a peer that has just been linked.
#[test]
fn an_edit_held_as_a_replay_only_is_made_again_once_its_original_is_had() {
    for seed in seeds(6) {
        let (mut net, base) = two_revisions(seed);
        let original = signed(
            Some(&base),
            Origin::Original,
            stamp_after(&base, 1),
            "lost",
            "1",
        );
        let origin = Origin::Replay(original.edit_ref(), hello().peer);
        let replay = signed(Some(&base), origin, stamp_after(&base, 2), "lost", "1");
        let puppet = net.puppet(0, hello());
        net.says(puppet, whole(&replay).encode());
        net.until("the original is asked for", SOON, |net| {
            let asks = |frame: &Vec<u8>| matches!(Frame::decode(frame), Ok(Some(Frame::Want(id))) if id == original.id());
            net.puppets[puppet].frames.iter().any(asks)
        });
        net.says(puppet, whole(&original).encode());
        net.until("it is made again", Duration::from_secs(60), |net| {
            net.says(puppet, Frame::Ping(1).encode());
            net.agree() && net.config(1).contains("lost")
        });
        net.settle(SOON);
        assert!(net.conflicts(0).is_empty(), "seed {seed}");
    }
}

/// A member signs more changes of one place than may be open: they are listed a batch at a time,
/// and settled as often.
#[test]
fn more_collisions_than_may_be_listed_are_listed_and_settled_batch_by_batch() {
    for seed in seeds(2) {
        let (mut net, base) = two_revisions(seed);
        net.set(0, "/config/applications/same", "0");
        net.settle(SOON);
        let puppet = net.puppet(0, hello());
        let aside = |number: u64| {
            signed(
                Some(&base),
                Origin::Original,
                stamp_after(&base, number),
                "same",
                &number.to_string(),
            )
        };
        let all: Vec<Vec<u8>> = (1..=300)
            .map(|number| whole(&aside(number)).encode())
            .collect();
        let offer = |net: &mut Fleet, from: usize| {
            all[from..]
                .iter()
                .for_each(|frame| net.says(puppet, frame.clone()))
        };
        let passes = |net: &mut Fleet, seconds: usize| {
            for _ in 0..seconds {
                net.says(puppet, Frame::Ping(1).encode());
                net.run(Duration::from_secs(1));
            }
        };
        offer(&mut net, 0);
        passes(&mut net, 30);
        assert!(
            net.conflicts(1)
                .iter()
                .filter(|(_, state)| state == "open")
                .count()
                >= 200,
            "seed {seed}: they are not listed"
        );
        assert!(
            matches!(net.change(1, "/config/applications/a", "1"), Answer::Problem(problem) if problem.status == 409)
        );
        offer(&mut net, 200);
        let mut settled = 0;
        while !net.conflicts(1).is_empty() {
            let op = Op {
                path: Path::parse("/config/applications/a").unwrap(),
                change: Change::Put(value(&settled.to_string())),
            };
            let change = input::Change {
                op,
                if_match: None,
                note: String::new(),
                settles: vec!["*".to_owned()],
            };
            let client = net.ask(1, Ask::Write(change));
            let answer = net.answer(1, client);
            net.done(answer);
            settled += 1;
            assert!(settled < 10, "seed {seed}: there is no end of them");
            passes(&mut net, 30);
        }
        assert!(settled > 0, "seed {seed}");
        net.set(0, "/config/applications/b", "1");
        net.settle(SOON);
    }
}

/// What a revision claims to have been made on may be invented, and more than there is room for.
#[test]
fn a_lost_revision_with_a_ledger_of_invented_names_is_listed_and_settled() {
    for seed in seeds(2) {
        let (mut net, base) = two_revisions(seed);
        net.set(0, "/config/applications/same", "0");
        net.settle(SOON);
        let named = |number: u8| EditRef {
            stamp: stamp_after(&base, 1),
            id: RecordId([number; 32]),
        };
        let document = base.document.clone();
        let op = Op {
            path: Path::parse("/config/applications/same").unwrap(),
            change: Change::Put(value("1")),
        };
        let document = apply(&document, &op).unwrap();
        let edit = Edit {
            origin: Origin::Original,
            operations: operations(&base.document, &[op]),
        };
        let settles = (0..=255).map(named).collect();
        let draft = Draft {
            edit,
            document,
            opens: Default::default(),
            settles,
            flags: 0,
            note: String::new(),
        };
        let secret = secret(LIAR);
        let author = Author {
            secret: &secret,
            fleet: ours(),
            group: "default",
            stamp: stamp_after(&base, 2),
        };
        let lie = Revision::author(&author, Some(&base), draft).unwrap();
        let puppet = net.puppet(0, hello());
        net.says(
            puppet,
            Frame::Record(lie.record.clone(), 0, Payload::Announced).encode(),
        );
        for offset in (0..lie.body.len()).step_by(INLINE_MAX) {
            let bytes = lie.body[offset..lie.body.len().min(offset + INLINE_MAX)].to_vec();
            net.says(
                puppet,
                Frame::Piece {
                    id: lie.id(),
                    offset: offset as u32,
                    bytes,
                }
                .encode(),
            );
        }
        let mut settled = 0;
        let mut rests = 0;
        while rests < 3 {
            net.run(Duration::from_secs(30));
            let open = net
                .conflicts(1)
                .iter()
                .filter(|(_, state)| state == "open")
                .count();
            rests = if net.conflicts(1).is_empty() {
                rests + 1
            } else {
                0
            };
            if open > 0 {
                let op = Op {
                    path: Path::parse("/config/applications/a").unwrap(),
                    change: Change::Put(value("1")),
                };
                let change = input::Change {
                    op,
                    if_match: None,
                    note: String::new(),
                    settles: vec!["*".to_owned()],
                };
                let client = net.ask(1, Ask::Write(change));
                let answer = net.answer(1, client);
                net.done(answer);
                settled += open;
            }
            assert!(
                net.now < Duration::from_secs(1200),
                "seed {seed}: it is never settled: {:?}",
                net.conflicts(1)
            );
        }
        assert!(settled >= 255, "seed {seed}: {settled}");
        net.set(0, "/config/applications/b", "1");
        net.settle(SOON);
    }
}
