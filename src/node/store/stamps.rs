//! What own revisions are dated, and which heads are dated too far ahead.
//!
//! Nothing here believes a single clock: `peers::clocks` says what time it is.

use std::sync::Arc;

use crate::limits::{AHEAD_MAX_MS, AHEAD_SLACK_MS};
use crate::model::revision::Revision;
use crate::model::stamp::Stamp;
use crate::node::context::Context;
use crate::node::peers::Peers;
use crate::node::peers::clocks::is_sound;
use crate::node::store::Store;
use crate::node::waiting::Reading;

impl Store {
    /// The stamp of an own revision on `base`: the time as far as it is known, above that of the
    /// base and above the own ones before, and with milliseconds enough for the height. Stamps
    /// far ahead of the time are not followed.
    pub(in crate::node) fn next_stamp(
        &mut self,
        cx: &mut Context,
        peers: &Peers,
        base: Option<&Revision>,
    ) -> Stamp {
        let now = peers.time(cx).dating();
        let height = base.map_or(0, |base| base.record.header.height) + 1;
        let least = base
            .map_or(Stamp::default(), Revision::least_stamp)
            .max(Stamp::at(now.unwrap_or_default().max(height)));
        let most = now.map_or(u64::MAX, |now| now + AHEAD_MAX_MS + AHEAD_SLACK_MS);
        self.stamps
            .next(least, base.map(|base| base.record.header.stamp), most)
    }

    /// Notes when a revision came, if the clock showed a possible time then.
    pub(in crate::node) fn note_received(&mut self, revision: &Revision, received_ms: u64) {
        let received = Some(received_ms).filter(|ms| is_sound(*ms));
        if let Some(group) = self.replica.group_mut(&revision.record.header.key) {
            group.note_received(&revision.rank(), received);
        }
    }
}

impl Store {
    /// The revisions that take the place of heads which are dated too far ahead by what is known of
    /// the time now, as far as they are in memory; the others are read.
    pub(in crate::node) fn rightful_heads(
        &mut self,
        cx: &mut Context,
        peers: &Peers,
    ) -> Vec<Arc<Revision>> {
        self.replica.judge_by(peers.bound_ms(cx));
        let rightful: Vec<Arc<Revision>> = self
            .replica
            .groups()
            .filter_map(|(_, group)| group.rightful())
            .collect();
        let (on_disk, here): (Vec<_>, Vec<_>) = rightful
            .into_iter()
            .partition(|revision| revision.is_light());
        for revision in on_disk {
            if !cx.is_being_read(&revision.id()) {
                cx.read_kept(revision.record.clone(), Reading::Uncontained);
            }
        }
        here
    }
}
