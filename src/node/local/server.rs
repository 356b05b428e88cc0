//! The server behind this peer: what it runs, what it should run, and what to do about the
//! difference.
//!
//! What the fleet wants is the head; what the server runs is *applied* only after it was read back.
//! The server is asked for one thing at a time. One that suddenly shows its factory default, or
//! comes back after it was away, has lost what it had and is given the head again; any other
//! difference is drift, somebody's doing, and is only reported. Nothing that a server shows is ever
//! spread.

use crate::node::event::Event;
use crate::node::peers::Peers;
use crate::node::store::Store;
use std::sync::Arc;
use std::time::Duration;

use super::Local;
use super::before::Before;
use super::drift::{DRIFT_SHOWN, Handling};
use super::roll_back::Former;
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
use crate::node::changes::plan::config_path;
use crate::node::context::Context;
use crate::node::effect::{Level, ServerJob};
use crate::node::input::{Known, Outcome, Refusal, ServerReport};

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
    pub(in crate::node) fn hindrance(&self) -> &'static str {
        match self {
            Self::Untouched(_) => UNTOUCHED,
            _ => "The server cannot be reached.",
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

pub(in crate::node) struct Server {
    pub(in crate::node) present: bool,
    pub(in crate::node) job: Option<Job>,
    pub(in crate::node) applied: Option<Applied>,
    pub(in crate::node) observed: Option<ShownConfig>,
    /// Certificates and modules that it has lost, as paths.
    missing: Vec<String>,
    pub(in crate::node) verdict: Verdict,
    /// Paths at which the server differs from what was applied.
    pub(in crate::node) drift: Vec<String>,
    /// Why what was changed on the server could not be published.
    pub(in crate::node) unadopted: Option<String>,
    pub(in crate::node) handling: Handling,
    /// Whether this host's overlay is another than when the server was last given something.
    pub(in crate::node) is_stale: bool,
    /// Whether what it showed last was compared with what was applied, and was the same.
    is_same: bool,
    /// What it is given instead of what was only tried.
    pub(in crate::node) former: Former,
    pub(in crate::node) observe_at: Duration,
    pub(in crate::node) apply_at: Duration,
    backoff: Duration,
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
}

impl Local {
    /// The server was asked something: what is known of it besides, and whether it runs what it was
    /// given.
    pub(in crate::node) fn hears_of_server(&mut self, cx: &mut Context, report: &ServerReport) {
        self.server.observe_at = cx.now.elapsed + OBSERVE_EVERY;
        if let Some(known) = &report.known {
            self.learns_of_server(cx, known);
        }
        if report.outcome == Outcome::Applied {
            self.runs_what_it_was_given();
        }
    }

    /// There is another head of the own group: the server is to run it.
    pub(in crate::node) fn head_moved(
        &mut self,
        cx: &mut Context,
        peers: &Peers,
        was: Option<&Revision>,
        head: &Revision,
        received: bool,
    ) {
        let header = &head.record.header;
        if received {
            let author = peers.called(&header.author);
            let text = format!(
                "revision {} by {author} received: height {}",
                head.id().short(),
                header.height
            );
            // With a server, what is said is that it was applied.
            cx.say(
                if self.server.present {
                    Level::Debug
                } else {
                    Level::Info
                },
                "config",
                text,
            );
        }
        if was.is_some_and(|was| head.standing(&was.edit_ref()) == Standing::Out) {
            cx.say(
                Level::Info,
                "records",
                format!(
                    "revision {} wins over {}",
                    head.id().short(),
                    was.map_or_else(String::new, |was| was.id().short())
                ),
            );
        }
        self.server.head_moved(head, cx.now.elapsed);
        cx.own_record_changed();
    }

    /// Gives the server the next thing to do, if it is free.
    pub(in crate::node) fn serve_server(&mut self, cx: &mut Context, store: &Store) {
        let now = cx.now.elapsed;
        if !self.server.present || !self.server.is_free() {
            return;
        }
        let head = store.head(cx).cloned();
        if std::mem::take(&mut self.server.is_stale)
            && let Some(head) = &head
            && !self.runs_effective(cx, head)
        {
            self.server.apply_anew(now);
        }
        match head {
            Some(head)
                if self
                    .server
                    .applied
                    .as_ref()
                    .is_none_or(|applied| applied.id != head.id()) =>
            {
                if self.server.apply_at <= now && self.may_configure(cx) {
                    return if self.looks_before(cx, head.id()) {
                        self.look_at_server(cx)
                    } else {
                        self.apply(cx, store, &head)
                    };
                }
            }
            Some(_) => self.server.apply_at = Duration::MAX,
            None => self.roll_back_without_head(cx),
        }
        if self.server.is_free() && self.server.observe_at <= now {
            self.ask_server(cx, Job::Observe, ServerJob::Observe);
        }
    }

    fn apply(&mut self, cx: &mut Context, store: &Store, head: &Arc<Revision>) {
        let effective = match cx.effective(&head.document) {
            Ok(effective) => effective,
            Err(unfit) => return self.unfit_head(cx, store, head, &unfit),
        };
        let applied = Applied::of(head, effective.clone());
        let same = self.server.verdict == Verdict::Applied
            && self
                .server
                .applied
                .as_ref()
                .is_some_and(|before| before.effective.text() == effective.text());
        if same {
            self.server.applied = Some(applied);
            self.runs_revision(cx);
            return cx.own_record_changed();
        }
        let job = self.server.job_of(effective);
        self.ask_server(cx, Job::Apply(applied), job);
    }

    /// The head cannot be what this host's server runs. It is tried again when one or the other has
    /// changed, and now and then.
    fn unfit_head(&mut self, cx: &mut Context, store: &Store, head: &Revision, unfit: &Unfit) {
        self.back_off(cx, store, &head.id());
        let words: String = unfit.to_string().chars().take(WORDS_MAX / 4).collect();
        let text = format!("revision {} is not applied: {words}", head.id().short());
        self.judge(cx, Verdict::Refused(words), Level::Warn, text);
        self.roll_back_to_applied(cx, store, &head.id());
    }

    /// A revision could not be applied: it is tried again after a while, unless there is another
    /// head by now, which is due already.
    pub(in crate::node) fn back_off(&mut self, cx: &mut Context, store: &Store, tried: &RecordId) {
        if store.head(cx).is_some_and(|head| head.id() == *tried) {
            self.server.apply_at = cx.now.elapsed + self.server.backoff;
            self.server.backoff = (self.server.backoff * 2).min(REAPPLY_MAX);
        }
    }

    pub(in crate::node) fn applied(
        &mut self,
        cx: &mut Context,
        peers: &Peers,
        store: &Store,
        applied: Applied,
        report: ServerReport,
    ) {
        let id = applied.id;
        match report.outcome {
            Outcome::Applied => {
                self.say_applied(cx, peers, store, &applied);
                self.server.applied = Some(applied);
                self.runs_revision(cx);
                self.server.former = Former::default();
                self.server.is_same = false;
                self.server.drift.clear();
                self.server.backoff = REAPPLY_MIN;
                self.judge(
                    cx,
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
                self.back_off(cx, store, &id);
                self.judge(cx, Verdict::Refused(words(&refusal)), Level::Warn, text);
                self.roll_back_to_applied(cx, store, &id);
            }
            Outcome::Unreachable(reason) => {
                self.server.apply_at = cx.now.elapsed + OBSERVE_EVERY;
                self.unreachable(cx, reason);
            }
            Outcome::Unreadable(reason) => {
                self.back_off(cx, store, &id);
                self.unreadable(cx, &reason);
            }
            Outcome::Unverified(reason) | Outcome::Unknown(reason) => {
                self.back_off(cx, store, &id);
                let text = format!("revision {} is not verified: {reason}", id.short());
                self.judge(cx, Verdict::Unverified(reason), Level::Warn, text);
            }
            Outcome::Observed { .. } | Outcome::Found { .. } | Outcome::Unchanged => {}
        }
    }

    fn say_applied(&mut self, cx: &mut Context, peers: &Peers, store: &Store, applied: &Applied) {
        let author = store
            .replica
            .find(&applied.id)
            .map(|revision| revision.record.header.author);
        let author = author.map_or_else(
            || "…".into(),
            |author| {
                if author == cx.me {
                    "this host".into()
                } else {
                    peers.called(&author)
                }
            },
        );
        cx.say(
            Level::Info,
            "server",
            format!("revision {} by {author} applied", applied.id.short()),
        );
    }

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
            .map(|path| format!("{}{path}", config_path()))
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

    /// The client's change in hand goes to the server.
    pub(in crate::node) fn try_on_server(&mut self, cx: &mut Context, job: ServerJob) {
        self.ask_server(cx, Job::Try, job);
    }

    /// The server is looked at now, for a client who waits for it.
    pub(in crate::node) fn look_at_server(&mut self, cx: &mut Context) {
        self.ask_server(cx, Job::Observe, ServerJob::Observe);
    }

    pub(in crate::node) fn unreachable(&mut self, cx: &mut Context, reason: String) {
        let text = format!("the server cannot be reached: {reason}");
        self.judge(cx, Verdict::Unreachable(reason), Level::Warn, text);
    }

    /// A verdict is logged and told to others when it changes.
    pub(in crate::node) fn judge(
        &mut self,
        cx: &mut Context,
        verdict: Verdict,
        level: Level,
        text: String,
    ) {
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
pub(in crate::node) fn words(refusal: &Refusal) -> String {
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
pub(in crate::node) const UNTOUCHED: &str = "The server is left alone.";
