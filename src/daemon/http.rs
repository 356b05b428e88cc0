//! Requests and answers as values, and how an answer is printed: the door to tiny_http.
//!
//! A request is parsed once, by the gate, and an answer is printed once, here: the status line, the
//! date and the header lines are tiny_http's. Its server is not run: it parses what it serves from
//! a socket that it owns, so that whoever must bound a request first would parse it twice. The map
//! in `lib.rs` counts what that costs.

use std::fmt;
use std::io;

use tiny_http::{HTTPVersion, Header, StatusCode};

#[cfg(doc)]
use crate::limits::GATE_BODY_MAX;
use crate::model::error_body;

/// The door that a request came through, as the gate saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOrigin {
    /// The control socket: whoever can open it may do everything.
    Unix,
    /// TCP: has passed the gate's rules on host, origin and token.
    Tcp,
}

/// A whole HTTP request, head and body.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method as sent, upper or lower case; any token of RFC 9110.
    pub method: String,
    /// The target as sent, with query; begins with `/`. Bytes beyond ASCII have been
    /// percent-encoded.
    pub target: String,
    /// The header fields in the order sent, without those that concern the connection or the
    /// framing of the body.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`GATE_BODY_MAX`] bytes.
    pub body: Vec<u8>,
    /// The door that the request came through.
    pub origin: RequestOrigin,
}

impl HttpRequest {
    /// The value of the first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for HttpRequest {
    /// Prints the request without headers and body: there may be a token or a private key in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Request({} {}, {} bytes, {:?})",
            self.method,
            self.target,
            self.body.len(),
            self.origin
        )
    }
}

/// A whole answer. `Server`, `Date`, `Content-Length` and `Connection` are added to it; its own of
/// these names are not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code, 200 to 599.
    pub status: u16,
    /// Name and value. One that is not printable ASCII is left out: it could end the head early.
    pub headers: Vec<(String, String)>,
    /// May be several MiB long. Not sent in answer to HEAD.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// A refusal, as Unit writes it; `detail` is left out if it is empty.
    pub fn error(status: u16, error: &str, detail: &str) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: error_body::print(error, detail),
        }
    }

    /// The answer as it goes over the wire, without its body if it answers HEAD.
    pub(super) fn print(self, is_to_head: bool) -> Vec<u8> {
        let own = [(
            "Server".to_owned(),
            concat!("Starling/", env!("CARGO_PKG_VERSION")).to_owned(),
        )];
        let theirs = self
            .headers
            .into_iter()
            .filter(|(name, value)| is_sendable(name, value));
        let header = |(name, value): (String, String)| Header::from_bytes(name, value).ok();
        let headers = own.into_iter().chain(theirs).filter_map(header).collect();
        // These have no body by definition; a length would make the client wait for one.
        let body = if matches!(self.status, 204 | 304) {
            Vec::new()
        } else {
            self.body
        };
        let mut printed = Vec::with_capacity(HEAD_BYTES + body.len());
        // Without the request's headers, and beyond any threshold, tiny_http never chooses chunks:
        // the length is always told.
        tiny_http::Response::new(
            StatusCode(self.status),
            headers,
            io::empty(),
            Some(body.len()),
            None,
        )
        .with_chunked_threshold(usize::MAX)
        .raw_print(&mut printed, HTTPVersion(1, 1), &[], true, None)
        .expect("a vector takes all");
        // The one header that tiny_http cannot be made to write stands before the empty line that
        // ends the head.
        printed.truncate(printed.len() - "\r\n".len());
        printed.extend(b"Connection: close\r\n\r\n");
        if !is_to_head {
            printed.extend(body);
        }
        printed
    }
}

fn is_sendable(name: &str, value: &str) -> bool {
    let fits = |text: &str| {
        text.bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    let own = ["Server", "Date", "Content-Length"];
    fits(name)
        && fits(value)
        && !name.is_empty()
        && !own.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Room for a head that is being printed, in bytes: most have less.
const HEAD_BYTES: usize = 512;
