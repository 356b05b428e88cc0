//! Hosts that are away for a while: cables pulled, fleets split.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::support::lab::Lab;
use super::{Pace, SOON, change, has, lab, publish, wait_all_have};

#[test]
fn hosts_without_a_cable_for_30_and_150_seconds_come_back_by_themselves() {
    lab(5, 1, Pace::Waiting, |lab| {
        let all = [1, 2, 3, 4, 5];
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        let begin = Instant::now();
        lab.net(&["link", "4", "unplug"]);
        lab.net(&["link", "5", "unplug"]);
        change(lab, 1, "first");
        change(lab, 4, "four");
        change(lab, 5, "five");
        change(lab, 2, "second");
        wait_all_have(lab, &[1, 2, 3], &["first", "second"]);
        lab.wait(SOON * 2, "the dead links are noticed", || {
            lab.host(1).links().len() == 2
        });
        let back = pull_until(lab, begin + Duration::from_secs(30), 4);
        wait_all_have(lab, &[1, 2, 3, 4], &["first", "second", "four"]);
        change(lab, 3, "third");
        let back_later = pull_until(lab, begin + Duration::from_secs(150), 5);
        wait_all_have(lab, &all, &["first", "second", "third", "four", "five"]);
        lab.wait(SOON, "nothing is left open", || {
            all.iter().all(|&i| lab.host(i).conflicts().is_empty())
        });
        lab.wait_linked(&all, 4);
        println!("linked again after {back:?} and {back_later:?}");
    });
}

#[test]
fn ten_hosts_split_in_two_halves_for_a_minute_become_one_mesh_with_one_head() {
    lab(10, 1, Pace::Waiting, |lab| {
        let all: Vec<usize> = (1..=10).collect();
        lab.join(&all);
        lab.start(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        lab.net(&["partition", "1-5|6-10"]);
        let healed_at = Instant::now() + Duration::from_secs(60);
        change(lab, 2, "left1");
        change(lab, 4, "left2");
        change(lab, 7, "right1");
        change(lab, 9, "right2");
        lab.wait(SOON, "the left half has left2", || {
            (1..=5).all(|i| has(lab, i, "left2"))
        });
        lab.wait(SOON, "the right half has right2", || {
            (6..=10).all(|i| has(lab, i, "right2"))
        });
        change(lab, 3, "left3");
        while Instant::now() < healed_at {
            lab.wait(SOON, "each half answers", || {
                lab.host(5).head().is_some() && lab.host(6).head().is_some()
            });
            std::thread::sleep(Duration::from_millis(500));
        }
        lab.net(&["heal"]);
        let marks = ["left1", "left2", "left3", "right1", "right2"];
        lab.wait(
            Duration::from_secs(90),
            "one head, with the changes of both halves",
            || {
                lab.agree(&all)
                    && all
                        .iter()
                        .all(|&i| marks.iter().all(|mark| has(lab, i, mark)))
            },
        );
        assert!(
            all.iter().all(|&i| lab.host(i).conflicts().is_empty()),
            "none of these collide"
        );
        lab.wait(Duration::from_secs(90), "one mesh", || one_mesh(lab, &all));
        change(lab, 8, "after");
        wait_all_have(lab, &all, &["after"]);
    });
}

/// Puts the cable of host `number` back at `when`; gives how long it took to have a link again.
fn pull_until(lab: &Lab, when: Instant, number: usize) -> Duration {
    while Instant::now() < when {
        assert!(
            lab.host(number).head().is_some(),
            "a host that is alone answers"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    lab.net(&["link", &number.to_string(), "plug"]);
    lab.wait(SOON, &format!("host {number} has a link again"), || {
        !lab.host(number).links().is_empty()
    })
}

/// Whether one can get from any host to any other over links.
fn one_mesh(lab: &Lab, members: &[usize]) -> bool {
    let own = |i: usize| {
        lab.host(i)
            .json("/fleet")
            .pointer("/peer/id")
            .map(|id| id.to_string())
    };
    let ids: Vec<Option<String>> = members.iter().map(|&i| own(i)).collect();
    let mut reached = BTreeSet::from([0]);
    let mut next = vec![0];
    while let Some(at) = next.pop() {
        for link in lab.host(members[at]).links() {
            let there = ids
                .iter()
                .position(|id| id.as_deref() == Some(link["peer"].to_string().as_str()));
            next.extend(there.filter(|&there| reached.insert(there)));
        }
    }
    reached.len() == members.len()
}
