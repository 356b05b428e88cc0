//! The ledger: which edits a revision contains, said and never inferred.
//!
//! Each revision says for each series the numbers that it contains, settles or lists, and the
//! height of the revision that last changed this. Series that were not changed for long drop out,
//! and the *floor* is the greatest height at which one was last changed. Whatever contains an edit
//! has at least its height: so of any edit a host tells from these alone whether it is in, out, or
//! too old to say. Inferring it from ancestry loses edits and applies appends twice.

use std::collections::BTreeMap;

use self::runs::Runs;
use crate::limits::{
    LEDGER_HEIGHTS, LEDGER_RUNS_MAX, LEDGER_SERIES, LEDGER_SERIES_MAX, LEDGER_TEXT,
};

pub use self::place::{EditRef, Place, Series};

mod place;
mod runs;
mod text;

pub(in crate::model) use self::place::is_number;

/// What a ledger says of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The edit is contained or settled.
    In,
    /// The edit is not contained.
    Out,
    /// The edit is older than the ledger reaches.
    Unknown,
}

/// What is said of one series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Extent {
    /// The height of the revision that last added to it.
    changed: u64,
    runs: Runs,
}

/// The edits that a revision contains or settles, as far back as is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    floor: u64,
    entries: BTreeMap<Series, Extent>,
}

impl Ledger {
    /// The ledger in a head line: [`Ledger::from_text`] reads it, given the floor.
    pub(crate) fn text(&self) -> String {
        text::of(&self.longest_unchanged_first(), self.floor)
    }

    /// From the floor and the text that [`Ledger::text`] writes; `None` if it is spelt in any other
    /// way, or longer than [`LEDGER_TEXT_MAX`](crate::limits::LEDGER_TEXT_MAX).
    pub(crate) fn from_text(floor: u64, text: &str) -> Option<Self> {
        let entries = text::read(text, floor)?;
        Some(Self { floor, entries })
    }

    /// The ledger of a child at this height that adds these; what was not changed for long drops
    /// out and raises the floor.
    pub fn with(&self, height: u64, new: impl IntoIterator<Item = Place>) -> Self {
        let mut next = self.clone();
        for Place { series, number } in new {
            let entry = next.entries.entry(series).or_default();
            entry.runs.insert(number);
            entry.changed = height;
        }
        while let Some((changed, series)) = next.drops_out(height) {
            next.entries.remove(&series);
            next.floor = next.floor.max(changed);
        }
        next
    }

    /// The series that drops out of the ledger of a revision at this height: never one that this
    /// revision has changed.
    fn drops_out(&self, height: u64) -> Option<(u64, Series)> {
        let all = self.entries.iter();
        let longest = all.map(|(series, entry)| (entry.changed, *series)).min()?;
        let count = self.entries.len();
        let runs = || -> usize { self.entries.values().map(|entry| entry.runs.0.len()).sum() };
        let is_old = count > LEDGER_SERIES && longest.0 + LEDGER_HEIGHTS <= height;
        let is_full = || {
            count > LEDGER_SERIES_MAX || runs() > LEDGER_RUNS_MAX || self.text().len() > LEDGER_TEXT
        };
        (longest.0 < height && (is_old || is_full())).then_some(longest)
    }

    /// Whether `edit` is in, out, or too old to say.
    pub fn standing(&self, edit: &EditRef) -> Standing {
        match () {
            () if self.has(&edit.place) => Standing::In,
            () if edit.height > self.floor => Standing::Out,
            () => Standing::Unknown,
        }
    }

    /// Whether the edit at this place is contained or settled.
    pub fn has(&self, place: &Place) -> bool {
        let entry = self.entries.get(&place.series);
        entry.is_some_and(|entry| entry.runs.contains(place.number))
    }

    /// The edits that are in here and not in `head`, each by its place and a height that it is not
    /// above; of a series that `head` may have dropped, none.
    pub fn beyond(&self, head: &Self) -> impl Iterator<Item = (Place, u64)> {
        let changed = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.changed > head.floor);
        changed.flat_map(|(series, entry)| {
            let known = head.entries.get(series).map(|entry| &entry.runs);
            let numbers = entry.runs.without(known);
            numbers.map(|number| {
                let series = *series;
                (Place { series, number }, entry.changed)
            })
        })
    }

    /// Whether series have dropped out of it, and even of those that were longest unchanged some
    /// are not in `head`: then some that have dropped out may not be there either.
    pub fn is_cut_short(&self, head: &Self) -> bool {
        let all = self.entries.iter();
        let longest = all.min_by_key(|(series, entry)| (entry.changed, **series));
        // Only this series is looked at: another may claim more numbers than can be counted.
        self.floor > 0
            && longest.is_some_and(|(series, entry)| {
                let known = head.entries.get(series).map(|entry| &entry.runs);
                entry.changed > head.floor && entry.runs.without(known).next().is_some()
            })
    }

    /// The greatest number of a series, and in how many runs its numbers are.
    pub fn extent(&self, series: &Series) -> (u64, usize) {
        let entry = self.entries.get(series);
        entry.map_or((0, 0), |entry| (entry.runs.last(), entry.runs.0.len()))
    }

    /// How many series it names.
    pub fn series(&self) -> usize {
        self.entries.len()
    }

    /// The greatest height at which a series that has dropped out was last changed; zero if none
    /// has.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The height of the last revision that has added to it; zero if none has.
    pub(super) fn last_changed(&self) -> u64 {
        let changed = self.entries.values().map(|entry| entry.changed);
        changed.max().unwrap_or_default()
    }

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        let entries = self.entries.values();
        entries
            .map(|entry| ENTRY_WEIGHT + size_of_val(&entry.runs.0[..]))
            .sum()
    }

    fn longest_unchanged_first(&self) -> Vec<(&Series, &Extent)> {
        let mut all: Vec<_> = self.entries.iter().collect();
        all.sort_by_key(|(series, entry)| (entry.changed, **series));
        all
    }
}

/// What an entry takes in the map, in bytes.
const ENTRY_WEIGHT: usize = 64;

#[cfg(test)]
mod tests;
