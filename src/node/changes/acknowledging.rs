//! Clients whose changes are published, and who are answered when these are durable here.
//!
//! A 200 says that a change outlives this host alone. What was published and then not taken by the
//! disk is not taken back, for others have it: the client is told just that.

use super::answering::respond;
use super::request::Asker;
use crate::model::record::RecordId;
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::refusal::{Denial, DiskFault};

/// Who waits for which revision to be durable, in the order of publication.
#[derive(Default)]
pub(in crate::node) struct Unacknowledged(Vec<(RecordId, Asker, Answer)>);

impl Unacknowledged {
    /// Has whoever asked for a revision, if anybody did, told so when it is durable.
    pub(super) fn wait(&mut self, revision: RecordId, done: Option<(Asker, Answer)>) {
        self.0
            .extend(done.map(|(asker, answer)| (revision, asker, answer)));
    }

    /// A revision is durable, or could not be written.
    pub(in crate::node) fn stored(
        &mut self,
        cx: &mut Context,
        revision: &RecordId,
        result: &Result<(), String>,
    ) {
        let waiting = self.0.extract_if(.., |(id, ..)| id == revision);
        for (id, asker, done) in waiting {
            match result {
                Ok(()) => respond(cx, asker, done),
                Err(reason) => respond(cx, asker, only_published(id, reason)),
            }
        }
    }

    /// The disk has not answered for too long: nobody waits for it any more.
    pub(super) fn give_up(&mut self, cx: &mut Context, reason: &str) {
        for (id, asker, _) in std::mem::take(&mut self.0) {
            respond(cx, asker, only_published(id, reason));
        }
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
    fn whoever_waits_is_told_once_what_the_disk_said_of_its_own_change() {
        let mut cx = testing::context(1);
        let mut waiting = Unacknowledged::default();
        let [one, two, three] = [1, 2, 3].map(|byte| RecordId([byte; 32]));
        for (client, revision) in [(1, one), (2, two), (3, three)] {
            waiting.wait(revision, Some((Asker::Client(client), done(revision))));
        }
        waiting.wait(one, None);
        waiting.stored(&mut cx, &two, &Ok(()));
        waiting.stored(&mut cx, &two, &Ok(()));
        assert_eq!(told(&mut cx), [(2, true)]);
        waiting.stored(&mut cx, &one, &Err("full".to_owned()));
        assert_eq!(told(&mut cx), [(1, false)]);
        waiting.give_up(&mut cx, "it hangs");
        waiting.stored(&mut cx, &three, &Ok(()));
        assert_eq!(told(&mut cx), [(3, false)]);
    }
}
