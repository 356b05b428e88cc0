//! Names of fleets and groups: short, printable, and safe as the name of a directory.
//!
//! They come from peers, tokens and settings, and a group's becomes part of paths on disk: whatever
//! could lead elsewhere is no name. The names of hosts are free text, and never become paths; here
//! they are only put in a row.

use crate::limits::{GROUP_HOSTS_NAMED, NAME_MAX};

/// Whether `text` can name a fleet or a group: 1 to 63 letters, digits, `-`, `_` and `.`, not
/// beginning with a dot.
pub fn is_name(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    !text.is_empty()
        && text.len() <= NAME_MAX
        && !text.starts_with('.')
        && text.bytes().all(allowed)
}

/// These names in a row, sorted: the first [`GROUP_HOSTS_NAMED`], and how many more there are.
pub fn listed(mut names: Vec<String>) -> String {
    names.sort();
    let more = names.len().saturating_sub(GROUP_HOSTS_NAMED);
    names.truncate(GROUP_HOSTS_NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    names.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_can_be_a_directory_and_nothing_else() {
        assert!(is_name("default") && is_name("shop-floor_3.b"));
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "a b",
            "ä",
            "a\0",
            &"x".repeat(64),
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
