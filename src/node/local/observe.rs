//! Looking at the server: what it shows beside what was applied, and what that means.
//!
//! A server that suddenly shows its factory default, or comes back after it was away, has lost what
//! it had and is given the head again; any other difference is drift, somebody's doing. Nothing
//! that a server shows is ever spread.

use super::Local;
use super::server::{DRIFT_SHOWN, Verdict};
use crate::limits::REAPPLY_MIN;
use crate::model::document::is_factory;
use crate::model::json;
use crate::model::path::Path;
use crate::node::context::Context;
use crate::node::effect::Level;
use crate::node::event::Event;
use crate::node::input::Outcome;
use crate::node::store::Store;

impl Local {
    pub(in crate::node) fn observed(
        &mut self,
        cx: &mut Context,
        store: &Store,
        outcome: Outcome,
        default_meant: bool,
    ) {
        let was_away = matches!(self.server.verdict, Verdict::Unreachable(_));
        let mut is_new = was_away;
        match outcome {
            Outcome::Observed {
                config,
                missing,
                restarted,
            } => {
                self.server.observed = Some(config);
                self.server.missing = missing;
                self.server.is_same = false;
                is_new |= restarted;
            }
            Outcome::Unreadable(reason) => {
                self.unreadable(cx, &reason);
                return cx.tell(Event::LookedInVain);
            }
            Outcome::Unreachable(reason) | Outcome::Unknown(reason) => {
                self.unreachable(cx, reason);
                return cx.tell(Event::LookedInVain);
            }
            _ => {}
        }
        let is_back = was_away || self.is_unread();
        if is_back {
            self.server.apply_at = cx.now.elapsed;
            self.server.backoff = REAPPLY_MIN;
            let text = if was_away {
                "the server is there again"
            } else {
                "what the server runs can be read again"
            };
            self.judge(cx, Verdict::Pending, Level::Info, text.into());
        }
        self.compare(cx, store, is_back, is_new, default_meant);
    }

    /// Compares what the server shows with what was applied. A server that lost something, or is
    /// new and shows something else, is given the document again; all else is somebody's doing.
    fn compare(
        &mut self,
        cx: &mut Context,
        store: &Store,
        is_back: bool,
        is_new: bool,
        default_meant: bool,
    ) {
        // Nothing has changed on either side, and a comparison of large documents every two seconds
        // is not for nothing.
        if self.server.is_same && !is_back && !is_new {
            return;
        }
        let (Some(applied), Some(config)) = (&self.server.applied, &self.server.observed) else {
            return;
        };
        if store.head(cx).is_none_or(|head| head.id() != applied.id) {
            // What a server shows that has just come back is nobody's change.
            if !is_new {
                self.rescue_drift(cx, store);
            }
            return;
        }
        let wanted = applied.effective.config();
        let below = json::differing(wanted, config, DRIFT_SHOWN);
        let drift: Vec<String> = below
            .into_iter()
            .map(|path| format!("{}{path}", Path::config()))
            .collect();
        let is_emptied = is_factory(config) && !is_factory(wanted);
        let lost = !self.server.missing.is_empty() || (!drift.is_empty() && (is_emptied || is_new));
        if lost && !default_meant {
            self.server.apply_anew(cx.now.elapsed);
            let text = "the server has lost its configuration and is given it again";
            return self.judge(cx, Verdict::Pending, Level::Warn, text.into());
        }
        if is_back {
            self.judge(
                cx,
                Verdict::Applied,
                Level::Debug,
                "the server runs the head".into(),
            );
        }
        match drift.is_empty() {
            true => {
                self.server.is_same = true;
                self.no_drift(cx);
            }
            false => self.handle_drift(cx, store, drift),
        }
    }
}
