//! What frames are sent for, told by their first bytes: what a fleet says is counted by purpose,
//! without decoding it.
//!
//! No peer asks this of a frame: it serves the figures of a rehearsal, and the networks that leave
//! node records out.

use crate::wire::frame_type;

/// What a frame is sent for: to be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FramePurpose {
    /// Revisions of documents, and the questions about them.
    Documents,
    /// Comparing what is held of documents.
    DocumentExchange,
    /// News of hosts.
    Nodes,
    /// Comparing which node records are held.
    NodeExchange,
    /// Asking whether the other side is there, and saying so.
    Pings,
    /// What begins and ends a link, and addresses.
    Links,
}

/// The purpose of an encoded frame, told by its first bytes.
pub(super) fn purpose(bytes: &[u8]) -> FramePurpose {
    match bytes {
        [frame_type::NEWS, ..] => FramePurpose::Nodes,
        [frame_type::PING | frame_type::PONG, ..] => FramePurpose::Pings,
        [
            frame_type::ROOT | frame_type::BUCKETS | frame_type::IDS | frame_type::DONE,
            DOCUMENTS,
            ..,
        ] => FramePurpose::DocumentExchange,
        [
            frame_type::ROOT | frame_type::BUCKETS | frame_type::IDS | frame_type::DONE,
            ..,
        ] => FramePurpose::NodeExchange,
        [
            frame_type::DEGREE | frame_type::ADDRESSES | frame_type::BYE,
            ..,
        ] => FramePurpose::Links,
        _ => FramePurpose::Documents,
    }
}

/// The scope of documents, as a frame has it.
const DOCUMENTS: u8 = 0;
