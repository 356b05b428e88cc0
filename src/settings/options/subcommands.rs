//! Which subcommands take which options.
//!
//! Each list is one row's worth of the table in `options`.

use super::super::table::Subcommand;

pub(super) const EVERY: &[Subcommand] = &Subcommand::ALL;

pub(super) const RUN: &[Subcommand] = &[Subcommand::Run, Subcommand::Check];

pub(super) const TOKEN: &[Subcommand] = &[Subcommand::Run, Subcommand::Check, Subcommand::Token];

pub(super) const SIM: &[Subcommand] = &[Subcommand::Sim];

pub(super) const CONTROL: &[Subcommand] = &[
    Subcommand::Run,
    Subcommand::Check,
    Subcommand::Status,
    Subcommand::Groups,
    Subcommand::Log,
    Subcommand::Show,
    Subcommand::Diff,
    Subcommand::Blame,
    Subcommand::Restore,
    Subcommand::Conflicts,
    Subcommand::Resolve,
    Subcommand::Drift,
    Subcommand::Repair,
];

pub(super) const GROUP: &[Subcommand] = &[
    Subcommand::Run,
    Subcommand::Check,
    Subcommand::Log,
    Subcommand::Show,
    Subcommand::Diff,
    Subcommand::Blame,
    Subcommand::Restore,
    Subcommand::Conflicts,
    Subcommand::Resolve,
];

pub(super) const CHANGE: &[Subcommand] = &[
    Subcommand::Restore,
    Subcommand::Resolve,
    Subcommand::Drift,
    Subcommand::Groups,
];

pub(super) const PRINT: &[Subcommand] = &[
    Subcommand::Status,
    Subcommand::Groups,
    Subcommand::Log,
    Subcommand::Show,
    Subcommand::Diff,
    Subcommand::Blame,
    Subcommand::Conflicts,
    Subcommand::Drift,
    Subcommand::Fsck,
    Subcommand::Sim,
];
