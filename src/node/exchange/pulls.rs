//! The bodies being fetched: of whom, how far each is, and what is asked next.
//!
//! A body is asked of whoever offered it first; after two seconds without a new piece, or three
//! times as long as the slowest took, the next who offered is asked to go on from there. At most
//! four bodies are fetched at once, so what a peer can make this host hold is bounded.
//!
//! Nothing here sends, decodes or believes anything: whom to ask for what, and a body that is
//! complete, go back to `pulling`. Invariant: one link at a time is asked for a body, and a piece
//! is taken only where the body ends.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::limits::{
    BEHIND_MAX, DEAD_AFTER, INLINE_MAX, LINK_WINDOW, PULL_PATIENCE, PULL_ROUNDS_MAX, PULLS_MAX,
};
use crate::model::record::{Record, RecordId};
use crate::node::input::LinkId;

struct Pull {
    record: Record,
    body: Vec<u8>,
    /// Who is asked, then who else has offered.
    offers: VecDeque<LinkId>,
    moved: Duration,
    /// When the last piece came, or the pull began.
    came: Duration,
    /// The longest that a piece took.
    pace: Duration,
    /// Pieces that came once more since the last new one: they were on their way when the rest was
    /// asked for again.
    doubles: usize,
    /// How often nothing came.
    rounds: u32,
    /// Whether pieces came from more than one link.
    mixed: bool,
    /// Whether a delta is of no use.
    plain: bool,
}

impl Pull {
    /// A body that nothing has come of yet.
    fn new(record: Record, link: LinkId, now: Duration) -> Self {
        Self {
            record,
            body: Vec::new(),
            offers: VecDeque::from([link]),
            moved: now,
            came: now,
            pace: Duration::ZERO,
            doubles: 0,
            rounds: 0,
            mixed: false,
            plain: false,
        }
    }

    /// When somebody else is asked. What is asked for anew is sent anew, behind what is on its way:
    /// on a slow link, where a piece takes long, asking soon would make it slower.
    fn impatient_at(&self) -> Duration {
        self.moved + PULL_PATIENCE.max(3 * self.pace).min(DEAD_AFTER)
    }

    fn asks(&self, link: LinkId) -> bool {
        self.offers.front() == Some(&link)
    }

    /// Somebody else goes on with what there is of the body.
    fn changes_hands(&mut self) {
        self.mixed |= !self.body.is_empty();
    }

    /// Takes a piece in where the body ends.
    fn take(&mut self, link: LinkId, offset: usize, bytes: &[u8], now: Duration) -> Came {
        // Late pieces of somebody who is not asked any more are no fault. They are of use if they
        // go on where the body ends.
        if !self.asks(link) {
            if self.body.len() != offset || !self.offers.contains(&link) {
                return Came::Nothing;
            }
            self.changes_hands();
        }
        if self.body.len() != offset {
            self.doubles += 1;
            if self.doubles <= DOUBLES_MAX {
                self.moved = now;
            }
            return Came::Nothing;
        }
        let len = self.record.header.body_len as usize;
        if bytes.is_empty() || offset + bytes.len() > len {
            return Came::Fault;
        }
        self.body.extend_from_slice(bytes);
        self.pace = self.pace.max(now - self.came);
        (self.moved, self.came, self.rounds, self.doubles) = (now, now, 0, 0);
        if self.body.len() < len {
            return Came::Nothing;
        }
        if self.mixed && !self.record.matches(&self.body) {
            // Nobody can say whose pieces were wrong: once more, all from one.
            (self.body, self.mixed) = (Vec::new(), false);
            return Came::Again;
        }
        Came::Whole
    }
}

/// What came of a piece, of the pull that it is for.
enum Came {
    Nothing,
    Fault,
    Again,
    Whole,
}

/// What a piece means for whoever has it.
#[derive(Debug)]
pub(super) enum Piece {
    /// The piece was taken in, or is of no use; nothing is to be done.
    Taken,
    /// The piece is beyond the end of the body, or empty: the link is at fault.
    Fault,
    /// The body is to be asked for again from its beginning.
    Again,
    /// The body is complete: its record, its bytes, and the links that have offered it.
    Whole(Record, Vec<u8>, Vec<LinkId>),
}

/// What is to be asked of a link for a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BodyRequest {
    /// Whom to ask.
    pub(super) link: LinkId,
    /// The group whose head may serve as the base of a delta; `None` if a delta is of no use.
    pub(super) group: Option<String>,
    /// From where on, in bytes.
    pub(super) offset: u32,
}

/// What becomes of a link's offer of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// Nobody was asked for the body yet: this link is to be.
    First,
    /// The body is being fetched, or decoded: the link is remembered.
    Remembered,
    /// As many bodies are fetched as may be.
    Full,
}

/// A record that came as a delta against a body that is being fetched.
pub(super) struct Behind {
    pub(super) base: RecordId,
    pub(super) link: LinkId,
    pub(super) record: Record,
    pub(super) delta: Vec<u8>,
}

/// All bodies being fetched, and what waits for them.
#[derive(Default)]
pub(super) struct Pulls {
    pulls: BTreeMap<RecordId, Pull>,
    /// Bodies that are here and are being decoded, and who else has offered them.
    decoding: BTreeMap<RecordId, Vec<LinkId>>,
    behind: VecDeque<Behind>,
}

impl Pulls {
    /// When the next is to be asked of somebody else.
    pub(super) fn due(&self) -> Option<Duration> {
        self.pulls.values().map(Pull::impatient_at).min()
    }

    /// Whether this body is being fetched.
    pub(super) fn has(&self, id: &RecordId) -> bool {
        self.pulls.contains_key(id) || self.decoding.contains_key(id)
    }

    /// How many bodies are being fetched.
    pub(super) fn len(&self) -> usize {
        self.pulls.len()
    }

    /// Whether anything is being fetched from this link.
    pub(super) fn depend_on(&self, link: LinkId) -> bool {
        let decodes = self.decoding.values().any(|offers| offers.contains(&link));
        decodes
            || self.pulls.values().any(|pull| pull.offers.contains(&link))
            || self.behind.iter().any(|behind| behind.link == link)
    }

    /// A link offers a body.
    pub(super) fn offer(&mut self, link: LinkId, record: Record, now: Duration) -> Offered {
        if self.is_decoded_for(link, &record.id) {
            return Offered::Remembered;
        }
        if let Some(pull) = self.pulls.get_mut(&record.id) {
            if !pull.offers.contains(&link) {
                pull.offers.push_back(link);
            }
            return Offered::Remembered;
        }
        if self.pulls.len() >= PULLS_MAX {
            return Offered::Full;
        }
        self.pulls.insert(record.id, Pull::new(record, link, now));
        Offered::First
    }

    /// A link has named a record. Whether its body is being fetched: then the link is remembered.
    pub(super) fn is_offered(&mut self, link: LinkId, id: &RecordId) -> bool {
        if let Some(pull) = self.pulls.get_mut(id) {
            if !pull.offers.contains(&link) {
                pull.offers.push_back(link);
            }
            return true;
        }
        self.expects(id)
    }

    /// What is to be asked for a body now, and of whom; `None` if nobody is left to ask. Then it is
    /// given up: the next exchange with anybody who has it begins anew.
    pub(super) fn next(&mut self, id: &RecordId, now: Duration) -> Option<BodyRequest> {
        let pull = self.pulls.get_mut(id)?;
        let Some(link) = pull.offers.front().copied() else {
            self.pulls.remove(id);
            return None;
        };
        pull.moved = now;
        Some(BodyRequest {
            link,
            group: (!pull.plain).then(|| pull.record.header.key.clone()),
            offset: u32::try_from(pull.body.len()).expect("bodies are shorter than 4 GiB"),
        })
    }

    /// A link has brought a piece of a body. One that nobody asked for is of no use.
    pub(super) fn piece(
        &mut self,
        link: LinkId,
        id: &RecordId,
        offset: usize,
        bytes: &[u8],
        now: Duration,
    ) -> Piece {
        let Some(pull) = self.pulls.get_mut(id) else {
            return Piece::Taken;
        };
        match pull.take(link, offset, bytes, now) {
            Came::Nothing => Piece::Taken,
            Came::Fault => Piece::Fault,
            Came::Again => Piece::Again,
            Came::Whole => {
                let pull = self.pulls.remove(id).expect("it was just found");
                Piece::Whole(pull.record, pull.body, pull.offers.into())
            }
        }
    }

    /// A link does not have a body after all. Whether it was being asked, so that somebody else is
    /// to be.
    pub(super) fn is_missing(&mut self, link: LinkId, id: &RecordId) -> bool {
        let pull = self.pulls.get_mut(id).filter(|pull| pull.asks(link));
        let Some(pull) = pull else { return false };
        pull.offers.pop_front();
        pull.changes_hands();
        true
    }

    /// A delta is of no use for a body. Whether this link was being asked for it, and for a delta
    /// too, so that it is to be asked for the body itself.
    pub(super) fn takes_no_delta(&mut self, link: LinkId, id: &RecordId) -> bool {
        let pull = self.pulls.get_mut(id);
        let pull = pull.filter(|pull| pull.asks(link) && !pull.plain);
        pull.map(|pull| pull.plain = true).is_some()
    }

    /// The bodies of which nothing has come for too long. The next who offered each, or the only
    /// one again, is to be asked to go on; for a while.
    pub(super) fn stalled(&mut self, now: Duration) -> Vec<RecordId> {
        let stalled = self
            .pulls
            .iter_mut()
            .filter(|(_, pull)| pull.impatient_at() <= now);
        let pass_on = |(id, pull): (&RecordId, &mut Pull)| {
            pull.offers.rotate_left(1);
            pull.rounds += 1;
            pull.mixed |= pull.offers.len() > 1 && !pull.body.is_empty();
            if pull.rounds > PULL_ROUNDS_MAX {
                pull.offers.clear();
            }
            *id
        };
        stalled.map(pass_on).collect()
    }

    /// A link is gone. The bodies that it was being asked for, of which others are to be asked.
    pub(super) fn without(&mut self, link: LinkId) -> Vec<RecordId> {
        self.behind.retain(|behind| behind.link != link);
        let mut orphans = Vec::new();
        for (id, pull) in &mut self.pulls {
            if pull.asks(link) {
                pull.changes_hands();
                orphans.push(*id);
            }
            pull.offers.retain(|other| *other != link);
        }
        orphans
    }

    /// A revision is held now, however it came: its body is not fetched any more. Who has offered
    /// it.
    pub(super) fn settle(&mut self, id: &RecordId) -> Vec<LinkId> {
        let pull = self.pulls.remove(id);
        pull.map_or_else(Vec::new, |pull| pull.offers.into())
    }

    /// A body is being decoded beside the loop, which these links have offered.
    pub(super) fn begin_decoding(&mut self, id: RecordId, offers: Vec<LinkId>) {
        self.decoding.insert(id, offers);
    }

    /// A body was decoded. Who else has offered it.
    pub(super) fn end_decoding(&mut self, id: &RecordId) -> Vec<LinkId> {
        self.decoding.remove(id).unwrap_or_default()
    }

    /// Whether this body is here and being decoded. Then this link may wait for it like the others
    /// that have offered it.
    pub(super) fn is_decoded_for(&mut self, link: LinkId, id: &RecordId) -> bool {
        let offers = self.decoding.get_mut(id);
        offers.map(|offers| offers.push(link)).is_some()
    }

    /// A delta came whose base is being fetched: it waits for it, for the whole body would cross a
    /// slow link beside the other. `false` if that is not so, or too many wait.
    pub(super) fn waits_for_base(
        &mut self,
        link: LinkId,
        base: RecordId,
        record: &Record,
        delta: &[u8],
    ) -> bool {
        // Not for one that waits itself for this one: a broken peer could say so.
        let in_turn = self.behind.iter().any(|behind| behind.base == record.id);
        let waits = !in_turn && self.expects(&base) && self.behind.len() < BEHIND_MAX;
        if waits {
            self.behind.push_back(Behind {
                base,
                link,
                record: record.clone(),
                delta: delta.to_vec(),
            });
        }
        waits
    }

    /// The next of what has waited for a body that is here now, as `is_held` says, or will not
    /// come.
    pub(super) fn take_ready(&mut self, is_held: impl Fn(&RecordId) -> bool) -> Option<Behind> {
        let is_ready = |behind: &Behind| is_held(&behind.base) || !self.expects(&behind.base);
        let ready = self.behind.iter().position(is_ready)?;
        self.behind.remove(ready)
    }

    /// Whether this body will be here, as far as can be told.
    fn expects(&self, id: &RecordId) -> bool {
        self.has(id) || self.behind.iter().any(|behind| behind.record.id == *id)
    }
}

/// What may be on its way over a link when the rest of a body is asked for again, in pieces.
const DOUBLES_MAX: usize = LINK_WINDOW as usize / INLINE_MAX;

#[cfg(test)]
mod tests;
