//! What one host makes of its group's document: an overlay on top of the configuration, and
//! variables in its strings.
//!
//! The overlay is a JSON Merge Patch (RFC 7396) with one thing more: where the configuration has an
//! array and the patch an object whose members are indices or `-`, single elements are addressed,
//! `-` being one more at the end. Then `${starling.NAME}` in strings and names of members becomes
//! this host's value; nothing else that begins with a dollar sign is touched, for Unit has
//! variables of its own. What comes out is the *effective* document: what the server of this host
//! is given, and never what is replicated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::document::{Document, NotADocument};
use super::json::{Map, Value};
use super::path::{element_index, push_token};
use crate::limits::{DOCUMENT_MAX, PLACES_MAX};

/// What a host adds. The default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    /// The patch on `/config`, if there is one.
    pub patch: Option<Value>,
    /// The variables by name, without `starling.`.
    pub variables: BTreeMap<String, String>,
}

/// What a server is to run, and what of it is this host's own.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The whole document.
    pub document: Document,
    /// Where the patch acts, as paths: the first [`PLACES_MAX`].
    pub overlaid: Vec<String>,
    /// Where variables were put in: the first [`PLACES_MAX`].
    pub used: Vec<Used>,
    /// Whether these are all.
    is_all: bool,
}

/// A variable in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Where, in the effective document.
    pub path: String,
    /// Without `starling.`.
    pub name: String,
}

impl Overlay {
    /// The document as this host's server is to run it.
    pub fn apply(&self, document: &Document) -> Result<Effective, Unfit> {
        let mut overlaid = Vec::new();
        // Most hosts have neither, and documents are large: nothing is copied for them.
        if self.patch.is_none() && !(document.text().contains(BEGIN) && mentions(document.config()))
        {
            return Ok(Effective {
                document: document.clone(),
                overlaid,
                used: Vec::new(),
                is_all: true,
            });
        }
        let mut config = document.config().clone();
        if let Some(patch) = &self.patch {
            lay(&mut config, patch, "/config", &mut overlaid)?;
        }
        let has_variables = mentions(&config);
        let mut filling = Filling::of(&self.variables);
        if has_variables {
            config = filling.value(config)?;
        }
        let document = document.with_config(config).map_err(Unfit::Document)?;
        let is_all = filling.is_all && overlaid.len() < PLACES_MAX;
        Ok(Effective {
            document,
            overlaid,
            used: filling.used,
            is_all,
        })
    }
}

/// Variables on their way into a configuration, from the top down. Few bytes of a document can ask
/// for many, so what is put in is counted while it is, and places are written out only where they
/// are noted.
struct Filling<'a> {
    variables: &'a BTreeMap<String, String>,
    /// The tokens that lead to where it is.
    place: Vec<String>,
    used: Vec<Used>,
    /// Whether each place is noted.
    is_all: bool,
    /// Bytes that values may still take.
    left: usize,
    /// Bytes that noted places may still take.
    notes_left: usize,
}

impl<'a> Filling<'a> {
    fn of(variables: &'a BTreeMap<String, String>) -> Self {
        let place = vec!["config".to_owned()];
        Self {
            variables,
            place,
            used: Vec::new(),
            is_all: true,
            left: DOCUMENT_MAX,
            notes_left: DOCUMENT_MAX,
        }
    }

    fn value(&mut self, value: Value) -> Result<Value, Unfit> {
        Ok(match value {
            Value::String(text) if text.contains(BEGIN) => {
                let (filled, names) = self.text(&text)?;
                self.note(names);
                filled.into()
            }
            Value::Array(elements) => {
                let filled = elements.into_iter().enumerate();
                Value::Array(
                    filled
                        .map(|(index, value)| self.below(index.to_string(), value))
                        .collect::<Result<_, _>>()?,
                )
            }
            Value::Object(members) => {
                let mut filled = Map::new();
                for (name, value) in members {
                    let (name, names) = if name.contains(BEGIN) {
                        self.text(&name)?
                    } else {
                        (name, Vec::new())
                    };
                    self.place.push(name.clone());
                    // At the place that it has with the variables put in.
                    self.note(names);
                    self.place.pop();
                    if filled.contains_key(&name) {
                        return Err(Unfit::Twins {
                            path: below(&self.path(), &name),
                        });
                    }
                    let value = self.below(name.clone(), value)?;
                    filled.insert(name, value);
                }
                Value::Object(filled)
            }
            other => other,
        })
    }

    fn below(&mut self, token: String, value: Value) -> Result<Value, Unfit> {
        self.place.push(token);
        let value = self.value(value);
        self.place.pop();
        value
    }

    /// A text with the variables put in, and their names.
    fn text(&mut self, text: &str) -> Result<(String, Vec<String>), Unfit> {
        let (mut filled, mut names) = (String::new(), Vec::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| Unfit::Open { path: self.path() })?;
            let unknown = || Unfit::Unknown {
                path: self.path(),
                name: name.chars().take(NAME_SHOWN).collect(),
            };
            let value = self.variables.get(name).ok_or_else(unknown)?;
            self.left = self
                .left
                .checked_sub(value.len())
                .ok_or(Unfit::Document(NotADocument::TooLarge))?;
            filled.push_str(before);
            filled.push_str(value);
            names.push(name.to_owned());
            rest = after;
        }
        filled.push_str(rest);
        Ok((filled, names))
    }

    fn note(&mut self, names: Vec<String>) {
        for name in names {
            let length: usize = self.place.iter().map(|token| token.len() + 1).sum();
            match self
                .notes_left
                .checked_sub(length)
                .filter(|_| self.used.len() < PLACES_MAX)
            {
                Some(left) => self.notes_left = left,
                None => return self.is_all = false,
            }
            let path = self.path();
            self.used.push(Used { path, name });
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        self.place
            .iter()
            .for_each(|token| push_token(&mut path, token));
        path
    }
}

impl Effective {
    /// Whether what stands at a path, given as its text, or above or below it, is this host's own,
    /// or may be.
    pub fn is_own(&self, path: &str) -> bool {
        let touches = |place: &str| is_at_or_below(place, path) || is_at_or_below(path, place);
        !self.is_all
            || self.overlaid.iter().any(|place| touches(place))
            || self.used.iter().any(|used| touches(&used.path))
    }
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Why a document and this host do not go together. Its server runs what it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// The overlay addresses an element that is not there.
    Element {
        /// Where the array is.
        path: String,
        /// Which.
        index: String,
        /// How many there are.
        len: usize,
    },
    /// A variable that this host does not have.
    Unknown {
        /// Where it stands.
        path: String,
        /// The member's name, or the beginning of it.
        name: String,
    },
    /// A variable's closing brace is missing.
    Open {
        /// Where it stands.
        path: String,
    },
    /// Two members have become one.
    Twins {
        /// Where.
        path: String,
    },
    /// What comes out is no document.
    Document(NotADocument),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element { path, index, len } => {
                write!(
                    f,
                    "this host's overlay addresses element {index} of {path}, which has {len}"
                )
            }
            Self::Unknown { path, name } => write!(
                f,
                "this host has no value for ${{starling.{name}}} at {path}"
            ),
            Self::Open { path } => write!(f, "a variable at {path} has no closing brace"),
            Self::Twins { path } => write!(
                f,
                "with this host's variables two members are called {path}"
            ),
            Self::Document(error) => write!(f, "with this host's overlay and variables: {error}"),
        }
    }
}

impl std::error::Error for Unfit {}

/// RFC 7396, section 2, and single elements of arrays.
fn lay(
    target: &mut Value,
    patch: &Value,
    path: &str,
    overlaid: &mut Vec<String>,
) -> Result<(), Unfit> {
    let Value::Object(patch) = patch else {
        note(path, overlaid);
        *target = patch.clone();
        return Ok(());
    };
    if let (Value::Array(elements), true) = (&mut *target, addresses_elements(patch)) {
        return lay_elements(elements, patch, path, overlaid);
    }
    if !target.is_object() {
        // Of an object with members, those are noted.
        if patch.is_empty() {
            note(path, overlaid);
        }
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        unreachable!("it was just made an object")
    };
    members.remove_nulls(patch);
    for (name, value) in patch {
        if value.is_null() {
            note(&below(path, name), overlaid);
        } else {
            lay(
                members.get_or_null(name),
                value,
                &below(path, name),
                overlaid,
            )?;
        }
    }
    Ok(())
}

/// Elements keep the indices that they have in the group's document: what is removed is removed
/// last.
fn lay_elements(
    elements: &mut Vec<Value>,
    patch: &Map<String, Value>,
    path: &str,
    overlaid: &mut Vec<String>,
) -> Result<(), Unfit> {
    let len = elements.len();
    let mut removed = BTreeSet::new();
    for (index, value) in patch.iter().filter(|(index, _)| *index != END) {
        let place = element_index(index).filter(|place| *place < len);
        let place = place.ok_or_else(|| Unfit::Element {
            path: path.to_owned(),
            index: index.clone(),
            len,
        })?;
        if value.is_null() {
            note(&below(path, index), overlaid);
            removed.insert(place);
        } else {
            lay(&mut elements[place], value, &below(path, index), overlaid)?;
        }
    }
    removed
        .into_iter()
        .rev()
        .for_each(|place| drop(elements.remove(place)));
    if let Some(value) = patch.get(END) {
        note(&below(path, &elements.len().to_string()), overlaid);
        elements.push(value.clone());
    }
    Ok(())
}

fn addresses_elements(patch: &Map<String, Value>) -> bool {
    !patch.is_empty()
        && patch
            .keys()
            .all(|name| name == END || element_index(name).is_some())
}

fn mentions(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(BEGIN),
        Value::Array(elements) => elements.iter().any(mentions),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains(BEGIN) || mentions(value)),
        _ => false,
    }
}

fn note(path: &str, overlaid: &mut Vec<String>) {
    if overlaid.len() < PLACES_MAX {
        overlaid.push(path.to_owned());
    }
}

fn below(path: &str, token: &str) -> String {
    let mut path = path.to_owned();
    push_token(&mut path, token);
    path
}

/// How a variable of a host begins. Unit's own have no dot in their names, and templates of njs no
/// such object.
const BEGIN: &str = "${starling.";
/// The place behind the last element.
const END: &str = "-";
/// How much of a foreign name an error shows, in characters.
const NAME_SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::{compact, parse};

    fn document(config: &str) -> Document {
        Document::from_config(parse(config.as_bytes()).unwrap()).unwrap()
    }

    fn host(patch: &str) -> Overlay {
        let variables = [
            ("name", "gull"),
            ("address", "192.0.2.7"),
            ("var.root", "/srv/a"),
        ];
        Overlay {
            patch: (!patch.is_empty()).then(|| parse(patch.as_bytes()).unwrap()),
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    fn made(config: &str, patch: &str) -> String {
        host(patch).apply(&document(config)).map_or_else(
            |error| error.to_string(),
            |made| compact(made.document.config()),
        )
    }

    #[test]
    fn a_merge_patch_is_laid_on_top_and_members_keep_their_places() {
        let config =
            r#"{"listeners":{"*:80":{"pass":"routes"}},"routes":[],"settings":{"http":{"a":1}}}"#;
        let patch = r#"{"listeners":{"*:80":null,"*:8080":{"pass":"routes"}},"settings":{"http":{"a":2.0}}}"#;
        assert_eq!(
            made(config, patch),
            r#"{"listeners":{"*:8080":{"pass":"routes"}},"routes":[],"settings":{"http":{"a":2.0}}}"#
        );
        let effective = host(patch).apply(&document(config)).unwrap();
        assert_eq!(
            effective.overlaid,
            [
                "/config/listeners/*:80",
                "/config/listeners/*:8080/pass",
                "/config/settings/http/a"
            ]
        );
    }

    #[test]
    fn single_elements_of_an_array_are_addressed_by_their_index_in_the_groups_document() {
        assert_eq!(
            made(
                r#"{"r":["a","b","c"]}"#,
                r#"{"r":{"0":null,"2":"C","-":"d"}}"#
            ),
            r#"{"r":["b","C","d"]}"#
        );
        assert_eq!(
            made(r#"{"r":[{"x":1,"y":2}]}"#, r#"{"r":{"0":{"x":3}}}"#),
            r#"{"r":[{"x":3,"y":2}]}"#
        );
        assert_eq!(
            made(r#"{"r":[1]}"#, r#"{"r":[2,3]}"#),
            r#"{"r":[2,3]}"#,
            "an array replaces, as in the RFC"
        );
        assert_eq!(
            made(r#"{"r":[1]}"#, r#"{"r":{"a":1,"0":2}}"#),
            r#"{"r":{"a":1,"0":2}}"#,
            "names are no indices"
        );
        assert_eq!(
            made(r#"{"r":{"0":1}}"#, r#"{"r":{"0":2}}"#),
            r#"{"r":{"0":2}}"#
        );
        assert_eq!(
            made(r#"{"r":[1]}"#, r#"{"r":{"0":null,"00":null}}"#),
            r#"{"r":[]}"#,
            "one element by two spellings"
        );
        assert_eq!(
            made(r#"{"r":[1]}"#, r#"{"r":{"1":2}}"#),
            "this host's overlay addresses element 1 of /config/r, which has 1"
        );
    }

    #[test]
    fn variables_are_put_into_strings_and_names_and_units_own_stay() {
        let config = r#"{"listeners":{"${starling.address}:80":{"pass":"x"}},"a":"${starling.name}-${starling.var.root}","b":"$host ${host} `${1+1}`"}"#;
        assert_eq!(
            made(config, ""),
            r#"{"listeners":{"192.0.2.7:80":{"pass":"x"}},"a":"gull-/srv/a","b":"$host ${host} `${1+1}`"}"#
        );
        let effective = host("").apply(&document(config)).unwrap();
        let used = |path: &str, name: &str| Used {
            path: path.into(),
            name: name.into(),
        };
        assert_eq!(
            effective.used,
            [
                used("/config/listeners/192.0.2.7:80", "address"),
                used("/config/a", "name"),
                used("/config/a", "var.root")
            ]
        );
        assert_eq!(
            made("{}", r#"{"a":"${starling.name}"}"#),
            r#"{"a":"gull"}"#,
            "those of the overlay too"
        );
    }

    #[test]
    fn what_is_a_hosts_own_is_known_by_its_place_and_by_what_stands_above_and_below() {
        let effective = host(r#"{"b":{"c":1}}"#)
            .apply(&document(r#"{"a":["${starling.name}",1],"b":{},"ab":1}"#))
            .unwrap();
        for own in [
            "/config",
            "/config/a",
            "/config/a/0",
            "/config/a/0/x",
            "/config/b",
            "/config/b/c",
        ] {
            assert!(effective.is_own(own), "{own}");
        }
        for shared in ["/config/a/1", "/config/ab", "/config/b/d"] {
            assert!(!effective.is_own(shared), "{shared}");
        }
    }

    #[test]
    fn a_short_document_cannot_ask_for_more_than_a_document_may_have() {
        let mut host = host("");
        host.variables
            .insert("var.long".into(), "x".repeat(100_000));
        let many =
            |count: usize| format!("[{}]", vec![r#""${starling.var.long}""#; count].join(","));
        assert!(host.apply(&document(&many(10))).is_ok());
        let error = host
            .apply(&document(&many(100)))
            .expect_err("it would have ten megabytes");
        assert_eq!(error, Unfit::Document(NotADocument::TooLarge));
    }

    #[test]
    fn where_not_all_places_can_be_noted_every_place_may_be_the_hosts_own() {
        let many = format!(
            "[{}]",
            vec![r#""${starling.name}""#; PLACES_MAX + 1].join(",")
        );
        let effective = host("")
            .apply(&document(&format!(r#"{{"a":{many},"b":1}}"#)))
            .unwrap();
        assert!(effective.used.len() == PLACES_MAX && effective.is_own("/config/b"));
        let name = "n".repeat(DOCUMENT_MAX / 8);
        let few = format!(
            r#"{{"{name}":[{}],"b":1}}"#,
            vec![r#""${starling.name}""#; 20].join(",")
        );
        let effective = host("").apply(&document(&few)).unwrap();
        assert!(
            effective.used.len() < 8 && effective.is_own("/config/b"),
            "long names take room too"
        );
    }

    #[test]
    fn a_value_is_not_looked_through_for_variables_again() {
        let mut host = host("");
        host.variables
            .insert("name".into(), "${starling.name}".into());
        let made = host
            .apply(&document(r#"{"a":"${starling.name}"}"#))
            .unwrap();
        assert_eq!(
            compact(made.document.config()),
            r#"{"a":"${starling.name}"}"#
        );
    }

    #[test]
    fn what_does_not_go_together_is_named_with_its_place() {
        assert_eq!(
            made(r#"{"a":["${starling.nope}"]}"#, ""),
            "this host has no value for ${starling.nope} at /config/a/0"
        );
        assert_eq!(
            made(r#"{"a":"${starling.name"}"#, ""),
            "a variable at /config/a has no closing brace"
        );
        assert_eq!(
            made(r#"{"gull":1,"${starling.name}":2}"#, ""),
            "with this host's variables two members are called /config/gull"
        );
    }

    #[test]
    fn a_document_without_either_is_the_same_and_its_certificates_are_never_looked_into() {
        let text = br#"{"config":{"b":1,"a":1.0},"certificates":{"c":"${starling.name}"},"js_modules":{"m":"${starling.nope}"}}"#;
        let document = Document::parse(text).unwrap();
        let effective = host("").apply(&document).unwrap();
        assert_eq!(effective.document, document);
        let effective = host(r#"{"a":2}"#).apply(&document).unwrap();
        assert!(
            effective
                .document
                .text()
                .contains(r#"{"c":"${starling.name}"}"#)
        );
    }
}
