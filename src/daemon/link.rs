//! One link: what has come of a message that is not whole, and what waits to be written.
//!
//! What a frame says is not looked at here; frames are only carried, sealed, until either side
//! ends. They go in order, but that pieces of bodies, in order among themselves, give way to all
//! else: on a slow link a window of them takes half a minute, and a small change or a ping must not
//! wait for that. Nothing here waits: a socket that takes or gives nothing is left alone until
//! `links` hears that it does again.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use mio::net::TcpStream as PolledStream;

use super::{clock, peer_socket};
use crate::limits::{CREDIT_STEP, LINK_LINGER, LINK_WINDOW, READ_TURN, WRITE_BATCH};
use crate::wire::frame::{charge, is_piece};
use crate::wire::handshake::Hello;
use crate::wire::session::{MESSAGE_MAX, Opener, Sealer, Session};

/// What a finished handshake leaves: all that a link is made of.
pub struct LinkParts {
    /// The connection; both hosts have proved themselves on it and nothing has been sent over it
    /// since.
    pub stream: TcpStream,
    /// The keys of both directions.
    pub session: Session,
    /// Who is on the other side, as signed by it.
    pub hello: Hello,
    /// The other side's address as this host sees it; for an incoming connection the port says
    /// nothing.
    pub address: SocketAddr,
    /// Whether this host dialled.
    pub outgoing: bool,
    /// The ID that the dial was given, if it was one of the
    /// [`Dialler`](super::dialler::Dialler)'s.
    pub dialled: Option<u64>,
}

/// What happens on a link.
#[derive(Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A frame has come from the peer and was opened.
    Frame {
        /// The number that the link was added with.
        link: u64,
        /// The bytes of the frame, opened.
        bytes: Vec<u8>,
    },
    /// Frames have been written to the socket: so much credit is free again.
    Sent {
        /// The number that the link was added with.
        link: u64,
        /// Credit, as [`charge`] counts it; at least [`CREDIT_STEP`].
        credit: u32,
    },
    /// The link has ended; nothing more comes of it.
    Down {
        /// The number that the link was added with.
        link: u64,
        /// Why the link has ended, for the log.
        reason: String,
    },
}

/// A link whose socket is polled.
pub(super) struct PolledLink {
    id: u64,
    stream: PolledStream,
    sealer: Sealer,
    opener: Opener,
    /// The beginning of a message that has not come whole.
    begun: Vec<u8>,
    queue: FrameQueue,
    /// Sealed bytes that the socket has not taken yet, from `written` on, and the credit of the
    /// frames in them.
    sealed: Vec<u8>,
    written: usize,
    sealed_credit: u32,
    /// Credit that has come back and was not told yet.
    owed: u32,
    /// Whether there may be more to read than was read.
    is_readable: bool,
    /// Whether the other side has said that nothing more will come, after what is to be read.
    is_ending: bool,
    /// Whether nothing is read for now.
    is_held: bool,
    phase: LinkPhase,
}

/// How far a link has come with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkPhase {
    Open,
    /// What is queued goes out, until then at the latest.
    Draining(Instant),
    /// Nothing more goes out; the other side has until then to say the same. To close with its
    /// bytes unread would reset the connection and could take back the last of ours.
    HungUp(Instant),
}

impl PolledLink {
    /// A link that is to be polled. An error of the system leaves it closed.
    pub(super) fn new(id: u64, parts: LinkParts) -> io::Result<Self> {
        peer_socket::tune(&parts.stream)?;
        parts.stream.set_nonblocking(true)?;
        let (sealer, opener) = parts.session.split();
        Ok(Self {
            id,
            stream: PolledStream::from_std(parts.stream),
            sealer,
            opener,
            begun: Vec::new(),
            queue: FrameQueue::default(),
            sealed: Vec::new(),
            written: 0,
            sealed_credit: 0,
            owed: 0,
            is_readable: false,
            is_ending: false,
            is_held: false,
            phase: LinkPhase::Open,
        })
    }

    /// The socket, to be polled.
    pub(super) fn stream(&mut self) -> &mut PolledStream {
        &mut self.stream
    }

    /// Queues a frame. `false` if that is beyond the window, which is a fault of the caller's
    /// accounts, or if the link is being closed.
    pub(super) fn queue(&mut self, frame: Vec<u8>) -> bool {
        let credit = charge(frame.len());
        let has_room = self.queue.credit + self.sealed_credit + self.owed + credit <= LINK_WINDOW;
        let is_taken = has_room && self.phase == LinkPhase::Open;
        if is_taken {
            self.queue.add(frame, credit);
        }
        is_taken
    }

    /// Whether anything waits to be written.
    pub(super) fn has_more(&self) -> bool {
        self.written < self.sealed.len() || !self.queue.is_empty()
    }

    /// Reads nothing more until [`PolledLink::go_on`].
    pub(super) fn hold(&mut self) {
        self.is_held = true;
    }

    /// Lets reading go on after [`PolledLink::hold`].
    pub(super) fn go_on(&mut self) {
        self.is_held = false;
    }

    /// The system says that there is something to read, and whether it is the last.
    pub(super) fn becomes_readable(&mut self, is_ending: bool) {
        self.is_readable = true;
        self.is_ending |= is_ending;
    }

    /// Whether something is to be read now.
    pub(super) fn is_to_be_read(&self) -> bool {
        self.is_readable && !self.is_held
    }

    /// Lets what is queued go out, for [`LINK_LINGER`] at most.
    pub(super) fn close(&mut self) {
        if self.phase == LinkPhase::Open {
            self.is_held = false;
            self.phase = LinkPhase::Draining(clock::instant() + LINK_LINGER);
        }
    }

    /// When the link ends however far it has come; `None` as long as nobody closes it.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.phase {
            LinkPhase::Open => None,
            LinkPhase::Draining(until) | LinkPhase::HungUp(until) => Some(until),
        }
    }

    /// The reason why a link is over whose time is up.
    pub(super) fn overdue(&self) -> String {
        match self.phase {
            LinkPhase::Draining(_) => "cannot write: timed out".to_owned(),
            LinkPhase::Open | LinkPhase::HungUp(_) => "closed".to_owned(),
        }
    }

    /// Reads what is there, up to [`READ_TURN`] bytes so that others have their turn, and appends
    /// the frames in it. An error is the reason for which the link has ended.
    pub(super) fn read(
        &mut self,
        scratch: &mut [u8],
        happened: &mut VecDeque<LinkEvent>,
    ) -> Result<(), String> {
        let mut read = 0;
        while read < READ_TURN && !self.is_held {
            match self.stream.read(scratch) {
                Ok(0) if self.phase == LinkPhase::Open => {
                    return Err("closed by the peer".to_owned());
                }
                Ok(0) => return Err("closed".to_owned()),
                Ok(count) => {
                    read += count;
                    self.take(&scratch[..count], happened)?;
                    if count < scratch.len() && !self.is_ending {
                        // There was no more; if some has come since, the system says so.
                        self.is_readable = false;
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("cannot read: {error}")),
            }
        }
        Ok(())
    }

    /// Takes bytes as they have come.
    fn take(&mut self, bytes: &[u8], happened: &mut VecDeque<LinkEvent>) -> Result<(), String> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.begun.is_empty()
                && let Some(length) = whole_message(rest)?
            {
                self.open(&rest[2..2 + length], happened)?;
                rest = &rest[2 + length..];
                continue;
            }
            let lacking = lacking(&self.begun)?.min(rest.len());
            self.begun.extend_from_slice(&rest[..lacking]);
            rest = &rest[lacking..];
            if self::lacking(&self.begun)? == 0 {
                let begun = std::mem::take(&mut self.begun);
                self.open(&begun[2..], happened)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, message: &[u8], happened: &mut VecDeque<LinkEvent>) -> Result<(), String> {
        let bytes = self
            .opener
            .open(message)
            .map_err(|error| error.to_string())?;
        // Of a link that is being closed nobody wants to hear.
        if self.phase == LinkPhase::Open {
            happened.push_back(LinkEvent::Frame {
                link: self.id,
                bytes,
            });
        }
        Ok(())
    }

    /// Writes what the socket takes now. An error is the reason for which the link has ended.
    pub(super) fn write(&mut self, happened: &mut VecDeque<LinkEvent>) -> Result<(), String> {
        loop {
            if self.written == self.sealed.len() && !self.seal_batch()? {
                break;
            }
            match self.stream.write(&self.sealed[self.written..]) {
                Ok(0) => return Err(cannot_write(&io::ErrorKind::WriteZero.into())),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cannot_write(&error)),
            }
            if self.written == self.sealed.len() {
                self.owed += std::mem::take(&mut self.sealed_credit);
            }
        }
        if self.owed >= CREDIT_STEP && self.phase == LinkPhase::Open {
            happened.push_back(LinkEvent::Sent {
                link: self.id,
                credit: std::mem::take(&mut self.owed),
            });
        }
        if matches!(self.phase, LinkPhase::Draining(_)) && !self.has_more() {
            let _already_gone = self.stream.shutdown(Shutdown::Write);
            self.phase = LinkPhase::HungUp(clock::instant() + LINK_LINGER);
        }
        Ok(())
    }

    /// Seals some of what waits, to be written as one. A piece is the last of its batch, so that
    /// what comes meanwhile goes before the next one. `false` if nothing waits.
    fn seal_batch(&mut self) -> Result<bool, String> {
        self.sealed.clear();
        self.written = 0;
        let mut more = true;
        while more && let Some((frame, credit)) = self.queue.next() {
            self.sealer
                .seal(&frame, &mut self.sealed)
                .map_err(|error| error.to_string())?;
            self.sealed_credit += credit;
            more = self.sealed.len() < WRITE_BATCH && !is_piece(&frame);
        }
        if self.sealed.is_empty() {
            // An idle link costs no memory for what it has sent.
            self.sealed = Vec::new();
        }
        Ok(!self.sealed.is_empty())
    }
}

fn cannot_write(error: &io::Error) -> String {
    format!("cannot write: {error}")
}

/// The length of the message that these bytes begin with, if it is whole.
fn whole_message(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return Ok(None);
    };
    Ok(Some(checked(*length)?).filter(|length| rest.len() >= *length))
}

/// How many bytes a message lacks of which these have come: first those of its length.
fn lacking(begun: &[u8]) -> Result<usize, String> {
    match begun.first_chunk::<2>() {
        None => Ok(2 - begun.len()),
        Some(length) => Ok(2 + checked(*length)? - begun.len()),
    }
}

fn checked(length: [u8; 2]) -> Result<usize, String> {
    let length = usize::from(u16::from_be_bytes(length));
    if length > MESSAGE_MAX {
        return Err("cannot read: a message longer than a frame may be".to_owned());
    }
    Ok(length)
}

/// Frames that wait to be sealed; they are bounded by the window.
#[derive(Default)]
struct FrameQueue {
    pieces: VecDeque<(Vec<u8>, u32)>,
    others: VecDeque<(Vec<u8>, u32)>,
    /// Of all of them.
    credit: u32,
}

impl FrameQueue {
    fn add(&mut self, frame: Vec<u8>, credit: u32) {
        self.credit += credit;
        if is_piece(&frame) {
            self.pieces.push_back((frame, credit));
        } else {
            self.others.push_back((frame, credit));
        }
    }

    fn next(&mut self) -> Option<(Vec<u8>, u32)> {
        let next = self
            .others
            .pop_front()
            .or_else(|| self.pieces.pop_front())?;
        self.credit -= next.1;
        Some(next)
    }

    fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.others.is_empty()
    }
}
