//! What peers say to each other, as bytes: who may talk ([`fleet`], [`token`]), how two of them
//! become sure of each other ([`handshake`]), and how frames travel from then on ([`session`]).
//!
//! Nothing here owns a socket, a thread or a clock. Bytes go in, bytes and values come out, and
//! every error means that the connection is closed without a word.

mod address;
pub mod fleet;
pub mod forwarded;
pub mod frame;
pub(crate) mod frame_type;
pub mod handshake;
pub mod news;
pub mod session;
pub mod token;
