//! The parts of a configuration that lie beyond what Unit shows of it, in order, a few at a time.
//!
//! Whether somebody has changed one of them for another of equal length shows in no length and in
//! no beginning: so all are looked at in turn. Right before a change more of them are: all, or as
//! many as take no longer than the change itself, those first that the change lies in.

use std::sync::Arc;

use super::CONFIG;
use super::place::member_path;
use crate::limits::{LOOK_BEFORE_MAX, ROUND_LOOKS};
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{self, Beginning, Value};

/// What is to be looked at. It is kept as long as the configuration is, so it holds no values.
#[derive(Debug, Clone, Default)]
pub(super) struct Rest(Arc<[Part]>);

/// An element or a member that is shown whole when it is asked for.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) path: Box<str>,
    pub(super) fingerprint: Fingerprint,
}

impl Rest {
    /// The parts of `config` that lie beyond `beginning`, which came in so many bytes.
    pub(super) fn of(config: &Value, beginning: &Beginning, bytes: usize) -> Self {
        let mut parts = Vec::new();
        // What is deeper in a configuration is longer there, by tabs.
        add(
            &mut parts,
            CONFIG,
            config,
            Some((&beginning.value, beginning.open)),
            bytes as u64 / 2,
        );
        Self(parts.into())
    }

    /// The parts of the next look, of which so many were looked at before in this round.
    pub(super) fn next(&self, at: &mut usize) -> Vec<Part> {
        self.next_of(at, self.0.len().div_ceil(ROUND_LOOKS))
    }

    /// What is to be looked at before a change of the values at these paths: the parts that they
    /// lie in or that lie in them, and as many others as are worth it.
    pub(super) fn before_change(&self, at: &mut usize, paths: &[String]) -> Vec<Part> {
        let holds = |part: &str, path: &str| {
            path.strip_prefix(part)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let meets = |part: &str, path: &str| holds(part, path) || holds(path, part);
        let changed = self
            .0
            .iter()
            .filter(|part| paths.iter().any(|path| meets(&part.path, path)));
        let mut parts: Vec<Part> = changed.take(LOOK_BEFORE_MAX).cloned().collect();
        let most = self.0.len().min(LOOK_BEFORE_MAX - parts.len());
        let first = self.next_of(at, most);
        let left = most - first.len();
        parts.extend(first);
        // The round is over, and the next begins.
        parts.extend(self.next_of(at, left));
        parts
    }

    /// The next `count` parts; the round goes on behind them. At the end of a round there may be
    /// fewer.
    fn next_of(&self, at: &mut usize, count: usize) -> Vec<Part> {
        // Since the last look the parts may have become fewer.
        let from = if *at < self.0.len() { *at } else { 0 };
        let to = (from + count).min(self.0.len());
        *at = if to == self.0.len() { 0 } else { to };
        self.0[from..to].to_vec()
    }
}

fn add(
    parts: &mut Vec<Part>,
    path: &str,
    value: &Value,
    beginning: Option<(&Value, usize)>,
    fits: u64,
) {
    for (place, (name, child)) in children(value).enumerate() {
        let came = beginning.and_then(|(value, open)| came(value, open, name, place));
        let Some(path) = name
            .map_or_else(
                || Ok(format!("{path}/{place}")),
                |name| member_path(path, name),
            )
            .ok()
        else {
            continue;
        };
        match came {
            Some((_, 0)) => {}
            _ if json::unit_length(child) > fits && children(child).next().is_some() => {
                add(parts, &path, child, came, fits)
            }
            _ => parts.push(Part {
                path: path.into(),
                fingerprint: Fingerprint::of(child),
            }),
        }
    }
}

/// What came of an element or member: itself, and how much of it is open, which is nothing if it
/// came whole.
fn came<'a>(
    value: &'a Value,
    open: usize,
    name: Option<&String>,
    place: usize,
) -> Option<(&'a Value, usize)> {
    if open == 0 {
        return Some((value, 0));
    }
    let (child, is_last) = match (value, name) {
        (Value::Object(members), Some(name)) => {
            (members.get(name)?, members.keys().next_back() == Some(name))
        }
        (Value::Array(elements), None) => (elements.get(place)?, place + 1 == elements.len()),
        _ => return None,
    };
    Some((child, if is_last { open - 1 } else { 0 }))
}

/// Elements, or members with their names.
fn children(value: &Value) -> Box<dyn Iterator<Item = (Option<&String>, &Value)> + '_> {
    match value {
        Value::Array(elements) => Box::new(elements.iter().map(|element| (None, element))),
        Value::Object(members) => {
            Box::new(members.iter().map(|(name, member)| (Some(name), member)))
        }
        _ => Box::new(std::iter::empty()),
    }
}
