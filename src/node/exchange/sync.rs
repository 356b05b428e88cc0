//! Anti-entropy: comparing what two peers hold, and sending what the other lacks.
//!
//! One side sends the root over its set; if the other's differs it answers with its buckets; then
//! both name the IDs in the buckets that differ and send each other what is missing. This alone is
//! enough for all hosts to end up with the same: floods only make it quick. It happens when a link
//! comes up, after an overflow, and every half minute or so with one random link.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::limits::{IDS_MAX, QUEUE_MAX, REBASE_JITTER, SYNC_EVERY, SYNC_NODES_EVERY};
use crate::model::digest::{Digest, bucket_of};
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Level};
use crate::node::event::Event;
use crate::node::exchange::Exchange;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::wire::frame::{Frame, Scope};

impl Exchange {
    /// A group's head is one that removes it: if that makes room, what was passed over for want of
    /// it is asked for again.
    pub(in crate::node) fn group_goes(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        removal: &Revision,
    ) {
        let header = &removal.record.header;
        let author = if header.author == cx.me {
            "this host".to_owned()
        } else {
            peers.called(&header.author)
        };
        let (is_own, name) = (header.key == cx.setup.group, header.key.clone());
        match is_own {
            true => {
                let text = format!(
                    "group {name}, which this host follows, was removed by {author}: the server \
                     stays as it is"
                );
                cx.say(Level::Warn, "groups", text);
                cx.own_record_changed();
            }
            false => cx.say(
                Level::Info,
                "groups",
                format!("group {name} was removed by {author}"),
            ),
        }
        if store.replica.has_room_again() {
            cx.own_record_changed();
            let links = peers.link_ids();
            for link in links {
                self.begin_exchange(cx, peers, store, link, Scope::Documents);
            }
        }
    }

    /// Compares with some peer now and then, and with each to which a queue had no room to offer
    /// something.
    pub(in crate::node) fn compare_if_due(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
    ) {
        let now = cx.now.elapsed;
        let all = peers.link_ids();
        for (scope, every) in [
            (Scope::Documents, SYNC_EVERY),
            (Scope::Nodes, SYNC_NODES_EVERY),
        ] {
            let due = match scope {
                Scope::Documents => &mut cx.timers.sync,
                Scope::Nodes => &mut cx.timers.sync_nodes,
            };
            if *due <= now {
                *due = now + cx.rng.around(every);
                peers.forget_old_records(now);
                cx.rng
                    .pick(&all)
                    .copied()
                    .into_iter()
                    .for_each(|id| self.begin_exchange(cx, peers, store, id, scope));
            }
        }
        let caught_up = peers.links_mut().filter(|link| {
            link.overflowed && link.exchange_at <= now && link.backlog() < QUEUE_MAX / 4
        });
        let caught_up: Vec<LinkId> = caught_up
            .map(|link| (link.overflowed = false, link.id).1)
            .collect();
        for id in caught_up {
            self.begin_exchange(cx, peers, store, id, Scope::Documents);
            self.begin_exchange(cx, peers, store, id, Scope::Nodes);
        }
    }

    /// Begins an exchange over a link.
    pub(in crate::node) fn begin_exchange(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        scope: Scope,
    ) {
        let root = Digest::of(self.exchanged_ids(peers, store, scope)).root;
        if let Some(link) = peers.link_mut(id).filter(|_| scope == Scope::Documents) {
            link.passed_over = false;
        }
        peers.answer(cx, id, &Frame::Root(scope, self.joined, root));
    }

    pub(in crate::node) fn root(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        id: LinkId,
        scope: Scope,
        complete: bool,
        root: [u8; 32],
    ) {
        let digest = Digest::of(self.exchanged_ids(peers, store, scope));
        if digest.root == root {
            peers.answer(cx, id, &Frame::Done(scope, self.joined));
            return self.exchange_done(cx, peers, store, id, scope, complete);
        }
        peers.answer(cx, id, &Frame::Buckets(scope, digest.buckets));
    }

    pub(in crate::node) fn buckets(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        scope: Scope,
        theirs: &[[u8; 8]],
    ) {
        let differing = Digest::of(self.exchanged_ids(peers, store, scope)).differing(theirs);
        if differing.is_empty() {
            // What differed has come in the meantime: once more, so that both sides hear that they
            // are done.
            return self.begin_exchange(cx, peers, store, id, scope);
        }
        self.name_ids(cx, peers, store, id, scope, true, &differing);
    }

    pub(in crate::node) fn ids(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        scope: Scope,
        asks: bool,
        buckets: &[u8],
        theirs: &[RecordId],
    ) {
        let theirs: BTreeSet<&RecordId> = theirs.iter().collect();
        let asked: BTreeSet<usize> = buckets.iter().map(|bucket| usize::from(*bucket)).collect();
        let lacking = |own: &RecordId| asked.contains(&bucket_of(own)) && !theirs.contains(own);
        match scope {
            Scope::Documents => self.send_lacking(cx, peers, store, id, lacking),
            Scope::Nodes => peers.offer_nodes(cx, id, &asked, &theirs),
        }
        if asks {
            self.name_ids(cx, peers, store, id, scope, false, buckets);
        }
        // The other side now waits for nothing more from here.
        let vouches = self.vouches_on(peers, id);
        peers.answer(cx, id, &Frame::Done(scope, vouches));
    }

    /// Whether all that this host has to send over a link was sent or queued, and it speaks for the
    /// fleet.
    fn vouches_on(&self, peers: &Peers, id: LinkId) -> bool {
        self.joined && peers.link(id).is_some_and(|link| !link.overflowed)
    }

    /// The other side has sent all that it wanted to send.
    pub(in crate::node) fn exchange_done(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        id: LinkId,
        scope: Scope,
        complete: bool,
    ) {
        let Some(link) = peers.link_mut(id).filter(|_| scope == Scope::Documents) else {
            return;
        };
        link.asked = link.asked.saturating_sub(1);
        if link.asked == 0 {
            link.vouches = complete;
            self.exchanged = true;
            self.ask_about_edits(cx, peers, store, id);
            store.read_all_uncontained(cx);
            cx.tell(Event::Heads);
            cx.rebase_soon(REBASE_JITTER);
            cx.tell(Event::Whole(id));
        }
    }

    /// An exchange with a peer that has itself completed one makes this host speak for the fleet,
    /// once all that it offered is here.
    pub(in crate::node) fn join_if_done(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
    ) {
        let vouches = peers
            .link(id)
            .is_some_and(|link| link.vouches && !link.overflowed && !link.passed_over);
        if self.joined || !vouches || self.pulls.depend_on(id) {
            return;
        }
        self.joined = true;
        cx.disk(DiskJob::Joined);
        // Others that have only met hosts like this one can hear now that they too are in step.
        for other in peers.link_ids().into_iter().filter(|other| *other != id) {
            self.begin_exchange(cx, peers, store, other, Scope::Documents);
        }
        let head = store.head(cx).map_or_else(
            || "which has no document yet".into(),
            |head| format!("at revision {}", head.id().short()),
        );
        cx.say(
            Level::Info,
            "fleet",
            format!("in step with fleet {}, {head}", cx.setup.fleet.name()),
        );
    }

    fn send_lacking(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        lacking: impl Fn(&RecordId) -> bool,
    ) {
        let Some(link) = peers.link(id) else {
            return;
        };
        let lacks = |id: &RecordId| lacking(id) && link.may_lack(id, cx.now.elapsed);
        let revisions: Vec<Arc<Revision>> = store
            .replica
            .exchanged()
            .filter(|revision| lacks(&revision.id()))
            .cloned()
            .collect();
        revisions
            .iter()
            .for_each(|revision| self.offer_revision(cx, peers, store, id, revision));
    }

    /// Names the IDs that are held in these buckets, in as many frames as it takes.
    fn name_ids(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        scope: Scope,
        asks: bool,
        buckets: &[u8],
    ) {
        let own = self.exchanged_ids(peers, store, scope);
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
                count_asked(peers, id, scope, asks);
                peers.answer(
                    cx,
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
            count_asked(peers, id, scope, asks);
            peers.answer(cx, id, &Frame::Ids(scope, asks, named, ids));
        }
    }

    fn exchanged_ids(&self, peers: &Peers, store: &Store, scope: Scope) -> Vec<RecordId> {
        match scope {
            Scope::Documents => store
                .replica
                .exchanged()
                .map(|revision| revision.id())
                .collect(),
            Scope::Nodes => peers
                .roster
                .iter()
                .map(|(_, node)| node.news_id())
                .collect(),
        }
    }
}

/// Each list that asks for one in return is answered by a `Done` of its own.
fn count_asked(peers: &mut Peers, id: LinkId, scope: Scope, asks: bool) {
    if let Some(link) = peers
        .link_mut(id)
        .filter(|_| asks && scope == Scope::Documents)
    {
        link.asked += 1;
    }
}

#[cfg(test)]
#[path = "sync_tests.rs"]
mod tests;
