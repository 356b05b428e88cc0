//! What the server runs: the look that is taken every two seconds, at the least price.
//!
//! Besides the configuration it is certificates and modules that may have gone, which costs a request more only where the document has
//! some; and whether the server was started anew. Unit binds its socket under another name and renames it, so then the socket's file
//! is another, though the server may never have been away for a look. Everything is told with the names of the document.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::Worker;
use super::stock::Shelves;
use crate::daemon::unit::{Control, Failure, Match, Unit, readable};
use crate::limits::GLANCES_MAX;
use crate::model::json::Value;
use crate::node::input::Outcome;

/// What the last observation showed. Forgotten with each change: a server that is set back behind our back must not look unchanged.
pub(super) enum Seen {
    Nothing,
    /// These bytes.
    Text(Vec<u8>),
    /// Too much to come in one piece, and in parts the same as what was last taken.
    InParts {
        /// The beginning, which did come.
        beginning: Vec<u8>,
        /// The announced length.
        expected: u64,
        /// How many observations since have looked at these two only.
        glances: u32,
    },
}

/// Which file a control socket is: device and number, and when it was made, for a number may be given again. Who changes its mode or owner
/// changes none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketFile {
    device: u64,
    number: u64,
    made: (i64, i64),
}

impl SocketFile {
    /// `None` if there is none, or the control socket is of TCP.
    fn of(unit: &Unit) -> Option<Self> {
        let Control::Unix(path) = unit.control() else { return None };
        let found = std::fs::metadata(path).ok()?;
        Some(Self { device: found.dev(), number: found.ino(), made: (found.mtime(), found.mtime_nsec()) })
    }
}

/// The configuration at an observation.
enum Config {
    Same,
    Is(Seen, Arc<Value>),
}

impl Worker {
    pub(super) fn observe(&mut self) -> Outcome {
        // Before anything is read: what is read then is of this server, or of a later one, which the next look will notice.
        let file = SocketFile::of(&self.unit);
        let restarted = file.is_some() && self.socket.is_some() && self.socket != file;
        let config = match self.observe_config() {
            Ok(config) => config,
            Err(Outcome::Differs { paths, .. }) => {
                self.socket = file.or(self.socket);
                return Outcome::Differs { paths, restarted };
            }
            Err(outcome) => return outcome,
        };
        let shelves = match self.shelves(&self.watched()) {
            Ok(shelves) => shelves,
            Err(Failure::Unreadable(why)) => return Outcome::Unknown(why),
            Err(failure) => return Outcome::Unreachable(failure.to_string()),
        };
        self.socket = file.or(self.socket);
        if matches!(config, Config::Same) && shelves.are_like(&self.shelves) && !restarted {
            return Outcome::Unchanged;
        }
        self.observed(config, shelves, restarted)
    }

    fn observed(&mut self, config: Config, shelves: Shelves, restarted: bool) -> Outcome {
        let missing = match self.missing(&shelves) {
            Ok(missing) => missing,
            Err(failure) => return Outcome::Unknown(failure.to_string()),
        };
        let config = match config {
            Config::Is(seen, config) => {
                self.seen = seen;
                config
            }
            Config::Same => match &self.shown {
                Some(config) => Arc::clone(config),
                None => return Outcome::Unknown("nothing was seen before".to_owned()),
            },
        };
        self.shelves = shelves;
        self.shown = Some(Arc::clone(&config));
        if !self.owed.is_empty() {
            self.tidy(&Shelves::default());
        }
        Outcome::Observed { config, missing, restarted }
    }

    fn observe_config(&mut self) -> Result<Config, Outcome> {
        match self.unit.read_config_text() {
            Ok(text) if matches!(&self.seen, Seen::Text(last) if *last == text) => Ok(Config::Same),
            Ok(text) => match readable(&text) {
                Ok(config) => {
                    let config = match &self.taken {
                        Some(taken) => taken.aliases.plain(config),
                        None => config,
                    };
                    Ok(Config::Is(Seen::Text(text), Arc::new(config)))
                }
                Err(failure) => Err(Outcome::Unknown(failure.to_string())),
            },
            Err(Failure::Cut { received, expected }) => self.observe_in_parts(received, expected),
            Err(failure @ Failure::Unreadable(_)) => Err(Outcome::Unknown(failure.to_string())),
            Err(failure) => Err(Outcome::Unreachable(failure.to_string())),
        }
    }

    /// What does not come whole can only be compared with what should be there, at the price of a request for each part. So most of
    /// the time it is the beginning that is looked at, and the length.
    fn observe_in_parts(&mut self, received: Vec<u8>, announced: u64) -> Result<Config, Outcome> {
        if let Seen::InParts { beginning, expected, glances } = &mut self.seen
            && *glances < GLANCES_MAX
            && *expected == announced
            && beginning.iter().zip(&received).all(|(was, is)| was == is)
        {
            *glances += 1;
            return Ok(Config::Same);
        }
        let Some(taken) = &self.taken else { return Err(Outcome::Unknown(TOO_LONG.to_owned())) };
        match self.unit.matches(taken.config()) {
            Ok(Match::Same) => {
                let config = Arc::new(taken.document.config().clone());
                let seen = Seen::InParts { beginning: received, expected: announced, glances: 0 };
                if matches!(self.seen, Seen::InParts { .. }) {
                    self.seen = seen;
                    return Ok(Config::Same);
                }
                Ok(Config::Is(seen, config))
            }
            Ok(Match::Differs(paths)) => {
                self.seen = Seen::Nothing;
                let paths = paths.into_iter().map(|path| path.strip_prefix("/config").map_or(path.clone(), str::to_owned));
                Err(Outcome::Differs { paths: paths.collect(), restarted: false })
            }
            Err(failure) => Err(Outcome::Unknown(format!("{TOO_LONG}, and in parts: {failure}"))),
        }
    }
}

const TOO_LONG: &str = "what the server runs is too long to come whole";
