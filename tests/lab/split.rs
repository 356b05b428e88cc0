//! Fleets that are split, with changes on both sides, and whole again.

use super::clients::{Account, Change, Client, route};
use super::support::lab::Lab;
use super::{Pace, SOON, change, has, lab, publish, wait_all_have};
use harness::http::request_with;

#[test]
fn changes_at_different_places_on_both_sides_of_a_split_are_all_there_when_healed() {
    lab(4, 1, Pace::Waiting, |lab| {
        let all = [1, 2, 3, 4];
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        lab.net(&["partition", "1,2|3,4"]);
        for (author, mark) in [
            (1, "left1"),
            (3, "right1"),
            (2, "left2"),
            (4, "right2"),
            (3, "right3"),
        ] {
            change(lab, author, mark);
        }
        wait_split(lab);
        wait_all_have(lab, &[1, 2], &["left1", "left2"]);
        wait_all_have(lab, &[3, 4], &["right1", "right2", "right3"]);
        lab.net(&["heal"]);
        wait_all_have(lab, &all, &["left1", "left2", "right1", "right2", "right3"]);
        lab.wait(SOON, "nothing is left open", || {
            all.iter().all(|&i| lab.host(i).conflicts().is_empty())
        });
    });
}

#[test]
fn of_two_changes_of_one_place_across_a_split_one_wins_and_one_is_open() {
    lab(5, 1, Pace::Waiting, |lab| {
        let (first, all) = ([1, 2, 3, 4], [1, 2, 3, 4, 5]);
        lab.join(&all);
        lab.start(&first);
        lab.wait_linked(&first, 3);
        publish(lab, 1);
        wait_all_have(lab, &first, &[]);
        lab.net(&["partition", "1,2|rest"]);
        let put = |(author, mark)| {
            Client::of(lab.host(author)).insist(
                "PUT",
                "/config/routes/shared",
                mark,
                &route(mark),
                SOON,
            )
        };
        let changes = [(1, "left"), (4, "right")].map(put);
        wait_split(lab);
        lab.net(&["heal"]);
        wait_one_won(lab, &first, &changes);
        lab.start(&[5]);
        wait_one_won(lab, &all, &changes);
        // A conflict is settled once for all.
        let name = lab.host(5).conflicts()[0]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let header = format!("Starling-Settles: {name}\r\n");
        let body = route("both").to_string();
        let settled = request_with(
            &lab.host(5).control_socket(),
            "PUT",
            "/config/routes/shared",
            &header,
            body.as_bytes(),
        );
        assert!(
            settled.is_ok_and(|reply| reply.status == 200),
            "the conflict was not settled"
        );
        lab.wait(SOON, "the conflict is settled everywhere", || {
            lab.agree(&all)
                && all.iter().all(|&i| {
                    lab.host(i).conflicts().is_empty()
                        && Account::of(lab.host(i)).times("both") == 1
                })
        });
    });
}

#[test]
fn a_side_that_hears_and_is_not_heard_loses_nothing_and_has_all_in_the_end() {
    lab(4, 1, Pace::Waiting, |lab| {
        let all = [1, 2, 3, 4];
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        lab.net(&["oneway", "1,2", "3,4"]);
        change(lab, 1, "unheard1");
        change(lab, 3, "heard1");
        change(lab, 2, "unheard2");
        change(lab, 4, "heard2");
        wait_split(lab);
        // Changes on each side still pass among its own, and nothing of the mute side has come
        // through.
        change(lab, 2, "unheard3");
        change(lab, 3, "heard3");
        wait_have(lab, &[1, 2], &["unheard1", "unheard2", "unheard3"]);
        wait_have(lab, &[3, 4], &["heard1", "heard2", "heard3"]);
        assert!(
            ["unheard1", "unheard2", "unheard3"]
                .iter()
                .all(|mark| !has(lab, 3, mark)),
            "the cut was none"
        );
        lab.net(&["heal"]);
        wait_all_have(
            lab,
            &all,
            &[
                "unheard1", "unheard2", "unheard3", "heard1", "heard2", "heard3",
            ],
        );
        lab.wait(SOON, "nothing is left open", || {
            all.iter().all(|&i| lab.host(i).conflicts().is_empty())
        });
    });
}

#[test]
fn a_beaten_edit_whose_author_died_after_the_200_is_made_again_by_who_holds_it() {
    lab(4, 1, Pace::Waiting, |lab| {
        let (others, all) = ([2, 3, 4], [1, 2, 3, 4]);
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        lab.net(&["partition", "1,2|3,4"]);
        change(lab, 1, "orphan");
        lab.wait(SOON, "host 2 holds the change", || has(lab, 2, "orphan"));
        lab.host_mut(1).kill();
        change(lab, 3, "newer1");
        change(lab, 4, "newer2");
        lab.wait(SOON, "host 3 has both", || {
            has(lab, 3, "newer1") && has(lab, 3, "newer2")
        });
        lab.net(&["heal"]);
        let took = wait_all_have(lab, &others, &["orphan", "newer1", "newer2"]);
        println!("stood in for after {took:?}");
        lab.host_mut(1).start();
        wait_all_have(lab, &all, &["orphan", "newer1", "newer2"]);
        assert!(
            lab.host(1).conflicts().is_empty(),
            "what was made again is not open"
        );
    });
}

/// Waits until hosts 1 and 2 have given up their links with hosts 3 and 4, and they theirs.
fn wait_split(lab: &Lab) {
    lab.wait(SOON * 2, "the links across the cut are given up", || {
        (1..=4).all(|i| lab.host(i).links().len() == 1)
    });
}

/// Waits until these hosts have these changes, whatever else they have.
fn wait_have(lab: &Lab, members: &[usize], marks: &[&str]) {
    let what = format!("hosts {members:?} have {marks:?}");
    lab.wait(SOON, &what, || {
        members
            .iter()
            .all(|&m| marks.iter().all(|mark| has(lab, m, mark)))
    });
}

/// Waits until these hosts agree which of two changes is in the document, the other being an open
/// conflict.
fn wait_one_won(lab: &Lab, members: &[usize], changes: &[Change; 2]) {
    lab.wait(SOON, "one has won, and the other is open", || {
        lab.at_rest(members)
            && members
                .iter()
                .map(|&m| Account::of(lab.host(m)))
                .all(|account| {
                    let [left, right] = changes
                        .each_ref()
                        .map(|change| (account.times(&change.mark), account.lists(change)));
                    [left, right] == [(1, false), (0, true)]
                        || [left, right] == [(0, true), (1, false)]
                })
            && members.iter().all(|&m| lab.host(m).conflicts().len() == 1)
    });
}
