//! The parts of a configuration that lie beyond what Unit shows of it, in order, a few at a time.
//!
//! Whether somebody has changed one of them for another of equal length shows in no length and in no beginning: so all are looked at in turn.
//! Right before a change more of them are: all, or as many as take no longer than the change itself, those first that the change lies in.

use super::CONFIG;
use super::compare::below;
use crate::limits::{LOOK_BEFORE_MAX, ROUND_LOOKS};
use crate::model::json::{self, Beginning, Value};

/// What is to be looked at, and what comes next.
#[derive(Debug, Clone, Default)]
pub(super) struct Rest {
    runs: Vec<Run>,
    /// How many parts there are.
    total: usize,
    /// How many have been looked at in this round.
    at: usize,
}

/// Elements or members of one value, one after the other.
#[derive(Debug, Clone)]
struct Run {
    /// Where that value stands: below the configuration, a place among elements or members on each level.
    places: Vec<usize>,
    path: String,
    from: usize,
    to: usize,
}

impl Rest {
    /// Of a configuration of which so much came, in so many bytes.
    pub(super) fn of(config: &Value, beginning: &Beginning, bytes: usize) -> Self {
        let mut rest = Self::default();
        // What is deeper in a configuration is longer there, by tabs.
        let fits = bytes as u64 / 2;
        rest.add(CONFIG, &mut Vec::new(), config, Some((&beginning.value, beginning.open)), fits);
        rest.total = rest.runs.iter().map(|run| run.to - run.from).sum();
        rest
    }

    fn add(&mut self, path: &str, places: &mut Vec<usize>, value: &Value, beginning: Option<(&Value, usize)>, fits: u64) {
        for (place, (name, child)) in children(value).enumerate() {
            let came = beginning.and_then(|(value, open)| came(value, open, name, place));
            let Some(path_of_child) = name.map_or_else(|| Ok(format!("{path}/{place}")), |name| below(path, name)).ok() else {
                continue;
            };
            match came {
                Some((_, 0)) => {}
                _ if json::unit_length(child) > fits && children(child).next().is_some() => {
                    places.push(place);
                    self.add(&path_of_child, places, child, came, fits);
                    places.pop();
                }
                _ => match self.runs.last_mut() {
                    Some(run) if run.path == path && run.to == place => run.to += 1,
                    _ => self.runs.push(Run { places: places.clone(), path: path.to_owned(), from: place, to: place + 1 }),
                },
            }
        }
    }

    /// Goes on where another round had come to: a configuration that is changed often would else never be looked at to its end.
    pub(super) fn go_on_from(&mut self, other: &Self) {
        self.at = if other.at < self.total { other.at } else { 0 };
    }

    /// The parts of the next look, with what should be there.
    pub(super) fn next<'a>(&mut self, config: &'a Value) -> Vec<(String, &'a Value)> {
        self.next_of(config, self.total.div_ceil(ROUND_LOOKS))
    }

    /// What is to be looked at before a change of the values at these paths: the parts that they lie in, and as many others as are worth it.
    pub(super) fn before_change<'a>(&mut self, config: &'a Value, paths: &[String]) -> Vec<(String, &'a Value)> {
        let all = Self { at: 0, ..self.clone() }.next_of(config, self.total);
        let holds = |part: &str, path: &str| path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let mut parts: Vec<_> =
            all.into_iter().filter(|(part, _)| paths.iter().any(|path| holds(part, path))).take(LOOK_BEFORE_MAX).collect();
        let most = self.total.min(LOOK_BEFORE_MAX - parts.len());
        let (from, to) = (self.at, self.at + most);
        parts.extend(self.next_of(config, most));
        if to > self.total && from > 0 {
            // The round is over, and the next begins.
            parts.extend(self.next_of(config, to - self.total));
        }
        parts
    }

    /// So many parts, and goes on behind them. At the end of a round there may be fewer.
    fn next_of<'a>(&mut self, config: &'a Value, count: usize) -> Vec<(String, &'a Value)> {
        let mut next = Vec::new();
        let mut before = 0;
        for run in &self.runs {
            let (first, last) = (self.at.max(before), (self.at + count).min(before + run.to - run.from));
            if last <= first {
                before += run.to - run.from;
                continue;
            }
            let value = run.places.iter().try_fold(config, |value, place| children(value).nth(*place).map(|(_, child)| child));
            let parts = value.into_iter().flat_map(children).enumerate().skip(run.from + first - before);
            for (place, (name, child)) in parts.take(last - first) {
                let path = name.map_or_else(|| Ok(format!("{}/{place}", run.path)), |name| below(&run.path, name));
                next.extend(path.ok().map(|path| (path, child)));
            }
            before += run.to - run.from;
        }
        self.at = if self.at + count >= self.total { 0 } else { self.at + count };
        next
    }
}

/// What came of an element or member: itself, and how much of it is open, which is nothing if it came whole.
fn came<'a>(value: &'a Value, open: usize, name: Option<&String>, place: usize) -> Option<(&'a Value, usize)> {
    if open == 0 {
        return Some((value, 0));
    }
    let (child, is_last) = match (value, name) {
        (Value::Object(members), Some(name)) => (members.get(name)?, members.keys().next_back() == Some(name)),
        (Value::Array(elements), None) => (elements.get(place)?, place + 1 == elements.len()),
        _ => return None,
    };
    Some((child, if is_last { open - 1 } else { 0 }))
}

/// Elements, or members with their names.
fn children(value: &Value) -> Box<dyn Iterator<Item = (Option<&String>, &Value)> + '_> {
    match value {
        Value::Array(elements) => Box::new(elements.iter().map(|element| (None, element))),
        Value::Object(members) => Box::new(members.iter().map(|(name, member)| (Some(name), member))),
        _ => Box::new(std::iter::empty()),
    }
}
