//! The address book: whom this host knows, where they may be, and when to try them next.
//!
//! A *contact* is a peer, or an address of which nobody knows yet who is there (configured, from a token, or found by mDNS). Every
//! contact is retried for ever with full jitter; finding one by mDNS or a change of the network only makes the next try come sooner.
//! Which contacts are wanted is decided in [`super::mesh`]; here it is only said which are due.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::rng::Rng;
use crate::limits::{ADDRESSES_MAX, CONTACTS_MAX, LATELY, RETRY_LATELY_MAX, RETRY_MAX, RETRY_MIN};
use crate::model::json::{self, Map, Value};
use crate::model::peer_id::PeerId;

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
    addresses: Vec<String>,
    /// The address to try next.
    turn: usize,
    failures: u32,
    /// Not before this.
    due: Duration,
    /// The dial under way.
    dial: Option<u64>,
    /// Who answered at a configured address, the last time.
    answered: Option<PeerId>,
    /// The mDNS instance of a peer, once it was found by that.
    instance: Option<String>,
    /// Whether an address of it was configured.
    pub configured: bool,
    /// When a link to it last ended or began.
    pub spoken: Option<Duration>,
    /// Why the last try failed.
    pub failure: Option<String>,
}

/// All contacts.
#[derive(Debug, Default)]
pub struct Book {
    entries: BTreeMap<Contact, Entry>,
    dials: u64,
}

impl Book {
    /// Takes in a configured address or one from a token.
    pub fn configure(&mut self, address: &str, lasting: bool) {
        let entry = self.entries.entry(Contact::Address(address.to_owned())).or_default();
        entry.configured |= lasting;
        entry.addresses = vec![address.to_owned()];
    }

    /// Takes in what a peer says of where it listens, or what was kept of that. Newer addresses come first.
    pub fn hear_of(&mut self, peer: PeerId, addresses: &[String]) {
        if !self.entries.contains_key(&Contact::Peer(peer)) && self.entries.len() >= CONTACTS_MAX && !self.forget_one() {
            return;
        }
        let entry = self.entries.entry(Contact::Peer(peer)).or_default();
        prefer(&mut entry.addresses, addresses);
    }

    /// Takes in what mDNS shows; the contact is due after `delay`. Says whether it was unknown until now.
    pub fn find(&mut self, instance: &str, addresses: &[SocketAddr], due: Duration) -> bool {
        let texts: Vec<String> = addresses.iter().take(ADDRESSES_MAX).map(SocketAddr::to_string).collect();
        let known = self.entries.iter_mut().find(|(_, entry)| entry.instance.as_deref() == Some(instance));
        if let Some((_, entry)) = known {
            prefer(&mut entry.addresses, &texts);
            entry.due = entry.due.min(due);
            return false;
        }
        let contact = Contact::Instance(instance.to_owned());
        let new = !self.entries.contains_key(&contact);
        if new && self.entries.len() >= CONTACTS_MAX && !self.forget_one() {
            return false;
        }
        let entry = self.entries.entry(contact).or_default();
        prefer(&mut entry.addresses, &texts);
        entry.due = if new { due } else { entry.due.min(due) };
        new
    }

    /// A link with `peer` is up, by this dial if by one. What was known of the address or instance becomes knowledge of the peer.
    pub fn linked(&mut self, peer: PeerId, instance: &str, dial: Option<u64>, addresses: &[String], now: Duration) {
        self.hear_of(peer, addresses);
        let by = self.dialled(dial);
        let mut configured = false;
        if let Some(contact) = by {
            let entry = self.entries.get_mut(&contact).expect("dialled finds what is there");
            (entry.dial, entry.failures, entry.failure) = (None, 0, None);
            if let Contact::Address(address) = &contact {
                entry.answered = Some(peer);
                configured = entry.configured;
                let address = address.clone();
                self.hear_of(peer, &[address]);
            }
        }
        let found = self.entries.remove(&Contact::Instance(instance.to_owned()));
        if let Some(entry) = self.entries.get_mut(&Contact::Peer(peer)) {
            if let Some(found) = found {
                prefer(&mut entry.addresses, &found.addresses);
            }
            entry.configured |= configured;
            entry.instance = Some(instance.to_owned());
            (entry.failures, entry.spoken, entry.dial, entry.failure) = (0, Some(now), None, None);
        }
    }

    /// The link with `peer` is gone: to be tried again soon.
    pub fn unlinked(&mut self, peer: PeerId, now: Duration, rng: &mut Rng) {
        if let Some(entry) = self.entries.get_mut(&Contact::Peer(peer)) {
            entry.spoken = Some(now);
            entry.due = now + rng.up_to(RETRY_MIN);
            entry.failures = 0;
        }
    }

    /// A dial failed: the next address at once, or, when all have been tried, all again after a while. Says whose dial it was, and
    /// whether the reason is a new one.
    pub fn failed(&mut self, dial: u64, reason: &str, now: Duration, rng: &mut Rng) -> Option<(Contact, bool)> {
        let contact = self.dialled(Some(dial))?;
        let entry = self.entries.get_mut(&contact)?;
        entry.dial = None;
        entry.turn += 1;
        let news = entry.failure.as_deref() != Some(reason);
        entry.failure = Some(reason.to_owned());
        if entry.turn.is_multiple_of(entry.addresses.len().max(1)) {
            entry.failures = (entry.failures + 1).min(16);
            let lately = entry.spoken.is_some_and(|spoken| now.saturating_sub(spoken) < LATELY);
            let most = if lately { RETRY_LATELY_MAX } else { RETRY_MAX };
            entry.due = now + RETRY_MIN + rng.up_to((RETRY_MIN * (1 << entry.failures)).min(most));
        }
        Some((contact, news))
    }

    /// The network has changed: everything is due, whatever is under way.
    pub fn kick(&mut self, now: Duration) {
        for entry in self.entries.values_mut() {
            (entry.due, entry.failures, entry.dial, entry.turn) = (now, 0, None, 0);
        }
    }

    /// Begins a dial to a contact: its number and the address.
    pub fn dial(&mut self, contact: &Contact) -> Option<(u64, String)> {
        let entry = self.entries.get_mut(contact)?;
        let address = entry.addresses.get(entry.turn % entry.addresses.len().max(1))?.clone();
        self.dials += 1;
        entry.dial = Some(self.dials);
        Some((self.dials, address))
    }

    /// The contacts that are not linked (as `is_linked` says), each with the time from which it may be dialled; `None` while one is.
    /// An address whose peer is in the book is left to that peer.
    pub fn unlinked_contacts(&self, is_linked: impl Fn(&PeerId) -> bool) -> Vec<(&Contact, &Entry, Option<Duration>)> {
        let wanted = |contact: &Contact, entry: &Entry| match contact {
            Contact::Peer(peer) => !is_linked(peer),
            Contact::Address(_) => entry.answered.is_none_or(|peer| !self.entries.contains_key(&Contact::Peer(peer))),
            Contact::Instance(_) => true,
        };
        let entries = self.entries.iter().filter(|(contact, entry)| wanted(contact, entry) && !entry.addresses.is_empty());
        entries.map(|(contact, entry)| (contact, entry, entry.dial.is_none().then_some(entry.due))).collect()
    }

    /// How many hosts are known, alive or not. A configured address counts until its peer is known.
    pub fn known(&self) -> usize {
        let counts = |(contact, entry): &(&Contact, &Entry)| match contact {
            Contact::Peer(_) | Contact::Instance(_) => true,
            Contact::Address(_) => entry.answered.is_none(),
        };
        self.entries.iter().filter(counts).count()
    }

    /// Whether an address of this peer was configured.
    pub fn is_configured(&self, peer: &PeerId) -> bool {
        self.entries.get(&Contact::Peer(*peer)).is_some_and(|entry| entry.configured)
    }

    /// Whether a dial is under way that began before anything changed.
    pub fn dialling(&self) -> usize {
        self.entries.values().filter(|entry| entry.dial.is_some()).count()
    }

    /// The book as it is kept on disk; the same for the same contacts.
    pub fn to_text(&self) -> Vec<u8> {
        let mut peers = Vec::new();
        let mut addresses: Vec<Value> = Vec::new();
        for (contact, entry) in &self.entries {
            match contact {
                Contact::Peer(peer) if !entry.addresses.is_empty() => {
                    let mut object = Map::new();
                    object.insert("id".into(), peer.to_string().into());
                    object.insert("addresses".into(), entry.addresses.clone().into());
                    peers.push(Value::Object(object));
                }
                Contact::Address(address) if !entry.configured && entry.answered.is_none() => {
                    let mut object = Map::new();
                    object.insert("address".into(), address.clone().into());
                    addresses.push(Value::Object(object));
                }
                _ => {}
            }
        }
        let mut book = Map::new();
        book.insert("addresses".into(), Value::Array(addresses));
        book.insert("peers".into(), Value::Array(peers));
        (json::compact(&Value::Object(book)) + "\n").into_bytes()
    }

    /// Takes in what [`Book::to_text`] wrote. What is unreadable is left out: it is only a book of hints.
    pub fn read(&mut self, text: &[u8]) {
        let Ok(book) = json::parse_own(text) else { return };
        let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let texts = |value: &Value, name: &str| -> Vec<String> {
            list(value, name).iter().filter_map(Value::as_str).take(ADDRESSES_MAX).map(str::to_owned).collect()
        };
        let tokens = list(&book, "addresses");
        let tokens = tokens.iter().filter_map(|entry| entry.get("address").unwrap_or(entry).as_str()).take(ADDRESSES_MAX);
        tokens.for_each(|address| self.configure(address, false));
        for peer in list(&book, "peers") {
            if let Some(id) = peer.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok()) {
                self.hear_of(id, &texts(&peer, "addresses"));
            }
        }
    }

    fn dialled(&self, dial: Option<u64>) -> Option<Contact> {
        let dial = dial?;
        self.entries.iter().find(|(_, entry)| entry.dial == Some(dial)).map(|(contact, _)| contact.clone())
    }

    /// Makes room by forgetting whom nobody configured and nobody has spoken with for longest.
    fn forget_one(&mut self) -> bool {
        let idle = self.entries.iter().filter(|(_, entry)| !entry.configured && entry.dial.is_none());
        let oldest = idle.min_by_key(|(_, entry)| entry.spoken).map(|(contact, _)| contact.clone());
        oldest.is_some_and(|contact| self.entries.remove(&contact).is_some())
    }
}

/// Puts `newer` first and keeps at most eight.
fn prefer(addresses: &mut Vec<String>, newer: &[String]) {
    let old = std::mem::take(addresses);
    for address in newer.iter().chain(&old) {
        if addresses.len() < ADDRESSES_MAX && !addresses.contains(address) {
            addresses.push(address.clone());
        }
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
