//! What the server may be given is put over nothing that was not kept.
//!
//! Right before a change the server is read once more. If it runs neither what it was given nor
//! what is kept, it is left alone and that is reported; nothing of the change has been begun then.

use std::collections::VecDeque;

use crate::limits::OWN_REMEMBERED;
use crate::model::aliases::stripped_config;
use crate::model::fingerprint::Fingerprint;
use crate::model::json::Value;
use crate::model::shown::ShownConfig;
use crate::node::input::Outcome;
use crate::node::over::Over;

/// What the server was given in this run and has taken, the newest first: it may come back with any
/// of it, and nothing is lost then.
#[derive(Debug, Default)]
pub(super) struct Own(VecDeque<Fingerprint>);

impl Own {
    pub(super) fn took(&mut self, fingerprint: Fingerprint) {
        if self.0.front() != Some(&fingerprint) {
            self.0.retain(|known| *known != fingerprint);
            self.0.push_front(fingerprint);
            self.0.truncate(OWN_REMEMBERED);
        }
    }

    fn has(&self, fingerprint: &Fingerprint) -> bool {
        self.0.contains(fingerprint)
    }
}

/// What the server runs, if the document may not be put over it. `interim` is what it runs while
/// modules are replaced.
pub(super) fn withheld(
    before: &ShownConfig,
    over: &Over,
    own: &Own,
    interim: Option<&Value>,
) -> Option<Outcome> {
    let fingerprint = before.fingerprint();
    if over.permits(&fingerprint) || interim == Some(before.value()) || own.has(&fingerprint) {
        return None;
    }
    Some(Outcome::Found {
        config: stripped_config(before.value().clone()).into(),
        fingerprint,
    })
}
