//! Clocks are not trusted: hosts that believe it is 1970, or next year.

use std::path::PathBuf;

use super::clients::{Account, Client, route};
use super::support::lab::Lab;
use super::{Pace, SOON, change, lab, publish, skip, wait_all_have};

#[test]
fn hosts_whose_clocks_say_1970_and_a_year_ahead_join_converge_and_serve() {
    let Some(library) = faketime() else {
        return skip("Debian's faketime");
    };
    lab(4, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3, 4];
        set_clocks(lab, &library);
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        let marks = ["by1", "by2", "by3", "by4"];
        // The year ahead first: the others' stamps must not be stuck below it.
        for (author, done) in [(3, 0), (2, 1), (1, 2), (4, 3)] {
            change(lab, author, marks[author - 1]);
            let so_far: Vec<&str> = [3, 2, 1, 4][..=done]
                .iter()
                .map(|&i: &usize| marks[i - 1])
                .collect();
            wait_all_have(lab, &all, &so_far);
        }
        assert!(
            lab.host(1).conflicts().is_empty(),
            "each change was made on the one before"
        );
    });
}

#[test]
fn a_clock_a_year_ahead_wins_nothing_over_a_longer_branch() {
    let Some(library) = faketime() else {
        return skip("Debian's faketime");
    };
    lab(4, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3, 4];
        set_clocks(lab, &library);
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        lab.net(&["partition", "3|rest"]);
        let put = |author, mark| {
            Client::of(lab.host(author)).insist(
                "PUT",
                "/config/routes/shared",
                mark,
                &route(mark),
                SOON,
            )
        };
        let ahead = put(3, "ahead");
        put(2, "old1");
        lab.wait(SOON, "host 1 has old1", || {
            Account::of(lab.host(1)).times("old1") == 1
        });
        put(1, "old2");
        lab.net(&["heal"]);
        lab.wait(
            SOON,
            "the longer branch has won, and the other edit is open",
            || {
                let accounts = || all.iter().map(|&i| Account::of(lab.host(i)));
                lab.at_rest(&all)
                    && accounts().all(|account| account.times("old2") == 1 && account.lists(&ahead))
            },
        );
    });
}

/// Host 2 believes it is 1970, host 3 that it is a year later. Only the wall clock is faked: the
/// monotonic one is the kernel's on every real host, too.
fn set_clocks(lab: &mut Lab, library: &str) {
    for (number, clock) in [(2, "@1970-01-01 00:00:10"), (3, "+366d")] {
        let pairs = [
            ("LD_PRELOAD", library),
            ("FAKETIME", clock),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
            ("TZ", "UTC"),
        ];
        lab.host_mut(number).environment = pairs
            .map(|(name, value)| (name.into(), value.into()))
            .into();
    }
}

fn faketime() -> Option<String> {
    let arch = std::env::consts::ARCH;
    let path = PathBuf::from(format!(
        "/usr/lib/{arch}-linux-gnu/faketime/libfaketimeMT.so.1"
    ));
    path.exists().then(|| path.display().to_string())
}
