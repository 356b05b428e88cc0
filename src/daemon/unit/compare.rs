//! Does the server run what is wanted?
//!
//! One `GET /config` answers that, unless Unit cuts the answer off, which it does with answers beyond its socket's send buffer (some
//! 200 kB). Then what did not come whole is asked for in parts, as deep as it takes: each member of an object, each element of an
//! array, and one past its end. A member that is there and not wanted shows in the length that the cut answer announced. Called by
//! [`Unit::matches`] only; costs one request for each part.

use super::{CONFIG, Failure, Match, Unit, readable};
use crate::limits::{DIFFERENCES_MAX, PATH_TOKEN_MAX, REORDERED_FROM};
use crate::model::json::{self, Value};

/// Compares what runs with `want`.
pub(super) fn compare(unit: &Unit, want: &Value) -> Result<Match, Failure> {
    let mut found = Vec::new();
    part(unit, CONFIG, want, &mut found)?;
    Ok(if found.is_empty() { Match::Same } else { Match::Differs(found) })
}

/// Compares what stands at `path`, and notes where it differs.
fn part(unit: &Unit, path: &str, want: &Value, found: &mut Vec<String>) -> Result<(), Failure> {
    if found.len() >= DIFFERENCES_MAX {
        return Ok(());
    }
    match unit.request("GET", path, None) {
        Ok(reply) if reply.status == 200 => whole(path, &readable(&reply.body)?, want, found),
        Ok(reply) if reply.status == 404 => found.push(path.to_owned()),
        Ok(reply) => return Err(Failure::Unreadable(format!("GET {path} is answered with {}", reply.status))),
        Err(Failure::Cut { expected, .. }) => pieces(unit, path, want, expected, found)?,
        Err(other) => return Err(other),
    }
    Ok(())
}

fn whole(path: &str, runs: &Value, want: &Value, found: &mut Vec<String>) {
    if !json::same(runs, want) {
        let room = DIFFERENCES_MAX - found.len();
        found.extend(json::differing(runs, want, room).into_iter().map(|below| format!("{path}{below}")));
    }
}

/// The answer for `path` was cut off after announcing `expected` bytes.
fn pieces(unit: &Unit, path: &str, want: &Value, expected: u64, found: &mut Vec<String>) -> Result<(), Failure> {
    match want {
        Value::Object(members) => {
            for (key, value) in members {
                part(unit, &below(path, key)?, value, found)?;
            }
            if found.is_empty() && expected > longest(want) {
                found.push(path.to_owned());
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                part(unit, &format!("{path}/{index}"), value, found)?;
            }
            let end = format!("{path}/{}", elements.len());
            match unit.request("GET", &end, None) {
                Ok(reply) if reply.status == 404 => {}
                Ok(_) | Err(Failure::Cut { .. }) => found.push(end),
                Err(other) => return Err(other),
            }
        }
        // A scalar that long is a string, which has no parts.
        _ if expected > longest(want) => found.push(path.to_owned()),
        _ => return Err(Failure::Unreadable(format!("{path} is too long to be read"))),
    }
    Ok(())
}

/// The most bytes that Unit may write for `value`. It puts an empty line after a member that is a filled array or object unless that
/// is the last, so an object whose members it reorders may come out two bytes longer than in our order.
fn longest(value: &Value) -> u64 {
    json::unit_format(value).len() as u64 + 2 * reordered(value)
}

/// How many objects in `value` Unit reorders.
fn reordered(value: &Value) -> u64 {
    match value {
        Value::Object(members) => u64::from(members.len() >= REORDERED_FROM) + members.values().map(reordered).sum::<u64>(),
        Value::Array(elements) => elements.iter().map(reordered).sum(),
        _ => 0,
    }
}

/// The path of a member. Unit splits at slashes, then decodes each token once; a token it would take for another cannot be asked for.
fn below(path: &str, key: &str) -> Result<String, Failure> {
    if matches!(key, "" | "." | "..") || key.len() > PATH_TOKEN_MAX {
        return Err(Failure::Unreadable(format!("{path} is cut off and has a member that no path can name")));
    }
    Ok(format!("{path}/{}", encoded(key)))
}

pub(super) fn encoded(token: &str) -> String {
    let mut text = String::new();
    for byte in token.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'*' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_named_as_unit_decodes_it() {
        assert_eq!(below("/config/routes", "a/b").unwrap(), "/config/routes/a%2Fb");
        assert_eq!(below("/config", "p%q é").unwrap(), "/config/p%25q%20%C3%A9");
        assert_eq!(below("/config/listeners", "*:8080").unwrap(), "/config/listeners/*:8080");
    }

    #[test]
    fn a_member_that_unit_would_take_for_another_is_not_asked_for() {
        for key in ["", ".", "..", &"x".repeat(PATH_TOKEN_MAX + 1)] {
            assert!(below("/config", key).is_err());
        }
    }
}
