//! The settings of the daemon, and their defaults.
//!
//! Plain values: how they are read from text and shown is in `options` and `value`, what depends on
//! several of them at once is checked where they are merged.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;

use log::Level;

use crate::limits;

/// All that the daemon is told from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The state directory.
    pub state: PathBuf,
    /// The Unix socket of the REST endpoint: at most [`limits::SOCKET_PATH_MAX`] bytes.
    pub control: PathBuf,
    /// The mode of that socket: reading and writing for its owner, and perhaps something for its
    /// group.
    pub control_mode: u32,
    /// The group of that socket, by name or number; `None` leaves it as the system makes it.
    pub control_group: Option<String>,
    /// The TCP address of the REST endpoint; beyond the loopback only together with
    /// `api_token_file`.
    pub api: Option<SocketAddr>,
    /// The file with the token that REST over TCP demands.
    pub api_token_file: Option<PathBuf>,
    /// Where peers reach this one; the unspecified IPv6 address means both families.
    pub listen: SocketAddr,
    /// Peers to link to besides those found, as `host:port`, the port not 0.
    pub peers: Vec<String>,
    /// The server that this peer configures.
    pub unit: UnitChoice,
    /// What people call this host: 1 to [`limits::NAME_MAX`] bytes without control characters.
    pub name: String,
    /// The group whose document this peer follows.
    pub group: String,
    /// The file with what is different on this host.
    pub overlay: Option<PathBuf>,
    /// This host's own variables, each `NAME=VALUE`; of two with one name the later counts.
    pub variables: Vec<String>,
    /// What is to be done when somebody changes the server's configuration past Starling.
    pub drift: DriftChoice,
    /// How many older revisions of a group are kept beside the head and the uncontained ones: from
    /// [`limits::HISTORY_KEPT_MIN`] to [`limits::HISTORY_KEPT_MAX`].
    pub history: usize,
    /// For how many seconds the key of a certificate that was deleted or replaced stays in the
    /// history at least: at most [`limits::KEYS_KEPT_MAX`].
    pub keys_kept: u64,
    /// What the revisions in the state directory may take, in MiB.
    pub state_mib: u64,
    /// Whether to announce and look for peers by mDNS.
    pub mdns: bool,
    /// The interfaces to use; empty means all but the loopback.
    pub interfaces: Vec<String>,
    /// What to log: this and everything graver.
    pub log: Level,
}

/// Which server a peer configures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitChoice {
    /// The first control socket found where distributions put it.
    Auto,
    /// None: the peer holds and passes on documents only.
    None,
    /// This control socket (a path, `unix:PATH`) or address (`http://HOST:PORT`).
    At(String),
}

/// What is to be done when somebody changes the server's configuration past Starling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriftChoice {
    /// Say so, and leave it.
    #[default]
    Report,
    /// Give the server the document again.
    Repair,
    /// Publish the change to the group.
    Adopt,
}

/// What the defaults depend on, as the caller found it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Whether the user is root: the system's directories are then the default.
    pub root: bool,
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `$XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// The kernel's name for this host, as it is.
    pub host_name: String,
}

impl Settings {
    /// What to know of an endpoint on TCP that asks for no token, if there is one.
    pub fn shows_all(&self) -> Option<String> {
        let api = self.api.filter(|_| self.api_token_file.is_none())?;
        Some(format!(
            "--api {api} without --api-token-file: every user and every program of this host can \
             read the whole configuration there"
        ))
    }

    /// Empty where the value depends on others: `finish` fills these in.
    pub(super) fn defaults(environment: &Environment) -> Self {
        let state = match environment {
            Environment { root: true, .. } => PathBuf::from("/var/lib/starling"),
            Environment {
                xdg_state_home: Some(home),
                ..
            } => home.join("starling"),
            Environment {
                home: Some(home), ..
            } => home.join(".local/state/starling"),
            _ => PathBuf::new(),
        };
        let control = match environment {
            Environment { root: true, .. } => PathBuf::from("/run/starling/control.sock"),
            Environment {
                xdg_runtime_dir: Some(dir),
                ..
            } => dir.join("starling/control.sock"),
            _ => PathBuf::new(),
        };
        Self {
            state,
            control,
            control_mode: CONTROL_MODE,
            control_group: None,
            api: None,
            api_token_file: None,
            listen: LISTEN,
            peers: Vec::new(),
            unit: UnitChoice::Auto,
            name: String::new(),
            group: "default".to_owned(),
            overlay: None,
            variables: Vec::new(),
            drift: DriftChoice::Report,
            history: limits::HISTORY_KEPT,
            keys_kept: limits::KEYS_KEPT,
            state_mib: limits::STATE_MIB,
            mdns: true,
            interfaces: Vec::new(),
            log: Level::Info,
        }
    }
}

/// The control socket is closed to all but its owner.
pub(super) const CONTROL_MODE: u32 = 0o600;
const LISTEN: SocketAddr =
    SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, limits::PORT, 0, 0));
