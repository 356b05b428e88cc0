//! The REST endpoint as its users meet it: the built program, one host, a stand-in server, the
//! control socket and TCP.
//!
//! What a module tests, its head says; what a request must come back with is starling-api(7). Two
//! hosts and more: see `lab/`.

#[path = "rest/access.rs"]
mod access;
#[path = "rest/bounds.rs"]
mod bounds;
#[path = "rest/bursts.rs"]
mod bursts;
#[path = "rest/commands.rs"]
mod commands;
#[path = "rest/drift.rs"]
mod drift;
#[path = "rest/dry_runs.rs"]
mod dry_runs;
#[path = "rest/faults.rs"]
mod faults;
#[path = "rest/groups.rs"]
mod groups;
#[path = "rest/history.rs"]
mod history;
#[path = "rest/host.rs"]
mod host;
#[path = "rest/hung.rs"]
mod hung;
#[path = "rest/input.rs"]
mod input;
#[path = "rest/kept.rs"]
mod kept;
#[path = "rest/large.rs"]
mod large;
#[path = "rest/life.rs"]
mod life;
#[path = "rest/overlay.rs"]
mod overlay;
#[path = "rest/passing.rs"]
mod passing;
#[path = "rest/patches.rs"]
mod patches;
#[path = "rest/pem.rs"]
mod pem;
#[path = "rest/planted.rs"]
mod planted;
#[path = "rest/publishing.rs"]
mod publishing;
#[path = "rest/reasons.rs"]
mod reasons;
#[path = "rest/routes.rs"]
mod routes;
#[path = "rest/secrets.rs"]
mod secrets;
#[path = "support/skip.rs"]
mod skip;
#[path = "standin/server.rs"]
mod standin;
#[path = "support/standstill.rs"]
mod standstill;
#[path = "rest/triggers.rs"]
mod triggers;
#[path = "rest/uploads.rs"]
mod uploads;
#[path = "rest/views.rs"]
mod views;
#[path = "rest/watch.rs"]
mod watch;
#[path = "rest/writes.rs"]
mod writes;
