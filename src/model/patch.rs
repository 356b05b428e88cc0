//! Patches: what a client wants changed below a path, as JSON Merge Patch (RFC 7396) or as JSON
//! Patch (RFC 6902).
//!
//! A patch is made as a whole or not at all, on the document that is there at its turn. What it
//! comes to is an edit like any other: [`Patch::edit`] gives the operations at the places that it
//! touched, so that others may change other places meanwhile. Members that are replaced keep their
//! places and numbers their text. Of the crates for this none keeps the order of members, says
//! which operation is at fault, and bounds what `copy` can grow; and they bring derives with them.

use std::fmt;

use super::document::Document;
use super::edit::{self, EditError, Op};
use super::json::{Map, Value};
use super::merge::merge;
use super::path::{Path, push_token};
use super::places::{Touch, TouchedPlaces};
use crate::limits::DIFFERENCES_MAX;

pub use self::steps::{BadPatch, JsonPatch, Misfit};

mod pointer;
mod steps;
#[cfg(test)]
mod tests;

/// What is to become of a value.
#[derive(Debug)]
pub enum Patch {
    /// JSON Merge Patch: any JSON.
    Merge(Value),
    /// JSON Patch.
    Json(JsonPatch),
}

/// Why a patch cannot be made on a document, or members cannot be added. The document is as it was.
#[derive(Debug, PartialEq, Eq)]
pub enum PatchError {
    /// There are members of these names already: their paths, at most [`DIFFERENCES_MAX`].
    Exists(Vec<String>),
    /// There is nothing to patch, or the document would be too large.
    Edit(EditError),
    /// An operation does not fit what is there.
    Misfit(Misfit),
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(paths) => f.write_str(&paths.join(", ")),
            Self::Edit(error) => error.fmt(f),
            Self::Misfit(misfit) => misfit.fmt(f),
        }
    }
}

impl std::error::Error for PatchError {}

impl Patch {
    /// The operations that the patch comes to at `path` of this document, at places that do not
    /// overlap, and what they make of it.
    pub fn edit(
        &self,
        document: &Document,
        path: &Path,
    ) -> Result<(Vec<Op>, Document), PatchError> {
        let before = document
            .get(path)
            .ok_or(PatchError::Edit(EditError::Missing))?;
        let mut places = TouchedPlaces::below(path);
        let after = self.patched(before, &mut places)?;
        edited(document, places.ops(before, &after))
    }

    fn patched(&self, before: &Value, places: &mut TouchedPlaces) -> Result<Value, PatchError> {
        match self {
            Self::Merge(patch) => {
                touch_merged(before, patch, &mut Vec::new(), places);
                let mut after = before.clone();
                merge(&mut after, patch);
                Ok(after)
            }
            Self::Json(patch) => patch.made_on(before, places),
        }
    }
}

/// The operations that add members to the object at `path`, and what they make of the document.
/// None may be there already.
pub fn add_members(
    document: &Document,
    path: &Path,
    members: &Map<String, Value>,
) -> Result<(Vec<Op>, Document), PatchError> {
    let before = document
        .get(path)
        .ok_or(PatchError::Edit(EditError::Missing))?;
    let Value::Object(present) = before else {
        return Err(PatchError::Edit(EditError::NotAllowed));
    };
    let shown = |name: &String| {
        let mut text = path.to_string();
        push_token(&mut text, name);
        text
    };
    let exist: Vec<String> = members
        .keys()
        .filter(|name| present.contains_key(name))
        .take(DIFFERENCES_MAX)
        .map(shown)
        .collect();
    if !exist.is_empty() {
        return Err(PatchError::Exists(exist));
    }
    let mut places = TouchedPlaces::below(path);
    members
        .keys()
        .for_each(|name| places.touch(std::slice::from_ref(name), Touch::Set));
    let after = Value::Object(
        present
            .iter()
            .chain(members)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    );
    edited(document, places.ops(before, &after))
}

fn edited(document: &Document, ops: Vec<Op>) -> Result<(Vec<Op>, Document), PatchError> {
    let made = edit::apply_all(document, &ops).map_err(|(_, error)| PatchError::Edit(error))?;
    Ok((ops, made))
}

/// Notes what a merge touches: each member that it names whose value it does not merge any further.
fn touch_merged(
    target: &Value,
    patch: &Value,
    tokens: &mut Vec<String>,
    places: &mut TouchedPlaces,
) {
    let (Value::Object(present), Value::Object(wanted)) = (target, patch) else {
        return places.touch(tokens, Touch::Set);
    };
    for (name, value) in wanted {
        tokens.push(name.clone());
        match present.get(name) {
            Some(member) if value.is_object() => touch_merged(member, value, tokens, places),
            _ => places.touch(tokens, Touch::Set),
        }
        tokens.pop();
    }
}
