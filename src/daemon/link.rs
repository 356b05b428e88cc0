//! Links: one thread reads a peer's frames, another writes ours.
//!
//! What a frame says is not looked at here; this file only carries frames, sealed, until either
//! side ends. They go in order, but that pieces of bodies, in order among themselves, give way to
//! all else: on a slow link a window of them takes half a minute, and a small change or a ping must
//! not wait for that. The one who holds the [`RunningLink`] keeps within a window of credit
//! ([`charge`], [`LINK_WINDOW`]), so that the queue to the writer is never full and sending never
//! waits, however slow the peer. Each link gives exactly one [`LinkEvent::Down`], last of its
//! reader's events, whatever ended it; the writer's [`LinkEvent::Sent`] may still come after it and
//! then means nothing.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Instant;

use super::{clock, peer_socket, timed};
use crate::limits::{
    CREDIT_MIN, CREDIT_STEP, LINK_LINGER, LINK_STACK, LINK_WINDOW, READ_AHEAD, WRITE_BATCH,
    WRITE_PATIENCE,
};
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

/// What the threads of a link report.
#[derive(Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A frame has come from the peer and was opened.
    Frame {
        /// The number that the link was started with.
        link: u64,
        /// The bytes of the frame, opened.
        bytes: Vec<u8>,
    },
    /// Frames have been written to the socket: so much credit is free again.
    Sent {
        /// The number that the link was started with.
        link: u64,
        /// Credit, as [`charge`] counts it; at least [`CREDIT_STEP`].
        credit: u32,
    },
    /// The link has ended. The [`RunningLink`] is to be dropped.
    Down {
        /// The number that the link was started with.
        link: u64,
        /// Why the link has ended, for the log.
        reason: String,
    },
}

/// A running link. Dropping it closes it as [`RunningLink::close`] does.
pub struct RunningLink {
    frames: SyncSender<Vec<u8>>,
    line: Arc<SharedLink>,
}

/// Starts the threads `read-N` and `write-N`. On an error (no memory for a thread, a socket that is
/// gone already) the connection is closed and no event comes.
pub fn start(
    link: u64,
    parts: LinkParts,
    sink: impl Fn(LinkEvent) + Send + Clone + 'static,
) -> io::Result<RunningLink> {
    peer_socket::tune(&parts.stream)?;
    parts.stream.set_read_timeout(None)?;
    parts.stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    let (closing, is_held) = (AtomicBool::new(false), AtomicBool::new(false));
    let line = Arc::new(SharedLink {
        stream: parts.stream,
        closing,
        is_held,
        reader: OnceLock::new(),
        reason: OnceLock::new(),
    });
    let (sealer, opener) = parts.session.split();
    let (frames, queue) = mpsc::sync_channel((LINK_WINDOW / CREDIT_MIN) as usize);
    let (alive, reader_ended) = mpsc::sync_channel::<()>(0);
    let writer = LinkWriter {
        link,
        line: Arc::clone(&line),
        sealer,
        queue,
        reader_ended,
        sink: sink.clone(),
    };
    spawn(format!("write-{link}"), move || writer.run())?;
    let reader = LinkReader {
        link,
        line: Arc::clone(&line),
        opener,
        alive,
        sink,
    };
    // If this fails, the queue's and the reader's ends are dropped and the writer goes home by
    // itself.
    spawn(format!("read-{link}"), move || reader.run())?;
    Ok(RunningLink { frames, line })
}

impl RunningLink {
    /// Queues `frame`. False if the queue is full, which is a fault of the caller's accounts, or if
    /// the link has ended.
    #[must_use]
    pub fn send(&self, frame: Vec<u8>) -> bool {
        self.frames.try_send(frame).is_ok()
    }

    /// Lets what is queued go out, for [`LINK_LINGER`] at most, then ends the link. Returns at
    /// once; frames that still come are dropped.
    pub fn close(self) {}

    /// Reads nothing more until [`RunningLink::go_on`]: the peer's frames wait in the kernel, and
    /// in the end with the peer. What has been read already still comes.
    pub fn hold(&self) {
        self.line.is_held.store(true, Ordering::Release);
    }

    /// Lets the reader go on after [`RunningLink::hold`].
    pub fn go_on(&self) {
        self.line.is_held.store(false, Ordering::Release);
        self.line.wake_reader();
    }

    /// Ends the link at once; what is queued is lost.
    pub fn abort(self) {
        self.line.end("aborted");
    }
}

impl Drop for RunningLink {
    fn drop(&mut self) {
        // The flag is for a writer stuck in a write and for the reader; an idle writer wakes
        // because the queue has lost its sender.
        self.line.closing.store(true, Ordering::Release);
        self.line.wake_reader();
    }
}

/// What the two threads and the holder share.
struct SharedLink {
    stream: TcpStream,
    closing: AtomicBool,
    /// Whether the reader is to wait before it reads more.
    is_held: AtomicBool,
    /// The reader's thread, once it runs.
    reader: OnceLock<Thread>,
    /// Why the link ended: the first one to know says so.
    reason: OnceLock<String>,
}

impl SharedLink {
    /// Ends both directions, which wakes whoever waits in a read or a write.
    fn end(&self, reason: &str) {
        self.reason.get_or_init(|| reason.to_owned());
        let _already_gone = self.stream.shutdown(Shutdown::Both);
        self.wake_reader();
    }

    /// Lets the reader look whether it still has to wait.
    fn wake_reader(&self) {
        self.reader.get().into_iter().for_each(Thread::unpark);
    }

    /// Waits as long as the link is held. For the reader.
    fn wait_while_held(&self) {
        self.reader.get_or_init(thread::current);
        while self.is_held.load(Ordering::Acquire)
            && !self.is_closing()
            && self.reason.get().is_none()
        {
            thread::park();
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

struct LinkWriter<S> {
    link: u64,
    line: Arc<SharedLink>,
    sealer: Sealer,
    queue: Receiver<Vec<u8>>,
    /// Nothing is ever sent here: that its other end is gone tells that the reader has ended.
    reader_ended: Receiver<()>,
    sink: S,
}

impl<S: Fn(LinkEvent)> LinkWriter<S> {
    fn run(mut self) {
        let mut owed = 0;
        let mut waiting = QueuedFrames::default();
        while waiting.fill(&self.queue) {
            match self.write_batch(&mut waiting) {
                Ok(credit) => owed += credit,
                Err(reason) => return self.line.end(&reason),
            }
            if owed >= CREDIT_STEP && !self.line.is_closing() {
                (self.sink)(LinkEvent::Sent {
                    link: self.link,
                    credit: owed,
                });
                owed = 0;
            }
        }
        self.hang_up();
    }

    /// Writes some of what waits, as one. A piece is the last of its batch, so that what comes
    /// meanwhile goes before the next one.
    fn write_batch(&mut self, waiting: &mut QueuedFrames) -> Result<u32, String> {
        let mut sealed = Vec::new();
        let mut credit = 0;
        let mut more = true;
        while more && let Some(frame) = waiting.next() {
            self.sealer
                .seal(&frame, &mut sealed)
                .map_err(|error| error.to_string())?;
            credit += charge(frame.len());
            more = sealed.len() < WRITE_BATCH && !is_piece(&frame);
        }
        self.write(&sealed)
            .map_err(|error| format!("cannot write: {error}"))?;
        Ok(credit)
    }

    /// Writes all of it, for as long as it takes unless the link is being closed.
    fn write(&self, mut rest: &[u8]) -> io::Result<()> {
        let mut last_call: Option<Instant> = None;
        while !rest.is_empty() {
            if self.line.is_closing() {
                let now = clock::instant();
                if now >= *last_call.get_or_insert(now + LINK_LINGER) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            match (&self.line.stream).write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) => timed::pass_over(error)?,
            }
        }
        Ok(())
    }

    /// Says that nothing more will come and gives the other side a moment to do the same: to close
    /// with its bytes unread would reset the connection and could take back the last of ours.
    fn hang_up(&self) {
        self.line.reason.get_or_init(|| "closed".to_owned());
        let _already_gone = self.line.stream.shutdown(Shutdown::Write);
        let _ended_or_not = self.reader_ended.recv_timeout(LINK_LINGER);
        self.line.end("closed");
    }
}

/// Frames that have been taken from the queue; it is bounded by the window, and so is this.
#[derive(Default)]
struct QueuedFrames {
    pieces: VecDeque<Vec<u8>>,
    others: VecDeque<Vec<u8>>,
}

impl QueuedFrames {
    /// Takes all that is queued, waiting for it if nothing is here. False if nothing is here and
    /// nothing will come.
    fn fill(&mut self, queue: &Receiver<Vec<u8>>) -> bool {
        if self.pieces.is_empty() && self.others.is_empty() {
            match queue.recv() {
                Ok(frame) => self.add(frame),
                Err(_) => return false,
            }
        }
        queue.try_iter().for_each(|frame| self.add(frame));
        true
    }

    fn add(&mut self, frame: Vec<u8>) {
        if is_piece(&frame) {
            self.pieces.push_back(frame)
        } else {
            self.others.push_back(frame)
        }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        self.others.pop_front().or_else(|| self.pieces.pop_front())
    }
}

struct LinkReader<S> {
    link: u64,
    line: Arc<SharedLink>,
    opener: Opener,
    /// Held for the writer to notice when it is dropped.
    alive: SyncSender<()>,
    sink: S,
}

impl<S: Fn(LinkEvent)> LinkReader<S> {
    fn run(mut self) {
        let reason = self.read_on();
        self.line.end(&reason);
        drop(self.alive);
        let reason = self
            .line
            .reason
            .get()
            .expect("end() has just set it, if nobody had")
            .clone();
        (self.sink)(LinkEvent::Down {
            link: self.link,
            reason,
        });
    }

    /// Reads until there is a reason not to.
    fn read_on(&mut self) -> String {
        let line = Arc::clone(&self.line);
        let mut stream = BufReader::with_capacity(READ_AHEAD, &line.stream);
        loop {
            line.wait_while_held();
            let message = match read_message(&mut stream) {
                Ok(message) => message,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return "closed by the peer".to_owned();
                }
                Err(error) => return format!("cannot read: {error}"),
            };
            match self.opener.open(&message) {
                Ok(_) if line.is_closing() => {}
                Ok(bytes) => (self.sink)(LinkEvent::Frame {
                    link: self.link,
                    bytes,
                }),
                Err(error) => return error.to_string(),
            }
        }
    }
}

fn read_message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > MESSAGE_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message longer than a frame may be",
        ));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name)
        .stack_size(LINK_STACK)
        .spawn(run)
        .map(drop)
}
