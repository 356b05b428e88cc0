//! What a link's other side is still to be told of hosts: whom about, how much, and when.
//!
//! Nothing is queued for it: what is told is what is held of a host at that moment, so only the
//! newest goes over a link, and only once. The first of many waits a moment for the others. A link
//! may carry so many bytes of news in each second and no more, however many hosts have some.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::limits::{NEWS_AT_ONCE, NEWS_EACH_SECOND};
use crate::model::peer_id::PeerId;

/// What somebody lacks of the news of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lacks {
    pub(super) record: bool,
    pub(super) step: bool,
    pub(super) beat: bool,
}

impl Lacks {
    pub(super) const ALL: Self = Self {
        record: true,
        step: true,
        beat: true,
    };
    pub(super) const RECORD: Self = Self {
        record: true,
        step: false,
        beat: false,
    };
    pub(super) const STEP: Self = Self {
        record: false,
        step: true,
        beat: false,
    };
    pub(super) const BEAT: Self = Self {
        record: false,
        step: false,
        beat: true,
    };

    fn and(self, other: Self) -> Self {
        Self {
            record: self.record || other.record,
            step: self.step || other.step,
            beat: self.beat || other.beat,
        }
    }

    fn without(self, other: Self) -> Self {
        Self {
            record: self.record && !other.record,
            step: self.step && !other.step,
            beat: self.beat && !other.beat,
        }
    }
}

/// What the other side of a link is still to be told.
#[derive(Debug, Default)]
pub(super) struct Untold {
    of: BTreeMap<PeerId, Lacks>,
    due: Option<Duration>,
    /// The last host that was told of: the next comes first.
    last: Option<PeerId>,
    /// When all that was said would have been said, at the pace that a link may keep.
    paid_until: Duration,
}

impl Untold {
    /// The other side is to be told of this host by `due`.
    pub(super) fn add(&mut self, peer: PeerId, lacks: Lacks, due: Duration) {
        let untold = self.of.entry(peer).or_default();
        *untold = untold.and(lacks);
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
    }

    /// The other side knows this, for it has said so itself.
    pub(super) fn knows(&mut self, peer: &PeerId, told: Lacks) {
        if let Some(untold) = self.of.get_mut(peer) {
            *untold = untold.without(told);
            if *untold == Lacks::default() {
                self.of.remove(peer);
            }
        }
        if self.of.is_empty() {
            self.due = None;
        }
    }

    /// When the next news are to go.
    pub(super) fn due(&self) -> Option<Duration> {
        let paid = self.paid_until.saturating_sub(at_pace(NEWS_AT_ONCE));
        self.due.map(|due| due.max(paid))
    }

    /// The next host that the other side is to be told of, and what.
    pub(super) fn next(&mut self) -> Option<(PeerId, Lacks)> {
        let from = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = self.of.range((from, Bound::Unbounded));
        let (peer, lacks) = behind.next().or_else(|| self.of.iter().next())?;
        Some((*peer, *lacks))
    }

    /// The other side was told all of this host.
    pub(super) fn told(&mut self, peer: PeerId) {
        self.of.remove(&peer);
        self.last = Some(peer);
    }

    /// So many bytes were said. What is left is due again at `again`.
    pub(super) fn said(&mut self, bytes: usize, now: Duration, again: Duration) {
        self.paid_until = self.paid_until.max(now) + at_pace(bytes);
        self.due = Some(again).filter(|_| !self.of.is_empty());
    }

    /// Nothing could be said: it is due again then.
    pub(super) fn wait(&mut self, until: Duration) {
        self.due = Some(until);
    }
}

/// How long so many bytes take at the pace that a link may keep.
fn at_pace(bytes: usize) -> Duration {
    Duration::from_millis(bytes as u64 * 1000 / NEWS_EACH_SECOND as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::signature::SecretKey;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer(seed: u8) -> PeerId {
        PeerId::from_bytes(SecretKey::from_seed(&[seed; 32]).public()).unwrap()
    }

    #[test]
    fn everybody_has_a_turn_and_what_the_other_says_itself_is_not_said() {
        let mut untold = Untold::default();
        (1..=3).for_each(|seed| untold.add(peer(seed), Lacks::STEP, SECOND));
        let (first, _) = untold.next().unwrap();
        untold.told(first);
        untold.add(first, Lacks::BEAT, 2 * SECOND);
        let (second, lacks) = untold.next().unwrap();
        assert!(second != first && lacks == Lacks::STEP);
        untold.knows(&second, Lacks::STEP);
        let (third, _) = untold.next().unwrap();
        assert!(third != first && third != second);
        untold.told(third);
        assert_eq!(untold.next(), Some((first, Lacks::BEAT)));
        assert_eq!(untold.due(), Some(SECOND));
        untold.knows(&first, Lacks::ALL);
        assert_eq!((untold.next(), untold.due()), (None, None));
    }

    #[test]
    fn a_link_carries_a_burst_and_then_keeps_its_pace() {
        let mut untold = Untold::default();
        untold.add(peer(1), Lacks::ALL, SECOND);
        untold.said(NEWS_AT_ONCE, SECOND, SECOND);
        assert_eq!(untold.due(), Some(SECOND));
        untold.said(NEWS_EACH_SECOND, SECOND, SECOND);
        assert_eq!(untold.due(), Some(2 * SECOND));
    }
}
