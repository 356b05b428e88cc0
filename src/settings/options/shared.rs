//! What several rows of the table have alike.
//!
//! Nothing here is an option by itself.

use super::super::table::Opt;
use crate::settings::options::subcommands::SIM;

const UNSAID: &str = "";

/// What the options of `starling sim` have in common: none is a setting of the daemon.
pub(super) const SIMULATED: Opt = Opt {
    name: UNSAID,
    short: None,
    argument: None,
    help: UNSAID,
    section: "Simulating",
    commands: SIM,
    setting: None,
};
