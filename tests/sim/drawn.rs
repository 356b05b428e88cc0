//! Runs that are drawn from a seed, hosts, clients and faults alike: every promise holds in each.
//!
//! `SEED=7 cargo test --test sim drawn::replay -- --nocapture` runs one again, the same to the last
//! frame, and prints its history; `make sim SEEDS=10000` runs as many as wished.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::number;
use crate::run::{Failed, Ran, run};

/// Runs all of these on all cores, and panics with the history of the first that fails.
fn all_hold(seeds: &[u64]) {
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut results: Vec<Result<Ran, Failed>> = Vec::new();
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = run(*seed);
            if let Err(failed) = &result {
                println!("seed {}: {}", failed.seed, failed.what);
            }
            results.push(result);
        }
        results
    };
    let results: Vec<Result<Ran, Failed>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("runs catch their own panics"))
            .collect()
    });
    report(&results);
    let failed: Vec<&Failed> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .collect();
    if let Some(shortest) = failed.iter().min_by_key(|failed| failed.history.len()) {
        shortest.print();
        panic!("{} of {} seeds fail", failed.len(), seeds.len());
    }
}

fn report(results: &[Result<Ran, Failed>]) {
    let ran: Vec<&Ran> = results
        .iter()
        .filter_map(|result| result.as_ref().ok())
        .collect();
    let changes: usize = ran.iter().map(|ran| ran.changes).sum();
    let frames: u64 = ran.iter().map(|ran| ran.frames).sum();
    let slowest =
        |of: fn(&Ran) -> Duration| ran.iter().map(|ran| of(ran)).max().unwrap_or_default();
    let (heads, servers) = (
        slowest(|ran| ran.took.heads),
        slowest(|ran| ran.took.servers),
    );
    println!(
        "{} runs: {changes} changes, {frames} frames; one head after {heads:?} at most, servers after {servers:?}",
        ran.len()
    );
}

#[test]
fn all_promises_hold_for_the_seeds_that_are_always_run() {
    let seeds: Vec<u64> = (0..number("SEEDS").unwrap_or(100)).collect();
    all_hold(&seeds);
}

#[test]
fn all_promises_hold_for_seeds_that_nobody_has_seen() {
    if number("SEEDS").is_some() || number("SEED").is_some() {
        return;
    }
    let chance = RandomState::new();
    let seeds: Vec<u64> = (0..20_u64).map(|number| chance.hash_one(number)).collect();
    println!("seeds {seeds:?}");
    all_hold(&seeds);
}

/// `SEED=…` names it.
#[test]
fn replay() {
    if let Some(seed) = number("SEED")
        && let Err(failed) = run(seed)
    {
        failed.print();
        panic!("seed {seed}: {}", failed.what);
    }
}

#[test]
fn the_same_seed_is_the_same_run_to_the_last_frame() {
    for seed in [3, 11] {
        let traces = [run(seed), run(seed)]
            .map(|ran| ran.map(|ran| ran.trace).map_err(|failed| failed.what));
        assert_eq!(traces[0], traces[1]);
    }
}

/// Each of several old records that came over one link when a cut ended was answered with a whole
/// copy of the head.
#[test]
fn old_records_after_a_cut_are_answered_with_one_copy_of_the_head() {
    all_hold(&[10]);
}
