//! What goes wrong: a schedule of faults, drawn from the seed, each with its end.
//!
//! A fault is a deed now and another one later. When all is to be calm, what is still to be undone
//! is undone at once: the network is whole, disks and servers are well, and every host is up but
//! the clones. Clocks stay as wrong as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use starlingd::node::ask::Command;
use starlingd::sim::{DiskFailure, Refuses, SimDisk, Way};

use crate::watch::World;

/// A fault that is told by name.
pub enum Fault {
    /// Whatever chance will have.
    Any,
    /// All hosts are started anew within a second.
    MassRestart,
    /// All hosts are started anew, one after the other.
    RollingRestart,
    /// Another host joins.
    Joiner,
    /// This host is switched off for so long.
    Away(usize, Duration),
    /// Whatever is told.
    Deed(Deed),
}

/// Something that is done to a world.
pub type Deed = Box<dyn FnOnce(&mut Nemesis, &mut World)>;

#[derive(Default)]
pub struct Nemesis {
    due: BTreeMap<(Duration, u64), Deed>,
    number: u64,
    backups: BTreeMap<usize, SimDisk>,
    /// Hosts that are down for good.
    pub gone: BTreeSet<usize>,
}

impl Nemesis {
    /// What hosts are like from the beginning: some clocks are wrong, some servers refuse a part of
    /// all documents.
    pub fn characters(&mut self, world: &mut World) {
        for host in 0..world.hosts.len() {
            if world.rng.below(5) == 0 {
                self.clock(world, host);
            }
            if world.rng.below(8) == 0 {
                let salt = world.rng.draw();
                world.hosts[host].server.refuses = Refuses::OneIn(5, salt);
                note(
                    world,
                    &format!("the server of host {host} refuses one document in five"),
                );
            }
        }
    }

    /// When the next thing is to be done.
    pub fn next(&self) -> Option<Duration> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does what is due.
    pub fn act(&mut self, world: &mut World) {
        while let Some(entry) = self
            .due
            .first_entry()
            .filter(|entry| entry.key().0 <= world.now)
        {
            entry.remove()(self, world);
        }
    }

    /// Each of these faults will come after its time.
    pub fn plan(&mut self, world: &World, faults: Vec<(Duration, Fault)>) {
        for (after, fault) in faults {
            self.after(world, after, move |nemesis, world| match fault {
                Fault::Any => nemesis.strike(world),
                Fault::MassRestart => nemesis.restarts(world, false),
                Fault::RollingRestart => nemesis.restarts(world, true),
                Fault::Joiner => joiner(world),
                Fault::Away(host, time) => nemesis.away(world, host, time),
                Fault::Deed(deed) => deed(nemesis, world),
            });
        }
    }

    /// Undoes everything, and starts all hosts that are down.
    pub fn calm(&mut self, world: &mut World) {
        while let Some((_, deed)) = self.due.pop_first() {
            deed(self, world);
        }
        note(world, "all faults stop");
        world.heal();
        let network = &mut world.network;
        (network.loss_ppm, network.break_ppm) = (0, 0);
        network.ways.clear();
        for host in 0..world.hosts.len() {
            let here = &mut world.hosts[host];
            (here.crash_after, here.disk.failure) = (None, None);
            here.server.start();
            self.restart(world, host);
        }
        // Somebody looks after what others have put on servers past Starling.
        let changed = |host: &usize| {
            world
                .observer()
                .seen()
                .hosts
                .get(host)
                .is_some_and(|memory| memory.theirs.is_some())
        };
        let changed: Vec<usize> = world.running().into_iter().filter(changed).collect();
        if !changed.is_empty() {
            // Not before their disks have worked off what hung: nothing is given to a server while
            // what it runs cannot be kept.
            world.run(Duration::from_secs(30));
        }
        for host in changed {
            world.ask(host, Command::Repair);
        }
    }

    /// Does something after a time.
    pub fn after(
        &mut self,
        world: &World,
        after: Duration,
        deed: impl FnOnce(&mut Self, &mut World) + 'static,
    ) {
        self.number += 1;
        self.due
            .insert((world.now + after, self.number), Box::new(deed));
    }

    fn strike(&mut self, world: &mut World) {
        let up: Vec<usize> = world.running();
        let Some(host) = world.rng.pick(&up).copied() else {
            return;
        };
        match world.rng.below(24) {
            22 | 23 => self.past_starling(world, host),
            0 | 1 => self.crash(world, host, false),
            2 | 3 => self.crash(world, host, true),
            4..=6 => self.crash_soon(world, host),
            7 | 8 => self.partition(world),
            9 => self.one_way(world, host),
            10 => self.stall(world, host),
            11 => self.resets(world, host),
            12 => self.bad_network(world),
            13 => self.slow_reader(world, host),
            14 | 15 => self.disk(world, host),
            16 => self.clock(world, host),
            17 | 18 => self.server(world, host),
            19 => self.restore(world, host),
            20 => self.joiner_or_clone(world, host),
            _ => {
                let rolling = world.rng.below(2) == 0;
                self.restarts(world, rolling);
            }
        }
    }

    fn crash(&mut self, world: &mut World, host: usize, power: bool) {
        note(
            world,
            &format!(
                "host {host} {}",
                if power { "loses power" } else { "is killed" }
            ),
        );
        world.crash(host, power);
        self.restart_later(world, host, Duration::from_secs(15));
    }

    fn away(&mut self, world: &mut World, host: usize, time: Duration) {
        note(world, &format!("host {host} is switched off for {time:?}"));
        world.crash(host, false);
        self.after(world, time, move |nemesis, world| {
            nemesis.restart(world, host)
        });
    }

    fn crash_soon(&mut self, world: &mut World, host: usize) {
        let (effects, power) = (world.rng.below(60), world.rng.below(2) == 0);
        world.hosts[host].crash_after = Some((effects, power));
        self.restart_later(world, host, Duration::from_secs(20));
    }

    fn restart_later(&mut self, world: &mut World, host: usize, most: Duration) {
        let after = world.rng.up_to(most);
        self.after(world, after, move |nemesis, world| {
            nemesis.restart(world, host)
        });
    }

    fn restart(&mut self, world: &mut World, host: usize) {
        if !world.hosts[host].up && !self.gone.contains(&host) {
            world.restart(host);
        }
    }

    /// Two to five parts, which come together one by one.
    fn partition(&mut self, world: &mut World) {
        let count = 2 + world.rng.below(4) as usize;
        let mut parts = vec![Vec::new(); count];
        (0..world.hosts.len())
            .for_each(|host| parts[world.rng.below(count as u64) as usize].push(host));
        note(world, &format!("the network is cut into {parts:?}"));
        world.partition(&parts);
        let mut after = Duration::ZERO;
        for part in 2..=count {
            after += world.rng.up_to(Duration::from_secs(20));
            self.after(world, after, move |_, world| {
                note(world, &format!("part {part} is joined to part 1"));
                world.join(part, 1);
            });
        }
    }

    fn one_way(&mut self, world: &mut World, host: usize) {
        let others: Vec<usize> = (0..world.hosts.len())
            .filter(|other| *other != host && world.rng.below(2) == 0)
            .collect();
        let hears = world.rng.below(2) == 0;
        note(
            world,
            &format!(
                "host {host} {} by {others:?}",
                if hears {
                    "is not heard"
                } else {
                    "hears nothing said"
                }
            ),
        );
        let ways: Vec<(usize, usize)> = others
            .iter()
            .map(|other| {
                if hears {
                    (host, *other)
                } else {
                    (*other, host)
                }
            })
            .collect();
        ways.iter()
            .for_each(|(from, to)| world.cut(*from, *to, true));
        let after = world.rng.up_to(Duration::from_secs(30));
        self.after(world, after, move |_, world| {
            ways.iter()
                .for_each(|(from, to)| world.cut(*from, *to, false))
        });
    }

    fn stall(&mut self, world: &mut World, host: usize) {
        let links: Vec<u64> = world.hosts[host].links.keys().copied().collect();
        if let Some(link) = world.rng.pick(&links).copied() {
            note(
                world,
                &format!("what host {host} sends on link {link} is not read any more"),
            );
            world.stall(host, link);
        }
    }

    fn resets(&mut self, world: &mut World, host: usize) {
        let links: Vec<u64> = world.hosts[host].links.keys().copied().collect();
        links.into_iter().for_each(|link| world.reset(host, link));
    }

    fn bad_network(&mut self, world: &mut World) {
        let usual = world.network.delay;
        let slowest = Duration::from_millis(1 + world.rng.below(400));
        let network = &mut world.network;
        network.delay = (Duration::from_millis(1), slowest);
        (network.loss_ppm, network.break_ppm) = (world.rng.below(80_000), world.rng.below(4_000));
        note(world, &format!("the network is bad: up to {slowest:?}"));
        let after = world.rng.up_to(Duration::from_secs(30));
        self.after(world, after, move |_, world| {
            world.network.delay = usual;
            (world.network.loss_ppm, world.network.break_ppm) = (0, 0);
        });
    }

    fn slow_reader(&mut self, world: &mut World, host: usize) {
        let pace = 2_000 + world.rng.below(20_000);
        note(world, &format!("host {host} reads {pace} bytes a second"));
        let others: Vec<usize> = (0..world.hosts.len())
            .filter(|other| *other != host)
            .collect();
        for other in &others {
            world.network.ways.insert(
                (*other, host),
                Way {
                    delay: None,
                    pace: Some(pace),
                },
            );
        }
        let after = world.rng.up_to(Duration::from_secs(30));
        self.after(world, after, move |_, world| {
            world.network.ways.retain(|(_, to), _| *to != host)
        });
    }

    fn disk(&mut self, world: &mut World, host: usize) {
        let failures = [
            Some(DiskFailure::Full),
            Some(DiskFailure::ReadOnly),
            Some(DiskFailure::Sync),
            None,
        ];
        let chosen = world.rng.below(5) as usize;
        let Some(failure) = failures.get(chosen).copied() else {
            let time = world.rng.up_to(Duration::from_secs(60));
            note(
                world,
                &format!("the disk of host {host} hangs for {time:?}"),
            );
            world.hosts[host].disk.hangs_until = world.now + time;
            return;
        };
        let disk = &mut world.hosts[host].disk;
        let usual = disk.slow;
        match failure {
            Some(_) => disk.failure = failure,
            None => disk.slow = Duration::from_millis(20 + world.rng.below(400)),
        }
        note(
            world,
            &format!("the disk of host {host} is {failure:?} or slow"),
        );
        let after = world.rng.up_to(Duration::from_secs(20));
        self.after(world, after, move |_, world| {
            let disk = &mut world.hosts[host].disk;
            (disk.failure, disk.slow) = (None, usual.min(SLOWEST));
        });
    }

    fn clock(&mut self, world: &mut World, host: usize) {
        const TEN_YEARS_MS: i64 = 10 * 365 * 24 * 3600 * 1000;
        let now = world.hosts[host].now(world.now).wall_ms;
        let clock = &mut world.hosts[host].clock;
        match world.rng.below(5) {
            0 => clock.off_ms = TEN_YEARS_MS,
            1 => clock.off_ms = -TEN_YEARS_MS,
            2 => clock.off_ms += 1 + world.rng.below(100_000) as i64,
            3 => clock.off_ms -= 1 + world.rng.below(100_000) as i64,
            _ => clock.stands_at_ms = clock.stands_at_ms.map_or(Some(now), |_| None),
        }
        let clock = *clock;
        note(world, &format!("host {host} has a wrong clock: {clock:?}"));
    }

    fn server(&mut self, world: &mut World, host: usize) {
        let kind = world.rng.below(4);
        let (now, slow) = (world.now, Duration::from_millis(50 + world.rng.below(1500)));
        let server = &mut world.hosts[host].server;
        match kind {
            0 => server.stop(slow.subsec_millis() % 2 == 0),
            1 => server.slow = slow,
            2 => server.unanswered_ppm = 300_000,
            _ => server.lose_everything(now),
        }
        if kind == 3 {
            world.observer().seen_mut().memory(host).theirs = None;
        }
        note(
            world,
            &format!(
                "the server of host {host} {}",
                [
                    "is down",
                    "is slow",
                    "does not always answer",
                    "has lost everything"
                ][kind as usize]
            ),
        );
        let after = world.rng.up_to(Duration::from_secs(20));
        self.after(world, after, move |_, world| {
            let server = &mut world.hosts[host].server;
            server.start();
            (server.slow, server.unanswered_ppm) = (Duration::from_millis(20), 0);
        });
    }

    /// Somebody changes a server, and not through Starling.
    fn past_starling(&mut self, world: &mut World, host: usize) {
        if !world.hosts[host].spec.server || world.hosts[host].node.own_head().is_none() {
            return;
        }
        note(
            world,
            &format!("somebody changes the server of host {host}"),
        );
        let token = world.rng.below(1_000_000_000_000);
        let mut config = (*world.hosts[host].server.config).clone();
        config["theirs"] = token.into();
        let config = Arc::new(config);
        world.hosts[host].server.config = Arc::clone(&config);
        world.observer().seen_mut().memory(host).theirs = Some(config);
    }

    /// A backup is taken, or, if there is one, played back.
    fn restore(&mut self, world: &mut World, host: usize) {
        let Some(disk) = self.backups.remove(&host) else {
            note(world, &format!("the disk of host {host} is copied"));
            self.backups.insert(host, world.hosts[host].disk.copy());
            return self.after(world, Duration::from_secs(10), move |nemesis, world| {
                if world.hosts[host].up && nemesis.backups.contains_key(&host) {
                    nemesis.restore(world, host);
                }
            });
        };
        note(
            world,
            &format!("host {host} is put back to what its disk was"),
        );
        world.crash(host, false);
        world.hosts[host].disk = disk;
        forget(world, host, &self.gone);
        self.restart_later(world, host, Duration::from_secs(5));
    }

    fn joiner_or_clone(&mut self, world: &mut World, host: usize) {
        if world.rng.below(2) == 0 || world.hosts[host].spec.copy != 0 {
            return joiner(world);
        }
        let mut spec = world.hosts[host].spec.clone();
        spec.copy = world.hosts.len() as u64;
        note(
            world,
            &format!("host {} is a clone of host {host}", world.hosts.len()),
        );
        let disk = world.hosts[host].disk.copy();
        let clone = world.add_with(spec, disk);
        [host, clone]
            .into_iter()
            .for_each(|host| world.observer().seen_mut().memory(host).unnatural = true);
        let after = world.rng.up_to(Duration::from_secs(30));
        self.after(world, after, move |nemesis, world| {
            note(world, &format!("clone {clone} is stopped for good"));
            world.crash(clone, false);
            nemesis.gone.insert(clone);
            forget(world, clone, &nemesis.gone);
        });
    }

    /// All hosts within a second, or one after the other.
    fn restarts(&mut self, world: &mut World, rolling: bool) {
        note(
            world,
            if rolling {
                "hosts are started anew one after the other"
            } else {
                "all hosts are started anew"
            },
        );
        for (number, host) in world.running().into_iter().enumerate() {
            let after = if rolling {
                Duration::from_secs(2 * number as u64)
            } else {
                world.rng.up_to(Duration::from_secs(1))
            };
            self.after(world, after, move |nemesis, world| {
                world.crash(host, false);
                nemesis.restart_later(world, host, Duration::from_secs(1));
            });
        }
    }
}

fn joiner(world: &mut World) {
    let number = world.hosts.len();
    note(world, &format!("host {number} joins"));
    world.add(World::spec(number));
}

/// The disk of a host was changed for an older one, or is gone: what was acknowledged and is on no
/// other is excused.
fn forget(world: &mut World, host: usize, gone: &BTreeSet<usize>) {
    let left = world
        .hosts
        .iter()
        .enumerate()
        .filter(|(number, _)| !gone.contains(number));
    let files: BTreeSet<&str> = left
        .flat_map(|(_, host)| host.disk.revisions.keys())
        .map(|(_, name)| &name[..])
        .collect();
    world
        .observer()
        .seen_mut()
        .forget(host, |name| files.contains(name));
}

fn note(world: &World, text: &str) {
    world.observer().seen_mut().note(world.now, text.to_owned());
}

const SLOWEST: Duration = Duration::from_millis(3);
