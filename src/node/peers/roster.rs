//! Node records: what each peer says of itself, newest only, in memory only.
//!
//! A record's age travels beside it and grows while it is held, so no clock has to be right for an
//! old one to be forgotten. Whoever holds a record of this host above its own newest (from a run
//! before this one) makes it sign a higher one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::node_record::NodeRecord;
use crate::limits::{NODE_AGE_MAX, NODES_MAX};
use crate::model::peer_id::PeerId;
use crate::model::record::Header;

/// The newest node record of each peer.
#[derive(Debug, Default)]
pub struct Roster {
    /// By peer ID.
    nodes: BTreeMap<[u8; 32], NodeRecord>,
}

impl Roster {
    /// Takes a record in if it is newer than the one held, young enough, and there is room. For the
    /// record of a host that `is_known`, by having been spoken with, there always is: another
    /// makes way, the one that was longest not heard of.
    pub fn take(
        &mut self,
        node: NodeRecord,
        now: Duration,
        is_known: impl Fn(&PeerId) -> bool,
    ) -> bool {
        let author = node.record.header.author;
        let newer = self
            .nodes
            .get(author.as_bytes())
            .is_none_or(|held| node.record.rank() > held.record.rank());
        let taken = newer
            && node.age(now) < NODE_AGE_MAX
            && (self.has_room_for(&author) || self.makes_way(&author, now, is_known));
        if taken {
            self.nodes.insert(*author.as_bytes(), node);
        }
        taken
    }

    fn has_room_for(&self, author: &PeerId) -> bool {
        self.nodes.contains_key(author.as_bytes()) || self.nodes.len() < NODES_MAX
    }

    fn makes_way(
        &mut self,
        author: &PeerId,
        now: Duration,
        is_known: impl Fn(&PeerId) -> bool,
    ) -> bool {
        let others = || self.iter().filter(|(peer, _)| !is_known(peer));
        let oldest = is_known(author)
            .then(|| {
                others()
                    .max_by_key(|(_, node)| node.heard(now))
                    .map(|(peer, _)| *peer)
            })
            .flatten();
        oldest.is_some_and(|oldest| self.nodes.remove(oldest.as_bytes()).is_some())
    }

    /// A link to this peer is gone, and not because it was one too many: what is held of the peer
    /// is old news, until newer comes.
    pub fn lose(&mut self, peer: &PeerId) {
        self.set_lost(peer, true);
    }

    /// There is a link to this peer again.
    pub fn find(&mut self, peer: &PeerId) {
        self.set_lost(peer, false);
    }

    fn set_lost(&mut self, peer: &PeerId, lost: bool) {
        if let Some(node) = self.nodes.get_mut(peer.as_bytes()) {
            node.lost = lost;
        }
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: Duration) {
        self.nodes.retain(|_, node| node.age(now) < NODE_AGE_MAX);
    }

    /// The records of the peers whose IDs begin like this: one, if nobody means harm.
    pub(in crate::node) fn beginning_with(
        &mut self,
        author: [u8; 6],
    ) -> impl Iterator<Item = &mut NodeRecord> {
        let (mut first, mut last) = ([0; 32], [0xff; 32]);
        first[..6].copy_from_slice(&author);
        last[..6].copy_from_slice(&author);
        self.nodes.range_mut(first..=last).map(|(_, node)| node)
    }

    /// The record of one peer, to be followed by proofs.
    pub(in crate::node) fn get_mut(&mut self, peer: &PeerId) -> Option<&mut NodeRecord> {
        self.nodes.get_mut(peer.as_bytes())
    }

    /// The record of one peer.
    pub fn get(&self, peer: &PeerId) -> Option<&NodeRecord> {
        self.nodes.get(peer.as_bytes())
    }

    /// About how many bytes of memory all records take.
    pub fn held_bytes(&self) -> usize {
        let held = |node: &NodeRecord| {
            size_of::<(PeerId, NodeRecord)>()
                + size_of::<Header>()
                + node.record.bytes.len()
                + node.body.len()
        };
        self.nodes.values().map(held).sum()
    }

    /// How many records there are.
    pub(in crate::node) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All records by peer.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, &NodeRecord)> {
        self.nodes
            .values()
            .map(|node| (&node.record.header.author, node))
    }

    /// The name that a peer has given itself; the end of its peer ID if it has not said.
    pub fn name(&self, peer: &PeerId) -> String {
        self.get(peer)
            .and_then(NodeRecord::name)
            .map_or_else(|| format!("…{}", peer.short()), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{Header, Kind, Record, RecordId};
    use crate::model::signature::SecretKey;
    use crate::model::stamp::Stamp;

    const HOUR: Duration = Duration::from_secs(3600);

    fn said(seed: u8, height: u64, body: &str, age: Duration, now: Duration) -> Option<NodeRecord> {
        let secret = SecretKey::from_seed(&[seed; 32]);
        let header = Header {
            kind: Kind::Node,
            flags: 0,
            fleet: [2; 32],
            key: String::new(),
            author: PeerId::from_bytes(secret.public()).unwrap(),
            height,
            stamp: Stamp::default(),
            base: if height == 1 {
                RecordId::NONE
            } else {
                RecordId([1; 32])
            },
            body_len: 0,
            body_hash: [0; 32],
            numbered: None,
            note: String::new(),
        };
        NodeRecord::decode(
            Record::sign(header, body.as_bytes(), &secret),
            body.as_bytes().to_vec(),
            age,
            now,
        )
    }

    #[test]
    fn of_each_peer_the_newest_record_is_kept() {
        let mut roster = Roster::default();
        let take = |roster: &mut Roster, height| {
            roster.take(
                said(1, height, "{\"name\":\"gull\"}", HOUR, HOUR).unwrap(),
                HOUR,
                |_| false,
            )
        };
        assert!(take(&mut roster, 2));
        assert!(!take(&mut roster, 2) && !take(&mut roster, 1) && take(&mut roster, 3));
        assert!(roster.take(said(2, 1, "{}", HOUR, HOUR).unwrap(), HOUR, |_| false));
        let names: Vec<String> = roster.iter().map(|(peer, _)| roster.name(peer)).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&"gull".to_owned()));
        assert!(
            names.iter().any(|name| name.starts_with('…')),
            "who has not said its name is called by its ID"
        );
    }

    #[test]
    fn whoever_was_lost_is_back_with_newer_news() {
        let mut roster = Roster::default();
        let peer = said(1, 1, "{}", HOUR, HOUR).unwrap().record.header.author;
        roster.lose(&peer);
        assert!(
            roster.take(said(1, 1, "{}", HOUR, HOUR).unwrap(), HOUR, |_| false)
                && !roster.get(&peer).unwrap().lost
        );
        roster.lose(&peer);
        roster.find(&peer);
        assert!(!roster.get(&peer).unwrap().lost);
        roster.lose(&peer);
        assert!(
            !roster.take(said(1, 1, "{}", HOUR, HOUR).unwrap(), HOUR, |_| false)
                && roster.get(&peer).unwrap().lost
        );
        assert!(
            roster.take(said(1, 2, "{}", HOUR, HOUR).unwrap(), HOUR, |_| false)
                && !roster.get(&peer).unwrap().lost
        );
    }

    #[test]
    fn a_record_grows_old_while_it_is_held_and_is_forgotten_after_a_week() {
        let mut roster = Roster::default();
        let young = said(1, 1, "{}", 24 * HOUR, HOUR).unwrap();
        assert_eq!(young.age(3 * HOUR), 26 * HOUR);
        assert!(roster.take(young, HOUR, |_| false));
        assert!(
            !roster.take(said(2, 1, "{}", NODE_AGE_MAX, HOUR).unwrap(), HOUR, |_| {
                false
            }),
            "too old to be taken"
        );
        roster.expire(6 * 24 * HOUR);
        assert_eq!(roster.iter().count(), 1);
        roster.expire(HOUR + 6 * 24 * HOUR);
        assert_eq!(roster.iter().count(), 0);
    }

    #[test]
    fn a_body_that_is_no_object_is_no_node_record() {
        for body in ["[]", "1", "{", ""] {
            assert!(said(1, 1, body, HOUR, HOUR).is_none(), "{body}");
        }
    }

    #[test]
    fn invented_hosts_keep_nobody_out_who_was_spoken_with() {
        let mut roster = Roster::default();
        let sample = said(1, 1, "{}", HOUR, HOUR).unwrap();
        // Who signed is looked at before; here only the names matter.
        let invented = |number: usize| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&number.to_be_bytes());
            let author = PeerId::from_bytes(SecretKey::from_seed(&seed).public()).unwrap();
            let header = Header {
                author,
                ..(*sample.record.header).clone()
            };
            let mut node = sample.clone();
            node.record.header = header.into();
            node
        };
        (0..NODES_MAX).for_each(|number| assert!(roster.take(invented(number), HOUR, |_| false)));
        let friend = said(7, 1, "{}", Duration::ZERO, HOUR).unwrap();
        let id = friend.record.header.author;
        assert!(!roster.take(friend.clone(), HOUR, |_| false), "it is full");
        assert!(roster.take(friend, HOUR, |peer| *peer == id));
        assert!(roster.get(&id).is_some());
        assert_eq!(roster.iter().count(), NODES_MAX);
        assert!(!roster.take(invented(NODES_MAX), HOUR, |peer| *peer == id));
    }
}
