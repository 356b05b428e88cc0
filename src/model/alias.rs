//! An alias: the name under which a certificate stands on a server.
//!
//! Unit cannot replace a certificate. So one is stored under its name and a part of its content's
//! hash, `NAME~0123456789ab`: another content is another name, the configuration is switched to it
//! in one step, and the old one goes last. Which content a server has is told by the name alone, so
//! nothing need be remembered.

use super::resources;
use crate::codec::hex;

/// Whether a name on a server is an alias, and so was given by Starling: nobody else ends a name in
/// a tilde and twelve digits of a hash.
pub fn is_alias(text: &str) -> bool {
    split(text).is_some()
}

/// The plain name in an alias, whatever its content is; any other name as it is.
pub(crate) fn stripped(name: &str) -> &str {
    split(name).map_or(name, |(name, _)| name)
}

/// The alias of what people call `name` and whose content is `content`.
pub fn alias(name: &str, content: &str) -> String {
    let digits = hex(&resources::fingerprint(content));
    format!("{name}{MARK}{}", &digits[..DIGITS])
}

/// The plain name and the digits of an alias.
pub(super) fn split(alias: &str) -> Option<(&str, &str)> {
    let (name, digits) = alias.rsplit_once(MARK)?;
    let is_hash = digits.len() == DIGITS
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hash && !name.is_empty()).then_some((name, digits))
}

const MARK: char = '~';
/// Hexadecimal digits of the hash: two contents of one name never meet in 48 bits by chance.
const DIGITS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_no_aliases() {
        for name in [
            "a",
            "a~",
            "~0123456789ab",
            "a~0123456789a",
            "a~0123456789AB",
            "a~0123456789abc",
            "a~0123456789ab ",
        ] {
            assert!(!is_alias(name), "{name}");
        }
        assert!(is_alias("a~b~0123456789ab"));
    }
}
