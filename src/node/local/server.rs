//! The server behind this peer: what it runs, what it should run, and what to do about the
//! difference.
//!
//! What the fleet wants is the head; what the server runs is *applied* only after it was read back.
//! The server is asked for one thing at a time. One that suddenly shows its factory default, or
//! comes back after it was away, has lost what it had and is given the head again; any other
//! difference is drift, somebody's doing, and is only reported. Nothing that a server shows is ever
//! spread.

use std::time::Duration;

use super::state::{ServerState, Verdict};
use crate::limits::{
    FLAP_PATIENCE, OBSERVE_CALM_EVERY, OBSERVE_CALM_SLACK, OBSERVE_EVERY, OBSERVES_CLOSE,
    REAPPLY_MIN,
};
use crate::model::document::Document;
use crate::model::ledger::Standing;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::model::shown::ShownConfig;
use crate::node::applied::Applied;
use crate::node::context::Context;
use crate::node::effect::{Level, ServerJob};
use crate::node::input::{Known, Outcome, ServerReport};
use crate::node::refusal::{Denial, ServerFault};
use crate::node::waiting::ServerPurpose;

/// What the server ran before Starling first configured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Before {
    /// What the server ran is to be kept before anything is sent.
    Wanted,
    /// What it ran is on its way to the disk.
    Storing,
    /// What it ran could not be written, or was not read back the same.
    Failed,
    /// What it ran is kept.
    Kept,
}

/// What the server ran before it was given something that is not to stay.
#[derive(Default)]
pub(in crate::node) struct Former {
    /// For the case that the head cannot take its place.
    pub(super) applied: Option<Applied>,
    /// While there is no head.
    pub(super) document: Option<Document>,
    /// Whether a change of an earlier run may still come about: what the server shows until then
    /// is not what it will run.
    pub(super) is_doubtful: bool,
}

/// What has been done about drift.
#[derive(Debug, Default)]
pub(in crate::node) struct Handling {
    /// When the server was last repaired, and how long it is left alone after that.
    pub(super) repaired: Option<(Duration, Duration)>,
    /// Whether a change is on its way to be published.
    pub(super) is_adopting: bool,
    /// What was tried to be published last and could not be: the head then, and what the server
    /// ran.
    pub(super) in_vain: Option<(RecordId, String)>,
    /// The head for which the server was looked at before it is given it.
    pub(super) looked_for: Option<RecordId>,
}

/// The server of this host.
pub(in crate::node) struct Server {
    /// Changed by [`Server::enter`] only.
    state: ServerState,
    pub(super) applied: Option<Applied>,
    pub(super) observed: Option<ShownConfig>,
    /// Certificates and modules that it has lost, as paths.
    pub(super) missing: Vec<String>,
    /// Paths at which the server differs from what was applied.
    pub(super) drift: Vec<String>,
    /// Why what was changed on the server could not be published.
    pub(super) unadopted: Option<String>,
    pub(super) handling: Handling,
    /// Whether this host's overlay is another than when the server was last given something.
    pub(super) is_stale: bool,
    /// Whether what it showed last was compared with what was applied, and was the same.
    pub(super) is_same: bool,
    /// What it is given instead of what was only tried.
    pub(super) former: Former,
    pub(super) observe_at: Duration,
    /// How much sooner it is looked at if this host is awake anyway.
    observe_slack: Duration,
    /// How many looks in a row have shown nothing new.
    calm: u32,
    pub(super) apply_at: Duration,
    pub(super) backoff: Duration,
    pub(super) before: Before,
    pub(super) known: Known,
}

impl Server {
    pub(in crate::node) fn new(present: bool, before_kept: bool) -> Self {
        let state = match present {
            true => ServerState::Idle(Verdict::Unseen),
            false => ServerState::Absent,
        };
        Self {
            state,
            applied: None,
            observed: None,
            missing: Vec::new(),
            drift: Vec::new(),
            unadopted: None,
            handling: Handling::default(),
            is_stale: false,
            is_same: false,
            former: Former::default(),
            observe_at: Duration::ZERO,
            observe_slack: Duration::ZERO,
            calm: 0,
            apply_at: Duration::ZERO,
            backoff: REAPPLY_MIN,
            before: if before_kept {
                Before::Kept
            } else {
                Before::Wanted
            },
            known: Known::default(),
        }
    }

    /// A new head is to be applied: at once if it contains what is applied, after a moment if it
    /// does not, for then one that does may be on its way and the server must not flap.
    pub(in crate::node) fn head_moved(&mut self, head: &Revision, now: Duration) {
        let takes_back = self
            .applied
            .as_ref()
            .is_some_and(|applied| head.standing(&applied.edit) == Standing::Out);
        self.apply_at = if takes_back { now + FLAP_PATIENCE } else { now };
        self.backoff = REAPPLY_MIN;
    }

    /// Whether nothing is asked of it.
    pub(in crate::node) fn is_free(&self) -> bool {
        !matches!(self.state, ServerState::Busy(_))
    }

    /// Whether nothing is known of the server yet, but soon will be.
    pub(in crate::node) fn is_unseen(&self) -> bool {
        // With a head the first thing that is done is to apply it, and how that went is all that a
        // change needs to know.
        self.stands_so(&Verdict::Unseen)
    }

    /// When something is to be done, unless the server is busy.
    pub(in crate::node) fn due(&self) -> Option<Duration> {
        let apply_at = if !self.before_is_kept() {
            Duration::MAX
        } else {
            self.apply_at.max(Duration::from_millis(1))
        };
        matches!(self.state, ServerState::Idle(_)).then(|| self.observe_at.min(apply_at))
    }

    /// What a published revision left the server with.
    pub(in crate::node) fn set_applied(
        &mut self,
        cx: &mut Context,
        revision: &Revision,
        effective: Document,
        verified: bool,
    ) {
        self.runs(Applied::of(revision, effective));
        let verdict = match verified {
            true => Verdict::Applied,
            false => Verdict::Unverified("not read back yet".into()),
        };
        self.stand(cx, verdict, "a revision is published");
    }

    /// The server runs this, and nothing else is to be put back.
    pub(super) fn runs(&mut self, applied: Applied) {
        self.applied = Some(applied);
        self.former = Former::default();
        self.is_same = false;
        self.drift.clear();
    }

    /// The only place where the state of the server changes. A look recurs every few seconds, and
    /// is no news: who gives no reason is not logged.
    fn enter(&mut self, cx: &mut Context, next: ServerState, why: Option<&str>) {
        if self.state == next {
            return;
        }
        if let Some(why) = why {
            let (from, to) = (self.state.words(), next.words());
            let text = format!("the server was {from}, and is {to}: {why}");
            cx.say(Level::Debug, "server", text);
        }
        self.state = next;
    }

    /// The server is asked for something.
    pub(super) fn begin(&mut self, cx: &mut Context, purpose: &ServerPurpose) {
        if let ServerState::Idle(verdict) = &self.state {
            let next = ServerState::Busy(verdict.clone());
            self.enter(cx, next, reason(purpose));
        }
    }

    /// The server has answered, or is not asked after all.
    pub(in crate::node) fn end(&mut self, cx: &mut Context, purpose: &ServerPurpose) {
        if let ServerState::Busy(verdict) = &self.state {
            let next = ServerState::Idle(verdict.clone());
            self.enter(cx, next, reason(purpose));
        }
    }

    /// The server stands so from now on. Whether that is another than before.
    pub(super) fn stand(&mut self, cx: &mut Context, verdict: Verdict, why: &str) -> bool {
        let is_new = self.state.verdict() != Some(&verdict);
        let next = self.state.standing(verdict);
        self.enter(cx, next, Some(why));
        is_new
    }

    /// The server shows this configuration.
    pub(super) fn shows(&mut self, cx: &mut Context, config: ShownConfig) {
        self.observed = Some(config);
        if self.is_unseen() {
            self.stand(cx, Verdict::Pending, "it was seen");
        }
    }

    /// What the server is known to run.
    pub(in crate::node) fn applied(&self) -> Option<&Applied> {
        self.applied.as_ref()
    }

    /// What the server showed at the last look.
    pub(in crate::node) fn observed(&self) -> Option<&ShownConfig> {
        self.observed.as_ref()
    }

    /// Paths at which the server differs from what was applied.
    pub(in crate::node) fn drift(&self) -> &[String] {
        &self.drift
    }

    /// Why what was changed on the server could not be published.
    pub(in crate::node) fn unadopted(&self) -> Option<&String> {
        self.unadopted.as_ref()
    }

    /// What is known of the server besides.
    pub(in crate::node) fn known(&self) -> &Known {
        &self.known
    }

    /// Whether there is a server.
    pub(in crate::node) fn is_present(&self) -> bool {
        self.state != ServerState::Absent
    }

    /// How the server stands; `None` if there is none.
    pub(in crate::node) fn verdict(&self) -> Option<&Verdict> {
        self.state.verdict()
    }

    /// Whether the server stands so.
    pub(in crate::node) fn stands_so(&self, verdict: &Verdict) -> bool {
        self.verdict() == Some(verdict)
    }

    /// Whether nothing was tried on the server yet.
    pub(in crate::node) fn is_untried(&self) -> bool {
        matches!(self.verdict(), Some(Verdict::Unseen | Verdict::Pending))
    }

    /// How the server stands, in one word; `none` if there is none.
    pub(in crate::node) fn word(&self) -> &'static str {
        self.verdict().map_or("none", Verdict::word)
    }

    /// The particulars of that.
    pub(in crate::node) fn detail(&self) -> &str {
        self.verdict().map_or("", Verdict::detail)
    }

    /// Why nothing can be done with the server now, for a client.
    pub(in crate::node) fn hindrance(&self) -> Denial {
        match self.verdict() {
            Some(verdict) => verdict.hindrance(),
            None => {
                let reason = String::new();
                ServerFault::Unreachable { reason }.into()
            }
        }
    }

    /// The head is to be applied though it was before.
    pub(in crate::node) fn apply_anew(&mut self, now: Duration) {
        self.applied = None;
        self.is_same = false;
        self.apply_at = now;
        self.backoff = REAPPLY_MIN;
    }

    /// Whether what the server ran before is kept.
    pub(in crate::node) fn before_is_kept(&self) -> bool {
        self.before == Before::Kept
    }

    /// Whether what it runs is to be kept and has not been seen yet.
    pub(in crate::node) fn is_to_be_kept(&self) -> bool {
        !self.before_is_kept() && self.observed.is_none()
    }

    /// The server was given something that is not to stay: the head is put back, or, without a
    /// head, what was there before.
    pub(in crate::node) fn roll_back(&mut self, base: Option<Document>, now: Duration) {
        self.former = Former {
            applied: self.applied.take().or(self.former.applied.take()),
            document: base,
            ..self.former
        };
        self.apply_at = now;
    }

    /// An earlier run was stopped over a change: whether the server has taken it nobody knows, and
    /// it may do so yet.
    pub(in crate::node) fn doubt(&mut self) {
        self.former.is_doubtful = true;
    }

    /// How the server is given the head: sent to it, if what it shows means nothing, for it makes
    /// one change after the other.
    pub(in crate::node) fn job_of(&self, document: Document) -> ServerJob {
        match self.former.is_doubtful {
            true => ServerJob::attempt(document, false),
            false => ServerJob::apply(document),
        }
    }

    /// What could not be begun is tried again after a while.
    pub(in crate::node) fn try_later(&mut self, now: Duration) {
        self.apply_at = self.apply_at.max(now + OBSERVE_EVERY);
    }

    /// The server has done what it was asked: it is looked at again before long, or, while nobody
    /// does anything to it, after a while.
    pub(super) fn heard(&mut self, report: &ServerReport, now: Duration) {
        self.calm = if report.outcome == Outcome::Unchanged {
            self.calm.saturating_add(1)
        } else {
            0
        };
        let is_in_order =
            self.stands_so(&Verdict::Applied) && self.drift.is_empty() && self.missing.is_empty();
        let is_calm = is_in_order && report.is_watched && self.calm >= OBSERVES_CLOSE;
        let (every, slack) = if is_calm {
            (OBSERVE_CALM_EVERY, OBSERVE_CALM_SLACK)
        } else {
            (OBSERVE_EVERY, Duration::ZERO)
        };
        (self.observe_at, self.observe_slack) = (now + every, slack);
    }

    /// Whether it is to be looked at, now that this host is awake.
    pub(super) fn is_to_be_seen(&self, now: Duration) -> bool {
        self.observe_at <= now.saturating_add(self.observe_slack)
    }

    /// The server is looked at as soon as it is free.
    pub(in crate::node) fn look_soon(&mut self, now: Duration) {
        self.observe_at = now;
    }

    /// The documents that are kept of what it was given.
    pub(in crate::node) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.applied
            .iter()
            .flat_map(|applied| [&applied.document, &applied.effective])
    }

    /// Gives back their values.
    pub(in crate::node) fn fold(&mut self) {
        self.observed = self.observed.take().map(|shown| shown.folded());
        let Some(applied) = &mut self.applied else {
            return;
        };
        let is_one = applied.document.ptr_eq(&applied.effective);
        applied.document = applied.document.folded();
        applied.effective = if is_one {
            applied.document.clone()
        } else {
            applied.effective.folded()
        };
    }
}

/// Why nothing can be made of what the server runs.
pub(in crate::node) const UNSEEN: &str = "what the server runs has not been read yet";

/// Of a server that gave another answer than was asked for.
pub(in crate::node) const NO_ANSWER: &str = "no answer";

/// So many paths at which the server differs are shown.
pub(in crate::node) const DRIFT_SHOWN: usize = 8;

/// Why a server becomes busy, or idle again.
fn reason(purpose: &ServerPurpose) -> Option<&'static str> {
    match purpose {
        ServerPurpose::Observe => None,
        _ => Some(purpose.word()),
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
