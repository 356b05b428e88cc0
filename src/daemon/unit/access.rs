//! Whose a server's control socket is, for a user that is not let in: what to say, and what to do
//! about it.
//!
//! Two things keep a user out: the mode of the socket, and FreeUnit, which looks at who connects
//! (SO_PEERCRED) and closes at once unless it is root or its own user. Nothing is asked of the
//! server here.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::daemon::system::own_user;

/// Who listens at a control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Server,
    /// Starling's REST endpoint, which a person asks from the command line.
    Starling,
}

/// What to say of a connection that was closed before a byte of an answer: nothing, if it cannot be
/// because of who we are.
pub(super) fn cut_off(socket: &Path) -> Option<String> {
    let (own, owner) = (own_user()?, fs::metadata(socket).ok()?.uid());
    unwanted(own, owner)
}

fn unwanted(own: u32, owner: u32) -> Option<String> {
    let is_unwanted = own != 0 && own != owner;
    is_unwanted.then(|| {
        format!(
            "if it is a FreeUnit: it talks to root and its own user only, and this is user {own}, \
             the socket is user {owner}'s: run starling as user {owner} or as root"
        )
    })
}

/// What to say of a socket that may not be connected to.
pub(super) fn closed(socket: &Path, whose: Endpoint) -> String {
    let own = own_user().map_or("this user".to_owned(), |own| format!("this user ({own})"));
    match fs::metadata(socket) {
        Ok(found) => {
            let (mode, owner, group) = (found.mode() & 0o7777, found.uid(), found.gid());
            let cure = match whose {
                Endpoint::Server => format!("run starling as user {owner}, or start NGINX Unit"),
                Endpoint::Starling => format!("type this as user {owner}, or have starling run"),
            };
            format!(
                "the socket has mode {mode:04o} and is user {owner}'s and group {group}'s, and \
                 {own} may not write to it: {cure} with --control-mode 660 and a --control-group \
                 of this user"
            )
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("a directory on the way to it is closed to {own}")
        }
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_user_that_is_neither_root_nor_the_servers_is_told_to_be_unwanted() {
        assert_eq!((unwanted(0, 33), unwanted(33, 33)), (None, None));
        let words = unwanted(65_534, 33).unwrap();
        assert!(
            words.contains("user 65534") && words.contains("run starling as user 33 or as root"),
            "{words}"
        );
    }

    #[test]
    fn a_socket_that_is_closed_is_described() {
        let path = std::env::temp_dir().join(format!("starling-closed-{}", std::process::id()));
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let owner = fs::metadata(&path).unwrap().uid();
        for (whose, cure) in [
            (Endpoint::Server, "or start NGINX Unit with"),
            (Endpoint::Starling, "or have starling run with"),
        ] {
            let words = closed(&path, whose);
            let is_right = words
                .starts_with(&format!("the socket has mode 0600 and is user {owner}'s"))
                && words.contains(cure);
            assert!(is_right, "{words}");
        }
        fs::remove_file(&path).unwrap();
    }
}
