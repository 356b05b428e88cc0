use super::*;
use crate::codec::hex;
use crate::model::peer_id::PeerId;
use crate::model::record::{Header, Kind};
use crate::model::signature::SecretKey;
use crate::model::stamp::Stamp;
use crate::wire::news::{Beat, HostNews, NewsRecord, ProofOrigin, Steps};

fn node_record() -> Record {
    let header = Header {
        kind: Kind::Node,
        key: String::new(),
        ..(*record().header).clone()
    };
    Record::sign(header, b"{}", &SecretKey::from_seed(&[1; 32]))
}

/// A step and a beat of somebody.
fn news(head: RecordId) -> HostNews {
    let origin = ProofOrigin {
        author: [1; 6],
        height: 2,
        age: 3,
    };
    let proof = crate::model::proof::Proof([4; 12]);
    HostNews {
        steps: vec![Steps {
            height: 5,
            head,
            hosts: vec![(origin, proof); 2],
        }],
        beats: vec![Beat {
            origin,
            place: 6,
            proof,
        }],
        records: vec![NewsRecord {
            record: node_record(),
            age: 7,
            body: b"{}".to_vec(),
        }],
    }
}

fn record() -> Record {
    let secret = SecretKey::from_seed(&[1; 32]);
    let header = Header {
        kind: Kind::Document,
        flags: 0,
        fleet: [2; 32],
        key: "default".into(),
        author: PeerId::from_bytes(secret.public()).unwrap(),
        height: 1,
        stamp: Stamp::at(1),
        base: RecordId::NONE,
        body_len: 0,
        body_hash: [0; 32],
        numbered: None,
        note: String::new(),
    };
    Record::sign(header, b"body", &secret)
}

fn edit(ms: u64) -> EditRef {
    EditRef::odd(Stamp::from_u64(ms << 16).unwrap(), RecordId([9; 32]), ms)
}

fn every_frame() -> Vec<Frame> {
    let id = RecordId([7; 32]);
    let addresses = vec![
        "10.0.0.1:7117".parse().unwrap(),
        "[fd00::1]:80".parse().unwrap(),
    ];
    vec![
        Frame::Ping(1),
        Frame::Pong(u64::MAX),
        Frame::Degree(3),
        Frame::Record(record(), 9, Payload::Announced),
        Frame::Record(record(), 0, Payload::Whole(b"body".to_vec())),
        Frame::Record(record(), 0, Payload::Delta(id, b"delta".to_vec())),
        Frame::Pull {
            id,
            offset: 5,
            have: RecordId::NONE,
        },
        Frame::Piece {
            id,
            offset: 5,
            bytes: vec![1; INLINE_MAX],
        },
        Frame::Missing(id),
        Frame::Root(Scope::Documents, true, [8; 32]),
        Frame::Buckets(Scope::Nodes, vec![[9; 8]; BUCKETS]),
        Frame::Ids(Scope::Nodes, true, (0..=255).collect(), vec![id; IDS_MAX]),
        Frame::Done(Scope::Documents, false),
        Frame::Addresses(addresses),
        Frame::Bye(Goodbye::Clone, "two of you".into()),
        Frame::Want(id),
        Frame::News(news(id)),
        Frame::ContainmentQuery {
            group: "default".into(),
            head: id,
            edits: vec![edit(1); CONTAINMENT_EDITS_MAX],
        },
        Frame::ContainmentReply {
            group: "edge".into(),
            head: id,
            contained: vec![edit(1), edit(2)],
            out: vec![edit(3)],
        },
        Frame::Have(vec![(u64::MAX, id); HAVES_MAX]),
        Frame::Graft(1, id),
        Frame::Prune(2),
        Frame::ForwardedRequest(1, true, vec![1; INLINE_MAX]),
        Frame::ForwardedResponse(u64::MAX, false, Vec::new()),
    ]
}

#[test]
fn every_frame_survives_its_bytes() {
    for frame in every_frame() {
        let bytes = frame.encode();
        let back = Frame::decode(&bytes).unwrap().unwrap();
        assert_eq!(format!("{back:?}"), format!("{frame:?}"));
        assert_eq!(back.encode(), bytes);
    }
}

/// The form cannot change any more: these are the bytes of the short ones.
#[test]
fn the_bytes_of_frames_are_these() {
    let text = |frame: Frame| hex(&frame.encode());
    let id = RecordId([7; 32]);
    assert_eq!(text(Frame::Ping(258)), "010000000000000102");
    assert_eq!(text(Frame::Degree(3)), "030003");
    let pull = ["05", &"07".repeat(32), "00000005", &"00".repeat(32)].concat();
    assert_eq!(
        text(Frame::Pull {
            id,
            offset: 5,
            have: RecordId::NONE
        }),
        pull
    );
    assert_eq!(
        text(Frame::Piece {
            id,
            offset: 1,
            bytes: vec![0xab]
        }),
        ["06", &"07".repeat(32), "00000001", "0001", "ab"].concat()
    );
    assert_eq!(
        text(Frame::Root(Scope::Nodes, true, [8; 32])),
        ["080101", &"08".repeat(32)].concat()
    );
    assert_eq!(
        text(Frame::Ids(Scope::Documents, true, vec![1, 9], vec![id])),
        ["0a0001", "0002", "0109", "0001", &"07".repeat(32)].concat()
    );
    assert_eq!(
        text(Frame::Addresses(vec!["10.0.0.1:7117".parse().unwrap()])),
        "0c01040a0000011bcd"
    );
    assert_eq!(text(Frame::Bye(Goodbye::Leaving, "x".into())), "0d030178");
    assert_eq!(text(Frame::Want(id)), ["0e", &"07".repeat(32)].concat());
    let named = [
        "0000000000020000",
        &"09".repeat(32),
        "0000000000000002",
        "d1916646ee3c106a016bfd75",
        "0000000000000001",
    ]
    .concat();
    assert_eq!(
        text(Frame::ContainmentReply {
            group: "g".into(),
            head: id,
            contained: vec![],
            out: vec![edit(2)]
        }),
        ["100167", &"07".repeat(32), "0000", "0001", &named].concat()
    );
    assert_eq!(
        text(Frame::Have(vec![(1, id)])),
        ["130001", "0000000000000001", &"07".repeat(32)].concat()
    );
    assert_eq!(
        text(Frame::Graft(1, id)),
        ["140000000000000001", &"07".repeat(32)].concat()
    );
    assert_eq!(text(Frame::Prune(1)), "150000000000000001");
    assert_eq!(
        text(Frame::ForwardedRequest(2, true, vec![0xab])),
        "110000000000000002010001ab"
    );
    assert_eq!(
        text(Frame::ForwardedResponse(2, false, vec![])),
        "120000000000000002000000"
    );
}

#[test]
fn a_frame_cut_short_or_with_more_behind_it_is_malformed() {
    for frame in every_frame() {
        let mut bytes = frame.encode();
        for cut in 0..bytes.len().min(400) {
            assert!(
                Frame::decode(&bytes[..cut]).is_err(),
                "{frame:?} cut at {cut}"
            );
        }
        bytes.push(0);
        assert!(Frame::decode(&bytes).is_err(), "{frame:?} and a byte");
    }
}

#[test]
fn a_frame_of_a_later_version_is_skipped() {
    assert!(Frame::decode(&[200, 1, 2, 3]).unwrap().is_none());
    assert!(
        Frame::decode(&[8, 2, 0]).unwrap().is_none(),
        "an exchange about another set"
    );
    assert!(
        Frame::decode(&[4, 0, 9, 1, 4]).unwrap().is_none(),
        "a record of another kind"
    );
}

#[test]
fn lists_beyond_their_bound_are_refused() {
    let mut long = vec![10, 0, 0, 0, 0];
    long.extend_from_slice(&(IDS_MAX as u16 + 1).to_be_bytes());
    long.extend_from_slice(&[0; 32 * (IDS_MAX + 1)]);
    assert_eq!(Frame::decode(&long).unwrap_err().what, "number of IDs");
    assert_eq!(
        Frame::decode(&[12, 9]).unwrap_err().what,
        "number of addresses"
    );
    assert_eq!(Frame::decode(&[8, 1, 2]).unwrap_err().what, "flag");
}

#[test]
fn seeded_garbage_neither_panics_nor_passes_for_long() {
    let mut state = 0x5eed_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..usize::from(next()) * 2).map(|_| next()).collect();
        if let Some(first) = bytes.first_mut() {
            *first %= 16;
        }
        if let Ok(Some(frame)) = Frame::decode(&bytes) {
            let bytes = frame.encode();
            assert_eq!(
                Frame::decode(&bytes).unwrap().unwrap().encode(),
                bytes,
                "what was read can be passed on"
            );
        }
    }
}
