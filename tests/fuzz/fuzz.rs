//! Fuzzing, with what a stable toolchain permits: `make fuzz SECONDS=60`, or this program with
//! `--seconds N [--seed N] [TARGET…]`.
//!
//! Each decoder of [`targets`] is fed honest input that was changed by chance. There is no count of
//! branches to go by; instead an input is kept, and changed further, if the decoder refused it in
//! words that it had not used before. The target `node` is a whole fleet with a member that says
//! anything ([`node`]). A panic ends the run with status 1, the seed and the input; the same seed
//! brings it again.

mod frames;
mod mutate;
mod node;
mod targets;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use starlingd::node::rng::Rng;
use targets::Target;

fn main() {
    let mut words = std::env::args().skip(1);
    let (mut seconds, mut seed, mut names) = (60, RandomState::new().hash_one(0), Vec::new());
    while let Some(word) = words.next() {
        let mut number = || {
            words
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or_else(|| panic!("{word} takes a number"))
        };
        match word.as_str() {
            "--seconds" => seconds = number(),
            "--seed" => seed = number(),
            _ => names.push(word),
        }
    }
    let decoders = targets::all();
    let is_known =
        |name: &String| name == NODE || decoders.iter().any(|target| target.name == name);
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        eprintln!(
            "fuzz: there is no target {unknown}, but {NODE} and {:?}",
            decoders.map_names()
        );
        std::process::exit(2);
    }
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let decoders: Vec<Target> = decoders
        .into_iter()
        .filter(|target| is_wanted(target.name))
        .collect();
    // Half of the time is the fleet's.
    let shares = decoders.len()
        + if is_wanted(NODE) {
            decoders.len().max(1)
        } else {
            0
        };
    let share =
        Duration::from_secs(seconds) / u32::try_from(shares.max(1)).expect("targets are few");
    println!("seed {seed}, {share:?} for each decoder");
    let mut failed = decoders
        .iter()
        .filter(|target| !feed(target, seed, share))
        .count();
    if is_wanted(NODE) {
        failed += usize::from(!fleets(
            seed,
            share * u32::try_from(decoders.len().max(1)).expect("targets are few"),
        ));
    }
    std::process::exit(i32::from(failed > 0));
}

trait Names {
    fn map_names(&self) -> Vec<&'static str>;
}

impl Names for Vec<Target> {
    fn map_names(&self) -> Vec<&'static str> {
        self.iter().map(|target| target.name).collect()
    }
}

/// Feeds a decoder for as long as `share`. False if it panicked.
fn feed(target: &Target, seed: u64, share: Duration) -> bool {
    let mut rng = Rng::new(seed);
    let (mut corpus, mut outcomes) = (target.honest.clone(), BTreeSet::new());
    let (mut fed, mut accepted, end) = (0_u64, 0_u64, Instant::now() + share);
    while Instant::now() < end {
        let bytes = mutate::garbage(&mut rng, &corpus, target.most);
        let Ok(verdict) = catch_unwind(AssertUnwindSafe(|| (target.decode)(&bytes))) else {
            println!(
                "{}: PANIC with seed {seed} after {fed} inputs, over {:?}",
                target.name,
                String::from_utf8_lossy(&bytes)
            );
            println!("  bytes: {bytes:?}");
            return false;
        };
        fed += 1;
        accepted += u64::from(verdict.is_ok());
        // Numbers in the words are places and sizes, of which there are as many as inputs.
        let words = verdict
            .err()
            .map(|words| words.replace(|letter: char| letter.is_ascii_digit(), ""));
        if let Some(words) = words
            && words.len() < WORDS_MAX
            && corpus.len() < CORPUS_MAX
            && outcomes.insert(words)
        {
            corpus.push(bytes);
        }
    }
    println!(
        "{}: {fed} inputs, {accepted} accepted, {} kinds of refusal",
        target.name,
        outcomes.len()
    );
    true
}

/// Lets one fleet after the other live with a hostile member, for as long as `share`. False if one
/// did not stand it.
fn fleets(seed: u64, share: Duration) -> bool {
    let end = Instant::now() + share;
    let mut ran = 0;
    while ran == 0 || Instant::now() < end {
        let seed = seed.wrapping_add(ran);
        if let Err(what) = catch_unwind(|| node::live(seed, ())) {
            let what = what
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| what.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            println!(
                "{NODE}: FAILED with --seed {seed}: {}",
                what.unwrap_or_default()
            );
            return false;
        }
        ran += 1;
    }
    println!("{NODE}: {ran} fleets");
    true
}

const NODE: &str = "node";
/// An input for each of so many kinds of refusal is kept.
const CORPUS_MAX: usize = 4_096;
/// Refusals that quote what they refuse are all different.
const WORDS_MAX: usize = 200;
