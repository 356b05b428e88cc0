//! What is kept on disk only: read back when it is wanted, and asked of the peers when its file is
//! damaged.

use std::time::Duration;

use starlingd::model::record::RecordId;
use starlingd::node::ask::HostQuery;
use starlingd::sim::DiskFailure;

use super::seeds;
use super::spreading::joined;
use crate::fleet::{Fleet, SOON};

/// Changes the file of a revision on a host's disk; its name.
fn damage(
    net: &mut Fleet,
    host: usize,
    id: RecordId,
    change: impl FnOnce(&mut Vec<u8>),
) -> (String, String) {
    let files = &mut net.hosts[host].disk.revisions;
    let key = files
        .keys()
        .find(|(_, name)| name.ends_with(&id.to_string()))
        .expect("it is on disk")
        .clone();
    change(files.get_mut(&key).expect("it was just found"));
    key
}

/// Long enough to be announced and pulled in pieces.
fn long(mark: &str) -> String {
    format!("\"{}{mark}\"", "x".repeat(40_000))
}

#[test]
fn a_revision_of_the_history_whose_file_is_damaged_comes_back_from_a_peer() {
    for seed in seeds(4) {
        let mut net = joined(seed, 3);
        let old = net.set(0, "/config/applications/old", &long("old"));
        for number in 0..3 {
            net.set(1, "/config/routes", &format!("[{number}]"));
        }
        net.settle(SOON);
        let key = damage(&mut net, 2, old, |bytes| bytes[200] ^= 1);
        let sound = net.hosts[1].disk.revisions[&key].clone();
        // The third host asks for it: only then the damage is found.
        net.crash(0, false);
        net.crash(1, false);
        net.hosts[1].disk.revisions.remove(&key);
        net.restart(1);
        net.hosts[1].node.want(old);
        net.until("the damage is found", SOON, |net| {
            !net.hosts[2].disk.revisions.contains_key(&key)
        });
        net.restart(0);
        net.until("both have it again", Duration::from_secs(60), |net| {
            [1, 2]
                .iter()
                .all(|host| net.hosts[*host].disk.revisions.get(&key) == Some(&sound))
        });
        let problems = net.view(2, HostQuery::Fleet)["problems"].to_string();
        assert!(problems.contains("is damaged"), "seed {seed}: {problems}");
        net.settle(SOON);
    }
}

#[test]
fn a_host_with_a_full_disk_receives_in_memory_and_stores_all_when_there_is_room() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.hosts[2].disk.failure = Some(DiskFailure::Full);
        for number in 0..5 {
            net.set(number % 2, "/config/applications/a", &number.to_string());
            net.run(Duration::from_millis(300));
        }
        let head = net.settle(SOON);
        let revisions = net.hosts[2].disk.revisions.len();
        let view = net.view(2, HostQuery::Fleet);
        assert_eq!(
            (
                view["peer"]["in_memory"].clone(),
                view["group"]["head"]["stored"].clone()
            ),
            (1.into(), false.into()),
            "{seed}"
        );
        net.until("the others are told", SOON, |net| {
            net.view(0, HostQuery::Nodes)
                .to_string()
                .contains("takes no writes")
        });
        net.hosts[2].disk.failure = None;
        net.until("it is all stored", Duration::from_secs(20), |net| {
            net.problems(2).as_array().unwrap().is_empty()
        });
        assert!(net.hosts[2].disk.revisions.len() > revisions);
        assert!(
            net.hosts[2]
                .disk
                .revisions
                .keys()
                .any(|(_, name)| name.ends_with(&head.to_string())),
            "seed {seed}"
        );
        net.until("the others are told that too", SOON, |net| {
            !net.view(0, HostQuery::Nodes)
                .to_string()
                .contains("takes no writes")
        });
    }
}
