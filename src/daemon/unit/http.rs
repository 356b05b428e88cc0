//! HTTP/1.1 to one control socket: the one door to `ureq`.
//!
//! Asks one question on one connection, as Unit wants it: a head of at most 1024 bytes,
//! `Content-Length` and never chunks, no `Expect`, no proxy, no redirects, nothing kept open.
//! `ureq` is given a connector of ours, because it knows no Unix sockets, and a resolver that
//! resolves nothing, because its own starts a thread for each request. What went wrong is told by
//! how far the request came: not at all ([`RequestFailure::Unreachable`]), or so far that the
//! server may have acted on it.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{Method, Request, Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Body, Error};

use super::access::{self, Endpoint};
use super::{Control, Reply, RequestFailure};
use crate::daemon::stream::Stream;
use crate::daemon::unix;
use crate::limits::{ANSWER_MAX, CONNECT_WAIT, HTTP_BUFFER};
use crate::node::software::Software;

/// A client for one control socket.
#[derive(Debug, Clone)]
pub struct Http {
    agent: Agent,
    /// What stands in the `Host` header and in the URI: Unit looks at neither.
    authority: String,
    /// Bytes that a request's head may have.
    head_max: usize,
    /// The server's socket, to see whose it is.
    socket: Option<PathBuf>,
    /// Which server gave the last answer.
    software: Cell<Option<Software>>,
}

impl Http {
    /// Connects to nothing yet. A request's head will have at most `head_max` bytes.
    pub fn new(control: &Control, whose: Endpoint, head_max: usize) -> Self {
        let config = Config::builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .allow_non_standard_methods(true)
            .input_buffer_size(HTTP_BUFFER)
            .output_buffer_size(HTTP_BUFFER)
            // Each of these headers would come out of the 1024 bytes that a head may have.
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .build();
        let (authority, socket) = match control {
            Control::Unix(path) => ("localhost".to_owned(), Some(path.clone())),
            Control::Tcp(address) => (address.clone(), None),
        };
        let socket = socket.filter(|_| whose == Endpoint::Server);
        Self {
            agent: Agent::with_parts(config, ServerConnector(control.clone(), whose), Nowhere),
            authority,
            head_max,
            socket,
            software: Cell::default(),
        }
    }

    /// A request and its answer, both done within `wait`.
    pub fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
        wait: Duration,
    ) -> Result<Reply, RequestFailure> {
        let body = body.or(matches!(method, "PUT" | "POST" | "PATCH").then_some(&[]));
        self.fits(method, path, headers, body)?;
        let request = |uri: Uri, method: Method| {
            let request = Request::builder().method(method).uri(uri);
            headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            })
        };
        let uri = format!("http://{}{path}", self.authority)
            .parse::<Uri>()
            .map_err(unsendable)?;
        let method = Method::from_bytes(method.as_bytes()).map_err(unsendable)?;
        let answer = match body {
            Some(body) => {
                let request = request(uri, method).body(body).map_err(unsendable)?;
                self.agent.run(
                    self.agent
                        .configure_request(request)
                        .timeout_global(Some(wait))
                        .build(),
                )
            }
            None => {
                let request = request(uri, method).body(()).map_err(unsendable)?;
                self.agent.run(
                    self.agent
                        .configure_request(request)
                        .timeout_global(Some(wait))
                        .build(),
                )
            }
        };
        let answer = answer.map_err(|error| self.failure(error))?;
        self.software.set(
            answer
                .headers()
                .get("server")
                .and_then(|value| Software::parse(value.to_str().ok()?)),
        );
        receive(answer)
    }

    /// Which server gave the last answer, whole or cut off.
    pub fn software(&self) -> Option<Software> {
        self.software.get()
    }

    /// What no byte of an answer came of. A server that closes at once may not want this user:
    /// FreeUnit does that.
    fn failure(&self, error: Error) -> RequestFailure {
        let is_closed = match &error {
            Error::Io(error) => {
                let kinds = [
                    io::ErrorKind::UnexpectedEof,
                    io::ErrorKind::ConnectionReset,
                    io::ErrorKind::BrokenPipe,
                ];
                kinds.contains(&error.kind())
            }
            _ => false,
        };
        match (
            failure(error),
            self.socket
                .as_deref()
                .filter(|_| is_closed)
                .and_then(access::cut_off),
        ) {
            (RequestFailure::Lost(words), Some(why)) => {
                RequestFailure::Lost(format!("{words}; {why}"))
            }
            (failure, _) => failure,
        }
    }

    /// Unit closes without a word on a head of 1025 bytes, which would look like a crash.
    fn fits(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<(), RequestFailure> {
        let lines: usize = headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + ": \r\n".len())
            .sum();
        let length = body.map_or(0, |body| {
            format!("content-length: {}\r\n", body.len()).len()
        });
        let fixed = " ".len() + " HTTP/1.1\r\n".len() + "host: \r\n".len() + "\r\n".len();
        let head = method.len() + path.len() + self.authority.len() + lines + length + fixed;
        if !path.starts_with('/') {
            return Err(RequestFailure::Unreachable(
                "the path does not begin with a slash".to_owned(),
            ));
        }
        if head > self.head_max {
            return Err(RequestFailure::Unreachable(format!(
                "a request head of {head} bytes, more than the server takes"
            )));
        }
        Ok(())
    }
}

/// The body, whole, or what came of it.
fn receive(answer: Response<Body>) -> Result<Reply, RequestFailure> {
    let status = answer.status().as_u16();
    let header = |name: &str| {
        answer
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let (older, kept) = (header("starling-older"), header("starling-kept"));
    let is_unchanged = header("starling-changed").as_deref() == Some("no");
    let expected = answer.body().content_length();
    if let Some(expected) = expected.filter(|expected| *expected > ANSWER_MAX) {
        return Err(RequestFailure::Cut {
            received: Vec::new(),
            expected,
        });
    }
    let mut body = Vec::new();
    let read = answer
        .into_body()
        .into_reader()
        .take(ANSWER_MAX + 1)
        .read_to_end(&mut body);
    match (read.map_err(Error::from), expected) {
        (Ok(_), None) if body.len() as u64 > ANSWER_MAX => {
            Err(RequestFailure::Lost("an answer without end".to_owned()))
        }
        (Ok(_), _) => Ok(Reply {
            status,
            body,
            older,
            is_unchanged,
            kept,
        }),
        (Err(error @ Error::Timeout(_)), _) | (Err(error), None) => Err(failure(error)),
        (Err(_), Some(expected)) => Err(RequestFailure::Cut {
            received: body,
            expected,
        }),
    }
}

/// A failure before anything was sent.
fn unsendable(error: impl fmt::Display) -> RequestFailure {
    RequestFailure::Unreachable(format!("cannot be sent: {error}"))
}

/// Whatever is not known to have failed before the first byte may have reached the server.
fn failure(error: Error) -> RequestFailure {
    match error {
        Error::Timeout(_) => RequestFailure::Late("no answer in time".to_owned()),
        Error::Io(error)
            if error
                .get_ref()
                .is_some_and(|inner| inner.is::<NotConnected>()) =>
        {
            RequestFailure::Unreachable(error.to_string())
        }
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            RequestFailure::Lost("closed without an answer".to_owned())
        }
        other => RequestFailure::Lost(other.to_string()),
    }
}

/// Marks the errors of connecting, so that they can be told from those of a connection.
#[derive(Debug)]
struct NotConnected(String);

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotConnected {}

/// Resolves nothing: [`ServerConnector`] knows where to go.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

/// Opens the connection to a control socket.
#[derive(Debug)]
struct ServerConnector(Control, Endpoint);

impl ServerConnector {
    fn open(&self) -> io::Result<Stream> {
        match &self.0 {
            Control::Unix(path) => unix::connect(path).map(Stream::Unix),
            Control::Tcp(address) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, CONNECT_WAIT) {
                        Ok(stream) => {
                            return stream.set_nodelay(true).map(|()| Stream::Tcp(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }
}

impl ServerConnector {
    /// What went wrong, and whose the socket is if that is what is wrong.
    fn words(&self, error: &io::Error) -> String {
        match &self.0 {
            Control::Unix(path) if error.kind() == io::ErrorKind::PermissionDenied => {
                format!("{}: {error}; {}", self.0, access::closed(path, self.1))
            }
            control if self.1 == Endpoint::Starling => {
                format!("{control}: {error}; is `starling run` running here?")
            }
            control => format!("{control}: {error}"),
        }
    }
}

impl Connector for ServerConnector {
    type Out = Wire;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _chained: Option<()>,
    ) -> Result<Option<Wire>, Error> {
        let stream = self
            .open()
            .map_err(|error| io::Error::new(error.kind(), NotConnected(self.words(&error))))?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Wire {
            stream,
            buffers,
            unsent: Vec::new(),
            deaf: false,
        }))
    }
}

/// A connection, with ureq's buffers.
#[derive(Debug)]
struct Wire {
    stream: Stream,
    buffers: LazyBuffers,
    /// What goes out before an answer is waited for: a head and a short body make one packet.
    unsent: Vec<u8>,
    /// The server has closed its ear; what it said before is still to be read.
    deaf: bool,
}

impl Wire {
    fn send_all(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        let unsent = std::mem::take(&mut self.unsent);
        if self.deaf {
            return Ok(());
        }
        let sent = match self.stream.write_at_once(&unsent) {
            Ok(count) if count == unsent.len() => return Ok(()),
            Ok(count) => {
                self.stream.set_write_timeout(left(timeout)?)?;
                (&self.stream).write_all(&unsent[count..])
            }
            Err(error) => Err(error),
        };
        match sent {
            // A server may answer and close before it has read a body that it will not have: its
            // words count, not the pipe.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                self.deaf = true
            }
            other => other.map_err(|error| blocked(error, timeout))?,
        }
        Ok(())
    }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let more = &self.buffers.output()[..amount];
        self.unsent.extend_from_slice(more);
        match self.unsent.len() > HTTP_BUFFER {
            true => self.send_all(timeout),
            false => Ok(()),
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.send_all(timeout)?;
        loop {
            self.stream.set_read_timeout(left(timeout)?)?;
            match (&self.stream).read(self.buffers.input_append_buf()) {
                Ok(count) => {
                    self.buffers.input_appended(count);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(blocked(error, timeout)),
            }
        }
    }

    /// Never used twice: Unit answers one request on a connection.
    fn is_open(&mut self) -> bool {
        false
    }
}

/// What is left of the request's time; a socket takes no time-out of zero.
fn left(timeout: NextTimeout) -> Result<Option<Duration>, Error> {
    if timeout.after.is_zero() {
        return Err(Error::Timeout(timeout.reason));
    }
    Ok(timeout.not_zero().map(|left| *left))
}

/// A socket's time-out shows as one of two errors, depending on the system.
fn blocked(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}
