//! Measures what people feel of Starling, on hosts in network namespaces, each with its server;
//! prints one table, and writes it as JSON.
//!
//! `bench [--quick] [--hosts N,N…] [--peers] [--json FILE]`, from a release build, on a quiet
//! machine, as root. A change begins with its client's request and is whole when the last server, a
//! stand-in, has taken it. Everything else that is told is counted by the kernel. `STARLING_BIN`
//! names another Starling, such as the static one. With `--peers` brokers are measured in the same
//! run.
//!
//! `bench --counts` looks only at what `starling sim` counts, and fails where that has grown.

mod arrivals;
mod carrier;
mod cost;
mod counts;
mod crowd;
mod fleet;
mod joining;
mod lasting;
#[path = "../standin/moments.rs"]
mod moments;
mod peers;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use peers::{Broker, agent};
use report::{Figure, Goal, Report, STARLING};
use support::private::{Scratch, inside, lacks, run_inside};

/// How much to measure: counts and times are divided by it.
#[derive(Clone, Copy)]
pub struct Effort(u32);

impl Effort {
    fn of(self, count: usize) -> usize {
        (count / self.0 as usize).max(2)
    }

    fn time(self, time: Duration) -> Duration {
        time / self.0
    }
}

/// What the command line asks for.
struct Wanted {
    effort: Effort,
    /// The sizes of crowds; all, and how hosts join, if there is none.
    hosts: Vec<usize>,
    peers: bool,
    json: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == agent::WORD => return agent::run(rest),
        Some((word, [])) if word == "--counts" => return counts::check(),
        _ => {}
    }
    let wanted = match parse(&arguments) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("bench: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Some(dir) = inside() {
        return measure(&dir, &wanted);
    }
    if let Some(need) = lacks() {
        eprintln!("bench: needs {need}");
        return ExitCode::FAILURE;
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run_inside(&Scratch::new(), &words, None, TIME_MAX) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn parse(arguments: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        effort: Effort(1),
        hosts: Vec::new(),
        peers: false,
        json: PathBuf::from("target/bench.json"),
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => wanted.effort = Effort(10),
            "--peers" => wanted.peers = true,
            "--json" => wanted.json = PathBuf::from(value()?),
            "--hosts" => {
                let numbers = value()?.split(',').map(str::parse);
                wanted.hosts = numbers
                    .collect::<Result<_, _>>()
                    .map_err(|_| "--hosts takes numbers such as 2,5".to_owned())?;
            }
            other => return Err(format!("what is {other}?")),
        }
    }
    Ok(wanted)
}

fn measure(dir: &Path, wanted: &Wanted) -> ExitCode {
    let binary = support::program("starling");
    let mut report = Report::default();
    report.part(&binary.display().to_string());
    let size = std::fs::metadata(&binary).map_or(0, |file| file.len());
    report.add(&[], BINARY, &[(STARLING, size as f64 / 1e6)]);
    if wanted.peers {
        for broker in Broker::ALL {
            report.note(broker.note().to_owned());
        }
    }
    crowd::measure(&mut report, dir, wanted);
    if wanted.hosts.is_empty() {
        joining::measure(&mut report, dir, wanted.effort);
    }
    match report.write(&wanted.json, &binary.to_string_lossy()) {
        Ok(()) => {
            println!("\nthe same as JSON: {}", wanted.json.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {}: {error}", wanted.json.display());
            ExitCode::FAILURE
        }
    }
}

const BINARY: Figure = Figure {
    name: "binary_mb",
    words: "the binary; the goal is the static one's",
    unit: "MB",
    goal: Goal::AtMost(2.5),
};

const USAGE: &str = "usage: bench [--quick] [--hosts N,N...] [--peers] [--json FILE] | --counts";
/// All of it takes ten minutes on a quiet machine, and with brokers twice that.
const TIME_MAX: Duration = Duration::from_secs(3_600);
