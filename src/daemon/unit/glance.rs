//! One answer of Unit to a question for a part of its configuration, which may be cut off: what
//! came of it, and whether that is the beginning of a given value.
//!
//! What did not come is not known here; `reading` asks for it.

use std::sync::Arc;

use super::{CONFIG, RequestFailure, Unit, is_beginning, unexpected_status};
use crate::limits::REORDERED_FROM;
use crate::model::json::{self, Beginning, Value};

/// The answer to one GET of a configuration or a part of it, cut off or whole.
#[derive(Debug, Clone)]
pub(super) struct Glance {
    pub(super) received: Arc<Vec<u8>>,
    /// The announced length, in bytes.
    pub(super) expected: u64,
}

impl Glance {
    pub(super) fn new(expected: u64, received: Vec<u8>) -> Self {
        Self {
            received: Arc::new(received),
            expected,
        }
    }

    /// Asks the server for its whole configuration, once.
    pub(super) fn of(unit: &Unit) -> Result<Self, RequestFailure> {
        match unit.request("GET", CONFIG, None) {
            Ok(reply) if reply.status == 200 => Ok(Self::new(reply.body.len() as u64, reply.body)),
            Ok(reply) => Err(unexpected_status(CONFIG, reply.status)),
            Err(RequestFailure::Cut { received, expected }) => Ok(Self::new(expected, received)),
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.received.len() as u64 == self.expected
    }

    /// Whether it shows the same, as far as both came.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let common = self.received.len().min(other.received.len());
        self.expected == other.expected && self.received[..common] == other.received[..common]
    }

    /// Whether what came, and the announced length, are those of `want`.
    pub(super) fn seems(&self, want: &Value) -> bool {
        if !matches!(want, Value::Array(_) | Value::Object(_)) {
            return is_beginning(&self.received, self.expected, want);
        }
        self.is_as_long_as(want)
            && json::parse_beginning(&self.received)
                .is_ok_and(|beginning| agrees(&beginning.value, want, beginning.open))
    }

    /// Whether this is a glance at `want`, an array or an object; `beginning` is what came of it.
    pub(super) fn agrees_with(&self, beginning: &Beginning, want: &Value) -> bool {
        self.is_as_long_as(want) && agrees(&beginning.value, want, beginning.open)
    }

    fn is_as_long_as(&self, want: &Value) -> bool {
        json::unit_length(want).abs_diff(self.expected) <= 2 * reordered(want)
    }
}

/// Whether the beginning of a value is that of `want`; so many levels of it are open.
fn agrees(came: &Value, want: &Value, open: usize) -> bool {
    let below = |place: usize, of: usize| {
        if place + 1 == of {
            open.saturating_sub(1)
        } else {
            0
        }
    };
    match (came, want) {
        _ if open == 0 => json::same(came, want),
        (Value::Array(came), Value::Array(want)) => {
            let mut both = came.iter().zip(want).enumerate();
            came.len() <= want.len()
                && both.all(|(place, (value, want))| agrees(value, want, below(place, came.len())))
        }
        (Value::Object(came), Value::Object(want)) => {
            let mut members = came.iter().enumerate();
            members.all(|(place, (name, value))| {
                want.get(name)
                    .is_some_and(|want| agrees(value, want, below(place, came.len())))
            })
        }
        _ => false,
    }
}

/// Whether what stands there, or that nothing does, has come with the beginning.
pub(super) fn covers(beginning: &Beginning, place: &[String]) -> bool {
    let (mut value, mut open) = (&beginning.value, beginning.open);
    for token in place {
        if open == 0 {
            return true;
        }
        let (child, is_last) = match value {
            Value::Object(members) => (
                members.get(token),
                members.keys().next_back() == Some(token),
            ),
            Value::Array(elements) => {
                let index = token.parse::<usize>().ok();
                (
                    index.and_then(|index| elements.get(index)),
                    index.is_some_and(|index| index + 1 == elements.len()),
                )
            }
            _ => return false,
        };
        let Some(child) = child else { return false };
        (value, open) = (child, if is_last { open - 1 } else { 0 });
    }
    open == 0
}

/// How many objects in `value` Unit reorders. It puts an empty line after a member that is a filled
/// array or object unless that is the last, so such an object may come out two bytes longer or
/// shorter than in our order.
fn reordered(value: &Value) -> u64 {
    match value {
        Value::Object(members) => {
            u64::from(members.len() >= REORDERED_FROM)
                + members.values().map(reordered).sum::<u64>()
        }
        Value::Array(elements) => elements.iter().map(reordered).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_beginning_is_that_of_a_value_or_of_another() {
        let want = json(r#"{"a": [{"x": 1}, {"y": 2, "z": 3}], "b": "long"}"#);
        let text = json::unit_format(&want);
        for end in 1..text.len() {
            let glance =
                |expected: usize| Glance::new(expected as u64, text.as_bytes()[..end].to_vec());
            assert!(glance(text.len()).seems(&want) && !glance(text.len() + 1).seems(&want));
        }
        let beginning = json::parse_beginning(br#"{"a": [{"x": 1}, {"y": 2, "#).unwrap();
        let covered = |place: &str| {
            covers(
                &beginning,
                &place.split('/').map(str::to_owned).collect::<Vec<_>>(),
            )
        };
        assert!(covered("a/0/x") && covered("a/0/none") && covered("a/1/y") && covered("a/0"));
        assert!(
            !covered("a/1/z")
                && !covered("a/1")
                && !covered("a/2")
                && !covered("b")
                && !covered("a")
        );
        assert!(!agrees(
            &beginning.value,
            &json(r#"{"a": [{"x": 1}, {"y": 4}]}"#),
            beginning.open
        ));
    }
}
