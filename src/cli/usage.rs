//! The usage text: the program's, and one for each subcommand.
//!
//! It is made from the table of options alone, so that it cannot name what the parser does not
//! know. It never prints: that is for the caller.

use std::fmt::Write;

use crate::settings::options::OPTIONS;
use crate::settings::table::{Opt, Subcommand};

/// The usage text of the program: its subcommands and all options.
pub(super) fn whole() -> String {
    let mut text = "usage: starling COMMAND [OPTION]...\n\n".to_owned();
    for command in Subcommand::ALL {
        row(&mut text, &words(command), command.help());
    }
    options(&mut text, |_| true);
    text.push_str("\nstarling COMMAND --help lists the options of one command.\n");
    text
}

/// The usage of a subcommand.
pub(super) fn of(command: Subcommand) -> String {
    let mut text = format!(
        "usage: starling {} [OPTION]...\n\n{}\n",
        words(command),
        command.help()
    );
    options(&mut text, |option| option.commands.contains(&command));
    text
}

fn words(command: Subcommand) -> String {
    [&[command.name()], command.operands()].concat().join(" ")
}

fn options(text: &mut String, is_shown: impl Fn(&Opt) -> bool) {
    let mut section = "";
    for option in OPTIONS.iter().filter(|option| is_shown(option)) {
        if option.section != section {
            section = option.section;
            writeln!(text, "\n{section}:").expect("a String takes everything");
        }
        let short = option
            .short
            .map_or(String::new(), |short| format!("-{short}, "));
        let argument = option
            .argument
            .map_or(String::new(), |argument| format!(" {argument}"));
        row(
            text,
            &format!("{short}--{}{argument}", option.name),
            option.help,
        );
    }
}

fn row(text: &mut String, left: &str, right: &str) {
    writeln!(text, "  {left:<LEFT$}  {right}").expect("a String takes everything");
}

/// The longest left side; the right ones then have 55 columns, up to the 80th.
const LEFT: usize = 21;
