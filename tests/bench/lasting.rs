//! What changes leave behind in memory and on disk, in a fleet that has made a thousand of them.

use std::time::Duration;

use super::Effort;
use super::carrier::Carrier;
use super::fleet::{Fleet, newest_revision};
use super::report::{Figure, Goal, HOSTS, Report, STARLING};

/// Takes the figures down of a fleet that has made its changes.
pub fn measure(report: &mut Report, fleet: &Fleet, effort: Effort) {
    let about = [(HOSTS, fleet.hosts())];
    std::thread::sleep(effort.time(GIVEN_BACK));
    let mut add = |figure: Figure, value: f64| report.add(&about, figure, &[(STARLING, value)]);
    add(AFTER_CHANGES, fleet.memory_mb());
    fleet.settle(LARGE);
    fleet.settle(SMALL);
    std::thread::sleep(effort.time(GIVEN_BACK));
    add(AFTER_LARGE, fleet.memory_mb());
    fleet.settle(SMALL);
    let revision = newest_revision(fleet.lab.host(fleet.hosts()));
    add(REVISION, revision as f64 / 1e3);
}

const AFTER_CHANGES: Figure = Figure {
    name: "memory_after_changes_mb",
    words: "memory after all changes, worst host",
    unit: "MB",
    goal: Goal::AtMost(4.0),
};
const AFTER_LARGE: Figure = Figure {
    name: "memory_after_large_mb",
    words: "memory after 600 kB gave way to 400 B",
    unit: "MB",
    goal: Goal::AtMost(8.0),
};
const REVISION: Figure = Figure {
    name: "revision_kb",
    words: "a revision of 400 bytes on disk",
    unit: "kB",
    goal: Goal::AtMost(1.5),
};

const LARGE: usize = 600_000;
const SMALL: usize = 400;
/// What is freed is given back by then, if it ever is.
const GIVEN_BACK: Duration = Duration::from_secs(5);
