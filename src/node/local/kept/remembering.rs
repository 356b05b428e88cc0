//! What earlier runs have given the server, so that a restart takes nobody's doing for a drift.
//!
//! What is remembered is written now and then, never before the server runs it.

use super::super::Local;
use super::super::effective::effective_document;
use crate::limits::REMEMBER_EVERY;
use crate::model::fingerprint::Fingerprint;
use crate::model::record::RecordId;
use crate::node::context::Context;
use crate::node::effect::DiskJob;
use crate::node::store::Store;
use crate::node::store::revision_file::from_file;

impl Local {
    /// What earlier runs applied, the last first: by group, revision and what it came to on this
    /// host. To be told when all that is on disk was taken in.
    pub(in crate::node) fn remember_applied(
        &mut self,
        cx: &Context,
        store: &Store,
        applied: &[(String, RecordId, Fingerprint)],
    ) {
        self.kept
            .earlier
            .extend(applied.iter().map(|(.., fingerprint)| *fingerprint));
        let Some(head) = store.head(cx).cloned() else {
            return;
        };
        let Ok(effective) = effective_document(cx, &head.document) else {
            return;
        };
        let fingerprint = effective.fingerprint();
        match applied.first() {
            Some((group, id, was))
                if *group == cx.setup.group && *id == head.id() && *was == fingerprint =>
            {
                self.kept.ran = Some(effective);
                self.kept.runs = Some(*id);
            }
            // It may have been killed before it could say that it had applied this one.
            _ => self.kept.earlier.push(fingerprint),
        }
    }

    /// A revision was being tried when the last run ended: the server may run it.
    pub(in crate::node) fn remember_transaction(&mut self, cx: &Context, file: &[u8]) {
        let revision = from_file(file, cx.setup.fleet.id().as_bytes());
        if let Some(effective) =
            revision.and_then(|revision| effective_document(cx, &revision.document).ok())
        {
            self.kept.gives(&effective);
        }
    }

    /// The server runs a revision: that is remembered, soon.
    pub(in crate::node) fn runs_revision(&mut self, cx: &Context) {
        let Some(applied) = &self.server.applied else {
            return;
        };
        if self.kept.runs == Some(applied.id) {
            return;
        }
        self.kept.runs = Some(applied.id);
        self.kept.remember_at = Some((self.kept.remembered + REMEMBER_EVERY).max(cx.now.elapsed));
    }

    /// Writes down what is applied, if that is due.
    pub(in crate::node) fn remember_if_due(&mut self, cx: &mut Context) {
        if self.kept.remember_at.is_none_or(|due| due > cx.now.elapsed) {
            return;
        }
        self.kept.remember_at = None;
        self.kept.remembered = cx.now.elapsed;
        if let Some(applied) = &self.server.applied {
            let job = DiskJob::Applied(
                cx.setup.group.clone(),
                applied.id,
                applied.effective.clone(),
            );
            cx.disk(job);
        }
    }
}
