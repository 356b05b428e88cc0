//! Sessions: what a handshake becomes. Each frame travels as one Noise transport message.
//!
//! A session falls into a sealer for the thread that writes and an opener for the thread that
//! reads; they share the keys, which nobody changes any more, and each counts its own nonces.
//! Nonces do not travel: TCP keeps order, so a message that is lost, doubled or moved does not
//! open. Any error means that the link is closed; a session is never mended.

use std::fmt;
use std::sync::Arc;

use snow::{HandshakeState, StatelessTransportState};

use crate::limits::FRAME_MAX;

/// The keys of one link, both ways.
pub struct Session {
    keys: StatelessTransportState,
}

impl Session {
    /// From a handshake whose last message has been written or read.
    pub(super) fn new(finished: HandshakeState) -> Self {
        let keys = finished
            .into_stateless_transport_mode()
            .expect("the third message ends the pattern");
        Self { keys }
    }

    /// The half that writes and the half that reads.
    pub fn split(self) -> (Sealer, Opener) {
        let keys = Arc::new(self.keys);
        (
            Sealer {
                keys: Arc::clone(&keys),
                nonce: 0,
            },
            Opener { keys, nonce: 0 },
        )
    }
}

/// Seals frames, in order.
pub struct Sealer {
    keys: Arc<StatelessTransportState>,
    nonce: u64,
}

impl Sealer {
    /// Appends `frame`, of at most [`FRAME_MAX`] bytes, to `out` as it goes over the wire: two
    /// bytes of length, then the sealed message. On an error `out` is as it was.
    pub fn seal(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        if frame.len() > FRAME_MAX {
            return Err(SessionError::Oversize(frame.len()));
        }
        let start = out.len();
        let sealed = frame.len() + TAG;
        out.extend(
            u16::try_from(sealed)
                .expect("MESSAGE_MAX is below 65536")
                .to_be_bytes(),
        );
        out.resize(start + PREFIX + sealed, 0);
        if self
            .keys
            .write_message(self.nonce, frame, &mut out[start + PREFIX..])
            .is_err()
        {
            out.truncate(start);
            return Err(SessionError::Exhausted);
        }
        self.nonce += 1;
        Ok(())
    }
}

/// Opens messages, in the order in which they were sealed.
pub struct Opener {
    keys: Arc<StatelessTransportState>,
    nonce: u64,
}

impl Opener {
    /// The frame in `message`, which is without its length and at most [`MESSAGE_MAX`] long.
    pub fn open(&mut self, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        if message.len() > MESSAGE_MAX {
            return Err(SessionError::Oversize(message.len()));
        }
        if self.nonce == u64::MAX {
            return Err(SessionError::Exhausted);
        }
        let length = message
            .len()
            .checked_sub(TAG)
            .ok_or(SessionError::Unverified)?;
        let mut frame = vec![0; length];
        self.keys
            .read_message(self.nonce, message, &mut frame)
            .map_err(|_| SessionError::Unverified)?;
        self.nonce += 1;
        Ok(frame)
    }
}

/// A sealed message, in bytes, without its length: what a reader accepts at most.
pub const MESSAGE_MAX: usize = FRAME_MAX + TAG;
/// Bytes that a frame gains on the wire: its length, and the tag.
pub const SEALED_MORE: usize = PREFIX + TAG;

/// Why a frame was not sealed or a message not opened. The link is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionError {
    /// So many bytes, more than a frame or message may have.
    Oversize(usize),
    /// Not what the other side sealed next: altered, lost, doubled or moved.
    Unverified,
    /// 2^64 - 1 messages have gone this way, and no nonce may be used twice.
    Exhausted,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oversize(bytes) => write!(
                f,
                "{bytes} bytes are more than a frame may have ({FRAME_MAX})"
            ),
            Self::Unverified => f.write_str("a message does not verify"),
            Self::Exhausted => f.write_str("the session's nonces are used up"),
        }
    }
}

impl std::error::Error for SessionError {}

/// The Poly1305 tag that each message ends with.
const TAG: usize = 16;
/// The length before each message, a big-endian u16.
const PREFIX: usize = 2;

const _: () = assert!(
    MESSAGE_MAX <= u16::MAX as usize,
    "the length is a u16, and Noise allows no more"
);

#[cfg(test)]
mod tests;
