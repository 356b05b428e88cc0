//! What the one table of subcommands and options is made of; its entries stand in `options`.
//!
//! The parser, the usage text, the settings file's reader, `starling check` and the test of the man
//! pages are all fed from here: an option that is not in the table does not exist, one that is in
//! it is known everywhere. In the settings file an option is a member of its long name with `_` for
//! `-`: text or a number for an option with an argument, a list of texts for a repeatable one,
//! `true` or `false` for one without.

use super::daemon::Settings;

/// What `starling` is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subcommand {
    /// Found a fleet.
    Init,
    /// Print what others need to join.
    Token,
    /// Join a fleet.
    Join,
    /// Print the peer ID.
    Id,
    /// Print what the settings mean.
    Check,
    /// Be the daemon.
    Run,
    /// Print what the daemon says of the fleet.
    Status,
    /// Print the groups of the fleet, or remove one.
    Groups,
    /// Print the history.
    Log,
    /// Print one revision.
    Show,
    /// Print what differs between two revisions.
    Diff,
    /// Print since when a value stands.
    Blame,
    /// Publish an old revision's content.
    Restore,
    /// Print the conflicts.
    Conflicts,
    /// Settle a conflict.
    Resolve,
    /// Print what somebody had put on this host's server, and deal with it.
    Drift,
    /// Have servers run the head.
    Repair,
    /// Say what is wrong with the state directory.
    Fsck,
    /// Simulate a fleet.
    Sim,
    /// Print a unit for systemd.
    Service,
}

impl Subcommand {
    /// All of them, in the order in which a person meets them.
    pub const ALL: [Self; 20] = [
        Self::Init,
        Self::Token,
        Self::Join,
        Self::Run,
        Self::Status,
        Self::Groups,
        Self::Log,
        Self::Show,
        Self::Diff,
        Self::Blame,
        Self::Restore,
        Self::Conflicts,
        Self::Resolve,
        Self::Drift,
        Self::Repair,
        Self::Id,
        Self::Check,
        Self::Fsck,
        Self::Sim,
        Self::Service,
    ];

    /// The word to type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Token => "token",
            Self::Join => "join",
            Self::Id => "id",
            Self::Check => "check",
            Self::Run => "run",
            Self::Status => "status",
            Self::Groups => "groups",
            Self::Log => "log",
            Self::Show => "show",
            Self::Diff => "diff",
            Self::Blame => "blame",
            Self::Restore => "restore",
            Self::Conflicts => "conflicts",
            Self::Resolve => "resolve",
            Self::Drift => "drift",
            Self::Repair => "repair",
            Self::Fsck => "fsck",
            Self::Sim => "sim",
            Self::Service => "service",
        }
    }

    /// What it takes besides options, in this order; in brackets what may be left out.
    pub fn operands(self) -> &'static [&'static str] {
        match self {
            Self::Join => &["TOKEN|-"],
            Self::Show => &["[ID]"],
            Self::Restore | Self::Resolve => &["ID"],
            Self::Diff => &["ID", "[ID]"],
            Self::Blame => &["PATH"],
            Self::Drift => &["[WHAT]", "[FILE]"],
            Self::Groups => &["[remove]", "[NAME]"],
            Self::Repair => &["[NAME]"],
            _ => &[],
        }
    }

    /// The line of help.
    pub fn help(self) -> &'static str {
        match self {
            Self::Init => "found a fleet on this host",
            Self::Token => "print the secret token with which other hosts join",
            Self::Join => "join the fleet of TOKEN (-: from standard input)",
            Self::Id => "print this host's peer ID",
            Self::Check => "print the settings and where each comes from",
            Self::Run => "run the daemon, in the foreground",
            Self::Status => "print what the daemon knows of the fleet",
            Self::Groups => "print the groups of the fleet, or remove one",
            Self::Log => "print the revisions that are kept, newest first",
            Self::Show => "print a revision, or what this host's server gets",
            Self::Diff => "print what leads to a revision, or from one to another",
            Self::Blame => "print since which revision a value stands",
            Self::Restore => "publish the content of an old revision again",
            Self::Conflicts => "print the changes that lost and are not settled",
            Self::Resolve => "make a change that lost, or drop it",
            Self::Drift => "print what was put on the server past Starling",
            Self::Repair => "have a server run the head, whatever is on it",
            Self::Fsck => "look through the state directory for damage",
            Self::Sim => "simulate a fleet, and print how changes spread in it",
            Self::Service => "print a unit with which systemd runs the daemon",
        }
    }
}

/// An option of the command line, and perhaps a member of the settings file.
#[derive(Debug)]
pub struct Opt {
    /// The long name, without dashes.
    pub name: &'static str,
    /// The short one.
    pub short: Option<char>,
    /// What its argument is called; `None` if it has none.
    pub argument: Option<&'static str>,
    /// The line of help.
    pub help: &'static str,
    /// The heading that it stands under in the usage text.
    pub section: &'static str,
    /// The subcommands that know it.
    pub commands: &'static [Subcommand],
    /// How it becomes a setting; `None` if it only tells a subcommand what to do.
    pub setting: Option<Setting>,
}

/// How an option becomes a setting.
#[derive(Debug)]
pub struct Setting {
    /// Takes the text of the argument (`true` or `false` if there is none); the error is what was
    /// expected.
    pub take: fn(&mut Settings, &str) -> Result<(), &'static str>,
    /// The value as text.
    pub show: fn(&Settings) -> String,
    /// Forgets all values of a list. Only lists have it.
    pub clear: Option<fn(&mut Settings)>,
}

impl Opt {
    /// The member of the settings file; `None` if it cannot stand there.
    pub fn member(&self) -> Option<String> {
        self.setting.as_ref().map(|_| self.name.replace('-', "_"))
    }

    /// Whether it is a number, in the file too.
    pub fn is_count(&self) -> bool {
        self.argument == Some(COUNT)
    }

    /// Whether it may be given more than once, and is a list in the file.
    pub fn is_list(&self) -> bool {
        self.setting
            .as_ref()
            .is_some_and(|setting| setting.clear.is_some())
    }
}

/// What the argument of an option is called that is a number.
pub(super) const COUNT: &str = "COUNT";
