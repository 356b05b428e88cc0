//! The address book: whom this host knows, where they may be, and when to try them next.
//!
//! A *contact* is a peer, or an address of which nobody knows yet who is there (configured, from a
//! token, or found by mDNS). Every contact with a sure address ([`super::whereabouts`]) is retried
//! for ever with full jitter; finding one by mDNS or a change of the network only makes the next
//! try come sooner. One that is only somebody's word is forgotten after three rounds in vain. Which
//! contacts are wanted is decided in [`super::mesh`]; here it is only said which are due.

mod room;
mod text;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::whereabouts::Whereabouts;
use crate::limits::{ADDRESSES_MAX, LATELY, RETRY_LATELY_MAX, RETRY_MAX, RETRY_MIN};
use crate::model::peer_id::PeerId;
use crate::node::rng::Rng;

/// Whom a contact is with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contact {
    /// A peer.
    Peer(PeerId),
    /// Whoever listens at a configured address.
    Address(String),
    /// Whoever announces this mDNS instance.
    Instance(String),
}

/// What is known of a contact.
#[derive(Debug, Default)]
pub struct Entry {
    addresses: Whereabouts,
    failures: u32,
    /// Not before this.
    due: Duration,
    /// The dial under way.
    dial: Option<u64>,
    /// Who answered at a configured address, the last time.
    answered: Option<PeerId>,
    /// The mDNS instance that a peer must have.
    instance: Option<String>,
    /// Whether only another peer's word says that somebody is there: forgotten at the first
    /// failure.
    hearsay: bool,
    /// When it was last dialled.
    pub tried: Option<Duration>,
    /// Until then it wants no link with us.
    refused_until: Duration,
    /// Whether an address of it was configured.
    pub configured: bool,
    /// When a link to it last ended or began.
    pub spoken: Option<Duration>,
    /// Why the last try failed.
    pub failure: Option<String>,
}

impl Entry {
    /// Whether somebody of the fleet was met at an address of it, or a person has named one.
    pub fn is_sure(&self) -> bool {
        self.configured || self.addresses.has_sure()
    }

    /// The host of the address to be tried next, without its port.
    pub fn next_host(&self) -> &str {
        self.next_address()
            .and_then(|address| address.rsplit_once(':'))
            .map_or("", |(host, _)| host)
    }

    fn next_address(&self) -> Option<&str> {
        self.addresses.next().map(|(address, _)| address)
    }
}

/// A dial that is to be made.
#[derive(Debug)]
pub struct Dial {
    /// The number of the dial.
    pub number: u64,
    /// Where to.
    pub address: String,
    /// Whether the address is more than somebody's word.
    pub sure: bool,
}

/// All contacts.
#[derive(Debug, Default)]
pub struct Book {
    /// Whose book it is: when it is full, each host keeps others of the fleet than the next host
    /// does.
    owner: u64,
    entries: BTreeMap<Contact, Entry>,
    dials: u64,
}

impl Book {
    /// Takes in a configured address or one from a token.
    pub fn configure(&mut self, address: &str, lasting: bool) {
        let entry = self
            .entries
            .entry(Contact::Address(address.to_owned()))
            .or_default();
        entry.configured |= lasting;
        entry.addresses.ensure(address);
        entry.hearsay = false;
    }

    /// Takes in what a peer says of where it listens, or what was kept of that, and the mDNS
    /// instance that it must have. Newer addresses come first. Says whether anything of it is
    /// new. When the book is full, it depends on the owner and the peer who stays, not on the
    /// order in which they are heard of: each host has its own random part of the fleet in its
    /// book, which does not change all the time.
    pub fn hear_of(&mut self, peer: PeerId, instance: &str, addresses: &[String]) -> bool {
        let is_new = !self.entries.contains_key(&Contact::Peer(peer));
        let has_room = !is_new || self.make_room(Some(self.preference(&peer)));
        has_room
            && self
                .place_for(peer, instance)
                .is_some_and(|(entry, is_new)| entry.addresses.hear(addresses) || is_new)
    }

    /// The entry of a peer, made if there is none, with what was found under its instance; and
    /// whether anything of that is new.
    fn place_for(&mut self, peer: PeerId, instance: &str) -> Option<(&mut Entry, bool)> {
        let found = self.entries.remove(&Contact::Instance(instance.to_owned()));
        let is_new = !self.entries.contains_key(&Contact::Peer(peer));
        if is_new && !self.make_room(None) {
            return None;
        }
        let entry = self.entries.entry(Contact::Peer(peer)).or_default();
        found
            .iter()
            .for_each(|found| entry.addresses.absorb(&found.addresses));
        entry.instance = Some(instance.to_owned());
        Some((entry, is_new || found.is_some()))
    }

    /// Takes in what mDNS shows; the contact is due after `delay`. Says whether it was unknown
    /// until now.
    pub fn find(&mut self, instance: &str, addresses: &[SocketAddr], due: Duration) -> bool {
        let texts: Vec<String> = addresses
            .iter()
            .take(ADDRESSES_MAX)
            .map(SocketAddr::to_string)
            .collect();
        let known = self
            .entries
            .iter_mut()
            .find(|(_, entry)| entry.instance.as_deref() == Some(instance));
        if let Some((_, entry)) = known {
            entry.addresses.hear(&texts);
            entry.due = entry.due.min(due);
            return false;
        }
        let contact = Contact::Instance(instance.to_owned());
        let new = !self.entries.contains_key(&contact);
        if new && !self.make_room(None) {
            return false;
        }
        let entry = self.entries.entry(contact).or_default();
        entry.addresses.hear(&texts);
        entry.due = if new { due } else { entry.due.min(due) };
        new
    }

    /// An address that somebody names as worth a try.
    pub fn hint(&mut self, address: &SocketAddr) {
        let Some(address) = usable(address, false) else {
            return;
        };
        let contact = Contact::Address(address.to_string());
        if !self.entries.contains_key(&contact) && self.make_room(None) {
            let entry = self.entries.entry(contact).or_default();
            entry.addresses.hear(&[address.to_string()]);
            entry.hearsay = true;
        }
    }

    /// Somebody has answered a dial: it is over, and its contact is not due before long unless a
    /// link is made of it. The address is the peer's who answered there, and no longer that of
    /// whoever was meant. Says whether anything of it is new.
    pub fn answered(&mut self, dial: u64, peer: PeerId, instance: &str, now: Duration) -> bool {
        let Some(contact) = self.dialled(Some(dial)) else {
            return false;
        };
        let entry = self
            .entries
            .get_mut(&contact)
            .expect("dialled finds what is there");
        (entry.dial, entry.failures, entry.failure, entry.due) =
            (None, 0, None, now + RETRY_MAX / 2);
        let Some(address) = entry.next_address().map(str::to_owned) else {
            return false;
        };
        let is_other = matches!(&contact, Contact::Peer(meant) if *meant != peer);
        match &contact {
            Contact::Peer(_) if is_other => entry.addresses.remove(&address),
            Contact::Instance(meant) if meant != instance => drop(self.entries.remove(&contact)),
            _ => {}
        }
        if let Some(entry) = self.entries.get_mut(&Contact::Address(address.clone())) {
            (entry.answered, entry.hearsay) = (Some(peer), false);
        }
        let entry = self.place_for(peer, instance);
        entry.is_some_and(|(entry, is_new)| entry.addresses.ensure(&address) || is_new) || is_other
    }

    /// A link with `peer` at `ip` is up, over which it says where it listens. Says whether anything
    /// of it is new.
    pub fn linked(
        &mut self,
        peer: PeerId,
        instance: &str,
        addresses: &[String],
        ip: IpAddr,
        now: Duration,
    ) -> bool {
        let entry = self.place_for(peer, instance);
        let is_news = entry.is_some_and(|(entry, is_new)| {
            entry.addresses.hear_from(addresses, ip.to_canonical()) || is_new
        });
        let is_its = |entry: &Entry| entry.configured && entry.answered == Some(peer);
        let configured = self
            .entries
            .iter()
            .any(|(contact, entry)| matches!(contact, Contact::Address(_)) && is_its(entry));
        if let Some(entry) = self.entries.get_mut(&Contact::Peer(peer)) {
            entry.configured = configured;
            (entry.failures, entry.spoken, entry.dial, entry.failure) = (0, Some(now), None, None);
        }
        is_news
    }

    /// The link with `peer` is gone: to be tried again soon, unless it has said that it has enough
    /// links.
    pub fn unlinked(&mut self, peer: PeerId, now: Duration, rng: &mut Rng) {
        if let Some(entry) = self.entries.get_mut(&Contact::Peer(peer)) {
            entry.spoken = Some(now);
            entry.due = entry.refused_until.max(now + rng.up_to(RETRY_MIN));
            entry.failures = 0;
        }
    }

    /// The peer is not to be dialled before this.
    pub fn rest(&mut self, peer: &PeerId, until: Duration) {
        if let Some(entry) = self.entries.get_mut(&Contact::Peer(*peer)) {
            entry.due = entry.due.max(until);
        }
    }

    /// The peer has enough links.
    pub fn refused(&mut self, peer: PeerId, now: Duration, rng: &mut Rng) {
        if let Some(entry) = self.entries.get_mut(&Contact::Peer(peer)) {
            entry.refused_until = now + rng.around(RETRY_MAX);
            entry.due = entry.refused_until;
        }
    }

    /// A dial failed: the next address at once, or, when all have been tried, all again after a
    /// while. Says whose dial it was, and whether the reason is a new one.
    pub fn failed(
        &mut self,
        dial: u64,
        reason: &str,
        now: Duration,
        rng: &mut Rng,
    ) -> Option<(Contact, bool)> {
        let contact = self.dialled(Some(dial))?;
        let entry = self.entries.get_mut(&contact)?;
        let news = entry.failure.as_deref() != Some(reason);
        entry.failure = Some(reason.to_owned());
        self.in_vain(&contact, now, rng);
        Some((contact, news))
    }

    /// There is no dial to a contact's next address after all: it counts as one in vain. Says
    /// whether another is to be tried now.
    pub fn passed_over(&mut self, dial: u64, now: Duration, rng: &mut Rng) -> bool {
        self.dialled(Some(dial))
            .is_some_and(|contact| self.in_vain(&contact, now, rng))
    }

    /// Whether another address of this contact is to be tried at once.
    fn in_vain(&mut self, contact: &Contact, now: Duration, rng: &mut Rng) -> bool {
        let entry = self
            .entries
            .get_mut(contact)
            .expect("dialled finds what is there");
        entry.dial = None;
        let is_round = entry.addresses.failed();
        let is_nobody = entry.addresses.is_empty() && entry.spoken.is_none() && !entry.configured;
        if entry.hearsay || is_nobody {
            self.entries.remove(contact);
            return false;
        }
        if is_round {
            entry.failures = (entry.failures + 1).min(16);
            let lately = entry
                .spoken
                .is_some_and(|spoken| now.saturating_sub(spoken) < LATELY);
            let most = if lately { RETRY_LATELY_MAX } else { RETRY_MAX };
            entry.due = now + RETRY_MIN + rng.up_to((RETRY_MIN * (1 << entry.failures)).min(most));
        }
        !is_round
    }

    /// The network has changed: everything is due, whatever is under way.
    pub fn kick(&mut self, now: Duration) {
        for entry in self.entries.values_mut() {
            (entry.due, entry.failures, entry.dial) = (now, 0, None);
            entry.addresses.rewind();
        }
    }

    /// Begins a dial to a contact.
    pub fn dial(&mut self, contact: &Contact, now: Duration) -> Option<Dial> {
        let (address, sure) = self.entries.get(contact)?.addresses.next()?;
        let address = address.to_owned();
        let same = |other: &Entry| other.dial.is_some() && other.next_address() == Some(&address);
        let busy = self.entries.values().any(same);
        let entry = self.entries.get_mut(contact)?;
        if busy {
            // Another contact is being sought at this very address: its answer will tell.
            entry.due = now + RETRY_MIN;
            return None;
        }
        self.dials += 1;
        (entry.dial, entry.tried) = (Some(self.dials), Some(now));
        Some(Dial {
            number: self.dials,
            address,
            sure,
        })
    }

    /// Whether a peer is being dialled.
    pub fn is_dialled(&self, peer: &PeerId) -> bool {
        self.entries
            .get(&Contact::Peer(*peer))
            .is_some_and(|entry| entry.dial.is_some())
    }

    /// How many addresses of a peer are known.
    pub fn addresses(&self, peer: &PeerId) -> usize {
        self.entries
            .get(&Contact::Peer(*peer))
            .map_or(0, |entry| entry.addresses.len())
    }

    /// The contacts that are not linked (as `is_linked` says), each with the time from which it may
    /// be dialled; `None` while one is. An address whose peer is in the book is left to that
    /// peer.
    pub fn unlinked_contacts(
        &self,
        is_linked: impl Fn(&PeerId) -> bool,
    ) -> Vec<(&Contact, &Entry, Option<Duration>)> {
        let wanted = |contact: &Contact, entry: &Entry| match contact {
            Contact::Peer(peer) => !is_linked(peer),
            Contact::Address(_) => entry
                .answered
                .is_none_or(|peer| !self.entries.contains_key(&Contact::Peer(peer))),
            Contact::Instance(_) => true,
        };
        let entries = self
            .entries
            .iter()
            .filter(|(contact, entry)| wanted(contact, entry) && !entry.addresses.is_empty());
        entries
            .map(|(contact, entry)| (contact, entry, entry.dial.is_none().then_some(entry.due)))
            .collect()
    }

    /// How many hosts are known, alive or not. A configured address counts until its peer is known.
    pub fn known(&self) -> usize {
        self.known_hosts().count()
    }

    /// Whether more hosts than this are known. Costs no more where thousands are.
    pub fn knows_more_than(&self, count: usize) -> bool {
        self.known_hosts().nth(count).is_some()
    }

    fn known_hosts(&self) -> impl Iterator<Item = &Contact> {
        let counts = |(contact, entry): &(&Contact, &Entry)| match contact {
            Contact::Peer(_) | Contact::Instance(_) => true,
            Contact::Address(_) => entry.answered.is_none(),
        };
        self.entries
            .iter()
            .filter(counts)
            .map(|(contact, _)| contact)
    }

    /// About how many bytes of memory all contacts take.
    pub fn held_bytes(&self) -> usize {
        let texts = |entry: &Entry| {
            entry
                .addresses
                .texts()
                .chain(entry.instance.as_deref())
                .chain(entry.failure.as_deref())
                .map(|text| size_of::<String>() + text.len())
                .sum::<usize>()
        };
        self.entries
            .values()
            .map(|entry| size_of::<(Contact, Entry)>() + texts(entry))
            .sum()
    }

    /// Whether a peer was linked in this run, or met at an address that is kept, or is configured.
    pub fn is_acquainted(&self, peer: &PeerId) -> bool {
        self.entries
            .get(&Contact::Peer(*peer))
            .is_some_and(|entry| entry.spoken.is_some() || entry.is_sure())
    }

    /// The peers that were met.
    pub fn acquaintances(&self) -> impl Iterator<Item = &PeerId> {
        let met = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.spoken.is_some() || entry.is_sure());
        met.filter_map(|(contact, _)| {
            if let Contact::Peer(peer) = contact {
                Some(peer)
            } else {
                None
            }
        })
    }

    /// Whether an address of this peer was configured.
    pub fn is_configured(&self, peer: &PeerId) -> bool {
        self.entries
            .get(&Contact::Peer(*peer))
            .is_some_and(|entry| entry.configured)
    }

    /// Whether a dial is under way that began before anything changed.
    pub fn dialling(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.dial.is_some())
            .count()
    }

    fn dialled(&self, dial: Option<u64>) -> Option<Contact> {
        let dial = dial?;
        self.entries
            .iter()
            .find(|(_, entry)| entry.dial == Some(dial))
            .map(|(contact, _)| contact.clone())
    }
}

/// An address in the form in which this host may use another's word that somebody listens there;
/// `None` if it cannot be of use. One of the loopback is of use only if it was named by somebody
/// `here`, on this very host, and a link-local one never: which interface is meant only the host
/// knows that says so.
pub fn usable(address: &SocketAddr, here: bool) -> Option<SocketAddr> {
    let ip = address.ip().to_canonical();
    let is_no_host = match ip {
        IpAddr::V4(v4) => v4.is_broadcast() || matches!(v4.octets()[0], 0 | 240..),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let is_of_use =
        !is_no_host && !ip.is_multicast() && !ip.is_unspecified() && (here || !ip.is_loopback());
    (is_of_use && address.port() != 0).then(|| SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
