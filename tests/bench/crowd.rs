//! Crowds of hosts: what a change costs in each, how quickly changes go through, and what nothing
//! costs; of Starling, and beside it of the brokers that are wanted.

use std::path::Path;
use std::time::Duration;

use super::carrier::{self, Carrier, Changes, Idle, Rate};
use super::cost;
use super::fleet::Fleet;
use super::lasting;
use super::peers::Broker;
use super::report::{BYTES, Figure, Goal, HOSTS, Report, STARLING, percentile};
use super::{Effort, Wanted};

/// How many hosts, and what is measured with them.
struct Plan {
    hosts: usize,
    /// The lengths of documents, and how often each is changed.
    sizes: &'static [(usize, usize)],
    /// Whether to look on while nothing happens, for as long as nothing is left of the start.
    idle: bool,
    /// How many changes are made as quickly as they are taken.
    flat_out: usize,
}

/// All that is measured of one system.
struct Measured {
    system: &'static str,
    idle: Option<Idle>,
    changes: Vec<Changes>,
    rate: Option<Rate>,
    threads: u64,
}

/// Measures the crowds that are wanted.
pub fn measure(report: &mut Report, dir: &Path, wanted: &Wanted) {
    let is_wanted = |plan: &&Plan| wanted.hosts.is_empty() || wanted.hosts.contains(&plan.hosts);
    for plan in PLANS.iter().filter(is_wanted) {
        let dir = dir.join(format!("n{}", plan.hosts));
        crowd(report, &dir, plan, wanted.effort, wanted.peers);
    }
}

fn crowd(report: &mut Report, dir: &Path, plan: &Plan, effort: Effort, peers: bool) {
    report.part(&format!("{} hosts, each with its server", plan.hosts));
    let hosts = [(HOSTS, plan.hosts)];
    let mut all = Vec::new();
    {
        let fleet = Fleet::up(dir, plan.hosts, true);
        let first = fleet
            .first_change
            .map_or(f64::NAN, |time| time.as_secs_f64());
        report.add(&hosts, wanted(FIRST, plan, 0), &[(STARLING, first)]);
        all.push(of(&fleet, STARLING, plan, effort, || {
            if plan.flat_out > 0 {
                lasting::measure(report, &fleet, effort);
            }
        }));
    }
    if peers {
        for broker in Broker::ALL {
            let up = broker.up(&dir.join(broker.name()), plan.hosts);
            all.push(of(&up, broker.name(), plan, effort, || {}));
        }
    }
    show(report, plan, &mut all);
    if plan.flat_out > 0 {
        let fleet = Fleet::up(&dir.join("bare"), plan.hosts, false);
        let rate = fleet.flat_out(effort.of(plan.flat_out));
        report.add(&hosts, BARE, &[(STARLING, rate.accepted)]);
        note_lost(report, STARLING, rate.lost);
    }
}

/// Measures one system with as many hosts as it has; `after_small` has its turn when no document
/// was large yet.
fn of(
    up: &dyn Carrier,
    system: &'static str,
    plan: &Plan,
    effort: Effort,
    after_small: impl FnOnce(),
) -> Measured {
    let idle = plan
        .idle
        .then(|| carrier::idle(up, effort.time(SETTLE), effort.time(IDLE)));
    let one_size =
        |(bytes, rounds): &(usize, usize)| carrier::changes(up, *bytes, effort.of(*rounds));
    let (small, larger) = plan.sizes.split_at(1);
    let mut changes: Vec<Changes> = small.iter().map(one_size).collect();
    let threads = up.programs().into_iter().map(cost::threads).max();
    let rate = (plan.flat_out > 0).then(|| up.flat_out(effort.of(plan.flat_out)));
    after_small();
    changes.extend(larger.iter().map(one_size));
    Measured {
        system,
        idle,
        changes,
        threads: threads.unwrap_or_default(),
        rate,
    }
}

fn show(report: &mut Report, plan: &Plan, all: &mut [Measured]) {
    for (at, (bytes, _)) in plan.sizes.iter().enumerate() {
        show_changes(report, plan, all, at, *bytes);
    }
    let hosts = [(HOSTS, plan.hosts)];
    let each = |value: &dyn Fn(&Measured) -> Option<f64>| -> Vec<(&'static str, f64)> {
        let reached = all.iter().filter_map(|one| Some((one.system, value(one)?)));
        reached.collect()
    };
    let threads = each(&|one| Some(one.threads as f64));
    report.add(&hosts, wanted(THREADS, plan, 0), &threads);
    if plan.idle {
        for (figure, value) in WHILE_IDLE {
            let reached = each(&|one| one.idle.as_ref().map(value));
            report.add(&hosts, wanted(*figure, plan, 0), &reached);
        }
    }
    if plan.flat_out > 0 {
        let rate = |value: fn(&Rate) -> f64| each(&|one| one.rate.as_ref().map(value));
        report.add(&hosts, ACCEPTED, &rate(|rate| rate.accepted));
        report.add(&hosts, WHOLE, &rate(|rate| rate.whole));
    }
    for one in all.iter() {
        let lost = one.rate.as_ref().map_or(0, |rate| rate.lost);
        note_lost(report, one.system, lost);
    }
}

/// Shows what changes of length number `at` of the plan cost.
fn show_changes(report: &mut Report, plan: &Plan, all: &mut [Measured], at: usize, bytes: usize) {
    let about = [(HOSTS, plan.hosts), (BYTES, bytes)];
    let delivered = (bytes * (plan.hosts - 1)) as f64;
    for (figure, value) in PER_CHANGE {
        let reached: Vec<(&'static str, f64)> = all
            .iter_mut()
            .map(|one| (one.system, value(&mut one.changes[at], delivered)))
            .collect();
        report.add(&about, wanted(*figure, plan, bytes), &reached);
    }
    for one in all.iter() {
        let changes = &one.changes[at];
        note_lost(report, one.system, changes.lost);
        if changes.set > 0 {
            report.note(format!("{} left out: the clock was set", changes.set));
        }
    }
}

fn note_lost(report: &mut Report, system: &str, lost: usize) {
    if lost > 0 {
        report.note(format!("{system}: {lost} changes were lost or refused"));
    }
}

/// The figure with what is wanted of it in a crowd of this size, of changes of `bytes` bytes.
fn wanted(figure: Figure, plan: &Plan, bytes: usize) -> Figure {
    let most = match (figure.name, plan.hosts, bytes) {
        ("whole_p50_ms", 5, KIB) => 3.0,
        ("whole_p99_ms", 5, KIB) => 6.0,
        ("whole_p50_ms", 20, KIB) => 8.0,
        ("whole_p99_ms", 20, KIB) => 20.0,
        ("processor_ms", 5, KIB) => 4.0,
        ("processor_ms", 20, KIB) => 15.0,
        ("bytes_per_byte", 5, KIB) => 2.5,
        ("bytes_per_byte", 20, KIB) => 3.0,
        ("whole_p50_ms", 5, KIB_256) => 20.0,
        ("whole_p50_ms", 20, KIB_256) => 80.0,
        ("whole_p50_ms", 5, MIB) => 60.0,
        ("whole_p50_ms", 20, MIB) => 220.0,
        ("processor_ms", 20, MIB) => 350.0,
        ("first_change_s", 20, _) => 1.0,
        ("threads", 20, _) => 12.0,
        ("idle_sent_bytes_per_s", 20, _) => 150.0,
        ("idle_processor_ms", 20, _) => 10.0,
        ("idle_processor_ms", 5, _) => 5.0,
        ("idle_memory_mb", 5, _) => 2.5,
        ("idle_written_bytes", _, _) => 0.0,
        _ => return figure,
    };
    Figure {
        goal: Goal::AtMost(most),
        ..figure
    }
}

/// A figure without a goal.
const fn figure(name: &'static str, words: &'static str, unit: &'static str) -> Figure {
    Figure {
        name,
        words,
        unit,
        goal: Goal::None,
    }
}

const KIB: usize = 1 << 10;
const KIB_256: usize = 256 << 10;
const MIB: usize = 1 << 20;

/// What is measured with how many hosts; ten minutes in all on two quiet cores.
const PLANS: [Plan; 4] = [
    Plan {
        hosts: 2,
        sizes: &[(KIB, 200)],
        idle: false,
        flat_out: 0,
    },
    Plan {
        hosts: 5,
        sizes: &[(KIB, 300), (KIB_256, 40), (MIB, 20)],
        idle: true,
        flat_out: 1_000,
    },
    Plan {
        hosts: 20,
        sizes: &[(KIB, 200), (KIB_256, 20), (MIB, 10)],
        idle: true,
        flat_out: 0,
    },
    Plan {
        hosts: 50,
        sizes: &[(KIB, 100)],
        idle: false,
        flat_out: 0,
    },
];

type PerChange = fn(&mut Changes, f64) -> f64;

/// What is told of changes of one length; the second argument is how many bytes each delivers.
const PER_CHANGE: &[(Figure, PerChange)] = &[
    (
        figure("whole_p50_ms", "request to the last server, middle", "ms"),
        |changes, _| percentile(&mut changes.whole_ms, 0.5),
    ),
    (
        figure(
            "whole_p99_ms",
            "the same, 99 of 100, or the worst of fewer",
            "ms",
        ),
        |changes, _| percentile(&mut changes.whole_ms, 0.99),
    ),
    (
        figure("answered_p50_ms", "request to its answer, middle", "ms"),
        |changes, _| percentile(&mut changes.answered_ms, 0.5),
    ),
    (
        figure("processor_ms", "processor time of all", "ms a change"),
        |changes, _| changes.cost.processor.as_secs_f64() * 1e3 / changes.rounds as f64,
    ),
    (
        figure("wakes", "wake-ups of all", "a change"),
        |changes, _| changes.cost.wakes() as f64 / changes.rounds as f64,
    ),
    (
        figure("packets", "Ethernet frames of all", "a change"),
        |changes, _| changes.cost.packets as f64 / changes.rounds as f64,
    ),
    (
        figure("bytes_per_byte", "bytes sent", "a byte delivered"),
        |changes, delivered| changes.cost.bytes as f64 / changes.rounds as f64 / delivered,
    ),
    (
        figure("written_bytes", "written to disk by all", "bytes a change"),
        |changes, _| changes.cost.written as f64 / changes.rounds as f64,
    ),
];

type WhileIdle = fn(&Idle) -> f64;

/// What is told of an idle time.
const WHILE_IDLE: &[(Figure, WhileIdle)] = &[
    (
        figure("idle_sent_bytes_per_s", "idle: sent by a host", "bytes/s"),
        |idle| idle.sent,
    ),
    (
        figure(
            "idle_processor_ms",
            "idle: processor time, worst host",
            "ms a minute",
        ),
        |idle| idle.processor_ms,
    ),
    (
        figure(
            "idle_written_bytes",
            "idle: written to disk by all",
            "bytes",
        ),
        |idle| idle.written as f64,
    ),
    (
        figure("idle_memory_mb", "idle: memory, worst host", "MB"),
        |idle| idle.memory_mb.0,
    ),
    (
        figure(
            "idle_own_memory_mb",
            "idle: of which no file's (RssAnon)",
            "MB",
        ),
        |idle| idle.memory_mb.1,
    ),
];

const FIRST: Figure = figure(
    "first_change_s",
    "first start until a change is at all",
    "s",
);
const THREADS: Figure = figure("threads", "threads, worst host", "number");
const ACCEPTED: Figure = Figure {
    goal: Goal::AtLeast(500.0),
    ..figure(
        "accepted_per_s",
        "accepted, asked of one host at once",
        "changes/s",
    )
};
const WHOLE: Figure = figure(
    "whole_per_s",
    "the same, until all servers have all",
    "changes/s",
);
const BARE: Figure = Figure {
    goal: Goal::AtLeast(2_000.0),
    ..figure(
        "accepted_bare_per_s",
        "accepted, without servers",
        "changes/s",
    )
};

/// Announcements, first digests and the address books, which are kept a while after they changed,
/// come to rest.
const SETTLE: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(60);
