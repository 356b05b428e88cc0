//! Unix sockets, where the standard library leaves something to be done.
//!
//! Whoever connects to one (the gate, the client of Unit's API) does it here.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to the socket at `path`. The standard library begins anew after a signal for TCP only, and a machine that was stopped
/// for a moment wakes whoever waits as a signal does.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
