//! The simulated world as these scenarios use it: hosts by number, conditions that must come to
//! hold.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use starlingd::sim::{FarEnd, Spec};

use crate::watch::{Watch, World};

/// A world whose hosts are asked as clients would ask them, under the checkers that hold always.
pub struct Fleet {
    world: World,
    /// The world's own, which is away while it is told something: that is when a promise breaks.
    watch: Watch,
}

impl Deref for Fleet {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Fleet {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// What fails shows what came before.
impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seen = self.watch.seen();
            let from = seen.history.len().saturating_sub(LINES_SHOWN);
            println!("seed {}:", self.seed);
            seen.history[from..]
                .iter()
                .for_each(|line| println!("  {line}"));
        }
    }
}

impl Fleet {
    pub fn new(seed: u64) -> Self {
        let watch = Watch::default();
        Self {
            world: World::new(seed, watch.clone()),
            watch,
        }
    }

    /// So many hosts with servers, of which the first began the fleet and is configured at the
    /// others.
    pub fn of(seed: u64, count: usize) -> Self {
        let mut net = Self::new(seed);
        for number in 0..count {
            net.add(Self::spec(number));
        }
        net
    }

    pub fn spec(number: usize) -> Spec {
        World::spec(number)
    }

    /// A number below `bound`, by chance.
    pub fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// Cuts the network: hosts of different sides do not hear each other. Those not named are on
    /// the other side.
    pub fn split(&mut self, others: &[usize]) {
        self.partition(&[others.to_vec()]);
    }

    /// Lets time pass until `holds`, and panics after `most`.
    pub fn until(&mut self, what: &str, most: Duration, mut holds: impl FnMut(&mut Self) -> bool) {
        let end = self.now + most;
        while !holds(self) {
            assert!(
                self.now < end,
                "seed {}: not within {most:?}: {what}\n{}",
                self.seed,
                self.report()
            );
            self.run(STEP);
        }
    }

    /// The pairs of hosts that are linked, the smaller number first.
    pub fn pairs(&self) -> BTreeSet<(usize, usize)> {
        let ends = self
            .hosts
            .iter()
            .enumerate()
            .flat_map(|(here, host)| host.links.values().map(move |end| (here, end.other)));
        let pair = |(here, other): (usize, FarEnd)| match other {
            FarEnd::Host(there, _) => Some((here.min(there), here.max(there))),
            FarEnd::Puppet(_) => None,
        };
        ends.filter_map(pair).collect()
    }
}

/// Lines of the history that are shown of what fails.
const LINES_SHOWN: usize = 60;
/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);
