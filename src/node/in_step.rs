//! A change that leaves the document as it is, and `starling repair`: the server runs the head
//! afterwards, or the answer is another than 200.
//!
//! The server is looked at, and given the head if it does not run it. What somebody has put there
//! is kept first, like before anything that is given to it.

use std::time::Duration;

use super::Node;
use super::answer::{Answer, Problem};
use super::effect::{Effect, ServerJob};
use super::input::{ClientId, Outcome, ServerReport};
use super::server::{Applied, Job, Server, UNTOUCHED, Verdict, words};
use super::uploads::success;
use super::views::text;
use super::writes::{Request, Wish, others_are_changing};
use super::{Changes, Context, Local};
use crate::limits::OBSERVE_EVERY;
use crate::model::record::RecordId;
use crate::wire::forwarded::ForwardedRequest;

impl Node {
    /// A client wants another host's server to run the head: the request goes there.
    pub(super) fn repair_elsewhere(
        &mut self,
        client: ClientId,
        ending: &str,
        forwarded: ForwardedRequest,
    ) {
        let matches: Vec<_> = self
            .peers
            .roster
            .iter()
            .filter(|(peer, _)| peer.to_string().ends_with(ending))
            .collect();
        let problem = match matches[..] {
            [(peer, _)] if *peer == self.cx.me => {
                return self.changes.repair_on_purpose(&mut self.cx, client);
            }
            [(peer, node)] => {
                let (peer, said) = (*peer, node.said());
                let group = text(&said, "group").unwrap_or_default().to_owned();
                return self.forward_to(client, peer, &ForwardedRequest { group, ..forwarded });
            }
            [] => Problem::new(
                404,
                "No such peer.",
                format!("no peer ID ends with {ending}"),
            ),
            _ => Problem::new(
                409,
                "More than one peer.",
                format!("{} peer IDs end with {ending}", matches.len()),
            ),
        };
        self.cx.reply(client, problem);
    }

    /// What a repair comes to before the server is asked.
    pub(super) fn plan_repair(&self) -> Answer {
        let detail =
            "nothing was ever changed in its group, so there is nothing to be given to its server";
        match self.store.head(&self.cx) {
            _ if !self.local.server.present => {
                Problem::new(409, "This host has no server.", "").into()
            }
            Some(head) => self
                .local
                .nothing_changed(success(&Wish::Repair), head.id()),
            None => Problem::new(409, "This host has no head.", detail).into(),
        }
    }

    /// Nothing is to be changed but, perhaps, what the server runs.
    pub(super) fn put_in_step(&mut self, request: Request) {
        let head = self
            .store
            .head(&self.cx)
            .cloned()
            .expect("what changes nothing is answered with the head");
        match self.cx.effective(&head.document) {
            Ok(effective) => {
                let applied = Applied::of(&head, effective.clone());
                self.local.ask_server(
                    &mut self.cx,
                    Job::InStep(applied, Box::new(request)),
                    ServerJob::apply(effective),
                );
            }
            Err(unfit) => {
                let problem = Problem::new(409, NOT_IN_STEP, unfit.to_string()).at(Some(head.id()));
                self.cx.reply(request.client, problem);
            }
        }
    }

    /// The server runs the head that there was when it was asked, or does not.
    pub(super) fn is_put_in_step(
        &mut self,
        applied: Applied,
        request: Request,
        report: ServerReport,
    ) {
        let (id, outcome) = (applied.id, report.outcome.clone());
        self.applied(applied, report);
        let has_moved = self.store.head(&self.cx).is_none_or(|head| head.id() != id);
        let problem = match outcome {
            Outcome::Applied if !has_moved => {
                let (success, kept) = (success(&request.wish), self.local.kept.take_of_job());
                let done = Answer::Done {
                    success,
                    revision: id,
                    applied: self.local.applied_id(),
                    changed: false,
                    kept,
                };
                return self.cx.effects.push(Effect::Answer(request.client, done));
            }
            Outcome::Applied if self.cx.is_tried_again(&request) => {
                return self.changes.retry(&mut self.cx, request, None);
            }
            Outcome::Applied => others_are_changing(),
            Outcome::Refused(refusal) => Problem::new(409, NOT_IN_STEP, words(&refusal)),
            Outcome::Unreachable(reason) => {
                Problem::new(503, "The server cannot be reached.", reason)
            }
            Outcome::Unverified(reason) | Outcome::Unknown(reason) => {
                Problem::new(503, "The server was not seen to run the head.", reason)
            }
            Outcome::Unreadable(reason) => Problem::new(503, UNTOUCHED, reason),
            Outcome::Observed { .. } | Outcome::Found { .. } | Outcome::Unchanged => {
                Problem::new(503, "The server cannot be reached.", "no answer")
            }
        };
        self.cx.reply(request.client, problem.at(Some(id)));
    }

    /// A revision was not given to the server: it is tried again after a while.
    pub(super) fn not_applied(&mut self, id: &RecordId) {
        self.back_off(id);
        self.local.server.verdict = Verdict::Pending;
        self.cx.own_record_changed();
    }

    /// A job was not begun, because what the server runs cannot be kept.
    pub(super) fn job_not_done(&mut self, job: Job, why: &str) {
        let problem = Problem::new(507, "What the server runs cannot be kept.", why);
        match job {
            Job::Apply(applied) => self.not_applied(&applied.id),
            Job::InStep(_, request) => self.cx.reply(request.client, problem),
            Job::Try => self.drop_transaction(problem),
            Job::RollBack | Job::RollBackToApplied(_) | Job::Observe => {
                self.local.server.try_later(self.cx.now.elapsed)
            }
        }
    }
}

impl Changes {
    /// A client wants the server to run the head.
    pub(super) fn repair_on_purpose(&mut self, cx: &mut Context, client: ClientId) {
        self.wish(cx, client, Wish::Repair, None, String::new(), Vec::new());
    }
}

impl Local {
    /// The answer to what leaves the document as it is.
    pub(super) fn nothing_changed(&self, success: &'static str, revision: RecordId) -> Answer {
        Answer::Done {
            success,
            revision,
            applied: self.applied_id(),
            changed: false,
            kept: None,
        }
    }
}

impl Server {
    /// The job that is to be done next; it is not asked for any more.
    pub(super) fn take_job(&mut self) -> Option<Job> {
        self.job.take()
    }

    /// What could not be begun is tried again after a while.
    pub(super) fn try_later(&mut self, now: Duration) {
        self.apply_at = self.apply_at.max(now + OBSERVE_EVERY);
    }

    /// The server is looked at as soon as it is free.
    pub(super) fn look_soon(&mut self, now: Duration) {
        self.observe_at = now;
    }
}

/// Nothing is wrong with the request: this host's server is not where the fleet is.
const NOT_IN_STEP: &str = "This host does not run the fleet's revision.";
