//! The beginning of a text that was cut off: what of it is whole.
//!
//! Unit closes its socket in the middle of a long answer. What came before is worth keeping: all
//! elements and members that are whole, and which one the cut went through. Only Unit's own output
//! is read so, which has no comments.

use super::{JsonError, Value, parse};

/// What can be read of a text that was cut off.
#[derive(Debug, Clone, PartialEq)]
pub struct Beginning {
    /// What came whole, in the arrays and objects that it stands in.
    pub value: Value,
    /// How many of those are not whole: `value` itself, the last that is in it, and so on. With 0
    /// the value is whole.
    pub open: usize,
    /// The name of the member that comes next in the innermost of them, if it could be read.
    pub next: Option<String>,
}

/// Reads the beginning of a text, under the rules of [`parse`].
pub fn parse_beginning(text: &[u8]) -> Result<Beginning, JsonError> {
    let mut scan = Scan {
        text,
        at: 0,
        open: Vec::new(),
        whole: 0,
        name: None,
    };
    while scan.step().is_some() {}
    let mut whole = text[..scan.whole].to_vec();
    whole.extend(scan.open.iter().rev());
    let next = scan
        .name
        .and_then(|(from, to)| parse(&text[from..to]).ok()?.as_str().map(str::to_owned));
    Ok(Beginning {
        value: parse(&whole)?,
        open: scan.open.len(),
        next,
    })
}

/// Goes through a text from value to value. What is wrong with it is for the parser to say.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    /// The brackets that are to be closed, the outermost first.
    open: Vec<u8>,
    /// Up to here the text is whole, but for those brackets.
    whole: usize,
    /// Where the name of a member stands whose value has not begun.
    name: Option<(usize, usize)>,
}

impl Scan<'_> {
    /// Passes one token. `None` at the end.
    fn step(&mut self) -> Option<()> {
        match *self.text.get(self.at)? {
            bracket @ (b'{' | b'[') => {
                self.open.push(if bracket == b'{' { b'}' } else { b']' });
                self.past_value(self.at + 1);
            }
            b'}' | b']' => {
                self.open.pop();
                self.past_value(self.at + 1);
            }
            b'"' => {
                let end = self.string_end()?;
                match self.name {
                    None if self.open.last() == Some(&b'}') => self.name = Some((self.at, end)),
                    _ => self.past_value(end),
                }
                self.at = end;
            }
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
            _ => {
                let rest = &self.text[self.at..];
                let length = rest.iter().position(|byte| b",:]} \t\r\n".contains(byte))?;
                self.past_value(self.at + length);
            }
        }
        Some(())
    }

    /// A value ends here, or an array or object begins.
    fn past_value(&mut self, at: usize) {
        (self.at, self.whole, self.name) = (at, at, None);
    }

    fn string_end(&self) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            match *self.text.get(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{compact, unit_format};
    use super::*;

    fn read(text: &str) -> (String, usize, Option<String>) {
        let Beginning { value, open, next } = parse_beginning(text.as_bytes()).unwrap();
        (compact(&value), open, next)
    }

    #[test]
    fn what_is_whole_before_a_cut_is_read_and_no_more() {
        let next = |name: &str| Some(name.to_owned());
        assert_eq!(
            read(r#"{"a": [1, 20, 3"#),
            (r#"{"a":[1,20]}"#.to_owned(), 2, None)
        );
        assert_eq!(
            read(r#"{"a": [1, 20, "#),
            (r#"{"a":[1,20]}"#.to_owned(), 2, None)
        );
        assert_eq!(
            read(r#"{"a": {"b": "x,}\"]", "c\u0041": "long"#),
            (r#"{"a":{"b":"x,}\"]"}}"#.to_owned(), 2, next("cA"))
        );
        assert_eq!(read(r#"{"a": 1, "b"#), (r#"{"a":1}"#.to_owned(), 1, None));
        assert_eq!(
            read(r#"{"a": 1, "b": "#),
            (r#"{"a":1}"#.to_owned(), 1, next("b"))
        );
        assert_eq!(
            read(r#"{"a": 1, "b": tru"#),
            (r#"{"a":1}"#.to_owned(), 1, next("b"))
        );
        assert_eq!(read(r#"{"a": {"#), (r#"{"a":{}}"#.to_owned(), 2, None));
        assert_eq!(
            read("{\"a\": {}\r\n}\r"),
            (r#"{"a":{}}"#.to_owned(), 0, None)
        );
        assert!(parse_beginning(br#""a text of which the end is not th"#).is_err());
        assert!(parse_beginning(b"").is_err());
    }

    #[test]
    fn wherever_a_text_is_cut_its_beginning_is_a_part_of_it() {
        let whole =
            parse(r#"{"é\\": [{"x": -1.5e3}, {}, [[]], "\"}"], "b": {"c": {"d": null}, "e": true}, "f": "ü"}"#.as_bytes())
                .unwrap();
        let text = unit_format(&whole);
        let mut last = 0;
        for end in 1..text.len() {
            let Beginning { value, open, .. } = parse_beginning(&text.as_bytes()[..end]).unwrap();
            assert!(
                is_part(&value, &whole, open),
                "{}",
                &text[..text.floor_char_boundary(end)]
            );
            let length = compact(&value).len();
            assert!(length >= last, "more text, and no less of a value");
            last = length;
        }
        assert_eq!(last, compact(&whole).len());
    }

    fn is_part(part: &Value, whole: &Value, open: usize) -> bool {
        match (part, whole) {
            _ if open == 0 => part == whole,
            (Value::Array(some), Value::Array(all)) => {
                some.iter().zip(all).enumerate().all(|(at, (a, b))| {
                    is_part(a, b, if at + 1 == some.len() { open - 1 } else { 0 })
                        || (at + 1 == some.len() && a == b)
                })
            }
            (Value::Object(some), Value::Object(all)) => {
                some.iter().enumerate().all(|(at, (name, a))| {
                    let b = all.get(name).unwrap();
                    is_part(a, b, if at + 1 == some.len() { open - 1 } else { 0 })
                        || (at + 1 == some.len() && a == b)
                })
            }
            _ => false,
        }
    }
}
