//! Whether a change is made once more when the head has moved while it was tried.
//!
//! Nothing here changes anything: the change begins anew in `transaction`, after a pause in
//! `writes`.

use crate::model::edit::Verb;
use crate::model::revision::Revision;

/// What a client's change meets on a head that has come while the server tried it.
pub(super) struct SecondTry {
    /// Whether the `If-Match` that it came with, if any, names this head too.
    pub(super) guard_holds: bool,
    /// Whether each place still holds what the change has found there, or what it wants.
    pub(super) still_fits: bool,
    /// Whether it does nothing but append to arrays.
    pub(super) only_appends: bool,
    /// Whether it came so lately that its client still waits.
    pub(super) has_time: bool,
}

/// Why a change is not made once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hindrance {
    /// It was for another head only.
    Guard,
    /// It collides with what the new head has brought.
    Collision,
    /// Others were quicker again and again.
    Time,
}

/// What keeps a change from being made once more, if anything does. An append collides with
/// nothing.
pub(super) fn hindrance(second: &SecondTry) -> Option<Hindrance> {
    match second {
        SecondTry {
            guard_holds: false, ..
        } => Some(Hindrance::Guard),
        SecondTry {
            still_fits: false,
            only_appends: false,
            ..
        } => Some(Hindrance::Collision),
        SecondTry {
            has_time: false, ..
        } => Some(Hindrance::Time),
        _ => None,
    }
}

/// Whether a revision does nothing but append to arrays.
pub(super) fn only_appends(revision: &Revision) -> bool {
    revision
        .edit
        .operations
        .iter()
        .all(|operation| operation.verb == Verb::Append)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_again_while_it_fits_and_its_client_waits() {
        let cases = [
            ([true, true, false, true], None),
            ([true, false, true, true], None),
            ([true, false, false, true], Some(Hindrance::Collision)),
            ([false, true, true, true], Some(Hindrance::Guard)),
            ([false, false, false, false], Some(Hindrance::Guard)),
            ([true, true, true, false], Some(Hindrance::Time)),
            ([true, false, false, false], Some(Hindrance::Collision)),
        ];
        for (facts, expected) in cases {
            let [guard_holds, still_fits, only_appends, has_time] = facts;
            let second = SecondTry {
                guard_holds,
                still_fits,
                only_appends,
                has_time,
            };
            assert_eq!(hindrance(&second), expected, "{facts:?}");
        }
    }
}
