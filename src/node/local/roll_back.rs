//! Taking from the server what it was given and is not to keep: what was tried, and not published.
//!
//! The head is applied in its place. A server that will not take the head runs what it ran before
//! instead, for what was only tried must not stay there. Without a head it is given what was there
//! before the first change of all.

use std::time::Duration;

use super::Local;
use super::serve::words;
use super::server::Former;
use super::state::Verdict;
use crate::limits::OBSERVE_EVERY;
use crate::model::record::RecordId;
use crate::node::applied::Applied;
use crate::node::context::Context;
use crate::node::effect::{Level, ServerJob};
use crate::node::event::Event;
use crate::node::input::Outcome;
use crate::node::store::Store;
use crate::node::waiting::ServerPurpose;

impl Local {
    /// Whether the server still runs what was tried before there was a head, so that no change may
    /// be made on what it runs. One that is away is asked all the same, for a client must hear
    /// of that.
    pub(in crate::node) fn is_to_roll_back(&self, cx: &Context, store: &Store) -> bool {
        store.head(cx).is_none()
            && self.server.former.document.is_some()
            && !self.server.verdict().is_some_and(Verdict::is_out_of_reach)
    }

    /// What was there before is there again; or cannot be given to the server now.
    pub(in crate::node) fn rolled_back(&mut self, cx: &mut Context, outcome: Outcome) {
        match outcome {
            Outcome::Unreachable(reason)
            | Outcome::Unreadable(reason)
            | Outcome::Unknown(reason) => {
                self.server.apply_at = cx.now.elapsed + OBSERVE_EVERY;
                self.unreachable(cx, reason);
            }
            _ => {
                self.server.former = Former::default();
                cx.tell(Event::LookAgain);
            }
        }
    }

    /// This revision cannot be applied. If it is the head, and the server was left with what was
    /// only tried, it is given what it ran before that.
    pub(in crate::node) fn roll_back_to_applied(
        &mut self,
        cx: &mut Context,
        store: &Store,
        refused: &RecordId,
    ) {
        let is_head = store.head(cx).is_some_and(|head| head.id() == *refused);
        if let Some(applied) = self.server.former.applied.clone().filter(|_| is_head) {
            let document = applied.effective.clone();
            self.ask_server(
                cx,
                ServerPurpose::RollBackToApplied(applied),
                ServerJob::apply(document),
            );
        }
    }

    /// Without a head: what was there before the first change was tried.
    pub(in crate::node) fn roll_back_without_head(&mut self, cx: &mut Context) {
        if self.server.apply_at > cx.now.elapsed {
            return;
        }
        self.server.apply_at = Duration::MAX;
        if let Some(document) = self.server.former.document.clone() {
            self.ask_server(cx, ServerPurpose::RollBack, ServerJob::apply(document));
        }
    }

    /// The server runs what it ran before, or will not, or cannot be reached: then it is tried
    /// again after the head.
    pub(in crate::node) fn rolled_back_to_applied(
        &mut self,
        cx: &mut Context,
        applied: Applied,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Applied => {
                cx.say(
                    Level::Info,
                    "server",
                    format!("the server runs revision {} as before", applied.id.short()),
                );
                self.server.former = Former::default();
                self.server.applied = Some(applied);
                self.runs_revision(cx);
                cx.own_record_changed();
            }
            Outcome::Refused(refusal) => {
                let text = format!(
                    "the server does not take back revision {}: {}",
                    applied.id.short(),
                    words(&refusal)
                );
                cx.say(Level::Warn, "server", text);
                self.server.former = Former::default();
            }
            _ => {}
        }
    }
}
