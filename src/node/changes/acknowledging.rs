//! Clients whose changes are published, and who are answered when these are durable here, and the
//! server was read back.
//!
//! A 200 says that a change outlives this host alone. What was published and then not taken by the
//! disk is not taken back, for others have it: the client is told just that.

use super::answering::respond;
use super::request::Asker;
use crate::limits::WRITES_MAX;
use crate::model::record::RecordId;
use crate::node::answer::{Answer, Success};
use crate::node::context::Context;
use crate::node::refusal::{Denial, DiskFault};

/// Who waits for which revision, in the order of publication.
#[derive(Default)]
pub(in crate::node) struct Unacknowledged(Vec<Unanswered>);

/// One who waits.
struct Unanswered {
    revision: RecordId,
    asker: Asker,
    success: Success,
    /// Whether the revision is durable.
    is_stored: bool,
    /// What he is told, once the server was read back.
    done: Option<Answer>,
}

impl Unanswered {
    /// The answer, if nothing is waited for any more.
    fn ready(&mut self) -> Option<Answer> {
        self.done.take_if(|_| self.is_stored)
    }
}

impl Unacknowledged {
    /// Has whoever asked for a revision, if anybody did, told so when it is durable and the server
    /// was read back.
    pub(super) fn wait(&mut self, revision: RecordId, asked: Option<(Asker, Success)>) {
        self.0.extend(asked.map(|(asker, success)| Unanswered {
            revision,
            asker,
            success,
            is_stored: false,
            done: None,
        }));
    }

    /// Whether so many wait that no other change is begun before one of them is answered.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= WRITES_MAX
    }

    /// What succeeds for whoever waits for a revision.
    pub(super) fn success(&self, revision: &RecordId) -> Option<Success> {
        let waiting = self.0.iter().find(|waiting| waiting.revision == *revision);
        waiting.map(|waiting| waiting.success)
    }

    /// The server was read back, after which this is to be said of a revision.
    pub(super) fn is_read_back(&mut self, cx: &mut Context, revision: &RecordId, done: Answer) {
        let mut waiting = self.0.iter_mut();
        if let Some(waiting) = waiting.find(|waiting| waiting.revision == *revision) {
            waiting.done = Some(done);
        }
        self.answer(cx);
    }

    /// A revision is durable, or could not be written.
    pub(in crate::node) fn stored(
        &mut self,
        cx: &mut Context,
        revision: &RecordId,
        result: &Result<(), String>,
    ) {
        match result {
            Ok(()) => {
                let waiting = self.0.iter_mut();
                waiting
                    .filter(|waiting| waiting.revision == *revision)
                    .for_each(|waiting| waiting.is_stored = true);
                self.answer(cx);
            }
            Err(reason) => {
                let failed = self
                    .0
                    .extract_if(.., |waiting| waiting.revision == *revision);
                failed.for_each(|waiting| waiting.fail(cx, reason));
            }
        }
    }

    /// The disk has not answered for too long: nobody waits for it any more.
    pub(super) fn give_up(&mut self, cx: &mut Context, reason: &str) {
        let waiting = self.0.extract_if(.., |waiting| !waiting.is_stored);
        waiting.for_each(|waiting| waiting.fail(cx, reason));
    }

    /// Answers whoever waits for nothing any more.
    fn answer(&mut self, cx: &mut Context) {
        self.0.retain_mut(|waiting| match waiting.ready() {
            Some(done) => {
                respond(cx, waiting.asker, done);
                false
            }
            None => true,
        });
    }
}

impl Unanswered {
    fn fail(self, cx: &mut Context, reason: &str) {
        respond(cx, self.asker, only_published(self.revision, reason));
    }
}

fn only_published(revision: RecordId, reason: &str) -> Denial {
    let reason = reason.to_owned();
    Denial::from(DiskFault::OnlyPublished { reason }).at(Some(revision))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::answer::Success;
    use crate::node::effect::Effect;
    use crate::node::testing;

    fn done(revision: RecordId) -> Answer {
        Answer::Done {
            success: Success::Configured,
            revision,
            applied: Some(revision),
            changed: true,
            kept: None,
        }
    }

    fn told(cx: &mut Context) -> Vec<(u64, bool)> {
        let told = cx.effects.drain(..).map(|effect| match effect {
            Effect::Answer(client, Answer::Done { .. }) => (client, true),
            Effect::Answer(client, Answer::Denied(_)) => (client, false),
            _ => panic!("only answers are given"),
        });
        told.collect()
    }

    #[test]
    fn whoever_waits_is_told_once_when_it_is_durable_and_read_back_or_is_not() {
        let mut cx = testing::context(1);
        let mut waiting = Unacknowledged::default();
        let [one, two, three] = [1, 2, 3].map(|byte| RecordId([byte; 32]));
        for (client, revision) in [(1, one), (2, two), (3, three)] {
            waiting.wait(revision, Some((Asker::Client(client), Success::Configured)));
        }
        waiting.wait(one, None);
        waiting.stored(&mut cx, &two, &Ok(()));
        assert_eq!(told(&mut cx), []);
        waiting.is_read_back(&mut cx, &two, done(two));
        waiting.stored(&mut cx, &two, &Ok(()));
        assert_eq!(told(&mut cx), [(2, true)]);
        waiting.is_read_back(&mut cx, &one, done(one));
        assert_eq!(told(&mut cx), []);
        waiting.stored(&mut cx, &one, &Err("full".to_owned()));
        assert_eq!(told(&mut cx), [(1, false)]);
        waiting.give_up(&mut cx, "it hangs");
        waiting.stored(&mut cx, &three, &Ok(()));
        assert_eq!(told(&mut cx), [(3, false)]);
    }
}
