//! The states of the server, and how it stands in each.
//!
//! ```text
//!   absent      unseen ──▶ pending ──▶ applied ◀──▶ refused, unverified, untouched, unreachable
//!
//!   idle ── asked for one thing ──▶ busy ── answered ──▶ idle
//! ```
//!
//! All of them are entered by one function, `Server::enter`, which logs from, to and why. What a
//! busy server was asked for stands in the ticket of that; how it stood before counts until the
//! answer, and after it unless the answer says otherwise.

use crate::node::refusal::{Denial, ServerFault};

/// A server of this host, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) enum ServerState {
    /// This host has no server.
    Absent,
    /// Nothing is asked of the server.
    Idle(Verdict),
    /// The server is asked for one thing.
    Busy(Verdict),
}

impl ServerState {
    /// How the server stands; `None` if there is none.
    pub(in crate::node) fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Absent => None,
            Self::Idle(verdict) | Self::Busy(verdict) => Some(verdict),
        }
    }

    /// The same state, but that the server stands so. Nothing makes a server of none.
    pub(super) fn standing(&self, verdict: Verdict) -> Self {
        match self {
            Self::Absent => Self::Absent,
            Self::Idle(_) => Self::Idle(verdict),
            Self::Busy(_) => Self::Busy(verdict),
        }
    }

    /// The state in a few words, for the log.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Absent => "absent".to_owned(),
            Self::Idle(verdict) => format!("idle, {}", verdict.name()),
            Self::Busy(verdict) => format!("busy, {}", verdict.name()),
        }
    }
}

/// How the server stands: how the last attempt to apply the head went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) enum Verdict {
    /// Nothing is known of it yet, but soon will be.
    Unseen,
    /// It was seen, and nothing was tried yet.
    Pending,
    /// The server runs the head.
    Applied,
    /// The server refused, in these words.
    Refused(String),
    /// The server cannot be reached, for this reason.
    Unreachable(String),
    /// The server is given nothing, for what it runs could not be read or kept, for this reason.
    Untouched(String),
    /// The server accepted the head but shows something else.
    Unverified(String),
}

impl Verdict {
    /// Whether the server is given nothing because it is away, or what it runs is not kept.
    pub(in crate::node) fn is_out_of_reach(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Untouched(_))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            _ => self.word(),
        }
    }

    /// The verdict in one word.
    pub(in crate::node) fn word(&self) -> &'static str {
        match self {
            Self::Unseen | Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Refused(_) => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::Untouched(_) => "untouched",
            Self::Unverified(_) => "unverified",
        }
    }

    /// Why nothing can be done with the server now, for a client.
    pub(in crate::node) fn hindrance(&self) -> Denial {
        let reason = self.detail().to_owned();
        match self {
            Self::Untouched(_) => ServerFault::Untouched { reason }.into(),
            _ => ServerFault::Unreachable { reason }.into(),
        }
    }

    /// The particulars.
    pub(in crate::node) fn detail(&self) -> &str {
        match self {
            Self::Unseen | Self::Pending | Self::Applied => "",
            Self::Refused(words)
            | Self::Unreachable(words)
            | Self::Untouched(words)
            | Self::Unverified(words) => words,
        }
    }
}
