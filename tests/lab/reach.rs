//! Networks other than one wire with both IP versions.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::support::lab::Lab;
use super::support::private::NETLAB;
use super::support::program;
use super::{Pace, SOON, change, lab, publish, wait_all_have};

#[test]
fn two_subnets_without_multicast_become_one_fleet_by_a_single_peer_address() {
    lab(6, 2, Pace::Busy, |lab| {
        let all = [1, 2, 3, 4, 5, 6];
        lab.join(&all);
        lab.host_mut(4).flags = vec!["--peer".into(), "10.77.0.1:7117".into()];
        lab.start(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        // Only host 4 was told an address: that 2 and 6 link means that they learnt it.
        lab.wait_linked(&all, 5);
        change(lab, 6, "far");
        change(lab, 6, "farther");
        wait_all_have(lab, &all, &["far", "farther"]);
    });
}

#[test]
fn a_wire_without_ipv4_is_enough() {
    lab(3, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3];
        all.iter()
            .for_each(|i| drop(lab.net(&["noipv4", &i.to_string()])));
        lab.fleet(&all);
        publish(lab, 3);
        wait_all_have(lab, &all, &[]);
        change(lab, 1, "six");
        wait_all_have(lab, &all, &["six"]);
        let addresses: Vec<Value> = all
            .iter()
            .flat_map(|&i| lab.host(i).links())
            .map(|link| link["address"].clone())
            .collect();
        assert!(
            addresses.iter().all(|a| a
                .as_str()
                .is_some_and(|a| a.contains(':') && !a.contains("10.77."))),
            "{addresses:?}"
        );
    });
}

/// Runs a command of Starling's on a host, in its network.
fn there(lab: &Lab, number: usize, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(NETLAB);
    command
        .args(["exec", &number.to_string()])
        .arg(program("starling"))
        .args(arguments)
        .arg("--state")
        .arg(lab.host(number).state());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("netlab.sh can be started");
    std::io::Write::write_all(
        &mut child.stdin.take().expect("it was piped"),
        input.as_bytes(),
    )
    .expect("it reads its input");
    child.wait_with_output().expect("our own child")
}

fn ip(lab: &Lab, number: usize, arguments: &str) {
    let words = ["exec", &number.to_string(), "ip"]
        .map(str::to_owned)
        .into_iter()
        .chain(arguments.split(' ').map(str::to_owned));
    let words: Vec<String> = words.collect();
    lab.net(&words.iter().map(String::as_str).collect::<Vec<_>>());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn eight_container_bridges_on_each_host_keep_nobody_from_finding_another_by_a_token() {
    lab(3, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3];
        for number in all {
            for bridge in 0..9 {
                // Each with a container on it, else it would have no carrier.
                ip(
                    lab,
                    number,
                    &format!("link add br-{bridge} type veth peer name ct-{bridge}"),
                );
                ip(lab, number, &format!("link set ct-{bridge} up"));
                ip(
                    lab,
                    number,
                    &format!("addr add 172.{}.0.1/16 dev br-{bridge}", 17 + bridge),
                );
                ip(lab, number, &format!("link set br-{bridge} up"));
            }
            ip(
                lab,
                number,
                &format!("route add default via 10.77.0.{} dev eth0", 250),
            );
            lab.host_mut(number).flags = vec!["--no-mdns".into()];
        }
        assert!(there(lab, 1, &["init"], "").status.success());
        let token = there(lab, 1, &["token"], "");
        assert!(token.stderr.is_empty(), "{}", text(&token.stderr));
        for member in [2, 3] {
            let joined = there(lab, member, &["join", "-"], &text(&token.stdout));
            let found_at = text(&joined.stdout);
            assert!(
                found_at.contains("found at: [fd77::1]:7117, 10.77.0.1:7117, ")
                    || found_at.contains("found at: 10.77.0.1:7117, "),
                "{found_at}"
            );
        }
        lab.start(&all);
        lab.wait_linked(&all, 2);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        let nodes = lab.host(3).json("/fleet/nodes").to_string();
        assert!(
            all.iter()
                .all(|number| nodes.contains(&format!("10.77.0.{number}:7117"))),
            "{nodes}"
        );
    });
}

#[test]
fn a_host_with_link_local_addresses_only_tells_none_and_is_found_on_its_wire() {
    lab(2, 1, Pace::Busy, |lab| {
        let all = [1, 2];
        for number in all {
            lab.net(&["noipv4", &number.to_string()]);
            ip(lab, number, &format!("addr del fd77::{number}/64 dev eth0"));
        }
        assert!(there(lab, 1, &["init"], "").status.success());
        let token = there(lab, 1, &["token"], "");
        let said = text(&token.stderr);
        assert!(
            said.contains("names no address") && said.contains("starling token --peer HOST:PORT"),
            "{said}"
        );
        let joined = there(lab, 2, &["join", "-"], &text(&token.stdout));
        assert!(
            text(&joined.stdout).contains("by mDNS only"),
            "{}",
            text(&joined.stdout)
        );
        lab.start(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        let told = lab.host(1).json("/fleet/nodes").to_string();
        assert!(!told.contains("127.0.0.1"), "{told}");
    });
}

#[test]
fn an_interface_that_is_not_there_and_mdns_that_cannot_work_are_named_until_they_do() {
    lab(2, 1, Pace::Waiting, |lab| {
        lab.join(&[1, 2]);
        let problems = |lab: &Lab| {
            lab.host(1)
                .json("/fleet")
                .pointer("/problems")
                .cloned()
                .unwrap_or_default()
                .to_string()
        };
        lab.host_mut(1).flags = vec!["--interface".into(), "vpn7".into()];
        for command in ["token", "check"] {
            let said = text(&there(lab, 1, &[command, "--interface", "vpn7"], "").stderr);
            assert!(
                said.contains("there is no network interface vpn7"),
                "{command}: {said}"
            );
        }
        lab.start(&[1, 2]);
        lab.wait(SOON, "the interface is named", || {
            problems(lab).contains("there is no network interface vpn7")
        });
        lab.wait(SOON, "mDNS is named", || {
            problems(lab).contains("mDNS does not work")
        });
        ip(lab, 1, "link set eth0 down");
        ip(lab, 1, "link set eth0 name vpn7");
        ip(lab, 1, "link set vpn7 up");
        lab.wait(SOON * 4, "all is well", || problems(lab) == "[]");
        lab.wait_linked(&[1, 2], 1);
    });
}
