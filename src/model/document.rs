//! The document: the whole desired state of a group, as one JSON value.
//!
//! It is immutable and cheap to clone. Only its form is judged here; whether a configuration makes
//! sense is for Unit to say. What is kept is its compact text, which is hashed, sent and stored,
//! and shared with the body of the revision that it came in. Its value, many times as large, is
//! made of the text when somebody looks into it, and given back by [`Document::folded`].

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::fingerprint::Fingerprint;
use super::json::{self, JsonError, Map, Value};
use super::path::{Path, element_index};
use super::resources::{ResourceKind, is_resource_name};
use crate::limits::{DEPTH_MAX, DOCUMENT_MAX, FOLD_MIN, PATH_TOKEN_MAX, RESOURCES_MAX, VALUES_MAX};

mod bundles;
mod form;

pub use self::bundles::BundleId;

/// `{"config": …, "certificates": {…}, "js_modules": {…}}`. Two are equal if their texts are.
#[derive(Clone)]
pub struct Document(Arc<DocumentParts>);

struct DocumentParts {
    /// The compact text, from `from` on; it was read once as UTF-8.
    bytes: Arc<[u8]>,
    from: usize,
    /// The value that the text stands for, once somebody has asked for it.
    value: OnceLock<Value>,
    /// The fingerprint of the configuration, once somebody has asked for it.
    fingerprint: OnceLock<Fingerprint>,
}

impl Document {
    /// Takes an object with exactly the members `config` (any value), `certificates` and
    /// `js_modules` (objects of strings, at most [`RESOURCES_MAX`] together, each under a name
    /// as [`is_resource_name`] wants it), whose compact text has at most [`DOCUMENT_MAX`]
    /// bytes, with at most [`DEPTH_MAX`] levels in each and [`VALUES_MAX`] values in all.
    pub fn new(value: Value) -> Result<Self, NotADocument> {
        let members = value.as_object().ok_or(NotADocument::NotAnObject)?;
        if let Some(unknown) = members
            .keys()
            .find(|name| !MEMBERS.contains(&name.as_str()))
        {
            return Err(NotADocument::Unknown(unknown.chars().take(SHOWN).collect()));
        }
        if let Some(missing) = MEMBERS.into_iter().find(|name| !members.contains_key(name)) {
            return Err(NotADocument::Missing(missing));
        }
        check_resources(&value)?;
        if !json::fits(&value, DEPTH_MAX + 1, VALUES_MAX) {
            let is_too_deep = !json::fits(&value, DEPTH_MAX + 1, usize::MAX);
            return Err(if is_too_deep {
                NotADocument::TooDeep
            } else {
                NotADocument::TooManyValues
            });
        }
        let text = json::compact(&value);
        if text.len() > DOCUMENT_MAX {
            return Err(NotADocument::TooLarge);
        }
        Ok(Self::with(
            text.into_bytes().into(),
            0,
            value.into(),
            OnceLock::new(),
        ))
    }

    /// Reads a document's text. [`Document::text`] is the same bytes only if that text is compact.
    pub fn parse(text: &[u8]) -> Result<Self, NotADocument> {
        match form::check(text)? {
            true => Ok(Self::of(text.into(), 0)),
            false => Self::new(json::parse_own(text).map_err(NotADocument::Json)?),
        }
    }

    /// Reads the document that stands in `bytes` from `from` on, and shares them. It must be
    /// compact, as every author writes it: then its values need not be made to judge it.
    pub fn within(bytes: &Arc<[u8]>, from: usize) -> Result<Self, NotADocument> {
        let is_compact = form::check(&bytes[from..])?;
        is_compact
            .then(|| Self::of(Arc::clone(bytes), from))
            .ok_or(NotADocument::NotCompact)
    }

    fn of(bytes: Arc<[u8]>, from: usize) -> Self {
        Self::with(bytes, from, OnceLock::new(), OnceLock::new())
    }

    fn with(
        bytes: Arc<[u8]>,
        from: usize,
        value: OnceLock<Value>,
        fingerprint: OnceLock<Fingerprint>,
    ) -> Self {
        Self(Arc::new(DocumentParts {
            bytes,
            from,
            value,
            fingerprint,
        }))
    }

    /// The same document with nothing but its text in memory, for whoever only keeps it.
    pub fn folded(&self) -> Self {
        Self::with(
            Arc::clone(&self.0.bytes),
            self.0.from,
            OnceLock::new(),
            self.0.fingerprint.clone(),
        )
    }

    /// Whether the document's value is in memory.
    pub fn is_unfolded(&self) -> bool {
        self.0.value.get().is_some()
    }

    /// Whether the value is in memory and the text so long ([`FOLD_MIN`] bytes) that giving it back
    /// pays.
    pub fn is_large(&self) -> bool {
        self.is_unfolded() && self.bytes().len() >= FOLD_MIN
    }

    /// The document, sharing the text that stands in `bytes` from `from` on, which is its own.
    pub(super) fn moved_into(self, bytes: &Arc<[u8]>, from: usize) -> Self {
        debug_assert!(bytes[from..] == *self.bytes());
        Self::with(
            Arc::clone(bytes),
            from,
            self.0.value.clone(),
            self.0.fingerprint.clone(),
        )
    }

    /// About how many bytes of memory its value takes, if it is there; the text is not counted,
    /// which others share.
    pub fn weight(&self) -> usize {
        self.0.value.get().map_or(0, json::weight)
    }

    /// Whether both share one allocation, which makes them equal without a comparison.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A document of this configuration, without certificates and modules.
    pub fn from_config(config: Value) -> Result<Self, NotADocument> {
        let empty = || Value::Object(Map::new());
        let members = [
            (CONFIG, config),
            (CERTIFICATES, empty()),
            (JS_MODULES, empty()),
        ];
        Self::new(
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The document with another configuration, and the same certificates and modules.
    pub(crate) fn with_config(&self, config: Value) -> Result<Self, NotADocument> {
        let mut value = self.value().clone();
        value[CONFIG] = config;
        Self::new(value)
    }

    /// The document of a server that was never configured.
    pub fn factory() -> Self {
        let config = json::parse(FACTORY).expect("the default is JSON");
        Self::from_config(config).expect("the default is short")
    }

    /// The whole value.
    pub fn value(&self) -> &Value {
        self.0.value.get_or_init(|| {
            json::parse_own(self.bytes()).expect("a document is read before it is kept")
        })
    }

    /// The configuration: what is below `/config`.
    pub fn config(&self) -> &Value {
        &self.value()[CONFIG]
    }

    /// The fingerprint of the configuration.
    pub fn fingerprint(&self) -> Fingerprint {
        *self
            .0
            .fingerprint
            .get_or_init(|| Fingerprint::of(self.config()))
    }

    /// The compact text of the whole value.
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("a document is read as UTF-8 before it is kept")
    }

    /// The bytes of [`Document::text`].
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes[self.0.from..]
    }

    /// The value at a path from the document's root (`/config/…`), by Unit's rules: a token names a
    /// member, or an element by its index; below a scalar there is nothing, and nothing has a
    /// name longer than [`PATH_TOKEN_MAX`] bytes.
    ///
    /// Certificates are found with their private keys: what may be shown is for the caller to
    /// decide.
    pub fn get(&self, path: &Path) -> Option<&Value> {
        path.tokens()
            .iter()
            .try_fold(self.value(), |value, token| member(value, token))
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.bytes() == other.bytes()
    }
}

impl Eq for Document {}

impl fmt::Debug for Document {
    /// The document's size only: there may be private keys in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.bytes().len())
    }
}

/// Why a value is no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotADocument {
    /// The text is not JSON.
    Json(JsonError),
    /// The value is not an object.
    NotAnObject,
    /// A member that a document does not have.
    Unknown(String),
    /// A member that a document must have is missing.
    Missing(&'static str),
    /// A member that must be an object and is not.
    NotAnObjectIn(&'static str),
    /// A member of this one is not a text, or is called what nothing in there can be called.
    NotAResourceIn(&'static str),
    /// More than [`RESOURCES_MAX`] certificates and modules.
    TooManyResources,
    /// More than [`DEPTH_MAX`] levels.
    TooDeep,
    /// More than [`VALUES_MAX`] values.
    TooManyValues,
    /// More than [`DOCUMENT_MAX`] bytes.
    TooLarge,
    /// The document of a revision that is written otherwise than it is printed: its author's
    /// program was at fault.
    NotCompact,
}

impl fmt::Display for NotADocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::NotAnObject => f.write_str("a document is an object"),
            Self::Unknown(name) => write!(f, "a document has no member {name:?}"),
            Self::Missing(name) => write!(f, "a document has a member {name:?}"),
            Self::NotAnObjectIn(name) => {
                write!(f, "the member {name:?} of a document is an object")
            }
            Self::NotAResourceIn(name) => write!(
                f,
                "the member {name:?} of a document holds texts, under names without a slash"
            ),
            Self::TooManyResources => write!(
                f,
                "a document has at most {RESOURCES_MAX} certificates and modules"
            ),
            Self::TooDeep => write!(f, "a document has at most {DEPTH_MAX} levels"),
            Self::TooManyValues => write!(f, "a document has at most {VALUES_MAX} values"),
            Self::NotCompact => {
                f.write_str("the document of a revision has no white space and no needless escapes")
            }
            Self::TooLarge => write!(f, "a document has at most {DOCUMENT_MAX} bytes"),
        }
    }
}

impl std::error::Error for NotADocument {}

fn check_resources(document: &Value) -> Result<(), NotADocument> {
    let mut count = 0;
    for name in ResourceKind::ALL.map(ResourceKind::member) {
        let held = document[name]
            .as_object()
            .ok_or(NotADocument::NotAnObjectIn(name))?;
        if !held
            .iter()
            .all(|(name, value)| value.is_string() && is_resource_name(name))
        {
            return Err(NotADocument::NotAResourceIn(name));
        }
        count += held.len();
    }
    if count > RESOURCES_MAX {
        Err(NotADocument::TooManyResources)
    } else {
        Ok(())
    }
}

/// Whether a configuration is what a server shows that was never configured, or has lost
/// everything: the default with its members in any order, or `{}`.
pub fn is_factory(config: &Value) -> bool {
    let is_empty = config.as_object().is_some_and(Map::is_empty);
    is_empty || json::same(config, Document::factory().config())
}

/// What a token names in a value; the rules of [`Document::get`].
pub(super) fn member<'a>(value: &'a Value, token: &str) -> Option<&'a Value> {
    match value {
        _ if token.len() > PATH_TOKEN_MAX => None,
        Value::Object(members) => members.get(token),
        Value::Array(elements) => elements.get(element_index(token)?),
        _ => None,
    }
}

/// The member that holds the configuration.
pub(super) const CONFIG: &str = "config";
const CERTIFICATES: &str = "certificates";
const JS_MODULES: &str = "js_modules";
const MEMBERS: [&str; 3] = [CONFIG, CERTIFICATES, JS_MODULES];
/// How much of a foreign name an error shows, in characters.
const SHOWN: usize = 64;
const FACTORY: &[u8] = br#"{"listeners":{},"routes":[],"applications":{}}"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Value {
        json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_document_has_exactly_three_members() {
        let whole = br#"{"config":[],"certificates":{},"js_modules":{}}"#;
        assert_eq!(Document::parse(whole).unwrap().text().as_bytes(), whole);
        for (text, expected) in [
            (&b"[]"[..], NotADocument::NotAnObject),
            (
                br#"{"config":{},"certificates":{}}"#,
                NotADocument::Missing("js_modules"),
            ),
            (
                br#"{"config":{},"certificates":{},"js_modules":{},"x":1}"#,
                NotADocument::Unknown("x".to_owned()),
            ),
            (
                br#"{"config":{},"certificates":[],"js_modules":{}}"#,
                NotADocument::NotAnObjectIn("certificates"),
            ),
            (
                br#"{"config":{},"certificates":{"a":1},"js_modules":{}}"#,
                NotADocument::NotAResourceIn("certificates"),
            ),
            (
                br#"{"config":{},"certificates":{},"js_modules":{"a/b":""}}"#,
                NotADocument::NotAResourceIn("js_modules"),
            ),
            (
                br#"{"config":{},"certificates":{"..":""},"js_modules":{}}"#,
                NotADocument::NotAResourceIn("certificates"),
            ),
        ] {
            assert_eq!(Document::parse(text), Err(expected));
        }
        assert!(matches!(Document::parse(b"{"), Err(NotADocument::Json(_))));
    }

    #[test]
    fn what_can_be_made_can_be_read_back() {
        let deep = |levels: usize| config(&("[".repeat(levels) + &"]".repeat(levels)));
        let deepest = Document::from_config(deep(DEPTH_MAX)).unwrap();
        assert_eq!(Document::parse(deepest.text().as_bytes()), Ok(deepest));
        let deeper = Value::Array(vec![deep(DEPTH_MAX)]);
        assert_eq!(Document::from_config(deeper), Err(NotADocument::TooDeep));
        let crowded = Value::Array(vec![Value::Null; VALUES_MAX]);
        assert_eq!(
            Document::from_config(crowded),
            Err(NotADocument::TooManyValues)
        );
    }

    #[test]
    fn a_document_holds_no_more_certificates_and_modules_than_it_may() {
        let with = |count: usize| {
            let texts: Map<String, Value> = (0..count)
                .map(|number| (format!("m{number}"), "".into()))
                .collect();
            let mut value = Document::factory().value().clone();
            value[JS_MODULES] = texts.into();
            value[CERTIFICATES]["c"] = "bundle".into();
            Document::new(value).map(|_| ())
        };
        assert_eq!(with(RESOURCES_MAX - 1), Ok(()));
        assert_eq!(with(RESOURCES_MAX), Err(NotADocument::TooManyResources));
    }

    #[test]
    fn a_document_has_a_largest_size() {
        let around = Document::from_config(config(r#""""#)).unwrap().text().len();
        let largest = Value::String("x".repeat(DOCUMENT_MAX - around));
        assert_eq!(
            Document::from_config(largest).unwrap().text().len(),
            DOCUMENT_MAX
        );
        let larger = Value::String("x".repeat(DOCUMENT_MAX - around + 1));
        assert_eq!(Document::from_config(larger), Err(NotADocument::TooLarge));
    }

    #[test]
    fn values_are_found_as_unit_finds_them() {
        let long = "k".repeat(PATH_TOKEN_MAX + 1);
        let text = format!(
            r#"{{"a/b":[1,{{"c":null}}],"{long}":1,"{}":2}}"#,
            &long[1..]
        );
        let document = Document::from_config(config(&text)).unwrap();
        let get = |target: &str| {
            document
                .get(&Path::parse(target).unwrap())
                .map(json::compact)
        };
        assert_eq!(get("/config/a%2Fb/00").as_deref(), Some("1"));
        assert_eq!(get("/config/a%2Fb/1/c/").as_deref(), Some("null"));
        assert_eq!(get("/").as_deref(), Some(document.text()));
        assert_eq!(get("/certificates").as_deref(), Some("{}"));
        assert_eq!(
            get(&format!("/config/{}", &long[1..])).as_deref(),
            Some("2")
        );
        for absent in [
            "/config/a/b",
            "/config/a%2Fb/2",
            "/config/a%2Fb/x",
            "/config/a%2Fb/1/c/d",
            "/nope",
        ] {
            assert_eq!(get(absent), None, "{absent}");
        }
        assert_eq!(
            get(&format!("/config/{long}")),
            None,
            "a name of 257 bytes cannot be asked for"
        );
    }

    #[test]
    fn the_default_is_known_in_any_order() {
        assert!(is_factory(Document::factory().config()));
        assert!(is_factory(&config(
            r#"{"applications":{},"listeners":{},"routes":[]}"#
        )));
        assert!(is_factory(&config("{}")));
        for other in [
            "[]",
            "null",
            r#"{"listeners":{},"routes":[]}"#,
            r#"{"listeners":{},"routes":{},"applications":{}}"#,
        ] {
            assert!(!is_factory(&config(other)), "{other}");
        }
    }
}
