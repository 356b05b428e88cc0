//! A fleet from its beginning to its end, as `starling sim` shows it: how it comes together, how
//! changes spread, what it costs when nothing happens, and how it heals when it was cut in halves
//! and when many hosts die at once.
//!
//! The fleet is that of a [`Scenario`], all chance comes from its seed, and the figures are a
//! function of both. What should have come about and has not is named, and the rest goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use self::figures::Figures;
use super::SimDisk;
use super::host::Spec;
use super::purpose::FramePurpose;
use super::tally::{Sent, Tally};
use super::world::{World, address};
use crate::limits::SIM_CONTACTS;
use crate::model::edit::{self, Op};
use crate::model::json::Value;
use crate::settings::scenario::Scenario;
use crate::sim::rehearsal::steps::{first_document, peer_of, place};

pub use self::figures::{Figure, FigureUnit, RehearsalReport};

mod figures;
mod spreading;
mod steps;

/// A fleet that lives through its scenario.
struct Rehearsal {
    scenario: Scenario,
    world: World<Tally>,
    figures: Figures,
    wrong: Vec<String>,
    changes: u32,
}

/// What is said of a part of a fleet's life, and that part.
type Stage = (&'static str, fn(&mut Rehearsal));

/// Lets a fleet live through a scenario. `progress` is told what begins.
pub fn run(scenario: &Scenario, progress: &mut dyn FnMut(&str)) -> RehearsalReport {
    let mut world = World::new(scenario.seed, Tally::default());
    world.network.delay = (scenario.delay, scenario.delay + scenario.jitter);
    (world.network.loss_ppm, world.network.break_ppm) = (scenario.loss_ppm, scenario.break_ppm);
    world.no_node_records = scenario.hosts > scenario.node_records;
    let mut fleet = Rehearsal {
        scenario: scenario.clone(),
        world,
        figures: Figures::default(),
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
    RehearsalReport {
        node_records: !fleet.world.no_node_records,
        figures: fleet.figures.all,
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
            let mut disk = SimDisk::new(number == 0);
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
        self.figures.time(
            "together_ms",
            "all in step and the mesh in one piece, after the last start",
            whole.map(|at| at - started),
        );
        self.world.run(SETTLE);
        self.mesh(["degree_min", "degree_median", "degree_max"]);
        let dials: u64 = self.world.hosts.iter().map(|host| host.dials).sum();
        self.a_host(
            "dials",
            "dials a host until then",
            FigureUnit::Count,
            dials,
            1,
        );
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
        let (mut sent, mut known) = (BTreeMap::new(), Vec::new());
        for _ in 0..self.scenario.changes {
            let author = self.usual_author();
            self.ask_own(author);
            let answered = self.world.now;
            self.until_agreed("take up a change");
            let rest = self.world.now + BETWEEN_CHANGES;
            known.push(self.all_know(BETWEEN_CHANGES).map(|at| at - answered));
            self.world.run(rest.saturating_sub(self.world.now));
            for (purpose, of) in self.world.observer_mut().take_sent() {
                let sum: &mut Sent = sent.entry(purpose).or_default();
                (sum.frames, sum.bytes) = (sum.frames + of.frames, sum.bytes + of.bytes);
            }
        }
        self.world.observer_mut().follows = false;
        let spreads = std::mem::take(&mut self.world.observer_mut().spreads);
        let hosts = self.world.running().len();
        spreading::measure(&mut self.figures, &spreads, hosts);
        let further = spreads.iter().map(|spread| spread.further_copies(hosts));
        self.a_host(
            "duplicates",
            "further copies that a host receives",
            FigureUnit::Count,
            further.sum(),
            spreads.len() as u64,
        );
        let of = |purpose| sent.get(&purpose).copied().unwrap_or_default();
        let (documents, changes) = (
            of(FramePurpose::Documents),
            u64::from(self.scenario.changes),
        );
        self.a_host(
            "change_frames",
            "frames a host and change",
            FigureUnit::Count,
            documents.frames,
            changes,
        );
        self.a_host(
            "change_bytes",
            "bytes a host and change",
            FigureUnit::Bytes,
            documents.bytes,
            changes,
        );
        if !self.world.no_node_records {
            let slowest = known.into_iter().collect::<Option<Vec<_>>>();
            self.figures.time(
                "known_ms",
                "until all know that all have it, the slowest of the changes",
                slowest.and_then(|known| known.into_iter().max()),
            );
            let nodes = of(FramePurpose::Nodes).bytes;
            self.a_host(
                "change_node_bytes",
                "bytes of node records a host and change",
                FigureUnit::Bytes,
                nodes,
                changes,
            );
        }
    }

    /// What goes over links when nothing happens, until each host has said that it still runs.
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
                self.a_host(name, words, FigureUnit::Bytes, of.bytes, minutes);
            }
        }
        let (bytes, frames) = (
            sent.values().map(|of| of.bytes).sum(),
            sent.values().map(|of| of.frames).sum(),
        );
        self.a_host(
            "idle_bytes",
            "idle, a host and minute: all bytes",
            FigureUnit::Bytes,
            bytes,
            minutes,
        );
        self.a_host(
            "idle_frames",
            "idle, a host and minute: frames",
            FigureUnit::Count,
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
        self.figures
            .time("heal_ms", "until all agree after a partition", agreed);
        let (replays, notes) = (self.world.observer().replays, self.world.observer().notes);
        self.figures.count(
            "replays",
            "changes that lost and were made again",
            Some(replays as f64),
        );
        self.figures.count(
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
        self.figures.count(
            "dead",
            "hosts that died at once",
            Some(victims.len() as f64),
        );
        let largest = pieces
            .first()
            .map(|size| 100.0 * *size as f64 / left as f64);
        self.figures.add(
            "piece_percent",
            "of the rest, in one piece of the mesh at once",
            largest,
            FigureUnit::Percent,
        );
        let author = self.anybody();
        self.ask_own(author);
        let whole = self.until(
            |world| world.pieces().len() == 1,
            "be in one piece after hosts died",
        );
        self.figures.time(
            "whole_ms",
            "until the rest is in one piece",
            whole.map(|at| at - died),
        );
        self.until_agreed("agree after hosts died");
        let moved = self.world.observer().moved.saturating_sub(died);
        let agreed = self.agreed().then_some(moved);
        self.figures.time(
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
        self.figures.add(
            "memory_bytes",
            "held by a host, as counted",
            Some((held / running.len()) as f64),
            FigureUnit::Bytes,
        );
        let listed = self.world.hosts[running[0]]
            .node
            .own_head()
            .map_or(0, |head| head.open.len());
        self.figures
            .count("open_conflicts", "open conflicts", Some(listed as f64));
        if self.world.pieces().len() > 1 {
            self.wrong.push(format!(
                "the mesh is in pieces of {:?} hosts",
                self.world.pieces()
            ));
        }
    }

    /// With how many others hosts are linked.
    fn mesh(&mut self, [least, middle, most]: [&'static str; 3]) {
        let degrees = self.world.degrees();
        let degree = |at: usize| degrees.get(at).map(|degree| *degree as f64);
        self.figures
            .count(least, "links of a host, at least", degree(0));
        self.figures.count(
            middle,
            "links of a host, usually",
            degree(degrees.len() / 2),
        );
        self.figures
            .count(most, "links of a host, at most", degree(degrees.len() - 1));
    }

    /// A sum over all hosts, for one host and one of so many things.
    fn a_host(
        &mut self,
        name: &'static str,
        words: &'static str,
        unit: FigureUnit,
        sum: u64,
        things: u64,
    ) {
        let each = (self.world.running().len() as u64 * things) as f64;
        self.figures
            .add(name, words, (each > 0.0).then(|| sum as f64 / each), unit);
    }
}

/// What goes over links in an idle fleet.
const IDLE_KINDS: [(FramePurpose, &str, &str); 6] = [
    (
        FramePurpose::DocumentExchange,
        "idle_exchange_bytes",
        "idle, a host and minute: comparing documents",
    ),
    (
        FramePurpose::Nodes,
        "idle_node_bytes",
        "idle, a host and minute: node records",
    ),
    (
        FramePurpose::NodeExchange,
        "idle_node_exchange_bytes",
        "idle, a host and minute: comparing node records",
    ),
    (
        FramePurpose::Pings,
        "idle_ping_bytes",
        "idle, a host and minute: pings",
    ),
    (
        FramePurpose::Links,
        "idle_link_bytes",
        "idle, a host and minute: links that come and go",
    ),
    (
        FramePurpose::Documents,
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
