//! What every program of the tests uses that runs the real daemon: how it is started and ended,
//! what it says, and the HTTP client.
//!
//! A crate, so that one copy is built for all of them, and the compiler sees what none of them
//! uses.

pub mod daemon;
pub mod http;
pub mod log;
