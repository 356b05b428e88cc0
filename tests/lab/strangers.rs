//! Who does not hold the fleet key gets not one byte.

use std::process::Command;
use std::time::Duration;

use super::support::lab::Lab;
use super::support::private::NETLAB;
use super::{Pace, SOON, change, lab, publish, stays, wait_all_have};

#[test]
fn a_stranger_with_another_fleet_key_gets_no_byte_and_no_link() {
    lab(3, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2]);
        publish(lab, 1);
        lab.net(&["spy", "1", "3"]);
        lab.net(&["spy", "3", "1"]);
        lab.net(&["spy", "1", "2"]);
        lab.join(&[3]);
        lab.host_mut(3).flags = vec!["--peer".into(), "10.77.0.1:7117".into()];
        lab.start(&[3]);
        lab.wait(SOON, "the stranger has knocked twice", || {
            spied(lab)[1] >= 2
        });
        change(lab, 1, "secret");
        wait_all_have(lab, &[1, 2], &["secret"]);
        let [to_stranger, _, to_peer] = spied(lab);
        assert!(to_peer > 0, "the spy sees what is sent");
        assert_eq!(
            to_stranger, 0,
            "segments with data were sent to the stranger"
        );
        assert!(lab.host(3).links().is_empty() && lab.host(1).links().len() == 1);
    });
}

#[test]
fn a_port_scanner_gets_no_byte_whatever_it_says_and_holds_nothing_up() {
    lab(3, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2]);
        publish(lab, 1);
        for (what, says) in SCANS {
            for address in ["10.77.0.1", "fd77::1"] {
                assert_eq!(scan(address, says), "0", "{what} to {address} was answered");
            }
        }
        assert!(stays_usable_under_silence(lab));
    });
}

/// Forty connections that say nothing, and yet a change passes.
fn stays_usable_under_silence(lab: &Lab) -> bool {
    let script =
        "for i in $(seq 40); do exec {fd}<>/dev/tcp/10.77.0.1/7117; done; echo open; sleep 60";
    let mut crowd = Command::new(NETLAB)
        .args(["exec", "3", "bash", "-c", script])
        .spawn()
        .expect("netlab.sh can be started");
    change(lab, 2, "meanwhile");
    wait_all_have(lab, &[1, 2], &["meanwhile"]);
    stays(lab, Duration::from_secs(2), "two hosts are linked", || {
        lab.host(1).links().len() == 1
    });
    crowd.kill().and_then(|()| crowd.wait()).is_ok()
}

/// Connects from host 3, sends what `says` prints, and gives how many bytes came back until the
/// other side closed or three seconds were over.
fn scan(address: &str, says: &str) -> String {
    // Whoever is closed upon while it still talks must live to count what it got.
    let script = format!(
        "trap '' PIPE; exec 3<>/dev/tcp/{address}/7117 || exit; {{ {says}; }} >&3 2>/dev/null; timeout 3 cat <&3 2>/dev/null | wc -c"
    );
    let output = Command::new(NETLAB)
        .args(["exec", "3", "bash", "-c", &script])
        .output()
        .expect("netlab.sh can be started");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn spied(lab: &Lab) -> [u64; 3] {
    let counts: Vec<u64> = lab
        .net(&["spied"])
        .lines()
        .map(|line| line.parse().expect("a count"))
        .collect();
    counts.try_into().expect("three spies were sent out")
}

/// What scanners say: the head of a TLS 1.2 ClientHello is that of `openssl s_client`.
const SCANS: [(&str, &str); 5] = [
    ("silence", "true"),
    ("random bytes", "head -c 4096 /dev/urandom"),
    (
        "an HTTP request",
        r"printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'",
    ),
    (
        "a TLS hello",
        r"printf '\026\003\001\000\345\001\000\000\341\003\003'; head -c 222 /dev/zero",
    ),
    ("a line and its end", r"printf '\n'"),
];
