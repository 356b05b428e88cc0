//! Which bundles a document holds, and the same document without some of them.
//!
//! Asked of every revision that is kept, without making its values, so that the key of a bundle
//! that was deleted does not stay in the history for ever: see `node::store::keys`. Where a bundle
//! is struck out, what it is shown by stands in its place.

use std::borrow::Cow;

use super::Document;
use crate::model::json::{self, Make, Value};
use crate::model::resources::{self, ResourceKind};

/// A bundle, whatever it is called: the beginning of its fingerprint, which is enough to tell one
/// from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BundleId(pub u64);

impl BundleId {
    /// The ID of the bundle with this text.
    pub fn of(text: &str) -> Self {
        Self(u64::from_be_bytes(
            resources::fingerprint(text)[..8]
                .try_into()
                .expect("a hash is longer"),
        ))
    }
}

impl Document {
    /// The bundles that the document holds, sorted, each once. What stands for one that was struck
    /// out is none.
    pub fn bundles(&self) -> Vec<BundleId> {
        // Most documents have none.
        if !self.text().contains(SOME) {
            return Vec::new();
        }
        let mut all = match json::read_own::<Texts>(self.bytes()).map(|whole| whole.made) {
            Ok(KnownValue::Object(ObjectTexts { bundles, .. })) => bundles,
            _ => Vec::new(),
        };
        all.sort();
        all.dedup();
        all
    }

    /// The document with the fingerprint in the place of each bundle that `goes`.
    pub fn struck(&self, goes: impl Fn(BundleId) -> bool) -> Self {
        self.with_bundles(|text| goes(BundleId::of(text)).then(|| resources::redacted(text)))
    }

    /// The document with each bundle in its place again that was struck out and that `other` holds.
    pub fn filled_from(&self, other: &Self) -> Self {
        let held = other.value()[ResourceKind::Certificate.member()].as_object();
        let texts = || {
            held.into_iter()
                .flat_map(|held| held.values())
                .filter_map(Value::as_str)
        };
        self.with_bundles(|mark| {
            texts()
                .find(|text| resources::redacted(text) == mark && *text != mark)
                .map(str::to_owned)
        })
    }

    /// Puts another text in the place of those bundles for which there is one.
    fn with_bundles(&self, other: impl Fn(&str) -> Option<String>) -> Self {
        if !self.text().contains(SOME) {
            return self.clone();
        }
        let mut value = self.folded().value().clone();
        let held = value[ResourceKind::Certificate.member()].as_object_mut();
        for text in held.into_iter().flat_map(|held| held.values_mut()) {
            if let Some(other) = text.as_str().and_then(&other) {
                *text = other.into();
            }
        }
        // Filled up it may be too long for a document, and then stays as it is.
        Self::new(value).unwrap_or_else(|_| self.clone())
    }
}

/// Makes nothing but texts, and of those only what they are known by.
struct Texts;

enum KnownValue<'a> {
    Text(Cow<'a, str>),
    Object(ObjectTexts<'a>),
    Other,
}

#[derive(Default)]
struct ObjectTexts<'a> {
    texts: Vec<Cow<'a, str>>,
    /// What is in the member of this name.
    bundles: Vec<BundleId>,
}

impl<'a> Make<'a> for Texts {
    type Made = KnownValue<'a>;
    type Elements = ();
    type Members = ObjectTexts<'a>;

    fn literal(_: Value) -> KnownValue<'a> {
        KnownValue::Other
    }

    fn number(_: &'a str) -> KnownValue<'a> {
        KnownValue::Other
    }

    fn string(text: Cow<'a, str>) -> KnownValue<'a> {
        KnownValue::Text(text)
    }

    fn push((): &mut (), _: KnownValue<'a>) {}

    /// The name was looked at when it became a document.
    fn has(_: &ObjectTexts<'a>, _: &str) -> bool {
        false
    }

    fn insert(members: &mut ObjectTexts<'a>, name: Cow<'a, str>, member: KnownValue<'a>) {
        match member {
            KnownValue::Text(text) => members.texts.push(text),
            KnownValue::Object(inner) if name == ResourceKind::Certificate.member() => {
                let held = inner
                    .texts
                    .iter()
                    .filter(|text| !resources::is_fingerprint_text(text));
                members.bundles = held.map(|text| BundleId::of(text)).collect();
            }
            KnownValue::Object(_) | KnownValue::Other => {}
        }
    }

    fn array((): ()) -> KnownValue<'a> {
        KnownValue::Other
    }

    fn object(members: ObjectTexts<'a>) -> KnownValue<'a> {
        KnownValue::Object(members)
    }
}

/// How a compact text goes on where there are some. It may be a configuration that says so; within
/// a string it cannot stand.
const SOME: &str = "\"certificates\":{\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn document(config: &str, certificates: &str) -> Document {
        let text = format!(
            r#"{{"config":{config},"certificates":{certificates},"js_modules":{{"a":"b"}}}}"#
        );
        Document::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_bundles_of_a_document_are_told_by_their_texts() {
        let of =
            |certificates: &str| document(r#"{"certificates":{"x":"y"}}"#, certificates).bundles();
        assert_eq!(of("{}"), []);
        assert_eq!(
            of(r#"{"a":"k","b":"k"}"#),
            [BundleId::of("k")],
            "two names make no second one"
        );
        assert_eq!(
            of(r#"{"a":"l\n","b":"k"}"#),
            of(r#"{"b":"k","c":"l\n"}"#),
            "whatever their order and names"
        );
        assert_eq!(
            document(r#"{"certificates":{}}"#, r#"{"a":"k"}"#).bundles(),
            [BundleId::of("k")]
        );
    }

    #[test]
    fn what_is_struck_out_is_shown_as_before_and_can_be_filled_in_again() {
        let whole = document(r#"{"certificates":{},"n":1.0}"#, r#"{"a":"k","b":"l"}"#);
        let struck = whole.struck(|bundle| bundle == BundleId::of("k"));
        assert_eq!(struck.bundles(), [BundleId::of("l")]);
        assert_eq!(
            struck.text(),
            whole
                .text()
                .replace("\"k\"", &format!("\"{}\"", resources::redacted("k")))
        );
        assert_eq!(struck.struck(|bundle| bundle == BundleId::of("k")), struck);
        let root = crate::model::path::Path::parse("/").unwrap();
        assert_eq!(
            resources::showable(&root, struck.value()),
            resources::showable(&root, whole.value())
        );
        assert_eq!(struck.filled_from(&document("1", r#"{"z":"k"}"#)), whole);
        assert_eq!(struck.filled_from(&document("1", r#"{"a":"m"}"#)), struck);
        assert_eq!(struck.filled_from(&struck), struck);
        let none = document("1", "{}");
        assert_eq!(none.struck(|_| true), none);
    }
}
