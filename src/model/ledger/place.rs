//! Places of edits: a series and a number in it; and edits by all that is said of them elsewhere.
//!
//! A series is what one process of a peer makes in one group, numbered from one on. It is named by
//! a hash over the nonce that the process has drawn, so nobody can make an edit in another's.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::codec::{hex, unhex_array};
use crate::limits::HEIGHT_LIMIT;
use crate::model::peer_id::PeerId;
use crate::model::record::{Numbered, Record, RecordId};
use crate::model::stamp::Stamp;

/// The edits that one process of a peer makes in one group, by their name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Series(pub [u8; 12]);

impl Series {
    /// The series of the edits that bear this nonce.
    pub fn of(group: &str, author: &PeerId, nonce: [u8; 8]) -> Self {
        let parts: [&[u8]; 4] = [SERIES, group.as_bytes(), author.as_bytes(), &nonce];
        Self(beginning(&parts.concat()))
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", hex(&self.0[..4]))
    }
}

/// What a ledger knows an edit by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The series.
    pub series: Series,
    /// The number in it, from 1 on and below 2^48.
    pub number: u64,
}

impl Place {
    /// The place of an original that bears no number, or one that another bears already: the first
    /// and only one of a series of its own.
    pub fn odd(id: &RecordId) -> Self {
        let series = Series(beginning(&[ODD, &id.0[..]].concat()));
        Self { series, number: 1 }
    }
}

/// Names an edit: by the ID, stamp and height of its first revision, and by its place. Ordered by
/// stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EditRef {
    /// The stamp of the edit's first revision.
    pub stamp: Stamp,
    /// The ID of the edit's first revision.
    pub id: RecordId,
    /// The height of the edit's first revision.
    pub height: u64,
    /// The place of the edit.
    pub place: Place,
}

impl EditRef {
    /// The edit that a record carries if it is the first that does.
    pub fn of(record: &Record) -> Self {
        let header = &record.header;
        let place = match header.numbered {
            Some(Numbered { nonce, number }) => Place {
                series: Series::of(&header.key, &header.author, nonce),
                number,
            },
            None => Place::odd(&record.id),
        };
        Self {
            stamp: header.stamp,
            id: record.id,
            height: header.height,
            place,
        }
    }

    /// An edit that bears no number.
    pub fn odd(stamp: Stamp, id: RecordId, height: u64) -> Self {
        Self {
            stamp,
            id,
            height,
            place: Place::odd(&id),
        }
    }

    /// An edit of which nothing is left but its place: its ID is made of that, and its height at
    /// most this.
    pub fn ghost(place: Place, height: u64) -> Self {
        Self {
            stamp: Stamp::default(),
            id: ghost_id(place),
            height,
            place,
        }
    }

    /// Whether nothing is known of it but its place.
    pub fn is_ghost(&self) -> bool {
        self.stamp == Stamp::default() && self.id == ghost_id(self.place)
    }

    /// Whether `other` is the same edit, perhaps known by more than its place.
    pub fn names(&self, other: &Self) -> bool {
        self.id == other.id || (self.place == other.place && self.is_ghost())
    }

    /// From the 136 hexadecimal digits that `Display` writes: stamp, ID, height, series, number.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 68] = unhex_array(text)?;
        Self::from_bytes(&bytes)
    }

    /// What [`EditRef::parse`] reads, as bytes.
    pub fn to_bytes(&self) -> [u8; 68] {
        let mut bytes = [0; 68];
        bytes[..8].copy_from_slice(&self.stamp.as_u64().to_be_bytes());
        bytes[8..40].copy_from_slice(&self.id.0);
        bytes[40..48].copy_from_slice(&self.height.to_be_bytes());
        bytes[48..60].copy_from_slice(&self.place.series.0);
        bytes[60..].copy_from_slice(&self.place.number.to_be_bytes());
        bytes
    }

    /// From what [`EditRef::to_bytes`] gives; `None` if a number in it is out of bounds.
    pub fn from_bytes(bytes: &[u8; 68]) -> Option<Self> {
        let number = |at: usize| {
            let number = bytes[at..at + 8].try_into().map(u64::from_be_bytes);
            number.unwrap_or_default()
        };
        let place = Place {
            series: Series(bytes[48..60].try_into().ok()?),
            number: number(60),
        };
        let edit = Self {
            stamp: Stamp::from_u64(number(0))?,
            id: RecordId(bytes[8..40].try_into().ok()?),
            height: number(40),
            place,
        };
        let is_bounded = edit.height < HEIGHT_LIMIT && is_number(place.number);
        is_bounded.then_some(edit)
    }
}

impl fmt::Display for EditRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.to_bytes()))
    }
}

/// Whether an edit may bear this number.
pub(in crate::model) fn is_number(number: u64) -> bool {
    (1..HEIGHT_LIMIT).contains(&number)
}

fn ghost_id(place: Place) -> RecordId {
    let number = place.number.to_be_bytes();
    RecordId(Sha256::digest([GHOST, &place.series.0, &number].concat()).into())
}

fn beginning(bytes: &[u8]) -> [u8; 12] {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    std::array::from_fn(|at| hash[at])
}

const SERIES: &[u8] = b"starling/1 series\0";
const ODD: &[u8] = b"starling/1 odd\0";
const GHOST: &[u8] = b"starling/1 ghost\0";

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(ms: u64) -> EditRef {
        EditRef::odd(Stamp::at(ms), RecordId([ms as u8; 32]), ms)
    }

    #[test]
    fn a_reference_has_one_text() {
        let text = edit(77).to_string();
        assert_eq!(text.len(), 136);
        assert_eq!(EditRef::parse(&text), Some(edit(77)));
        assert_eq!(EditRef::parse(&text.to_uppercase()), None);
        assert_eq!(EditRef::parse(&text[1..]), None);
        let out_of_bounds = |change: fn(&mut EditRef)| {
            let mut edit = edit(77);
            change(&mut edit);
            EditRef::parse(&edit.to_string())
        };
        assert_eq!(out_of_bounds(|edit| edit.place.number = 0), None);
        assert_eq!(out_of_bounds(|edit| edit.place.number = 1 << 48), None);
        assert_eq!(out_of_bounds(|edit| edit.height = 1 << 48), None);
    }

    #[test]
    fn a_ghost_is_known_by_its_place_alone() {
        let ghost = EditRef::ghost(edit(7).place, 9);
        assert!(ghost.is_ghost() && !edit(7).is_ghost());
        assert!(ghost.names(&edit(7)) && !edit(7).names(&ghost) && !ghost.names(&edit(8)));
    }

    #[test]
    fn a_series_is_of_one_group_one_author_and_one_nonce() {
        use crate::model::signature::SecretKey;
        let peer = |seed| PeerId::from_bytes(SecretKey::from_seed(&[seed; 32]).public()).unwrap();
        let all = [
            Series::of("a", &peer(1), [0; 8]),
            Series::of("b", &peer(1), [0; 8]),
            Series::of("a", &peer(2), [0; 8]),
            Series::of("a", &peer(1), [1; 8]),
        ];
        let distinct: std::collections::BTreeSet<Series> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
