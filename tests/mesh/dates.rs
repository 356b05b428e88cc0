//! What revisions are dated: heights and stamps are bounded, clocks that are wrong spoil nothing,
//! and what was spoilt is mended.

use std::time::Duration;

use starlingd::limits::AHEAD_MAX_MS;
use starlingd::model::json;
use starlingd::model::record::{Header, Record, RecordId};
use starlingd::model::revision::Revision;
use starlingd::model::stamp::Stamp;
use starlingd::node::ask::HostQuery;
use starlingd::sim::secret;
use starlingd::wire::frame::Frame;

use super::liars::revision;
use super::seeds;
use super::spreading::joined;
use crate::asks::{restore, value};
use crate::fleet::{Fleet, SOON};
use crate::members::{self, announced, hello, ours};

const LIAR: u64 = 99;
const YEARS_33_MS: i64 = 33 * 365 * 86_400_000;
/// Two exchanges with everybody, and what follows from them.
const EXCHANGED: Duration = Duration::from_secs(180);

fn right(net: &Fleet) -> u64 {
    starlingd::sim::SimClock::default().wall_ms(net.now)
}

/// A revision of any height and date, on a base that there never was.
fn forged(height: u64, stamp: Stamp, config: &str) -> (Record, Vec<u8>) {
    let honest = revision(ours(), 5, config);
    let header = Header {
        height,
        stamp,
        base: RecordId([7; 32]),
        ..(*honest.record.header).clone()
    };
    (
        Record::sign(header, &honest.body, &secret(LIAR)),
        honest.body.to_vec(),
    )
}

/// Somebody who says this record to a host; the name of the link.
fn says(net: &mut Fleet, host: usize, (record, body): &(Record, Vec<u8>)) -> usize {
    let puppet = net.puppet(host, hello(LIAR));
    net.says(puppet, members::record(record, body));
    puppet
}

fn own_head(net: &Fleet, host: usize) -> &Revision {
    net.hosts[host].node.own_head().expect("there is one")
}

/// Whether the head of a host is dated by the right time.
fn is_dated_rightly(net: &Fleet, host: usize) -> bool {
    own_head(net, host).record.header.stamp.wall_ms() <= right(net)
}

fn restored(net: &mut Fleet, host: usize, id: RecordId) -> RecordId {
    net.made(host, restore(id, "/config"))
}

#[test]
fn after_the_worst_permitted_jump_changes_are_valid_and_one_restore_cures_all() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        let good = net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        let (text, until) = (value(&net.config(0)), right(&net) + AHEAD_MAX_MS - 1_000);
        let bad = forged(
            until,
            Stamp::at(until),
            r#"{"routes":["bad"],"applications":{}}"#,
        );
        says(&mut net, 0, &bad);
        net.until("it is head everywhere", SOON, |net| net.all_at(bad.0.id));
        for host in 0..3 {
            let mark = format!("{{\"n\":{host}}}");
            net.set(host, "/config/applications/own", &mark);
            net.until("the change is everywhere", Duration::from_secs(2), |net| {
                net.agree() && net.config(0).contains(&mark)
            });
        }
        net.settle(EXCHANGED);
        restored(&mut net, 1, good);
        net.until("the cure is everywhere", Duration::from_secs(2), |net| {
            (0..3).all(|host| value(&net.config(host)) == text)
        });
        net.settle(EXCHANGED);
        assert!(net.agree() && value(&net.config(2)) == text);
    }
}

#[test]
fn what_is_dated_more_than_a_day_ahead_is_no_fault_and_is_taken_in_its_time() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        let head = net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        let until = right(&net) + AHEAD_MAX_MS;
        let far = forged(1 << 45, Stamp::MAX, r#"{"routes":["far"]}"#);
        let near = forged(
            until + 20_000,
            Stamp::at(until + 20_000),
            r#"{"routes":["near"],"applications":{}}"#,
        );
        for early in [&far, &near] {
            let puppet = says(&mut net, 0, early);
            net.says(puppet, announced(&early.0));
            assert!(!net.puppets[puppet].closed && net.all_at(head));
            let asked =
                |frame: &Vec<u8>| matches!(Frame::decode(frame), Ok(Some(Frame::Pull { .. })));
            assert!(
                !net.puppets[puppet].frames.iter().any(asked),
                "its body is not asked for"
            );
        }
        assert!(
            net.problems(0).to_string().contains("dated"),
            "{}",
            net.problems(0)
        );
        net.run(Duration::from_secs(21));
        says(&mut net, 0, &near);
        net.until("it is taken by all", SOON, |net| net.all_at(near.0.id));
        net.set(2, "/config/routes", "[2]");
    }
}

/// The host whose clock is ahead takes first what others take later; what is made on it meanwhile
/// reaches them with it.
#[test]
fn hosts_whose_clocks_differ_by_half_a_minute_agree_soon_at_the_bound() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        for (host, off) in [(0, 29_000), (2, -29_000)] {
            net.hosts[host].clock.off_ms = off;
        }
        net.run(EXCHANGED);
        let until = right(&net) + AHEAD_MAX_MS - 1_000;
        let bad = forged(
            until,
            Stamp::at(until),
            r#"{"routes":["bad"],"applications":{}}"#,
        );
        says(&mut net, 0, &bad);
        net.until("it is head of the first", SOON, |net| {
            net.head(0) == Some(bad.0.id)
        });
        net.set(0, "/config/applications/a", "{}");
        net.until("all agree", Duration::from_secs(40), |net| {
            net.agree() && net.head(0) != Some(bad.0.id)
        });
        let text = net.config(2);
        assert!(text.contains("bad") && text.contains("\"a\""), "{text}");
    }
}

#[test]
fn a_host_that_was_years_ahead_for_four_seconds_dates_nobodys_later_changes() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.crash(1, false);
        net.hosts[1].clock.off_ms = YEARS_33_MS;
        net.restart(1);
        net.run(Duration::from_secs(4));
        net.crash(1, false);
        net.hosts[1].clock.off_ms = 0;
        net.restart(1);
        net.run(EXCHANGED);
        for host in 0..3 {
            let head = net.set(host, "/config/routes", &format!("[{host}]"));
            assert!(is_dated_rightly(&net, host), "seed {seed}: host {host}");
            net.until("all have it", Duration::from_secs(2), |net| {
                net.all_at(head)
            });
        }
    }
}

#[test]
fn a_change_made_alone_with_a_clock_years_ahead_reaches_all_and_is_dated_anew() {
    for seed in seeds(10) {
        let mut net = joined(seed, 4);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[1]);
        net.run(SOON);
        net.hosts[1].clock.off_ms = YEARS_33_MS;
        net.crash(1, false);
        net.restart(1);
        let alone = net.set(1, "/config/applications/alone", "{}");
        assert!(!is_dated_rightly(&net, 1));
        if seed % 2 == 0 {
            net.set(0, "/config/applications/here", "{}");
        }
        net.heal();
        net.until("all have it", EXCHANGED, |net| {
            net.agree() && net.config(0).contains("alone")
        });
        net.settle(EXCHANGED);
        (0..4).for_each(|host| assert!(is_dated_rightly(&net, host), "seed {seed}: host {host}"));
        assert_eq!(net.config(3).contains("here"), seed % 2 == 0, "{alone:?}");
        assert!(net.conflicts(0).is_empty(), "seed {seed}");
    }
}

#[test]
fn a_fleet_whose_clocks_were_all_years_ahead_keeps_its_document_and_can_be_joined() {
    for seed in seeds(6) {
        let mut net = joined(seed, 3);
        (0..3).for_each(|host| net.hosts[host].clock.off_ms = YEARS_33_MS);
        net.run(EXCHANGED);
        for number in 0..5 {
            net.set(number % 3, "/config/routes", &format!("[{number}]"));
            net.settle(SOON);
        }
        let text = net.config(0);
        assert!(!is_dated_rightly(&net, 0));
        for host in 0..3 {
            net.crash(host, false);
            net.hosts[host].clock.off_ms = 0;
            net.restart(host);
        }
        net.add(Fleet::spec(3));
        net.until("it has joined", SOON, |net| net.is_joined(3) && net.agree());
        assert_eq!(net.config(3), text);
        net.until("the head is dated anew", EXCHANGED, |net| {
            (0..4).all(|host| is_dated_rightly(net, host))
        });
        assert!(net.agree());
        assert_eq!(net.config(3), text);
    }
}

#[test]
fn a_host_whose_clock_is_a_month_behind_joins_converges_and_writes() {
    for (seed, count) in seeds(6).zip([2, 3].into_iter().cycle()) {
        let mut net = joined(seed, count);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        let late = net.add(Fleet::spec(count));
        net.hosts[late].clock.off_ms = -30 * 86_400_000;
        net.until("it has joined", SOON, |net| {
            net.is_joined(late) && net.agree()
        });
        net.crash(late, false);
        let head = net.set(0, "/config/routes", "[1]");
        net.restart(late);
        net.until("it is in step", SOON, |net| net.head(late) == Some(head));
        let head = net.set(late, "/config/routes", "[2]");
        net.until("its change is everywhere", SOON, |net| net.all_at(head));
    }
}

/// A board without a clock, and nobody there to tell it the time, takes whatever comes.
#[test]
fn whoever_was_fooled_while_it_knew_no_time_comes_back_with_its_own_changes() {
    for seed in seeds(6) {
        let mut net = joined(seed, 4);
        net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.split(&[3]);
        net.run(SOON);
        net.hosts[3].clock.stands_at_ms = Some(10_000);
        let far = forged(
            1 << 45,
            Stamp::at(1 << 45),
            r#"{"routes":["far"],"applications":{}}"#,
        );
        says(&mut net, 3, &far);
        net.until("it is fooled", SOON, |net| net.head(3) == Some(far.0.id));
        net.set(3, "/config/applications/mine", "{}");
        let text = own_head(&net, 0).document.config().clone();
        net.heal();
        net.until(
            "all agree, and have what it has written",
            EXCHANGED,
            |net| net.agree() && net.config(0).contains("mine"),
        );
        let mut now = own_head(&net, 3).document.config().clone();
        now["applications"]
            .as_object_mut()
            .unwrap()
            .shift_remove("mine");
        assert_eq!(
            json::compact(&now["routes"]),
            json::compact(&text["routes"]),
            "seed {seed}"
        );
        let head = net.set(3, "/config/routes", "[3]");
        net.until("its changes reach all", SOON, |net| net.all_at(head));
        assert_eq!(value(&net.config(0))["routes"], value("[3]"));
    }
}

#[test]
fn a_clock_more_than_a_minute_off_is_named_on_every_host_until_it_is_right() {
    let mut net = joined(1, 3);
    net.hosts[1].clock.off_ms = 5 * 60_000;
    let named =
        |net: &mut Fleet, host: usize| net.problems(host).to_string().contains("the clock of");
    net.until("all name it", EXCHANGED, |net| {
        (0..3).all(|host| named(net, host))
    });
    let nodes = net.view(0, HostQuery::Nodes);
    let off = |node: &json::Value| {
        node["clock_ms"]
            .as_i64()
            .expect("there are three to compare")
    };
    assert_eq!(
        nodes
            .as_array()
            .expect("a list")
            .iter()
            .filter(|node| off(node) > 4 * 60_000)
            .count(),
        1,
        "{nodes}"
    );
    net.hosts[1].clock.off_ms = 0;
    net.until("nobody is named", EXCHANGED, |net| {
        (0..3).all(|host| !named(net, host))
    });
}

#[test]
fn when_a_revision_came_is_shown_beside_its_date_unless_the_clock_is_unsound() {
    let mut net = joined(1, 3);
    net.hosts[2].clock.stands_at_ms = Some(10_000);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    let now = right(&net);
    for host in [0, 1] {
        let came = net.newest(host)["received"]
            .as_u64()
            .expect("its clock is sound");
        assert!(now - came < 20_000);
    }
    assert!(net.newest(2)["received"].is_null());
}
