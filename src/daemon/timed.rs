//! A TCP connection whose reads and writes must all be done by one deadline.
//!
//! A time-out per read would let a peer hold a handshake place for as long as it likes, at a byte a
//! second; so each call gets only what is left of the whole time. The listener's and the dialler's
//! handshakes go through here; a link, which may live for ever, does not.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::clock;

/// A connection on its way through the handshake.
pub(super) struct Timed<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl<'a> Timed<'a> {
    /// A connection on which every read and write is over at `deadline`.
    pub(super) fn new(stream: &'a TcpStream, deadline: Instant) -> Self {
        Self { stream, deadline }
    }

    /// Writes all of `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.stream.set_write_timeout(Some(self.left()?))?;
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) => pass_over(error)?,
            }
        }
        Ok(())
    }

    /// Reads one message counted by two bytes, without its count; longer than `max` bytes is
    /// `InvalidData`, and is not read.
    pub(super) fn read_message(&mut self, max: usize) -> io::Result<Vec<u8>> {
        let mut count = [0; 2];
        self.fill(&mut count)?;
        let count = usize::from(u16::from_be_bytes(count));
        if count > max {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "handshake message too long",
            ));
        }
        let mut message = vec![0; count];
        self.fill(&mut message)?;
        Ok(message)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            self.stream.set_read_timeout(Some(self.left()?))?;
            match self.stream.read(&mut buffer[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) => pass_over(error)?,
            }
        }
        Ok(())
    }

    /// Never zero, which the socket would take as "no time-out at all".
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(clock::instant());
        if left.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(left)
        }
    }
}

/// What a time-out looks like differs between systems (`WouldBlock`, `TimedOut`); [`Timed::left`]
/// then says so in one word.
pub(super) fn pass_over(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(()),
        _ => Err(error),
    }
}
