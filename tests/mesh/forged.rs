//! Revisions whose author says what is not so: whose edit one makes again, what it contains, what
//! it was made on. All hosts deal with them alike, and honest changes go on.

use std::sync::Arc;
use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::model::document::Document;
use starlingd::model::edit::{Change, Op, apply};
use starlingd::model::ledger::EditRef;
use starlingd::model::operation::operations;
use starlingd::model::path::Path;
use starlingd::model::peer_id::PeerId;
use starlingd::model::record::RecordId;
use starlingd::model::revision::{Draft, Edit, Origin, Revision};
use starlingd::model::stamp::Stamp;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Command, PastQuery};
use starlingd::sim::secret;
use starlingd::wire::frame::Frame;

use super::liars::LIAR;
use super::seeds;
use super::spreading::joined;
use crate::asks::{keep, put_settling_all, value};
use crate::fleet::{Fleet, SOON};
use crate::members::{draft, hello, in_pieces, peer, signed, whole};

/// `base` with a member of `applications`, signed by the liar as what it says.
fn adding(
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
    let draft = Draft {
        edit: Edit {
            origin,
            operations: operations(&before, &[op]),
        },
        ..draft(document)
    };
    signed(LIAR, "default", stamp, base, draft)
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
        let invented = EditRef::odd(stamp_after(&base, 1), RecordId([7; 32]), 1);
        let forged = adding(
            Some(&base),
            Origin::Replay(invented, author),
            stamp_after(&base, 2),
            "evil",
            "1",
        );
        let puppet = net.puppet(0, hello(LIAR));
        net.says(puppet, whole(&forged));
        net.until("it is listed", Duration::from_secs(60), |net| {
            net.says(puppet, Frame::Ping(1).encode());
            net.agree()
                && net.conflicts(1) == vec![(RecordId([7; 32]).to_string(), "open".to_owned())]
        });
        net.settle(SOON);
        let conflicts = net.view(1, PastQuery::Conflicts);
        assert_eq!(
            conflicts[0]["author"],
            peer(LIAR).to_string(),
            "seed {seed}"
        );
        for host in 0..3 {
            assert!(
                !net.config(host).contains("evil"),
                "seed {seed}: {}",
                net.config(host)
            );
            let revisions = net.view(host, PastQuery::Revisions);
            let replays = revisions
                .as_array()
                .unwrap()
                .iter()
                .filter(|revision| revision["kind"] == "replay");
            assert_eq!(
                replays
                    .filter(|replay| replay["author"] != peer(LIAR).to_string())
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
        let gone = EditRef::odd(stamp_after(&base, 1), RecordId([7; 32]), 1);
        let long = format!("\"{}\"", "x".repeat(6_000));
        let replay = adding(
            Some(&base),
            Origin::Replay(gone, hello(LIAR).peer),
            stamp_after(&base, 2),
            "long",
            &long,
        );
        let puppet = net.puppet(0, hello(LIAR));
        net.says(puppet, whole(&replay));
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
            match net.answer_to(1, keep(gone.id)) {
                Answer::Denied(denial) if said(&denial).status == 503 && tries < 5 => tries += 1,
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
        let original = adding(
            Some(&base),
            Origin::Original,
            stamp_after(&base, 1),
            "lost",
            "1",
        );
        let origin = Origin::Replay(original.edit_ref(), hello(LIAR).peer);
        let replay = adding(Some(&base), origin, stamp_after(&base, 2), "lost", "1");
        let puppet = net.puppet(0, hello(LIAR));
        net.says(puppet, whole(&replay));
        net.until("the original is asked for", SOON, |net| {
            let asks = |frame: &Vec<u8>| matches!(Frame::decode(frame), Ok(Some(Frame::Want(id))) if id == original.id());
            net.puppets[puppet].frames.iter().any(asks)
        });
        net.says(puppet, whole(&original));
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
        let puppet = net.puppet(0, hello(LIAR));
        let aside = |number: u64| {
            adding(
                Some(&base),
                Origin::Original,
                stamp_after(&base, number),
                "same",
                &number.to_string(),
            )
        };
        let all: Vec<Vec<u8>> = (1..=300).map(|number| whole(&aside(number))).collect();
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
            matches!(net.change(1, "/config/applications/a", "1"), Answer::Denied(denial) if said(&denial).status == 409)
        );
        offer(&mut net, 200);
        let mut settled = 0;
        while !net.conflicts(1).is_empty() {
            let change = put_settling_all("/config/applications/a", value(&settled.to_string()));
            net.made(1, Command::Write(change));
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
        let named = |number: u8| EditRef::odd(stamp_after(&base, 1), RecordId([number; 32]), 1);
        let document = base.document.clone();
        let op = Op {
            path: Path::parse("/config/applications/same").unwrap(),
            change: Change::Put(value("1")),
        };
        let document = apply(&document, &op).unwrap();
        let draft = Draft {
            edit: Edit {
                origin: Origin::Original,
                operations: operations(&base.document, &[op]),
            },
            settles: (0..=255).map(named).collect(),
            ..draft(document)
        };
        let lie = signed(LIAR, "default", stamp_after(&base, 2), Some(&base), draft);
        let puppet = net.puppet(0, hello(LIAR));
        for frame in in_pieces(&lie) {
            net.says(puppet, frame);
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
                let change = put_settling_all("/config/applications/a", value("1"));
                net.made(1, Command::Write(change));
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

/// The most that a ledger may claim is all that was there before it: whoever writes after it is not
/// touched by that.
#[test]
fn the_highest_floor_there_may_be_is_over_with_the_next_change() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        for part in 0..2_u8 {
            let base = net.hosts[0].node.own_head().expect("there is one");
            let stamp =
                Stamp::from_u64((base.record.header.stamp.wall_ms() + 60_000) << 16).unwrap();
            let named = |number: u8| {
                EditRef::odd(
                    stamp,
                    RecordId([number.wrapping_mul(2).wrapping_add(part); 32]),
                    1,
                )
            };
            let draft = Draft {
                settles: (0..=255).map(named).collect(),
                ..draft(base.document.clone())
            };
            let lie = signed(LIAR, "default", stamp, Some(base), draft);
            let puppet = net.puppet(0, hello(LIAR));
            // Its ledger makes it longer than what goes with its record.
            for frame in in_pieces(&lie) {
                net.says(puppet, frame);
            }
            net.until("the lie is head", SOON, |net| net.all_at(lie.id()));
        }
        let mut waiting: Vec<_> = (0..3)
            .map(|host| (host, net.append(host, "/config/routes", host + 1)))
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

/// Who settles a number that another has not given yet makes that one begin another series, and
/// hides nothing.
#[test]
fn a_number_that_was_taken_before_it_was_given_is_given_no_more() {
    for seed in seeds(4) {
        let (mut net, _) = two_revisions(seed);
        let base = Arc::clone(net.hosts[0].node.own_head().expect("there is one"));
        let mut stolen = base.edit_ref();
        (stolen.place.number, stolen.id) = (stolen.place.number + 1, RecordId([9; 32]));
        let draft = Draft {
            settles: vec![stolen],
            ..draft(base.document.clone())
        };
        let stamp = stamp_after(&base, 1);
        let lie = signed(LIAR, "default", stamp, Some(&base), draft);
        let puppet = net.puppet(0, hello(LIAR));
        net.says(puppet, whole(&lie));
        net.until("the lie is head", SOON, |net| net.all_at(lie.id()));
        let made = net.set(0, "/config/routes", "[7]");
        net.until("it is there", SOON, |net| net.all_at(made));
        let head = net.hosts[0].node.own_head().expect("there is one");
        let place = head.edit_ref().place;
        assert_ne!(place.series, stolen.place.series, "seed {seed}");
        assert_eq!(place.number, 1, "seed {seed}");
        assert!(net.conflicts(0).is_empty(), "seed {seed}");
    }
}
