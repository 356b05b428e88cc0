//! What brings a change to every host, Starling or a broker, and how it is measured: one change
//! after the other, from the publisher's request to the last host, and an idle time.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

use super::arrivals::Arrivals;
use super::cost::{self, Cost};

/// A fleet of hosts that is up.
pub trait Carrier {
    /// How many hosts there are.
    fn hosts(&self) -> usize;

    /// The processes whose costs count: not the servers, nor the subscribers of a broker.
    fn programs(&self) -> Vec<u32>;

    /// One process in the namespace of each host.
    fn places(&self) -> Vec<u32>;

    /// Where the hosts say what they have.
    fn arrivals(&self) -> &Arrivals;

    /// Publishes on host `author`, and waits for the answer where there is one. `None` if it was
    /// not accepted.
    fn publish(&self, author: usize, document: Document) -> Option<Published>;

    /// Publishes `count` small changes on host 1 as quickly as it takes them, [`AT_ONCE`] at once.
    fn flat_out(&self, count: usize) -> Rate;
}

/// When a change was asked for, and when the publisher was told that it is made.
pub struct Published {
    /// Before the first byte of the request.
    pub begun: SystemTime,
    /// After the last byte of the answer, where there is one.
    pub answered: Option<SystemTime>,
}

/// How many changes went through in a second.
pub struct Rate {
    /// Until the publisher had the last answer; not a number where there is none.
    pub accepted: f64,
    /// Until the last host had the last change.
    pub whole: f64,
    /// Changes that were accepted and did not come to every host.
    pub lost: usize,
}

/// A document of some length, unlike any other in its first letters.
#[derive(Debug, Clone, Copy)]
pub struct Document {
    /// About how long it is.
    pub bytes: usize,
    /// What makes it unlike others.
    pub seed: u64,
}

impl Document {
    /// One that this program has not made yet.
    pub fn new(bytes: usize) -> Self {
        thread_local!(static SEED: Cell<u64> = const { Cell::new(0) });
        SEED.set(SEED.get() + 1);
        Self {
            bytes,
            seed: SEED.get(),
        }
    }

    /// The document; no compression and no splice makes it smaller.
    pub fn text(self) -> String {
        let mut state = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut letter = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b'a' + (state >> 32) as u8 % 26)
        };
        let text: String = (0..self.bytes.saturating_sub(100))
            .map(|_| letter())
            .collect();
        format!(
            r#"{{"listeners":{{}},"routes":[{{"action":{{"return":301,"location":"/{text}"}}}}]}}"#
        )
    }
}

/// Some changes of one length, made one after the other by each host in turn.
pub struct Changes {
    /// How many were made.
    pub rounds: usize,
    /// From the request to the last host, in milliseconds.
    pub whole_ms: Vec<f64>,
    /// From the request to its answer, where there is one.
    pub answered_ms: Vec<f64>,
    /// Changes that some host did not have in time, or that were refused.
    pub lost: usize,
    /// Changes during which the machine's clock was set.
    pub set: usize,
    /// What all of them cost.
    pub cost: Cost,
}

/// Makes some changes of `bytes` bytes.
pub fn changes(carrier: &dyn Carrier, bytes: usize, rounds: usize) -> Changes {
    // The first change warms up every path.
    let _ = one_change(carrier, 1, bytes);
    let mut changes = Changes {
        rounds,
        whole_ms: Vec::new(),
        answered_ms: Vec::new(),
        lost: 0,
        set: 0,
        cost: Cost::default(),
    };
    let before = Cost::now(&carrier.programs(), &carrier.places());
    for round in 0..rounds {
        match one_change(carrier, 1 + round % carrier.hosts(), bytes) {
            Outcome::Whole { whole, answered } => {
                changes.whole_ms.push(whole.as_secs_f64() * 1e3);
                let answered = answered.map(|answered| answered.as_secs_f64() * 1e3);
                changes.answered_ms.extend(answered);
            }
            Outcome::Lost => changes.lost += 1,
            Outcome::ClockSet => changes.set += 1,
        }
    }
    changes.cost = Cost::now(&carrier.programs(), &carrier.places()) - &before;
    changes
}

enum Outcome {
    Whole {
        whole: Duration,
        answered: Option<Duration>,
    },
    Lost,
    ClockSet,
}

fn one_change(carrier: &dyn Carrier, author: usize, bytes: usize) -> Outcome {
    let document = Document::new(bytes);
    let text = document.text();
    carrier.arrivals().forget();
    // Processes share no monotonic clock that can be read without unsafe code: this one tells
    // whether the one that they do share was set.
    let (clock, monotonic) = (SystemTime::now(), Instant::now());
    let Some(published) = carrier.publish(author, document) else {
        return Outcome::Lost;
    };
    let last = carrier.arrivals().last(carrier.hosts(), &text, WAIT);
    // A quiet moment, so that one change does not wait for the work that the last one left behind.
    std::thread::sleep(QUIET);
    let Ok(last) = last else {
        return Outcome::Lost;
    };
    let (Ok(by_clock), by_monotonic) = (clock.elapsed(), monotonic.elapsed()) else {
        return Outcome::ClockSet;
    };
    if by_clock.abs_diff(by_monotonic) > CLOCK_ERROR_MAX {
        return Outcome::ClockSet;
    }
    let since = |moment: SystemTime| moment.duration_since(published.begun).unwrap_or_default();
    Outcome::Whole {
        whole: since(last),
        answered: published.answered.map(since),
    }
}

/// What nothing costs.
pub struct Idle {
    /// Of the host that needed most: processor time in a minute, in milliseconds, of the threads
    /// that live.
    pub processor_ms: f64,
    /// On an average, bytes that a host sent in a second.
    pub sent: f64,
    /// Bytes that all of them wrote to disk.
    pub written: u64,
    /// Of the host that needed most: resident memory in MB, and what of it is its own.
    pub memory_mb: (f64, f64),
}

/// Waits until what starts and changes leave behind has come to rest, and looks on for a while.
pub fn idle(carrier: &dyn Carrier, settle: Duration, time: Duration) -> Idle {
    std::thread::sleep(settle);
    let programs = carrier.programs();
    let living = || -> Vec<Duration> { programs.iter().map(|&pid| cost::living(pid)).collect() };
    let (before, processor) = (Cost::now(&programs, &carrier.places()), living());
    let begin = Instant::now();
    std::thread::sleep(time);
    let (after, seconds) = (living(), begin.elapsed().as_secs_f64());
    let spent = Cost::now(&programs, &carrier.places()) - &before;
    let most = after
        .iter()
        .zip(&processor)
        .map(|(after, before)| after.saturating_sub(*before))
        .max()
        .unwrap_or_default();
    Idle {
        processor_ms: most.as_secs_f64() * 1e3 * 60.0 / seconds,
        sent: spent.bytes as f64 / seconds / carrier.hosts() as f64,
        written: spent.written,
        memory_mb: (memory(&programs, "VmRSS"), memory(&programs, "RssAnon")),
    }
}

/// The most memory that one of these processes has, in MB.
fn memory(programs: &[u32], name: &str) -> f64 {
    let each = programs.iter().map(|&pid| cost::memory_mb(pid, name));
    each.fold(0.0, f64::max)
}

/// Nothing measured here takes so long, unless it fails.
pub const WAIT: Duration = Duration::from_secs(30);
/// Requests that are under way at once where it is asked how many go through.
pub const AT_ONCE: usize = 16;
const QUIET: Duration = Duration::from_millis(20);
/// What two clocks may differ after a round, one of which is slewed.
const CLOCK_ERROR_MAX: Duration = Duration::from_millis(1);
