//! What a fleet has behind it: revisions that were made before a world begins, so many edits that
//! their ledger is full.
//!
//! Making hundreds of changes takes minutes of a test's time, and all that is left of them is what
//! the newest revisions say: so those are made here as they would have come about.

use sha2::{Digest, Sha256};

use super::disk::SimDisk;
use super::host::{BEGINNING_MS, fleet, secret};
use crate::limits::OPEN_LISTED_MAX;
use crate::model::document::Document;
use crate::model::edit::{Change, Op, apply};
use crate::model::json::Value;
use crate::model::ledger::EditRef;
use crate::model::operation::operations;
use crate::model::path::Path;
use crate::model::record::RecordId;
use crate::model::revision::{Author, Draft, Edit, Origin, Revision};
use crate::model::stamp::Stamp;
use crate::node::effect::revision_name;
use crate::node::store::revision_file::file_text;

/// The newest revisions of a group with `edits` edits behind it, oldest first, by the host that
/// began the fleet. The last has this configuration and, beside it, a member `past`.
pub fn past(group: &str, config: Value, edits: usize) -> Vec<Revision> {
    let document = Document::from_config(config).expect("a test's configuration is one");
    let mut line: Vec<Revision> = Vec::new();
    let named: Vec<EditRef> = (1..=edits.saturating_sub(SHOWN) as u64)
        .map(forgotten)
        .collect();
    for settles in named.chunks(OPEN_LISTED_MAX) {
        let made = child(
            group,
            line.last(),
            document.clone(),
            Vec::new(),
            settles.to_vec(),
            edits,
        );
        line.push(made);
    }
    for _ in 0..SHOWN.min(edits) {
        let before = line
            .last()
            .map_or_else(|| document.clone(), |last| last.document.clone());
        let path = Path::parse("/config/past").expect("it is a path");
        let op = Op {
            path,
            change: Change::Put(Value::from(line.len())),
        };
        let after = apply(&before, &op).expect("a configuration takes another member");
        let made = child(
            group,
            line.last(),
            after,
            operations(&before, &[op]),
            Vec::new(),
            edits,
        );
        line.push(made);
    }
    line
}

/// The disk of a host that has followed all of these.
pub fn kept(past: &[Revision]) -> SimDisk {
    let mut disk = SimDisk::new(true);
    for revision in past {
        let header = &revision.record.header;
        disk.revisions.insert(
            (
                header.key.clone(),
                revision_name(header.height, &revision.id()),
            ),
            file_text(revision),
        );
    }
    disk
}

fn child(
    group: &str,
    base: Option<&Revision>,
    document: Document,
    operations: Vec<crate::model::operation::Operation>,
    settles: Vec<EditRef>,
    edits: usize,
) -> Revision {
    let secret = secret(1);
    let height = base.map_or(0, |base| base.record.header.height);
    let stamp = stamp(edits as u64 + height);
    let author = Author {
        secret: &secret,
        fleet: *fleet().id().as_bytes(),
        group,
        stamp,
        numbered: None,
    };
    let edit = Edit {
        origin: Origin::Original,
        operations,
    };
    let draft = Draft {
        edit,
        document,
        opens: Default::default(),
        settles,
        flags: 0,
        note: String::new(),
    };
    Revision::author(&author, base, draft).expect("it is short")
}

/// An edit of which nothing is left but its name.
fn forgotten(number: u64) -> EditRef {
    let id = RecordId(Sha256::digest(number.to_be_bytes()).into());
    EditRef::odd(stamp(number), id, 1)
}

/// A stamp a second, all before the world begins.
fn stamp(number: u64) -> Stamp {
    Stamp::from_u64((BEGINNING_MS - 10_000_000 + 1000 * number) << 16)
        .expect("it is no day that is far off")
}

/// Edits whose revisions are there too.
const SHOWN: usize = 40;
