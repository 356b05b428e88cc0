//! How soon hosts are linked: at their start, as late joiners, and when a cable is back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Effort;
use super::carrier::{Document, WAIT};
use super::fleet::{go, launch_waiting};
use super::report::{Figure, Goal, Report, STARLING, percentile};
use super::support::lab::Lab;

/// Measures all of it, with peers that have no servers.
pub fn measure(report: &mut Report, dir: &Path, effort: Effort) {
    report.part("How soon hosts are linked, without servers");
    let pairs = effort.of(30);
    let times = (0..pairs).filter_map(|pair| pair_linked(&dir.join(format!("pair{pair}"))));
    let times: Vec<Duration> = times.collect();
    if times.len() < pairs {
        report.note(format!("{} pairs did not link", pairs - times.len()));
    }
    add(report, PAIR, times);

    let mut lab = Lab::up(&dir.join("late"), 6, 1);
    let all = [1, 2, 3, 4, 5, 6];
    lab.join(&all);
    for host in &mut lab.hosts {
        host.flags = vec!["--log".into(), TELLING.into()];
        host.start();
    }
    lab.wait(WAIT, "all are linked", || {
        all.iter().all(|&i| lab.host(i).links().len() == 5)
    });
    let document = Document::new(1 << 10).text();
    let reply = lab.host(1).put("/config", document.as_bytes());
    let id = reply.header("starling-revision");
    let id = id.expect("an accepted change names its revision");
    let id = id.trim_matches('"').to_owned();
    lab.host(6).log.wait(0, WAIT, |line| takes_up(line, &id));
    let late = (0..effort.of(20)).filter_map(|_| late_joiner(&mut lab, &id));
    let late: Vec<Duration> = late.collect();
    add(report, LATE, late);
    let plugged = (0..effort.of(5)).filter_map(|_| cable(&lab)).collect();
    add(report, CABLE, plugged);
}

/// Takes the middle and the worst down.
fn add(report: &mut Report, [middle, worst]: [Figure; 2], times: Vec<Duration>) {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    report.add(&[], middle, &[(STARLING, percentile(&mut times, 0.5))]);
    report.add(&[], worst, &[(STARLING, percentile(&mut times, 1.0))]);
}

/// Two peers that never met: from the start of the second to the later of the two `linked`.
fn pair_linked(dir: &Path) -> Option<Duration> {
    let mut lab = Lab::up(dir, 2, 1);
    lab.join(&[1, 2]);
    lab.host_mut(1).start();
    launch_waiting(lab.host_mut(2));
    // The first one's announcements are over by now (RFC 6762, section 8.3: a second apart).
    std::thread::sleep(Duration::from_millis(1_200));
    let begin = Instant::now();
    go(lab.host_mut(2));
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

/// Whether a log line says that the revision of this ID has been taken up.
fn takes_up(line: &str, id: &str) -> bool {
    line.contains(&format!("revision {} ", &id[..SHORT_ID]))
}

/// The middle and the worst of a time in milliseconds; the middle has the goal.
const fn both(names: [&'static str; 2], words: &'static str, goal: f64) -> [Figure; 2] {
    let figure = Figure {
        name: names[0],
        words,
        unit: "ms",
        goal: Goal::AtMost(goal),
    };
    let worst = Figure {
        name: names[1],
        words: "the same, at most",
        goal: Goal::None,
        ..figure
    };
    [figure, worst]
}

const PAIR: [Figure; 2] = both(
    ["pair_linked_p50_ms", "pair_linked_max_ms"],
    "second host's start to linked, by mDNS",
    50.0,
);
const LATE: [Figure; 2] = both(
    ["late_whole_p50_ms", "late_whole_max_ms"],
    "late host's first link to complete",
    100.0,
);
const CABLE: [Figure; 2] = both(
    ["cable_linked_p50_ms", "cable_linked_max_ms"],
    "cable plugged in to linked",
    500.0,
);

/// The level at which a peer without a server tells what it has received.
const TELLING: &str = "debug";
/// As many digits of a revision's ID as the log shows.
const SHORT_ID: usize = 12;
