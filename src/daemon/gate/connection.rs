//! One connection, from its first byte to its last: on a thread of its own, which may block as long as its deadlines allow.
//!
//! ```text
//! Head ──► Body ──► Answer ──► Linger ──► closed
//!   │        │                   │
//!   └────────┴───────────────────┴──────► Evicted   (the listener needs the place)
//! ```
//!
//! One request, one answer, and the end: what else the client sends is thrown away, as Unit does it.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use super::body::{Held, Inbox};
use super::head::Head;
use super::stream::{Deadline, Stream};
use super::{Ending, Shared, Timing};
use crate::daemon::http::{self, Http, Origin, Response};
use crate::limits::{GATE_ANSWER_SMALL, GATE_FILES_HANDOVER, GATE_HEAD_MAX, GATE_READ_BYTES, GATE_RETRY_PAUSE};

/// A connection that was let in. Its listener knows it too, and may take its place away while the client owes something.
pub(super) struct Connection {
    pub(super) stream: Stream,
    phase: AtomicU8,
}

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// The client's head.
    Head,
    /// The client's body.
    Body,
    /// The daemon's answer, and that the client takes it.
    Answer,
    /// Nothing: the answer has been sent.
    Linger,
    /// The thread's end.
    Evicted,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, phase: AtomicU8::new(Phase::Head as u8) }
    }

    pub(super) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) == phase as u8
    }

    /// Ends it, saying `bytes`, if it still is in `phase`; false if it has gone on.
    pub(super) fn evict(&self, phase: Phase, bytes: &[u8]) -> bool {
        let evicted = self.change(phase, Phase::Evicted).is_ok();
        if evicted {
            self.stream.turn_away(if phase == Phase::Linger { b"" } else { bytes });
        }
        evicted
    }

    /// Serves the one request. Whatever goes wrong costs this connection only.
    pub(super) fn serve(&self, shared: &Shared, origin: Origin) {
        let mut phase = Phase::Head;
        let answered = self.exchange(shared, origin, &mut phase);
        // From any phase in which nobody else may answer: an evicted client has been told.
        if answered.is_err() && phase != Phase::Answer && self.change(phase, Phase::Answer).is_err() {
            return;
        }
        let (bytes, _held) = match answered {
            Ok((bytes, held)) => (bytes, Some(held)),
            Err(Ending::Refused(response)) => (printed(response), None),
            Err(Ending::Gone) => return,
        };
        let timing = &shared.timing;
        if let Err(error) = self.stream.write_all(&bytes, &Deadline::new(timing.write, timing.idle)) {
            log::debug!("a client did not take its answer: {error}");
            return;
        }
        self.linger(timing);
    }

    fn exchange(&self, shared: &Shared, origin: Origin, phase: &mut Phase) -> Result<(Vec<u8>, Held), Ending> {
        let timing = &shared.timing;
        let mut inbox = Inbox::new(&self.stream);
        let head = inbox.head(timing)?;
        if let (Origin::Tcp, Some(access)) = (origin, &shared.access) {
            access.check(&head)?;
        }
        self.change(Phase::Head, Phase::Body)?;
        *phase = Phase::Body;
        if head.expects {
            self.stream.write_all(CONTINUE, &Deadline::new(timing.idle, timing.idle))?;
        }
        let mut held = Held::new(&shared.held);
        let body = inbox.body(head.length, &mut held, timing)?;
        drop(inbox);
        self.change(Phase::Body, Phase::Answer)?;
        *phase = Phase::Answer;
        let server = self.hand_over(&shared.http, timing)?;
        ask(&server, &head, body, origin, timing).map_err(|error| silent(&error))?;
        answer(&server, &head, held, timing)
    }

    /// A connection to the server behind, as soon as there are descriptors for it. Connecting without any left would end that server.
    fn hand_over(&self, http: &Http, timing: &Timing) -> Result<Stream, Response> {
        let deadline = Deadline::new(timing.handover, timing.handover);
        loop {
            if self.stream.has_spare_files(GATE_FILES_HANDOVER)
                && let Ok(stream) = http.connect()
            {
                return Ok(Stream::Unix(stream));
            }
            let left =
                deadline.left().map_err(|_| Response::error(503, "The daemon is short of file descriptors. Try again."))?;
            thread::park_timeout(left.min(GATE_RETRY_PAUSE));
        }
    }

    /// Lets the client read its answer before the connection goes: closed with input unread, it would be reset.
    fn linger(&self, timing: &Timing) {
        if self.change(Phase::Answer, Phase::Linger).is_err() {
            return;
        }
        self.stream.shutdown(Shutdown::Write);
        let deadline = Deadline::new(timing.linger, timing.linger);
        let mut waste = vec![0; GATE_READ_BYTES];
        while matches!(self.stream.read(&mut waste, &deadline), Ok(1..)) {}
    }

    /// The only place where a phase changes.
    fn change(&self, from: Phase, to: Phase) -> Result<(), Ending> {
        let changed = self.phase.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire);
        changed.map(drop).map_err(|_| Ending::Gone)
    }
}

/// An answer of the gate's own, as it is sent.
pub(super) fn printed(response: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    response.print(false, &mut bytes).expect("a vector takes all");
    let end = head_end(&bytes).expect("what was printed has a head");
    close(&mut bytes, end);
    bytes
}

/// Sends the request on, built anew from its parts: not a byte of the client's framing goes with it.
fn ask(server: &Stream, head: &Head, body: Vec<u8>, origin: Origin, timing: &Timing) -> io::Result<()> {
    let mut text = Http::head(&head.method, &head.target, origin, body.len());
    for (name, value) in head.lasting() {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    let deadline = Deadline::new(timing.answer, timing.answer);
    server.write_all(text.as_bytes(), &deadline)?;
    server.write_all(&body, &deadline)
}

/// Takes the whole answer before the client gets any of it, so that a slow client holds up nobody behind the gate.
fn answer(server: &Stream, head: &Head, held: Held, timing: &Timing) -> Result<(Vec<u8>, Held), Ending> {
    let deadline = Deadline::new(timing.answer, timing.answer);
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| -> Result<(), Response> {
        let old = bytes.len();
        bytes.resize(old + GATE_READ_BYTES, 0);
        let count = server.read(&mut bytes[old..], &deadline).map_err(|error| silent(&error))?;
        bytes.truncate(old + count);
        if count == 0 { Err(silent(&io::ErrorKind::UnexpectedEof.into())) } else { Ok(()) }
    };
    let end = loop {
        match head_end(&bytes) {
            Some(end) => break end,
            None if bytes.len() > GATE_HEAD_MAX => return Err(silent(&io::ErrorKind::InvalidData.into()).into()),
            None => read(&mut bytes)?,
        }
    };
    let told = String::from_utf8_lossy(&bytes[..end]);
    if !http::is_ours(&told) {
        return Err(silent(&io::ErrorKind::InvalidData.into()).into());
    }
    let length = if head.method == "HEAD" { 0 } else { content_length(&told) };
    // The request's body has been used up by whoever made the answer.
    let mut held = held.renew();
    if length > GATE_ANSWER_SMALL {
        held.grow(length)?;
        bytes.reserve(length + GATE_READ_BYTES);
    }
    while bytes.len() < end + length {
        read(&mut bytes)?;
    }
    bytes.truncate(end + length);
    close(&mut bytes, end);
    Ok((bytes, held))
}

/// Adds the one header that tiny_http cannot be made to write, to an answer whose head ends at `end`.
fn close(bytes: &mut Vec<u8>, end: usize) {
    bytes.splice(end - 2..end, *b"Connection: close\r\n\r\n");
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// As the server behind wrote it; it always does.
fn content_length(head: &str) -> usize {
    let length =
        head.lines().filter_map(|line| line.split_once(": ")).find(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
    length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// No answer came, or not all of it. Whether the request was acted on cannot be known here.
fn silent(error: &io::Error) -> Response {
    log::debug!("the http server did not answer: {error}");
    Response::error(503, "The daemon did not answer.")
}

/// Leave to send the body (RFC 9110, section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
