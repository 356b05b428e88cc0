//! The network between the hosts: who reaches whom, how late, and what is held up at a cut.
//!
//! What is on its way when hosts are cut off arrives when they reach each other again, as TCP sends
//! it again; a host that does not want to wait closes the link. Cuts may be of one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::ScheduledEvent;
use crate::node::rng::Rng;

/// How all hosts are connected.
pub struct SimNetwork {
    /// The least and the most that anything takes on its way.
    pub delay: (Duration, Duration),
    /// Of a million frames, so many are lost on the way and sent again after a while, and all
    /// behind them wait.
    pub loss_ppm: u64,
    /// At so many frames of a million the connection is lost, wherever the frame is by then.
    pub break_ppm: u64,
    /// What is different from one host to another.
    pub ways: BTreeMap<(usize, usize), Way>,
    /// On which side of a cut a host is; those that are not here are on the first.
    sides: BTreeMap<usize, usize>,
    cuts: BTreeSet<(usize, usize)>,
    held_up: Vec<ScheduledEvent>,
}

/// What is different on the way from one host to another.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// How long anything takes, in place of the usual.
    pub delay: Option<(Duration, Duration)>,
    /// How many bytes a second get through or are read; no bound if there is none.
    pub pace: Option<u64>,
}

impl SimNetwork {
    pub(super) fn new() -> Self {
        Self {
            delay: USUAL,
            loss_ppm: 0,
            break_ppm: 0,
            ways: BTreeMap::new(),
            sides: BTreeMap::new(),
            cuts: BTreeSet::new(),
            held_up: Vec::new(),
        }
    }

    /// Whether anything gets from one host to another now.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        self.side(from) == self.side(to) && !self.cuts.contains(&(from, to))
    }

    /// How long something of so many bytes takes, and how long what follows it has to wait for
    /// that.
    pub(super) fn latency(&self, from: usize, to: usize, bytes: usize, rng: &mut Rng) -> Duration {
        let way = self.ways.get(&(from, to)).copied().unwrap_or_default();
        let (least, most) = way.delay.unwrap_or(self.delay);
        let mut time = least + rng.up_to(most.saturating_sub(least));
        if let Some(pace) = way.pace {
            time += Duration::from_micros(bytes as u64 * 1_000_000 / pace.max(1));
        }
        let mut again = SENT_AGAIN;
        while self.loss_ppm > rng.below(1_000_000) && again < SENT_AGAIN_MAX {
            time += again;
            again *= 2;
        }
        time
    }

    pub(super) fn hold_up(&mut self, event: ScheduledEvent) {
        self.held_up.push(event);
    }

    /// All that was held up, to be tried once more.
    pub(super) fn release(&mut self) -> Vec<ScheduledEvent> {
        std::mem::take(&mut self.held_up)
    }

    /// Puts hosts on sides, by number; those that are not named are on side 0.
    pub(super) fn set_sides(&mut self, sides: BTreeMap<usize, usize>) {
        self.sides = sides;
    }

    /// A side becomes part of another.
    pub(super) fn join(&mut self, side: usize, into: usize) {
        self.sides
            .values_mut()
            .filter(|of| **of == side)
            .for_each(|of| *of = into);
    }

    /// Cuts one direction, or mends it.
    pub(super) fn cut(&mut self, from: usize, to: usize, cut: bool) {
        if cut {
            self.cuts.insert((from, to))
        } else {
            self.cuts.remove(&(from, to))
        };
    }

    /// Nothing is cut any more.
    pub(super) fn mend(&mut self) {
        self.sides.clear();
        self.cuts.clear();
    }

    fn side(&self, host: usize) -> usize {
        self.sides.get(&host).copied().unwrap_or_default()
    }
}

const USUAL: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(8));
/// After this TCP sends again what was not acknowledged (RFC 6298 with Linux's least), doubling
/// each time.
const SENT_AGAIN: Duration = Duration::from_millis(200);
const SENT_AGAIN_MAX: Duration = Duration::from_secs(4);
