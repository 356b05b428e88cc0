//! What the own server is given, as it is shown: the document, and the places that this host's
//! overlay and variables have changed.

use crate::limits::{PLACES_SHOWN, WORDS_MAX};
use crate::model::overlay::Effective;
use crate::node::answer::views::{EffectiveView, VariableView};
use crate::node::context::Context;
use crate::node::store::Store;

pub(in crate::node) fn effective_view(
    store: &Store,
    cx: &Context,
    effective: Effective,
) -> EffectiveView {
    let variables = &cx.setup.overlay.variables;
    let overlaid = effective.overlaid.iter().take(PLACES_SHOWN);
    let used = effective.used.iter().take(PLACES_SHOWN);
    let used = used.map(|used| VariableView {
        path: cut(&used.path),
        name: cut(&used.name),
        value: cut(variables.get(&used.name).map_or("", String::as_str)),
    });
    EffectiveView {
        group: cx.setup.group.clone(),
        head: store.head(cx).map(|head| head.id()),
        overlaid: overlaid.map(|place| cut(place)).collect(),
        variables: used.collect(),
        document: effective.document,
    }
}

/// What is shown of a path or a value beside the document, where it stands whole.
fn cut(text: &str) -> String {
    text.chars().take(WORDS_MAX).collect()
}
