//! What is to be done about an uncontained edit: made again, listed, left to others, or nothing.
//!
//! Nothing here changes anything, and nothing asks the server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::uncontained::{Held, is_by, is_missing, is_original, made_on, pending};
use crate::limits::STAND_IN_AFTER;
use crate::model::document::Document;
use crate::model::edit::{self, Verb};
use crate::model::ledger::{EditRef, Standing};
use crate::model::peer_id::PeerId;
use crate::model::record::Header;
use crate::model::replay::replayed;
use crate::model::revision::Revision;
use crate::node::store::replica::{Group, Uncontained};

/// What is to be done about an uncontained edit.
pub(super) enum Remedy {
    /// The edit still fits: this is the head's document with it.
    Replay(Document),
    /// The edit has to be listed.
    Note,
    /// The head has what it wanted, whether by it or not.
    Nothing,
    /// Somebody else is to do it, or what it was made on comes first: look again at this time.
    Later(Duration),
    /// The body of its revision has to be read from disk first.
    Load,
}

/// When edits are to be looked at again.
pub(super) type Later = BTreeMap<EditRef, Duration>;

/// What the remedy for an edit depends on beside the edit.
pub(super) struct Circumstances<'a> {
    /// The time since the node was made.
    pub(super) now: Duration,
    /// This host.
    pub(super) me: PeerId,
    /// The own group, and its head.
    pub(super) group: &'a Group,
    pub(super) head: &'a Revision,
    /// The revisions that carry the uncontained edits of the group.
    pub(super) held: &'a Held<'a>,
    /// The edits that the own server refuses on this head.
    pub(super) refused: &'a BTreeSet<EditRef>,
    /// Whether the own server's word on a replay says something about the replay.
    pub(super) can_judge: bool,
}

/// The remedy for one uncontained edit. `later` has those that come before it and are to be looked
/// at again.
pub(super) fn remedy(
    circumstances: &Circumstances<'_>,
    later: &Later,
    uncontained: &Uncontained,
) -> Remedy {
    let Circumstances {
        now,
        group,
        head,
        held,
        ..
    } = *circumstances;
    let revision = &uncontained.revision;
    let stand_in = uncontained.since + STAND_IN_AFTER;
    if stand_in > now && !(is_original(revision) && is_by(group, revision, &circumstances.me)) {
        return Remedy::Later(stand_in);
    }
    let made_on = made_on(group, revision);
    // Their authors hold them, or other peers do, and bring them within moments; else they can
    // only be listed by name. Those out of whose files keys were struck are known here,
    // and nobody else may be able to say what they wanted.
    let awaited = |edit: &&EditRef| is_missing(group, held, edit) && !group.is_struck(edit);
    if stand_in > now && made_on.iter().any(|edit| awaited(&edit)) {
        return Remedy::Later(stand_in);
    }
    let is_unknown = |edit: &EditRef| group.standing(edit) == Standing::Unknown;
    let doubted = made_on.iter().any(is_unknown) || is_unknown(&revision.edit_ref());
    let decided = if doubted {
        uncontained.since + 3 * STAND_IN_AFTER
    } else {
        uncontained.since
    };
    if decided > now {
        return Remedy::Later(decided);
    }
    // Not what this host knows but what the ledger says: all must come to the same, or an edit
    // would be made twice.
    let is_out = head.standing(&revision.edit_ref()) == Standing::Out;
    // A ledger that is full and reaches less far back would forget the edit in the very
    // revision that replays it.
    let is_named = head
        .ledger
        .with([revision.edit_ref()])
        .standing(&revision.edit_ref())
        == Standing::In;
    let guarded = revision.record.header.flags & Header::GUARDED != 0;
    let may_replay =
        is_out && is_named && is_original(revision) && !guarded && !settles_again(head, revision);
    if revision.is_light() && (may_replay || !is_out) {
        return Remedy::Load;
    }
    if !is_out && is_done(head, revision) {
        return Remedy::Nothing;
    }
    let fit = may_replay
        .then(|| replayed(&head.document, revision))
        .flatten();
    let pending = pending(group, held, revision);
    // What it was made on may be on its way into the head: only then it is known what it meets
    // there.
    let early = match &fit {
        Some(fit) if fit.strictly => pending.iter().any(|other| touch(&other.revision, revision)),
        Some(_) => !pending.is_empty(),
        None => may_replay && !pending.is_empty(),
    };
    // However long that takes: before what it was made on is in the head or listed, there is
    // nothing to judge it by.
    let before = pending
        .iter()
        .filter_map(|other| later.get(&other.revision.edit_ref()))
        .max();
    let waits = before
        .copied()
        .unwrap_or_default()
        .max(decided + 2 * STAND_IN_AFTER);
    match fit {
        _ if early && waits > now => Remedy::Later(waits),
        Some(fit) if !fit.strictly && early => Remedy::Note,
        Some(_) if circumstances.refused.contains(&revision.edit_ref()) && waits > now => {
            Remedy::Later(waits)
        }
        Some(fit) if circumstances.can_judge => Remedy::Replay(fit.document),
        Some(_) => Remedy::Later(now + STAND_IN_AFTER),
        None => Remedy::Note,
    }
}

/// Whether an edit appends what others have meanwhile settled the same conflict with, or without:
/// then it may be there already under another name, and a person has to look.
fn settles_again(head: &Revision, revision: &Revision) -> bool {
    let is_settled =
        |edit: &EditRef| head.standing(edit) == Standing::In && !head.open.contains_key(edit);
    let appends = revision
        .edit
        .operations
        .iter()
        .any(|operation| operation.verb == Verb::Append);
    appends && revision.settled.iter().any(is_settled)
}

/// Whether the head is at each place as the edit of `revision` wants it.
fn is_done(head: &Revision, revision: &Revision) -> bool {
    revision
        .ops()
        .is_some_and(|ops| ops.iter().all(|op| edit::is_done(&head.document, op)))
}

/// Whether two edits have to do with one place: the path of one leads to or through that of the
/// other.
fn touch(one: &Revision, other: &Revision) -> bool {
    let pairs = one.edit.operations.iter().flat_map(|a| {
        other
            .edit
            .operations
            .iter()
            .map(move |b| (&a.path, &b.path))
    });
    pairs
        .into_iter()
        .any(|(a, b)| a.tokens().iter().zip(b.tokens()).all(|(a, b)| a == b))
}
