//! What the own server is given, as it is shown: the configuration, the places that this host's
//! overlay and variables have changed, and the names of certificates and modules.

use crate::limits::{PLACES_SHOWN, WORDS_MAX};
use crate::model::json::{Map, Value, object};
use crate::model::overlay::Effective;
use crate::node::context::Context;
use crate::node::store::Store;

pub(in crate::node) fn effective_view(store: &Store, cx: &Context, effective: &Effective) -> Value {
    let names = |member: &str| {
        let held = effective.document.value()[member].as_object();
        held.into_iter()
            .flat_map(Map::keys)
            .map(|name| Value::from(name.as_str()))
            .collect::<Value>()
    };
    let used = effective.used.iter().take(PLACES_SHOWN).map(|used| {
        let value = cx
            .setup
            .overlay
            .variables
            .get(&used.name)
            .map_or("", String::as_str);
        object! { "path": cut(&used.path), "name": cut(&used.name), "value": cut(value) }
    });
    Value::Object(object! {
        "group": cx.setup.group.as_str(),
        "revision": store.head(cx).map(|head| head.id().to_string()),
        "overlay": effective.overlaid.iter().take(PLACES_SHOWN).map(|place| cut(place)).collect::<Vec<_>>(),
        "variables": used.collect::<Vec<_>>(),
        "certificates": names("certificates"),
        "js_modules": names("js_modules"),
        "config": effective.document.config().clone(),
    })
}

/// What is shown of a path or a value beside the configuration, where it stands whole.
fn cut(text: &str) -> String {
    text.chars().take(WORDS_MAX).collect()
}
