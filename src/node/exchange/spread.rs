//! Passing on: what is new goes to every link but the one it came from, to some whole, to others by
//! its name; see `tree`.
//!
//! A body that is small, or small as a delta, goes along; a larger one is announced and pulled. A
//! link that has the record, or has named it, is left out.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{HAVE_GATHER, HAVE_SECOND_MAX, INLINE_MAX, PULL_PATIENCE, ROUND_TRIP_UNKNOWN};
use crate::model::ledger::{EditRef, Standing};
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::exchange::Exchange;
use crate::node::exchange::tree::{
    Have, NO_TREE, SHARED, TreeChange, TreeName, speaks_first, tree_of,
};
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::peers::link::Offer;
use crate::node::store::Store;
use crate::node::waiting::Reading;
use crate::wire::frame::{Frame, Payload};

impl Exchange {
    pub(in crate::node) fn flood_revision(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        from: Option<LinkId>,
        revision: &Arc<Revision>,
    ) {
        let tree = self.tree_for(cx, peers, from, revision);
        let offer = offer(cx, tree, revision, payload(store, revision));
        let (id, now, me) = (revision.id(), cx.now.elapsed, cx.me);
        let is_superseded = |other: &RecordId| is_superseded(store, revision, other);
        for link in peers.links_mut() {
            link.is_branch = self.trees.is_eager(tree, &link.hello.peer);
            if Some(link.id) == from {
                link.is_branch = true;
            } else if link.is_branch {
                link.flood_document(revision, &offer, &mut cx.effects);
            } else if !link.knows(&id) {
                let mut due = now + HAVE_GATHER;
                if !speaks_first(&id, &me, &link.hello.peer) {
                    let round_trip = link.round_trip.unwrap_or(ROUND_TRIP_UNKNOWN);
                    due += round_trip.min(HAVE_SECOND_MAX);
                }
                if !self
                    .trees
                    .tell(link.id, Have { tree, id, due }, is_superseded)
                {
                    link.compare_again(now);
                }
            }
        }
    }

    /// The tree over which a revision is passed on: that by which it came, or the one for what this
    /// host makes. Old ones that come of a comparison go over the shared one.
    fn tree_for(
        &mut self,
        cx: &Context,
        peers: &Peers,
        from: Option<LinkId>,
        revision: &Revision,
    ) -> TreeName {
        let (id, author) = (revision.id(), revision.record.header.author);
        let is_small = !peers.is_large();
        let tree = match self.trees.came_over(&id) {
            Some(tree) => tree,
            None if from.is_none() && author == cx.me => {
                let near = peers.links().filter(|_| !is_small);
                let near = near.map(|link| &link.hello.peer);
                self.trees.for_own(&cx.me, near)
            }
            None => SHARED,
        };
        if from.is_none() {
            self.trees.is_made(id, tree);
        }
        // Where everybody is linked with everybody, the author reaches all by itself.
        let from = from.and_then(|from| peers.link(from));
        let is_told = is_small
            && tree == tree_of(&author)
            && from.is_some_and(|from| from.hello.peer == author);
        let linked = peers.links().map(|link| link.hello.peer);
        let linked: Vec<PeerId> = linked.filter(|_| !is_told).collect();
        self.trees.begin(tree, &linked, !is_small);
        if let Some(from) = from {
            self.trees.hangs_on(tree, from.id);
        }
        tree
    }

    /// A link has named revisions.
    pub(in crate::node) fn haves(
        &mut self,
        cx: &Context,
        peers: &mut Peers,
        store: &Store,
        from: LinkId,
        haves: &[(TreeName, RecordId)],
    ) {
        let Some(link) = peers.link_mut(from) else {
            return;
        };
        for (tree, id) in haves {
            link.learn(*id);
            let is_held = store.lately_held.contains(id) || store.replica.find(id).is_some();
            if is_held || self.pulls.is_offered(from, id) {
                continue;
            }
            let (round_trip, now) = (link.round_trip, cx.now.elapsed);
            if !self.trees.announced(from, *tree, *id, round_trip, now) {
                link.compare_again(now + PULL_PATIENCE);
            }
        }
    }

    /// Names what is to be named by now, and asks for what was named and has not come.
    pub(in crate::node) fn spread_on(&mut self, cx: &mut Context, peers: &mut Peers) {
        let now = cx.now.elapsed;
        if self.trees.due().is_none_or(|due| now < due) {
            return;
        }
        for (id, haves) in self.trees.take_haves(now) {
            let Some(link) = peers.link_mut(id) else {
                continue;
            };
            let unknown = haves.iter().filter(|have| !link.knows(&have.id));
            let named: Vec<(TreeName, RecordId)> =
                unknown.map(|have| (have.tree, have.id)).collect();
            if !named.is_empty() {
                link.tell_haves(&Frame::Have(named), &mut cx.effects);
            }
        }
        let round_trip = |id| peers.link(id).and_then(|link| link.round_trip);
        for graft in self.trees.take_grafts(now, round_trip) {
            peers.answer(cx, graft.link, &Frame::Graft(graft.tree, graft.id));
        }
    }

    /// When [`Exchange::spread_on`] has something to do.
    pub(in crate::node) fn spread_due(&self) -> Option<Duration> {
        self.trees.due()
    }

    /// A peer asks for a revision that it was named, and for those that follow over the same tree.
    /// What was superseded meanwhile is answered by what supersedes it.
    pub(in crate::node) fn grafted(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        tree: TreeName,
        wanted: RecordId,
    ) {
        let Some(link) = peers.link_mut(id) else {
            return;
        };
        self.trees.is_grafted(tree, link.hello.peer);
        if wanted == RecordId::NONE || link.knows(&wanted) {
            return;
        }
        if let Some(revision) = store.replica.find(&wanted) {
            let offer = offer(cx, tree, revision, payload(store, revision));
            return link.offer_document(revision, &offer, &mut cx.effects);
        }
        if let Some(record) = store.replica.kept(&wanted) {
            self.offer_head(cx, peers, store, id, &record.header.key.clone());
        }
        peers.answer(cx, id, &Frame::Missing(wanted));
    }

    /// The other side of a link gets what spreads over a tree by another way.
    pub(in crate::node) fn pruned(&mut self, peers: &Peers, link: LinkId, tree: TreeName) {
        if let Some(link) = peers.link(link) {
            self.trees.is_pruned(tree, &link.hello.peer);
        }
    }

    /// A link has not got what it has named.
    pub(in crate::node) fn named_is_missing(&mut self, cx: &Context, link: LinkId, id: &RecordId) {
        self.trees.is_missing(link, id, cx.now.elapsed);
    }

    /// A revision came over a link. If another has brought it before, this one is told so.
    pub(in crate::node) fn comes(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        link: LinkId,
        id: RecordId,
        tree: TreeName,
    ) {
        let coming = self.trees.comes(link, id, tree, cx.now.elapsed);
        tell(cx, peers, tree, &coming);
    }

    /// A record that is held has come once more over a link.
    pub(in crate::node) fn comes_again(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        link: LinkId,
        id: &RecordId,
        tree: TreeName,
    ) {
        let coming = self.trees.comes_again(link, id, tree, cx.now.elapsed);
        tell(cx, peers, tree, &coming);
    }

    /// A link has come up. In a small fleet whoever makes a change tells all others itself; in a
    /// large one a new link has an exchange, and names are enough for it unless it was a branch.
    pub(in crate::node) fn trees_with(&mut self, peers: &Peers, link: LinkId) {
        if let Some(link) = peers.link(link).filter(|_| !peers.is_large()) {
            self.trees.joins(&link.hello.peer);
        }
    }

    /// A link is gone. Where it was the one that has brought what spreads over a tree, another
    /// takes its place before there is something to spread: one that gets it elsewhere.
    pub(in crate::node) fn trees_without(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        link: LinkId,
    ) {
        for tree in self.trees.without(link, cx.now.elapsed) {
            let trees = &self.trees;
            let others = peers
                .links()
                .filter(|link| !trees.is_eager(tree, &link.hello.peer));
            let others: Vec<LinkId> = others.map(|link| link.id).collect();
            if let Some(other) = cx.rng.pick(&others).copied() {
                self.trees.hangs_on(tree, other);
                peers.answer(cx, other, &Frame::Graft(tree, RecordId::NONE));
            }
        }
    }

    /// Offers a link the head of a group, unless it has it or was sent it: after a cut many old
    /// records may come over one link, and one copy of the head answers all of them.
    pub(in crate::node) fn offer_head(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        group: &str,
    ) {
        let knows =
            |head: &Arc<Revision>| peers.link(id).is_some_and(|link| link.knows(&head.id()));
        if let Some(head) = store
            .replica
            .tip(group)
            .filter(|head| !knows(head))
            .cloned()
        {
            self.offer_revision(cx, peers, store, id, &head);
        }
    }

    /// Sends a link a revision that it lacks.
    pub(in crate::node) fn offer_revision(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        revision: &Arc<Revision>,
    ) {
        let payload = match payload(store, revision) {
            // Nothing is known of what this link holds, so a delta would be a guess.
            Payload::Delta(..) if revision.body.len() <= INLINE_MAX => {
                Payload::Whole(revision.body.to_vec())
            }
            Payload::Delta(..) => Payload::Announced,
            other => other,
        };
        let offer = offer(cx, NO_TREE, revision, payload);
        if let Some(link) = peers.link_mut(id) {
            link.offer_document(revision, &offer, &mut cx.effects);
        }
    }

    /// A peer wants a body, from an offset on. If it holds the base of our delta, the delta is
    /// enough.
    pub(in crate::node) fn serve_pull(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        id: LinkId,
        wanted: RecordId,
        offset: usize,
        have: RecordId,
    ) {
        if peers
            .link(id)
            .is_none_or(|link| link.serves(&wanted, offset, cx.now.elapsed))
        {
            return;
        }
        let Some(revision) = store.replica.find(&wanted).cloned() else {
            return match store.replica.whole(&wanted).cloned() {
                Some(record) if cx.may_read() => cx.read_kept(record, Reading::Pulled(id, offset)),
                _ => peers.answer(cx, id, &Frame::Missing(wanted)),
            };
        };
        let payload = payload(store, &revision);
        if offset == 0 && matches!(&payload, Payload::Delta(base, _) if *base == have) {
            return peers.answer(cx, id, &Frame::Record(revision.record.clone(), 0, payload));
        }
        let Some(link) = peers.link_mut(id) else {
            return;
        };
        let body = Arc::clone(&revision.body);
        if offset >= body.len()
            || !link.serve(wanted, body, offset, cx.now.elapsed, &mut cx.effects)
        {
            peers.answer(cx, id, &Frame::Missing(wanted));
        }
    }
}

/// Tells links what comes of a revision that has come.
fn tell(cx: &mut Context, peers: &mut Peers, tree: TreeName, coming: &TreeChange) {
    if let Some(link) = coming.prune {
        peers.answer(cx, link, &Frame::Prune(tree));
    }
    if let Some(link) = coming.graft {
        peers.answer(cx, link, &Frame::Graft(tree, RecordId::NONE));
    }
}

/// Whether who has one revision needs no other: it is of the same group, and contained.
fn is_superseded(store: &Store, by: &Revision, other: &RecordId) -> bool {
    let group = store.replica.group(&by.record.header.key);
    let mut history = group.into_iter().flat_map(|group| group.history());
    let record = history.find_map(|held| (held.record.id == *other).then_some(&held.record));
    record.is_some_and(|record| {
        record.rank() < by.rank() && by.standing(&EditRef::of(record)) == Standing::In
    })
}

/// A revision as it is sent over links.
fn offer(cx: &Context, tree: TreeName, revision: &Revision, payload: Payload) -> Offer {
    let whole_at = matches!(payload, Payload::Whole(_)).then_some(cx.now.elapsed);
    Offer {
        bytes: Frame::Record(revision.record.clone(), tree, payload).encode(),
        whole_at,
    }
}

/// What goes along with the header of a revision: its body, a delta of it, or nothing, so that
/// whoever lacks it pulls it.
fn payload(store: &Store, revision: &Revision) -> Payload {
    let group = store.replica.group(&revision.record.header.key);
    let is_head = group
        .and_then(|group| group.head())
        .is_some_and(|head| head.id() == revision.id());
    let delta = group
        .and_then(|group| group.delta())
        .filter(|(_, delta)| is_head && delta.len() <= INLINE_MAX);
    match delta {
        // Its body is on disk: whoever lacks it pulls it from there.
        _ if revision.is_light() => Payload::Announced,
        Some((base, delta)) => Payload::Delta(*base, delta.clone()),
        None if revision.body.len() <= INLINE_MAX => Payload::Whole(revision.body.to_vec()),
        None => Payload::Announced,
    }
}
