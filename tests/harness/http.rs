//! The one HTTP client of the tests, by hand and through either door: the bytes that are sent are
//! the test's business, and nothing is mended on the way. What needs no particular bytes is sent by
//! [`request`], as curl would.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a daemon can be called at.
#[derive(Debug, Clone)]
pub enum Door {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// A connection through one of them.
pub enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Door {
    pub fn connect(&self) -> Stream {
        self.try_connect()
            .unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// As [`Door::connect`], where there may be nobody.
    pub fn try_connect(&self) -> Result<Stream> {
        let stream = match self {
            Self::Unix(path) => Stream::Unix(connect(path)?),
            Self::Tcp(address) => Stream::Tcp(TcpStream::connect(address)?),
        };
        stream.set_patience(PATIENCE);
        Ok(stream)
    }

    /// Sends `bytes`, as far as they are taken, and waits for what comes back until the other side
    /// closes.
    pub fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // Refused half-way, the rest finds nobody; the answer is there all the same.
        let _ = stream.write_all(bytes);
        stream.reply()
    }
}

/// Sends one request to a control socket, and gives the answer as soon as it is whole.
///
/// # Errors
/// What the socket says; `InvalidData` for an answer that is not HTTP, or not whole.
pub fn request(socket: &Path, method: &str, target: &str, body: &[u8]) -> Result<Reply> {
    request_with(socket, method, target, "", body)
}

/// As [`request`], with further headers, each with its CRLF.
///
/// # Errors
/// As [`request`].
pub fn request_with(
    socket: &Path,
    method: &str,
    target: &str,
    headers: &str,
    body: &[u8],
) -> Result<Reply> {
    let mut stream = Door::Unix(socket.to_owned()).try_connect()?;
    let length = body.len();
    let own = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n"
    );
    stream.write_all(&[own.as_bytes(), headers.as_bytes(), b"\r\n", body].concat())?;
    stream.answer()
}

/// Does it again when a signal came in between: the standard library does that for TCP only.
pub fn connect(path: &Path) -> Result<UnixStream> {
    loop {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl Stream {
    fn set_patience(&self, patience: Duration) {
        let set = match self {
            Self::Unix(stream) => stream
                .set_read_timeout(Some(patience))
                .and_then(|()| stream.set_write_timeout(Some(patience))),
            Self::Tcp(stream) => stream
                .set_read_timeout(Some(patience))
                .and_then(|()| stream.set_write_timeout(Some(patience))),
        };
        set.expect("a time-out can be set on an open socket");
    }

    /// All that comes until the other side closes. Panics if that is no answer at all.
    pub fn reply(&mut self) -> Reply {
        let bytes = self.rest();
        Reply::parse(&bytes)
            .unwrap_or_else(|| panic!("this is no answer: {:?}", String::from_utf8_lossy(&bytes)))
    }

    /// The answer, as soon as it is as long as it says: nobody need close.
    ///
    /// # Errors
    /// What the socket says; `InvalidData` for what is no whole answer when the other side closes.
    pub fn answer(&mut self) -> Result<Reply> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 65_536]);
        loop {
            let count = match self.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            };
            all.extend_from_slice(&buffer[..count]);
            let reply = Reply::parse(&all);
            if count == 0 {
                let what = || {
                    Error::new(
                        ErrorKind::InvalidData,
                        format!("no whole answer: {} bytes", all.len()),
                    )
                };
                return reply.ok_or_else(what);
            }
            if let Some(reply) = reply.filter(|reply| reply.length() == Some(reply.body.len())) {
                return Ok(reply);
            }
        }
    }

    /// All bytes that come until the other side closes, or resets.
    pub fn rest(&mut self) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 16384]);
        loop {
            match self.read(&mut buffer) {
                Ok(count @ 1..) => all.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return all,
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(into),
            Self::Tcp(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// One whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// The last answer in `bytes`: an interim one (100) is passed over. Its body must be as long as
    /// it says.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        if head.starts_with("HTTP/1.1 100 ") {
            return Self::parse(body.as_bytes());
        }
        let mut lines = head.split("\r\n");
        let status = lines
            .next()?
            .strip_prefix("HTTP/1.1 ")?
            .get(..3)?
            .parse()
            .ok()?;
        let header = |line: &str| {
            line.split_once(": ")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let headers = lines.map(header).collect::<Option<Vec<_>>>()?;
        let reply = Self {
            status,
            headers,
            body: body.to_owned(),
        };
        // The answer to HEAD tells a length and has no body.
        let length = reply.length()?;
        (body.is_empty() || body.len() == length).then_some(reply)
    }

    fn length(&self) -> Option<usize> {
        self.header("Content-Length")?.parse().ok()
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| &value[..])
    }
}

/// Longer than anything takes that is not about to fail.
const PATIENCE: Duration = Duration::from_secs(30);
