//! What time it is, as far as that must be known: by this host's clock and by those of the peers it
//! is linked with.
//!
//! No clock is trusted. The time matters in three places only: how far ahead a revision may be
//! dated before it is passed over, what an own revision is dated, and which host's clock is named
//! as wrong. Of three clocks or more the middle one counts. Of two the later one says what may be
//! taken, for a board that is months behind must not be shut out, and the earlier one what is
//! dated: too early harms nobody. Whoever knows no time takes everything.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Peers;
use super::node_record::NodeRecord;
use crate::limits::{
    AHEAD_MAX_MS, AHEAD_SLACK_MS, CLOCK_DIFFERS_MS, CLOCK_SOUND_FROM_MS, CLOCK_SOUND_UNTIL_MS,
    CLOCKS_NAMED_MAX, SYNC_EVERY,
};
use crate::model::peer_id::PeerId;
use crate::model::record::{Record, RecordId};
use crate::node::context::Context;
use crate::node::effect::Level;
use crate::node::event::Event;
use crate::node::input::LinkId;

/// What is remembered about dates.
#[derive(Debug, Default)]
pub(in crate::node) struct Clocks {
    /// The last revision that was passed over because it is dated too far ahead: its ID, author,
    /// date, and when it came.
    passed: Option<(RecordId, PeerId, u64, Duration)>,
    /// The hosts whose clocks have been named.
    named: BTreeSet<PeerId>,
    /// The head that is dated far ahead, and since when this host knows that.
    pub(in crate::node) ahead: Option<(RecordId, Duration)>,
}

/// The clocks that show a possible time, in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) struct Time {
    own: Option<u64>,
    /// The own one among them; rising.
    all: Vec<u64>,
}

impl Time {
    fn of(own: u64, peers: impl Iterator<Item = u64>) -> Self {
        let own = Some(own).filter(|ms| is_sound(*ms));
        let mut all: Vec<u64> = peers.filter(|ms| is_sound(*ms)).chain(own).collect();
        all.sort_unstable();
        Self { own, all }
    }

    /// What is dated by: never later than the own clock shows.
    pub(in crate::node) fn dating(&self) -> Option<u64> {
        let middle = self
            .all
            .get(self.all.len().saturating_sub(1) / 2)
            .copied()?;
        Some(self.own.map_or(middle, |own| own.min(middle)))
    }

    /// What dates of others are judged by.
    pub(in crate::node) fn judging(&self) -> Option<u64> {
        self.all.get(self.all.len() / 2).copied()
    }
}

impl Peers {
    /// By how many milliseconds a host's clock is ahead of the middle one, as far as news of it is
    /// fresh and there are others to compare with.
    pub(in crate::node) fn clock_off(
        &self,
        cx: &Context,
        peer: &PeerId,
        node: &NodeRecord,
    ) -> Option<i64> {
        let time = self.time(cx);
        let middle = time
            .judging()
            .filter(|_| self.links.len() + usize::from(time.own.is_some()) > 1)?;
        let shown = if *peer == cx.me {
            cx.now.wall_ms
        } else {
            node.clock_ms(cx.now.elapsed)
        };
        let off = i64::try_from(shown.abs_diff(middle)).unwrap_or(i64::MAX);
        (*peer == cx.me || self.is_live(cx, peer, node)).then_some(if shown < middle {
            -off
        } else {
            off
        })
    }

    /// The hosts whose clocks differ from the middle one by so much that it is told, and by how
    /// much; a few of them.
    fn differing(&self, cx: &Context) -> Vec<(PeerId, i64)> {
        let differs = |off: &i64| off.unsigned_abs() > CLOCK_DIFFERS_MS;
        let hosts = self.roster.iter().filter_map(|(peer, node)| {
            Some((*peer, self.clock_off(cx, peer, node).filter(differs)?))
        });
        hosts.take(CLOCKS_NAMED_MAX).collect()
    }

    /// Whose clocks are wrong, in words. Of two clocks nobody can say which.
    pub(in crate::node) fn clock_problems(&self, cx: &Context) -> Vec<String> {
        let two = self.time(cx).all.len() == 2 && self.time(cx).own.is_some();
        let differing = self.differing(cx).into_iter().map(|(peer, off)| {
            let (who, by) = (
                if peer == cx.me {
                    "this host".to_owned()
                } else {
                    self.called(&peer)
                },
                span(off.unsigned_abs()),
            );
            let way = if off < 0 { "behind" } else { "ahead of" };
            match two {
                true => format!(
                    "the clock of {who} is {by} {way} that of the other: nobody can tell which is \
                     wrong"
                ),
                false => format!("the clock of {who} is {by} {way} those of most hosts"),
            }
        });
        differing.collect()
    }

    /// Says once whose clock is found to be wrong, and once that it is right again.
    pub(in crate::node) fn name_clocks(&mut self, cx: &mut Context) {
        let differing: BTreeSet<PeerId> = self
            .differing(cx)
            .into_iter()
            .map(|(peer, _)| peer)
            .collect();
        if differing == self.clocks.named {
            return;
        }
        let mended: Vec<PeerId> = self.clocks.named.difference(&differing).copied().collect();
        if !differing.is_subset(&self.clocks.named) {
            self.clock_problems(cx)
                .into_iter()
                .for_each(|text| cx.say(Level::Warn, "clock", text));
        }
        for peer in mended {
            let who = if peer == cx.me {
                "this host".to_owned()
            } else {
                self.called(&peer)
            };
            cx.say(
                Level::Info,
                "clock",
                format!("the clock of {who} does not differ from the others any more"),
            );
        }
        self.clocks.named = differing;
        cx.own_record_changed();
    }

    /// A peer's record shows its clock. If that is the first of a peer that is linked, what was
    /// passed over may be wanted after all.
    pub(in crate::node) fn clock_heard(&mut self, cx: &mut Context, peer: &PeerId, is_first: bool) {
        let link = self
            .links
            .values()
            .find(|link| link.hello.peer == *peer)
            .map(|link| (link.id, link.passed_over));
        if let Some((link, passed_over)) = link.filter(|_| is_first) {
            cx.tell(Event::Heads);
            if passed_over {
                cx.tell(Event::PassedOver(link));
            }
        }
    }

    pub(in crate::node) fn time(&self, cx: &Context) -> Time {
        let records = self
            .links
            .values()
            .filter_map(|link| self.roster.get(&link.hello.peer));
        Time::of(
            cx.now.wall_ms,
            records.map(|node| node.clock_ms(cx.now.elapsed)),
        )
    }

    /// The latest date, in milliseconds since 1970, that a head may have; `None` if nobody knows
    /// the time.
    pub(in crate::node) fn bound_ms(&self, cx: &Context) -> Option<u64> {
        self.time(cx)
            .judging()
            .map(|now| now + AHEAD_MAX_MS + AHEAD_SLACK_MS)
    }

    /// Notes a record that is passed over, for people. Only what its author has signed: anybody
    /// could put a name to a date.
    pub(in crate::node) fn is_news(
        &mut self,
        cx: &mut Context,
        link: LinkId,
        record: &Record,
        dated: u64,
    ) -> bool {
        let now = cx.now.elapsed;
        let (author, was) = (record.header.author, self.clocks.passed);
        let is_same = was.is_some_and(|(id, ..)| id == record.id);
        if !is_same && !(cx.setup.is_signed)(record) {
            self.fault(cx, link, "a record that its author did not sign");
            return false;
        }
        self.clocks.passed = Some((record.id, author, dated, now));
        if !is_same && was.is_none_or(|(.., at)| at + SYNC_EVERY <= now) {
            let text = self.passed_over(cx).unwrap_or_default();
            cx.say(Level::Warn, "clock", text);
        }
        true
    }

    /// The last revision that was passed over, in words, as long as others still offer it.
    pub(in crate::node) fn passed_over(&self, cx: &Context) -> Option<String> {
        let (id, author, dated, at) = self.clocks.passed?;
        let recent = at + 4 * SYNC_EVERY > cx.now.elapsed;
        let ahead = self
            .time(cx)
            .judging()
            .and_then(|now| dated.checked_sub(now))
            .filter(|_| recent)?;
        let (id, author) = (id.short(), self.called(&author));
        Some(format!(
            "revision {id} by {author} is dated {} ahead and is passed over until then",
            span(ahead)
        ))
    }
}

/// Whether a clock shows a time at which this program can run: neither before it was written nor in
/// another century.
pub(in crate::node) fn is_sound(ms: u64) -> bool {
    (CLOCK_SOUND_FROM_MS.unsigned_abs()..CLOCK_SOUND_UNTIL_MS).contains(&ms)
}

/// A length of time in its largest unit.
fn span(ms: u64) -> String {
    let (minute, hour, day) = (60_000, 3_600_000, 86_400_000);
    match ms {
        ..120_000 => format!("{} s", ms / 1000),
        120_000..7_200_000 => format!("{} min", ms / minute),
        7_200_000..172_800_000 => format!("{} h", ms / hour),
        172_800_000..63_072_000_000 => format!("{} days", ms / day),
        _ => format!("{} years", ms / (365 * day)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    const YEAR: u64 = 31_536_000_000;

    fn time(own: u64, peers: &[u64]) -> Time {
        Time::of(own, peers.iter().copied())
    }

    #[test]
    fn of_three_clocks_the_middle_one_counts() {
        for (own, peers) in [
            (NOW + YEAR, [NOW, NOW]),
            (NOW, [NOW, NOW + YEAR]),
            (NOW, [NOW - YEAR, NOW]),
        ] {
            let time = time(own, &peers);
            assert_eq!(time.judging(), Some(NOW), "{own} {peers:?}");
            assert_eq!(time.dating(), Some(NOW), "{own} {peers:?}");
        }
        assert_eq!(
            time(NOW - 5, &[NOW, NOW, NOW]).dating(),
            Some(NOW - 5),
            "never later than the own clock shows"
        );
    }

    #[test]
    fn of_two_clocks_the_later_one_judges_and_the_earlier_one_dates() {
        for pair in [[NOW, NOW + YEAR], [NOW + YEAR, NOW]] {
            let time = time(pair[0], &pair[1..]);
            assert_eq!(
                (time.judging(), time.dating()),
                (Some(NOW + YEAR), Some(NOW))
            );
        }
    }

    #[test]
    fn clocks_that_show_no_possible_time_do_not_count() {
        assert_eq!(time(10_000, &[]).judging(), None);
        assert_eq!(time(10_000, &[]).dating(), None);
        assert_eq!(time(10_000, &[NOW, u64::MAX, 0]).judging(), Some(NOW));
        assert_eq!(time(NOW, &[CLOCK_SOUND_UNTIL_MS]).judging(), Some(NOW));
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        assert_eq!(
            [1_000, 7_200_000, 86_400_000 * 3, 33 * YEAR].map(span),
            ["1 s", "2 h", "3 days", "33 years"]
        );
    }
}
