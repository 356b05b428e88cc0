//! Hosts that run short: of room on the disk, of file descriptors.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::clients::{Change, Client, lost, route};
use super::support::lab::Lab;
use super::{Pace, SOON, change, has, lab, publish, wait_all_have};

#[test]
fn a_host_whose_disk_is_full_follows_and_stores_all_when_there_is_room() {
    lab(3, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3];
        small_disk(&lab.host(3).state());
        lab.fleet(&all);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        change(lab, 3, "room");
        wait_all_have(lab, &all, &["room"]);
        let ballast = fill(&lab.host(3).state());
        let refused = lab.host(3).put("/config/routes/refused", b"[]");
        assert_eq!(refused.status, 507, "{}", refused.body);
        assert!(
            !refused.json()["detail"].to_string().is_empty() && refused.body.contains("space"),
            "{}",
            refused.body
        );
        for (author, mark) in [(1, "others1"), (2, "others2"), (1, "others3")] {
            change(lab, author, mark);
        }
        wait_all_have(lab, &all, &["room", "others1", "others2", "others3"]);
        assert!(!has(lab, 1, "refused"), "what was refused left its host");
        lab.wait(SOON, "GET /fleet says so", || {
            lab.host(3).json("/fleet")["problems"]
                .to_string()
                .contains("space")
        });
        fs::remove_file(ballast).expect("the ballast can be removed");
        lab.wait(SOON * 3, "host 3 has stored the head", || {
            lab.host(3)
                .head()
                .is_some_and(|head| lab.host(3).has_stored(&head))
        });
        // What it has stored it has without the others.
        lab.net(&["partition", "3|rest"]);
        lab.host_mut(3).kill();
        lab.host_mut(3).start();
        assert!(
            ["room", "others1", "others2", "others3"]
                .iter()
                .all(|mark| has(lab, 3, mark)),
            "something was not stored"
        );
        lab.net(&["heal"]);
        lab.wait_linked(&all, 2);
        change(lab, 3, "again");
        wait_all_have(lab, &all, &["others3", "again"]);
    });
}

#[test]
fn a_peer_with_40_descriptors_outlives_a_crowd_of_clients_and_loses_nothing() {
    lab(3, 1, Pace::Busy, |lab| {
        let all = [1, 2, 3];
        lab.join(&all);
        lab.start(&[1, 2]);
        lab.host_mut(3).serve();
        lab.host_mut(3).launch("ulimit -n 40; exec \"$@\"");
        lab.host_mut(3).wait_started();
        lab.wait_linked(&all, 2);
        publish(lab, 1);
        wait_all_have(lab, &all, &[]);
        let acknowledged = hammer(lab, 3);
        let running = lab
            .host_mut(3)
            .starling
            .as_mut()
            .expect("it was started")
            .child
            .try_wait()
            .expect("our own child");
        assert_eq!(running, None, "host 3 died:\n{}", lab.host(3).log.tail(20));
        lab.wait(SOON, "host 3 answers again", || {
            lab.host(3).get("/fleet").is_some()
        });
        Client::of(lab.host(3)).insist(
            "PUT",
            "/config/routes/after",
            "after",
            &route("after"),
            SOON,
        );
        wait_all_have(lab, &all, &["after"]);
        println!("{} changes were acknowledged", acknowledged.len());
        assert!(!acknowledged.is_empty(), "nobody was served");
        all.iter().for_each(|&i| {
            assert_eq!(
                lost(lab, i, &acknowledged),
                Vec::<&Change>::new(),
                "host {i} lost changes"
            )
        });
    });
}

/// Clients of host `number` that come as quickly as they can, while others hold connections and say
/// nothing; a change of the fleet passes meanwhile. Gives the marks of the changes that were
/// acknowledged.
fn hammer(lab: &Lab, number: usize) -> Vec<Change> {
    let acknowledged = Mutex::new(Vec::new());
    let until = Instant::now() + HAMMERED;
    thread::scope(|scope| {
        for client in 0..CROWD {
            let acknowledged = &acknowledged;
            scope.spawn(move || {
                let host = Client::of(lab.host(number));
                for round in (0..).take_while(|_| Instant::now() < until) {
                    let mark = format!("c{client}r{round}");
                    // Of four, one changes something, one looks around, and two hold a connection
                    // and never ask.
                    match client % 4 {
                        0 => acknowledged
                            .lock()
                            .expect("no client panics")
                            .extend(host.add(&mark)),
                        1 => drop(host.send("GET", "/fleet", &json!(null))),
                        _ => host.idle(IDLE),
                    }
                    thread::sleep(BREATH);
                }
            });
        }
        change(lab, 1, "meanwhile");
        lab.wait(SOON, "host 2 has what host 1 changed meanwhile", || {
            has(lab, 2, "meanwhile")
        });
    });
    acknowledged.into_inner().expect("no client panics")
}

/// Makes `state` a file system of its own, of 256 KiB. What is in it is gone when the test's
/// private namespaces are.
fn small_disk(state: &Path) {
    fs::create_dir_all(state).expect("the scratch directory can be written");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k,mode=0700", "lab"])
        .arg(state)
        .status();
    assert!(
        mount.expect("mount can be started").success(),
        "a tmpfs can be mounted in namespaces of one's own"
    );
}

/// Leaves no byte of room.
fn fill(state: &Path) -> std::path::PathBuf {
    let path = state.join("ballast");
    let mut file = File::create(&path).expect("there is room for a name");
    while file.write_all(&[7; 4096]).is_ok() {}
    path
}

const CROWD: usize = 60;
const HAMMERED: Duration = Duration::from_secs(8);
const IDLE: Duration = Duration::from_millis(300);
const BREATH: Duration = Duration::from_millis(50);
