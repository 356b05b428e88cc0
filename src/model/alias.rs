//! What a certificate is called on a server: its name, a tilde, and the beginning of its bundle's fingerprint.
//!
//! Unit neither replaces a certificate nor tells which bundle it has under a name. Under an internal name that follows from the bundle
//! there is nothing to replace, and the name alone tells the bundle; so a server is compared with a document without any memory.
//! Users see the names of the document only. A name that the document does not explain stays what it is, in either direction.

use std::collections::BTreeMap;

use super::document::Document;
use super::json::{self, Value};
use super::resources::{Kind, fingerprint};
use crate::codec::hex;

/// The names that a document's certificates have on a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases {
    internal: BTreeMap<String, String>,
    plain: BTreeMap<String, String>,
}

impl Aliases {
    /// Those of the certificates in this document.
    pub fn of(document: &Document) -> Self {
        let held = document.value()[Kind::Certificate.member()].as_object();
        let bundles = held.into_iter().flatten().filter_map(|(name, bundle)| Some((name, bundle.as_str()?)));
        let internal: BTreeMap<_, _> = bundles.map(|(name, bundle)| (name.clone(), internal(name, bundle))).collect();
        let plain = internal.iter().map(|(plain, internal)| (internal.clone(), plain.clone())).collect();
        Self { internal, plain }
    }

    /// What this certificate of the document is called on a server.
    pub fn internal(&self, name: &str) -> Option<&str> {
        self.internal.get(name).map(String::as_str)
    }

    /// What the certificate is called in the document that has this name on a server.
    pub fn plain(&self, name: &str) -> Option<&str> {
        self.plain.get(name).map(String::as_str)
    }

    /// A configuration as it is sent to a server.
    pub fn on_server(&self, config: &Value) -> Value {
        renamed(config, &self.internal)
    }

    /// A server's configuration as it is shown.
    pub fn in_document(&self, config: &Value) -> Value {
        renamed(config, &self.plain)
    }

    /// A text of a server's, JSON or not, with the names of the document in it.
    pub fn in_words(&self, text: &[u8]) -> Vec<u8> {
        let written = |name: &str| {
            let quoted = json::compact(&name.into());
            quoted[1..quoted.len() - 1].to_owned()
        };
        self.plain.iter().fold(text.to_vec(), |text, (internal, plain)| {
            replaced(&text, written(internal).as_bytes(), written(plain).as_bytes())
        })
    }
}

/// What a certificate with this bundle is called on a server.
pub fn internal(name: &str, bundle: &str) -> String {
    format!("{name}{MARK}{}", &hex(&fingerprint(bundle))[..DIGITS])
}

/// Whether this is an internal name, of whatever bundle.
pub fn is_internal(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.rsplit_once(MARK)
        .is_some_and(|(plain, digits)| !plain.is_empty() && digits.len() == DIGITS && digits.bytes().all(is_digit))
}

/// With other names for the certificates of the listeners; all else, order included, as it was.
fn renamed(config: &Value, names: &BTreeMap<String, String>) -> Value {
    let mut config = config.clone();
    if names.is_empty() {
        return config;
    }
    let Some(listeners) = config.get_mut("listeners").and_then(Value::as_object_mut) else { return config };
    for listener in listeners.values_mut() {
        match listener.get_mut("tls").and_then(|tls| tls.get_mut("certificate")) {
            Some(Value::Array(elements)) => elements.iter_mut().for_each(|element| rename(element, names)),
            Some(name) => rename(name, names),
            None => {}
        }
    }
    config
}

fn rename(name: &mut Value, names: &BTreeMap<String, String>) {
    if let Some(other) = name.as_str().and_then(|name| names.get(name)) {
        *name = other.as_str().into();
    }
}

fn replaced(text: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(what) {
            out.extend_from_slice(by);
            rest = after;
        } else {
            out.push(*first);
            rest = &rest[1..];
        }
    }
    out
}

const MARK: char = '~';
/// Hexadecimal digits of the fingerprint: 48 bits, so that two bundles of one name never meet by accident.
const DIGITS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    fn of(bundles: &str) -> Aliases {
        Aliases::of(&document(&format!(r#"{{"config":{{}},"certificates":{bundles},"js_modules":{{}}}}"#)))
    }

    #[test]
    fn a_name_on_a_server_follows_from_name_and_bundle() {
        let name = internal("shop", "bundle");
        assert_eq!(name, format!("shop~{}", &hex(&fingerprint("bundle"))[..12]));
        assert!(is_internal(&name));
        assert_ne!(internal("shop", "other"), name);
        for name in ["shop", "~0123456789ab", "shop~0123456789a", "shop~0123456789AB", "shop~0123456789abc", "shop~"] {
            assert!(!is_internal(name), "{name}");
        }
        assert!(is_internal("a~0123456789ab~0123456789ab"));
    }

    #[test]
    fn a_configuration_goes_to_a_server_and_back_unchanged() {
        let aliases = of(r#"{"a":"one","b":"two"}"#);
        let config = br#"{"x":1.0,"listeners":{"*:1":{"tls":{"certificate":"a"},"pass":"a"},"*:2":{"tls":{"certificate":["b","c"]}},"*:3":{}}}"#;
        let config = json::parse(config).unwrap();
        let sent = aliases.on_server(&config);
        assert_eq!(sent["listeners"]["*:1"]["tls"]["certificate"], internal("a", "one"));
        assert_eq!(sent["listeners"]["*:1"]["pass"], "a", "only certificates are renamed");
        assert_eq!(sent["listeners"]["*:2"]["tls"]["certificate"][0], internal("b", "two"));
        assert_eq!(sent["listeners"]["*:2"]["tls"]["certificate"][1], "c", "of that one the document knows nothing");
        assert_eq!(json::compact(&aliases.in_document(&sent)), json::compact(&config));
    }

    #[test]
    fn another_bundle_of_the_same_name_is_not_taken_for_this_one() {
        let (old, new) = (of(r#"{"a":"old"}"#), of(r#"{"a":"new"}"#));
        let config = json::parse(br#"{"listeners":{"*:1":{"tls":{"certificate":"a"}}}}"#).unwrap();
        let sent = old.on_server(&config);
        assert_eq!(new.in_document(&sent), sent);
    }

    #[test]
    fn a_servers_words_name_certificates_as_users_do() {
        let aliases = of(r#"{"a\"q":"one","b":"two"}"#);
        let internal_of = |name: &str| aliases.internal(name).unwrap().to_owned();
        let words = format!("{{\"detail\":\"Certificate \\\"{}\\\" is not found.\"}}", internal_of("b"));
        assert_eq!(aliases.in_words(words.as_bytes()), br#"{"detail":"Certificate \"b\" is not found."}"#);
        let quoted = json::compact(&internal_of("a\"q").into());
        assert_eq!(aliases.in_words(quoted.as_bytes()), br#""a\"q""#);
        assert_eq!(aliases.in_words(b"\xff~"), b"\xff~");
    }
}
