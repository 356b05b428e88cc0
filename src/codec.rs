//! Reading and writing of the binary formats: big-endian numbers, fixed arrays, counted byte
//! strings.
//!
//! Everything that comes from a peer or a file passes through [`Reader`], which never allocates and
//! never panics: a value that is not there, or longer than its bound, is a [`Malformed`] that names
//! the field and the place. [`Writer`] is its mirror.

pub mod percent;

use std::fmt;

/// A byte string that does not have the form it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// The field that was wrong.
    pub what: &'static str,
    /// Where in the input, in bytes from its start.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad {} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Malformed {}

/// Takes values off the front of a byte slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let end = self
            .at
            .checked_add(count)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(Malformed { what, at: self.at })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        Ok(self
            .take(N, what)?
            .try_into()
            .expect("take gives the length asked for"))
    }

    /// A single byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    /// A byte string counted by one byte, at most `max` long.
    pub fn short(&mut self, max: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let at = self.at;
        let count = usize::from(self.u8(what)?);
        if count > max {
            Err(Malformed { what, at })
        } else {
            self.take(count, what)
        }
    }

    /// A byte string counted by two bytes, at most `max` long.
    pub fn medium(&mut self, max: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let at = self.at;
        let count = usize::from(self.u16(what)?);
        if count > max {
            Err(Malformed { what, at })
        } else {
            self.take(count, what)
        }
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Nothing may be left.
    pub fn end(&self, what: &'static str) -> Result<(), Malformed> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.malformed(what))
        }
    }

    /// The error for a field that was read but makes no sense.
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }
}

/// Puts values one after the other.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer that has written nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A single byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// The bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A byte string counted by one byte.
    pub fn short(&mut self, bytes: &[u8]) -> &mut Self {
        let count = u8::try_from(bytes.len()).expect("callers bound what they write");
        self.u8(count).raw(bytes)
    }

    /// A byte string counted by two bytes.
    pub fn medium(&mut self, bytes: &[u8]) -> &mut Self {
        let count = u16::try_from(bytes.len()).expect("callers bound what they write");
        self.u16(count).raw(bytes)
    }

    /// The bytes that were written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The bytes that [`hex`] wrote; `None` if it is anything else (upper case included: one text for
/// one value).
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

/// [`unhex`] into an array of exactly `N` bytes.
pub fn unhex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_string_beyond_its_bound_is_refused_before_it_is_taken() {
        let mut reader = Reader::new(&[5, 1, 2, 3, 4, 5]);
        assert_eq!(
            reader.short(4, "name"),
            Err(Malformed {
                what: "name",
                at: 0
            })
        );
        assert_eq!(
            Reader::new(&[5, 1]).short(9, "name"),
            Err(Malformed {
                what: "name",
                at: 1
            })
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::new();
        writer
            .u8(1)
            .u16(2)
            .u32(3)
            .u64(4)
            .short(b"five")
            .medium(b"six")
            .raw(b"rest");
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8("a"), Ok(1));
        assert_eq!(reader.u16("b"), Ok(2));
        assert_eq!(reader.u32("c"), Ok(3));
        assert_eq!(reader.u64("d"), Ok(4));
        assert_eq!(reader.short(8, "e"), Ok(&b"five"[..]));
        assert_eq!(reader.medium(8, "f"), Ok(&b"six"[..]));
        assert!(reader.end("end").is_err());
        assert_eq!(reader.rest(), b"rest");
        assert!(reader.end("end").is_ok());
    }

    #[test]
    fn hexadecimal_has_one_spelling() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
        assert_eq!(unhex("00abff"), Some(vec![0, 0xab, 0xff]));
        assert_eq!(unhex("00ABFF"), None);
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex_array::<2>("00abff"), None);
    }
}
