//! Dialling: from an address to a verified connection.
//!
//! One thread, `dial`, takes what is asked for and gives each dial a thread of its own, a few at
//! once, gone when the dial is over. When and whom to dial is decided elsewhere; nothing is retried
//! here. A dial never uses the listening port as its own: two dials that meet would become one
//! connection that both sides think they began.

use std::fmt;
use std::io;
use std::net::{SocketAddr, SocketAddrV6, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::link::LinkParts;
use super::peer_socket::{canonical, tune};
use super::pulse::Pulse;
use super::timed::Timed;
use super::{clock, interfaces};
use crate::limits::{
    CONNECT_WAIT_MIN, DIALS_MAX, DIALS_QUEUED, HANDSHAKE_MESSAGE_MAX, HANDSHAKE_STACK,
    HANDSHAKE_WAIT, RESOLVED_MAX, SMALL_STACK,
};
use crate::wire::handshake::{Dialling, HandshakeError, LocalPeer};

/// Gives the addresses where this host listens, as they are at that moment; called from several
/// threads.
pub type Addresses = Arc<dyn Fn() -> Vec<SocketAddr> + Send + Sync>;

/// Dials addresses on request, at most [`DIALS_MAX`] at once.
pub struct Dialler {
    dials: SyncSender<(u64, String)>,
}

/// How a dial ended; one for each that [`Dialler::dial`] took.
pub enum DialEvent {
    /// Both sides are sure of each other. [`LinkParts::dialled`] is the ID that the dial was given.
    Linked(LinkParts),
    /// The dial failed: there is no link.
    Failed {
        /// The ID that the dial was given.
        id: u64,
        /// The address as it was given to the dialler.
        address: String,
        /// Why the dial failed, for the log.
        reason: String,
        /// Whether something answered there that is no peer of this fleet, or is this host itself:
        /// it will hardly change its mind within seconds.
        stranger: bool,
    },
}

impl Dialler {
    /// Starts the thread `dial`, which ends when the `Dialler` is dropped; dials that are under way
    /// then still end with their event. While the loop stands, as `pulse` says, nobody is
    /// dialled.
    pub fn start(
        local: Arc<LocalPeer>,
        addresses: Addresses,
        pulse: Pulse,
        sink: impl Fn(DialEvent) + Send + Clone + 'static,
    ) -> io::Result<Self> {
        let (dials, queue) = mpsc::sync_channel(DIALS_QUEUED);
        let run = move || hand_out(&queue, &local, &addresses, &pulse, &sink);
        thread::Builder::new()
            .name("dial".to_owned())
            .stack_size(SMALL_STACK)
            .spawn(run)?;
        Ok(Self { dials })
    }

    /// Asks for a dial of `address`, as [`dial`] understands it. False if [`DIALS_QUEUED`] are
    /// waiting already: nothing will come of it.
    pub fn dial(&self, id: u64, address: String) -> bool {
        self.dials.try_send((id, address)).is_ok()
    }
}

/// Connects to `address` and goes through the handshake, all within `limit`. The address is
/// `host:port`, with an IPv6 address in brackets, a link-local one with its interface:
/// `[fe80::1%eth0]:7117`. On an error the connection is closed.
pub fn dial(
    address: &str,
    local: &LocalPeer,
    addresses: &Addresses,
    limit: Duration,
) -> Result<LinkParts, DialError> {
    let deadline = clock::instant() + limit;
    let stream = connect(&resolve(address)?, deadline)?;
    let remote = stream.peer_addr().map_err(DialError::Connect)?;
    tune(&stream).map_err(DialError::Connect)?;
    let mut timed = Timed::new(&stream, deadline);
    let (dialling, first) = Dialling::begin(local).map_err(DialError::Handshake)?;
    timed.write(&first).map_err(DialError::Silent)?;
    let second = timed
        .read_message(HANDSHAKE_MESSAGE_MAX)
        .map_err(DialError::Silent)?;
    let (third, hello, session) = dialling
        .answer(local, &addresses(), &second)
        .map_err(DialError::Handshake)?;
    timed.write(&third).map_err(DialError::Lost)?;
    Ok(LinkParts {
        stream,
        session,
        hello,
        address: canonical(remote),
        outgoing: true,
        dialled: None,
    })
}

/// Why a dial has not become a link.
#[derive(Debug)]
pub enum DialError {
    /// The address is none, or its name is not known.
    Name(io::Error),
    /// Nobody accepted a connection at the address.
    Connect(io::Error),
    /// Somebody was reached and did not answer the first flight: closed, kept silent, or said
    /// something far too long. So does a peer of another fleet.
    Silent(io::Error),
    /// The answer was not that of a peer of this fleet, or was this host's own.
    Handshake(HandshakeError),
    /// The connection broke when the other side had already proved itself.
    Lost(io::Error),
}

impl DialError {
    /// Whether something answered there that is no peer of this fleet, or is this host itself.
    pub fn is_stranger(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Handshake(error) => *error != HandshakeError::Randomness,
            Self::Name(_) | Self::Connect(_) | Self::Lost(_) => false,
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => write!(f, "no such address: {error}"),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Silent(error) => write!(f, "no peer of this fleet answers there: {error}"),
            Self::Handshake(error) => write!(f, "handshake failed: {error}"),
            Self::Lost(error) => write!(f, "connection lost: {error}"),
        }
    }
}

impl std::error::Error for DialError {}

/// The thread `dial`: never more than [`DIALS_MAX`] under way.
fn hand_out<S>(
    queue: &Receiver<(u64, String)>,
    local: &Arc<LocalPeer>,
    addresses: &Addresses,
    pulse: &Pulse,
    sink: &S,
) where
    S: Fn(DialEvent) + Send + Clone + 'static,
{
    let (done, ended) = mpsc::sync_channel::<()>(DIALS_MAX);
    let mut under_way = 0;
    while let Ok((id, address)) = queue.recv() {
        if pulse.stands() {
            sink(DialEvent::Failed {
                id,
                address,
                reason: "this host's loop stands".to_owned(),
                stranger: false,
            });
            continue;
        }
        under_way -= ended.try_iter().count();
        while under_way >= DIALS_MAX {
            ended.recv().expect("this thread holds a sender too");
            under_way -= 1;
        }
        let place = DialPlace(done.clone());
        let (local, addresses, report, target) = (
            Arc::clone(local),
            Arc::clone(addresses),
            sink.clone(),
            address.clone(),
        );
        let run = move || {
            report(outcome(id, target, &local, &addresses));
            drop(place);
        };
        under_way += 1;
        if let Err(error) = thread::Builder::new()
            .name(format!("dial-{id}"))
            .stack_size(HANDSHAKE_STACK)
            .spawn(run)
        {
            // The closure is dropped, and its place with it.
            sink(DialEvent::Failed {
                id,
                address,
                reason: format!("no thread for a dial: {error}"),
                stranger: false,
            });
        }
    }
}

/// Gives its place back when dropped, even by a panic.
struct DialPlace(SyncSender<()>);

impl Drop for DialPlace {
    fn drop(&mut self) {
        // There is room for one from each dial; without a receiver there is nobody to tell.
        let _room_for_all = self.0.try_send(());
    }
}

fn outcome(id: u64, address: String, local: &LocalPeer, addresses: &Addresses) -> DialEvent {
    match dial(&address, local, addresses, HANDSHAKE_WAIT) {
        Ok(parts) => DialEvent::Linked(LinkParts {
            dialled: Some(id),
            ..parts
        }),
        Err(error) => DialEvent::Failed {
            id,
            address,
            reason: error.to_string(),
            stranger: error.is_stranger(),
        },
    }
}

/// Up to [`RESOLVED_MAX`] addresses. The system's resolver cannot be given a time; one that hangs
/// keeps its thread for as long as it likes.
fn resolve(address: &str) -> Result<Vec<SocketAddr>, DialError> {
    let found: Vec<SocketAddr> = match scoped(address) {
        Some(scoped) => vec![scoped],
        None => address
            .to_socket_addrs()
            .map_err(DialError::Name)?
            .take(RESOLVED_MAX)
            .collect(),
    };
    if found.is_empty() {
        Err(DialError::Name(io::ErrorKind::NotFound.into()))
    } else {
        Ok(found)
    }
}

/// An IPv6 address with an interface by name (`[fe80::1%eth0]:7117`) or by number: RFC 4007,
/// section 11.
fn scoped(address: &str) -> Option<SocketAddr> {
    let (ip, rest) = address.strip_prefix('[')?.split_once('%')?;
    let (scope, port) = rest.split_once("]:")?;
    let scope = scope.parse().ok().or_else(|| interfaces::index_of(scope))?;
    Some(SocketAddrV6::new(ip.parse().ok()?, port.parse().ok()?, 0, scope).into())
}

/// The first that can be connected to, each with an even share of the time that is left, so that
/// one which swallows packets leaves some to the others.
fn connect(targets: &[SocketAddr], deadline: Instant) -> Result<TcpStream, DialError> {
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for (tried, target) in targets.iter().enumerate() {
        let shares = u32::try_from(targets.len() - tried).expect("RESOLVED_MAX at most");
        let share = deadline.saturating_duration_since(clock::instant()) / shares;
        match TcpStream::connect_timeout(target, share.max(CONNECT_WAIT_MIN)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(DialError::Connect(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_keeps_its_interface() {
        let expected = SocketAddrV6::new("fe80::1".parse().unwrap(), 7117, 0, 3);
        assert_eq!(
            resolve("[fe80::1%3]:7117").unwrap(),
            [SocketAddr::V6(expected)]
        );
        let loopback = interfaces::index_of("lo").expect("every Linux host has lo");
        let expected = SocketAddrV6::new("fe80::1".parse().unwrap(), 7117, 0, loopback);
        assert_eq!(
            resolve("[fe80::1%lo]:7117").unwrap(),
            [SocketAddr::V6(expected)]
        );
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for text in [
            "",
            "host",
            "[::1]",
            "[fe80::1%]:1",
            "[fe80::1%nosuchinterface]:1",
            "127.0.0.1:99999",
        ] {
            assert!(matches!(resolve(text), Err(DialError::Name(_))), "{text}");
        }
    }
}
