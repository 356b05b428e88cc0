//! News of hosts: what goes round of them, many in one frame.
//!
//! A node record says all that a host says of itself, and is signed. What follows from the little
//! that changes often is said by proofs of the chains that the record names: a step, that the host
//! is at a later head and nothing else has changed; a beat, that it still runs. Both name their
//! author by the first six bytes of its peer ID and the record by the last two of its height: a
//! proof that belongs to another fits no chain.

use super::frame_type;
use crate::codec::{Malformed, Reader, Writer};
use crate::limits::{HEADER_MAX, NODE_BODY_MAX};
use crate::model::peer_id::PeerId;
use crate::model::proof::Proof;
use crate::model::record::{Kind, Record, RecordId};

/// What one frame tells of hosts.
#[derive(Debug, Clone, Default)]
pub struct HostNews {
    /// Node records.
    pub records: Vec<NewsRecord>,
    /// Who is at which head.
    pub steps: Vec<Steps>,
    /// Who still runs.
    pub beats: Vec<Beat>,
}

/// A node record with its body.
#[derive(Debug, Clone)]
pub struct NewsRecord {
    /// Header and signature.
    pub record: Record,
    /// How long ago it was signed, in milliseconds; not signed itself.
    pub age: u64,
    /// The body.
    pub body: Vec<u8>,
}

/// Whose node record a proof belongs to, and how long ago the proof was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofOrigin {
    /// The beginning of the author's peer ID.
    pub author: [u8; 6],
    /// The height of the node record, without what does not fit.
    pub height: u16,
    /// How long ago the author named the proof, in seconds.
    pub age: u16,
}

/// The hosts that are at one head, each with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// The head's height.
    pub height: u64,
    /// The head.
    pub head: RecordId,
    /// The hosts.
    pub hosts: Vec<(ProofOrigin, Proof)>,
}

/// A host still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// The host.
    pub origin: ProofOrigin,
    /// The place of the proof in the chain.
    pub place: u16,
    /// The proof.
    pub proof: Proof,
}

impl ProofOrigin {
    /// The bytes by which an author is named.
    pub fn author_of(peer: &PeerId) -> [u8; 6] {
        let mut author = [0; 6];
        author.copy_from_slice(&peer.as_bytes()[..6]);
        author
    }

    fn encode(self, out: &mut Writer) -> &mut Writer {
        out.raw(&self.author).u16(self.height).u16(self.age)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            author: r.array("author")?,
            height: r.u16("height of a node record")?,
            age: r.u16("age")?,
        })
    }
}

impl HostNews {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.steps.is_empty() && self.beats.is_empty()
    }

    /// The frame's bytes.
    pub(super) fn encode(&self, out: &mut Writer) {
        let count = |length: usize| u16::try_from(length).expect("frames are bounded");
        out.u8(frame_type::NEWS).u16(count(self.records.len()));
        for news in &self.records {
            out.medium(&news.record.bytes)
                .raw(&news.record.signature)
                .u64(news.age)
                .medium(&news.body);
        }
        out.u16(count(self.steps.len()));
        for steps in &self.steps {
            out.u64(steps.height)
                .raw(&steps.head.0)
                .u16(count(steps.hosts.len()));
            for (origin, proof) in &steps.hosts {
                origin.encode(out).raw(&proof.0);
            }
        }
        out.u16(count(self.beats.len()));
        for beat in &self.beats {
            beat.origin.encode(out).u16(beat.place).raw(&beat.proof.0);
        }
    }

    /// What follows the type of the frame.
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            records: many(r, record)?,
            steps: many(r, |r| {
                Ok(Steps {
                    height: r.u64("height")?,
                    head: RecordId(r.array("head")?),
                    hosts: many(r, |r| Ok((ProofOrigin::decode(r)?, proof(r)?)))?,
                })
            })?,
            beats: many(r, |r| {
                Ok(Beat {
                    origin: ProofOrigin::decode(r)?,
                    place: r.u16("place of a proof")?,
                    proof: proof(r)?,
                })
            })?,
        })
    }
}

/// A list, counted by two bytes; a frame is too short for many, whatever it says.
fn many<'a, T>(
    r: &mut Reader<'a>,
    one: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = r.u16("number of news")?;
    (0..count).map(|_| one(r)).collect()
}

fn record(r: &mut Reader<'_>) -> Result<NewsRecord, Malformed> {
    let (header, signature) = (r.medium(HEADER_MAX, "header")?, r.array("signature")?);
    let record = Record::decode(header, signature)?;
    if record.header.kind != Kind::Node {
        return Err(r.malformed("kind of a record of news"));
    }
    Ok(NewsRecord {
        record,
        age: r.u64("age")?,
        body: r.medium(NODE_BODY_MAX, "body of a node record")?.to_vec(),
    })
}

fn proof(r: &mut Reader<'_>) -> Result<Proof, Malformed> {
    r.array("proof").map(Proof)
}
