//! What is found on disk at the start, and what becomes of a file that is damaged.
//!
//! A file counts only if it is the revision that its name says, whole and rightly signed. Any other is set aside under another name,
//! reported, and its revision asked of the peers; if it was the newest of its group, the host does not speak for the fleet until it has
//! heard from others. Reading and setting aside are the caller's.

use std::collections::BTreeMap;

use super::records::from_file;
use super::{Node, revision_name};
use crate::model::record::RecordId;

/// A node being handed what is on disk.
pub struct Loading<'a> {
    node: &'a mut Node,
    /// The greatest name of a sound file, by group: names begin with the height.
    newest: BTreeMap<String, String>,
    damaged: Vec<(String, String)>,
}

impl<'a> Loading<'a> {
    /// Begins to hand files to `node`.
    pub fn new(node: &'a mut Node) -> Self {
        Self { node, newest: BTreeMap::new(), damaged: Vec::new() }
    }

    /// One file of `revisions/`: its group, its name, and what stands in it. Oldest first is quickest.
    pub fn file(&mut self, group: String, name: String, bytes: &[u8]) {
        let revision = from_file(bytes, self.node.setup.fleet.id().as_bytes());
        let is_named = |revision: &crate::model::revision::Revision| {
            revision.record.header.key == group && revision_name(revision.rank().height, &revision.id()) == name
        };
        match revision.filter(is_named) {
            Some(revision) => {
                let newest = self.newest.entry(group).or_default();
                *newest = std::mem::take(newest).max(name);
                self.node.load(revision);
            }
            None => self.damaged.push((group, name)),
        }
    }

    /// All files were handed over. `set_aside` gives a damaged one another name and says which; a failure is reported too.
    pub fn finish(self, mut set_aside: impl FnMut(&str, &str) -> Result<String, String>) {
        for (group, name) in self.damaged {
            if self.newest.get(&group).is_none_or(|newest| name > *newest) {
                self.node.distrust();
            }
            match set_aside(&group, &name) {
                Ok(called) => {
                    self.node.report_problem(format!("a damaged revision was set aside as {called}"));
                    id_in(&name).into_iter().for_each(|id| self.node.want(id));
                }
                Err(error) => self.node.report_problem(error),
            }
        }
    }
}

/// The ID in the name of a revision's file.
fn id_in(name: &str) -> Option<RecordId> {
    name.split_once('-').and_then(|(_, id)| RecordId::parse(id))
}
