//! The handshake places, and who gets the next one.
//!
//! Whoever waits for one has shown knowledge of the fleet key, or plays back the first flight of
//! somebody who has. So nobody takes more than a few from one IP, and IPs from which a handshake
//! was completed come first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

use crate::limits::{
    HANDSHAKES_FROM_ONE, HANDSHAKES_KEPT, HANDSHAKES_MAX, MET_IPS_MAX, VERIFIED_FROM_ONE,
    VERIFIED_MAX,
};

/// Wakes the thread `listen`, from any other.
pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;

/// What becomes of a caller who would wait for a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// The caller may wait: there is room.
    Waits,
    /// There is, if this one of those who wait is turned away.
    InsteadOf(usize),
    /// The caller is turned away: there is no room.
    TurnedAway,
}

/// The handshake places: [`HANDSHAKES_MAX`]. The thread `listen` alone has them.
pub(super) struct HandshakePlaces {
    taken: BTreeMap<IpAddr, usize>,
    met: Met,
    back: SyncSender<(IpAddr, bool)>,
    given_back: Receiver<(IpAddr, bool)>,
    wake: Wake,
}

/// The IPs from which a handshake was completed, the last ones.
#[derive(Default)]
struct Met {
    order: VecDeque<IpAddr>,
    known: BTreeSet<IpAddr>,
}

impl HandshakePlaces {
    /// All of them free. `wake` is called when one is given back.
    pub(super) fn new(wake: Wake) -> Self {
        let (back, given_back) = mpsc::sync_channel(HANDSHAKES_MAX);
        Self {
            taken: BTreeMap::new(),
            met: Met::default(),
            back,
            given_back,
            wake,
        }
    }

    /// Whether somebody from `ip` may wait beside those from `waiting`.
    pub(super) fn admit(&self, waiting: &[IpAddr], ip: IpAddr) -> Caller {
        let from_there = waiting.iter().filter(|other| **other == ip).count();
        if from_there >= VERIFIED_FROM_ONE {
            return Caller::TurnedAway;
        }
        if waiting.len() < VERIFIED_MAX {
            return Caller::Waits;
        }
        let stranger = waiting
            .iter()
            .rposition(|other| !self.met.has(other))
            .filter(|_| self.met.has(&ip));
        stranger.map_or(Caller::TurnedAway, Caller::InsteadOf)
    }

    /// Takes back the places of handshakes that are over.
    pub(super) fn reclaim(&mut self) {
        for (ip, is_met) in self.given_back.try_iter() {
            if let Some(count) = self.taken.get_mut(&ip) {
                *count -= 1;
            }
            if is_met {
                self.met.add(ip);
            }
        }
        self.taken.retain(|_, count| *count > 0);
    }

    /// Takes a place for one of those who wait, the first to come at the front, if one may have
    /// one: which, and the place.
    pub(super) fn take(&mut self, waiting: &[IpAddr]) -> Option<(usize, HandshakePlace)> {
        let free = HANDSHAKES_MAX.saturating_sub(self.taken.values().sum());
        let has_few =
            |ip: &IpAddr| self.taken.get(ip).copied().unwrap_or_default() < HANDSHAKES_FROM_ONE;
        let first = |is_met: bool| {
            waiting
                .iter()
                .position(|ip| self.met.has(ip) == is_met && has_few(ip))
        };
        let met = first(true).filter(|_| free > 0);
        let next = met.or_else(|| first(false).filter(|_| free > HANDSHAKES_KEPT))?;
        let ip = waiting[next];
        *self.taken.entry(ip).or_default() += 1;
        Some((
            next,
            HandshakePlace {
                ip,
                met: false,
                back: self.back.clone(),
                wake: Arc::clone(&self.wake),
            },
        ))
    }
}

impl Met {
    fn has(&self, ip: &IpAddr) -> bool {
        self.known.contains(ip)
    }

    fn add(&mut self, ip: IpAddr) {
        if !self.known.insert(ip) {
            self.order.retain(|other| *other != ip);
        }
        self.order.push_back(ip);
        if self.order.len() > MET_IPS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// A place of a handshake, given back when dropped, even by a panic.
pub(super) struct HandshakePlace {
    ip: IpAddr,
    met: bool,
    back: SyncSender<(IpAddr, bool)>,
    wake: Wake,
}

impl HandshakePlace {
    /// Notes that the handshake was completed: the caller's IP counts as met.
    pub(super) fn is_met(&mut self) {
        self.met = true;
    }
}

impl Drop for HandshakePlace {
    fn drop(&mut self) {
        // There is room for all places; without a receiver there is nobody to tell.
        let _room_for_all = self.back.try_send((self.ip, self.met));
        (self.wake)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn places() -> HandshakePlaces {
        HandshakePlaces::new(Arc::new(|| ()))
    }

    /// From `ip` a handshake is completed.
    fn meet(places: &mut HandshakePlaces, ip: IpAddr) {
        let (_, mut place) = places.take(&[ip]).unwrap();
        place.is_met();
        drop(place);
        places.reclaim();
    }

    #[test]
    fn one_ip_takes_two_places_and_eight_wait_from_it() {
        let mut places = places();
        let waiting = [ip(1), ip(1), ip(1), ip(2)];
        let taken: Vec<(usize, HandshakePlace)> =
            [0; 3].iter().map_while(|_| places.take(&waiting)).collect();
        assert_eq!(
            taken.iter().map(|(next, _)| *next).collect::<Vec<_>>(),
            [0, 0, 3]
        );
        assert!(places.take(&waiting[..3]).is_none());
        assert_eq!(
            places.admit(&[ip(1); VERIFIED_FROM_ONE], ip(1)),
            Caller::TurnedAway
        );
        assert_eq!(
            places.admit(&[ip(1); VERIFIED_FROM_ONE], ip(2)),
            Caller::Waits
        );
        drop(taken);
        places.reclaim();
        assert!(places.take(&waiting[..3]).is_some());
    }

    #[test]
    fn whoever_was_met_comes_first_and_finds_a_place_that_is_kept_for_him() {
        let mut places = places();
        meet(&mut places, ip(1));
        let strangers: Vec<IpAddr> = (100..200).map(ip).collect();
        let (next, _place) = places.take(&[strangers[0], ip(1)]).unwrap();
        assert_eq!(next, 1);
        let held: Vec<(usize, HandshakePlace)> = strangers
            .iter()
            .map_while(|stranger| places.take(&[*stranger]))
            .collect();
        assert_eq!(held.len(), HANDSHAKES_MAX - HANDSHAKES_KEPT - 1);
        assert!(
            places
                .take(&[strangers[50], ip(1)])
                .is_some_and(|(next, _)| next == 1)
        );
        assert_eq!(
            places.admit(&strangers[..VERIFIED_MAX], ip(1)),
            Caller::InsteadOf(VERIFIED_MAX - 1)
        );
        assert_eq!(
            places.admit(&strangers[..VERIFIED_MAX], strangers[70]),
            Caller::TurnedAway
        );
    }

    #[test]
    fn the_last_thousand_ips_are_remembered() {
        let mut met = Met::default();
        let ips = (0..MET_IPS_MAX as u32 + 10).map(|number| IpAddr::from(number.to_be_bytes()));
        ips.clone().for_each(|ip| met.add(ip));
        assert_eq!(
            (met.order.len(), ips.filter(|ip| met.has(ip)).count()),
            (MET_IPS_MAX, MET_IPS_MAX)
        );
    }
}
