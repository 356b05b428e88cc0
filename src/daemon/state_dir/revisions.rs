//! Reading back the revisions, one after another: a group's history can be far larger than the
//! memory of a small board.
//!
//! Only names and lengths are judged here, never the content: whether a file is whole and rightly
//! signed is found out by whoever takes it. One that turns out to be damaged gets another name and
//! is not deleted; one that is only misnamed gets its own.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::{StateError, io_error};
use super::write::{RevisionDirectory, entries, make_group, place, sync};
use super::{StateDir, read_bounded};
use crate::limits;

/// A revision as it was stored. Whether it is whole and rightly signed is for the reader to find
/// out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The group that the file belongs to.
    pub group: String,
    /// The file's name.
    pub name: String,
    /// The content, at most [`limits::REVISION_FILE_MAX`] bytes.
    pub bytes: Vec<u8>,
    /// When it was written, in milliseconds since 1970; 0 if that cannot be told.
    pub written_ms: u64,
}

/// A file that could not be read, though it may be sound.
#[derive(Debug)]
pub struct Unread {
    /// The file's group and name, unless it is a directory of them that cannot be listed.
    pub file: Option<(String, String)>,
    /// Why the file cannot be read.
    pub error: StateError,
}

/// The bytes of one stored revision; `None` if there is no such file. One that is too long for a
/// revision reads as empty, which is none, and so does a directory in its place.
pub(crate) fn read_revision(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match read_bounded(path, limits::REVISION_FILE_MAX) {
        Err(StateError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(StateError::Io(_, error)) if error.kind() == io::ErrorKind::IsADirectory => {
            Ok(Some(Vec::new()))
        }
        Err(StateError::TooLong { .. }) => Ok(Some(Vec::new())),
        other => other.map(Some),
    }
}

impl StateDir {
    /// Hands over each stored revision, by group and then by name, and returns what could not be
    /// read; the rest is read all the same.
    pub(crate) fn load_revisions(&self, each: impl FnMut(StoredFile)) -> Vec<Unread> {
        self.load(RevisionDirectory::Revisions, each)
    }

    /// Reads, in the same way, the revisions that were being tried when the last run ended.
    pub(crate) fn load_pending(&self, each: impl FnMut(StoredFile)) -> Vec<Unread> {
        self.load(RevisionDirectory::Pending, each)
    }

    /// Sets a stored revision aside that turned out to be damaged; what that one is called now.
    /// Needs the lock.
    pub(crate) fn set_revision_aside(
        &self,
        group: &str,
        name: &str,
    ) -> Result<PathBuf, StateError> {
        let (_, path) = place(&self.path, RevisionDirectory::Revisions, group, name)?;
        self.set_aside(&path)
    }

    /// Gives a sound revision that was found under another group and name its own, durably. Needs
    /// the lock. [`StateError::Exists`] if it is there already.
    pub(crate) fn rename_revision(
        &self,
        found: (&str, &str),
        right: (&str, &str),
    ) -> Result<(), StateError> {
        let (_, from) = place(
            &self.locked().path,
            RevisionDirectory::Revisions,
            found.0,
            found.1,
        )?;
        let (directory, to) = place(&self.path, RevisionDirectory::Revisions, right.0, right.1)?;
        if fs::symlink_metadata(&to).is_ok() {
            return Err(StateError::Exists(to));
        }
        make_group(&directory)?;
        fs::rename(&from, &to).map_err(io_error(&from))?;
        sync(&directory)
    }

    fn load(&self, kind: RevisionDirectory, mut each: impl FnMut(StoredFile)) -> Vec<Unread> {
        let mut unread = Vec::new();
        let mut listed = |directory: &Path| {
            entries(directory)
                .map_err(|error| unread.push(Unread { file: None, error }))
                .unwrap_or_default()
        };
        let groups = listed(&self.path.join(kind.name()));
        let found: Vec<PathBuf> = groups
            .iter()
            .filter(|group| group.is_dir())
            .flat_map(|group| listed(group))
            .collect();
        for path in found {
            // Set aside, being written, or not ours: none of these has a name that is taken here.
            let Some((group, name)) =
                names(&path).filter(|(group, name)| place(&self.path, kind, group, name).is_ok())
            else {
                continue;
            };
            match read_revision(&path) {
                Ok(Some(bytes)) => each(StoredFile {
                    group,
                    name,
                    bytes,
                    written_ms: written_ms(&path),
                }),
                Ok(None) => {}
                Err(error) => unread.push(Unread {
                    file: Some((group, name)),
                    error,
                }),
            }
        }
        unread
    }
}

/// When a file was written. It keeps that when it is renamed.
fn written_ms(path: &Path) -> u64 {
    let found = fs::metadata(path).ok();
    let ms = found.map(|found| {
        found
            .mtime()
            .saturating_mul(1000)
            .saturating_add(found.mtime_nsec() / 1_000_000)
    });
    ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default()
}

pub(super) fn names(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let group = path.parent()?.file_name()?.to_str()?;
    Some((group.to_owned(), name.to_owned()))
}
