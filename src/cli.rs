//! The command line: what was asked, and the one door to `lexopt`.
//!
//! Arguments are read against the table in [`crate::settings::table`]; nothing is done before all
//! of them are understood and checked. The exit status is 0 for done, 1 for failed and 2 for a
//! mistake in the arguments or the settings file. Results go to standard output, complaints to
//! standard error.

mod asking;
mod conflicts;
mod drift;
mod effective;
mod environment;
mod fleet;
mod fsck;
mod groups;
mod history;
mod nodes;
mod page;
mod service;
mod sim;
mod status;
mod usage;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use crate::daemon;
use crate::daemon::state_dir::StateError;
use crate::settings::nearest::nearest;
use crate::settings::table::{Command, OPTIONS, Opt};
use crate::settings::{Resolved, SettingsError};

/// Does what the arguments, without the program's name, ask for.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let result = Asked::parse(args).and_then(|asked| perform(&asked));
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    daemon::logger::say_last(&format!("starling: {failure}"));
    ExitCode::from(failure.status())
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// The arguments or the settings file are wrong. Nothing has happened.
    Usage(String),
    /// The command was tried, and failed.
    Failed(String),
}

impl Failure {
    fn status(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(words) | Self::Failed(words) => f.write_str(words),
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// The arguments, understood.
#[derive(Debug)]
enum Asked {
    /// Print how to use the program, or one of its subcommands.
    Help(Option<Command>),
    /// Print the version.
    Version,
    /// Do this.
    Do(Order),
}

/// A subcommand with its options, all of which it knows.
#[derive(Debug)]
struct Order {
    command: Command,
    options: Vec<(&'static Opt, String)>,
    operands: Vec<String>,
}

impl Asked {
    fn parse(args: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut parser = Parser::from_args(args);
        let (mut options, mut words) = (Vec::new(), Vec::new());
        while let Some(arg) = parser
            .next()
            .map_err(|error| Failure::Usage(error.to_string()))?
        {
            let option = match arg {
                Arg::Value(word) => {
                    words.push(word.into_string().map_err(|word| {
                        Failure::Usage(format!("{}: not UTF-8", word.display()))
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
                        Failure::Usage(format!("unknown option -{short}; see starling --help"))
                    })?,
            };
            options.push((option, argument(&mut parser, option)?));
        }
        Self::understand(options, words)
    }

    fn understand(
        options: Vec<(&'static Opt, String)>,
        words: Vec<String>,
    ) -> Result<Self, Failure> {
        let mut words = words.into_iter();
        let command = words.next().map(|word| command(&word)).transpose()?;
        if options.iter().any(|(option, _)| option.name == "help") {
            return Ok(Self::Help(command));
        }
        if options.iter().any(|(option, _)| option.name == "version") {
            return Ok(Self::Version);
        }
        let command = command.ok_or_else(|| {
            Failure::Usage(format!("what to do?\n\n{}", usage::whole().trim_end()))
        })?;
        if let Some((option, _)) = options
            .iter()
            .find(|(option, _)| !option.commands.contains(&command))
        {
            return Err(Failure::Usage(format!(
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
            (Some(word), _) => Err(Failure::Usage(format!(
                "starling {}: {word:?} is too much",
                command.name()
            ))),
            (None, Some(needed)) => Err(Failure::Usage(format!(
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
    fn operand(&self, place: usize) -> &str {
        self.operands.get(place).map_or("", String::as_str)
    }

    /// Whether an option without argument was given.
    fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// What was given for an option that is no setting, last.
    fn text(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find(|(option, _)| option.name == name)
            .map(|(_, text)| text.as_str())
    }

    /// The settings as they are for this subcommand.
    fn settings(&self) -> Result<Resolved, Failure> {
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
                .map(|(name, text)| crate::settings::SettingsFile { name, text }),
            &flags,
        )?)
    }
}

fn perform(asked: &Asked) -> Result<(), Failure> {
    let order = match asked {
        Asked::Help(command) => return print(&command.map_or_else(usage::whole, usage::of)),
        Asked::Version => return print(concat!("starling ", env!("CARGO_PKG_VERSION"), "\n")),
        Asked::Do(order) => order,
    };
    let resolved = order.settings()?;
    let settings = &resolved.settings;
    // The settings say which group this host follows; only what was typed says that another is
    // meant.
    let daemon = &asking::Daemon {
        control: &settings.control,
        group: order.text("group"),
    };
    match order.command {
        Command::Sim => sim::simulate(order),
        Command::Init => fleet::init(&resolved, order.text("fleet")),
        Command::Token => fleet::token(&resolved),
        Command::Join => fleet::join(&resolved, order.operand(0)),
        Command::Id => fleet::id(settings),
        Command::Check => check(&resolved),
        Command::Run => run(resolved),
        Command::Status => status::print(daemon, order.has("json")),
        Command::Groups => match order.operand(0) {
            "" => groups::list(
                daemon,
                (order.has("force"), order.text("note")),
                order.has("json"),
            ),
            what => {
                let given = (order.has("force"), order.text("note"));
                groups::remove(daemon, (what, order.operand(1)), given, order.has("json"))
            }
        },
        Command::Log => history::log(daemon, order.has("json")),
        Command::Show => match (order.operand(0), order.has("effective")) {
            ("", true) => effective::print(daemon, order.has("json")),
            ("", false) => Err(Failure::Usage(
                "starling show: which revision? name its ID, or give --effective".to_owned(),
            )),
            (_, true) => Err(Failure::Usage(
                "starling show: --effective is of what the server gets now, not of a revision"
                    .to_owned(),
            )),
            (id, false) => history::show(daemon, id, order.has("json")),
        },
        Command::Diff => history::diff(
            daemon,
            order.operand(0),
            order.operand(1),
            order.has("json"),
        ),
        Command::Blame => history::blame(daemon, order.operand(0), order.has("json")),
        Command::Restore => history::restore(
            daemon,
            order.operand(0),
            order.text("path"),
            order.text("note"),
        ),
        Command::Conflicts => conflicts::list(daemon, order.has("json")),
        Command::Resolve => conflicts::resolve(
            daemon,
            order.operand(0),
            (order.has("keep"), order.has("drop")),
            order.text("note"),
        ),
        Command::Drift => drift::drift(
            daemon,
            (order.operand(0), order.operand(1)),
            order.text("note"),
            order.has("json"),
        ),
        Command::Repair => drift::repair(daemon, order.operand(0), order.has("all")),
        Command::Service => print(&service::unit()),
        Command::Fsck => fsck::run(settings, order.has("json")),
    }
}

fn check(resolved: &Resolved) -> Result<(), Failure> {
    daemon::interfaces::words_for_missing(&resolved.settings.interfaces)
        .iter()
        .for_each(|words| fleet::note(words));
    print(
        &resolved
            .rows()
            .map(|(name, value, source)| format!("{name:<15} {value}  ({source})\n"))
            .collect::<String>(),
    )?;
    if let Some(note) = resolved.settings.shows_all() {
        // What is printed is for programs, too; if standard error is closed there is nobody to be
        // told.
        let _ = writeln!(io::stderr(), "starling: {note}");
    }
    Ok(())
}

fn run(resolved: Resolved) -> Result<(), Failure> {
    // First: whatever is said from here on may not wait for whoever reads it.
    daemon::logger::start(resolved.settings.log);
    fleet::must_be_member(&resolved.settings)?;
    daemon::run(resolved.settings).map_err(|error| Failure::Failed(error.to_string()))?;
    daemon::logger::finish();
    Ok(())
}

/// Writes to standard output. A reader that has seen enough (`starling status | head -1`) is no
/// failure.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn argument(parser: &mut Parser, option: &'static Opt) -> Result<String, Failure> {
    let Some(name) = option.argument else {
        return Ok("true".to_owned());
    };
    let missing = |_| Failure::Usage(format!("--{}: {name} is missing", option.name));
    let text = parser.value().map_err(missing)?;
    text.into_string().map_err(|text| {
        Failure::Usage(format!(
            "--{}: {} is not UTF-8",
            option.name,
            text.display()
        ))
    })
}

fn command(word: &str) -> Result<Command, Failure> {
    let known = || Command::ALL.into_iter().map(Command::name);
    Command::ALL
        .into_iter()
        .find(|command| command.name() == word)
        .ok_or_else(|| match nearest(word, known()) {
            Some(near) => Failure::Usage(format!(
                "unknown subcommand {word:?}; did you mean {near:?}?"
            )),
            None => Failure::Usage(format!(
                "unknown subcommand {word:?}; there are {}",
                known().collect::<Vec<_>>().join(", ")
            )),
        })
}

fn unknown_option(name: &str) -> Failure {
    match nearest(name, OPTIONS.iter().map(|option| option.name)) {
        Some(near) => Failure::Usage(format!("unknown option --{name}; did you mean --{near}?")),
        None => Failure::Usage(format!("unknown option --{name}; see starling --help")),
    }
}

#[cfg(test)]
mod tests;
