//! What the server has accepted is published before it is read back, and called applied only after.
//!
//! That a server has accepted a revision is all that others need to know of it. What it shows then
//! is this host's own affair: if it is something else, the revision stands, and the next look deals
//! with the difference as with any other.

use std::sync::Arc;

use super::answering::respond;
use super::attempt::Attempt;
use super::transaction::{Accepted, Published, Transaction, file_of};
use super::{Below, Changes};
use crate::model::document::Document;
use crate::model::revision::Revision;
use crate::node::answer::{Answer, Success};
use crate::node::effect::DiskJob;
use crate::node::waiting::Waiting;

impl Below<'_> {
    /// The server runs a revision of this host's, as far as it was seen.
    fn runs_own(&mut self, revision: &Revision, accepted: Accepted) {
        let Accepted {
            effective,
            verified,
        } = accepted;
        self.local
            .server
            .set_applied(self.cx, revision, effective, verified);
        self.local.runs_revision(self.cx);
        // Another head may have come while the server was read back.
        if let Some(head) = self.store.head(self.cx).cloned()
            && head.id() != revision.id()
        {
            self.local.server.head_moved(&head, self.cx.now.elapsed);
        }
        self.cx.own_record_changed();
    }

    /// What a client is told whose revision is published.
    fn done(&mut self, success: Success, revision: &Revision) -> Answer {
        Answer::Done {
            success,
            revision: revision.id(),
            applied: self.local.applied_id(),
            changed: true,
            kept: self.local.kept.take_of_job(),
        }
    }
}

impl Changes {
    /// The server has accepted the revision in hand, and is read back now.
    pub(in crate::node) fn is_accepted(&mut self, below: &mut Below<'_>) {
        match self.transaction.take() {
            Some(Transaction::Trying { attempt, effective })
                if !attempt.is_dry()
                    && !attempt.is_overtaken(below.store, below.cx)
                    && !below.store.storing.is_failing() =>
            {
                let published = self.publish(below, attempt, effective);
                self.transaction = Some(Transaction::ReadingBack(published));
            }
            // It is decided when the server is read back.
            other => self.transaction = other,
        }
    }

    /// The server has taken a revision that is to be published, and was read back: at once, unless
    /// the disk is known to take no writes. Of what such a host publishes nothing would be durable.
    pub(super) fn accepted(&mut self, below: &mut Below<'_>, attempt: Attempt, accepted: Accepted) {
        if below.store.storing.is_failing() {
            let (group, name) = file_of(&attempt.revision);
            let ticket = below.cx.ticket(Waiting::Transaction);
            below.cx.disk(DiskJob::Commit(ticket, group, name));
            let tried = Some(accepted);
            self.transaction = Some(Transaction::Storing { attempt, tried });
            return;
        }
        let published = self.publish(below, attempt, accepted.effective);
        self.is_read_back(below, published, accepted.verified);
    }

    /// The server was read back, and runs what is published if `is_verified`.
    pub(super) fn is_read_back(
        &mut self,
        below: &mut Below<'_>,
        published: Published,
        is_verified: bool,
    ) {
        let Published {
            revision,
            effective,
        } = published;
        let verified = is_verified;
        below.runs_own(
            &revision,
            Accepted {
                effective,
                verified,
            },
        );
        let id = revision.id();
        if let Some(success) = self.unacknowledged.success(&id) {
            let done = below.done(success, &revision);
            self.unacknowledged.is_read_back(below.cx, &id, done);
        }
    }

    /// Publishes what no server is there to try, and has it made durable beside the flood.
    pub(super) fn publish_untried(&mut self, below: &mut Below<'_>, attempt: Attempt) {
        let revision = Arc::clone(&attempt.revision);
        below.store.store(below.cx, &revision);
        let waiting = below.publish(attempt);
        if let Some((asker, success)) = waiting {
            let id = revision.id();
            let done = below.done(success, &revision);
            self.unacknowledged.wait(id, Some((asker, success)));
            self.unacknowledged.is_read_back(below.cx, &id, done);
        }
    }

    /// A revision is durable before it is published: nobody knew that the disk would take it.
    pub(super) fn publish_stored(
        &mut self,
        below: &mut Below<'_>,
        attempt: Attempt,
        tried: Option<Accepted>,
    ) {
        let revision = Arc::clone(&attempt.revision);
        let waiting = below.publish(attempt);
        // Not a server that has been found since.
        if let Some(accepted) = tried {
            below.runs_own(&revision, accepted);
        }
        if let Some((asker, success)) = waiting {
            let done = below.done(success, &revision);
            respond(below.cx, asker, done);
        }
    }

    /// Publishes what the server has taken, and has it made durable beside the flood.
    fn publish(
        &mut self,
        below: &mut Below<'_>,
        attempt: Attempt,
        effective: Document,
    ) -> Published {
        let revision = Arc::clone(&attempt.revision);
        let waiting = below.publish(attempt);
        below.store.commit(below.cx, &revision);
        self.unacknowledged.wait(revision.id(), waiting);
        Published {
            revision,
            effective,
        }
    }
}
