//! What the own server is given: the group's document with this host's overlay and variables.
//!
//! Only the document is replicated; what it comes to here is worked out each time that the server
//! is concerned, and never leaves this host but for those who ask.

use super::Local;
use crate::model::document::Document;
use crate::model::overlay::{Overlay, Unfit};
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::effect::Level;
use crate::node::input::Refusal;
use crate::node::refusal::{Denial, ServerFault};
use crate::node::store::Store;

impl Local {
    /// What the first change of all is made on: what the own server runs; without one, what Unit
    /// starts with.
    pub(in crate::node) fn base_document(
        &self,
        cx: &Context,
        store: &Store,
    ) -> Result<Document, Denial> {
        if let Some(head) = store.head(cx) {
            return Ok(head.document.clone());
        }
        match (&self.server.observed, self.server.verdict()) {
            (_, None) => Ok(Document::factory()),
            (Some(config), _) => Document::from_config(config.value().clone()).map_err(|error| {
                Denial::from(ServerFault::NoDocument {
                    reason: error.to_string(),
                })
            }),
            (None, Some(verdict)) => Err(verdict.hindrance()),
        }
    }

    /// What this host makes of its group's document from the start; or that this is not known yet,
    /// for this reason: until it is, the server is given nothing, for it would run what is
    /// meant for other hosts.
    pub(in crate::node) fn begin_overlay(
        &mut self,
        cx: &mut Context,
        overlay: Result<Overlay, String>,
    ) {
        match overlay {
            Ok(overlay) => cx.setup.overlay = overlay,
            Err(reason) => {
                cx.say(
                    Level::Error,
                    "server",
                    format!("{reason}; until then the server is given nothing"),
                );
                self.overlay_problem = Some(reason);
                self.is_overlay_known = false;
                cx.own_record_changed();
            }
        }
    }

    /// Why the server can be given nothing, as long as this host's overlay is not known.
    pub(in crate::node) fn lacks_overlay(&self) -> Option<&str> {
        let lacks = self.server.is_present() && !self.is_overlay_known;
        lacks.then(|| self.overlay_problem.as_deref().unwrap_or_default())
    }

    /// This host's overlay or variables are others now, or the overlay cannot be read: then the one
    /// before stays in use, and that is said until it can.
    pub(in crate::node) fn overlay_changed(
        &mut self,
        cx: &mut Context,
        overlay: Result<Overlay, String>,
    ) {
        let overlay = match overlay {
            Ok(overlay) => overlay,
            Err(problem) => {
                if self.overlay_problem.as_ref() != Some(&problem) {
                    let meanwhile = match self.is_overlay_known {
                        true => "the overlay before stays in use",
                        false => "until then the server is given nothing",
                    };
                    cx.say(Level::Error, "server", format!("{problem}; {meanwhile}"));
                    self.overlay_problem = Some(problem);
                    cx.own_record_changed();
                }
                return;
            }
        };
        if self.overlay_problem.take().is_some() {
            cx.say(Level::Info, "server", "the overlay can be read again");
            cx.own_record_changed();
        }
        self.is_overlay_known = true;
        if cx.setup.overlay == overlay {
            return;
        }
        if cx.setup.overlay.patch != overlay.patch {
            cx.say(Level::Info, "server", "this host's overlay is another now");
        }
        cx.setup.overlay = overlay;
        // What is under way was made with the one before: the server is looked after when that is
        // done.
        self.server.is_stale = true;
    }

    /// Whether the server was last given what this head comes to on this host now.
    pub(in crate::node) fn runs_effective(&self, cx: &Context, head: &Revision) -> bool {
        let applied = self
            .server
            .applied
            .as_ref()
            .filter(|applied| applied.id == head.id());
        applied.is_some_and(|applied| {
            effective_document(cx, &head.document)
                .is_ok_and(|effective| effective == applied.effective)
        })
    }
}

fn refusal(unfit: &Unfit) -> Refusal {
    Refusal::invalid(
        &format!("{unfit}."),
        "this host's overlay and variables do not go with it",
    )
}

/// The document as the own server is to run it.
pub(in crate::node) fn effective_document(
    cx: &Context,
    document: &Document,
) -> Result<Document, Unfit> {
    cx.setup
        .overlay
        .apply(document)
        .map(|effective| effective.document)
}

/// The same for a client, who is told like by a server what does not go together.
pub(in crate::node) fn effective_or_refuse(
    cx: &Context,
    document: &Document,
) -> Result<Document, Refusal> {
    effective_document(cx, document).map_err(|unfit| refusal(&unfit))
}
