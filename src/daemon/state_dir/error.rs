//! What can be wrong with the state directory, in words that say what to do.
//!
//! One type for all that reads and writes there. It decides nothing: whether to set a file aside, to report or to end is for the
//! caller.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the state directory could not be read or written. Each says which path; what was there before is still there.
#[derive(Debug)]
pub enum StateError {
    /// The system refused.
    Io(PathBuf, io::Error),
    /// Others can read it; this is the mode that it should have.
    Open {
        /// The directory or file.
        path: PathBuf,
        /// What to give `chmod`.
        mode: u32,
    },
    /// Another process has the directory.
    Held {
        /// The directory.
        path: PathBuf,
        /// Which process, if it said so.
        process: Option<u32>,
    },
    /// Not what Starling writes there.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: String,
    },
    /// Longer than Starling writes them.
    TooLong {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        most: usize,
    },
    /// It exists, and is never replaced.
    Exists(PathBuf),
    /// No name for a group's directory or a revision's file.
    Name(String),
    /// So many copies were set aside that a person must look.
    Damaged(PathBuf),
}

/// For `map_err`: the path that an error of the system belongs to.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    move |error| StateError::Io(path.to_owned(), error)
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Open { path, mode } => {
                write!(f, "{0}: others can read it; type: chmod {mode:o} {0}", path.display())
            }
            Self::Held { path, process: None } => write!(f, "{}: another starling uses it", path.display()),
            Self::Held { path, process: Some(process) } => {
                write!(f, "{}: another starling uses it, process {process}", path.display())
            }
            Self::Content { path, wrong } => write!(f, "{}: {wrong}", path.display()),
            Self::TooLong { path, most } => write!(f, "{}: longer than {most} bytes", path.display()),
            Self::Exists(path) => write!(f, "{}: exists already", path.display()),
            Self::Name(name) => write!(f, "{name:?}: no name for a file here"),
            Self::Damaged(path) => write!(f, "{}: damaged again and again; look at the disk", path.display()),
        }
    }
}

impl std::error::Error for StateError {}
