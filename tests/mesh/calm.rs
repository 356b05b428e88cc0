//! Servers on which nobody has changed anything for a while, so that they are looked at rarely:
//! what happens to them then is found within the bounds that the pages tell.

use std::sync::Arc;
use std::time::Duration;

use starlingd::limits::{OBSERVE_CALM_EVERY, OBSERVE_EVERY, OBSERVES_CLOSE};
use starlingd::model::json;
use starlingd::node::ask::HostQuery;

use super::seeds;
use super::spreading::joined;
use crate::asks::value;
use crate::fleet::{Fleet, SOON};

/// A fleet whose servers have been as they should be for long enough, and somewhere between two
/// looks.
fn calm(seed: u64, count: usize) -> Fleet {
    let mut net = joined(seed, count);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    let into = OBSERVE_CALM_EVERY.mul_f64(seed as f64 / 12.0);
    net.run(OBSERVE_EVERY * (OBSERVES_CLOSE + 2) + into);
    net
}

/// A look and what it leads to take this much longer than the waiting for it.
const WORK: Duration = Duration::from_millis(500);

#[test]
fn a_calm_server_is_looked_at_rarely_and_drift_is_found_within_ten_seconds() {
    for seed in seeds(12) {
        let mut net = calm(seed, 2);
        let before = net.hosts[1].server.looks;
        net.run(OBSERVE_CALM_EVERY * 6);
        let looks = net.hosts[1].server.looks - before;
        assert!(looks <= 7, "seed {seed}: {looks} looks in a minute");
        let mut config = (*net.hosts[1].server.config).clone();
        config["theirs"] = value("1");
        net.hosts[1].server.config = Arc::new(config);
        net.until("it is shown", OBSERVE_CALM_EVERY + WORK, |net| {
            net.view(1, HostQuery::Fleet)["group"]["drift"]
                .to_string()
                .contains("/config/theirs")
        });
        // Who has changed one thing changes the next.
        let mut config = (*net.hosts[1].server.config).clone();
        config["more"] = value("1");
        net.hosts[1].server.config = Arc::new(config);
        net.until("that too", OBSERVE_EVERY + WORK, |net| {
            net.view(1, HostQuery::Fleet)["group"]["drift"]
                .to_string()
                .contains("/config/more")
        });
    }
}

#[test]
fn a_calm_server_that_is_started_anew_or_ends_is_noticed_within_two_seconds() {
    for seed in seeds(12) {
        let mut net = calm(seed, 1);
        let now = net.now;
        net.hosts[0].server.lose_everything(now);
        net.until("it has it again", OBSERVE_EVERY + WORK, |net| {
            net.hosts[0].server.config["routes"] == value("[0]")
        });
        net.run(OBSERVE_EVERY * (OBSERVES_CLOSE + 2));
        // One that was killed leaves its socket where it is.
        let is_killed = seed % 2 == 0;
        let within = [OBSERVE_EVERY, OBSERVE_CALM_EVERY][usize::from(is_killed)];
        net.hosts[0].server.stop(is_killed);
        net.until("it is missed", within + WORK, |net| {
            net.hosts[0].node.verdict() == "unreachable"
        });
        net.hosts[0].server.start();
        net.until("it is back", OBSERVE_EVERY + WORK, |net| {
            net.hosts[0].node.verdict() == "applied"
        });
    }
}

#[test]
fn a_write_to_a_calm_server_keeps_what_nobody_has_seen_yet() {
    for seed in seeds(12) {
        let mut net = calm(seed, 2);
        let mut config = (*net.hosts[1].server.config).clone();
        config["theirs"] = value("1");
        let theirs = json::compact(&config);
        net.hosts[1].server.config = Arc::new(config);
        net.set((seed % 2) as usize, "/config/routes", "[1]");
        net.settle(SOON);
        let kept: Vec<String> = net.hosts[1]
            .disk
            .drifts
            .values()
            .map(|text| json::compact(&json::parse_own(text).expect("it is JSON")["config"]))
            .collect();
        assert_eq!(kept, [theirs], "seed {seed}");
    }
}
