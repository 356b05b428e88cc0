//! How it is done: threads, sockets, files, clocks.
//!
//! [`run`] puts the parts together and hands over to the loop, which owns the node and everything
//! that can be told to do something. All other threads only wait for one thing each (a socket, a
//! file, a server, a clock) and tell the loop about it.

pub mod api;
pub mod clock;
mod decode;
pub mod dialler;
pub mod discovery;
pub(crate) mod disk;
pub(crate) mod entropy;
mod event_loop;
pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod interfaces;
pub mod link;
pub mod links;
pub mod listener;
pub(crate) mod logger;
mod loop_queue;
pub(crate) mod network;
mod overlay;
mod pass;
mod peer_socket;
pub mod pulse;
pub(crate) mod signals;
mod start;
pub mod state_dir;
mod stream;
pub(crate) mod system;
pub mod target;
mod timed;
pub mod unit;
mod unix;
mod watch;

pub use self::start::{RunError, run};
