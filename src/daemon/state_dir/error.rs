//! What can be wrong with the state directory, in words that say what to do.
//!
//! One type for all that reads and writes there. It decides nothing: whether to set a file aside,
//! to report or to end is for the caller.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{FLEET, IDENTITY, OWNER};

/// Why the state directory could not be read or written. Each says which path; what was there
/// before is still there.
#[derive(Debug)]
pub enum StateError {
    /// The system refused to read or write at this path.
    Io(PathBuf, io::Error),
    /// Others can read it; this is the mode that it should have.
    Open {
        /// The directory or file.
        path: PathBuf,
        /// The mode that it should have, as `chmod` takes it.
        mode: u32,
    },
    /// The file belongs to another user than the one that runs.
    Owner {
        /// The directory or file.
        path: PathBuf,
        /// The user that owns it.
        owner: u32,
        /// The user that runs this program.
        user: u32,
        /// Whether the path is that of a directory.
        is_directory: bool,
    },
    /// The file is a symbolic link, which would lead elsewhere.
    Link(PathBuf),
    /// Another process has the directory.
    Held {
        /// The directory.
        path: PathBuf,
        /// The number of that process, if it has written it there.
        process: Option<u32>,
    },
    /// The file is not one that Starling writes there.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: String,
    },
    /// The file is longer than Starling writes such files.
    TooLong {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        most: usize,
    },
    /// The file exists, and is never replaced.
    Exists(PathBuf),
    /// No name for a group's directory or a revision's file.
    Name(String),
    /// So many damaged copies were set aside that a person must look.
    Damaged(PathBuf),
}

/// A closure for `map_err`, which adds the path to an error of the system.
pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    move |error| StateError::Io(path.to_owned(), error)
}

impl StateError {
    /// What it is about: a path, or a name that is none.
    fn subject(&self) -> String {
        match self {
            Self::Io(path, _) | Self::Exists(path) | Self::Damaged(path) | Self::Link(path) => {
                path.display().to_string()
            }
            Self::Open { path, .. }
            | Self::Owner { path, .. }
            | Self::Held { path, .. }
            | Self::Content { path, .. }
            | Self::TooLong { path, .. } => path.display().to_string(),
            Self::Name(name) => format!("{name:?}"),
        }
    }

    /// The words for what is wrong, without the path.
    pub(super) fn wrong(&self) -> String {
        match self {
            Self::Io(_, error) => error.to_string(),
            Self::Open { .. } => "others can read it".to_owned(),
            Self::Owner { owner, user, .. } => {
                format!("belongs to user {owner}, and this is user {user}")
            }
            Self::Link(_) => "is a symbolic link".to_owned(),
            Self::Held { process: None, .. } => "another starling uses it".to_owned(),
            Self::Held {
                process: Some(process),
                ..
            } => format!("another starling uses it, process {process}"),
            Self::Content { wrong, .. } => wrong.clone(),
            Self::TooLong { most, .. } => format!("longer than {most} bytes"),
            Self::Exists(_) => "exists already".to_owned(),
            Self::Name(_) => "no name for a file here".to_owned(),
            Self::Damaged(_) => "damaged again and again".to_owned(),
        }
    }

    /// What a person can do, where there is one thing to do.
    pub(super) fn cure(&self) -> Option<String> {
        match self {
            Self::Open { path, mode } => Some(format!("type: chmod {mode:o} {}", path.display())),
            Self::Owner {
                path,
                owner,
                user,
                is_directory,
            } => {
                let all = if *is_directory { "-R " } else { "" };
                Some(format!(
                    "type this as user {owner}, or: chown -h {all}{user} {}",
                    path.display()
                ))
            }
            Self::Link(_) => Some("put what it leads to in its place, or move it away".to_owned()),
            Self::Content { path, .. } | Self::TooLong { path, .. } => {
                cure_of(path).map(str::to_owned)
            }
            Self::Damaged(_) => Some("look at the disk".to_owned()),
            Self::Io(..) | Self::Held { .. } | Self::Exists(_) | Self::Name(_) => None,
        }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject(), self.wrong())?;
        self.cure().map_or(Ok(()), |cure| write!(f, "; {cure}"))
    }
}

impl std::error::Error for StateError {}

/// What to do about a file that is not as Starling writes it, or is gone.
pub(super) fn cure_of(path: &Path) -> Option<&'static str> {
    match path.file_name()?.to_str()? {
        IDENTITY => Some(
            "put back a copy of it, or move it and fleet.json away and join again with the token \
             of a member: this host is another peer then",
        ),
        OWNER => Some("put back a copy of it; this version does without it"),
        FLEET => Some(
            "put back a copy of it, or move it away and join again with the token of a member: \
             all else is kept",
        ),
        _ => None,
    }
}
