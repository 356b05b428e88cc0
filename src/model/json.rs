//! JSON as Unit reads and writes it.
//!
//! Unit's dialect has comments and trailing commas, refuses duplicate members, and keeps the text
//! of every number. Its messages are part of its API, so a text that is refused here is refused in
//! Unit's words, at the place that Unit names (Unit 1.35.0, `src/nxt_conf.c`). Stricter than Unit:
//! a text must be UTF-8, and depth and number of values are bounded. A [`Value`] keeps the order of
//! members and the text of numbers, because Unit restarts an application when either changes.

use std::fmt;

use super::path;
use crate::limits::{DEPTH_MAX, NUMBER_MAX, OWN_LEVELS_MAX, OWN_VALUES_MAX, VALUES_MAX};

pub use self::beginning::{Beginning, parse_beginning};
pub(super) use self::make::{Make, Whole};
pub use self::print::{compact, unit_format, unit_length};
pub use self::value::{Map, Number, Value};

/// Makes the members of an object, in the order given: `object! { "id": id.to_string(), "size": 3
/// }`. Whatever [`Value`] can be made from may stand for a value: an `Option` that is `None`
/// becomes `null`, and the members of another object an object.
macro_rules! object {
    ($($name:tt : $value:expr),+ $(,)?) => {{
        let mut members = $crate::model::json::Map::new();
        $(members.insert($name.to_owned(), $crate::model::json::Value::from($value));)+
        members
    }};
}
pub(crate) use object;

mod beginning;
mod comments;
mod make;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod value;

/// Why a text is not JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong, in Unit's words where Unit has some: one or two sentences with full stops.
    pub detail: &'static str,
    /// The place, in bytes from the start of the text; a byte order mark is not counted.
    pub offset: usize,
    /// The line of that place, from 1.
    pub line: usize,
    /// The column of that place in characters, from 1.
    pub column: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail.trim_end_matches('.');
        write!(f, "{detail} at line {}, column {}", self.line, self.column)
    }
}

impl std::error::Error for JsonError {}

/// Reads a text under Unit's rules: what a client sends to `/config`. Numbers have at most 14
/// characters, there are at most [`DEPTH_MAX`] levels and [`VALUES_MAX`] values.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let bounds = parse::Bounds {
        number: NUMBER_MAX,
        depth: DEPTH_MAX,
        values: VALUES_MAX,
    };
    parse::parse::<make::Tree>(&comments::sound(text), bounds).map(|whole| whole.made)
}

/// Reads a text of Starling's own (a file, a record's body, an answer): as [`parse`], but numbers
/// may be as long as they like, and there is room for what such a text puts around a document.
pub fn parse_own(text: &[u8]) -> Result<Value, JsonError> {
    read_own::<make::Tree>(text).map(|whole| whole.made)
}

/// As [`parse_own`], but with at most so many values.
pub fn parse_own_within(text: &[u8], values: usize) -> Result<Value, JsonError> {
    let bounds = parse::Bounds {
        number: usize::MAX,
        depth: DEPTH_MAX + OWN_LEVELS_MAX,
        values,
    };
    parse::parse::<make::Tree>(text, bounds).map(|whole| whole.made)
}

/// How many values a text has that [`parse_own`] would read, without making them.
pub fn count(text: &[u8]) -> Result<usize, JsonError> {
    read_own::<make::Nothing>(text).map(|whole| whole.values)
}

/// As [`parse_own`], but what is made of the values is for the caller to say.
pub(super) fn read_own<'a, M: Make<'a>>(text: &'a [u8]) -> Result<Whole<M::Made>, JsonError> {
    let bounds = parse::Bounds {
        number: usize::MAX,
        depth: DEPTH_MAX + OWN_LEVELS_MAX,
        values: OWN_VALUES_MAX,
    };
    parse::parse::<M>(text, bounds)
}

/// Whether two values mean the same to Unit: members in any order, elements in theirs, numbers by
/// their text (`1` is not `1.0`, for Unit restarts an application over that difference).
pub fn same(a: &Value, b: &Value) -> bool {
    // This is just what equality of values means; a test holds it to that.
    a == b
}

/// The paths at which two values differ, each as a path's text below the root, which is itself
/// `""`; at most `most`.
///
/// A member that only one side has is named, not its content. Arrays of different length differ as
/// a whole: their elements have no lasting names. So does an object in which a member differs whose
/// name no path can spell (see [`path::is_token`]).
pub fn differing(a: &Value, b: &Value, most: usize) -> Vec<String> {
    let mut paths = Vec::new();
    differ(a, b, &mut String::new(), most, &mut paths);
    paths
}

fn differ(a: &Value, b: &Value, at: &mut String, most: usize, paths: &mut Vec<String>) {
    if paths.len() == most {
        return;
    }
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if !differs_namelessly(a, b) => {
            for name in a
                .keys()
                .chain(b.keys().filter(|name| !a.contains_key(name)))
            {
                below(a.get(name), b.get(name), name, at, most, paths);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                below(Some(a), Some(b), &index.to_string(), at, most, paths);
            }
        }
        _ if !same(a, b) => paths.push(at.clone()),
        _ => {}
    }
}

fn below(
    a: Option<&Value>,
    b: Option<&Value>,
    token: &str,
    at: &mut String,
    most: usize,
    paths: &mut Vec<String>,
) {
    let end = at.len();
    path::push_token(at, token);
    match (a, b) {
        (Some(a), Some(b)) => differ(a, b, at, most, paths),
        _ if paths.len() < most => paths.push(at.clone()),
        _ => {}
    }
    at.truncate(end);
}

fn differs_namelessly(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.keys()
        .chain(b.keys())
        .any(|name| !path::is_token(name) && a.get(name) != b.get(name))
}

/// Whether a value has at most `depth` levels and `values` values, so that it can be read back once
/// it is written.
pub fn fits(value: &Value, depth: usize, values: usize) -> bool {
    let mut left = values;
    count_down(value, depth, &mut left)
}

/// About how many bytes of memory a value takes.
pub fn weight(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Number(number) => number.as_str().len(),
        Value::Array(elements) => elements.iter().map(weight).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| MEMBER_WEIGHT + name.len() + weight(member))
            .sum(),
        _ => 0,
    };
    VALUE_WEIGHT + inner
}

/// What a value takes besides its text, and what its name takes, in bytes; allocators round up.
const VALUE_WEIGHT: usize = 96;
const MEMBER_WEIGHT: usize = 64;

/// Takes the number of a value's values off `left`, stopping as soon as one is too deep or too
/// many, which is false: a value built in memory may be deeper than the stack can follow.
pub fn count_down(value: &Value, depth: usize, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match value {
        Value::Array(elements) => {
            depth > 0
                && elements
                    .iter()
                    .all(|element| count_down(element, depth - 1, left))
        }
        Value::Object(members) => {
            depth > 0
                && members
                    .values()
                    .all(|member| count_down(member, depth - 1, left))
        }
        _ => true,
    }
}
