//! The JSON forms of an operation and of what it found, as they stand in a revision's body.
//!
//! Reading is strict: every member that the form has, no other, each in the one spelling that writing gives it. Bodies are compared
//! by their bytes, and a form that could be read two ways would be two edits.

use std::fmt;

use super::{Change, Found, Op, Verb};
use crate::codec::{hex, unhex_array};
use crate::limits::SHORT_MAX;
use crate::model::document::Document;
use crate::model::json::{Map, Value, compact};
use crate::model::path::Path;

impl Op {
    /// `{"op": "put" | "append" | "delete", "path": "/config/…", "value": …}`. The value is left out of a deletion, and if
    /// `with_value` is false: what stands in the document need not stand beside it again.
    pub fn to_json(&self, with_value: bool) -> Value {
        let (op, value) = match &self.change {
            Change::Put(value) => (PUT, Some(value)),
            Change::Append(value) => (APPEND, Some(value)),
            Change::Delete => (DELETE, None),
        };
        let mut members = object([("op", op.into()), ("path", self.path.to_string().into())]);
        if let Some(value) = value.filter(|_| with_value) {
            members.insert("value".to_owned(), value.clone());
        }
        Value::Object(members)
    }

    /// Reads an operation that has its value with it.
    pub fn from_json(json: &Value) -> Result<Self, BadForm> {
        Self::read(json, |_, _| None)
    }

    /// Reads an operation whose value, if it is left out, stands in the document that the operation was the last to make: at its
    /// path, or at the end of the array there.
    pub fn from_json_in(json: &Value, after: &Document) -> Result<Self, BadForm> {
        Self::read(json, |op, path| {
            let value = after.get(path)?;
            if op == APPEND { value.as_array()?.last().cloned() } else { Some(value.clone()) }
        })
    }

    fn read(json: &Value, left_out: impl Fn(&str, &Path) -> Option<Value>) -> Result<Self, BadForm> {
        let form = Form::of(json, &["op", "path", "value"])?;
        let (op, text) = (form.text("op")?, form.text("path")?);
        let path = Path::parse(text).ok().filter(|path| path.to_string() == text).ok_or(BadForm::Wrong("path"))?;
        let given = form.0.get("value").cloned();
        if op == DELETE && given.is_some() {
            return Err(BadForm::Unknown("value".to_owned()));
        }
        let value = || given.or_else(|| left_out(op, &path)).ok_or(BadForm::Missing("value"));
        let change = match op {
            PUT => Change::Put(value()?),
            APPEND => Change::Append(value()?),
            DELETE => Change::Delete,
            _ => return Err(BadForm::Wrong("op")),
        };
        Ok(Self { path, change })
    }
}

impl Verb {
    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Put => PUT,
            Self::Append => APPEND,
            Self::Delete => DELETE,
        }
    }

    /// The verb that [`Verb::word`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Put, Self::Append, Self::Delete].into_iter().find(|verb| verb.word() == word)
    }
}

impl Found {
    /// `{"is": "absent"}`, `{"is": "short", "value": …}`, `{"is": "long", "hash": "…"}`, `{"is": "array", "len": …, "hash": "…"}` or
    /// `{"is": "inside", "depth": …, "hash": "…"}`; hashes in lower-case hexadecimal.
    pub fn to_json(&self) -> Value {
        let hash = |hash: &[u8; 32]| ("hash", Value::from(hex(hash)));
        Value::Object(match self {
            Self::Absent => object([("is", ABSENT.into())]),
            Self::Short(value) => object([("is", SHORT.into()), ("value", value.clone())]),
            Self::Long { hash: of } => object([("is", LONG.into()), hash(of)]),
            Self::Array { len, hash: of } => object([("is", ARRAY.into()), ("len", (*len).into()), hash(of)]),
            Self::Inside { depth, hash: of } => object([("is", INSIDE.into()), ("depth", (*depth).into()), hash(of)]),
        })
    }

    /// Reads what [`Found::to_json`] wrote.
    pub fn from_json(json: &Value) -> Result<Self, BadForm> {
        let form = Form::of(json, &["is", "value", "hash", "len", "depth"])?;
        match form.text("is")? {
            ABSENT => form.only(&["is"]).map(|()| Self::Absent),
            SHORT => {
                form.only(&["is", "value"])?;
                let value = form.0.get("value").ok_or(BadForm::Missing("value"))?;
                let is_short = compact(value).len() <= SHORT_MAX;
                is_short.then(|| Self::Short(value.clone())).ok_or(BadForm::Wrong("value"))
            }
            LONG => {
                form.only(&["is", "hash"])?;
                Ok(Self::Long { hash: form.hash()? })
            }
            ARRAY => {
                form.only(&["is", "len", "hash"])?;
                Ok(Self::Array { len: form.count("len")?, hash: form.hash()? })
            }
            INSIDE => {
                form.only(&["is", "depth", "hash"])?;
                Ok(Self::Inside { depth: form.count("depth")?, hash: form.hash()? })
            }
            _ => Err(BadForm::Wrong("is")),
        }
    }
}

/// Why a value is not the form of an operation, or of what one found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadForm {
    /// Not an object.
    NotAnObject,
    /// A member that must be there is not.
    Missing(&'static str),
    /// A member has a value that it cannot have.
    Wrong(&'static str),
    /// A member that the form does not have.
    Unknown(String),
}

impl fmt::Display for BadForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("not an object"),
            Self::Missing(name) => write!(f, "no member {name:?}"),
            Self::Wrong(name) => write!(f, "a wrong value in the member {name:?}"),
            Self::Unknown(name) => write!(f, "an unknown member {name:?}"),
        }
    }
}

impl std::error::Error for BadForm {}

/// An object whose members are known by name.
struct Form<'a>(&'a Map<String, Value>);

impl<'a> Form<'a> {
    fn of(json: &'a Value, members: &[&str]) -> Result<Self, BadForm> {
        let form = Self(json.as_object().ok_or(BadForm::NotAnObject)?);
        form.only(members).map(|()| form)
    }

    fn only(&self, members: &[&str]) -> Result<(), BadForm> {
        match self.0.keys().find(|name| !members.contains(&name.as_str())) {
            Some(unknown) => Err(BadForm::Unknown(unknown.chars().take(SHOWN).collect())),
            None => Ok(()),
        }
    }

    fn text(&self, name: &'static str) -> Result<&'a str, BadForm> {
        self.0.get(name).ok_or(BadForm::Missing(name))?.as_str().ok_or(BadForm::Wrong(name))
    }

    fn count(&self, name: &'static str) -> Result<u64, BadForm> {
        self.0.get(name).ok_or(BadForm::Missing(name))?.as_u64().ok_or(BadForm::Wrong(name))
    }

    fn hash(&self) -> Result<[u8; 32], BadForm> {
        unhex_array(self.text("hash")?).ok_or(BadForm::Wrong("hash"))
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

const PUT: &str = "put";
const APPEND: &str = "append";
const DELETE: &str = "delete";
const ABSENT: &str = "absent";
const SHORT: &str = "short";
const LONG: &str = "long";
const ARRAY: &str = "array";
const INSIDE: &str = "inside";
/// How much of a foreign name an error shows, in characters.
const SHOWN: usize = 64;
