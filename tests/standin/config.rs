//! The configuration as a resource: paths, edits, and how unitd lists an object of many members.
//!
//! Written anew from Unit's documentation and behaviour, not with the model's own paths and edits,
//! so that one checks the other.

use starlingd::model::json::{Map, Value};

use super::exchange::object;

/// Why an edit is not made.
pub enum Denied {
    /// 404.
    Missing,
    /// 405.
    NotAllowed,
    /// 500, as unitd has it.
    TooLong,
    /// A PUT below a scalar: unitd 1.35.0 dies of it, and the client sees an empty close.
    Crash,
}

/// The tokens of a request target; `None` for one that unitd closes on.
pub fn tokens(target: &str) -> Option<Vec<String>> {
    let path = target.split(['?', '#']).next()?;
    let mut tokens = Vec::new();
    for token in path.split('/') {
        match token {
            "" | "." => {}
            ".." => {
                tokens.pop()?;
            }
            token => tokens.push(decode(token)?),
        }
    }
    Some(tokens)
}

fn decode(token: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = token.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let byte = u8::try_from(digit(rest.next())? << 4 | digit(rest.next())?).ok()?;
        bytes.push(Some(byte).filter(|byte| *byte != 0)?);
    }
    String::from_utf8(bytes).ok()
}

/// What stands at `path`.
pub fn find<'a>(root: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(root, |value, token| match value {
        Value::Object(members) if token.len() <= TOKEN_MAX => members.get(token),
        Value::Array(elements) => elements.get(index(token)?),
        _ => None,
    })
}

fn find_mut<'a>(root: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(root, |value, token| match value {
        Value::Object(members) => members.get_mut(token),
        Value::Array(elements) => elements.get_mut(index(token)?),
        _ => None,
    })
}

fn index(token: &str) -> Option<usize> {
    token
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| token.parse().ok())?
}

/// PUT, POST or DELETE at `path` of the configuration.
pub fn edit(root: &mut Value, method: &str, path: &[&str], body: Value) -> Result<(), Denied> {
    if path.iter().any(|token| token.len() > TOKEN_MAX) {
        return Err(Denied::TooLong);
    }
    match (method, path.split_last()) {
        ("POST", None) => return Err(Denied::NotAllowed),
        ("POST", Some(_)) => match find_mut(root, path).ok_or(Denied::Missing)? {
            Value::Array(elements) => elements.push(body),
            _ => return Err(Denied::NotAllowed),
        },
        ("PUT", None) => *root = body,
        ("PUT", Some((last, above))) => {
            put(find_mut(root, above).ok_or(Denied::Missing)?, last, body)?
        }
        (_, None) => *root = empty(),
        (_, Some((last, above))) => delete(find_mut(root, above).ok_or(Denied::Missing)?, last)?,
    }
    Ok(())
}

fn put(parent: &mut Value, token: &str, body: Value) -> Result<(), Denied> {
    match parent {
        Value::Object(members) => drop(members.insert(token.to_owned(), body)),
        Value::Array(elements) => match index(token) {
            Some(at) if at < elements.len() => elements[at] = body,
            Some(at) if at == elements.len() => elements.push(body),
            _ => return Err(Denied::Missing),
        },
        _ => return Err(Denied::Crash),
    }
    Ok(())
}

fn delete(parent: &mut Value, token: &str) -> Result<(), Denied> {
    match parent {
        Value::Object(members) => members.shift_remove(token).map(drop).ok_or(Denied::Missing),
        Value::Array(elements) => match index(token) {
            Some(at) if at < elements.len() => {
                elements.remove(at);
                Ok(())
            }
            _ => Err(Denied::Missing),
        },
        _ => Err(Denied::Missing),
    }
}

/// As unitd lists it: objects of eleven members and more in the order of a hash.
pub fn listing(value: &Value) -> Value {
    match value {
        Value::Array(elements) => Value::Array(elements.iter().map(listing).collect()),
        Value::Object(members) => {
            let mut listed: Vec<_> = members
                .iter()
                .map(|(key, value)| (key.clone(), listing(value)))
                .collect();
            if members.len() > ORDERED_MAX {
                listed.sort_by_key(|(key, _)| hash(key));
            }
            Value::Object(listed.into_iter().collect())
        }
        scalar => scalar.clone(),
    }
}

/// FNV-1a: any order will do that is always the same and looks like none.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What unitd runs at its first start.
pub fn factory() -> Value {
    object([
        ("listeners", empty()),
        ("routes", Value::Array(Vec::new())),
        ("applications", empty()),
    ])
}

/// `{}`.
pub fn empty() -> Value {
    Value::Object(Map::new())
}

const TOKEN_MAX: usize = 256;
const ORDERED_MAX: usize = 10;
