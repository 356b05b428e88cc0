//! Writing so that a power cut leaves the old or the new, never a half: temporary name, fsync,
//! rename, fsync of the directory.
//!
//! `rename` alone orders nothing on most file systems: without the first fsync the new name can
//! point at an empty file, without the second the old name can come back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::{StateError, io_error};
use super::{FILE_MODE, make_directory};
use crate::limits;
use crate::model::name::is_name;

/// The directories of revisions below the state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) enum RevisionDirectory {
    /// Revisions that were published here or taken from peers.
    Revisions,
    /// Revisions of transactions that are under way.
    Pending,
}

impl RevisionDirectory {
    /// The directory's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Revisions => "revisions",
            Self::Pending => "pending",
        }
    }
}

/// The directory of a group and the path of a file in it. Refuses names that could lead elsewhere:
/// they come from peers.
pub(in crate::daemon) fn place(
    state: &Path,
    kind: RevisionDirectory,
    group: &str,
    name: &str,
) -> Result<(PathBuf, PathBuf), StateError> {
    if !is_name(group) {
        return Err(StateError::Name(group.to_owned()));
    }
    let is_fit = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    if !(1..=limits::REVISION_NAME_MAX).contains(&name.len()) || !name.bytes().all(is_fit) {
        return Err(StateError::Name(name.to_owned()));
    }
    let directory = state.join(kind.name()).join(group);
    let file = directory.join(name);
    Ok((directory, file))
}

/// Writes a file beside `path` that is to be renamed to it, and returns it, not yet synced. Makes
/// the directory of a group, durably, if it is not there. On an error nothing is left behind.
pub(in crate::daemon) fn write_temporary(
    path: &Path,
    bytes: &[u8],
) -> Result<(PathBuf, File), StateError> {
    let directory = path
        .parent()
        .expect("every path here is below the state directory");
    make_group(directory)?;
    let name = path
        .file_name()
        .expect("every path here ends in a name")
        .to_string_lossy();
    let temporary = directory.join(format!("{TEMPORARY}{name}"));
    let written = write_fresh(&temporary, bytes);
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
        .map(|file| (temporary.clone(), file))
        .map_err(io_error(&temporary))
}

/// Makes the names in a directory durable.
pub(in crate::daemon) fn sync(directory: &Path) -> Result<(), StateError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error(directory))
}

/// Writes a whole file durably, in place of an old one.
pub(super) fn whole(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), StateError> {
    finish(directory, name, bytes, |temporary, path| {
        fs::rename(temporary, path)
    })
}

/// Writes a whole file durably; [`io::ErrorKind::AlreadyExists`] if there is one, which is then
/// untouched.
pub(super) fn whole_new(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), StateError> {
    // Unlike a rename, a link does not replace: the system itself sees to it that a key is made
    // once.
    finish(directory, name, bytes, |temporary, path| {
        fs::hard_link(temporary, path).and_then(|()| fs::remove_file(temporary))
    })
}

fn finish(
    directory: &Path,
    name: &str,
    bytes: &[u8],
    publish: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<(), StateError> {
    let path = directory.join(name);
    let (temporary, file) = write_temporary(&path, bytes)?;
    let published = file.sync_all().and_then(|()| publish(&temporary, &path));
    if published.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    published.map_err(io_error(&path))?;
    sync(directory)
}

fn write_fresh(temporary: &Path, bytes: &[u8]) -> io::Result<File> {
    let make = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(temporary)
    };
    let mut file = match make() {
        // What somebody was killed over.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(temporary)?;
            make()?
        }
        made => made?,
    };
    file.write_all(bytes)?;
    Ok(file)
}

/// Makes `revisions/GROUP`, and `revisions` above it, durably, unless they are there.
pub(in crate::daemon) fn make_group(directory: &Path) -> Result<(), StateError> {
    if fs::symlink_metadata(directory).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    let above = directory
        .parent()
        .expect("a group's directory is below that of a kind of revisions");
    let state = above
        .parent()
        .expect("such a directory is below the state directory");
    for made in [above, directory] {
        make_directory(made)?;
        if fs::symlink_metadata(made)
            .map_err(io_error(made))?
            .is_symlink()
        {
            return Err(StateError::Link(made.to_owned()));
        }
    }
    // One that is there counts as durable: one that is not must not be there.
    sync(above)
        .and_then(|()| sync(state))
        .inspect_err(|_| drop(fs::remove_dir(directory)))
}

/// Makes the state directory and those above it, durably, as far as they are not there.
pub(super) fn make_with_parents(path: &Path) -> Result<(), StateError> {
    let made: Vec<&Path> = path
        .ancestors()
        .take_while(|above| !or_here(above).is_dir())
        .collect();
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io_error(parent))?;
    }
    make_directory(path)?;
    // Above may be a directory that we may not read: then this is left to the system.
    made.into_iter()
        .filter_map(Path::parent)
        .for_each(|above| drop(sync(or_here(above))));
    Ok(())
}

/// The path itself, or the working directory for an empty one.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

/// Makes every name in the state directory durable: whoever gave it may have been killed before it
/// could, and what is found at the start is what clients are told of. An error is left to those who
/// write there next.
pub(super) fn sync_directories(state: &Path) {
    let kinds = [RevisionDirectory::Revisions, RevisionDirectory::Pending]
        .map(|kind| state.join(kind.name()));
    let groups = kinds
        .iter()
        .flat_map(|directory| entries(directory).unwrap_or_default());
    let directories = groups
        .chain(kinds.iter().cloned())
        .filter(|directory| directory.is_dir());
    directories
        .chain([state.to_owned()])
        .for_each(|directory| drop(sync(&directory)));
}

/// Removes what a crash left under temporary names, in the state directory and in those of
/// revisions. Only for whoever holds the lock.
pub(super) fn clear_leftovers(state: &Path) -> Result<(), StateError> {
    clear(state)?;
    for kind in [RevisionDirectory::Revisions, RevisionDirectory::Pending] {
        for directory in entries(&state.join(kind.name()))? {
            if directory.is_dir() {
                clear(&directory)?;
            }
        }
    }
    Ok(())
}

fn clear(directory: &Path) -> Result<(), StateError> {
    for path in entries(directory)? {
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY))
        {
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
    }
    Ok(())
}

/// What is in a directory, by name; nothing if there is no such directory.
pub(super) fn entries(directory: &Path) -> Result<Vec<PathBuf>, StateError> {
    let listed = match fs::read_dir(directory) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StateError::Io(directory.to_owned(), error)),
    };
    let paths: io::Result<Vec<PathBuf>> = listed
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut paths = paths.map_err(io_error(directory))?;
    paths.sort();
    Ok(paths)
}

/// What the name of a file begins with while it is being written. No name that is kept begins so.
pub(super) const TEMPORARY: &str = ".new-";
