//! Edits: what a client asks for at a path, and whether what it was meant for is still there.
//!
//! [`apply`] gives PUT, POST and DELETE below `/config` exactly the meaning they have in Unit's
//! control API; a certificate or a module is put or deleted as one. [`found`] says what an edit
//! met, and [`still_there`] whether a later document still has it: that decides whether an
//! uncontained edit is made again or becomes a conflict. Elements of arrays have no lasting names,
//! so whatever is changed inside an array has met the whole array; only an append gets along with
//! other appends.

use std::fmt;

use sha2::{Digest, Sha256};

use super::document::{CONFIG, Document, NotADocument, member};
use super::json::{self, Map, Value};
use super::path::{Path, element_index};
use super::resources;
use crate::limits::{PATH_TOKEN_MAX, SHORT_MAX};

pub use self::form::BadForm;

mod form;
#[cfg(test)]
mod tests;

/// What is to be done at a path.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// Replace what is there, or create it.
    Put(Value),
    /// Add an element to the end of the array that is there.
    Append(Value),
    /// Remove what is there.
    Delete,
}

impl Change {
    /// What is done, without the value.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Put(_) => Verb::Put,
            Self::Append(_) => Verb::Append,
            Self::Delete => Verb::Delete,
        }
    }
}

impl fmt::Debug for Change {
    /// The value by its length only: it may be a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(value) | Self::Append(value) => {
                write!(f, "{:?}({} bytes)", self.verb(), json::compact(value).len())
            }
            Self::Delete => f.write_str("Delete"),
        }
    }
}

/// What is done at a path, without the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Replace or create.
    Put,
    /// Add to the end of an array.
    Append,
    /// Remove.
    Delete,
}

/// An operation of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// The path of the value, from the document's root: `/config/…`, `/certificates/NAME` or
    /// `/js_modules/NAME`.
    pub path: Path,
    /// The change to be made there.
    pub change: Change,
}

/// What stood at the path of an operation when its author made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing, in an object that could take it.
    Absent,
    /// A value whose compact text has at most [`SHORT_MAX`] bytes; never a certificate.
    Short(Value),
    /// Another object or string, by the hash of its compact text; a certificate by its
    /// [`resources::fingerprint`].
    Long {
        /// SHA-256.
        hash: [u8; 32],
    },
    /// An array: a long one that was replaced or deleted, or any that was appended to.
    Array {
        /// How many elements it had.
        len: u64,
        /// SHA-256 of its compact text.
        hash: [u8; 32],
    },
    /// The path leads through an array, so this is all of the outermost one. A PUT at the index
    /// that equals the length belongs here too: it names a place, and made again on a longer
    /// array it would overwrite.
    Inside {
        /// How many tokens of the path lead to the array.
        depth: u64,
        /// SHA-256 of its compact text.
        hash: [u8; 32],
    },
}

/// Why an operation cannot be made on a document. The document is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditError {
    /// Nothing is there, or nothing that could take it; Unit answers 404.
    Missing,
    /// Only an array can be appended to; Unit answers 405.
    NotAllowed,
    /// A certificate or a module is a text.
    NotText,
    /// A token of more than [`PATH_TOKEN_MAX`] bytes; Unit answers 500, "Memory allocation failed."
    TokenTooLong,
    /// The document would have more bytes, levels or values than a [`Document`] may.
    TooLarge,
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("nothing is at that path"),
            Self::NotAllowed => f.write_str("only an array can be appended to"),
            Self::NotText => f.write_str("a certificate or a module is a text"),
            Self::TokenTooLong => write!(f, "a token of a path has at most {PATH_TOKEN_MAX} bytes"),
            Self::TooLarge => f.write_str("the document would be too large"),
        }
    }
}

impl std::error::Error for EditError {}

/// The document with one operation applied.
///
/// PUT replaces in place, and creates as the last member or element but makes no levels in between;
/// POST appends to an array; DELETE closes the gap it makes, and of `/config` itself leaves `{}`.
/// Below a scalar there is nothing (Unit 1.35.0 crashes over a PUT there). `/certificates/NAME` and
/// `/js_modules/NAME` take a PUT of a string and a DELETE; elsewhere there is nothing to edit.
pub fn apply(document: &Document, op: &Op) -> Result<Document, EditError> {
    apply_all(document, [op]).map_err(|(_, error)| error)
}

/// The document with these operations applied, one after the other; it is written out once. An
/// error names the operation by its place.
pub fn apply_all<'a>(
    document: &Document,
    ops: impl IntoIterator<Item = &'a Op>,
) -> Result<Document, (usize, EditError)> {
    let mut value = document.value().clone();
    let mut last = 0;
    for (place, op) in ops.into_iter().enumerate() {
        last = place;
        let made = match resources::resource_at(&op.path) {
            Some((kind, name)) => change_text(&mut value[kind.member()], name, &op.change),
            None if op.path.is_config() => {
                change(&mut value[CONFIG], &op.path.tokens()[1..], &op.change)
            }
            None => Err(EditError::Missing),
        };
        made.map_err(|error| (place, error))?;
    }
    use NotADocument::{TooDeep, TooLarge, TooManyResources, TooManyValues};
    Document::new(value).map_err(|error| match error {
        TooLarge | TooDeep | TooManyValues | TooManyResources => (last, EditError::TooLarge),
        other => unreachable!("each member is still what it must be: {other}"),
    })
}

/// Whether an edit can have an operation at this path.
pub fn is_editable(path: &Path, verb: Verb) -> bool {
    path.is_config() || (resources::resource_at(path).is_some() && verb != Verb::Append)
}

/// How a value that stands at this path is named where it is not shown: by the SHA-256 of its
/// compact text, or, if it is a certificate, of the bundle.
pub fn hash_of(path: &Path, value: &Value) -> [u8; 32] {
    match value {
        Value::String(bundle) if resources::is_secret(path) => resources::fingerprint(bundle),
        value => Sha256::digest(json::compact(value)).into(),
    }
}

/// What `op` meets in a document that it can be applied to.
pub fn found(document: &Document, op: &Op) -> Found {
    if let Some((depth, elements)) = array_above(document, &op.path) {
        return Found::Inside {
            depth,
            hash: hash_of_elements(elements),
        };
    }
    let Some(value) = document.get(&op.path) else {
        return Found::Absent;
    };
    let is_append = matches!(op.change, Change::Append(_));
    let text = json::compact(value);
    match value {
        Value::Array(elements) if is_append || text.len() > SHORT_MAX => Found::Array {
            len: elements.len() as u64,
            hash: Sha256::digest(text).into(),
        },
        // However short: it would stand in the history and in conflicts.
        _ if text.len() > SHORT_MAX || resources::is_secret(&op.path) => Found::Long {
            hash: hash_of(&op.path, value),
        },
        _ => Found::Short(value.clone()),
    }
}

/// Whether a document still has what `op` met when it was made: exactly that, but for an append,
/// whose array may have grown since.
pub fn still_there(document: &Document, op: &Op, found: &Found) -> bool {
    match (&op.change, found) {
        (Change::Append(_), Found::Array { len, hash }) => {
            let prefix = outermost_array(document, &op.path)
                .and_then(|elements| elements.get(..usize::try_from(*len).ok()?));
            prefix.is_some_and(|prefix| hash_of_elements(prefix) == *hash)
        }
        (_, Found::Absent) => {
            self::found(document, op) == Found::Absent && has_parent_object(document, &op.path)
        }
        // To the letter: a server may restart an application whose members have come into another
        // order.
        (_, Found::Short(was)) => {
            matches!(self::found(document, op), Found::Short(is) if json::compact(&is) == json::compact(was))
        }
        _ => self::found(document, op) == *found,
    }
}

/// Whether a document is already as `op` wants it. An append is never done: two who append the same
/// want it twice. Nor is a change inside an array, whose elements have no lasting names.
pub fn is_done(document: &Document, op: &Op) -> bool {
    let inside_array = array_above(document, &op.path).is_some();
    match &op.change {
        _ if inside_array => false,
        Change::Put(value) => document
            .get(&op.path)
            .is_some_and(|present| json::compact(present) == json::compact(value)),
        Change::Append(_) => false,
        Change::Delete => document.get(&op.path).is_none(),
    }
}

/// The elements of the array that stands at a path, unless another array stands above it.
pub fn outermost_array<'a>(document: &'a Document, path: &Path) -> Option<&'a [Value]> {
    let outermost = array_above(document, path).is_none();
    document
        .get(path)
        .filter(|_| outermost)?
        .as_array()
        .map(Vec::as_slice)
}

/// The outermost array that the path leads through, and how many tokens lead to it.
fn array_above<'a>(document: &'a Document, path: &Path) -> Option<(u64, &'a Vec<Value>)> {
    let mut value = document.value();
    for (depth, token) in path.tokens().iter().enumerate() {
        if let Value::Array(elements) = value {
            return Some((depth as u64, elements));
        }
        value = member(value, token)?;
    }
    None
}

fn has_parent_object(document: &Document, path: &Path) -> bool {
    let Some((_, above)) = path.tokens().split_last() else {
        return false;
    };
    above
        .iter()
        .try_fold(document.value(), |value, token| member(value, token))
        .is_some_and(Value::is_object)
}

/// The hash of an array's compact text, without a copy of the elements.
fn hash_of_elements(elements: &[Value]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update("[");
    for (index, element) in elements.iter().enumerate() {
        hash.update(if index == 0 { "" } else { "," });
        hash.update(json::compact(element));
    }
    hash.update("]");
    hash.finalize().into()
}

/// Makes the change to the text called `name` among those of its kind.
fn change_text(held: &mut Value, name: &str, change: &Change) -> Result<(), EditError> {
    match change {
        Change::Put(text @ Value::String(_)) => put(held, name, text),
        Change::Put(_) => Err(EditError::NotText),
        Change::Append(_) => Err(EditError::NotAllowed),
        Change::Delete => delete(held, name),
    }
}

/// Makes the change at `tokens` below `config`.
fn change(config: &mut Value, tokens: &[String], change: &Change) -> Result<(), EditError> {
    match (change, tokens.split_last()) {
        (Change::Put(value), None) => *config = value.clone(),
        (Change::Append(_), None) => return Err(EditError::NotAllowed),
        (Change::Delete, None) => *config = Value::Object(Map::new()),
        (Change::Put(value), Some((last, above))) => put(below(config, above)?, last, value)?,
        (Change::Append(value), Some(_)) => match below(config, tokens)? {
            Value::Array(elements) => elements.push(value.clone()),
            _ => return Err(EditError::NotAllowed),
        },
        (Change::Delete, Some((last, above))) => delete(below(config, above)?, last)?,
    }
    Ok(())
}

fn below<'a>(mut value: &'a mut Value, tokens: &[String]) -> Result<&'a mut Value, EditError> {
    for token in tokens {
        let next = match value {
            _ if is_too_long(token) => return Err(EditError::TokenTooLong),
            Value::Object(members) => members.get_mut(token),
            Value::Array(elements) => {
                element_index(token).and_then(|index| elements.get_mut(index))
            }
            _ => None,
        };
        value = next.ok_or(EditError::Missing)?;
    }
    Ok(value)
}

fn put(parent: &mut Value, token: &str, value: &Value) -> Result<(), EditError> {
    match parent {
        _ if is_too_long(token) => return Err(EditError::TokenTooLong),
        // A member that is there keeps its place: Unit restarts an application whose members change
        // their order.
        Value::Object(members) => drop(members.insert(token.to_owned(), value.clone())),
        Value::Array(elements) => {
            let index = element_index(token)
                .filter(|index| *index <= elements.len())
                .ok_or(EditError::Missing)?;
            match elements.get_mut(index) {
                Some(element) => *element = value.clone(),
                None => elements.push(value.clone()),
            }
        }
        _ => return Err(EditError::Missing),
    }
    Ok(())
}

fn delete(parent: &mut Value, token: &str) -> Result<(), EditError> {
    let removed = match parent {
        _ if is_too_long(token) => return Err(EditError::TokenTooLong),
        // Not `remove`, which fills the gap with the last member.
        Value::Object(members) => members.shift_remove(token),
        Value::Array(elements) => element_index(token)
            .filter(|index| *index < elements.len())
            .map(|index| elements.remove(index)),
        _ => None,
    };
    removed.map(drop).ok_or(EditError::Missing)
}

fn is_too_long(token: &str) -> bool {
    token.len() > PATH_TOKEN_MAX
}
