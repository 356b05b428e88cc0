//! What the server ran before Starling first configured it: kept before the server is given
//! anything.
//!
//! ```text
//!   wanted ── seen ──▶ storing ──┬── durable, and read back the same ──▶ kept
//!                         ▲      └── else ──▶ failed
//!                         └── a moment later, or for a client's change ──┘
//! ```
//!
//! Until it is kept the server is left alone, and so is one whose configuration cannot be read:
//! what is put over it would be lost. Both are shown as the verdict, said to whoever wants to
//! change something, and tried again.

use super::Local;
use super::server::Before;
use super::state::Verdict;
use crate::limits::{REAPPLY_MIN, REBASE_JITTER};
use crate::model::document::is_factory;
use crate::model::json;
use crate::model::shown::ShownConfig;
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Level};
use crate::node::event::Event;
use crate::node::refusal::DiskFault;
use crate::node::waiting::Waiting;

impl Local {
    /// What the server ran is on disk; or is not, and then whoever waits for that is told.
    pub(in crate::node) fn before_stored(&mut self, cx: &mut Context, result: Result<(), String>) {
        let is_something = self
            .server
            .observed
            .as_ref()
            .is_some_and(|config| !is_factory(config));
        match result {
            // Of a server that was never configured nothing is lost.
            Err(_) if !is_something => self.server.before = Before::Kept,
            Ok(()) => {
                self.server.before = Before::Kept;
                self.kept
                    .keeps_before(self.server.observed.as_ref().map(ShownConfig::fingerprint));
                if is_something {
                    cx.say(
                        Level::Warn,
                        "server",
                        "what the server ran until now is kept in before-starling.json",
                    );
                }
                if matches!(self.server.verdict(), Some(Verdict::Untouched(_))) {
                    self.judge(
                        cx,
                        Verdict::Pending,
                        Level::Debug,
                        "the server may be configured".into(),
                    );
                }
                cx.rebase_soon(REBASE_JITTER);
            }
            Err(why) => {
                self.server.before = Before::Failed;
                self.server.apply_at = cx.now.elapsed + REAPPLY_MIN;
                let why = format!("what it runs could not be kept: {why}; {ROOM}");
                self.leave_alone(cx, why.clone());
                cx.tell(Event::Deny(DiskFault::BeforeNotKept { reason: why }.into()));
            }
        }
    }

    /// Whether the server may be given something. What it ran before Starling first configured it
    /// is kept first; that begins here.
    pub(in crate::node) fn may_configure(&mut self, cx: &mut Context) -> bool {
        if self.lacks_overlay().is_some() {
            return false;
        }
        if !self.server.is_present() || self.server.before_is_kept() {
            return true;
        }
        if let (Before::Wanted | Before::Failed, Some(observed)) =
            (self.server.before, self.server.observed.clone())
        {
            self.server.before = Before::Storing;
            let ticket = cx.ticket(Waiting::Before);
            cx.disk(DiskJob::BeforeStarling(
                ticket,
                json::unit_format(&observed).into_bytes(),
            ));
        }
        false
    }

    /// The server answers, and what it runs cannot be read.
    pub(in crate::node) fn unreadable(&mut self, cx: &mut Context, reason: &str) {
        self.server.observed = None;
        self.leave_alone(
            cx,
            format!("what it runs cannot be read, and so not kept: {reason}"),
        );
    }

    /// Nothing is put over what was not kept.
    fn leave_alone(&mut self, cx: &mut Context, why: String) {
        let text = format!("the server is left alone: {why}");
        self.judge(cx, Verdict::Untouched(why), Level::Error, text);
    }

    /// Whether the server is left alone because what it runs could not be read.
    pub(in crate::node) fn is_unread(&self) -> bool {
        matches!(self.server.verdict(), Some(Verdict::Untouched(_)))
            && self.server.before != Before::Failed
    }
}

/// What to do about a disk that takes nothing.
const ROOM: &str =
    "make room in the state directory, or let it be written to, and it is tried again";
