//! Why a command fails, and with which exit status.
//!
//! A mistake of the user is told apart from a command that was tried: after the former nothing has
//! happened.

use std::fmt;

use crate::daemon::state_dir::StateError;
use crate::settings::SettingsError;

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommandError {
    /// The arguments or the settings file are wrong. Nothing has happened.
    Usage(String),
    /// The command was tried, and failed.
    Failed(String),
}

impl CommandError {
    /// The exit status of the program.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(words) | Self::Failed(words) => f.write_str(words),
        }
    }
}

impl From<StateError> for CommandError {
    fn from(error: StateError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SettingsError> for CommandError {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}
