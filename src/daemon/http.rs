//! The door to tiny_http: requests in, answers out.
//!
//! tiny_http listens on a private Unix socket and hears nobody but the gate, which sends it only whole, bounded requests, one a
//! connection: as it is, one hostile request can stop or abort it. Here a request is read, handed to `on_request` on the thread
//! `http`, and its answer made and written on the thread `answer`. If tiny_http's own accept thread dies (it does when descriptors
//! run out), the answer thread makes a new server under the same name; no request that was not in its hands is lost by that.
//!
//! Invariant: the answer thread never waits for a client. The gate takes every answer whole, or hangs up.

use std::fmt;
use std::io::{self, Cursor, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;

use tiny_http::{HTTPVersion, Header, Server, StatusCode};

use super::unix::{self, Rights};
use crate::limits::{GATE_BODY_MAX, GATE_CONNECTIONS_MAX, GATE_RETRY_PAUSE, GATE_STOP_WAIT};

/// Where a request came from. The gate says so; a client cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The control socket: whoever can open it may do everything.
    Unix,
    /// TCP: has passed the gate's rules on host, origin and token.
    Tcp,
}

/// One whole request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// As sent, upper or lower case; any token of RFC 9110.
    pub method: String,
    /// As sent, with query; begins with `/`. Bytes beyond ASCII have been percent-encoded.
    pub target: String,
    /// In the order sent, without those that concern the connection or the framing of the body.
    pub headers: Vec<(String, String)>,
    /// At most [`GATE_BODY_MAX`] bytes.
    pub body: Vec<u8>,
    /// Which of the two doors it came through.
    pub origin: Origin,
}

impl Request {
    /// The value of the first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Request {
    /// Without headers and body: there may be a token or a private key in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {}, {} bytes, {:?})", self.method, self.target, self.body.len(), self.origin)
    }
}

/// One whole answer. `Server`, `Date`, `Content-Length` and `Connection` are added to it; its own of these names are not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// Name and value. One that is not printable ASCII is left out: it could end the head early.
    pub headers: Vec<(String, String)>,
    /// May be several MiB long. Not sent in answer to HEAD.
    pub body: Vec<u8>,
}

impl Response {
    /// `{"error": …}` as Unit writes it. `text` stands in the body as it is, so it may hold neither quotes nor backslashes.
    pub fn error(status: u16, text: &'static str) -> Self {
        let body = format!("{{\r\n\t\"error\": \"{text}\"\r\n}}\r\n").into_bytes();
        Self { status, headers: vec![("Content-Type".to_owned(), "application/json".to_owned())], body }
    }

    /// The answer as it goes over the wire, `Connection` excepted, which tiny_http cannot be made to write.
    pub(super) fn print(self, without_body: bool, mut writer: impl Write) -> io::Result<()> {
        let own = [("Server".to_owned(), concat!("Starling/", env!("CARGO_PKG_VERSION")).to_owned())];
        let theirs = self.headers.into_iter().filter(|(name, value)| is_sendable(name, value));
        let header = |(name, value): (String, String)| Header::from_bytes(name, value).ok();
        let headers = own.into_iter().chain(theirs).filter_map(header).collect();
        // These have no body by definition; a length would make the client wait for one.
        let body = if matches!(self.status, 204 | 304) { Vec::new() } else { self.body };
        let length = body.len();
        // Without the request's headers, and beyond any threshold, tiny_http never chooses chunks: the length is always told.
        tiny_http::Response::new(StatusCode(self.status), headers, Cursor::new(body), Some(length), None)
            .with_chunked_threshold(usize::MAX)
            .raw_print(&mut writer, HTTPVersion(1, 1), &[], without_body, None)?;
        writer.flush()
    }
}

/// Owed to one request: exactly one answer. Dropped without one, it answers 503.
pub struct Responder {
    reply: Option<Reply>,
    jobs: SyncSender<Job>,
}

impl Responder {
    /// Has `answer` called, and what it returns written, on the answer thread. Never blocks.
    pub fn respond(mut self, answer: Box<dyn FnOnce() -> Response + Send>) {
        self.send(answer);
    }

    fn send(&mut self, answer: Answer) {
        let Some(reply) = self.reply.take() else { return };
        // The queue has a place for every connection that the gate lets in. Were it full all the same, or the answer thread gone,
        // the connection is closed, and the gate answers 503.
        if self.jobs.try_send(Job::Answer(reply, answer)).is_err() {
            log::debug!("an answer came after the end");
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.send(Box::new(|| Response::error(503, "The request could not be answered.")));
    }
}

/// The server behind the gate.
#[derive(Debug, Clone)]
pub(super) struct Http {
    path: PathBuf,
    jobs: SyncSender<Job>,
    generation: Arc<AtomicU64>,
}

impl Http {
    /// Listens at `path` (0600, replacing what was there) and calls `on_request` on a thread of its own. Nothing runs after an error.
    pub(super) fn start(path: PathBuf, on_request: impl Fn(Request, Responder) + Send + 'static) -> io::Result<Self> {
        let (jobs, todo) = mpsc::sync_channel(JOBS_MAX);
        let generation = Arc::new(AtomicU64::new(0));
        let server = serve(&path)?;
        let (next, servers) = mpsc::sync_channel(1);
        let intake = Intake { server: server.clone(), servers, jobs: jobs.clone(), generation: generation.clone() };
        let http = thread::Builder::new().name("http".to_owned()).spawn(move || intake.run(on_request))?;
        let keeper = Keeper { path: path.clone(), server, next, made: 0 };
        thread::Builder::new().name("answer".to_owned()).spawn(move || keeper.run(&todo, http))?;
        Ok(Self { path, jobs, generation })
    }

    /// A connection to the server; one request may be sent on it. If nobody listens any more, has the server made anew.
    pub(super) fn connect(&self) -> io::Result<UnixStream> {
        let generation = self.generation.load(Ordering::Acquire);
        unix::connect(&self.path).inspect_err(|error| {
            if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) {
                // A full queue means that others have asked already.
                let _ = self.jobs.try_send(Job::Revive(generation));
            }
        })
    }

    /// The head of a request as [`Intake`] expects it: everything but the client's own headers and the blank line.
    pub(super) fn head(method: &str, target: &str, origin: Origin, length: usize) -> String {
        let origin = if origin == Origin::Unix { UNIX } else { TCP };
        format!("{method} {target} HTTP/1.1\r\n{MARKER}: {origin}\r\nContent-Length: {length}\r\nConnection: close\r\n")
    }

    /// Ends both threads, once what was asked before is answered, and removes the socket. Waits for that, but not for ever: whoever
    /// took a request may be blocked.
    pub(super) fn stop(&self) {
        let (done, over) = mpsc::sync_channel(0);
        // Full or gone: in the first case the process is about to end with answers unsent, in the second it is done already.
        let _ = self.jobs.try_send(Job::Stop(done));
        let _ = over.recv_timeout(GATE_STOP_WAIT);
    }
}

/// Whether the header is one of tiny_http's or the gate's own making, whatever the client called it.
pub(super) fn is_marker(name: &str) -> bool {
    name.eq_ignore_ascii_case(MARKER)
}

/// Whether an answer's head was written by [`Response::print`], and not by tiny_http about a request that it lost.
pub(super) fn is_ours(head: &str) -> bool {
    head.contains("\r\nServer: Starling/")
}

type Answer = Box<dyn FnOnce() -> Response + Send>;

/// Where an answer goes.
struct Reply {
    writer: Box<dyn Write + Send>,
    without_body: bool,
}

/// What the answer thread is asked to do.
enum Job {
    Answer(Reply, Answer),
    /// Make the server anew, if it still is that generation.
    Revive(u64),
    /// End, and drop this when done.
    Stop(SyncSender<()>),
}

/// The thread `http`: takes requests from the server, and a new server when the old one is done for. It alone counts generations, on
/// taking one, so that nobody can report a server dead that it has not seen.
struct Intake {
    server: Arc<Server>,
    servers: Receiver<Arc<Server>>,
    jobs: SyncSender<Job>,
    generation: Arc<AtomicU64>,
}

impl Intake {
    fn run(mut self, on_request: impl Fn(Request, Responder)) {
        loop {
            let generation = self.generation.load(Ordering::Acquire);
            match self.server.recv() {
                Ok(request) => self.pass_on(request, &on_request),
                Err(error) => {
                    log::debug!("the http server ended: {error}");
                    while let Ok(Some(request)) = self.server.try_recv() {
                        self.pass_on(request, &on_request);
                    }
                    // Stale, and so ignored, if the answer thread has woken us because it has a new server for us.
                    let _ = self.jobs.try_send(Job::Revive(generation));
                    match self.servers.recv() {
                        Ok(server) => {
                            self.server = server;
                            self.generation.store(generation + 1, Ordering::Release);
                        }
                        Err(_) => return,
                    }
                }
            }
        }
    }

    fn pass_on(&self, request: tiny_http::Request, on_request: &impl Fn(Request, Responder)) {
        if let Some((request, reply)) = take(request) {
            on_request(request, Responder { reply: Some(reply), jobs: self.jobs.clone() });
        }
    }
}

/// The thread `answer`: writes answers, and owns the server.
struct Keeper {
    path: PathBuf,
    server: Arc<Server>,
    next: SyncSender<Arc<Server>>,
    made: u64,
}

impl Keeper {
    fn run(mut self, todo: &Receiver<Job>, http: thread::JoinHandle<()>) {
        let mut revive = false;
        let _done = loop {
            let job = if revive { todo.recv_timeout(GATE_RETRY_PAUSE) } else { todo.recv().map_err(Into::into) };
            match job {
                Ok(Job::Answer(reply, answer)) => write(reply, answer),
                Ok(Job::Revive(generation)) => revive |= generation == self.made,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Job::Stop(done)) => break Some(done),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            if revive {
                revive = !self.revive();
            }
        };
        self.stop(http);
    }

    /// False if it could not be done now, most likely for want of descriptors.
    fn revive(&mut self) -> bool {
        let Ok(server) = serve(&self.path) else { return false };
        let old = std::mem::replace(&mut self.server, server.clone());
        // The place is free: the generation that was found dead had been taken by the http thread, which counts it then.
        if self.next.try_send(server).is_err() {
            log::debug!("the http thread has a new server waiting");
        }
        self.made += 1;
        old.unblock();
        log::warn!("the http server had ended and was made anew");
        true
    }

    fn stop(self, http: thread::JoinHandle<()>) {
        let Self { path, server, next, .. } = self;
        drop(next);
        server.unblock();
        let _ = http.join();
        drop(server);
        // The server looks at its stop flag after an accept only, and cannot wake itself: its name has been changed under it.
        drop(UnixStream::connect(&path));
        let _ = std::fs::remove_file(&path);
    }
}

fn serve(path: &Path) -> io::Result<Arc<Server>> {
    let listener = unix::listen(path, Rights::PRIVATE)?;
    Server::from_listener(listener, None).map(Arc::new).map_err(io::Error::other)
}

/// The request, read whole, and the way back. `None` for what the gate did not send.
///
/// The reader is given up here (`into_writer` drops it), before the answer is made: one of tiny_http's few threads waits for that.
fn take(mut request: tiny_http::Request) -> Option<(Request, Reply)> {
    let text = |header: &Header| (header.field.to_string(), header.value.to_string());
    let mut headers: Vec<_> = request.headers().iter().map(text).collect();
    let marker = headers.iter().find(|(name, _)| is_marker(name)).map(|(_, value)| value.as_str());
    let origin = match marker {
        Some(UNIX) => Origin::Unix,
        Some(TCP) => Origin::Tcp,
        _ => return None,
    };
    headers.retain(|(name, _)| !is_marker(name) && !FRAMING.iter().any(|own| name.eq_ignore_ascii_case(own)));
    let length = request.body_length().unwrap_or(0);
    if length > GATE_BODY_MAX {
        return None;
    }
    let mut body = Vec::with_capacity(length);
    request.as_reader().read_to_end(&mut body).ok().filter(|count| *count == length)?;
    let (method, target) = (request.method().to_string(), request.url().to_owned());
    let reply = Reply { without_body: method == "HEAD", writer: request.into_writer() };
    Some((Request { method, target, headers, body, origin }, reply))
}

fn write(reply: Reply, answer: Answer) {
    let Reply { writer, without_body } = reply;
    if let Err(error) = answer().print(without_body, writer) {
        log::debug!("an answer was not taken: {error}");
    }
}

fn is_sendable(name: &str, value: &str) -> bool {
    let fits = |text: &str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let own = ["Server", "Date", "Content-Length"];
    fits(name) && fits(value) && !name.is_empty() && !own.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Names the door that a request came through. The gate takes it out of what a client sends.
const MARKER: &str = "Starling-Origin";
const UNIX: &str = "unix";
const TCP: &str = "tcp";
/// What the gate writes for tiny_http's eyes.
const FRAMING: [&str; 2] = ["Content-Length", "Connection"];
/// Each connection, on either listener, may have one answer and one wish for a new server waiting; and there is the end.
const JOBS_MAX: usize = 4 * GATE_CONNECTIONS_MAX + 1;
