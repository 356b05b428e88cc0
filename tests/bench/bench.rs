//! Measures what Starling is for, on real hosts in network namespaces, and prints one table.
//!
//! `bench [--quick]`, from a release build, on a quiet machine, as root. A moment is the arrival
//! of a log line in this program (a thread waits in `read` for it) or of the last byte of an
//! answer: both are right to some 0.05 ms, and nobody polls while a change is under way. The
//! servers' own time is left out: all peers run with `--unit none`. A revision's line is written by
//! the peer's loop when it has taken the revision up as its head, whole; the disk of the receivers
//! is not waited for.

mod idle;
mod joining;
mod propagation;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use support::host::Host;
use support::private::{Scratch, inside, lacks, run_inside};

/// How much to measure: the counts below are divided by it.
#[derive(Clone, Copy)]
struct Effort(usize);

impl Effort {
    fn of(self, count: usize) -> usize {
        (count / self.0).max(2)
    }
}

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    if let Some(dir) = inside() {
        measure(&dir, Effort(if quick { 10 } else { 1 }));
        return ExitCode::SUCCESS;
    }
    if let Some(need) = lacks() {
        eprintln!("bench: needs {need}");
        return ExitCode::FAILURE;
    }
    let arguments: &[&str] = if quick { &["--quick"] } else { &[] };
    let ended = run_inside(&Scratch::new(), arguments, None, TIME_MAX);
    if ended {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn measure(dir: &Path, effort: Effort) {
    println!("{:<58} {:>28}   goal", "figure", "reached");
    row("size of the binary", &size(), "2 MB, static");
    propagation::measure(dir, effort);
    joining::measure(dir, effort);
    idle::measure(dir, effort);
}

/// Prints a line of the table as soon as it is known: the whole takes minutes.
fn row(figure: &str, reached: &str, goal: &str) {
    println!("{figure:<58} {reached:>28}   {goal}");
}

fn size() -> String {
    let bytes = std::fs::metadata(support::program("starling")).map_or(0, |file| file.len());
    format!("{:.2} MB", bytes as f64 / 1e6)
}

/// The value at `share` (0 to 1) of the sorted times, in milliseconds.
fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort();
    let at = (times.len() as f64 * share) as usize;
    times
        .get(at.min(times.len().saturating_sub(1)))
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// Median and 99th percentile, for the table.
fn spread(times: &mut [Duration]) -> String {
    format!(
        "p50 {:.2}  p99 {:.2} ms",
        percentile(times, 0.5),
        percentile(times, 0.99)
    )
}

/// Makes a fleet of peers without servers, and waits until each has `links` links at least.
fn fleet(lab: &mut support::lab::Lab, members: &[usize], links: usize, level: &str) {
    lab.join(members);
    for &member in members {
        let host = lab.host_mut(member);
        host.flags = vec!["--log".into(), level.into()];
        host.start();
    }
    let linked = |host: &Host| host.links().len() >= links;
    lab.wait(WAIT, "all are linked", || {
        members.iter().all(|&member| linked(lab.host(member)))
    });
}

/// A document of about `bytes` bytes that no compression and no splice makes smaller.
fn document(bytes: usize, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state >> 32) as u8 % 26)
    };
    let text: String = (0..bytes.saturating_sub(100)).map(|_| letter()).collect();
    format!(r#"{{"listeners":{{}},"routes":[{{"action":{{"return":301,"location":"/{text}"}}}}]}}"#)
}

/// Sends a whole document to `host`; the ID of its revision.
fn publish(host: &Host, document: &str) -> String {
    let reply = host.put("/config", document.as_bytes());
    assert!(
        reply.status == 200,
        "a change was answered {}: {}",
        reply.status,
        reply.body
    );
    reply
        .header("starling-revision")
        .expect("an accepted change names its revision")
        .trim_matches('"')
        .to_owned()
}

/// Whether a log line says that the revision of this ID has been taken up.
fn takes_up(line: &str, id: &str) -> bool {
    line.contains(&format!("revision {} ", &id[..SHORT_ID]))
}

/// The level at which a peer without a server tells what it has received.
const TELLING: &str = "debug";
/// As many digits of a revision's ID as the log shows.
const SHORT_ID: usize = 12;
/// Nothing measured here takes so long, unless it fails.
const WAIT: Duration = Duration::from_secs(30);
/// All of it takes about a quarter of an hour.
const TIME_MAX: Duration = Duration::from_secs(3_600);
