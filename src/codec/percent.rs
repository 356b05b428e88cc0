//! Percent-encoding (RFC 3986, section 2.1), which targets of requests, paths and some headers use.
//!
//! Which characters stay as they are is for the caller to say, for each place has its own. An
//! encoded byte is written with upper-case digits, and read with either.

/// Puts `text` at the end of `out`, with every byte of a character that does not stay written as a
/// percent sign and two digits.
pub fn encode_into(out: &mut String, text: &str, stays: impl Fn(char) -> bool) {
    for character in text.chars() {
        if stays(character) {
            out.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            out.extend([
                '%',
                char::from(DIGITS[usize::from(byte >> 4)]),
                char::from(DIGITS[usize::from(byte & 15)]),
            ]);
        }
    }
}

/// The encoded form of `text`; see [`encode_into`].
pub fn encode(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text, stays);
    out
}

/// The bytes that `text` stands for, one by one; `None` in place of one whose percent sign is not
/// followed by two digits.
pub fn decode(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    let mut rest = text.iter();
    std::iter::from_fn(move || match rest.next()? {
        b'%' => {
            let mut digit = || char::from(*rest.next()?).to_digit(16);
            let byte = digit().zip(digit()).map(|(high, low)| high << 4 | low);
            Some(byte.and_then(|byte| u8::try_from(byte).ok()))
        }
        byte => Some(Some(*byte)),
    })
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        decode(text.as_bytes()).collect()
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let text = "a/b c%d\u{e9}\u{1f600}\u{7f}\0";
        for stays in [
            |_| false,
            |c: char| c.is_ascii_alphanumeric(),
            |c: char| c != '%',
        ] {
            assert_eq!(
                decoded(&encode(text, stays)),
                Some(text.as_bytes().to_vec())
            );
        }
        assert_eq!(encode("a/\u{e9}", |c| c == 'a'), "a%2F%C3%A9");
    }

    #[test]
    fn either_case_is_read_and_half_a_byte_is_none() {
        assert_eq!(decoded("%2f%2F+"), Some(b"//+".to_vec()));
        for wrong in ["%", "%2", "%zz", "%+1", "a%%41"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
