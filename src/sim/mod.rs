//! Whole fleets in one thread and virtual time: the same [`Node`](crate::node::Node) that the
//! daemon runs, many of them.
//!
//! The world around the nodes stands here: network, disks, servers and clocks, and everything that
//! can go wrong with them. All chance comes from one seed, so a run can be had again to the last
//! frame. Frames pass their real encoding; handshakes and sealing are left out, and so is mDNS.
//! What a world promises to a node, it asserts of itself; what a fleet promises to people is
//! checked by whoever [observes](Observer) it.

mod disk;
mod event;
mod host;
mod network;
pub mod past;
pub mod purpose;
pub mod rehearsal;
mod server;
mod signatures;
pub mod tally;
mod world;

pub use self::disk::{DiskFailure, SimDisk};
pub use self::host::{End, FarEnd, Host, SimClock, Spec, fleet, secret};
pub use self::network::{SimNetwork, Way};
pub use self::server::{REFUSAL, Refuses, SimServer};
pub use self::world::{Observer, Puppet, Traffic, World, address};
