//! The steps that the stages of a rehearsal are made of: a change is asked for, a state is waited
//! for.
//!
//! Whoever waits does so in virtual time, and fails with words after a while.

use std::time::Duration;

use super::super::tally::Tally;
use super::super::world::World;
use super::super::{Host, secret};
use crate::model::edit::{self, Op};
use crate::model::json::{self, Value};
use crate::model::path::Path;
use crate::model::peer_id::PeerId;
use crate::node::answer::Answer;
use crate::node::ask::{Change, Command};
use crate::sim::rehearsal::{PATIENCE, Rehearsal, STEP};

/// What is wrong with the first host that does not agree with the first of all, in step, with all
/// contained, its server running the head.
fn stray(world: &World<Tally>) -> Option<String> {
    let mut running = world.hosts.iter().enumerate().filter(|(_, host)| host.up);
    let head = |host: &Host| host.node.own_head().map(|head| head.id());
    let first = running.next().and_then(|(_, host)| head(host));
    let is_well = |host: &Host| {
        let is_applied = !host.spec.server || host.node.runs() == first;
        head(host) == first && is_applied && host.node.uncontained().next().is_none()
    };
    let (number, host) = world
        .hosts
        .iter()
        .enumerate()
        .find(|(_, host)| host.up && !is_well(host))?;
    let at = |id: Option<_>| {
        id.map_or("none".to_owned(), |id: crate::model::record::RecordId| {
            id.short()
        })
    };
    let (head, runs) = (at(head(host)), at(host.node.runs()));
    Some(format!(
        "host {number} is at revision {head} and runs {runs}; the first is at {}",
        at(first)
    ))
}

/// A configuration whose document is about so long.
pub(super) fn first_document(size: usize) -> Value {
    let config = |filler: usize| {
        let text = format!(
            "{{\"listeners\":{{}},\"routes\":[],\"applications\":{{}},\"settings\":{{}},\"filler\"\
             :\"{}\"}}",
            "x".repeat(filler)
        );
        json::parse_own(text.as_bytes()).expect("it is JSON")
    };
    config(size.saturating_sub(json::compact(&config(0)).len()))
}

pub(super) fn place(path: &str) -> Path {
    Path::parse(path).expect("it is a path")
}

pub(super) fn peer_of(host: usize) -> PeerId {
    PeerId::from_bytes(secret(host as u64 + 1).public()).expect("a key pair's public half is sound")
}

impl Rehearsal {
    /// Asks a host to change a member that is its own.
    pub(super) fn ask_own(&mut self, author: usize) {
        self.changes += 1;
        let path = place("/config/settings")
            .child(&format!("host-{author}"))
            .expect("a short name is a token");
        self.ask(
            author,
            Op {
                path,
                change: edit::Change::Put(Value::from(format!("change {}", self.changes))),
            },
        );
    }

    /// Asks a host for a change, and waits until it has answered.
    pub(super) fn ask(&mut self, author: usize, op: Op) {
        let change = Change {
            op,
            if_match: None,
            note: String::new(),
            settles: Vec::new(),
        };
        let client = self.world.ask(author, Command::Write(change));
        let mut answer = None;
        self.world.run_until(STEP, PATIENCE, |world| {
            answer = world.take_answer(author, client);
            answer.is_some()
        });
        if !matches!(answer, Some(Answer::Done { .. })) {
            let words = match answer {
                Some(Answer::Denied(denial)) => format!("{:?}", denial.obstacle),
                Some(_) => "its server refused it".to_owned(),
                None => "there was no answer".to_owned(),
            };
            self.wrong
                .push(format!("host {author} did not take a change: {words}"));
        }
    }

    pub(super) fn until(
        &mut self,
        holds: impl FnMut(&mut World<Tally>) -> bool,
        what: &str,
    ) -> Option<Duration> {
        let held = self.world.run_until(STEP, PATIENCE, holds);
        if !held {
            self.wrong.push(format!(
                "the fleet did not {what} within {} s",
                PATIENCE.as_secs()
            ));
        }
        held.then_some(self.world.now)
    }

    pub(super) fn until_agreed(&mut self, what: &str) {
        if self.until(|world| stray(world).is_none(), what).is_none() {
            self.wrong.extend(stray(&self.world));
        }
    }

    /// When every host knows of all others what they are at, if that comes about by then.
    pub(super) fn all_know(&mut self, within: Duration) -> Option<Duration> {
        let running = self.world.running();
        let others = |host: usize| running.iter().map(move |other| (host, *other));
        let mut left: Vec<(usize, usize)> = running.iter().flat_map(|host| others(*host)).collect();
        let knows = |world: &World<Tally>, host: usize, other: usize| {
            let (host, other) = (&world.hosts[host].node, &world.hosts[other].node);
            let peer = other.peer();
            host.told_by(&peer) == other.told_by(&peer)
        };
        let all_know = self.world.run_until(LOOK, within, |world| {
            while let Some((host, other)) = left.last()
                && knows(world, *host, *other)
            {
                left.pop();
            }
            left.is_empty()
        });
        all_know.then_some(self.world.now)
    }

    pub(super) fn agreed(&self) -> bool {
        stray(&self.world).is_none()
    }

    pub(super) fn anybody(&mut self) -> usize {
        let running = self.world.running();
        *self.world.rng.pick(&running).expect("some host runs")
    }

    /// One of those who make the changes: hosts that are spread over all numbers.
    pub(super) fn usual_author(&mut self) -> usize {
        let running = self.world.running();
        let authors = self.scenario.authors.min(running.len());
        let which = self.world.rng.below(authors as u64) as usize;
        running[which * running.len() / authors]
    }

    /// So many of a million of them, at random, but not all.
    pub(super) fn some_of(&mut self, mut hosts: Vec<usize>, ppm: u64) -> Vec<usize> {
        let count = (hosts.len() as u64 * ppm / 1_000_000).min(hosts.len() as u64 - 1);
        (0..count)
            .map(|_| hosts.swap_remove(self.world.rng.below(hosts.len() as u64) as usize))
            .collect()
    }
}

/// How often it is looked whether all know something.
const LOOK: Duration = Duration::from_millis(25);
