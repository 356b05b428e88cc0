//! Why settings are not taken, as people read it.
//!
//! Each error names the flag, or the file and its member, and what was expected there.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::limits;
use crate::model::json::JsonError;

/// Why settings are not taken. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsError {
    /// The file is no JSON.
    Syntax {
        /// The file.
        file: String,
        /// What is wrong, and where.
        error: JsonError,
    },
    /// The file is not one object, or too long.
    Shape {
        /// The file.
        file: String,
        /// What was expected.
        expected: String,
    },
    /// The file has a member that nobody knows.
    Unknown {
        /// The file.
        file: String,
        /// The member.
        member: String,
        /// The known name that is most like it.
        nearest: Option<String>,
    },
    /// A value is not what it should be.
    Value {
        /// The flag, or the file and the member.
        place: String,
        /// What was expected.
        expected: &'static str,
        /// What was there.
        found: String,
    },
    /// A member of the file has another JSON type.
    Type {
        /// The file and the member.
        place: String,
        /// What was expected.
        expected: &'static str,
        /// The beginning of what was there, as JSON.
        found: String,
    },
    /// Neither `$HOME` nor `$XDG_STATE_HOME` nor `--state` says where the state is.
    NoHome,
    /// The control socket's path is longer than the system allows.
    SocketPath(PathBuf),
    /// REST over TCP for other hosts, without a token.
    Open(SocketAddr),
    /// A token for REST over TCP, which is not switched on.
    TokenWithoutApi,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { file, error } => write!(f, "{file}: {error}"),
            Self::Shape { file, expected } => write!(f, "{file}: expected {expected}"),
            Self::Unknown {
                file,
                member,
                nearest: None,
            } => write!(f, "{file}: unknown member {member:?}"),
            Self::Unknown {
                file,
                member,
                nearest: Some(nearest),
            } => {
                write!(
                    f,
                    "{file}: unknown member {member:?}; did you mean {nearest:?}?"
                )
            }
            Self::Value {
                place,
                expected,
                found,
            } => write!(f, "{place}: expected {expected}, found {found:?}"),
            Self::Type {
                place,
                expected,
                found,
            } => write!(f, "{place}: expected {expected}, found {found}"),
            Self::NoHome => {
                f.write_str("--state: needed, for there is neither $XDG_STATE_HOME nor $HOME")
            }
            Self::SocketPath(path) => {
                write!(
                    f,
                    "--control: a socket's path has at most {} bytes: {}",
                    limits::SOCKET_PATH_MAX,
                    path.display()
                )
            }
            Self::Open(api) => {
                write!(
                    f,
                    "--api: {api} is open to other hosts, so a token is needed: give \
                     --api-token-file, or a loopback address"
                )
            }
            Self::TokenWithoutApi => f.write_str("--api-token-file: of no use without --api"),
        }
    }
}

impl std::error::Error for SettingsError {}
