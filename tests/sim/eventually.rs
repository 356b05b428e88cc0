//! What must hold once faults have stopped, and by when.

use std::collections::BTreeSet;
use std::time::Duration;

use starlingd::limits::{
    DEAD_AFTER, DEGREE_MAX, FULL_MESH, LINKS_MAX, OBSERVE_EVERY, OVERTAKE_EVERY, REAPPLY_MAX,
    RETRY_MAX, RETRY_MIN, STAND_IN_AFTER, SYNC_EVERY, SYNC_NODES_EVERY,
};
use starlingd::model::json;
use starlingd::model::record::RecordId;
use starlingd::node::effect::revision_name;
use starlingd::sim::FarEnd;

use crate::news::misinformed;
use crate::watch::World;

/// How long what a run needed in the end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Took {
    pub heads: Duration,
    pub servers: Duration,
}

/// By when all hosts have the same head and nothing is uncontained: dead links are noticed, every
/// contact is tried twice, a difference crosses the mesh by exchanges alone, one link after the
/// other, and whoever does not stand up for his edits is stood in for.
fn heads_by(hosts: usize) -> Duration {
    let diameter = if hosts <= FULL_MESH { 1 } else { 4 };
    DEAD_AFTER
        + 2 * (RETRY_MIN + RETRY_MAX)
        + diameter * SYNC_EVERY * 3 / 2
        + 2 * (STAND_IN_AFTER * 5 / 4)
}

/// By when servers run it: what they did not answer is tried again after the longest wait.
const SERVERS_BY: Duration =
    Duration::from_secs(REAPPLY_MAX.as_secs() + 5 * OBSERVE_EVERY.as_secs());
/// By when everybody knows how it is with all others: each compares what it knows with two others,
/// and whoever finds a record of its own above its newest overtakes it.
const NEWS_BY: Duration =
    Duration::from_secs(3 * SYNC_NODES_EVERY.as_secs() + OVERTAKE_EVERY.as_secs());
/// For so long nothing may change any more.
const AT_REST: Duration = Duration::from_secs(45);
const STEP: Duration = Duration::from_millis(250);

/// Waits until everything is as it must be in the end; the head, or what is not so.
pub fn settle(world: &mut World, gone: &BTreeSet<usize>) -> Result<(RecordId, Took), String> {
    let left = |world: &World| {
        (0..world.hosts.len())
            .filter(|host| !gone.contains(host))
            .count()
    };
    let most = heads_by(left(world));
    let start = world.now;
    wait(world, most, apart, "the hosts are not at one")?;
    let heads = world.now - start;
    wait(world, SERVERS_BY, misapplied, "the servers are not in step")?;
    let servers = world.now - start;
    wait(world, most, badly_linked, "the mesh is not as it should be")?;
    wait(world, SERVERS_BY, unstored, "not all is on disk")?;
    wait(world, SERVERS_BY, unanswered, "a client waits")?;
    wait(world, NEWS_BY, misinformed, "not all is known of all")?;
    let head = head_of(world).ok_or("there is no head")?;
    world.run(AT_REST);
    match apart(world).or_else(|| misapplied(world)) {
        None if head_of(world) == Some(head) => Ok((head, Took { heads, servers })),
        None => Err(format!(
            "{head:?} was the head of all, and then another came without a cause"
        )),
        Some(why) => Err(format!("all was well, and then {why}")),
    }
}

fn wait(
    world: &mut World,
    most: Duration,
    wrong: fn(&World) -> Option<String>,
    what: &str,
) -> Result<(), String> {
    let well = world.run_until(STEP, most, |world| wrong(world).is_none());
    match wrong(world).filter(|_| !well) {
        Some(why) => Err(format!("{what} {most:?} after faults have stopped: {why}")),
        None => Ok(()),
    }
}

fn head_of(world: &World) -> Option<RecordId> {
    let first = *world.running().first()?;
    world.hosts[first].node.own_head().map(|head| head.id())
}

/// Why the hosts are not at one, if they are not.
fn apart(world: &World) -> Option<String> {
    let up = world.running();
    let first = world.hosts[up[0]].node.own_head();
    for host in up {
        let node = &world.hosts[host].node;
        let head = node.own_head();
        if !node.is_joined() {
            return Some(format!("host {host} has not joined"));
        }
        if head.map(|head| (head.id(), &head.body)) != first.map(|head| (head.id(), &head.body)) {
            return Some(format!(
                "host {host} is at {:?}, another at {:?}",
                head.map(|head| head.id()),
                first.map(|head| head.id())
            ));
        }
        if let Some(beaten) = node.uncontained().next() {
            return Some(format!(
                "host {host} holds {:?}, which the head does not contain",
                beaten.id()
            ));
        }
    }
    None
}

/// Whose server does not run the head, and has not refused it.
fn misapplied(world: &World) -> Option<String> {
    let hosts = world
        .running()
        .into_iter()
        .filter(|host| world.hosts[*host].spec.server);
    hosts.into_iter().find_map(|number| {
        let host = &world.hosts[number];
        let head = host.node.own_head()?;
        let refused = host.server.refuses.refuses(head.document.config());
        match (host.node.verdict(), refused) {
            ("refused", true) => None,
            // It may have taken it before it began to refuse.
            ("applied", _) if json::same(&host.server.config, head.document.config()) => None,
            (verdict, _) => Some(format!(
                "the server of host {number} is {verdict}, and does not run {:?}",
                head.id()
            )),
        }
    })
}

/// Who holds a head that is not on its disk, though that takes writes.
fn unstored(world: &World) -> Option<String> {
    world.running().into_iter().find_map(|number| {
        let host = &world.hosts[number];
        let head = host.node.own_head()?;
        let name = revision_name(head.rank().height, &head.id());
        let is_there = host.disk.revisions.keys().any(|(_, other)| *other == name);
        (!is_there).then(|| format!("host {number} has {:?} in memory only", head.id()))
    })
}

/// What is wrong with the mesh.
fn badly_linked(world: &World) -> Option<String> {
    let up = world.running();
    let mut reached = BTreeSet::from([up[0]]);
    let mut edge = vec![up[0]];
    while let Some(here) = edge.pop() {
        for end in world.hosts[here].links.values() {
            if let FarEnd::Host(there, _) = end.other
                && reached.insert(there)
            {
                edge.push(there);
            }
        }
    }
    if let Some(host) = up.iter().find(|host| !reached.contains(host)) {
        return Some(format!("host {host} is not reached from host {}", up[0]));
    }
    let large = up.len() > FULL_MESH;
    up.into_iter().find_map(|host| {
        let links = world.hosts[host].node.counts().links;
        // Whoever has only this one link is not sent away, and in a mesh that is one piece nobody
        // is so poor for long.
        let most = if large { DEGREE_MAX } else { LINKS_MAX };
        (links > most).then(|| format!("host {host} has {links} links"))
    })
}

fn unanswered(world: &World) -> Option<String> {
    let seen = world.observer().seen();
    let waiting = seen
        .asked
        .iter()
        .find(|(_, asked)| asked.answer.is_none() && !asked.hung_up);
    waiting.map(|(client, asked)| {
        format!(
            "client {client} of host {} since {:?}",
            asked.host, asked.at
        )
    })
}
