//! The command line: what was asked, and the one door to `lexopt`.
//!
//! Arguments are read against the table in [`crate::settings::table`]; nothing is done before all
//! of them are understood and checked. The exit status is 0 for done, 1 for failed and 2 for a
//! mistake in the arguments or the settings file. Results go to standard output, complaints to
//! standard error.

mod arguments;
mod asking;
mod conflicts;
mod drift;
mod effective;
mod environment;
mod failure;
mod fleet;
mod fsck;
mod groups;
mod history;
mod nodes;
mod output;
mod page;
mod service;
mod sim;
mod status;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use self::arguments::Arguments;
use self::failure::CommandError;
use self::output::{note, print};
use crate::daemon;
use crate::settings::Resolved;
use crate::settings::table::Subcommand;

/// Does what the arguments, without the program's name, ask for.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let result = Arguments::parse(args).and_then(|asked| perform(&asked));
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    daemon::logger::say_last(&format!("starling: {failure}"));
    ExitCode::from(failure.status())
}

fn perform(asked: &Arguments) -> Result<(), CommandError> {
    let order = match asked {
        Arguments::Help(command) => return print(&command.map_or_else(usage::whole, usage::of)),
        Arguments::Version => return print(concat!("starling ", env!("CARGO_PKG_VERSION"), "\n")),
        Arguments::Do(order) => order,
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
        Subcommand::Sim => sim::simulate(order),
        Subcommand::Init => fleet::init(&resolved, order.text("fleet")),
        Subcommand::Token => fleet::token(&resolved),
        Subcommand::Join => fleet::join(&resolved, order.operand(0)),
        Subcommand::Id => fleet::id(settings),
        Subcommand::Check => check(&resolved),
        Subcommand::Run => run(resolved),
        Subcommand::Status => status::print(daemon, order.has("json")),
        Subcommand::Groups => match order.operand(0) {
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
        Subcommand::Log => history::log(daemon, order.has("json")),
        Subcommand::Show => match (order.operand(0), order.has("effective")) {
            ("", true) => effective::print(daemon, order.has("json")),
            ("", false) => Err(CommandError::Usage(
                "starling show: which revision? name its ID, or give --effective".to_owned(),
            )),
            (_, true) => Err(CommandError::Usage(
                "starling show: --effective is of what the server gets now, not of a revision"
                    .to_owned(),
            )),
            (id, false) => history::show(daemon, id, order.has("json")),
        },
        Subcommand::Diff => history::diff(
            daemon,
            order.operand(0),
            order.operand(1),
            order.has("json"),
        ),
        Subcommand::Blame => history::blame(daemon, order.operand(0), order.has("json")),
        Subcommand::Restore => history::restore(
            daemon,
            order.operand(0),
            order.text("path"),
            order.text("note"),
        ),
        Subcommand::Conflicts => conflicts::list(daemon, order.has("json")),
        Subcommand::Resolve => conflicts::resolve(
            daemon,
            order.operand(0),
            (order.has("keep"), order.has("drop")),
            order.text("note"),
        ),
        Subcommand::Drift => drift::drift(
            daemon,
            (order.operand(0), order.operand(1)),
            order.text("note"),
            order.has("json"),
        ),
        Subcommand::Repair => drift::repair(daemon, order.operand(0), order.has("all")),
        Subcommand::Service => print(&service::unit()),
        Subcommand::Fsck => fsck::run(settings, order.has("json")),
    }
}

fn check(resolved: &Resolved) -> Result<(), CommandError> {
    daemon::interfaces::words_for_missing(&resolved.settings.interfaces)
        .iter()
        .for_each(|words| note(words));
    print(
        &resolved
            .rows()
            .map(|(name, value, source)| format!("{name:<15} {value}  ({source})\n"))
            .collect::<String>(),
    )?;
    if let Some(words) = resolved.settings.shows_all() {
        note(&words);
    }
    Ok(())
}

fn run(resolved: Resolved) -> Result<(), CommandError> {
    // First: whatever is said from here on may not wait for whoever reads it.
    daemon::logger::start(resolved.settings.log);
    fleet::must_be_member(&resolved.settings)?;
    daemon::run(resolved.settings).map_err(|error| CommandError::Failed(error.to_string()))?;
    daemon::logger::finish();
    Ok(())
}
