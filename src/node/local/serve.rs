//! Giving the server what it is to run: the head, or a client's change that is tried.
//!
//! The server is asked for one thing at a time, and what was found out by each is its verdict.

use std::sync::Arc;
use std::time::Duration;

use super::Local;
use super::effective::effective_document;
use super::state::Verdict;
use crate::limits::{OBSERVE_EVERY, REAPPLY_MAX, REAPPLY_MIN, REBASE_JITTER, WORDS_MAX};
use crate::model::error_body::ErrorBody;
use crate::model::ledger::Standing;
use crate::model::overlay::Unfit;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::node::applied::Applied;
use crate::node::context::Context;
use crate::node::effect::{Level, ServerJob};
use crate::node::input::{Outcome, Refusal, ServerReport};
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::node::waiting::ServerPurpose;

impl Local {
    /// What the own server runs, as far as is known.
    pub(in crate::node) fn applied_id(&self) -> Option<RecordId> {
        self.server.applied.as_ref().map(|applied| applied.id)
    }

    /// The server was asked something: what is known of it besides, and whether it runs what it was
    /// given.
    pub(in crate::node) fn hears_of_server(&mut self, cx: &mut Context, report: &ServerReport) {
        self.server.heard(report, cx.now.elapsed);
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
                if self.server.is_present() {
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
        if !self.server.is_present() || !self.server.is_free() {
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
        if self.server.is_free() && self.server.is_to_be_seen(now) {
            self.ask_server(cx, ServerPurpose::Observe, ServerJob::Observe);
        }
    }

    fn apply(&mut self, cx: &mut Context, store: &Store, head: &Arc<Revision>) {
        let effective = match effective_document(cx, &head.document) {
            Ok(effective) => effective,
            Err(unfit) => return self.unfit_head(cx, store, head, &unfit),
        };
        let applied = Applied::of(head, effective.clone());
        let same = self.server.stands_so(&Verdict::Applied)
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
        self.ask_server(cx, ServerPurpose::Apply(applied), job);
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
                self.server.runs(applied);
                self.runs_revision(cx);
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

    /// The client's change in hand goes to the server.
    pub(in crate::node) fn try_on_server(&mut self, cx: &mut Context, job: ServerJob) {
        self.ask_server(cx, ServerPurpose::Try, job);
    }

    /// The server is looked at now, for a client who waits for it.
    pub(in crate::node) fn look_at_server(&mut self, cx: &mut Context) {
        self.ask_server(cx, ServerPurpose::Observe, ServerJob::Observe);
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
        if self.server.stand(cx, verdict, &text) {
            cx.say(level, "server", text);
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
