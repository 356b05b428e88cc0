//! Starling keeps the configuration of NGINX Unit the same on every host, peer to peer.
//!
//! The map of the program follows in the order in which it is built.

pub mod cli;
pub mod codec;
pub mod daemon;
pub mod limits;
pub mod model;
pub mod node;
pub mod settings;
pub mod wire;
