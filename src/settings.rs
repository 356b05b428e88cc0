//! What can be set, and how defaults, the settings file and the flags become one [`Settings`].
//!
//! The file wins over the defaults, flags win over the file; a list given in one place replaces the
//! list of a weaker one. Everything is checked here, before anything is done: what comes out can be
//! used as it is. Nothing here reads a file, the environment or the machine: the caller hands these
//! in. The options themselves stand in [`options`], once, for everybody who needs them.

mod daemon;
mod error;
mod file;
mod given;
pub mod nearest;
pub mod options;
pub mod scenario;
pub mod table;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use self::given::Given;
use self::options::OPTIONS;
use self::table::Opt;
use crate::limits;

pub use self::daemon::{DriftChoice, Environment, Settings, UnitChoice};
pub use self::error::SettingsError;
pub use self::file::SettingsFile;

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

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Flag => "flag",
        })
    }
}

#[cfg(test)]
mod tests;
