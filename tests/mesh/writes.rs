//! A client's change: tried, stored, published, answered; and what every failure on that way leaves
//! behind.

use std::time::Duration;

use starlingd::model::json;
use starlingd::model::overlay::Overlay;
use starlingd::model::record::RecordId;
use starlingd::node::answer::Answer;
use starlingd::node::input::Input;
use starlingd::node::refusal::Aftermath;
use starlingd::sim::{DiskFailure, REFUSAL, Refuses};

use super::seeds;
use super::spreading::joined;
use crate::asks::{problem, value};
use crate::fleet::{Fleet, SOON};

/// Whether a revision is on the disk of a host.
fn is_stored(net: &Fleet, host: usize, id: &RecordId) -> bool {
    let end = format!("-{id}");
    let mut names = net.hosts[host].disk.revisions.keys();
    names.any(|(_, name)| name.ends_with(&end))
}

/// Nothing has changed anywhere, and the server of the host runs the head.
fn nothing_happened(net: &mut Fleet, host: usize, head: RecordId) {
    net.run(SOON);
    assert!(net.all_at(head), "something was published");
    let config = net.config(host);
    assert_eq!(json::compact(&net.hosts[host].server.config), config);
    assert!(
        net.hosts[host].disk.pending.is_empty(),
        "a pending file is left"
    );
}

#[test]
fn what_the_server_refuses_is_answered_in_its_own_words_and_goes_nowhere() {
    for seed in seeds(10) {
        let mut net = joined(seed, 3);
        let head = net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.hosts[1].server.refuses = Refuses::Member("bad".into());
        match net.change(1, "/config/bad", "{}") {
            Answer::Refused(refusal) => {
                assert_eq!((refusal.status, &refusal.body[..]), (400, REFUSAL))
            }
            other => panic!("{other:?}"),
        }
        nothing_happened(&mut net, 1, head);
    }
}

#[test]
fn a_server_that_is_down_means_503_and_nothing_is_published() {
    for seed in seeds(10) {
        let mut net = joined(seed, 3);
        let head = net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.hosts[1].server.up = false;
        let pause = net.below(5_000) as u64;
        net.run(Duration::from_millis(pause));
        let answer = net.change(1, "/config/routes", "[1]");
        assert_eq!(problem(answer).status, 503);
        net.hosts[1].server.up = true;
        nothing_happened(&mut net, 1, head);
        net.set(1, "/config/routes", "[2]");
    }
}

#[test]
fn a_disk_that_takes_nothing_means_507_and_the_server_gets_back_what_it_ran() {
    for seed in seeds(12) {
        let failure = [DiskFailure::Full, DiskFailure::ReadOnly][seed as usize % 2];
        let mut net = joined(seed, 3);
        let head = net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.hosts[1].disk.failure = Some(failure);
        let answer = net.change(1, "/config/routes", "[1]");
        assert_eq!(problem(answer).status, 507);
        nothing_happened(&mut net, 1, head);
        assert!(
            !net.problems(1).as_array().unwrap().is_empty(),
            "a full disk is shown"
        );
    }
}

/// Only fsync shows that nothing becomes durable, and by then others have the change: it stands,
/// which its client is told, and is stored as soon as the disk does that.
#[test]
fn a_change_that_cannot_be_made_durable_is_published_and_its_client_told_so() {
    for seed in seeds(12) {
        let mut net = joined(seed, 3);
        let head = net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.hosts[1].disk.failure = Some(DiskFailure::Sync);
        let Answer::Denied(denial) = net.change(1, "/config/routes", "[1]") else {
            panic!("seed {seed}: it is not durable");
        };
        assert_eq!(denial.aftermath(), Aftermath::Changed);
        let made = denial.head.expect("it is named");
        assert_ne!(made, head);
        net.until("all run it", SOON, |net| net.all_at(made));
        // From then on it is known, and nothing more is published.
        let answer = net.change(1, "/config/routes", "[2]");
        assert_eq!(problem(answer).status, 507);
        nothing_happened(&mut net, 1, made);
        assert!(!is_stored(&net, 1, &made), "seed {seed}");
        net.hosts[1].disk.failure = None;
        net.until("it is stored", Duration::from_secs(90), |net| {
            is_stored(net, 1, &made)
        });
        net.crash(1, true);
        net.restart(1);
        assert_eq!(net.head(1), Some(made), "seed {seed}");
    }
}

#[test]
fn before_the_first_revision_too_a_disk_that_fails_leaves_the_server_as_it_was() {
    let failure = DiskFailure::Sync;
    let mut net = joined(1, 1);
    let before = value(r#"{"listeners":{},"routes":["mine"],"applications":{}}"#);
    net.hosts[0].server.config = before.clone().into();
    net.run(SOON);
    net.hosts[0].disk.failure = Some(failure);
    let answer = net.change(0, "/config/applications/a", "{}");
    assert_eq!(problem(answer).status, 507);
    net.run(SOON);
    assert_eq!(*net.hosts[0].server.config, before);
    assert_eq!(net.head(0), None);
}

#[test]
fn the_first_change_is_made_on_what_the_server_ran_and_that_is_kept() {
    let mut net = joined(1, 1);
    net.hosts[0].server.config =
        value(r#"{"listeners":{},"routes":["mine"],"applications":{}}"#).into();
    net.run(SOON);
    net.set(0, "/config/applications/a", "{}");
    assert_eq!(
        net.config(0),
        r#"{"listeners":{},"routes":["mine"],"applications":{"a":{}}}"#
    );
    net.run(SOON);
    let before = net.hosts[0].disk.before.clone().expect("it is kept");
    assert!(String::from_utf8(before).unwrap().contains("mine"));
}

#[test]
fn if_match_lets_a_change_pass_on_its_revision_only() {
    let mut net = joined(1, 2);
    let head = net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    for (tag, accepted) in [("\"0\"", false), ("W/\"x\", \"y\"", false)] {
        let client = net.put_if(1, "/config/routes", "[1]", tag.to_owned());
        let answer = net.answer(1, client);
        assert_eq!(problem(answer).status == 412, !accepted);
    }
    assert!(net.all_at(head));
    let client = net.put_if(1, "/config/routes", "[2]", format!("\"other\", \"{head}\""));
    let answer = net.answer(1, client);
    net.done(answer);
    let client = net.put_if(1, "/config/routes", "[3]", "*".to_owned());
    let answer = net.answer(1, client);
    net.done(answer);
    let client = net.put_if(0, "/config/routes", "[4]", format!("\"{head}\""));
    let answer = net.answer(0, client);
    assert_eq!(problem(answer).status, 412);
}

/// Host 1's server is slow; while it tries, host 0 publishes `texts` at `path`, one after the
/// other.
fn meanwhile(seed: u64, if_match: bool, path: &str, changes: usize) -> (Fleet, Answer) {
    let mut net = joined(seed, 3);
    let head = net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net.hosts[1].server.slow = Duration::from_millis(900);
    let client = net.put_if(
        1,
        "/config/routes",
        "[\"mine\"]",
        if_match.then(|| format!("\"{head}\"")),
    );
    net.run(Duration::from_millis(200));
    for number in 0..changes {
        net.set(0, path, &format!("[{number},\"theirs\"]"));
        net.run(Duration::from_millis(850));
    }
    let answer = net.answer(1, client);
    (net, answer)
}

#[test]
fn a_change_is_made_again_when_the_head_moves_elsewhere_while_the_server_tries_it() {
    for seed in seeds(10) {
        let (mut net, answer) = meanwhile(seed, false, "/config/applications", 1);
        let revision = net.done(answer);
        net.until("it is everywhere", SOON, |net| net.all_at(revision));
        net.settle(SOON);
        assert!(net.config(2).contains("mine") && net.config(2).contains("theirs"));
        assert!(net.conflicts(0).is_empty());
    }
}

#[test]
fn a_change_that_meets_another_at_its_place_is_answered_409_and_leaves_no_trace() {
    for seed in seeds(10) {
        let (mut net, answer) = meanwhile(seed, false, "/config/routes", 1);
        let problem = problem(answer);
        assert_eq!(problem.status, 409);
        assert_eq!(problem.revision, net.head(1));
        let head = net.head(0).unwrap();
        nothing_happened(&mut net, 1, head);
    }
}

/// What the host appended before is for a moment not in the head that won, and is made again there
/// first.
#[test]
fn an_append_waits_for_what_it_follows_and_comes_after_it() {
    for seed in seeds(10) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[1]);
        for number in 1..4 {
            net.set(
                0,
                "/config/applications",
                &format!("{{\"a{number}\":{{}}}}"),
            );
        }
        let mine = net.append(1, "/config/routes", 1);
        net.answer(1, mine);
        net.hosts[1].server.slow = Duration::from_millis(900);
        let late = net.append(1, "/config/routes", 2);
        net.heal();
        let answer = net.answer(1, late);
        net.done(answer);
        assert!(
            net.config(1).contains("[0,1,2]"),
            "seed {seed}: {}",
            net.config(1)
        );
        net.settle(SOON);
        assert!(
            net.config(0).contains("[0,1,2]") && net.conflicts(0).is_empty(),
            "seed {seed}: {}",
            net.config(0)
        );
    }
}

#[test]
fn a_guarded_change_is_not_made_again_on_another_head() {
    for seed in seeds(5) {
        let (mut net, answer) = meanwhile(seed, true, "/config/applications", 1);
        assert_eq!(problem(answer).status, 412);
        let head = net.head(0).unwrap();
        nothing_happened(&mut net, 1, head);
    }
}

#[test]
fn a_change_that_never_gets_a_word_in_is_given_up_after_some_seconds() {
    for seed in seeds(5) {
        let (mut net, answer) = meanwhile(seed, false, "/config/applications", 14);
        assert_eq!(problem(answer).status, 503);
        let head = net.head(0).unwrap();
        nothing_happened(&mut net, 1, head);
    }
}

/// The server is looked at every two seconds: sooner or later just when a change has been begun and
/// is on its way to the disk.
#[test]
fn a_change_begun_when_the_server_is_due_to_be_looked_at_is_tried_all_the_same() {
    for seed in seeds(10) {
        let mut net = joined(seed, 1);
        net.hosts[0].disk.slow = Duration::from_millis(40);
        net.hosts[0].server.refuses = Refuses::Member("bad".into());
        for number in 0..60 {
            net.set(0, "/config/routes", &format!("[{number}]"));
            let pause = 1900 + net.below(200) as u64;
            net.run(Duration::from_millis(pause));
            match net.change(0, "/config/bad", "{}") {
                Answer::Refused(refusal) if refusal.status == 400 => {}
                other => panic!("seed {seed}: {other:?}"),
            }
        }
    }
}

/// Disks are slower than servers: a head can come between the server's yes and the disk's.
#[test]
fn of_a_change_being_made_durable_and_a_head_that_comes_the_server_runs_one() {
    for seed in seeds(30) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.hosts[1].disk.slow = Duration::from_millis(300);
        let client = net.put(1, "/config/applications", "{\"one\":{}}");
        net.run(Duration::from_millis(300));
        let pause = net.below(100) as u64;
        net.run(Duration::from_millis(pause));
        let other = net.put(0, "/config/applications", "{\"two\":{}}");
        let answers = (net.answer(1, client), net.answer(0, other));
        net.run(Duration::from_secs(1));
        net.settle(SOON);
        net.run(SOON);
        assert!(
            net.agree() && net.all_applied(),
            "seed {seed}: {answers:?}\n{}",
            net.report()
        );
        for host in 0..3 {
            assert_eq!(
                net.view(host, starlingd::node::ask::HostQuery::Fleet)["group"]["drift"]
                    .as_array()
                    .map(Vec::len),
                Some(0)
            );
        }
    }
}

#[test]
fn a_server_that_has_lost_everything_is_given_the_head_again() {
    for seed in seeds(5) {
        let mut net = joined(seed, 2);
        net.set(0, "/config/routes", "[0]");
        let head = net.settle(SOON);
        net.hosts[1].server.lose_everything(Duration::ZERO);
        net.until("it runs the head again", SOON, |net| net.all_applied());
        assert!(net.all_at(head), "nothing was published");
    }
}

#[test]
fn a_host_whose_server_refuses_the_head_says_so_on_changes_and_applies_a_later_one() {
    let mut net = joined(1, 2);
    net.hosts[1].server.refuses = Refuses::Member("modern".into());
    let head = net.set(0, "/config/modern", "{}");
    net.until("it is refused", SOON, |net| net.verdict(1) == "refused");
    let answer = net.change(1, "/config/routes", "[1]");
    assert_eq!(problem(answer).status, 409);
    assert!(net.all_at(head));
    net.hosts[1].server.refuses = Refuses::Nothing;
    net.settle(Duration::from_secs(120));
}

#[test]
fn a_head_that_comes_while_the_one_before_is_refused_is_applied_at_once() {
    let mut net = joined(1, 2);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net.hosts[1].server.refuses = Refuses::Member("modern".into());
    net.hosts[1].server.slow = Duration::from_millis(500);
    net.set(0, "/config", r#"{"modern":{}}"#);
    net.run(Duration::from_millis(300));
    net.set(0, "/config", r#"{"plain":{}}"#);
    net.settle(Duration::from_secs(4));
}

#[test]
fn a_first_change_that_is_not_durable_yet_is_what_the_next_is_made_on() {
    for seed in seeds(5) {
        let mut net = joined(seed, 1);
        net.hosts[0].disk.slow = Duration::from_millis(300);
        let first = net.put(0, "/config/routes", "[\"tried\"]");
        let next = net.put(0, "/config/settings", "{}");
        net.until("it is tried", SOON, |net| {
            net.hosts[0].server.config["routes"] == value(r#"["tried"]"#)
        });
        net.hosts[0].disk.failure = Some(DiskFailure::Full);
        let answer = net.answer(0, first);
        assert_eq!(problem(answer).status, 507);
        net.hosts[0].disk.failure = None;
        net.answer(0, next);
        net.set(0, "/config/settings", "{}");
        net.settle(SOON);
        let config = net.config(0);
        assert!(
            config.contains("tried") && config.contains("settings"),
            "seed {seed}: {config}"
        );
    }
}

#[test]
fn what_a_server_started_after_its_host_joined_ran_is_kept_before_the_head_is_given() {
    for seed in seeds(10) {
        let mut net = joined(seed, 1);
        net.set(0, "/config/routes", "[0]");
        let host = net.add(Fleet::spec(1));
        net.hosts[host].server.up = false;
        let theirs = value(r#"{"routes":["theirs"]}"#);
        net.hosts[host].server.config = theirs.clone().into();
        net.until("it has joined", SOON, |net| net.is_joined(host));
        let pause = 5_000 + net.below(4_000) as u64;
        net.run(Duration::from_millis(pause));
        let answer = net.change(host, "/config/routes", "[1]");
        assert_eq!(problem(answer).status, 503, "seed {seed}");
        let pause = net.below(4_000) as u64;
        net.run(Duration::from_millis(pause));
        net.hosts[host].server.up = true;
        net.settle(SOON);
        let kept = net.hosts[host].disk.before.clone();
        let kept = kept.unwrap_or_else(|| panic!("seed {seed}: it is not kept\n{}", net.report()));
        assert_eq!(json::parse_own(&kept).ok(), Some(theirs));
    }
}

#[test]
fn an_overlay_that_changes_during_a_change_is_what_the_server_runs_with_in_the_end() {
    for seed in seeds(10) {
        let mut net = joined(seed, 2);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.hosts[1].server.slow = Duration::from_millis(500);
        for round in 0..4 {
            let author = round % 2;
            let client = net.put(author, "/config/routes", &format!("[{round}, 1]"));
            let pause = net.below(1200) as u64;
            net.run(Duration::from_millis(pause));
            let patch = Some(value(&format!(r#"{{"own":{round}}}"#)));
            net.deliver(
                1,
                Input::Overlay(Ok(Overlay {
                    patch,
                    ..Overlay::default()
                })),
            );
            let answer = net.answer(author, client);
            let head = net.done(answer);
            net.run(Duration::from_secs(5));
            let runs = json::compact(&net.hosts[1].server.config);
            assert!(
                runs.contains(&format!("\"own\":{round}")),
                "seed {seed}, {round}: {runs}"
            );
            assert!(
                runs.contains(&format!("[{round},1]")) && net.all_at(head),
                "seed {seed}, {round}: {runs}"
            );
            assert_eq!(net.verdict(1), "applied");
        }
    }
}
