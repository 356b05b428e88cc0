//! What an answer of the disk, the server or the decoder is awaited for.
//!
//! A ticket goes out with a job and comes back with its answer; the table of [`Waiting`] in
//! `context` says what the job was for. Only plain data stands here, so that every part can hand
//! out tickets: what an answer means is decided by the part that it goes to, see `route`.
//! Invariant: an answer whose ticket is not in the table concerns nobody, and is dropped.

use std::sync::Arc;

use super::applied::Applied;
use super::input::{ClientId, LinkId};
use crate::model::document::BundleId;
use crate::model::path::Path;
use crate::model::record::{Record, RecordId};
use crate::model::revision::Revision;

/// What a ticket at the disk or the server is for.
pub(in crate::node) enum Waiting {
    /// A revision that is published, of our own or from elsewhere.
    Stored(RecordId),
    /// Whether the disk takes writes again.
    Probe,
    /// What the server ran before it was first configured.
    Before,
    /// What the server runs past Starling.
    Kept,
    /// That somebody has seen a file of what it ran so, and who waits for that.
    Acknowledged(ClientId, String),
    /// A file of what it ran so, for a client who wants it published.
    Adopting(Adopting),
    /// A note of our own, to be published when it is durable.
    Note(Arc<Revision>),
    /// The revision in the making, which is not published.
    Transaction,
    /// The removal of a group, for a client who waits.
    Removal(Box<Removal>),
    /// The server has its job done, and what for.
    Server(ServerPurpose),
    /// A file that is read.
    Read(Record, Reading),
    /// A file out of which these bundles are struck.
    Struck(Record, Vec<BundleId>),
    /// The body of this record, which this link has brought.
    Decoded(LinkId, RecordId),
}

/// What the server is asked for.
pub(in crate::node) enum ServerPurpose {
    /// The head is to run.
    Apply(Applied),
    /// The same, for a client who is answered after it.
    InStep(Applied),
    /// Without a head: what ran before the first change was tried is to run again.
    RollBack,
    /// What ran before is to run again, for the head cannot.
    RollBackToApplied(Applied),
    /// What it runs is to be seen.
    Observe,
    /// The revision in the making is tried.
    Try,
}

impl ServerPurpose {
    /// The purpose in one word or two.
    pub(in crate::node) fn word(&self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::InStep(_) => "repair",
            Self::RollBack | Self::RollBackToApplied(_) => "roll back",
            Self::Observe => "look",
            Self::Try => "try",
        }
    }
}

/// Who wants a revision of the history, and what for.
pub(in crate::node) enum Reading {
    /// The head does not contain it any more: another branch has won.
    Uncontained,
    /// The own group was removed: this is what it was before.
    Former,
    /// A peer has asked for it by its ID alone.
    Wanted(LinkId),
    /// A peer pulls its body from an offset on.
    Pulled(LinkId, usize),
    /// A client's change needs what it says.
    Needed(Needing),
}

/// A client's change that needs a revision of the history.
pub(in crate::node) enum Needing {
    /// What is at the path is to be what it was there.
    Restore {
        client: ClientId,
        path: Path,
        if_match: Option<String>,
        note: String,
    },
    /// What is at the path is shown.
    Show { client: ClientId, path: Path },
    /// The edit of the conflict is to be made now.
    Keep {
        client: ClientId,
        if_match: Option<String>,
        note: String,
    },
}

impl Needing {
    /// The client who waits for the answer.
    pub(in crate::node) fn client(&self) -> ClientId {
        match self {
            Self::Restore { client, .. }
            | Self::Show { client, .. }
            | Self::Keep { client, .. } => *client,
        }
    }
}

/// A removal on its way to the disk, for a client who waits.
pub(in crate::node) struct Removal {
    pub(in crate::node) client: ClientId,
    pub(in crate::node) force: bool,
    pub(in crate::node) note: String,
    pub(in crate::node) revision: Arc<Revision>,
}

/// Who wants a file published.
pub(in crate::node) struct Adopting {
    pub(in crate::node) client: ClientId,
    pub(in crate::node) name: String,
    pub(in crate::node) if_match: Option<String>,
    pub(in crate::node) note: String,
}
