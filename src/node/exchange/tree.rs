//! Over which links a revision goes whole, over which only its name, and who is asked for one that
//! was named and has not come.
//!
//! Revisions spread over trees that find themselves (Plumtree: Leitão, Pereira, Rodrigues 2007). At
//! first every link is *eager*: it takes revisions whole. Whoever gets one a second time tells that
//! link so by a prune, and it becomes *lazy*: it takes names, some together. Who has a name, and
//! not what it stands for, waits for a moment, then asks by a graft, which makes the link eager
//! again.
//!
//! A tree suits whoever it was found from, and takes others twice the time. So each host that makes
//! changes has a tree of its own, or for its first change takes that of a neighbour. Where many
//! make changes a new tree begins with the branches of a few others, and is pruned from its second
//! change on. What is passed on after a comparison goes over one that is shared.
//!
//! Each direction of a link has its own state, kept by the side that sends. Invariant: the link
//! that has brought a revision first is never pruned for it, so that of two copies that cross both
//! may be told of, and either side still has the way by which it got its own. Nothing here is
//! needed for hosts to end up the same: what is forgotten makes links eager, and what is lost comes
//! by an exchange.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::limits::{
    ANNOUNCED_BY_LINK_MAX, ANNOUNCED_MAX, CAME_MAX, EAGER_MAX, GRAFT_AGAIN, GRAFT_BETTER,
    GRAFT_OWN, GRAFT_SHARED, HAVES_WAITING_MAX, PRUNE_AGAIN, ROUND_TRIP_UNKNOWN, TREES_MAX,
    TREES_TAKEN,
};
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::node::input::LinkId;

/// The name of a tree, as frames have it.
pub(in crate::node) type TreeName = u64;

/// No tree: what was asked for, or came of a comparison.
pub(in crate::node) const NO_TREE: TreeName = 0;
/// The tree that all hosts share.
pub(in crate::node) const SHARED: TreeName = 1;

/// The name of the tree of what one host makes.
pub(in crate::node) fn tree_of(author: &PeerId) -> TreeName {
    let (first, _) = author.as_bytes().split_first_chunk().expect("it is longer");
    u64::from_be_bytes(*first).max(SHARED + 1)
}

/// A tree as this host knows it.
struct SpreadTree {
    name: TreeName,
    /// The peers that it is sent to whole. Names are enough for all others.
    eager: BTreeSet<PeerId>,
    /// The link that has brought the last of it first.
    root: Option<LinkId>,
    /// Whether who sends a second copy is told. Who has made one change may never make another:
    /// then a prune for each copy would cost more frames than it ever spares.
    is_found: bool,
}

impl SpreadTree {
    /// A peer is sent to whole. Of those that have come and gone none is kept for ever.
    fn add(&mut self, peer: PeerId) {
        if self.eager.len() >= EAGER_MAX {
            self.eager.pop_first();
        }
        self.eager.insert(peer);
    }
}

/// How a revision came.
struct Arrival {
    id: RecordId,
    tree: TreeName,
    /// `None` if this host has made it.
    link: Option<LinkId>,
    /// Who was asked for it by then, for it has named it so much earlier.
    asked: Option<LinkId>,
}

/// A revision whose name is to be sent over a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) struct Have {
    /// The tree that it spreads over.
    pub(in crate::node) tree: TreeName,
    /// Its name.
    pub(in crate::node) id: RecordId,
    /// When it is to be sent at the latest.
    pub(in crate::node) due: Duration,
}

/// A revision that was named and has not come.
struct Sought {
    tree: TreeName,
    /// Who has named it and was not asked yet.
    by: VecDeque<LinkId>,
    /// Who was asked last.
    asked: Option<LinkId>,
    due: Duration,
    /// Who has named it first, and from when on that was so much earlier than it came that it is
    /// the better way.
    better: (LinkId, Duration),
}

/// What is to be said when a revision has come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::node) struct TreeChange {
    /// Which link is told that its copies come second.
    pub(in crate::node) prune: Option<LinkId>,
    /// Which link is to send whole what follows.
    pub(in crate::node) graft: Option<LinkId>,
}

/// Whom to ask for what.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::node) struct Graft {
    /// The link.
    pub(in crate::node) link: LinkId,
    /// The tree that the link belongs to from now on.
    pub(in crate::node) tree: TreeName,
    /// The revision.
    pub(in crate::node) id: RecordId,
}

/// All trees, what is still to be named, and what was named.
#[derive(Default)]
pub(in crate::node) struct Trees {
    /// Lately used ones last.
    trees: VecDeque<SpreadTree>,
    came: VecDeque<Arrival>,
    /// Which links were told lately that names are enough.
    pruned: VecDeque<(LinkId, TreeName, Duration)>,
    haves: BTreeMap<LinkId, Vec<Have>>,
    sought: BTreeMap<RecordId, Sought>,
    /// Whether this host has made something before.
    has_made: bool,
}

impl Trees {
    /// The tree for something that this host has made itself: its own if it has made something
    /// before, else that of a neighbour of whose branches it is one, for it takes one step more
    /// only; if there is none, its own all the same.
    pub(in crate::node) fn for_own<'a>(
        &mut self,
        me: &PeerId,
        neighbours: impl Iterator<Item = &'a PeerId>,
    ) -> TreeName {
        let own = tree_of(me);
        if std::mem::replace(&mut self.has_made, true) {
            return own;
        }
        let mut near = neighbours.map(|peer| (peer, tree_of(peer)));
        let near = near.find(|(peer, name)| self.is_eager(*name, peer));
        near.map_or(own, |(_, name)| name)
    }

    /// A link to a peer has come up that is sent to whole in all trees.
    pub(in crate::node) fn joins(&mut self, peer: &PeerId) {
        for tree in &mut self.trees {
            tree.add(*peer);
        }
    }

    /// Something is about to be sent over a tree. If it is new here, it is sent to
    /// these whole, or `among_many` to those of them that are branches of others.
    pub(in crate::node) fn begin(&mut self, name: TreeName, linked: &[PeerId], among_many: bool) {
        let known = self.trees.iter().position(|tree| tree.name == name);
        let tree = match known.and_then(|at| self.trees.remove(at)) {
            Some(tree) => SpreadTree {
                is_found: true,
                ..tree
            },
            None => {
                let taken = self.taken(linked).filter(|_| among_many);
                SpreadTree {
                    name,
                    root: None,
                    is_found: taken.is_none(),
                    eager: taken.unwrap_or_else(|| linked.iter().copied().collect()),
                }
            }
        };
        if self.trees.len() >= TREES_MAX {
            self.trees.pop_front();
        }
        self.trees.push_back(tree);
    }

    /// Of these peers those that the last few trees have for branches, all together: fewer than
    /// all, and over them a short way leads from anywhere. `None` if too few trees are known,
    /// or none of them leads to these.
    fn taken(&self, linked: &[PeerId]) -> Option<BTreeSet<PeerId>> {
        let trees = self.trees.iter().rev().take(TREES_TAKEN);
        let is_branch = |peer: &&PeerId| trees.clone().any(|tree| tree.eager.contains(peer));
        let taken: BTreeSet<PeerId> = linked.iter().filter(is_branch).copied().collect();
        (trees.len() == TREES_TAKEN && !taken.is_empty()).then_some(taken)
    }

    /// A link brings, or is to bring, what spreads over a tree.
    pub(in crate::node) fn hangs_on(&mut self, name: TreeName, link: LinkId) {
        if let Some(tree) = self.tree(name) {
            tree.root = Some(link);
        }
    }

    /// Whether a peer is sent whole what spreads over a tree.
    pub(in crate::node) fn is_eager(&self, name: TreeName, peer: &PeerId) -> bool {
        let mut trees = self.trees.iter();
        trees.any(|tree| tree.name == name && tree.eager.contains(peer))
    }

    /// The other side gets what spreads over a tree by another way.
    pub(in crate::node) fn is_pruned(&mut self, name: TreeName, peer: &PeerId) {
        if let Some(tree) = self.tree(name) {
            tree.eager.remove(peer);
        }
    }

    /// The other side wants what spreads over a tree.
    pub(in crate::node) fn is_grafted(&mut self, name: TreeName, peer: PeerId) {
        if let Some(tree) = self.tree(name) {
            tree.add(peer);
        }
    }

    /// A revision of this host is about to be flooded.
    pub(in crate::node) fn is_made(&mut self, id: RecordId, tree: TreeName) {
        self.note(Arrival {
            id,
            tree,
            link: None,
            asked: None,
        });
    }

    /// A revision has come over a link. If another has brought it before, over the same tree, this
    /// one is pruned. If another has named it much earlier, that is tried: next time the quicker of
    /// the two stays.
    pub(in crate::node) fn comes(
        &mut self,
        link: LinkId,
        id: RecordId,
        tree: TreeName,
        now: Duration,
    ) -> TreeChange {
        let sought = self.sought.remove(&id);
        if self.came.iter().any(|came| came.id == id) {
            return self.comes_again(link, &id, tree, now);
        }
        let asked = sought.as_ref().and_then(|sought| sought.asked);
        self.note(Arrival {
            id,
            tree,
            link: Some(link),
            asked: asked.filter(|asked| *asked != link),
        });
        let better = sought.map(|sought| sought.better);
        let better = better.filter(|(other, from)| *other != link && *from <= now);
        TreeChange {
            prune: None,
            graft: better.map(|(other, _)| other).filter(|_| asked.is_none()),
        }
    }

    /// A record that is held has come once more over a link. If that is the answer to a graft, the
    /// other is pruned: it was late.
    pub(in crate::node) fn comes_again(
        &mut self,
        link: LinkId,
        id: &RecordId,
        tree: TreeName,
        now: Duration,
    ) -> TreeChange {
        let Some(came) = self.came.iter_mut().find(|came| came.id == *id) else {
            return TreeChange::default();
        };
        if tree == NO_TREE || came.tree != tree || came.link == Some(link) {
            return TreeChange::default();
        }
        let mut second = link;
        if came.asked.take_if(|asked| *asked == link).is_some()
            && let Some(first) = came.link.replace(link)
        {
            second = first;
            self.hangs_on(tree, link);
        }
        while let Some((_, _, at)) = self.pruned.front()
            && *at + PRUNE_AGAIN <= now
        {
            self.pruned.pop_front();
        }
        let is_told = |told: &(LinkId, TreeName, Duration)| (told.0, told.1) == (second, tree);
        let is_found = |known: &SpreadTree| known.name == tree && known.is_found;
        let is_worth_it = self.trees.iter().any(is_found) && self.pruned.len() < CAME_MAX;
        if !is_worth_it || self.pruned.iter().any(is_told) {
            return TreeChange::default();
        }
        self.pruned.push_back((second, tree, now));
        TreeChange {
            prune: Some(second),
            graft: None,
        }
    }

    /// The tree that a revision came over; none if it did not come over one.
    pub(in crate::node) fn came_over(&self, id: &RecordId) -> Option<TreeName> {
        let came = self.came.iter().find(|came| came.id == *id)?;
        (came.tree != NO_TREE).then_some(came.tree)
    }

    /// A revision is to be named over a link, in place of those that it supersedes. `false` if too
    /// many wait.
    pub(in crate::node) fn tell(
        &mut self,
        link: LinkId,
        have: Have,
        is_superseded: impl Fn(&RecordId) -> bool,
    ) -> bool {
        let waiting = self.haves.entry(link).or_default();
        waiting.retain(|other| other.id != have.id && !is_superseded(&other.id));
        let has_room = waiting.len() < HAVES_WAITING_MAX;
        if has_room {
            waiting.push(have);
        }
        has_room
    }

    /// What is to be named now, and over which links. Once something is due on a link, all that
    /// waits there goes along.
    pub(in crate::node) fn take_haves(&mut self, now: Duration) -> Vec<(LinkId, Vec<Have>)> {
        let is_due = |haves: &Vec<Have>| haves.iter().any(|have| have.due <= now);
        let (due, rest) = std::mem::take(&mut self.haves)
            .into_iter()
            .partition(|(_, haves)| is_due(haves));
        self.haves = rest;
        BTreeMap::into_iter(due).collect()
    }

    /// A link has named a revision that is not held. `false` if too many are sought.
    pub(in crate::node) fn announced(
        &mut self,
        link: LinkId,
        tree: TreeName,
        id: RecordId,
        round_trip: Option<Duration>,
        now: Duration,
    ) -> bool {
        if let Some(sought) = self.sought.get_mut(&id) {
            if !sought.by.contains(&link) && sought.asked != Some(link) {
                sought.by.push_back(link);
            }
            return true;
        }
        let of_link = |sought: &&Sought| sought.by.contains(&link) || sought.asked == Some(link);
        let has_room = self.sought.len() < ANNOUNCED_MAX
            && self.sought.values().filter(of_link).count() < ANNOUNCED_BY_LINK_MAX;
        if has_room {
            let due = now + patience(tree, round_trip);
            let (by, asked) = (VecDeque::from([link]), None);
            let better = (link, now + headstart(round_trip));
            self.sought.insert(
                id,
                Sought {
                    tree,
                    by,
                    asked,
                    due,
                    better,
                },
            );
        }
        has_room
    }

    /// Whom to ask for what by now. `round_trip` is asked for the time that a link takes.
    pub(in crate::node) fn take_grafts(
        &mut self,
        now: Duration,
        round_trip: impl Fn(LinkId) -> Option<Duration>,
    ) -> Vec<Graft> {
        let mut grafts = Vec::new();
        self.sought.retain(|id, sought| {
            if now < sought.due {
                return true;
            }
            sought.asked = sought.by.pop_front();
            let Some(link) = sought.asked else {
                return false;
            };
            let (least, most) = (GRAFT_AGAIN.start, GRAFT_AGAIN.end);
            sought.due = now + (3 * round_trip(link).unwrap_or(least)).clamp(least, most);
            let (tree, id) = (sought.tree, *id);
            grafts.push(Graft { link, tree, id });
            true
        });
        let is_undone = |link, name| {
            let mut grafts = grafts.iter();
            grafts.any(|graft: &Graft| (graft.link, graft.tree) == (link, name))
        };
        self.pruned
            .retain(|(link, name, _)| !is_undone(*link, *name));
        grafts
    }

    /// A link does not have what it has named: the next is asked at once.
    pub(in crate::node) fn is_missing(&mut self, link: LinkId, id: &RecordId, now: Duration) {
        if let Some(sought) = self.sought.get_mut(id) {
            sought.by.retain(|other| *other != link);
            if sought.asked == Some(link) {
                sought.due = now;
            }
        }
    }

    /// A link is gone: what it was asked for, the next is asked for at once. The trees that it has
    /// brought, for which another is to be grafted.
    pub(in crate::node) fn without(&mut self, link: LinkId, now: Duration) -> Vec<TreeName> {
        self.pruned.retain(|(other, ..)| *other != link);
        self.haves.remove(&link);
        self.came.retain(|came| came.link != Some(link));
        let ids: Vec<RecordId> = self.sought.keys().copied().collect();
        ids.iter().for_each(|id| self.is_missing(link, id, now));
        let cut = self.trees.iter_mut().filter(|tree| tree.root == Some(link));
        cut.map(|tree| {
            tree.root = None;
            tree.name
        })
        .collect()
    }

    /// When something is to be named, or asked for.
    pub(in crate::node) fn due(&self) -> Option<Duration> {
        let haves = self.haves.values().flatten().map(|have| have.due);
        haves
            .chain(self.sought.values().map(|sought| sought.due))
            .min()
    }

    fn tree(&mut self, name: TreeName) -> Option<&mut SpreadTree> {
        self.trees.iter_mut().find(|tree| tree.name == name)
    }

    fn note(&mut self, came: Arrival) {
        self.came.push_back(came);
        if self.came.len() > CAME_MAX {
            self.came.pop_front();
        }
    }
}

/// How long what was named is waited for. Over a tree of its author's own it comes about as early
/// as its name; over the shared one it may go round first.
fn patience(tree: TreeName, round_trip: Option<Duration>) -> Duration {
    let round_trip = round_trip.unwrap_or(ROUND_TRIP_UNKNOWN);
    match tree {
        SHARED => (2 * round_trip).clamp(GRAFT_SHARED.start, GRAFT_SHARED.end),
        _ => (round_trip / 2).clamp(GRAFT_OWN.start, GRAFT_OWN.end),
    }
}

/// By how much a name must be earlier than what it stands for to show a better way.
fn headstart(round_trip: Option<Duration>) -> Duration {
    (round_trip.unwrap_or(ROUND_TRIP_UNKNOWN) / 3).clamp(GRAFT_BETTER.start, GRAFT_BETTER.end)
}

/// Whether this host names a revision first, of the two ends of a link; the other has time to hear
/// of it. Both come to the same, and over many revisions neither is always first.
pub(in crate::node) fn speaks_first(id: &RecordId, me: &PeerId, other: &PeerId) -> bool {
    (me < other) == (id.0[0].is_multiple_of(2))
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
