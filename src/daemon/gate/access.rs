//! Who may ask what over TCP.
//!
//! Pure. The Unix socket needs none of this: its mode is the rule. On TCP a web page must not be
//! able to reach the daemon through its visitor's browser, so the request must name a loopback host
//! (against DNS rebinding) and must not come from another site's page (against forged requests);
//! and without a token nobody may change anything.

use std::hint::black_box;
use std::net::IpAddr;

use super::head::Head;
use super::{GateError, TcpApi};
use crate::daemon::http::HttpResponse;
use crate::model::path::Path;

/// The rules of one TCP listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    is_loopback: bool,
    token: Option<String>,
}

impl Access {
    /// An address that others can reach is refused without a token, and an empty token everywhere.
    pub(super) fn new(api: &TcpApi) -> Result<Self, GateError> {
        let is_loopback = api.listen.ip().to_canonical().is_loopback();
        match &api.token {
            Some(token) if token.is_empty() => Err(GateError::TokenEmpty),
            None if !is_loopback => Err(GateError::TokenMissing(api.listen)),
            token => Ok(Self {
                is_loopback,
                token: token.clone(),
            }),
        }
    }

    /// Judged by the head alone, before a byte of the body is taken.
    pub(super) fn check(&self, head: &Head) -> Result<(), HttpResponse> {
        let mut hosts = head.values("Host");
        let host = hosts.next().filter(|_| hosts.next().is_none());
        if self.is_loopback && !host.is_some_and(is_loopback) {
            return Err(HttpResponse::error(
                403,
                "The Host header must be a loopback name, such as localhost.",
                "",
            ));
        }
        if !head.values("Origin").all(is_loopback_origin) {
            return Err(HttpResponse::error(
                403,
                "Requests from another site's pages are refused.",
                "",
            ));
        }
        match &self.token {
            None if head.method == "GET" && !is_control(head) => Ok(()),
            None => Err(read_only()),
            Some(token) if is_liveness(head) || bears(head, token) => Ok(()),
            Some(_) => Err(unauthorised()),
        }
    }
}

fn read_only() -> HttpResponse {
    let text = "Over TCP without a token only GET is served: give the daemon a token file, or use \
                its control socket.";
    let mut response = HttpResponse::error(405, text, "");
    response
        .headers
        .push(("Allow".to_owned(), "GET".to_owned()));
    response
}

fn unauthorised() -> HttpResponse {
    let mut response = HttpResponse::error(
        401,
        "A valid token is required: send the header Authorization with Bearer and the token.",
        "",
    );
    response.headers.push((
        "WWW-Authenticate".to_owned(),
        "Bearer realm=\"starling\"".to_owned(),
    ));
    response
}

/// Unit restarts an application by GET, and that is no reading.
fn is_control(head: &Head) -> bool {
    Path::parse(&head.target).is_ok_and(|path| {
        path.tokens()
            .first()
            .is_some_and(|first| first == "control")
    })
}

/// A supervisor's probe has no token, and learns nothing by this.
fn is_liveness(head: &Head) -> bool {
    head.method == "GET" && head.target.split('?').next() == Some("/healthz")
}

fn bears(head: &Head, token: &str) -> bool {
    let mut values = head.values("Authorization");
    let Some((scheme, sent)) = values.next().and_then(|value| value.split_once(' ')) else {
        return false;
    };
    values.next().is_none()
        && scheme.eq_ignore_ascii_case("Bearer")
        && is_same(sent.trim().as_bytes(), token.as_bytes())
}

/// Takes as long for a token that is wrong in its first byte as for one that is wrong in its last.
fn is_same(sent: &[u8], token: &[u8]) -> bool {
    let differing = sent
        .iter()
        .zip(token)
        .fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    sent.len() == token.len() && differing == 0
}

/// `http://localhost:8080` and the like; `null`, which a sandboxed page sends, is not.
fn is_loopback_origin(origin: &str) -> bool {
    let host = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(is_loopback)
}

/// A name of this host that no DNS server has a say in, with or without a port.
fn is_loopback(host: &str) -> bool {
    let host = host.trim();
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if !port.ends_with(']') && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    };
    let address = name
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(name);
    // An IPv6 address without brackets is no host: what follows its last colon would be its port.
    let is_bare_v6 = address.len() == name.len() && name.contains(':');
    !is_bare_v6
        && (name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}
