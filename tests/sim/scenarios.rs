//! What a person would try first, each by its name: the same checkers, but hosts, clients and
//! faults as told, not drawn.

use std::time::Duration;

use crate::clients::Clients;
use crate::nemesis::Fault;
use crate::run::{Plan, Ran, Servers, run_with};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is not told of a plan.
pub fn usual() -> Plan {
    Plan {
        hosts: 3,
        clients: Clients::new(SECOND, 10),
        faults: Vec::new(),
        length: 10 * SECOND,
        servers: Servers::Most,
        past: 0,
    }
}

/// Runs a plan for some seeds.
pub fn holds(seeds: u64, plan: impl Fn() -> Plan) -> Vec<Ran> {
    let run = |seed| match run_with(seed, |_| plan()) {
        Ok(ran) => ran,
        Err(failed) => {
            failed.print();
            panic!("seed {seed}: {}", failed.what);
        }
    };
    (0..seeds).map(run).collect()
}

#[test]
fn one_author_and_nothing_wrong() {
    let mut clients = Clients::new(SECOND / 2, 60);
    clients.single = true;
    let ran = holds(2, || Plan {
        hosts: 5,
        clients: clients.clone(),
        length: 30 * SECOND,
        ..usual()
    });
    assert!(ran.iter().all(|ran| ran.took.heads < SECOND), "{ran:?}");
}

#[test]
fn twelve_hosts_that_write_at_once_come_to_rest_within_seconds() {
    let mut clients = Clients::new(SECOND / 40, 80);
    clients.bursts = 300;
    let ran = holds(3, || Plan {
        hosts: 12,
        clients: clients.clone(),
        length: 2 * SECOND,
        ..usual()
    });
    assert!(
        ran.iter().all(|ran| ran.took.heads < 20 * SECOND),
        "{ran:?}"
    );
}

#[test]
fn several_authors_fight_for_one_place() {
    let mut clients = Clients::new(SECOND / 20, 60);
    clients.keys = 1;
    holds(4, || Plan {
        hosts: 6,
        clients: clients.clone(),
        length: 3 * SECOND,
        ..usual()
    });
}

#[test]
fn hosts_are_restarted_one_after_the_other_while_clients_write() {
    let clients = Clients::new(SECOND / 3, 60);
    holds(4, || Plan {
        hosts: 6,
        clients: clients.clone(),
        faults: vec![(2 * SECOND, Fault::RollingRestart)],
        length: 20 * SECOND,
        ..usual()
    });
}

/// None of what is only tried may be found anywhere, and whatever happens meanwhile each server
/// runs the head in the end.
#[test]
fn half_of_all_changes_are_dry_runs_and_everything_goes_wrong() {
    let mut clients = Clients::new(SECOND / 4, 100);
    clients.dry = 500;
    let faults = || {
        (0..10)
            .map(|number| (2 * number * SECOND, Fault::Any))
            .collect()
    };
    holds(6, || Plan {
        hosts: 4,
        clients: clients.clone(),
        faults: faults(),
        length: 30 * SECOND,
        ..usual()
    });
}

#[test]
fn hosts_join_while_clients_write() {
    let clients = Clients::new(SECOND / 3, 60);
    let faults = || {
        (1..=8)
            .map(|number| (2 * number * SECOND, Fault::Joiner))
            .collect()
    };
    holds(3, || Plan {
        hosts: 3,
        clients: clients.clone(),
        faults: faults(),
        length: 20 * SECOND,
        ..usual()
    });
}

#[test]
fn a_host_comes_back_after_a_week() {
    let clients = Clients::new(DAY / 12, 80);
    holds(1, || Plan {
        hosts: 3,
        clients: clients.clone(),
        faults: vec![(5 * SECOND, Fault::Away(2, 8 * DAY))],
        length: 8 * DAY + 60 * SECOND,
        servers: Servers::None,
        past: 0,
    });
}

#[test]
fn disks_hang_while_clients_write() {
    let clients = Clients::new(SECOND / 4, 100);
    let hang = |number: u32| -> Fault {
        Fault::Deed(Box::new(move |_, world| {
            let host = number as usize % world.hosts.len();
            world.hosts[host].disk.hangs_until = world.now + 15 * SECOND;
        }))
    };
    let faults = || {
        (0..6)
            .map(|number| ((3 + 7 * number) * SECOND, hang(number)))
            .collect()
    };
    holds(4, || Plan {
        hosts: 3,
        clients: clients.clone(),
        faults: faults(),
        length: 60 * SECOND,
        ..usual()
    });
}

/// A hundred of them with `make sim`: whoever waits for `cargo test` has forty.
#[test]
fn many_hosts_are_restarted_within_a_second() {
    let clients = Clients::new(SECOND, 12);
    let hosts = if crate::number("SEEDS").is_some() {
        100
    } else {
        40
    };
    holds(1, || Plan {
        hosts,
        clients: clients.clone(),
        faults: vec![(5 * SECOND, Fault::MassRestart)],
        length: 15 * SECOND,
        ..usual()
    });
}
