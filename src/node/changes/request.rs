//! A request: what is wanted of the document or of the server, by whom, and how often it was tried.
//!
//! What a request comes to is decided in `plan`; when its turn is, in `writes`.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::TRIED_FOR;
use crate::model::document::Document;
use crate::model::edit::Op;
use crate::model::patch::Patch;
use crate::model::path::Path;
use crate::model::revision::Revision;
use crate::node::ask::{Change, Patching};
use crate::node::context::Context;
use crate::node::input::ClientId;
use crate::node::kept_file::Changed;

/// What a client wants.
pub(in crate::node) enum Wish {
    Change(Op),
    /// Make this patch of what is at a path.
    Patch(Path, Patch),
    /// Publish what the server runs; also its factory default, if that is forced.
    Local {
        force: bool,
    },
    /// Make of what is at a path what it is in this document.
    Restore(Document, Path),
    /// Make these operations of an edit that lost, or none, and settle its conflict.
    Settle(Vec<Op>),
    /// Publish what somebody had put on the server, and what is kept of it.
    Adopt(Vec<Changed>),
    /// Have the server run the head.
    Repair,
}

/// Who asks, and is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Asker {
    /// A client of this host's.
    Client(ClientId),
    /// This host itself: what somebody has changed on its server is to be published.
    Host,
}

impl From<ClientId> for Asker {
    fn from(client: ClientId) -> Self {
        Self::Client(client)
    }
}

/// A change, or a repair, that somebody waits for.
pub(in crate::node) struct Request {
    pub(super) asker: Asker,
    pub(in crate::node) wish: Wish,
    pub(in crate::node) if_match: Option<String>,
    pub(in crate::node) note: String,
    pub(in crate::node) settles: Vec<String>,
    /// When it came.
    pub(super) since: Duration,
    /// How often it was tried in vain.
    pub(super) tries: u32,
    /// What was tried last, if that was made on edits which are still to be made again on the
    /// head.
    pub(super) follows: Option<Arc<Revision>>,
    /// Whether it is to be tried only.
    pub(in crate::node) is_dry: bool,
    /// Whether the server is looked at, or was, for this change.
    pub(super) looked: bool,
}

impl Request {
    pub(super) fn new(
        asker: impl Into<Asker>,
        wish: Wish,
        if_match: Option<String>,
        note: String,
        settles: Vec<String>,
    ) -> Self {
        let (since, tries, follows) = (Duration::ZERO, 0, None);
        Self {
            asker: asker.into(),
            wish,
            if_match,
            note,
            settles,
            since,
            tries,
            follows,
            is_dry: false,
            looked: false,
        }
    }

    pub(super) fn of_change(client: ClientId, change: Change) -> Self {
        let Change {
            op,
            if_match,
            note,
            settles,
        } = change;
        Self::new(client, Wish::Change(op), if_match, note, settles)
    }

    pub(super) fn of_patch(client: ClientId, patching: Patching) -> Self {
        let Patching {
            path,
            patch,
            if_match,
            note,
            settles,
        } = patching;
        Self::new(client, Wish::Patch(path, patch), if_match, note, settles)
    }
}

/// Whether a change is tried again if the head has moved under it.
pub(in crate::node) fn is_tried_again(cx: &Context, request: &Request) -> bool {
    cx.now.elapsed < request.since + TRIED_FOR
}
