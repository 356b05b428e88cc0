//! A connection over a Unix socket or TCP, with a deadline on every call that wants one.
//!
//! A time-out per call alone would let a client hold a place for as long as it likes, at a byte
//! every few seconds; a deadline alone would hold one for a client that is long gone. So each call
//! gets the idle time or what is left of the whole time, whichever is less.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::daemon::clock;

/// A connected socket, of a client or of a server.
#[derive(Debug)]
pub(in crate::daemon) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// When a phase of a connection must be over.
#[derive(Debug, Clone, Copy)]
pub(in crate::daemon) struct Deadline {
    end: Instant,
    idle: Duration,
}

impl Deadline {
    /// A deadline that is over after `whole`, and after `idle` without a byte.
    pub(in crate::daemon) fn new(whole: Duration, idle: Duration) -> Self {
        Self {
            end: clock::instant() + whole,
            idle,
        }
    }

    /// How long the next call may block; never zero, which a socket takes as "for ever".
    pub(in crate::daemon) fn left(&self) -> io::Result<Duration> {
        let left = self.end.saturating_duration_since(clock::instant());
        if left.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(left.min(self.idle))
        }
    }
}

impl Stream {
    /// How long one reading call may block; `None` is for ever.
    pub(in crate::daemon) fn set_read_timeout(&self, wait: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(wait),
            Self::Tcp(stream) => stream.set_read_timeout(wait),
        }
    }

    /// How long one writing call may block; `None` is for ever.
    pub(in crate::daemon) fn set_write_timeout(&self, wait: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_write_timeout(wait),
            Self::Tcp(stream) => stream.set_write_timeout(wait),
        }
    }

    /// Reads what is there, waiting for at least one byte; 0 at the end. `TimedOut` when the
    /// deadline is over.
    pub(in crate::daemon) fn read_by(
        &self,
        buffer: &mut [u8],
        deadline: &Deadline,
    ) -> io::Result<usize> {
        loop {
            let wait = Some(deadline.left()?);
            match self
                .set_read_timeout(wait)
                .and_then(|()| (&*self).read(buffer))
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(one_word),
            }
        }
    }

    /// Writes what the system takes without waiting, of which nothing is asked of it before: how
    /// many bytes that is. As a rule it is all.
    pub(in crate::daemon) fn write_at_once(&self, bytes: &[u8]) -> io::Result<usize> {
        let socket = match self {
            Self::Unix(stream) => SockRef::from(stream),
            Self::Tcp(stream) => SockRef::from(stream),
        };
        match socket.send_with_flags(bytes, DO_NOT_WAIT) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(0)
            }
            other => other,
        }
    }

    /// Writes all of `bytes`. `TimedOut` when the deadline is over.
    pub(in crate::daemon) fn write_all_by(
        &self,
        bytes: &[u8],
        deadline: &Deadline,
    ) -> io::Result<()> {
        let mut rest = &bytes[self.write_at_once(bytes)?..];
        while !rest.is_empty() {
            let wait = Some(deadline.left()?);
            match self
                .set_write_timeout(wait)
                .and_then(|()| (&*self).write(rest))
            {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(one_word(error)),
            }
        }
        Ok(())
    }

    /// Closes one or both ways; an error means that the other side was quicker.
    pub(in crate::daemon) fn shutdown(&self, how: Shutdown) {
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(how),
            Self::Tcp(stream) => stream.shutdown(how),
        };
    }

    /// Says `bytes` and hangs up, without waiting for anything: for whoever must not be held up by
    /// this client. What has been sent is thrown away first, as closing with unread input would
    /// reset the connection.
    pub(in crate::daemon) fn turn_away(&self, bytes: &[u8]) {
        let mut waste = [0; 4096];
        let ready = match self {
            Self::Unix(stream) => stream.set_nonblocking(true),
            Self::Tcp(stream) => stream.set_nonblocking(true),
        };
        let _ = ready.and_then(|()| (&*self).write(bytes));
        self.shutdown(Shutdown::Write);
        for _ in 0..TURN_AWAY_READS {
            if !matches!((&*self).read(&mut waste), Ok(1..)) {
                break;
            }
        }
        self.shutdown(Shutdown::Both);
    }

    /// Whether `count` more descriptors could be opened just now.
    pub(in crate::daemon) fn has_spare_files(&self, count: usize) -> bool {
        let open = |_| match self {
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
        };
        (0..count).map(open).collect::<io::Result<Vec<_>>>().is_ok()
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&*stream).read(buffer),
            Stream::Tcp(stream) => (&*stream).read(buffer),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&*stream).write(bytes),
            Stream::Tcp(stream) => (&*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A time-out is `WouldBlock` on some systems and `TimedOut` on others.
fn one_word(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        io::ErrorKind::TimedOut.into()
    } else {
        error
    }
}

/// `MSG_DONTWAIT` of send(2), as Linux has it on every processor.
const DO_NOT_WAIT: i32 = 0x40;
/// Reads, of 4 KiB each, before somebody who is turned away is hung up on: a request's head and a
/// little more.
const TURN_AWAY_READS: usize = 16;
