//! The pulse of the loop: whether it turns. What others take for a sign of life is given only while
//! it does.
//!
//! Threads beside the loop could go on shaking hands and taking requests long after the loop has
//! stopped to do anything about them, and everybody would take the host for healthy. So before they
//! do, they look here; and the watchdog, on the thread `signal`, ends a process whose loop does not
//! come back, for a supervisor to start it anew: the state on disk is sound at every moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::Clock;
use super::logger;
use crate::limits::{LOOP_LATE, WATCHDOG_BEATS};

/// What the loop promises, and whoever wants to know whether it keeps that. Clones are of one loop.
#[derive(Debug, Clone)]
pub struct Pulse {
    clock: Clock,
    /// By when the loop turns again, in milliseconds of the clock.
    due_ms: Arc<AtomicU64>,
}

impl Pulse {
    /// The pulse of a loop that has not begun yet, and has promised nothing.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            due_ms: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    /// The loop turns, and goes to wait for something to happen, until this time at most.
    pub fn promise(&self, until: Duration) {
        self.due_ms.store(
            u64::try_from(until.as_millis()).unwrap_or(u64::MAX),
            Ordering::Release,
        );
    }

    /// Notes that the loop has something in hand now.
    pub fn turn(&self) {
        self.promise(self.clock.now().elapsed);
    }

    /// Notes that the loop has ended, and promises nothing any more.
    pub fn end(&self) {
        self.promise(Duration::MAX);
    }

    /// Whether the loop should have turned [`LOOP_LATE`] ago and has not.
    pub fn stands(&self) -> bool {
        let due = Duration::from_millis(self.due_ms.load(Ordering::Acquire));
        self.clock.now().elapsed > due.saturating_add(LOOP_LATE)
    }
}

/// What looks at the pulse every [`WATCHDOG_EVERY`](crate::limits::WATCHDOG_EVERY), and ends the
/// process when the loop stands at [`WATCHDOG_BEATS`] of these looks.
pub(super) fn watchdog(pulse: Pulse) -> impl FnMut() + Send + 'static {
    let mut count = Beats::default();
    move || match count.beat(pulse.stands()) {
        LoopHealth::Well => {}
        LoopHealth::Late => log::warn!("the loop has not turned for {} s", LOOP_LATE.as_secs()),
        LoopHealth::Dead => {
            log::error!(
                "the loop has not turned for a minute: this process ends, to be started anew"
            );
            logger::finish();
            std::process::abort();
        }
    }
}

/// Counts the beats at which the loop was found standing. Not the time by any clock: that goes on
/// while the process, or the machine, is stopped as a whole, the watchdog with the loop.
#[derive(Debug, Default)]
struct Beats {
    standing: u32,
}

/// What the watchdog finds of the loop at one beat.
#[derive(Debug, PartialEq, Eq)]
enum LoopHealth {
    Well,
    /// The loop stands, and did not at the last beat.
    Late,
    /// The loop will not come back.
    Dead,
}

impl Beats {
    fn beat(&mut self, stands: bool) -> LoopHealth {
        self.standing = if stands { self.standing + 1 } else { 0 };
        match self.standing {
            1 => LoopHealth::Late,
            count if count >= WATCHDOG_BEATS => LoopHealth::Dead,
            _ => LoopHealth::Well,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_stands_when_it_is_late_and_not_while_it_waits_or_has_not_begun() {
        let pulse = Pulse::new(Clock::new());
        assert!(!pulse.stands(), "it has not begun");
        pulse.turn();
        assert!(!pulse.stands(), "it has something in hand");
        let seen = Pulse {
            clock: pulse.clock,
            due_ms: Arc::clone(&pulse.due_ms),
        };
        pulse.promise(Duration::from_secs(3600));
        assert!(!seen.stands(), "it waits");
        pulse.end();
        assert!(!seen.stands(), "it has ended");
    }

    #[test]
    fn only_beats_in_a_row_end_the_process() {
        let mut beats = Beats::default();
        assert_eq!(beats.beat(false), LoopHealth::Well);
        for _ in 0..3 {
            assert_eq!(beats.beat(true), LoopHealth::Late);
            (2..WATCHDOG_BEATS).for_each(|_| assert_eq!(beats.beat(true), LoopHealth::Well));
            assert_eq!(beats.beat(false), LoopHealth::Well);
        }
        assert!(
            (1..=WATCHDOG_BEATS)
                .map(|_| beats.beat(true))
                .any(|finding| finding == LoopHealth::Dead)
        );
    }
}
