//! One whole handshake, byte for byte, worked out by another program: Noise, HKDF and the payloads
//! written out in Python from their specifications, with the `cryptography` package for X25519,
//! Ed25519, ChaCha20-Poly1305.
//!
//! Owner's seed 01…, fleet key 02…; dialler: identity seed 11…, static key 12…, ephemeral 13…, run
//! 1415161718191a1b; listener the same from 21… on.

use super::*;
use crate::codec::{hex, unhex};

#[test]
fn the_bytes_of_a_handshake_never_change() {
    let (dialling, first) = dial(&dialler());
    assert_eq!(hex(&first), FIRST);
    let (message2, awaiting) = listen(&listener(), &first)
        .reply(
            &listener(),
            &addresses(&["192.0.2.2:7411", "[2001:db8::2]:7411"]),
        )
        .unwrap();
    assert_eq!(hex(&message2), SECOND);
    let answer = dialling.answer(
        &dialler(),
        &addresses(&["192.0.2.1:7411"]),
        &message2[PREFIX..],
    );
    let (message3, _, at_dialler) = answer.unwrap();
    assert_eq!(hex(&message3), THIRD);
    let (_, at_listener) = awaiting.finish(&listener(), &message3[PREFIX..]).unwrap();
    for (session, frame, sealed) in [
        (at_dialler, "from the dialler", FROM_DIALLER),
        (at_listener, "from the listener", FROM_LISTENER),
    ] {
        let mut out = Vec::new();
        session.split().0.seal(frame.as_bytes(), &mut out).unwrap();
        assert_eq!(hex(&out), sealed);
    }
}

#[test]
fn the_bytes_of_a_payload_never_change() {
    let (mut dialling, first) = dial(&dialler());
    let (mut awaiting, message2) = second(&listener(), &first);
    assert_eq!(
        hex(&read(&mut dialling.noise, &message2).unwrap()),
        PAYLOAD_2
    );
    let (message3, ..) = third(dial(&dialler()).0, &dialler(), &message2).unwrap();
    assert_eq!(
        hex(&read(&mut awaiting.noise, &message3).unwrap()),
        PAYLOAD_3
    );
}

#[test]
fn the_example_can_be_read_back() {
    let first = unhex(FIRST).unwrap().try_into().unwrap();
    assert!(Listening::receive(&listener(), &first).is_ok());
}

/// The first flight: clear bytes, length, message 1.
const FIRST: &str = concat!(
    "535441524c4701010030197fc2c567dc03ee2aadf0ed86681dac24daa76e83ca555875dd3be7376e5306df1ed4adf10b5e4bfc72495faa80",
    "c856",
);
/// Message 2 with its length.
const SECOND: &str = concat!(
    "00ee9a4503a98ab10fe8d354c9c42cbd0c9d7944f52e7d14d8ea59775e7dc9e3bf4b3f9b7f67aac1c56396f676be77e8e072f1ad857ed062",
    "48be5ea8d94c8e4b2bfcf1ad77e386fe9b7d8679bc33d13f9f4b08db08498e4e501323d2d6b0001e74f9287a6221d7244497251c32768d3f",
    "1e9bbf835eb76fad04fde05f20300e350cc3f337c3fcd7516c730511bc2e1861231545532ef0f43cf078dd6b69233acb224a03a95f215d7c",
    "ec408d0066073b99f710910f4743d0ff070d442570a2030a866aaaccdb55274469838e14e004819300eb240078ab62193bf181cd1a577030",
    "f2672902f79e633be9d16c6fa6f13553",
);
/// Message 3 with its length.
const THIRD: &str = concat!(
    "00bab834df2bc90c237eb5d281a0d5c27d0b6d990fbd0db47d25514479c6a11d8da4eb621886dd506664463d466a335920c896198e7c735c",
    "e24ddc63c42b6862899ca05aadba7e05136d150d490c7a7e88ccf1b7a96a896088be79d16795ce34c56275918749003563ed423fe267e59f",
    "86ce65cb9440f3db382734ab83dcf4db79b644c3090f91799c03b461ebde33901a61b8b2700f73986d3aad97d4b4d54876211f7e3742ce7e",
    "0dddb07e0967891ad6d61244cac37f8bdaf291f0",
);
/// What is sealed in message 2.
const PAYLOAD_2: &str = concat!(
    "01884b8857f4eaa1613c61504db34d4beaf346517a0e31de3cddd4d9b4201d9d0b00000000000000002425262728292a2b0204c00002021c",
    "f30620010db80000000000000000000000021cf38d9b833cc71c0b652f2d67c69fe7675c881f0b0bdca05c4f8b7faf8a0018bdc7bd825915",
    "a39cc41b100a0e03107c9aeece706ad91cb40489108d0c13358445010000",
);
/// What is sealed in message 3.
const PAYLOAD_3: &str = concat!(
    "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c977873700000000000000001415161718191a1b0104c00002011cf3",
    "8a405006d1fb0db1c81309e3df973901909d5437beccd633646d7d1d7a8342ae51f812ca12d4bc8593c8ff2f82dcc7f424ab6892d397036d",
    "3e55ee376fc5a6020000",
);
/// The first frame of the dialler, `from the dialler`, sealed.
const FROM_DIALLER: &str = "0020ce9a5ad50daef51195eab6cd210edd06cc82ef292742e39faef279ae6aeb44fa";
/// The first frame of the listener, `from the listener`, sealed.
const FROM_LISTENER: &str =
    "0021454216911fb3dc33b5332ec535acb71601548f173ec7ed2de16a2b7b728fea9787";
