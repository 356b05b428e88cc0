//! The one word for each host: judged against the head that is shown beside it, and never out of
//! date without saying so.

use std::time::Duration;

use starlingd::node::ask::HostQuery;

use super::seeds;
use super::spreading::joined;
use crate::fleet::{Fleet, SOON};
use crate::news::misinformed;

impl Fleet {
    /// How `of` stands to the head, as `host` shows it.
    fn state(&mut self, host: usize, of: usize) -> String {
        let peer = self.hosts[of].node.peer().to_string();
        let nodes = self.view(host, HostQuery::Nodes);
        let node = nodes
            .as_array()
            .expect("a list")
            .iter()
            .find(|node| node["id"] == peer[..])
            .cloned();
        node.map_or("no row".to_owned(), |node| {
            node["state"].as_str().expect("a word").to_owned()
        })
    }

    fn all_in_step(&mut self) -> bool {
        let hosts = 0..self.hosts.len();
        hosts
            .clone()
            .all(|host| hosts.clone().all(|of| self.state(host, of) == "in step"))
    }
}

#[test]
fn whoever_has_applied_a_change_is_in_step_everywhere_before_half_a_second_is_over() {
    for seed in seeds(4) {
        let mut net = joined(seed, 4);
        for change in 0..3 {
            let head = net.set(change, "/config/routes", &format!("[{change}]"));
            net.until("all have applied it", SOON, |net| {
                net.all_at(head) && net.all_applied()
            });
            net.until(
                "all are in step everywhere",
                Duration::from_millis(500),
                Fleet::all_in_step,
            );
            net.run(Duration::from_secs(7));
        }
    }
}

#[test]
fn twenty_hosts_all_know_of_an_apply_before_half_a_second_is_over() {
    for seed in seeds(2) {
        let mut net = joined(seed, 20);
        net.run(Duration::from_secs(60));
        for change in 0..2 {
            let head = net.set(7 * change, "/config/routes", &format!("[{change}]"));
            net.until("all have applied it", SOON, |net| {
                net.all_at(head) && net.all_applied()
            });
            net.until("all know that", Duration::from_millis(500), |net| {
                misinformed(net).is_none()
            });
            net.run(Duration::from_secs(7));
        }
    }
}

/// It was shown as in step, for it was compared with what it itself took for the head.
#[test]
fn a_host_that_lacks_the_head_shown_is_not_in_step() {
    for seed in seeds(4) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.until("all are in step everywhere", SOON, Fleet::all_in_step);
        net.split(&[2]);
        net.set(0, "/config/routes", "[1]");
        for _ in 0..200 {
            net.run(Duration::from_millis(100));
            assert_ne!(net.state(0, 2), "in step", "seed {seed}");
        }
        assert_eq!(
            (net.state(0, 2), net.state(0, 1), net.state(2, 0)),
            ("away".into(), "in step".into(), "away".into())
        );
        net.heal();
        net.until("all are in step everywhere", 3 * SOON, Fleet::all_in_step);
    }
}

#[test]
fn a_dead_server_and_a_host_that_has_gone_have_words_of_their_own() {
    for seed in seeds(4) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.hosts[1].server.up = false;
        net.until("its server is missed", SOON, |net| {
            net.state(0, 1) == "server down" && net.state(1, 1) == "server down"
        });
        net.hosts[1].server.up = true;
        net.until("it is back", SOON, Fleet::all_in_step);
        net.crash(2, false);
        net.until("the killed host is away", Duration::from_secs(1), |net| {
            net.state(0, 2) == "away" && net.state(1, 2) == "away"
        });
        net.restart(2);
        net.until("it is back", SOON, Fleet::all_in_step);
    }
}
