//! Groups: which this host knows of, and what it answers of another than its own.
//!
//! All groups' revisions are held here, so whatever can be read of the own group can be read of
//! any. A change is tried on a server that runs the group's document, which this host's does not: a
//! host of that group is asked to make it (`forwarding`), or, if none can be reached, it is
//! refused, naming the hosts that could.

use std::collections::BTreeMap;

use crate::limits::GROUPS_MAX;
use crate::model::name::is_name;
use crate::model::path::Path;
use crate::node::answer::views::{ConflictView, GroupView};
use crate::node::answer::{Answer, Older};
use crate::node::ask::PastQuery;
use crate::node::peers::node_record::text;
use crate::node::refusal::{Denial, RequestFault};
use crate::node::views::View;
use crate::node::views::conflicts::conflict_view;

/// How many hosts follow a group, by their node records.
#[derive(Default)]
struct Hosts {
    all: usize,
    /// Whose servers run the head.
    applied: usize,
}

impl View<'_> {
    /// What is at a path of another group's document.
    pub(in crate::node) fn value_of_group(&self, group: &str, path: Path) -> Answer {
        match self.store.replica.head(group) {
            Some(head) => Answer::Value {
                document: head.document.clone(),
                path,
                head: Some(head.id()),
                applied: None,
            },
            None => {
                let name = group.to_owned();
                Denial::from(RequestFault::GroupWithoutHead { name }).into()
            }
        }
    }

    /// The open conflicts of a group's head, and what this host holds beside the head that nobody
    /// has listed yet.
    pub(in crate::node) fn conflict_views(&self, group: &str) -> Vec<ConflictView> {
        let conflicts = self.store.conflicts(group).into_iter();
        conflicts
            .map(|shown| conflict_view(self.peers, shown))
            .collect()
    }

    pub(in crate::node) fn one_conflict(&self, group: &str, id: &str) -> Answer {
        self.store
            .conflict(group, id)
            .map_or_else(Answer::from, |shown| {
                Answer::Conflict(Box::new(conflict_view(self.peers, shown)))
            })
    }

    /// What is asked of the history and the conflicts of a group; with whether more of the history
    /// was asked for.
    pub(in crate::node) fn past(&self, group: &str, query: PastQuery, older: Older) -> Answer {
        match query {
            PastQuery::Revisions => self.revisions(group, older),
            PastQuery::Revision(id) => self.revision(group, &id),
            PastQuery::Difference { to, from } => {
                self.difference(group, &to, from.as_deref(), older)
            }
            PastQuery::Blame(path) => self.blame(group, path, older),
            PastQuery::Conflict(id) => self.one_conflict(group, &id),
            PastQuery::Conflicts => Answer::Conflicts(self.conflict_views(group)),
        }
    }

    /// Groups that have a revision here, that a host says it follows, and the own one, with their
    /// hosts. A peer may say anything, so what it says counts only if it is a name, and only
    /// while there is room. All records are decoded once.
    fn known_groups(&self) -> BTreeMap<String, Hosts> {
        let live = self.store.heads().filter(|(_, head)| !head.is_removal());
        let heads: BTreeMap<&str, String> = live
            .map(|(name, head)| (name, head.id().to_string()))
            .collect();
        // Of a group that was removed there may be changes left that nobody has looked at.
        let rest = self
            .store
            .replica
            .groups()
            .filter(|(_, group)| group.is_removed() && group.unsettled() > 0);
        let held = heads
            .keys()
            .copied()
            .chain(rest.map(|(name, _)| name))
            .chain([&self.cx.setup.group[..]]);
        let mut known: BTreeMap<String, Hosts> = held
            .map(|name| (name.to_owned(), Hosts::default()))
            .collect();
        for (peer, node) in self.peers.roster.iter() {
            let said = self.said_by(peer, node);
            let Some(name) = text(&said, "group").filter(|name| is_name(name)) else {
                continue;
            };
            let is_removed = || {
                self.store
                    .replica
                    .group(name)
                    .is_some_and(crate::node::store::replica::Group::is_removed)
            };
            let has_place = || {
                known.len() < GROUPS_MAX
                    && (!is_removed() || self.peers.is_there(self.cx, peer, node))
            };
            if !known.contains_key(name) && !has_place() {
                continue;
            }
            let hosts = known.entry(name.to_owned()).or_default();
            hosts.all += 1;
            let head = heads.get(name).map(String::as_str);
            hosts.applied += usize::from(head.is_some() && text(&said, "applied") == head);
        }
        known
    }

    pub(in crate::node) fn is_known_group(&self, group: &str) -> bool {
        self.store.replica.head(group).is_some() || self.known_groups().contains_key(group)
    }

    pub(in crate::node) fn unknown_group(&self, group: &str) -> Denial {
        let fault = RequestFault::NoSuchGroup {
            name: group.to_owned(),
            known: self.known_groups().into_keys().collect(),
        };
        fault.into()
    }

    /// Each group that is known, by name.
    pub(in crate::node) fn group_views(&self) -> Vec<GroupView> {
        let known = self.known_groups().into_iter();
        known
            .map(|(name, hosts)| self.group_view(name, &hosts))
            .collect()
    }

    fn group_view(&self, name: String, hosts: &Hosts) -> GroupView {
        let removed = self
            .store
            .replica
            .group(&name)
            .filter(|group| group.is_removed());
        let listed = self
            .store
            .replica
            .head(&name)
            .map_or(0, |head| head.open.len());
        GroupView {
            is_own: name == self.cx.setup.group,
            head: self.head_view(&name),
            hosts: hosts.all,
            applied: hosts.applied,
            conflicts: removed.map_or(listed, crate::node::store::replica::Group::unsettled),
            is_removed: removed.is_some(),
            name,
        }
    }
}
