//! How soon hosts are linked: at their start, as late joiners, and when a cable is back.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::support::host::Host;
use super::support::lab::Lab;
use super::{Effort, TELLING, WAIT, document, fleet, percentile, publish, row, spread, takes_up};

/// Prints the rows of joining.
pub fn measure(dir: &Path, effort: Effort) {
    let pairs = effort.of(100);
    let mut times: Vec<Duration> = (0..pairs)
        .filter_map(|pair| pair_linked(&dir.join(format!("pair{pair}"))))
        .collect();
    let reached = format!(
        "p50 {:.0}  p99 {:.0} ms, {} of {pairs}",
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.99),
        times.len()
    );
    row(
        "second host's start to linked, by mDNS",
        &reached,
        "50 ms, 100 of 100",
    );

    let mut lab = Lab::up(&dir.join("late"), 6, 1);
    fleet(&mut lab, &[1, 2, 3, 4, 5, 6], 5, TELLING);
    let id = publish(lab.host(1), &document(1 << 10, 7));
    lab.host(6).log.wait(0, WAIT, |line| takes_up(line, &id));
    let mut times: Vec<Duration> = (0..effort.of(20))
        .filter_map(|_| late_joiner(&mut lab, &id))
        .collect();
    row(
        "late joiner: first link to complete",
        &spread(&mut times),
        "100 ms",
    );
    let mut times: Vec<Duration> = (0..effort.of(20).min(5))
        .filter_map(|_| cable(&lab))
        .collect();
    row("cable plugged in to linked", &spread(&mut times), "500 ms");
}

/// Two peers that never met: from the start of the second to the later of the two `linked`.
fn pair_linked(dir: &Path) -> Option<Duration> {
    let mut lab = Lab::up(dir, 2, 1);
    lab.join(&[1, 2]);
    lab.host_mut(1).start();
    // The second waits in front of its `exec`, so that what the lab does to start it is not
    // counted.
    lab.host_mut(2)
        .launch("echo ready >&2; read -r line; exec \"$@\"");
    lab.host(2).log.wait(0, WAIT, |line| line == "ready")?;
    // The first one's announcements are over by now (RFC 6762, section 8.3: a second apart).
    std::thread::sleep(Duration::from_millis(1_200));
    let begin = Instant::now();
    tell(lab.host_mut(2));
    let linked = |i: usize| {
        Some(
            lab.host(i)
                .log
                .wait(0, Duration::from_secs(10), says_linked)?
                .at,
        )
    };
    Some(linked(1)?.max(linked(2)?) - begin)
}

fn tell(host: &mut Host) {
    let stdin = host
        .starling
        .as_mut()
        .and_then(|daemon| daemon.child.stdin.as_mut())
        .expect("launched, with a pipe");
    writeln!(stdin).expect("it waits for a line");
}

/// Host 6 comes back with nothing but its identity.
fn late_joiner(lab: &mut Lab, id: &str) -> Option<Duration> {
    let host = lab.host_mut(6);
    host.kill();
    // Absent when the peer was killed before its disk had anything.
    let _ = fs::remove_dir_all(host.state().join("revisions"));
    let from = host.log.size();
    host.start();
    let linked = host.log.wait(from, WAIT, says_linked)?;
    let whole = host.log.wait(from, WAIT, |line| takes_up(line, id))?;
    Some(whole.at.saturating_duration_since(linked.at))
}

/// The cable of host 6 is out until all its links are known to be dead, and then back in.
fn cable(lab: &Lab) -> Option<Duration> {
    lab.net(&["link", "6", "unplug"]);
    lab.wait(WAIT, "the dead links are noticed", || {
        (1..=5).all(|i| lab.host(i).links().len() == 4) && lab.host(6).links().is_empty()
    });
    let from = lab.host(6).log.size();
    let begin = Instant::now();
    lab.net(&["link", "6", "plug"]);
    let linked = lab.host(6).log.wait(from, WAIT, says_linked)?;
    lab.wait(WAIT, "all are linked again", || {
        lab.host(6).links().len() == 5
    });
    Some(linked.at - begin)
}

fn says_linked(line: &str) -> bool {
    line.contains("linked with")
}
