//! The address book as it is kept on disk.
//!
//! Only what is sure is written, so that no word of anybody's outlives this run. What is unreadable
//! is left out, for it is only a book of hints. Invariant: the same contacts make the same text,
//! whatever order they were heard of in, so that nothing is written to flash twice.

use super::{Book, Contact};
use crate::limits::ADDRESSES_MAX;
use crate::model::json::{self, Value, object};
use crate::model::peer_id::PeerId;

impl Book {
    /// The book as it is kept on disk, with what is sure alone; the same for the same contacts.
    pub fn to_text(&self) -> Vec<u8> {
        let mut peers = Vec::new();
        let mut addresses = Vec::new();
        for (contact, entry) in &self.entries {
            match contact {
                Contact::Peer(peer) if entry.addresses.has_sure() => {
                    let mut addresses: Vec<&str> = entry.addresses.sure().collect();
                    // Which of them was heard last is not worth a write to flash.
                    addresses.sort_unstable();
                    peers.push(object! { "id": peer.to_string(), "addresses": addresses });
                }
                Contact::Address(address)
                    if !entry.configured && !entry.hearsay && entry.answered.is_none() =>
                {
                    addresses.push(object! { "address": address.as_str() });
                }
                _ => {}
            }
        }
        let book = object! { "addresses": addresses, "peers": peers };
        (json::compact(&Value::Object(book)) + "\n").into_bytes()
    }

    /// Takes in what [`Book::to_text`] wrote. What is unreadable is left out: it is only a book of
    /// hints.
    pub fn read(&mut self, text: &[u8], instance_of: impl Fn(&PeerId) -> String) {
        let Ok(book) = json::parse_own(text) else {
            return;
        };
        let list = |value: &Value, name: &str| {
            value
                .get(name)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let texts = |value: &Value, name: &str| -> Vec<String> {
            list(value, name)
                .iter()
                .filter_map(Value::as_str)
                .take(ADDRESSES_MAX)
                .map(str::to_owned)
                .collect()
        };
        let tokens = list(&book, "addresses");
        let tokens = tokens
            .iter()
            .filter_map(|entry| entry.get("address").unwrap_or(entry).as_str())
            .take(ADDRESSES_MAX);
        tokens.for_each(|address| self.configure(address, false));
        for peer in list(&book, "peers") {
            if let Some(id) = peer
                .get("id")
                .and_then(Value::as_str)
                .and_then(|id| id.parse().ok())
            {
                self.hear_of(id, &instance_of(&id), &[]);
                let entry = self.entries.get_mut(&Contact::Peer(id));
                let known = texts(&peer, "addresses");
                entry
                    .into_iter()
                    .for_each(|entry| entry.addresses.ensure_all(&known));
            }
        }
    }
}
