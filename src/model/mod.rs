//! What is replicated.

pub mod peer_id;
pub mod signature;
