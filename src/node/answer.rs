//! What a client is told, before it becomes HTTP.
//!
//! The node decides what is true; how it is spelt (status line, JSON, headers) is the daemon's
//! business. Documents and views are handed over whole, so that formatting a large one costs the
//! loop nothing.

pub mod state;
pub mod views;

use self::views::{
    ConflictView, EffectiveView, FleetView, GroupView, LinkView, NodeView, RevisionView,
};
use super::ask::Question;
use super::input::Refusal;
use super::kept_file::KeptFile;
use crate::model::document::Document;
use crate::model::edit::EditError;
use crate::model::path::Path;
use crate::model::record::RecordId;
use crate::model::resources::ResourceKind;
use crate::node::refusal::Denial;
use crate::wire::forwarded::ForwardedResponse;

/// The answer to one request.
#[derive(Debug)]
pub enum Answer {
    /// The value at a path of a document, or that there is none.
    Value {
        /// The group's head, or what the own server runs.
        document: Document,
        /// What was asked for.
        path: Path,
        /// The head's ID, if the document is the head's.
        head: Option<RecordId>,
        /// What the own server runs, as far as is known.
        applied: Option<RecordId>,
    },
    /// The change is published.
    Done {
        /// What was done.
        success: Success,
        /// The revision that contains it.
        revision: RecordId,
        /// What the own server runs.
        applied: Option<RecordId>,
        /// Whether the document is another now.
        changed: bool,
        /// The file in which is kept what somebody had put on the server and what was replaced for
        /// this.
        kept: Option<String>,
    },
    /// A dry run: the server would take the change, and runs what it ran; or the change would
    /// change nothing.
    DryRun {
        /// Whether the document would be another.
        changes: bool,
        /// The head that it was tried on.
        head: RecordId,
        /// What the own server runs.
        applied: Option<RecordId>,
    },
    /// The path or the method does not fit the document, as Unit says it.
    Edit(EditError),
    /// The server refused, in its own words.
    Refused(Refusal),
    /// The fleet as this host sees it.
    Fleet(Box<FleetView>),
    /// The peers that have said something of themselves.
    Nodes(Vec<NodeView>),
    /// One of them.
    Node(Box<NodeView>),
    /// This host's links.
    Links(Vec<LinkView>),
    /// The groups that are known of, by name.
    Groups(Vec<GroupView>),
    /// What this host makes of its group's document.
    Effective(Box<EffectiveView>),
    /// The conflicts of a group, the oldest first.
    Conflicts(Vec<ConflictView>),
    /// One of them.
    Conflict(Box<ConflictView>),
    /// What is kept of what somebody had put on the server, in the order in which it was kept.
    Drifts(Vec<KeptFile>),
    /// One of them, which is acknowledged now.
    Acknowledged(Box<KeptFile>),
    /// This host runs.
    Healthy,
    /// The revisions that are kept, newest first, without their documents.
    History(Vec<RevisionView>, Older),
    /// A revision with its document.
    Revision(Box<Kept>),
    /// What leads from one revision to another; from nothing, if the other is the first of all.
    Difference {
        /// The one.
        from: Option<Box<Kept>>,
        /// The other.
        to: Box<Kept>,
        /// Whether there is more to be looked at.
        older: Older,
    },
    /// Since which revision the value at a path stands there.
    Blame {
        /// Where.
        path: Path,
        /// The head, what it was made on, and so on as far as they are kept; at least the head.
        line: Vec<Kept>,
        /// What is to be found beyond them.
        older: Older,
    },
    /// To be asked of the own server.
    Server {
        /// What.
        question: Question,
        /// What the next change would be made on: it says how people call what the server holds.
        document: Document,
    },
    /// What a file holds that was kept of what somebody had put on the server, by its name in the
    /// state directory.
    KeptDrift(String),
    /// A host of another group has answered.
    Relayed(ForwardedResponse),
    /// The request is not carried out.
    Denied(Denial),
}

/// A revision that is kept.
#[derive(Debug)]
pub struct Kept {
    /// What is known without its document.
    pub view: RevisionView,
    /// Where its document is.
    pub place: Place,
}

/// Where a revision's document is.
#[derive(Debug)]
pub enum Place {
    /// In memory.
    Memory(Document),
    /// In a file, to be read by whoever writes the answer.
    File {
        /// The group.
        group: String,
        /// The file's name.
        name: String,
    },
}

/// What is to be found beyond the oldest revision that is kept of the head's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// Nothing: it is the first of all.
    Nothing,
    /// Older ones, which are not kept: there are as many as the settings say.
    Pruned,
    /// Older ones, for which a peer has been asked.
    Asked,
    /// Older ones, which no linked peer has.
    Nowhere,
}

impl Older {
    /// The word for it; none for nothing.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Pruned => Some("pruned"),
            Self::Asked => Some("asked"),
            Self::Nowhere => Some("nowhere"),
        }
    }
}

impl From<Denial> for Answer {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// What was done for a client who wanted something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// The configuration is as it was wanted.
    Configured,
    /// The certificate or the module is there.
    Uploaded(ResourceKind),
    /// The certificate or the module is gone.
    Deleted(ResourceKind),
    /// The server runs the head.
    InStep,
    /// The group is removed.
    GroupRemoved,
    /// The group had been removed before.
    NothingToRemove,
}
