//! How long changes took to spread, and over how many links.
//!
//! Of each figure it is the median over all changes that have come so far.

use std::time::Duration;

use super::figures::Figures;
use crate::sim::tally::Spread;

/// Adds the figures of these changes in a fleet of so many running hosts.
pub(super) fn measure(figures: &mut Figures, spreads: &[Spread], hosts: usize) {
    for share in SHARES {
        let count = (hosts * share.percent).div_ceil(100);
        let reached = spreads
            .iter()
            .filter_map(|spread| spread.has_reached(count));
        let (mut times, mut hops): (Vec<Duration>, Vec<u16>) = reached.unzip();
        times.sort_unstable();
        hops.sort_unstable();
        figures.time(
            share.time,
            share.time_words,
            times.get(times.len() / 2).copied(),
        );
        figures.count(
            share.hops,
            "links on the way there",
            hops.get(hops.len() / 2).map(|hops| f64::from(*hops)),
        );
        if share.percent == 100 {
            let slowest = times.last().copied();
            figures.time("worst_ms", "the slowest of the changes", slowest);
        }
    }
}

/// A share of the hosts, and what the figures about it are called.
struct SpreadShare {
    percent: usize,
    time: &'static str,
    time_words: &'static str,
    hops: &'static str,
}

const SHARES: [SpreadShare; 3] = [
    SpreadShare {
        percent: 50,
        time: "half_ms",
        time_words: "until half the hosts have a change",
        hops: "half_hops",
    },
    SpreadShare {
        percent: 99,
        time: "most_ms",
        time_words: "until 99 % have it",
        hops: "most_hops",
    },
    SpreadShare {
        percent: 100,
        time: "all_ms",
        time_words: "until all have it",
        hops: "all_hops",
    },
];
