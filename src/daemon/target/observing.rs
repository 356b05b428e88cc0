//! What the server runs: the look that is taken every few seconds, at the least price.
//!
//! Besides the configuration it is certificates and modules that may have gone, which costs a
//! request more only where the document has some; and whether the server was started anew. Unit
//! binds its socket under another name and renames it, so then the socket's file is another, though
//! the server may never have been away for a look. Everything is told with the names of the
//! document.

use std::os::unix::fs::MetadataExt;

use super::TargetWorker;
use super::inventory::{ResourceLists, WantedDocument};
use crate::daemon::unit::{Control, RequestFailure, Sight, Unit};
use crate::model::document::Document;
use crate::model::shown::ShownConfig;
use crate::node::input::Outcome;

/// Which file a control socket is: device and number, and when it was made, for a number may be
/// given again. Who changes its mode or owner changes none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketFile {
    device: u64,
    number: u64,
    made: (i64, i64),
}

impl SocketFile {
    /// `None` if there is none, or the control socket is of TCP.
    fn of(unit: &Unit) -> Option<Self> {
        let Control::Unix(path) = unit.control() else {
            return None;
        };
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            number: found.ino(),
            made: (found.mtime(), found.mtime_nsec()),
        })
    }
}

impl TargetWorker {
    /// Whether it is noticed without a look if the server is started anew.
    pub(super) fn watches(&self) -> bool {
        self.socket.is_some() && !self.is_gone
    }

    /// Whether the control socket is not the file that it was when the server was looked at; true
    /// once until the server has answered a look again.
    pub(super) fn goes(&mut self) -> bool {
        self.is_gone = self.socket != SocketFile::of(&self.unit);
        self.is_gone
    }

    pub(super) fn observe(&mut self) -> Outcome {
        // Before anything is read: what is read then is of this server, or of a later one, which
        // the next look will notice.
        let file = SocketFile::of(&self.unit);
        let restarted = file.is_some() && self.socket.is_some() && self.socket != file;
        let is_same = match self.observe_config() {
            Ok(is_same) => is_same,
            Err(failure @ RequestFailure::Unreadable(_)) => {
                return Outcome::Unreadable(failure.to_string());
            }
            Err(failure) => return Outcome::Unreachable(failure.to_string()),
        };
        let lists = match self.lists(&self.watched()) {
            Ok(lists) => lists,
            Err(RequestFailure::Unreadable(why)) => return Outcome::Unreadable(why),
            Err(failure) => return Outcome::Unreachable(failure.to_string()),
        };
        self.socket = file.or(self.socket);
        self.is_gone = false;
        self.report_left(&lists);
        if is_same && lists.are_like(&self.lists) && !restarted {
            self.fold();
            return Outcome::Unchanged;
        }
        self.observed(lists, restarted)
    }

    /// Whether what is kept is worth folding, or will be when the node looks into what it was told,
    /// for the two share it.
    pub(super) fn keeps_much(&self) -> bool {
        let mut seen = self.seen.iter().map(Sight::config);
        let mut taken = self.taken.iter().map(|taken| &taken.document);
        seen.any(ShownConfig::may_be_large) || taken.any(Document::is_large)
    }

    /// Nobody will look into what is kept for a while: all is as it was at the last look, or there
    /// is nothing to do.
    pub(super) fn fold(&mut self) {
        self.seen.iter_mut().for_each(Sight::fold);
        self.taken.iter_mut().for_each(WantedDocument::fold);
    }

    fn observed(&mut self, lists: ResourceLists, restarted: bool) -> Outcome {
        let missing = match self.missing(&lists) {
            Ok(missing) => missing,
            Err(failure) => return Outcome::Unknown(failure.to_string()),
        };
        let Some(seen) = &self.seen else {
            return Outcome::Unknown("nothing was seen before".to_owned());
        };
        let config = match &self.taken {
            Some(taken) if !taken.aliases.is_empty() => {
                taken.aliases.plain(seen.config().value().clone()).into()
            }
            _ => seen.config().clone(),
        };
        self.lists = lists;
        self.is_told = true;
        if !self.to_remove.is_empty() {
            self.remove_unneeded(&ResourceLists::default());
        }
        Outcome::Observed {
            config,
            missing,
            restarted,
        }
    }

    /// Whether it is what the last observation showed. What does not come whole is looked at by its
    /// beginning and its length, and a few parts each time.
    fn observe_config(&mut self) -> Result<bool, RequestFailure> {
        let hint = self
            .taken
            .as_ref()
            .filter(|_| self.seen.is_none())
            .map(WantedDocument::config);
        let mut sight = self.unit.see(self.seen.as_ref(), hint)?;
        if !sight.check_next_parts(&self.unit)? {
            sight = self.unit.see(None, Some(sight.config().value()))?;
        }
        let is_same = self.is_told
            && self
                .seen
                .as_ref()
                .is_some_and(|seen| seen.config().ptr_eq(sight.config()));
        self.seen = Some(sight);
        self.is_told &= is_same;
        Ok(is_same)
    }
}
