//! The aliases of a document's certificates, and how a configuration names them on a server.
//!
//! What an alias is, and why there are any, stands in [`super::alias`]. People see the plain name
//! wherever Starling shows one; only what goes to a server, and what comes from one, has aliases.

use std::collections::BTreeMap;

use super::alias::{alias, split, stripped};
use super::document::Document;
use super::json::{self, Value};
use super::resources::{self, ResourceKind};

/// The certificates of one document: what each is called, and under which name it stands on a
/// server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases {
    by_name: BTreeMap<String, String>,
}

impl Aliases {
    /// The aliases of a document's certificates.
    pub fn of(document: &Document) -> Self {
        let bundles = document.value()[ResourceKind::Certificate.member()].as_object();
        let alias =
            |(name, bundle): (&String, &Value)| Some((name.clone(), alias(name, bundle.as_str()?)));
        Self {
            by_name: bundles.into_iter().flatten().filter_map(alias).collect(),
        }
    }

    /// Each plain name with its alias, in the order of plain names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.by_name
            .iter()
            .map(|(name, alias)| (&name[..], &alias[..]))
    }

    /// The alias of the certificate that people call `name`, if the document holds it.
    pub fn alias(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    /// The plain name of the certificate whose alias this is, if the document holds it.
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

/// A configuration from a server with plain names in place of all that Starling gave, of whichever
/// document.
pub fn stripped_config(mut config: Value) -> Value {
    resources::for_each_certificate_name(&mut config, |name| name.truncate(stripped(name).len()));
    config
}

/// A name as it stands in a JSON text, between its quotes.
fn written(name: &str) -> String {
    let quoted = json::compact(&name.into());
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alias::is_alias;

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
