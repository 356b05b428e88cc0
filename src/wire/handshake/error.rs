//! Why a handshake has failed.
//!
//! None of this is said to the other side.

use std::fmt;

use crate::codec::Malformed;
use crate::wire::handshake::VERSION;

/// Why there is no session. The connection is to be closed without a word; nothing of the handshake
/// is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeError {
    /// The first message does not verify: not of this fleet, or no Starling at all.
    Stranger,
    /// Not in the form of a handshake.
    Malformed(Malformed),
    /// The other side speaks, or chose, versions between these, and ours is not among them.
    Version {
        /// The lowest version that the peer speaks.
        lowest: u8,
        /// The highest version that the peer speaks.
        highest: u8,
    },
    /// A member that does not hold the identity it names.
    Signature,
    /// A member whose peer ID is no sound Ed25519 key.
    Key,
    /// This very process: it has dialled itself.
    Oneself,
    /// The second or third message was altered on its way, or the sides do not agree on what went
    /// before.
    Noise,
    /// Ours: the system gave no randomness.
    Randomness,
}

impl From<Malformed> for HandshakeError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<snow::Error> for HandshakeError {
    fn from(error: snow::Error) -> Self {
        if error == snow::Error::Rng {
            Self::Randomness
        } else {
            Self::Noise
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger => f.write_str("not of this fleet"),
            Self::Malformed(malformed) => write!(f, "not in the form of a handshake: {malformed}"),
            Self::Version { lowest, highest } => {
                write!(
                    f,
                    "the other side speaks versions {lowest} to {highest}, this one speaks \
                     {VERSION}"
                )
            }
            Self::Signature => f.write_str("the peer does not hold the identity that it names"),
            Self::Key => f.write_str("the peer's ID is no sound key"),
            Self::Oneself => f.write_str("a connection to oneself"),
            Self::Noise => f.write_str("a message of the handshake was altered"),
            Self::Randomness => f.write_str("the system gives no randomness"),
        }
    }
}
