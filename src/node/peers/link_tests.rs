use std::collections::BTreeMap;

use super::*;
use crate::limits::{CREDIT_MIN, FRAME_MAX, PING_AFTER, PING_ALONG_AFTER, PING_SECOND_AFTER};
use crate::model::document::Document;
use crate::model::json::Value;
use crate::model::revision::{Author, Draft, Edit, Origin};
use crate::model::signature::SecretKey;
use crate::model::stamp::Stamp;
use crate::wire::frame::Payload;

fn link() -> Link {
    let peer =
        crate::model::peer_id::PeerId::from_bytes(SecretKey::from_seed(&[1; 32]).public()).unwrap();
    let hello = Hello {
        peer,
        run: 1,
        features: 0,
        addresses: Vec::new(),
    };
    Link::new(
        9,
        hello,
        "10.0.0.1:7117".parse().unwrap(),
        true,
        Now {
            elapsed: Duration::ZERO,
            wall_ms: 0,
        },
    )
}

fn revision(base: Option<&Revision>, ms: u64, text: &str) -> Revision {
    let secret = SecretKey::from_seed(&[2; 32]);
    let author = Author {
        secret: &secret,
        fleet: [2; 32],
        group: "default",
        stamp: Stamp::from_u64(ms << 16).unwrap(),
        numbered: None,
    };
    let edit = Edit {
        origin: Origin::Original,
        operations: Vec::new(),
    };
    let document = Document::from_config(Value::from(text)).unwrap();
    Revision::author(
        &author,
        base,
        Draft {
            edit,
            document,
            opens: BTreeMap::new(),
            settles: Vec::new(),
            flags: 0,
            note: String::new(),
        },
    )
    .unwrap()
}

fn whole(revision: &Revision) -> Offer {
    let bytes = Frame::Record(
        revision.record.clone(),
        0,
        Payload::Whole(revision.body.to_vec()),
    )
    .encode();
    Offer {
        bytes,
        whole_at: Some(Duration::ZERO),
    }
}

fn frames(effects: &[Effect]) -> Vec<Frame> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send(9, bytes) => Frame::decode(bytes).unwrap(),
        _ => None,
    });
    sent.collect()
}

fn records(effects: &[Effect]) -> Vec<RecordId> {
    frames(effects)
        .iter()
        .filter_map(|frame| {
            if let Frame::Record(record, ..) = frame {
                Some(record.id)
            } else {
                None
            }
        })
        .collect()
}

/// Uses up all credit, so that what follows waits in the queue.
fn stop(link: &mut Link) {
    let mut effects = Vec::new();
    while link.credit >= CREDIT_MIN as usize {
        assert!(link.answer(&Frame::Ping(0), &mut effects));
    }
}

/// Gives back all credit until nothing waits any more.
fn drain(link: &mut Link) -> Vec<Effect> {
    let mut effects = Vec::new();
    while link.backlog() > 0 {
        link.sent(LINK_WINDOW, &mut effects);
    }
    effects
}

#[test]
fn a_waiting_document_is_replaced_by_one_that_contains_its_edit_and_by_no_other() {
    let mut link = link();
    stop(&mut link);
    let mut effects = Vec::new();
    let first = revision(None, 1, "first");
    let second = revision(Some(&first), 2, "second");
    let aside = revision(None, 3, "aside");
    for revision in [&first, &aside, &second] {
        link.flood_document(revision, &whole(revision), &mut effects);
    }
    assert!(effects.is_empty(), "there is no credit");
    assert_eq!(records(&drain(&mut link)), vec![aside.id(), second.id()]);
}

#[test]
fn documents_of_another_group_do_not_replace_each_other() {
    let mut link = link();
    stop(&mut link);
    let mut effects = Vec::new();
    let first = revision(None, 1, "first");
    let mut second = revision(Some(&first), 2, "second");
    let mut header = (*second.record.header).clone();
    header.key = "other".into();
    second.record =
        crate::model::record::Record::sign(header, &second.body, &SecretKey::from_seed(&[2; 32]));
    link.flood_document(&first, &whole(&first), &mut effects);
    link.flood_document(&second, &whole(&second), &mut effects);
    assert_eq!(records(&drain(&mut link)).len(), 2);
}

#[test]
fn what_the_other_side_has_is_not_sent_back_but_is_when_asked_for() {
    let mut link = link();
    let mut effects = Vec::new();
    let revision = revision(None, 1, "known");
    link.learn(revision.id());
    link.flood_document(&revision, &whole(&revision), &mut effects);
    assert!(effects.is_empty());
    link.offer_document(&revision, &whole(&revision), &mut effects);
    assert_eq!(records(&effects), vec![revision.id()]);
    (0..KNOWN_MAX).for_each(|number| link.learn(RecordId([number as u8; 32])));
    link.flood_document(&revision, &whole(&revision), &mut effects);
    assert_eq!(records(&effects).len(), 2, "what was long ago is forgotten");
}

#[test]
fn a_flood_that_does_not_fit_is_dropped_and_marks_the_link_while_answers_still_fit() {
    let mut link = link();
    stop(&mut link);
    let mut effects = Vec::new();
    let mut ms = 0;
    while !link.overflowed {
        ms += 1;
        // None contains another's edit, so none replaces another.
        let revision = revision(None, ms, &"x".repeat(15_000));
        link.flood_document(&revision, &whole(&revision), &mut effects);
        assert!(link.backlog() <= QUEUE_MAX);
    }
    assert!(link.backlog() > QUEUE_MAX - FRAME_MAX);
    let answer = Frame::Piece {
        id: RecordId::NONE,
        offset: 0,
        bytes: vec![0; INLINE_MAX],
    };
    let mut answers = 0;
    while link.answer(&answer, &mut effects) {
        answers += 1;
    }
    assert!(
        link.backlog() <= 2 * QUEUE_MAX && answers > 50,
        "{answers} answers"
    );
    let sent = drain(&mut link);
    let pieces = frames(&sent)
        .iter()
        .filter(|frame| matches!(frame, Frame::Piece { .. }))
        .count();
    assert_eq!(pieces, answers, "no answer is lost");
}

#[test]
fn the_credit_of_a_link_is_never_exceeded_and_short_frames_pay_for_their_place() {
    let mut link = link();
    let mut effects = Vec::new();
    for number in 0..2_000 {
        assert!(link.answer(&Frame::Ping(number), &mut effects));
    }
    assert_eq!(effects.len(), (LINK_WINDOW / CREDIT_MIN) as usize);
    link.sent(3 * CREDIT_MIN, &mut effects);
    assert_eq!(effects.len(), (LINK_WINDOW / CREDIT_MIN) as usize + 3);
    link.sent(u32::MAX / 2, &mut effects);
    assert!(
        link.credit <= LINK_WINDOW as usize,
        "no more credit than there is comes back"
    );
}

#[test]
fn the_pieces_of_several_bodies_take_turns_and_let_other_frames_pass() {
    let mut link = link();
    let mut effects = Vec::new();
    let body: Arc<[u8]> = vec![7; 40 * INLINE_MAX].into();
    let ids = [RecordId([1; 32]), RecordId([2; 32])];
    for id in ids {
        assert!(link.serve(id, Arc::clone(&body), 0, Duration::ZERO, &mut effects));
    }
    assert!(link.answer(&Frame::Ping(5), &mut effects));
    effects.extend(drain(&mut link));
    let passed = frames(&effects)
        .iter()
        .position(|frame| matches!(frame, Frame::Ping(5)));
    assert!(
        passed.is_some_and(|at| at <= LINK_WINDOW as usize / INLINE_MAX),
        "it passes the pieces that wait: {passed:?}"
    );
    let mut got: BTreeMap<RecordId, usize> = BTreeMap::new();
    let mut last = None;
    let mut turns = 0;
    for frame in frames(&effects) {
        if let Frame::Piece { id, offset, bytes } = frame {
            let have = got.entry(id).or_default();
            assert_eq!(*have, offset as usize, "in order and without a gap");
            *have += bytes.len();
            turns += usize::from(last != Some(id));
            last = Some(id);
        }
    }
    assert_eq!(
        got.values().copied().collect::<Vec<_>>(),
        vec![body.len(); 2]
    );
    assert!(turns >= 40, "only {turns} turns");
}

#[test]
fn a_body_asked_for_again_is_sent_from_there_and_a_fifth_is_refused() {
    let mut link = link();
    stop(&mut link);
    let mut effects = Vec::new();
    let body: Arc<[u8]> = vec![7; 3 * INLINE_MAX].into();
    for number in 0..SERVING_MAX {
        assert!(link.serve(
            RecordId([number as u8; 32]),
            Arc::clone(&body),
            0,
            Duration::ZERO,
            &mut effects
        ));
    }
    assert!(!link.serve(
        RecordId([99; 32]),
        Arc::clone(&body),
        0,
        Duration::ZERO,
        &mut effects
    ));
    assert!(link.serve(
        RecordId([0; 32]),
        Arc::clone(&body),
        2 * INLINE_MAX,
        Duration::ZERO,
        &mut effects
    ));
    let sent = frames(&drain(&mut link));
    let of_first = sent
        .iter()
        .filter(|frame| matches!(frame, Frame::Piece { id, .. } if *id == RecordId([0; 32])));
    assert_eq!(of_first.count(), 1);
}

#[test]
fn what_a_link_brought_or_took_a_moment_ago_is_not_sent_though_it_was_not_named() {
    let (first, second) = (revision(None, 1, "first"), revision(None, 2, "second"));
    let mut link = link();
    let mut effects = Vec::new();
    assert!(link.may_lack(&first.id(), Duration::ZERO));
    link.flood_document(&first, &whole(&first), &mut effects);
    assert!(!link.may_lack(&first.id(), Duration::ZERO));
    assert!(
        link.may_lack(&first.id(), DEAD_AFTER),
        "it may have been dropped there for want of room"
    );
    link.hears(Duration::ZERO);
    assert!(
        link.may_lack(&first.id(), Duration::ZERO),
        "what was sent before anything came may not have been heard"
    );
    link.learn(second.id());
    assert!(!link.may_lack(&second.id(), DEAD_AFTER));
}

#[test]
fn what_was_replaced_in_the_queue_was_not_sent() {
    let first = revision(None, 1, "first");
    let second = revision(Some(&first), 2, "second");
    let mut link = link();
    stop(&mut link);
    let mut effects = Vec::new();
    link.flood_document(&first, &whole(&first), &mut effects);
    link.flood_document(&second, &whole(&second), &mut effects);
    assert!(!link.knows(&first.id()) && link.may_lack(&first.id(), Duration::ZERO));
    assert!(!link.may_lack(&second.id(), Duration::ZERO));
}

#[test]
fn the_same_pull_twice_within_moments_is_one() {
    let mut link = link();
    let (id, body) = (
        RecordId([1; 32]),
        Arc::<[u8]>::from(vec![1; 3 * INLINE_MAX]),
    );
    let mut effects = Vec::new();
    assert!(!link.serves(&id, 0, Duration::ZERO));
    assert!(link.serve(id, Arc::clone(&body), 0, Duration::ZERO, &mut effects));
    assert!(link.serves(&id, 0, DEAD_AFTER / 2));
    assert!(
        !link.serves(&id, INLINE_MAX, Duration::ZERO),
        "from there on it was not asked for"
    );
    assert!(
        !link.serves(&id, 0, DEAD_AFTER),
        "who asks again after that has not got it"
    );
}

#[test]
fn the_dialler_pings_first_and_along_with_others_before_its_time() {
    let cases = [
        // (dialled here, silence, alone, with others)
        (true, PING_ALONG_AFTER - MOMENT, false, false),
        (true, PING_ALONG_AFTER, false, true),
        (true, PING_AFTER, true, true),
        (false, PING_AFTER, false, false),
        (false, PING_SECOND_AFTER, true, true),
    ];
    for (outgoing, silence, alone, along) in cases {
        let link = Link { outgoing, ..link() };
        let found = (link.due() <= silence, link.is_pinged_along(silence));
        assert_eq!(found, (alone, along), "{outgoing} after {silence:?}");
    }
    let pinged = Link {
        outgoing: true,
        pinged: Some(PING_ALONG_AFTER),
        ..link()
    };
    assert!(!pinged.is_pinged_along(PING_AFTER), "once is enough");
    assert_eq!(pinged.due(), DEAD_AFTER, "however soon it was pinged");
}

const MOMENT: Duration = Duration::from_millis(1);
