//! Fleets above the full mesh: few links each, one head, and no two halves for long.

use std::collections::BTreeSet;
use std::time::Duration;

use starlingd::limits::{
    ANNOUNCED_BY_LINK_MAX, DEAD_AFTER, DEGREE_MAX, DIALS_MET, GRAFT_AGAIN, HAVES_MAX, LINKS_MAX,
    OUTGOING, TRIM_EVERY,
};
use starlingd::model::record::RecordId;
use starlingd::node::input::Input;
use starlingd::sim::{Spec, address};
use starlingd::wire::frame::Frame;

use super::liars::LIAR;
use super::seeds;
use crate::fleet::{Fleet, SOON};
use crate::members::{hello, peer};

const COUNT: usize = 12;
/// So many that each half has more places for links than hosts need.
const MANY: usize = 20;

/// A fleet whose hosts are all known to all.
fn fleet(seed: u64, count: usize) -> Fleet {
    let mut net = Fleet::of(seed, count);
    net.until("all have joined", Duration::from_secs(120), |net| {
        net.all_joined()
    });
    net.run(Duration::from_secs(60));
    net
}

#[test]
fn twelve_hosts_keep_few_links_and_one_head() {
    for seed in seeds(2) {
        let mut net = fleet(seed, COUNT);
        for number in 0..10 {
            let author = net.below(COUNT);
            let head = net.set(author, "/config/routes", &format!("[{number}]"));
            net.until("it is everywhere", Duration::from_secs(3), |net| {
                net.all_at(head)
            });
        }
        net.settle(SOON);
        for host in 0..COUNT {
            let degree = net.degree(host);
            assert!(
                (1..=DEGREE_MAX).contains(&degree),
                "seed {seed}: host {host} has {degree} links"
            );
        }
    }
}

/// Links between the halves are gone for longer than anybody keeps them; those within hold.
#[test]
fn two_halves_that_were_apart_for_long_find_each_other_again() {
    for seed in seeds(2) {
        let mut net = fleet(seed, COUNT);
        let half: Vec<usize> = (0..COUNT / 2).map(|n| 2 * n + 1).collect();
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&half);
        net.run(Duration::from_secs(600));
        net.set(0, "/config/routes", "[1]");
        net.set(0, "/config/routes", "[2]");
        net.set(1, "/config/applications/half", "{}");
        net.heal();
        net.until("one head", Duration::from_secs(300), |net| net.agree());
        net.settle(Duration::from_secs(60));
    }
}

/// Nothing is configured but a host that is gone for good; the others have found each other by
/// mDNS, once.
#[test]
fn a_host_that_is_gone_for_good_does_not_keep_two_halves_apart() {
    for seed in seeds(1) {
        let mut net = Fleet::new(seed);
        for number in 0..MANY {
            net.add(Spec {
                peers: vec!["10.9.9.9:7117".to_owned()],
                ..Fleet::spec(number)
            });
        }
        (0..MANY).for_each(|host| find_all(&mut net, host));
        net.until("all have joined", Duration::from_secs(10), |net| {
            net.all_joined()
        });
        net.run(Duration::from_secs(60));
        let half: Vec<usize> = (0..MANY / 2).map(|n| 2 * n + 1).collect();
        net.split(&half);
        net.run(Duration::from_secs(600));
        net.set(0, "/config/routes", "[0]");
        net.heal();
        net.until("one head", Duration::from_secs(300), |net| net.agree());
    }
}

fn find_all(net: &mut Fleet, host: usize) {
    let fleet = starlingd::sim::fleet();
    for other in (0..MANY).filter(|other| *other != host) {
        let instance = fleet
            .key()
            .instance(fleet.id(), &net.hosts[other].node.peer());
        net.deliver(
            host,
            Input::Found {
                instance,
                addresses: vec![address(other)],
                unheard: true,
            },
        );
    }
}

/// All others have the first host configured; it has room for twelve.
#[test]
fn a_host_that_everybody_wants_is_not_dialled_all_the_time() {
    let mut net = fleet(1, 24);
    // When it comes back, all others have links enough to be sent elsewhere.
    net.crash(0, false);
    net.run(Duration::from_secs(30));
    net.restart(0);
    net.run(Duration::from_secs(60));
    let dials: u64 = net.hosts.iter().map(|host| host.dials).sum();
    net.run(Duration::from_secs(120));
    let dials = net.hosts.iter().map(|host| host.dials).sum::<u64>() - dials;
    println!(
        "24 hosts have {} links and dial {} times a minute",
        net.pairs().len(),
        dials / 2
    );
    assert!(dials < 24 * 2 * 6, "{dials} dials in two minutes");
    let parts = parts(&net);
    assert_eq!(parts, 1, "the fleet is in {parts} parts");
}

/// Everybody hears of everybody at once, dials everybody, and is small in its own eyes at first.
#[test]
fn links_made_while_a_fleet_looked_small_are_given_up_until_nobody_has_too_many() {
    for seed in seeds(3) {
        let mut net = Fleet::new(seed);
        (0..MANY).for_each(|number| {
            _ = net.add(Spec {
                peers: Vec::new(),
                ..Fleet::spec(number)
            })
        });
        (0..MANY).for_each(|host| find_all(&mut net, host));
        net.until("somebody has too many", SOON, |net| {
            (0..MANY).any(|host| net.degree(host) > DEGREE_MAX + 2)
        });
        let most = TRIM_EVERY * 3 / 2 * MANY as u32 + DIALS_MET;
        net.until("nobody has", most, |net| {
            (0..MANY).all(|host| net.degree(host) <= DEGREE_MAX)
        });
        for second in 0..60 {
            net.run(Duration::from_secs(1));
            assert_eq!(parts(&net), 1, "seed {seed}: {second} s");
        }
        let may_have = OUTGOING..=DEGREE_MAX;
        net.until("all have enough", SOON, |net| {
            (0..MANY).all(|host| may_have.contains(&net.degree(host)))
        });
    }
}

/// The others reach the first host only: the network lets no packet pass between them, from the
/// start or from some time on.
#[test]
fn a_host_does_not_give_up_the_only_link_of_another() {
    for linked_before in [false, true] {
        let mut net = fleet_of_leaves(linked_before);
        let to_the_first = |net: &mut Fleet| net.pairs() == (1..MANY).map(|one| (0, one)).collect();
        net.until("no other links are left", DEAD_AFTER * 2, |net| {
            net.pairs().iter().all(|(first, _)| *first == 0)
        });
        let linked = net.pairs();
        net.until(
            "all are linked with the first",
            Duration::from_secs(200),
            |net| {
                assert!(
                    linked.is_subset(&net.pairs()),
                    "{linked:?} stay: {:?}",
                    net.pairs()
                );
                to_the_first(net)
            },
        );
        for second in 0..120 {
            net.run(Duration::from_secs(1));
            assert!(
                to_the_first(&mut net),
                "linked before: {linked_before}; after {second} s: {:?}\n{}",
                net.pairs(),
                net.report()
            );
        }
    }
}

fn fleet_of_leaves(linked_before: bool) -> Fleet {
    let mut net = if linked_before {
        fleet(3, MANY)
    } else {
        Fleet::of(3, MANY)
    };
    for one in 1..MANY {
        (1..MANY).for_each(|other| net.cut(one, other, true));
    }
    net
}

/// It has places for 64 links and is configured everywhere, so those links stay: the others must
/// find somebody else.
#[test]
fn who_finds_no_room_at_the_only_host_that_is_known_gets_in_elsewhere() {
    let mut net = Fleet::new(1);
    for number in 0..LINKS_MAX + 6 {
        net.add(Spec {
            server: false,
            ..Fleet::spec(number)
        });
    }
    net.until("all have joined", Duration::from_secs(20), |net| {
        net.all_joined()
    });
}

/// In how many parts the fleet is.
fn parts(net: &Fleet) -> usize {
    let mut left: BTreeSet<usize> = net.running().into_iter().collect();
    let pairs = net.pairs();
    let mut parts = 0;
    while let Some(first) = left.pop_first() {
        parts += 1;
        let mut edge = vec![first];
        while let Some(here) = edge.pop() {
            let near: Vec<usize> = left
                .iter()
                .copied()
                .filter(|there| pairs.contains(&(here.min(*there), here.max(*there))))
                .collect();
            left.retain(|there| !near.contains(there));
            edge.extend(near);
        }
    }
    parts
}

/// A member is linked with every host, names each change before anybody else has it, and what does
/// not exist besides, and never sends any of it.
#[test]
fn a_member_that_names_what_it_never_sends_holds_up_nobody() {
    for seed in seeds(2) {
        let mut net = fleet(seed, COUNT);
        let change =
            |net: &mut Fleet, number: u64| net.set(0, "/config/routes", &format!("[{number}]"));
        for number in 0..4 {
            let head = change(&mut net, number);
            net.until("it is everywhere", SOON, |net| net.all_at(head));
        }
        let tree = tree_of_first();
        for number in 4..8 {
            // It answers no ping, so that it has to come anew.
            let link = |host| net.puppet(host, hello(LIAR + host as u64));
            let liars: Vec<usize> = (0..COUNT).map(link).collect();
            let head = change(&mut net, number);
            let unknown = (0..HAVES_MAX - 1).map(|other| {
                let mut id = [number as u8; 32];
                id[0] = other as u8;
                RecordId(id)
            });
            let names = std::iter::once(head).chain(unknown).map(|id| (tree, id));
            let names = Frame::Have(names.collect()).encode();
            for liar in &liars {
                net.says(*liar, names.clone());
            }
            net.until(
                "it is everywhere all the same",
                GRAFT_AGAIN.end * 2,
                |net| net.all_at(head),
            );
            net.run(DEAD_AFTER * 2);
            for liar in liars {
                let is_graft = |frame: &&Vec<u8>| matches!(Frame::decode(frame), Ok(Some(Frame::Graft(_, id))) if id != RecordId::NONE);
                let asked = net.puppets[liar].frames.iter().filter(is_graft).count();
                assert!(
                    asked <= ANNOUNCED_BY_LINK_MAX,
                    "seed {seed}: the member was asked {asked} times"
                );
            }
        }
        net.settle(SOON);
    }
}

/// The tree of what the first host makes.
fn tree_of_first() -> u64 {
    let first = peer(0).as_bytes().first_chunk().copied();
    u64::from_be_bytes(first.expect("it is longer"))
}
