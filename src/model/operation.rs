//! Operations of an edit as a revision and its conflicts carry them: without their values, which
//! stand in the document.

use super::document::Document;
use super::edit::{self, Found, Op, Verb, is_editable};
use super::json::{self, Value, object};
use super::path::Path;
use super::resources;

/// An operation of an edit: where, how, and what it found there. Its value stands in the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What is done at the path.
    pub verb: Verb,
    /// The path, from the document's root.
    pub path: Path,
    /// What the author's base held there.
    pub found: Found,
}

/// Operations as they will stand in a revision made on `base`.
pub fn operations(base: &Document, ops: &[Op]) -> Vec<Operation> {
    let made = |op: &Op| Operation {
        verb: op.change.verb(),
        path: op.path.clone(),
        found: edit::found(base, op),
    };
    ops.iter().map(made).collect()
}

impl Operation {
    /// About how many bytes of memory the operation takes.
    pub fn weight(&self) -> usize {
        let tokens: usize = self
            .path
            .tokens()
            .iter()
            .map(|token| token.len() + TOKEN_WEIGHT)
            .sum();
        let found = if let Found::Short(value) = &self.found {
            json::weight(value)
        } else {
            0
        };
        size_of::<Self>() + tokens + found
    }

    /// `{"op":…,"path":…,"found":…}`
    pub fn to_json(&self) -> Value {
        object! { "op": self.verb.word(), "path": self.path.to_string(), "found": self.found.to_json() }.into()
    }

    /// Reads what [`Operation::to_json`] writes; further members are left alone. One that shows a
    /// certificate in clear is none.
    pub fn from_json(value: &Value) -> Option<Self> {
        let verb = Verb::from_word(value.get("op")?.as_str()?)?;
        let text = value.get("path")?.as_str()?;
        let path = Path::parse(text)
            .ok()
            .filter(|path| is_editable(path, verb) && path.to_string() == text)?;
        let found = Found::from_json(value.get("found")?).ok()?;
        let in_clear = matches!(found, Found::Short(_)) && resources::is_secret(&path);
        (!in_clear).then_some(Self { verb, path, found })
    }
}

/// What a token of a path takes besides its letters.
const TOKEN_WEIGHT: usize = 48;
