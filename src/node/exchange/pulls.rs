//! Bodies being fetched: from whom, how far, and what to do when nothing comes.
//!
//! A body is asked from whoever offered it first; after two seconds without a new piece, or three
//! times as long as the slowest took, the next who offered is asked to go on from there. At most
//! four bodies are fetched at once, so what a peer can make this host hold is bounded.

use crate::node::context::Context;
use crate::node::event::Event;
use crate::node::peers::Peers;
use crate::node::store::Store;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Exchange;
use crate::limits::{
    BEHIND_MAX, DEAD_AFTER, INLINE_MAX, LINK_WINDOW, PULL_PATIENCE, PULL_ROUNDS_MAX, PULLS_MAX,
};
use crate::model::record::{Record, RecordId};
use crate::node::input::LinkId;
use crate::node::undecoded::Body;
use crate::wire::frame::{Frame, Payload};

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
    /// When somebody else is asked. What is asked for anew is sent anew, behind what is on its way:
    /// on a slow link, where a piece takes long, asking soon would make it slower.
    fn impatient_at(&self) -> Duration {
        self.moved + PULL_PATIENCE.max(3 * self.pace).min(DEAD_AFTER)
    }
}

/// A record that came as a delta against a body that is being fetched.
struct Behind {
    base: RecordId,
    link: LinkId,
    record: Record,
    delta: Vec<u8>,
}

/// All bodies being fetched, and what waits for them.
#[derive(Default)]
pub(in crate::node) struct Pulls {
    pulls: BTreeMap<RecordId, Pull>,
    /// Bodies that are here and are being decoded, and who else has offered them.
    pub(in crate::node) decoding: BTreeMap<RecordId, Vec<LinkId>>,
    behind: VecDeque<Behind>,
}

impl Pulls {
    /// When the next is to be asked of somebody else.
    pub(in crate::node) fn due(&self) -> Option<Duration> {
        self.pulls.values().map(Pull::impatient_at).min()
    }

    /// Whether this body is being fetched.
    pub(in crate::node) fn has(&self, id: &RecordId) -> bool {
        self.pulls.contains_key(id) || self.decoding.contains_key(id)
    }

    /// How many bodies are being fetched.
    pub(in crate::node) fn len(&self) -> usize {
        self.pulls.len()
    }

    /// Whether anything is being fetched from this link.
    pub(in crate::node) fn depend_on(&self, link: LinkId) -> bool {
        let decodes = self.decoding.values().any(|offers| offers.contains(&link));
        decodes
            || self.pulls.values().any(|pull| pull.offers.contains(&link))
            || self.behind.iter().any(|behind| behind.link == link)
    }

    /// Whether this body will be here, as far as can be told.
    fn expects(&self, id: &RecordId) -> bool {
        self.has(id) || self.behind.iter().any(|behind| behind.record.id == *id)
    }
}

impl Exchange {
    /// Takes up the next of what has waited for a body that is here now, or will not come. `false`
    /// if there is none.
    pub(in crate::node) fn follow_pull(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
    ) -> bool {
        let pulls = &self.pulls;
        let is_ready = |behind: &Behind| {
            store.replica.find(&behind.base).is_some() || !pulls.expects(&behind.base)
        };
        let ready = pulls.behind.iter().position(is_ready);
        let Some(Behind {
            base,
            link,
            record,
            delta,
        }) = ready.and_then(|at| self.pulls.behind.remove(at))
        else {
            return false;
        };
        if !store.replica.holds(&record.header.key, &record.rank()) {
            self.document_record(cx, peers, store, link, record, Payload::Delta(base, delta));
        }
        cx.tell(Event::Whole(link));
        true
    }

    /// A link offers a body: it is asked for it, or remembered.
    pub(in crate::node) fn pull(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        record: Record,
    ) {
        if self.is_decoded_for(link, &record.id) {
            return;
        }
        if let Some(pull) = self.pulls.pulls.get_mut(&record.id) {
            if !pull.offers.contains(&link) {
                pull.offers.push_back(link);
            }
            return;
        }
        if self.pulls.pulls.len() >= PULLS_MAX {
            // Not forgotten: the link is marked, and the exchange that follows offers it again.
            if let Some(link) = peers.links.get_mut(&link) {
                link.overflowed = true;
                link.exchange_at = cx.now.elapsed + PULL_PATIENCE;
            }
            return;
        }
        let id = record.id;
        let pull = Pull {
            record,
            body: Vec::new(),
            offers: VecDeque::from([link]),
            moved: cx.now.elapsed,
            came: cx.now.elapsed,
            pace: Duration::ZERO,
            doubles: 0,
            rounds: 0,
            mixed: false,
            plain: false,
        };
        self.pulls.pulls.insert(id, pull);
        self.request(cx, peers, store, id);
    }

    pub(in crate::node) fn piece(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        id: RecordId,
        offset: usize,
        bytes: &[u8],
    ) {
        let Some(pull) = self.pulls.pulls.get_mut(&id) else {
            return;
        };
        // Late pieces of somebody who is not asked any more are no fault. They are of use if they
        // go on where the body ends.
        if pull.offers.front() != Some(&link) {
            if pull.body.len() != offset || !pull.offers.contains(&link) {
                return;
            }
            pull.mixed |= !pull.body.is_empty();
        }
        if pull.body.len() != offset {
            pull.doubles += 1;
            if pull.doubles <= DOUBLES_MAX {
                pull.moved = cx.now.elapsed;
            }
            return;
        }
        let len = pull.record.header.body_len as usize;
        if bytes.is_empty() || offset + bytes.len() > len {
            return peers.fault(cx, link, "a piece beyond the end of its body");
        }
        pull.body.extend_from_slice(bytes);
        pull.pace = pull.pace.max(cx.now.elapsed - pull.came);
        pull.doubles = 0;
        (pull.moved, pull.came, pull.rounds) = (cx.now.elapsed, cx.now.elapsed, 0);
        if pull.body.len() == len && pull.mixed && !pull.record.matches(&pull.body) {
            // Nobody can say whose pieces were wrong: once more, all from one.
            (pull.body, pull.mixed) = (Vec::new(), false);
            return self.request(cx, peers, store, id);
        }
        if pull.body.len() == len {
            let pull = self.pulls.pulls.remove(&id).expect("it was just found");
            self.take_body(
                cx,
                peers,
                link,
                pull.record,
                Body::Whole(pull.body),
                pull.offers.into(),
            );
        }
    }

    /// The link does not have the body after all.
    pub(in crate::node) fn pull_missing(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        id: RecordId,
    ) {
        let Some(pull) = self
            .pulls
            .pulls
            .get_mut(&id)
            .filter(|pull| pull.offers.front() == Some(&link))
        else {
            return;
        };
        pull.offers.pop_front();
        pull.mixed |= !pull.body.is_empty();
        self.request(cx, peers, store, id);
    }

    /// The revision is held now, however it came.
    pub(in crate::node) fn pull_settled(&mut self, cx: &mut Context, id: &RecordId) {
        if let Some(pull) = self.pulls.pulls.remove(id) {
            pull.offers
                .into_iter()
                .for_each(|link| cx.tell(Event::Whole(link)));
        }
    }

    pub(in crate::node) fn pulls_without(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
    ) {
        self.pulls.behind.retain(|behind| behind.link != link);
        let touched: Vec<RecordId> = self
            .pulls
            .pulls
            .iter()
            .filter(|(_, pull)| pull.offers.contains(&link))
            .map(|(id, _)| *id)
            .collect();
        for id in touched {
            let pull = self.pulls.pulls.get_mut(&id).expect("it was just found");
            let was_asked = pull.offers.front() == Some(&link);
            pull.mixed |= was_asked && !pull.body.is_empty();
            pull.offers.retain(|other| *other != link);
            if was_asked {
                self.request(cx, peers, store, id);
            }
        }
    }

    pub(in crate::node) fn stalled_pulls(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
    ) {
        let now = cx.now.elapsed;
        let stalled = self
            .pulls
            .pulls
            .iter()
            .filter(|(_, pull)| pull.impatient_at() <= now);
        for id in stalled.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.ask_next(cx, peers, store, id);
        }
    }

    /// A delta came whose base is not held: the body itself is asked for. `false` if it is not
    /// being pulled from this link.
    pub(in crate::node) fn pull_plainly(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        id: &RecordId,
    ) -> bool {
        let pull = self
            .pulls
            .pulls
            .get_mut(id)
            .filter(|pull| pull.offers.front() == Some(&link) && !pull.plain);
        let Some(pull) = pull else { return false };
        pull.plain = true;
        self.request(cx, peers, store, *id);
        true
    }

    /// Asks the next who offered to go on, or the only one again; for a while.
    fn ask_next(&mut self, cx: &mut Context, peers: &mut Peers, store: &Store, id: RecordId) {
        let Some(pull) = self.pulls.pulls.get_mut(&id) else {
            return;
        };
        pull.offers.rotate_left(1);
        pull.rounds += 1;
        pull.mixed |= pull.offers.len() > 1 && !pull.body.is_empty();
        if pull.rounds > PULL_ROUNDS_MAX {
            pull.offers.clear();
        }
        self.request(cx, peers, store, id);
    }

    fn request(&mut self, cx: &mut Context, peers: &mut Peers, store: &Store, id: RecordId) {
        let Some(pull) = self.pulls.pulls.get_mut(&id) else {
            return;
        };
        let Some(link) = pull.offers.front().copied() else {
            // Nobody is left to ask: the next exchange with anybody who has it begins anew.
            self.pulls.pulls.remove(&id);
            return;
        };
        pull.moved = cx.now.elapsed;
        let plain = pull.plain;
        let have = store
            .replica
            .tip(&pull.record.header.key)
            .filter(|_| !plain)
            .map_or(RecordId::NONE, |head| head.id());
        let offset = u32::try_from(pull.body.len()).expect("bodies are shorter than 4 GiB");
        peers.answer(cx, link, &Frame::Pull { id, offset, have });
    }

    /// Whether this body is here and being decoded. Then this link may wait for it like the others
    /// that have offered it.
    pub(in crate::node) fn is_decoded_for(&mut self, link: LinkId, id: &RecordId) -> bool {
        let offers = self.pulls.decoding.get_mut(id);
        offers.map(|offers| offers.push(link)).is_some()
    }

    /// A delta came whose base is being fetched: it waits for it, for the whole body would cross a
    /// slow link beside the other. `false` if that is not so, or too many wait.
    pub(in crate::node) fn waits_for_base(
        &mut self,
        link: LinkId,
        base: RecordId,
        record: &Record,
        delta: &[u8],
    ) -> bool {
        // Not for one that waits itself for this one: a broken peer could say so.
        let in_turn = self
            .pulls
            .behind
            .iter()
            .any(|behind| behind.base == record.id);
        let waits = !in_turn && self.pulls.expects(&base) && self.pulls.behind.len() < BEHIND_MAX;
        if waits {
            self.pulls.behind.push_back(Behind {
                base,
                link,
                record: record.clone(),
                delta: delta.to_vec(),
            });
        }
        waits
    }
}

/// What may be on its way over a link when the rest of a body is asked for again, in pieces.
const DOUBLES_MAX: usize = LINK_WINDOW as usize / INLINE_MAX;
