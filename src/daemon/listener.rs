//! Listening: from whoever connects to verified peers, and nothing for anybody else.
//!
//! The thread `listen` holds all connections that have not shown knowledge of the fleet key yet, in
//! a bounded number of places and for a second each; it alone reads first flights, and never waits
//! for any one of them. Only when a first flight has verified does a connection get a handshake
//! place and a thread of its own, `handshake`, where something is answered for the first time.
//! Whatever fails before or after is closed without a word. The one door to `mio`.

mod binding;
mod places;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::clock;
use super::dialler::Addresses;
use super::link::LinkParts;
use super::peer_socket::{canonical, tune};
use super::pulse::Pulse;
use super::timed::Timed;
use crate::daemon::listener::binding::bind_all;
use crate::limits::{
    ACCEPT_PAUSE, FIRST_FLIGHT_WAIT, FIRST_FLIGHTS_MAX, HANDSHAKE_MESSAGE_MAX, HANDSHAKE_STACK,
    HANDSHAKE_WAIT,
};
use crate::wire::handshake::{FIRST_LEN, Listening, LocalPeer, MAGIC, SeenEphemerals};
use log::{debug, warn};
use mio::net::{TcpListener, TcpStream as Waiting};
use mio::{Events, Interest, Poll, Token, Waker};
use places::{Caller, HandshakePlace, HandshakePlaces, Wake};

/// The addresses to listen at, and the identity to answer with.
pub struct ListenerSettings {
    /// Each is listened on; none means [`PORT`] on every address. `[::]` also takes IPv4, unless
    /// an IPv4 address is listed too, and falls back to `0.0.0.0` on a host without IPv6. Port
    /// 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// The identity of this host, and its fleet.
    pub local: Arc<LocalPeer>,
    /// Gives the addresses that this host tells its peers.
    pub addresses: Addresses,
    /// Whether the loop turns: while it does not, nobody is answered.
    pub pulse: Pulse,
}

/// The running listener. Dropping it stops it.
pub struct Listener {
    bound: Vec<SocketAddr>,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Binds, and starts the thread `listen`. `sink` is called from the handshakes' threads and may
    /// block: the peer that it has not taken yet only holds a place. An error names the address
    /// and leaves nothing bound.
    pub fn start(
        settings: ListenerSettings,
        sink: impl Fn(LinkParts) + Send + Clone + 'static,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut doors = bind_all(&settings.listen)?;
        for (index, door) in doors.iter_mut().enumerate() {
            poll.registry()
                .register(door, Token(index), Interest::READABLE)?;
        }
        let bound = doors
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<_>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let acceptor = Acceptor {
            first_client: doors.len(),
            poll,
            doors,
            clients: BTreeMap::new(),
            next: 0,
            pause_until: None,
            crowded: false,
            complained: false,
            seen: SeenEphemerals::default(),
            verified: Vec::new(),
            places: HandshakePlaces::new(wake(&waker)),
            local: settings.local,
            addresses: settings.addresses,
            pulse: settings.pulse,
            sink,
        };
        let stopped = Arc::clone(&stop);
        let run = move || acceptor.run(&stopped);
        let thread = thread::Builder::new()
            .name("listen".to_owned())
            .stack_size(HANDSHAKE_STACK)
            .spawn(run)?;
        Ok(Self {
            bound,
            stop,
            waker,
            thread: Some(thread),
        })
    }

    /// The addresses that are listened on, with the ports that the system chose, in the order of
    /// the settings.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.bound
    }

    /// Closes the doors and all that waits at them; handshakes under way still end within
    /// [`HANDSHAKE_WAIT`].
    pub fn stop(self) {}
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.waker.wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            // It never blocks on anything but the poll that was just woken. A panic of its own has
            // been reported where it happened.
            let _reported_by_itself = thread.join();
        }
    }
}

/// The state of the thread `listen`.
struct Acceptor<S> {
    poll: Poll,
    doors: Vec<TcpListener>,
    /// Who has not sent a whole first flight yet, the oldest first.
    clients: BTreeMap<usize, Client>,
    /// Tokens of mio below this are those of listening sockets.
    first_client: usize,
    next: usize,
    pause_until: Option<Instant>,
    /// Whether somebody may still wait at a door.
    crowded: bool,
    complained: bool,
    seen: SeenEphemerals,
    /// Who has shown knowledge of the fleet key and waits for a handshake place, the first to come
    /// at the front.
    verified: Vec<Verified>,
    places: HandshakePlaces,
    local: Arc<LocalPeer>,
    addresses: Addresses,
    pulse: Pulse,
    sink: S,
}

/// A connection of which nothing is known.
struct Client {
    stream: Waiting,
    remote: SocketAddr,
    bytes: [u8; FIRST_LEN],
    count: usize,
    deadline: Instant,
}

/// A connection from somebody who knows the fleet key.
struct Verified {
    stream: TcpStream,
    remote: SocketAddr,
    listening: Listening,
    /// When the handshake must be over, the waiting included.
    deadline: Instant,
}

/// What reading a client's bytes has come to.
enum Flight {
    Waiting,
    Whole,
    Hopeless,
}

impl<S: Fn(LinkParts) + Send + Clone + 'static> Acceptor<S> {
    fn run(mut self, stop: &AtomicBool) {
        let mut events = Events::with_capacity(FIRST_FLIGHTS_MAX + self.doors.len() + 1);
        while !stop.load(Ordering::Acquire) {
            if let Err(error) = self.poll.poll(&mut events, self.patience())
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.complain(&error);
            }
            let clients: Vec<usize> = events
                .iter()
                .map(|event| event.token().0)
                .filter(|token| self.is_client(*token))
                .collect();
            for token in clients {
                self.read(token);
            }
            self.drop_late();
            self.accept_all();
            self.give_places();
        }
    }

    fn is_client(&self, token: usize) -> bool {
        self.clients.contains_key(&token)
    }

    /// How long there is nothing to do unless somebody comes.
    fn patience(&self) -> Option<Duration> {
        if self.crowded {
            return Some(Duration::ZERO);
        }
        let first = self.clients.values().next().map(|client| client.deadline);
        let due = [first, self.pause_until].into_iter().flatten().min()?;
        Some(due.saturating_duration_since(clock::instant()))
    }

    fn drop_late(&mut self) {
        let now = clock::instant();
        while let Some(oldest) = self.clients.first_entry()
            && oldest.get().deadline <= now
        {
            oldest.remove();
        }
    }

    /// Takes who waits at the doors, of a crowd only so many that those who have come in are heard
    /// in between. Asking in vain costs a system call; a door that was not asked to the end
    /// gives no event again.
    fn accept_all(&mut self) {
        if self
            .pause_until
            .is_some_and(|until| clock::instant() < until)
        {
            return;
        }
        self.pause_until = None;
        self.crowded = false;
        for door in 0..self.doors.len() {
            let mut admitted = 0;
            while admitted < FIRST_FLIGHTS_MAX
                && let Some(accepted) = self.accept(door)
            {
                self.admit(accepted);
                admitted += 1;
            }
            self.crowded |= admitted == FIRST_FLIGHTS_MAX;
        }
        self.complained &= self.pause_until.is_some();
    }

    fn accept(&mut self, door: usize) -> Option<(Waiting, SocketAddr)> {
        loop {
            match self.doors[door].accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // Theirs: it went away, or the network under it did (accept(2), "Error handling").
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    self.complain(&error);
                    self.pause_until = Some(clock::instant() + ACCEPT_PAUSE);
                    return None;
                }
            }
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if !self.complained {
            warn!("cannot accept connections, will go on trying: {error}");
        }
        self.complained = true;
    }

    /// Gives a connection a place, the oldest's if all are taken. A dialler's first flight is often
    /// there already: then it needs none.
    fn admit(&mut self, (stream, remote): (Waiting, SocketAddr)) {
        let deadline = clock::instant() + FIRST_FLIGHT_WAIT;
        let mut client = Client {
            stream,
            remote,
            bytes: [0; FIRST_LEN],
            count: 0,
            deadline,
        };
        match client.read() {
            Flight::Hopeless => {}
            Flight::Whole => self.receive(client),
            Flight::Waiting => {
                // Never used twice: 2^32 connections at the very least.
                let token = self.first_client + self.next;
                self.next = self.next.wrapping_add(1) % (WAKE.0 - self.first_client);
                if self
                    .poll
                    .registry()
                    .register(&mut client.stream, Token(token), Interest::READABLE)
                    .is_ok()
                {
                    self.clients.insert(token, client);
                }
            }
        }
        if self.clients.len() > FIRST_FLIGHTS_MAX {
            self.clients.pop_first();
        }
    }

    fn read(&mut self, token: usize) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        match client.read() {
            Flight::Waiting => {}
            Flight::Hopeless => drop(self.clients.remove(&token)),
            Flight::Whole => {
                let mut client = self.clients.remove(&token).expect("it was found above");
                if self.poll.registry().deregister(&mut client.stream).is_ok() {
                    self.receive(client);
                }
            }
        }
    }

    /// The first flight is whole: it may wait for a place if it verifies and is new.
    fn receive(&mut self, client: Client) {
        let remote = canonical(client.remote);
        let listening = match Listening::receive(&self.local, &client.bytes) {
            Ok(listening) => listening,
            Err(error) => return debug!("{remote} turned away: {error}"),
        };
        // Whoever had a link would take this host for healthy, and be heard by nobody.
        if self.pulse.stands() {
            return debug!("{remote} turned away: the loop stands");
        }
        if !self.seen.is_new(listening.ephemeral()) {
            return debug!("{remote} turned away: a first message that was seen before");
        }
        let waiting: Vec<IpAddr> = self
            .verified
            .iter()
            .map(|other| other.remote.ip())
            .collect();
        match self.places.admit(&waiting, remote.ip()) {
            Caller::Waits => {}
            Caller::InsteadOf(other) => drop(self.verified.remove(other)),
            Caller::TurnedAway => {
                return debug!("{remote} turned away: too many peers wait for a handshake");
            }
        }
        let deadline = client.deadline + (HANDSHAKE_WAIT - FIRST_FLIGHT_WAIT);
        self.verified.push(Verified {
            stream: client.stream.into(),
            remote,
            listening,
            deadline,
        });
    }

    /// Gives the free handshake places to those who wait.
    fn give_places(&mut self) {
        let now = clock::instant();
        self.verified.retain(|waiting| waiting.deadline > now);
        self.places.reclaim();
        while let Some((next, mut place)) = self.next_with_place() {
            let (local, addresses, sink) = (
                Arc::clone(&self.local),
                Arc::clone(&self.addresses),
                self.sink.clone(),
            );
            let run = move || {
                let remote = next.remote;
                match next.shake_hands(&local, &addresses) {
                    Ok(parts) => {
                        place.is_met();
                        sink(parts);
                    }
                    Err(error) => debug!("{remote} turned away: {error}"),
                }
                // Not before: while the daemon cannot take them, new peers must not pile up as
                // threads.
                drop(place);
            };
            if let Err(error) = thread::Builder::new()
                .name("handshake".to_owned())
                .stack_size(HANDSHAKE_STACK)
                .spawn(run)
            {
                warn!("no thread for a handshake: {error}");
            }
        }
    }

    fn next_with_place(&mut self) -> Option<(Verified, HandshakePlace)> {
        let waiting: Vec<IpAddr> = self
            .verified
            .iter()
            .map(|other| other.remote.ip())
            .collect();
        let (next, place) = self.places.take(&waiting)?;
        Some((self.verified.remove(next), place))
    }
}

impl Client {
    /// Reads what is there, and no more than a first flight.
    fn read(&mut self) -> Flight {
        while self.count < FIRST_LEN {
            match self.stream.read(&mut self.bytes[self.count..]) {
                Ok(0) => return Flight::Hopeless,
                Ok(count) => self.count += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flight::Waiting,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Flight::Hopeless,
            }
            let known = self.count.min(MAGIC.len());
            if self.bytes[..known] != MAGIC[..known] {
                return Flight::Hopeless;
            }
        }
        Flight::Whole
    }
}

impl Verified {
    /// Goes through messages 2 and 3 of the handshake.
    fn shake_hands(self, local: &LocalPeer, addresses: &Addresses) -> Result<LinkParts, String> {
        let words = |error: io::Error| error.to_string();
        let Self {
            stream,
            remote,
            listening,
            deadline,
        } = self;
        stream.set_nonblocking(false).map_err(words)?;
        tune(&stream).map_err(words)?;
        let mut timed = Timed::new(&stream, deadline);
        let (second, awaiting) = listening
            .reply(local, &addresses())
            .map_err(|error| error.to_string())?;
        timed.write(&second).map_err(words)?;
        let third = timed.read_message(HANDSHAKE_MESSAGE_MAX).map_err(words)?;
        let (hello, session) = awaiting
            .finish(local, &third)
            .map_err(|error| error.to_string())?;
        Ok(LinkParts {
            stream,
            session,
            hello,
            address: remote,
            outgoing: false,
            dialled: None,
        })
    }
}

/// Somebody may wait for what was given back. A waker that fails leaves them until the next
/// connection comes.
fn wake(waker: &Arc<Waker>) -> Wake {
    let waker = Arc::clone(waker);
    Arc::new(move || {
        let _next_one_wakes = waker.wake();
    })
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable,
    };
    matches!(
        error.kind(),
        Interrupted
            | ConnectionAborted
            | ConnectionReset
            | NetworkDown
            | NetworkUnreachable
            | HostUnreachable
    )
}

const WAKE: Token = Token(usize::MAX);
