//! What a person should look at: gathered from whoever knows of it, for `GET /fleet`, the status,
//! and what other hosts are told.
//!
//! What goes away by itself is asked for anew each time; what was found once, at the start or
//! since, is kept here, [`PROBLEMS_MAX`] of it.

use super::View;
use crate::limits::PROBLEMS_MAX;
use crate::model::name::listed;
use crate::model::resources::{self, Named};
use crate::node::context::Context;
use crate::node::store::Store;
use crate::node::store::places::all_places_taken;

impl View<'_> {
    /// What a person should look at.
    pub(in crate::node) fn problems(&self) -> impl Iterator<Item = String> {
        let own = self
            .local
            .overlay_problem
            .iter()
            .chain(self.local.server.unadopted())
            .chain(&self.local.server.known().left)
            .chain(self.cx.troubles.values())
            .cloned()
            .chain(self.local.kept.problem());
        let full = self.store.replica.problem();
        self.store
            .storing
            .problem()
            .into_iter()
            .chain(full)
            .chain(own)
            .chain(self.cx.problems.iter().cloned())
            .chain(self.peers.silent_peers())
            .chain(missing_uploads(self.store, self.cx))
            .chain(self.peers.passed_over(self.cx))
            .chain(passed_groups(self.store, self.cx))
            .chain(self.peers.clock_problems(self.cx))
    }
}

/// What the head's configuration names and the fleet does not hold, each in a sentence.
pub(in crate::node) fn missing_uploads(
    store: &Store,
    cx: &Context,
) -> impl Iterator<Item = String> {
    let missing = store
        .head(cx)
        .map(|head| resources::missing(head.document.value()))
        .unwrap_or_default();
    let sentence = |Named { kind, name }: Named| {
        format!(
            "{kind} \"{name}\" is named in the configuration and not held by the fleet: upload it \
             through Starling"
        )
    };
    missing.into_iter().take(PROBLEMS_MAX).map(sentence)
}

/// The groups for which there is no place, for people.
pub(in crate::node) fn passed_groups(store: &Store, cx: &Context) -> Option<String> {
    let own = Some(&cx.setup.group).filter(|_| store.head(cx).is_none() && store.replica.is_full());
    let names: Vec<String> = store
        .replica
        .refused()
        .map(str::to_owned)
        .chain(own.cloned())
        .collect();
    match names.len() {
        0 => None,
        1 => Some(format!(
            "group {} has no place: {}",
            names[0],
            all_places_taken()
        )),
        _ => Some(format!(
            "groups {} have no place: {}",
            listed(names),
            all_places_taken()
        )),
    }
}
