//! What is found on disk at the start, and what becomes of a file that is damaged.
//!
//! A file counts only if it is a revision, whole and rightly signed; one that is only misnamed gets
//! its own name. Any other is set aside under another name, reported, and its revision asked of the
//! peers; if it was the newest of its group, the host does not speak for the fleet until it has
//! heard from others. Reading, renaming and setting aside are the caller's.

use std::collections::BTreeMap;

use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::node::Node;
use crate::node::effect::{Level, revision_name};
use crate::node::store::revision_file::{Filed, judge_file};

/// A node being handed what is on disk.
pub struct Loading<'a> {
    node: &'a mut Node,
    /// The greatest name of a sound file, by group: names begin with the height.
    newest: BTreeMap<String, String>,
    damaged: Vec<(String, String)>,
    /// Sound, but under another group or name than its own.
    misnamed: Vec<(String, String, Filed)>,
}

impl<'a> Loading<'a> {
    /// Begins to hand files to `node`.
    pub fn new(node: &'a mut Node) -> Self {
        Self {
            node,
            newest: BTreeMap::new(),
            damaged: Vec::new(),
            misnamed: Vec::new(),
        }
    }

    /// A file of `revisions/`: its group, its name, and what stands in it. Oldest first is
    /// quickest.
    pub fn file(&mut self, group: String, name: String, bytes: &[u8]) {
        self.file_of(group, name, bytes, 0);
    }

    /// As [`Loading::file`], with the time at which it was written, in milliseconds since 1970:
    /// when the revision came, or was made.
    pub fn file_of(&mut self, group: String, name: String, bytes: &[u8], written_ms: u64) {
        match judge_file(bytes, self.node.cx.setup.fleet.id().as_bytes()) {
            Ok(filed) if own_place(&filed.revision) == (group.clone(), name.clone()) => {
                self.take(filed, written_ms)
            }
            Ok(filed) => self.misnamed.push((group, name, filed)),
            Err(_) => self.damaged.push((group, name)),
        }
    }

    /// A file of `revisions/`, by group and name, or a directory of them, cannot be read. It may be
    /// sound, and stays where it is.
    pub fn unread(&mut self, file: Option<(String, String)>, error: String) {
        self.complain(error);
        file.into_iter()
            .for_each(|(group, name)| self.lose(&group, &name));
    }

    /// Sound revisions get their own group and name: `rename` gives the file in the first place the
    /// second, and says whether that was free.
    pub fn put_right(
        &mut self,
        mut rename: impl FnMut((&str, &str), (&str, &str)) -> Result<bool, String>,
    ) {
        for (group, name, filed) in std::mem::take(&mut self.misnamed) {
            let (right_group, right_name) = own_place(&filed.revision);
            match rename((&group, &name), (&right_group, &right_name)) {
                Ok(true) => {
                    let text = format!(
                        "revision {group}/{name} has its own name again: {right_group}/{right_name}"
                    );
                    self.node.cx.say(Level::Warn, "disk", text);
                    self.take(filed, 0);
                }
                Ok(false) => self.damaged.push((group, name)),
                Err(error) => {
                    self.complain(format!(
                        "revision {group}/{name} cannot get its own name: {error}"
                    ));
                    self.take(filed, 0);
                }
            }
        }
    }

    /// All files were handed over. `set_aside` gives a damaged one, or one whose right name is
    /// taken, another name and says which; a failure is reported too.
    pub fn finish(mut self, mut set_aside: impl FnMut(&str, &str) -> Result<String, String>) {
        let misnamed = std::mem::take(&mut self.misnamed)
            .into_iter()
            .map(|(group, name, _)| (group, name));
        for (group, name) in std::mem::take(&mut self.damaged)
            .into_iter()
            .chain(misnamed)
        {
            self.complain(match set_aside(&group, &name) {
                Ok(called) => format!("a damaged revision was set aside as {called}"),
                Err(error) => format!("a damaged revision cannot be set aside: {error}"),
            });
            self.lose(&group, &name);
        }
        // A power cut may have undone removals, or less may be kept than was kept before.
        std::mem::take(&mut self.newest).keys().for_each(|group| {
            self.node
                .store
                .prune(&mut self.node.cx, &self.node.peers, group);
        });
        self.node.store.read_all_uncontained(&mut self.node.cx);
    }

    fn take(&mut self, filed: Filed, written_ms: u64) {
        let (group, name) = own_place(&filed.revision);
        let newest = self.newest.entry(group).or_default();
        *newest = std::mem::take(newest).max(name);
        if filed.is_struck {
            self.node
                .store
                .note_own_stamp(&self.node.cx, &filed.revision);
            return self.node.store.load_struck(&filed.revision, written_ms);
        }
        self.node.load_received(filed.revision, written_ms);
    }

    /// A revision cannot be had from disk. Of a file whose name names none nothing is known, and
    /// nothing can be asked for.
    fn lose(&mut self, group: &str, name: &str) {
        let Some(id) = id_in(name) else { return };
        if self
            .newest
            .get(group)
            .is_none_or(|newest| name > newest.as_str())
        {
            self.node.distrust();
        }
        self.node.want(id);
    }

    fn complain(&mut self, problem: String) {
        self.node.cx.say(Level::Error, "disk", problem.clone());
        self.node.cx.report_problem(problem);
    }
}

/// The group and the name of the file that a revision belongs in.
fn own_place(revision: &Revision) -> (String, String) {
    (
        revision.record.header.key.clone(),
        revision_name(revision.rank().height, &revision.id()),
    )
}

/// The ID in the name of a revision's file.
fn id_in(name: &str) -> Option<RecordId> {
    name.split_once('-').and_then(|(_, id)| RecordId::parse(id))
}
