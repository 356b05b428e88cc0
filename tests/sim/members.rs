//! Members whose frames a test writes itself: what such a one says in its handshake, and records
//! that it signs, true or not.

use starlingd::limits::INLINE_MAX;
use starlingd::model::document::Document;
use starlingd::model::peer_id::PeerId;
use starlingd::model::record::{Kind, Record};
use starlingd::model::revision::{Author, Draft, Edit, Origin, Revision};
use starlingd::model::stamp::Stamp;
use starlingd::sim::{fleet, secret};
use starlingd::wire::frame::{Frame, Payload};
use starlingd::wire::handshake::Hello;
use starlingd::wire::news::{HostNews, NewsRecord};

/// The handshake of the member with this identity, which listens nowhere.
pub fn hello(identity: u64) -> Hello {
    Hello {
        peer: peer(identity),
        run: 1,
        features: 0,
        addresses: Vec::new(),
    }
}

pub fn peer(identity: u64) -> PeerId {
    PeerId::from_bytes(secret(identity).public()).expect("a key pair's public half is sound")
}

/// The fleet that all hosts are of, as headers name it.
pub fn ours() -> [u8; 32] {
    *fleet().id().as_bytes()
}

/// A revision that leaves no trace in ledgers but its own: an original edit without operations.
pub fn draft(document: Document) -> Draft {
    Draft {
        edit: Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        },
        document,
        opens: Default::default(),
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    }
}

/// A revision that the member with this identity signs.
pub fn signed(
    identity: u64,
    group: &str,
    stamp: Stamp,
    base: Option<&Revision>,
    draft: Draft,
) -> Revision {
    let author = Author {
        secret: &secret(identity),
        fleet: ours(),
        group,
        stamp,
        numbered: None,
    };
    Revision::author(&author, base, draft).expect("it is small")
}

/// A revision that is offered, and its body in pieces, whether anybody has asked for them or not.
pub fn in_pieces(revision: &Revision) -> Vec<Vec<u8>> {
    let mut frames = vec![announced(&revision.record)];
    for (number, piece) in revision.body.chunks(INLINE_MAX).enumerate() {
        let offset = u32::try_from(number * INLINE_MAX).expect("bodies are short");
        let (id, bytes) = (revision.id(), piece.to_vec());
        frames.push(Frame::Piece { id, offset, bytes }.encode());
    }
    frames
}

/// A revision with its body.
pub fn whole(revision: &Revision) -> Vec<u8> {
    record(&revision.record, &revision.body)
}

/// A record with a body, whether that is its own or not.
pub fn record(record: &Record, body: &[u8]) -> Vec<u8> {
    if record.header.kind == Kind::Node {
        return news(record, body);
    }
    Frame::Record(record.clone(), 0, Payload::Whole(body.to_vec())).encode()
}

/// A node record with a body, whether that is its own or not.
pub fn news(record: &Record, body: &[u8]) -> Vec<u8> {
    let news = NewsRecord {
        record: record.clone(),
        age: 0,
        body: body.to_vec(),
    };
    Frame::News(HostNews {
        records: vec![news],
        ..HostNews::default()
    })
    .encode()
}

/// A record whose body can be fetched.
pub fn announced(record: &Record) -> Vec<u8> {
    Frame::Record(record.clone(), 0, Payload::Announced).encode()
}
