//! What is published anywhere is everywhere soon, and in the end whatever was lost on the way.

use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::node::answer::Answer;
use starlingd::node::ask::PastQuery;

use super::seeds;
use crate::fleet::{Fleet, SOON};

const MINUTES: Duration = Duration::from_secs(240);

/// A fleet whose hosts are all linked and in step.
pub fn joined(seed: u64, count: usize) -> Fleet {
    let mut net = Fleet::of(seed, count);
    net.until("all have joined", SOON, |net| net.all_joined());
    net
}

#[test]
fn five_hosts_agree_on_each_of_fifty_changes_by_anybody() {
    for seed in seeds(4) {
        let mut net = joined(seed, 5);
        for number in 0..50 {
            let author = net.below(5);
            let head = net.set(
                author,
                &format!("/config/applications/app-{}", number % 7),
                &format!("{{\"n\":{number}}}"),
            );
            net.until("the change is everywhere", Duration::from_secs(2), |net| {
                net.all_at(head)
            });
        }
        net.settle(SOON);
        assert!(net.conflicts(0).is_empty());
    }
}

#[test]
fn a_host_that_joins_refuses_changes_until_it_is_in_step_and_then_takes_them() {
    for seed in seeds(30) {
        let mut net = joined(seed, 2);
        let head = net.set(0, "/config/routes", "[1]");
        net.add(Fleet::spec(2));
        assert!(!net.is_joined(2), "seed {seed}");
        match net.change(2, "/config/routes", "[2]") {
            Answer::Denied(denial) => {
                assert_eq!(said(&denial).status, 503, "seed {seed}: {denial:?}")
            }
            // Its server was looked at first, and meanwhile it has joined.
            Answer::Done { .. } => assert!(net.is_joined(2)),
            other => panic!("{other:?}"),
        }
        net.until("it has joined", SOON, |net| net.is_joined(2));
        assert!(net.head(2).is_some());
        let next = net.set(2, "/config/routes", "[3]");
        assert_ne!(next, head);
        net.until("its change is everywhere", SOON, |net| net.all_at(next));
    }
}

#[test]
fn a_host_that_reaches_nobody_takes_no_changes_but_shows_what_its_server_runs() {
    let mut net = joined(1, 1);
    net.set(0, "/config/routes", "[1]");
    net.crash(0, false);
    net.add(Fleet::spec(1));
    net.run(Duration::from_secs(300));
    match net.change(1, "/config/routes", "[2]") {
        Answer::Denied(denial) => assert_eq!(said(&denial).status, 503),
        other => panic!("{other:?}"),
    }
    assert_eq!(net.head(1), None);
    assert_eq!(net.hosts[1].server.changes, 0, "the server was not touched");
}

#[test]
fn after_a_cut_every_host_has_the_changes_of_both_sides_at_different_places() {
    for seed in seeds(20) {
        let mut net = joined(seed, 5);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[3, 4]);
        let (longer, shorter) = (2 + net.below(3), 1 + net.below(2));
        for number in 0..longer {
            net.set(0, &format!("/config/applications/a{number}"), "{}");
        }
        for number in 0..shorter {
            net.set(
                3 + number % 2,
                &format!("/config/applications/b{number}"),
                "{}",
            );
        }
        net.run(Duration::from_secs(20 * (seed % 4)));
        net.heal();
        let marks = (0..longer)
            .map(|n| format!("\"a{n}\""))
            .chain((0..shorter).map(|n| format!("\"b{n}\"")));
        let marks: Vec<String> = marks.collect();
        net.until("all are in one document", MINUTES, |net| {
            let config = net.config(0);
            net.agree() && marks.iter().all(|mark| config.contains(mark))
        });
        net.settle(SOON);
        assert!(
            net.conflicts(0).is_empty(),
            "seed {seed}: nothing collided: {:?}",
            net.conflicts(0)
        );
    }
}

fn listed(net: &mut Fleet) -> Vec<String> {
    net.conflicts(0)
        .into_iter()
        .filter(|(_, state)| state == "open")
        .map(|(id, _)| id)
        .collect()
}

/// Whoever has to settle a conflict must see who wanted what, also of changes that others were made
/// on.
#[test]
fn changes_that_lost_together_are_each_listed_with_author_and_what_was_wanted() {
    for seed in seeds(10) {
        let mut net = joined(seed, 4);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[2, 3]);
        for number in 0..5 {
            net.set(
                0,
                &format!("/config/applications/a{}", number % 3),
                &format!("\"won {number}\""),
            );
        }
        let lost: Vec<String> = (0..3)
            .map(|n| {
                net.set(2, &format!("/config/applications/a{n}"), "{}")
                    .to_string()
            })
            .collect();
        net.heal();
        net.until("all is listed", MINUTES, |net| {
            net.agree() && listed(net).len() == lost.len()
        });
        let view = net.view(0, PastQuery::Conflicts);
        for id in &lost {
            let conflict = view
                .as_array()
                .unwrap()
                .iter()
                .find(|conflict| conflict["id"] == **id)
                .expect("it is listed");
            assert!(
                conflict["author"].is_string(),
                "seed {seed}: nobody is named as author of {id}"
            );
            assert_eq!(
                conflict["edit"].as_array().map(Vec::len),
                Some(1),
                "seed {seed}: what {id} wanted is not told"
            );
        }
    }
}

#[test]
fn a_host_that_was_off_comes_back_to_the_same_head() {
    for seed in seeds(15) {
        let mut net = joined(seed, 4);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        let silently = seed % 2 == 0;
        net.crash(3, silently);
        for number in 0..5 {
            net.set(number % 3, "/config/routes", &format!("[{number}]"));
            net.until("the others have it", SOON, |net| net.agree());
        }
        net.restart(3);
        // Half a minute: long before the exchange that happens anyway would have to.
        net.until("it has caught up", Duration::from_secs(6), |net| {
            net.agree()
        });
        net.settle(SOON);
    }
}

#[test]
fn an_acknowledged_change_survives_the_crash_of_its_host() {
    for seed in seeds(20) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[2]);
        let revision = net.set(2, "/config/applications/late", "{}");
        net.crash(2, true);
        net.run(Duration::from_secs(5));
        net.heal();
        net.restart(2);
        assert_eq!(net.head(2), Some(revision));
        net.until("it is everywhere", MINUTES, |net| net.all_at(revision));
    }
}

#[test]
fn an_idle_fleet_writes_nothing_to_disk_and_says_little() {
    let mut net = joined(3, 5);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net.run(Duration::from_secs(180));
    let writes: u64 = net.hosts.iter().map(|host| host.disk.writes).sum();
    let (frames, bytes) = (net.traffic.frames, net.traffic.bytes);
    net.run(Duration::from_secs(600));
    let after: u64 = net.hosts.iter().map(|host| host.disk.writes).sum();
    assert_eq!(after, writes, "an idle fleet wears out no flash");
    let (frames, bytes) = (
        (net.traffic.frames - frames) / 10,
        (net.traffic.bytes - bytes) / 10,
    );
    println!("five idle hosts, ten links: {frames} frames and {bytes} bytes a minute");
    // A ping and a pong on each of ten links every ten seconds are 120; node records and exchanges
    // are the rest.
    assert!(frames <= 400, "{frames} frames a minute");
}
