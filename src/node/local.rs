//! This host's own server, and what becomes of it past Starling.
//!
//! `server` gives it documents, `kept` and `before` keep what they replace, and `drift` says what
//! is done about changes by others.

use super::input::ClientId;
use super::kept::Kept;
use super::server::Server;
use crate::model::path::Path;

/// What is known of the own server.
pub(super) struct Local {
    pub(super) server: Server,
    pub(super) kept: Kept,
    /// Why the overlay that is set is not the one in use.
    pub(super) overlay_problem: Option<String>,
    /// Whether the overlay that is set has been read at all.
    pub(super) is_overlay_known: bool,
    /// Who asked for the document before the server was seen.
    pub(super) early: Vec<(ClientId, Path)>,
}

impl Local {
    /// Nothing is known of a server yet, but whether there is one and whether what it ran before
    /// Starling is kept.
    pub(super) fn new(is_present: bool, before_is_kept: bool) -> Self {
        Self {
            server: Server::new(is_present, before_is_kept),
            kept: Kept::default(),
            overlay_problem: None,
            is_overlay_known: true,
            early: Vec::new(),
        }
    }
}
