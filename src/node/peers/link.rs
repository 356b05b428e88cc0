//! One link as the node sees it: who is there, what waits to be sent, whether it is alive.
//!
//! What is sent waits here, not in the daemon: at most [`LINK_WINDOW`] bytes are in the daemon's
//! hands, the rest can still be replaced by something newer. A flood that does not fit is dropped
//! and the link marked for anti-entropy; an answer is never dropped, the link is closed instead.
//! Bodies are cut into pieces only when there is room to send one, so a large body occupies no
//! queue.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::untold::Untold;
use crate::limits::{
    DEAD_AFTER, INLINE_MAX, KNOWN_MAX, LINK_WINDOW, NODE_CHECKS_EACH_SECOND, NODE_CHECKS_MAX,
    QUEUE_MAX, SERVING_MAX, SILENT_AFTER,
};
use crate::model::ledger::{EditRef, Standing};
use crate::model::record::{Rank, RecordId};
use crate::model::revision::Revision;
use crate::node::effect::Effect;
use crate::node::input::{LinkId, Now};
use crate::wire::frame::{Frame, Goodbye, charge};
use crate::wire::handshake::Hello;

/// What a queued frame is, to know by what it may be replaced.
#[derive(Debug)]
pub enum Class {
    /// Must be sent.
    Answer,
    /// Carries a revision; may be replaced by a greater one that contains its edit.
    Document(String, EditRef, Rank),
    /// Names revisions.
    Have,
    /// Carries news of hosts.
    News,
}

#[derive(Debug)]
struct Queued {
    class: Class,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Serving {
    id: RecordId,
    body: Arc<[u8]>,
    offset: usize,
}

/// What is known of a record and the other side of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// The peer has the record: it has sent or named it.
    Theirs,
    /// The peer was sent the record in some form.
    Sent,
    /// The peer was sent the record with its body, at this time.
    Whole(Duration),
}

/// A revision as it is sent over several links.
#[derive(Debug)]
pub struct Offer {
    /// The frame.
    pub bytes: Vec<u8>,
    /// The time, if the body goes along.
    pub whole_at: Option<Duration>,
}

/// A link and what waits on it.
#[derive(Debug)]
pub struct Link {
    /// The link's name.
    pub id: LinkId,
    /// Who is there.
    pub hello: Hello,
    /// Where.
    pub address: SocketAddr,
    /// Whether this host dialled.
    pub outgoing: bool,
    /// When the handshake was completed.
    pub since: Duration,
    /// When the last frame came, or went out.
    pub heard: Duration,
    /// When the other side last said anything.
    pub spoke: Duration,
    /// The ping that was sent and not answered, and when.
    pub pinged: Option<Duration>,
    /// How long the last answer to a ping took.
    pub round_trip: Option<Duration>,
    /// How many others the other side is linked with, as far as it has said.
    pub others: u16,
    /// Whether the last revision that spread came or went over it whole.
    pub is_branch: bool,
    /// Why the other side is about to close the link, if it has said so.
    pub goodbye: Option<(Goodbye, String)>,
    /// Whether the other side, having completed an exchange itself, has completed one with us.
    pub vouches: bool,
    /// Lists of document IDs that ask for one in return and have not been answered to the end.
    pub asked: u32,
    /// When this side may ask next about edits that it is unsure of, and how often it has.
    pub containment_query: (Duration, u32),
    /// Node records of third hosts that may still be looked at, and since when so many.
    checks: (u32, Duration),
    /// Whether something that came was passed over since the last exchange was begun here: it is
    /// dated too far ahead.
    pub passed_over: bool,
    /// Whether something was dropped, so that an anti-entropy exchange is due.
    pub overflowed: bool,
    /// Not before this is that exchange to begin.
    pub exchange_at: Duration,
    /// Bytes received and sent, frames before sealing.
    pub bytes_in: u64,
    /// See [`Link::bytes_in`].
    pub bytes_out: u64,
    /// What the other side is still to be told of hosts.
    pub(super) untold: Untold,
    queue: VecDeque<Queued>,
    queued: usize,
    serving: VecDeque<Serving>,
    /// What was asked for last, from which offset on, and when it was begun to be sent.
    served: VecDeque<(RecordId, usize, Duration)>,
    credit: usize,
    /// Whether one of its bodies is being decoded.
    is_held: bool,
    /// Frames that have come meanwhile.
    held: VecDeque<Vec<u8>>,
    /// Records that the other side has or was sent, newest last.
    known: VecDeque<(RecordId, Known)>,
}

impl Link {
    /// Whether [`Link::may_check`] would say so.
    pub(super) fn has_checks(&self, now: Duration) -> bool {
        self.checks_now(now).0 > 0
    }

    /// Whether one more node record of a third host may be looked at: so many at once, and so many
    /// more each second.
    pub fn may_check(&mut self, now: Duration) -> bool {
        let (left, since) = self.checks_now(now);
        self.checks = (left.saturating_sub(1), since);
        left > 0
    }

    fn checks_now(&self, now: Duration) -> (u32, Duration) {
        let (left, since) = self.checks;
        let more = u32::try_from(
            now.saturating_sub(since).as_millis() * u128::from(NODE_CHECKS_EACH_SECOND) / 1000,
        )
        .unwrap_or(u32::MAX);
        // What is not a whole one yet goes on growing.
        let since = if more > 0 { now } else { since };
        (left.saturating_add(more).min(NODE_CHECKS_MAX), since)
    }

    /// A link that has just come up.
    pub fn new(id: LinkId, hello: Hello, address: SocketAddr, outgoing: bool, now: Now) -> Self {
        Self {
            id,
            hello,
            address,
            outgoing,
            since: now.elapsed,
            heard: now.elapsed,
            spoke: now.elapsed,
            pinged: None,
            round_trip: None,
            others: 0,
            is_branch: false,
            goodbye: None,
            vouches: false,
            asked: 0,
            containment_query: (Duration::ZERO, 0),
            checks: (NODE_CHECKS_MAX, now.elapsed),
            passed_over: false,
            overflowed: false,
            exchange_at: now.elapsed,
            bytes_in: 0,
            bytes_out: 0,
            untold: Untold::default(),
            queue: VecDeque::new(),
            queued: 0,
            serving: VecDeque::new(),
            served: VecDeque::new(),
            credit: LINK_WINDOW as usize,
            is_held: false,
            held: VecDeque::new(),
            known: VecDeque::new(),
        }
    }

    /// Queues something that must be sent. `false` if the link cannot keep up and has to be closed.
    #[must_use]
    pub fn answer(&mut self, frame: &Frame, effects: &mut Vec<Effect>) -> bool {
        let fits = self.push(Class::Answer, frame.encode());
        self.pump(effects);
        fits
    }

    /// Queues a revision for a link that may not have it.
    pub fn flood_document(
        &mut self,
        revision: &Revision,
        offer: &Offer,
        effects: &mut Vec<Effect>,
    ) {
        if !self.knows(&revision.id()) {
            self.offer_document(revision, offer, effects);
        }
    }

    /// Queues a revision, whatever the link is thought to have.
    pub fn offer_document(
        &mut self,
        revision: &Revision,
        offer: &Offer,
        effects: &mut Vec<Effect>,
    ) {
        let group = &revision.record.header.key;
        self.drop_queued(|class| {
            matches!(class, Class::Document(other, edit, rank)
            if other == group && *rank < revision.rank() && revision.standing(edit) == Standing::In)
        });
        let class = Class::Document(group.clone(), revision.edit_ref(), revision.rank());
        let known = offer.whole_at.map_or(Known::Sent, Known::Whole);
        self.flood(class, revision.id(), known, offer.bytes.clone(), effects);
    }

    /// Queues the names of revisions.
    pub fn tell_haves(&mut self, frame: &Frame, effects: &mut Vec<Effect>) {
        self.overflowed |= !self.push(Class::Have, frame.encode());
        self.pump(effects);
    }

    /// Queues news of hosts. `false` if there is no room.
    pub(super) fn offer_news(&mut self, bytes: Vec<u8>, effects: &mut Vec<Effect>) -> bool {
        let fits = self.push(Class::News, bytes);
        self.pump(effects);
        fits
    }

    /// Notes that the other side has this record.
    pub fn learn(&mut self, id: RecordId) {
        self.note(id, Known::Theirs);
    }

    /// Something came: the other side hears this link. What was sent before it may have been lost,
    /// for a newcomer is not heard.
    pub fn hears(&mut self, now: Duration) {
        if self.bytes_in == 0 {
            self.known
                .iter_mut()
                .filter(|(_, known)| *known != Known::Theirs)
                .for_each(|(_, known)| *known = Known::Sent);
        }
        (self.heard, self.spoke) = (now, now);
    }

    /// When it is to be given up, whatever is still sent over it.
    pub fn dies_at(&self) -> Duration {
        (self.heard + DEAD_AFTER).min(self.spoke + SILENT_AFTER)
    }

    /// What comes from now on is kept until the link goes on.
    pub fn hold(&mut self) {
        self.is_held = true;
    }

    /// What was kept, and what comes, may be looked at.
    pub fn go_on(&mut self) {
        self.is_held = false;
    }

    /// Whether what comes is kept.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Keeps a frame. The daemon stops reading when a link is held, so these are only those that
    /// were read already.
    pub fn keep(&mut self, frame: Vec<u8>) {
        self.held.push_back(frame);
    }

    /// The oldest of the frames that were kept, unless the link is held.
    pub fn next_held(&mut self) -> Option<Vec<u8>> {
        if self.is_held {
            None
        } else {
            self.held.pop_front()
        }
    }

    /// Whether a revision is to be sent because the other side has not named it: not if it came
    /// from there, and not if it was sent whole a moment ago, for then it is on its way.
    pub fn may_lack(&self, id: &RecordId, now: Duration) -> bool {
        let known = self
            .known
            .iter()
            .find(|(other, _)| other == id)
            .map(|(_, known)| *known);
        match known {
            Some(Known::Theirs) => false,
            Some(Known::Whole(at)) => at + DEAD_AFTER <= now,
            Some(Known::Sent) | None => true,
        }
    }

    fn note(&mut self, id: RecordId, known: Known) {
        self.known.retain(|(other, _)| *other != id);
        self.known.push_back((id, known));
        if self.known.len() > KNOWN_MAX {
            self.known.pop_front();
        }
    }

    /// Begins to send a body from an offset on, in place of what was being sent of it. `false` if
    /// too many are being sent.
    pub fn serve(
        &mut self,
        id: RecordId,
        body: Arc<[u8]>,
        offset: usize,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> bool {
        self.serving.retain(|serving| serving.id != id);
        if self.serving.len() >= SERVING_MAX {
            return false;
        }
        self.serving.push_back(Serving { id, body, offset });
        self.served.push_back((id, offset, now));
        if self.served.len() > 2 * SERVING_MAX {
            self.served.pop_front();
        }
        self.pump(effects);
        true
    }

    /// Whether just this was asked for a moment ago: it is on its way, however long that is, and
    /// would only be sent twice.
    pub fn serves(&self, id: &RecordId, offset: usize, now: Duration) -> bool {
        self.served.iter().any(|(other, from, at)| {
            (other, *from) == (id, offset) && at.saturating_add(DEAD_AFTER) > now
        })
    }

    /// Takes back credit that the daemon has used up.
    pub fn sent(&mut self, credit: u32, effects: &mut Vec<Effect>) {
        self.credit = (self.credit + credit as usize).min(LINK_WINDOW as usize);
        self.pump(effects);
    }

    /// Bytes that wait here or in the daemon's hands.
    pub fn backlog(&self) -> usize {
        let serving: usize = self
            .serving
            .iter()
            .map(|serving| serving.body.len() - serving.offset)
            .sum();
        self.queued + serving
    }

    /// Bytes of frames that wait here, bodies being sent apart.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether the other side has this record, or was sent it over this link, as far as is
    /// remembered.
    pub fn knows(&self, id: &RecordId) -> bool {
        self.known.iter().any(|(known, _)| known == id)
    }

    fn flood(
        &mut self,
        class: Class,
        id: RecordId,
        known: Known,
        bytes: Vec<u8>,
        effects: &mut Vec<Effect>,
    ) {
        if self.push(class, bytes) {
            self.note(id, known);
        } else {
            self.overflowed = true;
        }
        self.pump(effects);
    }

    fn push(&mut self, class: Class, bytes: Vec<u8>) -> bool {
        // Answers have room beyond that of floods: a link is given up only when even its answers
        // are not read.
        let room = if matches!(class, Class::Answer) {
            2 * QUEUE_MAX
        } else {
            QUEUE_MAX
        };
        if self.queued + bytes.len() > room {
            return false;
        }
        self.queued += bytes.len();
        self.queue.push_back(Queued { class, bytes });
        true
    }

    fn drop_queued(&mut self, superseded: impl Fn(&Class) -> bool) {
        let known = &mut self.known;
        self.queue.retain(|queued| {
            let goes = superseded(&queued.class);
            // It has not been sent after all.
            if let (true, Class::Document(_, _, rank)) = (goes, &queued.class) {
                known.retain(|(id, _)| *id != rank.id);
            }
            !goes
        });
        self.queued = self.queue.iter().map(|queued| queued.bytes.len()).sum();
    }

    /// Hands over as much as there is credit for: what is queued first, then pieces, one of each
    /// body in turn.
    fn pump(&mut self, effects: &mut Vec<Effect>) {
        while let Some(next) = self.queue.front() {
            if !self.spend(next.bytes.len()) {
                return;
            }
            let next = self.queue.pop_front().expect("its front was just seen");
            self.queued -= next.bytes.len();
            effects.push(Effect::Send(self.id, next.bytes));
        }
        while let Some(mut serving) = self.serving.pop_front() {
            let end = (serving.offset + INLINE_MAX).min(serving.body.len());
            if !self.spend(end - serving.offset + PIECE_OVERHEAD) {
                self.serving.push_front(serving);
                return;
            }
            let bytes = serving.body[serving.offset..end].to_vec();
            let offset = u32::try_from(serving.offset).expect("bodies are shorter than 4 GiB");
            effects.push(Effect::Send(
                self.id,
                Frame::Piece {
                    id: serving.id,
                    offset,
                    bytes,
                }
                .encode(),
            ));
            serving.offset = end;
            if end < serving.body.len() {
                self.serving.push_back(serving);
            }
        }
    }

    fn spend(&mut self, bytes: usize) -> bool {
        let cost = charge(bytes) as usize;
        let affordable = cost <= self.credit;
        if affordable {
            self.credit -= cost;
            self.bytes_out += bytes as u64;
        }
        affordable
    }

    /// Something was not taken, or not sent: an exchange is due over this link, not before this.
    pub fn compare_again(&mut self, at: Duration) {
        (self.overflowed, self.exchange_at) = (true, at);
    }
}

/// Type, ID, offset and length of a piece.
const PIECE_OVERHEAD: usize = 1 + 32 + 4 + 2;

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
