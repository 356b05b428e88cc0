//! Edits that lost and still fit: made again on the head, once, by whoever can.

use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Command, PastQuery};
use starlingd::sim::Refuses;

use super::seeds;
use super::spreading::joined;
use crate::asks::{delete, value};
use crate::fleet::{Fleet, SOON};

const MINUTE: Duration = Duration::from_secs(60);

/// Two sides with a first revision in common.
fn apart(seed: u64, first: &str) -> Fleet {
    let mut net = joined(seed, 4);
    net.set(0, "/config/routes", first);
    net.settle(SOON);
    net.split(&[2, 3]);
    net
}

#[test]
fn what_several_hosts_append_to_one_array_is_there_once_each() {
    for seed in seeds(10) {
        let mut net = apart(seed, "[0]");
        for round in 0..3 {
            for host in 0..4 {
                let client = net.append(host, "/config/routes", 10 * host + round + 1);
                let answer = net.answer(host, client);
                net.done(answer);
            }
        }
        net.heal();
        net.until("all are there", MINUTE, |net| {
            net.agree() && value(&net.config(0))["routes"].as_array().map(Vec::len) == Some(13)
        });
        net.settle(SOON);
        let config = value(&net.config(0));
        let mut there: Vec<u64> = config["routes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|n| n.as_u64())
            .collect();
        there.sort_unstable();
        there.dedup();
        assert_eq!(there.len(), 13, "seed {seed}: {config}");
        assert!(net.conflicts(0).is_empty());
    }
}

#[test]
fn a_replay_names_the_author_of_the_edit_and_is_tried_on_the_replayers_server() {
    for seed in seeds(6) {
        let mut net = apart(seed, "[0]");
        net.set(0, "/config/applications/a", "1");
        net.set(0, "/config/applications/b", "2");
        let lost = net.set(3, "/config/applications/c", "3");
        let tries = net.hosts[3].server.changes;
        net.heal();
        net.until("it is replayed", MINUTE, |net| {
            net.agree() && net.config(0).contains("\"c\":3")
        });
        net.settle(SOON);
        let revisions = net.view(0, PastQuery::Revisions);
        let replay = revisions
            .as_array()
            .unwrap()
            .iter()
            .find(|revision| revision["kind"] == "replay")
            .expect("it is in the history");
        assert_eq!(
            replay["author"],
            net.hosts[3].node.peer().to_string(),
            "seed {seed}"
        );
        assert_eq!(replay["edit"][0]["path"], "/config/applications/c");
        assert!(
            net.hosts[3].server.changes > tries,
            "seed {seed}: nobody tried it"
        );
        assert_ne!(replay["id"], lost.to_string());
    }
}

#[test]
fn an_edit_that_the_replayers_server_refuses_on_the_head_becomes_a_conflict() {
    for seed in seeds(6) {
        let mut net = apart(seed, "[0]");
        net.set(0, "/config/applications/a", "1");
        net.set(0, "/config/applications/b", "2");
        let lost = net.set(3, "/config/applications/c", "3");
        // Its server took the edit, and will not take it together with what the others did.
        net.hosts[3].server.refuses = Refuses::Both("a".into(), "c".into());
        net.heal();
        net.until("it is listed", MINUTE, |net| {
            net.agree() && net.conflicts(0) == vec![(lost.to_string(), "open".to_owned())]
        });
        net.settle(SOON);
        assert!(!net.config(0).contains("\"c\""), "seed {seed}");
    }
}

#[test]
fn a_guarded_edit_is_never_replayed() {
    for seed in seeds(6) {
        let mut net = apart(seed, "[0]");
        let head = net.head(3).expect("there is one");
        net.set(0, "/config/applications/a", "1");
        net.set(0, "/config/applications/b", "2");
        let client = net.put_if(3, "/config/applications/c", "3", format!("\"{head}\""));
        let answer = net.answer(3, client);
        let lost = net.done(answer);
        net.heal();
        net.until("it is listed", MINUTE, |net| {
            net.agree() && net.conflicts(0) == vec![(lost.to_string(), "open".to_owned())]
        });
        net.run(MINUTE);
        assert!(!net.config(0).contains("\"c\""), "seed {seed}");
    }
}

/// Who dies right after its 200 has not lost its change: another host makes it again.
#[test]
fn the_edit_of_an_author_that_died_is_replayed_by_another_after_ten_seconds() {
    for seed in seeds(6) {
        let mut net = apart(seed, "[0]");
        let lost = net.set(3, "/config/applications/c", "3");
        net.until("host 2 has it", SOON, |net| net.head(2) == Some(lost));
        net.set(0, "/config/applications/a", "1");
        net.set(0, "/config/applications/b", "2");
        net.crash(3, false);
        net.heal();
        net.until("one head", MINUTE, |net| net.agree());
        let since = net.now;
        net.until("it is replayed", MINUTE, |net| {
            net.agree() && net.config(0).contains("\"c\":3")
        });
        assert!(
            net.now - since >= Duration::from_secs(5),
            "seed {seed}: nobody waited for the author"
        );
        net.settle(SOON);
        assert!(net.conflicts(0).is_empty());
    }
}

/// An edit made on another that lost too must wait for that one to be made again: before, it seems
/// to collide.
#[test]
fn a_chain_of_edits_by_several_authors_that_lost_together_is_replayed_in_its_order() {
    for seed in seeds(10) {
        let mut net = apart(seed, "[0]");
        net.set(0, "/config/applications/a", "1");
        net.set(0, "/config/applications/b", "2");
        net.set(0, "/config/applications/d", "2");
        net.set(0, "/config/applications/e", "2");
        net.set(3, "/config/applications/c", "1");
        for number in 2..5 {
            let host = 2 + number % 2;
            net.until("both have the last", SOON, |net| net.head(2) == net.head(3));
            net.set(host, "/config/applications/c", &number.to_string());
        }
        net.heal();
        net.until("the last is there", MINUTE, |net| {
            net.agree() && net.config(0).contains("\"c\":4")
        });
        net.settle(SOON);
        assert!(
            net.conflicts(0).is_empty(),
            "seed {seed}: {:?}",
            net.conflicts(0)
        );
    }
}

#[test]
fn of_two_hosts_that_want_the_same_neither_is_in_conflict() {
    for seed in seeds(6) {
        let mut net = apart(seed, "[0]");
        net.set(0, "/config/applications/a", "1");
        net.set(0, "/config/applications/same", "7");
        net.set(3, "/config/applications/same", "7");
        net.heal();
        net.until("one head", MINUTE, |net| net.agree());
        net.run(MINUTE);
        net.settle(SOON);
        assert!(
            net.conflicts(0).is_empty(),
            "seed {seed}: {:?}",
            net.conflicts(0)
        );
    }
}

/// Twelve authors at once: each of those that were told 200 is in the document, within seconds of
/// the last.
#[test]
fn twelve_hosts_that_write_at_once_come_to_rest_with_all_that_was_acknowledged() {
    for seed in seeds(3) {
        let mut net = joined(seed, 12);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        let asked: Vec<_> = (0..12)
            .map(|host| {
                (
                    host,
                    net.put(host, &format!("/config/applications/n{host}"), "1"),
                )
            })
            .collect();
        let mut made = Vec::new();
        for (host, client) in asked {
            match net.answer(host, client) {
                Answer::Done { .. } => made.push(host),
                Answer::Denied(denial) => {
                    assert!([409, 503].contains(&said(&denial).status), "{denial:?}")
                }
                other => panic!("{other:?}"),
            }
        }
        let since = net.now;
        net.until("all are there", MINUTE, |net| {
            let config = net.config(0);
            net.agree()
                && made
                    .iter()
                    .all(|host| config.contains(&format!("\"n{host}\"")))
        });
        net.settle(SOON);
        println!(
            "{} of 12 were made at once, and at rest after {:?}",
            made.len(),
            net.now - since
        );
        assert!(net.conflicts(0).is_empty());
    }
}

/// Where the host that deletes is quicker than the one that added, there is nothing to delete yet:
/// that looks like what it wants.
#[test]
fn what_was_added_and_deleted_again_on_the_side_that_lost_does_not_come_back() {
    for seed in seeds(20) {
        let mut net = apart(seed, "[0]");
        for number in 0..4 {
            net.set(0, "/config/applications/a", &number.to_string());
        }
        let added = net.set(2, "/config/applications/c", "1");
        net.until("both have it", SOON, |net| net.head(3) == Some(added));
        net.made(3, Command::Write(delete("/config/applications/c")));
        net.heal();
        net.until("one head", MINUTE, |net| net.agree());
        net.run(MINUTE);
        net.settle(SOON);
        assert!(
            !net.config(0).contains("\"c\""),
            "seed {seed}: {}",
            net.config(0)
        );
        assert!(net.conflicts(0).is_empty(), "seed {seed}");
    }
}

/// Who was off while others wrote has their last revision only. If that branch loses, the records
/// of the others have to come first: else their edits would be listed by their names alone, though
/// their authors are alive and know them.
#[test]
fn edits_whose_records_only_their_author_has_are_replayed_with_those_made_on_them() {
    for seed in seeds(30) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[2]);
        for number in 0..5 {
            net.set(2, &format!("/config/applications/w{number}"), "1");
        }
        net.crash(1, false);
        net.set(0, "/config/applications/a", "1");
        let last = net.set(0, "/config/applications/b", "1");
        net.restart(1);
        net.until("it is back", MINUTE, |net| net.head(1) == Some(last));
        net.set(1, "/config/applications/c", "1");
        // Its author reads its records back from a slow card.
        net.hosts[0].disk.slow = Duration::from_secs(1);
        net.heal();
        net.until("one head", MINUTE, |net| net.agree());
        net.run(MINUTE);
        net.settle(SOON);
        let config = net.config(0);
        let there = ["a", "b", "c"]
            .iter()
            .filter(|name| config.contains(&format!("\"{name}\":1")))
            .count();
        assert_eq!(
            (there, net.conflicts(0)),
            (3, vec![]),
            "seed {seed}: {config}"
        );
    }
}
