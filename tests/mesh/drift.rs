//! Servers that somebody changes past Starling: what he put there is kept before anything is put
//! over it, and can be had again.

use std::sync::Arc;
use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::limits::DRIFTS_KEPT;
use starlingd::model::json::{self, Value};
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Command, HostQuery};
use starlingd::node::kept_file::KeptFile;
use starlingd::sim::DiskFailure;

use super::seeds;
use super::spreading::joined;
use crate::asks::{adopt, restore, value};
use crate::fleet::{Fleet, SOON};

impl Fleet {
    /// Somebody changes a host's server past Starling; what it runs then.
    fn past_starling(&mut self, host: usize, member: &str, text: &str) -> String {
        let mut config = (*self.hosts[host].server.config).clone();
        config[member] = value(text);
        self.hosts[host].server.config = Arc::new(config.clone());
        json::compact(&config)
    }

    /// The configurations that are kept on a host's disk, the oldest first.
    fn kept(&self, host: usize) -> Vec<String> {
        let drifts = &self.hosts[host].disk.drifts;
        let config =
            |text: &Vec<u8>| json::compact(&json::parse_own(text).expect("it is JSON")["config"]);
        drifts.values().map(config).collect()
    }

    fn listed(&mut self, host: usize) -> Vec<Value> {
        self.view(host, HostQuery::Drifts)
            .as_array()
            .expect("a list")
            .clone()
    }

    fn drift(&mut self, host: usize) -> String {
        self.view(host, HostQuery::Fleet)["group"]["drift"].to_string()
    }

    fn said(&self, host: usize, words: &str) -> usize {
        self.hosts[host]
            .said
            .iter()
            .filter(|line| line.contains(words))
            .count()
    }

    /// Whether the host's answer to a change tells of a file that holds what was replaced.
    fn done_over(&mut self, host: usize, client: u64) -> Option<String> {
        match self.answer(host, client) {
            Answer::Done { kept, .. } => kept,
            other => panic!(
                "seed {}: it was not made: {other:?}\n{}",
                self.seed,
                self.report()
            ),
        }
    }
}

fn founded(seed: u64, count: usize) -> Fleet {
    let mut net = joined(seed, count);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net
}

#[test]
fn what_somebody_put_on_a_server_is_kept_before_a_change_from_elsewhere_replaces_it() {
    for seed in seeds(8) {
        let mut net = founded(seed, 2);
        let theirs = net.past_starling(1, "theirs", "1");
        if seed % 2 == 0 {
            net.until("it is shown", SOON, |net| {
                net.drift(1).contains("/config/theirs")
            });
        }
        assert!(
            net.kept(1).is_empty(),
            "it is left alone until something else is to be there"
        );
        net.set(0, "/config/routes", "[1]");
        net.settle(SOON);
        assert_eq!(net.kept(1), [theirs], "seed {seed}");
        assert_eq!((net.kept(0).len(), net.drift(1)), (0, "[]".to_owned()));
        let view = net.view(1, HostQuery::Fleet);
        assert_eq!(
            view["group"]["kept"][0]["paths"],
            value(r#"["/config/theirs"]"#),
            "seed {seed}: {view}"
        );
        assert!(net.problems(1).to_string().contains("starling drift"));
        assert_eq!(net.said(1, "what it ran is kept in drift-"), 1);
        net.until("others are told", SOON, |net| {
            net.view(0, HostQuery::Nodes)
                .to_string()
                .contains("starling drift")
        });
    }
}

#[test]
fn what_somebody_put_there_is_kept_before_a_change_and_the_answer_names_the_file() {
    for seed in seeds(6) {
        let mut net = founded(seed, 1);
        let theirs = net.past_starling(0, "theirs", "1");
        let client = net.put(0, "/config/routes", "[1]");
        let file = net.done_over(0, client).expect("something was replaced");
        assert_eq!(
            (net.kept(0), net.listed(0)[0]["file"].clone()),
            (vec![theirs], file.into()),
            "seed {seed}"
        );
        let client = net.put(0, "/config/routes", "[2]");
        assert_eq!(net.done_over(0, client), None);
    }
}

#[test]
fn after_a_200_the_server_runs_the_head_though_the_document_did_not_change() {
    for seed in seeds(6) {
        let mut net = founded(seed, 2);
        let head = net.head(0).expect("there is one");
        let theirs = net.past_starling(0, "routes", "[7]");
        let asks = [Command::Repair, restore(head, "/")];
        for (number, ask) in asks.into_iter().enumerate() {
            net.past_starling(0, "routes", "[7]");
            let client = net.ask(0, ask);
            let Answer::Done {
                changed,
                revision,
                kept,
                ..
            } = net.answer(0, client)
            else {
                panic!("seed {seed}")
            };
            assert_eq!(
                (changed, revision, kept.is_some()),
                (false, head, true),
                "seed {seed}, {number}"
            );
            assert_eq!(net.hosts[0].server.config["routes"], value("[0]"));
        }
        net.past_starling(0, "routes", "[7]");
        let client = net.put(0, "/config/routes", "[0]");
        assert!(net.done_over(0, client).is_some());
        assert_eq!(
            net.hosts[0].server.config["routes"],
            value("[0]"),
            "seed {seed}"
        );
        assert_eq!(net.kept(0), [theirs], "the same is kept once");
        let changes = net.hosts[0].server.changes;
        let client = net.put(0, "/config/routes", "[0]");
        assert_eq!(net.done_over(0, client), None);
        assert_eq!(
            net.hosts[0].server.changes, changes,
            "what runs already is not given again"
        );
    }
}

#[test]
fn a_server_that_does_not_take_the_head_is_not_said_to_run_it() {
    let mut net = founded(1, 1);
    net.past_starling(0, "theirs", "1");
    net.hosts[0].server.up = false;
    let client = net.ask(0, Command::Repair);
    assert!(matches!(net.answer(0, client), Answer::Denied(denial) if said(&denial).status == 503));
    net.hosts[0].server.up = true;
    net.hosts[0].server.refuses = starlingd::sim::Refuses::Member("routes".to_owned());
    let client = net.put(0, "/config/routes", "[0]");
    assert!(matches!(net.answer(0, client), Answer::Denied(denial) if said(&denial).status == 409));
}

#[test]
fn while_it_cannot_be_kept_the_server_is_left_as_it_is() {
    for seed in seeds(6) {
        let mut net = founded(seed, 2);
        let theirs = net.past_starling(1, "theirs", "1");
        net.hosts[1].disk.failure = Some(if seed % 2 == 0 {
            DiskFailure::Full
        } else {
            DiskFailure::Sync
        });
        net.set(0, "/config/routes", "[1]");
        net.until("it is said", SOON, |net| {
            net.problems(1).to_string().contains("cannot be kept")
        });
        let client = net.ask(1, Command::Repair);
        assert!(
            matches!(net.answer(1, client), Answer::Denied(denial) if said(&denial).status == 507),
            "seed {seed}"
        );
        net.run(Duration::from_secs(30));
        assert_eq!(
            json::compact(&net.hosts[1].server.config),
            theirs,
            "seed {seed}"
        );
        net.hosts[1].disk.failure = None;
        net.until(
            "there is room, and all goes on",
            Duration::from_secs(120),
            |net| net.all_applied(),
        );
        assert_eq!(net.kept(1), [theirs], "seed {seed}");
        assert!(!net.problems(1).to_string().contains("cannot be kept"));
    }
}

#[test]
fn a_host_that_dies_between_keeping_and_replacing_has_kept_it_once() {
    for seed in seeds(24) {
        let mut net = founded(seed, 2);
        let theirs = net.past_starling(1, "theirs", "1");
        net.hosts[1].crash_after = Some((seed % 12, seed % 3 == 0));
        net.set(0, "/config/routes", "[1]");
        net.run(Duration::from_secs(1));
        let replaced = json::compact(&net.hosts[1].server.config) != theirs;
        assert!(!replaced || net.kept(1) == [theirs.clone()], "seed {seed}");
        net.hosts[1].crash_after = None;
        if !net.hosts[1].up {
            net.restart(1);
        }
        net.settle(Duration::from_secs(60));
        assert_eq!(net.kept(1), [theirs], "seed {seed}\n{}", net.report());
    }
}

#[test]
fn what_somebody_put_there_while_starling_was_down_is_kept() {
    for seed in seeds(6) {
        let mut net = founded(seed, 2);
        net.run(Duration::from_secs(3));
        net.crash(1, false);
        net.set(0, "/config/routes", "[1]");
        net.set(0, "/config/routes", "[2]");
        net.restart(1);
        net.settle(SOON);
        assert!(
            net.kept(1).is_empty(),
            "seed {seed}: it was only behind\n{}",
            net.report()
        );
        net.run(Duration::from_secs(3));
        net.crash(1, false);
        let theirs = net.past_starling(1, "theirs", "1");
        if seed % 2 == 0 {
            net.set(0, "/config/routes", "[3]");
        }
        net.restart(1);
        net.settle(SOON);
        assert_eq!(net.kept(1), [theirs], "seed {seed}");
        net.until("it is listed", SOON, |net| net.listed(1).len() == 1);
        assert_eq!(
            net.listed(1)[0]["paths"],
            value(r#"["/config/theirs"]"#),
            "seed {seed}\n{}",
            net.report()
        );
        let now = net.now;
        net.hosts[1].server.lose_everything(now);
        net.run(Duration::from_secs(10));
        net.settle(SOON);
        assert_eq!(
            net.kept(1).len(),
            1,
            "a server that has lost all has nothing to be kept"
        );
    }
}

#[test]
fn of_many_the_last_are_kept_and_what_somebody_has_seen_goes_first() {
    let mut net = founded(1, 1);
    let change = |net: &mut Fleet, member: &str, number: usize| {
        net.past_starling(0, member, &number.to_string());
        let client = net.ask(0, Command::Repair);
        net.done_over(0, client).expect("it is kept")
    };
    let theirs: Vec<String> = (0..3)
        .map(|number| change(&mut net, &format!("p{number}"), number))
        .collect();
    for number in 3..DRIFTS_KEPT {
        change(&mut net, "flaps", number);
    }
    let client = net.ask(0, Command::AcknowledgeDrift(theirs[1].clone()));
    assert!(matches!(net.answer(0, client), Answer::Acknowledged(file) if file.acknowledged));
    change(&mut net, "flaps", 100);
    let files = |net: &mut Fleet| {
        net.listed(0)
            .iter()
            .map(|file| file["file"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert!(
        !files(&mut net).contains(&theirs[1]),
        "somebody had seen it"
    );
    assert_eq!(net.said(0, "had to make room"), 0);
    for number in 101..130 {
        change(&mut net, "flaps", number);
    }
    let left = files(&mut net);
    assert_eq!(
        (left.len(), net.hosts[0].disk.drifts.len()),
        (DRIFTS_KEPT, DRIFTS_KEPT)
    );
    assert!(
        left.contains(&theirs[0]) && left.contains(&theirs[2]),
        "one that flaps pushes out itself only: {left:?}"
    );
    assert!(
        net.said(0, "had to make room") > 0,
        "nothing goes without a word"
    );
    let writes = net.hosts[0].disk.writes;
    net.run(Duration::from_secs(600));
    assert_eq!(
        net.hosts[0].disk.writes, writes,
        "an idle host writes nothing"
    );
    // All of it is known after a restart.
    net.crash(0, false);
    net.restart(0);
    assert_eq!(files(&mut net), left);
}

#[test]
fn what_was_kept_can_be_published_again() {
    for seed in seeds(4) {
        let mut net = founded(seed, 2);
        net.past_starling(1, "theirs", "{\"a\":1}");
        net.set(0, "/config/routes", "[1]");
        net.settle(SOON);
        let client = net.ask(1, adopt("nothing"));
        assert!(
            matches!(net.answer(1, client), Answer::Denied(denial) if said(&denial).status == 404)
        );
        let file = net.listed(1)[0]["file"]
            .as_str()
            .expect("a name")
            .to_owned();
        let client = net.ask(1, adopt(&file));
        assert!(
            matches!(net.answer(1, client), Answer::Done { changed: true, .. }),
            "seed {seed}"
        );
        net.settle(SOON);
        assert_eq!(
            net.config(0),
            r#"{"listeners":{},"routes":[1],"applications":{},"theirs":{"a":1}}"#
        );
        let client = net.ask(1, adopt(&file));
        assert!(
            matches!(net.answer(1, client), Answer::Done { changed: false, .. }),
            "it is there already"
        );
        net.set(0, "/config/theirs", "2");
        net.settle(SOON);
        let client = net.ask(1, adopt(&file));
        assert!(
            matches!(net.answer(1, client), Answer::Denied(denial) if said(&denial).status == 409 && said(&denial).detail == "/config/theirs")
        );
    }
}

#[test]
fn a_file_says_what_it_was_kept_beside() {
    let mut net = founded(1, 1);
    let head = net.head(0);
    net.past_starling(0, "routes", "[7]");
    net.set(0, "/config/routes", "[1]");
    let (name, text) = net.hosts[0].disk.drifts.iter().next().expect("one is kept");
    let file = KeptFile::parse(name, text).expect("it is one");
    assert_eq!(
        (file.revision, file.number, file.paths),
        (head, 1, vec!["/config/routes/0".to_owned()])
    );
    let text = json::parse_own(text).expect("it is JSON");
    assert_eq!(
        text["changes"],
        value(r#"[{"path":"/config/routes","was":[0],"now":[7]}]"#)
    );
}
