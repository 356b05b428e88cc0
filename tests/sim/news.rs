//! What must hold of what hosts are told of hosts: always that nobody believes of another what that
//! was never at, and in the end that everybody knows how it is with all others.

use std::collections::{BTreeMap, BTreeSet};

use starlingd::model::peer_id::PeerId;
use starlingd::model::record::RecordId;
use starlingd::node::input::Input;
use starlingd::wire::frame::Frame;
use starlingd::wire::news::{HostNews, NewsRecord};

use crate::watch::{Seen, World};

/// What has been seen of hosts, by their peer IDs, and who has just been told of whom.
#[derive(Default)]
pub struct Beliefs {
    /// The heads that a host has had.
    heads: BTreeSet<(PeerId, Option<RecordId>)>,
    /// The revisions that its server was known by the host itself to run.
    runs: BTreeSet<(PeerId, Option<RecordId>)>,
    /// The beginnings of the peer IDs that a frame which is being taken in tells of.
    told_of: BTreeSet<[u8; 6]>,
}

impl Seen {
    /// What comes in may be news of hosts.
    pub fn hears(&mut self, input: &Input) {
        self.beliefs.told_of.clear();
        let Input::Frame(_, bytes) = input else {
            return;
        };
        if bytes.first() != Some(&24) {
            return;
        }
        if let Ok(Some(Frame::News(news))) = Frame::decode(bytes) {
            let records = news.records.iter();
            let records = records.map(|news| {
                let author = news.record.header.author;
                *author
                    .as_bytes()
                    .first_chunk()
                    .expect("a peer ID is longer")
            });
            let steps = news.steps.iter().flat_map(|steps| &steps.hosts);
            let steps = steps.map(|(origin, _)| origin.author);
            self.beliefs.told_of.extend(records.chain(steps));
        }
    }

    /// What a host is at; and what it believes of those it was just told of, they have been at.
    pub fn check_beliefs(&mut self, world: &World, host: usize) {
        let node = &world.hosts[host].node;
        let (peer, head) = (node.peer(), node.own_head().map(|head| head.id()));
        self.beliefs.heads.insert((peer, head));
        self.beliefs.runs.insert((peer, node.runs()));
        let told_of = std::mem::take(&mut self.beliefs.told_of);
        if told_of.is_empty() {
            return;
        }
        let others = world.hosts.iter().map(|other| other.node.peer());
        let others = others.filter(|other| {
            *other != peer
                && told_of
                    .iter()
                    .any(|begins| other.as_bytes().starts_with(begins))
        });
        for other in others {
            let Some(told) = node.told_by(&other) else {
                continue;
            };
            let was_there = self.beliefs.heads.contains(&(other, told.desired))
                && self.beliefs.runs.contains(&(other, told.applied));
            if !was_there {
                self.broken(
                    world.now,
                    format!("host {host} believes of {other} what that never was at: {told:?}"),
                );
            }
        }
    }

    /// What is told of hosts: records that are signed, and heads at the height that they have.
    pub fn check_news(&mut self, world: &World, host: usize, news: &HostNews) {
        for NewsRecord { record, body, .. } in &news.records {
            self.check_known(world, host, record);
            if !record.matches(body) {
                self.broken(
                    world.now,
                    format!("host {host} sends {:?} with another body", record.id),
                );
            }
        }
        for steps in &news.steps {
            let known = self.revisions.get(&steps.head);
            if known.is_some_and(|head| head.rank().height != steps.height) {
                self.broken(
                    world.now,
                    format!("host {host} tells of {:?} at another height", steps.head),
                );
            }
        }
    }
}

/// Who believes of a running host what is not so. Of hosts that bear one identity anything may be
/// believed.
pub fn misinformed(world: &World) -> Option<String> {
    let mut bearers: BTreeMap<PeerId, Vec<usize>> = BTreeMap::new();
    for host in world.running() {
        let peer = world.hosts[host].node.peer();
        bearers.entry(peer).or_default().push(host);
    }
    bearers.retain(|_, hosts| hosts.len() == 1);
    world.running().into_iter().find_map(|host| {
        let node = &world.hosts[host].node;
        bearers.keys().find_map(|peer| {
            let (told, is) = (
                node.told_by(peer),
                world.hosts[bearers[peer][0]].node.told_by(peer),
            );
            (told != is)
                .then(|| format!("host {host} believes of {peer} {told:?}, and it is {is:?}"))
        })
    })
}
