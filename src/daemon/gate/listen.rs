//! The gate's listeners: who is let in.
//!
//! Each has a thread that accepts and a bounded number of places. When all are taken, the one that
//! has owed something the longest loses its place, for an honest client sends its request at once
//! and an idle one may come again. No error ends a listener: want of descriptors passes.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;

use super::Shared;
use super::connection::{Connection, ConnectionPhase};
use super::files::OpenFiles;
use super::threads::{ClientThreads, Visit};
use crate::daemon::http::{HttpResponse, RequestOrigin};
use crate::daemon::stream::{Deadline, Stream};
use crate::limits::{GATE_CONNECTIONS_MAX, GATE_EVICT_WAIT, GATE_FILES_SPARE, GATE_RETRY_PAUSE};

/// A bound socket at which clients connect.
pub(super) enum ClientListener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl ClientListener {
    /// Accepts on a thread of its own until the gate stops and the socket returned is shut down.
    pub(super) fn start(self, shared: Shared) -> io::Result<OwnedFd> {
        let handle = match &self {
            Self::Unix(listener) => OwnedFd::from(listener.try_clone()?),
            Self::Tcp(listener) => OwnedFd::from(listener.try_clone()?),
        };
        let name = match self {
            Self::Unix(_) => "gate-unix",
            Self::Tcp(_) => "gate-tcp",
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || self.run(&shared))?;
        Ok(handle)
    }

    fn run(&self, shared: &Shared) {
        let mut places = ClientPlaces {
            open: Vec::new(),
            files: OpenFiles::new(),
            threads: ClientThreads::default(),
            full: HttpResponse::error(503, "Too many connections. Try again.", "").print(false),
        };
        let mut has_failed = false;
        loop {
            let accepted = self.accept();
            if shared.stopping.load(Ordering::Acquire) {
                return;
            }
            match accepted {
                Ok(stream) => {
                    has_failed = false;
                    places.admit(stream, shared, self.origin());
                }
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    if !has_failed {
                        log::warn!("no connection can be accepted: {error}");
                    }
                    has_failed = true;
                    thread::park_timeout(GATE_RETRY_PAUSE);
                }
            }
        }
    }

    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                // Answers are written at once; only a connection that is gone already refuses this.
                let _ = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
        }
    }

    fn origin(&self) -> RequestOrigin {
        match self {
            Self::Unix(_) => RequestOrigin::Unix,
            Self::Tcp(_) => RequestOrigin::Tcp,
        }
    }
}

/// The connections of one listener, oldest first; each is alive as long as a thread serves it.
struct ClientPlaces {
    open: Vec<Weak<Connection>>,
    /// What is known of the descriptors that are left.
    files: OpenFiles,
    threads: ClientThreads,
    /// The printed answer for clients that find no place.
    full: Vec<u8>,
}

impl ClientPlaces {
    fn admit(&mut self, stream: Stream, shared: &Shared, origin: RequestOrigin) {
        self.open.retain(|place| place.strong_count() > 0);
        if !self.has_place() || !self.has_files(&stream) {
            return stream.turn_away(&self.full);
        }
        let connection = Arc::new(Connection::new(stream));
        self.open.push(Arc::downgrade(&connection));
        let visit = Visit {
            connection: connection.clone(),
            shared: shared.clone(),
            origin,
        };
        if let Err(error) = self.threads.receive(visit) {
            log::debug!("a connection found no thread: {error}");
            connection.stream.turn_away(&self.full);
        }
    }

    /// Whether there are descriptors, made if need be: each connection has one at least.
    fn has_files(&self, stream: &Stream) -> bool {
        let deadline = Deadline::new(GATE_EVICT_WAIT, GATE_EVICT_WAIT);
        let mut has = self.files.has_spare(stream, GATE_FILES_SPARE);
        while !has
            && self.evict_oldest()
            && let Ok(left) = deadline.left()
        {
            thread::park_timeout(left.min(GATE_EVICT_WAIT / 10));
            has = self.files.has_spare(stream, GATE_FILES_SPARE);
        }
        has
    }

    /// Whether there is one, made if need be. An evicted connection's thread is free at once, but
    /// is counted until it is, or a flood of connections on a busy host would have any number
    /// of threads.
    fn has_place(&self) -> bool {
        let evicted = self
            .open
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|connection| connection.is_in(ConnectionPhase::Evicted))
            .count();
        evicted < GATE_CONNECTIONS_MAX
            && (self.open.len() - evicted < GATE_CONNECTIONS_MAX || self.evict_oldest())
    }

    /// Ends the connection that has been waited for the longest; of those that wait for the daemon,
    /// none.
    fn evict_oldest(&self) -> bool {
        [
            ConnectionPhase::Linger,
            ConnectionPhase::Head,
            ConnectionPhase::Body,
        ]
        .into_iter()
        .any(|phase| {
            let mut open = self.open.iter().filter_map(Weak::upgrade);
            open.find(|connection| connection.is_in(phase))
                .is_some_and(|oldest| oldest.evict(phase, &self.full))
        })
    }
}

/// The client was gone before it was accepted, or a signal came: nothing is wrong with the
/// listener.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
