//! The fleet under a hostile member, tests/hostile: honest changes go on, memory and disk stay
//! within bounds, a restart is possible.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use starlingd::limits::{DIAL_BURST, DIAL_EVERY, NODE_CHECKS_EACH_SECOND, NODE_CHECKS_MAX};

use super::support::lab::Lab;
use super::support::private::NETLAB;
use super::support::program;
use super::{Pace, SOON, change, has, lab, publish, wait_all_have};

/// The honest hosts; the member sits on host 3, where no Starling runs.
const HONEST: [usize; 2] = [1, 2];

/// Two honest hosts with servers and a document; then the attack of this name, from host 3 against
/// both; `during` gets what it printed. What the fleet is asked for after each attack is asked
/// here: changes on either host reach the other and its server, also after a restart.
fn under(lab: &mut Lab, attack: &str, during: impl FnOnce(&Lab, &str)) {
    lab.fleet(&HONEST);
    publish(lab, 1);
    wait_all_have(lab, &HONEST, &[]);
    // What the servers run is compared whole, however long the member makes it.
    HONEST
        .iter()
        .for_each(|&host| drop(lab.host(host).fault("cut 16000000")));
    let said = member(lab, attack);
    changes_go_on(lab, "after");
    during(lab, &said);
    HONEST.iter().for_each(|&host| lab.host_mut(host).kill());
    HONEST.iter().for_each(|&host| lab.host_mut(host).start());
    lab.wait_linked(&HONEST, 1);
    changes_go_on(lab, "anew");
}

/// Carries out an attack, and gives what it printed.
fn member(lab: &Lab, attack: &str) -> String {
    let token = lab
        .host(1)
        .command(&["token", "--peer", "10.77.0.1:7117"], "");
    let mut command = Command::new(NETLAB);
    command
        .args(["exec", "3"])
        .arg(program("examples/hostile-member"))
        .args([attack, "10.77.0.1:7117", "10.77.0.2:7117"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("netlab.sh can be started");
    child
        .stdin
        .take()
        .expect("it was piped")
        .write_all(token.as_bytes())
        .expect("it reads its input");
    let output = child.wait_with_output().expect("our own child");
    assert!(
        output.status.success(),
        "the attack {attack} was not carried out: {}\n{}",
        output.status,
        lab.host(1).account()
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A change on either host is taken there, and comes to the other and to both servers.
fn changes_go_on(lab: &Lab, mark: &str) {
    let marks = HONEST.map(|author| format!("{mark}{author}"));
    HONEST
        .iter()
        .zip(&marks)
        .for_each(|(&author, mark)| change(lab, author, mark));
    // What the member has said may have to be worked off first: fifty changes of a mebibyte, say,
    // each tried by a server.
    let all_have = || {
        HONEST
            .iter()
            .all(|&host| marks.iter().all(|mark| has(lab, host, mark)))
    };
    lab.wait(SOON * 6, "the honest agree, with both changes", || {
        lab.agree(&HONEST) && all_have()
    });
}

/// Bytes of all files below `directory`.
fn bytes_below(directory: &Path) -> u64 {
    let listed = std::fs::read_dir(directory).into_iter().flatten().flatten();
    listed
        .map(|entry| {
            entry.metadata().map_or(0, |data| {
                if data.is_dir() {
                    bytes_below(&entry.path())
                } else {
                    data.len()
                }
            })
        })
        .sum()
}

#[test]
fn a_member_that_speaks_honestly_is_heard_by_all() {
    lab(3, 1, Pace::Busy, |lab| {
        under(lab, "honest", |lab, said| {
            let ids: Vec<&str> = said.split_whitespace().collect();
            assert_eq!(ids.len(), 2);
            // They lost against the document that was there: every host lists them in the end.
            let listed = |host: usize| {
                let listed = lab.host(host).json("/fleet/conflicts").to_string();
                ids.iter().all(|id| listed.contains(id))
            };
            lab.wait(SOON * 2, "both hosts list both", || {
                HONEST.iter().all(|&host| listed(host))
            });
        });
    });
}

#[test]
fn frames_that_nobody_may_send_end_the_link_and_hold_nothing_up() {
    lab(3, 1, Pace::Busy, |lab| under(lab, "faults", |_, _| ()));
}

#[test]
fn a_member_that_asks_without_end_is_not_served_before_the_honest() {
    lab(3, 1, Pace::Busy, |lab| {
        under(lab, "questions", |lab, _| {
            for host in HONEST.map(|number| lab.host(number)) {
                let (greatest, written) = (host.memory_kib("VmHWM"), bytes_below(&host.state()));
                assert!(
                    greatest < 96 << 10,
                    "host {} took {greatest} KiB of memory",
                    host.number
                );
                assert!(
                    written < 1 << 20,
                    "host {} keeps {written} bytes",
                    host.number
                );
            }
        });
    });
}

/// The worst jump that is permitted does not hold up the next change, and one command on one host
/// takes it back on all.
#[test]
fn a_jump_to_the_greatest_height_is_cured_by_one_command_on_one_host() {
    lab(3, 1, Pace::Busy, |lab| {
        lab.fleet(&HONEST);
        publish(lab, 1);
        wait_all_have(lab, &HONEST, &[]);
        let good = lab.host(1).json("/fleet")["group"]["head"]["id"]
            .as_str()
            .expect("an ID")
            .to_owned();
        let before = lab.host(2).json("/config");
        let bad = member(lab, "jump");
        let is_head = |lab: &Lab, host: usize, id: &str| {
            lab.host(host).json("/fleet")["group"]["head"]["id"] == id
        };
        lab.wait(SOON, "it is head of both", || {
            HONEST.iter().all(|&host| is_head(lab, host, bad.trim()))
        });
        let control = lab.host(2).control_socket();
        lab.host(2).command(
            &[
                "restore",
                &good,
                "--control",
                control.to_str().expect("it is text"),
            ],
            "",
        );
        lab.wait(SOON, "both have what was there before", || {
            HONEST
                .iter()
                .all(|&host| lab.host(host).json("/config") == before)
        });
        changes_go_on(lab, "after");
    });
}

#[test]
fn heights_and_dates_of_other_years_hold_nobody_up() {
    lab(3, 1, Pace::Busy, |lab| {
        under(lab, "far", |lab, _| {
            let problems = lab.host(1).json("/fleet")["problems"].to_string();
            assert!(problems.contains("dated"), "{problems}");
        });
    });
}

#[test]
fn ten_thousand_invented_hosts_keep_no_honest_host_out() {
    lab(3, 1, Pace::Busy, |lab| {
        let begin = std::time::Instant::now();
        under(lab, "hosts", |lab, _| {
            for host in HONEST {
                let nodes = lab.host(host).json("/fleet/nodes");
                let nodes = nodes.as_array().expect("a list");
                let is_there = |other: &usize| {
                    let peer = lab.host(*other).json("/fleet")["peer"]["id"].clone();
                    nodes.iter().any(|node| node["id"] == peer)
                };
                let looked_at = u64::from(NODE_CHECKS_MAX)
                    + begin.elapsed().as_secs() * u64::from(NODE_CHECKS_EACH_SECOND);
                assert!(
                    HONEST.iter().all(is_there) && nodes.len() as u64 <= looked_at + 100,
                    "host {host} knows {} hosts",
                    nodes.len()
                );
            }
        });
    });
}

/// Some kilobytes of frames stand for fifty mebibytes of bodies, each of which is kept beside the
/// head: memory and disk are bounded.
#[test]
fn a_member_whose_deltas_swell_fills_neither_memory_nor_disk() {
    lab(3, 1, Pace::Busy, |lab| {
        under(lab, "bodies", |lab, said| {
            let sent: u64 = said.trim().parse().expect("it says how many bytes it sent");
            assert!(sent < 100_000, "{sent} bytes were sent");
            for host in HONEST.map(|number| lab.host(number)) {
                let (greatest, written) = (host.memory_kib("VmHWM"), bytes_below(&host.state()));
                assert!(
                    greatest < 192 << 10,
                    "host {} took {greatest} KiB of memory",
                    host.number
                );
                assert!(
                    written < 160 << 20,
                    "host {} keeps {written} bytes",
                    host.number
                );
            }
        });
    });
}

#[test]
fn a_member_that_invents_hosts_aims_the_fleet_at_nobody() {
    lab(3, 1, Pace::Busy, |lab| {
        HONEST
            .iter()
            .for_each(|host| drop(lab.net(&["knocks", &host.to_string(), "198.18.0.0/15"])));
        let begin = std::time::Instant::now();
        under(lab, "aimed", |lab, _| {
            let knocks = || {
                lab.net(&["spied"])
                    .lines()
                    .map(|line| line.parse::<u64>().expect("a count"))
                    .collect::<Vec<_>>()
            };
            lab.wait(SOON, "both have dialled somebody", || {
                knocks().iter().all(|count| *count > 0)
            });
            // Each dial that nobody answers is three packets.
            let most = 3
                * (u64::from(DIAL_BURST)
                    + begin.elapsed().as_millis() as u64 / DIAL_EVERY.as_millis() as u64);
            let counted = knocks();
            assert!(
                counted.iter().all(|count| *count <= most),
                "{counted:?} packets, {most} at most"
            );
            println!("{counted:?} packets in {:?}", begin.elapsed());
        });
        let books = HONEST.map(|host| {
            std::fs::read_to_string(lab.host(host).state().join("addresses.json"))
                .unwrap_or_default()
        });
        assert!(
            books.iter().all(|book| !book.contains("198.1")),
            "{books:?}"
        );
    });
}
