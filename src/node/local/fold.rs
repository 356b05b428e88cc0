//! Giving back what is only needed while somebody looks: the values of large documents.
//!
//! The value of a document takes many times the memory of its text, and is made anew in
//! milliseconds. So when it was there for a while it goes, wherever a node keeps the document: of
//! the head of each group, of what is uncontained, and of what the server was given.

use std::time::Duration;

use super::Local;
use crate::limits::FOLD_AFTER;
use crate::model::document::Document;
use crate::model::shown::ShownConfig;
use crate::node::context::Context;
use crate::node::store::Store;

impl Local {
    pub(in crate::node) fn fold_if_due(&mut self, cx: &mut Context, store: &mut Store) {
        let now = cx.now.elapsed;
        match cx.timers.fold {
            _ if !self.holds_values(store) => cx.timers.fold = None,
            None => cx.timers.fold = Some(now + FOLD_AFTER),
            Some(due) if due <= now => {
                cx.timers.fold = None;
                store.replica.fold();
                self.server.fold();
                self.kept.fold();
            }
            Some(_) => {}
        }
    }

    fn holds_values(&self, store: &Store) -> bool {
        let mut kept = store.replica.exchanged().map(|revision| &revision.document);
        let mut shown = self.server.observed.iter();
        kept.any(Document::is_large)
            || self
                .server
                .documents()
                .chain(self.kept.documents())
                .any(Document::is_large)
            || shown.any(ShownConfig::is_large)
    }
}

/// When values are given back, if there are any.
pub(in crate::node) fn fold_due(cx: &Context) -> Option<Duration> {
    cx.timers.fold
}
