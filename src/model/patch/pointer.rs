//! JSON Pointer (RFC 6901): how a JSON Patch names a value.
//!
//! Unlike a path it is not percent-encoded, can name a member whose name is empty, and names
//! elements by digits without leading zeros.

use super::super::json::Value;

/// A pointer, decoded. Without tokens it names the whole value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<String>,
}

impl Pointer {
    /// Reads `/a~1b/0`; `~1` is a slash and `~0` a tilde within a name. `None` if it is neither
    /// empty nor begins with a slash, or if a tilde is followed by something else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self { tokens: Vec::new() });
        }
        let tokens: Option<Vec<String>> =
            text.strip_prefix('/')?.split('/').map(unescaped).collect();
        Some(Self { tokens: tokens? })
    }

    /// The tokens, from the root down.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Whether it names something within what the other names.
    pub fn is_within(&self, other: &Self) -> bool {
        self.tokens.len() > other.tokens.len() && self.tokens.starts_with(&other.tokens)
    }
}

/// What a token names in a value.
pub fn member(value: &Value, token: impl AsRef<str>) -> Option<&Value> {
    match value {
        Value::Object(members) => members.get(token.as_ref()),
        Value::Array(elements) => elements.get(index(token.as_ref())?),
        _ => None,
    }
}

/// What a token names in a value, to be changed.
pub fn member_mut(value: &mut Value, token: impl AsRef<str>) -> Option<&mut Value> {
    match value {
        Value::Object(members) => members.get_mut(token.as_ref()),
        Value::Array(elements) => elements.get_mut(index(token.as_ref())?),
        _ => None,
    }
}

/// The index that a token is: digits, without leading zeros (RFC 6901, section 4).
pub fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit())
        && (token == "0" || !token.starts_with('0'));
    token.parse().ok().filter(|_| plain)
}

fn unescaped(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (letter, rest) = match part.strip_prefix('0') {
            Some(rest) => ('~', rest),
            None => ('/', part.strip_prefix('1')?),
        };
        name.push(letter);
        name.push_str(rest);
    }
    Some(name)
}
