//! Unix sockets, where the standard library leaves something to be done.
//!
//! Whoever connects to one (the gate, the client of Unit's API) does it here, and whoever listens.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

/// Who may connect to a socket of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The mode of the socket's file.
    pub mode: u32,
    /// The number of its group, if not that of this process.
    pub group: Option<u32>,
}

impl Rights {
    /// Rights for the owner alone.
    pub const PRIVATE: Self = Self {
        mode: 0o600,
        group: None,
    };
}

/// Listens at `path`, in place of what is there. It is made under another name, and hears nobody
/// before it has its rights: a moment in which others can connect would be enough for them.
pub(super) fn listen(path: &Path, rights: Rights) -> io::Result<UnixListener> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&temporary)?)?;
    let open = || {
        // Before the mode: until then it is a group that may do nothing which has it.
        if let Some(group) = rights.group {
            fs::set_permissions(&temporary, Permissions::from_mode(Rights::PRIVATE.mode))?;
            let words = |error: io::Error| {
                io::Error::new(
                    error.kind(),
                    format!("cannot give it to group {group}: {error}"),
                )
            };
            chown(&temporary, None, rights.group).map_err(words)?;
        }
        fs::set_permissions(&temporary, Permissions::from_mode(rights.mode))?;
        socket.listen(BACKLOG)?;
        fs::rename(&temporary, path)
    };
    open().inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// A connection to the socket at `path`. The standard library begins anew after a signal for TCP
/// only, and a machine that was stopped for a moment wakes whoever waits as a signal does.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Whether somebody listens at `path`, without waiting for him: he has a full queue, or accepts and
/// sees a connection that is closed again.
pub(super) fn answers(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        other => other,
    }
}

/// Connections that wait to be accepted, as the standard library has it; the system may allow
/// fewer.
const BACKLOG: i32 = 128;
