//! From the author's 200 to the whole revision on the last host.

use std::path::Path;
use std::time::{Duration, Instant};

use super::support::lab::Lab;
use super::{Effort, TELLING, WAIT, document, fleet, publish, row, spread, takes_up};

/// Prints the rows of propagation.
pub fn measure(dir: &Path, effort: Effort) {
    let small = changes(&dir.join("p5"), 5, 1 << 10, effort.of(300));
    row(
        "1 KiB, 5 hosts: author's 200 to whole on the last",
        &small,
        "p50 1.2  p99 8 ms",
    );
    row(
        "256 KiB, 5 hosts",
        &changes(&dir.join("p256"), 5, 256 << 10, effort.of(40)),
        "-",
    );
    row(
        "1 MiB, 5 hosts",
        &changes(&dir.join("p1m"), 5, 1 << 20, effort.of(20)),
        "-",
    );
    row(
        "1 KiB, 20 hosts",
        &changes(&dir.join("p20"), 20, 1 << 10, effort.of(100)),
        "NATS core: 3.2 / 4.9 ms",
    );
}

fn changes(dir: &Path, count: usize, bytes: usize, rounds: usize) -> String {
    let mut lab = Lab::up(dir, count, 1);
    let members: Vec<usize> = (1..=count).collect();
    fleet(&mut lab, &members, 3, TELLING);
    // The first change teaches everybody the group and warms up every path.
    one_change(&lab, &members, bytes, 0);
    let mut times: Vec<Duration> = (1..=rounds)
        .filter_map(|round| one_change(&lab, &members, bytes, round))
        .collect();
    let lost = rounds - times.len();
    spread(&mut times)
        + &if lost > 0 {
            format!(", {lost} lost")
        } else {
            String::new()
        }
}

/// Nothing if a host did not take it up in time.
fn one_change(lab: &Lab, members: &[usize], bytes: usize, round: usize) -> Option<Duration> {
    let author = members[round % members.len()];
    let body = document(bytes, round as u64 + 1);
    let from: Vec<usize> = members
        .iter()
        .map(|&member| lab.host(member).log.size())
        .collect();
    let id = publish(lab.host(author), &body);
    let answered = Instant::now();
    let others = members
        .iter()
        .zip(from)
        .filter(|(member, _)| **member != author);
    let lines: Option<Vec<Instant>> = others
        .map(|(&member, from)| {
            Some(
                lab.host(member)
                    .log
                    .wait(from, WAIT, |line| takes_up(line, &id))?
                    .at,
            )
        })
        .collect();
    // A quiet moment, so that one change does not wait for the work that the last one left behind.
    std::thread::sleep(Duration::from_millis(20));
    Some(
        lines?
            .into_iter()
            .max()?
            .saturating_duration_since(answered),
    )
}
