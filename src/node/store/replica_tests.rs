#[path = "replica_fork_tests.rs"]
mod fork;

use crate::model::ledger::EditRef;
use crate::model::ledger::Standing;
use std::collections::BTreeSet;

use super::*;
use crate::limits::{HISTORY_KEPT, LEDGER_HEIGHTS, UNCONTAINED_MAX};
use crate::model::delta;
use crate::model::digest::Digest;
use crate::model::document::Document;
use crate::model::edit::{Change, Op, apply};
use crate::model::json::Value;
use crate::model::operation::operations;
use crate::model::path::Path;
use crate::model::revision::{Author, Draft, Edit, Origin};
use crate::model::signature::SecretKey;
use crate::model::stamp::Stamp;
use crate::node::rng::Rng;

pub(in crate::node::store::replica) fn sign(
    base: Option<&Revision>,
    who: u8,
    ms: u64,
    draft: Draft,
) -> Arc<Revision> {
    let secret = SecretKey::from_seed(&[who; 32]);
    let stamp = Stamp::from_u64(ms << 16).unwrap();
    Arc::new(
        Revision::author(
            &Author {
                secret: &secret,
                fleet: [2; 32],
                group: "default",
                stamp,
                numbered: None,
            },
            base,
            draft,
        )
        .unwrap(),
    )
}

/// A change by `who` at its own place, made on `base`.
pub(in crate::node::store::replica) fn child(
    base: Option<&Arc<Revision>>,
    who: u8,
    ms: u64,
) -> Arc<Revision> {
    let before = base.map_or_else(Document::factory, |base| base.document.clone());
    let path = Path::parse(format!("/config/applications/{who}")).unwrap();
    let ops = [Op {
        path,
        change: Change::Put(Value::from(ms)),
    }];
    let edit = Edit {
        origin: Origin::Original,
        operations: operations(&before, &ops),
    };
    let document = apply(&before, &ops[0]).unwrap();
    let draft = Draft {
        edit,
        document,
        opens: BTreeMap::new(),
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    };
    sign(base.map(|base| &**base), who, ms, draft)
}

/// A note by `who` on `head` that lists the edit of `beaten`.
fn note(head: &Arc<Revision>, uncontained: &Revision, who: u8, ms: u64) -> Arc<Revision> {
    let edit = Edit {
        origin: Origin::Note(uncontained.edit_ref(), uncontained.edit_author()),
        operations: uncontained.edit.operations.clone(),
    };
    let opens = BTreeMap::from([(uncontained.edit_ref(), uncontained.as_conflict())]);
    let draft = Draft {
        edit,
        document: head.document.clone(),
        opens,
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    };
    sign(Some(head), who, ms, draft)
}

fn chain(length: u64) -> Vec<Arc<Revision>> {
    let mut all: Vec<Arc<Revision>> = Vec::new();
    (1..=length).for_each(|ms| all.push(child(all.last(), (ms % 5) as u8 + 1, ms)));
    all
}

/// What a host holds that is not among the authors.
fn replica(history: usize) -> Replica {
    Replica::new(Keeping {
        me: peer(99),
        group: "default".into(),
        history,
        files_max: 1 << 40,
    })
}

pub(in crate::node::store::replica) fn peer(who: u8) -> PeerId {
    PeerId::from_bytes(SecretKey::from_seed(&[who; 32]).public()).unwrap()
}

fn taken<'a>(revisions: impl IntoIterator<Item = &'a Arc<Revision>>) -> Replica {
    let mut replica = replica(HISTORY_KEPT);
    let mut disk: BTreeMap<RecordId, Arc<Revision>> = BTreeMap::new();
    for revision in revisions {
        disk.insert(revision.id(), Arc::clone(revision));
        replica.take(Arc::clone(revision), Duration::ZERO);
        let group = replica.group_mut("default").unwrap();
        let uncontained_on_disk = group.uncontained_on_disk();
        group.prune();
        for uncontained_on_disk in uncontained_on_disk {
            replica.hold_again(Arc::clone(&disk[&uncontained_on_disk.id]), Duration::ZERO);
        }
    }
    replica
}

/// All that two hosts must agree on: head, uncontained, digest.
fn state(replica: &Replica) -> (RecordId, BTreeSet<RecordId>, Digest) {
    let group = replica.group("default").unwrap();
    let uncontained = group
        .uncontained()
        .map(|uncontained| uncontained.revision.id())
        .collect();
    (
        group.head().unwrap().id(),
        uncontained,
        Digest::of(replica.exchanged().map(|revision| revision.id())),
    )
}

/// Changes on whatever bases, and notes of some that lost.
fn tangle(rng: &mut Rng, count: u64) -> Vec<Arc<Revision>> {
    let mut all = vec![child(None, 1, 1)];
    for ms in 2..=count {
        let back = rng.below(4.min(all.len() as u64)) as usize;
        let base = Arc::clone(&all[all.len() - 1 - back]);
        let who = rng.below(5) as u8 + 1;
        let lost = rng
            .pick(&all)
            .filter(|lost| base.standing(&lost.edit_ref()) == Standing::Out)
            .cloned();
        all.push(match lost.filter(|_| rng.below(3) == 0) {
            Some(lost) => note(&base, &lost, who, ms),
            None => child(Some(&base), who, ms),
        });
    }
    all
}

fn shuffle(rng: &mut Rng, list: &[Arc<Revision>]) -> Vec<Arc<Revision>> {
    let mut list = list.to_vec();
    for _ in 0..list.len() / 3 {
        let double = rng.pick(&list).expect("it is not empty").clone();
        list.push(double);
    }
    for at in (1..list.len()).rev() {
        list.swap(at, rng.below(at as u64 + 1) as usize);
    }
    list
}

#[test]
fn the_state_is_the_same_in_whatever_order_and_how_often_the_same_revisions_come() {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let set = tangle(&mut rng, 20);
        let expected = state(&taken(&set));
        for _ in 0..12 {
            assert_eq!(
                state(&taken(&shuffle(&mut rng, &set))),
                expected,
                "seed {seed}"
            );
        }
    }
}

/// Beyond the ledger's reach a host knows only what it has seen; within it all agree.
#[test]
fn after_an_overflow_of_the_ledger_hosts_agree_on_the_head_and_what_it_reaches() {
    let mut set = chain(290);
    let side = child(Some(&set[280]), 7, 500);
    let old_side = child(Some(&set[3]), 8, 5);
    set.extend([side.clone(), old_side]);
    let within = |replica: &Replica| -> BTreeSet<RecordId> {
        let group = replica.group("default").unwrap();
        let floor = group.head().unwrap().ledger.floor();
        group
            .uncontained()
            .filter(|uncontained| uncontained.revision.edit_ref().height > floor)
            .map(|uncontained| uncontained.revision.id())
            .collect()
    };
    let straight = taken(&set);
    assert_eq!(within(&straight), BTreeSet::from([side.id()]));
    let mut rng = Rng::new(1);
    for _ in 0..2 {
        let other = taken(&shuffle(&mut rng, &set));
        assert_eq!(state(&other).0, state(&straight).0);
        assert_eq!(within(&other), within(&straight));
    }
}

#[test]
fn an_edit_seen_contained_stays_so_when_the_ledger_forgets_it() {
    let set = chain(270);
    let replica = taken(&set);
    assert_eq!(replica.group("default").unwrap().uncontained().count(), 0);
    let mut newcomer = taken(&set[269..]);
    assert!(
        matches!(
            newcomer.take(Arc::clone(&set[0]), Duration::ZERO),
            Taken::Uncontained
        ),
        "listed rather than lost"
    );
}

#[test]
fn a_child_beats_its_base_and_a_long_branch_a_late_one() {
    let base = child(None, 1, 10);
    let early = child(Some(&base), 2, 1);
    let tall = child(Some(&early), 2, 2);
    let late = child(Some(&base), 3, 9_999);
    let mut replica = taken([&base, &late, &early]);
    assert_eq!(
        replica.head("default").unwrap().id(),
        late.id(),
        "at equal height the stamp decides"
    );
    assert!(
        matches!(replica.take(tall.clone(), Duration::ZERO), Taken::Head(Some(was)) if was.id() == late.id())
    );
    let group = replica.group("default").unwrap();
    assert_eq!(
        group
            .uncontained()
            .map(|uncontained| uncontained.revision.id())
            .collect::<Vec<_>>(),
        vec![late.id()]
    );
    assert_eq!(group.unsettled(), 1);
}

/// The edit was in the head; then a longer branch came that was made without it.
#[test]
fn a_contained_revision_is_uncontained_again_when_a_longer_branch_lacks_it() {
    let base = child(None, 1, 1);
    let lost = child(Some(&base), 2, 2);
    let last = child(Some(&lost), 3, 3);
    let mut other = vec![child(Some(&base), 4, 4)];
    (5..8).for_each(|ms| other.push(child(other.last(), 5, ms)));
    let replica = taken([&base, &lost, &last].into_iter().chain(&other));
    let uncontained = state(&replica).1;
    assert_eq!(uncontained, BTreeSet::from([lost.id(), last.id()]));
    assert!(
        replica.find(&lost.id()).is_some(),
        "with its body, for whoever lacks it"
    );
}

#[test]
fn a_note_settles_what_was_uncontained() {
    let base = child(None, 1, 1);
    let (won, lost) = (child(Some(&base), 2, 3), child(Some(&base), 3, 2));
    let noted = note(&won, &lost, 3, 4);
    let replica = taken([&base, &won, &lost, &noted]);
    let group = replica.group("default").unwrap();
    assert_eq!(group.head().unwrap().id(), noted.id());
    assert_eq!((group.uncontained().count(), group.unsettled()), (0, 1));
}

#[test]
fn pruning_keeps_the_head_the_uncontained_and_64_besides() {
    let mut set = chain(20);
    let sides = [child(Some(&set[5]), 7, 400), child(Some(&set[6]), 8, 401)];
    let mut rest = set.split_off(20);
    rest.extend(sides.iter().cloned());
    let mut replica = taken(set.iter().chain(&rest));
    let mut removed = Vec::new();
    for ms in 21..=120 {
        let next = child(replica.head("default"), 1, ms);
        replica.take(next, Duration::ZERO);
        removed.extend(
            replica
                .group_mut("default")
                .unwrap()
                .prune()
                .into_iter()
                .map(|record| record.id),
        );
    }
    let group = replica.group("default").unwrap();
    assert_eq!(group.history().count(), HISTORY_KEPT + 1 + 2);
    assert_eq!(group.uncontained().count(), 2);
    assert!(
        sides.iter().all(|side| !removed.contains(&side.id())),
        "the uncontained are never pruned"
    );
    assert_eq!(removed.len(), 122 - HISTORY_KEPT - 3);
    assert!(
        matches!(
            replica.take(Arc::clone(&set[0]), Duration::ZERO),
            Taken::Stale
        ),
        "what was pruned is not taken in again"
    );
}

#[test]
fn an_original_is_kept_as_long_as_a_replay_of_it() {
    let grow = |replica: &mut Replica, since: u64| -> Vec<RecordId> {
        let mut removed = Vec::new();
        for ms in since..since + 3 {
            let next = child(replica.head("default"), 3, ms);
            replica.take(next, Duration::ZERO);
            removed.extend(
                replica
                    .group_mut("default")
                    .unwrap()
                    .prune()
                    .into_iter()
                    .map(|record| record.id),
            );
        }
        removed
    };
    let mut replica = replica(4);
    [1, 5]
        .into_iter()
        .for_each(|since| drop(grow(&mut replica, since)));
    let (head, lost) = (
        Arc::clone(replica.head("default").unwrap()),
        child(None, 2, 2),
    );
    let edit = Edit {
        origin: Origin::Replay(lost.edit_ref(), lost.edit_author()),
        operations: lost.edit.operations.clone(),
    };
    let (opens, settles, note) = (BTreeMap::new(), Vec::new(), String::new());
    let again = sign(
        Some(&head),
        2,
        20,
        Draft {
            edit,
            document: head.document.clone(),
            opens,
            settles,
            flags: 0,
            note,
        },
    );
    replica.take(Arc::clone(&lost), Duration::ZERO);
    assert!(matches!(
        replica.take(Arc::clone(&again), Duration::ZERO),
        Taken::Head(_)
    ));
    let removed = grow(&mut replica, 30);
    assert!(
        !removed.is_empty() && !removed.contains(&lost.id()),
        "the replay may lose yet"
    );
    let removed: Vec<RecordId> = [40, 50, 60]
        .into_iter()
        .flat_map(|since| grow(&mut replica, since))
        .collect();
    assert!(
        removed.contains(&again.id()) && removed.contains(&lost.id()),
        "{removed:?}"
    );
}

#[test]
fn what_is_held_is_not_taken_twice_and_what_has_no_room_not_at_all() {
    let base = child(None, 1, 1);
    let mut replica = taken([&base]);
    assert!(matches!(
        replica.take(base.clone(), Duration::ZERO),
        Taken::Held
    ));
    assert!(replica.holds("default", &base.rank()));
    let head = child(Some(&base), 2, 2);
    replica.take(head, Duration::ZERO);
    let beside: Vec<Arc<Revision>> = (0..=UNCONTAINED_MAX as u64)
        .map(|ms| child(None, 9, 10 + ms))
        .collect();
    beside
        .iter()
        .for_each(|revision| drop(replica.take(Arc::clone(revision), Duration::ZERO)));
    assert_eq!(
        replica.group("default").unwrap().uncontained().count(),
        UNCONTAINED_MAX
    );
    assert!(
        matches!(
            replica.take(Arc::clone(&beside[0]), Duration::ZERO),
            Taken::NoRoom
        ),
        "the oldest of the author with most"
    );
}

#[test]
fn a_head_made_on_the_one_before_it_has_a_delta_if_that_is_worth_it() {
    let large = |base: Option<&Arc<Revision>>, ms| {
        let config = Value::from(format!("{}{ms}", "x".repeat(5_000)));
        let document = Document::from_config(config).unwrap();
        let edit = Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        };
        let draft = Draft {
            edit,
            document,
            opens: BTreeMap::new(),
            settles: Vec::new(),
            flags: 0,
            note: String::new(),
        };
        sign(base.map(|base| &**base), 1, ms, draft)
    };
    let first = large(None, 1);
    let second = large(Some(&first), 2);
    let mut replica = taken([&first, &second]);
    let (base, bytes) = replica
        .group("default")
        .unwrap()
        .delta()
        .cloned()
        .expect("5 kB change by a few");
    assert_eq!(base, first.id());
    assert_eq!(
        delta::apply(&first.body, &bytes, second.body.len()).unwrap(),
        *second.body
    );
    replica.take(large(None, 3), Duration::ZERO);
    assert!(
        replica.group("default").unwrap().delta().is_some(),
        "the head is still the same"
    );
    let mut other = taken([&first]);
    other.take(large(Some(&second), 4), Duration::ZERO);
    assert!(
        other.group("default").unwrap().delta().is_none(),
        "its base was not the head"
    );
}

#[test]
fn what_the_head_was_made_on_is_history_however_far_back_it_is_fetched() {
    let set = chain(LEDGER_HEIGHTS + 40);
    let mut replica = replica(set.len());
    for revision in set.iter().rev() {
        let group = replica.group_mut("default").unwrap();
        assert!(group.head().is_none() || group.beyond() == Some(revision.id()));
        let taken = replica.take(Arc::clone(revision), Duration::ZERO);
        let is_head = revision.id() == set.last().unwrap().id();
        assert!(
            if is_head {
                matches!(taken, Taken::Head(None))
            } else {
                matches!(taken, Taken::History)
            },
            "{taken:?}"
        );
    }
    let group = replica.group("default").unwrap();
    assert_eq!(
        (
            group.beyond(),
            group.uncontained().count(),
            group.line().count()
        ),
        (None, 0, set.len())
    );
    // One of which nothing but its age is known is not taken for contained.
    let aside = child(Some(&set[2]), 9, 4);
    assert!(matches!(
        replica.take(aside, Duration::ZERO),
        Taken::Uncontained
    ));
}
