//! Strings of a JSON payload: where one ends, and what its escapes stand for.
//!
//! A string without escapes is borrowed from the payload.

use std::borrow::Cow;

use super::super::make::Make;
use super::super::print;
use crate::model::json::parse::messages::{
    BAD_ESCAPE, BAD_SURROGATE_PAIR, CONTROL_CHARACTER, LONE_SURROGATE, STRAY_BACKSLASH,
    STRING_NOT_CLOSED,
};
use crate::model::json::parse::{Fault, Parser};

fn simple_escape(letter: u8) -> char {
    match letter {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        itself => char::from(itself),
    }
}

impl<'a, M: Make<'a>> Parser<'a, M> {
    /// Reads a string from its first quote past its last. Two passes, as in Unit: surrogates are
    /// looked at only in a string that is otherwise whole.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at + 1;
        let (end, is_plain) = self.string_end(start)?;
        self.at = end + 1;
        let text = self.text;
        if is_plain {
            return Ok(Cow::Borrowed(&text[start..end]));
        }
        let string = self.unescaped(start, end)?;
        self.is_compact =
            self.is_compact && print::quoted(&string).as_bytes() == &self.bytes[start - 1..=end];
        Ok(Cow::Owned(string))
    }

    /// Where the string that begins at `start` has its last quote, and whether it is without
    /// escapes.
    fn string_end(&self, start: usize) -> Result<(usize, bool), Fault> {
        let mut at = start;
        let mut is_plain = true;
        loop {
            match self.bytes.get(at) {
                None => {
                    return Err(Fault {
                        detail: STRING_NOT_CLOSED,
                        offset: at,
                    });
                }
                Some(b'"') => return Ok((at, is_plain)),
                Some(b'\\') => {
                    is_plain = false;
                    at = self.escape_end(at)?;
                }
                Some(..=0x1f) => {
                    return Err(Fault {
                        detail: CONTROL_CHARACTER,
                        offset: at,
                    });
                }
                Some(_) => at += 1,
            }
        }
    }

    fn escape_end(&self, backslash: usize) -> Result<usize, Fault> {
        let digits = backslash + 2;
        match self.bytes.get(backslash + 1) {
            None => {
                return Err(Fault {
                    detail: STRING_NOT_CLOSED,
                    offset: backslash + 1,
                });
            }
            Some(b'"' | b'\\' | b'/' | b'n' | b'r' | b't' | b'b' | b'f') => return Ok(digits),
            Some(b'u') => {}
            Some(_) => {
                return Err(Fault {
                    detail: STRAY_BACKSLASH,
                    offset: backslash,
                });
            }
        }
        for at in digits..digits + 4 {
            match self.bytes.get(at) {
                None => {
                    return Err(Fault {
                        detail: STRING_NOT_CLOSED,
                        offset: at,
                    });
                }
                Some(digit) if digit.is_ascii_hexdigit() => {}
                Some(_) => {
                    return Err(Fault {
                        detail: BAD_ESCAPE,
                        offset: at,
                    });
                }
            }
        }
        Ok(digits + 4)
    }

    /// The string between two quotes, whose escapes are known to be whole.
    fn unescaped(&self, start: usize, end: usize) -> Result<String, Fault> {
        let mut string = String::with_capacity(end - start);
        let mut at = start;
        while let Some(plain) = self.text[at..end].find('\\') {
            string.push_str(&self.text[at..at + plain]);
            at += plain;
            let (character, length) = match self.bytes[at + 1] {
                b'u' => self.code_point(at)?,
                letter => (simple_escape(letter), 2),
            };
            string.push(character);
            at += length;
        }
        string.push_str(&self.text[at..end]);
        Ok(string)
    }

    /// The character that one `\uXXXX` or a surrogate pair of two stands for, and how many bytes
    /// that was.
    fn code_point(&self, at: usize) -> Result<(char, usize), Fault> {
        let unit = |at: usize| {
            u32::from_str_radix(&self.text[at + 2..at + 6], 16).expect("four digits were seen")
        };
        let high = unit(at);
        if let Some(character) = char::from_u32(high) {
            return Ok((character, 6));
        }
        if high > 0xdbff || !self.bytes[at + 6..].starts_with(b"\\u") {
            return Err(Fault {
                detail: LONE_SURROGATE,
                offset: at,
            });
        }
        let low = unit(at + 6);
        if !(0xdc00..=0xdfff).contains(&low) {
            return Err(Fault {
                detail: BAD_SURROGATE_PAIR,
                offset: at,
            });
        }
        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        Ok((
            char::from_u32(code).expect("a surrogate pair stands for a character"),
            12,
        ))
    }
}
