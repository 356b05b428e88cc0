//! A change that leaves the document as it is, and `starling repair`: the server runs the head
//! afterwards, or the answer is another than 200.
//!
//! The server is looked at, and given the head if it does not run it. What somebody has put there
//! is kept first, like before anything that is given to it.

use super::Local;
use super::server::{Job, Verdict};
use crate::model::record::RecordId;
use crate::node::answer::{Answer, Success};
use crate::node::context::Context;
use crate::node::event::Event;
use crate::node::refusal::{Denial, DiskFault};
use crate::node::store::Store;

impl Local {
    /// A revision was not given to the server: it is tried again after a while.
    pub(in crate::node) fn not_applied(&mut self, cx: &mut Context, store: &Store, id: &RecordId) {
        self.back_off(cx, store, id);
        self.server.verdict = Verdict::Pending;
        cx.own_record_changed();
    }

    /// A job was not begun, because what the server runs cannot be kept.
    pub(in crate::node) fn job_not_done(
        &mut self,
        cx: &mut Context,
        store: &Store,
        job: Job,
        why: &str,
    ) {
        let denial = Denial::from(DiskFault::DriftNotKept {
            reason: why.to_owned(),
        });
        match job {
            Job::Apply(applied) => self.not_applied(cx, store, &applied.id),
            Job::InStep(_) => cx.tell(Event::NotInStep(denial)),
            Job::Try => cx.tell(Event::NotTried(denial)),
            Job::RollBack | Job::RollBackToApplied(_) | Job::Observe => {
                self.server.try_later(cx.now.elapsed)
            }
        }
    }

    /// The answer to what leaves the document as it is.
    pub(in crate::node) fn nothing_changed(&self, success: Success, revision: RecordId) -> Answer {
        Answer::Done {
            success,
            revision,
            applied: self.applied_id(),
            changed: false,
            kept: None,
        }
    }
}
