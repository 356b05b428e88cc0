//! This host's own news: what it says of itself to everybody, and in what form.
//!
//! A node record is signed when what it says has changed. If nothing has but that the server runs a
//! later head, a step says so; if nothing has at all, a beat says about once a minute for each 32
//! peers that the host still runs, so that others can tell a quiet host from a dead one. Heights of
//! records go on from whatever record of an earlier run is still around.

use std::time::Duration;

use super::Peers;
use super::node_record::{Judged, NodeRecord, step_on};
use super::untold::Lacks;
use crate::codec::hex;
use crate::limits::{
    BEAT_EVERY, CLOCK_SHOWN_MS, HEIGHT_LIMIT, OVERTAKE_EVERY, PROOFS_MAX, RECORD_LASTS,
    REFRESH_EARLY, REFRESH_GATHER, REFRESH_MIN, STEP_EARLY, STEP_MIN, STEP_PATIENCE,
};
use crate::model::json::{self, Map, Value, object};
use crate::model::proof::{Chains, Statement};
use crate::model::record::{Header, Kind, Record, RecordId};
use crate::model::stamp::Stamp;
use crate::node::context::Context;

/// What was said of this host, and when more is due.
#[derive(Default)]
pub(in crate::node) struct OwnRecord {
    /// The newest of our own that anybody holds.
    last: Option<Record>,
    told: Option<Told>,
    made: Duration,
    next: Duration,
    /// When to say that this host still runs, if nothing else is said before.
    beat_at: Duration,
    /// Since when there is something to say that has not been told.
    changed: Option<Duration>,
    /// Not before this is a record to say it: others have as much to say.
    turn: Option<Duration>,
    /// When the last record would have been due, had all come one after the other at their pace.
    paid_until: Duration,
    /// The same of steps.
    steps_paid_until: Duration,
}

/// What others have been told of this host.
struct Told {
    said: Map<String, Value>,
    chains: Chains,
    /// The height of the head that the record names.
    height: u64,
    /// The places of the last step and the last beat.
    step: u16,
    beat: u16,
    /// What the clock showed when the record was made.
    wall_ms: u64,
}

/// In what form there is something to say.
#[derive(Debug, PartialEq, Eq)]
enum Telling {
    /// Nothing has changed.
    Beat,
    /// The server runs a head at this place of the chain of steps, and nothing else has changed.
    Step(u16),
    /// The same will probably be so in a moment.
    Soon,
    /// Something else has changed.
    Record,
}

/// In what form to say this of a host whose head has this height.
fn telling_of(told: &Told, said: &Map<String, Value>, height: Option<u64>) -> Telling {
    if *said == told.said {
        return Telling::Beat;
    }
    let is_as_told = |free: &[&str]| {
        let same = |a: &Map<String, Value>, b: &Map<String, Value>| {
            a.iter()
                .all(|(name, value)| free.contains(&name.as_str()) || b.get(name) == Some(value))
        };
        same(said, &told.said) && same(&told.said, said)
    };
    let at = |said: &Map<String, Value>| {
        let (desired, applied) = (said.get("desired"), said.get("applied"));
        (
            applied.cloned(),
            desired == applied || applied == Some(&Value::Null),
        )
    };
    let ((now_applied, is_settled), (was_applied, was_settled)) = (at(said), at(&told.said));
    let has_applied = |applied: Option<Value>| applied.is_some_and(|applied| applied.is_string());
    let place = height
        .and_then(|height| height.checked_sub(told.height))
        .and_then(|place| u16::try_from(place).ok())
        .filter(|place| *place > told.step && *place <= PROOFS_MAX);
    let may_step = was_settled
        && has_applied(now_applied) == has_applied(was_applied)
        && is_as_told(&["desired", "applied"]);
    match place.filter(|_| may_step) {
        Some(place) if is_settled => Telling::Step(place),
        _ if is_as_told(&["desired", "applied", "verdict", "detail"])
            && matches!(
                said.get("verdict").and_then(Value::as_str),
                Some("pending" | "applied")
            )
            && !is_settled =>
        {
            Telling::Soon
        }
        _ => Telling::Record,
    }
}

impl OwnRecord {
    pub(in crate::node) fn due(&self) -> Duration {
        self.next
    }
}

impl Peers {
    /// How long after a host has last said anything it is to say that it still runs.
    pub(in crate::node) fn refresh_every(&self) -> Duration {
        BEAT_EVERY * self.crowd()
    }

    /// How many times 32 peers there are: so many times less often each of them speaks of itself.
    pub(super) fn crowd(&self) -> u32 {
        let peers = self.roster.len().max(1);
        u32::try_from(peers.div_ceil(32)).expect("node records are bounded")
    }

    /// There may be something new to say of this host. What changes together is told together.
    pub(in crate::node) fn has_news(&mut self, cx: &mut Context) {
        if !std::mem::take(&mut cx.news) {
            return;
        }
        let early = STEP_MIN * self.crowd() * STEP_EARLY;
        let soonest = self.own_record.steps_paid_until.saturating_sub(early);
        let soonest = soonest.max(cx.now.elapsed + REFRESH_GATHER);
        self.own_record.next = self.own_record.next.min(soonest);
    }

    /// Says what there is to say now of this host, whose group has this head, in the least form
    /// that says it.
    pub(in crate::node) fn refresh_own_record(
        &mut self,
        cx: &mut Context,
        said: Map<String, Value>,
        head: Option<(u64, RecordId)>,
    ) {
        let now = cx.now.elapsed;
        let Some(told) = &self.own_record.told else {
            return match self.own_record.turn.filter(|turn| *turn > now) {
                Some(turn) => self.own_record.next = turn,
                None => self.sign(cx, said, head),
            };
        };
        let telling = telling_of(told, &said, head.map(|(height, _)| height));
        if telling == Telling::Beat {
            (self.own_record.changed, self.own_record.turn) = (None, None);
            if self.own_record.beat_at > now {
                self.own_record.next = self.own_record.beat_at;
                return;
            }
            return match self.may_beat(cx) {
                true => self.beat(cx),
                false => self.sign(cx, said, head),
            };
        }
        if let (Telling::Step(place), Some((_, head))) = (&telling, head) {
            return self.step(cx, *place, head);
        }
        let since = *self.own_record.changed.get_or_insert(now);
        if telling == Telling::Soon && now < since + STEP_PATIENCE {
            self.own_record.next = since + STEP_PATIENCE;
            return;
        }
        // In a large fleet all may have something to say: they take turns.
        let pace = REFRESH_MIN * self.crowd();
        let paid = self
            .own_record
            .paid_until
            .saturating_sub(pace * REFRESH_EARLY);
        let turn = match self.own_record.turn {
            Some(turn) => turn,
            None => paid.max(now + cx.rng.up_to(REFRESH_MIN * (self.crowd() - 1))),
        };
        if turn > now {
            (self.own_record.turn, self.own_record.next) = (Some(turn), turn);
            return;
        }
        self.sign(cx, said, head);
    }

    /// Whether a beat is enough: there are proofs left, and the record is neither old nor shows
    /// another clock than there is now.
    fn may_beat(&self, cx: &Context) -> bool {
        let own = &self.own_record;
        let since = cx.now.elapsed.saturating_sub(own.made);
        own.told.as_ref().is_some_and(|told| {
            let shown = told.wall_ms.saturating_add(since.as_millis() as u64);
            told.beat < PROOFS_MAX
                && since < RECORD_LASTS
                && shown.abs_diff(cx.now.wall_ms) < CLOCK_SHOWN_MS
        })
    }

    fn beat(&mut self, cx: &mut Context) {
        let (now, me) = (cx.now.elapsed, cx.me);
        let own = (&mut self.own_record.told, self.roster.get_mut(&me));
        if let (Some(told), Some(node)) = own {
            told.beat += 1;
            let proof = told.chains.proof(Statement::Beat, told.beat);
            node.take_beat(told.beat, proof, Duration::ZERO, now);
        }
        self.tell(cx, None, me, Lacks::BEAT);
        self.has_spoken(cx);
    }

    fn step(&mut self, cx: &mut Context, place: u16, head: RecordId) {
        let (now, me) = (cx.now.elapsed, cx.me);
        let own = (&mut self.own_record.told, self.roster.get_mut(&me));
        if let (Some(told), Some(node)) = own {
            told.step = place;
            step_on(&mut told.said, head);
            let proof = told.chains.proof(Statement::Step, place);
            let height = told.height + u64::from(place);
            let judged = node.take_step(height, head, proof, Duration::ZERO, now);
            debug_assert_eq!(judged, Judged::Taken, "the record names the chain");
        }
        let pace = STEP_MIN * self.crowd();
        self.own_record.steps_paid_until = self.own_record.steps_paid_until.max(now) + pace;
        (self.own_record.changed, self.own_record.turn) = (None, None);
        self.tell(cx, None, me, Lacks::STEP);
        self.has_spoken(cx);
    }

    /// Signs a record of what there is to say.
    fn sign(&mut self, cx: &mut Context, said: Map<String, Value>, head: Option<(u64, RecordId)>) {
        let (now, wall_ms) = (cx.now.elapsed, cx.now.wall_ms);
        // At the end of all heights it begins anew: others take it once they have forgotten the
        // last, in a week.
        let base = self
            .own_record
            .last
            .as_ref()
            .filter(|last| last.header.height + 1 < HEIGHT_LIMIT);
        let record_height = base.map_or(0, |base| base.header.height) + 1;
        let height = head.map_or(0, |(height, _)| height);
        let chance = [record_height, cx.setup.run, wall_ms];
        let chains = Chains::new(cx.me, &cx.setup.secret, chance);
        let mut body = said.clone();
        body.extend(object! {
            "height": height,
            "steps": hex(&chains.proof(Statement::Step, 0).0),
            "beats": hex(&chains.proof(Statement::Beat, 0).0),
        });
        let body = json::compact(&Value::Object(body)).into_bytes();
        let header = Header {
            kind: Kind::Node,
            flags: 0,
            fleet: *cx.setup.fleet.id().as_bytes(),
            key: String::new(),
            author: cx.me,
            height: record_height,
            // The clock as it is: by it others tell whose is wrong. It orders nothing, for heights
            // do that.
            stamp: Stamp::at(wall_ms),
            base: base.map_or(RecordId::NONE, |base| base.id),
            body_len: 0,
            body_hash: [0; 32],
            numbered: None,
            note: String::new(),
        };
        let record = Record::sign(header, &body, &cx.setup.secret);
        let node = NodeRecord::decode(record.clone(), body, Duration::ZERO, now)
            .expect("an object of a few members is one");
        let me = cx.me;
        self.roster.take(node, now, |peer| *peer == me);
        let pace = REFRESH_MIN * self.crowd();
        let own = &mut self.own_record;
        own.paid_until = own.paid_until.max(now) + pace;
        (own.last, own.made) = (Some(record), now);
        (own.changed, own.turn) = (None, None);
        own.told = Some(Told {
            said,
            chains,
            height,
            step: 0,
            beat: 0,
            wall_ms,
        });
        self.tell(cx, None, me, Lacks::ALL);
        self.has_spoken(cx);
    }

    /// Something was said of this host: a beat is due a while after it.
    fn has_spoken(&mut self, cx: &mut Context) {
        let every = cx.rng.around(self.refresh_every());
        self.own_record.beat_at = cx.now.elapsed + every;
        self.own_record.next = self.own_record.beat_at;
    }

    /// Somebody holds a record of this host's that is above its newest: it is overtaken.
    pub(super) fn overtake(&mut self, record: Record) {
        let own = &mut self.own_record;
        if own
            .last
            .as_ref()
            .is_none_or(|last| record.rank() > last.rank())
        {
            own.last = Some(record);
            // Whatever was told belongs to a record that nobody takes any more.
            own.told = None;
            let soonest = own.made + OVERTAKE_EVERY;
            (own.turn, own.next) = (Some(soonest), own.next.min(soonest));
        }
    }
}
