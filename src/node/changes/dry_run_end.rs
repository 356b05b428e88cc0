//! The end of a dry run: the server has taken the change, and is given back what it is to run
//! before anything else happens. Until it runs that nobody is answered.

use super::attempt::Attempt;
use super::transaction::{Transaction, summary};
use super::{Below, Changes};
use crate::model::document::Document;
use crate::model::revision::Revision;
use crate::node::answer::Answer;
use crate::node::effect::{Level, ServerJob};
use crate::node::input::Outcome;
use crate::node::local::effective::effective_document;
use crate::node::local::serve::words;
use crate::node::refusal::{Denial, ServerFault};

impl Changes {
    /// The server has taken a dry run, and is given back what it is to run before anything else
    /// happens.
    pub(super) fn roll_back_transaction(&mut self, below: &mut Below<'_>, attempt: Attempt) {
        // Not what it was begun on, if that is not the head any more: the server would have to be
        // given another once more. Where the group was removed meanwhile the server stays
        // as it was.
        let head = below
            .store
            .head(below.cx)
            .or(attempt.base.as_ref())
            .cloned()
            .expect("a dry run is begun on a head");
        let effective = match effective_document(below.cx, &head.document) {
            Ok(effective) => effective,
            Err(unfit) => {
                return self.transaction_not_rolled_back(below, attempt, unfit.to_string());
            }
        };
        let job = ServerJob::apply(effective.clone());
        self.transaction = Some(Transaction::RollingBack {
            attempt,
            head,
            effective,
        });
        below.local.try_on_server(below.cx, job);
    }

    /// The server runs what it is to run after a dry run, or cannot be given it: then that is done
    /// again as after any failure, and shown.
    pub(super) fn transaction_rolled_back(
        &mut self,
        below: &mut Below<'_>,
        attempt: Attempt,
        head: &Revision,
        effective: Document,
        outcome: Outcome,
    ) {
        let failure = match outcome {
            Outcome::Applied => None,
            Outcome::Refused(refusal) => Some(words(&refusal)),
            Outcome::Unverified(reason)
            | Outcome::Unreachable(reason)
            | Outcome::Unreadable(reason)
            | Outcome::Unknown(reason) => Some(reason),
            Outcome::Observed { .. } | Outcome::Found { .. } | Outcome::Unchanged => {
                Some("no answer".into())
            }
        };
        if let Some(reason) = failure {
            return self.transaction_not_rolled_back(below, attempt, reason);
        }
        below
            .local
            .server
            .set_applied(below.cx, head, effective, true);
        below.local.runs_revision(below.cx);
        below.cx.own_record_changed();
        if attempt.is_overtaken(below.store, below.cx) {
            return match attempt.why_not_again(below.store, below.cx) {
                Some(answer) => self.give_up(below, attempt, answer, false),
                None => self.again(below, attempt),
            };
        }
        let text = format!(
            "dry run: the server takes {}; it runs {} again",
            summary(&attempt.revision),
            head.id().short()
        );
        below.cx.say(Level::Info, "config", text);
        let answer = Answer::DryRun {
            changes: true,
            head: head.id(),
            applied: below.local.applied_id(),
        };
        self.give_up(below, attempt, answer, false);
    }

    fn transaction_not_rolled_back(
        &mut self,
        below: &mut Below<'_>,
        attempt: Attempt,
        reason: String,
    ) {
        below.cx.say(
            Level::Warn,
            "server",
            format!("after a dry run the server was not given back what it ran: {reason}"),
        );
        let denial = Denial::from(ServerFault::NotRolledBack { reason });
        self.give_up(below, attempt, denial.into(), true);
    }
}
