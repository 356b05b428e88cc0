//! Certificates and modules on a server: which there are, one more, one less.
//!
//! A list that Unit cuts off is not lost: each name that somebody cares for can be asked for by
//! itself. A server that was built without OpenSSL, or without njs, has no such resource at all.

use super::{Reply, RequestFailure, Unit, json, resource_path, unexpected_status};
use crate::model::json::{Map, Value};
use crate::model::resources::ResourceKind;

/// What a server shows of its certificates or of its modules.
#[derive(Debug, Clone)]
pub enum ResourceList {
    /// The server was built without resources of this kind.
    Absent,
    /// All that there are, as the server describes them: of a module it shows the source, of a
    /// certificate never the key.
    Whole(Vec<u8>, Map<String, Value>),
    /// The answer was cut off: there are more than came.
    Cut {
        /// The bytes that came.
        received: Vec<u8>,
        /// The announced length, in bytes.
        expected: u64,
    },
}

impl ResourceList {
    /// A list of which nothing was read: each resource is asked for by itself.
    pub(crate) const UNREAD: Self = Self::Cut {
        received: Vec::new(),
        expected: 0,
    };

    /// Whether the list shows the same as `before`, as far as both came.
    pub(crate) fn is_like(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Absent, Self::Absent) => true,
            (Self::Whole(now, _), Self::Whole(then, _)) => now == then,
            (
                Self::Cut { received, expected },
                Self::Cut {
                    received: was,
                    expected: expected_then,
                },
            ) => expected == expected_then && received.iter().zip(was).all(|(is, was)| is == was),
            _ => false,
        }
    }
}

/// How something on a server compares with what is wanted under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceState {
    /// The resource is there, and the same as far as the server shows it.
    There,
    /// A resource of this name with another content is there.
    Other,
    /// No resource of this name is there.
    Missing,
}

impl Unit {
    /// Lists the certificates or the modules of the server.
    pub(crate) fn resource_list(&self, kind: ResourceKind) -> Result<ResourceList, RequestFailure> {
        let path = format!("/{}", kind.member());
        match self.request("GET", &path, None) {
            Ok(Reply {
                status: 200, body, ..
            }) => {
                let Ok(Value::Object(members)) = json::parse_own(&body) else {
                    return Err(unreadable(&path));
                };
                Ok(ResourceList::Whole(body, members))
            }
            Ok(Reply { status: 404, .. }) => Ok(ResourceList::Absent),
            Ok(Reply { status, .. }) => Err(unexpected_status(&path, status)),
            Err(RequestFailure::Cut { received, expected }) => {
                Ok(ResourceList::Cut { received, expected })
            }
            Err(failure) => Err(failure),
        }
    }

    /// How the server's resource of this name compares with `text`. Of a certificate only the name
    /// is compared. Where the list was cut off, the resource is asked for by itself.
    pub fn resource_state(
        &self,
        resource_list: &ResourceList,
        kind: ResourceKind,
        name: &str,
        text: &str,
    ) -> Result<ResourceState, RequestFailure> {
        let same = |is_same: bool| {
            if is_same {
                ResourceState::There
            } else {
                ResourceState::Other
            }
        };
        match resource_list {
            ResourceList::Absent => Ok(ResourceState::Missing),
            ResourceList::Whole(_, members) => Ok(match members.get(name) {
                None => ResourceState::Missing,
                Some(shown) => {
                    same(kind == ResourceKind::Certificate || shown.as_str() == Some(text))
                }
            }),
            ResourceList::Cut { .. } => {
                match self.request("GET", &resource_path(kind.member(), name), None) {
                    Ok(Reply { status: 404, .. }) => Ok(ResourceState::Missing),
                    Ok(Reply {
                        status: 200, body, ..
                    }) => {
                        let shown = json::parse_own(&body).ok();
                        Ok(same(
                            kind == ResourceKind::Certificate
                                || shown.is_some_and(|shown| shown == text),
                        ))
                    }
                    Ok(Reply { status, .. }) => Err(unexpected_status(
                        &resource_path(kind.member(), name),
                        status,
                    )),
                    Err(RequestFailure::Cut { received, expected }) => Ok(same(
                        kind == ResourceKind::Certificate
                            || is_beginning(&received, expected, &text.into()),
                    )),
                    Err(failure) => Err(failure),
                }
            }
        }
    }

    /// Reads the source of a module.
    pub(crate) fn module_source(&self, name: &str) -> Result<String, RequestFailure> {
        let path = resource_path(ResourceKind::JsModule.member(), name);
        match self.request("GET", &path, None) {
            Ok(Reply {
                status: 200, body, ..
            }) => match json::parse_own(&body) {
                Ok(Value::String(source)) => Ok(source),
                _ => Err(unreadable(&path)),
            },
            Ok(Reply { status, .. }) => Err(unexpected_status(&path, status)),
            Err(RequestFailure::Cut { expected, .. }) => Err(RequestFailure::Unreadable(format!(
                "of its source, {expected} bytes long, only the beginning comes"
            ))),
            Err(failure) => Err(failure),
        }
    }

    /// Uploads a certificate or a module; the server refuses if it has one of that name.
    pub fn upload(
        &self,
        kind: ResourceKind,
        name: &str,
        text: &str,
    ) -> Result<Reply, RequestFailure> {
        self.request(
            "PUT",
            &resource_path(kind.member(), name),
            Some(text.as_bytes()),
        )
    }

    /// Removes a certificate or a module; the server refuses while its configuration names it.
    pub fn remove(&self, kind: ResourceKind, name: &str) -> Result<Reply, RequestFailure> {
        self.request("DELETE", &resource_path(kind.member(), name), None)
    }
}

/// Whether what came of an answer is the beginning of `value` as Unit prints it, and the announced
/// length that of the whole.
pub(crate) fn is_beginning(received: &[u8], expected: u64, value: &Value) -> bool {
    let whole = json::unit_format(value);
    whole.len() as u64 == expected && whole.as_bytes().starts_with(received)
}

fn unreadable(path: &str) -> RequestFailure {
    RequestFailure::Unreadable(format!("the answer to GET {path} cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_cut_off_is_known_by_its_beginning_and_length() {
        let text = Value::from("x".repeat(100));
        let whole = json::unit_format(&text);
        assert!(is_beginning(
            &whole.as_bytes()[..40],
            whole.len() as u64,
            &text
        ));
        assert!(!is_beginning(
            &whole.as_bytes()[..40],
            whole.len() as u64 + 1,
            &text
        ));
        assert!(!is_beginning(b"\"y", whole.len() as u64, &text));
    }
}
