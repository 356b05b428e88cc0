//! The part of the bench that is the same on every machine: what `starling sim` counts of a change
//! in virtual time, against the figures that are kept beside this file.
//!
//! A seed fixes all of it. What chance does to a figure is some hundredths of it, so it is the mean
//! over a few seeds that is compared, and only what grew by more than a tenth fails.

use std::process::{Child, Command, ExitCode, Stdio};

use serde_json::{Map, Value, json};

use super::support::program;

/// What is compared: its name, and what it is.
const FIGURES: [(&str, &str); 5] = [
    (COPIES, "copies of a change that a host receives"),
    ("change_frames", "frames a host and change"),
    ("change_bytes", "bytes a host and change"),
    (
        "change_node_bytes",
        "bytes of node records a host and change",
    ),
    ("idle_bytes", "bytes a host and idle minute"),
];

/// Simulates the fleets, prints the figures, and fails if one of them has grown.
pub fn check() -> ExitCode {
    let kept: Value = serde_json::from_str(KEPT).expect("counts.json is JSON");
    // All at once: the two cores of a small machine are enough for the few seconds that it takes.
    let running: Vec<(usize, Vec<Child>)> = FLEETS
        .map(|nodes| (nodes, SEEDS.map(|seed| simulate(nodes, seed)).into()))
        .into();
    let (mut now, mut grown, mut fallen) = (Map::new(), 0, 0);
    println!("{:<48} {:>12} {:>12}", "in virtual time", "kept", "now");
    for (nodes, children) in running {
        let results: Option<Vec<Value>> = children.into_iter().map(result).collect();
        let Some(results) = results else {
            return ExitCode::FAILURE;
        };
        let fleet = format!("{nodes} hosts");
        let mut figures = Map::new();
        for (name, words) in FIGURES {
            let value = mean(&results, name);
            let was = kept[&fleet][name].as_f64();
            let change = was.map_or(f64::INFINITY, |was| value / was);
            let verdict = match change {
                change if change > 1.0 + TENTH => "   grown by more than a tenth",
                change if change < 1.0 - TENTH => "   fallen by more than a tenth",
                _ => "",
            };
            grown += usize::from(change > 1.0 + TENTH);
            fallen += usize::from(change < 1.0 - TENTH);
            let was = was.map_or("-".to_owned(), |was| format!("{was:.1}"));
            let line = format!("{fleet}, {words}");
            println!("{line:<56} {was:>9} {value:>9.1}{verdict}");
            figures.insert(name.to_owned(), json!((value * 10.0).round() / 10.0));
        }
        now.insert(fleet, Value::Object(figures));
    }
    if grown > 0 {
        println!("\nIf there is a reason for that, the change that has it says so, and puts this");
    } else if fallen > 0 {
        println!("\nLess than is kept: so that it stays that way, put this");
    }
    if grown + fallen > 0 {
        println!("into tests/bench/counts.json:\n\n{:#}", Value::Object(now));
    }
    match grown {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn simulate(nodes: usize, seed: usize) -> Child {
    let mut command = Command::new(program("starling"));
    command.args(["sim", "--json", "--nodes", &nodes.to_string()]);
    command.args(["--seed", &seed.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("starling can be started")
}

/// What a simulation printed; `None`, and a word why, if it did not come to a good end.
fn result(child: Child) -> Option<Value> {
    let output = child.wait_with_output().expect("our own child");
    let text = String::from_utf8_lossy(&output.stdout);
    let found = serde_json::from_str(&text).ok();
    let found = found.filter(|_| output.status.success());
    if found.is_none() {
        eprintln!("bench: starling sim: {}: {text}", output.status);
    }
    found
}

fn mean(results: &[Value], name: &str) -> f64 {
    let of = |result: &Value| match name {
        // The simulator names the further ones, which may become next to none.
        COPIES => result["duplicates"].as_f64().map(|further| further + 1.0),
        _ => result[name].as_f64(),
    };
    let values = results
        .iter()
        .map(|result| of(result).unwrap_or_else(|| panic!("no {name} in {result}")));
    values.sum::<f64>() / results.len() as f64
}

const COPIES: &str = "copies";
const FLEETS: [usize; 2] = [5, 20];
const SEEDS: [usize; 3] = [1, 2, 3];
const TENTH: f64 = 0.1;
const KEPT: &str = include_str!("counts.json");
