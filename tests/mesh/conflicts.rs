//! Changes made at once: one wins everywhere, the other is listed everywhere.

use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::model::record::RecordId;
use starlingd::node::answer::Answer;
use starlingd::node::ask::PastQuery;

use super::seeds;
use super::spreading::joined;
use crate::fleet::{Fleet, SOON};

/// Two hosts change the same place before either has heard of the other's change. The IDs, if both
/// were published.
fn collide(net: &mut Fleet) -> Option<(RecordId, RecordId)> {
    let first = net.put(0, "/config/routes", "[\"first\"]");
    let second = net.put(1, "/config/routes", "[\"second\"]");
    match (net.answer(0, first), net.answer(1, second)) {
        (
            Answer::Done {
                revision: first, ..
            },
            Answer::Done {
                revision: second, ..
            },
        ) => Some((first, second)),
        (Answer::Done { .. }, Answer::Denied(denial))
        | (Answer::Denied(denial), Answer::Done { .. }) => {
            assert_eq!(said(&denial).status, 409, "{denial:?}");
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_changes_at_once_one_wins_and_the_other_is_open_also_for_a_late_joiner() {
    let mut both = 0;
    for seed in seeds(30) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        let Some((first, second)) = collide(&mut net) else {
            continue;
        };
        both += 1;
        net.until("it is listed", SOON, |net| {
            net.agree() && net.conflicts(2).iter().any(|(_, state)| state == "open")
        });
        net.settle(SOON);
        net.add(Fleet::spec(3));
        net.until("a fourth host has joined", SOON, |net| net.all_joined());
        net.settle(SOON);
        let lost = if net.config(0).contains("first") {
            second
        } else {
            first
        };
        for host in 0..4 {
            assert_eq!(
                net.conflicts(host),
                vec![(lost.to_string(), "open".to_owned())],
                "seed {seed}, host {host}"
            );
        }
    }
    assert!(
        both >= 1 || crate::number("SEED").is_some(),
        "no seed had both changes published"
    );
}

#[test]
fn the_changes_of_an_author_that_died_are_listed_by_another_after_ten_seconds() {
    for seed in seeds(6) {
        let mut net = joined(seed, 4);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        // Host 3 publishes on its own, and is heard of by host 2 only, which is cut off from the
        // others too.
        net.split(&[2, 3]);
        let lost = net.set(3, "/config/routes", "[\"lost\"]");
        net.until("host 2 has it", SOON, |net| net.head(2) == Some(lost));
        net.set(0, "/config/routes", "[1]");
        net.set(0, "/config/routes", "[2]");
        net.crash(3, false);
        net.heal();
        net.until("one head", Duration::from_secs(90), |net| net.agree());
        let since = net.now;
        net.until("it is listed", Duration::from_secs(40), |net| {
            net.agree() && net.conflicts(0) == vec![(lost.to_string(), "open".to_owned())]
        });
        assert!(
            net.now - since >= Duration::from_secs(5),
            "seed {seed}: nobody waited for the author"
        );
        net.settle(SOON);
    }
}

#[test]
fn many_changes_at_once_end_at_one_head_and_each_is_in_it_or_listed() {
    for seed in seeds(6) {
        let mut net = joined(seed, 5);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        let mut asked = Vec::new();
        for number in 0..20 {
            let host = net.below(5);
            asked.push((
                number,
                host,
                net.put(host, &format!("/config/applications/n{number}"), "{}"),
            ));
            let pause = net.below(60) as u64;
            net.run(Duration::from_millis(pause));
        }
        let mut made = Vec::new();
        for (number, host, client) in asked {
            match net.answer(host, client) {
                Answer::Done { revision, .. } => made.push((number, revision)),
                Answer::Denied(denial) => {
                    assert!([409, 503].contains(&said(&denial).status), "{denial:?}")
                }
                other => panic!("{other:?}"),
            }
        }
        let (config, open) = at_rest(&mut net);
        for (number, revision) in made {
            let contained = config.contains(&format!("\"n{number}\""));
            assert!(
                contained || open.contains(&revision.to_string()),
                "seed {seed}: n{number} is lost"
            );
        }
    }
}

/// More than a ledger names: what the other side did long ago is then neither in nor out by the
/// ledger alone.
const MORE_THAN_A_LEDGER: usize = 270;

#[test]
fn a_side_apart_while_a_whole_ledger_was_written_has_its_own_edits_listed() {
    for seed in seeds(2) {
        let mut net = joined(seed, 4);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[2, 3]);
        let lost: Vec<RecordId> = (0..3)
            .map(|n| net.set(2 + n % 2, &format!("/config/applications/b{n}"), "{}"))
            .collect();
        for number in 0..MORE_THAN_A_LEDGER {
            net.set(0, "/config/applications/a", &number.to_string());
        }
        net.heal();
        let (config, open) = at_rest(&mut net);
        for (number, id) in lost.iter().enumerate() {
            let contained = config.contains(&format!("\"b{number}\""));
            assert!(
                contained || open.contains(&id.to_string()),
                "seed {seed}: b{number} is nowhere"
            );
        }
        assert!(open.len() <= lost.len(), "seed {seed}: {open:?}");
        let view = net.view(1, PastQuery::Conflicts);
        for conflict in view.as_array().unwrap() {
            assert!(
                conflict["author"].is_string() && !conflict["edit"].as_array().unwrap().is_empty(),
                "seed {seed}: {conflict}"
            );
        }
    }
}

#[test]
fn a_host_away_while_a_whole_ledger_was_written_comes_back_without_a_conflict() {
    for seed in seeds(2) {
        let mut net = joined(seed, 3);
        for number in 0..5 {
            net.set(2, "/config/applications/c", &number.to_string());
        }
        net.settle(SOON);
        net.crash(2, false);
        // Seen and overwritten: that the head has another value there says nothing about whether it
        // contains the edit.
        net.set(0, "/config/applications/c", "99");
        for number in 0..MORE_THAN_A_LEDGER {
            net.set(0, "/config/applications/a", &number.to_string());
        }
        net.restart(2);
        let (_, open) = at_rest(&mut net);
        assert!(open.is_empty(), "seed {seed}: {open:?}");
        assert!(net.conflicts(2).is_empty());
    }
}

/// The configuration and the open conflicts when nobody publishes any more.
fn at_rest(net: &mut Fleet) -> (String, Vec<String>) {
    loop {
        let head = net.settle(SOON);
        net.run(Duration::from_secs(40));
        if net.all_at(head) {
            break;
        }
    }
    let conflicts = net.conflicts(0);
    assert!(
        conflicts.iter().all(|(_, state)| state == "open"),
        "{conflicts:?}"
    );
    for host in net.running() {
        assert_eq!(net.conflicts(host), conflicts);
    }
    (
        net.config(0),
        conflicts.into_iter().map(|(id, _)| id).collect(),
    )
}
