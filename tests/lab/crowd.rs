//! Many at once: hosts that start, hosts that write.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use starlingd::limits::{DEGREE_MAX, FULL_MESH, OUTGOING};

use super::clients::{Account, Change, Client, lost, route, step};
use super::support::lab::Lab;
use super::{Pace, change, has, lab, publish};

#[test]
fn forty_peers_started_at_once_are_one_fleet_with_no_more_links_than_permitted() {
    lab(40, 1, Pace::Busy, |lab| {
        let all: Vec<usize> = (1..=40).collect();
        lab.join(&all);
        all.iter().for_each(|&i| lab.host_mut(i).serve());
        let begin = Instant::now();
        lab.hosts
            .iter_mut()
            .for_each(|host| host.launch("exec \"$@\""));
        let launched = begin.elapsed();
        all.iter().for_each(|&i| lab.host_mut(i).wait_started());
        let linked = lab.wait(LONG, "everybody is linked", || {
            all.iter().all(|&i| lab.host(i).links().len() >= OUTGOING)
        });
        publish(lab, 17);
        let one_head = lab.wait(LONG, "one head", || lab.agree(&all));
        let degrees = || {
            all.iter()
                .map(|&i| lab.host(i).links().len())
                .collect::<Vec<_>>()
        };
        // Whoever knocks counts until he has been sent away.
        let may_have = OUTGOING..=DEGREE_MAX + 1;
        let what = || format!("from {may_have:?} links each: {:?}", degrees());
        lab.wait_for(LONG, what, || {
            degrees().iter().all(|links| may_have.contains(links))
        });
        change(lab, 33, "far");
        let far = lab.wait(LONG, "a change reaches all", || {
            lab.agree(&all) && all.iter().all(|&i| has(lab, i, "far"))
        });
        const {
            assert!(
                OUTGOING < FULL_MESH && FULL_MESH < 40,
                "a fleet of forty is no full mesh"
            )
        };
        let links: usize = degrees().iter().sum();
        println!(
            "started within {launched:?}; linked after {linked:?}; one head after {one_head:?}; a change after {far:?}"
        );
        println!(
            "links a host {:.1}; {}",
            links as f64 / 40.0,
            costs(lab, &all)
        );
    });
}

#[test]
fn twelve_hosts_that_write_at_once_rest_with_every_change_there_once_or_open() {
    lab(12, 1, Pace::Busy, |lab| {
        let all: Vec<usize> = (1..=12).collect();
        lab.join(&all);
        lab.start(&all);
        lab.wait(LONG, "everybody is linked", || {
            all.iter().all(|&i| lab.host(i).links().len() >= OUTGOING)
        });
        publish(lab, 1);
        lab.wait(LONG, "one head", || lab.agree(&all));

        let appended = at_once(lab, &all, |author, client| {
            let mark = format!("appended{author}");
            Some(client.insist("POST", "/config/routes/main", &mark, &step(&mark), LONG))
        });
        let appends = wait_rest(lab, &all);
        all.iter().for_each(|&i| {
            every(
                lab,
                i,
                &appended,
                "is in the array once",
                |account, mark| account.times(mark) == 1,
            )
        });

        let put = at_once(lab, &all, |author, client| {
            let mark = format!("member{author}");
            Some(client.insist(
                "PUT",
                &format!("/config/routes/{mark}"),
                &mark,
                &route(&mark),
                LONG,
            ))
        });
        let members = wait_rest(lab, &all);
        all.iter().for_each(|&i| {
            every(lab, i, &put, "is in the document", |account, mark| {
                account.times(mark) == 1
            })
        });
        all.iter()
            .for_each(|&i| assert_eq!(lab.host(i).conflicts().len(), 0, "none of these collide"));

        let same = at_once(lab, &all, |author, client| {
            let mark = format!("same{author}");
            client.change("PUT", "/config/routes/same", &mark, &route(&mark))
        });
        let one_place = wait_rest(lab, &all);
        for &i in &all {
            let account = Account::of(lab.host(i));
            assert_eq!(
                same.iter()
                    .filter(|change| account.times(&change.mark) == 1)
                    .count(),
                1,
                "one of {same:?} has won on host {i}"
            );
            assert_eq!(
                lost(lab, i, &same),
                Vec::<&Change>::new(),
                "host {i} lost changes"
            );
        }
        println!(
            "at rest after: appends {appends:?}, members {members:?}, one place {one_place:?} ({} taken)",
            same.len()
        );
    });
}

/// Has a client of each of these hosts do `what` at the same moment; gives the marks of the changes
/// that were made.
fn at_once(
    lab: &Lab,
    authors: &[usize],
    what: impl Fn(usize, Client) -> Option<Change> + Sync,
) -> Vec<Change> {
    let start = Barrier::new(authors.len());
    thread::scope(|scope| {
        let run = |author: usize| {
            let (start, what) = (&start, &what);
            scope.spawn(move || {
                let client = Client::of(lab.host(author));
                start.wait();
                what(author, client)
            })
        };
        let clients: Vec<_> = authors.iter().map(|&author| run(author)).collect();
        clients
            .into_iter()
            .filter_map(|client| client.join().expect("every answer was fair"))
            .collect()
    })
}

/// Waits until these hosts agree, and whatever lost is listed by the head.
fn wait_rest(lab: &Lab, members: &[usize]) -> Duration {
    lab.wait(LONG, "all is at rest", || lab.at_rest(members))
}

fn every(
    lab: &Lab,
    number: usize,
    changes: &[Change],
    what: &str,
    holds: impl Fn(&Account, &str) -> bool,
) {
    let account = Account::of(lab.host(number));
    let not: Vec<&Change> = changes
        .iter()
        .filter(|change| !holds(&account, &change.mark))
        .collect();
    assert!(
        not.is_empty(),
        "not so for {not:?} on host {number}: {what}\n{}",
        lab.host(number).account()
    );
}

/// What these peers have cost so far.
fn costs(lab: &Lab, members: &[usize]) -> String {
    let memory = members.iter().map(|&i| lab.host(i).memory_kib("VmHWM"));
    let (most, sum) = memory.fold((0, 0), |(most, sum), kb| (most.max(kb), sum + kb));
    let processor: Duration = members.iter().map(|&i| lab.host(i).processor_time()).sum();
    let count = members.len() as u64;
    format!(
        "memory at most {most} kB, {} on average; processor time {:?} each",
        sum / count,
        processor / count as u32
    )
}

/// For two cores that do the work of eighty programs.
const LONG: Duration = Duration::from_secs(90);
