//! What keeps a server from listening: the address is not here, somebody else is there, the right
//! is missing.
//!
//! An address is tried by binding a socket to it that never listens, and is closed at once: no
//! client can ever meet it. One that the server listens at already is not tried: it would be found
//! to be taken, by the server.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use socket2::{Domain, Socket, Type};

use super::holder::{ListeningSocket, listening_at, listening_at_path};
use crate::daemon::system::beginning;
use crate::daemon::unix;
use crate::limits::LISTENERS_TRIED_MAX;
use crate::model::json::{Map, Value};

/// Adds what is wrong with these listeners for a server of that user; `runs` says of which the
/// server says that it runs one of that name.
pub(super) fn examine(
    listeners: &[(&str, &Map<String, Value>)],
    runs: impl Fn(&str) -> bool,
    server_user: Option<u32>,
    found: &mut Vec<String>,
) {
    for (name, listener) in listeners.iter().take(LISTENERS_TRIED_MAX) {
        if !listener.contains_key("pass") {
            found.push(format!("listener \"{name}\" has no \"pass\""));
        }
        match (name.strip_prefix("unix:"), address(name)) {
            _ if runs(name) => {}
            // A name that is no path is taken or free, and who may have it nobody decides.
            (Some(path), _) if path.starts_with('/') => {
                found.extend(wrong_path(Path::new(path), server_user))
            }
            (None, Some(address)) => found.extend(wrong_address(address, server_user)),
            _ => {}
        }
    }
}

/// The address that a listener's name means; `*` is all of IPv4.
fn address(name: &str) -> Option<SocketAddr> {
    match name.strip_prefix("*:") {
        Some(port) => Some(SocketAddr::from((
            Ipv4Addr::UNSPECIFIED,
            port.parse().ok()?,
        ))),
        None => name.parse().ok(),
    }
}

fn wrong_address(address: SocketAddr, server_user: Option<u32>) -> Option<String> {
    let taken = |socket: ListeningSocket| format!("{address} is taken by {}", socket.holder());
    match bind(address) {
        Ok(()) if is_privileged(address.port()) => not_allowed(address.port(), server_user),
        Ok(()) => None,
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Some(format!(
            "no interface of this host has the address {}",
            address.ip()
        )),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Some(
            listening_at(address)
                .map_or_else(|| format!("{address} is taken by another process"), taken),
        ),
        // This process may not, which does not mean that the server may not.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => listening_at(address)
            .map(taken)
            .or_else(|| not_allowed(address.port(), server_user)),
        Err(_) => None,
    }
}

/// Binds a socket as Unit does, and does not listen.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}

fn is_privileged(port: u16) -> bool {
    let first_free = beginning("/proc/sys/net/ipv4/ip_unprivileged_port_start", 16);
    port < first_free.trim().parse().unwrap_or(1024)
}

/// Root may do everything, and what capabilities another user's process has is not looked at.
fn not_allowed(port: u16, server_user: Option<u32>) -> Option<String> {
    let user = server_user.filter(|user| *user != 0)?;
    Some(format!(
        "port {port} is privileged, and the server's control socket belongs to user {user}, not \
         to root"
    ))
}

fn wrong_path(path: &Path, server_user: Option<u32>) -> Option<String> {
    let shown = path.display();
    if let Some(socket) = listening_at_path(path) {
        return Some(format!("{shown} is taken by {}", socket.holder()));
    }
    let home = path.parent()?;
    match (fs::metadata(home), fs::symlink_metadata(path)) {
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => {
            Some(format!("the directory {} does not exist", home.display()))
        }
        (Ok(found), _) if !found.is_dir() => Some(format!("{} is no directory", home.display())),
        (_, Ok(found)) if !found.file_type().is_socket() => {
            Some(format!("{shown} exists and is no socket"))
        }
        (_, Ok(_)) if is_left(path) => Some(left(path)),
        (Ok(found), _) => {
            let user = server_user.filter(|user| !may_write(&found, *user))?;
            Some(format!(
                "user {user}, to whom the server's control socket belongs, cannot write to {}",
                home.display()
            ))
        }
        _ => None,
    }
}

/// Adds the sockets of listeners that nobody listens at, though their files are there: Unit binds a
/// socket and never takes away what is in its place, and a router that was killed leaves the files
/// of all its listeners. What the server says that it runs tells nothing here.
pub(super) fn examine_sockets(
    listeners: impl Iterator<Item = impl AsRef<str>>,
    found: &mut Vec<String>,
) {
    for name in listeners.take(LISTENERS_TRIED_MAX) {
        let path = name
            .as_ref()
            .strip_prefix("unix:")
            .map(Path::new)
            .filter(|path| path.is_absolute());
        if let Some(path) = path.filter(|path| listening_at_path(path).is_none() && is_left(path)) {
            let line = left(path);
            if !found.contains(&line) {
                found.push(line);
            }
        }
    }
}

/// Whether it is a socket that nobody listens at. The table of sockets has only those of this
/// network namespace, so one that it does not have is asked itself.
fn is_left(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    is_socket
        && unix::answers(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn left(path: &Path) -> String {
    format!(
        "{0} is a socket that a crash left, and nobody listens at it: remove it, rm {0}",
        path.display()
    )
}

/// Whether that user may make files there, as far as it can be told: nobody knows its groups.
fn may_write(directory: &fs::Metadata, user: u32) -> bool {
    let by_owner = if directory.uid() == user { 0o200 } else { 0 };
    user == 0 || directory.mode() & (0o022 | by_owner) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listeners_name_is_an_address_as_unit_reads_it() {
        for (name, expected) in [
            ("*:8080", Some("0.0.0.0:8080")),
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            ("[::1]:80", Some("[::1]:80")),
            ("*:x", None),
            ("localhost:80", None),
        ] {
            assert_eq!(
                address(name),
                expected.map(|text| text.parse().unwrap()),
                "{name}"
            );
        }
    }

    #[test]
    fn a_port_that_is_tried_is_free_again_at_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        bind(address).unwrap();
        assert!(
            std::net::TcpStream::connect(address).is_err(),
            "nothing listens there"
        );
        std::net::TcpListener::bind(address).unwrap();
    }
}
