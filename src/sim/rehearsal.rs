//! A fleet from its beginning to its end, as `starling sim` shows it: how it comes together, how
//! changes spread, what it costs when nothing happens, and how it heals when it was cut in halves
//! and when many hosts die at once.
//!
//! The fleet is that of a [`Scenario`], all chance comes from its seed, and the figures are a
//! function of both. What should have come about and has not is named, and the rest goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::host::Spec;
use super::purpose::Purpose;
use super::tally::{Sent, Spread, Tally};
use super::world::{World, address};
use super::{Disk, Host, secret};
use crate::limits::SIM_CONTACTS;
use crate::model::edit::{self, Op};
use crate::model::json::{self, Value, object};
use crate::model::path::Path;
use crate::model::peer_id::PeerId;
use crate::node::answer::Answer;
use crate::node::input::{Ask, Change};
use crate::settings::scenario::Scenario;

/// A figure of the rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The figure's name for programs; a unit comes last.
    pub name: &'static str,
    /// What it is.
    pub words: &'static str,
    /// How much; `None` if it did not come about, or was not asked for.
    pub value: Option<f64>,
    /// Of what.
    pub unit: Unit,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Milliseconds.
    Time,
    /// Bytes.
    Bytes,
    /// Hundredths.
    Percent,
}

/// What came of a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether node records were simulated.
    pub node_records: bool,
    /// All figures, in the order of a fleet's life.
    pub figures: Vec<Figure>,
    /// What should be and is not.
    pub wrong: Vec<String>,
}

/// A fleet that lives through its scenario.
struct Rehearsal {
    scenario: Scenario,
    world: World<Tally>,
    figures: Vec<Figure>,
    wrong: Vec<String>,
    changes: u32,
}

/// What is said of a part of a fleet's life, and that part.
type Stage = (&'static str, fn(&mut Rehearsal));

/// Lets a fleet live through a scenario. `progress` is told what begins.
pub fn run(scenario: &Scenario, progress: &mut dyn FnMut(&str)) -> Outcome {
    let mut world = World::new(scenario.seed, Tally::default());
    world.network.delay = (scenario.delay, scenario.delay + scenario.jitter);
    (world.network.loss_ppm, world.network.break_ppm) = (scenario.loss_ppm, scenario.break_ppm);
    world.no_node_records = scenario.hosts > scenario.node_records;
    let mut fleet = Rehearsal {
        scenario: scenario.clone(),
        world,
        figures: Vec::new(),
        wrong: Vec::new(),
        changes: 0,
    };
    let stages: [Stage; 6] = [
        ("coming together", Rehearsal::come_together),
        ("making changes", Rehearsal::change),
        ("being idle", Rehearsal::idle),
        ("cut in halves", Rehearsal::part),
        ("losing hosts", Rehearsal::die),
        ("looking whether all agree", Rehearsal::end),
    ];
    for (words, stage) in stages {
        progress(words);
        stage(&mut fleet);
    }
    Outcome {
        node_records: !fleet.world.no_node_records,
        figures: fleet.figures,
        wrong: fleet.wrong,
    }
}

impl Rehearsal {
    /// All start within ten seconds, knowing the address of the first, as from its token. Where
    /// node records are left out they know some others as well, and have no servers: what a
    /// thousand servers are asked every second would take longer than all else.
    fn come_together(&mut self) {
        let hosts = self.scenario.hosts;
        let peers: Vec<String> = match self.world.no_node_records {
            true => (0..hosts).map(|host| peer_of(host).to_string()).collect(),
            false => Vec::new(),
        };
        for number in 0..hosts {
            let mut disk = Disk::new(number == 0);
            disk.book = self.first_book(number, &peers);
            let server = !self.world.no_node_records;
            self.world.add_with(
                Spec {
                    server,
                    peers: Vec::new(),
                    ..World::<Tally>::spec(number)
                },
                disk,
            );
            self.world
                .run(START_WITHIN / u32::try_from(hosts).expect("hosts are few"));
        }
        let started = self.world.now;
        let is_whole = |world: &mut World<Tally>| {
            world.hosts.iter().all(|host| host.node.is_joined()) && world.pieces().len() == 1
        };
        let whole = self.until(is_whole, "come together");
        self.time(
            "together_ms",
            "all in step and the mesh in one piece, after the last start",
            whole.map(|at| at - started),
        );
        self.world.run(SETTLE);
        self.mesh(["degree_min", "degree_median", "degree_max"]);
        let dials: u64 = self.world.hosts.iter().map(|host| host.dials).sum();
        self.a_host("dials", "dials a host until then", Unit::Count, dials, 1);
    }

    /// What a host knows of others at its first start.
    fn first_book(&mut self, number: usize, peers: &[String]) -> Vec<u8> {
        if number == 0 && peers.is_empty() {
            return Vec::new();
        }
        let mut known = BTreeMap::new();
        while known.len() < SIM_CONTACTS.min(peers.len().saturating_sub(1)) {
            let other = self.world.rng.below(peers.len() as u64) as usize;
            if other != number {
                known.insert(
                    other,
                    format!(
                        "{{\"id\":\"{}\",\"addresses\":[\"{}\"]}}",
                        peers[other],
                        address(other)
                    ),
                );
            }
        }
        let known: Vec<String> = known.into_values().collect();
        format!(
            "{{\"addresses\":[\"{}\"],\"peers\":[{}]}}",
            address(0),
            known.join(",")
        )
        .into_bytes()
    }

    fn change(&mut self) {
        let first = first_document(self.scenario.size);
        let put = Op {
            path: place("/config"),
            change: edit::Change::Put(first),
        };
        let author = 0;
        self.ask(author, put);
        self.until_agreed("take up the first document");
        self.world.run(SETTLE);
        self.world.observer_mut().follows = true;
        self.world.observer_mut().take_sent();
        let mut sent = BTreeMap::new();
        for _ in 0..self.scenario.changes {
            let author = self.anybody();
            self.ask_own(author);
            self.until_agreed("take up a change");
            for (purpose, of) in self.world.observer_mut().take_sent() {
                let sum: &mut Sent = sent.entry(purpose).or_default();
                (sum.frames, sum.bytes) = (sum.frames + of.frames, sum.bytes + of.bytes);
            }
            self.world.run(BETWEEN_CHANGES);
        }
        self.world.observer_mut().follows = false;
        self.spreading();
        let of = |purpose| sent.get(&purpose).copied().unwrap_or_default();
        let (documents, changes) = (of(Purpose::Documents), u64::from(self.scenario.changes));
        self.a_host(
            "change_frames",
            "frames a host and change",
            Unit::Count,
            documents.frames,
            changes,
        );
        self.a_host(
            "change_bytes",
            "bytes a host and change",
            Unit::Bytes,
            documents.bytes,
            changes,
        );
        if !self.world.no_node_records {
            let nodes = of(Purpose::Nodes).bytes;
            self.a_host(
                "change_node_bytes",
                "bytes of node records a host and change",
                Unit::Bytes,
                nodes,
                changes,
            );
        }
    }

    /// How long changes took to spread, and over how many links.
    fn spreading(&mut self) {
        let hosts = self.world.running().len();
        let spreads = std::mem::take(&mut self.world.observer_mut().spreads);
        let share = |spread: &Spread, percent: usize| {
            let (at, _) = spread
                .reached
                .get((hosts * percent).div_ceil(100).saturating_sub(1))?;
            let hops = spread
                .reached
                .iter()
                .filter(|(time, _)| time <= at)
                .map(|(_, hops)| *hops)
                .max();
            Some((*at - spread.published, hops.unwrap_or_default()))
        };
        let shares: [(usize, [&'static str; 4]); 3] = [
            (
                50,
                [
                    "half_ms",
                    "until half the hosts have a change",
                    "half_hops",
                    "links on the way there",
                ],
            ),
            (
                99,
                [
                    "most_ms",
                    "until 99 % have it",
                    "most_hops",
                    "links on the way there",
                ],
            ),
            (
                100,
                [
                    "all_ms",
                    "until all have it",
                    "all_hops",
                    "links on the way there",
                ],
            ),
        ];
        for (percent, [time_name, time_words, hops_name, hops_words]) in shares {
            let mut reached: Vec<(Duration, u16)> = spreads
                .iter()
                .filter_map(|spread| share(spread, percent))
                .collect();
            reached.sort_unstable();
            self.time(
                time_name,
                time_words,
                reached.get(reached.len() / 2).map(|(time, _)| *time),
            );
            let mut hops: Vec<u16> = reached.iter().map(|(_, hops)| *hops).collect();
            hops.sort_unstable();
            self.count(
                hops_name,
                hops_words,
                hops.get(hops.len() / 2).map(|hops| f64::from(*hops)),
            );
            if percent == 100 {
                self.time(
                    "worst_ms",
                    "the slowest of the changes",
                    reached.last().map(|(time, _)| *time),
                );
            }
        }
        let further: u64 = spreads
            .iter()
            .map(|spread| spread.copies.saturating_sub(hosts as u64 - 1))
            .sum();
        self.a_host(
            "duplicates",
            "further copies that a host receives",
            Unit::Count,
            further,
            spreads.len() as u64,
        );
    }

    /// What goes over links when nothing happens, until each node record has been made anew.
    fn idle(&mut self) {
        let refreshed = match self.world.no_node_records {
            true => Duration::ZERO,
            false => self.world.hosts[0].node.refresh_every(),
        };
        self.world.run(IDLE_BEFORE + refreshed / 2);
        self.world.observer_mut().take_sent();
        let time = refreshed.max(IDLE);
        self.world.run(time);
        let sent = self.world.observer_mut().take_sent();
        let minutes = time.as_secs() / 60;
        for (purpose, name, words) in IDLE_KINDS {
            let is_out = self.world.leaves_out(purpose);
            let of = sent.get(&purpose).copied().unwrap_or_default();
            if !is_out {
                self.a_host(name, words, Unit::Bytes, of.bytes, minutes);
            }
        }
        let (bytes, frames) = (
            sent.values().map(|of| of.bytes).sum(),
            sent.values().map(|of| of.frames).sum(),
        );
        self.a_host(
            "idle_bytes",
            "idle, a host and minute: all bytes",
            Unit::Bytes,
            bytes,
            minutes,
        );
        self.a_host(
            "idle_frames",
            "idle, a host and minute: frames",
            Unit::Count,
            frames,
            minutes,
        );
    }

    /// Two halves change the document at places of their own, and both at one place; then they meet
    /// again.
    fn part(&mut self) {
        if self.scenario.partition.is_zero() {
            return;
        }
        let half = self.some_of(self.world.running(), 500_000);
        self.world.partition(std::slice::from_ref(&half));
        self.world.run(self.scenario.partition / 2);
        let other = self
            .world
            .running()
            .into_iter()
            .find(|host| !half.contains(host));
        let authors: Vec<usize> = half.first().copied().into_iter().chain(other).collect();
        for author in authors {
            self.ask_own(author);
            let value = Value::from(format!("as host {author} wants it"));
            self.ask(
                author,
                Op {
                    path: place("/config/settings/shared"),
                    change: edit::Change::Put(value),
                },
            );
        }
        self.world
            .run(self.scenario.partition - self.scenario.partition / 2);
        self.world.heal();
        let healed = self.world.now;
        self.until_agreed("agree after the partition");
        let moved = self.world.observer().moved.saturating_sub(healed);
        let agreed = self.agreed().then_some(moved);
        self.time("heal_ms", "until all agree after a partition", agreed);
        let (replays, notes) = (self.world.observer().replays, self.world.observer().notes);
        self.count(
            "replays",
            "changes that lost and were made again",
            Some(replays as f64),
        );
        self.count(
            "conflicts",
            "changes that lost and were listed as conflicts",
            Some(notes as f64),
        );
        self.world.run(SETTLE);
    }

    /// Many lose their power at once, and one of the rest makes a change.
    fn die(&mut self) {
        let victims = self.some_of(self.world.running(), self.scenario.die_ppm);
        if victims.is_empty() {
            return;
        }
        victims
            .iter()
            .for_each(|host| self.world.crash(*host, true));
        let pieces = self.world.pieces();
        let (died, left) = (self.world.now, self.world.running().len());
        self.count(
            "dead",
            "hosts that died at once",
            Some(victims.len() as f64),
        );
        let largest = pieces
            .first()
            .map(|size| 100.0 * *size as f64 / left as f64);
        self.figure(
            "piece_percent",
            "of the rest, in one piece of the mesh at once",
            largest,
            Unit::Percent,
        );
        let author = self.anybody();
        self.ask_own(author);
        let whole = self.until(
            |world| world.pieces().len() == 1,
            "be in one piece after hosts died",
        );
        self.time(
            "whole_ms",
            "until the rest is in one piece",
            whole.map(|at| at - died),
        );
        self.until_agreed("agree after hosts died");
        let moved = self.world.observer().moved.saturating_sub(died);
        let agreed = self.agreed().then_some(moved);
        self.time(
            "survive_ms",
            "until all the rest have a change made then",
            agreed,
        );
        self.world.run(SETTLE);
        self.mesh(["end_degree_min", "end_degree_median", "end_degree_max"]);
    }

    /// Whether all agree when nothing disturbs them any more, and what they hold.
    fn end(&mut self) {
        (self.world.network.break_ppm, self.world.network.loss_ppm) = (0, 0);
        self.until_agreed("agree in the end");
        let running = self.world.running();
        let held: usize = running
            .iter()
            .map(|host| self.world.hosts[*host].node.held_bytes())
            .sum();
        self.figure(
            "memory_bytes",
            "held by a host, as counted",
            Some((held / running.len()) as f64),
            Unit::Bytes,
        );
        let listed = self.world.hosts[running[0]]
            .node
            .own_head()
            .map_or(0, |head| head.open.len());
        self.count("open_conflicts", "open conflicts", Some(listed as f64));
        if self.world.pieces().len() > 1 {
            self.wrong.push(format!(
                "the mesh is in pieces of {:?} hosts",
                self.world.pieces()
            ));
        }
    }

    /// Asks a host to change a member that is its own.
    fn ask_own(&mut self, author: usize) {
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
    fn ask(&mut self, author: usize, op: Op) {
        let change = Change {
            op,
            if_match: None,
            note: String::new(),
            settles: Vec::new(),
        };
        let client = self.world.ask(author, Ask::Write(change));
        let mut answer = None;
        self.world.run_until(STEP, PATIENCE, |world| {
            answer = world.take_answer(author, client);
            answer.is_some()
        });
        if !matches!(answer, Some(Answer::Done { .. })) {
            let words = match answer {
                Some(Answer::Problem(problem)) => problem.error,
                Some(_) => "its server refused it",
                None => "there was no answer",
            };
            self.wrong
                .push(format!("host {author} did not take a change: {words}"));
        }
    }

    fn until(
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

    fn until_agreed(&mut self, what: &str) {
        if self.until(|world| stray(world).is_none(), what).is_none() {
            self.wrong.extend(stray(&self.world));
        }
    }

    fn agreed(&self) -> bool {
        stray(&self.world).is_none()
    }

    fn anybody(&mut self) -> usize {
        let running = self.world.running();
        *self.world.rng.pick(&running).expect("some host runs")
    }

    /// So many of a million of them, at random, but not all.
    fn some_of(&mut self, mut hosts: Vec<usize>, ppm: u64) -> Vec<usize> {
        let count = (hosts.len() as u64 * ppm / 1_000_000).min(hosts.len() as u64 - 1);
        (0..count)
            .map(|_| hosts.swap_remove(self.world.rng.below(hosts.len() as u64) as usize))
            .collect()
    }

    /// With how many others hosts are linked.
    fn mesh(&mut self, [least, middle, most]: [&'static str; 3]) {
        let degrees = self.world.degrees();
        let degree = |at: usize| degrees.get(at).map(|degree| *degree as f64);
        self.count(least, "links of a host, at least", degree(0));
        self.count(
            middle,
            "links of a host, usually",
            degree(degrees.len() / 2),
        );
        self.count(most, "links of a host, at most", degree(degrees.len() - 1));
    }

    /// A sum over all hosts, for one host and one of so many things.
    fn a_host(
        &mut self,
        name: &'static str,
        words: &'static str,
        unit: Unit,
        sum: u64,
        things: u64,
    ) {
        let each = (self.world.running().len() as u64 * things) as f64;
        self.figure(name, words, (each > 0.0).then(|| sum as f64 / each), unit);
    }

    fn time(&mut self, name: &'static str, words: &'static str, time: Option<Duration>) {
        self.figure(
            name,
            words,
            time.map(|time| time.as_secs_f64() * 1000.0),
            Unit::Time,
        );
    }

    fn count(&mut self, name: &'static str, words: &'static str, count: Option<f64>) {
        self.figure(name, words, count, Unit::Count);
    }

    fn figure(&mut self, name: &'static str, words: &'static str, value: Option<f64>, unit: Unit) {
        self.figures.push(Figure {
            name,
            words,
            value,
            unit,
        });
    }
}

impl Outcome {
    /// All of it as one object: the scenario, whether all went well, what is wrong, the figures by
    /// their names.
    pub fn to_json(&self, scenario: &Scenario) -> Value {
        let mut members = object! {
            "nodes": scenario.hosts,
            "seed": scenario.seed,
            "node_records": self.node_records,
            "agreed": self.wrong.is_empty(),
            "wrong": self.wrong.clone(),
        };
        members.extend(
            self.figures
                .iter()
                .map(|figure| (figure.name.to_owned(), figure.number())),
        );
        Value::Object(members)
    }
}

impl Figure {
    /// With one decimal, where it has any.
    fn number(&self) -> Value {
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        match self.value.map(tenths) {
            Some(value) if value.fract() == 0.0 => Value::from(value as u64),
            Some(value) => Value::from(value),
            None => Value::Null,
        }
    }
}

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
fn first_document(size: usize) -> Value {
    let config = |filler: usize| {
        let text = format!(
            "{{\"listeners\":{{}},\"routes\":[],\"applications\":{{}},\"settings\":{{}},\"filler\":\"{}\"}}",
            "x".repeat(filler)
        );
        json::parse_own(text.as_bytes()).expect("it is JSON")
    };
    config(size.saturating_sub(json::compact(&config(0)).len()))
}

fn place(path: &str) -> Path {
    Path::parse(path).expect("it is a path")
}

fn peer_of(host: usize) -> PeerId {
    PeerId::from_bytes(secret(host as u64 + 1).public()).expect("a key pair's public half is sound")
}

/// What goes over links in an idle fleet.
const IDLE_KINDS: [(Purpose, &str, &str); 6] = [
    (
        Purpose::DocumentExchange,
        "idle_exchange_bytes",
        "idle, a host and minute: comparing documents",
    ),
    (
        Purpose::Nodes,
        "idle_node_bytes",
        "idle, a host and minute: node records",
    ),
    (
        Purpose::NodeExchange,
        "idle_node_exchange_bytes",
        "idle, a host and minute: comparing node records",
    ),
    (
        Purpose::Pings,
        "idle_ping_bytes",
        "idle, a host and minute: pings",
    ),
    (
        Purpose::Links,
        "idle_link_bytes",
        "idle, a host and minute: links that come and go",
    ),
    (
        Purpose::Documents,
        "idle_document_bytes",
        "idle, a host and minute: documents",
    ),
];
const START_WITHIN: Duration = Duration::from_secs(10);
/// After this a mesh has exchanged some links.
const SETTLE: Duration = Duration::from_secs(90);
const BETWEEN_CHANGES: Duration = Duration::from_secs(3);
/// After the last change node records are made, for a while.
const IDLE_BEFORE: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(300);
/// How often it is looked whether something has come about.
const STEP: Duration = Duration::from_millis(100);
/// What has not come about by then will not.
const PATIENCE: Duration = Duration::from_secs(600);
