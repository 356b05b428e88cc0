//! Changes made at once: one wins everywhere, and none is lost without a word.

use std::thread;

use super::clients::{Account, Client, route};
use super::support::lab::Lab;
use super::{Pace, SOON, has, lab, publish, wait_all_have};

#[test]
fn of_two_edits_made_at_once_one_is_head_and_the_other_is_listed_everywhere() {
    lab(4, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3, 4];
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        // Cut off from each other for a moment, neither can know of the other's edit.
        lab.net(&["partition", "1,2|3,4"]);
        let put = |(author, mark)| {
            Client::of(lab.host(author)).insist(
                "PUT",
                "/config/routes/shared",
                mark,
                &route(mark),
                SOON,
            )
        };
        let [left, right] = [(1, "left"), (3, "right")].map(put);
        lab.net(&["heal"]);
        lab.wait(SOON, "one head, and one conflict everywhere", || {
            lab.agree(&all) && all.iter().all(|&i| conflicts(lab, i) == 1)
        });
        let account = Account::of(lab.host(4));
        assert!(
            account.lists(&left) != account.lists(&right),
            "one of the two is contained"
        );
        let beaten = if account.lists(&right) { 3 } else { 1 };
        let author = lab.host(beaten).json("/fleet")["peer"]["id"].to_string();
        let entry = lab.host(2).conflicts()[0].to_string();
        assert!(
            entry.contains(author.trim_matches('"')),
            "the conflict names its author {author}: {entry}"
        );
    });
}

#[test]
fn no_acknowledged_edit_is_lost_when_four_hosts_edit_at_once() {
    lab(4, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3, 4];
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        let acknowledged = edit_at_once(lab, &all);
        assert!(
            acknowledged.len() >= 4,
            "somebody was served: {acknowledged:?}"
        );
        lab.wait(
            SOON,
            "every acknowledged edit is in the document or listed",
            || {
                let contained = acknowledged.iter().filter(|mark| has(lab, 1, mark)).count();
                lab.agree(&all) && contained + conflicts(lab, 1) == acknowledged.len()
            },
        );
    });
}

/// Each host makes four edits as quickly as it can. Gives the marks of those that were answered
/// 200; 409 and 503 are fair answers, any other is not.
fn edit_at_once(lab: &Lab, authors: &[usize]) -> Vec<String> {
    let edits = |author: usize| {
        (1..=4).map(move |round| {
            let mark = format!("h{author}r{round}");
            let reply = lab
                .host(author)
                .put(&format!("/config/routes/{mark}"), b"[]");
            assert!(
                [200, 409, 503].contains(&reply.status),
                "{}: {}",
                reply.status,
                reply.body
            );
            (reply.status == 200).then_some(mark)
        })
    };
    thread::scope(|scope| {
        let authors: Vec<_> = authors
            .iter()
            .map(|&author| scope.spawn(move || edits(author).flatten().collect::<Vec<_>>()))
            .collect();
        authors
            .into_iter()
            .flat_map(|author| author.join().expect("no answer was unfair"))
            .collect()
    })
}

fn conflicts(lab: &Lab, number: usize) -> usize {
    lab.host(number).conflicts().len()
}
