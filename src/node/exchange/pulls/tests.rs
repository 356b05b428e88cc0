use super::*;
use crate::model::peer_id::PeerId;
use crate::model::record::{Header, Kind};
use crate::model::signature::SecretKey;
use crate::model::stamp::Stamp;

const BODY: &[u8] = b"0123456789";
const SECOND: Duration = Duration::from_secs(1);

/// The record of a body, of the group `name`.
fn record(name: &str, body: &[u8]) -> Record {
    let secret = SecretKey::from_seed(&[1; 32]);
    let header = Header {
        kind: Kind::Document,
        flags: 0,
        fleet: [2; 32],
        key: name.to_owned(),
        author: PeerId::from_bytes(secret.public()).unwrap(),
        height: 1,
        stamp: Stamp::default(),
        base: RecordId::NONE,
        body_len: 0,
        body_hash: [0; 32],
        numbered: None,
        note: String::new(),
    };
    Record::sign(header, body, &secret)
}

/// A body that these links have offered, and its ID.
fn offered(links: &[LinkId]) -> (Pulls, RecordId) {
    let (mut pulls, record) = (Pulls::default(), record("a", BODY));
    for link in links {
        pulls.offer(*link, record.clone(), Duration::ZERO);
    }
    (pulls, record.id)
}

fn asked(pulls: &mut Pulls, id: &RecordId) -> Option<(LinkId, u32)> {
    pulls
        .next(id, SECOND)
        .map(|request| (request.link, request.offset))
}

fn took(piece: Piece) {
    assert!(matches!(piece, Piece::Taken), "{piece:?}");
}

#[test]
fn the_next_who_offered_goes_on_where_the_body_ends() {
    // What happens after link 1 has sent half of the body, and who is asked then for what.
    type Case = (
        &'static str,
        fn(&mut Pulls, &RecordId),
        Option<(LinkId, u32)>,
    );
    let cases: [Case; 5] = [
        ("nothing", |_, _| {}, Some((1, 5))),
        (
            "it has not got it",
            |pulls, id| assert!(pulls.is_missing(1, id)),
            Some((2, 5)),
        ),
        (
            "the other has not got it, and is not asked",
            |pulls, id| assert!(!pulls.is_missing(2, id)),
            Some((1, 5)),
        ),
        (
            "nothing comes for long",
            |pulls, id| assert_eq!(pulls.stalled(60 * SECOND), [*id]),
            Some((2, 5)),
        ),
        (
            "both are gone",
            |pulls, id| {
                assert_eq!(pulls.without(1), [*id]);
                assert_eq!(pulls.without(2), [*id]);
            },
            None,
        ),
    ];
    for (what, happens, expected) in cases {
        let (mut pulls, id) = offered(&[1, 2]);
        assert_eq!(asked(&mut pulls, &id), Some((1, 0)));
        took(pulls.piece(1, &id, 0, &BODY[..5], SECOND));
        happens(&mut pulls, &id);
        assert_eq!(asked(&mut pulls, &id), expected, "{what}");
        assert_eq!(pulls.has(&id), expected.is_some(), "{what}");
    }
}

#[test]
fn only_what_goes_on_where_the_body_ends_is_taken() {
    for (link, offset, bytes, is_fault) in [
        (1, 5, &BODY[5..8], false),
        (1, 5, b"" as &[u8], true),
        (1, 5, b"6789ab", true),
        // Once more, which was on its way.
        (1, 0, &BODY[..5], false),
        // Of somebody who has offered nothing.
        (9, 5, b"6789ab", false),
    ] {
        let (mut pulls, id) = offered(&[1, 2]);
        took(pulls.piece(1, &id, 0, &BODY[..5], SECOND));
        let piece = pulls.piece(link, &id, offset, bytes, SECOND);
        assert_eq!(matches!(piece, Piece::Fault), is_fault, "{piece:?}");
        assert!(pulls.has(&id), "the body is not complete");
    }
    let (mut pulls, id) = offered(&[1, 2]);
    pulls.piece(1, &id, 0, &BODY[..5], SECOND);
    // Late or early, whoever has offered it may end it.
    let Piece::Whole(record, body, links) = pulls.piece(2, &id, 5, &BODY[5..], SECOND) else {
        panic!("the body is not complete");
    };
    assert_eq!((record.id, &body[..], &links[..]), (id, BODY, &[1, 2][..]));
    assert!(!pulls.has(&id));
}

#[test]
fn a_wrong_body_of_pieces_by_two_is_nobodys_fault_and_fetched_again() {
    let (mut pulls, id) = offered(&[1, 2]);
    pulls.piece(1, &id, 0, b"wrong", SECOND);
    pulls.is_missing(1, &id);
    let wrong = pulls.piece(2, &id, 5, &BODY[5..], SECOND);
    assert!(matches!(wrong, Piece::Again), "{wrong:?}");
    assert_eq!(asked(&mut pulls, &id), Some((2, 0)));
    // Of one alone it is handed over as it came: it is that one's fault.
    let whole = pulls.piece(2, &id, 0, b"still wron", SECOND);
    assert!(matches!(whole, Piece::Whole(..)), "{whole:?}");
}

#[test]
fn a_body_that_nobody_sends_is_given_up() {
    let (mut pulls, id) = offered(&[1]);
    let (mut now, mut rounds) = (Duration::ZERO, 0);
    while pulls.next(&id, now).is_some() {
        now = pulls.due().expect("it is being fetched");
        assert_eq!(pulls.stalled(now), [id]);
        rounds += 1;
    }
    assert_eq!(rounds, PULL_ROUNDS_MAX + 1);
    assert!(!pulls.has(&id) && pulls.due().is_none());
}

#[test]
fn who_sends_slowly_is_given_three_times_as_long() {
    let (mut pulls, id) = offered(&[1]);
    assert_eq!(pulls.due(), Some(PULL_PATIENCE));
    let slow = 2 * PULL_PATIENCE;
    pulls.piece(1, &id, 0, &BODY[..5], slow);
    assert_eq!(pulls.due(), Some(slow + (3 * slow).min(DEAD_AFTER)));
}

#[test]
fn so_many_bodies_are_fetched_at_once_and_the_links_are_remembered() {
    let mut pulls = Pulls::default();
    let records: Vec<Record> = (0..=PULLS_MAX)
        .map(|number| record(&format!("g{number}"), BODY))
        .collect();
    for record in &records[..PULLS_MAX] {
        let offer = |pulls: &mut Pulls, link| pulls.offer(link, record.clone(), SECOND);
        assert_eq!(offer(&mut pulls, 1), Offered::First);
        assert_eq!(offer(&mut pulls, 2), Offered::Remembered);
    }
    let last = records[PULLS_MAX].clone();
    assert_eq!(pulls.offer(1, last.clone(), SECOND), Offered::Full);
    assert_eq!(pulls.settle(&records[0].id), [1, 2]);
    assert_eq!(pulls.offer(1, last, SECOND), Offered::First);
    assert_eq!(pulls.len(), PULLS_MAX);
}

#[test]
fn a_delta_is_asked_for_until_it_was_of_no_use() {
    let (mut pulls, id) = offered(&[1, 2]);
    let group = |pulls: &mut Pulls| pulls.next(&id, SECOND).unwrap().group;
    assert_eq!(group(&mut pulls).as_deref(), Some("a"));
    assert!(!pulls.takes_no_delta(2, &id), "it was not asked");
    assert!(pulls.takes_no_delta(1, &id));
    assert_eq!(group(&mut pulls), None);
    assert!(!pulls.takes_no_delta(1, &id), "it was not asked for one");
}

#[test]
fn a_delta_waits_for_its_base_until_that_is_here_or_will_not_come() {
    let (mut pulls, base) = offered(&[1]);
    let record = record("a", b"the next");
    assert!(
        !pulls.waits_for_base(1, record.id, &record, b"d"),
        "nobody fetches it"
    );
    assert!(pulls.waits_for_base(1, base, &record, b"d"));
    assert!(pulls.depend_on(1) && !pulls.depend_on(2));
    assert!(pulls.take_ready(|_| false).is_none());
    let ready = pulls
        .take_ready(|id| *id == base)
        .expect("its base is here");
    assert_eq!((ready.link, ready.record.id), (1, record.id));
    assert!(pulls.waits_for_base(1, base, &record, b"d"));
    pulls.settle(&base);
    assert!(
        pulls.take_ready(|_| false).is_some(),
        "its base will not come"
    );
}

#[test]
fn a_link_waits_for_a_body_that_is_being_decoded() {
    let (mut pulls, id) = offered(&[]);
    assert!(!pulls.is_decoded_for(1, &id));
    pulls.begin_decoding(id, vec![1]);
    assert_eq!(
        pulls.offer(2, record("a", BODY), SECOND),
        Offered::Remembered
    );
    assert!(pulls.has(&id) && pulls.depend_on(2));
    assert_eq!(pulls.end_decoding(&id), [1, 2]);
    assert!(!pulls.has(&id));
}
