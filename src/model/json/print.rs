//! Writing JSON, in Unit's spelling: compact, as in its `conf.json`, or laid out as in its answers.
//!
//! Member order and number text are the value's own. Escapes are Unit's (`src/nxt_conf.c`): quote,
//! backslash and control characters only, hexadecimal digits in upper case.

use std::fmt;

use super::Value;

/// The text without white space.
pub fn compact(value: &Value) -> String {
    let mut text = String::new();
    print(value, None, &mut text);
    text
}

/// The body of Unit's answer: indented by tabs, lines ended by CR LF, an empty line after a member
/// that is a non-empty object or array, one line end after the value.
pub fn unit_format(value: &Value) -> String {
    let mut text = String::new();
    print(value, Some(0), &mut text);
    text.push_str(NEWLINE);
    text
}

/// The length in bytes of what [`unit_format`] makes of a value, for which nothing is printed.
pub fn unit_length(value: &Value) -> u64 {
    let mut length = ByteCount(0);
    print(value, Some(0), &mut length);
    length.0 + NEWLINE.len() as u64
}

/// A string as [`compact`] writes it.
pub(super) fn quoted(string: &str) -> String {
    let mut text = String::new();
    print_string(string, &mut text);
    text
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&compact(self))
    }
}

/// Where the text goes.
trait Sink {
    fn push_str(&mut self, text: &str);

    fn push(&mut self, character: char) {
        self.push_str(character.encode_utf8(&mut [0; 4]));
    }
}

impl Sink for String {
    fn push_str(&mut self, text: &str) {
        self.push_str(text);
    }
}

/// Counts what would be printed.
struct ByteCount(u64);

impl Sink for ByteCount {
    fn push_str(&mut self, text: &str) {
        self.0 += text.len() as u64;
    }
}

/// `level` is how far the value is indented; `None` prints without white space.
fn print(value: &Value, level: Option<usize>, text: &mut impl Sink) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(number.as_str()),
        Value::String(string) => print_string(string, text),
        Value::Array(elements) => print_all(
            elements.iter().map(|element| (None, element)),
            b"[]",
            level,
            text,
        ),
        Value::Object(members) => print_all(
            members.iter().map(|(name, value)| (Some(name), value)),
            b"{}",
            level,
            text,
        ),
    }
}

fn print_all<'a, I>(all: I, brackets: &[u8; 2], level: Option<usize>, text: &mut impl Sink)
where
    I: Iterator<Item = (Option<&'a String>, &'a Value)>,
{
    let inside = level.map(|level| level + 1);
    let mut is_first = true;
    let mut needs_space = false;
    text.push(char::from(brackets[0]));
    for (name, value) in all {
        if !is_first {
            text.push(',');
        }
        if needs_space && level.is_some() {
            text.push_str(NEWLINE);
        }
        new_line(inside, text);
        if let Some(name) = name {
            print_string(name, text);
            text.push_str(if level.is_some() { ": " } else { ":" });
        }
        print(value, inside, text);
        is_first = false;
        needs_space = name.is_some() && is_filled(value);
    }
    if !is_first {
        new_line(level, text);
    }
    text.push(char::from(brackets[1]));
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    }
}

fn new_line(level: Option<usize>, text: &mut impl Sink) {
    if let Some(level) = level {
        text.push_str(NEWLINE);
        (0..level).for_each(|_| text.push('\t'));
    }
}

fn print_string(string: &str, text: &mut impl Sink) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('"');
    let mut rest = string;
    while let Some(at) = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\x1f')) {
        text.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x08 => text.push_str("\\b"),
            0x0c => text.push_str("\\f"),
            control @ ..=0x1f => {
                text.push_str("\\u00");
                text.push(char::from(DIGITS[usize::from(control >> 4)]));
                text.push(char::from(DIGITS[usize::from(control & 15)]));
            }
            itself => {
                text.push('\\');
                text.push(char::from(itself));
            }
        }
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
    text.push('"');
}

const NEWLINE: &str = "\r\n";
