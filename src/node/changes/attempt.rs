//! What a transaction makes: a revision, on what, and for whom; and whether it is made once more on
//! a head that has come meanwhile.

use std::sync::Arc;

use super::again::{Hindrance, SecondTry, hindrance, only_appends};
use super::if_match::check_if_match;
use super::request::{Request, Wish, is_tried_again};
use crate::model::document::Document;
use crate::model::replay::replayed;
use crate::model::revision::Revision;
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::refusal::FleetState;
use crate::node::store::Store;

/// What a revision is made for.
pub(in crate::node) enum Cause {
    /// A client's change.
    Client(Box<Request>),
    /// An edit that the head does not contain, carried by this revision.
    Replay(Arc<Revision>),
}

/// What is made, in whatever phase.
pub(in crate::node) struct Attempt {
    pub(super) cause: Cause,
    pub(super) revision: Arc<Revision>,
    /// The head that it is made on.
    pub(super) base: Option<Arc<Revision>>,
    /// What the server ran before the first revision of all.
    pub(super) before: Document,
}

impl Attempt {
    pub(super) fn is_dry(&self) -> bool {
        matches!(&self.cause, Cause::Client(request) if request.is_dry)
    }

    /// Whether another head has come since it was begun.
    pub(super) fn is_overtaken(&self, store: &Store, cx: &Context) -> bool {
        store.tip(cx).map(|head| head.id()) != self.base.as_ref().map(|base| base.id())
    }

    /// Why a client's change is not made once more on the head that has come meanwhile, if it is
    /// not.
    pub(super) fn why_not_again(&self, store: &Store, cx: &Context) -> Option<Answer> {
        let Cause::Client(request) = &self.cause else {
            return None;
        };
        let head = store.head(cx);
        let met = head.map(|head| head.id());
        let guard = check_if_match(request.if_match.as_deref(), met);
        let second = SecondTry {
            guard_holds: guard.is_ok(),
            still_fits: head.is_some_and(|head| replayed(&head.document, &self.revision).is_some()),
            only_appends: only_appends(&self.revision),
            has_time: is_tried_again(cx, request),
        };
        Some(match hindrance(&second)? {
            Hindrance::Guard => guard.err()?,
            Hindrance::Collision => FleetState::Collides { path: None }.at(met).into(),
            Hindrance::Time => FleetState::OthersAreChanging.at(met).into(),
        })
    }

    /// What the server may run already must not be sent to it again: it might restart
    /// applications.
    pub(super) fn may_run_already(&self) -> bool {
        match &self.cause {
            Cause::Replay(_) => true,
            Cause::Client(request) => {
                matches!(request.wish, Wish::Local { .. } | Wish::Settle(_))
            }
        }
    }
}
