//! Arguments, read against the table in [`crate::settings::table`].
//!
//! All of them are understood and checked before anything is done. A word that is not known is
//! answered with the nearest one that is.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use super::failure::CommandError;
use super::{environment, usage};
use crate::settings::nearest::nearest;
use crate::settings::options::OPTIONS;
use crate::settings::table::{Opt, Subcommand};
use crate::settings::{Resolved, SettingsFile};

/// The arguments of the program, understood.
#[derive(Debug)]
pub(super) enum Arguments {
    /// Print how to use the program, or one of its subcommands.
    Help(Option<Subcommand>),
    /// Print the version.
    Version,
    /// Perform a subcommand.
    Do(Order),
}

/// A subcommand with its options, all of which it knows.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) command: Subcommand,
    pub(super) options: Vec<(&'static Opt, String)>,
    operands: Vec<String>,
}

impl Arguments {
    pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<Self, CommandError> {
        let mut parser = Parser::from_args(args);
        let (mut options, mut words) = (Vec::new(), Vec::new());
        while let Some(arg) = parser
            .next()
            .map_err(|error| CommandError::Usage(error.to_string()))?
        {
            let option = match arg {
                Arg::Value(word) => {
                    words.push(word.into_string().map_err(|word| {
                        CommandError::Usage(format!("{}: not UTF-8", word.display()))
                    })?);
                    continue;
                }
                Arg::Long(name) => OPTIONS
                    .iter()
                    .find(|option| option.name == name)
                    .ok_or_else(|| unknown_option(name))?,
                Arg::Short(short) => OPTIONS
                    .iter()
                    .find(|option| option.short == Some(short))
                    .ok_or_else(|| {
                        CommandError::Usage(format!("unknown option -{short}; see starling --help"))
                    })?,
            };
            options.push((option, argument(&mut parser, option)?));
        }
        Self::understand(options, words)
    }

    fn understand(
        options: Vec<(&'static Opt, String)>,
        words: Vec<String>,
    ) -> Result<Self, CommandError> {
        let mut words = words.into_iter();
        let command = words.next().map(|word| command(&word)).transpose()?;
        if options.iter().any(|(option, _)| option.name == "help") {
            return Ok(Self::Help(command));
        }
        if options.iter().any(|(option, _)| option.name == "version") {
            return Ok(Self::Version);
        }
        let command = command.ok_or_else(|| {
            CommandError::Usage(format!("what to do?\n\n{}", usage::whole().trim_end()))
        })?;
        if let Some((option, _)) = options
            .iter()
            .find(|(option, _)| !option.commands.contains(&command))
        {
            return Err(CommandError::Usage(format!(
                "--{} is no option of starling {}",
                option.name,
                command.name()
            )));
        }
        let operands: Vec<String> = words.collect();
        let known = command.operands();
        let needed = known
            .get(operands.len())
            .filter(|name| !name.starts_with('['));
        match (operands.get(known.len()), needed) {
            (Some(word), _) => Err(CommandError::Usage(format!(
                "starling {}: {word:?} is too much",
                command.name()
            ))),
            (None, Some(needed)) => Err(CommandError::Usage(format!(
                "starling {}: {needed} is missing",
                command.name()
            ))),
            _ => Ok(Self::Do(Order {
                command,
                options,
                operands,
            })),
        }
    }
}

impl Order {
    /// The operand in this place; the parser has seen to those that are needed.
    pub(super) fn operand(&self, place: usize) -> &str {
        self.operands.get(place).map_or("", String::as_str)
    }

    /// Whether the option called `name` was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// What was given for an option that is no setting, last.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find(|(option, _)| option.name == name)
            .map(|(_, text)| text.as_str())
    }

    /// The settings for this subcommand: flags, environment, file and defaults put together.
    pub(super) fn settings(&self) -> Result<Resolved, CommandError> {
        let file = environment::settings_file(self.text("config"))?;
        let flags: Vec<_> = self
            .options
            .iter()
            .filter(|(option, _)| option.setting.is_some())
            .cloned()
            .collect();
        Ok(Resolved::new(
            &environment::read(),
            file.as_ref()
                .map(|(name, text)| SettingsFile { name, text }),
            &flags,
        )?)
    }
}

fn argument(parser: &mut Parser, option: &'static Opt) -> Result<String, CommandError> {
    let Some(name) = option.argument else {
        return Ok("true".to_owned());
    };
    let missing = |_| CommandError::Usage(format!("--{}: {name} is missing", option.name));
    let text = parser.value().map_err(missing)?;
    text.into_string().map_err(|text| {
        CommandError::Usage(format!(
            "--{}: {} is not UTF-8",
            option.name,
            text.display()
        ))
    })
}

fn command(word: &str) -> Result<Subcommand, CommandError> {
    let known = || Subcommand::ALL.into_iter().map(Subcommand::name);
    Subcommand::ALL
        .into_iter()
        .find(|command| command.name() == word)
        .ok_or_else(|| match nearest(word, known()) {
            Some(near) => CommandError::Usage(format!(
                "unknown subcommand {word:?}; did you mean {near:?}?"
            )),
            None => CommandError::Usage(format!(
                "unknown subcommand {word:?}; there are {}",
                known().collect::<Vec<_>>().join(", ")
            )),
        })
}

fn unknown_option(name: &str) -> CommandError {
    match nearest(name, OPTIONS.iter().map(|option| option.name)) {
        Some(near) => {
            CommandError::Usage(format!("unknown option --{name}; did you mean --{near}?"))
        }
        None => CommandError::Usage(format!("unknown option --{name}; see starling --help")),
    }
}

#[cfg(test)]
mod tests;
