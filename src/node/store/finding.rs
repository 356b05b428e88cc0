//! Revisions that are kept, found by the beginning of an ID or by what was made on them.
//!
//! What is found may be held by its name and file only; whoever needs the body reads that.

use super::Store;
use super::conflicts::begins;
use super::replica::Summary;
use crate::model::document::Document;
use crate::model::record::{Record, RecordId};
use crate::node::refusal::{Denial, RequestFault};

impl Store {
    /// The one revision that is kept whose ID begins so.
    pub(in crate::node) fn kept_revision(&self, group: &str, id: &str) -> Result<&Summary, Denial> {
        let kept = self
            .replica
            .group(group)
            .into_iter()
            .flat_map(|group| group.history());
        let matches: Vec<&Summary> = kept
            .filter(|summary| begins(&summary.record.id, id))
            .collect();
        match matches[..] {
            [summary] => Ok(summary),
            [] => {
                let beginning = id.to_owned();
                Err(RequestFault::NoSuchRevision { beginning }.into())
            }
            _ => Err(RequestFault::ManyRevisions {
                beginning: id.to_owned(),
                count: matches.len(),
            }
            .into()),
        }
    }

    /// The revision that one was made on; `None` if that is the first of all.
    pub(in crate::node) fn base_of(&self, summary: &Summary) -> Result<Option<&Summary>, Denial> {
        let header = &summary.record.header;
        if header.base == RecordId::NONE {
            return Ok(None);
        }
        let base = self
            .replica
            .group(&header.key)
            .and_then(|group| group.history().find(|other| other.record.id == header.base));

        base.map(Some).ok_or_else(|| {
            Denial::from(RequestFault::NoBase {
                revision: summary.record.id,
                base: header.base,
            })
        })
    }

    /// The document of the head or of an uncontained revision, of whatever group.
    pub(in crate::node) fn in_memory(&self, id: &RecordId) -> Option<Document> {
        self.replica
            .find(id)
            .map(|revision| revision.document.clone())
    }

    /// The head's record of a group, if its body is on disk only.
    pub(in crate::node) fn light_head(&self, group: &str) -> Option<Record> {
        let head = self.replica.head(group).filter(|head| head.is_light());
        head.map(|head| head.record.clone())
    }
}
