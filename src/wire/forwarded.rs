//! Forwarded requests: a client's request that a peer of another group carries out, and what it
//! answers, as bytes.
//!
//! A change of a group's document is tried on a server of that group, so a host of another group
//! asks one that has such a server. What travels is the client's own request and the answer to it;
//! both are cut into pieces by [`super::frame::Frame::ForwardedRequest`] and
//! [`super::frame::Frame::ForwardedResponse`].

use std::fmt;

use crate::codec::{Malformed, Reader, Writer};
use crate::limits::{FORWARDED_HEADERS_MAX, FORWARDED_MAX, NAME_MAX, NOTE_MAX, PATH_MAX};
use crate::model::name::is_name;

/// A client's request, as a host passes it on to a host of the group that it concerns.
#[derive(Clone, PartialEq, Eq)]
pub struct ForwardedRequest {
    /// The group whose document is to be changed.
    pub group: String,
    /// The method, as the client sent it.
    pub method: String,
    /// Path and query, as the client sent them.
    pub target: String,
    /// The headers that say how the change is to be made; see [`FORWARDED_HEADERS_MAX`].
    pub headers: Vec<(String, String)>,
    /// The body, as the client sent it.
    pub body: Vec<u8>,
}

impl fmt::Debug for ForwardedRequest {
    /// Without headers and body: there may be a private key in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ForwardedRequest({}, {} {}, {} bytes)",
            self.group,
            self.method,
            self.target,
            self.body.len()
        )
    }
}

/// The answer to a [`ForwardedRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedResponse {
    /// The status code.
    pub status: u16,
    /// The answer's headers that the client needs; see [`FORWARDED_HEADERS_MAX`].
    pub headers: Vec<(String, String)>,
    /// The answer's body.
    pub body: Vec<u8>,
}

impl ForwardedRequest {
    /// The encoded bytes; `None` if there would be more than [`FORWARDED_MAX`].
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut out = Writer::new();
        if self.method.len() > NAME_MAX
            || self.target.len() > TARGET_MAX
            || !are_short(&self.headers)
        {
            return None;
        }
        out.short(self.group.as_bytes())
            .short(self.method.as_bytes())
            .medium(self.target.as_bytes());
        headers(&mut out, &self.headers);
        finish(out, &self.body)
    }

    /// Reads what [`ForwardedRequest::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let group = text(r.short(NAME_MAX, "group")?)
            .filter(|name| is_name(name))
            .ok_or(r.malformed("group"))?;
        let method = text(r.short(NAME_MAX, "method")?).ok_or(r.malformed("method"))?;
        let target = text(r.medium(TARGET_MAX, "target")?).ok_or(r.malformed("target"))?;
        let headers = read_headers(&mut r)?;
        Ok(Self {
            group,
            method,
            target,
            headers,
            body: r.rest().to_vec(),
        })
    }
}

impl ForwardedResponse {
    /// The encoded bytes; `None` if there would be more than [`FORWARDED_MAX`].
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut out = Writer::new();
        if !are_short(&self.headers) {
            return None;
        }
        out.u16(self.status);
        headers(&mut out, &self.headers);
        finish(out, &self.body)
    }

    /// Reads what [`ForwardedResponse::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let status = r.u16("status")?;
        if !(200..600).contains(&status) {
            return Err(r.malformed("status"));
        }
        let headers = read_headers(&mut r)?;
        Ok(Self {
            status,
            headers,
            body: r.rest().to_vec(),
        })
    }
}

fn finish(mut out: Writer, body: &[u8]) -> Option<Vec<u8>> {
    out.raw(body);
    Some(out.finish()).filter(|bytes| bytes.len() <= FORWARDED_MAX)
}

fn are_short(headers: &[(String, String)]) -> bool {
    headers.len() <= FORWARDED_HEADERS_MAX
        && headers
            .iter()
            .all(|(name, value)| name.len() <= NAME_MAX && value.len() <= VALUE_MAX)
}

fn headers(out: &mut Writer, headers: &[(String, String)]) {
    out.u8(u8::try_from(headers.len()).expect("they were counted"));
    for (name, value) in headers {
        out.short(name.as_bytes()).medium(value.as_bytes());
    }
}

fn read_headers(r: &mut Reader<'_>) -> Result<Vec<(String, String)>, Malformed> {
    let count = usize::from(r.u8("number of headers")?);
    if count > FORWARDED_HEADERS_MAX {
        return Err(r.malformed("number of headers"));
    }
    (0..count)
        .map(|_| {
            let name = text(r.short(NAME_MAX, "header")?).ok_or(r.malformed("header"))?;
            let value = text(r.medium(VALUE_MAX, "header")?).ok_or(r.malformed("header"))?;
            Ok((name, value))
        })
        .collect()
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// A target, in bytes: a path with each byte encoded, and a query.
const TARGET_MAX: usize = 4 * PATH_MAX;
/// A header's value, in bytes: a list of entity tags, or of conflicts to be settled, or a note.
const VALUE_MAX: usize = 8 << 10;
const _: () = assert!(NOTE_MAX <= VALUE_MAX && TARGET_MAX < 1 << 16 && NAME_MAX < 1 << 8);

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(body: usize) -> ForwardedRequest {
        let headers = vec![("If-Match".to_owned(), "\"x\"".to_owned())];
        ForwardedRequest {
            group: "edge".into(),
            method: "PUT".into(),
            target: "/config?x".into(),
            headers,
            body: vec![b'1'; body],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(
            ForwardedRequest::decode(&forwarded(3).encode().unwrap()),
            Ok(forwarded(3))
        );
        let told = ForwardedResponse {
            status: 412,
            headers: forwarded(0).headers,
            body: b"{}".to_vec(),
        };
        assert_eq!(ForwardedResponse::decode(&told.encode().unwrap()), Ok(told));
    }

    #[test]
    fn what_is_uploaded_is_not_shown() {
        assert_eq!(
            format!("{:?}", forwarded(3)),
            "ForwardedRequest(edge, PUT /config?x, 3 bytes)"
        );
    }

    #[test]
    fn what_is_too_long_or_malformed_is_refused() {
        assert_eq!(forwarded(FORWARDED_MAX).encode(), None);
        assert_eq!(
            ForwardedRequest {
                target: "x".repeat(TARGET_MAX + 1),
                ..forwarded(0)
            }
            .encode(),
            None
        );
        let bytes = forwarded(0).encode().unwrap();
        assert!(
            (0..bytes.len()).all(|end| ForwardedRequest::decode(&bytes[..end]).is_err()),
            "cut anywhere, nothing of it is left"
        );
        assert!(ForwardedResponse::decode(&[0, 1, 0]).is_err(), "status 1");
        assert!(
            ForwardedRequest {
                group: "a/b".into(),
                ..forwarded(0)
            }
            .encode()
            .is_some_and(|bytes| ForwardedRequest::decode(&bytes).is_err())
        );
    }
}
