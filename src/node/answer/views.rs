//! What clients are shown of a fleet, as values.
//!
//! How they are spelt, member by member, is for the daemon to say. Nothing here decides or reads
//! anything; what a peer says of itself stands here as it was said, within the bounds of node
//! records.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::conflict::OpenConflict;
use crate::model::document::Document;
use crate::model::ledger::EditRef;
use crate::model::operation::Operation;
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::model::revision::Origin;
use crate::node::answer::state::HostState;
use crate::node::kept_file::KeptFile;
use crate::wire::fleet::FleetId;

/// A fleet as one of its hosts sees it.
#[derive(Debug)]
pub struct FleetView {
    /// The fleet's name.
    pub name: String,
    /// The fleet's ID.
    pub id: FleetId,
    /// The host that was asked.
    pub host: HostView,
    /// The group that the host follows.
    pub group: FollowedView,
    /// The host's links.
    pub links: Vec<LinkView>,
    /// All peers that have said something of themselves, the host that was asked included.
    pub nodes: Vec<NodeView>,
    /// The conflicts in the host's group.
    pub conflicts: Vec<ConflictView>,
    /// What a person should look at, in sentences.
    pub problems: Vec<String>,
}

/// The host that was asked.
#[derive(Debug)]
pub struct HostView {
    /// The host's peer ID.
    pub id: PeerId,
    /// The name that people know it by.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The group that it follows.
    pub group: String,
    /// Whether it has completed an exchange with its fleet.
    pub has_joined: bool,
    /// Revisions that are in memory only, for the disk does not take them.
    pub in_memory: usize,
    /// How long it has run.
    pub uptime: Duration,
}

/// The group that a host follows, and how its server stands to it.
#[derive(Debug)]
pub struct FollowedView {
    /// The group's name.
    pub name: String,
    /// The group's head, if it has one.
    pub head: Option<RevisionView>,
    /// The revision that the host's server runs, as far as is known.
    pub applied: Option<RecordId>,
    /// How the last attempt to apply the head went, in one word.
    pub verdict: &'static str,
    /// The particulars of the verdict; may be empty.
    pub detail: String,
    /// The paths at which the server differs from what was applied.
    pub drift: Vec<String>,
    /// What is kept of what somebody had put on the server, and nobody has acknowledged.
    pub kept: Vec<KeptFile>,
}

/// A link of the host that was asked.
#[derive(Debug)]
pub struct LinkView {
    /// Who is at the other end.
    pub peer: PeerId,
    /// The name of the other end.
    pub name: String,
    /// The address of the other end.
    pub address: SocketAddr,
    /// Whether the host that was asked has dialled.
    pub is_outgoing: bool,
    /// How long the link has been up.
    pub age: Duration,
    /// Bytes of frames that came.
    pub bytes_in: u64,
    /// Bytes of frames that went.
    pub bytes_out: u64,
    /// Bytes that wait to be sent.
    pub queue: usize,
    /// How long a ping took last, if one was answered.
    pub round_trip: Option<Duration>,
}

/// What is known of a peer by its node record.
#[derive(Debug)]
pub struct NodeView {
    /// The peer's ID.
    pub id: PeerId,
    /// What the peer says of itself.
    pub said: SaidView,
    /// How the host stands to the head of its group.
    pub state: HostState,
    /// How old the news is.
    pub age: Duration,
    /// By how many milliseconds the peer's clock is ahead of the fleet's, if that can be told.
    pub clock_ms: Option<i64>,
    /// Whether the host that was asked is linked with the peer.
    pub is_linked: bool,
    /// Whether this is the host that was asked.
    pub is_self: bool,
}

/// What a peer says of itself: only what is documented, and only of the type that is documented. A
/// text that it does not say is empty.
#[derive(Debug)]
pub struct SaidView {
    /// The name that people know it by.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The group that it follows.
    pub group: String,
    /// How its last attempt to apply its head went, in one word.
    pub verdict: String,
    /// The particulars of the verdict.
    pub detail: String,
    /// The first thing there that a person should look at.
    pub problem: String,
    /// The ID of the head that it holds, as it writes it.
    pub desired: Option<String>,
    /// The ID of the revision that its server runs, as it writes it.
    pub applied: Option<String>,
    /// Whether it has a server.
    pub has_server: bool,
    /// Whether its server was changed past Starling.
    pub has_drift: bool,
    /// Where it may be dialled, as it writes it.
    pub addresses: Vec<String>,
}

/// A group that is known of.
#[derive(Debug)]
pub struct GroupView {
    /// The group's name.
    pub name: String,
    /// Whether the host that was asked follows it.
    pub is_own: bool,
    /// The group's head, if it has one and was not removed.
    pub head: Option<RevisionView>,
    /// How many hosts follow it by their own account.
    pub hosts: usize,
    /// How many of their servers run the head.
    pub applied: usize,
    /// How many conflicts are open.
    pub conflicts: usize,
    /// Whether the group was removed.
    pub is_removed: bool,
}

/// A revision without its document.
#[derive(Debug)]
pub struct RevisionView {
    /// The revision's ID.
    pub id: RecordId,
    /// The base's height and one.
    pub height: u64,
    /// Who signed it.
    pub author: PeerId,
    /// The name of its author.
    pub author_name: String,
    /// The author's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// When it came to the host that was asked, in milliseconds since 1970, if that is known.
    pub received_ms: Option<u64>,
    /// Who made it and why, in the client's words.
    pub note: String,
    /// What it was made on; `None` if it is the first of all.
    pub base: Option<RecordId>,
    /// Bytes of its body.
    pub size: u32,
    /// Whether it was published without any server having tried it.
    pub is_untried: bool,
    /// Whether it is on disk.
    pub is_stored: bool,
    /// Whether private keys were taken out of it.
    pub is_struck: bool,
    /// Whether it was made for one head only.
    pub is_guarded: bool,
    /// Whether it removes the group.
    pub is_removal: bool,
    /// Whether it carries its edit for the first time.
    pub origin: Origin,
    /// The name of whoever made the edit first, if that was another revision.
    pub edit_author_name: Option<String>,
    /// What it changed, operation by operation.
    pub edit: Vec<Operation>,
    /// The conflicts that it settles.
    pub settled: Vec<RecordId>,
    /// Whether the head was not made on it.
    pub is_beaten: bool,
}

/// An edit that a head does not contain.
#[derive(Debug)]
pub struct ConflictView {
    /// The edit.
    pub edit: EditRef,
    /// What it wanted, and who.
    pub conflict: OpenConflict,
    /// Whether the head lists it, so that every host has it.
    pub is_open: bool,
    /// The name of its author, if that is known.
    pub author_name: Option<String>,
}

/// What a host makes of its group's document.
#[derive(Debug)]
pub struct EffectiveView {
    /// The group.
    pub group: String,
    /// The head's ID, if there is a head.
    pub head: Option<RecordId>,
    /// Where the host's overlay acts, as paths, cut where they are long.
    pub overlaid: Vec<String>,
    /// Where the host's variables were put in.
    pub variables: Vec<VariableView>,
    /// The document that the host's server is given.
    pub document: Document,
}

/// A variable of a host in its place. Each text is cut where it is long.
#[derive(Debug)]
pub struct VariableView {
    /// The path at which it was put in.
    pub path: String,
    /// The variable's name.
    pub name: String,
    /// What it stands for on this host.
    pub value: String,
}
