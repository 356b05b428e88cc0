//! HTTP by hand, through either door: the bytes that are sent are the test's business, and nothing is mended on the way.

use std::io::{ErrorKind, Read, Result, Write};
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
        let stream = match self {
            Self::Unix(path) => Stream::Unix(connect(path).unwrap_or_else(|error| panic!("{self:?}: {error}"))),
            Self::Tcp(address) => Stream::Tcp(TcpStream::connect(address).unwrap_or_else(|error| panic!("{self:?}: {error}"))),
        };
        stream.set_patience(PATIENCE);
        stream
    }

    /// Sends `bytes`, as far as they are taken, and waits for what comes back until the other side closes.
    pub fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // Refused half-way, the rest finds nobody; the answer is there all the same.
        let _ = stream.write_all(bytes);
        stream.reply()
    }
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
            Self::Unix(stream) => stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(patience))),
            Self::Tcp(stream) => stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(patience))),
        };
        set.expect("a time-out can be set on an open socket");
    }

    /// All that comes until the other side closes. Panics if that is no answer at all.
    pub fn reply(&mut self) -> Reply {
        let bytes = self.rest();
        Reply::parse(&bytes).unwrap_or_else(|| panic!("this is no answer: {:?}", String::from_utf8_lossy(&bytes)))
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
    /// The last answer in `bytes`: an interim one (100) is passed over. Its body must be as long as it says.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        if head.starts_with("HTTP/1.1 100 ") {
            return Self::parse(body.as_bytes());
        }
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = lines.map(header).collect::<Option<Vec<_>>>()?;
        let reply = Self { status, headers, body: body.to_owned() };
        let length: usize = reply.header("Content-Length")?.parse().ok()?;
        // The answer to HEAD tells a length and has no body.
        (body.is_empty() || body.len() == length).then_some(reply)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| &value[..])
    }
}

/// Longer than anything takes that is not about to fail.
const PATIENCE: Duration = Duration::from_secs(30);
