//! Everything that can happen to a node.
//!
//! The daemon turns sockets, files, servers and clients into these, and so does a simulator. An
//! input carries plain values only: no handle, no clock. What a peer or a client says is not
//! checked yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ask::Ask;
use super::software::Software;
use crate::model::error_body;
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{self, object};
use crate::model::overlay::Overlay;
use crate::model::revision::Revision;
use crate::model::shown::ShownConfig;
use crate::wire::forwarded::ForwardedResponse;
use crate::wire::handshake::Hello;

/// What may not work for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Discovery.
    Mdns,
    /// The interfaces that were named.
    Interfaces,
}

/// The time, of both kinds, as it was when an input happened.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since the node was made; never goes back. For waiting.
    pub elapsed: Duration,
    /// Milliseconds since 1970 as the host believes, right or wrong. For stamps only.
    pub wall_ms: u64,
}

/// Names a link for as long as the process runs.
pub type LinkId = u64;
/// Names a request to disk or server, to match its answer.
pub type Ticket = u64;
/// Names a client's request that waits for its answer.
pub type ClientId = u64;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// A handshake was completed.
    Linked {
        /// The name of the link from now on.
        link: LinkId,
        /// Who is there.
        hello: Hello,
        /// Where.
        address: SocketAddr,
        /// The dial that led to it, if this host dialled.
        dial: Option<u64>,
    },
    /// A frame came, not decoded yet.
    Frame(LinkId, Vec<u8>),
    /// This much credit for sending has come back.
    Sent(LinkId, u32),
    /// The connection is gone, and why.
    Unlinked(LinkId, String),
    /// A dial failed, and why.
    DialFailed(u64, String),
    /// mDNS shows a peer of this fleet.
    Found {
        /// The peer's instance name: a keyed hash of its peer ID.
        instance: String,
        /// Where it listens.
        addresses: Vec<SocketAddr>,
        /// Whether it has probably not heard of this host, so that there is no point in waiting
        /// for it to dial.
        unheard: bool,
    },
    /// The addresses at which others can dial this host; sent at the start and whenever they
    /// change.
    Addresses(Vec<SocketAddr>),
    /// Every address where this host listens, also those that are no use to others; sent before
    /// [`Input::Addresses`].
    Own(Vec<SocketAddr>),
    /// Something of this host does not work, in words for people, or works again: a problem for as
    /// long as it lasts.
    Trouble(Trouble, Option<String>),
    /// A write to disk is durable, or has failed, in the words of the system.
    Stored(Ticket, Result<(), String>),
    /// A body was decoded, or is a fault of whoever sent it, in these words.
    Decoded(Ticket, Result<Arc<Revision>, String>),
    /// A revision's file, as it was asked for; `None` if there is none, an error in the words of
    /// the system if it cannot be read now.
    Loaded(Ticket, Result<Option<Vec<u8>>, String>),
    /// The server has accepted the document that it was to try, and is read back now. How that
    /// went is said by the report under the same ticket.
    Accepted(Ticket),
    /// The server has done, or not done, what it was asked.
    Server(ServerReport),
    /// The server is gone, or may be another one.
    ServerGone,
    /// What this host makes of its group's document is another now; or what it is to make of it
    /// cannot be read, for this reason.
    Overlay(Result<Overlay, String>),
    /// What a peer asked for was carried out, or not: the answer to it.
    ForwardedDone(u64, ForwardedResponse),
    /// A client asks.
    Asked(ClientId, Ask),
    /// The deadline has come.
    Tick,
}

/// What became of a request to the server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerReport {
    /// Of the request.
    pub ticket: Ticket,
    /// What became of it.
    pub outcome: Outcome,
    /// What is known of the server besides, by then; `None` if that is what was known before.
    pub known: Option<Known>,
    /// Whether [`Input::ServerGone`] comes without a look if the server is started anew, and a
    /// look shows all of its configuration.
    pub is_watched: bool,
}

impl ServerReport {
    /// A report that says nothing besides.
    pub fn new(ticket: Ticket, outcome: Outcome) -> Self {
        Self {
            ticket,
            outcome,
            known: None,
            is_watched: false,
        }
    }
}

/// What is known of a server besides what it was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Which it is; `None` before its first answer, and if it does not say so.
    pub software: Option<Software>,
    /// Under which names modules that somebody else had put there lie on it as copies, the oldest
    /// first.
    pub copies: Vec<String>,
    /// What certificates lie on it that nobody may take away but a person, and what to do about
    /// that.
    pub left: Option<String>,
}

/// What a server did.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The server runs the document: accepted, and read back the same.
    Applied,
    /// The server accepted the document, but what it then showed differs or could not be read, in
    /// these words.
    Unverified(String),
    /// The server refused; nothing changed.
    Refused(Refusal),
    /// The server could not be reached; nothing changed.
    Unreachable(String),
    /// The server answers, and what it runs cannot be read, for this reason; nothing changed.
    Unreadable(String),
    /// Nobody can tell, not even after reading back.
    Unknown(String),
    /// The server runs what it may not be put over before that is kept; nothing changed.
    Found {
        /// The configuration, with the names that people know certificates by.
        config: ShownConfig,
        /// Of it.
        fingerprint: Fingerprint,
    },
    /// The server runs this; it was looked at.
    Observed {
        /// The configuration, with the names that people know certificates by.
        config: ShownConfig,
        /// Certificates and modules of the document that it was last given and that are not there
        /// any more, as paths.
        missing: Vec<String>,
        /// Whether another server process has taken the place of the one that was there at the
        /// last look.
        restarted: bool,
    },
    /// The server runs what it ran at the last observation, and was given nothing since.
    Unchanged,
}

/// How a server refused a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The server's status code.
    pub status: u16,
    /// The server's own words, byte for byte.
    pub body: Vec<u8>,
    /// What was found out about why, beyond its words; empty if nothing was.
    pub reason: String,
}

impl Refusal {
    /// As Unit refuses a configuration that is no good: `detail` is a sentence with a full stop.
    pub fn invalid(detail: &str, reason: &str) -> Self {
        Self::invalid_at(None, detail, reason)
    }

    /// The same, and where, as a JSON pointer: FreeUnit says that.
    pub fn invalid_at(place: Option<&str>, detail: &str, reason: &str) -> Self {
        let mut members = error_body::members("Invalid configuration.", detail);
        members
            .extend(place.map(|place| ("location".to_owned(), object! { "path": place }.into())));
        Self {
            status: 400,
            body: json::unit_format(&members.into()).into_bytes(),
            reason: reason.to_owned(),
        }
    }
}
