//! The text of a ledger: its edits one after another, each by what its stamp is above that of the
//! edit before, and its ID.
//!
//! Hexadecimal digits would take 83 bytes an edit, and most of a small revision would be its
//! ledger. Here it is 43 for the ID, which nothing can shorten, and 2 to 6 for the stamp. Nothing
//! in an edit's text depends on what stands before the edit but for one difference. So when the
//! oldest edits drop out, and the floor becomes the last one's stamp, the text of the others stays,
//! and a delta against the base copies it. Each list of edits has one spelling, and no other is
//! read.

use super::EditRef;
use crate::limits::LEDGER_MAX;
use crate::model::record::RecordId;
use crate::model::stamp::Stamp;

/// The text of `edits`, which rise from `floor` on.
pub(super) fn of(edits: &[EditRef], floor: Stamp) -> String {
    let mut text = String::new();
    let mut before = floor.wall_ms();
    for edit in edits {
        let (ms, counter) = (edit.stamp.wall_ms(), edit.stamp.as_u64() & COUNTER);
        write_number(&mut text, (ms - before) << 1 | u64::from(counter > 0));
        if counter > 0 {
            write_number(&mut text, counter);
        }
        write_id(&mut text, &edit.id);
        before = ms;
    }
    text
}

/// The edits of which this is the text, at most one more than a ledger may have.
pub(super) fn read(text: &str, floor: Stamp) -> Option<Vec<EditRef>> {
    let mut digits = text.bytes();
    let mut edits = Vec::new();
    let mut before = floor.wall_ms();
    while digits.len() > 0 && edits.len() <= LEDGER_MAX {
        let number = read_number(&mut digits)?;
        let counter = if number & 1 == 1 {
            Some(read_number(&mut digits)?).filter(|counter| (1..=COUNTER).contains(counter))?
        } else {
            0
        };
        let ms = before.checked_add(number >> 1)?;
        let stamp = ms.checked_mul(COUNTER + 1)?.checked_add(counter)?;
        edits.push(EditRef {
            stamp: Stamp::from_u64(stamp)?,
            id: read_id(&mut digits)?,
        });
        before = ms;
    }
    Some(edits)
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

/// Six bits a digit, the highest first, as base64url has it without padding (RFC 4648, section 5).
fn write_id(text: &mut String, id: &RecordId) {
    for three in id.0.chunks(3) {
        let bits = three
            .iter()
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            text.push(digit(bits >> (18 - 6 * place) & 0x3f));
        }
    }
}

fn read_id(digits: &mut impl Iterator<Item = u8>) -> Option<RecordId> {
    let mut id = [0; 32];
    for three in id.chunks_mut(3) {
        let mut bits = 0;
        for _ in 0..=three.len() {
            bits = bits << 6 | value(digits.next()?)?;
        }
        // The digits of two bytes have two bits to spare, which are zero.
        let spare = 6 * (three.len() + 1) - 8 * three.len();
        if three.len() < 3 && bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        bits >>= spare;
        for byte in three.iter_mut().rev() {
            *byte = (bits & 0xff) as u8;
            bits >>= 8;
        }
    }
    Some(RecordId(id))
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
/// No number is longer: twice the milliseconds of a stamp.
const NUMBER_BITS: u32 = 50;
/// The bits of a stamp that are its counter.
const COUNTER: u64 = 0xffff;

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(stamp: u64, id: u8) -> EditRef {
        EditRef {
            stamp: Stamp::from_u64(stamp).unwrap(),
            id: RecordId([id; 32]),
        }
    }

    /// As `text` spells it, or not at all.
    fn reads(text: &str, floor: Stamp) -> Option<Vec<EditRef>> {
        let edits = read(text, floor)?;
        assert_eq!(of(&edits, floor), text, "a second spelling is read");
        Some(edits)
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let edits = [
            edit(5 << 16, 0),
            edit(5 << 16 | 9, 0xff),
            edit((1 << 62) - 1, 7),
        ];
        let floor = Stamp::from_u64(3 << 16 | 1).unwrap();
        let text = of(&edits, floor);
        assert!(text.starts_with(&format!("E{}", "A".repeat(43))), "{text}");
        assert_eq!(reads(&text, floor).as_deref(), Some(&edits[..]));
        for end in 1..text.len() {
            let whole = [44, 88 + 1].contains(&end);
            assert_eq!(reads(&text[..end], floor).is_some(), whole, "{end}");
        }
        for at in 0..text.len() {
            for digit in DIGITS.iter().chain(b"=+/ ").copied() {
                let mut other = text.clone().into_bytes();
                other[at] = digit;
                reads(std::str::from_utf8(&other).unwrap(), floor);
            }
        }
    }

    #[test]
    fn an_id_is_spelt_as_base64url_has_it() {
        let id = RecordId(std::array::from_fn(|place| place as u8));
        let mut text = String::new();
        write_id(&mut text, &id);
        assert_eq!(text, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    }

    #[test]
    fn any_edits_come_back_and_stay_where_older_ones_drop_out() {
        let mut state = 1_u64;
        let mut below = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 20) % bound
        };
        for _ in 0..200 {
            let mut stamp = below(1 << 40);
            let count = below(9) + 1;
            let edits: Vec<EditRef> = (0..count)
                .map(|_| {
                    let bits = below(40);
                    stamp += below(1 << bits);
                    edit(stamp, below(256) as u8)
                })
                .collect();
            let text = of(&edits, Stamp::default());
            assert_eq!(reads(&text, Stamp::default()), Some(edits.clone()));
            let rest = of(&edits[1..], edits[0].stamp);
            assert!(text.ends_with(&rest));
            assert_eq!(reads(&rest, edits[0].stamp).as_deref(), Some(&edits[1..]));
        }
    }

    #[test]
    fn an_edit_a_minute_takes_48_bytes_and_one_more_than_a_ledger_is_not_read_on() {
        let edits: Vec<EditRef> = (1..=LEDGER_MAX as u64 + 9)
            .map(|minute| edit((minute * 60_000) << 16, minute as u8))
            .collect();
        let text = of(&edits, Stamp::default());
        assert!(text.len() <= 48 * edits.len(), "{}", text.len());
        let read = read(&text, Stamp::default()).unwrap();
        assert_eq!(read.len(), LEDGER_MAX + 1);
    }
}
