//! The ledger: which edits a revision contains, said and never inferred.
//!
//! Each revision names the last 256 edits that it contains or settles, and the greatest stamp that
//! has dropped out (the *floor*). From these alone a host tells of any edit whether it is in, out,
//! or too old to say. Inferring it from ancestry loses edits and applies appends twice.

use std::fmt;

use super::record::RecordId;
use super::stamp::Stamp;
use crate::codec::unhex_array;
use crate::limits::LEDGER_MAX;

/// Names an edit: the ID and stamp of its first revision. Ordered by stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EditRef {
    /// The stamp of the edit's first revision.
    pub stamp: Stamp,
    /// The ID of the edit's first revision.
    pub id: RecordId,
}

impl EditRef {
    /// From the 80 hexadecimal digits that `Display` writes: stamp, then ID.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 40] = unhex_array(text)?;
        let (stamp, id) = bytes.split_at(8);
        let stamp = Stamp::from_u64(u64::from_be_bytes(stamp.try_into().ok()?))?;
        Some(Self {
            stamp,
            id: RecordId(id.try_into().ok()?),
        })
    }
}

impl fmt::Display for EditRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.stamp, self.id)
    }
}

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

mod text;

/// The edits that a revision contains or settles, as far back as is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Rising.
    entries: Vec<EditRef>,
    floor: Stamp,
}

impl Ledger {
    /// `None` unless there are at most 256 entries, rising, and none below the floor. Only what has
    /// been full has a floor, and it stays full.
    fn from_parts(floor: Stamp, entries: &[EditRef]) -> Option<Self> {
        let rising = entries.windows(2).all(|pair| pair[0] < pair[1]);
        let above = entries.first().is_none_or(|first| first.stamp >= floor);
        let full = floor == Stamp::default() || entries.len() == LEDGER_MAX;
        (entries.len() <= LEDGER_MAX && rising && above && full).then(|| Self {
            entries: entries.to_vec(),
            floor,
        })
    }

    /// The ledger in a head line: [`Ledger::from_text`] reads it, given the floor.
    pub(crate) fn text(&self) -> String {
        text::of(&self.entries, self.floor)
    }

    /// From the floor and the text that [`Ledger::text`] writes; `None` if it is spelt in any other
    /// way, or its edits are no ledger.
    pub(crate) fn from_text(floor: Stamp, text: &str) -> Option<Self> {
        Self::from_parts(floor, &text::read(text, floor)?)
    }

    /// This ledger and `new` edits; the oldest beyond 256 drop out and raise the floor.
    pub fn with(&self, new: impl IntoIterator<Item = EditRef>) -> Self {
        let mut next = self.clone();
        for edit in new {
            if let Err(place) = next.entries.binary_search(&edit) {
                next.entries.insert(place, edit);
            }
        }
        let surplus = next.entries.len().saturating_sub(LEDGER_MAX);
        if let Some(last) = next.entries.drain(..surplus).next_back() {
            next.floor = next.floor.max(last.stamp);
        }
        next
    }

    /// Whether `edit` is in, out, or too old to say.
    pub fn standing(&self, edit: &EditRef) -> Standing {
        match () {
            () if self.entries.binary_search(edit).is_ok() => Standing::In,
            () if edit.stamp > self.floor => Standing::Out,
            () => Standing::Unknown,
        }
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &EditRef> {
        self.entries.iter()
    }

    /// The greatest stamp that has dropped out; zero if none has.
    pub fn floor(&self) -> Stamp {
        self.floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(ms: u64) -> EditRef {
        EditRef {
            stamp: Stamp::from_u64(ms << 16).unwrap(),
            id: RecordId([ms as u8; 32]),
        }
    }

    #[test]
    fn an_edit_is_in_out_or_too_old_to_say() {
        let ledger = Ledger::default().with((10..10 + LEDGER_MAX as u64 + 1).map(edit));
        assert_eq!(ledger.entries().count(), LEDGER_MAX);
        assert_eq!(ledger.floor(), edit(10).stamp);
        assert_eq!(ledger.standing(&edit(11)), Standing::In);
        assert_eq!(
            ledger.standing(&edit(10)),
            Standing::Unknown,
            "it has dropped out"
        );
        assert_eq!(ledger.standing(&edit(9)), Standing::Unknown);
        assert_eq!(ledger.standing(&edit(5000)), Standing::Out);
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let forward = Ledger::default().with((1..400).map(edit));
        let backward = (1..400)
            .rev()
            .fold(Ledger::default(), |ledger, ms| ledger.with([edit(ms)]));
        assert_eq!(forward.entries, backward.entries);
        assert_eq!(forward.floor, backward.floor);
    }

    #[test]
    fn a_ledger_that_is_unsorted_too_long_or_at_odds_with_its_floor_is_refused() {
        assert!(Ledger::from_parts(Stamp::default(), &[edit(2), edit(1)]).is_none());
        assert!(Ledger::from_parts(Stamp::default(), &[edit(1), edit(1)]).is_none());
        assert!(Ledger::from_parts(edit(5).stamp, &[edit(4)]).is_none());
        let long: Vec<_> = (1..=LEDGER_MAX as u64 + 1).map(edit).collect();
        assert!(Ledger::from_parts(Stamp::default(), &long).is_none());
        assert!(Ledger::from_parts(edit(1).stamp, &long[1..]).is_some());
        assert!(
            Ledger::from_parts(edit(1).stamp, &long[2..]).is_none(),
            "nothing drops out of one that is not full"
        );
    }

    #[test]
    fn a_reference_has_one_text() {
        let text = edit(77).to_string();
        assert_eq!(text.len(), 80);
        assert_eq!(EditRef::parse(&text), Some(edit(77)));
        assert_eq!(
            EditRef::parse(&text.to_uppercase()),
            (text == text.to_uppercase()).then(|| edit(77))
        );
        assert_eq!(EditRef::parse(&text[1..]), None);
    }
}
