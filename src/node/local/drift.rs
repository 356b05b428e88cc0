//! Drift: somebody has changed the server's configuration past Starling.
//!
//! It is always shown. With `repair` the server is given the document again, at growing intervals,
//! for whoever did it may do it again and neither may keep the server busy. With `adopt` what was
//! changed is published, as a client's `POST /config` with an empty body would do it; what cannot
//! be published stays as it is, and that is said until one or the other has changed.

use super::Local;
use super::server::{DRIFT_SHOWN, UNSEEN};
use crate::limits::{REPAIR_CALM, REPAIR_MAX, REPAIR_MIN};
use crate::model::document::is_factory;
use crate::model::json::{self, Value};
use crate::model::record::RecordId;
use crate::node::context::Context;
use crate::node::effect::Level;
use crate::node::event::{Adoption, Event};
use crate::node::store::Store;
use crate::settings::DriftChoice;

impl Local {
    /// The server runs something else than what was applied, at these paths.
    pub(in crate::node) fn handle_drift(
        &mut self,
        cx: &mut Context,
        store: &Store,
        drift: Vec<String>,
    ) {
        let is_new = drift != self.server.drift;
        if is_new {
            let text = format!(
                "somebody has changed the server's own configuration at {}",
                drift.join(", ")
            );
            cx.say(Level::Warn, "server", text);
            self.server.drift = drift;
            cx.own_record_changed();
        }
        match cx.setup.drift {
            DriftChoice::Report => {}
            DriftChoice::Repair => self.repair(cx),
            DriftChoice::Adopt => self.adopt(cx, store),
        }
    }

    /// The server is about to be given another head. What it shows beside what was applied is
    /// published now or never.
    pub(in crate::node) fn rescue_drift(&mut self, cx: &mut Context, store: &Store) {
        let (Some(applied), Some(config)) = (&self.server.applied, &self.server.observed) else {
            return;
        };
        if !self.adopts(cx) || is_factory(config) {
            return;
        }
        let drift = json::differing(applied.effective.config(), config, DRIFT_SHOWN);
        if drift.is_empty() {
            self.no_drift(cx)
        } else {
            self.handle_drift(cx, store, drift)
        }
    }

    fn adopt(&mut self, cx: &mut Context, store: &Store) {
        let (Some(head), Some(config)) = (
            store.head(cx).map(|head| head.id()),
            self.server.observed.as_deref(),
        ) else {
            return self.set_unadopted(cx, Some(UNSEEN));
        };
        let attempt = (head, fingerprint(config));
        if self.server.handling.is_adopting
            || self.server.handling.in_vain.as_ref() == Some(&attempt)
        {
            return;
        }
        self.server.handling.is_adopting = true;
        self.server.handling.in_vain = Some(attempt);
        cx.tell(Event::Adopt);
    }

    /// The server runs what was applied.
    pub(in crate::node) fn no_drift(&mut self, cx: &mut Context) {
        self.set_unadopted(cx, None);
        if !self.server.drift.is_empty() {
            cx.say(
                Level::Warn,
                "server",
                "the server runs what was applied again",
            );
            self.server.drift.clear();
            cx.own_record_changed();
        }
    }

    /// Whether the server is to be looked at before it is given another document: what somebody has
    /// changed there since the last look would be undone, and nobody would know.
    pub(in crate::node) fn adopts(&self, cx: &Context) -> bool {
        cx.setup.drift == DriftChoice::Adopt && self.server.applied.is_some()
    }

    /// The same for this head, once.
    pub(in crate::node) fn looks_before(&mut self, cx: &Context, head: RecordId) -> bool {
        self.adopts(cx) && self.server.handling.looked_for.replace(head) != Some(head)
    }

    fn repair(&mut self, cx: &mut Context) {
        let now = cx.now.elapsed;
        let wait = match self.server.handling.repaired {
            Some((at, wait)) if now < at + wait => return,
            Some((at, wait)) if now < at + wait + REPAIR_CALM => (wait * 2).min(REPAIR_MAX),
            _ => REPAIR_MIN,
        };
        self.server.handling.repaired = Some((now, wait));
        cx.say(
            Level::Warn,
            "server",
            "the server is given its configuration again",
        );
        self.server.apply_anew(now);
    }

    /// What came of publishing what somebody had changed. What stands in the way only for now is
    /// tried again at the next look.
    pub(in crate::node) fn adoption_ended(&mut self, cx: &mut Context, adoption: Adoption) {
        self.server.handling.is_adopting = false;
        if matches!(adoption, Adoption::Delayed(_)) {
            self.server.handling.in_vain = None;
        }
        let why = match &adoption {
            Adoption::Published => None,
            Adoption::Delayed(why) | Adoption::Impossible(why) => Some(why.as_str()),
        };
        self.set_unadopted(cx, why);
    }

    /// Why what was changed cannot be published, or that it can.
    fn set_unadopted(&mut self, cx: &mut Context, why: Option<&str>) {
        let problem = why.map(|why| {
            format!(
                "what was changed on the server cannot be published: {}",
                why.trim_end()
            )
        });
        if problem != self.server.unadopted {
            problem
                .iter()
                .for_each(|problem| cx.say(Level::Warn, "server", problem.clone()));
            self.server.unadopted = problem;
            cx.own_record_changed();
        }
    }
}

/// Enough to tell one configuration from another; the same one is always shown in the same order.
fn fingerprint(config: &Value) -> String {
    use sha2::{Digest, Sha256};
    crate::codec::hex(&Sha256::digest(json::compact(config)))
}
