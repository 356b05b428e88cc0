//! The names that this state directory has given to what lies on the server: `given.json`.
//!
//! A server never gives back a certificate's key. So of what lies there under the names that
//! Starling gives, only that is ever taken away of which this directory gave the name itself: what
//! another fleet, or this host under another directory, has left may be the last copy of a key. The
//! list is handed to the disk before the server is given what bears its names. Nobody waits for it:
//! were it lost, less would be taken away, and named as what somebody else has left.

use std::collections::BTreeSet;

use crate::limits::GIVEN_NAMES_MAX;
use crate::model::aliases::Aliases;
use crate::model::json::{self, Map, Value};

/// Names on a server, each list with the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenNames {
    /// Of certificates: all that were given lately, whether they still lie there or not.
    certificates: Vec<String>,
    /// Of copies of modules that somebody else had put there; they lie there.
    copies: Vec<String>,
}

impl GivenNames {
    /// What stands in the file; `None` if that is no object with lists of names.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let file = json::parse_own(text).ok().filter(|file| {
            file.get(CERTIFICATES)
                .is_some_and(|names| names.as_array().is_some())
        })?;
        let names = |member: &str| {
            let names = file
                .get(member)
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Some(Self {
            certificates: names(CERTIFICATES),
            copies: names(COPIES),
        })
    }

    /// The file's text.
    pub fn text(&self) -> Vec<u8> {
        let names = |names: &[String]| names.iter().cloned().map(Value::from).collect::<Value>();
        let members = [
            (CERTIFICATES, names(&self.certificates)),
            (COPIES, names(&self.copies)),
        ];
        let members = members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        json::unit_format(&Value::Object(members.collect::<Map<String, Value>>())).into_bytes()
    }

    /// The names of a document's certificates are about to be given. Whether one of them is new.
    pub fn note(&mut self, aliases: &Aliases) -> bool {
        let names: BTreeSet<&str> = aliases.iter().map(|(_, alias)| alias).collect();
        let known: BTreeSet<&str> = self.certificates.iter().map(String::as_str).collect();
        if names.is_subset(&known) {
            return false;
        }
        self.certificates
            .retain(|name| !names.contains(name.as_str()));
        self.certificates
            .extend(names.iter().map(|name| (*name).to_owned()));
        let most = GIVEN_NAMES_MAX.max(names.len());
        self.certificates
            .drain(..self.certificates.len().saturating_sub(most));
        true
    }

    /// Whether a certificate's name was given by this state directory.
    pub fn has(&self, name: &str) -> bool {
        self.certificates.iter().any(|known| known == name)
    }

    /// A copy of a module lies on the server under this name.
    pub fn copied(&mut self, name: &str) {
        self.forget_copy(name);
        self.copies.push(name.to_owned());
    }

    /// A copy lies there no more.
    pub fn forget_copy(&mut self, name: &str) {
        self.copies.retain(|known| known != name);
    }

    /// The copies, the oldest first.
    pub fn copies(&self) -> &[String] {
        &self.copies
    }

    /// Takes over which copies there are. Whether that is another list.
    pub fn set_copies(&mut self, copies: &[String]) -> bool {
        let is_other = self.copies != copies;
        self.copies = copies.to_vec();
        is_other
    }
}

const CERTIFICATES: &str = "certificates";
const COPIES: &str = "copies";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document::Document;

    fn aliases(names: &[String]) -> Aliases {
        let bundles: Vec<String> = names
            .iter()
            .map(|name| format!(r#""{name}":"x""#))
            .collect();
        let text = format!(
            r#"{{"config":{{}},"certificates":{{{}}},"js_modules":{{}}}}"#,
            bundles.join(",")
        );
        Aliases::of(&Document::parse(text.as_bytes()).unwrap())
    }

    fn one(name: &str) -> Aliases {
        aliases(&[name.to_owned()])
    }

    fn name(aliases: &Aliases) -> &str {
        aliases.iter().next().unwrap().1
    }

    #[test]
    fn what_was_given_is_known_after_a_restart_and_what_was_not_never_is() {
        let mut given = GivenNames::default();
        assert!(given.note(&one("a")) && !given.note(&one("a")) && given.note(&one("b")));
        given.copied("m~0123456789ab");
        let read = GivenNames::parse(&given.text()).unwrap();
        assert_eq!(read, given);
        assert!(
            read.has(name(&one("a"))) && read.has(name(&one("b"))) && !read.has(name(&one("c")))
        );
        assert_eq!(read.copies(), ["m~0123456789ab"]);
        for other in [
            &b""[..],
            b"[]",
            b"{\"certificates\":{}}",
            b"{\"certificates\":[1]",
        ] {
            assert_eq!(GivenNames::parse(other), None);
        }
    }

    #[test]
    fn the_list_is_bounded_and_never_forgets_what_a_document_has_now() {
        let mut given = GivenNames::default();
        for n in 0..2 * GIVEN_NAMES_MAX {
            // The one that every document has stays new.
            given.note(&aliases(&["always".to_owned(), format!("n{n}")]));
        }
        assert_eq!(given.certificates.len(), GIVEN_NAMES_MAX);
        assert!(given.has(name(&one("always"))) && !given.has(name(&one("n0"))));
        let many: Vec<String> = (0..GIVEN_NAMES_MAX + 9).map(|n| format!("m{n}")).collect();
        assert!(
            given.note(&aliases(&many)) && !given.note(&aliases(&many)),
            "a document with more writes once, too"
        );
    }

    #[test]
    fn the_oldest_copy_comes_first_and_one_that_is_made_again_is_the_newest() {
        let mut given = GivenNames::default();
        for name in ["a", "b", "c", "a"] {
            given.copied(name);
        }
        assert_eq!(given.copies(), ["b", "c", "a"]);
        given.forget_copy("c");
        assert!(!given.set_copies(&["b".into(), "a".into()]) && given.set_copies(&["b".into()]));
    }
}
