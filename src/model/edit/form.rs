//! The JSON forms of an operation's verb and of what it found, as they stand in a revision's body.
//!
//! Reading is strict: every member that the form has, no other, each in the one spelling that
//! writing gives it. Bodies are compared by their bytes, and a form that could be read two ways
//! would be two edits.

use std::fmt;

use super::{Found, Verb};
use crate::codec::{hex, unhex_array};
use crate::limits::SHORT_MAX;
use crate::model::json::{Map, Value, compact, object};

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
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Put, Self::Append, Self::Delete]
            .into_iter()
            .find(|verb| verb.word() == word)
    }
}

impl Found {
    /// `{"is": "absent"}`, `{"is": "short", "value": …}`, `{"is": "long", "hash": "…"}`, `{"is":
    /// "array", "len": …, "hash": "…"}` or `{"is": "inside", "depth": …, "hash": "…"}`; hashes
    /// in lower-case hexadecimal.
    pub fn to_json(&self) -> Value {
        Value::Object(match self {
            Self::Absent => object! { "is": ABSENT },
            Self::Short(value) => object! { "is": SHORT, "value": value.clone() },
            Self::Long { hash } => object! { "is": LONG, "hash": hex(hash) },
            Self::Array { len, hash } => object! { "is": ARRAY, "len": *len, "hash": hex(hash) },
            Self::Inside { depth, hash } => {
                object! { "is": INSIDE, "depth": *depth, "hash": hex(hash) }
            }
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
                is_short
                    .then(|| Self::Short(value.clone()))
                    .ok_or(BadForm::Wrong("value"))
            }
            LONG => {
                form.only(&["is", "hash"])?;
                Ok(Self::Long { hash: form.hash()? })
            }
            ARRAY => {
                form.only(&["is", "len", "hash"])?;
                Ok(Self::Array {
                    len: form.count("len")?,
                    hash: form.hash()?,
                })
            }
            INSIDE => {
                form.only(&["is", "depth", "hash"])?;
                Ok(Self::Inside {
                    depth: form.count("depth")?,
                    hash: form.hash()?,
                })
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
        self.0
            .get(name)
            .ok_or(BadForm::Missing(name))?
            .as_str()
            .ok_or(BadForm::Wrong(name))
    }

    fn count(&self, name: &'static str) -> Result<u64, BadForm> {
        self.0
            .get(name)
            .ok_or(BadForm::Missing(name))?
            .as_u64()
            .ok_or(BadForm::Wrong(name))
    }

    fn hash(&self) -> Result<[u8; 32], BadForm> {
        unhex_array(self.text("hash")?).ok_or(BadForm::Wrong("hash"))
    }
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
