//! Binding the sockets that are listened on.
//!
//! An error names the address, and leaves nothing bound.

use std::io::{self};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::target::holder;
use crate::limits::{BACKLOG, PORT};
use log::debug;
use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

pub(super) fn bind_all(listen: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let everywhere = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT))];
    let listen = if listen.is_empty() {
        &everywhere
    } else {
        listen
    };
    let both = !listen.iter().any(SocketAddr::is_ipv4);
    listen
        .iter()
        .map(|address| bind_or_fall_back(*address, both))
        .collect()
}

/// A host without IPv6 refuses the socket or the address; on it, every address means every IPv4
/// address.
fn bind_or_fall_back(address: SocketAddr, both: bool) -> io::Result<TcpListener> {
    let everywhere = address.is_ipv6() && address.ip().is_unspecified();
    let bound = match bind(address, everywhere && both) {
        Err(error) if everywhere && both && error.kind() != io::ErrorKind::AddrInUse => {
            debug!("no IPv6 on this host: {error}");
            bind((Ipv4Addr::UNSPECIFIED, address.port()).into(), false)
        }
        bound => bound,
    };
    bound.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!(
                "cannot listen on {address}: {}",
                holder::words(address, &error)
            ),
        )
    })
}

fn bind(address: SocketAddr, both: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!both)?;
    }
    // Connections of the last run linger for a minute after a restart; they must not keep the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
