//! How often this host dials, and whom it does not.
//!
//! Anybody who is heard can name addresses, so that a fleet could be made to knock at a stranger's
//! door, or to be busy with nobody. Dials are rationed, whoever they are for, and of what is only
//! somebody's word an IP gets few tries at few ports for a while.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::limits::{
    DIAL_BURST, DIAL_EVERY, DIALS_OWED_MAX, UNSURE_FOR, UNSURE_PORTS, UNSURE_ROUNDS,
};

/// The account of this host's dials.
#[derive(Debug, Default)]
pub(in crate::node) struct Ration {
    /// When all that was spent is given back.
    full_at: Duration,
    /// How many dials there were while somebody sure and somebody unsure waited.
    contended: u64,
    /// The IPs dialled on somebody's word.
    unsure: BTreeMap<IpAddr, Tried>,
}

/// What was tried at an IP.
#[derive(Debug)]
struct Tried {
    since: Duration,
    ports: Vec<(u16, u32)>,
}

impl Ration {
    /// From when on there may be another dial.
    pub(in crate::node) fn ready_at(&self) -> Duration {
        self.full_at.saturating_sub(DIAL_EVERY * (DIAL_BURST - 1))
    }

    /// Whether there may be one now; if a client waits for it, on account of those to come.
    pub(in crate::node) fn allows(&self, now: Duration, is_urgent: bool) -> bool {
        let owed = if is_urgent {
            DIAL_EVERY * DIALS_OWED_MAX
        } else {
            Duration::ZERO
        };
        self.ready_at() <= now + owed
    }

    /// There is a dial.
    pub(in crate::node) fn spend(&mut self, now: Duration) {
        self.full_at = self.full_at.max(now) + DIAL_EVERY;
    }

    /// Somebody sure and somebody unsure wait for the next dial: whether it is the turn of the
    /// unsure. One of four is.
    pub(in crate::node) fn is_turn_of_unsure(&mut self) -> bool {
        self.contended += 1;
        self.contended.is_multiple_of(4)
    }

    /// Whether an address that is only somebody's word may be dialled; if so it is taken to be.
    pub(in crate::node) fn admits(&mut self, address: &SocketAddr, now: Duration) -> bool {
        let ip = address.ip().to_canonical();
        self.unsure
            .retain(|_, tried| tried.since + UNSURE_FOR > now);
        let tried = self.unsure.entry(ip).or_insert(Tried {
            since: now,
            ports: Vec::new(),
        });
        let has_room = tried.ports.len() < UNSURE_PORTS;
        match tried
            .ports
            .iter_mut()
            .find(|(port, _)| *port == address.port())
        {
            Some((_, count)) if *count < UNSURE_ROUNDS => *count += 1,
            None if has_room => tried.ports.push((address.port(), 1)),
            _ => return false,
        }
        true
    }

    /// Somebody of the fleet has answered there: its IP has a port more to be tried.
    pub(in crate::node) fn answered(&mut self, address: &SocketAddr) {
        if let Some(tried) = self.unsure.get_mut(&address.ip().to_canonical()) {
            tried.ports.retain(|(port, _)| *port != address.port());
        }
    }

    /// The network has changed: what was in vain may work now.
    pub(in crate::node) fn forget(&mut self) {
        self.unsure.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    /// How many dials there are in that time, of somebody who always wants one.
    fn dials(ration: &mut Ration, from: Duration, time: Duration) -> u32 {
        let (mut now, mut count) = (from, 0);
        while now < from + time {
            while ration.allows(now, false) {
                ration.spend(now);
                count += 1;
            }
            assert!(ration.ready_at() > now);
            now = ration.ready_at();
        }
        count
    }

    #[test]
    fn sixteen_at_once_and_four_a_second_from_then_on() {
        let mut ration = Ration::default();
        assert_eq!(dials(&mut ration, SECOND, SECOND / 8), 16);
        assert_eq!(dials(&mut ration, 2 * SECOND, 10 * SECOND), 3 + 40);
        assert_eq!(
            dials(&mut ration, 100 * SECOND, SECOND / 8),
            16,
            "what is not spent is not saved up beyond the burst"
        );
    }

    #[test]
    fn a_client_need_not_wait_for_the_ration_but_it_is_paid_back() {
        let mut ration = Ration::default();
        let urgent = (0..)
            .take_while(|_| {
                ration
                    .allows(SECOND, true)
                    .then(|| ration.spend(SECOND))
                    .is_some()
            })
            .count();
        assert_eq!(urgent as u32, DIAL_BURST + DIALS_OWED_MAX);
        assert!(!ration.allows(SECOND + DIAL_EVERY * DIALS_OWED_MAX, false));
        assert!(ration.allows(SECOND + DIAL_EVERY * (DIALS_OWED_MAX + 1), false));
    }

    #[test]
    fn of_one_ip_four_ports_are_tried_three_times_each_in_a_minute() {
        let mut ration = Ration::default();
        let tried = |ration: &mut Ration, now| {
            (0..200_u16)
                .filter(|n| ration.admits(&SocketAddr::from(([203, 0, 113, 9], 1 + n % 50)), now))
                .count()
        };
        assert_eq!(
            [tried(&mut ration, SECOND), tried(&mut ration, 2 * SECOND)],
            [12, 0]
        );
        assert!(
            !ration.admits(&at("[::ffff:203.0.113.9]:77"), SECOND),
            "by whatever name"
        );
        assert!(ration.admits(&at("203.0.113.10:1"), SECOND));
        assert_eq!(tried(&mut ration, SECOND + UNSURE_FOR), 12);
        assert_eq!(ration.unsure.len(), 1, "what is over is forgotten");
        ration.answered(&at("203.0.113.9:1"));
        assert!(
            ration.admits(&at("203.0.113.9:99"), SECOND + UNSURE_FOR),
            "who has answered counts no more"
        );
    }

    #[test]
    fn one_of_four_is_for_the_unsure() {
        let mut ration = Ration::default();
        assert_eq!((0..40).filter(|_| ration.is_turn_of_unsure()).count(), 10);
    }
}
