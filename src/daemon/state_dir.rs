//! The state directory: what a peer must still know after a power cut.
//!
//! A person can read it with `ls` and `cat`: `identity.key`, `owner.key` (on the host of `init`
//! only), `fleet.json`, `addresses.json`, `before-starling.json`, `applied.json`, `given.json`,
//! `drift-TIME.json`, `revisions/GROUP/NAME`, `pending/GROUP/NAME`. Directories are 0700, files
//! 0600. A file is written under another name, synced and renamed, so that under its own name it is
//! whole or not there; what is found damaged is renamed, never deleted. Whoever writes holds the
//! lock; reading needs none.

mod check;
mod drifts;
mod error;
mod keys;
mod owner;
mod revisions;
mod write;

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

pub use self::check::{Finding, Report, check};
pub use self::drifts::FoundDrifts;
pub(crate) use self::drifts::read_drift;
pub use self::error::StateError;
pub use self::keys::Membership;
pub(super) use self::owner::open as open_own;
pub(crate) use self::revisions::read_revision;
pub use self::revisions::{StoredFile, Unread};
pub(super) use self::write::{RevisionDirectory, make_group, place, sync, write_temporary};

use self::error::io_error;
use crate::limits;
use crate::model::json;

/// A state directory that exists and that others cannot read.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Held as long as this is open; the system drops it with the process, however that ends.
    lock: Option<File>,
}

impl StateDir {
    /// Makes the directory, and those above it, unless they exist, and opens it.
    pub fn create(path: &Path) -> Result<Self, StateError> {
        write::make_with_parents(path)?;
        Self::open(path)
    }

    /// Opens it for reading. [`StateError::Open`] if others can read it or a key in it,
    /// [`StateError::Owner`] if it, or a key in it, belongs to another user.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let metadata = fs::metadata(path).map_err(io_error(path))?;
        if !metadata.is_dir() {
            return Err(StateError::Io(
                path.to_owned(),
                io::ErrorKind::NotADirectory.into(),
            ));
        }
        owner::refuse_foreign(path, &metadata)?;
        refuse_open(path, &metadata)?;
        let dir = Self {
            path: path.to_owned(),
            lock: None,
        };
        for key in [IDENTITY, OWNER, FLEET] {
            let path = dir.path.join(key);
            match fs::symlink_metadata(&path) {
                Ok(metadata) => owner::refuse_foreign(&path, &metadata)
                    .and_then(|()| refuse_open(&path, &metadata))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StateError::Io(path, error)),
            }
        }
        Ok(dir)
    }

    /// Takes the directory for this process alone, clears away what a crash left half written, and
    /// makes the directories that are there durable: the run that made them may have been
    /// killed before it did. A disk that takes no writes can be locked all the same.
    ///
    /// [`StateError::Held`] if another process has it, [`StateError::Owner`] or
    /// [`StateError::Link`] if something in it is not our own; nothing has changed then.
    pub fn lock(&mut self) -> Result<(), StateError> {
        if let Some((_, error)) = owner::foreign(&self.path).into_iter().next() {
            return Err(error);
        }
        let path = self.path.join(LOCK);
        let writable = owner::open_or_make(&path);
        if let Err(error) = &writable {
            match error {
                StateError::Io(_, wrong)
                    if matches!(
                        wrong.kind(),
                        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull
                    ) =>
                {
                    let text =
                        "what is there is served, and no change is taken until it takes writes";
                    log::error!(target: "disk", "{error}; {text}");
                }
                _ => return writable.map(drop),
            }
        }
        // Held without the right to write, so that the disk can be made read-only meanwhile. On one
        // that is, the lock may be the directory itself, which nobody can put a file into.
        let file =
            owner::open(&path).or_else(|_| File::open(&self.path).map_err(io_error(&path)))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StateError::Held {
                    path: self.path.clone(),
                    process: holder(&file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(StateError::Io(path, error)),
        }
        // Who holds it is for people to read, so a full disk does not matter here.
        let _ = writable.map(|mut file| {
            file.set_len(0)
                .and_then(|()| writeln!(file, "{}", std::process::id()))
        });
        self.lock = Some(file);
        if let Err(error) = write::clear_leftovers(&self.path) {
            log::warn!(target: "disk", "what an earlier run left half written stays: {error}");
        }
        write::sync_directories(&self.path);
        Ok(())
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The address book as it was last kept; `None` if it never was.
    pub fn addresses(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.read(ADDRESSES, limits::ADDRESSES_FILE_MAX)
    }

    /// Whether [`StateDir::addresses`] gave something that can be an address book.
    pub(crate) fn is_address_book(text: &[u8]) -> bool {
        json::parse_own(text).is_ok_and(|book| book.is_object())
    }

    /// Keeps the address book, durably. Needs the lock.
    pub fn keep_addresses(&self, bytes: &[u8]) -> Result<(), StateError> {
        write::whole(&self.locked().path, ADDRESSES, bytes)
    }

    /// Keeps what the server ran before Starling first configured it, durably, unless something was
    /// kept before; and reads it back. Needs the lock. On an error nothing is kept.
    pub(crate) fn keep_before_starling(&self, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.locked().path.join(BEFORE);
        match write::whole_new(&self.path, BEFORE, bytes).and_then(|()| is_kept(&path, bytes)) {
            Err(StateError::Io(_, error)) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => {
                let _ = fs::remove_file(&path);
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Finds out whether the disk takes writes: a small file is written, synced and removed. Needs
    /// the lock.
    pub fn probe(&self) -> Result<(), StateError> {
        write::whole(&self.locked().path, PROBE, b"the disk takes writes\n")?;
        let path = self.path.join(PROBE);
        fs::remove_file(&path).map_err(io_error(&path))
    }

    /// Whether [`StateDir::keep_before_starling`] has kept something.
    pub(crate) fn has_before_starling(&self) -> bool {
        self.path.join(BEFORE).exists()
    }

    /// Gives a damaged file, by its path as it is found in errors, another name beside its own, and
    /// returns that. Needs the lock. On an error the file is where it was.
    pub fn set_aside(&self, damaged: &Path) -> Result<PathBuf, StateError> {
        self.locked();
        let name = damaged
            .file_name()
            .ok_or_else(|| StateError::Name(damaged.display().to_string()))?
            .to_string_lossy();
        for number in 1..=limits::DAMAGED_MAX {
            let aside = damaged.with_file_name(format!("{name}{DAMAGED}{number}"));
            if fs::symlink_metadata(&aside).is_err() {
                fs::rename(damaged, &aside).map_err(io_error(damaged))?;
                // Should it be damaged under its own name after a power cut, it is set aside once
                // more.
                let _ = damaged.parent().map(sync);
                return Ok(aside);
            }
        }
        Err(StateError::Damaged(damaged.to_owned()))
    }

    /// The path of the address book.
    pub(crate) fn addresses_path(&self) -> PathBuf {
        self.path.join(ADDRESSES)
    }

    /// A whole file of the directory; `None` if it does not exist.
    fn read(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.path.join(name);
        match read_bounded(&path, most) {
            Err(StateError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// All writing passes here: two writers would tear the files of each other.
    fn locked(&self) -> &Self {
        assert!(
            self.lock.is_some(),
            "the state directory is written to only by whoever holds its lock"
        );
        self
    }
}

/// Whether a file is what was written to it: what it takes the place of is about to be lost.
fn is_kept(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    match read_bounded(path, bytes.len())? == bytes {
        true => Ok(()),
        false => Err(StateError::Content {
            path: path.to_owned(),
            wrong: "read back, it is not what was written".to_owned(),
        }),
    }
}

/// A file of our own, of at most `most` bytes.
fn read_bounded(path: &Path, most: usize) -> Result<Vec<u8>, StateError> {
    let file = owner::open(path)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error(path))?;
    if bytes.len() > most {
        Err(StateError::TooLong {
            path: path.to_owned(),
            most,
        })
    } else {
        Ok(bytes)
    }
}

fn make_directory(path: &Path) -> Result<(), StateError> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StateError::Io(path.to_owned(), error))
        }
        _ => Ok(()),
    }
}

fn refuse_open(path: &Path, metadata: &fs::Metadata) -> Result<(), StateError> {
    let mode = if metadata.is_dir() {
        DIRECTORY_MODE
    } else {
        FILE_MODE
    };
    if metadata.mode() & OTHERS != 0 {
        Err(StateError::Open {
            path: path.to_owned(),
            mode,
        })
    } else {
        Ok(())
    }
}

/// The process that wrote its number into the lock file, if it did.
fn holder(lock: &File) -> Option<u32> {
    let mut text = String::new();
    lock.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The names in the directory that are Starling's own.
const OWN: [&str; 10] = [
    IDENTITY,
    OWNER,
    FLEET,
    ADDRESSES,
    BEFORE,
    APPLIED,
    GIVEN,
    LOCK,
    "revisions",
    "pending",
];
const IDENTITY: &str = "identity.key";
const OWNER: &str = "owner.key";
const FLEET: &str = "fleet.json";
const ADDRESSES: &str = "addresses.json";
const BEFORE: &str = "before-starling.json";
const APPLIED: &str = "applied.json";
const GIVEN: &str = "given.json";
const LOCK: &str = "lock";
/// What [`StateDir::probe`] writes: should it be left over, the next start clears it away like
/// anything that is half written.
const PROBE: &str = ".new-probe";
/// Between a damaged file's name and its number.
const DAMAGED: &str = ".damaged-";
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The mode bits that nobody but the owner may have.
const OTHERS: u32 = 0o077;

#[cfg(test)]
pub(super) use self::tests::Scratch;

#[cfg(test)]
mod tests;
