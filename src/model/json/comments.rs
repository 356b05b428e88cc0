//! Comments of Unit's JSON dialect.
//!
//! How long one is, for whoever reads over it; and how a text is read in which they are not UTF-8,
//! as all the rest of it must be.

use std::borrow::Cow;

/// How long the comment is that begins here, to the end of its line or of its mark; `None` if none
/// does, or it has no end.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    match text {
        [b'/', b'/', comment @ ..] => comment
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|end| 2 + end + 1),
        [b'/', b'*', comment @ ..] => comment
            .windows(2)
            .position(|pair| pair == b"*/")
            .map(|end| 2 + end + 2),
        _ => None,
    }
}

/// The same text, with a question mark in place of each byte of a comment that is not UTF-8: no
/// place changes. Unit takes whatever stands in a comment: the comment goes, and its bytes with it.
pub(super) fn sound(text: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(text).is_ok() {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_owned();
    let mut at = 0;
    while at < text.len() {
        at += match text[at] {
            b'"' => string_length(&text[at..]),
            b'/' => length(&text[at..])
                .inspect(|length| mend(&mut text[at..at + length]))
                .unwrap_or(1),
            _ => 1,
        };
    }
    Cow::Owned(text)
}

/// How long the string is that begins here, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = text[1..].iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |end| end + 2)
}

fn mend(comment: &mut [u8]) {
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&comment[at..]) {
        let start = at + error.valid_up_to();
        at = error
            .error_len()
            .map_or(comment.len(), |length| start + length);
        comment[start..at].fill(b'?');
    }
}
