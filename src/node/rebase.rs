//! What becomes of edits that lost.
//!
//! The author of an uncontained edit publishes a *note*: the head's document unchanged, with the edit among its open conflicts, so that
//! every host lists it. Edits that the beaten revision was made on, and that nobody holds any more, are listed with it. If an author
//! stays away for ten seconds, whoever holds the edit does it in its place; doing it twice is harmless, for the ledger names it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::effect::{DiskJob, Level};
use super::records::file_text;
use super::replica::{Beaten, Group};
use super::{Node, Waiting, revision_name};
use crate::limits::{OPEN_LISTED_MAX, REBASE_JITTER, STAND_IN_AFTER};
use crate::model::conflict::OpenConflict;
use crate::model::ledger::{EditRef, Standing};
use crate::model::peer_id::PeerId;
use crate::model::revision::{Author, Draft, Edit, Origin, Revision};

impl Node {
    /// Looks at the uncontained edits after a random time up to `most`, unless that is due sooner.
    pub(super) fn rebase_soon(&mut self, most: Duration) {
        if self.timers.rebase.is_none_or(|due| due > self.now.elapsed + most) {
            self.timers.rebase = Some(self.now.elapsed + self.rng.up_to(most));
        }
    }

    pub(super) fn rebase_if_due(&mut self) {
        let now = self.now.elapsed;
        let writing = self.tickets.values().any(|waiting| matches!(waiting, Waiting::Note(_)));
        if writing || self.timers.rebase.is_none_or(|due| due > now) {
            return;
        }
        if !self.exchanged || self.links.is_empty() {
            // What is held may be old, and a note made on it would beat what the fleet has agreed on since. An exchange comes first.
            self.timers.rebase = None;
            return;
        }
        self.timers.rebase = None;
        let Some(group) = self.replica.group(&self.setup.group) else { return };
        let edits = greatest_by_edit(group);
        let waits = |beaten: &Beaten| beaten.since + STAND_IN_AFTER;
        let due = edits.values().filter(|beaten| is_by(group, &beaten.revision, &self.me) || waits(beaten) <= now);
        let due: Vec<Arc<Revision>> = due.map(|beaten| Arc::clone(&beaten.revision)).collect();
        let next = edits.values().map(|beaten| waits(beaten)).filter(|at| *at > now).min();
        if due.is_empty() {
            // Jitter, so that not all hosts stand in at once for one that is away.
            self.timers.rebase = next.map(|at| at + self.rng.up_to(STAND_IN_AFTER / 4));
            return;
        }
        let opens = self.conflicts_of(&due);
        self.note(&due[0], opens);
    }

    /// A note of our own is durable, or could not be written: it is published if the head is still the one it was made on.
    pub(super) fn note_stored(&mut self, note: Arc<Revision>, durable: bool) {
        let fits = self.head().is_some_and(|head| head.id() == note.record.header.base);
        if durable && fits {
            self.say(
                Level::Info,
                "rebase",
                format!("{} listed as open conflict by {}", note.edit_ref().id.short(), note.id().short()),
            );
            self.take_revision(None, note);
        } else {
            self.remove_file(&note.record);
        }
        self.rebase_soon(REBASE_JITTER);
    }

    /// The edits of these revisions, and those they were made on that would be forgotten with them.
    fn conflicts_of(&self, due: &[Arc<Revision>]) -> BTreeMap<EditRef, OpenConflict> {
        let (Some(group), Some(head)) = (self.replica.group(&self.setup.group), self.head()) else { return BTreeMap::new() };
        let held = greatest_by_edit(group);
        let mut opens = BTreeMap::new();
        let room = OPEN_LISTED_MAX.saturating_sub(head.open.len());
        for revision in due {
            let ghosts =
                revision.ledger.entries().filter(|edit| head.standing(edit) == Standing::Out && !held.contains_key(edit));
            let remembered = |edit: &EditRef| group.remembered(edit).cloned().unwrap_or_default();
            opens.extend(ghosts.map(|edit| (*edit, remembered(edit))));
            opens.insert(revision.edit_ref(), revision.as_conflict());
        }
        opens.into_iter().take(room).collect()
    }

    fn note(&mut self, beaten: &Revision, opens: BTreeMap<EditRef, OpenConflict>) {
        let Some(head) = self.head().cloned().filter(|_| opens.contains_key(&beaten.edit_ref())) else {
            let text = format!("too many open conflicts in group {}: settle some", self.setup.group);
            self.report_problem(text.clone());
            return self.say(Level::Error, "rebase", text);
        };
        let edit =
            Edit { origin: Origin::Note(beaten.edit_ref(), beaten.edit_author()), operations: beaten.edit.operations.clone() };
        let flags = head.record.header.flags & crate::model::record::Header::UNTRIED;
        let draft = Draft { edit, document: head.document.clone(), opens, settles: Vec::new(), flags, note: String::new() };
        let stamp = self.stamps.next(self.now.wall_ms);
        let author =
            Author { secret: &self.setup.secret, fleet: *self.setup.fleet.id().as_bytes(), group: &self.setup.group, stamp };
        let Some(note) = Revision::author(&author, Some(&head), draft).map(Arc::new) else {
            let text = format!("the open conflicts of group {} fill a whole revision: settle some", self.setup.group);
            return self.report_problem(text);
        };
        let ticket = self.ticket(Waiting::Note(Arc::clone(&note)));
        let name = revision_name(note.record.header.height, &note.id());
        self.disk(DiskJob::Store(ticket, self.setup.group.clone(), name, file_text(&note)));
    }
}

/// Of each uncontained edit the greatest revision that carries it, oldest edit first.
fn greatest_by_edit(group: &Group) -> BTreeMap<EditRef, &Beaten> {
    let mut edits: BTreeMap<EditRef, &Beaten> = BTreeMap::new();
    for beaten in group.beaten() {
        let best = edits.entry(beaten.revision.edit_ref()).or_insert(beaten);
        if beaten.revision.rank() > best.revision.rank() {
            *best = beaten;
        }
    }
    edits
}

/// Whether the edit, or a held revision that carries it, is by `peer`.
fn is_by(group: &Group, revision: &Revision, peer: &PeerId) -> bool {
    let edit = revision.edit_ref();
    let carries = |beaten: &Beaten| beaten.revision.edit_ref() == edit && beaten.revision.record.header.author == *peer;
    revision.edit_author() == *peer || group.beaten().any(carries)
}
