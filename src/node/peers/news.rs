//! News of hosts: taken in from one link, told to the others.
//!
//! What comes is checked when it comes: a proof costs a hash or a few, and node records, whose
//! signature costs a hundred times that, are few. A link that brings much that is false or invented
//! is not believed for a while; what is passed over meanwhile comes again with a later exchange.
//! Invariant: a piece of news goes to each link at most once, and never to its author or to whom it
//! came from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Peers;
use super::link::Link;
use super::node_record::{Judged, NodeRecord};
use super::roster::Roster;
use super::untold::Lacks;
use crate::limits::{BEAT_GATHER, NEWS_GATHER, NEWS_GATHER_MAX, NEWS_MAX};
use crate::model::digest::bucket_of;
use crate::model::peer_id::PeerId;
use crate::model::proof::Proof;
use crate::model::record::RecordId;
use crate::node::context::Context;
use crate::node::input::LinkId;
use crate::wire::frame::Frame;
use crate::wire::news::{Beat, HostNews, NewsRecord, ProofOrigin, Steps};

impl Peers {
    /// A link has brought news of hosts. Records come first: proofs may belong to them.
    pub(in crate::node) fn news(&mut self, cx: &mut Context, id: LinkId, news: HostNews) {
        for record in news.records {
            self.node_record(cx, id, record);
        }
        let now = cx.now.elapsed;
        for Steps {
            height,
            head,
            hosts,
        } in news.steps
        {
            for (origin, proof) in hosts {
                let age = Duration::from_secs(u64::from(origin.age));
                let take = |node: &mut NodeRecord| node.take_step(height, head, proof, age, now);
                self.proof(cx, id, origin, Lacks::STEP, take);
            }
        }
        for Beat {
            origin,
            place,
            proof,
        } in news.beats
        {
            let age = Duration::from_secs(u64::from(origin.age));
            let take = |node: &mut NodeRecord| node.take_beat(place, proof, age, now);
            self.proof(cx, id, origin, Lacks::BEAT, take);
        }
    }

    /// A link has brought a proof. One that fits no record that is held says nothing, and is no
    /// fault: whoever passed it on may hold another record of that host.
    fn proof(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        origin: ProofOrigin,
        says: Lacks,
        take: impl Fn(&mut NodeRecord) -> Judged,
    ) {
        let now = cx.now.elapsed;
        let Some(link) = self.links.get_mut(&id).filter(|link| link.has_checks(now)) else {
            return;
        };
        match judge(&mut self.roster, cx.me, origin, take) {
            Some((author, Judged::Taken)) => {
                link.untold.knows(&author, says);
                self.tell(cx, Some(id), author, says);
            }
            Some((author, Judged::Held)) => link.untold.knows(&author, says),
            Some((_, Judged::False)) => {
                link.may_check(now);
            }
            Some((_, Judged::Old)) | None => {}
        }
    }

    /// Every link but the one that it came from, and its author, is to be told this of a host.
    pub(super) fn tell(
        &mut self,
        cx: &mut Context,
        from: Option<LinkId>,
        author: PeerId,
        lacks: Lacks,
    ) {
        let gather = (NEWS_GATHER * self.crowd()).min(NEWS_GATHER_MAX);
        for link in self.links.values_mut() {
            if Some(link.id) == from || link.hello.peer == author {
                continue;
            }
            // Two that have heard the same must not tell each other at once.
            let wait = match lacks == Lacks::BEAT {
                true => BEAT_GATHER,
                false => gather / 2 + cx.rng.up_to(gather / 2),
            };
            link.untold.add(author, lacks, cx.now.elapsed + wait);
        }
    }

    /// Tells a link of all hosts in these buckets of which it lacks something, by what it has
    /// named.
    pub(in crate::node) fn offer_nodes(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        asked: &BTreeSet<usize>,
        theirs: &BTreeSet<&RecordId>,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let inside = self
            .roster
            .iter()
            .filter(|(_, node)| asked.contains(&bucket_of(&node.record.id)));
        for (author, node) in inside {
            let own = node.news_id();
            let named = theirs.range(same_record(&own)).next();
            let lacks = match named {
                None => Lacks::ALL,
                Some(their) if place(&node.record.id, their) < place(&node.record.id, &own) => {
                    Lacks::STEP
                }
                Some(_) => continue,
            };
            link.untold.add(*author, lacks, cx.now.elapsed);
        }
    }

    /// When a link is to be told news.
    pub(in crate::node) fn news_due(&self) -> Option<Duration> {
        self.links
            .values()
            .filter_map(|link| link.untold.due())
            .min()
    }

    /// Tells each link that is due what there is to tell.
    pub(in crate::node) fn tell_news(&mut self, cx: &mut Context) {
        let now = cx.now.elapsed;
        for link in self.links.values_mut() {
            while link.untold.due().is_some_and(|due| due <= now) {
                if link.queued() > NEWS_MAX {
                    // It reads too slowly: there will be newer news when it has.
                    link.untold.wait(now + NEWS_GATHER_MAX);
                    break;
                }
                let news = news_for(link, &self.roster, now);
                let bytes = Frame::News(news).encode();
                link.untold.said(bytes.len(), now, now);
                if !link.offer_news(bytes, &mut cx.effects) {
                    link.overflowed = true;
                }
            }
        }
    }
}

/// Whose record a proof belongs to, and what it is to that. Peer IDs may be ground out to begin
/// like another's, so each that does is looked at.
fn judge(
    roster: &mut Roster,
    me: PeerId,
    origin: ProofOrigin,
    take: impl Fn(&mut NodeRecord) -> Judged,
) -> Option<(PeerId, Judged)> {
    let mut last = None;
    for node in roster.beginning_with(origin.author) {
        let header = &node.record.header;
        if header.author == me || low(header.height) != origin.height {
            continue;
        }
        let author = header.author;
        let judged = take(node);
        last = Some((author, judged));
        if judged != Judged::False {
            break;
        }
    }
    last
}

/// As much as one frame takes of what a link is to be told.
fn news_for(link: &mut Link, roster: &Roster, now: Duration) -> HostNews {
    let mut news = HostNews::default();
    let mut steps: BTreeMap<(u64, RecordId), Vec<(ProofOrigin, Proof)>> = BTreeMap::new();
    let mut left = NEWS_MAX - COUNTS;
    while let Some((peer, lacks)) = link.untold.next() {
        let Some(node) = roster.get(&peer) else {
            link.untold.told(peer);
            continue;
        };
        let step = node.step().filter(|_| lacks.step);
        let beat = node.beat().filter(|_| lacks.beat);
        let head = step.map(|(height, step)| (height, step.head));
        let takes = usize::from(lacks.record)
            * (node.record.bytes.len() + node.body.len() + AROUND)
            + step.map_or(0, |_| STEP)
            + head.map_or(0, |head| if steps.contains_key(&head) { 0 } else { HEAD })
            + beat.map_or(0, |_| BEAT);
        if takes > left {
            break;
        }
        left -= takes;
        link.untold.told(peer);
        if lacks.record {
            news.records.push(NewsRecord {
                record: node.record.clone(),
                age: u64::try_from(node.age(now).as_millis()).expect("ages are below a week"),
                body: node.body.clone(),
            });
        }
        let origin = ProofOrigin {
            author: ProofOrigin::author_of(&peer),
            height: low(node.record.header.height),
            age: u16::try_from(node.heard(now).as_secs()).unwrap_or(u16::MAX),
        };
        if let Some((height, step)) = step {
            let hosts = steps.entry((height, step.head)).or_default();
            hosts.push((origin, step.proof));
        }
        if let Some((place, proof)) = beat {
            news.beats.push(Beat {
                origin,
                place,
                proof,
            });
        }
    }
    let steps = steps.into_iter();
    news.steps = steps
        .map(|((height, head), hosts)| Steps {
            height,
            head,
            hosts,
        })
        .collect();
    news
}

/// What of a height travels with a proof.
fn low(height: u64) -> u16 {
    (height & 0xffff) as u16
}

/// What names the record of this one with any step.
fn same_record(id: &RecordId) -> RangeInclusive<RecordId> {
    let (mut first, mut last) = (*id, *id);
    first.0[30..].fill(0);
    last.0[30..].fill(0xff);
    first..=last
}

/// The place of the step that is named together with this record.
fn place(record: &RecordId, named: &RecordId) -> u16 {
    u16::from_be_bytes([record.0[30] ^ named.0[30], record.0[31] ^ named.0[31]])
}

/// The bytes of a frame without any news, of a record without header and body, of a step and a
/// beat, and of a head that steps lead to.
const COUNTS: usize = 7;
const AROUND: usize = 2 + 64 + 8 + 2;
const STEP: usize = 10 + 12;
const BEAT: usize = 10 + 2 + 12;
const HEAD: usize = 8 + 32 + 2;

#[cfg(test)]
#[path = "news_tests.rs"]
mod tests;
