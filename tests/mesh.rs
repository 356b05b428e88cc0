//! Whole fleets in one thread and virtual time: the same `Node` that the daemon runs, over a
//! network drawn from a seed.
//!
//! Each scenario runs for several seeds and prints each before it begins; `STARLING_SEED=7 cargo
//! test --test mesh NAME -- --nocapture` runs one of them again, the same to the last frame, and
//! `STARLING_RUNS=20` takes twenty times as many.

#[path = "mesh/aimed.rs"]
mod aimed;
#[path = "fuzz/node.rs"]
mod anything;
#[path = "mesh/bursts.rs"]
mod bursts;
#[path = "mesh/client.rs"]
mod client;
#[path = "mesh/conflicts.rs"]
mod conflicts;
#[path = "mesh/dates.rs"]
mod dates;
#[path = "mesh/drift.rs"]
mod drift;
#[path = "mesh/dry_runs.rs"]
mod dry_runs;
#[path = "mesh/floods.rs"]
mod floods;
#[path = "mesh/groups.rs"]
mod groups;
#[path = "mesh/history.rs"]
mod history;
#[path = "mesh/kept.rs"]
mod kept;
#[path = "mesh/keys.rs"]
mod keys;
#[path = "mesh/large.rs"]
mod large;
#[path = "mesh/liars.rs"]
mod liars;
#[path = "mesh/links.rs"]
mod links;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "mesh/net.rs"]
mod net;
#[path = "mesh/patches.rs"]
mod patches;
#[path = "mesh/removal.rs"]
mod removal;
#[path = "mesh/replay.rs"]
mod replay;
#[path = "mesh/settling.rs"]
mod settling;
#[path = "mesh/spreading.rs"]
mod spreading;
#[path = "mesh/states.rs"]
mod states;
#[path = "mesh/uploads.rs"]
mod uploads;
#[path = "mesh/writes.rs"]
mod writes;

/// The seeds of a scenario: so many, a multiple of that, or the one that the environment names.
fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("it is a number"))
    };
    let all = 0..count * number("STARLING_RUNS").unwrap_or(1);
    let seeds = number("STARLING_SEED").map_or(all, |seed| seed..seed + 1);
    seeds.inspect(|seed| println!("seed {seed}"))
}
