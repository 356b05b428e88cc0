//! `starling sim`: simulates a fleet and prints its figures, for people or as one JSON object.
//!
//! What is simulated is decided by [`crate::sim::rehearsal`]; here it is only asked for and shown.
//! Progress is told to a terminal only.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use super::arguments::Order;
use super::failure::CommandError;
use super::output;
use crate::model::json;
use crate::settings::scenario::Scenario;
use crate::sim::rehearsal::{self, Figure, FigureUnit, RehearsalReport};

/// Lets the fleet live, and prints what came of it; that not all agree in the end is a failure.
pub(super) fn simulate(order: &Order) -> Result<(), CommandError> {
    let scenario = Scenario::new(&order.options)?;
    let is_watched = io::stderr().is_terminal();
    let outcome = rehearsal::run(&scenario, &mut |stage| {
        if is_watched {
            // Nobody misses a line of progress that could not be written.
            let _ = write!(io::stderr(), "\r\x1b[K{stage}");
        }
    });
    if is_watched {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    output::print(&match order.text("json") {
        Some(_) => json::compact(&outcome.to_json(&scenario)) + "\n",
        None => table(&scenario, &outcome),
    })?;
    if outcome.wrong.is_empty() {
        Ok(())
    } else {
        Err(CommandError::Failed(outcome.wrong.join("; ")))
    }
}

fn table(scenario: &Scenario, outcome: &RehearsalReport) -> String {
    let mut page = format!("{} hosts, seed {}", scenario.hosts, scenario.seed);
    if !outcome.node_records {
        page.push_str("; no node records, no servers, full address books");
    }
    page.push('\n');
    for figure in &outcome.figures {
        writeln!(page, "{:>12}  {}", shown(figure), figure.words)
            .expect("a String takes everything");
    }
    page.push_str(if outcome.wrong.is_empty() {
        "All agree in the end.\n"
    } else {
        "Not all is well in the end.\n"
    });
    page
}

/// The value with its unit, in at most 12 columns.
fn shown(figure: &Figure) -> String {
    let Some(value) = figure.value else {
        return "-".to_owned();
    };
    match figure.unit {
        FigureUnit::Count if value.fract() == 0.0 => format!("{value:.0}"),
        FigureUnit::Count => format!("{value:.1}"),
        FigureUnit::Time if value < 10_000.0 => format!("{value:.0} ms"),
        FigureUnit::Time => format!("{:.1} s", value / 1000.0),
        FigureUnit::Bytes if value < 10_000.0 => format!("{value:.0} B"),
        FigureUnit::Bytes => format!("{:.1} kB", value / 1000.0),
        FigureUnit::Percent => format!("{value:.1} %"),
    }
}
