//! The keys of certificates that were deleted or replaced: when they leave the history.
//!
//! Every revision is a whole document, with the private keys that were in it. When the head holds a
//! bundle no more, it is struck out of the files of older revisions: for a while it stays, so that
//! a deletion by mistake can be taken back, and then until every host of the group has said that it
//! is at a head which contains the deletion. Before that, another branch might win, and the edits
//! of these revisions would have to be made again from these very files. Hosts that stay away are
//! not waited for without end: if one of them comes back with the longer branch then, edits whose
//! files were struck are listed as open conflicts, as those are whose files are lost.
//!
//! Each host does this on its own, in all groups that it holds. What is needed for an uncontained
//! edit or an open conflict is left as it is in any case.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use super::Store;
use crate::limits::{KEYS_LOOK_EVERY, STRIKES_MAX};
use crate::model::document::BundleId;
use crate::model::record::{Rank, Record, RecordId};
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Level, revision_name};
use crate::node::peers::Peers;
use crate::node::peers::node_record::text;
use crate::node::waiting::Waiting;

/// What is known of bundles that stand in the history only.
#[derive(Default)]
pub(in crate::node) struct Keys {
    /// Since when the head of a group is known not to hold them.
    gone: BTreeMap<String, BTreeMap<BundleId, Duration>>,
    /// Revisions whose files are being written without them.
    striking: BTreeSet<RecordId>,
    /// When to look again.
    look: Option<Duration>,
}

/// What decides about a bundle that the head does not hold.
#[derive(Debug, Clone)]
struct Case {
    /// For how long it is known not to.
    since: Duration,
    /// How long it stays in any case, and then while somebody is away.
    kept: Range<Duration>,
    /// The newest revision that holds it.
    newest: Rank,
    /// The oldest revision of the head's line that a host of the group is at, if all of them have
    /// said.
    reported: Option<Rank>,
    /// Whether the head is known to contain everything that is kept.
    is_settled: bool,
}

impl Case {
    fn goes(&self) -> bool {
        let is_known_to_all = self.reported.is_some_and(|reported| self.newest < reported);
        self.since >= self.kept.start && is_known_to_all && self.is_settled
            || self.since >= self.kept.end
    }
}

impl Store {
    pub(in crate::node) fn strike_if_due(&mut self, cx: &mut Context, peers: &Peers) {
        if self.keys.look.is_some_and(|due| due <= cx.now.elapsed) {
            let groups: Vec<String> = self
                .replica
                .groups()
                .map(|(name, _)| name.to_owned())
                .collect();
            let work: Vec<_> = groups
                .iter()
                .flat_map(|group| self.keys_to_go(cx, peers, group))
                .collect();
            self.keys.gone.retain(|_, gone| !gone.is_empty());
            self.keys.look = (!self.keys.gone.is_empty()).then(|| cx.now.elapsed + KEYS_LOOK_EVERY);
            self.strike(cx, work);
        }
    }

    /// The revisions of a group out of which bundles are to be struck, each with these.
    fn keys_to_go(
        &mut self,
        cx: &mut Context,
        peers: &Peers,
        name: &str,
    ) -> Vec<(Record, Vec<BundleId>)> {
        let Some(group) = self.replica.group(name) else {
            return Vec::new();
        };
        let (now, withdrawn) = (cx.now.elapsed, group.withdrawn());
        let known = self.keys.gone.remove(name).unwrap_or_default();
        let gone: BTreeMap<BundleId, Duration> = withdrawn
            .keys()
            .map(|bundle| (*bundle, known.get(bundle).copied().unwrap_or(now)))
            .collect();
        let mut work = Vec::new();
        if !gone.is_empty() {
            let (reported, is_settled) =
                (self.reported_by_all(cx, peers, name), group.is_settled());
            let case = |bundle: &BundleId, newest: Rank| Case {
                since: now.saturating_sub(gone[bundle]),
                kept: cx.setup.keys_kept.clone(),
                newest,
                reported,
                is_settled,
            };
            let goes: Vec<BundleId> = withdrawn
                .iter()
                .filter(|(bundle, newest)| case(bundle, **newest).goes())
                .map(|(bundle, _)| *bundle)
                .collect();
            work.extend(
                group
                    .holding(&goes)
                    .into_iter()
                    .map(|record| (record, goes.clone())),
            );
        }
        self.keys.gone.insert(name.to_owned(), gone);
        work
    }

    /// The oldest revision of the head's line at which a host of the group is, by the hosts' own
    /// accounts. `None` if one has not said, or is on another branch: whoever was spoken with
    /// once counts, whichever group it is of as long as that is not known.
    fn reported_by_all(&self, cx: &Context, peers: &Peers, name: &str) -> Option<Rank> {
        if peers
            .book
            .acquaintances()
            .any(|peer| *peer != cx.me && peers.roster.get(peer).is_none())
        {
            return None;
        }
        let group = self.replica.group(name)?;
        let line: BTreeMap<RecordId, Rank> = group
            .line()
            .map(|summary| (summary.record.id, summary.record.rank()))
            .collect();
        let mut oldest = group.head()?.rank();
        for node in peers
            .roster
            .iter()
            .filter(|(peer, _)| **peer != cx.me)
            .map(|(_, node)| node)
        {
            let said = node.said();
            if text(&said, "group") == Some(name) {
                oldest = oldest.min(*line.get(&RecordId::parse(text(&said, "desired")?)?)?);
            }
        }
        Some(oldest)
    }

    /// When bundles may have to be struck out, if there are any that may.
    pub(in crate::node) fn strike_due(&self) -> Option<Duration> {
        self.keys.look
    }

    /// What is kept has changed: it is looked through for bundles that the head does not hold.
    pub(in crate::node) fn look_for_keys(&mut self, cx: &Context) {
        self.keys
            .look
            .get_or_insert(cx.now.elapsed + KEYS_LOOK_EVERY);
    }

    /// A file was written without these bundles, or could not be.
    pub(in crate::node) fn is_struck(
        &mut self,
        cx: &mut Context,
        record: &Record,
        goes: &[BundleId],
        is_done: bool,
    ) {
        self.keys.striking.remove(&record.id);
        if !is_done {
            return;
        }
        // Another branch has won meanwhile: what it wants is to be had from this host.
        if let Some(revision) = self.replica.find(&record.id).cloned() {
            return self.store(cx, &revision);
        }
        if let Some(group) = self.replica.group_mut(&record.header.key) {
            group.strike(&record.rank(), goes);
        }
        // There may be more than were begun with.
        if self.keys.striking.is_empty() && self.keys.look.is_some() {
            self.keys.look = Some(cx.now.elapsed);
        }
    }

    /// Has as many files written as are worked on at once; the others follow.
    fn strike(&mut self, cx: &mut Context, work: Vec<(Record, Vec<BundleId>)>) {
        let is_free = |record: &Record| {
            let id = &record.id;
            !self.keys.striking.contains(id)
                && self.storing.has(id)
                && !self.is_being_stored(cx, id)
        };
        let room = STRIKES_MAX.saturating_sub(self.keys.striking.len());
        let next: Vec<_> = work
            .into_iter()
            .filter(|(record, _)| is_free(record))
            .take(room)
            .collect();
        if next.is_empty() || self.storing.problem().is_some() {
            return;
        }
        let text = format!(
            "keys of certificates that are gone are struck out of {} old revisions",
            next.len()
        );
        cx.say(Level::Info, "disk", text);
        for (record, goes) in next {
            self.keys.striking.insert(record.id);
            let (group, name) = (
                record.header.key.clone(),
                revision_name(record.header.height, &record.id),
            );
            let ticket = cx.ticket(Waiting::Struck(record, goes.clone()));
            cx.disk(DiskJob::Strike(ticket, group, name, goes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::peer_id::PeerId;
    use crate::model::signature::SecretKey;
    use crate::model::stamp::Stamp;

    fn rank(height: u64) -> Rank {
        let author = PeerId::from_bytes(SecretKey::from_seed(&[1; 32]).public()).unwrap();
        Rank {
            height,
            stamp: Stamp::default(),
            author,
            id: RecordId([1; 32]),
        }
    }

    #[test]
    fn a_key_goes_when_its_time_is_over_and_all_hosts_are_past_it_or_in_the_end() {
        let hour = Duration::from_secs(3600);
        let case = Case {
            since: hour,
            kept: hour..9 * hour,
            newest: rank(4),
            reported: Some(rank(5)),
            is_settled: true,
        };
        assert!(case.goes());
        for stays in [
            Case {
                kept: 2 * hour..9 * hour,
                ..case.clone()
            },
            Case {
                reported: Some(rank(4)),
                ..case.clone()
            },
            Case {
                reported: None,
                ..case.clone()
            },
            Case {
                is_settled: false,
                ..case.clone()
            },
        ] {
            assert!(!stays.goes(), "{stays:?}");
            assert!(
                Case {
                    since: 9 * hour,
                    ..stays
                }
                .goes()
            );
        }
    }
}
