//! This host's own node record: what it says of itself to everybody.
//!
//! Made anew when something in it changes (every two seconds in the long run) and otherwise about
//! once a minute for each 32 peers, so that others can tell a quiet host from a dead one. Its
//! heights go on from whatever record of an earlier run is still around.

use std::time::Duration;

use super::Peers;
use super::roster::NodeRecord;
use crate::limits::{
    HEIGHT_LIMIT, OVERTAKE_EVERY, REFRESH_EARLY, REFRESH_EVERY, REFRESH_GATHER, REFRESH_MIN,
};
use crate::model::json::{self, Value};
use crate::model::record::{Header, Kind, Record, RecordId};
use crate::model::stamp::Stamp;
use crate::node::context::Context;
use crate::node::peers::node_records::node_frame;

/// When the own record was made and when the next is due.
#[derive(Default)]
pub(in crate::node) struct OwnRecord {
    /// The newest of our own that anybody holds.
    last: Option<Record>,
    made: Duration,
    next: Duration,
    /// When the last record would have been due, had all come one after the other at their pace.
    paid_until: Duration,
}

impl OwnRecord {
    pub(in crate::node) fn due(&self) -> Duration {
        self.next
    }
}

impl Peers {
    /// How long a record lasts before it is made anew.
    pub(in crate::node) fn refresh_every(&self) -> Duration {
        REFRESH_EVERY * self.crowd()
    }

    /// Signs and floods a record of what there is to say now.
    pub(in crate::node) fn refresh_own_record(&mut self, cx: &mut Context, said: &Value) {
        let now = cx.now.elapsed;
        let body = json::compact(said).into_bytes();
        // At the end of all heights it begins anew: others take it once they have forgotten the
        // last, in a week.
        let base = self
            .own_record
            .last
            .as_ref()
            .filter(|last| last.header.height + 1 < HEIGHT_LIMIT);
        let header = Header {
            kind: Kind::Node,
            flags: 0,
            fleet: *cx.setup.fleet.id().as_bytes(),
            key: String::new(),
            author: cx.me,
            height: base.map_or(0, |base| base.header.height) + 1,
            // The clock as it is: by it others tell whose is wrong. It orders nothing, for heights
            // do that.
            stamp: Stamp::at(cx.now.wall_ms),
            base: base.map_or(RecordId::NONE, |base| base.id),
            body_len: 0,
            body_hash: [0; 32],
            note: String::new(),
        };
        let record = Record::sign(header, &body, &cx.setup.secret);
        let node = NodeRecord::decode(record.clone(), body, Duration::ZERO, now)
            .expect("an object of a few members is one");
        let frame = node_frame(&node, now);
        let me = cx.me;
        self.roster.take(node, now, |peer| *peer == me);
        self.flood_node(cx, None, me, record.id, &frame);
        let paid_until = self.own_record.paid_until.max(now) + REFRESH_MIN * self.crowd();
        let next = now + cx.rng.around(self.refresh_every());
        self.own_record = OwnRecord {
            last: Some(record),
            made: now,
            next,
            paid_until,
        };
    }

    /// How many times 32 peers there are: so many times less often each of them speaks of itself.
    fn crowd(&self) -> u32 {
        let peers = self.roster.iter().count().max(1);
        u32::try_from(peers.div_ceil(32)).expect("node records are bounded")
    }

    pub(in crate::node) fn news_is_due(&mut self, cx: &mut Context) {
        if !std::mem::take(&mut cx.news) {
            return;
        }
        // What changes together (a new head, and shortly after it the server's verdict) is told
        // together. In a large fleet all have something to say after each change: they take
        // turns.
        let turn = cx.rng.up_to(REFRESH_MIN * (self.crowd() - 1));
        // Two may come before their time: that a server runs the new head is told as soon as it
        // does, not seconds after the head itself.
        let pace = REFRESH_MIN * self.crowd();
        let soonest = self
            .own_record
            .paid_until
            .saturating_sub(pace * REFRESH_EARLY)
            .max(cx.now.elapsed + REFRESH_GATHER + turn);
        self.own_record.next = self.own_record.next.min(soonest);
    }

    /// Somebody holds a record of this host's that is above its newest: it is overtaken.
    pub(in crate::node) fn overtake(&mut self, record: Record) {
        if self
            .own_record
            .last
            .as_ref()
            .is_none_or(|last| record.rank() > last.rank())
        {
            self.own_record.last = Some(record);
            let soonest = self.own_record.made + OVERTAKE_EVERY;
            self.own_record.next = self.own_record.next.min(soonest);
        }
    }
}
