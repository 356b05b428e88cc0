//! Revisions that are fetched because somebody looks: what a host that has joined late lacks of the
//! history, and the originals of conflicts that are listed by hash.
//!
//! One revision at a time is asked for, of one linked peer after another; while the history has
//! room, the one that it was made on is next. Nothing is fetched unless a client asks, and nobody
//! waits: whoever asks again sees more.

use std::time::Duration;

use crate::limits::{FETCH_AGAIN, PULL_PATIENCE, WANTED_MAX};
use crate::model::record::RecordId;
use crate::node::answer::Older;
use crate::node::context::Context;
use crate::node::exchange::Exchange;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::node::store::replica::Group;
use crate::wire::frame::Frame;

/// A revision that peers are asked for.
pub(in crate::node) struct Fetch {
    id: RecordId,
    /// Who is asked; `None` when nobody is left.
    asked: Option<LinkId>,
    /// Who is asked next.
    rest: Vec<LinkId>,
    /// When the last of them was asked, or had not got it.
    since: Duration,
}

impl Exchange {
    /// Somebody looks at the history of a group: what is beyond the oldest revision is asked for,
    /// if there is room for it.
    pub(in crate::node) fn fetch_older(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        group: &str,
    ) -> Older {
        let Some(group) = store.replica.group(group) else {
            return Older::Nothing;
        };
        match group.beyond() {
            None => Older::Nothing,
            Some(_) if !group.has_room() => Older::Pruned,
            // What somebody needs for a change goes first.
            Some(id)
                if self.fetch.as_ref().is_some_and(|fetch| {
                    fetch.id != id
                        && fetch.asked.is_some()
                        && cx.now.elapsed < fetch.since + PULL_PATIENCE
                }) =>
            {
                Older::Asked
            }
            Some(id) => self.fetch(cx, peers, id),
        }
    }

    /// Asks for a revision, unless that is under way or was in vain a short time ago.
    pub(in crate::node) fn fetch(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        id: RecordId,
    ) -> Older {
        let now = cx.now.elapsed;
        match self.fetch.as_ref().filter(|fetch| fetch.id == id) {
            Some(Fetch {
                asked: Some(_),
                since,
                ..
            }) if now < *since + PULL_PATIENCE || self.pulls.has(&id) => Older::Asked,
            Some(Fetch { asked: Some(_), .. }) => self.ask_another(cx, peers),
            Some(Fetch {
                asked: None, since, ..
            }) if now < *since + FETCH_AGAIN && peers.links().all(|link| link.since <= *since) => {
                Older::Nowhere
            }
            _ => self.begin_fetch(cx, peers, id),
        }
    }

    /// The peer has not got it: the next is asked.
    pub(in crate::node) fn fetch_missing(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        link: LinkId,
        id: RecordId,
    ) {
        if self
            .fetch
            .as_ref()
            .is_some_and(|fetch| fetch.id == id && fetch.asked == Some(link))
        {
            self.ask_another(cx, peers);
        }
    }

    /// If what was asked for has come, the revision that it was made on is next, of the same peer
    /// first.
    pub(in crate::node) fn fetch_on(&mut self, cx: &mut Context, peers: &mut Peers, store: &Store) {
        let come = |fetch: &mut Fetch| fetch.asked.is_some() && !self.missing.contains(&fetch.id);
        let Some(fetch) = self.fetch.take_if(come) else {
            return;
        };
        // Something else may have been fetched, such as the original of a conflict: that leads no
        // further.
        let is_oldest = |group: &&Group| {
            group
                .line()
                .last()
                .is_some_and(|oldest| oldest.record.id == fetch.id)
        };
        let group = store
            .replica
            .groups()
            .map(|(_, group)| group)
            .find(is_oldest);
        if let Some(id) = group
            .filter(|group| group.has_room())
            .and_then(Group::beyond)
        {
            let rest = fetch.rest.into_iter().chain(fetch.asked).collect();
            self.fetch = Some(Fetch {
                id,
                asked: None,
                rest,
                since: cx.now.elapsed,
            });
            self.ask_another(cx, peers);
        }
    }

    fn begin_fetch(&mut self, cx: &mut Context, peers: &mut Peers, id: RecordId) -> Older {
        let mut rest = peers.link_ids();
        let first = cx.rng.below(rest.len() as u64) as usize;
        rest.rotate_left(first);
        if let Some(old) = self.fetch.replace(Fetch {
            id,
            asked: None,
            rest,
            since: cx.now.elapsed,
        }) {
            self.missing.remove(&old.id);
        }
        self.ask_another(cx, peers)
    }

    fn ask_another(&mut self, cx: &mut Context, peers: &mut Peers) -> Older {
        let Some(fetch) = self.fetch.as_mut() else {
            return Older::Nowhere;
        };
        let id = fetch.id;
        fetch.since = cx.now.elapsed;
        fetch.asked =
            std::iter::from_fn(|| fetch.rest.pop()).find(|link| peers.link(*link).is_some());
        let is_room = self.missing.len() < WANTED_MAX || self.missing.contains(&id);
        match fetch.asked.filter(|_| is_room) {
            Some(link) => {
                self.missing.insert(id);
                peers.answer(cx, link, &Frame::Want(id));
                Older::Asked
            }
            None => {
                fetch.asked = None;
                self.missing.remove(&id);
                Older::Nowhere
            }
        }
    }
}
