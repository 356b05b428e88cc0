//! Reading back the revisions, one after another: a group's history can be far larger than the memory of a small board.
//!
//! Only names and lengths are judged here, never the content: whether a file is whole and rightly signed is found out by whoever
//! takes it, and one that turns out to be damaged gets another name and is not deleted.

use std::path::Path;

use super::error::StateError;
use super::write::{Shelf, entries, place};
use super::{StateDir, read_bounded};
use crate::limits;

/// A revision as it was stored. Whether it is whole and rightly signed is for the reader to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The group.
    pub group: String,
    /// The file's name.
    pub name: String,
    /// At most [`limits::REVISION_FILE_MAX`] bytes.
    pub bytes: Vec<u8>,
}

/// The bytes of one stored revision; `None` if there is no such file. One that is too long for a revision reads as empty, which is none.
pub fn read_revision(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match read_bounded(path, limits::REVISION_FILE_MAX) {
        Err(StateError::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(StateError::TooLong { .. }) => Ok(Some(Vec::new())),
        other => other.map(Some),
    }
}

impl StateDir {
    /// Hands over each stored revision, by group and then by name, and returns what could not be read; the rest is read all the same.
    pub fn load_revisions(&self, each: impl FnMut(StoredFile)) -> Vec<StateError> {
        self.load(Shelf::Revisions, each)
    }

    /// The same for revisions that were being tried when the last run ended.
    pub fn load_pending(&self, each: impl FnMut(StoredFile)) -> Vec<StateError> {
        self.load(Shelf::Pending, each)
    }

    /// Sets a stored revision aside that turned out to be damaged; what that one is called now. Needs the lock.
    pub fn set_revision_aside(&self, group: &str, name: &str) -> Result<std::path::PathBuf, StateError> {
        let (_, path) = place(&self.path, Shelf::Revisions, group, name)?;
        self.set_aside(&path)
    }

    fn load(&self, shelf: Shelf, mut each: impl FnMut(StoredFile)) -> Vec<StateError> {
        let mut problems = Vec::new();
        let mut note = |result: Result<Vec<_>, StateError>| result.map_err(|error| problems.push(error)).unwrap_or_default();
        let mut found = Vec::new();
        for directory in note(entries(&self.path.join(shelf.name()))) {
            found.extend(note(entries(&directory)));
        }
        for path in found {
            // Set aside, being written, or not ours: none of these has a name that is taken here.
            let Some((group, name)) = names(&path).filter(|(group, name)| place(&self.path, shelf, group, name).is_ok()) else {
                continue;
            };
            match read_bounded(&path, limits::REVISION_FILE_MAX) {
                Ok(bytes) => each(StoredFile { group, name, bytes }),
                Err(error) => problems.push(error),
            }
        }
        problems
    }
}

fn names(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let group = path.parent()?.file_name()?.to_str()?;
    Some((group.to_owned(), name.to_owned()))
}
