//! What is known of edits that lost: which revision carries each, what each was made on, and what
//! is lost with it. All of it is read from what is held.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::limits::{OPEN_LISTED_MAX, REBASE_JITTER, STAND_IN_AFTER};
use crate::model::conflict::OpenConflict;
use crate::model::ledger::{EditRef, Place, Standing};
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::model::revision::{Origin, Revision};
use crate::node::context::Context;
use crate::node::store::Store;
use crate::node::store::replica::{Group, Summary, Uncontained};

/// What is held of uncontained edits, and what their places are called.
pub(super) struct Held<'a> {
    /// Of each uncontained edit a revision that carries it, oldest edit first.
    edits: BTreeMap<EditRef, &'a Uncontained>,
    /// Of all places of which a record is held, or a name is known, whose they are.
    places: BTreeMap<Place, EditRef>,
}

impl<'a> Held<'a> {
    /// The revisions that carry the uncontained edits, oldest edit first.
    pub(super) fn carriers(&self) -> impl Iterator<Item = &'a Uncontained> {
        self.edits.values().copied()
    }

    /// The edit at a place, which is not above this height; a ghost if no more is known of it.
    pub(super) fn name(&self, place: Place, height: u64) -> EditRef {
        let known = self.places.get(&place).copied();
        known.unwrap_or_else(|| EditRef::ghost(place, height))
    }

    /// The revision that carries this edit, if it is uncontained.
    pub(super) fn carrier(&self, edit: &EditRef) -> Option<&'a Uncontained> {
        self.edits.get(edit).copied()
    }
}

/// Edits with what they wanted.
pub(super) type Conflicts = BTreeMap<EditRef, OpenConflict>;

/// Of each uncontained edit the revision that carries it, oldest edit first: the original if it is
/// held, for that shows what the author saw; else the greatest of those that have its values.
pub(super) fn held(group: &Group) -> Held<'_> {
    let worth = |uncontained: &Uncontained| {
        let kind = match uncontained.revision.edit.origin {
            Origin::Original => 2,
            Origin::Replay(..) => 1,
            Origin::Note(..) => 0,
        };
        (kind, uncontained.revision.rank())
    };
    let mut edits: BTreeMap<EditRef, &Uncontained> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for uncontained in group.uncontained() {
        let best = edits
            .entry(uncontained.revision.edit_ref())
            .or_insert(uncontained);
        if worth(uncontained) > worth(best) {
            *best = uncontained;
        }
        places.extend(
            uncontained
                .revision
                .open
                .keys()
                .map(|edit| (edit.place, *edit)),
        );
    }
    let known = group
        .history()
        .flat_map(Summary::adds)
        .chain(edits.keys().copied());
    places.extend(known.map(|edit| (edit.place, edit)));
    Held { edits, places }
}

/// The uncontained revisions that carry the edit of this one.
fn carrying(group: &Group, edit: EditRef) -> impl Iterator<Item = &Revision> {
    let all = group
        .uncontained()
        .map(|uncontained| &*uncontained.revision);
    all.filter(move |other| other.edit_ref() == edit)
}

/// The edits that the uncontained revisions which carry this one's edit contain or list and the
/// head does not: what is lost with them. Of those that only the ledgers name there are at most as
/// many as could be listed.
pub(super) fn lost_with_it(
    group: &Group,
    held: &Held<'_>,
    revision: &Revision,
) -> BTreeSet<EditRef> {
    let Some(head) = group.head() else {
        return BTreeSet::new();
    };
    let own = revision.edit_ref();
    let mut lost = BTreeSet::new();
    for carrier in carrying(group, own) {
        let beyond = carrier
            .ledger
            .beyond(&head.ledger)
            .take(OPEN_LISTED_MAX + 1);
        let named = beyond.map(|(place, height)| held.name(place, height));
        lost.extend(named.chain(carrier.open.keys().copied()));
    }
    lost.retain(|edit| edit.place != own.place && group.standing(edit) == Standing::Out);
    lost
}

/// Whether a lost edit is one that no uncontained revision carries.
pub(super) fn is_missing(held: &Held<'_>, lost: &EditRef) -> bool {
    held.carrier(lost).is_none()
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

/// The uncontained edits that an uncontained revision was made on, or that its carriers list. A
/// newer one is none of these, though a replay of this edit may have been made on it: else two that
/// were made again on each other's branches would wait for each other.
pub(super) fn pending<'a>(
    group: &Group,
    held: &Held<'a>,
    revision: &Revision,
) -> Vec<&'a Uncontained> {
    let own = revision.edit_ref();
    let carriers: Vec<&Revision> = carrying(group, own).collect();
    let older = held.edits.range(..own);
    older
        .filter(|(edit, _)| {
            carriers
                .iter()
                .any(|carrier| carrier.standing(edit) == Standing::In)
        })
        .map(|(_, uncontained)| *uncontained)
        .collect()
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
    let since = held(group)
        .carrier(&uncontained.edit_ref())
        .map(|uncontained| uncontained.since);
    is_by(group, uncontained, &cx.me)
        || since.is_none_or(|since| since + 2 * STAND_IN_AFTER <= cx.now.elapsed)
}

/// The originals of uncontained edits, and of those that they were made on and that are lost
/// like them, as far as they are not held; and of those of which only the place is known, the
/// newest revision that may lead to them.
pub(super) fn missing(store: &Store, group: &Group, held: &Held<'_>) -> BTreeSet<RecordId> {
    let mut missing = BTreeSet::new();
    for uncontained in held.carriers() {
        let revision = &uncontained.revision;
        if !is_original(revision) {
            missing.insert(revision.edit_ref().id);
        }
        for lost in lost_with_it(group, held, revision) {
            if lost.is_ghost() {
                missing.insert(below(store, revision));
            } else if is_missing(held, &lost) {
                missing.insert(lost.id);
            }
        }
    }
    missing.retain(|id| *id != RecordId::NONE && store.replica.whole(id).is_none());
    missing
}

/// What the oldest revision that is held of those below this one was made on.
fn below(store: &Store, revision: &Revision) -> RecordId {
    let mut base = revision.record.header.base;
    while let Some(record) = store.replica.kept(&base) {
        base = record.header.base;
    }
    base
}

/// The edits that a revision was made on and that would be forgotten with it, as open
/// conflicts: nobody holds a record of them any more.
pub(super) fn lost_with(store: &Store, cx: &Context, revision: &Revision) -> Conflicts {
    let Some(group) = store.replica.group(&cx.setup.group) else {
        return Conflicts::new();
    };
    let held = held(group);
    let ghosts = lost_with_it(group, &held, revision)
        .into_iter()
        .filter(|edit| is_missing(&held, edit));
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
