//! What was: the revisions that are kept, shown, compared and restored.
//!
//! Bodies are on disk only. For a view the place of the file is handed over with what is known
//! without it; for a change the node reads the file itself, and what comes of it is an ordinary
//! change. Looking at the history has older revisions fetched, see `fetch`.

use std::collections::BTreeSet;

use crate::model::path::Path;
use crate::model::record::{Header, Record, RecordId};
use crate::model::revision::Origin;
use crate::node::answer::views::RevisionView;
use crate::node::answer::{Answer, Kept, Older, Place};
use crate::node::effect::revision_name;
use crate::node::refusal::{Denial, RequestFault};
use crate::node::store::Store;
use crate::node::store::replica::Summary;
use crate::node::views::View;

impl View<'_> {
    pub(in crate::node) fn revisions(&self, group: &str, older: Older) -> Answer {
        let line = line_of(self.store, group);
        let newest_first = self
            .store
            .replica
            .group(group)
            .into_iter()
            .flat_map(|group| group.history().rev());
        let views = newest_first.map(|summary| self.revision_view(summary, &line));
        Answer::History(views.collect(), older)
    }

    pub(in crate::node) fn revision(&self, group: &str, id: &str) -> Answer {
        let shown =
            |summary| Answer::Revision(Box::new(self.kept(summary, &line_of(self.store, group))));
        self.store
            .kept_revision(group, id)
            .map_or_else(Answer::from, shown)
    }

    /// What leads to a revision from another, or from the one that it was made on.
    pub(in crate::node) fn difference(
        &self,
        group: &str,
        to: &str,
        from: Option<&str>,
        older: Older,
    ) -> Answer {
        let line = line_of(self.store, group);
        let kept = |summary| Box::new(self.kept(summary, &line));
        let pair = || {
            let to = self.store.kept_revision(group, to)?;
            let from = match from {
                Some(from) => Some(self.store.kept_revision(group, from)?),
                None => self.store.base_of(to)?,
            };
            Ok(Answer::Difference {
                from: from.map(kept),
                to: kept(to),
                older,
            })
        };
        pair().unwrap_or_else(|denial: Denial| denial.into())
    }

    pub(in crate::node) fn blame(&self, group: &str, path: Path, older: Older) -> Answer {
        let ids = line_of(self.store, group);
        let line = self
            .store
            .replica
            .group(group)
            .into_iter()
            .flat_map(|group| group.line());
        let line: Vec<Kept> = line.map(|summary| self.kept(summary, &ids)).collect();
        if line.is_empty() {
            return Denial::from(RequestFault::NothingChanged).into();
        }
        Answer::Blame { path, line, older }
    }

    fn kept(&self, summary: &Summary, line: &Line) -> Kept {
        let record = &summary.record;
        let place = self.store.in_memory(&record.id).map_or_else(
            || Place::File {
                group: record.header.key.clone(),
                name: revision_name(record.header.height, &record.id),
            },
            Place::Memory,
        );
        Kept {
            view: self.revision_view(summary, line),
            place,
        }
    }

    /// A group's head as a revision, if there is one.
    pub(in crate::node) fn head_view(&self, group: &str) -> Option<RevisionView> {
        let group = self.store.replica.group(group);
        let head = group
            .filter(|group| !group.is_removed())
            .and_then(|group| group.line().next())?;
        Some(self.revision_view(head, &Line::of([head].into_iter())))
    }

    /// A revision without its document.
    fn revision_view(&self, summary: &Summary, line: &Line) -> RevisionView {
        let (id, header) = (summary.record.id, &summary.record.header);
        let edit_author = match &summary.origin {
            Origin::Original => None,
            Origin::Replay(_, author) | Origin::Note(_, author) => Some(author),
        };
        let operations = summary.conflict.operations.iter();
        RevisionView {
            id,
            height: header.height,
            author: header.author,
            author_name: self.peers.roster.name(&header.author),
            time_ms: header.stamp.wall_ms(),
            received_ms: summary.received,
            note: header.note.as_str().to_owned(),
            base: (header.height > 1).then_some(header.base),
            size: header.body_len,
            is_untried: header.flags & Header::UNTRIED != 0,
            is_stored: self.store.storing.has(&id),
            is_struck: summary.is_struck,
            is_guarded: header.flags & Header::GUARDED != 0,
            is_removal: header.is_removal(),
            origin: summary.origin.clone(),
            edit_author_name: edit_author.map(|author| self.peers.roster.name(author)),
            edit: operations.map(|(operation, _)| operation.clone()).collect(),
            settled: summary.settled.iter().map(|edit| edit.id).collect(),
            is_beaten: line.has_passed_by(&summary.record),
        }
    }
}

/// The revisions that the head was made on, as far back as they are kept.
struct Line {
    ids: BTreeSet<RecordId>,
    /// The height of the oldest.
    from: u64,
}

/// A group's head, what it was made on, and so on.
fn line_of(store: &Store, group: &str) -> Line {
    let group = store.replica.group(group);
    Line::of(group.into_iter().flat_map(|group| group.line()))
}

impl Line {
    fn of<'a>(line: impl Iterator<Item = &'a Summary>) -> Self {
        let mut from = u64::MAX;
        let ids = line
            .map(|summary| (from = summary.record.header.height, summary.record.id).1)
            .collect();
        Self { ids, from }
    }

    /// Whether the head was not made on this revision. Of one that is older than the line is kept
    /// nobody can say that.
    fn has_passed_by(&self, record: &Record) -> bool {
        record.header.height >= self.from && !self.ids.contains(&record.id)
    }
}

/// A note of our own, which may name a long path, within the bound of notes.
pub(in crate::node) fn bounded(mut note: String) -> String {
    while note.len() > crate::limits::NOTE_MAX {
        note.pop();
    }
    note
}
