//! Records: the signed things of which all state is a function.
//!
//! A record is a header, its author's signature, and a body that the header names by length and
//! hash. The header's bytes are kept and passed on exactly as they came, so what a later version
//! adds at the end stays signed. Form is judged from those bytes alone; what a body means is
//! [`super::revision`]'s business, and who may be believed is decided by whoever checks the
//! signature.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::name::is_name;
use super::peer_id::PeerId;
use super::signature::{self, Purpose, SecretKey, Signature};
use super::stamp::Stamp;
use crate::codec::{Malformed, Reader, Writer, hex, unhex_array};
use crate::limits::{
    BODY_MAX, EXTENSION_MAX, HEIGHT_LIMIT, NAME_MAX, NODE_BODY_MAX, NOTE_MAX, REMOVAL_BODY_MAX,
};

/// The SHA-256 of a record's header: its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RecordId(pub [u8; 32]);

/// The hash by which a header names a body.
pub fn hash_of(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

impl RecordId {
    /// No record: the base of a first revision.
    pub const NONE: Self = Self([0; 32]);

    /// The ID of the record with this header.
    pub fn of(header: &[u8]) -> Self {
        Self(Sha256::digest(header).into())
    }

    /// From 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        unhex_array(text).map(Self)
    }

    /// The first twelve digits: what a person is shown.
    pub fn short(&self) -> String {
        hex(&self.0[..6])
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.short())
    }
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A revision of a group's document.
    Document,
    /// What a peer says of itself.
    Node,
    /// Who may do what; not yet in use, its place is kept.
    Policy,
}

/// The place of a record in the one order: a child beats its base, a long branch a short one, and
/// clocks only break ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Length of the branch.
    pub height: u64,
    /// Hybrid logical clock.
    pub stamp: Stamp,
    /// Public key of the author.
    pub author: PeerId,
    /// The record's ID, which decides where all else is equal.
    pub id: RecordId,
}

/// A header, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What the record is about.
    pub kind: Kind,
    /// [`Header::UNTRIED`], [`Header::GUARDED`], [`Header::REMOVED`]; other bits belong to later
    /// versions and are carried along.
    pub flags: u16,
    /// The owner's public key, which names the fleet.
    pub fleet: [u8; 32],
    /// The group of a document; empty for other kinds.
    pub key: String,
    /// The peer that made and signed the record.
    pub author: PeerId,
    /// The base's height + 1; below 2^48, and of a document not above the milliseconds of its
    /// stamp.
    pub height: u64,
    /// When the record was made, by the hybrid logical clock.
    pub stamp: Stamp,
    /// The ID of the record that this one was made on; [`RecordId::NONE`] exactly if its height is
    /// 1.
    pub base: RecordId,
    /// Length of the body in bytes.
    pub body_len: u32,
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
    /// The number that the author gives the edit; only of documents.
    pub numbered: Option<Numbered>,
    /// Who made the change and why, for people; at most 512 bytes.
    pub note: String,
}

/// The number that an author gives an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// What the author's process has drawn; it names the series.
    pub nonce: [u8; 8],
    /// The number in the series, from 1 on and below 2^48.
    pub number: u64,
}

impl Header {
    /// Set in [`Header::flags`] when no server has tried the document.
    pub const UNTRIED: u16 = 1;
    /// Set in [`Header::flags`] when the edit was made with `If-Match`: it is never replayed on
    /// another base.
    pub const GUARDED: u16 = 2;
    /// Set in [`Header::flags`] when the revision removes its group: while it is the head there is
    /// none that counts.
    pub const REMOVED: u16 = 4;

    /// Whether this is the header of a revision that removes its group.
    pub fn is_removal(&self) -> bool {
        self.kind == Kind::Document && self.flags & Self::REMOVED != 0
    }

    /// The bytes that are hashed, signed and sent.
    fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Document => 1,
            Kind::Node => 2,
            Kind::Policy => 3,
        };
        let mut out = Writer::new();
        out.u8(VERSION)
            .u8(kind)
            .u16(self.flags)
            .raw(&self.fleet)
            .short(self.key.as_bytes())
            .raw(self.author.as_bytes());
        out.u64(self.height)
            .u64(self.stamp.as_u64())
            .u64(self.height - 1)
            .raw(&self.base.0);
        out.u32(self.body_len)
            .raw(&self.body_hash)
            .medium(self.note.as_bytes());
        let mut extension = Writer::new();
        if let Some(Numbered { nonce, number }) = &self.numbered {
            extension.raw(nonce).u64(*number);
        }
        out.medium(&extension.finish());
        out.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        if r.u8("record version")? != VERSION {
            return Err(r.malformed("record version"));
        }
        let kind = match r.u8("record kind")? {
            1 => Kind::Document,
            2 => Kind::Node,
            3 => Kind::Policy,
            _ => return Err(r.malformed("record kind")),
        };
        let flags = r.u16("flags")?;
        let fleet = r.array("fleet")?;
        let key = text(&mut r, |r| r.short(NAME_MAX, "key"), "key")?;
        let author = PeerId::from_bytes(r.array("author")?).ok_or(r.malformed("author"))?;
        let height = r.u64("height")?;
        let stamp = Stamp::from_u64(r.u64("stamp")?).ok_or(r.malformed("stamp"))?;
        let base_height = r.u64("base height")?;
        let base = RecordId(r.array("base")?);
        let body_len = r.u32("body length")?;
        let body_hash = r.array("body hash")?;
        let note = text(&mut r, |r| r.medium(NOTE_MAX, "note"), "note")?;
        let extension = r.medium(EXTENSION_MAX, "extension")?;
        let numbered = match kind {
            Kind::Document if !extension.is_empty() => Some(Numbered::decode(extension)?),
            Kind::Document | Kind::Node | Kind::Policy => None,
        };
        r.end("end of header")?;
        let header = Self {
            kind,
            flags,
            fleet,
            key,
            author,
            height,
            stamp,
            base,
            body_len,
            body_hash,
            numbered,
            note,
        };
        header
            .check(base_height)
            .map_err(|what| r.malformed(what))?;
        Ok(header)
    }

    fn check(&self, base_height: u64) -> Result<(), &'static str> {
        let key_fits = match self.kind {
            Kind::Document => is_name(&self.key),
            Kind::Node | Kind::Policy => self.key.is_empty(),
        };
        let body_max = match self.kind {
            Kind::Node => NODE_BODY_MAX,
            Kind::Document if self.is_removal() => REMOVAL_BODY_MAX,
            Kind::Document | Kind::Policy => BODY_MAX,
        };
        match () {
            () if !key_fits => Err("key"),
            () if self.height == 0 || self.height >= HEIGHT_LIMIT => Err("height"),
            () if base_height != self.height - 1 => Err("base height"),
            // No branch is longer than there were milliseconds: whoever jumps ahead in height is
            // ahead in time, and seen to be.
            () if self.kind == Kind::Document && self.height > self.stamp.wall_ms() => {
                Err("height above its stamp")
            }
            () if (self.base == RecordId::NONE) != (self.height == 1) => Err("base"),
            () if self.body_len as usize > body_max => Err("body length"),
            () => Ok(()),
        }
    }
}

impl Numbered {
    fn decode(extension: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(extension);
        let numbered = Self {
            nonce: r.array("nonce")?,
            number: r.u64("number")?,
        };
        if (1..HEIGHT_LIMIT).contains(&numbered.number) {
            Ok(numbered)
        } else {
            Err(r.malformed("number"))
        }
    }
}

/// A record whose header has the right form, with its signature. Cheap to clone. Whether the
/// signature holds is said by [`Record::is_signed`], whether a body belongs to it by
/// [`Record::matches`].
#[derive(Debug, Clone)]
pub struct Record {
    /// The SHA-256 of the header's bytes.
    pub id: RecordId,
    /// The header, decoded.
    pub header: Arc<Header>,
    /// The header's bytes as sent.
    pub bytes: Arc<[u8]>,
    /// The author's signature over the ID.
    pub signature: Signature,
}

impl Record {
    /// Decodes a header and takes the signature as it is.
    pub fn decode(bytes: &[u8], signature: Signature) -> Result<Self, Malformed> {
        let header = Arc::new(Header::decode(bytes)?);
        Ok(Self {
            id: RecordId::of(bytes),
            header,
            bytes: bytes.into(),
            signature,
        })
    }

    /// Makes and signs a record with this body. `header`'s author, body length and body hash are
    /// filled in here.
    pub fn sign(mut header: Header, body: &[u8], secret: &SecretKey) -> Self {
        header.author =
            PeerId::from_bytes(secret.public()).expect("a key pair's public half is sound");
        header.body_len =
            u32::try_from(body.len()).expect("bodies are bounded by whoever makes them");
        header.body_hash = Sha256::digest(body).into();
        let bytes = header.encode();
        let id = RecordId::of(&bytes);
        let signature = secret.sign(Purpose::Record, &header.fleet, &id.0);
        Self {
            id,
            header: Arc::new(header),
            bytes: bytes.into(),
            signature,
        }
    }

    /// Whether its author signed it, for the fleet that it names.
    pub fn is_signed(&self) -> bool {
        signature::verify(
            self.header.author.as_bytes(),
            Purpose::Record,
            &self.header.fleet,
            &self.id.0,
            &self.signature,
        )
    }

    /// Whether `body` is the one that the header names.
    pub fn matches(&self, body: &[u8]) -> bool {
        body.len() == self.header.body_len as usize && self.header.body_hash == hash_of(body)
    }

    /// The record's place in the one order.
    pub fn rank(&self) -> Rank {
        let header = &self.header;
        Rank {
            height: header.height,
            stamp: header.stamp,
            author: header.author,
            id: self.id,
        }
    }
}

fn text<'a>(
    r: &mut Reader<'a>,
    take: impl FnOnce(&mut Reader<'a>) -> Result<&'a [u8], Malformed>,
    what: &'static str,
) -> Result<String, Malformed> {
    let bytes = take(r)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| r.malformed(what))
}

/// Of the header's form.
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let author = PeerId::from_bytes(SecretKey::from_seed(&[1; 32]).public()).unwrap();
        Header {
            kind: Kind::Document,
            flags: Header::GUARDED | 0x8000,
            fleet: [2; 32],
            key: "default".into(),
            author,
            height: 7,
            stamp: Stamp::from_u64(99 << 16).unwrap(),
            base: RecordId([3; 32]),
            body_len: 0,
            body_hash: [0; 32],
            numbered: Some(Numbered {
                nonce: [4; 8],
                number: 5,
            }),
            note: "because".into(),
        }
    }

    fn signed() -> Record {
        Record::sign(header(), b"body", &SecretKey::from_seed(&[1; 32]))
    }

    #[test]
    fn a_signed_record_survives_its_bytes() {
        let record = signed();
        let back = Record::decode(&record.bytes, record.signature).unwrap();
        assert_eq!(back.id, record.id);
        assert_eq!(back.header, record.header);
        assert!(back.is_signed() && back.matches(b"body") && !back.matches(b"bodY"));
    }

    /// The form cannot change any more: these are the bytes, field by field.
    #[test]
    fn the_bytes_of_a_header_are_these() {
        let record = signed();
        let text = hex(&record.bytes);
        let author = hex(&SecretKey::from_seed(&[1; 32]).public());
        let body_hash = "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5";
        let expected = [
            "01",
            "01",
            "8002",
            &"02".repeat(32),
            "07",
            &hex(b"default"),
            &author,
            "0000000000000007",
            "0000000000630000",
            "0000000000000006",
            &"03".repeat(32),
            "00000004",
            body_hash,
            "0007",
            &hex(b"because"),
            "0010",
            "0404040404040404",
            "0000000000000005",
        ]
        .concat();
        assert_eq!(text, expected);
    }

    #[test]
    fn what_a_later_version_appends_stays_signed_and_is_carried() {
        let secret = SecretKey::from_seed(&[1; 32]);
        let mut bytes = signed().bytes.to_vec();
        let count = bytes.len() - 17;
        bytes[count] = 16 + 3;
        bytes.extend_from_slice(b"new");
        let id = Sha256::digest(&bytes);
        let signature = secret.sign(Purpose::Record, &[2; 32], &id);
        let record = Record::decode(&bytes, signature).unwrap();
        assert!(record.is_signed());
        assert_eq!(record.bytes[..], bytes[..]);
    }

    #[test]
    fn every_flipped_byte_is_malformed_or_unsigned() {
        let record = signed();
        for at in 0..record.bytes.len() {
            let mut bytes = record.bytes.to_vec();
            bytes[at] ^= 1;
            if let Ok(other) = Record::decode(&bytes, record.signature) {
                assert!(!other.is_signed(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_header_that_contradicts_itself_is_refused_by_name() {
        let what = |change: fn(&mut Header)| {
            let mut header = header();
            change(&mut header);
            let bytes = header.encode();
            Record::decode(&bytes, [0; 64]).unwrap_err().what
        };
        assert_eq!(what(|h| h.key = "a/b".into()), "key");
        assert_eq!(what(|h| h.kind = Kind::Node), "key");
        assert_eq!(what(|h| h.height = HEIGHT_LIMIT), "height");
        assert_eq!(what(|h| h.height = 100), "height above its stamp");
        assert_eq!(what(|h| h.height = 1), "base");
        assert_eq!(what(|h| h.body_len = u32::MAX), "body length");
        assert_eq!(
            what(|h| (h.flags, h.body_len) = (Header::REMOVED, REMOVAL_BODY_MAX as u32 + 1)),
            "body length"
        );
        assert_eq!(
            what(|h| h.numbered = Some(Numbered {
                nonce: [0; 8],
                number: 0
            })),
            "number"
        );
        assert_eq!(what(|h| h.note = "x".repeat(NOTE_MAX + 1)), "note");
    }

    #[test]
    fn height_beats_stamp_and_stamp_beats_author() {
        let base = signed().rank();
        let taller = Rank {
            height: 8,
            stamp: Stamp::default(),
            ..base
        };
        let later = Rank {
            stamp: Stamp::MAX,
            ..base
        };
        assert!(taller > later && later > base);
    }
}
