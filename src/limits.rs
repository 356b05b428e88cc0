//! Every size, count, wait and retry of the program, each with its reason.
//!
//! The first part is the protocol: two peers that differ there do not understand each other. The rest is tuning: a peer may choose
//! otherwise and still be one of the fleet. What must hold between them is asserted at the foot, when the program is compiled.

use std::time::Duration;

// ── protocol ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A document, as compact JSON text, in bytes.
pub const DOCUMENT_MAX: usize = 4 << 20;
/// Levels of arrays and objects in a document. FreeUnit refuses more; a parser that recurses must.
pub const DEPTH_MAX: usize = 100;
/// A path's token, decoded, in bytes: Unit's own bound.
pub const PATH_TOKEN_MAX: usize = 256;
/// A group's or fleet's name, in bytes.
pub const NAME_MAX: usize = 63;
/// The note of a record (who and why), in bytes.
pub const NOTE_MAX: usize = 512;
/// Addresses that a handshake or a node record may carry.
pub const ADDRESSES_MAX: usize = 8;

const _: () = assert!(DEPTH_MAX < 128, "the recursion must fit a 64 KiB stack");

/// Placeholder so that the import stands; tuning constants follow below.
pub const TICK: Duration = Duration::from_millis(1);
