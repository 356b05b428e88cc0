//! What a server shows: a configuration of which, while nobody looks into it, only the text is in
//! memory.
//!
//! It is looked into when something has changed and otherwise only kept, on the thread that talks
//! to the server and by the node; its value takes several times the memory of its text. Copies
//! share all that there is of it.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::fingerprint::Fingerprint;
use super::json::{self, Value};
use crate::limits::FOLD_MIN;

/// A configuration as a server shows it. Two are equal if their values are the same.
#[derive(Clone)]
pub struct ShownConfig(Arc<ShownParts>);

struct ShownParts {
    /// At least one of these two is there.
    value: OnceLock<Value>,
    text: OnceLock<Arc<str>>,
    fingerprint: OnceLock<Fingerprint>,
    weight: OnceLock<usize>,
}

impl ShownConfig {
    /// The configuration as a value.
    pub fn value(&self) -> &Value {
        let read = |text: &Arc<str>| {
            json::parse_own(text.as_bytes()).expect("what was printed can be read")
        };
        self.0
            .value
            .get_or_init(|| self.0.text.get().map_or(Value::Null, read))
    }

    /// The fingerprint of the configuration, worked out once.
    pub fn fingerprint(&self) -> Fingerprint {
        *self
            .0
            .fingerprint
            .get_or_init(|| Fingerprint::of(self.value()))
    }

    /// Sets the fingerprint, for a caller who knows it already. One that is there stays.
    pub fn set_fingerprint(&self, fingerprint: Fingerprint) {
        let _ = self.0.fingerprint.set(fingerprint);
    }

    /// The same configuration with nothing but its text in memory.
    pub fn folded(&self) -> Self {
        let text = self
            .0
            .text
            .get_or_init(|| json::compact(self.value()).into());
        let fingerprint = self.0.fingerprint.clone();
        Self(Arc::new(ShownParts {
            value: OnceLock::new(),
            text: Arc::clone(text).into(),
            fingerprint,
            weight: OnceLock::new(),
        }))
    }

    /// Whether the value is in memory and so large ([`FOLD_MIN`] bytes) that giving it back pays.
    pub fn is_large(&self) -> bool {
        self.0
            .value
            .get()
            .is_some_and(|value| *self.0.weight.get_or_init(|| json::weight(value)) >= FOLD_MIN)
    }

    /// Whether the value is so large, or would be, once somebody has looked into it.
    pub fn may_be_large(&self) -> bool {
        let is_long = |text: &Arc<str>| text.len() >= FOLD_MIN;
        self.is_large() || self.0.text.get().is_some_and(is_long)
    }

    /// Whether the value is in memory.
    pub fn is_unfolded(&self) -> bool {
        self.0.value.get().is_some()
    }

    /// Whether both share one allocation, which makes them equal without a comparison.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// About how many bytes of memory the value and the text take.
    pub fn weight(&self) -> usize {
        self.0.value.get().map_or(0, json::weight) + self.0.text.get().map_or(0, |text| text.len())
    }
}

impl From<Value> for ShownConfig {
    fn from(value: Value) -> Self {
        let (text, fingerprint, weight) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self(Arc::new(ShownParts {
            value: value.into(),
            text,
            fingerprint,
            weight,
        }))
    }
}

impl Deref for ShownConfig {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value()
    }
}

impl PartialEq for ShownConfig {
    fn eq(&self, other: &Self) -> bool {
        self.ptr_eq(other) || json::same(self, other)
    }
}

impl fmt::Debug for ShownConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_folded_says_the_same() {
        let value =
            json::parse(br#"{"listeners":{"*:1":{"pass":"routes"}},"routes":[1.0,"\u0001"]}"#)
                .unwrap();
        let shown = ShownConfig::from(value.clone());
        let folded = shown.folded();
        assert!(shown.is_unfolded() && !folded.is_unfolded());
        assert_eq!(folded.fingerprint(), Fingerprint::of(&value));
        assert_eq!((folded.value(), &folded), (&value, &shown));
        assert!(folded.is_unfolded() && !folded.folded().is_unfolded());
    }
}
