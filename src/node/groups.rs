//! Groups: which this host knows of, and what it answers of another than its own.
//!
//! All groups' revisions are held here, so whatever can be read of the own group can be read of
//! any. A change is tried on a server that runs the group's document, which this host's does not: a
//! host of that group is asked to make it (`forwarding`), or, if none can be reached, it is
//! refused, naming the hosts that could.

use std::collections::BTreeMap;

use super::Node;
use super::answer::{Answer, Problem};
use super::effect::Effect;
use super::input::{Ask, ClientId};
use super::settle::Needing;
use super::views::text;
use super::{Context, Peers, Store};
use crate::limits::{GROUP_HOSTS_NAMED, GROUPS_MAX};
use crate::model::json::{Value, object};
use crate::model::name::is_name;
use crate::model::path::Path;
use crate::wire::forwarded::ForwardedRequest;

/// How many hosts follow a group, by their node records.
#[derive(Default)]
struct Hosts {
    all: usize,
    /// Whose servers run the head.
    applied: usize,
}

impl Node {
    /// A question about another group than the own, or a change of its document.
    pub(super) fn ask_of_group(
        &mut self,
        client: ClientId,
        group: &str,
        ask: Ask,
        forwarded: Option<ForwardedRequest>,
    ) {
        let answer = match ask {
            _ if !self.is_known_group(group) => self.unknown_group(group).into(),
            Ask::Read(path) => match self
                .store
                .replica
                .head(group)
                .filter(|head| head.is_light())
            {
                Some(head) => {
                    return self.changes.read_for(
                        &mut self.cx,
                        head.record.clone(),
                        Needing::Show { client, path },
                    );
                }
                None => self.store.value_of_group(group, path),
            },
            ask @ (Ask::Revisions(_)
            | Ask::Difference { .. }
            | Ask::Blame(_)
            | Ask::Conflicts(_)) => self.past(group, ask),
            Ask::Write(_)
            | Ask::Patch(_)
            | Ask::DryRun(_)
            | Ask::Restore { .. }
            | Ask::Settle { .. } => match forwarded {
                Some(forwarded) => return self.forward(client, &forwarded),
                None => self.peers.not_ours(&self.cx, group).into(),
            },
            // Which of its servers is meant only that host's own client can say.
            Ask::PublishLocal { .. } => self.peers.not_ours(&self.cx, group).into(),
            _ => Problem::new(
                400,
                "This does not depend on a group.",
                "ask without Starling-Group and ?group",
            )
            .into(),
        };
        self.cx.effects.push(Effect::Answer(client, answer));
    }

    /// What is asked of the history and the conflicts of a group.
    pub(super) fn past(&mut self, group: &str, ask: Ask) -> Answer {
        match ask {
            Ask::Revisions(None) => self.revisions(group),
            Ask::Revisions(Some(id)) => self.revision(group, &id),
            Ask::Difference { to, from } => self.difference(group, &to, from.as_deref()),
            Ask::Blame(path) => self.blame(group, path),
            Ask::Conflicts(Some(id)) => self.one_conflict(group, &id),
            _ => Answer::Json(self.conflicts_view(group)),
        }
    }

    /// Each group that is known, by name.
    pub(super) fn groups_view(&self) -> Value {
        self.known_groups()
            .iter()
            .map(|(name, hosts)| self.group_view(name, hosts))
            .collect::<Vec<_>>()
            .into()
    }

    fn group_view(&self, name: &str, hosts: &Hosts) -> Value {
        let removed = self
            .store
            .replica
            .group(name)
            .filter(|group| group.is_removed());
        let listed = self
            .store
            .replica
            .head(name)
            .map_or(0, |head| head.open.len());
        Value::Object(object! {
            "name": name,
            "own": name == self.cx.setup.group,
            "head": self.head_view(name),
            "hosts": hosts.all,
            "applied": hosts.applied,
            "conflicts": removed.map_or(listed, super::replica::Group::unsettled),
            "removed": removed.is_some(),
        })
    }

    /// Groups that have a revision here, that a host says it follows, and the own one, with their
    /// hosts. A peer may say anything, so what it says counts only if it is a name, and only
    /// while there is room. All records are decoded once.
    fn known_groups(&self) -> BTreeMap<String, Hosts> {
        let live = self.heads().filter(|(_, head)| !head.is_removal());
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
                    .is_some_and(super::replica::Group::is_removed)
            };
            let has_place =
                || known.len() < GROUPS_MAX && (!is_removed() || self.is_there(peer, node));
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

    pub(super) fn is_known_group(&self, group: &str) -> bool {
        self.store.replica.head(group).is_some() || self.known_groups().contains_key(group)
    }

    pub(super) fn unknown_group(&self, group: &str) -> Problem {
        let known: Vec<String> = self.known_groups().into_keys().collect();
        Problem::new(
            404,
            "No such group.",
            format!("{group} is not known here; there are {}", known.join(", ")),
        )
    }
}

impl Store {
    fn value_of_group(&self, group: &str, path: Path) -> Answer {
        match self.replica.head(group) {
            Some(head) => Answer::Value {
                document: head.document.clone(),
                path,
                head: Some(head.id()),
                applied: None,
            },
            None => {
                let detail = format!(
                    "nothing was ever changed in group {group}; what its servers run is known on its hosts"
                );
                Problem::new(404, "The group has no head.", detail).into()
            }
        }
    }
}

impl Peers {
    /// A change of another group's document: this host has no server to try it on.
    pub(super) fn not_ours(&self, cx: &Context, group: &str) -> Problem {
        let hosts = self
            .roster
            .iter()
            .filter(|(_, node)| text(&node.said(), "group") == Some(group));
        let names: Vec<String> = hosts.map(|(peer, _)| self.roster.name(peer)).collect();
        let hosts = if names.is_empty() {
            "none is known".to_owned()
        } else {
            listed(names)
        };
        let detail = format!(
            "this host is in group {}; send it to a host of group {group}: {hosts}",
            cx.setup.group
        );
        Problem::new(409, "A change is made on a host of its group.", detail)
    }
}

/// These names in a row, or the first of them.
pub(super) fn listed(mut names: Vec<String>) -> String {
    names.sort();
    let more = names.len().saturating_sub(GROUP_HOSTS_NAMED);
    names.truncate(GROUP_HOSTS_NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    names.join(", ") + &more
}
