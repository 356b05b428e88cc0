//! Notes: revisions that leave the document as it is and list edits that lost as open conflicts.
//!
//! Which edits are listed is decided in `remedy`. A note is durable before it is published, and is
//! dropped if the head has moved meanwhile.

use std::sync::Arc;

use super::Below;
use super::uncontained::{Conflicts, lost_with};
use crate::limits::{OPEN_LISTED_MAX, REAPPLY_MIN, REBASE_JITTER, STAND_IN_AFTER};
use crate::model::conflict::OpenConflict;
use crate::model::ledger::EditRef;
use crate::model::record::Header;
use crate::model::revision::{Draft, Edit, Origin, Revision};
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Level, revision_name};
use crate::node::store::Store;
use crate::node::store::revision_file::file_text;
use crate::node::waiting::Waiting;

impl Below<'_> {
    /// A note of our own is durable, or could not be written: it is published if the head is still
    /// the one it was made on.
    pub(in crate::node) fn note_stored(&mut self, note: Arc<Revision>, durable: bool) {
        let base = self
            .store
            .tip(self.cx)
            .filter(|head| head.id() == note.record.header.base);
        if durable && let Some(base) = base {
            let text = match note.edit.origin {
                Origin::Original if base.is_removal() => {
                    format!(
                        "revision {} keeps the group, which was removed and is followed by this \
                         host",
                        note.id().short()
                    )
                }
                Origin::Original => format!("revision {} dates the head anew", note.id().short()),
                _ => format!(
                    "{} listed as open conflict by {}",
                    note.edit_ref().id.short(),
                    note.id().short()
                ),
            };
            self.cx.say(Level::Info, "rebase", text);
            self.take_revision(None, note);
        } else {
            self.cx.remove_file(&note.record);
        }
        if durable {
            self.cx.rebase_soon(REBASE_JITTER);
        } else {
            self.cx.timers.rebase = Some(self.cx.now.elapsed + REAPPLY_MIN);
        }
    }

    /// Lists edits as open conflicts, the oldest first and as many as fit: the others come when
    /// some are settled. One whose words alone would fill a revision is listed by its name.
    pub(super) fn note(&mut self, due: &[Arc<Revision>]) {
        let (Some(head), Some(first)) = (self.store.head(self.cx).cloned(), due.first()) else {
            return;
        };
        report_beyond(self.store, self.cx, first);
        let opens = listed(self.store, self.cx, due, room_on(&head));
        if opens.is_empty() {
            return too_many_conflicts(self.cx);
        }
        if let Some(note) = self.note_on(&head, opens.clone()) {
            return store_note(self.cx, note);
        }
        if due.len() > 1 {
            return self.note(&due[..due.len() / 2]);
        }
        let names = opens
            .into_keys()
            .map(|edit| (edit, OpenConflict::default()))
            .collect();
        match self.note_on(&head, names) {
            Some(note) => store_note(self.cx, note),
            None => {
                let text = format!(
                    "the open conflicts of group {} fill a whole revision: settle some",
                    self.cx.setup.group
                );
                self.cx.report_problem(text);
            }
        }
    }

    /// A note of the oldest of these, with the others; `None` if it would be too long.
    fn note_on(&mut self, head: &Arc<Revision>, opens: Conflicts) -> Option<Revision> {
        let (edit, conflict) = opens.first_key_value()?;
        let author = conflict.author.unwrap_or(self.cx.me);
        let operations = conflict
            .operations
            .iter()
            .map(|(operation, _)| operation.clone())
            .collect();
        let edit = Edit {
            origin: Origin::Note(*edit, author),
            operations,
        };
        let flags = head.record.header.flags & Header::UNTRIED;
        let draft = Draft {
            edit,
            document: head.document.clone(),
            opens,
            settles: Vec::new(),
            flags,
            note: String::new(),
        };
        self.author(Some(head), draft)
    }
}

/// The edits of these revisions as open conflicts, and with each those that are lost with it:
/// the oldest for which there is room.
fn listed(store: &Store, cx: &Context, due: &[Arc<Revision>], room: usize) -> Conflicts {
    let mut opens = Conflicts::new();
    for revision in due {
        let mut all = lost_with(store, cx, revision);
        let rest = all.len() + 1;
        // All or none: what is cut off here would stand nowhere. But what is lost with it can
        // be listed before it.
        if opens.len() + rest > room {
            return if opens.is_empty() && rest > 1 {
                all.into_iter().take(room).collect()
            } else {
                opens
            };
        }
        all.insert(judged(store, cx, revision), revision.as_conflict());
        opens.extend(all);
    }
    opens
}

/// The edit of a revision by the place that it goes by.
fn judged(store: &Store, cx: &Context, revision: &Revision) -> EditRef {
    let (edit, group) = (revision.edit_ref(), store.replica.group(&cx.setup.group));
    group.map_or(edit, |group| group.judged(&edit))
}

/// A branch that lost may be longer than a ledger, or than a list may be: of its first edits not
/// even the places are known, or there is no room for all.
pub(super) fn report_beyond(store: &mut Store, cx: &mut Context, uncontained: &Revision) {
    let Some(group) = store.replica.group(&cx.setup.group) else {
        return;
    };
    let is_cut_short = |head: &Arc<Revision>| {
        let beyond = uncontained.ledger.beyond(&head.ledger);
        uncontained.ledger.is_cut_short(&head.ledger)
            || beyond.take(OPEN_LISTED_MAX + 1).count() > OPEN_LISTED_MAX
    };
    if group.head().is_some_and(is_cut_short) {
        let name = uncontained.id().short();
        cx.report_problem(format!(
            "the branch of revision {name} lost and is so long that its first changes are not \
             listed"
        ));
    }
}

fn too_many_conflicts(cx: &mut Context) {
    let text = format!(
        "too many open conflicts in group {}: settle some",
        cx.setup.group
    );
    if !cx.problems.contains(&text) {
        cx.say(Level::Error, "rebase", text.clone());
    }
    cx.report_problem(text);
    cx.timers.rebase = Some(cx.now.elapsed + STAND_IN_AFTER);
}

pub(in crate::node) fn store_note(cx: &mut Context, note: Revision) {
    let note = Arc::new(note);
    let ticket = cx.ticket(Waiting::Note(Arc::clone(&note)));
    let name = revision_name(note.record.header.height, &note.id());
    cx.disk(DiskJob::Store(
        ticket,
        cx.setup.group.clone(),
        name,
        file_text(&note),
    ));
}

/// How many more open conflicts a child of `head` may list.
pub(super) fn room_on(head: &Revision) -> usize {
    OPEN_LISTED_MAX.saturating_sub(head.open.len())
}
