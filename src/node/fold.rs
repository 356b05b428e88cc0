//! Giving back what is only needed while somebody looks: the values of large documents.
//!
//! The value of a document takes many times the memory of its text, and is made anew in
//! milliseconds. So when it was there for a while it goes, wherever a node keeps the document: of
//! the head of each group, of what is uncontained, and of what the server was given.

use std::time::Duration;

use super::Context;
use super::Node;
use super::server::Server;
use crate::limits::{FOLD_AFTER, FOLD_MIN};
use crate::model::document::Document;
use crate::model::shown::ShownConfig;

/// Whether it is worth it.
pub(super) fn is_large(document: &Document) -> bool {
    document.is_unfolded() && document.bytes().len() >= FOLD_MIN
}

impl Server {
    /// The documents that are kept of what it was given.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.applied
            .iter()
            .flat_map(|applied| [&applied.document, &applied.effective])
    }

    /// Gives back their values.
    pub(super) fn fold(&mut self) {
        self.observed = self.observed.take().map(|shown| shown.folded());
        let Some(applied) = &mut self.applied else {
            return;
        };
        let is_one = applied.document.is_one_with(&applied.effective);
        applied.document = applied.document.folded();
        applied.effective = if is_one {
            applied.document.clone()
        } else {
            applied.effective.folded()
        };
    }
}

impl Node {
    pub(super) fn fold_if_due(&mut self) {
        let now = self.cx.now.elapsed;
        match self.cx.timers.fold {
            _ if !self.holds_values() => self.cx.timers.fold = None,
            None => self.cx.timers.fold = Some(now + FOLD_AFTER),
            Some(due) if due <= now => {
                self.cx.timers.fold = None;
                self.store.replica.fold();
                self.local.server.fold();
                self.local.kept.fold();
            }
            Some(_) => {}
        }
    }

    fn holds_values(&self) -> bool {
        let mut kept = self
            .store
            .replica
            .exchanged()
            .map(|revision| &revision.document);
        let mut shown = self.local.server.observed.iter();
        kept.any(is_large)
            || self
                .local
                .server
                .documents()
                .chain(self.local.kept.documents())
                .any(is_large)
            || shown.any(ShownConfig::is_large)
    }
}

impl Context {
    /// When values are given back, if there are any.
    pub(super) fn fold_due(&self) -> Option<Duration> {
        self.timers.fold
    }
}
