//! Frames: what two linked peers say to each other, and its bytes.
//!
//! A frame is a type byte and fields in fixed order, at most 40 KiB, and travels as one sealed
//! Noise message. Decoding checks form and bounds and nothing else: no frame is believed for having
//! been decoded. A type that this version does not know is skipped, so that later versions can say
//! more; a known type with the wrong form is the sender's fault and ends the link.

use std::net::SocketAddr;

use super::news::HostNews;
use super::{address, frame_type};
use crate::codec::{Malformed, Reader, Writer};
use crate::limits::{
    BODY_MAX, BUCKETS, CONTAINMENT_EDITS_MAX, CREDIT_MIN, FRAME_MAX, HAVES_MAX, HEADER_MAX,
    IDS_MAX, INLINE_MAX, NAME_MAX, REASON_MAX,
};
use crate::model::ledger::EditRef;
use crate::model::name::is_name;
use crate::model::record::{Record, RecordId};

/// Which set of records an anti-entropy exchange is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Heads and uncontained records of every group.
    Documents,
    /// Node records.
    Nodes,
}

/// How a record's body travels with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The body does not travel; the receiver can pull it.
    Announced,
    /// The body as it is, at most 16 KiB.
    Whole(Vec<u8>),
    /// The body as a delta against the body of this record, at most 16 KiB.
    Delta(RecordId, Vec<u8>),
}

/// A message from one linked peer to another.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Asks whether the other side is there; answered by a [`Frame::Pong`] with the same number.
    Ping(u64),
    /// The answer to a [`Frame::Ping`], with its number.
    Pong(u64),
    /// How many links the sender has to others than the receiver; the first frame on every link.
    Degree(u16),
    /// A record: header, signature, and the body in some form. Beside it, not signed, the
    /// tree that it spreads over, 0 if it answers something.
    Record(Record, u64, Payload),
    /// Asks for a body from an offset on. The receiver may send a delta against the body that the
    /// sender says it has.
    Pull {
        /// The record.
        id: RecordId,
        /// Bytes that the puller has already.
        offset: u32,
        /// A record whose body the puller has; [`RecordId::NONE`] if it has none.
        have: RecordId,
    },
    /// A run of a body's bytes, at most 16 KiB.
    Piece {
        /// The record.
        id: RecordId,
        /// Where the run belongs.
        offset: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The answer to a [`Frame::Pull`] of a body that the sender does not have.
    Missing(RecordId),
    /// The root of a set, with which an exchange begins. The flag says whether the sender has
    /// itself completed an exchange.
    Root(Scope, bool, [u8; 32]),
    /// The answer to a root that differs: the hashes of all 256 buckets of whoever answers.
    Buckets(Scope, Vec<[u8; 8]>),
    /// The IDs that the sender has in these buckets. The flag asks for the receiver's IDs in
    /// return.
    Ids(Scope, bool, Vec<u8>, Vec<RecordId>),
    /// Ends an exchange: all that the sender wanted to send has been sent. The flag is that of
    /// [`Frame::Root`].
    Done(Scope, bool),
    /// Addresses of other peers, which the receiver may dial.
    Addresses(Vec<SocketAddr>),
    /// Asks for a record by its ID, even one that the receiver would not offer by itself.
    Want(RecordId),
    /// By this head of a group the sender cannot tell whether these edits are contained.
    ContainmentQuery {
        /// The group.
        group: String,
        /// The sender's head.
        head: RecordId,
        /// The edits that are asked about, at most 512.
        edits: Vec<EditRef>,
    },
    /// What the sender knows of edits that it was asked about; those that it does not know of are
    /// left out.
    ContainmentReply {
        /// The group.
        group: String,
        /// The sender's head.
        head: RecordId,
        /// The edits that the head contains.
        contained: Vec<EditRef>,
        /// The edits that the head does not contain. Both lists together have at most 512.
        out: Vec<EditRef>,
    },
    /// A piece of a request that the receiver is to carry out, at most 16 KiB: the sender's number
    /// for it, whether more follows, the bytes.
    ForwardedRequest(u64, bool, Vec<u8>),
    /// A piece of the answer to a [`Frame::ForwardedRequest`], under its number.
    ForwardedResponse(u64, bool, Vec<u8>),
    /// The sender has these revisions, which spread over these trees: whoever lacks one may graft.
    Have(Vec<(u64, RecordId)>),
    /// Asks for a revision that the receiver has named, and for those to come over this tree.
    Graft(u64, RecordId),
    /// What the receiver sends over this tree comes otherwise before: its name is enough.
    Prune(u64),
    /// What goes round of hosts.
    News(HostNews),
    /// The link is about to be closed, and why.
    Bye(Goodbye, String),
}

/// Why a peer closes a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// The peer has enough links.
    Full,
    /// Another link to the same peer stays.
    Duplicate,
    /// Two hosts bear one identity.
    Clone,
    /// The program ends.
    Leaving,
    /// The receiver said something that it must not.
    Fault,
}

impl Frame {
    /// The frame's bytes; at most [`FRAME_MAX`] of them if its parts keep their bounds.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Self::Ping(number) => out.u8(frame_type::PING).u64(*number),
            Self::Pong(number) => out.u8(frame_type::PONG).u64(*number),
            Self::Degree(links) => out.u8(frame_type::DEGREE).u16(*links),
            Self::Record(record, age, payload) => {
                out.u8(frame_type::RECORD)
                    .medium(&record.bytes)
                    .raw(&record.signature)
                    .u64(*age);
                encode_payload(&mut out, payload)
            }
            Self::Pull { id, offset, have } => out
                .u8(frame_type::PULL)
                .raw(&id.0)
                .u32(*offset)
                .raw(&have.0),
            Self::Piece { id, offset, bytes } => out
                .u8(frame_type::PIECE)
                .raw(&id.0)
                .u32(*offset)
                .medium(bytes),
            Self::Missing(id) => out.u8(frame_type::MISSING).raw(&id.0),
            Self::Root(scope, complete, root) => out
                .u8(frame_type::ROOT)
                .u8(scope_byte(*scope))
                .u8(u8::from(*complete))
                .raw(root),
            Self::Buckets(scope, buckets) => out
                .u8(frame_type::BUCKETS)
                .u8(scope_byte(*scope))
                .raw(buckets.as_flattened()),
            Self::Ids(scope, asks, buckets, ids) => {
                out.u8(frame_type::IDS)
                    .u8(scope_byte(*scope))
                    .u8(u8::from(*asks))
                    .medium(buckets);
                ids.iter().fold(
                    out.u16(u16::try_from(ids.len()).expect("lists are bounded")),
                    |out, id| out.raw(&id.0),
                )
            }
            Self::Done(scope, complete) => out
                .u8(frame_type::DONE)
                .u8(scope_byte(*scope))
                .u8(u8::from(*complete)),
            Self::Addresses(addresses) => {
                address::encode_all(out.u8(frame_type::ADDRESSES), addresses)
            }
            Self::Bye(why, text) => out
                .u8(frame_type::BYE)
                .u8(*why as u8)
                .short(text.as_bytes()),
            Self::News(news) => {
                news.encode(&mut out);
                &mut out
            }
            Self::Want(id) => out.u8(frame_type::WANT).raw(&id.0),
            Self::ContainmentQuery { group, head, edits } => encode_edits(
                out.u8(frame_type::CONTAINMENT_QUERY)
                    .short(group.as_bytes())
                    .raw(&head.0),
                edits,
            ),
            Self::ContainmentReply {
                group,
                head,
                contained,
                out: not,
            } => encode_edits(
                encode_edits(
                    out.u8(frame_type::CONTAINMENT_REPLY)
                        .short(group.as_bytes())
                        .raw(&head.0),
                    contained,
                ),
                not,
            ),
            Self::Have(haves) => encode_haves(out.u8(frame_type::HAVE), haves),
            Self::Graft(tree, id) => out.u8(frame_type::GRAFT).u64(*tree).raw(&id.0),
            Self::Prune(tree) => out.u8(frame_type::PRUNE).u64(*tree),
            Self::ForwardedRequest(ticket, more, bytes) => out
                .u8(frame_type::FORWARDED_REQUEST)
                .u64(*ticket)
                .u8(u8::from(*more))
                .medium(bytes),
            Self::ForwardedResponse(ticket, more, bytes) => out
                .u8(frame_type::FORWARDED_RESPONSE)
                .u64(*ticket)
                .u8(u8::from(*more))
                .medium(bytes),
        };
        let bytes = out.finish();
        assert!(
            bytes.len() <= FRAME_MAX,
            "a frame's parts are bounded by whoever makes it"
        );
        bytes
    }

    /// Decodes a frame; `None` for a type that this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut r = Reader::new(bytes);
        if is_of_a_later_version(bytes) {
            return Ok(None);
        }
        let frame = match r.u8("frame type")? {
            frame_type::PING => Self::Ping(r.u64("ping")?),
            frame_type::PONG => Self::Pong(r.u64("pong")?),
            frame_type::DEGREE => Self::Degree(r.u16("degree")?),
            frame_type::RECORD => {
                let (header, signature) = (r.medium(HEADER_MAX, "header")?, r.array("signature")?);
                let (record, age) = (Record::decode(header, signature)?, r.u64("age")?);
                Self::Record(record, age, decode_payload(&mut r)?)
            }
            frame_type::PULL => Self::Pull {
                id: id(&mut r)?,
                offset: offset(&mut r)?,
                have: id(&mut r)?,
            },
            frame_type::PIECE => Self::Piece {
                id: id(&mut r)?,
                offset: offset(&mut r)?,
                bytes: r.medium(INLINE_MAX, "piece")?.to_vec(),
            },
            frame_type::MISSING => Self::Missing(id(&mut r)?),
            frame_type::ROOT => Self::Root(scope(&mut r)?, flag(&mut r)?, r.array("root")?),
            frame_type::BUCKETS => Self::Buckets(scope(&mut r)?, decode_buckets(&mut r)?),
            frame_type::IDS => Self::Ids(
                scope(&mut r)?,
                flag(&mut r)?,
                r.medium(BUCKETS, "buckets")?.to_vec(),
                decode_ids(&mut r)?,
            ),
            frame_type::DONE => Self::Done(scope(&mut r)?, flag(&mut r)?),
            frame_type::ADDRESSES => Self::Addresses(address::decode_all(&mut r)?),
            frame_type::BYE => {
                let (why, text) = (goodbye(&mut r)?, r.short(REASON_MAX, "reason")?);
                Self::Bye(why, String::from_utf8(text.to_vec()).unwrap_or_default())
            }
            frame_type::WANT => Self::Want(id(&mut r)?),
            frame_type::NEWS => Self::News(HostNews::decode(&mut r)?),
            frame_type::CONTAINMENT_QUERY => Self::ContainmentQuery {
                group: group(&mut r)?,
                head: id(&mut r)?,
                edits: decode_edits(&mut r, CONTAINMENT_EDITS_MAX)?,
            },
            frame_type::CONTAINMENT_REPLY => {
                let (group, head) = (group(&mut r)?, id(&mut r)?);
                let contained = decode_edits(&mut r, CONTAINMENT_EDITS_MAX)?;
                let out = decode_edits(&mut r, CONTAINMENT_EDITS_MAX - contained.len())?;
                Self::ContainmentReply {
                    group,
                    head,
                    contained,
                    out,
                }
            }
            frame_type::HAVE => Self::Have(decode_haves(&mut r)?),
            frame_type::GRAFT => Self::Graft(r.u64("tree")?, id(&mut r)?),
            frame_type::PRUNE => Self::Prune(r.u64("tree")?),
            frame_type::FORWARDED_REQUEST => Self::ForwardedRequest(
                r.u64("number")?,
                flag(&mut r)?,
                r.medium(INLINE_MAX, "forwarded request")?.to_vec(),
            ),
            frame_type::FORWARDED_RESPONSE => Self::ForwardedResponse(
                r.u64("number")?,
                flag(&mut r)?,
                r.medium(INLINE_MAX, "answer")?.to_vec(),
            ),
            _ => return Ok(None),
        };
        r.end("end of frame")?;
        Ok(Some(frame))
    }
}

/// A record that a frame carries: its ID, and what stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// The record's ID.
    pub id: RecordId,
    /// The tree that it spreads over, 0 for none; of a node record its age.
    pub aside: u64,
}

/// The credit that a frame of `length` bytes costs on a link; see [`CREDIT_MIN`].
pub fn charge(length: usize) -> u32 {
    u32::try_from(length).map_or(u32::MAX, |length| length.max(CREDIT_MIN))
}

/// The record that a frame carries, if it carries one, without looking further: some come more than
/// once.
pub fn carried(bytes: &[u8]) -> Option<Carried> {
    let mut r = Reader::new(bytes);
    (r.u8("frame type").ok()? == frame_type::RECORD).then_some(())?;
    let id = RecordId::of(r.medium(HEADER_MAX, "header").ok()?);
    let _: [u8; 64] = r.array("signature").ok()?;
    let aside = r.u64("tree or age").ok()?;
    Some(Carried { id, aside })
}

/// Whether a frame is a [`Frame::Piece`], without looking further: on its way out everything else
/// goes before it.
pub fn is_piece(bytes: &[u8]) -> bool {
    bytes.first() == Some(&frame_type::PIECE)
}

/// Records of a kind, and exchanges about a set, that this version does not know are passed over
/// like unknown frames.
fn is_of_a_later_version(bytes: &[u8]) -> bool {
    match bytes {
        // type, header length (2), record version, kind: node records go as news
        [frame_type::RECORD, _, _, _, kind, ..] => ![1, 3].contains(kind),
        [
            frame_type::ROOT | frame_type::BUCKETS | frame_type::IDS | frame_type::DONE,
            scope,
            ..,
        ] => *scope > 1,
        _ => false,
    }
}

fn encode_payload<'a>(out: &'a mut Writer, payload: &Payload) -> &'a mut Writer {
    match payload {
        Payload::Announced => out.u8(0),
        Payload::Whole(body) => out.u8(1).medium(body),
        Payload::Delta(base, delta) => out.u8(2).raw(&base.0).medium(delta),
    }
}

fn decode_payload(r: &mut Reader<'_>) -> Result<Payload, Malformed> {
    match r.u8("payload form")? {
        0 => Ok(Payload::Announced),
        1 => Ok(Payload::Whole(r.medium(INLINE_MAX, "body")?.to_vec())),
        2 => Ok(Payload::Delta(
            id(r)?,
            r.medium(INLINE_MAX, "delta")?.to_vec(),
        )),
        _ => Err(r.malformed("payload form")),
    }
}

fn encode_haves<'a>(out: &'a mut Writer, haves: &[(u64, RecordId)]) -> &'a mut Writer {
    let count = u16::try_from(haves.len()).expect("lists are bounded");
    haves
        .iter()
        .fold(out.u16(count), |out, (tree, id)| out.u64(*tree).raw(&id.0))
}

fn decode_haves(r: &mut Reader<'_>) -> Result<Vec<(u64, RecordId)>, Malformed> {
    let count = usize::from(r.u16("number of records")?);
    if count > HAVES_MAX {
        return Err(r.malformed("number of records"));
    }
    (0..count).map(|_| Ok((r.u64("tree")?, id(r)?))).collect()
}

fn decode_buckets(r: &mut Reader<'_>) -> Result<Vec<[u8; 8]>, Malformed> {
    (0..BUCKETS).map(|_| r.array("bucket")).collect()
}

fn encode_edits<'a>(out: &'a mut Writer, edits: &[EditRef]) -> &'a mut Writer {
    let count = u16::try_from(edits.len()).expect("lists are bounded");
    edits
        .iter()
        .fold(out.u16(count), |out, edit| out.raw(&edit.to_bytes()))
}

fn decode_edits(r: &mut Reader<'_>, most: usize) -> Result<Vec<EditRef>, Malformed> {
    let count = usize::from(r.u16("number of edits")?);
    if count > most {
        return Err(r.malformed("number of edits"));
    }
    (0..count)
        .map(|_| {
            let bytes = r.array("edit")?;
            EditRef::from_bytes(&bytes).ok_or(r.malformed("edit"))
        })
        .collect()
}

fn group(r: &mut Reader<'_>) -> Result<String, Malformed> {
    let name = r.short(NAME_MAX, "group")?;
    let name = String::from_utf8(name.to_vec())
        .ok()
        .filter(|name| is_name(name));
    name.ok_or(r.malformed("group"))
}

fn decode_ids(r: &mut Reader<'_>) -> Result<Vec<RecordId>, Malformed> {
    let count = usize::from(r.u16("number of IDs")?);
    if count > IDS_MAX {
        return Err(r.malformed("number of IDs"));
    }
    (0..count).map(|_| id(r)).collect()
}

fn id(r: &mut Reader<'_>) -> Result<RecordId, Malformed> {
    r.array("record ID").map(RecordId)
}

fn offset(r: &mut Reader<'_>) -> Result<u32, Malformed> {
    let offset = r.u32("offset")?;
    if offset as usize > BODY_MAX {
        Err(r.malformed("offset"))
    } else {
        Ok(offset)
    }
}

fn flag(r: &mut Reader<'_>) -> Result<bool, Malformed> {
    match r.u8("flag")? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(r.malformed("flag")),
    }
}

fn scope_byte(scope: Scope) -> u8 {
    match scope {
        Scope::Documents => 0,
        Scope::Nodes => 1,
    }
}

fn scope(r: &mut Reader<'_>) -> Result<Scope, Malformed> {
    match r.u8("scope")? {
        0 => Ok(Scope::Documents),
        1 => Ok(Scope::Nodes),
        _ => Err(r.malformed("scope")),
    }
}

fn goodbye(r: &mut Reader<'_>) -> Result<Goodbye, Malformed> {
    match r.u8("reason to close")? {
        0 => Ok(Goodbye::Full),
        1 => Ok(Goodbye::Duplicate),
        2 => Ok(Goodbye::Clone),
        3 => Ok(Goodbye::Leaving),
        4 => Ok(Goodbye::Fault),
        // Whatever a later version means by it, the link is about to be closed.
        _ => Ok(Goodbye::Leaving),
    }
}

const _: () = assert!(
    NAME_MAX < 256 && REASON_MAX < 256,
    "both are counted by one byte"
);

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
