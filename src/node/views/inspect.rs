//! What may be seen of a node from outside without asking it as a client: heads, and how much of
//! everything is held.
//!
//! Everything here only reads, costs at most one look at each link, and says nothing that the
//! bounds in [`crate::limits`] do not name.

use super::View;
use crate::model::document::Document;
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::model::shown::ShownConfig;
use crate::node::peers::node_record::text;
use crate::node::store::replica::Group;

/// How much a node holds of what is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Links that are up.
    pub links: usize,
    /// Bytes queued for the link that has most of them, bodies being sent apart.
    pub queued_max: usize,
    /// Bodies being fetched.
    pub pulls: usize,
    /// Uncontained revisions of the group that has most of them.
    pub uncontained_max: usize,
    /// Memory that the uncontained and the heads of other groups take, in bytes.
    pub uncontained_memory: usize,
    /// What the files of all revisions take, in bytes.
    pub files_bytes: u64,
    /// Revisions of the history, beside the head and the uncontained, of the group that has most
    /// of them.
    pub history_max: usize,
    /// Node records.
    pub nodes: usize,
    /// Contacts in the address book, alive or not.
    pub known: usize,
    /// Revisions that peers are asked for by ID.
    pub wanted: usize,
    /// Changes by clients that wait their turn.
    pub writes: usize,
}

/// What a host knows of another's head, from what that has said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadsTold {
    /// The head of the other's group, as the other holds it.
    pub desired: Option<RecordId>,
    /// The revision that the other's server runs.
    pub applied: Option<RecordId>,
}

impl View<'_> {
    /// What a peer has said of itself last, as far as this host has heard.
    pub(in crate::node) fn told_by(&self, peer: &PeerId) -> Option<HeadsTold> {
        let node = self.peers.roster.get(peer)?;
        let said = self.said_by(peer, node);
        let id = |member| text(&said, member).and_then(RecordId::parse);
        Some(HeadsTold {
            desired: id("desired"),
            applied: id("applied"),
        })
    }

    /// About how many bytes of memory are held for the fleet: documents, node records, the address
    /// book, and what waits for links. What the allocator adds is not counted.
    pub(in crate::node) fn held_bytes(&self) -> usize {
        let own = self.store.head(self.cx).map_or(0, |head| head.weight());
        let given: usize = self
            .local
            .server
            .documents()
            .map(|document| document.bytes().len() + document.weight())
            .sum();
        let kept: usize = self.local.kept.documents().map(Document::weight).sum();
        let shown = self.local.server.observed().map_or(0, ShownConfig::weight);
        let revisions = own
            + given
            + kept
            + shown
            + self.store.replica.memory()
            + self.store.replica.history_memory();
        let links: usize = self
            .peers
            .links()
            .map(|link| size_of_val(link) + link.queued())
            .sum();
        revisions + links + self.peers.roster.held_bytes() + self.peers.book.held_bytes()
    }

    /// How much is held of everything that is bounded; so many writes wait.
    pub(in crate::node) fn counts(&self, writes: usize) -> Counts {
        let groups = || self.store.replica.groups().map(|(_, group)| group);
        let most = |count: &mut dyn Iterator<Item = usize>| count.max().unwrap_or_default();
        Counts {
            links: self.peers.links().count(),
            queued_max: most(
                &mut self
                    .peers
                    .links()
                    .map(crate::node::peers::link::Link::queued),
            ),
            pulls: self.exchange.pulls_under_way(),
            uncontained_max: most(&mut groups().map(|group| group.uncontained().count())),
            uncontained_memory: self.store.replica.memory(),
            files_bytes: self.store.replica.files_bytes(),
            history_max: most(&mut groups().map(Group::spare)),
            nodes: self.peers.roster.iter().count(),
            known: self.peers.book.known(),
            wanted: self.exchange.missing.len(),
            writes,
        }
    }
}
