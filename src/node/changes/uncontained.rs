//! What is known of edits that lost: which revision carries each, what each was made on, and what
//! is lost with it. All of it is read from what is held.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::limits::{REBASE_JITTER, STAND_IN_AFTER};
use crate::model::conflict::OpenConflict;
use crate::model::ledger::{EditRef, Standing};
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::model::revision::{Origin, Revision};
use crate::node::context::Context;
use crate::node::store::Store;
use crate::node::store::replica::{Group, Uncontained};

/// Of each uncontained edit a revision that carries it, oldest edit first.
pub(super) type Held<'a> = BTreeMap<EditRef, &'a Uncontained>;

/// Edits with what they wanted.
pub(super) type Conflicts = BTreeMap<EditRef, OpenConflict>;

/// Of each uncontained edit the revision that carries it, oldest edit first: the original if it is
/// held, for that shows what the author saw; else the greatest of those that have its values.
pub(super) fn carriers(group: &Group) -> Held<'_> {
    let worth = |uncontained: &Uncontained| {
        let kind = match uncontained.revision.edit.origin {
            Origin::Original => 2,
            Origin::Replay(..) => 1,
            Origin::Note(..) => 0,
        };
        (kind, uncontained.revision.rank())
    };
    let mut edits: Held<'_> = BTreeMap::new();
    for uncontained in group.uncontained() {
        let best = edits
            .entry(uncontained.revision.edit_ref())
            .or_insert(uncontained);
        if worth(uncontained) > worth(best) {
            *best = uncontained;
        }
    }
    edits
}

/// The edits that the uncontained revisions which carry this one's edit contain or list: what is
/// lost with them.
pub(super) fn made_on(group: &Group, revision: &Revision) -> BTreeSet<EditRef> {
    let edit = revision.edit_ref();
    let carriers = group
        .uncontained()
        .map(|uncontained| &uncontained.revision)
        .filter(|other| other.edit_ref() == edit);
    carriers
        .flat_map(|carrier| carrier.ledger.entries().chain(carrier.open.keys()))
        .copied()
        .collect()
}

/// Whether an edit is lost, and no record that carries it is held.
pub(super) fn is_missing(group: &Group, held: &Held<'_>, edit: &EditRef) -> bool {
    group.standing(edit) == Standing::Out && !held.contains_key(edit)
}

/// Whether a revision carries an edit of its own author's: then it is he who has signed what the
/// edit wants.
pub(super) fn is_original(revision: &Revision) -> bool {
    revision.edit.origin == Origin::Original
}

/// Whether the edit, or a held revision that carries it, is by `peer`.
pub(super) fn is_by(group: &Group, revision: &Revision, peer: &PeerId) -> bool {
    let edit = revision.edit_ref();
    let carries = |uncontained: &Uncontained| {
        uncontained.revision.edit_ref() == edit
            && uncontained.revision.record.header.author == *peer
    };
    revision.edit_author() == *peer || group.uncontained().any(carries)
}

/// The uncontained edits that an uncontained revision was made on. A newer one is none of
/// these, though a replay of this edit may have been made on it: else two that were made
/// again on each other's branches would wait for each other.
pub(super) fn pending<'a>(
    group: &Group,
    held: &Held<'a>,
    revision: &Revision,
) -> Vec<&'a Uncontained> {
    let own = revision.edit_ref();
    let others = made_on(group, revision)
        .into_iter()
        .filter(|edit| *edit < own && group.standing(edit) == Standing::Out);
    others.filter_map(|edit| held.get(&edit).copied()).collect()
}

/// How long the next rebase waits at most: not at all if all that is left is this host's own to
/// do.
pub(in crate::node) fn rebase_jitter(store: &Store, cx: &Context) -> Duration {
    let group = store.replica.group(&cx.setup.group);
    let others = group.is_some_and(|group| {
        group
            .uncontained()
            .any(|uncontained| !is_by(group, &uncontained.revision, &cx.me))
    });
    if others {
        REBASE_JITTER
    } else {
        Duration::ZERO
    }
}

/// Whether it is this host that has to list an edit which its server refuses: it is its own, or
/// nobody else has done anything about it.
pub(super) fn is_last_resort(store: &Store, cx: &Context, uncontained: &Revision) -> bool {
    let Some(group) = store.replica.group(&cx.setup.group) else {
        return true;
    };
    let since = carriers(group)
        .get(&uncontained.edit_ref())
        .map(|uncontained| uncontained.since);
    is_by(group, uncontained, &cx.me)
        || since.is_none_or(|since| since + 2 * STAND_IN_AFTER <= cx.now.elapsed)
}

/// The originals of uncontained edits, and of those that they were made on and that are lost
/// like them, as far as they are not held.
pub(super) fn missing(store: &Store, group: &Group, held: &Held<'_>) -> BTreeSet<RecordId> {
    let said = held
        .values()
        .filter(|uncontained| !is_original(&uncontained.revision))
        .map(|uncontained| uncontained.revision.edit_ref());
    let made_on = held
        .values()
        .flat_map(|uncontained| made_on(group, &uncontained.revision));
    let all = said.chain(made_on.filter(|edit| is_missing(group, held, edit)));
    all.map(|edit| edit.id)
        .filter(|id| store.replica.whole(id).is_none())
        .collect()
}

/// The edits that a revision was made on and that would be forgotten with it, as open
/// conflicts: nobody holds a record of them any more.
pub(super) fn lost_with(store: &Store, cx: &Context, revision: &Revision) -> Conflicts {
    let Some(group) = store.replica.group(&cx.setup.group) else {
        return Conflicts::new();
    };
    let held = carriers(group);
    let ghosts = made_on(group, revision)
        .into_iter()
        .filter(|edit| is_missing(group, &held, edit));
    let remembered = |edit: &EditRef| {
        revision
            .open
            .get(edit)
            .or_else(|| group.remembered(edit))
            .cloned()
            .unwrap_or_default()
    };
    ghosts.map(|edit| (edit, remembered(&edit))).collect()
}
