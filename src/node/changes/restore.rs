//! What was: the revisions that are kept, shown, compared and restored.
//!
//! Bodies are on disk only. For a view the place of the file is handed over with what is known
//! without it; for a change the node reads the file itself, and what comes of it is an ordinary
//! change. Looking at the history has older revisions fetched, see `fetch`.

use super::planned::{Plan, plan_of};
use super::request::Wish;
use super::{Below, Changes};
use crate::model::difference::{difference, document_difference};
use crate::model::document::Document;
use crate::model::edit::{self, Change, Op};
use crate::model::path::Path;
use crate::node::answer::Answer;
use crate::node::input::ClientId;
use crate::node::refusal::{Denial, LimitReached};
use crate::node::views::history::bounded;
use crate::node::waiting::Needing;

impl Changes {
    /// Makes of what is at a path what it was in another revision.
    pub(in crate::node) fn restore(
        &mut self,
        below: &mut Below<'_>,
        client: ClientId,
        id: &str,
        path: Path,
        if_match: Option<String>,
        note: String,
    ) {
        let found = below
            .store
            .kept_revision(&below.cx.setup.group, id)
            .map(|summary| {
                (
                    summary.record.clone(),
                    below.store.in_memory(&summary.record.id),
                )
            });
        let (record, document) = match found {
            Ok(found) => found,
            Err(denial) => return below.cx.reply(client, denial),
        };
        let at = if path.tokens().is_empty() {
            String::new()
        } else {
            format!(", {path}")
        };
        let note = if note.is_empty() {
            bounded(format!("restore of {}{at}", record.id.short()))
        } else {
            note
        };
        match document {
            Some(document) => self.wish(
                below.cx,
                client,
                Wish::Restore(document, path),
                if_match,
                note,
                Vec::new(),
            ),
            None => self.read_for(
                below.cx,
                record,
                Needing::Restore {
                    client,
                    path,
                    if_match,
                    note,
                },
            ),
        }
    }
}

impl Below<'_> {
    /// How to make of what is at `path` what it is in `old`. Only what differs is touched, so that
    /// changes elsewhere do not collide. A bundle that was struck out of the history can be
    /// restored where the present document has it.
    pub(in crate::node) fn plan_restore(
        &self,
        old: &Document,
        path: &Path,
    ) -> Result<Plan, Answer> {
        let before = self.local.base_document(self.cx, self.store)?;
        let old = &old.filled_from(&before);
        let ops = match (before.get(path), old.get(path)) {
            _ if path.tokens().is_empty() => document_difference(&before, old)
                .ok_or_else(|| Denial::from(LimitReached::OperationsInDocument))?,
            (Some(present), Some(wanted)) => difference(path, present, wanted),
            (None, Some(wanted)) => vec![Op {
                path: path.clone(),
                change: Change::Put(wanted.clone()),
            }],
            (Some(_), None) => vec![Op {
                path: path.clone(),
                change: Change::Delete,
            }],
            (None, None) => return Err(Answer::Edit(edit::EditError::Missing)),
        };
        plan_of(self.store, self.cx, before, ops)
    }
}
