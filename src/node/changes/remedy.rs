//! What is to be done about an uncontained edit: made again, listed, left to others, or nothing.
//!
//! Nothing here changes anything, and nothing asks the server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::uncontained::{Held, is_by, is_missing, is_original, lost_with_it, pending};
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
    // Their authors hold them, or other peers do, and bring them within moments; else they can
    // only be listed by name. Those out of whose files keys were struck are known here,
    // and nobody else may be able to say what they wanted.
    let awaited = |edit: &EditRef| is_missing(held, edit) && !group.is_struck(edit);
    if stand_in > now && lost_with_it(group, held, revision).iter().any(awaited) {
        return Remedy::Later(stand_in);
    }
    let pending = pending(group, held, revision);
    let is_unknown = |edit: &EditRef| group.standing(edit) == Standing::Unknown;
    let mut with_it = pending.iter().map(|other| other.revision.edit_ref());
    let decided = if is_unknown(&revision.edit_ref()) || with_it.any(|edit| is_unknown(&edit)) {
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
    // Replays of it could not be told from those of the edit whose number it bears.
    let is_odd = group.is_odd(&revision.edit_ref());
    let guarded = revision.record.header.flags & Header::GUARDED != 0;
    let may_replay =
        is_out && !is_odd && is_original(revision) && !guarded && !settles_again(head, revision);
    if revision.is_light() && (may_replay || !is_out) {
        return Remedy::Load;
    }
    if !is_out && is_done(head, revision) {
        return Remedy::Nothing;
    }
    let fit = may_replay
        .then(|| replayed(&head.document, revision))
        .flatten();
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
        |edit: &EditRef| head.standing(edit) == Standing::In && !head.lists(&edit.place);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document::Document;
    use crate::model::edit::{Change, Op, apply};
    use crate::model::json::Value;
    use crate::model::operation::operations;
    use crate::model::path::Path;
    use crate::model::revision::{Author, Draft, Edit, Origin};
    use crate::model::signature::SecretKey;
    use crate::model::stamp::Stamp;
    use crate::node::changes::uncontained::held;
    use crate::node::store::replica::{Keeping, Replica};
    use std::sync::Arc;

    /// The author of the edit that lost, and a host that has written nothing.
    const AUTHOR: u8 = 2;
    const OTHER: u8 = 99;

    fn peer(who: u8) -> PeerId {
        PeerId::from_bytes(SecretKey::from_seed(&[who; 32]).public()).unwrap()
    }

    /// A change by `who` of the value at `place`, made on `base`.
    fn child(
        base: Option<&Arc<Revision>>,
        who: u8,
        ms: u64,
        place: &str,
        flags: u16,
    ) -> Arc<Revision> {
        let before = base.map_or_else(Document::factory, |base| base.document.clone());
        let op = Op {
            path: Path::parse(format!("/config/applications/{place}")).unwrap(),
            change: Change::Put(Value::from(ms)),
        };
        let draft = Draft {
            edit: Edit {
                origin: Origin::Original,
                operations: operations(&before, std::slice::from_ref(&op)),
            },
            document: apply(&before, &op).unwrap(),
            opens: BTreeMap::new(),
            settles: Vec::new(),
            flags,
            note: String::new(),
        };
        let author = Author {
            secret: &SecretKey::from_seed(&[who; 32]),
            fleet: [2; 32],
            group: "default",
            stamp: Stamp::from_u64(ms << 16).unwrap(),
            numbered: None,
        };
        Arc::new(Revision::author(&author, base.map(|base| &**base), draft).unwrap())
    }

    /// What a case changes of the usual: the author's host, at once, whose server can judge.
    struct Case {
        me: u8,
        now: Duration,
        is_refused: bool,
        can_judge: bool,
        flags: u16,
        /// Where the head has changed something; the edit that lost is at `a`.
        head_at: &'static str,
    }

    const USUAL: Case = Case {
        me: AUTHOR,
        now: Duration::ZERO,
        is_refused: false,
        can_judge: true,
        flags: 0,
        head_at: "b",
    };

    /// The remedy for an edit that lost against one beside it, in one word.
    fn of(case: &Case) -> String {
        let root = child(None, 1, 1, "root", 0);
        let lost = child(Some(&root), AUTHOR, 2, "a", case.flags);
        let won = child(Some(&root), 3, 3, case.head_at, 0);
        let mut replica = Replica::new(Keeping {
            me: peer(case.me),
            group: "default".into(),
            history: 64,
            files_max: 1 << 40,
        });
        for revision in [&root, &lost, &won] {
            replica.take(Arc::clone(revision), Duration::ZERO);
        }
        let group = replica.group("default").unwrap();
        let held = held(group);
        let refused = BTreeSet::from_iter(case.is_refused.then(|| lost.edit_ref()));
        let circumstances = Circumstances {
            now: case.now,
            me: peer(case.me),
            group,
            head: group.head().unwrap(),
            held: &held,
            refused: &refused,
            can_judge: case.can_judge,
        };
        match remedy(
            &circumstances,
            &Later::new(),
            held.carrier(&lost.edit_ref()).unwrap(),
        ) {
            Remedy::Replay(document) => {
                assert!(document.text().contains(r#""a""#));
                "replay".to_owned()
            }
            Remedy::Note => "note".to_owned(),
            Remedy::Nothing => "nothing".to_owned(),
            Remedy::Later(at) => format!("later {}", at.as_secs()),
            Remedy::Load => "load".to_owned(),
        }
    }

    #[test]
    fn an_edit_is_made_again_by_its_author_or_later_by_others_or_is_listed() {
        let wait = STAND_IN_AFTER;
        let later = |times: u32| format!("later {}", (wait * times).as_secs());
        let cases = [
            (USUAL, "replay".to_owned()),
            (Case { me: OTHER, ..USUAL }, later(1)),
            (
                Case {
                    me: OTHER,
                    now: wait,
                    ..USUAL
                },
                "replay".to_owned(),
            ),
            // Of a server that cannot judge nothing is learnt.
            (
                Case {
                    can_judge: false,
                    ..USUAL
                },
                later(1),
            ),
            // What this host's server refuses another's may take.
            (
                Case {
                    is_refused: true,
                    ..USUAL
                },
                later(2),
            ),
            (
                Case {
                    is_refused: true,
                    now: 2 * wait,
                    ..USUAL
                },
                "replay".to_owned(),
            ),
            // The place does not hold any more what the edit had found there.
            (
                Case {
                    head_at: "a",
                    ..USUAL
                },
                "note".to_owned(),
            ),
            // What was made for one revision only is made on no other.
            (
                Case {
                    flags: Header::GUARDED,
                    ..USUAL
                },
                "note".to_owned(),
            ),
        ];
        for (place, (case, expected)) in cases.iter().enumerate() {
            assert_eq!(of(case), *expected, "case {place}");
        }
    }
}
