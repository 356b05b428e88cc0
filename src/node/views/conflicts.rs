//! A conflict as it is shown to people: whose edit it was, what it wanted, and what it met. A key
//! of a certificate is never shown.

use crate::model::conflict::{OpenConflict, WantedValue};
use crate::model::json::{Value, object};
use crate::model::resources;
use crate::node::peers::Peers;
use crate::node::store::conflicts::Shown;

pub(in crate::node) fn conflict_view(peers: &Peers, shown: &Shown) -> Value {
    let Shown {
        edit,
        conflict,
        open,
    } = shown;
    let mut view = object! {
        "id": edit.id.to_string(),
        "state": if *open { "open" } else { "uncontained" },
        "time": edit.stamp.wall_ms(),
    };
    if let Value::Object(members) = conflict.to_json(edit) {
        view.extend(
            members
                .into_iter()
                .filter(|(name, _)| name != "edit")
                .map(|(name, value)| match name.as_str() {
                    "ops" => ("edit".to_owned(), with_fingerprints(value, conflict)),
                    _ => (name, value),
                }),
        );
    }
    view.extend(
        object! { "author_name": conflict.author.map(|author| peers.roster.name(&author)) },
    );
    Value::Object(view)
}

/// The operations of a conflict, each certificate that was wanted shown as certificates are.
fn with_fingerprints(mut ops: Value, conflict: &OpenConflict) -> Value {
    let shown = ops
        .as_array_mut()
        .into_iter()
        .flatten()
        .zip(&conflict.operations);
    for (op, (operation, wanted)) in shown {
        if let (WantedValue::Long { hash, .. }, true) =
            (wanted, resources::is_secret(&operation.path))
        {
            op["value"] = resources::fingerprint_text(hash).into();
        }
    }
    ops
}
