//! Patches and members that are added: made on the head when their turn has come, and side by side
//! with what others do.

use std::time::Duration;

use starlingd::node::answer::Answer;
use starlingd::node::ask::{Command, Patching};
use starlingd::node::input::ClientId;

use super::seeds;
use super::spreading::joined;
use crate::asks::{append, merge, problem, steps, value};
use crate::fleet::{Fleet, SOON};

impl Fleet {
    fn patch(&mut self, host: usize, patching: Patching) -> Answer {
        let client = self.ask(host, Command::Patch(patching));
        self.answer(host, client)
    }

    fn all_done<const N: usize>(&mut self, asked: [(usize, ClientId); N]) {
        for (host, client) in asked {
            let answer = self.answer(host, client);
            self.done(answer);
        }
        self.settle(SOON);
        self.until("nothing is left to be made again", SOON, |net| {
            net.conflicts(0).is_empty() && net.all_applied()
        });
    }
}

#[test]
fn patches_of_one_moment_on_one_host_do_not_lose_each_other() {
    for seed in seeds(5) {
        let mut net = joined(seed, 2);
        net.set(0, "/config/applications", r#"{"a":{"n":1,"m":1}}"#);
        net.settle(SOON);
        let one = net.ask(
            0,
            Command::Patch(merge("/config/applications", r#"{"a":{"n":2}}"#)),
        );
        let two = net.ask(
            0,
            Command::Patch(merge("/config/applications", r#"{"a":{"m":2},"b":{}}"#)),
        );
        let three = net.ask(
            0,
            Command::Patch(steps(
                "/config",
                r#"[{"op":"copy","from":"/applications/a","path":"/applications/c"}]"#,
            )),
        );
        net.all_done([(0, one), (0, two), (0, three)]);
        assert!(
            net.config(1)
                .contains(r#""applications":{"a":{"n":2,"m":2},"b":{},"c":{"n":2,"m":2}}"#),
            "{}",
            net.config(1)
        );
    }
}

#[test]
fn what_two_hosts_patch_at_once_in_different_places_survives_and_so_do_two_appends() {
    for seed in seeds(20) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.set(0, "/config/applications", r#"{"a":{"n":1,"m":1}}"#);
        net.settle(SOON);
        net.split(&[2]);
        let here = r#"[{"op":"add","path":"/routes/-","value":"here"},{"op":"replace","path":"/applications/a/n","value":"here"}]"#;
        let there = r#"[{"op":"add","path":"/routes/-","value":"there"},{"op":"add","path":"/applications/b","value":"there"}]"#;
        let one = net.ask(0, Command::Patch(steps("/config", here)));
        let two = net.ask(2, Command::Patch(steps("/config", there)));
        let three = net.ask(
            2,
            Command::Patch(merge("/config/applications/a", r#"{"m":"there"}"#)),
        );
        let four = net.ask(
            2,
            Command::Write(append(
                "/config/applications",
                value(r#"{"c":"there","d":"there"}"#),
            )),
        );
        for (host, client) in [(0, one), (2, two), (2, three), (2, four)] {
            let answer = net.answer(host, client);
            net.done(answer);
        }
        net.heal();
        net.all_done([]);
        let config = value(&net.config(1));
        let routes = config["routes"].as_array().expect("an array");
        assert!(
            routes.len() == 3
                && routes.contains(&"here".into())
                && routes.contains(&"there".into()),
            "{config}"
        );
        assert_eq!(
            config["applications"],
            value(r#"{"a":{"n":"here","m":"there"},"b":"there","c":"there","d":"there"}"#),
            "seed {seed}"
        );
    }
}

/// Host 1's server is slow; while it tries a patch, host 0 puts `text` at `path`.
fn meanwhile(seed: u64, patching: Patching, path: &str, text: &str) -> (Fleet, Answer) {
    let mut net = joined(seed, 3);
    net.set(0, "/config/routes", "[0]");
    net.set(0, "/config/applications", r#"{"a":{"n":1,"m":1}}"#);
    net.settle(SOON);
    net.hosts[1].server.slow = Duration::from_millis(900);
    let client = net.ask(1, Command::Patch(patching));
    net.run(Duration::from_millis(200));
    net.set(0, path, text);
    let answer = net.answer(1, client);
    (net, answer)
}

#[test]
fn a_patch_is_worked_out_anew_when_the_head_moves_while_the_server_tries_it() {
    for seed in seeds(5) {
        for patching in [
            merge("/config", r#"{"applications":{"a":{"n":"mine"}}}"#),
            steps(
                "/config/applications",
                r#"[{"op":"test","path":"/a/n","value":1},{"op":"replace","path":"/a/n","value":"mine"}]"#,
            ),
        ] {
            let (mut net, answer) =
                meanwhile(seed, patching, "/config/applications/a/m", "\"theirs\"");
            net.done(answer);
            net.settle(SOON);
            assert!(
                net.config(2).contains(r#"{"a":{"n":"mine","m":"theirs"}}"#),
                "{}",
                net.config(2)
            );
        }
        let append = steps(
            "/config/routes",
            r#"[{"op":"add","path":"/-","value":"mine"}]"#,
        );
        let (mut net, answer) = meanwhile(seed, append, "/config/routes", r#"[0,"theirs"]"#);
        net.done(answer);
        net.settle(SOON);
        assert!(
            net.config(2).contains(r#""routes":[0,"theirs","mine"]"#),
            "{}",
            net.config(2)
        );
    }
}

#[test]
fn a_patch_that_meets_another_change_where_it_changes_or_tests_is_answered_409() {
    for seed in seeds(5) {
        for (patching, path) in [
            (
                merge("/config", r#"{"applications":{"a":{"n":"mine"}}}"#),
                "/config/applications/a/n",
            ),
            (
                steps(
                    "/config",
                    r#"[{"op":"test","path":"/applications/a/n","value":1},{"op":"add","path":"/x","value":1}]"#,
                ),
                "/config/applications/a/n",
            ),
        ] {
            let (mut net, answer) = meanwhile(seed, patching, path, "2");
            assert_eq!(problem(answer).status, 409);
            net.settle(SOON);
            net.run(SOON);
            assert!(net.config(1).contains(r#"{"a":{"n":2,"m":1}}"#) && net.all_applied());
        }
    }
}

#[test]
fn a_patch_that_lost_is_not_made_again_where_what_it_tested_has_changed() {
    for seed in seeds(10) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/applications", r#"{"a":{"n":1}}"#);
        net.settle(SOON);
        net.split(&[2]);
        let if_one = r#"[{"op":"test","path":"/applications/a/n","value":1},{"op":"add","path":"/mine","value":{}}]"#;
        let answer = net.patch(2, steps("/config", if_one));
        let lost = net.done(answer);
        for number in 2..5 {
            net.set(0, "/config/applications/a/n", &number.to_string());
        }
        net.heal();
        net.until("it is listed", SOON, |net| {
            net.agree() && net.conflicts(1) == vec![(lost.to_string(), "open".to_owned())]
        });
        assert!(!net.config(0).contains("mine"), "seed {seed}");
    }
}

#[test]
fn what_does_not_fit_is_told_and_nothing_is_changed() {
    let mut net = joined(1, 2);
    let head = net.set(0, "/config/applications", r#"{"a":{"n":1}}"#);
    net.settle(SOON);
    let writes = net.hosts[0].server.changes;
    let cases = [
        (
            r#"[{"op":"add","path":"/b","value":1},{"op":"test","path":"/a/n","value":2}]"#,
            "A test of the patch does not hold.",
        ),
        (
            r#"[{"op":"add","path":"/b","value":1},{"op":"remove","path":"/z"}]"#,
            "The patch does not fit the document.",
        ),
    ];
    for (patch, error) in cases {
        let problem = problem(net.patch(0, steps("/config/applications", patch)));
        assert_eq!(
            (problem.status, problem.error, problem.revision),
            (409, error, Some(head))
        );
        assert!(
            problem.detail.starts_with("operation 1 ("),
            "{}",
            problem.detail
        );
    }
    let exists = problem(net.answer_to(
        0,
        Command::Write(append("/config/applications", value(r#"{"b":{},"a":{}}"#))),
    ));
    assert_eq!(
        (exists.status, exists.error, &exists.detail[..]),
        (409, "Value exists already.", "/config/applications/a")
    );
    let guarded = Patching {
        if_match: Some("\"other\"".into()),
        ..merge("/config", r#"{"x":{}}"#)
    };
    assert_eq!(problem(net.patch(0, guarded)).status, 412);
    net.run(SOON);
    assert!(net.all_at(head) && net.hosts[0].server.changes == writes);
    let guarded = Patching {
        if_match: Some(format!("\"{head}\"")),
        ..merge("/config", r#"{"x":{}}"#)
    };
    let answer = net.patch(0, guarded);
    net.done(answer);
    let unchanged = net.patch(0, merge("/config", r#"{"x":{},"y":null}"#));
    assert_eq!(
        Some(net.done(unchanged)),
        net.head(0),
        "what is so already makes no revision"
    );
}
