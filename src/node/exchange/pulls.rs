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
mod tests {
    use super::*;
    use crate::model::peer_id::PeerId;
    use crate::model::record::{Header, Kind};
    use crate::model::signature::SecretKey;
    use crate::model::stamp::Stamp;

    const BODY: &[u8] = b"0123456789";
    const SECOND: Duration = Duration::from_secs(1);

    /// The record of a body, of the group `name`.
    fn record(name: &str, body: &[u8]) -> Record {
        let secret = SecretKey::from_seed(&[1; 32]);
        let header = Header {
            kind: Kind::Document,
            flags: 0,
            fleet: [2; 32],
            key: name.to_owned(),
            author: PeerId::from_bytes(secret.public()).unwrap(),
            height: 1,
            stamp: Stamp::default(),
            base: RecordId::NONE,
            body_len: 0,
            body_hash: [0; 32],
            note: String::new(),
        };
        Record::sign(header, body, &secret)
    }

    /// A body that these links have offered, and its ID.
    fn offered(links: &[LinkId]) -> (Pulls, RecordId) {
        let (mut pulls, record) = (Pulls::default(), record("a", BODY));
        for link in links {
            pulls.offer(*link, record.clone(), Duration::ZERO);
        }
        (pulls, record.id)
    }

    fn asked(pulls: &mut Pulls, id: &RecordId) -> Option<(LinkId, u32)> {
        pulls
            .next(id, SECOND)
            .map(|request| (request.link, request.offset))
    }

    fn took(piece: Piece) {
        assert!(matches!(piece, Piece::Taken), "{piece:?}");
    }

    #[test]
    fn the_next_who_offered_goes_on_where_the_body_ends() {
        // What happens after link 1 has sent half of the body, and who is asked then for what.
        type Case = (
            &'static str,
            fn(&mut Pulls, &RecordId),
            Option<(LinkId, u32)>,
        );
        let cases: [Case; 5] = [
            ("nothing", |_, _| {}, Some((1, 5))),
            (
                "it has not got it",
                |pulls, id| assert!(pulls.is_missing(1, id)),
                Some((2, 5)),
            ),
            (
                "the other has not got it, and is not asked",
                |pulls, id| assert!(!pulls.is_missing(2, id)),
                Some((1, 5)),
            ),
            (
                "nothing comes for long",
                |pulls, id| assert_eq!(pulls.stalled(60 * SECOND), [*id]),
                Some((2, 5)),
            ),
            (
                "both are gone",
                |pulls, id| {
                    assert_eq!(pulls.without(1), [*id]);
                    assert_eq!(pulls.without(2), [*id]);
                },
                None,
            ),
        ];
        for (what, happens, expected) in cases {
            let (mut pulls, id) = offered(&[1, 2]);
            assert_eq!(asked(&mut pulls, &id), Some((1, 0)));
            took(pulls.piece(1, &id, 0, &BODY[..5], SECOND));
            happens(&mut pulls, &id);
            assert_eq!(asked(&mut pulls, &id), expected, "{what}");
            assert_eq!(pulls.has(&id), expected.is_some(), "{what}");
        }
    }

    #[test]
    fn only_what_goes_on_where_the_body_ends_is_taken() {
        for (link, offset, bytes, is_fault) in [
            (1, 5, &BODY[5..8], false),
            (1, 5, b"" as &[u8], true),
            (1, 5, b"6789ab", true),
            // Once more, which was on its way.
            (1, 0, &BODY[..5], false),
            // Of somebody who has offered nothing.
            (9, 5, b"6789ab", false),
        ] {
            let (mut pulls, id) = offered(&[1, 2]);
            took(pulls.piece(1, &id, 0, &BODY[..5], SECOND));
            let piece = pulls.piece(link, &id, offset, bytes, SECOND);
            assert_eq!(matches!(piece, Piece::Fault), is_fault, "{piece:?}");
            assert!(pulls.has(&id), "the body is not complete");
        }
        let (mut pulls, id) = offered(&[1, 2]);
        pulls.piece(1, &id, 0, &BODY[..5], SECOND);
        // Late or early, whoever has offered it may end it.
        let Piece::Whole(record, body, links) = pulls.piece(2, &id, 5, &BODY[5..], SECOND) else {
            panic!("the body is not complete");
        };
        assert_eq!((record.id, &body[..], &links[..]), (id, BODY, &[1, 2][..]));
        assert!(!pulls.has(&id));
    }

    #[test]
    fn a_wrong_body_of_pieces_by_two_is_nobodys_fault_and_fetched_again() {
        let (mut pulls, id) = offered(&[1, 2]);
        pulls.piece(1, &id, 0, b"wrong", SECOND);
        pulls.is_missing(1, &id);
        let wrong = pulls.piece(2, &id, 5, &BODY[5..], SECOND);
        assert!(matches!(wrong, Piece::Again), "{wrong:?}");
        assert_eq!(asked(&mut pulls, &id), Some((2, 0)));
        // Of one alone it is handed over as it came: it is that one's fault.
        let whole = pulls.piece(2, &id, 0, b"still wron", SECOND);
        assert!(matches!(whole, Piece::Whole(..)), "{whole:?}");
    }

    #[test]
    fn a_body_that_nobody_sends_is_given_up() {
        let (mut pulls, id) = offered(&[1]);
        let (mut now, mut rounds) = (Duration::ZERO, 0);
        while pulls.next(&id, now).is_some() {
            now = pulls.due().expect("it is being fetched");
            assert_eq!(pulls.stalled(now), [id]);
            rounds += 1;
        }
        assert_eq!(rounds, PULL_ROUNDS_MAX + 1);
        assert!(!pulls.has(&id) && pulls.due().is_none());
    }

    #[test]
    fn who_sends_slowly_is_given_three_times_as_long() {
        let (mut pulls, id) = offered(&[1]);
        assert_eq!(pulls.due(), Some(PULL_PATIENCE));
        let slow = 2 * PULL_PATIENCE;
        pulls.piece(1, &id, 0, &BODY[..5], slow);
        assert_eq!(pulls.due(), Some(slow + (3 * slow).min(DEAD_AFTER)));
    }

    #[test]
    fn so_many_bodies_are_fetched_at_once_and_the_links_are_remembered() {
        let mut pulls = Pulls::default();
        let records: Vec<Record> = (0..=PULLS_MAX)
            .map(|number| record(&format!("g{number}"), BODY))
            .collect();
        for record in &records[..PULLS_MAX] {
            let offer = |pulls: &mut Pulls, link| pulls.offer(link, record.clone(), SECOND);
            assert_eq!(offer(&mut pulls, 1), Offered::First);
            assert_eq!(offer(&mut pulls, 2), Offered::Remembered);
        }
        let last = records[PULLS_MAX].clone();
        assert_eq!(pulls.offer(1, last.clone(), SECOND), Offered::Full);
        assert_eq!(pulls.settle(&records[0].id), [1, 2]);
        assert_eq!(pulls.offer(1, last, SECOND), Offered::First);
        assert_eq!(pulls.len(), PULLS_MAX);
    }

    #[test]
    fn a_delta_is_asked_for_until_it_was_of_no_use() {
        let (mut pulls, id) = offered(&[1, 2]);
        let group = |pulls: &mut Pulls| pulls.next(&id, SECOND).unwrap().group;
        assert_eq!(group(&mut pulls).as_deref(), Some("a"));
        assert!(!pulls.takes_no_delta(2, &id), "it was not asked");
        assert!(pulls.takes_no_delta(1, &id));
        assert_eq!(group(&mut pulls), None);
        assert!(!pulls.takes_no_delta(1, &id), "it was not asked for one");
    }

    #[test]
    fn a_delta_waits_for_its_base_until_that_is_here_or_will_not_come() {
        let (mut pulls, base) = offered(&[1]);
        let record = record("a", b"the next");
        assert!(
            !pulls.waits_for_base(1, record.id, &record, b"d"),
            "nobody fetches it"
        );
        assert!(pulls.waits_for_base(1, base, &record, b"d"));
        assert!(pulls.depend_on(1) && !pulls.depend_on(2));
        assert!(pulls.take_ready(|_| false).is_none());
        let ready = pulls
            .take_ready(|id| *id == base)
            .expect("its base is here");
        assert_eq!((ready.link, ready.record.id), (1, record.id));
        assert!(pulls.waits_for_base(1, base, &record, b"d"));
        pulls.settle(&base);
        assert!(
            pulls.take_ready(|_| false).is_some(),
            "its base will not come"
        );
    }

    #[test]
    fn a_link_waits_for_a_body_that_is_being_decoded() {
        let (mut pulls, id) = offered(&[]);
        assert!(!pulls.is_decoded_for(1, &id));
        pulls.begin_decoding(id, vec![1]);
        assert_eq!(
            pulls.offer(2, record("a", BODY), SECOND),
            Offered::Remembered
        );
        assert!(pulls.has(&id) && pulls.depend_on(2));
        assert_eq!(pulls.end_decoding(&id), [1, 2]);
        assert!(!pulls.has(&id));
    }
}
