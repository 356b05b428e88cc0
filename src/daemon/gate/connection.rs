//! One connection, from its first byte to its last: on a thread of its own, which may block as long
//! as its deadlines allow.
//!
//! ```text
//! Head ──► Body ──► Answer ──► Linger ──► closed
//!   │        │                   │
//!   └────────┴───────────────────┴──────► Evicted   (the listener needs the place)
//! ```
//!
//! One request, one answer, and the end: what else the client sends is thrown away, as Unit does
//! it.

use std::net::Shutdown;
use std::sync::atomic::{AtomicU8, Ordering};

use super::body::{HeldBytes, Inbox};
use super::{Ending, Shared, Timing};
use crate::daemon::http::{HttpRequest, HttpResponse, RequestOrigin};
use crate::daemon::stream::{Deadline, Stream};
use crate::limits::GATE_READ_BYTES;

/// A connection that was let in. Its listener knows it too, and may take its place away while the
/// client owes something.
pub(super) struct Connection {
    pub(super) stream: Stream,
    phase: AtomicU8,
}

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ConnectionPhase {
    /// The client's head.
    Head,
    /// The client's body.
    Body,
    /// The daemon's answer, and that the client takes it.
    Answer,
    /// Nothing: the answer has been sent.
    Linger,
    /// The thread's end: the listener has taken the place away.
    Evicted,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            phase: AtomicU8::new(ConnectionPhase::Head as u8),
        }
    }

    pub(super) fn is_in(&self, phase: ConnectionPhase) -> bool {
        self.phase.load(Ordering::Acquire) == phase as u8
    }

    /// Ends it, saying `bytes`, if it still is in `phase`; false if it has gone on.
    pub(super) fn evict(&self, phase: ConnectionPhase, bytes: &[u8]) -> bool {
        let evicted = self.change(phase, ConnectionPhase::Evicted).is_ok();
        if evicted {
            self.stream.turn_away(if phase == ConnectionPhase::Linger {
                b""
            } else {
                bytes
            });
        }
        evicted
    }

    /// Serves the one request. Whatever goes wrong costs this connection only.
    pub(super) fn serve(&self, shared: &Shared, origin: RequestOrigin) {
        let mut phase = ConnectionPhase::Head;
        let answered = self.exchange(shared, origin, &mut phase);
        // From any phase in which nobody else may answer: an evicted client has been told.
        if answered.is_err()
            && phase != ConnectionPhase::Answer
            && self.change(phase, ConnectionPhase::Answer).is_err()
        {
            return;
        }
        let (bytes, _held) = match answered {
            Ok((bytes, held)) => (bytes, Some(held)),
            Err(Ending::Refused(response)) => (response.print(false), None),
            Err(Ending::Gone) => return,
        };
        let timing = &shared.timing;
        if let Err(error) = self
            .stream
            .write_all_by(&bytes, &Deadline::new(timing.write, timing.idle))
        {
            log::debug!("a client did not take its answer: {error}");
            return;
        }
        self.linger(timing);
    }

    fn exchange(
        &self,
        shared: &Shared,
        origin: RequestOrigin,
        phase: &mut ConnectionPhase,
    ) -> Result<(Vec<u8>, HeldBytes), Ending> {
        let timing = &shared.timing;
        let mut inbox = Inbox::new(&self.stream);
        let head = inbox.head(timing)?;
        if let (RequestOrigin::Tcp, Some(access)) = (origin, &shared.access) {
            access.check(&head)?;
        }
        self.change(ConnectionPhase::Head, ConnectionPhase::Body)?;
        *phase = ConnectionPhase::Body;
        if head.expects {
            self.stream
                .write_all_by(CONTINUE, &Deadline::new(timing.idle, timing.idle))?;
        }
        let mut held = HeldBytes::new(&shared.held);
        let body = inbox.body(head.length, &mut held, timing)?;
        drop(inbox);
        self.change(ConnectionPhase::Body, ConnectionPhase::Answer)?;
        *phase = ConnectionPhase::Answer;
        let headers = head.lasting().cloned().collect();
        let request = HttpRequest {
            method: head.method,
            target: head.target,
            headers,
            body,
            origin,
        };
        // Whether a request that is not answered was acted on cannot be known here.
        let silent = |_| HttpResponse::error(503, "The daemon did not answer.", "");
        Ok(shared
            .handover
            .ask(request, held)
            .recv_timeout(timing.answer)
            .map_err(silent)??)
    }

    /// Lets the client read its answer before the connection goes: closed with input unread, it
    /// would be reset.
    fn linger(&self, timing: &Timing) {
        if self
            .change(ConnectionPhase::Answer, ConnectionPhase::Linger)
            .is_err()
        {
            return;
        }
        self.stream.shutdown(Shutdown::Write);
        let deadline = Deadline::new(timing.linger, timing.linger);
        let mut waste = vec![0; GATE_READ_BYTES];
        while matches!(self.stream.read_by(&mut waste, &deadline), Ok(1..)) {}
    }

    /// The only place where a phase changes.
    fn change(&self, from: ConnectionPhase, to: ConnectionPhase) -> Result<(), Ending> {
        let changed =
            self.phase
                .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire);
        changed.map(drop).map_err(|_| Ending::Gone)
    }
}

/// Leave to send the body (RFC 9110, section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
