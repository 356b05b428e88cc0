//! JavaScript as far as it is looked at: brackets must match, outside of strings and comments, and
//! a function declared must have a name.

/// The source, or the detail of "Invalid JS module.": njs's own words, in quotes of their own.
pub fn source(name: &str, body: &[u8]) -> Result<String, String> {
    let source = String::from_utf8_lossy(body).into_owned();
    let text = bare(&source);
    let complain = |what: &str, at: usize| {
        let line = text[..at].matches('\n').count() + 1;
        Err(format!("\"SyntaxError: {what} in {name}:{line}\""))
    };
    if text
        .trim_start()
        .strip_prefix("function")
        .is_some_and(|after| after.trim_start().starts_with('('))
    {
        return complain("Unexpected token \"(\"", text.find('(').unwrap_or(0));
    }
    let mut open = Vec::new();
    for (at, bracket) in text
        .char_indices()
        .filter(|(_, character)| "()[]{}".contains(*character))
    {
        match "([{".find(bracket) {
            Some(kind) => open.push(kind),
            None if open.pop() == ")]}".find(bracket) => {}
            None => return complain(&format!("Unexpected token \"{bracket}\""), at),
        }
    }
    if open.is_empty() {
        Ok(source)
    } else {
        complain("Unexpected end of input", text.len())
    }
}

/// With blanks where strings and comments stand; lines stay.
fn bare(source: &str) -> String {
    let mut bare = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => quoted(rest, first),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => 0,
        };
        let (skipped, after) = rest.split_at(length);
        bare.extend(
            skipped
                .chars()
                .map(|character| if character == '\n' { '\n' } else { ' ' }),
        );
        rest = after;
        if length == 0 {
            bare.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    bare
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = true; // the opening quote
    for (at, character) in text.char_indices() {
        if character == quote && !escaped {
            return at + 1;
        }
        escaped = at == 0 || character == '\\' && !escaped;
    }
    text.len()
}
