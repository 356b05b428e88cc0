//! Starling keeps the configuration of NGINX Unit the same on every host, peer to peer.

pub mod codec;
pub mod limits;
pub mod model;
