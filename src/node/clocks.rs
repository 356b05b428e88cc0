//! What time it is, as far as that must be known: by this host's clock and by those of the peers it
//! is linked with.
//!
//! No clock is trusted. The time matters in three places only: how far ahead a revision may be
//! dated before it is passed over, what an own revision is dated, and which host's clock is named
//! as wrong. Of three clocks or more the middle one counts. Of two the later one says what may be
//! taken, for a board that is months behind must not be shut out, and the earlier one what is
//! dated: too early harms nobody. Whoever knows no time takes everything.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::effect::{DiskJob, Level};
use super::input::LinkId;
use super::reading::Reading;
use super::records::file_text;
use super::replica::Group;
use super::roster::NodeRecord;
use super::{Context, Peers, Store};
use super::{Node, Waiting, revision_name};
use crate::limits::{
    AHEAD_MAX_MS, AHEAD_SLACK_MS, AHEAD_SOON_MS, CLOCK_DIFFERS_MS, CLOCK_SOUND_FROM_MS,
    CLOCK_SOUND_UNTIL_MS, CLOCKS_NAMED_MAX, RETRY_SOON, STAND_IN_AFTER, SYNC_EVERY,
};
use crate::model::peer_id::PeerId;
use crate::model::record::{Header, Kind, Record, RecordId};
use crate::model::revision::{Draft, Edit, Origin, Revision};
use crate::model::stamp::Stamp;
use crate::wire::frame::Scope;

/// What is remembered about dates.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// The last revision that was passed over because it is dated too far ahead: its ID, author,
    /// date, and when it came.
    passed: Option<(RecordId, PeerId, u64, Duration)>,
    /// The hosts whose clocks have been named.
    named: BTreeSet<PeerId>,
    /// The head that is dated far ahead, and since when this host knows that.
    ahead: Option<(RecordId, Duration)>,
}

/// The clocks that show a possible time, in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Time {
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
    fn dating(&self) -> Option<u64> {
        let middle = self
            .all
            .get(self.all.len().saturating_sub(1) / 2)
            .copied()?;
        Some(self.own.map_or(middle, |own| own.min(middle)))
    }

    /// What dates of others are judged by.
    fn judging(&self) -> Option<u64> {
        self.all.get(self.all.len() / 2).copied()
    }
}

impl Node {
    /// The stamp of an own revision on `base`: the time as far as it is known, above that of the
    /// base and above the own ones before, and with milliseconds enough for the height. Stamps
    /// far ahead of the time are not followed.
    pub(super) fn next_stamp(&mut self, base: Option<&Revision>) -> Stamp {
        let now = self.peers.time(&self.cx).dating();
        let height = base.map_or(0, |base| base.record.header.height) + 1;
        let least = base
            .map_or(Stamp::default(), Revision::least_stamp)
            .max(Stamp::at(now.unwrap_or_default().max(height)));
        let most = now.map_or(u64::MAX, |now| now + AHEAD_MAX_MS + AHEAD_SLACK_MS);
        self.store
            .stamps
            .next(least, base.map(|base| base.record.header.stamp), most)
    }

    /// Whether a record is dated so far ahead that it is not taken yet. That is nobody's fault, and
    /// not remembered: the next exchange brings it again. What was made on a revision that is
    /// held is taken, or hosts whose clocks are a little behind would pass over honest changes;
    /// and where there is no head, or only one as far ahead, the order alone decides.
    pub(super) fn passes_over(&mut self, link: LinkId, record: &Record) -> bool {
        let Some(now) = self
            .peers
            .time(&self.cx)
            .judging()
            .filter(|_| record.header.kind == Kind::Document)
        else {
            return false;
        };
        let (dated, until) = (record.header.stamp.wall_ms(), now + AHEAD_MAX_MS);
        if dated <= until || self.exchange.missing.contains(&record.id) {
            return false;
        }
        self.store.replica.judge_by(Some(until + AHEAD_SLACK_MS));
        let group = self.store.replica.group(&record.header.key);
        if !group.is_some_and(|group| has_sound_head(group) && !follows_from(group, record)) {
            return false;
        }
        if !self.peers.is_news(&mut self.cx, link, record, dated) {
            return true;
        }
        if let Some(link) = self.peers.links.get_mut(&link) {
            link.passed_over = true;
            if dated - until <= AHEAD_SOON_MS {
                link.overflowed = true;
                link.exchange_at =
                    self.cx.now.elapsed + Duration::from_millis(dated - until) + RETRY_SOON;
            }
        }
        true
    }

    /// By how many milliseconds a host's clock is ahead of the middle one, as far as news of it is
    /// fresh and there are others to compare with.
    pub(super) fn clock_off(&self, peer: &PeerId, node: &NodeRecord) -> Option<i64> {
        let time = self.peers.time(&self.cx);
        let middle = time
            .judging()
            .filter(|_| self.peers.links.len() + usize::from(time.own.is_some()) > 1)?;
        let shown = if *peer == self.cx.me {
            self.cx.now.wall_ms
        } else {
            node.clock_ms(self.cx.now.elapsed)
        };
        let off = i64::try_from(shown.abs_diff(middle)).unwrap_or(i64::MAX);
        (*peer == self.cx.me || self.is_live(peer, node)).then_some(if shown < middle {
            -off
        } else {
            off
        })
    }

    /// The hosts whose clocks differ from the middle one by so much that it is told, and by how
    /// much; a few of them.
    fn differing(&self) -> Vec<(PeerId, i64)> {
        let differs = |off: &i64| off.unsigned_abs() > CLOCK_DIFFERS_MS;
        let hosts =
            self.peers.roster.iter().filter_map(|(peer, node)| {
                Some((*peer, self.clock_off(peer, node).filter(differs)?))
            });
        hosts.take(CLOCKS_NAMED_MAX).collect()
    }

    /// Whose clocks are wrong, in words. Of two clocks nobody can say which.
    pub(super) fn clock_problems(&self) -> Vec<String> {
        let two =
            self.peers.time(&self.cx).all.len() == 2 && self.peers.time(&self.cx).own.is_some();
        let differing = self.differing().into_iter().map(|(peer, off)| {
            let (who, by) =
                (if peer == self.cx.me { "this host".to_owned() } else { self.peers.called(&peer) }, span(off.unsigned_abs()));
            let way = if off < 0 { "behind" } else { "ahead of" };
            match two {
                true => format!("the clock of {who} is {by} {way} that of the other: nobody can tell which is wrong"),
                false => format!("the clock of {who} is {by} {way} those of most hosts"),
            }
        });
        differing.collect()
    }

    /// Says once whose clock is found to be wrong, and once that it is right again.
    fn name_clocks(&mut self) {
        let differing: BTreeSet<PeerId> =
            self.differing().into_iter().map(|(peer, _)| peer).collect();
        if differing == self.peers.clocks.named {
            return;
        }
        let mended: Vec<PeerId> = self
            .peers
            .clocks
            .named
            .difference(&differing)
            .copied()
            .collect();
        if !differing.is_subset(&self.peers.clocks.named) {
            self.clock_problems()
                .into_iter()
                .for_each(|text| self.cx.say(Level::Warn, "clock", text));
        }
        for peer in mended {
            let who = if peer == self.cx.me {
                "this host".to_owned()
            } else {
                self.peers.called(&peer)
            };
            self.cx.say(
                Level::Info,
                "clock",
                format!("the clock of {who} does not differ from the others any more"),
            );
        }
        self.peers.clocks.named = differing;
        self.cx.own_record_changed();
    }

    /// A peer's record shows its clock. If that is the first of a peer that is linked, what was
    /// passed over may be wanted after all.
    pub(super) fn clock_heard(&mut self, peer: &PeerId, is_first: bool) {
        let link = self
            .peers
            .links
            .values()
            .find(|link| link.hello.peer == *peer)
            .map(|link| (link.id, link.passed_over));
        if let Some((link, passed_over)) = link.filter(|_| is_first) {
            self.judge_heads();
            if passed_over {
                self.begin_exchange(link, Scope::Documents);
            }
        }
    }

    /// Looks whether heads are dated far ahead by what is known of the time now. One that is gives
    /// way to a revision that is not, if one is held; the own group's is else dated anew:
    /// others with a right clock would not take it.
    pub(super) fn judge_heads(&mut self) {
        self.store.replica.judge_by(self.peers.bound_ms(&self.cx));
        let rightful: Vec<Arc<Revision>> = self
            .store
            .replica
            .groups()
            .filter_map(|(_, group)| group.rightful())
            .collect();
        for revision in rightful {
            // One whose body is on disk only is looked at again when it is here.
            match revision.is_light() {
                true if self.cx.is_being_read(&revision.id()) => {}
                true => self
                    .cx
                    .read_kept(revision.record.clone(), Reading::Uncontained),
                false => self.take_revision(None, revision),
            }
        }
        self.date_anew();
        self.name_clocks();
    }

    /// Publishes the head once more with a date that all others take: its author at once, anybody
    /// else if that does not happen.
    fn date_anew(&mut self) {
        let Some((head, now)) = self
            .store
            .head(&self.cx)
            .cloned()
            .zip(self.peers.time(&self.cx).dating())
        else {
            return;
        };
        let header = &head.record.header;
        if header.stamp.wall_ms() <= now + AHEAD_MAX_MS + AHEAD_SLACK_MS || header.height >= now {
            self.peers.clocks.ahead = None;
            return;
        }
        let since = self
            .peers
            .clocks
            .ahead
            .filter(|(id, _)| *id == head.id())
            .map_or(self.cx.now.elapsed, |(_, since)| since);
        self.peers.clocks.ahead = Some((head.id(), since));
        let is_due = header.author == self.cx.me || since + STAND_IN_AFTER <= self.cx.now.elapsed;
        let is_busy = self.changes.transaction.is_some()
            || self
                .cx
                .tickets
                .values()
                .any(|waiting| matches!(waiting, Waiting::Note(_)));
        if !is_due
            || is_busy
            || !self.exchange.exchanged
            || !self.exchange.joined
            || !self.local.may_configure(&mut self.cx)
        {
            return;
        }
        let edit = Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        };
        let (document, note) = (head.document.clone(), "dated anew".to_owned());
        let flags = header.flags & Header::UNTRIED;
        let draft = Draft {
            edit,
            document,
            opens: Default::default(),
            settles: Vec::new(),
            flags,
            note,
        };
        let Some(again) = self.author(Some(&head), draft).map(Arc::new) else {
            return;
        };
        let ticket = self.cx.ticket(Waiting::Note(Arc::clone(&again)));
        let name = revision_name(again.record.header.height, &again.id());
        self.cx.disk(DiskJob::Store(
            ticket,
            self.cx.setup.group.clone(),
            name,
            file_text(&again),
        ));
    }
}

impl Peers {
    fn time(&self, cx: &Context) -> Time {
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
    pub(super) fn bound_ms(&self, cx: &Context) -> Option<u64> {
        self.time(cx)
            .judging()
            .map(|now| now + AHEAD_MAX_MS + AHEAD_SLACK_MS)
    }

    /// Notes a record that is passed over, for people. Only what its author has signed: anybody
    /// could put a name to a date.
    fn is_news(&mut self, cx: &mut Context, link: LinkId, record: &Record, dated: u64) -> bool {
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
    pub(super) fn passed_over(&self, cx: &Context) -> Option<String> {
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

impl Store {
    /// Notes when a revision came, if the clock showed a possible time then.
    pub(super) fn note_received(&mut self, revision: &Revision, received_ms: u64) {
        let received = Some(received_ms).filter(|ms| is_sound(*ms));
        if let Some(group) = self.replica.group_mut(&revision.record.header.key) {
            group.note_received(&revision.rank(), received);
        }
    }
}

fn has_sound_head(group: &Group) -> bool {
    group
        .head()
        .is_some_and(|head| !group.is_ahead(&head.rank()))
}

/// Whether a record was made on one that is held and not far ahead, and is dated no later than it
/// had to be.
fn follows_from(group: &Group, record: &Record) -> bool {
    let header = &record.header;
    let base = group
        .history()
        .rev()
        .map(|summary| &summary.record)
        .find(|base| base.id == header.base);
    base.is_some_and(|base| {
        !group.is_ahead(&base.rank()) && header.stamp.wall_ms() <= base.header.stamp.wall_ms() + 1
    })
}

/// Whether a clock shows a time at which this program can run: neither before it was written nor in
/// another century.
fn is_sound(ms: u64) -> bool {
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
