//! Paths into a document: what stands between `PUT` and `HTTP/1.1`.
//!
//! A path is a list of tokens, each the name of a member or the index of an element. Parsing
//! follows Unit's control API: the query is dropped, slashes collapse, dots are resolved, and each
//! token is percent-decoded once *after* splitting, so that `%2F` is a slash within a name. Unlike
//! in Unit, a dot that is written `%2E` is a letter like any other: a member may be called `..`.
//! [`Path`]'s text is canonical: it parses back to the same path.

use std::fmt;

use crate::codec::percent;
use crate::limits::PATH_MAX;

/// A path, decoded. No token is empty or has a NUL, and together they have at most [`PATH_MAX`]
/// bytes. The path without tokens is `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    tokens: Vec<String>,
}

impl Path {
    /// The path of the configuration in a document: `/config`.
    pub fn config() -> Self {
        Self {
            tokens: vec!["config".to_owned()],
        }
    }

    /// From a request target: an absolute path, with or without query and fragment, which are
    /// dropped, as is one slash at the end.
    pub fn parse(target: impl AsRef<[u8]>) -> Result<Self, BadPath> {
        let target = target.as_ref();
        let end = target
            .iter()
            .position(|byte| matches!(byte, b'?' | b'#'))
            .unwrap_or(target.len());
        let rest = target[..end]
            .strip_prefix(b"/")
            .ok_or(BadPath::NotAbsolute)?;
        let mut tokens = Vec::new();
        for segment in rest.split(|byte| *byte == b'/') {
            match segment {
                b"" | b"." => {}
                b".." => drop(tokens.pop().ok_or(BadPath::AboveRoot)?),
                _ => tokens.push(decoded(segment)?),
            }
        }
        Self::bounded(tokens)
    }

    /// The path of these tokens, which are names as [`Path::child`] takes them.
    pub fn of<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, BadPath> {
        tokens
            .into_iter()
            .try_fold(Self { tokens: Vec::new() }, |path, token| path.child(token))
    }

    /// The path to something below this one. Its name may be anything but empty, or with a NUL in
    /// it: no text could say that.
    pub fn child(&self, token: &str) -> Result<Self, BadPath> {
        if token.is_empty() {
            return Err(BadPath::Empty);
        }
        if token.contains('\0') {
            return Err(BadPath::Nul);
        }
        let mut tokens = self.tokens.clone();
        tokens.push(token.to_owned());
        Self::bounded(tokens)
    }

    /// The tokens, decoded, from the root down.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Whether it is `/config` or below.
    pub fn is_config(&self) -> bool {
        self.tokens.first().is_some_and(|token| token == "config")
    }

    fn bounded(tokens: Vec<String>) -> Result<Self, BadPath> {
        let length = tokens.iter().map(String::len).sum::<usize>();
        if length > PATH_MAX {
            Err(BadPath::TooLong)
        } else {
            Ok(Self { tokens })
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.tokens
            .iter()
            .for_each(|token| push_token(&mut text, token));
        f.write_str(if text.is_empty() { "/" } else { &text })
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

/// Why a request target is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// The path does not begin with a slash.
    NotAbsolute,
    /// A percent sign without two hexadecimal digits.
    Percent,
    /// A NUL, plain or encoded.
    Nul,
    /// More `..` than there are levels.
    AboveRoot,
    /// A token that is not UTF-8 once decoded.
    NotUtf8,
    /// A token without characters.
    Empty,
    /// More than [`PATH_MAX`] bytes.
    TooLong,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => f.write_str("a path begins with a slash"),
            Self::Percent => f.write_str("a percent sign is followed by two hexadecimal digits"),
            Self::Nul => f.write_str("a path has no NUL in it"),
            Self::AboveRoot => f.write_str("the path leads above the root"),
            Self::NotUtf8 => f.write_str("the path is not UTF-8"),
            Self::Empty => f.write_str("a token of a path is not empty"),
            Self::TooLong => write!(f, "a path has at most {PATH_MAX} bytes"),
        }
    }
}

impl std::error::Error for BadPath {}

/// Whether a path can have this token: a member may have a name that none can spell.
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty() && !name.contains('\0')
}

/// Puts a slash and the encoded token at the end of a path's text.
///
/// Encoded is only what would otherwise be taken for something else, and control characters, so
/// that the text can be shown.
pub(crate) fn push_token(text: &mut String, token: &str) {
    text.push('/');
    if matches!(token, "." | "..") {
        text.extend(std::iter::repeat_n("%2E", token.len()));
        return;
    }
    percent::encode_into(text, token, |c| {
        !matches!(c, '%' | '/' | ' ' | '?' | '#') && !c.is_control()
    });
}

/// The element that a token names in an array: decimal digits, leading zeros allowed, at most 2^31
/// - 1 (Unit, `nxt_conf_get_path`).
pub(crate) fn element_index(token: &str) -> Option<usize> {
    let is_decimal = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let index = token
        .parse::<u32>()
        .ok()
        .filter(|index| is_decimal && *index <= INDEX_MAX)?;
    usize::try_from(index).ok()
}

fn decoded(segment: &[u8]) -> Result<String, BadPath> {
    let byte = |byte| match byte {
        None => Err(BadPath::Percent),
        Some(0) => Err(BadPath::Nul),
        Some(byte) => Ok(byte),
    };
    let bytes = percent::decode(segment)
        .map(byte)
        .collect::<Result<_, _>>()?;
    String::from_utf8(bytes).map_err(|_| BadPath::NotUtf8)
}

const INDEX_MAX: u32 = i32::MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(target: &str) -> Result<Vec<String>, BadPath> {
        Path::parse(target).map(|path| path.tokens)
    }

    #[test]
    fn a_target_is_taken_apart_as_unit_does_it() {
        for (target, expected) in [
            ("/", &[][..]),
            ("/config", &["config"]),
            ("/config/?pretty=1#x", &["config"]),
            ("/config#?", &["config"]),
            ("//config//routes//", &["config", "routes"]),
            ("/config/./listeners/../routes/.", &["config", "routes"]),
            ("/config/routes/..", &["config"]),
            ("/config/routes/a%2Fb", &["config", "routes", "a/b"]),
            ("/config/routes/a%252Fb", &["config", "routes", "a%2Fb"]),
            ("/config/a+b%3f%23/ c", &["config", "a+b?#", " c"]),
            ("/config/%C3%A9/é", &["config", "é", "é"]),
            ("/config/%2E%2e/x", &["config", "..", "x"]),
        ] {
            assert_eq!(tokens(target).unwrap(), expected, "{target}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_by_name() {
        for (target, expected) in [
            ("", BadPath::NotAbsolute),
            ("*", BadPath::NotAbsolute),
            ("http://localhost/config", BadPath::NotAbsolute),
            ("/config/p%q", BadPath::Percent),
            ("/config/%2", BadPath::Percent),
            ("/config/%+1", BadPath::Percent),
            ("/config/%00", BadPath::Nul),
            ("/config/\0", BadPath::Nul),
            ("/config/../..", BadPath::AboveRoot),
            ("/%ff", BadPath::NotUtf8),
        ] {
            assert_eq!(tokens(target), Err(expected), "{target}");
        }
        assert_eq!(
            Path::parse(format!("/{}", "x".repeat(PATH_MAX + 1))),
            Err(BadPath::TooLong)
        );
        assert!(Path::parse(format!("/{}", "x".repeat(PATH_MAX))).is_ok());
        assert_eq!(
            Path::parse("/config").unwrap().child(""),
            Err(BadPath::Empty)
        );
    }

    #[test]
    fn every_path_is_what_its_text_parses_to() {
        let mut path = Path::parse("/").unwrap();
        assert_eq!(path.to_string(), "/");
        for token in [
            "config",
            ".",
            "..",
            "a/b",
            "p%q",
            "%2F",
            "sp ace",
            "?",
            "#",
            "*:8080",
            "é😀",
            "\u{1}\u{85}\u{7f}",
            "...",
        ] {
            path = path.child(token).unwrap();
            assert_eq!(Path::parse(path.to_string()), Ok(path.clone()));
        }
        assert_eq!(
            path.to_string(),
            "/config/%2E/%2E%2E/a%2Fb/p%25q/%252F/sp%20ace/%3F/%23/*:8080/é😀/%01%C2%85%7F/..."
        );
        assert!(path.is_config());
        assert!(!Path::parse("/configuration").unwrap().is_config());
    }

    #[test]
    fn an_index_is_digits_only() {
        assert_eq!(element_index("00"), Some(0));
        assert_eq!(element_index("007"), Some(7));
        assert_eq!(element_index("2147483647"), Some(2_147_483_647));
        for token in [
            "",
            "+1",
            "-1",
            "x",
            "1x",
            "2147483648",
            "99999999999999999999",
        ] {
            assert_eq!(element_index(token), None, "{token}");
        }
    }
}
