//! A change that leaves the document as it is, and `starling repair`: the server runs the head
//! afterwards, or the answer is another than 200.
//!
//! The server is looked at, and given the head if it does not run it. What somebody has put there
//! is kept first, like before anything that is given to it.

use super::Local;
use super::state::Verdict;
use crate::model::record::RecordId;
use crate::node::answer::{Answer, Success};
use crate::node::context::Context;
use crate::node::event::Event;
use crate::node::refusal::{Denial, DiskFault};
use crate::node::store::Store;
use crate::node::waiting::ServerPurpose;

impl Local {
    /// A revision was not given to the server: it is tried again after a while.
    pub(in crate::node) fn not_applied(&mut self, cx: &mut Context, store: &Store, id: &RecordId) {
        self.back_off(cx, store, id);
        self.server
            .stand(cx, Verdict::Pending, "it was not given the head");
        cx.own_record_changed();
    }

    /// A job was not begun, because what the server runs cannot be kept.
    pub(in crate::node) fn job_not_done(
        &mut self,
        cx: &mut Context,
        store: &Store,
        purpose: ServerPurpose,
        why: &str,
    ) {
        let denial = Denial::from(DiskFault::DriftNotKept {
            reason: why.to_owned(),
        });
        match purpose {
            ServerPurpose::Apply(applied) => self.not_applied(cx, store, &applied.id),
            ServerPurpose::InStep(_) => cx.tell(Event::NotInStep(denial)),
            ServerPurpose::Try => cx.tell(Event::NotTried(denial)),
            ServerPurpose::RollBack
            | ServerPurpose::RollBackToApplied(_)
            | ServerPurpose::Observe => self.server.try_later(cx.now.elapsed),
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
