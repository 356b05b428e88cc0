//! The servers behind the peers: configured before, down, crashed, of another opinion.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::lab::Lab;
use super::{FIRST, Pace, SOON, change, has, lab, publish, stays, wait_all_have};
use harness::http;

#[test]
fn the_fleets_document_wins_on_a_host_that_joins_and_what_its_server_ran_is_kept() {
    lab(2, 1, Pace::Busy, |lab| {
        lab.join(&[1, 2]);
        lab.start(&[1]);
        publish(lab, 1);
        lab.host_mut(2).serve();
        let old = r#"{"listeners":{},"routes":{"mine":[{"action":{"return":418}}]}}"#;
        http::request(&lab.host(2).unit_socket(), "PUT", "/config", old.as_bytes())
            .expect("the server answers");
        lab.host_mut(2).start();
        wait_all_have(lab, &[1, 2], &["main"]);
        let kept = || {
            fs::read_to_string(lab.host(2).state().join("before-starling.json")).unwrap_or_default()
        };
        lab.wait_for(
            SOON,
            || format!("the old document is kept: {:?}", kept()),
            || kept().contains("418"),
        );
        assert!(
            !has(lab, 1, "mine"),
            "a host that joins does not speak for the fleet"
        );
    });
}

#[test]
fn a_fleet_without_a_document_changes_nothing_on_a_configured_server() {
    lab(2, 1, Pace::Busy, |lab| {
        for i in [1, 2] {
            lab.host_mut(i).serve();
        }
        let own: Value = serde_json::from_str(FIRST).expect("JSON");
        http::request(
            &lab.host(1).unit_socket(),
            "PUT",
            "/config",
            FIRST.as_bytes(),
        )
        .expect("the server answers");
        let seen = |lab: &Lab| [1, 2].map(|i| (lab.host(i).server_config(), writes(lab, i)));
        let before = seen(lab);
        lab.join(&[1, 2]);
        for i in [1, 2] {
            lab.host_mut(i).start();
        }
        lab.wait_linked(&[1, 2], 1);
        lab.wait(SOON, "GET /config shows what the own server runs", || {
            lab.host(1).json("/config") == own
        });
        assert!(
            lab.host(1)
                .get("/config")
                .expect("it answers")
                .header("etag")
                .is_none(),
            "there is no revision yet"
        );
        stays(lab, Duration::from_secs(3), "no server is touched", || {
            seen(lab) == before
        });
    });
}

#[test]
fn a_server_that_was_down_during_a_change_has_it_when_it_is_up_again() {
    lab(3, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2, 3]);
        publish(lab, 1);
        wait_all_have(lab, &[1, 2, 3], &[]);
        lab.host(2).fault("down");
        change(lab, 1, "missed");
        wait_all_have(lab, &[1, 3], &["missed"]);
        lab.host(2).fault("up");
        wait_all_have(lab, &[1, 2, 3], &["missed"]);
    });
}

#[test]
fn a_server_that_shows_its_factory_default_is_given_the_document_again() {
    lab(3, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2, 3]);
        publish(lab, 1);
        wait_all_have(lab, &[1, 2, 3], &["main"]);
        let head = lab.host(1).head();
        lab.host(2).fault("factory");
        let took = wait_all_have(lab, &[1, 2, 3], &["main"]);
        assert!(took < Duration::from_secs(10), "it took {took:?}");
        assert_eq!(
            lab.host(1).head(),
            head,
            "a crash is not an operator's change"
        );
    });
}

#[test]
fn a_server_that_refuses_is_shown_in_nodes_with_its_own_words_and_stops_nobody_else() {
    lab(3, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2, 3]);
        publish(lab, 1);
        wait_all_have(lab, &[1, 2, 3], &[]);
        lab.host(3).fault("refuse unwelcome");
        change(lab, 1, "unwelcome");
        wait_all_have(lab, &[1, 2], &["unwelcome"]);
        lab.wait(SOON, "host 1 shows the refusal of host 3", || {
            node(&lab.host(1).json("/fleet/nodes"), "h3").contains("refused")
        });
        assert!(!node(&lab.host(1).json("/fleet/nodes"), "h2").contains("refused"));
        let runs = lab.host(3).server_config().unwrap_or_default();
        assert_eq!(
            runs.pointer("/routes/main"),
            Some(&json!([{"action":{"return":200}}])),
            "the last good one keeps running"
        );
        lab.host(3).fault("ok");
        lab.wait(SOON * 3, "host 3 follows when its server accepts", || {
            lab.agree(&[1, 2, 3])
        });
    });
}

#[test]
fn a_change_that_the_authors_own_server_refuses_never_leaves_the_host() {
    lab(2, 1, Pace::Busy, |lab| {
        lab.fleet(&[1, 2]);
        publish(lab, 1);
        wait_all_have(lab, &[1, 2], &[]);
        let head = lab.host(1).head();
        lab.host(1).fault("refuse unwelcome");
        let reply = lab.host(1).put("/config/routes/unwelcome", b"[]");
        assert_eq!(reply.status, 400, "{}", reply.body);
        assert_eq!(
            text(&reply.json(), "error"),
            "Invalid configuration.",
            "the server's own words"
        );
        stays(
            lab,
            Duration::from_secs(1),
            "the head is the old one",
            || lab.host(1).head() == head && lab.host(2).head() == head,
        );
    });
}

/// How many requests to change something the server of host `number` has had.
fn writes(lab: &Lab, number: usize) -> Value {
    let stats: Value =
        serde_json::from_str(&lab.host(number).fault("stats")).expect("one line of JSON");
    stats["writes"].clone()
}

/// The node record of the host of this name, as text.
fn node(nodes: &Value, name: &str) -> String {
    let found = nodes
        .as_array()
        .into_iter()
        .flatten()
        .find(|node| text(node, "name") == name);
    found.map(Value::to_string).unwrap_or_default()
}

/// A text member, or nothing.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
