//! What a client is told, before it becomes HTTP.
//!
//! The node decides what is true; how it is spelt (status line, Unit's formatting, headers) is the daemon's business. Documents are
//! handed over whole and cheaply, so that formatting a large one costs the loop nothing.

use crate::model::document::Document;
use crate::model::edit::EditError;
use crate::model::json::Value;
use crate::model::path::Path;
use crate::model::record::RecordId;

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
        /// The revision that contains it.
        revision: RecordId,
        /// What the own server runs.
        applied: Option<RecordId>,
    },
    /// The path or the method does not fit the document, as Unit says it.
    Edit(EditError),
    /// The server refused, in its own words.
    Refused(u16, Vec<u8>),
    /// A plain JSON answer of our own.
    Json(Value),
    /// A stored revision, to be read from disk.
    Stored {
        /// What is known without reading: becomes the answer's members.
        summary: Value,
        /// The group.
        group: String,
        /// The file's name.
        name: String,
    },
    /// It cannot be done.
    Problem(Problem),
}

/// Why a request was not carried out. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// One sentence with a full stop, as Unit's errors are.
    pub error: &'static str,
    /// The particulars, if any.
    pub detail: String,
    /// The revision that stands in the way, if one does.
    pub revision: Option<RecordId>,
}

impl Problem {
    /// A problem with these particulars.
    pub fn new(status: u16, error: &'static str, detail: impl Into<String>) -> Self {
        Self { status, error, detail: detail.into(), revision: None }
    }

    /// The same, naming the revision in the way.
    pub fn at(mut self, revision: Option<RecordId>) -> Self {
        self.revision = revision;
        self
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}
