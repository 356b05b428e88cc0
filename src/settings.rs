//! What can be set, and how defaults, the settings file and the flags become one [`Settings`].
//!
//! The file wins over the defaults, flags win over the file; a list given in one place replaces the
//! list of a weaker one. Everything is checked here, before anything is done: what comes out can be
//! used as it is. Nothing here reads a file, the environment or the machine: the caller hands these
//! in. The options themselves stand in [`table`], once, for everybody who needs them.

mod file;
pub mod nearest;
mod options;
pub mod scenario;
pub mod table;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use log::Level;

use crate::limits;
use crate::model::json::JsonError;
use crate::settings::table::{OPTIONS, Opt};

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

/// A settings file: its name, for messages, and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct SettingsFile<'a> {
    /// The path as the user knows it.
    pub name: &'a str,
    /// At most [`limits::SETTINGS_FILE_MAX`] bytes.
    pub text: &'a [u8],
}

/// The settings, and where each came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    sources: BTreeMap<&'static str, Source>,
}

/// Where a setting came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The settings file.
    File,
    /// A flag.
    Flag,
}

/// The values for one option, from one place; at least one.
struct Given {
    option: &'static Opt,
    texts: Vec<String>,
    /// The file and the member, or nothing for a flag.
    member: Option<(String, String)>,
}

impl Resolved {
    /// Merges defaults, file and flags (each with its value; `true` for one without argument), and
    /// checks the whole.
    ///
    /// On an error nothing has happened. It names the flag or the file's member, and what was
    /// expected there.
    pub fn new(
        environment: &Environment,
        file: Option<SettingsFile<'_>>,
        flags: &[(&'static Opt, String)],
    ) -> Result<Self, SettingsError> {
        let mut resolved = Self {
            settings: Settings::defaults(environment),
            sources: BTreeMap::new(),
        };
        for given in file.map_or(Ok(Vec::new()), file::read)? {
            resolved.take(Source::File, &given)?;
        }
        for (option, text) in flags {
            resolved.take(
                Source::Flag,
                &Given {
                    option,
                    texts: vec![text.clone()],
                    member: None,
                },
            )?;
        }
        resolved.finish(environment)
    }

    /// Every setting with its value as text and its source, in the order of the table.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, String, Source)> {
        OPTIONS.iter().filter_map(|option| {
            let setting = option.setting.as_ref()?;
            Some((
                option.name,
                (setting.show)(&self.settings),
                self.source(option.name),
            ))
        })
    }

    /// Where the setting of this long name came from.
    pub fn source(&self, name: &str) -> Source {
        self.sources.get(name).copied().unwrap_or(Source::Default)
    }

    fn take(&mut self, source: Source, given: &Given) -> Result<(), SettingsError> {
        let option = given.option;
        let setting = option
            .setting
            .as_ref()
            .expect("only settings are given here: the callers sort out the other options");
        if let Some(clear) = setting.clear.filter(|_| self.source(option.name) != source) {
            clear(&mut self.settings);
        }
        self.sources.insert(option.name, source);
        for (index, text) in given.texts.iter().enumerate() {
            (setting.take)(&mut self.settings, text).map_err(|expected| SettingsError::Value {
                place: given.place(index),
                expected,
                found: text.clone(),
            })?;
        }
        Ok(())
    }

    /// What depends on several settings at once.
    fn finish(mut self, environment: &Environment) -> Result<Self, SettingsError> {
        let settings = &mut self.settings;
        if settings.state.as_os_str().is_empty() {
            return Err(SettingsError::NoHome);
        }
        if settings.control.as_os_str().is_empty() {
            settings.control = settings.state.join("control.sock");
        }
        if settings.name.is_empty() {
            settings.name = value::host_name(&environment.host_name);
        }
        if settings.control.as_os_str().len() > limits::SOCKET_PATH_MAX {
            return Err(SettingsError::SocketPath(settings.control.clone()));
        }
        match settings.api {
            Some(api) if !api.ip().is_loopback() && settings.api_token_file.is_none() => {
                Err(SettingsError::Open(api))
            }
            None if settings.api_token_file.is_some() => Err(SettingsError::TokenWithoutApi),
            _ => Ok(self),
        }
    }
}

impl Settings {
    /// What to know of an endpoint on TCP that asks for no token, if there is one.
    pub fn shows_all(&self) -> Option<String> {
        let api = self.api.filter(|_| self.api_token_file.is_none())?;
        Some(format!(
            "--api {api} without --api-token-file: every user and every program of this host can read the whole configuration there"
        ))
    }

    /// Empty where the value depends on others: `finish` fills these in.
    fn defaults(environment: &Environment) -> Self {
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
            control_mode: value::CONTROL_MODE,
            control_group: None,
            api: None,
            api_token_file: None,
            listen: value::LISTEN,
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

impl Given {
    fn place(&self, index: usize) -> String {
        match &self.member {
            None => format!("--{}", self.option.name),
            Some((file, member)) if self.option.is_list() => {
                format!("{file}: \"{member}\"[{index}]")
            }
            Some((file, member)) => format!("{file}: \"{member}\""),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Flag => "flag",
        })
    }
}

/// Why settings are not taken. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsError {
    /// The file is no JSON.
    Syntax {
        /// The file.
        file: String,
        /// What is wrong, and where.
        error: JsonError,
    },
    /// The file is not one object, or too long.
    Shape {
        /// The file.
        file: String,
        /// What was expected.
        expected: String,
    },
    /// The file has a member that nobody knows.
    Unknown {
        /// The file.
        file: String,
        /// The member.
        member: String,
        /// The known name that is most like it.
        nearest: Option<String>,
    },
    /// A value is not what it should be.
    Value {
        /// The flag, or the file and the member.
        place: String,
        /// What was expected.
        expected: &'static str,
        /// What was there.
        found: String,
    },
    /// A member of the file has another JSON type.
    Type {
        /// The file and the member.
        place: String,
        /// What was expected.
        expected: &'static str,
        /// The beginning of what was there, as JSON.
        found: String,
    },
    /// Neither `$HOME` nor `$XDG_STATE_HOME` nor `--state` says where the state is.
    NoHome,
    /// The control socket's path is longer than the system allows.
    SocketPath(PathBuf),
    /// REST over TCP for other hosts, without a token.
    Open(SocketAddr),
    /// A token for REST over TCP, which is not switched on.
    TokenWithoutApi,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { file, error } => write!(f, "{file}: {error}"),
            Self::Shape { file, expected } => write!(f, "{file}: expected {expected}"),
            Self::Unknown {
                file,
                member,
                nearest: None,
            } => write!(f, "{file}: unknown member {member:?}"),
            Self::Unknown {
                file,
                member,
                nearest: Some(nearest),
            } => {
                write!(
                    f,
                    "{file}: unknown member {member:?}; did you mean {nearest:?}?"
                )
            }
            Self::Value {
                place,
                expected,
                found,
            } => write!(f, "{place}: expected {expected}, found {found:?}"),
            Self::Type {
                place,
                expected,
                found,
            } => write!(f, "{place}: expected {expected}, found {found}"),
            Self::NoHome => {
                f.write_str("--state: needed, for there is neither $XDG_STATE_HOME nor $HOME")
            }
            Self::SocketPath(path) => {
                write!(
                    f,
                    "--control: a socket's path has at most {} bytes: {}",
                    limits::SOCKET_PATH_MAX,
                    path.display()
                )
            }
            Self::Open(api) => {
                write!(
                    f,
                    "--api: {api} is open to other hosts, so a token is needed: give --api-token-file, or a loopback address"
                )
            }
            Self::TokenWithoutApi => f.write_str("--api-token-file: of no use without --api"),
        }
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests;
