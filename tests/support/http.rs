//! A very small HTTP client over Unix sockets, for the control sockets of Starling and of
//! the stand-in server. One request a connection, as curl would send it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer, as received.
pub struct Reply {
    /// The status code.
    pub status: u16,
    head: String,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request and reads the whole answer.
///
/// # Errors
/// What the socket says; `InvalidData` for an answer that is not HTTP, or an empty one.
pub fn request(socket: &Path, method: &str, target: &str, body: &[u8]) -> io::Result<Reply> {
    request_with(socket, method, target, "", body)
}

/// The same, with further header lines, each with its line end.
///
/// # Errors
/// As [`request`].
pub fn request_with(socket: &Path, method: &str, target: &str, headers: &str, body: &[u8]) -> io::Result<Reply> {
    let mut stream = uninterrupted(|| UnixStream::connect(socket))?;
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    let mut message = format!("{head}{headers}\r\n").into_bytes();
    message.extend_from_slice(body);
    stream.write_all(&message)?;
    read_reply(&mut stream)
}

/// Does it again when a signal came in between. A machine that is stopped for a moment and goes on wakes whoever waits in this way.
pub fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn read_reply(stream: &mut UnixStream) -> io::Result<Reply> {
    let mut received = Vec::new();
    let mut chunk = vec![0; 65_536];
    loop {
        if let Some(reply) = whole(&received) {
            return Ok(reply);
        }
        match uninterrupted(|| stream.read(&mut chunk))? {
            0 => return until_close(received),
            n => received.extend_from_slice(&chunk[..n]),
        }
    }
}

/// The answer, once as many bytes are there as its Content-Length says.
fn whole(received: &[u8]) -> Option<Reply> {
    let reply = split(received)?;
    let length: usize = reply.header("content-length")?.parse().ok()?;
    (reply.body.len() >= length).then_some(reply)
}

fn until_close(received: Vec<u8>) -> io::Result<Reply> {
    split(&received)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no whole answer: {} bytes", received.len())))
}

fn split(received: &[u8]) -> Option<Reply> {
    let end = received.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply { status, head, body: received[end + 4..].to_vec() })
}

/// Longer than any write may take that waits for a slow server and two redone tries.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
