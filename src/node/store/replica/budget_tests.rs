use std::collections::BTreeMap;

use super::*;
use crate::limits::HISTORY_KEPT;
use crate::model::document::Document;
use crate::model::json::Value;
use crate::model::revision::{Draft, Edit};
use crate::node::rng::Rng;
use crate::node::store::replica::tests::{child, peer, sign};
use crate::node::store::replica::{Keeping, Taken};

const ME: u8 = 50;
const FLOOD: u8 = 66;
const MIB: usize = 1 << 20;

fn replica(files_max: u64) -> Replica {
    Replica::new(Keeping {
        me: peer(ME),
        group: "default".into(),
        history: HISTORY_KEPT,
        files_max,
    })
}

/// A first revision with this much in it, which contains nothing of any other.
fn large(who: u8, ms: u64, bytes: usize) -> Arc<Revision> {
    let document = Document::from_config(Value::from("x".repeat(bytes))).unwrap();
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
    sign(None, who, ms, draft)
}

fn take(replica: &mut Replica, revision: &Arc<Revision>) -> Taken {
    replica.take(
        Arc::clone(revision),
        Duration::from_millis(revision.record.header.stamp.wall_ms()),
    )
}

fn held(replica: &Replica) -> Vec<RecordId> {
    let mut held: Vec<RecordId> = replica.exchanged().map(|revision| revision.id()).collect();
    held.sort();
    held
}

fn assert_within(replica: &Replica) {
    assert!(
        replica.memory() <= UNCONTAINED_MEMORY_MAX,
        "{} bytes of memory",
        replica.memory()
    );
    let uncontained: u64 = replica.shares().iter().map(|share| share.bytes).sum();
    assert!(
        uncontained <= UNCONTAINED_BYTES_MAX,
        "{uncontained} bytes of disk"
    );
}

/// Each head contains nothing of the one before it, so each is uncontained as soon as the next is
/// there.
#[test]
fn a_flood_of_heads_stays_within_memory_and_disk_and_costs_nobody_else_his_work() {
    let mut replica = replica(512 << 20);
    let (honest, own) = (child(None, 1, 1), large(ME, 2, 3 * MIB));
    take(&mut replica, &honest);
    take(&mut replica, &own);
    for ms in 3..60 {
        assert!(
            matches!(take(&mut replica, &large(FLOOD, ms, MIB)), Taken::Head(_)),
            "the greatest is head, whoever made it"
        );
        assert_within(&replica);
    }
    let held = held(&replica);
    assert!(held.contains(&honest.id()) && held.contains(&own.id()));
    let most = (UNCONTAINED_AUTHOR_BYTES_MAX as usize) / MIB;
    assert!(
        (most - 1..=most + 2).contains(&held.len()),
        "{} are held",
        held.len()
    );
    let gone = replica.dropped();
    assert_eq!(
        gone.len(),
        57 - (held.len() - 2),
        "what goes is to be removed from disk"
    );
    assert!(
        gone.iter()
            .all(|(record, _)| record.header.author == peer(FLOOD))
    );
    assert!(
        replica
            .find(&own.id())
            .is_none_or(|whole| !whole.is_light()),
        "what is found has its body"
    );
}

/// A fleet's key can make any number of authors.
#[test]
fn many_authors_at_once_do_not_push_small_work_out() {
    let mut replica = replica(512 << 20);
    let small: Vec<Arc<Revision>> = (1..5).map(|who| child(None, who, u64::from(who))).collect();
    small
        .iter()
        .for_each(|revision| drop(take(&mut replica, revision)));
    for who in 100..240_u8 {
        take(&mut replica, &large(who, u64::from(who), MIB));
        assert_within(&replica);
    }
    let held = held(&replica);
    assert!(small.iter().all(|revision| held.contains(&revision.id())));
}

#[test]
fn hosts_that_are_flooded_in_another_order_keep_the_same() {
    let flood: Vec<Arc<Revision>> = (0..45)
        .map(|ms| large(FLOOD + (ms % 2) as u8, ms + 1, MIB))
        .collect();
    let others: Vec<Arc<Revision>> = (1..4)
        .map(|who| child(None, who, 20 * u64::from(who)))
        .collect();
    let mut rng = Rng::new(1);
    let mut results = Vec::new();
    for _ in 0..4 {
        let mut order: Vec<&Arc<Revision>> = flood.iter().chain(&others).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, rng.below(at as u64 + 1) as usize);
        }
        let mut replica = replica(512 << 20);
        order
            .into_iter()
            .for_each(|revision| drop(take(&mut replica, revision)));
        results.push(held(&replica));
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Else it would be fetched again at each exchange, for ever.
#[test]
fn what_would_go_at_once_is_known_by_its_header() {
    let mut replica = replica(512 << 20);
    let flood: Vec<Arc<Revision>> = (1..50).map(|ms| large(FLOOD, ms, MIB)).collect();
    flood
        .iter()
        .for_each(|revision| drop(take(&mut replica, revision)));
    let (kept, gone): (Vec<_>, Vec<_>) = flood
        .iter()
        .partition(|revision| replica.kept(&revision.id()).is_some());
    assert!(!gone.is_empty() && !kept.is_empty());
    for revision in gone {
        assert!(!replica.has_room_for(&revision.record));
        assert!(matches!(take(&mut replica, revision), Taken::NoRoom));
    }
    let honest = child(None, 1, 1);
    assert!(replica.has_room_for(&honest.record));
    assert!(matches!(take(&mut replica, &honest), Taken::Uncontained));
}

#[test]
fn bodies_that_nobody_needs_leave_memory_and_come_back() {
    let mut replica = replica(512 << 20);
    let flood: Vec<Arc<Revision>> = (1..20).map(|ms| large(FLOOD, ms, MIB)).collect();
    flood
        .iter()
        .for_each(|revision| drop(take(&mut replica, revision)));
    assert_eq!(held(&replica).len(), flood.len());
    let first = flood[0].id();
    assert!(replica.find(&first).is_none() && replica.kept(&first).is_some());
    let light = replica
        .exchanged()
        .find(|revision| revision.id() == first)
        .unwrap();
    assert!(light.is_light() && light.ops().is_none());
    assert_eq!(light.as_conflict(), flood[0].as_conflict());
    assert!(
        !replica.hold_again(Arc::clone(&flood[0]), Duration::from_secs(9)),
        "it was uncontained all the time"
    );
    assert!(replica.find(&first).is_some());
    assert_within(&replica);
}

#[test]
fn what_is_not_on_disk_yet_keeps_its_body() {
    let mut replica = replica(512 << 20);
    let waits = large(FLOOD, 1, MIB);
    replica.writing(waits.id());
    take(&mut replica, &waits);
    (2..20).for_each(|ms| drop(take(&mut replica, &large(FLOOD, ms, MIB))));
    assert!(replica.find(&waits.id()).is_some());
    replica.written(&waits.id());
    take(&mut replica, &large(FLOOD, 20, MIB));
    assert!(replica.find(&waits.id()).is_none() && replica.kept(&waits.id()).is_some());
    replica.set_spills(false);
    (21..40).for_each(|ms| drop(take(&mut replica, &large(FLOOD, ms, MIB))));
    assert_within(&replica);
}

#[test]
fn when_the_disk_has_no_more_room_old_history_goes_before_anything_else() {
    let all: Vec<Arc<Revision>> = (1..=20).fold(Vec::new(), |mut all: Vec<Arc<Revision>>, ms| {
        let base = all.last().map(|base| &**base);
        let document =
            Document::from_config(Value::from(format!("{}{ms}", "x".repeat(MIB)))).unwrap();
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
        let next = sign(base, 1, ms, draft);
        all.push(next);
        all
    });
    let mut replica = replica(8 << 20);
    all.iter()
        .for_each(|revision| drop(take(&mut replica, revision)));
    assert!(replica.files_bytes() <= 8 << 20);
    assert_eq!(replica.dropped().len(), 20 - 7, "the newest stay");
    assert!(
        replica
            .problem()
            .is_some_and(|problem| problem.contains("--history"))
    );
    assert!(
        replica.fits(6 << 20) && !replica.fits(8 << 20),
        "history makes room, the head does not"
    );
}
