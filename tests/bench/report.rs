//! The figures: printed as soon as they are known, for the whole takes minutes, and written as JSON
//! in the end.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

/// What is measured, and how much of it is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name in the JSON, with its unit last.
    pub name: &'static str,
    /// Its name in the table.
    pub words: &'static str,
    /// Its unit in the table.
    pub unit: &'static str,
    /// What it is to reach.
    pub goal: Goal,
}

/// What a figure is to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    None,
    AtMost(f64),
    AtLeast(f64),
}

/// One figure as measured.
struct Entry {
    figure: Figure,
    /// Under which circumstances: how many hosts, how many bytes.
    about: Vec<(&'static str, usize)>,
    /// By system: `starling` and, beside it, the brokers.
    reached: Vec<(&'static str, f64)>,
}

/// All figures of a run.
#[derive(Default)]
pub struct Report {
    entries: Vec<Entry>,
    notes: Vec<String>,
}

impl Report {
    /// Takes a figure down, and prints it.
    pub fn add(
        &mut self,
        about: &[(&'static str, usize)],
        figure: Figure,
        reached: &[(&'static str, f64)],
    ) {
        // What a broker does not have, it is not asked for.
        let told = reached
            .iter()
            .filter(|(system, value)| *system == STARLING || !value.is_nan());
        let entry = Entry {
            figure,
            about: about.to_vec(),
            reached: told.copied().collect(),
        };
        println!("{}", entry.line());
        self.entries.push(entry);
    }

    /// Takes down what a reader of the figures must know, and prints it.
    pub fn note(&mut self, text: String) {
        println!("    {text}");
        self.notes.push(text);
    }

    /// Prints the head of a part of the table.
    pub fn part(&self, words: &str) {
        println!("\n{words:<69} {:>9}   goal", "reached");
    }

    /// Writes all as one JSON object.
    pub fn write(&self, path: &Path, binary: &str) -> std::io::Result<()> {
        let figures: Vec<Value> = self.entries.iter().map(Entry::json).collect();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let all = json!({
            "binary": binary,
            "kernel": kernel.trim(),
            "cores": cores,
            "figures": figures,
            "notes": self.notes,
        });
        let mut file = std::fs::File::create(path)?;
        writeln!(file, "{all:#}")
    }
}

impl Entry {
    fn line(&self) -> String {
        let own = self.of(STARLING).map_or("-".to_owned(), brief);
        let mut line = format!(
            "{:<18} {:<50} {:>9}   ",
            self.circumstances(),
            format!("{}, {}", self.figure.words, self.figure.unit),
            own
        );
        line += &match (self.figure.goal, self.of(STARLING)) {
            (Goal::AtMost(0.0), _) => "none".to_owned(),
            (Goal::AtMost(goal), Some(own)) => {
                format!("{} ({:.1} times)", brief(goal), own / goal)
            }
            (Goal::AtLeast(goal), Some(own)) => {
                format!("at least {} ({:.2} of it)", brief(goal), own / goal)
            }
            _ => "-".to_owned(),
        };
        for (system, theirs) in self.reached.iter().filter(|(of, _)| *of != STARLING) {
            line += &format!("   {system} {}", brief(*theirs));
            if let Some(own) = self.of(STARLING).filter(|_| *theirs > 0.0) {
                line += &format!(" (ratio {})", brief(own / theirs));
            }
        }
        line
    }

    fn json(&self) -> Value {
        let mut object = json!({ "name": self.figure.name, "unit": self.figure.unit });
        for (name, value) in &self.about {
            object[name] = json!(value);
        }
        for (name, value) in &self.reached {
            object[name] = json!(value);
        }
        match self.figure.goal {
            Goal::None => {}
            Goal::AtMost(goal) => object["goal_at_most"] = json!(goal),
            Goal::AtLeast(goal) => object["goal_at_least"] = json!(goal),
        }
        object
    }

    fn of(&self, system: &str) -> Option<f64> {
        let found = self.reached.iter().find(|(name, _)| *name == system);
        found.map(|(_, value)| *value)
    }

    fn circumstances(&self) -> String {
        let words = self.about.iter().map(|(name, value)| match *name {
            BYTES if *value >= 1 << 20 => format!("{} MiB", value >> 20),
            BYTES if *value >= 1 << 10 => format!("{} KiB", value >> 10),
            name => format!("{value} {name}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Three digits, or all before the point.
fn brief(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The value at `share` (0 to 1) of the values.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// The name of what is measured here.
pub const STARLING: &str = "starling";
/// A circumstance: how many hosts there are.
pub const HOSTS: &str = "hosts";
/// A circumstance: how long the document is.
pub const BYTES: &str = "bytes";
