//! The history, and the settling of conflicts: by whom and by what means, all hosts end up the
//! same, and so does whoever joins later.

use std::time::Duration;

use starlingd::limits::HISTORY_KEPT;
use starlingd::model::json::Value;
use starlingd::model::record::RecordId;
use starlingd::node::answer::{Answer, Older};
use starlingd::node::ask::{Ask, PastQuery};
use starlingd::sim::Refuses;

use super::seeds;
use super::spreading::joined;
use crate::asks::{give_up, keep, problem, restore};
use crate::fleet::{Fleet, SOON};

/// What a host says of its history: how many revisions it shows, and what is beyond them.
fn looked(net: &mut Fleet, host: usize) -> (usize, Older) {
    let client = net.ask(host, PastQuery::Revisions);
    match net.take_answer(host, client) {
        Some(Answer::History(list, older)) => (list.len(), older),
        other => panic!("no history, but {other:?}"),
    }
}

/// Two hosts that do not hear each other change the same place; afterwards all list what lost. Its
/// ID, and the text that it wanted.
fn conflict(net: &mut Fleet, first: &str, second: &str) -> (RecordId, String) {
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net.split(&[2]);
    let one = net.set(0, "/config/routes", first);
    let other = net.set(2, "/config/routes", second);
    net.heal();
    let lists =
        |net: &mut Fleet, host: usize| net.conflicts(host).iter().any(|(_, state)| state == "open");
    let hosts = net.running();
    net.until("it is listed", Duration::from_secs(90), |net| {
        net.agree() && hosts.iter().all(|host| lists(net, *host))
    });
    net.settle(SOON);
    if net.config(0).contains(first) {
        (other, second.to_owned())
    } else {
        (one, first.to_owned())
    }
}

/// A host joins that was not there; its number.
fn late(net: &mut Fleet) -> usize {
    let spec = Fleet::spec(net.hosts.len());
    let number = net.add(spec);
    net.until("the late one has joined", SOON, |net| net.all_joined());
    net.settle(SOON);
    number
}

#[test]
fn an_old_revision_is_restored_by_any_host_whole_or_at_a_path_and_all_follow() {
    for seed in seeds(4) {
        let mut net = joined(seed, 3);
        let old = net.set(0, "/config", r#"{"routes":["old"],"applications":{"a":1}}"#);
        net.set(
            1,
            "/config",
            r#"{"routes":["new"],"applications":{"a":2,"b":3}}"#,
        );
        let other = net.set(1, "/config/listeners", "{}");
        net.settle(SOON);
        net.made(2, restore(old.short(), "/config/applications"));
        net.settle(SOON);
        assert_eq!(
            net.config(0),
            r#"{"routes":["new"],"applications":{"a":1},"listeners":{}}"#
        );
        let view = net.newest(1);
        assert_eq!(
            view["note"],
            format!("restore of {}, /config/applications", old.short()).as_str()
        );
        let paths: Vec<&Value> = view["edit"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|op| &op["path"])
            .collect();
        assert_eq!(
            paths,
            ["/config/applications/a", "/config/applications/b"],
            "only what differs is touched"
        );

        let head = net.made(1, restore(old.short(), "/config"));
        net.settle(SOON);
        assert_eq!(
            net.config(2),
            r#"{"routes":["old"],"applications":{"a":1}}"#
        );
        assert_eq!(
            net.newest(0)["note"],
            format!("restore of {}, /config", old.short()).as_str()
        );
        // Once more it changes nothing; a listener is not there in either.
        let client = net.ask(0, restore(old.short(), "/config"));
        assert!(matches!(net.answer(0, client), Answer::Done { revision, .. } if revision == head));
        let client = net.ask(0, restore(old.short(), "/config/listeners"));
        assert!(matches!(net.answer(0, client), Answer::Edit(_)));
        net.made(0, restore(other.short(), "/config/listeners"));
        net.settle(SOON);
    }
}

#[test]
fn a_restore_is_tried_first_and_its_server_may_refuse_it() {
    for seed in seeds(2) {
        let mut net = joined(seed, 2);
        let old = net.set(0, "/config", r#"{"routes":[],"teapot":{}}"#);
        let head = net.set(0, "/config", r#"{"routes":[1]}"#);
        net.settle(SOON);
        net.hosts[1].server.refuses = Refuses::Member("teapot".into());
        let client = net.ask(1, restore(old.short(), "/config"));
        assert!(matches!(net.answer(1, client), Answer::Refused(refusal) if refusal.status == 400));
        net.settle(SOON);
        assert!(net.all_at(head));
    }
}

#[test]
fn a_revision_whose_file_is_damaged_is_not_restored_until_a_peer_has_given_it_again() {
    for seed in seeds(4) {
        let mut net = joined(seed, 2);
        let old = net.set(0, "/config/routes", "[\"old\"]");
        for number in 0..3 {
            net.set(1, "/config/routes", &format!("[{number}]"));
        }
        let head = net.settle(SOON);
        let files = &mut net.hosts[1].disk.revisions;
        let key = files
            .keys()
            .find(|(_, name)| name.ends_with(&old.to_string()))
            .expect("it is on disk")
            .clone();
        files.get_mut(&key).expect("it was just found")[300] ^= 1;
        let refused = problem(net.answer_to(1, restore(old.short(), "/config")));
        assert_eq!(
            (refused.status, refused.error),
            (500, "The revision cannot be read.")
        );
        assert!(
            refused.detail.contains("is damaged") && net.all_at(head),
            "{refused:?}"
        );
        net.until("it has it again", SOON, |net| {
            net.hosts[1].disk.revisions.contains_key(&key)
        });
        net.made(1, restore(old.short(), "/config"));
        net.settle(SOON);
        assert!(net.config(0).contains("old"));
    }
}

#[test]
fn a_conflict_that_is_kept_is_made_and_settled_everywhere_also_for_late_joiners() {
    for seed in seeds(4) {
        let mut net = joined(seed, 3);
        let (lost, wanted) = conflict(&mut net, "[\"first\"]", "[\"second\"]");
        assert!(!net.config(1).contains(&wanted));
        net.made(1, keep(lost.short()));
        net.settle(SOON);
        late(&mut net);
        for host in 0..4 {
            assert!(
                net.config(host).contains(&wanted),
                "seed {seed}, host {host}: {}",
                net.config(host)
            );
            assert_eq!(net.conflicts(host), vec![], "seed {seed}, host {host}");
        }
        let view = net.newest(3);
        assert_eq!(view["note"], format!("keep of {}", lost.short()).as_str());
        assert_eq!(
            (&view["kind"], &view["settled"][0]),
            (&"original".into(), &lost.to_string().into())
        );
        let client = net.ask(0, keep(lost.short()));
        assert_eq!(problem(net.answer(0, client)).status, 404, "it is settled");
    }
}

#[test]
fn a_conflict_that_is_dropped_is_settled_by_a_revision_that_changes_nothing() {
    for seed in seeds(4) {
        let mut net = joined(seed, 3);
        let (lost, _) = conflict(&mut net, "[\"first\"]", "[\"second\"]");
        let before = net.config(0);
        let changes: Vec<u64> = net.hosts.iter().map(|host| host.server.changes).collect();
        let head = net.made(2, give_up(lost.short()));
        net.settle(SOON);
        let late = late(&mut net);
        for host in 0..4 {
            assert_eq!(
                (net.config(host), net.conflicts(host)),
                (before.clone(), vec![]),
                "seed {seed}, host {host}"
            );
            assert_eq!(net.head(host), Some(head), "seed {seed}, host {host}");
        }
        let view = net.newest(late);
        assert_eq!(
            (&view["edit"], &view["settled"][0]),
            (&Value::Array(Vec::new()), &lost.to_string().into())
        );
        assert_eq!(view["note"], format!("drop of {}", lost.short()).as_str());
        let changed: Vec<u64> = net.hosts[..3]
            .iter()
            .map(|host| host.server.changes)
            .collect();
        assert_eq!(changed, changes, "no server was given anything");
    }
}

#[test]
fn a_long_value_is_kept_from_the_revision_that_wanted_it_however_old_that_is() {
    let (first, second) = (
        format!("[\"{}\"]", "1".repeat(20_000)),
        format!("[\"{}\"]", "2".repeat(20_000)),
    );
    for seed in seeds(2) {
        let mut net = joined(seed, 3);
        let (lost, wanted) = conflict(&mut net, &first, &second);
        for number in 0..HISTORY_KEPT + 6 {
            net.set(1, "/config/applications/n", &format!("{{\"n\":{number}}}"));
        }
        net.settle(SOON);
        let kept = net.hosts[1]
            .disk
            .revisions
            .keys()
            .filter(|(_, name)| name.ends_with(&lost.to_string()))
            .count();
        assert_eq!(
            kept, 1,
            "seed {seed}: what is needed to settle it is not pruned"
        );

        let late = late(&mut net);
        let refused = problem(net.answer_to(late, keep(lost.short())));
        assert_eq!(
            (refused.status, refused.error),
            (503, "What the change wanted is being fetched.")
        );
        net.until("it is here", SOON, |net| {
            net.hosts[late]
                .disk
                .revisions
                .keys()
                .any(|(_, name)| name.ends_with(&lost.to_string()))
        });
        net.made(late, keep(lost.short()));
        net.settle(SOON);
        for host in 0..4 {
            assert!(
                net.config(host).contains(&wanted) && net.conflicts(host).is_empty(),
                "seed {seed}, host {host}"
            );
        }
        // Nothing keeps it any longer.
        net.set(1, "/config/applications/n", "{}");
        net.settle(SOON);
        let gone = |net: &Fleet, host: usize| {
            !net.hosts[host]
                .disk
                .revisions
                .keys()
                .any(|(_, name)| name.ends_with(&lost.to_string()))
        };
        net.until("it is pruned", SOON, |net| {
            gone(net, 0) && gone(net, 1) && gone(net, 2)
        });
    }
}

#[test]
fn what_nobody_has_any_more_cannot_be_kept_but_dropped() {
    for seed in seeds(2) {
        let mut net = joined(seed, 3);
        let long = format!("[\"{}\"]", "x".repeat(9_000));
        let (lost, _) = conflict(&mut net, &long, &long.replace('x', "y"));
        for host in 0..3 {
            net.crash(host, false);
            net.hosts[host]
                .disk
                .revisions
                .retain(|(_, name), _| !name.ends_with(&lost.to_string()));
        }
        (0..3).for_each(|host| net.restart(host));
        net.settle(SOON);
        let mut last = None;
        net.until("all have been asked", SOON, |net| {
            let refused = problem(net.answer_to(1, keep(lost.short())));
            last = Some((refused.status, refused.error));
            refused.status != 503
        });
        assert_eq!(
            last,
            Some((409, "What the change wanted is not known here.")),
            "seed {seed}"
        );
        net.made(1, give_up(lost.short()));
        net.settle(SOON);
        assert_eq!(net.conflicts(0), vec![]);
    }
}

#[test]
fn whoever_joined_late_is_given_the_history_when_somebody_looks_and_not_before() {
    for seed in seeds(3) {
        let mut net = joined(seed, 3);
        for number in 0..20 {
            net.set(0, "/config/routes", &format!("[{number}]"));
        }
        net.settle(SOON);
        let late = late(&mut net);
        net.run(Duration::from_secs(120));
        assert_eq!(
            net.hosts[late].disk.revisions.len(),
            1,
            "seed {seed}: nobody has asked"
        );
        assert_eq!(looked(&mut net, late), (1, Older::Asked));
        net.until("all is here", SOON, |net| {
            net.hosts[late].disk.revisions.len() == 20
        });
        assert_eq!(looked(&mut net, late), (20, Older::Nothing));
        assert_eq!(
            net.history(late, PastQuery::Revisions),
            net.history(0, PastQuery::Revisions),
            "seed {seed}"
        );
        assert!(net.agree() && net.conflicts(late).is_empty());
    }
}

#[test]
fn no_more_of_the_history_is_fetched_than_is_kept_and_old_edits_are_no_conflicts() {
    for seed in seeds(1) {
        let mut net = joined(seed, 2);
        for number in 0..HISTORY_KEPT + 240 {
            net.set(0, "/config/routes", &format!("[{number}]"));
        }
        net.settle(SOON);
        let late = late(&mut net);
        assert_eq!(looked(&mut net, late).1, Older::Asked);
        net.until("as much as is kept is here", SOON, |net| {
            net.hosts[late].disk.revisions.len() == HISTORY_KEPT + 1
        });
        assert_eq!(looked(&mut net, late), (HISTORY_KEPT + 1, Older::Pruned));
        net.run(Duration::from_secs(60));
        assert_eq!(net.hosts[late].disk.revisions.len(), HISTORY_KEPT + 1);
        assert_eq!(net.conflicts(late), vec![]);
    }
}

#[test]
fn history_that_no_linked_peer_has_is_said_to_be_nowhere_and_asked_for_again_later() {
    for seed in seeds(2) {
        let mut net = joined(seed, 2);
        for number in 0..5 {
            net.set(0, "/config/routes", &format!("[{number}]"));
        }
        net.settle(SOON);
        net.crash(1, false);
        let late = net.add(Fleet::spec(2));
        net.until("it has joined", SOON, |net| net.is_joined(late));
        net.settle(SOON);
        // The founder has lost all but the head.
        net.crash(0, false);
        let head = net.hosts[0]
            .disk
            .revisions
            .keys()
            .next_back()
            .expect("there is one")
            .clone();
        net.hosts[0].disk.revisions.retain(|key, _| *key == head);
        net.restart(0);
        net.settle(SOON);
        net.until("it is nowhere", SOON, |net| {
            looked(net, late) == (1, Older::Nowhere)
        });
        net.restart(1);
        net.until("the other one has it", Duration::from_secs(90), |net| {
            looked(net, late) == (5, Older::Nothing)
        });
    }
}

#[test]
fn ids_that_fit_nothing_or_are_too_short_are_refused_before_anything_is_done() {
    let mut net = joined(0, 2);
    net.set(0, "/config/routes", "[]");
    let head = net.settle(SOON);
    let short = &head.to_string()[..3];
    for ask in [
        Ask::from(restore("0000", "/config")),
        restore(short, "/config").into(),
        restore("", "/config").into(),
        give_up("0000").into(),
        give_up(short).into(),
        PastQuery::Conflict("0000".into()).into(),
    ] {
        let client = net.ask(0, ask);
        assert_eq!(problem(net.answer(0, client)).status, 404);
    }
    assert!(net.all_at(head));
}
