//! Stamps: a hybrid logical clock that only breaks ties.
//!
//! 48 bits of milliseconds since 1970 and a 16-bit counter. A stamp is above everything its author has seen, so cause comes before
//! effect whatever the clocks say; a clock that is wrong, even by years, moves nothing but the outcome of ties between revisions of
//! equal height. Kulkarni et al., "Logical Physical Clocks", 2014.

use std::fmt;

/// A point of the hybrid logical clock; ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(u64);

impl Stamp {
    /// The greatest there is.
    pub const MAX: Self = Self((WALL_MS_LIMIT << 16) - 1);

    /// From the number that travels; `None` if its milliseconds are not below 2^46.
    pub fn from_u64(value: u64) -> Option<Self> {
        (value <= Self::MAX.0).then_some(Self(value))
    }

    /// The number that travels: milliseconds in the upper 48 bits, counter in the lower 16.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The clock's milliseconds since 1970, for showing to people.
    pub fn wall_ms(self) -> u64 {
        self.0 >> 16
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Makes a host's stamps: each above the last, and above all that were seen.
#[derive(Debug, Default, Clone)]
pub struct StampClock {
    last: Stamp,
}

impl StampClock {
    /// Takes note of a stamp from elsewhere.
    pub fn observe(&mut self, seen: Stamp) {
        self.last = self.last.max(seen);
    }

    /// The next stamp at `wall_ms` milliseconds since 1970. A counter that overflows carries into the milliseconds; at the very end of
    /// the range (year 4199) stamps stop rising, and author and ID break the ties.
    pub fn next(&mut self, wall_ms: u64) -> Stamp {
        let wall = Stamp(wall_ms.min(WALL_MS_LIMIT - 1) << 16);
        self.last = if wall > self.last { wall } else { Stamp((self.last.0 + 1).min(Stamp::MAX.0)) };
        self.last
    }
}

/// Milliseconds are below this: room that no honest clock needs and that keeps sums from overflowing.
const WALL_MS_LIMIT: u64 = 1 << 46;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_when_the_clock_stands_still_or_goes_back() {
        let mut clock = StampClock::default();
        let first = clock.next(1_000);
        let second = clock.next(1_000);
        let third = clock.next(0);
        assert!(first < second && second < third);
        assert_eq!(third.wall_ms(), 1_000);
    }

    #[test]
    fn a_stamp_is_above_all_that_was_seen() {
        let mut clock = StampClock::default();
        let seen = Stamp::from_u64(5_000 << 16 | 0xffff).unwrap();
        clock.observe(seen);
        let next = clock.next(10);
        assert!(next > seen);
        assert_eq!(next.wall_ms(), 5_001, "the counter carries");
    }

    #[test]
    fn a_clock_beyond_the_range_is_cut_to_it() {
        let mut clock = StampClock::default();
        assert_eq!(clock.next(u64::MAX).wall_ms(), (1 << 46) - 1);
        clock.observe(Stamp::MAX);
        assert_eq!(clock.next(0), Stamp::MAX);
        assert_eq!(Stamp::from_u64(Stamp::MAX.as_u64() + 1), None);
    }
}
