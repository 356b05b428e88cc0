//! A source file as the rules see it: its text, its code without comments and literals, and its
//! product without tests.
//!
//! This is no parser. It knows comments, literals, brackets, paths and where an item ends, which is
//! enough for code that rustfmt has been over; the snippets in `snippets.rs` hold it to that. All
//! three views have the same length, so that an offset found in one means the same in the others.

use std::ops::Range;

/// One file below `src/`.
pub struct Source {
    /// Where it lies below `src/`, such as `wire/session.rs`.
    pub path: String,
    /// As written.
    pub text: String,
    /// The text with comments, and what stands in string and character literals, replaced by
    /// spaces.
    pub code: String,
    /// The code with every item under `#[cfg(test)]` replaced by spaces; nothing at all in a file
    /// that is a test module.
    pub product: String,
}

/// A path such as `std::net::TcpStream`; the members of a `use` group are paths of their own.
#[derive(Debug, PartialEq)]
pub struct Path<'a> {
    pub offset: usize,
    pub segments: Vec<&'a str>,
    /// Whether it stands in a `use`.
    pub imported: bool,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = mask(text);
        let product = without_tests(&code);
        Self {
            path: path.into(),
            text: text.into(),
            code,
            product,
        }
    }

    /// The line, counted from 1, on which `offset` lies.
    pub fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count()
            + 1
    }

    /// The module that the file is: `["wire", "session"]`, and `[]` for `lib.rs` and `main.rs`.
    pub fn module(&self) -> Vec<&str> {
        let mut module: Vec<&str> = self.path.trim_end_matches(".rs").split('/').collect();
        if matches!(module[..], ["lib" | "main"]) || module.last() == Some(&"mod") {
            module.pop();
        }
        module
    }

    /// What `#[cfg(test)] mod NAME;` names here: the start of the paths of the files that are tests
    /// for it.
    pub fn test_modules(&self) -> Vec<String> {
        let here = self
            .path
            .rsplit_once('/')
            .map_or(String::new(), |(directory, _)| format!("{directory}/"));
        let below: String = self
            .module()
            .iter()
            .map(|name| format!("{name}/"))
            .collect();
        let mut found = Vec::new();
        for (start, _) in self.code.match_indices(CFG_TEST) {
            let item = after_attributes(&self.code, start);
            let head = self.code[item..]
                .split([';', '{'])
                .next()
                .expect("a split has a first part");
            let declared = self.code[item + head.len()..].starts_with(';');
            let Some(name) = head.trim().strip_prefix("mod ").filter(|_| declared) else {
                continue;
            };
            let attributes = &self.text[start..item];
            match attributes
                .split_once("#[path = \"")
                .and_then(|(_, rest)| rest.split_once('"'))
            {
                Some((path, _)) => found.push(format!("{here}{path}")),
                None => found.extend([format!("{below}{name}.rs"), format!("{below}{name}/")]),
            }
        }
        found
    }
}

/// Every path in `code`, single names included.
pub fn paths(code: &str) -> Vec<Path<'_>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = |back: usize| at.checked_sub(back).map_or("", |place| tokens[place].1);
        let imported = before(1) == "use" || (before(1) == "::" && before(2) == "use");
        let is_field = before(1) == ".";
        if is_name(tokens[at].1) && !is_field && !BEFORE_PATHS.contains(&tokens[at].1) {
            at = expand(&tokens, at, &[], imported, &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// The bodies of modules written out in the file they stand in.
pub fn inline_modules(code: &str) -> Vec<Range<usize>> {
    let tokens = tokens(code);
    let bodies = tokens
        .windows(3)
        .filter(|three| three[0].1 == "mod" && three[2].1 == "{");
    bodies
        .map(|three| three[2].0..closing(code, three[2].0))
        .collect()
}

/// Where `word` stands in `code` as a whole word.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|&byte| is_name_byte(byte));
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let bytes = code.as_bytes();
            !is_part(at.checked_sub(1).and_then(|before| bytes.get(before)))
                && !is_part(bytes.get(at + word.len()))
        })
}

fn is_name(token: &str) -> bool {
    token
        .bytes()
        .next()
        .is_some_and(|byte| is_name_byte(byte) && !byte.is_ascii_digit())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Names and numbers, `::`, and every other character by itself, with their offsets.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = if is_name_byte(bytes[at]) {
            bytes[at..]
                .iter()
                .take_while(|&&byte| is_name_byte(byte))
                .count()
        } else if bytes[at..].starts_with(b"::") {
            2
        } else {
            1
        };
        if !bytes[at].is_ascii_whitespace() {
            found.push((at, &code[at..at + length]));
        }
        at += length;
    }
    found
}

/// Takes the path that begins at the name `tokens[at]`, below `prefix`; answers the place after it.
fn expand<'a>(
    tokens: &[(usize, &'a str)],
    at: usize,
    prefix: &[&'a str],
    imported: bool,
    found: &mut Vec<Path<'a>>,
) -> usize {
    let mut segments = prefix.to_vec();
    let offset = tokens[at].0;
    let mut next = at;
    loop {
        if tokens[next].1 != "self" || segments.is_empty() {
            segments.push(tokens[next].1);
        }
        next += 1;
        let follows = |ahead: usize| tokens.get(next + ahead).map_or("", |token| token.1);
        match (follows(0), follows(1)) {
            ("::", name) if is_name(name) || name == "*" => next += 1,
            ("::", "{") => return expand_group(tokens, next + 2, &segments, imported, found),
            _ => break,
        }
    }
    found.push(Path {
        offset,
        segments,
        imported,
    });
    next
}

/// Takes the members of a group in braces, of which `tokens[at]` is the first; answers the place
/// after the closing brace.
fn expand_group<'a>(
    tokens: &[(usize, &'a str)],
    mut at: usize,
    prefix: &[&'a str],
    imported: bool,
    found: &mut Vec<Path<'a>>,
) -> usize {
    while at < tokens.len() && tokens[at].1 != "}" {
        match tokens[at].1 {
            "as" => at += 2, // the new name is no path
            name if is_name(name) || name == "*" => {
                at = expand(tokens, at, prefix, imported, found)
            }
            _ => at += 1,
        }
    }
    at + 1
}

/// The offset after the bracket that closes the one at `open`; the end of `code` if none does.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Where the item that begins at `start` ends: after its block or its semicolon. With `is_part`,
/// for a field or a variant, before the comma or the bracket that closes what it stands in.
fn item_end(code: &str, start: usize, is_part: bool) -> usize {
    let bytes = code.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => return closing(code, at),
            b';' => return at + 1,
            b',' if is_part => return at,
            b'}' | b')' | b']' => return at,
            b'(' | b'[' => at = closing(code, at),
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The offset of what the attributes at `start` are about.
fn after_attributes(code: &str, start: usize) -> usize {
    let mut at = start;
    loop {
        at += code[at..].len() - code[at..].trim_start().len();
        if !code[at..].starts_with("#[") {
            return at;
        }
        at = closing(code, at + 1);
    }
}

fn without_tests(code: &str) -> String {
    let mut product = code.to_string();
    for (start, _) in code.match_indices(CFG_TEST) {
        let item = after_attributes(code, start);
        let first = tokens(&code[item..]).first().map_or("", |token| token.1);
        let end = item_end(code, item, !ITEM_WORDS.contains(&first));
        product.replace_range(start..end, &blank(&code[start..end]));
    }
    product
}

/// `text` with every byte but line ends replaced by a space.
pub fn blank(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect()
}

/// The text without comments, without what stands in literals, and without anything that is not
/// ASCII.
fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    while masked.len() < text.len() {
        let at = masked.len();
        let rest = &text.as_bytes()[at..];
        let follows_name = masked.bytes().next_back().is_some_and(is_name_byte);
        let comment = comment_length(rest);
        let literal = if follows_name && rest[0] != b'"' && rest[0] != b'\'' {
            0
        } else {
            literal_length(rest)
        };
        if comment > 0 {
            masked += &blank_bytes(&rest[..comment]);
        } else if literal > 1 {
            masked.push('"');
            masked += &blank_bytes(&rest[1..literal - 1]);
            masked.push('"');
        } else {
            masked.push(if rest[0].is_ascii() {
                char::from(rest[0])
            } else {
                ' '
            });
        }
    }
    masked
}

fn blank_bytes(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect()
}

/// The length of the comment that `rest` begins with, or 0.
fn comment_length(rest: &[u8]) -> usize {
    if rest.starts_with(b"//") {
        return rest
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(rest.len());
    }
    if !rest.starts_with(b"/*") {
        return 0;
    }
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the string or character literal that `rest` begins with, or 0.
fn literal_length(rest: &[u8]) -> usize {
    let prefix = rest
        .iter()
        .take_while(|&&byte| matches!(byte, b'b' | b'c' | b'r'))
        .count();
    let hashes = rest[prefix..]
        .iter()
        .take_while(|&&byte| byte == b'#')
        .count();
    let is_raw = rest[..prefix].ends_with(b"r");
    match rest.get(prefix + hashes) {
        Some(b'"') if is_raw => {
            let end = [&b"\""[..], &b"#".repeat(hashes)].concat();
            let inside = prefix + hashes + 1;
            let found = rest[inside..]
                .windows(end.len())
                .position(|window| window == end);
            found.map_or(rest.len(), |length| inside + length + end.len())
        }
        Some(b'"') if hashes == 0 => prefix + quoted_length(&rest[prefix..], b'"'),
        Some(b'\'') if hashes == 0 => {
            let quoted = &rest[prefix..];
            let character = std::str::from_utf8(&quoted[1..quoted.len().min(5)])
                .map_or_else(|e| e.valid_up_to(), str::len);
            let first = quoted.get(1).map_or(1, |&byte| {
                if byte.is_ascii() {
                    1
                } else {
                    byte.leading_ones() as usize
                }
            });
            // 'a' is a character, 'a without a second quote a lifetime.
            let is_character = quoted.get(1) == Some(&b'\\')
                || (character >= first && quoted.get(1 + first) == Some(&b'\''));
            if is_character {
                prefix + quoted_length(quoted, b'\'')
            } else {
                0
            }
        }
        _ => 0,
    }
}

/// The length of what `rest` begins with, from quote to quote.
fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Words that a path with `::` in front may follow, and that are no part of it.
const BEFORE_PATHS: [&str; 10] = [
    "use", "as", "dyn", "for", "if", "impl", "in", "match", "return", "while",
];
const CFG_TEST: &str = "#[cfg(test)]";
/// What an item begins with; anything else under `#[cfg(test)]` is a field, a variant or an arm.
const ITEM_WORDS: [&str; 12] = [
    "fn",
    "mod",
    "use",
    "impl",
    "struct",
    "enum",
    "const",
    "static",
    "type",
    "trait",
    "pub",
    "macro_rules",
];
