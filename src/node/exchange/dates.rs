//! Which records are dated so far ahead that they are not taken yet.
//!
//! That is nobody's fault: such a record is passed over, and comes again with a later exchange.

use std::time::Duration;

use crate::limits::{AHEAD_MAX_MS, AHEAD_SLACK_MS, AHEAD_SOON_MS, RETRY_SOON};
use crate::model::record::{Kind, Record};
use crate::node::context::Context;
use crate::node::exchange::Exchange;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::node::store::replica::Group;

impl Exchange {
    /// Whether a record is dated so far ahead that it is not taken yet. That is nobody's fault, and
    /// not remembered: the next exchange brings it again. What was made on a revision that is
    /// held is taken, or hosts whose clocks are a little behind would pass over honest changes;
    /// and where there is no head, or only one as far ahead, the order alone decides.
    pub(in crate::node) fn passes_over(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        link: LinkId,
        record: &Record,
    ) -> bool {
        let Some(now) = peers
            .time(cx)
            .judging()
            .filter(|_| record.header.kind == Kind::Document)
        else {
            return false;
        };
        let (dated, until) = (record.header.stamp.wall_ms(), now + AHEAD_MAX_MS);
        if dated <= until || self.missing.contains(&record.id) {
            return false;
        }
        store.replica.judge_by(Some(until + AHEAD_SLACK_MS));
        let group = store.replica.group(&record.header.key);
        if !group.is_some_and(|group| has_sound_head(group) && !follows_from(group, record)) {
            return false;
        }
        if !peers.is_news(cx, link, record, dated) {
            return true;
        }
        if let Some(link) = peers.link_mut(link) {
            link.passed_over = true;
            if dated - until <= AHEAD_SOON_MS {
                link.overflowed = true;
                link.exchange_at =
                    cx.now.elapsed + Duration::from_millis(dated - until) + RETRY_SOON;
            }
        }
        true
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
