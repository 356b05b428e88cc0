//! When to ask who is there: while somebody is missing, and else hardly ever.
//!
//! Every host on the wire answers each time, so in a fleet that is whole it is the most expensive
//! thing that idle hosts do. Whoever starts asks, and dials those who answer; whoever is known is
//! dialled from the address book. What is left is two parts of a fleet that have never met and come
//! to be on one wire unnoticed: for these one question of any host in a while is enough, so that
//! the hosts that were heard share it.

use std::time::{Duration, Instant};

use crate::limits::{BROWSE_CALM_EVERY, BROWSE_EVERY, BROWSES_EAGER};

/// The browses of this host.
pub(super) struct Rounds {
    last: Instant,
    /// When the next browse is due in any case.
    soon: Option<Instant>,
    misses_somebody: bool,
    /// How many of the next follow each other closely if somebody is missing.
    eager: u32,
    /// This host's own part of [`BROWSE_CALM_EVERY`], in 256ths, so that hosts that were started
    /// together do not go on asking together.
    spread: u32,
}

impl Rounds {
    /// Begins with a browse at once, and in the belief that somebody is missing. `instance` is what
    /// this host is called on the wire.
    pub(super) fn new(instance: &str, now: Instant) -> Self {
        let drawn = instance
            .get(..2)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        Self {
            last: now,
            soon: Some(now),
            misses_somebody: true,
            eager: BROWSES_EAGER,
            spread: 128 + drawn.unwrap_or(128),
        }
    }

    /// Sets whether somebody is missing from now on.
    pub(super) fn set_missing(&mut self, misses_somebody: bool) {
        if misses_somebody && !self.misses_somebody {
            self.eager = BROWSES_EAGER;
        }
        self.misses_somebody = misses_somebody;
    }

    /// Makes a browse due by `at`, and has more follow it closely if somebody is missing then.
    pub(super) fn want(&mut self, at: Instant) {
        self.eager = BROWSES_EAGER;
        self.hasten(at);
    }

    /// Makes a browse due by `at`.
    pub(super) fn hasten(&mut self, at: Instant) {
        self.soon = Some(self.soon.map_or(at, |soon| soon.min(at)));
    }

    /// Notes that a browse begins now.
    pub(super) fn begin(&mut self, now: Instant) {
        self.last = now;
        self.soon = None;
        self.eager = self.eager.saturating_sub(1);
    }

    /// When the next browse is due, if so many other hosts were heard.
    pub(super) fn next_at(&self, others: usize) -> Instant {
        let pause = if self.misses_somebody && self.eager > 0 {
            BROWSE_EVERY
        } else {
            let hosts = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
            calm(self.spread).saturating_mul(hosts)
        };
        let by_the_clock = self.last + pause;
        self.soon
            .map_or(by_the_clock, |soon| soon.min(by_the_clock))
    }
}

fn calm(spread: u32) -> Duration {
    BROWSE_CALM_EVERY * spread / 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::clock;

    /// The pauses of so many browses in a row, each at its time.
    fn pauses(rounds: &mut Rounds, others: usize, count: u32) -> Vec<Duration> {
        (0..count)
            .map(|_| {
                let (last, next) = (rounds.last, rounds.next_at(others));
                rounds.begin(next);
                next - last
            })
            .collect()
    }

    /// The middle of what hosts draw.
    const INSTANCE: &str = "80112233445566778899";

    #[test]
    fn who_misses_somebody_asks_closely_and_not_for_ever() {
        let now = clock::instant();
        let mut rounds = Rounds::new(INSTANCE, now);
        let found = pauses(&mut rounds, 0, BROWSES_EAGER + 1);
        assert_eq!(found[0], Duration::ZERO, "the first is at once");
        assert!(
            found[1..BROWSES_EAGER as usize]
                .iter()
                .all(|pause| *pause == BROWSE_EVERY)
        );
        assert_eq!(found[BROWSES_EAGER as usize], BROWSE_CALM_EVERY);
    }

    #[test]
    fn who_misses_nobody_shares_the_asking_with_all_others() {
        let now = clock::instant();
        let mut rounds = Rounds::new(INSTANCE, now);
        rounds.begin(now);
        rounds.set_missing(false);
        assert_eq!(rounds.next_at(19), now + BROWSE_CALM_EVERY * 20);
        for (instance, least, most) in [("00", 128, 128), ("ff", 383, 383), ("", 128, 383)] {
            let rounds = Rounds::new(instance, now);
            assert!((least..=most).contains(&rounds.spread), "{instance}");
        }
        rounds.set_missing(true);
        assert_eq!(rounds.next_at(19), now + BROWSE_EVERY, "it is no longer so");
        // When nobody is missing any more the haste ends too.
        rounds.set_missing(false);
        assert_eq!(rounds.next_at(19), now + BROWSE_CALM_EVERY * 20);
    }

    #[test]
    fn a_changed_network_is_asked_soon_and_once() {
        let now = clock::instant();
        let mut rounds = Rounds::new(INSTANCE, now);
        rounds.begin(now);
        rounds.set_missing(false);
        let soon = now + Duration::from_secs(2);
        rounds.want(soon);
        rounds.want(soon + Duration::from_secs(1));
        assert_eq!(
            pauses(&mut rounds, 1, 2),
            [soon - now, BROWSE_CALM_EVERY * 2]
        );
    }
}
