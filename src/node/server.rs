//! The server behind this peer: what it runs, what it should run, and what to do about the
//! difference.
//!
//! What the fleet wants is the head; what the server runs is *applied* only after it was read back.
//! The server is asked for one thing at a time. One that suddenly shows its factory default, or
//! comes back after it was away, has lost what it had and is given the head again; any other
//! difference is drift, somebody's doing, and is only reported. Nothing that a server shows is ever
//! spread.

use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::before::Before;
use super::drift::{DRIFT_SHOWN, Handling};
use super::effect::{Level, ServerJob};
use super::input::{Known, Outcome, Refusal, ServerReport};
use super::kept::Found;
use super::plan::config_path;
use super::roll_back::Former;
use super::writes::Request;
use super::{Context, Local};
use crate::limits::{
    FLAP_PATIENCE, OBSERVE_EVERY, REAPPLY_MAX, REAPPLY_MIN, REBASE_JITTER, WORDS_MAX,
};
use crate::model::document::{Document, is_factory};
use crate::model::error_body::ErrorBody;
use crate::model::json;
use crate::model::ledger::{EditRef, Standing};
use crate::model::overlay::Unfit;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::model::shown::ShownConfig;

/// What the server is known to run.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub(super) id: RecordId,
    edit: EditRef,
    pub(super) document: Document,
    /// With this host's overlay and variables: what the server was given.
    pub(super) effective: Document,
}

impl Applied {
    pub(super) fn of(revision: &Revision, effective: Document) -> Self {
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
pub(super) enum Verdict {
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
    pub(super) fn word(&self) -> &'static str {
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
    pub(super) fn hindrance(&self) -> &'static str {
        match self {
            Self::Untouched(_) => UNTOUCHED,
            _ => "The server cannot be reached.",
        }
    }

    /// The particulars.
    pub(super) fn detail(&self) -> &str {
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
pub(super) enum Job {
    Apply(Applied),
    /// The same, for a client who is answered after it.
    InStep(Applied, Box<Request>),
    RollBack,
    RollBackToApplied(Applied),
    Observe,
    Try,
}

pub(super) struct Server {
    pub(super) present: bool,
    pub(super) job: Option<Job>,
    pub(super) applied: Option<Applied>,
    pub(super) observed: Option<ShownConfig>,
    /// Certificates and modules that it has lost, as paths.
    missing: Vec<String>,
    pub(super) verdict: Verdict,
    /// Paths at which the server differs from what was applied.
    pub(super) drift: Vec<String>,
    /// Why what was changed on the server could not be published.
    pub(super) unadopted: Option<String>,
    pub(super) handling: Handling,
    /// Whether this host's overlay is another than when the server was last given something.
    pub(super) is_stale: bool,
    /// Whether what it showed last was compared with what was applied, and was the same.
    is_same: bool,
    /// What it is given instead of what was only tried.
    pub(super) former: Former,
    pub(super) observe_at: Duration,
    pub(super) apply_at: Duration,
    backoff: Duration,
    pub(super) before: Before,
    pub(super) known: Known,
}

impl Server {
    pub(super) fn new(present: bool, before_kept: bool) -> Self {
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
    pub(super) fn head_moved(&mut self, head: &Revision, now: Duration) {
        let takes_back = self
            .applied
            .as_ref()
            .is_some_and(|applied| head.standing(&applied.edit) == Standing::Out);
        self.apply_at = if takes_back { now + FLAP_PATIENCE } else { now };
        self.backoff = REAPPLY_MIN;
    }

    /// Whether nothing is asked of it.
    pub(super) fn is_free(&self) -> bool {
        self.job.is_none()
    }

    /// Whether nothing is known of the server yet, but soon will be.
    pub(super) fn is_unseen(&self) -> bool {
        // With a head the first thing that is done is to apply it, and how that went is all that a
        // change needs to know.
        self.observed.is_none() && self.verdict == Verdict::Pending
    }

    /// When something is to be done, unless the server is busy.
    pub(super) fn due(&self) -> Option<Duration> {
        let apply_at = if !self.before_is_kept() {
            Duration::MAX
        } else {
            self.apply_at.max(Duration::from_millis(1))
        };
        (self.present && self.job.is_none()).then(|| self.observe_at.min(apply_at))
    }

    /// What a published revision left the server with.
    pub(super) fn set_applied(&mut self, revision: &Revision, effective: Document, verified: bool) {
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
    pub(super) fn apply_anew(&mut self, now: Duration) {
        self.applied = None;
        self.is_same = false;
        self.apply_at = now;
        self.backoff = REAPPLY_MIN;
    }
}

impl Node {
    /// Gives the server the next thing to do, if it is free.
    pub(super) fn serve_server(&mut self) {
        let now = self.cx.now.elapsed;
        // A client's change has the server from its first write to disk to its publication: what is
        // asked in between would be taken for the answer to it, or change what is about to
        // be called applied.
        if !self.local.server.present
            || !self.local.server.is_free()
            || self.changes.transaction.is_some()
        {
            return;
        }
        let head = self.store.head(&self.cx).cloned();
        if std::mem::take(&mut self.local.server.is_stale)
            && let Some(head) = &head
            && !self.local.runs_effective(&self.cx, head)
        {
            self.local.server.apply_anew(now);
        }
        match head {
            Some(head)
                if self
                    .local
                    .server
                    .applied
                    .as_ref()
                    .is_none_or(|applied| applied.id != head.id()) =>
            {
                if self.local.server.apply_at <= now && self.local.may_configure(&mut self.cx) {
                    return if self.local.looks_before(&self.cx, head.id()) {
                        self.local.look_at_server(&mut self.cx)
                    } else {
                        self.apply(&head)
                    };
                }
            }
            Some(_) => self.local.server.apply_at = Duration::MAX,
            None => self.local.roll_back_without_head(&mut self.cx),
        }
        if self.local.server.is_free() && self.local.server.observe_at <= now {
            self.local
                .ask_server(&mut self.cx, Job::Observe, ServerJob::Observe);
        }
    }

    pub(super) fn server_reports(&mut self, report: ServerReport) {
        if self.cx.tickets.remove(&report.ticket).is_none() {
            return;
        }
        self.local.server.observe_at = self.cx.now.elapsed + OBSERVE_EVERY;
        report
            .known
            .iter()
            .for_each(|known| self.local.learns_of_server(&mut self.cx, known));
        match report.outcome {
            // What it was asked for is still to be done.
            Outcome::Found {
                config,
                fingerprint,
            } => {
                return self.found_changed(Found {
                    config,
                    fingerprint,
                });
            }
            Outcome::Applied => self.local.runs_what_it_was_given(),
            _ => {}
        }
        match self.local.server.job.take() {
            Some(Job::Apply(applied)) => self.applied(applied, report),
            Some(Job::InStep(applied, request)) => self.is_put_in_step(applied, *request, report),
            Some(Job::Observe) => self.observed(report.outcome),
            Some(Job::Try) => self.tried(report.outcome),
            Some(Job::RollBack) => self.rolled_back(report.outcome),
            Some(Job::RollBackToApplied(applied)) => {
                self.local
                    .rolled_back_to_applied(&mut self.cx, applied, report.outcome)
            }
            None => {}
        }
    }

    fn apply(&mut self, head: &Arc<Revision>) {
        let effective = match self.cx.effective(&head.document) {
            Ok(effective) => effective,
            Err(unfit) => return self.unfit_head(head, &unfit),
        };
        let applied = Applied::of(head, effective.clone());
        let same = self.local.server.verdict == Verdict::Applied
            && self
                .local
                .server
                .applied
                .as_ref()
                .is_some_and(|before| before.effective.text() == effective.text());
        if same {
            self.local.server.applied = Some(applied);
            self.local.runs_revision(&self.cx);
            return self.cx.own_record_changed();
        }
        let job = self.local.server.job_of(effective);
        self.local
            .ask_server(&mut self.cx, Job::Apply(applied), job);
    }

    /// The head cannot be what this host's server runs. It is tried again when one or the other has
    /// changed, and now and then.
    fn unfit_head(&mut self, head: &Revision, unfit: &Unfit) {
        self.back_off(&head.id());
        let words: String = unfit.to_string().chars().take(WORDS_MAX / 4).collect();
        let text = format!("revision {} is not applied: {words}", head.id().short());
        self.local
            .judge(&mut self.cx, Verdict::Refused(words), Level::Warn, text);
        self.roll_back_to_applied(&head.id());
    }

    /// A revision could not be applied: it is tried again after a while, unless there is another
    /// head by now, which is due already.
    pub(super) fn back_off(&mut self, tried: &RecordId) {
        if self
            .store
            .head(&self.cx)
            .is_some_and(|head| head.id() == *tried)
        {
            self.local.server.apply_at = self.cx.now.elapsed + self.local.server.backoff;
            self.local.server.backoff = (self.local.server.backoff * 2).min(REAPPLY_MAX);
        }
    }

    pub(super) fn applied(&mut self, applied: Applied, report: ServerReport) {
        let id = applied.id;
        match report.outcome {
            Outcome::Applied => {
                self.say_applied(&applied);
                self.local.server.applied = Some(applied);
                self.local.runs_revision(&self.cx);
                self.local.server.former = Former::default();
                self.local.server.is_same = false;
                self.local.server.drift.clear();
                self.local.server.backoff = REAPPLY_MIN;
                self.local.judge(
                    &mut self.cx,
                    Verdict::Applied,
                    Level::Debug,
                    "the server runs the head".into(),
                );
            }
            Outcome::Refused(refusal) => {
                let text = format!(
                    "the server refuses revision {}: {} {}",
                    id.short(),
                    refusal.status,
                    words(&refusal)
                );
                self.back_off(&id);
                self.local.judge(
                    &mut self.cx,
                    Verdict::Refused(words(&refusal)),
                    Level::Warn,
                    text,
                );
                self.roll_back_to_applied(&id);
            }
            Outcome::Unreachable(reason) => {
                self.local.server.apply_at = self.cx.now.elapsed + OBSERVE_EVERY;
                self.local.unreachable(&mut self.cx, reason);
            }
            Outcome::Unreadable(reason) => {
                self.back_off(&id);
                self.local.unreadable(&mut self.cx, &reason);
            }
            Outcome::Unverified(reason) | Outcome::Unknown(reason) => {
                self.back_off(&id);
                let text = format!("revision {} is not verified: {reason}", id.short());
                self.local
                    .judge(&mut self.cx, Verdict::Unverified(reason), Level::Warn, text);
            }
            Outcome::Observed { .. } | Outcome::Found { .. } | Outcome::Unchanged => {}
        }
    }

    fn say_applied(&mut self, applied: &Applied) {
        let author = self
            .store
            .replica
            .find(&applied.id)
            .map(|revision| revision.record.header.author);
        let author = author.map_or_else(
            || "…".into(),
            |author| {
                if author == self.cx.me {
                    "this host".into()
                } else {
                    self.peers.called(&author)
                }
            },
        );
        self.cx.say(
            Level::Info,
            "server",
            format!("revision {} by {author} applied", applied.id.short()),
        );
    }

    fn observed(&mut self, outcome: Outcome) {
        let was_away = matches!(self.local.server.verdict, Verdict::Unreachable(_));
        let mut is_new = was_away;
        match outcome {
            Outcome::Observed {
                config,
                missing,
                restarted,
            } => {
                self.local.server.observed = Some(config);
                self.local.server.missing = missing;
                self.local.server.is_same = false;
                is_new |= restarted;
            }
            Outcome::Unreadable(reason) => {
                self.local.unreadable(&mut self.cx, &reason);
                return self.looked_in_vain();
            }
            Outcome::Unreachable(reason) | Outcome::Unknown(reason) => {
                self.local.unreachable(&mut self.cx, reason);
                return self.looked_in_vain();
            }
            _ => {}
        }
        let is_back = was_away || self.local.is_unread();
        if is_back {
            self.local.server.apply_at = self.cx.now.elapsed;
            self.local.server.backoff = REAPPLY_MIN;
            let text = if was_away {
                "the server is there again"
            } else {
                "what the server runs can be read again"
            };
            self.local
                .judge(&mut self.cx, Verdict::Pending, Level::Info, text.into());
        }
        self.compare(is_back, is_new);
    }

    /// Compares what the server shows with what was applied. A server that lost something, or is
    /// new and shows something else, is given the document again; all else is somebody's doing.
    fn compare(&mut self, is_back: bool, is_new: bool) {
        // Nothing has changed on either side, and a comparison of large documents every two seconds
        // is not for nothing.
        if self.local.server.is_same && !is_back && !is_new {
            return;
        }
        let (Some(applied), Some(config)) =
            (&self.local.server.applied, &self.local.server.observed)
        else {
            return;
        };
        if self
            .store
            .head(&self.cx)
            .is_none_or(|head| head.id() != applied.id)
        {
            // What a server shows that has just come back is nobody's change.
            if !is_new {
                self.rescue_drift();
            }
            return;
        }
        let wanted = applied.effective.config();
        let below = json::differing(wanted, config, DRIFT_SHOWN);
        let drift: Vec<String> = below
            .into_iter()
            .map(|path| format!("{}{path}", config_path()))
            .collect();
        let is_emptied = is_factory(config) && !is_factory(wanted);
        let lost =
            !self.local.server.missing.is_empty() || (!drift.is_empty() && (is_emptied || is_new));
        if lost && !self.changes.is_default_meant() {
            self.local.server.apply_anew(self.cx.now.elapsed);
            let text = "the server has lost its configuration and is given it again";
            return self
                .local
                .judge(&mut self.cx, Verdict::Pending, Level::Warn, text.into());
        }
        if is_back {
            self.local.judge(
                &mut self.cx,
                Verdict::Applied,
                Level::Debug,
                "the server runs the head".into(),
            );
        }
        match drift.is_empty() {
            true => {
                self.local.server.is_same = true;
                self.local.no_drift(&mut self.cx);
            }
            false => self.handle_drift(drift),
        }
    }
}

impl Local {
    /// The client's change in hand goes to the server.
    pub(super) fn try_on_server(&mut self, cx: &mut Context, job: ServerJob) {
        self.ask_server(cx, Job::Try, job);
    }

    /// The server is looked at now, for a client who waits for it.
    pub(super) fn look_at_server(&mut self, cx: &mut Context) {
        self.ask_server(cx, Job::Observe, ServerJob::Observe);
    }

    pub(super) fn unreachable(&mut self, cx: &mut Context, reason: String) {
        let text = format!("the server cannot be reached: {reason}");
        self.judge(cx, Verdict::Unreachable(reason), Level::Warn, text);
    }

    /// A verdict is logged and told to others when it changes.
    pub(super) fn judge(&mut self, cx: &mut Context, verdict: Verdict, level: Level, text: String) {
        if self.server.verdict != verdict {
            cx.say(level, "server", text);
            self.server.verdict = verdict;
            // A replay may have waited for a server that can judge it.
            cx.rebase_soon(REBASE_JITTER);
        }
        cx.own_record_changed();
    }
}

/// A server's words on one line, and what was found out beyond them, cut to what is shown.
pub(super) fn words(refusal: &Refusal) -> String {
    let text = String::from_utf8_lossy(&refusal.body);
    let said = ErrorBody::read(&refusal.body).map(|ErrorBody { error, detail }| match detail {
        Some(detail) => format!("{error} {detail}"),
        None => error,
    });
    let mut line = said.unwrap_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(" "));
    if !refusal.reason.is_empty() {
        line = format!("{line} ({})", refusal.reason);
    }
    let mut shown = String::new();
    for c in line.chars().filter(|c| !c.is_control()) {
        if shown.len() + c.len_utf8() > WORDS_MAX {
            break;
        }
        shown.push(c);
    }
    shown
}

/// A server that nothing is put over yet.
pub(super) const UNTOUCHED: &str = "The server is left alone.";
