//! Node records: what each peer says of itself, newest only, in memory only.
//!
//! A record's age travels beside it and grows while it is held, so no clock has to be right for an
//! old one to be forgotten. Whoever holds a record of this host above its own newest (from a run
//! before this one) makes it sign a higher one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::{NODE_AGE_MAX, NODE_VALUES_MAX, NODES_MAX};
use crate::model::json::{self, Value};
use crate::model::peer_id::PeerId;
use crate::model::record::{Header, Record};

/// A node record as it is held.
#[derive(Debug, Clone)]
pub struct NodeRecord {
    /// Header and signature.
    pub record: Record,
    /// The body's bytes as they came.
    pub body: Vec<u8>,
    /// What the peer calls itself. All else that it says is decoded when it is asked for: there
    /// may be thousands of records.
    name: Option<Box<str>>,
    /// When it came.
    pub received: Duration,
    /// How old it was then.
    pub age_then: Duration,
    /// Whether a link to the peer was lost since, with nothing heard of the peer from then on.
    pub lost: bool,
}

impl NodeRecord {
    /// From a record whose signature and body hash hold; `None` if the body is no JSON object.
    pub fn decode(
        record: Record,
        body: Vec<u8>,
        age_then: Duration,
        now: Duration,
    ) -> Option<Self> {
        let said = json::parse_own(&body)
            .ok()
            .filter(|said| said.is_object() && json::fits(said, 4, NODE_VALUES_MAX))?;
        let name = said.get("name").and_then(Value::as_str).map(Box::from);
        Some(Self {
            record,
            body,
            name,
            received: now,
            age_then,
            lost: false,
        })
    }

    /// How old it is.
    pub fn age(&self, now: Duration) -> Duration {
        self.age_then + now.saturating_sub(self.received)
    }

    /// What the peer's clock shows now, in milliseconds since 1970, as far as its record tells:
    /// what it showed when the peer signed, and the age since.
    pub fn clock_ms(&self, now: Duration) -> u64 {
        let age = u64::try_from(self.age(now).as_millis()).unwrap_or(u64::MAX);
        self.record.header.stamp.wall_ms().saturating_add(age)
    }

    /// What the peer says of itself: an object.
    pub fn said(&self) -> Value {
        json::parse_own(&self.body).expect("it was read when the record came")
    }

    /// What the peer calls itself.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The newest node record of each peer.
#[derive(Debug, Default)]
pub struct Roster {
    nodes: BTreeMap<PeerId, NodeRecord>,
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
            .get(&author)
            .is_none_or(|held| node.record.rank() > held.record.rank());
        let taken = newer
            && node.age(now) < NODE_AGE_MAX
            && (self.has_room_for(&author) || self.makes_way(&author, now, is_known));
        if taken {
            self.nodes.insert(author, node);
        }
        taken
    }

    fn has_room_for(&self, author: &PeerId) -> bool {
        self.nodes.contains_key(author) || self.nodes.len() < NODES_MAX
    }

    fn makes_way(
        &mut self,
        author: &PeerId,
        now: Duration,
        is_known: impl Fn(&PeerId) -> bool,
    ) -> bool {
        let others = || self.nodes.iter().filter(|(peer, _)| !is_known(peer));
        let oldest = is_known(author)
            .then(|| {
                others()
                    .max_by_key(|(_, node)| node.age(now))
                    .map(|(peer, _)| *peer)
            })
            .flatten();
        oldest.is_some_and(|oldest| self.nodes.remove(&oldest).is_some())
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
        if let Some(node) = self.nodes.get_mut(peer) {
            node.lost = lost;
        }
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: Duration) {
        self.nodes.retain(|_, node| node.age(now) < NODE_AGE_MAX);
    }

    /// The record of one peer.
    pub fn get(&self, peer: &PeerId) -> Option<&NodeRecord> {
        self.nodes.get(peer)
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

    /// All records by peer.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, &NodeRecord)> {
        self.nodes.iter()
    }

    /// The name that a peer has given itself; the end of its peer ID if it has not said.
    pub fn name(&self, peer: &PeerId) -> String {
        self.get(peer)
            .and_then(NodeRecord::name)
            .map_or_else(|| format!("…{}", peer.short()), str::to_owned)
    }
}

/// A member of what a peer says of itself, if that is text.
pub(in crate::node) fn text<'a>(said: &'a Value, member: &str) -> Option<&'a str> {
    said.get(member).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{Header, Kind, RecordId};
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
            NodeRecord {
                record: Record {
                    header: header.into(),
                    ..sample.record.clone()
                },
                ..sample.clone()
            }
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
