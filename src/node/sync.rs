//! Anti-entropy: comparing what two peers hold, and sending what the other lacks.
//!
//! One side sends the root over its set; if the other's differs it answers with its buckets; then both name the IDs in the buckets that
//! differ and send each other what is missing. This alone is enough for all hosts to end up with the same: floods only make it quick.
//! It happens when a link comes up, after an overflow, and every half minute or so with one random link.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Node;
use super::effect::{DiskJob, Level};
use super::input::LinkId;
use super::records::node_frame;
use crate::limits::{IDS_MAX, QUEUE_MAX, REBASE_JITTER, SYNC_EVERY, SYNC_NODES_EVERY};
use crate::model::digest::{Digest, bucket_of};
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::wire::frame::{Frame, Scope};

impl Node {
    /// Begins an exchange over a link.
    pub(super) fn begin_exchange(&mut self, id: LinkId, scope: Scope) {
        let root = Digest::of(self.exchanged_ids(scope)).root;
        if let Some(link) = self.links.get_mut(&id).filter(|_| scope == Scope::Documents) {
            link.passed_over = false;
        }
        self.answer(id, &Frame::Root(scope, self.joined, root));
    }

    pub(super) fn exchange_if_due(&mut self) {
        let now = self.now.elapsed;
        if self.timers.sync <= now {
            self.judge_heads();
        }
        let all: Vec<LinkId> = self.links.keys().copied().collect();
        for (scope, every) in [(Scope::Documents, SYNC_EVERY), (Scope::Nodes, SYNC_NODES_EVERY)] {
            let due = match scope {
                Scope::Documents => &mut self.timers.sync,
                Scope::Nodes => &mut self.timers.sync_nodes,
            };
            if *due <= now {
                *due = now + self.rng.around(every);
                self.roster.expire(now);
                self.rng.pick(&all).copied().into_iter().for_each(|id| self.begin_exchange(id, scope));
            }
        }
        let caught_up =
            self.links.values_mut().filter(|link| link.overflowed && link.exchange_at <= now && link.backlog() < QUEUE_MAX / 4);
        let caught_up: Vec<LinkId> = caught_up.map(|link| (link.overflowed = false, link.id).1).collect();
        for id in caught_up {
            self.begin_exchange(id, Scope::Documents);
            self.begin_exchange(id, Scope::Nodes);
        }
    }

    pub(super) fn root(&mut self, id: LinkId, scope: Scope, complete: bool, root: [u8; 32]) {
        let digest = Digest::of(self.exchanged_ids(scope));
        if digest.root == root {
            self.answer(id, &Frame::Done(scope, self.joined));
            return self.exchange_done(id, scope, complete);
        }
        self.answer(id, &Frame::Buckets(scope, digest.buckets));
    }

    pub(super) fn buckets(&mut self, id: LinkId, scope: Scope, theirs: &[[u8; 8]]) {
        let differing = Digest::of(self.exchanged_ids(scope)).differing(theirs);
        if differing.is_empty() {
            // What differed has come in the meantime: once more, so that both sides hear that they are done.
            return self.begin_exchange(id, scope);
        }
        self.name_ids(id, scope, true, &differing);
    }

    pub(super) fn ids(&mut self, id: LinkId, scope: Scope, asks: bool, buckets: &[u8], theirs: &[RecordId]) {
        let theirs: BTreeSet<&RecordId> = theirs.iter().collect();
        let asked: BTreeSet<usize> = buckets.iter().map(|bucket| usize::from(*bucket)).collect();
        let lacking = |own: &RecordId| asked.contains(&bucket_of(own)) && !theirs.contains(own);
        self.send_lacking(id, scope, lacking);
        if asks {
            self.name_ids(id, scope, false, buckets);
        }
        // The other side now waits for nothing more from here.
        self.answer(id, &Frame::Done(scope, self.vouches_on(id)));
    }

    /// Whether all that this host has to send over a link was sent or queued, and it speaks for the fleet.
    fn vouches_on(&self, id: LinkId) -> bool {
        self.joined && self.links.get(&id).is_some_and(|link| !link.overflowed)
    }

    /// The other side has sent all that it wanted to send.
    pub(super) fn exchange_done(&mut self, id: LinkId, scope: Scope, complete: bool) {
        let Some(link) = self.links.get_mut(&id).filter(|_| scope == Scope::Documents) else { return };
        link.asked = link.asked.saturating_sub(1);
        if link.asked == 0 {
            link.vouches = complete;
            self.exchanged = true;
            self.ask_about_edits(id);
            self.load_all_fallen();
            self.judge_heads();
            self.rebase_soon(REBASE_JITTER);
            self.join_if_done(id);
        }
    }

    /// An exchange with a peer that has itself completed one makes this host speak for the fleet, once all that it offered is here.
    pub(super) fn join_if_done(&mut self, id: LinkId) {
        let vouches = self.links.get(&id).is_some_and(|link| link.vouches && !link.overflowed && !link.passed_over);
        if self.joined || !vouches || self.pulls.depend_on(id) {
            return;
        }
        self.joined = true;
        self.disk(DiskJob::Joined);
        // Others that have only met hosts like this one can hear now that they too are in step.
        let others: Vec<LinkId> = self.links.keys().copied().filter(|other| *other != id).collect();
        others.into_iter().for_each(|other| self.begin_exchange(other, Scope::Documents));
        let head =
            self.head().map_or_else(|| "which has no document yet".into(), |head| format!("at revision {}", head.id().short()));
        self.say(Level::Info, "fleet", format!("in step with fleet {}, {head}", self.setup.fleet.name()));
    }

    fn send_lacking(&mut self, id: LinkId, scope: Scope, lacking: impl Fn(&RecordId) -> bool) {
        match scope {
            Scope::Documents => {
                let Some(link) = self.links.get(&id) else { return };
                let lacks = |id: &RecordId| lacking(id) && link.may_lack(id, self.now.elapsed);
                let revisions: Vec<Arc<Revision>> =
                    self.replica.exchanged().filter(|revision| lacks(&revision.id())).cloned().collect();
                revisions.iter().for_each(|revision| self.offer_revision(id, revision));
            }
            Scope::Nodes => {
                let now = self.now.elapsed;
                let Some(link) = self.links.get_mut(&id) else { return };
                for (author, node) in self.roster.iter().filter(|(_, node)| lacking(&node.record.id)) {
                    link.offer_node(*author, node.record.id, &node_frame(node, now), &mut self.effects);
                }
            }
        }
    }

    /// Names the IDs that are held in these buckets, in as many frames as it takes.
    fn name_ids(&mut self, id: LinkId, scope: Scope, asks: bool, buckets: &[u8]) {
        let own = self.exchanged_ids(scope);
        let mut named: Vec<u8> = Vec::new();
        let mut ids: Vec<RecordId> = Vec::new();
        for bucket in buckets {
            let inside: Vec<RecordId> =
                own.iter().filter(|own| bucket_of(own) == usize::from(*bucket)).take(IDS_MAX).copied().collect();
            if ids.len() + inside.len() > IDS_MAX {
                self.count_asked(id, scope, asks);
                self.answer(id, &Frame::Ids(scope, asks, std::mem::take(&mut named), std::mem::take(&mut ids)));
            }
            named.push(*bucket);
            ids.extend(inside);
        }
        if !named.is_empty() {
            self.count_asked(id, scope, asks);
            self.answer(id, &Frame::Ids(scope, asks, named, ids));
        }
    }

    /// Each list that asks for one in return is answered by a `Done` of its own.
    fn count_asked(&mut self, id: LinkId, scope: Scope, asks: bool) {
        if let Some(link) = self.links.get_mut(&id).filter(|_| asks && scope == Scope::Documents) {
            link.asked += 1;
        }
    }

    fn exchanged_ids(&self, scope: Scope) -> Vec<RecordId> {
        match scope {
            Scope::Documents => self.replica.exchanged().map(|revision| revision.id()).collect(),
            Scope::Nodes => self.roster.iter().map(|(_, node)| node.record.id).collect(),
        }
    }
}
