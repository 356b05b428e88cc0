//! The type numbers of frames: the first byte of each, and the only place where they stand.
//!
//! A number is never given to another type: what a version does not know it passes over.

/// The type of [`Frame::Ping`](super::frame::Frame::Ping).
pub const PING: u8 = 1;
/// The type of [`Frame::Pong`](super::frame::Frame::Pong).
pub const PONG: u8 = 2;
/// The type of [`Frame::Degree`](super::frame::Frame::Degree).
pub const DEGREE: u8 = 3;
/// The type of [`Frame::Record`](super::frame::Frame::Record).
pub const RECORD: u8 = 4;
/// The type of [`Frame::Pull`](super::frame::Frame::Pull).
pub const PULL: u8 = 5;
/// The type of [`Frame::Piece`](super::frame::Frame::Piece).
pub const PIECE: u8 = 6;
/// The type of [`Frame::Missing`](super::frame::Frame::Missing).
pub const MISSING: u8 = 7;
/// The type of [`Frame::Root`](super::frame::Frame::Root).
pub const ROOT: u8 = 8;
/// The type of [`Frame::Buckets`](super::frame::Frame::Buckets).
pub const BUCKETS: u8 = 9;
/// The type of [`Frame::Ids`](super::frame::Frame::Ids).
pub const IDS: u8 = 10;
/// The type of [`Frame::Done`](super::frame::Frame::Done).
pub const DONE: u8 = 11;
/// The type of [`Frame::Addresses`](super::frame::Frame::Addresses).
pub const ADDRESSES: u8 = 12;
/// The type of [`Frame::Bye`](super::frame::Frame::Bye).
pub const BYE: u8 = 13;
/// The type of [`Frame::Want`](super::frame::Frame::Want).
pub const WANT: u8 = 14;
/// The type of [`Frame::ContainmentQuery`](super::frame::Frame::ContainmentQuery).
pub const CONTAINMENT_QUERY: u8 = 15;
/// The type of [`Frame::ContainmentReply`](super::frame::Frame::ContainmentReply).
pub const CONTAINMENT_REPLY: u8 = 16;
/// The type of [`Frame::ForwardedRequest`](super::frame::Frame::ForwardedRequest).
pub const FORWARDED_REQUEST: u8 = 17;
/// The type of [`Frame::ForwardedResponse`](super::frame::Frame::ForwardedResponse).
pub const FORWARDED_RESPONSE: u8 = 18;
/// The type of [`Frame::Have`](super::frame::Frame::Have).
pub const HAVE: u8 = 19;
/// The type of [`Frame::Graft`](super::frame::Frame::Graft).
pub const GRAFT: u8 = 20;
/// The type of [`Frame::Prune`](super::frame::Frame::Prune).
pub const PRUNE: u8 = 21;
/// The type of [`Frame::News`](super::frame::Frame::News).
pub const NEWS: u8 = 24;
