//! A peer that stands still: it is there, its kernel still takes what it is sent, and it does
//! nothing.

use std::process::Command;
use std::time::{Duration, Instant};

use super::support::lab::Lab;
use super::{Pace, SOON, lab, publish, wait_all_have};

#[test]
fn a_peer_that_stands_still_for_a_minute_slows_nobody_and_catches_up() {
    lab(4, 1, Pace::Waiting, |lab| {
        let (all, others) = ([1, 2, 3, 4], [1, 2, 3]);
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        let before: Vec<Duration> = (0..30)
            .map(|round| reach_all(lab, &others, &format!("before{round}")))
            .collect();
        wait_all_have(lab, &all, &["before0", "before29"]);
        signal(lab, 4, "STOP");
        let until = Instant::now() + STILL;
        let mut during = Vec::new();
        while Instant::now() < until {
            during.push(reach_all(lab, &others, &format!("during{}", during.len())));
            std::thread::sleep(PAUSE);
        }
        let last = format!("during{}", during.len() - 1);
        wait_all_have(lab, &others, &["during0", &last]);
        println!(
            "from the request to the last server, before: {}",
            distribution(before)
        );
        println!(
            "while one stood still:                       {}",
            distribution(during)
        );
        signal(lab, 4, "CONT");
        wait_all_have(lab, &all, &["before0", "during0", &last]);
        lab.wait_linked(&all, 3);
    });
}

/// Makes the change known by `mark` on one of `members`; gives how long after the request the
/// servers of all of them had it.
fn reach_all(lab: &Lab, members: &[usize], mark: &str) -> Duration {
    let author = members[mark.len() % members.len()];
    let others: Vec<usize> = members
        .iter()
        .copied()
        .filter(|&member| member != author)
        .collect();
    let from: Vec<usize> = others
        .iter()
        .map(|&member| lab.host(member).log.size())
        .collect();
    let begin = Instant::now();
    let reply = lab
        .host(author)
        .put(&format!("/config/routes/{mark}"), b"[]");
    assert_eq!(reply.status, 200, "{}", reply.body);
    let revision = reply
        .header("Starling-Revision")
        .expect("a revision was made")[..SHORT]
        .to_owned();
    let arrived = others.iter().zip(from).map(|(&member, from)| {
        let line = lab.host(member).log.wait(from, SOON, |line| {
            line.contains(&revision) && line.contains("applied")
        });
        line.unwrap_or_else(|| {
            panic!(
                "{mark} by host {author} did not reach host {member}\n{}",
                lab.host(member).account()
            )
        })
        .at
    });
    arrived
        .max()
        .expect("there are others")
        .saturating_duration_since(begin)
}

/// Sends Starling on host `number` a signal that `kill` knows by this name.
fn signal(lab: &Lab, number: usize, name: &str) {
    let pid = lab.host(number).pid();
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status()
        .expect("sh can be started");
    assert!(status.success(), "kill -{name}: {status}");
}

fn distribution(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    format!(
        "median {:.1} ms, 90 % within {:.1}, all {} within {:.1}",
        at(50),
        at(90),
        times.len(),
        at(100)
    )
}

/// Four times what it takes until a silent link is given up.
const STILL: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);
/// The digits by which the log names a revision.
const SHORT: usize = 8;
