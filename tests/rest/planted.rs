//! A host whose disk holds a conflict: the second host that it takes to make one was here, and is
//! away for good.

use std::collections::BTreeMap;
use std::path::PathBuf;

use starlingd::daemon::state_dir::StateDir;
use starlingd::model::document::Document;
use starlingd::model::edit::{Change, Op, apply};
use starlingd::model::json::Value;
use starlingd::model::operation::operations;
use starlingd::model::path::Path;
use starlingd::model::revision::{Author, Draft, Edit, Origin, Revision};
use starlingd::model::signature::SecretKey;
use starlingd::model::stamp::Stamp;
use starlingd::node::effect::revision_name;
use starlingd::node::store::revision_file::file_text;

use super::host::{Host, write_private};
use super::watch::parsed;

/// What is in the disk's history.
pub struct Planted {
    /// The revision that the winner and the loser were made on.
    pub base: String,
    /// The loser, which is an open conflict.
    pub lost: String,
    /// The file of the loser.
    pub file: PathBuf,
}

/// A host that has not been started, with a head that lists one conflict: `lost` at
/// `/config/routes`, where `won` stands.
pub fn conflict(won: &Value, lost: &Value) -> (Host, Planted) {
    let host = Host::founded();
    let dir = StateDir::open(&host.path("state")).expect("it was founded");
    let member = dir
        .membership()
        .expect("it can be read")
        .expect("it is in a fleet");
    let own = dir
        .identity()
        .expect("it can be read")
        .expect("it was made");
    let fleet = *member.fleet.id().as_bytes();
    let author = |secret, ms: u64| Author {
        secret,
        fleet,
        group: "default",
        stamp: Stamp::from_u64(ms << 16).expect("it is small"),
        numbered: None,
    };
    let gone = SecretKey::from_seed(&[77; 32]);
    let start = Document::from_config(parsed(r#"{"routes":[],"applications":{}}"#))
        .expect("it is a document");

    let base = made(
        &author(&own, FIRST_MS),
        None,
        &start,
        Op {
            path: path("/config"),
            change: Change::Put(start.config().clone()),
        },
    );
    let put = |value: &Value| Op {
        path: path("/config/routes"),
        change: Change::Put(value.clone()),
    };
    let loser = made(
        &author(&gone, FIRST_MS + 1_000),
        Some(&base),
        &start,
        put(lost),
    );
    let winner = made(
        &author(&own, FIRST_MS + 2_000),
        Some(&base),
        &start,
        put(won),
    );
    let edit = Edit {
        origin: Origin::Note(loser.edit_ref(), loser.edit_author()),
        operations: loser.edit.operations.clone(),
    };
    let opens = BTreeMap::from([(loser.edit_ref(), loser.as_conflict())]);
    let draft = Draft {
        edit,
        document: winner.document.clone(),
        opens,
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    };
    let head = Revision::author(&author(&own, FIRST_MS + 3_000), Some(&winner), draft)
        .expect("it is short");

    let shelf = host.path("state/revisions/default");
    std::fs::create_dir_all(&shelf).expect("the state can be written");
    for made in [&base, &loser, &winner, &head] {
        write_private(
            &shelf.join(revision_name(made.record.header.height, &made.id())),
            "",
        );
        std::fs::write(
            shelf.join(revision_name(made.record.header.height, &made.id())),
            file_text(made),
        )
        .expect("it is there");
    }
    host.server.tell(&format!("set {}", head.document.config()));
    let file = shelf.join(revision_name(loser.record.header.height, &loser.id()));
    (
        host,
        Planted {
            base: base.id().to_string(),
            lost: loser.id().to_string(),
            file,
        },
    )
}

fn made(author: &Author<'_>, base: Option<&Revision>, before: &Document, op: Op) -> Revision {
    let document = apply(before, &op).expect("it fits");
    let edit = Edit {
        origin: Origin::Original,
        operations: operations(before, &[op]),
    };
    let draft = Draft {
        edit,
        document,
        opens: BTreeMap::new(),
        settles: Vec::new(),
        flags: 0,
        note: "planted".into(),
    };
    Revision::author(author, base, draft).expect("it is short")
}

fn path(text: &str) -> Path {
    Path::parse(text).expect("tests write paths")
}

/// The 22nd of November 2025, 20:31 UTC.
const FIRST_MS: u64 = 1_763_843_460_000;
