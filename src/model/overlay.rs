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

use self::variables::{BEGIN, Filling, mentions};
use super::document::{Document, NotADocument};
use super::json::{Map, Value};
use super::path::{element_index, push_token};
use crate::limits::PLACES_MAX;

#[cfg(test)]
mod tests;
mod variables;

/// A host's overlay and variables. The default changes nothing.
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
    /// The document that the server is given.
    pub document: Document,
    /// Where the patch acts, as paths: the first [`PLACES_MAX`].
    pub overlaid: Vec<String>,
    /// Where variables were put in: the first [`PLACES_MAX`].
    pub used: Vec<Used>,
    /// Whether `overlaid` and `used` list all places.
    is_all: bool,
}

/// A variable that was put into the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The path of the value in the effective document.
    pub path: String,
    /// The variable's name, without `starling.`.
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

/// The place behind the last element.
const END: &str = "-";
