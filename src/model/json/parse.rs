//! The parser of Unit's JSON dialect.
//!
//! It makes one pass, keeps the open arrays and objects in a list of its own instead of on the
//! stack, and stops at the first fault. Which fault is reported where two could be follows Unit
//! 1.35.0 (`src/nxt_conf.c`), as do the words.

mod messages;
mod strings;

use std::borrow::Cow;
use std::marker::PhantomData;

use super::JsonError;
use super::Value;
use super::comments;
use super::make::{Make, Whole};
use crate::model::json::parse::messages::{
    AFTER_THE_END, ARRAY_NOT_CLOSED, BRACE_OR_COMMA, BRACKET_OR_COMMA, COLON_EXPECTED, DUPLICATE,
    EMPTY, LEADING_ZEROS, NAME_EXPECTED, NO_EXPONENT, NO_FRACTION, NO_VALUE, NOT_UTF8,
    NUMBER_TOO_LONG, OBJECT_NOT_CLOSED, OUT_OF_RANGE, TOO_DEEP, TOO_MANY_VALUES, VALUE_EXPECTED,
};

/// What a text may have at most.
pub(in crate::model) struct Bounds {
    /// Characters of a number.
    pub number: usize,
    /// Levels of arrays and objects.
    pub depth: usize,
    /// Scalars, arrays and objects.
    pub values: usize,
}

/// Reads the whole of `text`; see [`super::parse`].
pub(in crate::model) fn parse<'a, M: Make<'a>>(
    text: &'a [u8],
    bounds: Bounds,
) -> Result<Whole<M::Made>, JsonError> {
    let bytes = text.strip_prefix(BOM).unwrap_or(text);
    let has_mark = bytes.len() < text.len();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return Err(located(
                bytes,
                Fault {
                    detail: NOT_UTF8,
                    offset: error.valid_up_to(),
                },
            ));
        }
    };
    let mut parser = Parser::<'a, M> {
        text,
        bytes,
        at: 0,
        values: 0,
        levels: 0,
        is_compact: !has_mark,
        bounds,
        makes: PhantomData,
    };
    match parser.document() {
        Ok(made) => {
            let Parser {
                is_compact,
                levels,
                values,
                ..
            } = parser;
            Ok(Whole {
                made,
                is_compact,
                levels,
                values,
            })
        }
        Err(fault) => Err(located(bytes, fault)),
    }
}

struct Fault {
    detail: &'static str,
    offset: usize,
}

/// Counts lines and columns: only once something is wrong. Everything before a fault is UTF-8.
fn located(bytes: &[u8], fault: Fault) -> JsonError {
    let before = &bytes[..fault.offset];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let is_first_of_character = |byte: &&u8| **byte & 0xc0 != 0x80;
    let column = 1 + before[line_start..]
        .iter()
        .filter(is_first_of_character)
        .count();
    JsonError {
        detail: fault.detail,
        offset: fault.offset,
        line,
        column,
    }
}

/// An array or object whose end has not been seen.
enum Open<'a, M: Make<'a>> {
    Array(M::Elements),
    /// With the name of the member whose value comes next.
    Object(M::Members, Cow<'a, str>),
}

struct Parser<'a, M> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    values: usize,
    levels: usize,
    /// Whether all that was read is spelt as it would be printed.
    is_compact: bool,
    bounds: Bounds,
    makes: PhantomData<M>,
}

impl<'a, M: Make<'a>> Parser<'a, M> {
    fn document(&mut self) -> Result<M::Made, Fault> {
        self.skip_space();
        if self.peek().is_none() {
            return Err(Fault {
                detail: EMPTY,
                offset: 0,
            });
        }
        let value = self.value()?;
        self.skip_space();
        if self.peek().is_some() {
            self.fault(AFTER_THE_END)
        } else {
            Ok(value)
        }
    }

    fn value(&mut self) -> Result<M::Made, Fault> {
        let mut open = Vec::new();
        loop {
            let mut done = match self.begin(open.len())? {
                Begun::Open(container) => {
                    open.push(container);
                    continue;
                }
                Begun::Done(value) => value,
            };
            loop {
                let Some(container) = open.pop() else {
                    return Ok(done);
                };
                match self.put(container, done)? {
                    Begun::Open(container) => {
                        open.push(container);
                        break;
                    }
                    Begun::Done(value) => done = value,
                }
            }
        }
    }

    /// Reads a scalar, an empty array or object, or the beginning of another up to its first value.
    /// `depth` are open around it.
    fn begin(&mut self, depth: usize) -> Result<Begun<'a, M>, Fault> {
        if self.values == self.bounds.values {
            return self.fault(TOO_MANY_VALUES);
        }
        self.values += 1;
        let byte = self.peek();
        if matches!(byte, Some(b'{' | b'[')) && depth >= self.bounds.depth {
            return self.fault(TOO_DEEP);
        }
        if matches!(byte, Some(b'{' | b'[')) {
            self.levels = self.levels.max(depth + 1);
        }
        match byte {
            Some(b'{') => self.next_member(M::Members::default(), true),
            Some(b'[') => self.next_element(M::Elements::default(), true),
            Some(b'"') => Ok(Begun::Done(M::string(self.string()?))),
            _ => self.literal_or_number().map(Begun::Done),
        }
    }

    /// Adds a value to the array or object that it belongs to, and reads on to the next value or
    /// past the end.
    fn put(&mut self, container: Open<'a, M>, value: M::Made) -> Result<Begun<'a, M>, Fault> {
        self.skip_space();
        match container {
            Open::Array(mut elements) => {
                M::push(&mut elements, value);
                match self.peek() {
                    None => self.fault(ARRAY_NOT_CLOSED),
                    Some(b',') => self.next_element(elements, false),
                    Some(b']') => self.closed(M::array(elements)),
                    Some(_) => self.fault(BRACKET_OR_COMMA),
                }
            }
            Open::Object(mut members, name) => {
                M::insert(&mut members, name, value);
                match self.peek() {
                    None => self.fault(OBJECT_NOT_CLOSED),
                    Some(b',') => self.next_member(members, false),
                    Some(b'}') => self.closed(M::object(members)),
                    Some(_) => self.fault(BRACE_OR_COMMA),
                }
            }
        }
    }

    /// From a bracket or comma to the next element's first byte, or past the closing bracket.
    fn next_element(
        &mut self,
        elements: M::Elements,
        is_first: bool,
    ) -> Result<Begun<'a, M>, Fault> {
        self.at += 1;
        self.skip_space();
        self.is_compact &= is_first || self.peek() != Some(b']');
        match self.peek() {
            None => self.fault(ARRAY_NOT_CLOSED),
            Some(b']') => self.closed(M::array(elements)),
            Some(_) => Ok(Begun::Open(Open::Array(elements))),
        }
    }

    /// From a brace or comma over a member's name and colon to its value's first byte, or past the
    /// closing brace.
    fn next_member(&mut self, members: M::Members, is_first: bool) -> Result<Begun<'a, M>, Fault> {
        self.at += 1;
        self.skip_space();
        self.is_compact &= is_first || self.peek() != Some(b'}');
        match self.peek() {
            None => return self.fault(OBJECT_NOT_CLOSED),
            Some(b'}') => return self.closed(M::object(members)),
            Some(b'"') => {}
            Some(_) => return self.fault(NAME_EXPECTED),
        }
        let offset = self.at;
        let name = self.string()?;
        if M::has(&members, &name) {
            return Err(Fault {
                detail: DUPLICATE,
                offset,
            });
        }
        self.skip_space();
        match self.peek() {
            None => return self.fault(NO_VALUE),
            Some(b':') => self.at += 1,
            Some(_) => return self.fault(COLON_EXPECTED),
        }
        self.skip_space();
        if self.peek().is_none() {
            self.fault(NO_VALUE)
        } else {
            Ok(Begun::Open(Open::Object(members, name)))
        }
    }

    fn closed(&mut self, value: M::Made) -> Result<Begun<'a, M>, Fault> {
        self.at += 1;
        Ok(Begun::Done(value))
    }

    fn literal_or_number(&mut self) -> Result<M::Made, Fault> {
        let rest = &self.bytes[self.at..];
        for (text, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ] {
            if rest.starts_with(text.as_bytes()) {
                self.at += text.len();
                return Ok(M::literal(value));
            }
        }
        let digit = usize::from(rest.first() == Some(&b'-'));
        if !rest.get(digit).is_some_and(u8::is_ascii_digit) {
            return self.fault(VALUE_EXPECTED);
        }
        let number = self.number()?;
        let end = self.at + number.len();
        if self
            .bytes
            .get(end)
            .is_some_and(|next| !AFTER_A_NUMBER.contains(next))
        {
            return self.fault(VALUE_EXPECTED);
        }
        self.at = end;
        Ok(M::number(number))
    }

    /// Reads the number that begins here, without passing it: the caller may still find fault with
    /// what follows.
    fn number(&self) -> Result<&'a str, Fault> {
        let start = self.at;
        let fault = |detail, offset| Err(Fault { detail, offset });
        let digits_from = |from: usize| {
            from + self.bytes[from..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let first = start + usize::from(self.bytes[start] == b'-');
        let whole_end = digits_from(first);
        let mut end = whole_end;
        if self.bytes.get(end) == Some(&b'.') {
            end = digits_from(whole_end + 1);
            if end == whole_end + 1 {
                return fault(NO_FRACTION, first);
            }
        }
        // Unit lets a minus sign hide leading zeros; no JSON number type could carry that text on,
        // so it is refused the same way.
        if whole_end - first > 1 && self.bytes[first] == b'0' {
            return fault(LEADING_ZEROS, first);
        }
        if matches!(self.bytes.get(end), Some(b'e' | b'E')) {
            let exponent =
                end + 1 + usize::from(matches!(self.bytes.get(end + 1), Some(b'-' | b'+')));
            end = digits_from(exponent);
            if end == exponent {
                return fault(NO_EXPONENT, start);
            }
        }
        let text = self.text;
        let text = &text[start..end];
        if text.len() > self.bounds.number {
            return fault(NUMBER_TOO_LONG, start);
        }
        if !is_representable(text) {
            return fault(OUT_OF_RANGE, start);
        }
        Ok(text)
    }

    /// Passes white space and comments. A comment without its end is left standing: the caller will
    /// not expect a slash.
    fn skip_space(&mut self) {
        loop {
            let rest = &self.bytes[self.at..];
            let skipped = match rest {
                [b' ' | b'\t' | b'\n' | b'\r', ..] => Some(1),
                rest => comments::length(rest),
            };
            let Some(skipped) = skipped else { return };
            self.is_compact = false;
            self.at += skipped;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fault<T>(&self, detail: &'static str) -> Result<T, Fault> {
        Err(Fault {
            detail,
            offset: self.at,
        })
    }
}

/// What became of a value, or of what it was put into.
enum Begun<'a, M: Make<'a>> {
    /// The value is whole.
    Done(M::Made),
    /// A value inside it comes next.
    Open(Open<'a, M>),
}

/// Unit keeps the text but wants `strtod` to make something of it: nothing above 2^63, and nothing
/// that is not zero but so small that a double loses it.
fn is_representable(text: &str) -> bool {
    let Ok(number) = text.parse::<f64>() else {
        return false;
    };
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let is_zero = !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    number.abs() <= TWO_TO_63 && (is_zero || number.abs() >= f64::MIN_POSITIVE)
}

const BOM: &[u8] = b"\xef\xbb\xbf";
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
const AFTER_A_NUMBER: &[u8] = b" \t\r\n,}]{[\"/";
