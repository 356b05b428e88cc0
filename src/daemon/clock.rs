//! The clock: the one file that reads the time.
//!
//! Waiting goes by a clock that only moves forward, stamps by the wall clock, which may be wrong by
//! decades and may jump. Both are read together, so that what is decided at one moment is decided
//! for one time.

#![expect(
    clippy::disallowed_methods,
    reason = "here the time is read, for everybody"
)]

use std::time::{Duration, Instant, SystemTime};

use crate::node::input::Now;

/// The monotonic clock, counted from when this value was made, and the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The time since the start, never zero and never less than before (it may stand still while
    /// the machine sleeps), and the wall clock in milliseconds since 1970, 0 for anything
    /// earlier.
    pub fn now(&self) -> Now {
        Now {
            elapsed: self.start.elapsed() + ORIGIN,
            wall_ms: unix_ms(SystemTime::now()),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// This moment of the machine's clock, for the deadlines of threads that do their own waiting.
pub fn instant() -> Instant {
    Instant::now()
}

/// Added to every reading, so that zero can mean "never".
const ORIGIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_begins_above_zero_and_only_grows() {
        let clock = Clock::new();
        let first = clock.now().elapsed;
        assert!(first >= ORIGIN);
        assert!(clock.now().elapsed >= first);
    }

    #[test]
    fn a_wall_clock_before_1970_reads_zero() {
        assert_eq!(unix_ms(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(
            unix_ms(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)),
            1500
        );
    }
}
