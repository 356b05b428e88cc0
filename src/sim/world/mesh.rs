//! The mesh as it is at a moment: who is linked with whom, and in how many pieces that leaves the
//! fleet.
//!
//! A link counts when both ends have it. Nothing here changes the world.

use std::collections::BTreeSet;

use super::{Observer, World};
use crate::sim::host::FarEnd;

impl<O: Observer> World<O> {
    /// The hosts that a running host is linked with and that run too.
    pub fn neighbours(&self, host: usize) -> BTreeSet<usize> {
        let others = self.hosts[host]
            .links
            .values()
            .filter_map(|end| match end.other {
                FarEnd::Host(other, theirs) if self.hosts[other].links.contains_key(&theirs) => {
                    Some(other)
                }
                _ => None,
            });
        others.filter(|other| self.hosts[*other].up).collect()
    }

    /// How many hosts each piece of the mesh of running hosts has, the largest first.
    pub fn pieces(&self) -> Vec<usize> {
        let mut left: BTreeSet<usize> = self.running().into_iter().collect();
        let mut pieces = Vec::new();
        while let Some(first) = left.pop_first() {
            let (mut edge, mut size) = (vec![first], 1);
            while let Some(host) = edge.pop() {
                for other in self.neighbours(host) {
                    if left.remove(&other) {
                        size += 1;
                        edge.push(other);
                    }
                }
            }
            pieces.push(size);
        }
        pieces.sort_unstable_by(|a, b| b.cmp(a));
        pieces
    }

    /// With how many others each running host is linked, the fewest first.
    pub fn degrees(&self) -> Vec<usize> {
        let mut degrees: Vec<usize> = self
            .running()
            .into_iter()
            .map(|host| self.neighbours(host).len())
            .collect();
        degrees.sort_unstable();
        degrees
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_mesh_falls_into_the_pieces_that_a_cut_makes_of_it() {
        let mut world = World::new(3, ());
        (0..6).for_each(|number| assert_eq!(world.add(World::<()>::spec(number)), number));
        world.run(Duration::from_secs(20));
        assert_eq!((world.pieces(), world.degrees()), (vec![6], vec![5; 6]));
        world.partition(&[vec![0, 1]]);
        world.run(Duration::from_secs(20));
        assert_eq!(
            (world.pieces(), world.degrees()),
            (vec![4, 2], vec![1, 1, 3, 3, 3, 3])
        );
        world.crash(0, true);
        assert_eq!(world.pieces(), vec![4, 1], "who is down is in no piece");
    }
}
