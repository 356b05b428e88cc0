//! One run: a fleet, clients, faults, calm, and the judgement.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use starlingd::model::document::Document;
use starlingd::sim::past::{kept, past};

use crate::clients::{Clients, ask_for_first};
use crate::content;
use crate::dated;
use crate::eventually::{Took, settle};
use crate::nemesis::{Fault, Nemesis};
use crate::watch::{ForwardedResponse, Watch, World};

/// What came of a run in which all held.
#[derive(Debug, Clone, Copy)]
pub struct Ran {
    pub trace: u64,
    pub took: Took,
    pub changes: usize,
    pub frames: u64,
    /// Changes that were acknowledged.
    pub done: usize,
    /// Open conflicts in the end.
    pub open: usize,
    /// Of these, those of which no more than the name is known.
    pub nameless: usize,
    /// Replays among the revisions that the head was made on.
    pub replays: usize,
    /// Changes and replays that servers were given to try.
    pub tries: u64,
}

/// What was wrong, and what came before.
pub struct Failed {
    pub seed: u64,
    pub what: String,
    pub history: Vec<String>,
}

impl Failed {
    /// For the one who has to find out why.
    pub fn print(&self) {
        println!("seed {}: {}", self.seed, self.what);
        self.history.iter().for_each(|line| println!("  {line}"));
        println!("seed {}: {}", self.seed, self.what);
        println!(
            "SEED={} cargo test --test sim drawn::replay -- --nocapture",
            self.seed
        );
    }
}

/// Which hosts have servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    All,
    /// In one run of five a host has none.
    Most,
    None,
}

/// How a run is made up.
pub struct Plan {
    pub hosts: usize,
    pub clients: Clients,
    pub faults: Vec<(Duration, Fault)>,
    pub length: Duration,
    pub servers: Servers,
    /// Edits that the fleet has behind it when the run begins.
    pub past: usize,
}

impl Plan {
    /// The usual mixture, drawn from the seed.
    fn draw(world: &mut World) -> Self {
        let hosts = if world.rng.below(8) == 0 {
            9 + world.rng.below(4)
        } else {
            2 + world.rng.below(5)
        } as usize;
        let changes = 10 + world.rng.below(50);
        let length = Duration::from_secs(20 + world.rng.below(60));
        let mut clients = Clients::new(length / changes as u32, changes);
        clients.single = world.rng.below(8) == 0;
        clients.keys = 1 + world.rng.below(6);
        let faults = (0..world.rng.below(14))
            .map(|_| (world.rng.up_to(length), Fault::Any))
            .collect();
        // In one run of four the ledger is full before anything happens. Nothing is drawn for that:
        // the others stay what they were.
        let past = if world.seed % 4 == 1 { 300 } else { 0 };
        Self {
            hosts,
            clients,
            faults,
            length,
            servers: Servers::Most,
            past,
        }
    }
}

/// Runs a seed with the usual mixture.
pub fn run(seed: u64) -> Result<Ran, Failed> {
    run_with(seed, Plan::draw)
}

/// Runs a seed as planned.
pub fn run_with(seed: u64, plan: impl FnOnce(&mut World) -> Plan) -> Result<Ran, Failed> {
    let watch = Watch::default();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, watch.clone());
        let plan = plan(&mut world);
        play(&mut world, plan)
    }));
    let what = match result {
        Ok(Ok(ran)) => return Ok(ran),
        Ok(Err(what)) => what,
        Err(panic) => panic
            .downcast_ref::<String>()
            .map_or("it panicked", |text| text)
            .to_owned(),
    };
    let history = std::mem::take(&mut watch.seen_mut().history);
    Err(Failed {
        seed,
        what,
        history,
    })
}

fn play(world: &mut World, plan: Plan) -> Result<Ran, String> {
    let Plan {
        hosts,
        mut clients,
        faults,
        length,
        servers,
        past,
    } = plan;
    let mut nemesis = Nemesis::default();
    begin(world, hosts, servers, past)?;
    if faults.iter().any(|(_, fault)| matches!(fault, Fault::Any)) {
        nemesis.characters(world);
        dated::plan(&mut nemesis, world);
    }
    nemesis.plan(world, faults);
    let end = world.now + length;
    let mut next_change = world.now;
    while world.now < end {
        let next = nemesis.next().unwrap_or(end).min(next_change).min(end);
        world.run(next.saturating_sub(world.now));
        nemesis.act(world);
        if next_change <= world.now {
            clients.ask(world);
            let pause = clients.pause;
            next_change = world.now + world.rng.up_to(2 * pause).max(Duration::from_millis(1));
        }
    }
    nemesis.calm(world);
    let settled = settle(world, &nemesis.gone);
    let (head, took) = settled?;
    let (open, nameless, replays) = content::judge(&world.observer().seen(), head)?;
    spreads(world, &mut clients)?;
    let seen = world.observer().seen();
    let done = seen
        .asked
        .values()
        .filter(|asked| matches!(asked.answer, Some(ForwardedResponse::Done(_))))
        .count();
    Ok(Ran {
        trace: seen.trace,
        took,
        changes: seen.asked.len(),
        frames: seen.frames,
        done,
        open,
        nameless,
        replays,
        tries: seen.tries,
    })
}

/// With nothing wrong any more, a change is everywhere within a moment: floods alone carry it, no
/// exchange is waited for.
fn spreads(world: &mut World, clients: &mut Clients) -> Result<(), String> {
    world.observer().seen_mut().calm = true;
    let Some(revision) = clients.ask_once_more(world) else {
        return Ok(());
    };
    let everywhere = |world: &World| {
        world
            .running()
            .iter()
            .all(|host| world.hosts[*host].node.keeps(&revision))
    };
    let spread = world.run_until(STEP, SPREAD_BY, |world| everywhere(world));
    if spread {
        Ok(())
    } else {
        Err(format!(
            "{revision:?} is not everywhere after {SPREAD_BY:?}, with nothing wrong"
        ))
    }
}

/// A fleet whose hosts have all joined and have a document to write in.
fn begin(world: &mut World, hosts: usize, servers: Servers, edits: usize) -> Result<(), String> {
    let behind = past("default", Document::factory().config().clone(), edits);
    world.observer().seen_mut().remember(&behind);
    let serverless = match servers {
        Servers::Most if world.rng.below(5) == 0 => world.rng.below(hosts as u64) as usize,
        _ => hosts,
    };
    for number in 0..hosts {
        let mut spec = World::spec(number);
        spec.server = servers != Servers::None && number != serverless;
        match behind.is_empty() {
            true => world.add(spec),
            false => world.add_with(spec, kept(&behind)),
        };
    }
    let first = |world: &World| world.hosts.iter().all(|host| host.node.is_joined());
    world
        .run_until(STEP, BEGUN_BY, |world| first(world))
        .then_some(())
        .ok_or("the hosts do not join")?;
    world.run(Duration::from_secs(3));
    let author = usize::from(serverless == 0);
    ask_for_first(world, author);
    let height = behind.len() as u64;
    let has_it = |world: &World| {
        let heads = world
            .hosts
            .iter()
            .map(|host| host.node.own_head().map_or(0, |head| head.rank().height));
        heads.min().is_some_and(|least| least > height)
    };
    world
        .run_until(STEP, BEGUN_BY, |world| has_it(world))
        .then_some(())
        .ok_or("the first change does not get around")?;
    Ok(())
}

const STEP: Duration = Duration::from_millis(50);
/// Four hops of the usual delay, a hundred times over.
const SPREAD_BY: Duration = Duration::from_secs(3);
const BEGUN_BY: Duration = Duration::from_secs(120);
