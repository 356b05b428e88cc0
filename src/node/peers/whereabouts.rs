//! The addresses of one contact, and which of them are worth what.
//!
//! An address is *sure* if somebody of the fleet has answered there, if its host was seen at that
//! IP, or if a person has named it. All others are somebody's word, and whoever can say a word to
//! this host could aim it at anybody: such an address is forgotten after [`UNSURE_ROUNDS`] dials in
//! vain, pushes no sure one out, and is never saved.

use std::net::IpAddr;

use crate::limits::{ADDRESSES_MAX, SURE_MAX, UNSURE_ROUNDS};

/// Where a contact may be, the next to be tried among them.
#[derive(Debug, Default)]
pub(in crate::node) struct Whereabouts {
    /// The newest first, but a sure one is never further back than the second.
    places: Vec<Place>,
    turn: usize,
}

#[derive(Debug, Clone)]
struct Place {
    address: String,
    sure: bool,
    failures: u32,
}

impl Whereabouts {
    /// Whether nothing is known.
    pub(in crate::node) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many are known.
    pub(in crate::node) fn len(&self) -> usize {
        self.places.len()
    }

    /// The address to try next, and whether it is sure.
    pub(in crate::node) fn next(&self) -> Option<(&str, bool)> {
        self.places
            .get(self.turn)
            .map(|place| (place.address.as_str(), place.sure))
    }

    /// Whether there is a sure one.
    pub(in crate::node) fn has_sure(&self) -> bool {
        self.places.iter().any(|place| place.sure)
    }

    /// The sure ones.
    pub(in crate::node) fn sure(&self) -> impl Iterator<Item = &str> {
        self.places
            .iter()
            .filter(|place| place.sure)
            .map(|place| place.address.as_str())
    }

    /// All of them.
    pub(in crate::node) fn texts(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| place.address.as_str())
    }

    /// Takes in addresses that somebody names. Says whether any is new.
    pub(in crate::node) fn hear(&mut self, addresses: &[String]) -> bool {
        self.put_first(addresses, |_| false)
    }

    /// Takes in addresses that a peer names over a link that came from `ip`: those at that IP are
    /// sure. Says whether any is new.
    pub(in crate::node) fn hear_from(&mut self, addresses: &[String], ip: IpAddr) -> bool {
        let is_there = |text: &str| {
            text.parse::<std::net::SocketAddr>()
                .is_ok_and(|address| address.ip().to_canonical() == ip)
        };
        self.put_first(addresses, is_there)
    }

    /// Somebody of the fleet has answered there, or a person has named it. Says whether it is new.
    pub(in crate::node) fn ensure(&mut self, address: &str) -> bool {
        self.put_first(&[address.to_owned()], |_| true)
    }

    /// Takes in what was kept: none but sure ones are.
    pub(in crate::node) fn ensure_all(&mut self, addresses: &[String]) {
        self.put_first(addresses, |_| true);
    }

    /// Takes in what another entry knew.
    pub(in crate::node) fn absorb(&mut self, other: &Self) {
        let heard: Vec<String> = other.texts().map(str::to_owned).collect();
        let sure: Vec<&str> = other.sure().collect();
        self.put_first(&heard, |text| sure.contains(&text));
    }

    /// That one is somebody else's.
    pub(in crate::node) fn remove(&mut self, address: &str) {
        self.places.retain(|place| place.address != address);
        self.rewind_if_over();
    }

    /// Begins again with the first.
    pub(in crate::node) fn rewind(&mut self) {
        self.turn = 0;
    }

    /// The next one was tried in vain: it may have been the last time. Says whether all have been
    /// tried now.
    pub(in crate::node) fn failed(&mut self) -> bool {
        let Some(place) = self.places.get_mut(self.turn) else {
            return true;
        };
        place.failures += 1;
        if !place.sure && place.failures >= UNSURE_ROUNDS {
            self.places.remove(self.turn);
        } else {
            self.turn += 1;
        }
        self.rewind_if_over()
    }

    fn rewind_if_over(&mut self) -> bool {
        let is_over = self.turn >= self.places.len();
        if is_over {
            self.turn = 0;
        }
        is_over
    }

    fn put_first(&mut self, newer: &[String], is_sure: impl Fn(&str) -> bool) -> bool {
        let mut old = std::mem::take(&mut self.places);
        let mut is_news = false;
        for address in newer {
            if self.places.iter().any(|place| place.address == *address) {
                continue;
            }
            let known = old
                .iter()
                .position(|place| place.address == *address)
                .map(|at| old.remove(at));
            is_news |= known
                .as_ref()
                .is_none_or(|place| !place.sure && is_sure(address));
            let mut place = known.unwrap_or_else(|| Place {
                address: address.clone(),
                sure: false,
                failures: 0,
            });
            place.sure |= is_sure(address);
            self.places.push(place);
        }
        self.places.extend(old);
        self.keep_the_best();
        self.rewind_if_over();
        is_news
    }

    /// So many at most: the oldest go, of those that are sure only what there is too much of, so
    /// that a peer which has moved has places for what nobody has tried yet.
    fn keep_the_best(&mut self) {
        let mut sure = 0;
        self.places.retain(|place| {
            sure += usize::from(place.sure);
            !place.sure || sure <= SURE_MAX
        });
        while self.places.len() > ADDRESSES_MAX {
            let gone = self
                .places
                .iter()
                .rposition(|place| !place.sure)
                .expect("fewer may be sure than there may be");
            self.places.remove(gone);
        }
        if let Some(first) = self
            .places
            .iter()
            .position(|place| place.sure)
            .filter(|first| *first > 1)
        {
            self.places[1..=first].rotate_right(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(addresses: &[&str]) -> Vec<String> {
        addresses
            .iter()
            .map(|address| (*address).to_owned())
            .collect()
    }

    fn foreign(count: u8) -> Vec<String> {
        (1..=count)
            .map(|number| format!("203.0.113.{number}:9"))
            .collect()
    }

    #[test]
    fn what_anybody_says_is_tried_three_times_and_what_is_sure_for_ever() {
        let mut places = Whereabouts::default();
        places.ensure("10.0.0.1:1");
        places.hear(&foreign(2));
        let mut tried = Vec::new();
        while tried.len() < 12 {
            tried.push(places.next().unwrap().0.to_owned());
            places.failed();
        }
        let times = |address: &str| tried.iter().filter(|other| *other == address).count();
        assert_eq!(
            [
                times("203.0.113.1:9"),
                times("203.0.113.2:9"),
                times("10.0.0.1:1")
            ],
            [3, 3, 6]
        );
        let mut nobody = Whereabouts::default();
        nobody.hear(&foreign(1));
        assert_eq!(
            [nobody.failed(), nobody.failed(), nobody.failed()],
            [true; 3]
        );
        assert!(nobody.is_empty() && nobody.next().is_none() && nobody.failed());
    }

    #[test]
    fn no_word_pushes_out_what_is_sure_or_puts_more_than_one_before_it() {
        let mut places = Whereabouts::default();
        places.ensure("10.0.0.1:1");
        for _ in 0..3 {
            assert_eq!(places.len(), places.texts().count());
            places.hear(&foreign(16));
            assert_eq!(
                (places.len(), places.texts().nth(1)),
                (ADDRESSES_MAX, Some("10.0.0.1:1"))
            );
        }
    }

    #[test]
    fn a_peer_that_moves_again_and_again_has_room_for_where_nobody_has_tried_it_yet() {
        let mut places = Whereabouts::default();
        for number in 1..=20 {
            places.ensure(&format!("10.0.0.{number}:1"));
        }
        let sure: Vec<&str> = places.sure().collect();
        assert_eq!(
            sure,
            ["10.0.0.20:1", "10.0.0.19:1", "10.0.0.18:1", "10.0.0.17:1"]
        );
        assert!(places.hear(&texts(&["10.0.0.21:1"])) && !places.hear(&texts(&["10.0.0.21:1"])));
        assert_eq!(places.next(), Some(("10.0.0.21:1", false)));
    }

    #[test]
    fn a_link_makes_sure_only_what_is_named_of_the_ip_that_it_came_from() {
        let mut places = Whereabouts::default();
        let named = texts(&["10.0.0.1:1", "203.0.113.1:9"]);
        assert!(places.hear_from(&named, "10.0.0.1".parse().unwrap()));
        assert_eq!(places.sure().collect::<Vec<_>>(), ["10.0.0.1:1"]);
        assert!(!places.hear_from(&named, "10.0.0.1".parse().unwrap()));
        assert!(
            places.hear_from(&named, "203.0.113.1".parse().unwrap()),
            "what is sure now is news"
        );
    }
}
