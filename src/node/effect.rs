//! Everything that a node can ask for.
//!
//! After each input the daemon performs all effects, in order, before the next input. A node never
//! waits for one: what it needs to know comes back as an input under the same ticket.

use std::net::SocketAddr;

use super::answer::Answer;
use super::input::{ClientId, LinkId, Ticket};
use super::over::Over;
use super::undecoded::Undecoded;
use crate::model::document::{BundleId, Document};
use crate::model::record::RecordId;
use crate::wire::forwarded::ForwardedRequest;

pub use log::Level;

/// Something to be done.
#[derive(Debug)]
pub enum Effect {
    /// Send this frame; the node keeps within the link's credit.
    Send(LinkId, Vec<u8>),
    /// Read nothing more from the link until it is to go on: one of its bodies is worked on.
    Hold(LinkId),
    /// Read on.
    GoOn(LinkId),
    /// Decode a body, beside the loop.
    Decode(Ticket, Undecoded),
    /// Close the link after what is queued has gone out.
    Close(LinkId),
    /// Connect to `host:port` and shake hands.
    Dial {
        /// To be named in the answer.
        dial: u64,
        /// A socket address, or a name to resolve.
        address: String,
    },
    /// Write to disk.
    Disk(DiskJob),
    /// Read a revision's file, by group and name.
    Load(Ticket, String, String),
    /// Read the file of a configuration that was kept when the server was changed past Starling.
    LoadDrift(Ticket, String),
    /// Ask the server.
    Server(Ticket, ServerJob),
    /// Carry out what a peer asks for, like a request of a client of this host's.
    ForwardedRequest(u64, ForwardedRequest),
    /// Answer a client.
    Answer(ClientId, Answer),
    /// Write a line into the log: at `Error` a person must act, at `Warn` something odd was
    /// handled, at `Info` a state has changed.
    Say(Level, &'static str, String),
}

/// A write to the state directory; names are those of [`super::revision_name`].
#[derive(Debug)]
pub enum DiskJob {
    /// Keep a revision that the server is about to try; need not be durable yet.
    Pending(Ticket, String, String, Vec<u8>),
    /// Make that revision durable and one of the group's.
    Commit(Ticket, String, String),
    /// Forget it.
    Discard(String, String),
    /// Keep a revision durably.
    Store(Ticket, String, String, Vec<u8>),
    /// Write the file of a revision anew, durably, without these bundles.
    Strike(Ticket, String, String, Vec<BundleId>),
    /// Forget a revision.
    Remove(String, String),
    /// Write something small and remove it again, to find out whether that can be done.
    Probe(Ticket),
    /// Give a revision's damaged file another name.
    SetAside(String, String),
    /// Keep the address book.
    Addresses(Vec<u8>),
    /// Remember that this host has completed an exchange with its fleet.
    Joined,
    /// Keep what the server ran before it was first configured, unless that is kept already.
    BeforeStarling(Ticket, Vec<u8>),
    /// Keep what the server runs past Starling, durably, under the first name; then remove the file
    /// of the second name, if there is one.
    KeepDrift(Ticket, String, Vec<u8>, Option<String>),
    /// Mark a configuration that was kept as one that somebody has seen.
    AcknowledgeDrift(Ticket, String),
    /// Remember the names that were given to what lies on the server: the whole file.
    Given(Vec<u8>),
    /// Remember that the server runs this document of a group, as it comes to on this host, by the
    /// revision's ID.
    Applied(String, RecordId, Document),
}

impl DiskJob {
    /// The ticket of its answer, if it is answered.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Pending(ticket, ..)
            | Self::Commit(ticket, ..)
            | Self::Store(ticket, ..)
            | Self::Strike(ticket, ..)
            | Self::Probe(ticket)
            | Self::BeforeStarling(ticket, _)
            | Self::KeepDrift(ticket, ..)
            | Self::AcknowledgeDrift(ticket, _) => Some(*ticket),
            Self::Discard(..) | Self::Remove(..) | Self::SetAside(..) => None,
            Self::Addresses(_) | Self::Joined | Self::Given(_) | Self::Applied(..) => None,
        }
    }
}

/// A request to the server.
#[derive(Debug, Clone)]
pub enum ServerJob {
    /// Put this document and read back: nobody has tried it yet.
    Try {
        /// What to run.
        document: Document,
        /// Whether to put it only if the server does not run it already.
        look_first: bool,
        /// What it may be put over; over anything else nothing is put, see
        /// [`Outcome::Found`](super::input::Outcome::Found).
        over: Over,
    },
    /// Put this document, unless the server runs it already, and read back.
    Apply(Document, Over),
    /// Read what it runs.
    Observe,
}

impl ServerJob {
    /// To put this document, of which nobody knows whether it is taken.
    pub fn attempt(document: Document, look_first: bool) -> Self {
        Self::Try {
            document,
            look_first,
            over: Over::default(),
        }
    }

    /// To put this document unless it runs already.
    pub fn apply(document: Document) -> Self {
        Self::Apply(document, Over::default())
    }
}

/// Addresses as they are kept and shown.
pub fn address_texts(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(SocketAddr::to_string).collect()
}

/// The name of a revision's file: sorts by height, and is found by ID.
pub fn revision_name(height: u64, id: &RecordId) -> String {
    format!("{height:015}-{id}")
}
