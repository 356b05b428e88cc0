//! Whether there are descriptors for one connection more, at the price of one system call.
//!
//! Linux shows since 6.2 how many descriptors a process has open, as the size of `/proc/self/fd`.
//! Where that and the limit leave plenty, nothing else is asked. Where they do not, or nothing is
//! shown, as on an older kernel or without `/proc`, descriptors are opened to see whether they can
//! be: that is always the truth, but takes two calls each, at every request.

use std::fs;

use crate::daemon::stream::Stream;

/// What is known of the descriptors of this process.
pub(super) struct OpenFiles {
    /// How many may be open at once, as it was at the start; `None` if that is not shown.
    limit: Option<u64>,
}

impl OpenFiles {
    /// Reads the limit, once: a process keeps that which it was started with, unless somebody
    /// lowers it from outside. Then connections fail to be accepted, and are tried again.
    pub(super) fn new() -> Self {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            limit: soft_limit(&limits),
        }
    }

    /// Whether `count` more descriptors could be opened just now; `stream` is what is opened again
    /// where that must be tried.
    pub(super) fn has_spare(&self, stream: &Stream, count: usize) -> bool {
        leaves(self.limit, open(), count) || stream.has_spare_files(count)
    }
}

/// How many descriptors are open; `None` if that is not shown.
fn open() -> Option<u64> {
    let found = fs::metadata("/proc/self/fd").ok()?;
    Some(found.len()).filter(|count| *count > 0)
}

/// Whether so many more may be opened, as far as both numbers are known.
fn leaves(limit: Option<u64>, open: Option<u64>, count: usize) -> bool {
    let left = limit
        .zip(open)
        .map(|(limit, open)| limit.saturating_sub(open));
    left.is_some_and(|left| left >= count as u64)
}

/// The limit in force for open files, of the text of `/proc/self/limits`.
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_that_in_force_and_what_is_not_shown_is_not_known() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max processes             63432                63432                processes\n\
                    Max open files            1024                 524288               files\n";
        assert_eq!(soft_limit(text), Some(1024));
        assert_eq!(soft_limit(""), None);
        assert_eq!(
            soft_limit("Max open files   unlimited  unlimited  files"),
            None
        );
    }

    #[test]
    fn only_numbers_that_are_both_known_can_say_that_enough_are_left() {
        let cases = [
            (Some(40), Some(32), true),
            (Some(40), Some(33), false),
            (Some(40), Some(60), false),
            (Some(40), None, false),
            (None, Some(3), false),
        ];
        for (limit, open, expected) in cases {
            assert_eq!(leaves(limit, open, 8), expected, "{limit:?}, {open:?}");
        }
    }
}
