//! What a peer costs that has nothing to do: memory, processor time, writes to its disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::support::host::Host;
use super::support::lab::Lab;
use super::{Effort, WAIT, document, fleet, publish, row};

/// Prints the rows of an idle peer: the worst of the five.
pub fn measure(dir: &Path, effort: Effort) {
    let mut lab = Lab::up(&dir.join("idle"), 5, 1);
    let members = [1, 2, 3, 4, 5];
    fleet(&mut lab, &members, 4, "info");
    publish(lab.host(1), &document(1 << 10, 1));
    // Announcements, first digests and the address books, which are kept a while after they
    // changed, come to rest.
    std::thread::sleep(MINUTE * 3 / 2);
    row(
        "idle memory with 4 links (RssAnon in brackets)",
        &memory(&lab, &members),
        "3 MB",
    );
    let before: Vec<(Duration, u64)> = members
        .map(|i| (lab.host(i).processor_time(), written(lab.host(i))))
        .into();
    std::thread::sleep(MINUTE);
    let spent = members
        .iter()
        .zip(&before)
        .map(|(&i, b)| lab.host(i).processor_time() - b.0)
        .max()
        .unwrap_or_default();
    let wrote = members
        .iter()
        .zip(&before)
        .map(|(&i, b)| written(lab.host(i)) - b.1)
        .max()
        .unwrap_or_default();
    row(
        "idle processor time in a minute",
        &format!("{:.2} ms", spent.as_secs_f64() * 1e3),
        "1 ms",
    );
    row(
        "written to disk in an idle minute",
        &format!("{wrote} bytes"),
        "0 bytes",
    );
    let changes = effort.of(1_000);
    let mut last = None;
    for i in 1..=changes {
        last = Some(publish(lab.host(1), &document(1 << 10, i as u64)));
    }
    lab.wait(WAIT, "all have the last", || {
        members.iter().all(|&i| lab.host(i).head() == last)
    });
    std::thread::sleep(Duration::from_secs(5));
    row(
        &format!("memory after {changes} changes of 1 KiB"),
        &memory(&lab, &members),
        "10 MB",
    );
}

fn memory(lab: &Lab, members: &[usize]) -> String {
    let worst = |name| {
        members
            .iter()
            .map(|&i| lab.host(i).memory_kib(name))
            .max()
            .unwrap_or_default()
    };
    format!(
        "{:.2} MB ({:.2})",
        worst("VmRSS") as f64 / 1e3,
        worst("RssAnon") as f64 / 1e3
    )
}

fn written(host: &Host) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", host.pid())).expect("the peer runs");
    io.lines()
        .find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
        .expect("a field of proc(5)")
}

const MINUTE: Duration = Duration::from_secs(60);
