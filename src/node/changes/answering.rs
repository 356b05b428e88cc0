//! Answers to whoever asked for a change: a client gets it as an effect, this host itself as an
//! event, for what becomes of its server depends on it.

use super::request::Asker;
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::event::{Adoption, Event};
use crate::node::local::serve::words;
use crate::node::refusal::Aftermath;

/// Tells whoever asked what came of it.
pub(super) fn respond(cx: &mut Context, asker: Asker, answer: impl Into<Answer>) {
    let answer = answer.into();
    match asker {
        Asker::Client(client) => cx.effects.push(Effect::Answer(client, answer)),
        Asker::Host => {
            let adoption = adoption(cx, &answer);
            cx.tell(Event::AdoptionEnded(adoption));
        }
    }
}

/// What an answer says of a change that was found on the server and was to be published.
fn adoption(cx: &Context, answer: &Answer) -> Adoption {
    match answer {
        Answer::Done { .. } => Adoption::Published,
        Answer::Denied(denial) if denial.aftermath() == Aftermath::Changed => Adoption::Published,
        Answer::Denied(denial) => {
            let why = (cx.setup.words)(denial);
            match denial.passes() {
                true => Adoption::Delayed(why),
                false => Adoption::Impossible(why),
            }
        }
        Answer::Refused(refusal) => Adoption::Impossible(words(refusal)),
        _ => Adoption::Impossible("it does not fit the document".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::refusal::{Denial, DiskFault, FleetState};
    use crate::node::testing;

    #[test]
    fn what_stands_in_the_way_for_now_is_told_from_what_does_for_good() {
        let cx = testing::context(1);
        let reason = "full".to_owned();
        let full = Denial::from(DiskFault::NotStored { reason });
        let collides = Denial::from(FleetState::Collides { path: None });
        let of = |denial: Denial| adoption(&cx, &denial.into());
        assert!(matches!(of(full), Adoption::Delayed(_)));
        assert!(matches!(of(collides), Adoption::Impossible(_)));
    }
}
