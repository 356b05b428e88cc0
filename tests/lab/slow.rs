//! Networks that are slow or lose what they are given.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::clients::{Client, route, step};
use super::support::lab::Lab;
use super::support::private::{NETLAB, inside};
use super::{Pace, SOON, change, has, lab, publish, skip, wait_all_have};

#[test]
fn hosts_200_ms_apart_that_lose_every_20th_frame_all_get_the_changes_of_all() {
    if let Some(need) = lacks_netem() {
        return skip(&need);
    }
    lab(4, 1, Pace::Waiting, |lab| {
        let all = [1, 2, 3, 4];
        // What goes from one host to another passes two cables.
        all.iter().for_each(|i| {
            drop(lab.net(&["netem", &i.to_string(), "delay", "100ms", "loss", "2.5%"]))
        });
        lab.join(&all);
        lab.start(&all);
        lab.wait(LONG, "all are linked", || {
            all.iter().all(|&i| lab.host(i).links().len() == 3)
        });
        publish(lab, 1);
        let wait_all = |marks: &[&str]| {
            let what = format!("all agree, with {marks:?}");
            lab.wait(LONG, &what, || {
                lab.agree(&all)
                    && all
                        .iter()
                        .all(|&i| marks.iter().all(|mark| has(lab, i, mark)))
            })
        };
        let took = wait_all(&[]);
        let marks = ["by1", "by2", "by3", "by4"];
        for (author, mark) in all.iter().zip(marks) {
            Client::of(lab.host(*author)).insist(
                "PUT",
                &format!("/config/routes/{mark}"),
                mark,
                &route(mark),
                SOON,
            );
        }
        let at_once = wait_all(&marks);
        let (mut one_by_one, mut more) = (Vec::new(), marks.to_vec());
        for (author, mark) in [(1, "again1"), (2, "again2"), (3, "again3"), (4, "again4")] {
            change(lab, author, mark);
            more.push(mark);
            one_by_one.push(wait_all(&more));
        }
        println!(
            "the first after {took:?}, four at once after {at_once:?}, one by one after {one_by_one:?}"
        );
    });
}

#[test]
fn a_megabyte_on_its_way_over_64_kbit_holds_up_no_change_and_costs_no_link() {
    if let Some(need) = lacks_netem() {
        return skip(&need);
    }
    // Where the kernel has no netem a program makes the cable slow, and one that gets no core makes
    // it dead.
    lab(3, 1, Pace::Busy, |lab| {
        // Host 2 is far away and has one link only, with host 1. Over it pass the large document of
        // host 1's group, which every host holds, and what hosts 2 and 3 change in the
        // small one of theirs.
        lab.net(&["netem", "2", "rate", "64kbit", "limit", "32"]);
        lab.net(&["partition", "2|3"]);
        for i in [2, 3] {
            lab.host_mut(i).flags = vec!["--group".into(), "small".into()];
        }
        lab.join(&[1, 2, 3]);
        lab.start(&[1, 2, 3]);
        lab.wait(SOON * 2, "a chain of three", || {
            [1, 2, 3].map(|i| lab.host(i).links().len()) == [2, 1, 1]
        });
        publish(lab, 1);
        publish(lab, 3);
        wait_all_have(lab, &[2, 3], &[]);
        let large =
            Client::of(lab.host(1)).insist("PUT", "/config/routes/large", "large", &large(), SOON);
        let (begin, mut small, mut since) = (Instant::now(), Vec::new(), 0);
        while !lab.host(2).has_stored(&large.revision) {
            assert!(
                begin.elapsed() < TRANSFER_MAX,
                "not within {TRANSFER_MAX:?}: the large document{}",
                accounts(lab)
            );
            let mark = format!("meanwhile{}", small.len());
            let (author, other) = if small.len() % 2 == 0 { (3, 2) } else { (2, 3) };
            change(lab, author, &mark);
            let what = format!("{mark} arrives beside the large document");
            small.push(lab.wait(SOON * 2, &what, || has(lab, other, &mark)));
            let now = age_of_link(lab);
            assert!(
                now > since,
                "the link was given up: it is {now} ms old, and was {since}{}",
                accounts(lab)
            );
            since = now;
            std::thread::sleep(PAUSE);
        }
        println!(
            "a megabyte took {:?}, small changes beside it {small:?}",
            begin.elapsed()
        );
        assert!(small.len() > 6, "the large document took no time");
    });
}

/// Why this machine cannot make a cable bad, or nothing.
fn lacks_netem() -> Option<String> {
    if inside().is_some() {
        return None;
    }
    let tried = Command::new(NETLAB)
        .args([
            "private",
            "bash",
            "-c",
            "\"$0\" up 1 && \"$0\" netem 1 delay 1ms",
            NETLAB,
        ])
        .output();
    let works = tried.is_ok_and(|output| output.status.success());
    (!works).then(|| "a kernel with netem, or python3, ethtool and /dev/net/tun".to_owned())
}

/// A megabyte of routes.
fn large() -> Value {
    let steps = (0..).map(|i| step(&format!("a-page-with-a-rather-long-name-{i:08}")));
    let mut length = 0;
    Value::Array(
        steps
            .take_while(|step| (length += step.to_string().len(), length < 1 << 20).1)
            .collect(),
    )
}

/// For how many milliseconds the link from host 2 to host 1 has been there; 0 if it is not.
fn age_of_link(lab: &Lab) -> u64 {
    lab.host(2)
        .links()
        .first()
        .and_then(|link| link["since_ms"].as_u64())
        .unwrap_or_default()
}

fn accounts(lab: &Lab) -> String {
    (1..=3)
        .map(|i| format!("\n{}", lab.host(i).account()))
        .collect()
}

/// Beyond what [`SOON`] allows: each exchange takes 400 ms here, and each loss a second or more.
const LONG: Duration = Duration::from_secs(90);
/// A megabyte takes 131 s at 64 kbit/s when nothing is sent twice.
const TRANSFER_MAX: Duration = Duration::from_secs(320);
const PAUSE: Duration = Duration::from_secs(4);
