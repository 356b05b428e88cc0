//! Runs of numbers: which of a series are there.
//!
//! However many there are, they take as much as there are gaps between them.

use crate::limits::HEIGHT_LIMIT;

/// The numbers from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// Numbers as runs, rising, with a gap after each but the last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Runs(pub(super) Vec<Run>);

impl Runs {
    pub(super) fn contains(&self, number: u64) -> bool {
        let at = self.0.partition_point(|run| run.last < number);
        self.0.get(at).is_some_and(|run| run.first <= number)
    }

    /// Says whether it was not there before.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if self.contains(number) {
            return false;
        }
        let at = self.0.partition_point(|run| run.last < number);
        let joins_next = self.0.get(at).is_some_and(|run| run.first == number + 1);
        let joins_last = at > 0 && self.0[at - 1].last + 1 == number;
        match (joins_last, joins_next) {
            (true, true) => {
                self.0[at - 1].last = self.0[at].last;
                self.0.remove(at);
            }
            (true, false) => self.0[at - 1].last = number,
            (false, true) => self.0[at].first = number,
            (false, false) => self.0.insert(
                at,
                Run {
                    first: number,
                    last: number,
                },
            ),
        }
        true
    }

    pub(super) fn last(&self) -> u64 {
        self.0.last().map_or(0, |run| run.last)
    }

    /// The numbers that are here and not among `others`, rising.
    pub(super) fn without(&self, others: Option<&Self>) -> impl Iterator<Item = u64> {
        let others = others.map_or(&[][..], |others| &others.0[..]);
        self.0.iter().flat_map(move |run| {
            let at = others.partition_point(|other| other.last < run.first);
            let within = others[at..]
                .iter()
                .take_while(|other| other.first <= run.last);
            // Between two of the others, before the first and after the last of them.
            let starts =
                std::iter::once(run.first).chain(within.clone().map(|other| other.last + 1));
            let ends = within.map(|other| other.first).chain([HEIGHT_LIMIT]);
            starts
                .zip(ends)
                .flat_map(move |(start, end)| start..end.min(run.last + 1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn runs_do_as_a_set_does() {
        let mut state = 7_u64;
        let mut below = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % bound
        };
        for _ in 0..200 {
            let mut pair = [(Runs::default(), BTreeSet::new()), Default::default()];
            for (runs, set) in &mut pair {
                for _ in 0..below(40) {
                    let number = below(30) + 1;
                    assert_eq!(runs.insert(number), set.insert(number));
                }
                assert!(
                    runs.0
                        .windows(2)
                        .all(|pair| pair[0].last + 1 < pair[1].first)
                );
                assert!((1..40).all(|number| runs.contains(number) == set.contains(&number)));
                assert_eq!(runs.last(), set.last().copied().unwrap_or_default());
            }
            let [(one, ones), (other, others)] = &pair;
            let left: Vec<u64> = one.without(Some(other)).collect();
            assert_eq!(left, ones.difference(others).copied().collect::<Vec<_>>());
            assert!(one.without(None).eq(ones.iter().copied()));
        }
    }
}
