//! What a person should look at: gathered from whoever knows of it, for `GET /fleet`, the status, and what other hosts are told.
//!
//! What goes away by itself is asked for anew each time; what was found once, at the start or since, is kept here, [`PROBLEMS_MAX`] of it.

use super::Node;
use super::input::Trouble;
use crate::limits::PROBLEMS_MAX;

impl Node {
    /// Reports something wrong with what was found at the start; shown until the node ends.
    pub fn report_problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX && self.problems.insert(problem) {
            self.selfie_changed();
        }
    }

    /// Something of this host does not work, for this reason, or works again.
    pub(super) fn troubled(&mut self, what: Trouble, why: Option<String>) {
        let was = match why {
            Some(why) => self.troubles.insert(what, why.clone()).filter(|was| *was == why),
            None => self.troubles.remove(&what).map_or_else(|| Some(String::new()), |_| None),
        };
        if was.is_none() {
            self.selfie_changed();
        }
    }

    /// What a person should look at.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let own = self
            .overlay_problem
            .iter()
            .chain(&self.server.unadopted)
            .chain(&self.server.known.left)
            .chain(self.troubles.values())
            .cloned()
            .chain(self.kept.problem());
        let full = self.replica.problem();
        self.storing
            .problem()
            .into_iter()
            .chain(full)
            .chain(own)
            .chain(self.problems.iter().cloned())
            .chain(self.silent_peers())
            .chain(self.missing_uploads())
            .chain(self.passed_over())
            .chain(self.passed_groups())
            .chain(self.clock_problems())
    }
}
