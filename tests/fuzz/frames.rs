//! Honest frames.

use starlingd::model::proof::Proof;
use starlingd::model::record::RecordId;
use starlingd::wire::frame::{Frame, Goodbye, Payload, Scope};
use starlingd::wire::news::{Beat, HostNews, ProofOrigin, Steps};

use crate::targets::revision;

/// A step and a beat of somebody.
fn some_news(head: RecordId) -> HostNews {
    let origin = ProofOrigin {
        author: [1; 6],
        height: 2,
        age: 3,
    };
    let proof = Proof([4; 12]);
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
        ..HostNews::default()
    }
}

/// One frame of each type.
pub fn frames() -> Vec<Vec<u8>> {
    let revision = revision();
    let id = revision.id();
    let edits = vec![revision.edit_ref()];
    let group = || "default".to_owned();
    let all = [
        Frame::Ping(1),
        Frame::Pong(2),
        Frame::Degree(3),
        Frame::Record(revision.record.clone(), 0, Payload::Announced),
        Frame::Record(
            revision.record.clone(),
            0,
            Payload::Whole(revision.body.to_vec()),
        ),
        Frame::Record(revision.record.clone(), 0, Payload::Delta(id, vec![0; 20])),
        Frame::Pull {
            id,
            offset: 9,
            have: RecordId::NONE,
        },
        Frame::Piece {
            id,
            offset: 9,
            bytes: vec![1; 50],
        },
        Frame::Missing(id),
        Frame::Root(Scope::Documents, true, [1; 32]),
        Frame::Buckets(Scope::Nodes, vec![[3; 8]; 256]),
        Frame::Ids(Scope::Nodes, true, (0..=255).collect(), vec![id; 20]),
        Frame::Done(Scope::Nodes, false),
        Frame::Addresses(vec![
            "10.0.0.1:7117".parse().expect("an address"),
            "[fd00::1]:1".parse().expect("an address"),
        ]),
        Frame::Bye(Goodbye::Full, "enough".into()),
        Frame::Want(id),
        Frame::News(some_news(id)),
        Frame::ContainmentQuery {
            group: group(),
            head: id,
            edits: edits.clone(),
        },
        Frame::ContainmentReply {
            group: group(),
            head: id,
            contained: edits.clone(),
            out: edits,
        },
        Frame::ForwardedRequest(1, true, vec![1; 50]),
        Frame::ForwardedResponse(2, false, vec![2; 50]),
    ];
    all.iter().map(Frame::encode).collect()
}
