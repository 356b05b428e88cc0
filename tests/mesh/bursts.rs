//! Many clients that append to one array at once, in fleets of any age: all that was acknowledged is there within seconds, once, and nothing
//! is listed; and hardly anybody is sent away.

use std::collections::BTreeMap;
use std::time::Duration;

use starlingd::model::revision::Revision;
use starlingd::node::answer::Answer;
use starlingd::node::input::ClientId;
use starlingd::sim::past::{kept, past};

use crate::client::{SOON, value};
use crate::net::Net;
use crate::replay::append;
use crate::seeds;

const FIRST: &str = r#"{"listeners":{},"routes":[],"applications":{}}"#;
/// Clients at each host, and what each of them appends.
const CLIENTS: usize = 4;
const EACH: usize = 10;
/// By when all of it is to be everywhere.
const BY: Duration = Duration::from_secs(5);

/// So many hosts that have been a fleet for so many edits.
fn aged(seed: u64, hosts: usize, edits: usize) -> Net {
    let mut net = Net::new(seed);
    let behind: Vec<Revision> = past("default", value(FIRST), edits);
    for number in 0..hosts {
        net.add_with(Net::spec(number), kept(&behind));
    }
    net.until("all are linked", SOON, |net| net.all_joined() && (0..hosts).all(|host| net.degree(host) + 1 >= hosts));
    net.settle(SOON);
    net
}

/// What came of a burst.
struct Burst {
    made: Vec<u64>,
    turned_away: usize,
}

/// Each client appends one element after the other, the next when it has an answer.
fn burst(net: &mut Net, hosts: usize) -> Burst {
    let (mut made, mut turned_away) = (Vec::new(), 0);
    let mut left: BTreeMap<usize, usize> = (0..hosts * CLIENTS).map(|client| (client, EACH)).collect();
    let mut waiting: BTreeMap<usize, (ClientId, usize)> = BTreeMap::new();
    while !left.is_empty() || !waiting.is_empty() {
        for (client, count) in &mut left {
            if !waiting.contains_key(client) {
                *count -= 1;
                let number = 1 + client * EACH + *count;
                waiting.insert(*client, (append(net, client / CLIENTS, "/config/routes", number), number));
            }
        }
        left.retain(|_, count| *count > 0);
        net.run(Duration::from_millis(1));
        waiting.retain(|client, (name, number)| match net.take_answer(client / CLIENTS, *name) {
            None => true,
            Some(Answer::Done { .. }) => {
                made.push(*number as u64);
                false
            }
            Some(Answer::Problem(problem)) if problem.status == 503 => {
                turned_away += 1;
                false
            }
            Some(other) => panic!("an append is answered {other:?}"),
        });
    }
    Burst { made, turned_away }
}

fn routes(net: &mut Net, host: usize) -> Vec<u64> {
    let config = value(&net.config(host));
    let mut there: Vec<u64> = config["routes"].as_array().unwrap().iter().filter_map(|number| number.as_u64()).collect();
    there.sort_unstable();
    there
}

#[test]
fn appends_at_once_are_there_within_seconds_however_many_edits_a_fleet_has_behind_it() {
    for edits in [20, 300, 700] {
        for seed in seeds(4) {
            let mut net = aged(seed, 3, edits);
            let Burst { mut made, turned_away } = burst(&mut net, 3);
            made.sort_unstable();
            let since = net.now;
            net.until("all are there", 20 * BY, |net| {
                let uncontained = net.hosts.iter().any(|host| host.node.uncontained().next().is_some());
                net.agree() && !uncontained && routes(net, 0) == made
            });
            let took = net.now - since;
            println!("{edits} edits: {} made, {turned_away} turned away, at rest after {took:?}", made.len());
            assert_eq!(routes(&mut net, 0), made, "seed {seed}");
            assert!(net.conflicts(0).is_empty(), "seed {seed}: {:?}", net.conflicts(0));
            assert!(took <= BY, "seed {seed}: {took:?}");
            assert_eq!(turned_away, 0, "seed {seed}: clients are troubled with what a host can do itself");
        }
    }
}
