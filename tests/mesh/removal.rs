//! Removing a group: it goes everywhere and stays away, and nobody who follows it all the same
//! loses anything.

use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::limits::GROUPS_MAX;
use starlingd::model::document::Document;
use starlingd::model::json::Value;
use starlingd::model::ledger::EditRef;
use starlingd::model::record::{Header, RecordId};
use starlingd::model::revision::{Draft, Revision};
use starlingd::model::stamp::Stamp;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Command, DryRun, PastQuery};
use starlingd::sim::Spec;

use super::seeds;
use crate::asks::{put, remove_group};
use crate::fleet::{Fleet, SOON};
use crate::members::{draft, hello, signed, whole};

/// Longer than a host is counted on that nobody has heard of.
const AWAY: Duration = Duration::from_secs(300);

fn of_group(number: usize, group: &str) -> Spec {
    Spec {
        group: group.to_owned(),
        ..Fleet::spec(number)
    }
}

/// Host 1 is in group `edge`, where something was published; hosts 0 and 2 are not.
fn of_two_groups(seed: u64) -> Fleet {
    let mut net = Fleet::of(seed, 1);
    net.add(of_group(1, "edge"));
    net.add(Fleet::spec(2));
    net.until("all have joined", SOON, |net| net.all_joined());
    net.set(0, "/config/routes", "[\"ours\"]");
    net.set(1, "/config/routes", "[\"theirs\"]");
    let head = net.set(1, "/config/settings", "{}").to_string();
    let has_it = |view: Value| view["head"]["id"] == head;
    net.until("the others hold it", SOON, |net| {
        [0, 2]
            .iter()
            .all(|host| net.group(*host, "edge").is_some_and(has_it))
    });
    net
}

fn remove(net: &mut Fleet, host: usize, group: &str, force: bool) -> Answer {
    net.answer_to(host, remove_group(group, force))
}

/// The words with which a removal is refused.
fn refused(net: &mut Fleet, host: usize, group: &str, force: bool) -> (u16, String) {
    match remove(net, host, group, force) {
        Answer::Denied(denial) => (said(&denial).status, said(&denial).detail),
        other => panic!("not refused, but {other:?}"),
    }
}

fn is_listed(net: &mut Fleet, host: usize, group: &str) -> bool {
    net.group(host, group)
        .is_some_and(|view| view["head"].is_object())
}

/// Host 1 follows another group from now on.
fn follow_another(net: &mut Fleet) {
    net.crash(1, false);
    net.hosts[1].spec.group = "default".to_owned();
    net.restart(1);
    net.until("it says so", SOON, |net| {
        net.group(0, "edge").is_some_and(|view| view["hosts"] == 0)
    });
}

#[test]
fn a_group_nobody_follows_goes_everywhere_and_who_was_away_does_not_revive_it() {
    for seed in seeds(3) {
        let mut net = of_two_groups(seed);
        let (status, detail) = refused(&mut net, 0, "edge", true);
        assert!(status == 409 && detail.contains("host-2"), "{detail}");
        assert_eq!(refused(&mut net, 0, "default", true).0, 409);
        assert_eq!(refused(&mut net, 0, "edgy", true).0, 404);
        follow_another(&mut net);
        net.crash(2, false);
        let removal = remove(&mut net, 0, "edge", false);
        let removal = net.done(removal);
        net.until("it is gone", SOON, |net| {
            [0, 1].iter().all(|host| net.group(*host, "edge").is_none())
        });
        net.until("nothing else of it is on disk", SOON, |net| {
            [0, 1].iter().all(|host| {
                let files = net.hosts[*host]
                    .disk
                    .revisions
                    .keys()
                    .filter(|(group, _)| group == "edge");
                files
                    .map(|(_, name)| name.ends_with(&removal.to_string()))
                    .collect::<Vec<_>>()
                    == [true]
            })
        });
        // A host that was killed before it could remove the files has them still.
        let left = net.hosts[2].disk.revisions.clone();
        net.crash(0, false);
        net.hosts[0]
            .disk
            .revisions
            .extend(left.into_iter().filter(|((group, _), _)| group == "edge"));
        net.restart(0);
        net.run(Duration::from_millis(10));
        assert_eq!(
            net.hosts[0]
                .disk
                .revisions
                .keys()
                .filter(|(group, _)| group == "edge")
                .count(),
            1,
            "seed {seed}"
        );
        net.restart(2);
        net.until("it is gone there", SOON, |net| {
            net.group(2, "edge").is_none()
        });
        net.run(AWAY);
        assert!(
            (0..3).all(|host| net.group(host, "edge").is_none()),
            "seed {seed}: it has come back"
        );
        match remove(&mut net, 2, "edge", false) {
            Answer::Done {
                revision,
                changed: false,
                ..
            } => assert_eq!(revision, removal),
            other => panic!("{other:?}"),
        }
    }
}

/// Host 1 is alone, for so long that the others do not count on it any more, and they remove its
/// group.
fn removed_behind_its_back(net: &mut Fleet) -> RecordId {
    net.split(&[1]);
    net.run(AWAY);
    let (status, detail) = refused(net, 0, "edge", false);
    assert!(status == 409 && detail.contains("host-2, away"), "{detail}");
    let removal = remove(net, 0, "edge", true);
    let removal = net.done(removal);
    net.until("it is gone", SOON, |net| {
        [0, 2].iter().all(|host| net.group(*host, "edge").is_none())
    });
    removal
}

#[test]
fn a_host_that_follows_it_all_the_same_keeps_it_and_its_server_notices_nothing() {
    for seed in seeds(3) {
        let mut net = of_two_groups(seed);
        let (config, writes) = (net.config(1), net.hosts[1].server.changes);
        removed_behind_its_back(&mut net);
        net.heal();
        net.until("the group is there again", SOON * 6, |net| {
            [0, 1, 2].iter().all(|host| is_listed(net, *host, "edge"))
        });
        net.until("it is in step", SOON, |net| net.verdict(1) == "applied");
        assert_eq!(
            (net.config(1), net.hosts[1].server.changes),
            (config, writes),
            "seed {seed}"
        );
        let head = net.set(1, "/config/routes", "[\"more\"]");
        net.until("all see it", SOON, |net| {
            net.group(2, "edge").expect("it is there")["head"]["id"] == head.to_string()
        });
    }
}

#[test]
fn a_change_made_while_the_group_was_removed_elsewhere_is_not_lost_whichever_wins() {
    for seed in seeds(3) {
        // A single change against a removal: the later of the two wins. Two changes win by their
        // number.
        for changes in [1, 2] {
            let mut net = of_two_groups(seed);
            net.split(&[1]);
            net.run(AWAY);
            let late: Vec<String> = (0..changes)
                .map(|number| format!("[\"late-{number}\"]"))
                .collect();
            late.iter()
                .for_each(|value| _ = net.set(1, "/config/routes", value));
            net.run(Duration::from_secs(1));
            let removal = remove(&mut net, 0, "edge", true);
            net.done(removal);
            net.heal();
            let last = late.last().expect("there is one").clone();
            net.until("the group is there with it", SOON * 6, |net| {
                is_listed(net, 0, "edge") && net.config(1).contains(&last)
            });
            net.run(SOON * 3);
            assert!(net.config(1).contains(&last), "seed {seed}");
            let open = net.conflicts(1);
            // Which of the one and the removal is the later one depends on the clocks.
            assert!(
                open.len() <= 1 && (changes == 1 || open.len() == 1),
                "seed {seed}: a removal that lost is listed: {open:?}"
            );
            let views: Vec<_> = (0..3)
                .map(|host| net.group(host, "edge").expect("it is there"))
                .collect();
            assert!(
                views
                    .iter()
                    .all(|view| view["head"]["id"] == views[0]["head"]["id"]),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn a_host_that_comes_to_a_removed_group_makes_it_anew_with_its_first_change() {
    for seed in seeds(3) {
        let mut net = of_two_groups(seed);
        follow_another(&mut net);
        let removal = remove(&mut net, 0, "edge", false);
        let removal = net.done(removal);
        let late = net.add(of_group(3, "edge"));
        net.until("it has joined", SOON, |net| net.is_joined(late));
        net.run(SOON);
        assert!(
            !net.config(late).contains("theirs") && net.head(late).is_none(),
            "seed {seed}"
        );
        net.set(late, "/config/routes", "[\"new\"]");
        net.until("all have it", SOON, |net| {
            (0..3).all(|host| is_listed(net, host, "edge"))
        });
        let head = net.group(0, "edge").expect("it is there")["head"].clone();
        assert_eq!(head["base"], removal.to_string(), "seed {seed}");
    }
}

const AUTHOR: u64 = 99;

/// The first revision of a group by somebody who is not there any more.
fn first(group: &str, ms: u64) -> Revision {
    signed(
        AUTHOR,
        group,
        Stamp::at(ms),
        None,
        draft(Document::factory()),
    )
}

/// Whoever holds the fleet's key can say that any group is removed.
#[test]
fn a_group_that_somebody_removes_under_a_server_at_work_goes_on_as_it_was() {
    for seed in seeds(3) {
        for is_dry in [true, false] {
            let mut net = of_two_groups(seed);
            let config = net.config(1);
            net.hosts[1].server.slow = Duration::from_millis(500);
            let change = put("/config/routes", Value::from("tried"));
            let ask = if is_dry {
                Command::DryRun(DryRun::Write(change))
            } else {
                Command::Write(change)
            };
            let client = net.ask(1, ask);
            net.run(Duration::from_millis(if is_dry { 700 } else { 100 }));
            let head = net.hosts[1].node.own_head().expect("it has one").clone();
            let puppet = net.puppet(1, hello(AUTHOR));
            let draft = Draft {
                flags: Header::REMOVED,
                ..draft(Document::factory())
            };
            let gone = signed(
                AUTHOR,
                "edge",
                Stamp::at(head.record.header.stamp.wall_ms() + 1),
                Some(&head),
                draft,
            );
            net.says(puppet, whole(&gone));
            drop(net.answer(1, client));
            net.until("the group is kept", SOON, |net| {
                net.hosts[1].node.own_head().is_some() && is_listed(net, 2, "edge")
            });
            net.until("its server runs what it did", SOON * 2, |net| {
                net.runs(1) == config && net.verdict(1) == "applied"
            });
        }
    }
}

#[test]
fn a_group_for_which_there_is_no_room_is_not_begun_until_another_is_removed() {
    for seed in seeds(2) {
        let mut net = Fleet::of(seed, 2);
        net.add(of_group(2, "late"));
        net.until("all have joined", SOON, |net| net.all_joined());
        let puppet = net.puppet(0, hello(AUTHOR));
        for number in 0..=GROUPS_MAX {
            let revision = first(&format!("group-{number:02}"), 5);
            net.says(puppet, whole(&revision));
        }
        net.until("all are full", SOON, |net| {
            (0..3).all(|host| is_listed(net, host, "group-63"))
        });
        net.until("one is passed over, and that is said", SOON, |net| {
            let problems = net.problems(0).to_string();
            problems.contains("group-64") && problems.contains("starling groups remove")
        });
        assert!(!is_listed(&mut net, 0, "group-64"));
        match net.change(2, "/config/routes", "[1]") {
            Answer::Denied(denial) => {
                assert!(
                    said(&denial).status == 503
                        && said(&denial).detail.contains("starling groups remove"),
                    "{denial:?}"
                );
            }
            other => panic!("it was begun: {other:?}"),
        }
        // Of two that go one makes room for what was passed over, the other for what is to be
        // begun.
        for group in ["group-00", "group-01"] {
            let removal = remove(&mut net, 1, group, true);
            net.done(removal);
        }
        net.says(puppet, whole(&first("group-64", 5)));
        net.until("the removals are everywhere", SOON, |net| {
            (0..3).all(|host| !is_listed(net, host, "group-01"))
        });
        net.until("what was passed over is held", SOON * 4, |net| {
            (0..3).all(|host| is_listed(net, host, "group-64"))
        });
        net.set(2, "/config/routes", "[1]");
        net.until("all have the new one", SOON, |net| {
            (0..3).all(|host| is_listed(net, host, "late"))
        });
        // All are taken again, and host 0 has begun nothing in its own.
        let problems = net.problems(0).to_string();
        assert!(
            problems.contains("group default has no place") && !problems.contains("group-64"),
            "{problems}"
        );
    }
}

/// What others have taken up and nobody is left to tell is listed by name, for its author may come
/// back and find the group made anew without.
#[test]
fn who_keeps_a_group_without_its_last_changes_lists_them() {
    for seed in seeds(3) {
        let mut net = Fleet::of(seed, 1);
        [1, 2]
            .into_iter()
            .for_each(|number| _ = net.add(of_group(number, "edge")));
        net.until("all have joined", SOON, |net| net.all_joined());
        net.set(1, "/config/routes", "[\"theirs\"]");
        net.run(SOON);
        net.split(&[2]);
        let late = net.set(1, "/config/settings", "{\"late\":1}").to_string();
        net.until("another has it", SOON, |net| {
            net.group(0, "edge")
                .is_some_and(|view| view["head"]["id"] == late)
        });
        // Nobody who keeps the group has more of it than its place.
        let edit = net.hosts[1]
            .node
            .own_head()
            .expect("it is there")
            .edit_ref();
        let ghost = EditRef::ghost(edit.place, edit.height).id.to_string();
        net.crash(1, false);
        net.run(AWAY);
        let removal = remove(&mut net, 0, "edge", true);
        net.done(removal);
        net.heal();
        net.until("the group is there again", SOON * 6, |net| {
            is_listed(net, 0, "edge")
        });
        net.restart(1);
        net.until("its author is back", SOON * 6, |net| net.all_joined());
        net.run(SOON * 6);
        let listed = net.view(1, PastQuery::Conflicts).to_string();
        assert!(
            net.config(1).contains("late") || listed.contains(&late) || listed.contains(&ghost),
            "seed {seed}: it is lost: {listed}"
        );
        // What is held of the past of a group that was removed and kept is so after a restart.
        let revisions =
            |net: &mut Fleet| net.view(1, PastQuery::Revisions).as_array().map(Vec::len);
        let before = revisions(&mut net);
        net.crash(1, false);
        net.restart(1);
        net.run(SOON);
        assert_eq!(revisions(&mut net), before, "seed {seed}");
    }
}
