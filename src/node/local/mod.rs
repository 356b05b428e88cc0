//! This host's own server, and what becomes of it past Starling.
//!
//! `server` gives it documents, `kept` and `before` keep what they replace, and `drift` says what
//! is done about changes by others.

pub(in crate::node) mod before;
pub(in crate::node) mod drift;
pub(in crate::node) mod drift_files;
pub(in crate::node) mod effective;
pub(in crate::node) mod fold;
pub(in crate::node) mod in_step;
pub(in crate::node) mod kept;
pub(in crate::node) mod observe;
pub(in crate::node) mod roll_back;
pub(in crate::node) mod serve;
pub(in crate::node) mod server;
pub(in crate::node) mod state;

use self::kept::Kept;
use self::server::Server;
use super::input::ClientId;
use crate::model::path::Path;

/// What is known of the own server.
pub(in crate::node) struct Local {
    pub(in crate::node) server: Server,
    pub(in crate::node) kept: Kept,
    /// Why the overlay that is set is not the one in use.
    pub(in crate::node) overlay_problem: Option<String>,
    /// Whether the overlay that is set has been read at all.
    pub(in crate::node) is_overlay_known: bool,
    /// Who asked for the document before the server was seen.
    pub(in crate::node) early: Vec<(ClientId, Path)>,
}

impl Local {
    /// Nothing is known of a server yet, but whether there is one and whether what it ran before
    /// Starling is kept.
    pub(in crate::node) fn new(is_present: bool, before_is_kept: bool) -> Self {
        Self {
            server: Server::new(is_present, before_is_kept),
            kept: Kept::default(),
            overlay_problem: None,
            is_overlay_known: true,
            early: Vec::new(),
        }
    }
}
