//! What the own server runs, or is to run: a revision, and what it comes to on this host.
//!
//! A value without any decision: it goes into tickets, is kept by the server's part, and is
//! remembered on disk.

use crate::model::document::Document;
use crate::model::ledger::EditRef;
use crate::model::record::RecordId;
use crate::model::revision::Revision;

/// What the server is known to run.
#[derive(Debug, Clone)]
pub(in crate::node) struct Applied {
    pub(in crate::node) id: RecordId,
    pub(in crate::node) edit: EditRef,
    pub(in crate::node) document: Document,
    /// With this host's overlay and variables: what the server was given.
    pub(in crate::node) effective: Document,
}

impl Applied {
    pub(in crate::node) fn of(revision: &Revision, effective: Document) -> Self {
        Self {
            id: revision.id(),
            edit: revision.edit_ref(),
            document: revision.document.clone(),
            effective,
        }
    }
}
