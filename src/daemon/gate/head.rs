//! A request's head: the door to httparse.
//!
//! Pure: bytes in, [`Head`] or the refusing answer out. What leaves here is one request whose
//! length is known beyond doubt: a head that two readers could take for different requests (two
//! lengths, a length and chunks, a folded line) is refused, never mended. Rules: RFC 9112, sections
//! 2 to 6.

use crate::codec::percent;
use crate::daemon::http::HttpResponse;
use crate::limits::{GATE_BODY_MAX, GATE_HEADERS_MAX};

/// The head of a request, well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    /// The request's target: begins with `/`, ASCII only.
    pub(super) target: String,
    /// All header fields as they were sent, in order.
    pub(super) headers: Vec<(String, String)>,
    pub(super) length: BodyLength,
    /// The client waits for leave to send its body.
    pub(super) expects: bool,
}

/// How the body's end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// The body is so many bytes long, at most [`GATE_BODY_MAX`].
    Bytes(usize),
    Chunked,
}

impl Head {
    /// Parses a head that [`end`] has found whole.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HttpResponse> {
        let mut fields = [httparse::EMPTY_HEADER; GATE_HEADERS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(malformed()),
            Err(httparse::Error::Version) => {
                return Err(HttpResponse::error(
                    505,
                    "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
                    "",
                ));
            }
            Err(httparse::Error::TooManyHeaders) => return Err(too_large()),
            Err(_) => return Err(malformed()),
        }
        let headers = request
            .headers
            .iter()
            .map(text)
            .collect::<Result<Vec<_>, _>>()?;
        let is_old = request.version == Some(0);
        let length = length(&headers, is_old)?;
        let expects =
            values(&headers, "Expect").any(|value| value.eq_ignore_ascii_case("100-continue"));
        Ok(Self {
            method: request.method.ok_or_else(malformed)?.to_owned(),
            target: target(request.path.ok_or_else(malformed)?)?,
            headers,
            length,
            expects: expects && !is_old && length != BodyLength::Bytes(0),
        })
    }

    /// All values of a header, in order.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.headers, name)
    }

    /// The headers that concern the request itself, not the connection that it came over.
    pub(super) fn lasting(&self) -> impl Iterator<Item = &(String, String)> {
        let hop = |name: &str| HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop));
        self.headers.iter().filter(move |(name, _)| !hop(name))
    }
}

/// Where the head ends: after the first empty line, whether lines end in CRLF or in a bare LF (RFC
/// 9112, section 2.2). `from` is how much was looked at before, so that a head that comes byte by
/// byte costs no more than one that comes whole.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let start = from.saturating_sub(3);
    let blank = |at: &usize| {
        matches!(
            &bytes[*at..],
            [b'\n', b'\n', ..] | [b'\n', b'\r', b'\n', ..]
        )
    };
    let at = (start..bytes.len()).find(blank)?;
    Some(if bytes[at + 1] == b'\n' {
        at + 2
    } else {
        at + 3
    })
}

/// 431, for a head that is too long or has too many lines.
pub(super) fn too_large() -> HttpResponse {
    HttpResponse::error(431, "The request's head is too large.", "")
}

/// 413, for a body longer than [`GATE_BODY_MAX`], declared or sent.
pub(super) fn too_long() -> HttpResponse {
    HttpResponse::error(413, "The request's body is too large.", "")
}

fn malformed() -> HttpResponse {
    HttpResponse::error(400, "The request is malformed.", "")
}

/// A name and value as text. Other bytes than ASCII cannot be passed on, and leaving the line out
/// could change what was asked for.
fn text(field: &httparse::Header<'_>) -> Result<(String, String), HttpResponse> {
    let value = std::str::from_utf8(field.value)
        .ok()
        .filter(|value| value.is_ascii());
    let value = value
        .ok_or_else(|| HttpResponse::error(400, "A header of the request is not ASCII.", ""))?;
    Ok((field.name.to_owned(), value.to_owned()))
}

/// Origin form only, as Unit has it; raw UTF-8, which Unit takes too, is percent-encoded.
fn target(sent: &str) -> Result<String, HttpResponse> {
    if !sent.starts_with('/') {
        return Err(HttpResponse::error(
            400,
            "The request's target must be a path.",
            "",
        ));
    }
    Ok(percent::encode(sent, |c| c.is_ascii()))
}

fn length(headers: &[(String, String)], is_old: bool) -> Result<BodyLength, HttpResponse> {
    let lengths: Vec<_> = values(headers, "Content-Length").collect();
    let encodings: Vec<_> = values(headers, "Transfer-Encoding").collect();
    match (&lengths[..], &encodings[..]) {
        ([], []) => Ok(BodyLength::Bytes(0)),
        ([length], []) => declared(length),
        ([], [coding]) if !is_old && coding.eq_ignore_ascii_case("chunked") => {
            Ok(BodyLength::Chunked)
        }
        ([], _) if !is_old => Err(HttpResponse::error(
            501,
            "Of the transfer encodings only chunked is known here.",
            "",
        )),
        _ => Err(HttpResponse::error(
            400,
            "The length of the request's body is ambiguous.",
            "",
        )),
    }
}

/// Digits only: a sign or a list is how requests are smuggled. More digits than a number has room
/// for are a length like any other.
fn declared(length: &str) -> Result<BodyLength, HttpResponse> {
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HttpResponse::error(400, "Content-Length is invalid.", ""));
    }
    let length = length
        .parse()
        .ok()
        .filter(|length| *length <= GATE_BODY_MAX);
    length.map(BodyLength::Bytes).ok_or_else(too_long)
}

fn values<'a>(headers: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Headers about one connection or the framing of one body (RFC 9110, section 7.6.1), which the
/// gate deals with itself.
const HOP: [&str; 9] = [
    "Connection",
    "Content-Length",
    "Expect",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];
