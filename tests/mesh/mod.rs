//! What a fleet does in one situation: each test tells who asks for what, and what is to come of
//! it.
//!
//! Each scenario runs for several seeds and prints each before it begins; `SEED=7 cargo test --test
//! sim mesh::NAME -- --nocapture` runs one of them again, and `RUNS=20` takes twenty times as many.

mod aimed;
#[path = "../fuzz/node.rs"]
mod anything;
mod bursts;
mod calm;
mod conflicts;
mod dates;
mod drift;
mod dry_runs;
mod floods;
mod forged;
mod groups;
mod history;
mod kept;
mod keys;
mod large;
mod liars;
mod links;
#[path = "../fuzz/mutate.rs"]
mod mutate;
mod patches;
mod removal;
mod replay;
mod settling;
mod spreading;
mod states;
mod uploads;
mod writes;

use crate::number;

/// The seeds of a scenario: so many, a multiple of that, or the one that the environment names.
fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let all = 0..count * number("RUNS").unwrap_or(1);
    let seeds = number("SEED").map_or(all, |seed| seed..seed + 1);
    seeds.inspect(|seed| println!("seed {seed}"))
}
