//! Two groups in one fleet: hosts relay for each other, and each looks at the other's document
//! without following it.

use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::daemon::api::views;
use starlingd::limits::{DEGREE_MAX, FORWARDED_MAX, FORWARDED_SEEK, FORWARDED_WAIT};
use starlingd::model::json::Value;
use starlingd::node::answer::Answer;
use starlingd::node::ask::{PastQuery, Query};
use starlingd::node::input::{ClientId, Input};
use starlingd::sim::Spec;
use starlingd::wire::forwarded::ForwardedResponse;

use super::seeds;
use crate::asks::{of_group, path, put_forwarded};
use crate::fleet::{Fleet, SOON, without_receipt};

fn log_of(net: &mut Fleet, host: usize, group: &str) -> Vec<Value> {
    let client = net.ask(host, of_group(group, PastQuery::Revisions));
    let answer = net.take_answer(host, client);
    let Some(Value::Array(mut list)) = answer.as_ref().and_then(views::json) else {
        panic!("no history, but {answer:?}");
    };
    without_receipt(&mut list);
    list
}

/// Host 1 alone is in group `edge`; the others reach each other through host 0.
fn of_two_groups(seed: u64) -> Fleet {
    let mut net = Fleet::of(seed, 1);
    net.add(Spec {
        group: "edge".to_owned(),
        ..Fleet::spec(1)
    });
    net.until("all have joined", SOON, |net| net.all_joined());
    net
}

#[test]
fn whoever_joins_late_is_given_the_history_of_another_group_when_somebody_looks() {
    for seed in seeds(3) {
        let mut net = of_two_groups(seed);
        for number in 0..10 {
            net.set(1, "/config/routes", &format!("[{number}]"));
        }
        net.set(0, "/config/routes", "[\"ours\"]");
        let late = net.add(Fleet::spec(2));
        net.until("it holds the other head", SOON, |net| {
            net.is_joined(late) && log_of(net, 0, "edge").len() == 10
        });
        net.until("it is given the rest", SOON, |net| {
            log_of(net, late, "edge").len() == 10
        });
        assert_eq!(
            log_of(&mut net, late, "edge"),
            log_of(&mut net, 1, "edge"),
            "seed {seed}"
        );
        net.until("it follows its own group", SOON, |net| {
            net.config(late).contains("ours")
        });
        assert!(net.config(1).contains("[9]"));
    }
}

#[test]
fn a_document_of_another_group_is_its_head_and_a_group_of_nobody_has_none() {
    for seed in seeds(3) {
        let mut net = of_two_groups(seed);
        net.set(0, "/config/routes", "[\"ours\"]");
        let theirs = net.set(1, "/config/routes", "[\"theirs\"]");
        net.until("the head is here", SOON, |net| {
            !log_of(net, 0, "edge").is_empty()
        });
        let element = || path("/config/routes/0");
        let client = net.ask(0, of_group("edge", Query::Document(element())));
        match net.answer(0, client) {
            Answer::Value {
                document,
                path,
                head,
                applied,
            } => {
                assert_eq!(
                    (document.get(&path), head, applied),
                    (Some(&Value::from("theirs")), Some(theirs), None)
                );
            }
            other => panic!("no value, but {other:?}"),
        }
        let client = net.ask(0, of_group("none", Query::Document(element())));
        assert!(
            matches!(net.answer(0, client), Answer::Denied(denial) if said(&denial).status == 404)
        );
    }
}

fn refused(net: &mut Fleet, host: usize, client: ClientId, most: Duration) -> (u16, String) {
    let mut told = None;
    net.until("it is answered", most, |net| {
        told = net.take_answer(host, client);
        told.is_some()
    });
    match told {
        Some(Answer::Denied(denial)) => (said(&denial).status, said(&denial).detail),
        other => panic!("no problem, but {other:?}"),
    }
}

/// Simulated hosts have no REST endpoint: what they are asked for is never answered.
#[test]
fn a_change_that_a_host_of_its_group_never_answers_is_unknown_after_a_while() {
    let mut net = of_two_groups(1);
    net.run(Duration::from_secs(5));
    let client = net.ask(0, put_forwarded("edge", 2));
    let (status, detail) = refused(&mut net, 0, client, FORWARDED_WAIT + SOON);
    assert!(status == 503 && detail.contains("in time"), "{detail}");
}

#[test]
fn a_link_that_breaks_over_a_change_leaves_it_unknown_and_without_one_it_is_refused() {
    let mut net = of_two_groups(2);
    net.run(Duration::from_secs(5));
    let client = net.ask(0, put_forwarded("edge", 2));
    net.split(&[1]);
    let (status, detail) = refused(&mut net, 0, client, SOON);
    assert!(
        status == 503 && detail.contains("the link to it broke"),
        "{detail}"
    );
    let client = net.ask(0, put_forwarded("edge", 2));
    let (status, detail) = refused(&mut net, 0, client, SOON);
    assert!(status == 409 && detail.contains("host-2"), "{detail}");
}

#[test]
fn more_changes_of_another_group_than_a_link_takes_are_refused_and_it_stays() {
    let mut net = of_two_groups(1);
    net.run(Duration::from_secs(5));
    let links = net.pairs();
    let clients: Vec<ClientId> = (0..8)
        .map(|_| net.ask(0, put_forwarded("edge", FORWARDED_MAX - 1000)))
        .collect();
    assert_eq!(net.pairs(), links, "{}", net.report());
    let refused = clients
        .iter()
        .filter_map(|client| match net.take_answer(0, *client) {
            Some(Answer::Denied(denial)) => Some((said(&denial).status, said(&denial).error)),
            _ => None,
        });
    let refused: Vec<_> = refused.collect();
    assert!(!refused.is_empty() && refused.len() < 8, "{refused:?}");
    assert!(
        refused
            .iter()
            .all(|problem| *problem == (503, "Too many changes are waiting.")),
        "{refused:?}"
    );
}

/// A fleet above the full mesh; its last two hosts are in group `edge`.
fn large(seed: u64, count: usize) -> Fleet {
    let mut net = Fleet::new(seed);
    for number in 0..count {
        let group = if number + 2 < count {
            "default"
        } else {
            "edge"
        };
        net.add(Spec {
            group: group.to_owned(),
            ..Fleet::spec(number)
        });
    }
    net.until("all have joined", Duration::from_secs(120), |net| {
        net.all_joined()
    });
    net.run(Duration::from_secs(60));
    net
}

/// Hosts that are linked with no host of group `edge`.
fn strangers(net: &Fleet) -> Vec<usize> {
    let count = net.hosts.len();
    let pairs = net.pairs();
    (0..count - 2)
        .filter(|host| {
            !pairs
                .iter()
                .any(|(one, other)| one == host && *other >= count - 2)
        })
        .collect()
}

/// Has whoever was asked for something say yes; gives who it was.
fn done(net: &mut Fleet) -> Option<usize> {
    let host = (0..net.hosts.len()).find(|host| !net.hosts[*host].forwarding.is_empty())?;
    let (number, forwarded) = net.hosts[host].forwarding.remove(0);
    assert_eq!(forwarded.group, "edge");
    net.deliver(
        host,
        Input::ForwardedDone(
            number,
            ForwardedResponse {
                status: 200,
                headers: Vec::new(),
                body: Vec::new(),
            },
        ),
    );
    Some(host)
}

#[test]
fn a_host_of_another_group_that_is_not_linked_is_dialled_for_a_change() {
    for seed in seeds(3) {
        let mut net = large(seed, 20);
        let here = *strangers(&net)
            .first()
            .expect("not everybody is linked with everybody");
        let client = net.ask(here, put_forwarded("edge", 2));
        let mut by = None;
        net.until("it is asked", Duration::from_secs(2), |net| {
            by = done(net);
            by.is_some()
        });
        let mut told = None;
        net.until("it is answered", Duration::from_secs(1), |net| {
            told = net.take_answer(here, client);
            told.is_some()
        });
        let named = format!("host-{}", by.expect("somebody was asked") + 1);
        let Some(Answer::Relayed(told)) = told else {
            panic!("not passed on: {told:?}")
        };
        assert!(
            told.status == 200 && told.headers.contains(&("Starling-Host".to_owned(), named)),
            "{told:?}"
        );
        assert!(net.degree(here) <= DEGREE_MAX + 1);
    }
}

/// All others have the first host configured, and it alone is in group `edge`: it has links enough.
#[test]
fn a_host_that_has_links_enough_takes_one_more_for_a_change_and_ends_it_afterwards() {
    for seed in seeds(3) {
        let mut net = Fleet::new(seed);
        net.add(Spec {
            group: "edge".to_owned(),
            ..Fleet::spec(0)
        });
        (1..24).for_each(|number| _ = net.add(Fleet::spec(number)));
        net.until("all have joined", Duration::from_secs(120), |net| {
            net.all_joined()
        });
        net.until("it has links enough", Duration::from_secs(120), |net| {
            net.degree(0) == DEGREE_MAX
        });
        let here = (1..24)
            .find(|host| !net.pairs().contains(&(0, *host)))
            .expect("not everybody is linked with it");
        let client = net.ask(here, put_forwarded("edge", 2));
        net.until("it is asked", Duration::from_secs(2), |net| {
            done(net) == Some(0)
        });
        net.until("it is answered", Duration::from_secs(1), |net| {
            net.take_answer(here, client)
                .is_some_and(|answer| matches!(answer, Answer::Relayed(told) if told.status == 200))
        });
        net.until("it has no more links than before", SOON, |net| {
            net.degree(0) <= DEGREE_MAX
        });
    }
}

#[test]
fn a_change_for_which_nobody_can_be_reached_is_refused_after_a_while() {
    for dark in [true, false] {
        let mut net = large(1, 20);
        let here = *strangers(&net)
            .first()
            .expect("not everybody is linked with everybody");
        (18..20).for_each(|host| net.crash(host, dark));
        net.run(Duration::from_secs(20));
        let dials = net.hosts[here].dials;
        let client = net.ask(here, put_forwarded("edge", 2));
        let (status, detail) = refused(&mut net, here, client, FORWARDED_SEEK + SOON);
        assert!(status == 409 && detail.contains("host-19"), "{detail}");
        let dials = net.hosts[here].dials - dials;
        assert!((2..10).contains(&dials), "{dials} dials");
    }
}
