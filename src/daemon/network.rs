//! What the network looks like from here: where others are told that this host is, where it is, and
//! which named interface is missing.
//!
//! Asking the kernel may wait for it, so the thread [`super::watch`] does that, and the loop hears
//! of what is different.

use std::net::{IpAddr, SocketAddr};

use super::interfaces;

/// Where this host listens, which says what of its network matters.
#[derive(Debug, Clone)]
pub struct ListenScope {
    /// Where this host listens, with the port that it has got.
    pub listen: SocketAddr,
    /// The interfaces that were named; none means all but the loopback.
    pub interfaces: Vec<String>,
}

/// This host's network as it was read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkView {
    /// The addresses that other hosts are told.
    pub told: Vec<SocketAddr>,
    /// All addresses at which this host listens.
    pub own: Vec<SocketAddr>,
    /// What is wrong with the interfaces that were named.
    pub trouble: Option<String>,
    seen: Vec<(String, IpAddr)>,
}

impl NetworkView {
    /// Reads the network as it is now.
    pub fn read(wanted: &ListenScope) -> Self {
        let ListenScope {
            listen,
            interfaces: only,
        } = wanted;
        let trouble = interfaces::words_for_missing(only);
        Self {
            told: interfaces::told(*listen, only),
            own: interfaces::own(*listen),
            trouble,
            seen: interfaces::snapshot(),
        }
    }

    /// Reads the network again; `None` if it is as it was. The addresses are asked for first: all
    /// else is looked at only when one of them is another, or an interface is awaited.
    pub fn changed(&self, wanted: &ListenScope) -> Option<Self> {
        if self.trouble.is_none() && interfaces::snapshot() == self.seen {
            return None;
        }
        Some(Self::read(wanted)).filter(|now| now != self)
    }
}
