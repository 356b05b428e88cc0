//! Links: who stays when there are two, clones, hosts that come back, bodies that are pulled over
//! them.

use std::collections::BTreeMap;
use std::time::Duration;

use starlingd::node::ask::HostQuery;
use starlingd::node::input::Input;
use starlingd::sim::{Spec, address};

use super::seeds;
use super::spreading::joined;
use crate::fleet::{Fleet, SOON};

/// How many links each pair of hosts has.
fn links(net: &Fleet) -> BTreeMap<(usize, usize), usize> {
    let mut count = BTreeMap::new();
    for (here, host) in net.hosts.iter().enumerate() {
        for end in host.links.values() {
            if let starlingd::sim::FarEnd::Host(there, _) = end.other {
                *count.entry((here, there)).or_default() += 1;
            }
        }
    }
    count
}

#[test]
fn of_two_dials_that_meet_exactly_one_link_stays_on_both_sides() {
    for seed in seeds(40) {
        let mut net = Fleet::new(seed);
        for number in 0..2_usize {
            let peers = vec![address(1 - number).to_string()];
            net.add(Spec {
                peers,
                began: true,
                ..Fleet::spec(number)
            });
        }
        net.run(Duration::from_secs(15));
        assert_eq!(
            links(&net),
            BTreeMap::from([((0, 1), 1), ((1, 0), 1)]),
            "seed {seed}\n{}",
            net.report()
        );
        assert_eq!((net.degree(0), net.degree(1)), (1, 1));
        assert!(
            net.hosts[0].dials + net.hosts[1].dials <= 4,
            "seed {seed}: they went on dialling"
        );
    }
}

#[test]
fn a_small_fleet_is_linked_one_with_every_other_and_stays_so() {
    for seed in seeds(5) {
        let mut net = joined(seed, 6);
        // Each learns of the others by their node records.
        net.until("a full mesh", Duration::from_secs(60), |net| {
            links(net).len() == 30
        });
        net.run(Duration::from_secs(30));
        let dials: u64 = net.hosts.iter().map(|host| host.dials).sum();
        net.run(Duration::from_secs(300));
        assert!(links(&net).values().all(|count| *count == 1));
        assert_eq!(
            dials,
            net.hosts.iter().map(|host| host.dials).sum::<u64>(),
            "seed {seed}: links that hold are left alone"
        );
    }
}

#[test]
fn the_second_host_of_an_identity_is_refused_and_both_are_told() {
    for seed in seeds(10) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.until("a full mesh", Duration::from_secs(60), |net| {
            links(net).len() == 6
        });
        let clone = net.add(Spec {
            copy: 1,
            began: true,
            identity: 3,
            ..Fleet::spec(3)
        });
        let identity = net.hosts[2].node.peer().to_string();
        let told =
            |net: &mut Fleet, host: usize| net.problems(host).to_string().contains(&identity);
        let advice = "remove its state directory, and join again";
        net.until("what to do is said", SOON, |net| {
            net.problems(0).to_string().contains(advice)
        });
        net.until("all are told", SOON, |net| {
            [0, 2, clone].into_iter().all(|host| told(net, host))
        });
        net.until("the newcomer is refused", SOON, |net| {
            net.degree(clone) == 0
        });
        net.run(SOON);
        assert!(net.degree(2) >= 1, "the old one stays");
        assert!(
            net.hosts[clone].dials < 200,
            "seed {seed}: {} dials",
            net.hosts[clone].dials
        );
    }
}

/// Its power was cut, so the others still have their old links when it is back.
#[test]
fn a_host_that_comes_back_before_it_is_missed_is_in_step_at_once() {
    for seed in seeds(15) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.crash(2, true);
        let head = net.set(0, "/config/routes", "[1]");
        net.run(Duration::from_secs(2));
        net.restart(2);
        net.until("it has the change", Duration::from_secs(5), |net| {
            net.head(2) == Some(head)
        });
        net.run(Duration::from_secs(20));
        assert!(
            links(&net).values().all(|count| *count == 1),
            "seed {seed}: {:?}",
            links(&net)
        );
        assert!(
            net.problems(0).as_array().unwrap().is_empty(),
            "nobody is taken for a clone"
        );
    }
}

/// Reinstalled, or another host has got its address: whoever is there now is not dialled for ever
/// in the other's name.
#[test]
fn another_peer_at_a_known_address_is_linked_once() {
    for seed in seeds(10) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.crash(2, false);
        net.hosts[2].spec.identity = 70 + seed;
        let dials = net.hosts[0].dials + net.hosts[1].dials;
        net.restart(2);
        net.run(Duration::from_secs(120));
        let dials = net.hosts[0].dials + net.hosts[1].dials - dials;
        assert!(dials < 20, "seed {seed}: {dials} dials in two minutes");
        assert_eq!(
            links(&net).len(),
            6,
            "the new one is linked with all: {:?}",
            links(&net)
        );
        let head = net.set(2, "/config/routes", "[1]");
        net.until("it is one of the fleet", SOON, |net| net.all_at(head));
    }
}

#[test]
fn a_host_is_dialled_again_for_ever_and_at_once_when_the_network_changes() {
    let mut net = joined(4, 2);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net.crash(1, false);
    net.run(Duration::from_secs(1800));
    let dials = net.hosts[0].dials;
    net.run(Duration::from_secs(600));
    let more = net.hosts[0].dials - dials;
    assert!((6..=60).contains(&more), "{more} dials in ten minutes");
    net.restart(1);
    net.deliver(0, Input::Addresses(vec![address(0)]));
    net.until("they are linked", Duration::from_millis(500), |net| {
        net.degree(0) == 1
    });
}

/// Random text, so that no delta helps.
fn large(net: &mut Fleet, kilobytes: usize) -> String {
    let words: Vec<String> = (0..kilobytes * 64)
        .map(|_| format!("{:016x}", net.rng.draw()))
        .collect();
    format!("[\"{}\"]", words.join(""))
}

#[test]
fn a_large_body_is_announced_and_pulled_and_a_small_change_to_it_is_small() {
    for seed in seeds(2) {
        let mut net = joined(seed, 4);
        net.until("a full mesh", Duration::from_secs(60), |net| {
            links(net).len() == 12
        });
        let body = large(&mut net, 300);
        let bytes = net.traffic.bytes;
        net.set(0, "/config/routes", &body);
        net.settle(SOON);
        let spent = net.traffic.bytes - bytes;
        assert!(
            spent < 4 * 310_000,
            "seed {seed}: {spent} bytes for three copies"
        );
        let bytes = net.traffic.bytes;
        let head = net.set(1, "/config/applications/a", "{}");
        net.until("it is everywhere", SOON, |net| net.all_at(head));
        let spent = net.traffic.bytes - bytes;
        assert!(
            spent < 40_000,
            "seed {seed}: {spent} bytes for a change of a few"
        );
    }
}

#[test]
fn a_body_whose_offerer_dies_midway_is_had_from_the_next() {
    for seed in seeds(5) {
        let mut net = joined(seed, 4);
        net.until("a full mesh", Duration::from_secs(60), |net| {
            links(net).len() == 12
        });
        let body = large(&mut net, 300);
        net.network.delay = (Duration::from_millis(20), Duration::from_millis(60));
        net.split(&[3]);
        let head = net.set(0, "/config/routes", &body);
        net.until("two have it", SOON, |net| {
            net.head(1) == Some(head) && net.head(2) == Some(head)
        });
        net.heal();
        let start = net.hosts[3].links.len();
        net.until(
            "host 3 has begun to pull",
            Duration::from_secs(120),
            |net| pulled(net) > 40_000,
        );
        assert!(net.head(3) != Some(head) && start > 0);
        net.crash(if seed % 2 == 0 { 0 } else { 1 }, seed % 3 == 0);
        net.until("it has it from another", Duration::from_secs(60), |net| {
            net.head(3) == Some(head)
        });
    }
}

/// Bytes that host 3 has received on the links that it has.
fn pulled(net: &mut Fleet) -> u64 {
    let view = net.view(3, HostQuery::Links);
    view.as_array()
        .unwrap()
        .iter()
        .filter_map(|link| link["bytes_in"].as_u64())
        .sum()
}
