//! Certificates and modules travel like any change, get along with changes elsewhere, and are shown
//! nowhere.

use std::sync::Arc;

use starlingd::model::json;
use starlingd::model::record::RecordId;
use starlingd::model::resources;
use starlingd::node::answer::{Answer, Success};
use starlingd::node::ask::{Ask, Command, HostQuery, PastQuery};
use starlingd::node::input::{ClientId, Refusal};

use super::seeds;
use super::spreading::joined;
use crate::asks::{delete, keep, problem, value};
use crate::fleet::{Fleet, SOON};

/// So short that any other value would be listed as it is.
const OLD: &str = "the old key";
const LISTENER: &str = r#"{"pass":"routes","tls":{"certificate":"a"}}"#;

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// The text of the certificate that a host holds under a name.
fn held(net: &Fleet, host: usize, name: &str) -> Option<String> {
    let document = &net.hosts[host].node.own_head()?.document;
    document.value()["certificates"]
        .get(name)?
        .as_str()
        .map(str::to_owned)
}

/// Three hosts that hold a certificate `a` and a list of routes.
fn with_certificate(seed: u64) -> Fleet {
    let mut net = joined(seed, 3);
    net.set(0, "/config/routes", "[0]");
    net.set(0, "/certificates/a", &quoted(OLD));
    net.settle(SOON);
    net
}

/// What became of two changes asked for at once: the IDs, if both were published.
fn both(
    net: &mut Fleet,
    first: (usize, ClientId),
    second: (usize, ClientId),
) -> Option<(RecordId, RecordId)> {
    match (net.answer(first.0, first.1), net.answer(second.0, second.1)) {
        (
            Answer::Done {
                revision: first, ..
            },
            Answer::Done {
                revision: second, ..
            },
        ) => Some((first, second)),
        _ => None,
    }
}

/// Asserts that nobody shows any of these texts, whatever is asked for.
fn shows_none_of(net: &mut Fleet, secrets: &[&str]) {
    for host in net.running() {
        for ask in [
            Ask::from(HostQuery::Fleet),
            PastQuery::Conflicts.into(),
            PastQuery::Revisions.into(),
            HostQuery::Nodes.into(),
        ] {
            let view = json::compact(&net.view(host, ask));
            assert!(
                secrets.iter().all(|secret| !view.contains(secret)),
                "seed {}, host {host}: {view}",
                net.seed
            );
        }
    }
    let log = net.report();
    assert!(
        secrets.iter().all(|secret| !log.contains(secret)),
        "seed {}: {log}",
        net.seed
    );
}

#[test]
fn an_upload_and_a_change_at_once_are_both_made_and_a_late_joiner_has_the_bundle() {
    for seed in seeds(10) {
        let mut net = with_certificate(seed);
        let uploaded = net.put(1, "/certificates/b", &quoted("another key"));
        let changed = net.put(0, "/config/routes", "[1]");
        let module = net.put(2, "/js_modules/m", &quoted("export default {}"));
        for (host, client) in [(1, uploaded), (0, changed), (2, module)] {
            let answer = net.answer(host, client);
            net.done(answer);
        }
        net.until("all three are in", SOON, |net| {
            let all = ["another key", "[1]", "export default {}"];
            net.agree()
                && net.hosts[0]
                    .node
                    .own_head()
                    .is_some_and(|head| all.iter().all(|text| head.document.text().contains(text)))
        });
        net.settle(SOON);
        assert!(net.conflicts(0).is_empty(), "seed {seed}");
        net.add(Fleet::spec(3));
        net.until("a fourth host has joined", SOON, |net| net.all_joined());
        net.settle(SOON);
        assert_eq!(
            (held(&net, 3, "a").as_deref(), held(&net, 3, "b").as_deref()),
            (Some(OLD), Some("another key"))
        );
        shows_none_of(&mut net, &[OLD, "another key"]);
    }
}

#[test]
fn a_certificate_is_replaced_while_others_change_the_configuration_that_names_it() {
    for seed in seeds(10) {
        let mut net = with_certificate(seed);
        net.set(0, "/config/listeners/*:443", LISTENER);
        net.settle(SOON);
        let replaced = net.put(1, "/certificates/a", &quoted("the new key"));
        let changed = net.put(2, "/config/listeners/*:444", LISTENER);
        assert!(
            both(&mut net, (1, replaced), (2, changed)).is_some(),
            "seed {seed}"
        );
        net.until("both are in", SOON, |net| {
            net.agree()
                && held(net, 0, "a").as_deref() == Some("the new key")
                && net.config(0).contains("*:444")
        });
        net.settle(SOON);
        assert!(net.conflicts(0).is_empty());
    }
}

#[test]
fn of_two_replacements_at_once_the_loser_is_listed_by_fingerprint_and_can_be_kept() {
    let mut collided = 0;
    for seed in seeds(20) {
        let mut net = with_certificate(seed);
        let first = net.put(0, "/certificates/a", &quoted("key one"));
        let second = net.put(1, "/certificates/a", &quoted("key two"));
        let Some((first, second)) = both(&mut net, (0, first), (1, second)) else {
            continue;
        };
        collided += 1;
        net.until("it is listed", SOON, |net| {
            net.agree() && net.conflicts(2).iter().any(|(_, state)| state == "open")
        });
        net.settle(SOON);
        let one_won = held(&net, 2, "a").as_deref() == Some("key one");
        let (id, lost) = if one_won {
            (second, "key two")
        } else {
            (first, "key one")
        };
        assert_eq!(
            net.conflicts(2),
            vec![(id.to_string(), "open".to_owned())],
            "seed {seed}"
        );
        let conflict = net.view(2, PastQuery::Conflicts)[0].clone();
        assert_eq!(
            conflict["edit"][0]["value"],
            resources::redacted(lost),
            "seed {seed}"
        );
        let found = conflict["edit"][0]["found"]["hash"]
            .as_str()
            .expect("it is named by hash");
        assert_eq!(
            resources::redacted(OLD),
            format!("sha256:{found}"),
            "seed {seed}"
        );
        shows_none_of(&mut net, &[OLD, "key one", "key two"]);
        net.made(2, keep(id));
        net.until("it is kept", SOON, |net| {
            net.agree() && held(net, 0, "a").as_deref() == Some(lost)
        });
        assert!(net.conflicts(0).is_empty(), "seed {seed}");
    }
    assert!(
        collided >= 1 || crate::number("SEED").is_some(),
        "no seed had both replacements published"
    );
}

#[test]
fn a_certificate_that_is_deleted_on_one_host_and_named_on_another_is_never_missing() {
    let mut collided = 0;
    for seed in seeds(20) {
        let mut net = with_certificate(seed);
        let deleted = net.ask(0, Command::Write(delete("/certificates/a")));
        let named = net.put(1, "/config/listeners/*:443", LISTENER);
        let Some((deletion, naming)) = both(&mut net, (0, deleted), (1, named)) else {
            continue;
        };
        collided += 1;
        net.until("one is listed", SOON, |net| {
            net.agree() && net.conflicts(2).iter().any(|(_, state)| state == "open")
        });
        net.settle(SOON);
        let is_held = held(&net, 2, "a").is_some();
        assert_eq!(net.config(2).contains("*:443"), is_held, "seed {seed}");
        let lost = if is_held { deletion } else { naming };
        assert_eq!(
            net.conflicts(2),
            vec![(lost.to_string(), "open".to_owned())],
            "seed {seed}"
        );
    }
    assert!(
        collided >= 1 || crate::number("SEED").is_some(),
        "no seed had both changes published"
    );
}

#[test]
fn a_configuration_names_only_what_the_fleet_holds_whatever_the_own_server_has() {
    let mut net = joined(1, 2);
    let head = net.set(0, "/config/routes", "[0]");
    let refused =
        |net: &mut Fleet, path: &str, text: &str, detail: &str| match net.change(0, path, text) {
            Answer::Refused(Refusal {
                status,
                body,
                reason,
            }) => {
                let body = json::parse_own(&body).expect("it is JSON");
                assert_eq!(
                    (status, &body["error"]),
                    (400, &"Invalid configuration.".into())
                );
                assert_eq!(body["detail"], detail);
                assert!(reason.contains("upload it through Starling"), "{reason}");
            }
            other => panic!("{other:?}"),
        };
    refused(
        &mut net,
        "/config/listeners/*:443",
        LISTENER,
        "Certificate \"a\" is not found.",
    );
    refused(
        &mut net,
        "/config/settings",
        r#"{"js_module":["m"]}"#,
        "JS module \"m\" is not found.",
    );
    net.run(SOON);
    assert!(net.all_at(head), "something was published");
    net.set(0, "/certificates/a", &quoted(OLD));
    net.set(0, "/js_modules/m", &quoted("x"));
    net.set(0, "/config/listeners/*:443", LISTENER);
    net.set(0, "/config/settings", r#"{"js_module":["m"]}"#);
    let refused = |net: &mut Fleet, client| {
        let problem = problem(net.answer(0, client));
        (problem.status, problem.error)
    };
    for (path, expected) in [
        (
            "/certificates/a",
            (400, "Certificate is used in the configuration."),
        ),
        (
            "/js_modules/m",
            (400, "JS module is used in the configuration."),
        ),
        ("/certificates/b", (404, "Certificate doesn't exist.")),
        ("/js_modules/b", (404, "JS module doesn't exist.")),
    ] {
        let client = net.ask(0, Command::Write(delete(path)));
        assert_eq!(refused(&mut net, client), expected, "{path}");
    }
    let client = net.put(0, "/js_modules/m", &quoted("y"));
    assert_eq!(
        refused(&mut net, client),
        (400, "JS module already exists.")
    );
}

#[test]
fn what_a_server_named_before_its_fleet_is_a_problem_until_it_is_uploaded() {
    let mut net = joined(1, 2);
    let config = format!(r#"{{"listeners":{{"*:443":{LISTENER}}},"routes":[]}}"#);
    net.hosts[0].server.config = Arc::new(value(&config));
    net.set(0, "/config/routes", "[1]");
    net.settle(SOON);
    for host in 0..2 {
        let problems = json::compact(&net.problems(host));
        assert!(
            problems.contains(
                r#"Certificate \"a\" is named in the configuration and not held by the fleet"#
            ),
            "host {host}: {problems}"
        );
    }
    net.set(1, "/config/routes", "[2]");
    match net.change(
        1,
        "/config/listeners/*:444",
        &LISTENER.replace("\"a\"", "\"b\""),
    ) {
        Answer::Refused(refusal) => assert_eq!(refusal.status, 400),
        other => panic!("{other:?}"),
    }
    net.set(1, "/certificates/a", &quoted(OLD));
    net.settle(SOON);
    assert_eq!(
        (net.problems(0), net.problems(1)),
        (value("[]"), value("[]"))
    );
    net.set(0, "/config/listeners/*:444", LISTENER);
}

#[test]
fn the_same_bundle_again_is_done_and_makes_no_revision() {
    let mut net = with_certificate(1);
    let head = net.head(0);
    match net.change(0, "/certificates/a", &quoted(OLD)) {
        Answer::Done {
            success, revision, ..
        } => {
            assert_eq!(
                (success, Some(revision)),
                (
                    Success::Uploaded(resources::ResourceKind::Certificate),
                    head
                )
            );
        }
        other => panic!("{other:?}"),
    }
}
