//! Anti-entropy: comparing what two peers hold, and sending what the other lacks.
//!
//! One side sends the root over its set; if the other's differs it answers with its buckets; then
//! both name the IDs in the buckets that differ and send each other what is missing. This alone is
//! enough for all hosts to end up with the same: floods only make it quick. It happens when a link
//! comes up, after an overflow, and every half minute or so with one random link.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Node;
use super::Peers;
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
        if let Some(link) = self
            .peers
            .links
            .get_mut(&id)
            .filter(|_| scope == Scope::Documents)
        {
            link.passed_over = false;
        }
        self.peers.answer(
            &mut self.cx,
            id,
            &Frame::Root(scope, self.exchange.joined, root),
        );
    }

    pub(super) fn exchange_if_due(&mut self) {
        let now = self.cx.now.elapsed;
        if self.cx.timers.sync <= now {
            self.judge_heads();
        }
        let all: Vec<LinkId> = self.peers.links.keys().copied().collect();
        for (scope, every) in [
            (Scope::Documents, SYNC_EVERY),
            (Scope::Nodes, SYNC_NODES_EVERY),
        ] {
            let due = match scope {
                Scope::Documents => &mut self.cx.timers.sync,
                Scope::Nodes => &mut self.cx.timers.sync_nodes,
            };
            if *due <= now {
                *due = now + self.cx.rng.around(every);
                self.peers.roster.expire(now);
                self.cx
                    .rng
                    .pick(&all)
                    .copied()
                    .into_iter()
                    .for_each(|id| self.begin_exchange(id, scope));
            }
        }
        let caught_up = self.peers.links.values_mut().filter(|link| {
            link.overflowed && link.exchange_at <= now && link.backlog() < QUEUE_MAX / 4
        });
        let caught_up: Vec<LinkId> = caught_up
            .map(|link| (link.overflowed = false, link.id).1)
            .collect();
        for id in caught_up {
            self.begin_exchange(id, Scope::Documents);
            self.begin_exchange(id, Scope::Nodes);
        }
    }

    pub(super) fn root(&mut self, id: LinkId, scope: Scope, complete: bool, root: [u8; 32]) {
        let digest = Digest::of(self.exchanged_ids(scope));
        if digest.root == root {
            self.peers
                .answer(&mut self.cx, id, &Frame::Done(scope, self.exchange.joined));
            return self.exchange_done(id, scope, complete);
        }
        self.peers
            .answer(&mut self.cx, id, &Frame::Buckets(scope, digest.buckets));
    }

    pub(super) fn buckets(&mut self, id: LinkId, scope: Scope, theirs: &[[u8; 8]]) {
        let differing = Digest::of(self.exchanged_ids(scope)).differing(theirs);
        if differing.is_empty() {
            // What differed has come in the meantime: once more, so that both sides hear that they
            // are done.
            return self.begin_exchange(id, scope);
        }
        self.name_ids(id, scope, true, &differing);
    }

    pub(super) fn ids(
        &mut self,
        id: LinkId,
        scope: Scope,
        asks: bool,
        buckets: &[u8],
        theirs: &[RecordId],
    ) {
        let theirs: BTreeSet<&RecordId> = theirs.iter().collect();
        let asked: BTreeSet<usize> = buckets.iter().map(|bucket| usize::from(*bucket)).collect();
        let lacking = |own: &RecordId| asked.contains(&bucket_of(own)) && !theirs.contains(own);
        self.send_lacking(id, scope, lacking);
        if asks {
            self.name_ids(id, scope, false, buckets);
        }
        // The other side now waits for nothing more from here.
        let vouches = self.vouches_on(id);
        self.peers
            .answer(&mut self.cx, id, &Frame::Done(scope, vouches));
    }

    /// Whether all that this host has to send over a link was sent or queued, and it speaks for the
    /// fleet.
    fn vouches_on(&self, id: LinkId) -> bool {
        self.exchange.joined
            && self
                .peers
                .links
                .get(&id)
                .is_some_and(|link| !link.overflowed)
    }

    /// The other side has sent all that it wanted to send.
    pub(super) fn exchange_done(&mut self, id: LinkId, scope: Scope, complete: bool) {
        let Some(link) = self
            .peers
            .links
            .get_mut(&id)
            .filter(|_| scope == Scope::Documents)
        else {
            return;
        };
        link.asked = link.asked.saturating_sub(1);
        if link.asked == 0 {
            link.vouches = complete;
            self.exchange.exchanged = true;
            self.ask_about_edits(id);
            self.store.read_all_uncontained(&mut self.cx);
            self.judge_heads();
            self.cx.rebase_soon(REBASE_JITTER);
            self.join_if_done(id);
        }
    }

    /// An exchange with a peer that has itself completed one makes this host speak for the fleet,
    /// once all that it offered is here.
    pub(super) fn join_if_done(&mut self, id: LinkId) {
        let vouches = self
            .peers
            .links
            .get(&id)
            .is_some_and(|link| link.vouches && !link.overflowed && !link.passed_over);
        if self.exchange.joined || !vouches || self.exchange.pulls.depend_on(id) {
            return;
        }
        self.exchange.joined = true;
        self.cx.disk(DiskJob::Joined);
        // Others that have only met hosts like this one can hear now that they too are in step.
        let others: Vec<LinkId> = self
            .peers
            .links
            .keys()
            .copied()
            .filter(|other| *other != id)
            .collect();
        others
            .into_iter()
            .for_each(|other| self.begin_exchange(other, Scope::Documents));
        let head = self.store.head(&self.cx).map_or_else(
            || "which has no document yet".into(),
            |head| format!("at revision {}", head.id().short()),
        );
        self.cx.say(
            Level::Info,
            "fleet",
            format!("in step with fleet {}, {head}", self.cx.setup.fleet.name()),
        );
    }

    fn send_lacking(&mut self, id: LinkId, scope: Scope, lacking: impl Fn(&RecordId) -> bool) {
        match scope {
            Scope::Documents => {
                let Some(link) = self.peers.links.get(&id) else {
                    return;
                };
                let lacks = |id: &RecordId| lacking(id) && link.may_lack(id, self.cx.now.elapsed);
                let revisions: Vec<Arc<Revision>> = self
                    .store
                    .replica
                    .exchanged()
                    .filter(|revision| lacks(&revision.id()))
                    .cloned()
                    .collect();
                revisions
                    .iter()
                    .for_each(|revision| self.offer_revision(id, revision));
            }
            Scope::Nodes => {
                let now = self.cx.now.elapsed;
                let Some(link) = self.peers.links.get_mut(&id) else {
                    return;
                };
                for (author, node) in self
                    .peers
                    .roster
                    .iter()
                    .filter(|(_, node)| lacking(&node.record.id))
                {
                    link.offer_node(
                        *author,
                        node.record.id,
                        &node_frame(node, now),
                        &mut self.cx.effects,
                    );
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
            let inside: Vec<RecordId> = own
                .iter()
                .filter(|own| bucket_of(own) == usize::from(*bucket))
                .take(IDS_MAX)
                .copied()
                .collect();
            if ids.len() + inside.len() > IDS_MAX {
                self.peers.count_asked(id, scope, asks);
                self.peers.answer(
                    &mut self.cx,
                    id,
                    &Frame::Ids(
                        scope,
                        asks,
                        std::mem::take(&mut named),
                        std::mem::take(&mut ids),
                    ),
                );
            }
            named.push(*bucket);
            ids.extend(inside);
        }
        if !named.is_empty() {
            self.peers.count_asked(id, scope, asks);
            self.peers
                .answer(&mut self.cx, id, &Frame::Ids(scope, asks, named, ids));
        }
    }

    fn exchanged_ids(&self, scope: Scope) -> Vec<RecordId> {
        match scope {
            Scope::Documents => self
                .store
                .replica
                .exchanged()
                .map(|revision| revision.id())
                .collect(),
            Scope::Nodes => self
                .peers
                .roster
                .iter()
                .map(|(_, node)| node.record.id)
                .collect(),
        }
    }
}

impl Peers {
    /// Each list that asks for one in return is answered by a `Done` of its own.
    fn count_asked(&mut self, id: LinkId, scope: Scope, asks: bool) {
        if let Some(link) = self
            .links
            .get_mut(&id)
            .filter(|_| asks && scope == Scope::Documents)
        {
            link.asked += 1;
        }
    }
}
