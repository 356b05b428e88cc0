//! What the system's own text files say: accounts in `/etc`, tables in `/proc`.
//!
//! The accounts are those of the files; a directory service that knows more is not asked. Nothing
//! is kept but whose process this is.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;

use crate::limits::ACCOUNTS_MAX;

/// What is in a file, up to so many bytes; nothing, if it cannot be read.
pub(super) fn beginning(path: &str, length_max: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(length_max).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// The user that this process runs as: a socket belongs to whoever makes it. That is so without
/// `/proc`, too, and needs no call that the standard library does not have. `None` if there is not
/// even a socket to be had. A process stays with its user, so once known it is not asked again.
pub(crate) fn own_user() -> Option<u32> {
    static KNOWN: OnceLock<u32> = OnceLock::new();
    let ask = || {
        let socket = File::from(OwnedFd::from(UnixDatagram::unbound().ok()?));
        socket.metadata().ok().map(|found| found.uid())
    };
    match KNOWN.get() {
        Some(user) => Some(*user),
        None => ask().map(|user| *KNOWN.get_or_init(|| user)),
    }
}

/// The number of a group, from its name or its number.
pub(super) fn group(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .or_else(|| number_of(text, &beginning(GROUPS, ACCOUNTS_MAX)))
}

/// The number in the line of this name (group(5), passwd(5)).
fn number_of(name: &str, accounts: &str) -> Option<u32> {
    let lines = accounts
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    lines
        .filter(|fields| fields[0] == name)
        .find_map(|fields| fields.get(2)?.parse().ok())
}

/// The file that lists the users of this host.
pub(super) const USERS: &str = "/etc/passwd";
/// The file that lists the groups of this host.
pub(super) const GROUPS: &str = "/etc/group";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name_or_taken_as_a_number() {
        let groups = "root:x:0:\nunit:x:33:a,b\nbroken\nodd:x:y:\nunit2:x:34:\n";
        assert_eq!(number_of("unit", groups), Some(33));
        assert_eq!(
            (
                number_of("uni", groups),
                number_of("broken", groups),
                number_of("odd", groups)
            ),
            (None, None, None)
        );
        assert_eq!(
            (group("4711"), group("root"), group("no-group-at-all")),
            (Some(4711), Some(0), None)
        );
        assert_eq!(
            own_user(),
            std::fs::metadata("/proc/self")
                .ok()
                .map(|found| found.uid())
        );
    }
}
