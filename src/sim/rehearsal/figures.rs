//! The figures of a rehearsal, and the report that they make up.
//!
//! A figure is a number with its name and its unit. How it is laid out for people is for whoever
//! prints it.

use std::time::Duration;

use crate::model::json::{Value, object};
use crate::settings::scenario::Scenario;

/// A figure of the rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The figure's name for programs; a unit comes last.
    pub name: &'static str,
    /// What the figure says, for people.
    pub words: &'static str,
    /// The number; `None` if what it measures did not come about, or was not asked for.
    pub value: Option<f64>,
    /// The unit of the number.
    pub unit: FigureUnit,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureUnit {
    /// Things.
    Count,
    /// Milliseconds.
    Time,
    /// Bytes.
    Bytes,
    /// Hundredths.
    Percent,
}

/// What came of a rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct RehearsalReport {
    /// Whether node records were simulated.
    pub node_records: bool,
    /// All figures, in the order of a fleet's life.
    pub figures: Vec<Figure>,
    /// What should be and is not.
    pub wrong: Vec<String>,
}

/// The figures that there are by now.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) all: Vec<Figure>,
}

impl Figures {
    pub(super) fn time(&mut self, name: &'static str, words: &'static str, time: Option<Duration>) {
        self.add(
            name,
            words,
            time.map(|time| time.as_secs_f64() * 1000.0),
            FigureUnit::Time,
        );
    }

    pub(super) fn count(&mut self, name: &'static str, words: &'static str, count: Option<f64>) {
        self.add(name, words, count, FigureUnit::Count);
    }

    pub(super) fn add(
        &mut self,
        name: &'static str,
        words: &'static str,
        value: Option<f64>,
        unit: FigureUnit,
    ) {
        self.all.push(Figure {
            name,
            words,
            value,
            unit,
        });
    }
}

impl RehearsalReport {
    /// All of it as one object: the scenario, whether all went well, what is wrong, the figures by
    /// their names.
    pub fn to_json(&self, scenario: &Scenario) -> Value {
        let mut members = object! {
            "nodes": scenario.hosts,
            "seed": scenario.seed,
            "node_records": self.node_records,
            "agreed": self.wrong.is_empty(),
            "wrong": self.wrong.clone(),
        };
        members.extend(
            self.figures
                .iter()
                .map(|figure| (figure.name.to_owned(), figure.number())),
        );
        Value::Object(members)
    }
}

impl Figure {
    /// With one decimal, where it has any.
    fn number(&self) -> Value {
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        match self.value.map(tenths) {
            Some(value) if value.fract() == 0.0 => Value::from(value as u64),
            Some(value) => Value::from(value),
            None => Value::Null,
        }
    }
}
