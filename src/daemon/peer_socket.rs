//! The sockets of connections between peers: how they are tuned, and how the other side's address
//! is written.
//!
//! The dialler, the listener and the links make use of this alike, so that a connection is the same
//! whoever began it.

use std::io;
use std::net::{SocketAddr, TcpStream};

use socket2::SockRef;

use crate::limits::{UNACKNOWLEDGED_MAX, UNSENT_MAX};

/// Sets what every connection between peers wants.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    // Without it (Nagle, RFC 896) an announcement of 200 bytes that follows another waits for the
    // other host's acknowledgement, which that host delays by up to 40 ms in the hope of an
    // answer to put it on. The writer gathers what it has into one write itself.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_notsent_lowat(UNSENT_MAX)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

/// An IPv4 address as such, also where a socket for both shows it as IPv6 (RFC 4291, section
/// 2.5.5.2).
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_peer_is_shown_as_such_on_a_socket_for_both() {
        assert_eq!(
            canonical("[::ffff:192.0.2.1]:5".parse().unwrap()),
            "192.0.2.1:5".parse().unwrap()
        );
        let scoped: SocketAddr = "[fe80::1%2]:5".parse().unwrap();
        assert_eq!(canonical(scoped), scoped);
    }
}
