//! The handshake: who learns what, and all that must stop it. Its exact bytes are in `example`.

mod again;
use super::*;
use crate::wire::fleet::FleetKey;

mod example;

fn fleet(owner: u8, keys: &[u8]) -> Fleet {
    let id = FleetId::from_bytes(SecretKey::from_seed(&[owner; 32]).public()).unwrap();
    Fleet::new(
        "example".to_owned(),
        id,
        keys.iter()
            .map(|key| FleetKey::from_bytes([*key; 32]))
            .collect(),
    )
    .unwrap()
}

fn local(identity: u8, fleet: Fleet) -> LocalPeer {
    let run = u64::from_be_bytes(std::array::from_fn(|at| identity + 3 + at as u8));
    LocalPeer {
        identity: SecretKey::from_seed(&[identity; 32]),
        fleet,
        static_secret: [identity + 1; 32],
        run,
        features: 0,
    }
}

fn dialler() -> LocalPeer {
    local(0x11, fleet(1, &[2]))
}

fn listener() -> LocalPeer {
    local(0x21, fleet(1, &[2]))
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The ephemeral key is the one thing that is drawn; here it is fixed.
fn dial(local: &LocalPeer) -> (Dialling, [u8; FIRST_LEN]) {
    let psk = local.fleet.key().psk(local.fleet.id());
    let prologue = prologue(&CLEAR, local.fleet.id());
    let builder = builder(local, &psk, &prologue)
        .unwrap()
        .fixed_ephemeral_key_for_testing_only(&[0x13; 32]);
    let (dialling, first) = Dialling::start(builder.build_initiator().unwrap()).unwrap();
    (dialling, first.try_into().unwrap())
}

fn listen(local: &LocalPeer, first: &[u8; FIRST_LEN]) -> Listening {
    let psk = local.fleet.key().psk(local.fleet.id());
    let prologue = prologue(first.first_chunk().unwrap(), local.fleet.id());
    let builder = builder(local, &psk, &prologue)
        .unwrap()
        .fixed_ephemeral_key_for_testing_only(&[0x23; 32]);
    Listening::verified(
        builder.build_responder().unwrap(),
        first.last_chunk().unwrap(),
    )
    .unwrap()
}

/// A listener that has sent message 2, and message 2 without its length.
fn second(local: &LocalPeer, first: &[u8; FIRST_LEN]) -> (AwaitingThird, Vec<u8>) {
    let (framed, awaiting) = listen(local, first)
        .reply(local, &addresses(&["192.0.2.2:7411", "[2001:db8::2]:7411"]))
        .unwrap();
    (awaiting, framed[PREFIX..].to_vec())
}

fn third(
    dialling: Dialling,
    local: &LocalPeer,
    message2: &[u8],
) -> Result<(Vec<u8>, Hello, Session), HandshakeError> {
    let (framed, hello, session) =
        dialling.answer(local, &addresses(&["192.0.2.1:7411"]), message2)?;
    Ok((framed[PREFIX..].to_vec(), hello, session))
}

/// A listener that says `payload` in message 2, whatever it is.
fn second_saying(payload: impl FnOnce(&Listening) -> Vec<u8>, first: &[u8; FIRST_LEN]) -> Vec<u8> {
    let mut listening = listen(&listener(), first);
    let payload = payload(&listening);
    write(&mut listening.noise, &payload).unwrap()[PREFIX..].to_vec()
}

fn answer_to(payload: impl FnOnce(&Listening) -> Vec<u8>) -> Option<HandshakeError> {
    let (dialling, first) = dial(&dialler());
    let message2 = second_saying(payload, &first);
    third(dialling, &dialler(), &message2).err()
}

fn honest_payload(listening: &Listening) -> Vec<u8> {
    hello_bytes(
        &[VERSION],
        &listener(),
        &[],
        LISTENER,
        &hash(&listening.noise),
    )
}

#[test]
fn each_side_learns_who_the_other_is() {
    let (dialler, listener) = (
        dialler(),
        LocalPeer {
            features: 5,
            ..listener()
        },
    );
    let (dialling, first) = Dialling::begin(&dialler).unwrap();
    let listening = Listening::receive(&listener, first.as_slice().try_into().unwrap()).unwrap();
    assert_eq!(listening.ephemeral()[..], first[10..42]);
    let nine = addresses(&[
        "[fe80::1%3]:1",
        "1.2.3.4:2",
        "1.2.3.4:3",
        "1.2.3.4:4",
        "1.2.3.4:5",
        "1.2.3.4:6",
        "1.2.3.4:7",
        "[::1]:8",
        "1.2.3.4:9",
    ]);
    let (message2, awaiting) = listening.reply(&listener, &nine).unwrap();
    assert_eq!(
        usize::from(u16::from_be_bytes([message2[0], message2[1]])),
        message2.len() - PREFIX
    );
    let (message3, hello, _) = dialling.answer(&dialler, &[], &message2[PREFIX..]).unwrap();
    assert_eq!(hello.peer.as_bytes(), &listener.identity.public());
    assert_eq!((hello.run, hello.features), (listener.run, 5));
    assert_eq!(
        hello.addresses[0],
        "[fe80::1]:1".parse().unwrap(),
        "a scope means nothing on another host"
    );
    assert_eq!(hello.addresses[1..], nine[1..8]);
    let (hello, _) = awaiting.finish(&listener, &message3[PREFIX..]).unwrap();
    let expected = Hello {
        peer: PeerId::from_bytes(dialler.identity.public()).unwrap(),
        run: dialler.run,
        features: 0,
        addresses: vec![],
    };
    assert_eq!(hello, expected);
}

#[test]
fn each_handshake_draws_its_own_ephemeral_key() {
    let (one, two) = (
        Dialling::begin(&dialler()).unwrap().1,
        Dialling::begin(&dialler()).unwrap().1,
    );
    assert_ne!(one[10..42], two[10..42]);
}

#[test]
fn a_first_flight_with_any_bit_flipped_is_not_answered() {
    let (_, first) = dial(&dialler());
    for at in 0..first.len() {
        let mut flipped = first;
        flipped[at] ^= 1 << (at % 8);
        assert!(
            Listening::receive(&listener(), &flipped).is_err(),
            "byte {at}"
        );
    }
}

#[test]
fn a_second_message_with_any_bit_flipped_or_cut_anywhere_makes_no_session() {
    let (_, first) = dial(&dialler());
    let (_, message2) = second(&listener(), &first);
    for at in 0..message2.len() {
        let mut flipped = message2.clone();
        flipped[at] ^= 1 << (at % 8);
        assert_eq!(
            third(dial(&dialler()).0, &dialler(), &flipped).err(),
            Some(HandshakeError::Noise),
            "byte {at}"
        );
    }
    for length in (0..message2.len()).step_by(7) {
        assert!(
            third(dial(&dialler()).0, &dialler(), &message2[..length]).is_err(),
            "{length} bytes"
        );
    }
    let longer = [&message2[..], &[0]].concat();
    assert_eq!(
        third(dial(&dialler()).0, &dialler(), &longer).err(),
        Some(HandshakeError::Noise)
    );
}

#[test]
fn a_third_message_with_any_bit_flipped_or_cut_anywhere_makes_no_session() {
    let (dialling, first) = dial(&dialler());
    let (_, message2) = second(&listener(), &first);
    let (message3, ..) = third(dialling, &dialler(), &message2).unwrap();
    for at in 0..message3.len() {
        let mut flipped = message3.clone();
        flipped[at] ^= 1 << (at % 8);
        let finished = second(&listener(), &first).0.finish(&listener(), &flipped);
        assert_eq!(finished.err(), Some(HandshakeError::Noise), "byte {at}");
    }
    for length in (0..message3.len()).step_by(7) {
        let finished = second(&listener(), &first)
            .0
            .finish(&listener(), &message3[..length]);
        assert!(finished.is_err(), "{length} bytes");
    }
}

#[test]
fn another_fleet_key_or_another_fleet_is_a_stranger_at_the_first_message() {
    for foreign in [fleet(1, &[3]), fleet(9, &[2])] {
        let (_, first) = dial(&local(0x11, foreign));
        assert_eq!(
            Listening::receive(&listener(), &first).err(),
            Some(HandshakeError::Stranger)
        );
    }
}

#[test]
fn a_listener_accepts_each_of_its_fleet_s_keys() {
    let changing = local(0x21, fleet(1, &[7, 8, 2]));
    let (dialling, first) = dial(&dialler());
    let listening = Listening::receive(&changing, &first).unwrap();
    let (message2, awaiting) = listening.reply(&changing, &[]).unwrap();
    let (message3, ..) = third(dialling, &dialler(), &message2[PREFIX..]).unwrap();
    assert!(awaiting.finish(&changing, &message3).is_ok());
    let (_, first) = dial(&local(0x11, fleet(1, &[9, 2])));
    assert_eq!(
        Listening::receive(&changing, &first).err(),
        Some(HandshakeError::Stranger),
        "the first key alone dials"
    );
}

#[test]
fn versions_are_agreed_on_and_cannot_be_altered_on_the_way() {
    let (_, first) = dial(&dialler());
    let offer = |lowest, highest| {
        let mut altered = first;
        (altered[6], altered[7]) = (lowest, highest);
        Listening::receive(&listener(), &altered).err()
    };
    for (lowest, highest) in [(2, 3), (0, 0), (1, 0), (2, 1)] {
        assert_eq!(
            offer(lowest, highest),
            Some(HandshakeError::Version { lowest, highest })
        );
    }
    assert_eq!(
        offer(1, 2),
        Some(HandshakeError::Stranger),
        "the range is in the prologue"
    );
    assert_eq!(offer(0, 1), Some(HandshakeError::Stranger));
}

#[test]
fn a_later_dialler_that_still_speaks_version_1_is_answered() {
    let (later, clear) = (dialler(), *b"STARLG\x01\x07");
    let (psk, prologue) = (
        later.fleet.key().psk(later.fleet.id()),
        prologue(&clear, later.fleet.id()),
    );
    let mut noise = builder(&later, &psk, &prologue)
        .unwrap()
        .build_initiator()
        .unwrap();
    let first = [&clear[..], &write(&mut noise, &[]).unwrap()].concat();
    let (message2, _) = Listening::receive(&listener(), &first.try_into().unwrap())
        .unwrap()
        .reply(&listener(), &[])
        .unwrap();
    assert_eq!(read(&mut noise, &message2[PREFIX..]).unwrap()[0], 1);
}

#[test]
fn a_dialler_refuses_a_version_that_it_did_not_offer() {
    for version in [0, 2, 255] {
        let refused = answer_to(|listening| [&[version], &honest_payload(listening)[1..]].concat());
        assert_eq!(
            refused,
            Some(HandshakeError::Version {
                lowest: version,
                highest: version
            })
        );
    }
    assert_eq!(answer_to(honest_payload), None);
}

#[test]
fn what_is_not_a_first_flight_is_malformed() {
    let (_, first) = dial(&dialler());
    let refused = |at: usize, bytes: &[u8]| {
        let mut altered = first;
        altered[at..at + bytes.len()].copy_from_slice(bytes);
        Listening::receive(&listener(), &altered).err()
    };
    assert_eq!(
        refused(0, b"GET / HTTP/1.1"),
        Some(
            Malformed {
                what: "magic",
                at: 0
            }
            .into()
        )
    );
    assert_eq!(
        refused(8, &[0, 49]),
        Some(
            Malformed {
                what: "message length",
                at: 10
            }
            .into()
        )
    );
    assert_eq!(
        refused(10, &[0; 32]),
        Some(
            Malformed {
                what: "ephemeral key",
                at: 10
            }
            .into()
        )
    );
}

#[test]
fn a_zero_ephemeral_key_of_a_listener_is_refused() {
    let (dialling, first) = dial(&dialler());
    let (_, mut message2) = second(&listener(), &first);
    message2[..32].fill(0);
    let refused = third(dialling, &dialler(), &message2).err();
    assert_eq!(
        refused,
        Some(
            Malformed {
                what: "ephemeral key",
                at: 0
            }
            .into()
        )
    );
}

#[test]
fn a_message_longer_than_any_is_refused_before_it_is_read() {
    let refused = third(
        dial(&dialler()).0,
        &dialler(),
        &[1; HANDSHAKE_MESSAGE_MAX + 1],
    )
    .err();
    assert_eq!(
        refused,
        Some(
            Malformed {
                what: "message length",
                at: 0
            }
            .into()
        )
    );
}

#[test]
fn a_member_that_names_another_s_identity_is_refused() {
    let victim = SecretKey::from_seed(&[0x77; 32]).public();
    let refused = answer_to(|listening| {
        let mut payload = honest_payload(listening);
        payload[1..33].copy_from_slice(&victim);
        payload
    });
    assert_eq!(refused, Some(HandshakeError::Signature));
}

#[test]
fn a_signature_for_another_role_handshake_static_key_or_fleet_is_refused() {
    let other_static = LocalPeer {
        static_secret: [9; 32],
        ..listener()
    };
    let other_fleet = local(0x21, fleet(9, &[2]));
    let say = |by: &LocalPeer, role, before: Option<[u8; 32]>| {
        answer_to(|listening| {
            hello_bytes(
                &[VERSION],
                by,
                &[],
                role,
                &before.unwrap_or(hash(&listening.noise)),
            )
        })
    };
    let refused = Some(HandshakeError::Signature);
    assert_eq!(say(&listener(), DIALLER, None), refused);
    assert_eq!(say(&listener(), LISTENER, Some([0; 32])), refused);
    assert_eq!(say(&other_static, LISTENER, None), refused);
    assert_eq!(say(&other_fleet, LISTENER, None), refused);
    assert_eq!(say(&listener(), LISTENER, None), None);
}

#[test]
fn an_unsound_key_is_no_identity_even_if_its_signature_verifies_laxly() {
    let refused = answer_to(|listening| {
        let mut payload = honest_payload(listening);
        payload[1..33].fill(0);
        payload[1] = 1;
        let signature = 1 + 32 + 8 + 8 + 1;
        payload[signature..signature + 64].fill(0);
        payload[signature] = 1;
        payload
    });
    assert_eq!(refused, Some(HandshakeError::Key));
}

#[test]
fn a_payload_of_another_form_is_malformed() {
    let malformed = |alter: &dyn Fn(&mut Vec<u8>)| {
        let refused = answer_to(|listening| {
            let mut payload = honest_payload(listening);
            alter(&mut payload);
            payload
        });
        match refused {
            Some(HandshakeError::Malformed(malformed)) => malformed.what,
            other => panic!("{other:?}"),
        }
    };
    const COUNT: usize = 1 + 32 + 8 + 8;
    assert_eq!(malformed(&Vec::clear), "version");
    assert_eq!(malformed(&|payload| payload.truncate(10)), "peer ID");
    assert_eq!(
        malformed(&|payload| payload[COUNT] = 9),
        "number of addresses"
    );
    assert_eq!(
        malformed(&|payload| drop(payload.splice(COUNT..=COUNT, [1, 5, 1, 2, 3, 4, 0, 1]))),
        "address family"
    );
    assert_eq!(
        malformed(&|payload| payload.truncate(COUNT + 60)),
        "signature"
    );
    assert_eq!(malformed(&|payload| payload.push(0)), "end");
    let oversized = |payload: &mut Vec<u8>| {
        payload.truncate(payload.len() - 2);
        payload.extend([2, 1]);
        payload.resize(payload.len() + HANDSHAKE_EXTENSION_MAX + 1, 0);
    };
    assert_eq!(malformed(&oversized), "extension");
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let extended = |listening: &Listening| {
        let mut payload = honest_payload(listening);
        payload.truncate(payload.len() - 2);
        payload.extend([2, 0]);
        payload.resize(payload.len() + HANDSHAKE_EXTENSION_MAX, 0xee);
        payload
    };
    assert_eq!(answer_to(extended), None);
}
