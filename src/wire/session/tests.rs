//! Sessions: order, tampering, size.

use std::thread;

use super::*;
use crate::model::signature::SecretKey;
use crate::wire::fleet::{Fleet, FleetId, FleetKey};
use crate::wire::handshake::{Dialling, Listening, LocalPeer};

fn local(identity: u8) -> LocalPeer {
    let id = FleetId::from_bytes(SecretKey::from_seed(&[1; 32]).public()).unwrap();
    let fleet = Fleet::new(
        "example".to_owned(),
        id,
        vec![FleetKey::from_bytes([2; 32])],
    )
    .unwrap();
    let identity_key = SecretKey::from_seed(&[identity; 32]);
    LocalPeer {
        identity: identity_key,
        fleet,
        static_secret: [identity + 1; 32],
        run: u64::from(identity),
        features: 0,
    }
}

/// The sessions of both ends, by a real handshake.
fn pair() -> (Session, Session) {
    let (one, other) = (local(0x11), local(0x21));
    let (dialling, first) = Dialling::begin(&one).unwrap();
    let listening = Listening::receive(&other, first.as_slice().try_into().unwrap()).unwrap();
    let (message2, awaiting) = listening.reply(&other, &[]).unwrap();
    let (message3, _, at_dialler) = dialling.answer(&one, &[], &message2[2..]).unwrap();
    let (_, at_listener) = awaiting.finish(&other, &message3[2..]).unwrap();
    (at_dialler, at_listener)
}

/// The message in `out`, without its length, which must be right.
fn message(sealer: &mut Sealer, frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal(frame, &mut out).unwrap();
    assert_eq!(
        usize::from(u16::from_be_bytes([out[0], out[1]])),
        out.len() - PREFIX
    );
    out[PREFIX..].to_vec()
}

#[test]
fn frames_of_every_size_go_both_ways() {
    let (one, other) = pair();
    let ((mut one_out, mut one_in), (mut other_out, mut other_in)) = (one.split(), other.split());
    for length in [0, 1, 15, 16, 17, 16 << 10, FRAME_MAX] {
        let frame = vec![7; length];
        assert_eq!(
            other_in.open(&message(&mut one_out, &frame)).unwrap(),
            frame
        );
        assert_eq!(
            one_in.open(&message(&mut other_out, &frame)).unwrap(),
            frame
        );
    }
}

#[test]
fn frames_follow_each_other_in_one_buffer() {
    let (one, other) = pair();
    let (mut sealer, mut opener) = (one.split().0, other.split().1);
    let mut out = b"before".to_vec();
    sealer.seal(b"one", &mut out).unwrap();
    sealer.seal(b"three", &mut out).unwrap();
    assert_eq!(out.len(), 6 + 2 + 3 + 16 + 2 + 5 + 16);
    assert_eq!(opener.open(&out[8..27]).unwrap(), b"one");
    assert_eq!(opener.open(&out[29..]).unwrap(), b"three");
}

#[test]
fn a_message_that_is_lost_doubled_moved_or_sent_back_does_not_open() {
    let (one, other) = pair();
    let ((mut sealer, mut own), (_, mut opener)) = (one.split(), other.split());
    let messages = [b"0", b"1", b"2"].map(|frame| message(&mut sealer, frame));
    assert_eq!(
        own.open(&messages[0]),
        Err(SessionError::Unverified),
        "sent back"
    );
    assert_eq!(
        opener.open(&messages[1]),
        Err(SessionError::Unverified),
        "moved"
    );
    assert_eq!(opener.open(&messages[0]).unwrap(), b"0");
    assert_eq!(
        opener.open(&messages[0]),
        Err(SessionError::Unverified),
        "doubled"
    );
    assert_eq!(
        opener.open(&messages[2]),
        Err(SessionError::Unverified),
        "one lost"
    );
}

#[test]
fn a_message_with_any_bit_flipped_or_cut_anywhere_does_not_open() {
    let (one, other) = pair();
    let (mut sealer, mut opener) = (one.split().0, other.split().1);
    let whole = message(&mut sealer, b"a frame");
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            opener.open(&flipped),
            Err(SessionError::Unverified),
            "bit {bit}"
        );
    }
    for length in 0..whole.len() {
        assert_eq!(
            opener.open(&whole[..length]),
            Err(SessionError::Unverified),
            "{length} bytes"
        );
    }
    assert_eq!(
        opener.open(&[&whole[..], &[0]].concat()),
        Err(SessionError::Unverified)
    );
    assert_eq!(opener.open(&whole).unwrap(), b"a frame");
}

#[test]
fn sessions_of_the_same_two_peers_do_not_open_each_other_s_messages() {
    let ((one, _), (_, other)) = (pair(), pair());
    assert_eq!(
        other.split().1.open(&message(&mut one.split().0, b"x")),
        Err(SessionError::Unverified)
    );
}

#[test]
fn an_oversized_frame_is_not_sealed_and_an_oversized_message_not_opened() {
    let (one, other) = pair();
    let (mut sealer, mut opener) = (one.split().0, other.split().1);
    let mut out = b"before".to_vec();
    assert_eq!(
        sealer.seal(&[0; FRAME_MAX + 1], &mut out),
        Err(SessionError::Oversize(FRAME_MAX + 1))
    );
    assert_eq!(out, b"before");
    assert_eq!(
        opener.open(&[0; MESSAGE_MAX + 1]),
        Err(SessionError::Oversize(MESSAGE_MAX + 1))
    );
    assert_eq!(
        opener.open(&message(&mut sealer, b"next")).unwrap(),
        b"next",
        "no nonce was spent"
    );
}

#[test]
fn a_session_ends_before_a_nonce_is_used_twice() {
    let (one, other) = pair();
    let (mut sealer, mut opener) = (one.split().0, other.split().1);
    (sealer.nonce, opener.nonce) = (u64::MAX - 1, u64::MAX - 1);
    assert_eq!(
        opener.open(&message(&mut sealer, b"last")).unwrap(),
        b"last"
    );
    let mut out = b"before".to_vec();
    assert_eq!(sealer.seal(b"more", &mut out), Err(SessionError::Exhausted));
    assert_eq!(out, b"before");
    assert_eq!(opener.open(&[0; 32]), Err(SessionError::Exhausted));
}

#[test]
fn one_thread_seals_while_another_opens() {
    let (one, other) = pair();
    let ((mut one_out, mut one_in), (mut other_out, mut other_in)) = (one.split(), other.split());
    let to_other: Vec<_> = (0..100_u8)
        .map(|number| message(&mut one_out, &[number]))
        .collect();
    let reader = thread::spawn(move || {
        to_other
            .iter()
            .map(|sealed| other_in.open(sealed).unwrap()[0])
            .collect::<Vec<_>>()
    });
    let to_one: Vec<_> = (0..100_u8)
        .map(|number| message(&mut other_out, &[number]))
        .collect();
    assert!(
        to_one
            .iter()
            .zip(0..)
            .all(|(sealed, number)| one_in.open(sealed).unwrap() == [number])
    );
    assert_eq!(reader.join().unwrap(), (0..100).collect::<Vec<_>>());
}
