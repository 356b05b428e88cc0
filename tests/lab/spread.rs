//! How changes reach everybody: those who are there, those who come later, and with whom.

use std::time::Duration;

use super::{Pace, SOON, change, has, lab, publish, wait_all_have};

#[test]
fn five_hosts_find_each_other_by_mdns_and_a_change_on_any_reaches_every_server() {
    lab(5, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3, 4, 5];
        lab.fleet(&all);
        publish(lab, 1);
        let marks = ["by1", "by2", "by3", "by4", "by5"];
        for author in all {
            wait_all_have(lab, &all, &marks[..author - 1]);
            change(lab, author, marks[author - 1]);
        }
        wait_all_have(lab, &all, &marks);
    });
}

#[test]
fn the_log_tells_who_was_discovered_and_linked_and_what_was_applied() {
    lab(2, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2]);
        let log = &lab.host(2).log;
        for words in ["my peer ID is ", "linked with "] {
            assert!(
                log.wait(0, SOON, |line| line.contains(words)).is_some(),
                "no '{words}' in:\n{}",
                log.tail(50)
            );
        }
        // Whoever is linked before it hears the other's announcement has nothing to discover.
        let discovers = |i: usize| {
            lab.host(i)
                .log
                .wait(0, SOON / 20, |line| line.contains("discovered "))
                .is_some()
        };
        assert!(
            discovers(1) || discovers(2),
            "nobody was discovered:\n{}{}",
            lab.host(1).account(),
            log.tail(50)
        );
        let from = log.size();
        publish(lab, 1);
        let applied = log.wait(from, SOON, |line| {
            line.contains("revision ") && line.contains("applied")
        });
        assert!(
            applied.is_some(),
            "no revision was applied:\n{}",
            log.tail(50)
        );
    });
}

#[test]
fn a_host_that_joins_after_ten_changes_has_the_newest_as_soon_as_it_is_linked() {
    lab(3, 1, Pace::Busy, |lab| {
        lab.join(&[1, 2, 3]);
        lab.start(&[1, 2]);
        lab.wait_linked(&[1, 2], 1);
        publish(lab, 1);
        let marks: Vec<String> = (1..=10).map(|i| format!("change{i}")).collect();
        marks.iter().for_each(|mark| change(lab, 1, mark));
        lab.start(&[3]);
        lab.wait_linked(&[3], 2);
        let took = wait_all_have(
            lab,
            &[1, 2, 3],
            &marks.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        assert!(
            took < Duration::from_secs(3),
            "the newest came {took:?} after the links"
        );
    });
}

#[test]
fn a_change_is_on_all_hosts_though_its_author_was_killed_right_after_the_200() {
    lab(3, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2, 3]);
        publish(lab, 2);
        wait_all_have(lab, &[1, 2, 3], &[]);
        for round in 1..=3 {
            let mark = format!("round{round}");
            change(lab, 2, &mark);
            lab.host_mut(2).kill();
            lab.host_mut(2).start();
            assert!(
                has(lab, 2, &mark),
                "host 2 came back without the change it had acknowledged"
            );
            wait_all_have(lab, &[1, 2, 3], &[&mark]);
        }
    });
}

#[test]
fn an_author_alone_keeps_its_change_over_a_kill_and_gives_it_to_those_who_come() {
    lab(2, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2]);
        publish(lab, 1);
        wait_all_have(lab, &[1, 2], &[]);
        lab.host_mut(2).kill();
        change(lab, 1, "alone");
        lab.host_mut(1).kill();
        lab.host_mut(2).start();
        assert!(!has(lab, 2, "alone"));
        lab.host_mut(1).start();
        wait_all_have(lab, &[1, 2], &["alone"]);
    });
}
