//! Stamps: a hybrid logical clock that only breaks ties.
//!
//! 48 bits of milliseconds since 1970 and a 16-bit counter. A stamp is above that of the revision
//! it was made on and those its author has made before, so cause comes before effect whatever the
//! clocks say; a clock that is wrong, even by years, moves nothing but the outcome of ties between
//! revisions of equal height. Stamps far ahead of the time are not followed: one wrong clock would
//! date every later change. Kulkarni et al., "Logical Physical Clocks", 2014.

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

    /// The first stamp of a millisecond since 1970; of the last there is, for any later.
    pub fn at(wall_ms: u64) -> Self {
        Self(wall_ms.min(WALL_MS_LIMIT - 1) << 16)
    }

    /// The stamp after this one: a counter that overflows carries into the milliseconds. The
    /// greatest has none, and author and ID break the ties.
    pub fn next(self) -> Self {
        Self((self.0 + 1).min(Self::MAX.0))
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

/// Makes a host's stamps: each above its last and above that of the revision it is made on, unless
/// those are far ahead of the time.
#[derive(Debug, Default, Clone)]
pub struct StampClock {
    last: Stamp,
}

impl StampClock {
    /// Takes note of a stamp that this host has made in an earlier run.
    pub fn resume(&mut self, made: Stamp) {
        self.last = self.last.max(made);
    }

    /// The next stamp: at least `least`, and above the last one made and those in `seen` as far as
    /// their milliseconds are not beyond `most_ms`.
    pub fn next(
        &mut self,
        least: Stamp,
        seen: impl IntoIterator<Item = Stamp>,
        most_ms: u64,
    ) -> Stamp {
        let followed = seen
            .into_iter()
            .chain([self.last])
            .filter(|stamp| stamp.wall_ms() <= most_ms);
        self.last = followed.map(Stamp::next).fold(least, Stamp::max);
        self.last
    }
}

/// Milliseconds are below this: room that no honest clock needs and that keeps sums from
/// overflowing.
const WALL_MS_LIMIT: u64 = 1 << 46;

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: u64 = u64::MAX;

    #[test]
    fn stamps_rise_when_the_clock_stands_still_or_goes_back() {
        let mut clock = StampClock::default();
        let first = clock.next(Stamp::at(1_000), [], ANY);
        let second = clock.next(Stamp::at(1_000), [], ANY);
        let third = clock.next(Stamp::at(0), [], ANY);
        assert!(first < second && second < third);
        assert_eq!(third.wall_ms(), 1_000);
    }

    #[test]
    fn a_stamp_is_above_what_it_is_made_on() {
        let mut clock = StampClock::default();
        let seen = Stamp::from_u64(5_000 << 16 | 0xffff).unwrap();
        let next = clock.next(Stamp::at(10), [seen], ANY);
        assert!(next > seen);
        assert_eq!(next.wall_ms(), 5_001, "the counter carries");
    }

    #[test]
    fn stamps_far_ahead_are_not_followed() {
        let mut clock = StampClock::default();
        clock.resume(Stamp::at(9_000));
        assert_eq!(
            clock.next(Stamp::at(10), [Stamp::at(2_001), Stamp::at(2_000)], 2_000),
            Stamp::at(2_000).next()
        );
        assert_eq!(
            clock.next(Stamp::at(10), [], 2_000),
            Stamp::at(2_000).next().next(),
            "the host's own stamps rise again"
        );
    }

    #[test]
    fn a_clock_beyond_the_range_is_cut_to_it() {
        assert_eq!(Stamp::at(u64::MAX).wall_ms(), (1 << 46) - 1);
        assert_eq!(Stamp::MAX.next(), Stamp::MAX);
        assert_eq!(Stamp::from_u64(Stamp::MAX.as_u64() + 1), None);
    }
}
