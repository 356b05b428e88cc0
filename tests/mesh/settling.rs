//! Where replays, settled conflicts, restarts and long absences meet: nothing twice, nothing lost
//! without a word, nobody stuck.

use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::model::record::RecordId;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Change, Command};

use super::seeds;
use super::spreading::joined;
use crate::asks::{append, keep, value};
use crate::fleet::{Fleet, SOON};

const MINUTE: Duration = Duration::from_secs(60);

/// Two sides, of which the second has made these changes, and the first has made more.
fn beaten(seed: u64, count: usize) -> (Fleet, Vec<RecordId>) {
    let mut net = joined(seed, 4);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net.split(&[2, 3]);
    let lost = (0..count)
        .map(|n| net.set(3, &format!("/config/applications/b{n}"), "1"))
        .collect();
    for number in 0..count + 2 {
        net.set(0, "/config/applications/a", &number.to_string());
    }
    (net, lost)
}

/// One edit that was asked for once is not made twice because two people took it up again on two
/// sides of a cut.
#[test]
fn an_append_that_is_kept_on_two_sides_of_a_cut_is_there_once() {
    for seed in seeds(6) {
        let mut net = joined(seed, 4);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[2, 3]);
        let head = net.head(3).expect("there is one");
        net.set(0, "/config/applications/a", "1");
        net.set(0, "/config/applications/b", "2");
        let change = Change {
            if_match: Some(format!("\"{head}\"")),
            ..append("/config/routes", value("9"))
        };
        let lost = net.made(3, Command::Write(change));
        net.heal();
        net.until("it is listed", MINUTE, |net| {
            net.agree() && net.conflicts(0) == vec![(lost.to_string(), "open".to_owned())]
        });
        net.settle(SOON);
        net.split(&[2, 3]);
        for host in [0, 3] {
            let answer = net.answer_to(host, keep(lost));
            net.done(answer);
        }
        net.set(0, "/config/applications/z", "1");
        net.heal();
        net.until("one head", MINUTE, |net| net.agree());
        net.run(MINUTE);
        net.settle(SOON);
        assert_eq!(
            net.config(0).matches('9').count(),
            1,
            "seed {seed}: {}",
            net.config(0)
        );
    }
}

/// All are restarted at a moment when both branches are on every disk and nothing was made again
/// yet.
#[test]
fn edits_that_lost_and_were_not_made_again_before_a_restart_are_made_again_after_it() {
    for seed in seeds(8) {
        let (mut net, lost) = beaten(seed, 3);
        net.hosts.iter_mut().for_each(|host| host.server.up = false);
        net.run(Duration::from_secs(10));
        net.heal();
        net.until("one head", MINUTE, |net| net.agree());
        net.run(Duration::from_secs(5));
        (0..4).for_each(|host| net.crash(host, false));
        (0..4).for_each(|host| net.restart(host));
        net.run(Duration::from_secs(5));
        net.hosts.iter_mut().for_each(|host| host.server.up = true);
        net.run(3 * MINUTE);
        net.settle(SOON);
        let config = net.config(0);
        let there = (0..lost.len())
            .filter(|n| config.contains(&format!("\"b{n}\"")))
            .count();
        assert_eq!(
            (there, net.conflicts(0)),
            (lost.len(), vec![]),
            "seed {seed}: {config}"
        );
    }
}

#[test]
fn a_host_whose_only_peer_has_died_makes_its_own_edit_again_all_the_same() {
    for seed in seeds(3) {
        let mut net = joined(seed, 2);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[1]);
        net.set(1, "/config/applications/b", "1");
        for number in 0..4 {
            net.set(0, "/config/applications/a", &number.to_string());
        }
        net.hosts[1].server.slow = Duration::from_secs(3);
        net.heal();
        let head = net.head(0);
        net.until("the other's head is here", MINUTE, |net| {
            net.head(1) == head
        });
        net.crash(0, false);
        net.hosts[1].server.slow = Duration::from_millis(3);
        net.until("it is made again", 2 * MINUTE, |net| {
            net.config(1).contains("\"b\":1") && net.conflicts(1).is_empty()
        });
    }
}

#[test]
fn a_host_whose_head_was_damaged_takes_no_changes_after_a_second_restart_either() {
    for seed in seeds(2) {
        let mut net = joined(seed, 2);
        net.set(0, "/config/routes", "[0]");
        let head = net.set(0, "/config/applications/a", "1");
        net.settle(SOON);
        // Long enough for the address book to be on disk: a host that knows nobody has nobody to
        // wait for.
        net.run(2 * MINUTE);
        net.split(&[1]);
        let files = &mut net.hosts[1].disk.revisions;
        let name = files
            .keys()
            .find(|(_, name)| name.ends_with(&head.to_string()))
            .expect("it is on disk")
            .clone();
        files.get_mut(&name).expect("it was just found")[200] ^= 1;
        for _ in 0..2 {
            net.crash(1, false);
            net.restart(1);
            net.run(MINUTE);
            let answer = net.change(1, "/config/applications/q", "1");
            assert!(
                matches!(&answer, Answer::Denied(denial) if said(denial).status == 503),
                "seed {seed}: {answer:?}"
            );
        }
        net.heal();
        net.until("it is in step again", MINUTE, |net| {
            net.is_joined(1) && net.head(1) == Some(head)
        });
    }
}

/// Between two edits of the other side whose names a full ledger still has, and older than all of
/// them: a replay would be forgotten by the very ledger that names it.
#[test]
fn no_edit_is_contained_and_listed_as_a_conflict_as_well() {
    for seed in seeds(1) {
        let mut net = joined(seed, 4);
        net.set(0, "/config/routes", "[0]");
        for number in 0..200 {
            net.set(0, "/config/applications/a", &number.to_string());
        }
        net.settle(SOON);
        net.split(&[3]);
        let mut lost = Vec::new();
        for number in 0..40 {
            lost.push(net.set(3, &format!("/config/applications/b{number}"), "1"));
            for other in 0..8 {
                net.set(
                    0,
                    "/config/applications/a",
                    &format!("{}", 1000 + 8 * number + other),
                );
            }
        }
        net.heal();
        net.until("one head", MINUTE, |net| net.agree());
        net.run(4 * MINUTE);
        net.settle(SOON);
        let (config, open) = (net.config(0), net.conflicts(0));
        for (number, id) in lost.iter().enumerate() {
            let contained = config.contains(&format!("\"b{number}\""));
            let listed = open.iter().any(|(other, _)| *other == id.to_string());
            assert!(
                contained != listed,
                "seed {seed}: b{number} contained {contained}, listed {listed}"
            );
        }
    }
}

/// However much others have written meanwhile: while few processes have, each edit is known.
#[test]
fn what_was_cut_off_while_few_wrote_is_made_again_however_much_that_was() {
    for seed in seeds(1) {
        let (mut net, lost) = beaten(seed, 3);
        for number in 0..400 {
            net.set(0, "/config/applications/a", &(100 + number).to_string());
        }
        for host in 0..2 {
            net.crash(host, false);
            net.restart(host);
        }
        net.run(MINUTE);
        net.heal();
        net.until("all are there", MINUTE, |net| {
            let config = net.config(0);
            let is_there = |number: usize| config.contains(&format!("\"b{number}\""));
            net.agree() && (0..lost.len()).all(is_there)
        });
        net.settle(SOON);
        assert!(net.conflicts(0).is_empty(), "seed {seed}");
    }
}

/// Many processes have written, and nobody knows any more what the head contains of long ago. Of a
/// host that was away it is a false alarm, of one that was cut off it is not: it must be said, and
/// nothing may be listed by the dozen.
#[test]
fn what_nobody_can_tell_after_long_is_said_by_the_host_whose_edits_they_were() {
    for seed in seeds(1) {
        let (mut net, lost) = beaten(seed, 3);
        for number in 0..400 {
            if number % 10 == 0 {
                net.crash(0, false);
                net.restart(0);
                net.run(SOON);
            }
            net.set(0, "/config/applications/a", &(100 + number).to_string());
        }
        for host in 0..2 {
            net.crash(host, false);
            net.restart(host);
        }
        net.run(MINUTE);
        net.heal();
        net.until("one head", MINUTE, |net| net.agree());
        net.run(2 * MINUTE);
        net.settle(SOON);
        let last = lost.last().expect("there are three").to_string();
        assert_eq!(
            net.conflicts(0),
            vec![(last, "open".to_owned())],
            "seed {seed}"
        );
        let problems = net.problems(3).to_string();
        assert!(
            problems.contains("nobody can tell"),
            "seed {seed}: {problems}"
        );
    }
}
