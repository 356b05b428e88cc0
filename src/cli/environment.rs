//! What the defaults depend on: the user, the directories, the host's name, and the settings file
//! itself.
//!
//! Only here does the command line look at the machine; what follows from it is decided in
//! [`crate::settings`]. Nothing is written, and a directory that is not named as its specification
//! wants it counts as not set.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use super::failure::CommandError;
use crate::daemon::system::own_user;
use crate::limits;
use crate::settings::Environment;

/// Reads the environment of this process and this host.
pub(super) fn read() -> Environment {
    Environment {
        root: own_user() == Some(0),
        home: directory("HOME"),
        xdg_state_home: directory("XDG_STATE_HOME"),
        xdg_runtime_dir: directory("XDG_RUNTIME_DIR"),
        host_name: HOST_NAMES
            .iter()
            .find_map(|file| fs::read_to_string(file).ok())
            .unwrap_or_default(),
    }
}

/// The settings file's name and content: the one that was named, or else the usual one, if it is
/// there.
pub(super) fn settings_file(
    named: Option<&str>,
) -> Result<Option<(String, Vec<u8>)>, CommandError> {
    let name = named.unwrap_or(USUAL);
    match content(name) {
        Ok(text) => Ok(Some((name.to_owned(), text))),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CommandError::Usage(format!("{name}: {error}"))),
    }
}

/// A byte more than may be, so that whoever reads it sees that it is too long.
fn content(name: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(name)?
        .take(limits::SETTINGS_FILE_MAX as u64 + 1)
        .read_to_end(&mut text)?;
    Ok(text)
}

/// XDG Base Directory Specification: paths that are not absolute are to be ignored.
fn directory(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// Where the host's name is: as it is now, and where there is no `/proc`, as it was set for the
/// next start.
const HOST_NAMES: [&str; 2] = ["/proc/sys/kernel/hostname", "/etc/hostname"];
const USUAL: &str = "/etc/starling/starling.conf";
