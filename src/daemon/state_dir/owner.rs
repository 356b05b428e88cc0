//! Whose the files are: what belongs to another user, or is a symbolic link, is not touched.
//!
//! Whoever owns a directory can put anything into it at any time, and a link in it makes whoever
//! writes there write elsewhere: a root that used the directory of another user would do that
//! user's bidding. So the directory has to belong to the user that runs, as has all that
//! Starling has in it. The directory itself may be named by a link.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::{StateError, io_error};
use super::write::{RevisionDirectory, entries};
use super::{FILE_MODE, OWN};
use crate::daemon::system::own_user;
use crate::node::kept_file::is_name as is_drift;

/// Whether what is at a path may be used: it belongs to the user that runs. A user that cannot be
/// told is everybody.
pub(super) fn refuse_foreign(path: &Path, found: &Metadata) -> Result<(), StateError> {
    match own_user() {
        _ if found.is_symlink() => Err(StateError::Link(path.to_owned())),
        Some(user) if user != found.uid() => Err(StateError::Owner {
            path: path.to_owned(),
            owner: found.uid(),
            user,
            is_directory: found.is_dir(),
        }),
        _ => Ok(()),
    }
}

/// Opens a file for reading, if it is one and our own. Between the look and the opening nobody can
/// put another in its place: the directory is ours; that it is the same is looked at all the same.
pub(in crate::daemon) fn open(path: &Path) -> Result<File, StateError> {
    let seen = metadata(path)?;
    let file = File::open(path).map_err(io_error(path))?;
    same(path, &seen, &file).map(|()| file)
}

/// Opens a file for writing, or makes it. Nothing in it is changed by that.
pub(super) fn open_or_make(path: &Path) -> Result<File, StateError> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
    {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // On a file system that is read-only, this is the error for a file that is there, too.
        other => return other.map_err(io_error(path)),
    }
    let seen = metadata(path)?;
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(io_error(path))?;
    same(path, &seen, &file).map(|()| file)
}

fn metadata(path: &Path) -> Result<Metadata, StateError> {
    let found = fs::symlink_metadata(path).map_err(io_error(path))?;
    refuse_foreign(path, &found)?;
    match () {
        () if found.is_dir() => Err(StateError::Io(
            path.to_owned(),
            io::ErrorKind::IsADirectory.into(),
        )),
        // Opening a pipe would wait for somebody at its other end.
        () if !found.is_file() => Err(StateError::Content {
            path: path.to_owned(),
            wrong: "is no file".to_owned(),
        }),
        () => Ok(found),
    }
}

fn same(path: &Path, seen: &Metadata, file: &File) -> Result<(), StateError> {
    let found = file.metadata().map_err(io_error(path))?;
    let is_same = (found.dev(), found.ino(), found.uid()) == (seen.dev(), seen.ino(), seen.uid());
    if is_same {
        Ok(())
    } else {
        Err(StateError::Link(path.to_owned()))
    }
}

/// What is Starling's by its name in a state directory and is a link or belongs to another user, in
/// order, and which of the two it is.
pub(super) fn foreign(state: &Path) -> Vec<(PathBuf, StateError)> {
    let listed = |directory: &Path| entries(directory).unwrap_or_default();
    let is_own = |name: &str| OWN.contains(&name) || is_drift(name);
    let name = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(is_own)
    };
    let mut found: Vec<PathBuf> = listed(state).into_iter().filter(name).collect();
    for directory in [RevisionDirectory::Revisions, RevisionDirectory::Pending]
        .map(|kind| state.join(kind.name()))
    {
        let is_directory =
            |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        if is_directory(&directory) {
            let groups = listed(&directory);
            let files = groups
                .iter()
                .filter(|group| is_directory(group))
                .flat_map(|group| listed(group));
            found.extend(groups.iter().cloned().chain(files).collect::<Vec<_>>());
        }
    }
    // One that is gone by now is nobody's.
    let wrong = |path: PathBuf| {
        refuse_foreign(&path, &fs::symlink_metadata(&path).ok()?)
            .err()
            .map(|error| (path, error))
    };
    found.into_iter().filter_map(wrong).collect()
}
