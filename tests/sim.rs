//! Whole fleets in one thread and virtual time: the same `Node` that the daemon runs, over a
//! network drawn from a seed, and all under the same checkers (`always.rs`, `servers.rs`).
//!
//! `mesh` asks what a fleet does in one situation. `scripted`, `scenarios` and `dated` tell a run
//! deed by deed or draw its clients, `drawn` draws everything; all these end in calm, and are
//! judged by what must hold once faults have stopped (`eventually.rs`, `content.rs`). Whatever
//! fails names its seed, by which it is had again, the same to the last frame.

#[path = "sim/always.rs"]
mod always;
#[path = "sim/asks.rs"]
mod asks;
#[path = "sim/clients.rs"]
mod clients;
#[path = "sim/content.rs"]
mod content;
#[path = "sim/dated.rs"]
mod dated;
#[path = "sim/drawn.rs"]
mod drawn;
#[path = "sim/eventually.rs"]
mod eventually;
#[path = "sim/fleet.rs"]
mod fleet;
#[path = "sim/ledgers.rs"]
mod ledgers;
#[path = "sim/members.rs"]
mod members;
#[path = "mesh/mod.rs"]
mod mesh;
#[path = "sim/nemesis.rs"]
mod nemesis;
#[path = "sim/news.rs"]
mod news;
#[path = "sim/over_links.rs"]
mod over_links;
#[path = "sim/run.rs"]
mod run;
#[path = "sim/scenarios.rs"]
mod scenarios;
#[path = "sim/scripted.rs"]
mod scripted;
#[path = "sim/servers.rs"]
mod servers;
#[path = "sim/watch.rs"]
mod watch;

/// A number that the environment gives.
fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("it is a number"))
}
