//! A plan: the operations that a change comes to, and the documents before and after it.
//!
//! What a plan is made of is decided in `plan` and in the files of the single kinds of changes.

use crate::model::document::Document;
use crate::model::edit::{self, Change, Op};
use crate::model::ledger::EditRef;
use crate::model::resources;
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::refusal::{Denial, RequestFault};
use crate::node::store::Store;

/// What is to be published, and what it was made on.
pub(in crate::node) struct Plan {
    pub(in crate::node) ops: Vec<Op>,
    pub(in crate::node) before: Document,
    pub(in crate::node) after: Document,
    pub(in crate::node) settles: Vec<EditRef>,
}

/// A plan of operations that were worked out here. One whose aim is reached already is left
/// out.
pub(in crate::node) fn plan_of(
    store: &Store,
    cx: &Context,
    before: Document,
    ops: Vec<Op>,
) -> Result<Plan, Answer> {
    if let Some(op) = ops.iter().find(|op| wants_what_was_struck(op)) {
        let path = op.path.clone();
        return Err(Denial::from(RequestFault::KeyStruck { path }).into());
    }
    let gone = |op: &Op| op.change == Change::Delete && before.get(&op.path).is_none();
    let ops: Vec<Op> = ops.into_iter().filter(|op| !gone(op)).collect();
    let after = edit::apply_all(&before, &ops).map_err(|(place, error)| {
        let op = &ops[place];
        let reason = format!("{} {}: {error}", op.change.verb().word(), op.path);
        let head = store.head(cx).map(|head| head.id());
        RequestFault::Misfit { reason }.at(head)
    })?;
    Ok(Plan {
        ops,
        before,
        after,
        settles: Vec::new(),
    })
}

/// Whether an operation would put in place of a bundle what it is shown by.
fn wants_what_was_struck(op: &Op) -> bool {
    let text = match &op.change {
        Change::Put(value) | Change::Append(value) => value.as_str(),
        Change::Delete => None,
    };
    resources::is_secret(&op.path) && text.is_some_and(resources::is_fingerprint_text)
}
