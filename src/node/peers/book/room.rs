//! Who is forgotten when the book is full.
//!
//! What is only somebody's word goes first, and each host prefers others of the fleet, so that each
//! has its own random part of it in its book. Invariant: nobody is forgotten whose address a person
//! has configured, or to whom a dial is under way.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Book, Contact, Entry};
use crate::limits::CONTACTS_MAX;
use crate::model::peer_id::PeerId;
use crate::node::rng::Rng;

impl Book {
    /// The empty book of this peer.
    pub fn of(owner: &PeerId) -> Self {
        Self {
            owner: Rng::new(number_of(owner)).draw(),
            ..Self::default()
        }
    }

    /// Makes room for one more, of this preference if it was only heard of: by forgetting what is
    /// only somebody's word, the least preferred first, and for one that was met also whom
    /// nobody has spoken with for longest, of the host with the most of them: whoever appears
    /// under a thousand names is the first to be forgotten.
    pub(super) fn make_room(&mut self, heard_of: Option<u64>) -> bool {
        if self.entries.len() < CONTACTS_MAX {
            return true;
        }
        let preference = |contact: &Contact| match contact {
            Contact::Peer(peer) => self.preference(peer),
            Contact::Address(_) | Contact::Instance(_) => u64::MAX,
        };
        let idle = || {
            self.entries
                .iter()
                .filter(|(_, entry)| !entry.configured && entry.dial.is_none())
        };
        let is_word = |entry: &Entry| entry.spoken.is_none() && !entry.is_sure();
        let word = idle()
            .filter(|(_, entry)| is_word(entry))
            .map(|(contact, _)| (preference(contact), contact))
            .max();
        let gone = match (word, heard_of) {
            (Some((theirs, contact)), own) if own.is_none_or(|own| own < theirs) => {
                Some(contact.clone())
            }
            (_, Some(_)) => None,
            (_, None) => {
                let mut at: BTreeMap<&str, usize> = BTreeMap::new();
                idle().for_each(|(_, entry)| *at.entry(entry.next_host()).or_default() += 1);
                let rank = |entry: &Entry| (Reverse(at[entry.next_host()]), entry.spoken);
                idle()
                    .min_by_key(|(_, entry)| rank(entry))
                    .map(|(contact, _)| contact.clone())
            }
        };
        gone.is_some_and(|contact| self.entries.remove(&contact).is_some())
    }

    /// Of two peers that were only heard of, the one with the smaller number stays when there is no
    /// room for both.
    pub(super) fn preference(&self, peer: &PeerId) -> u64 {
        Rng::new(self.owner ^ number_of(peer)).draw()
    }
}

fn number_of(peer: &PeerId) -> u64 {
    peer.as_bytes()
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
