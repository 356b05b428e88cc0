//! Under which names certificates stand on a server, and how a configuration names them there.
//!
//! Unit cannot replace a certificate. So one is stored under its name and a part of its content's
//! hash, `NAME~0123456789ab`: another content is another name, the configuration is switched to it
//! in one step, and the old one goes last. Which content a server has is told by the name alone, so
//! nothing need be remembered. People see the plain name wherever Starling shows one.

use std::collections::BTreeMap;

use super::document::Document;
use super::json::{self, Value};
use super::resources::{self, Kind};
use crate::codec::hex;

/// The certificates of one document: what each is called, and under which name it stands on a
/// server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases {
    by_name: BTreeMap<String, String>,
}

impl Aliases {
    /// Those of a document.
    pub fn of(document: &Document) -> Self {
        let bundles = document.value()[Kind::Certificate.member()].as_object();
        let alias =
            |(name, bundle): (&String, &Value)| Some((name.clone(), alias(name, bundle.as_str()?)));
        Self {
            by_name: bundles.into_iter().flatten().filter_map(alias).collect(),
        }
    }

    /// All of them, by plain name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.by_name
            .iter()
            .map(|(name, alias)| (&name[..], &alias[..]))
    }

    /// The name on the server.
    pub fn alias(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    /// The plain name of what stands on the server under this one.
    pub fn name(&self, alias: &str) -> Option<&str> {
        let (name, _) = split(alias)?;
        self.by_name
            .get_key_value(name)
            .filter(|(_, known)| *known == alias)
            .map(|(name, _)| &name[..])
    }

    /// The configuration as a server gets it: it names what stands there. What the document does
    /// not hold is named as it was.
    pub fn on_server(&self, config: Value) -> Value {
        self.renamed(config, |name| self.alias(name))
    }

    /// Whether there are none, so that nothing is called otherwise on a server.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The configuration as people wrote it. A name that stands for another content than the
    /// document's stays what it is.
    pub fn plain(&self, config: Value) -> Value {
        self.renamed(config, |alias| self.name(alias))
    }

    /// A server's words with plain names.
    pub fn plain_words(&self, words: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(words) {
            Ok(text) => {
                let plain =
                    |text: String, (name, alias)| text.replace(&written(alias), &written(name));
                self.iter().fold(text.to_owned(), plain).into_bytes()
            }
            Err(_) => words.to_vec(),
        }
    }

    fn renamed<'a>(&'a self, mut config: Value, new: impl Fn(&str) -> Option<&'a str>) -> Value {
        resources::for_each_certificate_name(&mut config, |name| {
            if let Some(new) = new(name) {
                *name = new.to_owned();
            }
        });
        config
    }
}

/// Whether a name on a server is one that Starling gave. Nobody else ends a name in a tilde and
/// twelve digits of a hash.
pub fn is_alias(text: &str) -> bool {
    split(text).is_some()
}

/// The plain name of what may stand on a server under this one, whatever its content.
pub(crate) fn stripped(name: &str) -> &str {
    split(name).map_or(name, |(name, _)| name)
}

/// A configuration from a server with plain names in place of all that Starling gave, of whichever
/// document.
pub fn stripped_config(mut config: Value) -> Value {
    resources::for_each_certificate_name(&mut config, |name| name.truncate(stripped(name).len()));
    config
}

/// The name on a server for this content of something that people call by this name.
pub fn alias(name: &str, content: &str) -> String {
    let digits = hex(&resources::fingerprint(content));
    format!("{name}{MARK}{}", &digits[..DIGITS])
}

/// A name as it stands in a JSON text, between its quotes.
fn written(name: &str) -> String {
    let quoted = json::compact(&name.into());
    quoted[1..quoted.len() - 1].to_owned()
}

fn split(alias: &str) -> Option<(&str, &str)> {
    let (name, digits) = alias.rsplit_once(MARK)?;
    let is_hash = digits.len() == DIGITS
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hash && !name.is_empty()).then_some((name, digits))
}

const MARK: char = '~';
/// Hexadecimal digits of the hash: two contents of one name never meet in 48 bits by chance.
const DIGITS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn document(bundle: &str) -> Document {
        let config = r#"{"listeners":{"*:1":{"tls":{"certificate":["a","other"]}},"*:2":{"tls":{"certificate":"a"}}},"routes":["a"]}"#;
        Document::parse(
            format!(r#"{{"config":{config},"certificates":{{"a":"{bundle}"}},"js_modules":{{}}}}"#)
                .as_bytes(),
        )
        .unwrap()
    }

    #[test]
    fn a_configuration_names_what_stands_on_the_server_and_nothing_else_is_touched() {
        let document = document("key");
        let aliases = Aliases::of(&document);
        let on_server = aliases.on_server(document.config().clone());
        assert_eq!(
            json::compact(&on_server),
            r#"{"listeners":{"*:1":{"tls":{"certificate":["a~2c70e12b7a06","other"]}},"*:2":{"tls":{"certificate":"a~2c70e12b7a06"}}},"routes":["a"]}"#
        );
        assert_eq!(&aliases.plain(on_server), document.config());
    }

    #[test]
    fn another_content_has_another_name_and_is_not_taken_for_this_one() {
        let (old, new) = (Aliases::of(&document("old")), Aliases::of(&document("new")));
        let alias = old.alias("a").unwrap();
        assert!(is_alias(alias) && new.alias("a") != Some(alias));
        assert_eq!((old.name(alias), new.name(alias)), (Some("a"), None));
        let before = old.on_server(document("old").config().clone());
        assert_eq!(
            new.plain(before.clone()),
            before,
            "what runs is not what is wanted, and must show"
        );
    }

    #[test]
    fn names_of_people_are_no_aliases() {
        for name in [
            "a",
            "a~",
            "~0123456789ab",
            "a~0123456789a",
            "a~0123456789AB",
            "a~0123456789abc",
            "a~0123456789ab ",
        ] {
            assert!(!is_alias(name), "{name}");
        }
        assert!(is_alias("a~b~0123456789ab"));
    }

    #[test]
    fn words_of_a_server_are_shown_with_plain_names() {
        let words = Aliases::of(&document("key"))
            .plain_words(b"Certificate \"a~2c70e12b7a06\" is not found.");
        assert_eq!(words, b"Certificate \"a\" is not found.");
        let quoted =
            Document::parse(br#"{"config":{},"certificates":{"a\"b":"key"},"js_modules":{}}"#)
                .unwrap();
        let words = Aliases::of(&quoted)
            .plain_words(br#"{"detail":"Certificate a\"b~2c70e12b7a06 is not found."}"#);
        assert_eq!(words, br#"{"detail":"Certificate a\"b is not found."}"#);
    }
}
