//! The gate: what stands between clients and the daemon.
//!
//! An HTTP server can be stopped by one request: a length it believes, a body that never comes, a
//! header line without end, a flood of idle connections, want of descriptors. So the gate lets in a
//! bounded number of connections, takes one request from each under deadlines, refuses what is
//! malformed or too large, applies the rules of TCP, and carries the answer back. It knows nothing
//! of what requests mean.
//!
//! Threads: `gate-unix` and `gate-tcp` block on accepting; a `gate` per connection on its client or
//! on the answer; `http` and `answer` are those of the module `handover`.

use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

pub use crate::daemon::http::{HttpRequest, HttpResponse, RequestOrigin};
use crate::daemon::target::holder;
use crate::daemon::unix;
pub use crate::daemon::unix::Rights;
use crate::limits;

use access::Access;
use handover::Handover;
pub use handover::Responder;
use listen::ClientListener;

mod access;
mod body;
mod connection;
mod files;
mod handover;
mod head;
mod listen;
#[cfg(test)]
mod tests;
mod threads;

/// Where the gate listens, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSettings {
    /// The Unix socket. At most 103 bytes long: it is made under a name that is four longer, and a
    /// socket's name is bounded.
    pub control: PathBuf,
    /// Who may connect to the control socket.
    pub rights: Rights,
    /// The REST endpoint on TCP; `None` if there is none.
    pub api: Option<TcpApi>,
}

/// The REST endpoint on TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpApi {
    /// Port 0 takes any free one. An address that is not loopback needs a token.
    pub listen: SocketAddr,
    /// What requests must bear. Without one, only GET is served.
    pub token: Option<String>,
}

/// Why the gate did not open. Nothing listens then, and nothing was removed that somebody answers
/// at.
#[derive(Debug)]
pub enum GateError {
    /// Another process answers at the control socket.
    InUse(PathBuf),
    /// There is something at the control socket's path that is not a socket.
    NotASocket(PathBuf),
    /// The control socket could not be made, or found no threads.
    Control(PathBuf, io::Error),
    /// The TCP address could not be listened on.
    Api(SocketAddr, io::Error),
    /// Others can reach that address, and there is no token.
    TokenMissing(SocketAddr),
    /// The token file holds no token.
    TokenEmpty,
    /// A listener found no thread or no descriptor.
    Listener(io::Error),
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(
                f,
                "the control socket {} is in use: another daemon answers there",
                path.display()
            ),
            Self::NotASocket(path) => {
                write!(f, "{} is not a socket, and is left alone", path.display())
            }
            Self::Control(path, error) if error.kind() == io::ErrorKind::NotFound => {
                let home = path.parent().unwrap_or(path).display();
                write!(
                    f,
                    "cannot listen on {}: there is no directory {home}; make it, or name another \
                     place with --control",
                    path.display()
                )
            }
            Self::Control(path, error) => write!(f, "cannot listen on {}: {error}", path.display()),
            Self::Api(address, error) => write!(
                f,
                "cannot listen on {address}: {}",
                holder::words(*address, error)
            ),
            Self::TokenMissing(address) => {
                write!(f, "{address} is not a loopback address, and needs a token")
            }
            Self::TokenEmpty => write!(f, "the token is empty"),
            Self::Listener(error) => write!(f, "cannot start a listener: {error}"),
        }
    }
}

impl std::error::Error for GateError {}

/// The open gate. Dropped, it stays open: it is closed by [`Gate::stop`] only.
#[derive(Debug)]
pub struct Gate {
    control: PathBuf,
    api: Option<SocketAddr>,
    stopping: Arc<AtomicBool>,
    listening: Vec<OwnedFd>,
    ended: Receiver<()>,
}

/// Opens the gate. `on_request` is called on one thread, which may block a little: the requests
/// that come meanwhile wait. Each must be answered by its [`Responder`], from whatever thread.
pub fn start(
    settings: GateSettings,
    on_request: impl Fn(HttpRequest, Responder) + Send + 'static,
) -> Result<Gate, GateError> {
    start_with(settings, Timing::default(), on_request)
}

/// Makes the socket's directory if only that is missing: `/run` is empty after each boot. The
/// socket itself is closed to others.
fn make_home(control: &Path) -> std::io::Result<()> {
    match control.parent() {
        Some(home) if !home.as_os_str().is_empty() && !home.exists() => {
            DirBuilder::new().mode(0o755).create(home)
        }
        _ => Ok(()),
    }
}

fn start_with(
    settings: GateSettings,
    timing: Timing,
    on_request: impl Fn(HttpRequest, Responder) + Send + 'static,
) -> Result<Gate, GateError> {
    let GateSettings {
        control,
        rights,
        api,
    } = settings;
    let access = api.as_ref().map(Access::new).transpose()?;
    is_free(&control)?;
    let tcp = api
        .map(|api| TcpListener::bind(api.listen).map_err(|error| GateError::Api(api.listen, error)))
        .transpose()?;
    let api = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
    let failed = |error| GateError::Control(control.clone(), error);
    make_home(&control).map_err(failed)?;
    let handover = Handover::start(on_request).map_err(failed)?;
    let unix = unix::listen(&control, rights).map_err(failed)?;
    let (alive, ended) = mpsc::sync_channel(0);
    let stopping = Arc::new(AtomicBool::new(false));
    let mut gate = Gate {
        control,
        api,
        stopping: stopping.clone(),
        listening: Vec::new(),
        ended,
    };
    let shared = Shared {
        handover,
        access: access.map(Arc::new),
        held: Arc::default(),
        timing,
        stopping,
        _alive: alive,
    };
    for listener in [
        Some(ClientListener::Unix(unix)),
        tcp.map(ClientListener::Tcp),
    ]
    .into_iter()
    .flatten()
    {
        match listener.start(shared.clone()) {
            Ok(handle) => gate.listening.push(handle),
            Err(error) => {
                drop(shared);
                gate.stop();
                return Err(GateError::Listener(error));
            }
        }
    }
    Ok(gate)
}

impl Gate {
    /// The control socket's path.
    pub fn control(&self) -> &Path {
        &self.control
    }

    /// The address that is listened on, with its real port.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api
    }

    /// Closes the gate: removes its socket, accepts nobody, and waits for the answers that are
    /// under way, a second at most.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        for listener in self.listening {
            // Any kind of socket can be shut down by this; a blocked accept then fails, and its
            // thread looks at the flag. Connecting to it instead would not do: the
            // socket's file may be gone, or another's.
            let _ = UnixStream::from(listener).shutdown(Shutdown::Both);
        }
        let _ = std::fs::remove_file(&self.control);
        // Every thread of the gate holds an end of this; nothing is ever sent.
        let _ = self.ended.recv_timeout(limits::GATE_STOP_WAIT);
    }
}

/// What all connections of the gate share.
#[derive(Clone)]
struct Shared {
    handover: Handover,
    access: Option<Arc<Access>>,
    held: Arc<AtomicUsize>,
    timing: Timing,
    stopping: Arc<AtomicBool>,
    _alive: SyncSender<()>,
}

/// The waits of a connection; see `limits`.
#[derive(Debug, Clone, Copy)]
struct Timing {
    head: Duration,
    idle: Duration,
    body: Duration,
    answer: Duration,
    write: Duration,
    linger: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            head: limits::GATE_HEAD_WAIT,
            idle: limits::GATE_IDLE_WAIT,
            body: limits::GATE_BODY_WAIT,
            answer: limits::GATE_ANSWER_WAIT,
            write: limits::GATE_WRITE_WAIT,
            linger: limits::GATE_LINGER_WAIT,
        }
    }
}

/// How a request ends that does not get the daemon's answer.
#[derive(Debug)]
enum Ending {
    /// The client is gone: there is nobody to answer.
    Gone,
    /// The gate itself answers, with this.
    Refused(HttpResponse),
}

impl From<HttpResponse> for Ending {
    fn from(response: HttpResponse) -> Self {
        Self::Refused(response)
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Refused(HttpResponse::error(
                408,
                "The request did not arrive in time.",
                "",
            )),
            _ => Self::Gone,
        }
    }
}

/// Nobody may answer at `control`, as Unit has it. A socket that nobody listens on was left by a
/// crash, and is replaced.
fn is_free(control: &Path) -> Result<(), GateError> {
    let failed = |error| GateError::Control(control.to_owned(), error);
    match std::fs::symlink_metadata(control) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(GateError::NotASocket(control.to_owned()));
        }
        Ok(_) => {}
    }
    match unix::connect(control) {
        Ok(_) => Err(GateError::InUse(control.to_owned())),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(failed(error)),
    }
}
