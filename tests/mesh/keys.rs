//! The keys of certificates that were deleted or replaced leave the history of all hosts, and
//! nothing that was written goes with them.

use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::model::json::{self, Value};
use starlingd::node::answer::Answer;
use starlingd::node::ask::{Command, PastQuery};
use starlingd::sim::Spec;

use super::seeds;
use super::spreading::joined;
use crate::asks::{delete, of_group, restore};
use crate::fleet::{Fleet, SOON};

const KEY: &str = "\"the old key\"";
const MINUTE: Duration = Duration::from_secs(60);
/// For so long whoever is away is waited for here.
const AWAY: Duration = Duration::from_secs(20 * 60);

/// On how many of a host's files a text stands.
fn files_with(net: &Fleet, host: usize, text: &str) -> usize {
    let disk = &net.hosts[host].disk;
    let files = disk.revisions.values().chain(disk.pending.values());
    files
        .filter(|bytes| String::from_utf8_lossy(bytes).contains(text))
        .count()
}

fn is_on(net: &Fleet, hosts: &[usize], text: &str) -> bool {
    hosts.iter().any(|host| files_with(net, *host, text) > 0)
}

/// The revisions that a host shows, with whether a key was struck out of them.
fn struck(net: &mut Fleet, host: usize) -> Vec<(String, bool)> {
    let list = net.view(host, PastQuery::Revisions);
    let of = |view: &Value| {
        (
            view["id"].as_str().expect("text").to_owned(),
            view["struck"] == Value::Bool(true),
        )
    };
    list.as_array().expect("a list").iter().map(of).collect()
}

#[test]
fn a_key_that_was_deleted_leaves_all_disks_and_the_history_stays() {
    for seed in seeds(4) {
        let mut net = joined(seed, 3);
        let before = net.set(0, "/config/routes", "[0]");
        let uploaded = net.set(0, "/certificates/a", KEY);
        let with = net.set(1, "/config/routes", "[1]");
        net.made(2, Command::Write(delete("/certificates/a")));
        net.settle(SOON);
        // Whoever has deleted the wrong one has some time to say so.
        let again = net.answer_to(1, restore(uploaded, "/certificates/a"));
        net.done(again);
        net.run(MINUTE);
        assert!(is_on(&net, &[0], KEY), "seed {seed}: it is not deleted");
        net.made(2, Command::Write(delete("/certificates/a")));
        net.until("it is gone", MINUTE, |net| !is_on(net, &[0, 1, 2], KEY));
        let shown = struck(&mut net, 0);
        assert_eq!(
            shown.iter().filter(|(_, struck)| *struck).count(),
            3,
            "seed {seed}: {shown:?}"
        );
        assert_eq!(shown.len(), 6);
        for host in [0, 1, 2] {
            net.crash(host, seed % 2 == 0);
            net.restart(host);
        }
        net.until("they are back", MINUTE, |net| {
            net.all_joined() && net.agree()
        });
        assert_eq!(struck(&mut net, 1), shown, "seed {seed}");
        // What was is shown, compared and restored, but for the key.
        match net.answer_to(1, restore(uploaded, "/certificates/a")) {
            Answer::Denied(denial) => assert_eq!(said(&denial).status, 410, "{denial:?}"),
            other => panic!("{other:?}"),
        }
        let routes = net.answer_to(1, restore(with, "/config/routes"));
        net.done(routes);
        let old = net.answer_to(1, restore(before, "/"));
        net.done(old);
        let late = net.add(Fleet::spec(3));
        net.until("a late joiner has the head", SOON, |net| {
            net.is_joined(late) && net.agree()
        });
        for host in [0, late] {
            net.view(host, PastQuery::Revisions);
        }
        net.run(MINUTE);
        assert!(
            !is_on(&net, &[0, 1, 2, late], KEY),
            "seed {seed}: it comes back"
        );
        assert!(
            struck(&mut net, late).iter().all(|(_, struck)| !struck),
            "what was struck goes to nobody"
        );
    }
}

#[test]
fn what_is_uploaded_again_can_be_restored_from_what_was_struck() {
    let mut net = joined(1, 2);
    net.set(0, "/certificates/a", KEY);
    let full = net.set(0, "/config/routes", "[1]");
    net.set(0, "/certificates/a", "\"the new key\"");
    net.set(1, "/config/routes", "[2]");
    net.until("what was replaced is gone too", MINUTE, |net| {
        !is_on(net, &[0, 1], KEY)
    });
    assert!(
        matches!(net.answer_to(1, restore(full, "/")), Answer::Denied(denial) if said(&denial).status == 410)
    );
    net.set(1, "/certificates/b", KEY);
    let restored = net.answer_to(1, restore(full, "/"));
    net.done(restored);
    let document = net.hosts[1]
        .node
        .own_head()
        .expect("there is one")
        .document
        .clone();
    assert_eq!(
        json::compact(&document.value()["certificates"]),
        format!("{{\"a\":{KEY}}}")
    );
    net.settle(SOON);
}

/// A host is cut off, and both sides write at different places, that side more; the key is deleted
/// on the other. The edits of both.
fn cut_off(net: &mut Fleet) -> Vec<String> {
    net.set(0, "/certificates/a", KEY);
    net.set(0, "/config", r#"{"applications":{}}"#);
    net.settle(SOON);
    net.split(&[2]);
    let mut written = Vec::new();
    let mut set = |net: &mut Fleet, host: usize, name: &str| {
        net.set(host, &format!("/config/applications/{name}"), "1");
        written.push(name.to_owned());
    };
    (0..3).for_each(|number| set(net, 0, &format!("here{number}")));
    net.made(0, Command::Write(delete("/certificates/a")));
    set(net, 1, "here3");
    (0..9).for_each(|number| set(net, 2, &format!("there{number}")));
    written
}

/// Those that are neither in the head nor listed on a host.
fn lost(net: &mut Fleet, host: usize, written: &[String]) -> Vec<String> {
    let (config, listed) = (
        net.config(host),
        net.view(host, PastQuery::Conflicts).to_string(),
    );
    let is_lost = |name: &&String| {
        !config.contains(&format!("\"{name}\"")) && !listed.contains(&format!("/{name}\""))
    };
    written.iter().filter(is_lost).cloned().collect()
}

#[test]
fn a_host_that_is_away_is_waited_for_and_its_edits_are_made_again() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        let written = cut_off(&mut net);
        net.run(10 * MINUTE);
        assert!(
            files_with(&net, 0, KEY) >= 4,
            "seed {seed}: the files from which edits may have to be made again are whole"
        );
        net.heal();
        net.until("all is made again", 3 * MINUTE, |net| {
            net.agree() && lost(net, 1, &written).is_empty()
        });
        net.until("nothing is left over", 3 * MINUTE, |net| {
            net.agree() && net.conflicts(0).is_empty()
        });
        let config = net.config(0);
        assert!(
            written
                .iter()
                .all(|name| config.contains(&format!("\"{name}\""))),
            "seed {seed}: {config}"
        );
        net.until("and the key goes", 3 * MINUTE, |net| {
            !is_on(net, &[0, 1, 2], KEY)
        });
    }
}

#[test]
fn nobody_is_waited_for_without_end_and_then_all_is_listed() {
    let mut net = Fleet::new(1);
    for number in 0..3 {
        net.add(Spec {
            keys_kept: MINUTE..AWAY,
            ..Fleet::spec(number)
        });
    }
    net.until("all have joined", SOON, |net| net.all_joined());
    let written = cut_off(&mut net);
    let begun = net.now;
    net.until("the key goes", AWAY + MINUTE, |net| {
        !is_on(net, &[0, 1], KEY)
    });
    assert!(net.now >= begun + AWAY);
    assert!(
        is_on(&net, &[2], KEY),
        "of which the other host knows nothing"
    );
    net.heal();
    net.until("nothing is lost", 10 * MINUTE, |net| {
        net.agree()
            && [0, 1, 2]
                .iter()
                .all(|host| lost(net, *host, &written).is_empty())
    });
    net.until("and the key goes there too", 10 * MINUTE, |net| {
        !is_on(net, &[0, 1, 2], KEY)
    });
    assert!(lost(&mut net, 2, &written).is_empty());
}

#[test]
fn it_leaves_the_history_of_other_groups_too() {
    let mut net = Fleet::of(1, 2);
    net.add(Spec {
        group: "edge".to_owned(),
        ..Fleet::spec(2)
    });
    net.until("all have joined", SOON, |net| net.all_joined());
    net.set(0, "/certificates/a", KEY);
    net.set(1, "/config/routes", "[1]");
    net.until("a host of another group has it", SOON, |net| {
        is_on(net, &[2], KEY)
    });
    net.made(1, Command::Write(delete("/certificates/a")));
    net.until("it is gone", MINUTE, |net| !is_on(net, &[0, 1, 2], KEY));
}

#[test]
fn what_is_left_of_other_groups_history_is_there_after_a_restart() {
    let mut net = Fleet::of(1, 2);
    net.add(Spec {
        group: "edge".to_owned(),
        ..Fleet::spec(2)
    });
    net.until("all have joined", SOON, |net| net.all_joined());
    net.set(0, "/certificates/a", KEY);
    net.set(1, "/config/routes", "[1]");
    net.until("a host of another group has it", SOON, |net| {
        is_on(net, &[2], KEY)
    });
    net.made(1, Command::Write(delete("/certificates/a")));
    net.until("it is gone", MINUTE, |net| !is_on(net, &[0, 1, 2], KEY));
    let struck = |net: &mut Fleet| {
        let revisions = net.view(2, of_group("default", PastQuery::Revisions));
        let is_struck = |view: &Value| view["struck"] == Value::Bool(true);
        revisions
            .as_array()
            .expect("a list")
            .iter()
            .map(is_struck)
            .collect::<Vec<_>>()
    };
    net.run(MINUTE);
    let before = struck(&mut net);
    // Nobody can send it again.
    net.split(&[2]);
    net.crash(2, false);
    net.restart(2);
    net.run(Duration::from_millis(500));
    assert_eq!(struck(&mut net), before);
    let files = net.hosts[2]
        .disk
        .revisions
        .keys()
        .filter(|(group, _)| group == "default")
        .count();
    assert_eq!(files, before.len());
}
