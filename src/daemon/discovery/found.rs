//! Who has been heard, so that nobody is reported twice for the same thing.
//!
//! Everything here comes from whoever is on the wire: names and addresses are checked and counted,
//! and nothing grows beyond its bound.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::limits::{FOUND_ADDRESSES_MAX, INSTANCES_MAX};

/// The instances heard lately.
pub(super) struct HeardInstances {
    instances: BTreeMap<String, Heard>,
    round: u64,
    with_loopback: bool,
}

struct Heard {
    addresses: Vec<SocketAddr>,
    round: u64,
}

/// What is new about an instance, and to be reported.
pub(super) struct News {
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether this instance was not known before.
    pub(super) is_newcomer: bool,
}

impl HeardInstances {
    /// Nobody yet. Loopback addresses count only `with_loopback`: from the wire they would make
    /// this host dial itself.
    pub(super) fn new(with_loopback: bool) -> Self {
        Self {
            instances: BTreeMap::new(),
            round: 0,
            with_loopback,
        }
    }

    /// A new browse begins: who answers is news again, who answered neither of the last two is
    /// forgotten.
    pub(super) fn next_round(&mut self) {
        self.round += 1;
        let round = self.round;
        self.instances.retain(|_, heard| heard.round + 2 >= round);
    }

    /// How many instances are known.
    pub(super) fn count(&self) -> usize {
        self.instances.len()
    }

    /// An instance has said goodbye, or expired.
    pub(super) fn forget(&mut self, instance: &str) {
        self.instances.remove(instance);
    }

    /// What is new about `instance` saying that it listens on `addresses`, if anything is.
    pub(super) fn hear(&mut self, instance: &str, addresses: Vec<SocketAddr>) -> Option<News> {
        let addresses = self.usable(addresses);
        if addresses.is_empty() || !is_instance(instance) {
            return None;
        }
        let known = self.instances.get(instance);
        if known.is_some_and(|heard| heard.round == self.round && heard.addresses == addresses) {
            return None;
        }
        let is_newcomer = known.is_none();
        if is_newcomer && self.instances.len() >= INSTANCES_MAX {
            return None;
        }
        let heard = Heard {
            addresses: addresses.clone(),
            round: self.round,
        };
        self.instances.insert(instance.to_owned(), heard);
        Some(News {
            addresses,
            is_newcomer,
        })
    }

    /// The addresses that can be dialled, IPv4 first, link-local IPv6 last, at most
    /// [`FOUND_ADDRESSES_MAX`].
    fn usable(&self, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let means_a_host = |ip: IpAddr| {
            !ip.is_unspecified() && !ip.is_multicast() && (self.with_loopback || !ip.is_loopback())
        };
        addresses
            .retain(|address| address.port() != 0 && means_a_host(address.ip().to_canonical()));
        addresses.sort_by_key(|address| (is_link_local(&address.ip()), *address));
        addresses.dedup();
        addresses.truncate(FOUND_ADDRESSES_MAX);
        addresses
    }
}

fn is_link_local(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Whether `name` is one that `FleetKey::instance` makes. Anything else is nobody's, and would end
/// up in a log.
pub(super) fn is_instance(name: &str) -> bool {
    name.len() == INSTANCE_LEN && name.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

const INSTANCE_LEN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00112233445566778899";

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_same_thing_is_news_once_a_round() {
        let mut known = HeardInstances::new(false);
        let at = addresses(&["10.0.0.1:7"]);
        assert!(known.hear(ONE, at.clone()).unwrap().is_newcomer);
        assert!(known.hear(ONE, at.clone()).is_none());
        assert!(
            !known
                .hear(ONE, addresses(&["10.0.0.1:7", "10.0.0.2:7"]))
                .unwrap()
                .is_newcomer
        );
        known.next_round();
        assert!(!known.hear(ONE, at.clone()).unwrap().is_newcomer);
        known.forget(ONE);
        assert!(known.hear(ONE, at).unwrap().is_newcomer);
    }

    #[test]
    fn who_does_not_answer_two_browses_is_a_newcomer_again() {
        let mut known = HeardInstances::new(false);
        known.hear(ONE, addresses(&["10.0.0.1:7"])).unwrap();
        known.next_round();
        known.next_round();
        assert_eq!(known.count(), 1);
        known.next_round();
        assert_eq!(known.count(), 0);
    }

    #[test]
    fn a_flood_of_instances_stops_at_the_bound() {
        let mut known = HeardInstances::new(false);
        let reported = (0..2 * INSTANCES_MAX)
            .filter_map(|n| known.hear(&format!("{n:020x}"), addresses(&["10.0.0.1:7"])))
            .count();
        assert_eq!((reported, known.count()), (INSTANCES_MAX, INSTANCES_MAX));
    }

    #[test]
    fn a_name_that_no_peer_would_bear_is_nobody() {
        let mut known = HeardInstances::new(false);
        for name in [
            "",
            "0011223344556677889",
            "0011223344556677889G",
            "\n0112233445566778899",
            "00112233445566778899aa",
        ] {
            assert!(
                known.hear(name, addresses(&["10.0.0.1:7"])).is_none(),
                "{name:?}"
            );
        }
    }

    #[test]
    fn only_addresses_that_mean_a_host_are_reported() {
        let all = [
            "[fe80::1%3]:7",
            "[2001:db8::1]:7",
            "127.0.0.1:7",
            "0.0.0.0:7",
            "224.0.0.1:7",
            "10.0.0.1:0",
            "10.0.0.1:7",
            "[::1]:7",
        ];
        let known = HeardInstances::new(false);
        let mapped = [&all[..], &["[::ffff:127.0.0.1]:7"]].concat();
        assert_eq!(
            known.usable(addresses(&mapped)),
            addresses(&["10.0.0.1:7", "[2001:db8::1]:7", "[fe80::1%3]:7"])
        );
        assert_eq!(
            HeardInstances::new(true).usable(addresses(&["127.0.0.1:7"])),
            addresses(&["127.0.0.1:7"])
        );
        let many: Vec<SocketAddr> = (0..99)
            .map(|n| SocketAddr::from(([10, 0, 0, n], 7)))
            .collect();
        assert_eq!(known.usable(many).len(), FOUND_ADDRESSES_MAX);
    }
}
