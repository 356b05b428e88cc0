//! Dry runs: the server says what it would do, and afterwards everything is as it was.

use std::time::Duration;

use starlingd::model::overlay::Overlay;
use starlingd::model::record::RecordId;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Command, DryRun};
use starlingd::node::input::{ClientId, Input};
use starlingd::sim::{REFUSAL, Refuses};

use super::seeds;
use super::spreading::joined;
use crate::asks::{merge, problem, put, value};
use crate::fleet::{Fleet, SOON};

const TRIED: &str = "[\"tried\"]";

impl Fleet {
    fn begin_dry_run(&mut self, host: usize, path: &str, text: &str) -> ClientId {
        let change = put(path, value(text));
        self.ask(host, Command::DryRun(DryRun::Write(change)))
    }

    fn dry_run(&mut self, host: usize, path: &str, text: &str) -> Answer {
        let client = self.begin_dry_run(host, path, text);
        self.answer(host, client)
    }

    /// Waits until the server of a host runs what is tried.
    fn until_tried(&mut self, host: usize) {
        self.until("it is tried", SOON, |net| net.runs(host).contains("tried"));
    }

    /// All hosts are at this head, and the server of this one runs it; of what was tried nothing is
    /// left.
    fn is_as_before(&mut self, host: usize, head: RecordId) {
        let config = self.config(host);
        assert_eq!(self.runs(host), config, "seed {}", self.seed);
        assert_eq!(self.verdict(host), "applied");
        self.run(SOON);
        assert!(
            self.all_at(head) && self.all_applied(),
            "seed {}",
            self.seed
        );
        assert!(
            self.hosts[host].disk.pending.is_empty(),
            "a pending file is left"
        );
    }
}

fn accepted(answer: &Answer) -> bool {
    match answer {
        Answer::DryRun { changes, .. } => *changes,
        other => panic!("{other:?}"),
    }
}

/// Two hosts at one head.
fn settled(seed: u64) -> (Fleet, RecordId) {
    let mut net = joined(seed, 2);
    net.set(0, "/config/applications", r#"{"a":{"type":"php","n":1}}"#);
    let head = net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    (net, head)
}

#[test]
fn what_the_server_takes_is_answered_when_it_runs_again_what_it_ran() {
    for seed in seeds(10) {
        let (mut net, head) = settled(seed);
        let changes = net.hosts[1].server.changes;
        assert!(accepted(&net.dry_run(1, "/config/routes", TRIED)));
        assert_eq!(
            net.hosts[1].server.changes,
            changes + 2,
            "it was tried, and taken back"
        );
        net.is_as_before(1, head);
        let client = net.ask(
            1,
            Command::DryRun(DryRun::Patch(merge(
                "/config",
                r#"{"routes":["tried"],"settings":{}}"#,
            ))),
        );
        assert!(accepted(&net.answer(1, client)));
        net.is_as_before(1, head);
        assert!(
            !accepted(&net.dry_run(1, "/config/routes", "[0]")),
            "nothing would change"
        );
        assert_eq!(net.hosts[1].server.changes, changes + 4);
    }
}

#[test]
fn what_the_server_refuses_is_answered_in_its_own_words() {
    let (mut net, head) = settled(1);
    net.hosts[1].server.refuses = Refuses::Member("bad".into());
    match net.dry_run(1, "/config/bad", "{}") {
        Answer::Refused(refusal) => assert_eq!((refusal.status, &refusal.body[..]), (400, REFUSAL)),
        other => panic!("{other:?}"),
    }
    net.is_as_before(1, head);
}

#[test]
fn changes_that_come_meanwhile_wait_and_are_made_on_the_head() {
    for seed in seeds(10) {
        let (mut net, _) = settled(seed);
        net.hosts[1].server.slow = Duration::from_millis(200);
        let dry = net.begin_dry_run(1, "/config/routes", TRIED);
        let change = net.put(1, "/config/settings", "{}");
        let again = net.begin_dry_run(1, "/config/routes", TRIED);
        net.until_tried(1);
        assert!(
            !net.hosts[1].answers.contains_key(&change),
            "seed {seed}: the server is in use"
        );
        assert!(accepted(&net.answer(1, dry)));
        let answer = net.answer(1, change);
        let head = net.done(answer);
        assert!(accepted(&net.answer(1, again)));
        net.settle(SOON);
        assert!(net.config(0).contains(r#""routes":[0]"#) && net.config(0).contains("settings"));
        net.is_as_before(1, head);
    }
}

#[test]
fn what_would_restart_or_end_a_running_application_never_reaches_the_server() {
    let (mut net, head) = settled(1);
    let changes = net.hosts[1].server.changes;
    for (path, text) in [
        ("/config/applications/a/n", "1.0"),
        ("/config/applications/a", r#"{"n":1,"type":"php"}"#),
        ("/config/applications", "{}"),
        ("/config", "{}"),
    ] {
        let problem = problem(net.dry_run(1, path, text));
        assert_eq!(
            (problem.status, problem.error),
            (409, "Running applications would be disturbed."),
            "{path}"
        );
        assert!(
            problem.detail.starts_with("\"a\" would be "),
            "{}",
            problem.detail
        );
    }
    assert_eq!(net.hosts[1].server.changes, changes);
    assert!(
        accepted(&net.dry_run(1, "/config/applications/b", "{}")),
        "one that is added is nobody's loss"
    );
    net.is_as_before(1, head);
}

#[test]
fn what_somebody_has_changed_on_the_server_itself_is_not_undone_by_a_dry_run() {
    let (mut net, _) = settled(1);
    let theirs =
        value(r#"{"listeners":{},"routes":["theirs"],"applications":{"a":{"type":"php","n":1}}}"#);
    net.hosts[1].server.config = theirs.clone().into();
    let problem = problem(net.dry_run(1, "/config/settings", "{}"));
    assert_eq!(
        (problem.status, problem.error),
        (409, "The server runs something else than the head.")
    );
    assert!(problem.detail.contains("/routes"), "{}", problem.detail);
    net.run(SOON);
    assert_eq!(*net.hosts[1].server.config, theirs);
}

#[test]
fn there_must_be_a_server_and_a_head_to_put_back() {
    let mut net = joined(1, 1);
    assert_eq!(
        problem(net.dry_run(0, "/config/routes", "[1]")).status,
        409,
        "nothing is published yet"
    );
    assert_eq!(net.head(0), None);
    let mut net = Fleet::new(1);
    net.add(starlingd::sim::Spec {
        server: false,
        ..Fleet::spec(0)
    });
    net.until("it has joined", SOON, |net| net.all_joined());
    net.set(0, "/config/routes", "[0]");
    let problem = problem(net.dry_run(0, "/config/routes", "[1]"));
    assert_eq!(
        (problem.status, problem.error),
        (409, "This host has no server to try the change on.")
    );
}

#[test]
fn a_host_that_dies_during_a_dry_run_gives_its_server_the_head_when_it_is_back() {
    for seed in seeds(10) {
        let (mut net, head) = settled(seed);
        net.hosts[1].server.slow = Duration::from_millis(300);
        net.begin_dry_run(1, "/config/routes", TRIED);
        net.until_tried(1);
        net.crash(1, seed % 2 == 0);
        net.run(Duration::from_secs(1));
        assert!(
            net.runs(1).contains("tried"),
            "seed {seed}: it died too late"
        );
        net.restart(1);
        net.until("it is given the head", SOON, |net| net.all_applied());
        net.is_as_before(1, head);
    }
}

#[test]
fn a_server_that_cannot_be_given_back_what_it_ran_is_told_of_and_given_it_later() {
    for seed in seeds(10) {
        let (mut net, head) = settled(seed);
        net.hosts[1].server.slow = Duration::from_millis(300);
        let client = net.begin_dry_run(1, "/config/routes", TRIED);
        net.until_tried(1);
        net.hosts[1].server.up = false;
        let problem = problem(net.answer(1, client));
        assert_eq!(
            (problem.status, problem.error),
            (
                500,
                "The server took the change, and was not given back what it ran."
            ),
            "seed {seed}"
        );
        net.until("it is shown", SOON, |net| net.verdict(1) == "unreachable");
        assert!(net.runs(1).contains("tried"));
        net.hosts[1].server.up = true;
        net.until("it is given the head", SOON, |net| net.all_applied());
        net.is_as_before(1, head);
    }
}

#[test]
fn if_the_head_moves_during_a_dry_run_it_is_made_anew_on_that_or_collides_with_it() {
    for seed in seeds(10) {
        for (path, collides) in [("/config/settings", false), ("/config/routes", true)] {
            let (mut net, _) = settled(seed);
            net.hosts[1].server.slow = Duration::from_millis(600);
            let client = net.begin_dry_run(1, "/config/routes", TRIED);
            net.run(Duration::from_millis(1000));
            let head = net.set(0, path, "[\"theirs\"]");
            let answer = net.answer(1, client);
            if collides {
                assert_eq!(problem(answer).status, 409, "seed {seed}");
            } else {
                assert!(accepted(&answer));
            }
            net.until("the server runs the head", SOON, |net| net.all_applied());
            assert!(net.runs(1).contains("theirs") && !net.runs(1).contains("tried"));
            net.is_as_before(1, head);
        }
    }
}

#[test]
fn whatever_happens_during_a_dry_run_the_server_ends_with_what_is_this_hosts_own() {
    for seed in seeds(5) {
        for path in ["/config/listeners", "/config/routes"] {
            let (mut net, _) = settled(seed);
            let patch = Some(value(r#"{"settings":{"own":1}}"#));
            net.deliver(
                1,
                Input::Overlay(Ok(Overlay {
                    patch,
                    ..Overlay::default()
                })),
            );
            net.until("it runs with the overlay", SOON, |net| {
                net.runs(1).contains("own")
            });
            net.hosts[1].server.slow = Duration::from_millis(600);
            let client = net.begin_dry_run(1, "/config/routes", TRIED);
            net.run(Duration::from_millis(1000));
            net.set(0, path, "[\"theirs\"]");
            net.answer(1, client);
            net.run(SOON);
            let runs = net.runs(1);
            assert!(
                runs.contains("theirs") && runs.contains("own") && !runs.contains("tried"),
                "seed {seed}: {runs}"
            );
        }
    }
}

#[test]
fn what_is_tried_is_not_left_on_a_server_that_refuses_the_head_which_came_meanwhile() {
    for seed in seeds(5) {
        for is_dry in [true, false] {
            let (mut net, _) = settled(seed);
            let before = net.runs(1);
            net.hosts[1].server.slow = Duration::from_millis(600);
            net.hosts[1].server.refuses = Refuses::Member("bad".into());
            let client = if is_dry {
                net.begin_dry_run(1, "/config/routes", TRIED)
            } else {
                net.put(1, "/config/routes", TRIED)
            };
            net.run(Duration::from_millis(if is_dry { 1000 } else { 300 }));
            net.set(0, "/config", r#"{"routes":["theirs"],"bad":1}"#);
            let answer = net.answer(1, client);
            net.run(SOON);
            let runs = net.runs(1);
            assert!(
                net.verdict(1) == "refused" && runs == before,
                "seed {seed}, dry {is_dry}: {answer:?}\n{runs}\n{}",
                net.report()
            );
        }
    }
}
