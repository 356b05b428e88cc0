//! The server behind this peer: what it runs, what it should run, and what to do about the
//! difference.
//!
//! What the fleet wants is the head; what the server runs is *applied* only after it was read back.
//! The server is asked for one thing at a time. One that suddenly shows its factory default, or
//! comes back after it was away, has lost what it had and is given the head again; any other
//! difference is drift, somebody's doing, and is only reported. Nothing that a server shows is ever
//! spread.

use crate::node::refusal::{Denial, ServerFault};
use std::time::Duration;

use crate::limits::{FLAP_PATIENCE, OBSERVE_EVERY, REAPPLY_MIN};
use crate::model::document::Document;
use crate::model::ledger::{EditRef, Standing};
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::model::shown::ShownConfig;
use crate::node::effect::ServerJob;
use crate::node::input::Known;

/// What the server is known to run.
#[derive(Debug, Clone)]
pub(in crate::node) struct Applied {
    pub(in crate::node) id: RecordId,
    edit: EditRef,
    pub(in crate::node) document: Document,
    /// With this host's overlay and variables: what the server was given.
    pub(in crate::node) effective: Document,
}

impl Applied {
    pub(in crate::node) fn of(revision: &Revision, effective: Document) -> Self {
        Self {
            id: revision.id(),
            edit: revision.edit_ref(),
            document: revision.document.clone(),
            effective,
        }
    }
}

/// How the last attempt to apply the head went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) enum Verdict {
    /// There is no server.
    NoServer,
    /// Nothing was tried yet.
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
    /// The verdict in one word.
    pub(in crate::node) fn word(&self) -> &'static str {
        match self {
            Self::NoServer => "none",
            Self::Pending => "pending",
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
            Self::NoServer | Self::Pending | Self::Applied => "",
            Self::Refused(words)
            | Self::Unreachable(words)
            | Self::Untouched(words)
            | Self::Unverified(words) => words,
        }
    }
}

/// What the server was asked for.
pub(in crate::node) enum Job {
    Apply(Applied),
    /// The same, for a client who is answered after it.
    InStep(Applied),
    RollBack,
    RollBackToApplied(Applied),
    Observe,
    Try,
}

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
    pub(in crate::node) present: bool,
    pub(in crate::node) job: Option<Job>,
    pub(in crate::node) applied: Option<Applied>,
    pub(in crate::node) observed: Option<ShownConfig>,
    /// Certificates and modules that it has lost, as paths.
    pub(in crate::node) missing: Vec<String>,
    pub(in crate::node) verdict: Verdict,
    /// Paths at which the server differs from what was applied.
    pub(in crate::node) drift: Vec<String>,
    /// Why what was changed on the server could not be published.
    pub(in crate::node) unadopted: Option<String>,
    pub(in crate::node) handling: Handling,
    /// Whether this host's overlay is another than when the server was last given something.
    pub(in crate::node) is_stale: bool,
    /// Whether what it showed last was compared with what was applied, and was the same.
    pub(in crate::node) is_same: bool,
    /// What it is given instead of what was only tried.
    pub(in crate::node) former: Former,
    pub(in crate::node) observe_at: Duration,
    pub(in crate::node) apply_at: Duration,
    pub(in crate::node) backoff: Duration,
    pub(in crate::node) before: Before,
    pub(in crate::node) known: Known,
}

impl Server {
    pub(in crate::node) fn new(present: bool, before_kept: bool) -> Self {
        let verdict = if present {
            Verdict::Pending
        } else {
            Verdict::NoServer
        };
        Self {
            present,
            job: None,
            applied: None,
            observed: None,
            missing: Vec::new(),
            verdict,
            drift: Vec::new(),
            unadopted: None,
            handling: Handling::default(),
            is_stale: false,
            is_same: false,
            former: Former::default(),
            observe_at: Duration::ZERO,
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
        self.job.is_none()
    }

    /// Whether nothing is known of the server yet, but soon will be.
    pub(in crate::node) fn is_unseen(&self) -> bool {
        // With a head the first thing that is done is to apply it, and how that went is all that a
        // change needs to know.
        self.observed.is_none() && self.verdict == Verdict::Pending
    }

    /// When something is to be done, unless the server is busy.
    pub(in crate::node) fn due(&self) -> Option<Duration> {
        let apply_at = if !self.before_is_kept() {
            Duration::MAX
        } else {
            self.apply_at.max(Duration::from_millis(1))
        };
        (self.present && self.job.is_none()).then(|| self.observe_at.min(apply_at))
    }

    /// What a published revision left the server with.
    pub(in crate::node) fn set_applied(
        &mut self,
        revision: &Revision,
        effective: Document,
        verified: bool,
    ) {
        self.applied = Some(Applied::of(revision, effective));
        self.former = Former::default();
        self.is_same = false;
        self.drift.clear();
        self.verdict = if verified {
            Verdict::Applied
        } else {
            Verdict::Unverified("not read back yet".into())
        };
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

    /// The job that is to be done next; it is not asked for any more.
    pub(in crate::node) fn take_job(&mut self) -> Option<Job> {
        self.job.take()
    }

    /// What could not be begun is tried again after a while.
    pub(in crate::node) fn try_later(&mut self, now: Duration) {
        self.apply_at = self.apply_at.max(now + OBSERVE_EVERY);
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

/// A server that nothing is put over yet.
pub(in crate::node) const NO_ANSWER: &str = "no answer";
/// Why nothing can be made of what the server runs.
pub(in crate::node) const UNSEEN: &str = "what the server runs has not been read yet";

/// So many paths at which the server differs are shown.
pub(in crate::node) const DRIFT_SHOWN: usize = 8;
