//! The simulated world as these scenarios use it: hosts by number, conditions that must come to
//! hold.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use starlingd::sim::{Other, Spec, World};

pub struct Net(World);

impl Deref for Net {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl DerefMut for Net {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0
    }
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Self(World::new(seed, ()))
    }

    /// So many hosts with servers, of which the first began the fleet and is configured at the
    /// others.
    pub fn fleet(seed: u64, count: usize) -> Self {
        let mut net = Self::new(seed);
        for number in 0..count {
            net.add(Self::spec(number));
        }
        net
    }

    pub fn spec(number: usize) -> Spec {
        <World>::spec(number)
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
        let pair = |(here, other): (usize, Other)| match other {
            Other::Host(there, _) => Some((here.min(there), here.max(there))),
            Other::Puppet(_) => None,
        };
        ends.filter_map(pair).collect()
    }
}

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);
