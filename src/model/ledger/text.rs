//! The text of a ledger: its series one after another, that first which was not changed for
//! longest.
//!
//! Of each there is by how much the height of its last change is above that of the one before (or
//! above the floor), its name in 16 digits, and its runs. Nothing in it depends on what stands
//! before but for that one difference. So when the first drops out, and the floor becomes the
//! height of its last change, the text of the others stays, and a delta against the base copies it.
//! Each ledger has one spelling, and no other is read.

use std::collections::BTreeMap;

use super::runs::{Run, Runs};
use super::{Extent, Series, is_number};
use crate::limits::{HEIGHT_LIMIT, LEDGER_TEXT_MAX};

/// The text of these, which rise in the height of their last change from `floor` on.
pub(super) fn of(entries: &[(&Series, &Extent)], floor: u64) -> String {
    let mut text = String::new();
    let mut before = floor;
    for (series, entry) in entries {
        write_number(&mut text, entry.changed - before);
        write_series(&mut text, series);
        let mut next = 1;
        for (place, run) in entry.runs.0.iter().enumerate() {
            let more = u64::from(place + 1 < entry.runs.0.len());
            write_number(&mut text, run.first - next);
            write_number(&mut text, (run.last - run.first) << 1 | more);
            // A run that followed at once would belong to this one.
            next = run.last + 2;
        }
        before = entry.changed;
    }
    text
}

/// The series of which this is the text.
pub(super) fn read(text: &str, floor: u64) -> Option<BTreeMap<Series, Extent>> {
    if text.len() > LEDGER_TEXT_MAX || floor >= HEIGHT_LIMIT {
        return None;
    }
    let mut digits = text.bytes();
    let mut entries = BTreeMap::new();
    let mut before = (floor, None);
    while digits.len() > 0 {
        let changed = read_number(&mut digits)?.checked_add(before.0)?;
        let series = read_series(&mut digits)?;
        let rises = before < (changed, Some(series));
        let runs = read_runs(&mut digits)?;
        let is_new = entries.insert(series, Extent { changed, runs }).is_none();
        if !rises || !is_new || changed >= HEIGHT_LIMIT {
            return None;
        }
        before = (changed, Some(series));
    }
    Some(entries)
}

fn read_runs(digits: &mut impl Iterator<Item = u8>) -> Option<Runs> {
    let mut runs = Vec::new();
    let mut next = 1_u64;
    loop {
        let first = next.checked_add(read_number(digits)?)?;
        let length = read_number(digits)?;
        let last = first.checked_add(length >> 1)?;
        if !is_number(last) {
            return None;
        }
        runs.push(Run { first, last });
        if length & 1 == 0 {
            return Some(Runs(runs));
        }
        next = last + 2;
    }
}

/// Five bits a digit, the lowest first; all digits but the last have the sixth bit.
fn write_number(text: &mut String, mut number: u64) {
    while number >= MORE {
        text.push(digit(number % MORE + MORE));
        number /= MORE;
    }
    text.push(digit(number));
}

fn read_number(digits: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let value = value(digits.next()?)?;
        number |= (value % MORE) << shift;
        if value < MORE {
            // A zero at the end would be a second spelling.
            return (value > 0 || shift == 0).then_some(number);
        }
        shift += 5;
        if shift > NUMBER_BITS {
            return None;
        }
    }
}

/// Six bits a digit, the highest first, as base64url has it (RFC 4648, section 5).
fn write_series(text: &mut String, series: &Series) {
    for three in series.0.chunks(3) {
        let bits = three
            .iter()
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        for place in 0..4 {
            text.push(digit(bits >> (18 - 6 * place) & 0x3f));
        }
    }
}

fn read_series(digits: &mut impl Iterator<Item = u8>) -> Option<Series> {
    let mut series = Series::default();
    for three in series.0.chunks_mut(3) {
        let mut bits = 0;
        for _ in 0..4 {
            bits = bits << 6 | value(digits.next()?)?;
        }
        for byte in three.iter_mut().rev() {
            *byte = (bits & 0xff) as u8;
            bits >>= 8;
        }
    }
    Some(series)
}

fn digit(value: u64) -> char {
    char::from(DIGITS[value as usize])
}

fn value(digit: u8) -> Option<u64> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(u64::from(value))
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The bit of a digit that says that more digits of the number follow.
const MORE: u64 = 32;
/// No number is longer: twice a length of 48 bits.
const NUMBER_BITS: u32 = 45;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(changed: u64, runs: &[(u64, u64)]) -> Extent {
        let runs = runs.iter().map(|&(first, last)| Run { first, last });
        Extent {
            changed,
            runs: Runs(runs.collect()),
        }
    }

    fn sorted(entries: &BTreeMap<Series, Extent>) -> Vec<(&Series, &Extent)> {
        let mut all: Vec<_> = entries.iter().collect();
        all.sort_by_key(|(series, entry)| (entry.changed, **series));
        all
    }

    /// As `text` spells it, or not at all.
    fn reads(text: &str, floor: u64) -> Option<BTreeMap<Series, Extent>> {
        let entries = read(text, floor)?;
        assert_eq!(of(&sorted(&entries), floor), text, "a second spelling");
        Some(entries)
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let last = HEIGHT_LIMIT - 1;
        let entries = BTreeMap::from([
            (Series([9; 12]), entry(5, &[(1, 1)])),
            (
                Series([0xff; 12]),
                entry(5, &[(2, 3), (5, 900), (902, 902)]),
            ),
            (Series([0; 12]), entry(last, &[(last, last)])),
        ]);
        let text = of(&sorted(&entries), 3);
        assert!(text.starts_with("CCQkJCQkJCQkJCQkJAAA"), "{text}");
        assert_eq!(reads(&text, 3), Some(entries));
        for end in 1..text.len() {
            // A text may end where a series does.
            reads(&text[..end], 3);
        }
        for at in 0..text.len() {
            for digit in DIGITS.iter().chain(b"=+/ ").copied() {
                let mut other = text.clone().into_bytes();
                other[at] = digit;
                reads(std::str::from_utf8(&other).unwrap(), 3);
            }
        }
    }

    #[test]
    fn what_is_out_of_order_double_or_too_long_is_no_ledger() {
        let of = |list: &[(u8, u64)]| {
            let entries: Vec<(Series, Extent)> = list
                .iter()
                .map(|&(name, changed)| (Series([name; 12]), entry(changed, &[(1, 1)])))
                .collect();
            let pairs: Vec<(&Series, &Extent)> = entries
                .iter()
                .map(|(series, entry)| (series, entry))
                .collect();
            of(&pairs, 0)
        };
        assert!(read(&of(&[(1, 4), (2, 4), (1, 5)]), 0).is_none(), "twice");
        assert!(
            read(&of(&[(2, 4), (1, 4)]), 0).is_none(),
            "in another order"
        );
        assert!(read(&of(&[(1, 4), (2, 4)]), HEIGHT_LIMIT).is_none());
        assert!(read(&of(&[(1, HEIGHT_LIMIT)]), 0).is_none());
        let many: Vec<(u8, u64)> = (0..=255).map(|name| (name, 4)).collect();
        assert!(read(&of(&many), 0).is_some());
        assert!(read(&"A".repeat(LEDGER_TEXT_MAX + 1), 0).is_none());
    }
}
