//! Unit's control API, as a client sees it.
//!
//! [`Unit::request`] asks one question and says exactly how a failure stands: whether anything was
//! sent, and whether the server may still act on it. [`Unit::see`] reads what the server runs and
//! [`Unit::verify`] compares that with what is wanted, also where an answer is cut off, as Unit
//! does with answers beyond its socket's buffer. Nothing here decides what to do: that is
//! `target`'s part. Starling's own control socket speaks the same API, so the command line uses
//! this client too.

mod access;
mod compare;
mod glance;
mod http;
mod place;
mod reading;
mod resources;
mod rest;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::access::Endpoint;
use self::http::Http;
pub use self::reading::Sight;
pub(crate) use self::resources::is_beginning;
pub use self::resources::{ResourceList, ResourceState};
use super::unix;
use crate::codec::percent;
use crate::limits::{
    CHANGE_WAIT, GATE_ANSWER_WAIT, GATE_HEAD_MAX, READ_BACK_TRIES, READ_WAIT, REQUEST_HEAD_MAX,
};
use crate::model::json::{self, Value};
use crate::node::software::Software;

/// Where a server takes its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`: plain HTTP without authentication, so a loopback address if its owner is wise.
    Tcp(String),
}

impl Control {
    /// Parses what a person writes: a path, `unix:PATH`, or `http://host:port`.
    pub fn parse(text: &str) -> Result<Self, NotAControl> {
        if let Some(address) = text.strip_prefix("http://") {
            let address = address.strip_suffix('/').unwrap_or(address);
            let (host, port) = address.rsplit_once(':').ok_or(NotAControl::Port)?;
            let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '@' | '?' | '#');
            if host.is_empty()
                || !host.chars().all(plain)
                || host.parse::<std::net::Ipv6Addr>().is_ok()
            {
                return Err(NotAControl::Host);
            }
            return match port.parse::<u16>() {
                Ok(port) if port > 0 => Ok(Self::Tcp(format!("{host}:{port}"))),
                _ => Err(NotAControl::Port),
            };
        }
        let path = text.strip_prefix("unix:").unwrap_or(text);
        match path {
            "" => Err(NotAControl::Empty),
            path if path.contains("://") => Err(NotAControl::Scheme),
            path => Ok(Self::Unix(PathBuf::from(path))),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "http://{address}"),
        }
    }
}

/// Why a text names no control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAControl {
    /// The text is empty.
    Empty,
    /// The text is a URL, but not one of `http`.
    Scheme,
    /// No host, or one that is none; an IPv6 address needs its brackets.
    Host,
    /// There is no port from 1 to 65535.
    Port,
}

impl fmt::Display for NotAControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no control socket is named",
            Self::Scheme => "a control socket is a path or http://host:port",
            Self::Host => "not a host in http://host:port",
            Self::Port => "no port in http://host:port",
        })
    }
}

impl std::error::Error for NotAControl {}

/// Why there is no answer, by what may have become of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFailure {
    /// Nothing was sent: nobody listens, or the request is one that cannot be sent. Nothing
    /// happened.
    Unreachable(String),
    /// Sent, or begun to be sent, and the connection ended without a whole answer. What happened is
    /// unknown; it is over.
    Lost(String),
    /// Sent, and no answer in time. It may still come about.
    Late(String),
    /// The head of an answer came, and less of its body than it announced: Unit cuts off long ones.
    Cut {
        /// What came; empty if the announced length was more than is ever read.
        received: Vec<u8>,
        /// The announced length, in bytes.
        expected: u64,
    },
    /// A whole answer that is not what the API says.
    Unreadable(String),
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Lost(why) | Self::Late(why) | Self::Unreadable(why) => {
                f.write_str(why)
            }
            Self::Cut { received, expected } => {
                write!(f, "{} of {expected} bytes came", received.len())
            }
        }
    }
}

impl std::error::Error for RequestFailure {}

/// A whole answer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body as it came.
    pub body: Vec<u8>,
    /// The header `Starling-Older`, which only Starling sends: what is to be found beyond the
    /// history that it keeps.
    pub older: Option<String>,
    /// Whether the header `Starling-Changed` says that the document is as it was.
    pub is_unchanged: bool,
    /// The header `Starling-Kept`: the file that holds what somebody had put on the server and
    /// what was replaced.
    pub kept: Option<String>,
}

/// How what runs compares with what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Both are the same, whatever the order of members.
    Same,
    /// The server differs at these paths: some of them, if there are many.
    Differs(Vec<String>),
}

/// How long a [`Unit`] waits for answers.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The wait for the answer to a change: Unit answers when the applications have started.
    pub change: Duration,
    /// The wait for the answer to a read.
    pub read: Duration,
    /// How often a server that cannot be read after a change is asked again,
    /// [`READ_BACK_WAIT`](crate::limits::READ_BACK_WAIT) apart.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            change: CHANGE_WAIT,
            read: READ_WAIT,
            tries: READ_BACK_TRIES,
        }
    }
}

/// A server's control API.
#[derive(Debug, Clone)]
pub struct Unit {
    control: Control,
    http: Http,
    patience: Patience,
}

impl Unit {
    /// A client with the usual waits. Connects to nothing yet.
    pub fn new(control: Control) -> Self {
        Self::with_patience(control, Patience::default())
    }

    /// A client that waits as `patience` says. Connects to nothing yet.
    pub fn with_patience(control: Control, patience: Patience) -> Self {
        Self {
            http: Http::new(&control, Endpoint::Server, REQUEST_HEAD_MAX),
            control,
            patience,
        }
    }

    /// The control socket of the server.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Which server gave the last answer to this client; `None` before the first.
    pub fn software(&self) -> Option<Software> {
        self.http.software()
    }

    /// How long this client waits.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// A request on a connection of its own. `path` is sent as it stands and must be encoded. PUT
    /// and POST are given the time of a change, all else that of a read. Any status is a
    /// success here; the answer is at most [`ANSWER_MAX`](crate::limits::ANSWER_MAX)
    /// bytes, a longer one is [`RequestFailure::Cut`].
    pub fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Reply, RequestFailure> {
        let wait = if matches!(method, "PUT" | "POST" | "DELETE") {
            self.patience.change
        } else {
            self.patience.read
        };
        self.http.exchange(method, path, &[], body, wait)
    }

    /// A GET that the server answers only after the change under way: it is given the time of a
    /// change.
    pub(crate) fn wait_and_get(&self, path: &str) -> Result<Reply, RequestFailure> {
        self.http
            .exchange("GET", path, &[], None, self.patience.change)
    }

    /// Replaces the whole configuration by `text`. The server takes or leaves it as one.
    pub fn put_config(&self, text: &str) -> Result<Reply, RequestFailure> {
        self.request("PUT", CONFIG, Some(text.as_bytes()))
    }

    /// Reads what the server runs now. If its beginning and its length are those of `before` it is
    /// taken for the same, and for that very value. `hint` is a configuration that it may resemble.
    pub fn see(
        &self,
        before: Option<&Sight>,
        hint: Option<&Value>,
    ) -> Result<Sight, RequestFailure> {
        Sight::read(self, before, hint)
    }

    /// Compares what runs with `want`, and gives what was seen. `before` is what the server ran
    /// before it was given that, as far as is known.
    pub fn verify(
        &self,
        want: &Value,
        before: Option<&Value>,
    ) -> Result<(Match, Sight), RequestFailure> {
        compare::verify(self, want, before)
    }

    /// Reads the whole configuration; see [`Unit::see`].
    pub fn read_config(&self) -> Result<Value, RequestFailure> {
        let sight = self.see(None, None)?;
        Ok(sight.config().value().clone())
    }

    /// Compares the configuration that runs with `want`, all of it.
    pub fn matches(&self, want: &Value) -> Result<Match, RequestFailure> {
        self.verify(want, None).map(|(matches, _)| matches)
    }
}

/// The configuration, or a part of it, in an answer.
fn readable(text: &[u8]) -> Result<Value, RequestFailure> {
    json::parse(text).map_err(|error| {
        RequestFailure::Unreadable(format!(
            "the server's configuration cannot be read: {error}"
        ))
    })
}

/// What is to be said of an answer to a GET with a status that is no error of a reader's.
fn unexpected_status(path: &str, status: u16) -> RequestFailure {
    RequestFailure::Unreadable(format!("GET {path} is answered with {status}"))
}

/// The path of a certificate or a module, below its collection. Unit leaves `%2F` and `%25` as they
/// are in such a name, so a name may have them; every other percent sign is one to be encoded.
pub(crate) fn resource_path(collection: &str, name: &str) -> String {
    let mut text = format!("/{collection}/");
    let mut rest = name;
    while let Some(character) = rest.chars().next() {
        if ["%2F", "%2f", "%25"]
            .iter()
            .any(|kept| rest.starts_with(kept))
        {
            text.push_str(&rest[..3]);
            rest = &rest[3..];
            continue;
        }
        let (one, more) = rest.split_at(character.len_utf8());
        percent::encode_into(&mut text, one, is_plain);
        rest = more;
    }
    text
}

/// A token of a path below `/config`, `/status` or `/control`, as Unit decodes it.
pub fn encoded(token: &str) -> String {
    percent::encode(token, is_plain)
}

/// What Unit takes in a path as it is, beside the percent signs of what is encoded.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | '~' | ':' | '*')
}

/// A GET of Starling's own endpoint at `socket`, with the wait of a read.
pub fn get(socket: &Path, target: &str) -> Result<Reply, RequestFailure> {
    starling(socket).exchange("GET", target, &[], None, READ_WAIT)
}

/// A POST with an empty body and these headers, which must be of printable ASCII. It waits as long
/// as a change may wait for its turn.
pub fn post(
    socket: &Path,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<Reply, RequestFailure> {
    starling(socket).exchange("POST", target, headers, None, GATE_ANSWER_WAIT)
}

/// A DELETE of Starling's own endpoint at `socket`, with the wait of [`post`].
pub fn delete(
    socket: &Path,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<Reply, RequestFailure> {
    starling(socket).exchange("DELETE", target, headers, None, GATE_ANSWER_WAIT)
}

/// A client of Starling's own endpoint, which takes longer heads than Unit.
fn starling(socket: &Path) -> Http {
    Http::new(
        &Control::Unix(socket.to_owned()),
        Endpoint::Starling,
        GATE_HEAD_MAX,
    )
}

/// Where Unit's packages put the control socket: the first place where somebody answers. Where none
/// does, the first that is not open to this user, for then there is something to be said of it; a
/// socket that a crash left is not taken for a server.
pub(crate) fn find_default() -> Option<PathBuf> {
    first_answering(&USUAL)
}

fn first_answering(places: &[&str]) -> Option<PathBuf> {
    // The loop asks, and may not wait for a server that stands still.
    let tried: Vec<_> = places
        .iter()
        .map(|place| (*place, unix::answers(Path::new(place))))
        .collect();
    let answering = tried.iter().find(|(_, tried)| tried.is_ok());
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let closed = || {
        tried
            .iter()
            .find(|(_, tried)| tried.as_ref().is_err_and(is_closed))
    };
    answering
        .or_else(closed)
        .map(|(place, _)| PathBuf::from(place))
}

/// Debian's and Unit's own packages, FreeUnit's, Alpine's.
const USUAL: [&str; 3] = [
    "/var/run/control.unit.sock",
    "/run/control.unit.sock",
    "/run/unit/control.sock",
];

/// The resource that holds the configuration.
const CONFIG: &str = "/config";

#[cfg(test)]
mod tests;
