//! What a person should look at: gathered from whoever knows of it, for `GET /fleet`, the status,
//! and what other hosts are told.
//!
//! What goes away by itself is asked for anew each time; what was found once, at the start or
//! since, is kept here, [`PROBLEMS_MAX`] of it.

use crate::node::context::Context;
use crate::node::input::Trouble;
use crate::node::views::View;

impl View<'_> {
    /// What a person should look at.
    pub(in crate::node) fn problems(&self) -> impl Iterator<Item = String> {
        let own = self
            .local
            .overlay_problem
            .iter()
            .chain(&self.local.server.unadopted)
            .chain(&self.local.server.known.left)
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
            .chain(self.store.missing_uploads(self.cx))
            .chain(self.peers.passed_over(self.cx))
            .chain(self.store.passed_groups(self.cx))
            .chain(self.peers.clock_problems(self.cx))
    }
}

impl Context {
    /// Something of this host does not work, for this reason, or works again.
    pub(in crate::node) fn troubled(&mut self, what: Trouble, why: Option<String>) {
        let was = match why {
            Some(why) => self
                .troubles
                .insert(what, why.clone())
                .filter(|was| *was == why),
            None => self
                .troubles
                .remove(&what)
                .map_or_else(|| Some(String::new()), |_| None),
        };
        if was.is_none() {
            self.own_record_changed();
        }
    }
}
