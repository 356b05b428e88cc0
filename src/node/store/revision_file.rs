//! The form of a revision's file.
//!
//! ```text
//! starling revision 1
//! header HEX
//! signature HEX
//! struck HEX                  only if bundles were struck out: the hash of the body that is left
//!
//! the body, as it travelled
//! ```
//!
//! This file decides what counts as such a file and never reads or writes one. Invariant: nothing
//! comes out of a file as a revision whose author did not sign its header, or whose body is not the
//! one that the header names; out of a struck file comes what is left, and it says so.

use std::fmt;

use crate::codec::{hex, unhex, unhex_array};
use crate::model::document::{BundleId, Document};
use crate::model::record::{Kind, Record, RecordId, hash_of};
use crate::model::revision::Revision;

/// A revision as it is kept in a file: what it is, header and signature in hexadecimal, and the
/// body as it travelled.
pub fn file_text(revision: &Revision) -> Vec<u8> {
    let head = format!(
        "{FIRST_LINE}\nheader {}\nsignature {}\n\n",
        hex(&revision.record.bytes),
        hex(&revision.record.signature)
    );
    [head.as_bytes(), &revision.body].concat()
}

/// A revision as a file had it.
pub struct Filed {
    /// The revision; if bundles were struck out of it, with their fingerprints in its document, so
    /// that it is not what its author has signed.
    pub revision: Revision,
    /// Whether bundles were struck out.
    pub is_struck: bool,
}

/// The whole revision that [`file_text`] wrote; `None` if it is anything else. Signature and hash
/// are checked here too.
pub fn from_file(bytes: &[u8], fleet: &[u8; 32]) -> Option<Revision> {
    judge_file(bytes, fleet)
        .ok()
        .filter(|filed| !filed.is_struck)
        .map(|filed| filed.revision)
}

/// The revision in a file that [`file_text`] or [`struck_text`] wrote, or what is wrong.
pub fn judge_file(bytes: &[u8], fleet: &[u8; 32]) -> Result<Filed, FileFault> {
    let parts = FileParts::of(bytes).ok_or(FileFault::Form)?;
    let record = parts.record().ok_or(FileFault::Header)?;
    let faults = [
        (record.header.kind != Kind::Document, FileFault::Header),
        (record.header.fleet != *fleet, FileFault::Fleet),
        (!record.is_signed(), FileFault::Signature),
        (!parts.is_whole(&record), FileFault::Body),
    ];
    match faults
        .into_iter()
        .find_map(|(is_so, fault)| is_so.then_some(fault))
    {
        Some(fault) => Err(fault),
        None => {
            let revision =
                Revision::decode(record, parts.body.into()).map_err(|_| FileFault::Content)?;
            Ok(Filed {
                revision,
                is_struck: parts.struck.is_some(),
            })
        }
    }
}

/// The document of this revision in such a file; `None` if it is anything else. Hashes lead from
/// the ID to the document, so nobody's signature is needed.
pub fn document_in(bytes: &[u8], id: &RecordId) -> Option<Document> {
    let parts = FileParts::of(bytes)?;
    let record = parts
        .record()
        .filter(|record| record.id == *id && parts.is_whole(record));
    record.and_then(|_| Document::parse(parts.lines()?.1).ok())
}

/// Such a file with these bundles struck out: it says so, with the hash of what is left. `None` if
/// there is none of them in it, or it is damaged.
pub fn struck_text(bytes: &[u8], goes: &[BundleId]) -> Option<Vec<u8>> {
    let parts = FileParts::of(bytes)?;
    parts.record().filter(|record| parts.is_whole(record))?;
    let (edit, text) = parts.lines()?;
    let document = Document::parse(text).ok()?;
    let struck = document.struck(|bundle| goes.contains(&bundle));
    if struck == document {
        return None;
    }
    let body = [edit, b"\n", struck.bytes()].concat();
    let head = format!(
        "{FIRST_LINE}\nheader {}\nsignature {}\nstruck {}\n\n",
        hex(&parts.header),
        hex(&parts.signature),
        hex(&hash_of(&body))
    );
    Some([head.as_bytes(), &body].concat())
}

/// What a file is made of.
struct FileParts<'a> {
    header: Vec<u8>,
    signature: [u8; 64],
    /// The hash of the body, if bundles were struck out of it.
    struck: Option<[u8; 32]>,
    body: &'a [u8],
}

impl<'a> FileParts<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.lines();
        (lines.next()? == FIRST_LINE).then_some(())?;
        let header = unhex(lines.next()?.strip_prefix("header ")?)?;
        let signature = unhex_array(lines.next()?.strip_prefix("signature ")?)?;
        let struck = match lines.next() {
            Some(line) => Some(unhex_array(line.strip_prefix("struck ")?)?),
            None => None,
        };
        Some(Self {
            header,
            signature,
            struck,
            body: &bytes[end + 2..],
        })
    }

    fn record(&self) -> Option<Record> {
        Record::decode(&self.header, self.signature).ok()
    }

    /// Whether the body is the record's, or what was left of that.
    fn is_whole(&self, record: &Record) -> bool {
        self.struck.map_or_else(
            || record.matches(self.body),
            |hash| hash == hash_of(self.body),
        )
    }

    /// What the body says of its edit, and its document.
    fn lines(&self) -> Option<(&'a [u8], &'a [u8])> {
        let line_end = self.body.iter().position(|byte| *byte == b'\n')?;
        Some((&self.body[..line_end], &self.body[line_end + 1..]))
    }
}

/// How a revision's file begins.
const FIRST_LINE: &str = "starling revision 1";

/// Why a file is no revision of this fleet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// The file does not begin as [`file_text`] begins.
    Form,
    /// The header cannot be decoded, or is not that of a document.
    Header,
    /// The revision belongs to another fleet.
    Fleet,
    /// The signature is not the author's, over this header.
    Signature,
    /// The body is not the one that the header names.
    Body,
    /// Signed and whole, and yet no revision: its author's program was at fault.
    Content,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "is not a revision's file",
            Self::Header => "its header is damaged",
            Self::Fleet => "it is a revision of another fleet",
            Self::Signature => "its author did not sign this header",
            Self::Body => "its body is not the one that its header names",
            Self::Content => "its body is no revision",
        })
    }
}
