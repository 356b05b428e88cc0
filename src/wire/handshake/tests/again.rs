use super::*;

#[test]
fn a_connection_to_oneself_is_noticed_by_both_sides_another_run_is_another_peer() {
    let one = dialler();
    let (dialling, first) = dial(&one);
    let (_, message2) = second(&one, &first);
    assert_eq!(
        third(dialling, &one, &message2).err(),
        Some(HandshakeError::Oneself)
    );
    let again = LocalPeer {
        run: one.run + 1,
        ..dialler()
    };
    let (dialling, first) = dial(&again);
    let (awaiting, message2) = second(&one, &first);
    let (message3, hello, _) = third(dialling, &again, &message2).unwrap();
    assert_eq!(hello.run, one.run);
    assert!(awaiting.finish(&one, &message3).is_ok());
    let (awaiting, _) = second(&again, &first);
    let mirrored = LocalPeer {
        run: again.run,
        ..dialler()
    };
    let (message3, ..) = third(dial(&mirrored).0, &one, &second(&again, &first).1).unwrap();
    assert_eq!(
        awaiting.finish(&one, &message3).err(),
        Some(HandshakeError::Oneself)
    );
}

#[test]
fn a_second_message_belongs_to_one_first_message() {
    let (_, first) = dial(&dialler());
    let (_, message2) = second(&listener(), &first);
    let (another, _) = Dialling::begin(&dialler()).unwrap();
    assert_eq!(
        third(another, &dialler(), &message2).err(),
        Some(HandshakeError::Noise)
    );
}

#[test]
fn a_first_message_is_answered_once_among_the_last_4096() {
    let ephemeral = |number: u32| std::array::from_fn(|at| number.to_be_bytes()[at % 4]);
    let mut seen = SeenEphemerals::default();
    assert!((0..4096).all(|number| seen.is_new(ephemeral(number))));
    assert!(
        (0..4096).all(|number| !seen.is_new(ephemeral(number))),
        "seeing one again drops none"
    );
    assert!(seen.is_new(ephemeral(4096)));
    assert!(!seen.is_new(ephemeral(1)) && !seen.is_new(ephemeral(4096)));
    assert!(seen.is_new(ephemeral(0)), "the oldest has made room");
    assert_eq!(
        (seen.order.len(), seen.known.len()),
        (SEEN_EPHEMERALS, SEEN_EPHEMERALS)
    );
}

#[test]
fn garbage_of_any_kind_is_refused_without_a_panic() {
    let mut random = Random(0x5741_524c);
    let (dialler, listener) = (dialler(), listener());
    for round in 0..60 {
        let mut first: [u8; FIRST_LEN] = random.bytes(FIRST_LEN).try_into().unwrap();
        if round % 2 == 0 {
            first[..10].copy_from_slice(b"STARLG\x01\x01\x00\x30");
        }
        assert!(Listening::receive(&listener, &first).is_err());
    }
    let (_, first) = dial(&dialler);
    for length in (0..1100).step_by(25) {
        assert!(third(dial(&dialler).0, &dialler, &random.bytes(length)).is_err());
        assert!(
            second(&listener, &first)
                .0
                .finish(&listener, &random.bytes(length))
                .is_err()
        );
    }
    for length in 0..800 {
        let mut payload = random.bytes(length);
        if let Some(count) = payload.get_mut(48) {
            *count %= 10;
        }
        assert!(read_hello(Reader::new(&payload), &dialler, &[0; 65]).is_err());
    }
}

/// splitmix64: the same garbage at every run.
struct Random(u64);

impl Random {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as u8
    }
}
