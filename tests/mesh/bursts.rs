//! Many clients that append to one array at once, in fleets of any age: all that was acknowledged
//! is there within seconds, once, and nothing is listed; and hardly anybody is sent away.

use std::collections::BTreeMap;
use std::time::Duration;

use starlingd::daemon::api::refusals::said;
use starlingd::model::revision::Revision;
use starlingd::node::answer::Answer;
use starlingd::node::input::ClientId;
use starlingd::node::rng::Rng;
use starlingd::sim::past::{kept, past};

use super::seeds;
use crate::asks::value;
use crate::fleet::{Fleet, SOON};

const FIRST: &str = r#"{"listeners":{},"routes":[],"applications":{}}"#;
/// Clients at each host, and what each of them appends.
const CLIENTS: usize = 4;
const EACH: usize = 10;
/// On memory cards a client may have to come again: of 120 appends so many.
const TURNED_AWAY_MAX: usize = 6;
/// By when all of it is to be everywhere.
const BY: Duration = Duration::from_secs(5);

/// So many hosts that have been a fleet for so many edits.
fn aged(seed: u64, hosts: usize, edits: usize) -> Fleet {
    let mut net = Fleet::new(seed);
    let behind: Vec<Revision> = past("default", value(FIRST), edits);
    net.observer().seen_mut().remember(&behind);
    for number in 0..hosts {
        net.add_with(Fleet::spec(number), kept(&behind));
    }
    net.until("all are linked", SOON, |net| {
        net.all_joined() && (0..hosts).all(|host| net.degree(host) + 1 >= hosts)
    });
    net.settle(SOON);
    net
}

/// What came of a burst.
struct Burst {
    made: Vec<u64>,
    turned_away: usize,
}

/// Each client appends one element after the other, the next when it has an answer. A disk takes up
/// to `slow` to make something durable, now more and now less.
fn burst(net: &mut Fleet, hosts: usize, slow: Duration) -> Burst {
    let mut rng = Rng::new(hosts as u64);
    let (mut made, mut turned_away) = (Vec::new(), 0);
    let mut left: BTreeMap<usize, usize> =
        (0..hosts * CLIENTS).map(|client| (client, EACH)).collect();
    let mut waiting: BTreeMap<usize, (ClientId, usize)> = BTreeMap::new();
    while !left.is_empty() || !waiting.is_empty() {
        for (client, count) in &mut left {
            if !waiting.contains_key(client) {
                *count -= 1;
                let number = 1 + client * EACH + *count;
                waiting.insert(
                    *client,
                    (
                        net.append(client / CLIENTS, "/config/routes", number),
                        number,
                    ),
                );
            }
        }
        left.retain(|_, count| *count > 0);
        net.hosts
            .iter_mut()
            .for_each(|host| host.disk.slow = rng.up_to(slow));
        net.run(Duration::from_millis(1));
        waiting.retain(
            |client, (name, number)| match net.take_answer(client / CLIENTS, *name) {
                None => true,
                Some(Answer::Done { .. }) => {
                    made.push(*number as u64);
                    false
                }
                Some(Answer::Denied(denial)) if said(&denial).status == 503 => {
                    turned_away += 1;
                    false
                }
                Some(other) => panic!("an append is answered {other:?}"),
            },
        );
    }
    Burst { made, turned_away }
}

fn routes(net: &mut Fleet, host: usize) -> Vec<u64> {
    let config = value(&net.config(host));
    let mut there: Vec<u64> = config["routes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|number| number.as_u64())
        .collect();
    there.sort_unstable();
    there
}

/// What is acknowledged is everywhere, once, within seconds, and nothing is listed; so many clients
/// were told to come again.
fn at_rest_after_a_burst(net: &mut Fleet, slow: Duration) -> usize {
    let Burst {
        mut made,
        turned_away,
    } = burst(net, 3, slow);
    made.sort_unstable();
    let since = net.now;
    net.until("all are there", 20 * BY, |net| {
        let uncontained = net
            .hosts
            .iter()
            .any(|host| host.node.uncontained().next().is_some());
        net.agree() && !uncontained
    });
    let took = net.now - since;
    println!(
        "{} made, {turned_away} turned away, at rest after {took:?}",
        made.len()
    );
    assert_eq!(routes(net, 0), made);
    assert!(net.conflicts(0).is_empty(), "{:?}", net.conflicts(0));
    assert!(took <= BY, "{took:?}");
    turned_away
}

#[test]
fn appends_at_once_are_there_within_seconds_however_long_the_past() {
    for edits in [20, 300, 700] {
        for seed in seeds(4) {
            println!("seed {seed}, {edits} edits");
            let turned_away =
                at_rest_after_a_burst(&mut aged(seed, 3, edits), Duration::from_millis(6));
            assert_eq!(
                turned_away, 0,
                "clients are troubled with what a host can do itself"
            );
        }
    }
}

/// Where it takes long until something is durable, heads come meanwhile: most changes lose once,
/// and some of their replays again.
#[test]
fn appends_at_once_are_there_within_seconds_though_the_disks_are_memory_cards() {
    for slow in [50, 200].map(Duration::from_millis) {
        for seed in seeds(2) {
            println!("seed {seed}, up to {slow:?} to make something durable");
            let turned_away = at_rest_after_a_burst(&mut aged(seed, 3, 300), slow);
            assert!(
                turned_away <= TURNED_AWAY_MAX,
                "{turned_away} clients are troubled"
            );
        }
    }
}
