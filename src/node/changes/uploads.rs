//! Certificates and modules as clients change them: what of it is refused, and what is done.
//!
//! A configuration may name only what the document holds, or other hosts could not run it, even if
//! this host's own server happens to have something of that name. What was named before the fleet
//! had a document is let through, and reported until it is uploaded.

use super::Below;
use super::planned::Plan;
use super::request::Wish;
use crate::model::document::Document;
use crate::model::edit::{Change, Op};
use crate::model::resources::{self, Named, ResourceKind};
use crate::node::answer::{Answer, Success};
use crate::node::input::Refusal;
use crate::node::refusal::{Denial, RequestFault, ServerFault};

impl Below<'_> {
    /// Whether a change leaves the configuration with a name that nothing bears, which it did not
    /// have before.
    pub(in crate::node) fn check_names(&self, wish: &Wish, plan: &Plan) -> Result<(), Answer> {
        // Not what the plan was made on: who publishes what his server runs begins with nothing.
        let before = self.local.base_document(self.cx, self.store)?;
        let lacking = resources::newly_missing(before.value(), plan.after.value());
        let Some((named, place)) = resources::first_refused(&lacking, plan.after.config()) else {
            return Ok(());
        };
        let is_deleted = plan
            .ops
            .iter()
            .any(|op| resources::resource_at(&op.path) == Some((named.kind, &named.name)));
        Err(match wish {
            Wish::Local { .. } => {
                let reason = format!("{}; {UPLOAD_FIRST}", not_found(&named));
                Denial::from(ServerFault::NamesMissing { reason }).into()
            }
            _ if is_deleted => Denial::from(RequestFault::InUse(named.kind)).into(),
            _ => {
                let place = self
                    .local
                    .server
                    .known()
                    .software
                    .filter(|software| software.names_places())
                    .map(|_| place);
                Answer::Refused(refusal(&named, place.as_deref()))
            }
        })
    }
}

/// Whether a client's change of a certificate or a module fits what is there, beyond what holds for
/// every edit.
pub(in crate::node) fn check_upload(before: &Document, op: &Op) -> Result<(), Answer> {
    let Some((kind, _)) = resources::resource_at(&op.path) else {
        return Ok(());
    };
    match (kind, &op.change, before.get(&op.path)) {
        (_, Change::Delete, None) => Err(Denial::from(RequestFault::Absent(kind)).into()),
        // A certificate is replaced, which is what Unit cannot do. Modules are not, so that they
        // mean one thing to every template.
        (ResourceKind::JsModule, Change::Put(_), Some(_)) => {
            Err(Denial::from(RequestFault::Exists(kind)).into())
        }
        _ => Ok(()),
    }
}

/// What is done when a wish is fulfilled.
pub(in crate::node) fn success(wish: &Wish) -> Success {
    let op = match wish {
        Wish::Change(op) => op,
        Wish::Repair => return Success::InStep,
        _ => return Success::Configured,
    };
    match resources::resource_at(&op.path) {
        None => Success::Configured,
        Some((kind, _)) if op.change == Change::Delete => Success::Deleted(kind),
        Some((kind, _)) => Success::Uploaded(kind),
    }
}

/// As Unit refuses a configuration that names what it does not have; and as FreeUnit does if it is
/// said where.
fn refusal(named: &Named, place: Option<&str>) -> Refusal {
    Refusal::invalid_at(place, &format!("{}.", not_found(named)), UPLOAD_FIRST)
}

fn not_found(named: &Named) -> String {
    format!("{} \"{}\" is not found", named.kind, named.name)
}

/// Without the name, which a header could not always bear.
const UPLOAD_FIRST: &str = "upload it through Starling first: what only one host's server has \
                            would be missing on the others";
