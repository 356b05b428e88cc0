//! Members that name foreign addresses, to have a fleet knock at a stranger's door or be busy with
//! nobody.

use std::time::Duration;

use starlingd::limits::{DIAL_BURST, DIAL_EVERY};
use starlingd::model::record::{Header, Kind, Record, RecordId};
use starlingd::model::stamp::Stamp;
use starlingd::node::input::Input;
use starlingd::sim::secret;
use starlingd::wire::handshake::Hello;

use super::seeds;
use super::spreading::joined;
use crate::fleet::{Fleet, SOON};
use crate::members::{self, hello, ours, peer};

/// The first of the identities that are invented.
const INVENTED: u64 = 1 << 32;

/// What an invented host says of itself: it listens at these addresses.
fn node_record(identity: u64, addresses: &[String]) -> Vec<u8> {
    let secret = secret(identity);
    let header = Header {
        kind: Kind::Node,
        flags: 0,
        fleet: ours(),
        key: String::new(),
        author: peer(identity),
        height: 1,
        stamp: Stamp::default(),
        base: RecordId::NONE,
        body_len: 0,
        body_hash: [0; 32],
        numbered: None,
        note: String::new(),
    };
    let quoted: Vec<String> = addresses
        .iter()
        .map(|address| format!("\"{address}\""))
        .collect();
    let body = format!("{{\"name\":\"x\",\"addresses\":[{}]}}", quoted.join(","));
    members::record(
        &Record::sign(header, body.as_bytes(), &secret),
        body.as_bytes(),
    )
}

/// A member that says it listens at these addresses.
fn listening(identity: u64, addresses: &[&str]) -> Hello {
    let parsed = addresses.iter().map(|address| address.parse().unwrap());
    Hello {
        addresses: parsed.collect(),
        ..hello(identity)
    }
}

/// A member says at a host that so many others are at eight foreign addresses each.
fn aim(net: &mut Fleet, host: usize, count: u64) -> usize {
    let puppet = net.puppet(host, hello(INVENTED));
    for number in 1..=count {
        let addresses: Vec<String> = (0..8)
            .map(|at| {
                format!(
                    "198.{}.{}.{}:{}",
                    18 + number / 8192,
                    number / 32 % 256,
                    number % 32 * 8 + at,
                    9
                )
            })
            .collect();
        net.says(puppet, node_record(INVENTED + number, &addresses));
    }
    assert!(!net.puppets[puppet].closed);
    puppet
}

fn most_dials(time: Duration) -> u64 {
    u64::from(DIAL_BURST) + (time.as_millis() / DIAL_EVERY.as_millis()) as u64 + 1
}

#[test]
fn two_thousand_invented_hosts_cost_no_more_dials_than_the_ration() {
    let mut net = joined(1, 3);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net.until("a full mesh", Duration::from_secs(60), |net| {
        net.pairs().len() == 3
    });
    let before: Vec<u64> = net.hosts.iter().map(|host| host.dials).collect();
    let time = Duration::from_secs(20);
    aim(&mut net, 0, 2_000);
    net.run(time);
    for (host, before) in before.iter().enumerate() {
        let dials = net.hosts[host].dials - before;
        assert!(
            dials <= most_dials(time),
            "host {host} has dialled {dials} times"
        );
    }
}

#[test]
fn what_was_invented_is_forgotten_and_never_on_disk() {
    let mut net = joined(1, 3);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    net.until("a full mesh", Duration::from_secs(60), |net| {
        net.pairs().len() == 3
    });
    aim(&mut net, 0, 30);
    // Three tries of eight addresses each, of which in a large fleet three are under way at a time,
    // and each takes three seconds.
    net.run(Duration::from_secs(30 * 8 * 3 * 3));
    let dials = net.hosts[1].dials;
    net.run(Duration::from_secs(600));
    assert_eq!(net.hosts[1].dials, dials, "it is dialled for ever");
    for host in &net.hosts {
        let book = String::from_utf8(host.disk.book.clone()).unwrap();
        assert!(!book.contains("198.") && book.contains("10.0.0."), "{book}");
    }
}

#[test]
fn many_that_are_invented_keep_nobody_out_who_was_spoken_with_and_no_newcomer() {
    for seed in seeds(2) {
        let mut net = joined(seed, 3);
        let head = net.set(0, "/config/routes", "[0]");
        net.settle(SOON);
        net.until("a full mesh", Duration::from_secs(60), |net| {
            net.pairs().len() == 3
        });
        aim(&mut net, 0, 400);
        net.run(Duration::from_secs(20));
        net.crash(1, false);
        net.crash(2, true);
        net.run(Duration::from_secs(30));
        net.restart(1);
        net.restart(2);
        net.until("both are back", SOON, |net| {
            net.all_at(head) && net.pairs().len() >= 2
        });
        let newcomer = net.add(Fleet::spec(3));
        net.until("a newcomer is one of them", SOON, |net| {
            net.degree(newcomer) > 0 && is_at(net, newcomer, head)
        });
    }
}

fn is_at(net: &Fleet, host: usize, head: RecordId) -> bool {
    net.hosts[host]
        .node
        .own_head()
        .is_some_and(|own| own.id() == head)
}

/// Whoever links under a thousand names is at one place, whatever he says of others.
#[test]
fn names_that_were_met_count_as_somebodys_word_where_nobody_was_met() {
    let mut net = joined(1, 2);
    net.set(0, "/config/routes", "[0]");
    net.settle(SOON);
    for number in 0..300 {
        let foreign = format!("198.18.{}.{}:9", number / 250, number % 250 + 1);
        net.puppet(
            0,
            listening(INVENTED + number, &[&foreign, "10.255.255.1:7117"]),
        );
        let link = *net.hosts[0].links.keys().last().unwrap();
        net.deliver(0, Input::Unlinked(link, "reset".into()));
    }
    let (before, time) = (net.hosts[0].dials, Duration::from_secs(60));
    net.run(time);
    assert!(net.hosts[0].dials - before <= most_dials(time));
    net.crash(1, false);
    net.run(Duration::from_secs(20));
    net.restart(1);
    net.until("the honest one is back", SOON, |net| net.pairs().len() == 1);
    let book = String::from_utf8(net.hosts[0].disk.book.clone()).unwrap();
    assert!(!book.contains("198.18."), "{book}");
}

#[test]
fn the_ports_of_one_ip_are_not_searched() {
    let mut net = joined(1, 1);
    let puppet = net.puppet(0, hello(INVENTED));
    for number in 1..=500 {
        let addresses: Vec<String> = (0..8)
            .map(|at| format!("203.0.113.7:{}", 1000 + number * 8 + at))
            .collect();
        net.says(puppet, node_record(INVENTED + number, &addresses));
    }
    net.run(Duration::from_secs(50));
    assert!(
        (4..=12).contains(&net.hosts[0].dials),
        "{} dials",
        net.hosts[0].dials
    );
}
