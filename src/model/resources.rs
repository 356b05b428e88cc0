//! Certificates and JS modules: what they are called, who names them in a configuration, and how
//! they are shown.
//!
//! A configuration names a certificate in `tls/certificate` of a listener, and a module in
//! `settings/js_module`, each as a string or an array of strings. A name made of variables (`${…}`)
//! stands for another on each host, so nothing is said of it here. A bundle holds a private key:
//! wherever a document is shown, [`redacted`] stands in its place.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};

use super::json::Value;
use super::path::Path;
use crate::codec::{hex, unhex_array};
use crate::limits::RESOURCE_NAME_MAX;

/// What a document holds beside its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    /// PEM bundles: a private key and its certificate chain.
    Certificate,
    /// Sources for njs.
    JsModule,
}

impl ResourceKind {
    /// Both, in the order of a document's members.
    pub const ALL: [Self; 2] = [Self::Certificate, Self::JsModule];

    /// The member of a document that holds them by name, which is also the resource of Unit's
    /// control API.
    pub fn member(self) -> &'static str {
        match self {
            Self::Certificate => "certificates",
            Self::JsModule => "js_modules",
        }
    }

    /// The path of the one of this name; `None` if it can have no such name.
    pub fn path(self, name: &str) -> Option<Path> {
        is_resource_name(name)
            .then(|| Path::of([self.member(), name]).ok())
            .flatten()
    }
}

impl fmt::Display for ResourceKind {
    /// As Unit's errors begin.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "Certificate",
            Self::JsModule => "JS module",
        })
    }
}

/// A certificate or a module, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// Whether it is a certificate or a module.
    pub kind: ResourceKind,
    /// The name, as people write it.
    pub name: String,
}

/// Whether a certificate or a module can be called so: at most [`RESOURCE_NAME_MAX`] bytes, no
/// slash, no NUL, not empty, not a dot or two.
pub(crate) fn is_resource_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.len() <= RESOURCE_NAME_MAX
        && !text.contains(['/', '\0'])
}

/// What a path names: `/certificates/NAME` or `/js_modules/NAME`, exactly that.
pub fn resource_at(path: &Path) -> Option<(ResourceKind, &str)> {
    let [member, name] = path.tokens() else {
        return None;
    };
    let kind = ResourceKind::ALL
        .into_iter()
        .find(|kind| kind.member() == member)?;
    is_resource_name(name).then_some((kind, name))
}

/// Whether what stands at this path must not be shown: a bundle, or where one would stand.
pub fn is_secret(path: &Path) -> bool {
    path.tokens().len() > 1 && path.tokens()[0] == ResourceKind::Certificate.member()
}

/// The certificates that a configuration names, in order, each once.
pub fn certificates(config: &Value) -> BTreeSet<&str> {
    let listeners = config.get("listeners").and_then(Value::as_object);
    let named = listeners
        .into_iter()
        .flat_map(|listeners| listeners.values());
    named
        .filter_map(|listener| listener.get("tls")?.get("certificate"))
        .flat_map(names)
        .collect()
}

/// Hands out each certificate's name in a configuration, to be changed.
pub(crate) fn for_each_certificate_name(config: &mut Value, mut change: impl FnMut(&mut String)) {
    let listeners = config.get_mut("listeners").and_then(Value::as_object_mut);
    let named = listeners
        .into_iter()
        .flat_map(|listeners| listeners.values_mut());
    for value in named.filter_map(|listener| listener.get_mut("tls")?.get_mut("certificate")) {
        match value {
            Value::String(name) => change(name),
            Value::Array(names) => names.iter_mut().for_each(|name| {
                if let Value::String(name) = name {
                    change(name);
                }
            }),
            _ => {}
        }
    }
}

/// The modules that a configuration names, in order, each once.
pub fn js_modules(config: &Value) -> BTreeSet<&str> {
    config
        .get("settings")
        .and_then(|settings| settings.get("js_module"))
        .into_iter()
        .flat_map(names)
        .collect()
}

/// What the configuration of a document names and the document, given as its whole value, does not
/// hold: certificates first, in order. The name without letters is none.
pub fn missing(document: &Value) -> BTreeSet<Named> {
    let config = &document["config"];
    let named = [
        (ResourceKind::Certificate, certificates(config)),
        (ResourceKind::JsModule, js_modules(config)),
    ];
    let held = |kind: ResourceKind, name: &str| document[kind.member()].get(name).is_some();
    let of_kind = |(kind, names): (ResourceKind, BTreeSet<&str>)| {
        // Nothing can be called "": what is wrong with that, servers say themselves, each in its
        // own words.
        let lacking = names
            .into_iter()
            .filter(|name| !name.is_empty() && !name.contains(VARIABLE) && !held(kind, name));
        lacking
            .map(|name| Named {
                kind,
                name: name.to_owned(),
            })
            .collect::<Vec<_>>()
    };
    named.into_iter().flat_map(of_kind).collect()
}

/// What is missing after a change and was not before: such a change is not made. What a server was
/// configured with before it had a fleet may name more than the fleet will ever hold, and must not
/// stop other changes.
pub fn newly_missing(before: &Value, after: &Value) -> BTreeSet<Named> {
    let mut lacking = missing(after);
    if !lacking.is_empty() {
        let known = missing(before);
        lacking.retain(|named| !known.contains(named));
    }
    lacking
}

/// Which of these a server that has none of them names when it refuses the configuration, and where
/// that is named, as a JSON pointer (RFC 6901). Unit and FreeUnit look at members in the order in
/// which they stand, and at the elements of an array one by one.
pub fn first_refused(lacking: &BTreeSet<Named>, config: &Value) -> Option<(Named, String)> {
    config
        .as_object()
        .into_iter()
        .flatten()
        .find_map(|(member, value)| match member.as_str() {
            "settings" => lacking_at(
                lacking,
                ResourceKind::JsModule,
                value.get("js_module")?,
                &[member, "js_module"],
            ),
            "listeners" => {
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .find_map(|(address, listener)| {
                        let named = listener.get("tls")?.get("certificate")?;
                        lacking_at(
                            lacking,
                            ResourceKind::Certificate,
                            named,
                            &[member, address, "tls", "certificate"],
                        )
                    })
            }
            _ => None,
        })
}

fn lacking_at(
    lacking: &BTreeSet<Named>,
    kind: ResourceKind,
    value: &Value,
    at: &[&str],
) -> Option<(Named, String)> {
    let lacks = |name: &&str| {
        lacking
            .iter()
            .any(|named| named.kind == kind && named.name == **name)
    };
    let (name, index) = match value {
        Value::Array(elements) => {
            let mut elements = elements.iter().enumerate();
            elements.find_map(|(index, element)| {
                Some((element.as_str().filter(lacks)?, format!("/{index}")))
            })?
        }
        one => (one.as_str().filter(lacks)?, String::new()),
    };
    let mut pointer: String = at
        .iter()
        .map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1")))
        .collect();
    pointer.push_str(&index);
    Some((
        Named {
            kind,
            name: name.to_owned(),
        },
        pointer,
    ))
}

/// The SHA-256 of a bundle's text, which tells one bundle from another and says nothing about the
/// key. For the text that [`redacted`] puts in the place of a bundle it is the fingerprint of that
/// bundle.
pub fn fingerprint(bundle: &str) -> [u8; 32] {
    let named = bundle
        .strip_prefix(SHOWN)
        .filter(|_| is_fingerprint_text(bundle))
        .and_then(unhex_array);
    named.unwrap_or_else(|| Sha256::digest(bundle).into())
}

/// What is shown in place of a bundle: `sha256:` and its [`fingerprint`].
pub fn redacted(bundle: &str) -> String {
    fingerprint_text(&fingerprint(bundle))
}

/// Whether a text is what [`redacted`] puts in the place of a bundle; no bundle has that form.
pub fn is_fingerprint_text(text: &str) -> bool {
    let is_hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(SHOWN)
        .is_some_and(|hash| hash.len() == 64 && hash.bytes().all(is_hex))
}

/// A fingerprint as text: `sha256:` and hexadecimal digits.
pub fn fingerprint_text(fingerprint: &[u8; 32]) -> String {
    format!("{SHOWN}{}", hex(fingerprint))
}

/// A value that stands at `path` of a document, as it may be shown: of whatever is or holds a
/// bundle, the fingerprint.
pub fn showable<'a>(path: &Path, value: &'a Value) -> Cow<'a, Value> {
    match path.tokens().first().map(String::as_str) {
        None => match value {
            Value::Object(members) => {
                let below = |name: &String, value| {
                    if name == ResourceKind::Certificate.member() {
                        hidden(value)
                    } else {
                        value.clone()
                    }
                };
                Cow::Owned(
                    members
                        .iter()
                        .map(|(name, value)| (name.clone(), below(name, value)))
                        .collect(),
                )
            }
            other => Cow::Borrowed(other),
        },
        Some(first) if first == ResourceKind::Certificate.member() => Cow::Owned(hidden(value)),
        Some(_) => Cow::Borrowed(value),
    }
}

fn hidden(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), hidden(value)))
            .collect(),
        Value::String(bundle) => redacted(bundle).into(),
        // A document has no other, but whoever asks must not learn it from here.
        _ => Value::Null,
    }
}

/// A string, or the strings of an array.
fn names(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str();
    let several = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    one.into_iter().chain(several)
}

/// How what is shown of a bundle begins.
const SHOWN: &str = "sha256:";
/// What begins a variable of a host.
const VARIABLE: &str = "${";

#[cfg(test)]
mod tests;
