//! Telling one configuration from another without keeping either.
//!
//! A server shows the members of an object in an order of its own, and certificates under the names
//! that they have there; neither makes another configuration. So a fingerprint is the same exactly
//! where [`super::json::same`] says so of two configurations with the plain names of certificates.

use std::fmt;

use sha2::{Digest, Sha256};

use super::alias::stripped;
use super::json::{self, Value};
use crate::codec::{hex, unhex_array};

/// SHA-256 over a configuration, its members in the order of their names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a configuration, with the names of certificates as people or as a server
    /// have them.
    pub fn of(config: &Value) -> Self {
        let mut bytes = Bytes::default();
        add(&mut bytes, config, Position::Root);
        bytes.hasher.update(&bytes.waiting);
        Self(bytes.hasher.finalize().into())
    }

    /// From what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        unhex_array(text).map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", &hex(&self.0)[..8])
    }
}

/// Where in a configuration a value stands, as far as names of certificates are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Root,
    Listeners,
    Listener,
    Tls,
    Certificate,
    Elsewhere,
}

impl Position {
    fn below(self, name: &str) -> Self {
        match (self, name) {
            (Self::Root, "listeners") => Self::Listeners,
            (Self::Listeners, _) => Self::Listener,
            (Self::Listener, "tls") => Self::Tls,
            (Self::Tls, "certificate") => Self::Certificate,
            _ => Self::Elsewhere,
        }
    }
}

/// What is hashed: many a few bytes, which are cheaper to take together.
#[derive(Default)]
struct Bytes {
    hasher: Sha256,
    waiting: Vec<u8>,
}

impl Bytes {
    fn add(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= TOGETHER {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
    }

    fn begin(&mut self, mark: u8, len: usize) {
        self.add(&[mark]);
        self.add(&(len as u64).to_be_bytes());
    }
}

/// Every value begins with a mark of its kind and its length, so that no two come to the same
/// bytes.
fn add(bytes: &mut Bytes, value: &Value, position: Position) {
    match value {
        Value::Object(members) => {
            bytes.begin(b'{', members.len());
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in sorted {
                text(bytes, name);
                add(bytes, value, position.below(name));
            }
        }
        Value::Array(elements) => {
            bytes.begin(b'[', elements.len());
            let position = if position == Position::Certificate {
                position
            } else {
                Position::Elsewhere
            };
            elements
                .iter()
                .for_each(|element| add(bytes, element, position));
        }
        Value::String(name) if position == Position::Certificate => text(bytes, stripped(name)),
        Value::String(string) => text(bytes, string),
        other => {
            let written = json::compact(other);
            bytes.begin(b'#', written.len());
            bytes.add(written.as_bytes());
        }
    }
}

fn text(bytes: &mut Bytes, text: &str) {
    bytes.begin(b'"', text.len());
    bytes.add(text.as_bytes());
}

/// So many bytes are hashed at once.
const TOGETHER: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Fingerprint {
        Fingerprint::of(&json::parse(text.as_bytes()).expect("tests write JSON"))
    }

    #[test]
    fn the_order_of_members_makes_no_difference_and_all_else_does() {
        assert_eq!(
            of(r#"{"a":1,"b":[{"c":2,"d":3}]}"#),
            of(r#"{"b":[{"d":3,"c":2}],"a":1}"#)
        );
        let texts = [
            "1",
            "1.0",
            "\"1\"",
            "[1]",
            "[]",
            "{}",
            "[[]]",
            "[\"\",\"\"]",
            "[\"\"]",
            "null",
            "true",
            r#"{"a":"b"}"#,
            r#"["a","b"]"#,
        ];
        for (place, one) in texts.iter().enumerate() {
            assert!(
                texts[..place].iter().all(|other| of(one) != of(other)),
                "{one}"
            );
        }
    }

    #[test]
    fn a_certificate_may_have_its_name_on_the_server() {
        let named = |name: &str| {
            format!(
                r#"{{"listeners":{{"*:1":{{"tls":{{"certificate":["{name}"]}}}}}},"routes":["{name}"]}}"#
            )
        };
        let on_server =
            named("a~0123456789ab").replace(r#""routes":["a~0123456789ab"]"#, r#""routes":["a"]"#);
        assert_eq!(of(&named("a")), of(&on_server));
        assert_ne!(
            of(&named("a")),
            of(&named("a~0123456789ab")),
            "elsewhere it is just text"
        );
        assert_ne!(of(&named("a")), of(&named("b")));
    }

    #[test]
    fn it_can_be_written_down() {
        let one = of("{}");
        assert_eq!(Fingerprint::parse(&one.to_string()), Some(one));
        assert_eq!(Fingerprint::parse("00"), None);
    }
}
