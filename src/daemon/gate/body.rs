//! What a client sends, taken in whole: head and body, under deadlines and bounds.
//!
//! [`Inbox`] reads one request from a connection and nothing after it. [`HeldBytes`] counts the
//! bytes that all connections hold together, as they arrive: what is only declared costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::head::{self, BodyLength, Head};
use super::{Ending, Timing};
use crate::daemon::http::HttpResponse;
use crate::daemon::stream::{Deadline, Stream};
use crate::limits::{
    GATE_BODY_MAX, GATE_CHUNK_LINE_MAX, GATE_HEAD_MAX, GATE_HELD_MAX, GATE_READ_BYTES,
};

/// A part of the memory that all connections may hold together; given back when dropped.
#[derive(Debug)]
pub(super) struct HeldBytes {
    all: Arc<AtomicUsize>,
    own: usize,
}

impl HeldBytes {
    /// A count of no bytes yet, which adds to `all` as it grows.
    pub(super) fn new(all: &Arc<AtomicUsize>) -> Self {
        Self {
            all: all.clone(),
            own: 0,
        }
    }

    /// Counts `more` bytes, or says 503 if they would be too many just now.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), HttpResponse> {
        let fits = |all: usize| all.checked_add(more).filter(|sum| *sum <= GATE_HELD_MAX);
        let grown = self
            .all
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        grown.map_err(|_| {
            HttpResponse::error(503, "Too many large requests at once. Try again.", "")
        })?;
        self.own += more;
        Ok(())
    }

    /// Gives back all bytes that are counted, and counts from nothing again.
    pub(super) fn renew(self) -> Self {
        Self::new(&self.all)
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::AcqRel);
    }
}

/// Takes one request from a connection.
pub(super) struct Inbox<'a> {
    stream: &'a Stream,
    /// The bytes that have arrived; those from `at` on are not taken yet.
    buffer: Vec<u8>,
    at: usize,
}

impl<'a> Inbox<'a> {
    pub(super) fn new(stream: &'a Stream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// The head. A client that leaves without a word gets none.
    pub(super) fn head(&mut self, timing: &Timing) -> Result<Head, Ending> {
        let deadline = Deadline::new(timing.head, timing.head);
        let mut seen = 0;
        loop {
            if let Some(end) = head::end(&self.buffer, seen) {
                self.at = end;
                let fits = end <= GATE_HEAD_MAX;
                return if fits {
                    Ok(Head::parse(&self.buffer[..end])?)
                } else {
                    Err(head::too_large().into())
                };
            }
            seen = self.buffer.len();
            if seen > GATE_HEAD_MAX {
                return Err(head::too_large().into());
            }
            if self.fill(&deadline)? == 0 {
                return Err(if seen == 0 {
                    Ending::Gone
                } else {
                    cut_short().into()
                });
            }
        }
    }

    /// Takes the body, and decodes it if it comes in chunks.
    pub(super) fn body(
        &mut self,
        length: BodyLength,
        held: &mut HeldBytes,
        timing: &Timing,
    ) -> Result<Vec<u8>, Ending> {
        let deadline = Deadline::new(timing.body, timing.idle);
        // The buffer grows as bytes come: room for what is only declared may not be there, and
        // failing to get it would end the process.
        let mut body = Vec::new();
        match length {
            BodyLength::Bytes(count) => self.move_into(&mut body, count, held, &deadline)?,
            BodyLength::Chunked => self.chunks_into(&mut body, held, &deadline)?,
        }
        Ok(body)
    }

    /// RFC 9112, section 7.1. Extensions and trailers are thrown away, as they may be.
    fn chunks_into(
        &mut self,
        body: &mut Vec<u8>,
        held: &mut HeldBytes,
        deadline: &Deadline,
    ) -> Result<(), Ending> {
        loop {
            let line = self.line(GATE_CHUNK_LINE_MAX, deadline)?;
            let count = chunk_size(&line)?;
            if count == 0 {
                return self.trailers(deadline);
            }
            if count > GATE_BODY_MAX - body.len() {
                return Err(head::too_long().into());
            }
            self.move_into(body, count, held, deadline)?;
            if !self.line(0, deadline)?.is_empty() {
                return Err(bad_chunk().into());
            }
        }
    }

    fn trailers(&mut self, deadline: &Deadline) -> Result<(), Ending> {
        let mut left = GATE_CHUNK_LINE_MAX;
        loop {
            let line = self.line(left, deadline)?;
            if line.is_empty() {
                return Ok(());
            }
            left = left.saturating_sub(line.len() + 2);
        }
    }

    /// The next line, without its CRLF, at most `max` bytes long.
    fn line(&mut self, max: usize, deadline: &Deadline) -> Result<Vec<u8>, Ending> {
        let mut line = Vec::new();
        loop {
            match (self.next(deadline)?, line.last()) {
                (b'\n', Some(b'\r')) => {
                    line.pop();
                    return Ok(line);
                }
                (b'\n', _) => return Err(bad_chunk().into()),
                _ if line.len() > max => return Err(bad_chunk().into()),
                (byte, _) => line.push(byte),
            }
        }
    }

    fn next(&mut self, deadline: &Deadline) -> Result<u8, Ending> {
        self.some(deadline)?;
        self.at += 1;
        Ok(self.buffer[self.at - 1])
    }

    fn move_into(
        &mut self,
        body: &mut Vec<u8>,
        count: usize,
        held: &mut HeldBytes,
        deadline: &Deadline,
    ) -> Result<(), Ending> {
        let mut left = count;
        while left > 0 {
            self.some(deadline)?;
            let taken = left.min(self.buffer.len() - self.at);
            held.grow(taken)?;
            body.extend_from_slice(&self.buffer[self.at..self.at + taken]);
            self.at += taken;
            left -= taken;
        }
        Ok(())
    }

    /// Waits until there is a byte that has not been taken.
    fn some(&mut self, deadline: &Deadline) -> Result<(), Ending> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            if self.fill(deadline)? == 0 {
                return Err(cut_short().into());
            }
        }
        Ok(())
    }

    fn fill(&mut self, deadline: &Deadline) -> Result<usize, Ending> {
        let old = self.buffer.len();
        self.buffer.resize(old + GATE_READ_BYTES, 0);
        let result = self.stream.read_by(&mut self.buffer[old..], deadline);
        self.buffer
            .truncate(old + result.as_ref().map_or(0, |count| *count));
        Ok(result?)
    }
}

/// The length of a chunk from its line: hexadecimal digits, perhaps an extension.
fn chunk_size(line: &[u8]) -> Result<usize, HttpResponse> {
    let digits = line
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(bad_chunk());
    }
    let digits = std::str::from_utf8(digits).map_err(|_| bad_chunk())?;
    usize::from_str_radix(digits, 16).map_err(|_| head::too_long())
}

fn bad_chunk() -> HttpResponse {
    HttpResponse::error(400, "The request's chunks are malformed.", "")
}

fn cut_short() -> HttpResponse {
    HttpResponse::error(400, "The request ended before it was whole.", "")
}
