//! Taking from the server what it was given and is not to keep: what was tried, and not published.
//!
//! The head is applied in its place. A server that will not take the head runs what it ran before
//! instead, for what was only tried must not stay there. Without a head it is given what was there
//! before the first change of all.

use std::time::Duration;

use super::Node;
use super::effect::{Level, ServerJob};
use super::input::Outcome;
use super::server::{Applied, Job, Server, Verdict, words};
use super::{Context, Local};
use crate::limits::OBSERVE_EVERY;
use crate::model::document::Document;
use crate::model::record::RecordId;

/// What the server ran before it was given something that is not to stay.
#[derive(Default)]
pub(super) struct Former {
    /// For the case that the head cannot take its place.
    applied: Option<Applied>,
    /// While there is no head.
    document: Option<Document>,
    /// Whether a change of an earlier run may still come about: what the server shows until then
    /// is not what it will run.
    is_doubtful: bool,
}

impl Server {
    /// The server was given something that is not to stay: the head is put back, or, without a
    /// head, what was there before.
    pub(super) fn roll_back(&mut self, base: Option<Document>, now: Duration) {
        self.former = Former {
            applied: self.applied.take().or(self.former.applied.take()),
            document: base,
            ..self.former
        };
        self.apply_at = now;
    }

    /// An earlier run was stopped over a change: whether the server has taken it nobody knows, and
    /// it may do so yet.
    pub(super) fn doubt(&mut self) {
        self.former.is_doubtful = true;
    }

    /// How the server is given the head: sent to it, if what it shows means nothing, for it makes
    /// one change after the other.
    pub(super) fn job_of(&self, document: Document) -> ServerJob {
        match self.former.is_doubtful {
            true => ServerJob::attempt(document, false),
            false => ServerJob::apply(document),
        }
    }
}

impl Node {
    /// Whether the server still runs what was tried before there was a head, so that no change may
    /// be made on what it runs. One that is away is asked all the same, for a client must hear
    /// of that.
    pub(super) fn is_to_roll_back(&self) -> bool {
        self.store.head(&self.cx).is_none()
            && self.local.server.former.document.is_some()
            && !matches!(
                self.local.server.verdict,
                Verdict::Unreachable(_) | Verdict::Untouched(_)
            )
    }

    /// What was there before is there again; or cannot be given to the server now.
    pub(super) fn rolled_back(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Unreachable(reason)
            | Outcome::Unreadable(reason)
            | Outcome::Unknown(reason) => {
                self.local.server.apply_at = self.cx.now.elapsed + OBSERVE_EVERY;
                self.local.unreachable(&mut self.cx, reason);
            }
            _ => {
                self.local.server.former = Former::default();
                self.changes.look_again();
            }
        }
    }

    /// This revision cannot be applied. If it is the head, and the server was left with what was
    /// only tried, it is given what it ran before that.
    pub(super) fn roll_back_to_applied(&mut self, refused: &RecordId) {
        let is_head = self
            .store
            .head(&self.cx)
            .is_some_and(|head| head.id() == *refused);
        if let Some(applied) = self.local.server.former.applied.clone().filter(|_| is_head) {
            let document = applied.effective.clone();
            self.local.ask_server(
                &mut self.cx,
                Job::RollBackToApplied(applied),
                ServerJob::apply(document),
            );
        }
    }
}

impl Local {
    /// Without a head: what was there before the first change was tried.
    pub(super) fn roll_back_without_head(&mut self, cx: &mut Context) {
        if self.server.apply_at > cx.now.elapsed {
            return;
        }
        self.server.apply_at = Duration::MAX;
        if let Some(document) = self.server.former.document.clone() {
            self.ask_server(cx, Job::RollBack, ServerJob::apply(document));
        }
    }

    /// The server runs what it ran before, or will not, or cannot be reached: then it is tried
    /// again after the head.
    pub(super) fn rolled_back_to_applied(
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
