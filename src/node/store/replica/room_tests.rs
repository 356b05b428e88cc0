use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{GROUPS_MAX, GROUPS_NAMED, REMOVALS_MAX};
use crate::model::document::Document;
use crate::model::edit::{Change, Op, apply};
use crate::model::json::Value;
use crate::model::operation::operations;
use crate::model::path::Path;
use crate::model::record::Header;
use crate::model::revision::{Author, Draft, Edit, Origin, Revision};
use crate::model::signature::SecretKey;
use crate::model::stamp::Stamp;
use crate::node::store::replica::tests::peer;
use crate::node::store::replica::{Keeping, Replica, Taken};

fn sign(group: &str, base: Option<&Arc<Revision>>, ms: u64, draft: Draft) -> Arc<Revision> {
    let (secret, stamp) = (
        SecretKey::from_seed(&[1; 32]),
        Stamp::from_u64(ms << 16).unwrap(),
    );
    let author = Author {
        secret: &secret,
        fleet: [2; 32],
        group,
        stamp,
        numbered: None,
    };
    Arc::new(Revision::author(&author, base.map(|base| &**base), draft).unwrap())
}

fn change(group: &str, base: Option<&Arc<Revision>>, ms: u64) -> Arc<Revision> {
    let before = base.map_or_else(Document::factory, |base| base.document.clone());
    let ops = [Op {
        path: Path::parse("/config/routes").unwrap(),
        change: Change::Put(Value::from(ms)),
    }];
    let edit = Edit {
        origin: Origin::Original,
        operations: operations(&before, &ops),
    };
    let document = apply(&before, &ops[0]).unwrap();
    sign(
        group,
        base,
        ms,
        Draft {
            edit,
            document,
            opens: BTreeMap::new(),
            settles: Vec::new(),
            flags: 0,
            note: String::new(),
        },
    )
}

fn removal(base: &Arc<Revision>, ms: u64) -> Arc<Revision> {
    let edit = Edit {
        origin: Origin::Original,
        operations: Vec::new(),
    };
    let flags = Header::REMOVED | Header::UNTRIED | Header::GUARDED;
    let document = Document::factory();
    let draft = Draft {
        edit,
        document,
        opens: BTreeMap::new(),
        settles: Vec::new(),
        flags,
        note: String::new(),
    };
    sign(&base.record.header.key.clone(), Some(base), ms, draft)
}

/// What a host of group `default` holds.
fn replica() -> Replica {
    Replica::new(Keeping {
        me: peer(99),
        group: "default".into(),
        history: 64,
        files_max: 1 << 40,
    })
}

fn take(replica: &mut Replica, revision: &Arc<Revision>) -> Taken {
    replica.take(Arc::clone(revision), Duration::ZERO)
}

/// All groups that there is room for, each with its first revision.
fn full() -> (Replica, Vec<Arc<Revision>>) {
    let mut replica = replica();
    let all: Vec<_> = (0..GROUPS_MAX)
        .map(|number| change(&format!("group-{number}"), None, 5))
        .collect();
    all.iter()
        .for_each(|first| assert!(matches!(take(&mut replica, first), Taken::Head(None))));
    (replica, all)
}

#[test]
fn a_removal_leaves_nothing_of_a_group_but_itself_and_nobody_brings_it_back() {
    let mut replica = replica();
    let first = change("edge", None, 5);
    let second = change("edge", Some(&first), 6);
    let gone = removal(&second, 7);
    [&first, &second]
        .into_iter()
        .for_each(|revision| _ = take(&mut replica, revision));
    assert!(matches!(take(&mut replica, &gone), Taken::Head(Some(_))));
    let pruned = replica.group_mut("edge").unwrap().prune();
    assert_eq!(
        pruned.iter().map(|record| record.id).collect::<Vec<_>>(),
        [first.id(), second.id()]
    );
    assert!(replica.head("edge").is_none() && replica.tip("edge").unwrap().id() == gone.id());
    for old in [&first, &second] {
        assert!(
            matches!(take(&mut replica, old), Taken::Stale),
            "whoever was away is answered with the removal"
        );
    }
    assert_eq!(
        replica
            .exchanged()
            .map(|revision| revision.id())
            .collect::<Vec<_>>(),
        [gone.id()]
    );
    let late = change("edge", Some(&second), 6);
    assert!(
        matches!(take(&mut replica, &late), Taken::Uncontained),
        "a late edit is not lost"
    );
    let anew = change("edge", Some(&gone), 9);
    assert!(matches!(take(&mut replica, &anew), Taken::Head(_)));
    assert_eq!(replica.head("edge").unwrap().id(), anew.id());
}

#[test]
fn an_original_whose_replay_goes_with_the_group_goes_too() {
    let mut replica = replica();
    let first = change("edge", None, 5);
    let (head, lost) = (
        change("edge", Some(&first), 7),
        change("edge", Some(&first), 6),
    );
    let edit = Edit {
        origin: Origin::Replay(lost.edit_ref(), lost.edit_author()),
        operations: lost.edit.operations.clone(),
    };
    let (opens, settles, note) = (BTreeMap::new(), Vec::new(), String::new());
    let again = sign(
        "edge",
        Some(&head),
        8,
        Draft {
            edit,
            document: head.document.clone(),
            opens,
            settles,
            flags: 0,
            note,
        },
    );
    let gone = removal(&again, 9);
    [&first, &head, &lost, &again, &gone]
        .into_iter()
        .for_each(|revision| _ = take(&mut replica, revision));
    assert_eq!(replica.group_mut("edge").unwrap().prune().len(), 4);
    assert_eq!(replica.group("edge").unwrap().history().len(), 1);
}

#[test]
fn of_the_own_group_what_was_is_kept_and_is_what_it_is_made_anew_with() {
    let mut replica = replica();
    let first = change("default", None, 5);
    let gone = removal(&first, 7);
    let late = change("default", Some(&first), 6);
    [&first, &gone, &late]
        .into_iter()
        .for_each(|revision| _ = take(&mut replica, revision));
    let group = replica.group_mut("default").unwrap();
    assert!(group.prune().is_empty());
    assert_eq!(
        group.former().unwrap().record.id,
        first.id(),
        "not what the removal does not contain"
    );
}

#[test]
fn nothing_of_the_own_group_goes_while_it_is_removed() {
    let mut replica = Replica::new(Keeping {
        me: peer(99),
        group: "default".into(),
        history: 2,
        files_max: 1 << 40,
    });
    let mut all = vec![change("default", None, 1)];
    (2..8).for_each(|ms| all.push(change("default", all.last(), ms)));
    all.iter()
        .for_each(|revision| _ = take(&mut replica, revision));
    let pruned = |replica: &mut Replica| replica.group_mut("default").unwrap().prune().len();
    assert_eq!(pruned(&mut replica), 4);
    take(&mut replica, &removal(&all[6], 9));
    assert_eq!(
        pruned(&mut replica),
        0,
        "what the removal settled is listed again in a moment, and needs its originals"
    );
}

#[test]
fn one_group_too_many_is_named_and_not_held_until_another_is_removed() {
    let (mut replica, all) = full();
    assert!(replica.is_full());
    let more: Vec<_> = (0..9)
        .map(|number| change(&format!("more-{number}"), None, 5))
        .collect();
    for one in &more {
        assert!(matches!(take(&mut replica, one), Taken::NoRoom));
        assert!(!replica.admits(&one.record));
    }
    assert_eq!(replica.refused().count(), GROUPS_NAMED);
    assert!(
        matches!(
            take(&mut replica, &change("group-3", Some(&all[3]), 6)),
            Taken::Head(_)
        ),
        "those that are held go on"
    );
    assert!(
        matches!(
            take(&mut replica, &change("default", None, 5)),
            Taken::Head(None)
        ),
        "the own one has its place"
    );
    assert!(!replica.has_room_again());
    let gone: Vec<_> = all[..2].iter().map(|first| removal(first, 7)).collect();
    gone.iter().for_each(|gone| _ = take(&mut replica, gone));
    assert!(replica.has_room_again() && replica.refused().next().is_none());
    assert!(matches!(take(&mut replica, &more[0]), Taken::Head(None)));
    assert!(
        matches!(
            take(&mut replica, &change("group-0", Some(&gone[0]), 9)),
            Taken::NoRoom
        ),
        "nor is one made anew"
    );
}

#[test]
fn the_newest_removals_are_kept_by_all_hosts_alike() {
    let removals: Vec<_> = (0..REMOVALS_MAX as u64 + 5)
        .map(|number| {
            let first = change(&format!("group-{number}"), None, 5);
            removal(&first, 10 + number)
        })
        .collect();
    let (mut one, mut other) = (replica(), replica());
    removals.iter().for_each(|gone| _ = take(&mut one, gone));
    let files = one.dropped().len();
    removals
        .iter()
        .rev()
        .for_each(|gone| _ = take(&mut other, gone));
    let held = |replica: &Replica| {
        replica
            .exchanged()
            .map(|revision| revision.id())
            .collect::<Vec<_>>()
    };
    assert_eq!((held(&one).len(), files), (REMOVALS_MAX, 5));
    assert_eq!(held(&one), held(&other));
    assert!(
        matches!(take(&mut one, &removals[0]), Taken::NoRoom),
        "else it would go round for ever"
    );
    assert!(other.dropped().is_empty());
}
