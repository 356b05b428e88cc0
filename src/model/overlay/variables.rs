//! The variables of a host: `${starling.NAME}` in strings and in names of members.
//!
//! What a variable stands for is not looked through for variables again, and how much all of them
//! may put in is bounded.

use std::collections::BTreeMap;

use super::{Unfit, Used, below};
use crate::limits::{DOCUMENT_MAX, PLACES_MAX};
use crate::model::document::NotADocument;
use crate::model::json::{Map, Value};
use crate::model::path::push_token;

/// Variables on their way into a configuration, from the top down. Few bytes of a document can ask
/// for many, so what is put in is counted while it is, and places are written out only where they
/// are noted.
pub(super) struct Filling<'a> {
    variables: &'a BTreeMap<String, String>,
    /// The tokens that lead to where it is.
    place: Vec<String>,
    pub(super) used: Vec<Used>,
    /// Whether each place is noted.
    pub(super) is_all: bool,
    /// Bytes that values may still take.
    left: usize,
    /// Bytes that noted places may still take.
    notes_left: usize,
}

impl<'a> Filling<'a> {
    pub(super) fn of(variables: &'a BTreeMap<String, String>) -> Self {
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

    /// A value with the variables put in.
    pub(super) fn value(&mut self, value: Value) -> Result<Value, Unfit> {
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

/// Whether a value has a variable of a host in a string or in the name of a member.
pub(super) fn mentions(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(BEGIN),
        Value::Array(elements) => elements.iter().any(mentions),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains(BEGIN) || mentions(value)),
        _ => false,
    }
}

/// How a variable of a host begins. Unit's own have no dot in their names, and templates of njs no
/// such object.
pub(super) const BEGIN: &str = "${starling.";
/// How much of a foreign name an error shows, in characters.
const NAME_SHOWN: usize = 64;
