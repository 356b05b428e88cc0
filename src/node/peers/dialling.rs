//! Whom to dial, and when.
//!
//! Everybody who is wanted and due is dialled, a few at a time, those met before and those that are
//! only somebody's word in turn, as far as the ration allows. How many links are wanted `mesh`
//! says. Nothing here gives up a link. Invariant: no address that is only somebody's word is
//! dialled beyond the ration (`ration`), and this host never dials itself.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Peers;
use super::book::{Contact, Entry};
use crate::limits::{
    BOOK_EVERY, BOOK_GATHER, DIALS_MAX, LATELY, MDNS_PATIENCE, OUTGOING, RETRY_SOON,
};
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Effect, Level};
use crate::node::input::LinkId;

impl Peers {
    /// Whether a host that was linked a short time ago is not.
    pub(in crate::node) fn misses_somebody(&self, cx: &Context) -> bool {
        if self.is_large() && !self.links.is_empty() {
            return false;
        }
        let lately = |entry: &Entry| {
            entry
                .spoken
                .is_some_and(|spoken| cx.now.elapsed.saturating_sub(spoken) < LATELY)
        };
        self.book
            .unlinked_contacts(|peer| self.is_linked(peer))
            .iter()
            .any(|(_, entry, _)| lately(entry))
    }

    /// Dials what is wanted and due, and notes when to look again.
    pub(in crate::node) fn dial_if_due(
        &mut self,
        cx: &mut Context,
        is_needed: impl Fn(LinkId) -> bool,
    ) {
        let now = cx.now.elapsed;
        if self.is_large() && cx.timers.rotate <= now {
            self.rotate(cx, is_needed);
        }
        if cx.timers.dial > now {
            return;
        }
        if self.is_sated(cx) {
            // The dialler is woken when a link ends.
            cx.timers.dial = Duration::MAX;
            return;
        }
        if !self.ration.allows(now, false) {
            // Whoever is due then, there is no need to look before.
            cx.timers.dial = self.ration.ready_at();
            return;
        }
        let [mut sure, mut unsure] = self.look_who_is_due(cx);
        for _ in 0..self.places() {
            let is_turn_of_unsure =
                !unsure.is_empty() && (sure.is_empty() || self.ration.is_turn_of_unsure());
            let Some(contact) = (if is_turn_of_unsure {
                &mut unsure
            } else {
                &mut sure
            })
            .pop_front() else {
                return;
            };
            if !self.ration.allows(now, false) {
                cx.timers.dial = cx.timers.dial.min(self.ration.ready_at());
                return;
            }
            self.dial(cx, &contact, false);
        }
    }

    /// mDNS shows an instance at these addresses; `unheard` if it cannot have heard of this host.
    pub(in crate::node) fn found(
        &mut self,
        cx: &mut Context,
        instance: &str,
        addresses: &[SocketAddr],
        unheard: bool,
    ) {
        if instance == cx.instance
            || self
                .links
                .values()
                .any(|link| cx.instance_of(&link.hello.peer) == instance)
        {
            return;
        }
        let patience = if unheard || cx.instance.as_str() < instance {
            Duration::ZERO
        } else {
            MDNS_PATIENCE
        };
        if self
            .book
            .find(instance, addresses, cx.now.elapsed + patience)
        {
            let at = addresses
                .first()
                .map_or_else(String::new, |address| format!(" at {address}"));
            cx.say(Level::Info, "mdns", format!("discovered {instance}{at}"));
        }
        cx.wake_dialler();
    }

    /// The host's own addresses, or the state of its interfaces, have changed: whatever failed may
    /// work now.
    pub(in crate::node) fn readdressed(&mut self, cx: &mut Context, addresses: Vec<SocketAddr>) {
        if self.addresses != addresses {
            self.addresses = addresses;
            cx.own_record_changed();
        }
        self.book.kick(cx.now.elapsed);
        self.ration.forget();
        cx.wake_dialler();
    }

    /// Whether this host itself listens there.
    fn is_own(&self, address: &SocketAddr) -> bool {
        self.own.contains(address) || self.addresses.contains(address)
    }

    /// A dial has led to nobody, for this reason.
    pub(in crate::node) fn dial_failed(&mut self, cx: &mut Context, dial: u64, reason: &str) {
        if let Some((contact, news)) = self.book.failed(dial, reason, cx.now.elapsed, &mut cx.rng) {
            let whom = match contact {
                Contact::Peer(peer) => self.called(&peer),
                Contact::Address(address) => address,
                Contact::Instance(instance) => instance,
            };
            let level = if news { Level::Info } else { Level::Debug };
            cx.say(level, "dial", format!("cannot reach {whom}: {reason}"));
        }
        cx.wake_dialler();
    }

    /// Who is wanted and due, apart those that are sure and those that are only somebody's word,
    /// each in the order in which they are to be dialled; and notes when the next will be. Of
    /// one host with many names, or many peers at one place, one comes before the second: many
    /// that somebody has invented there keep out nobody else.
    fn look_who_is_due(&mut self, cx: &mut Context) -> [VecDeque<Contact>; 2] {
        let now = cx.now.elapsed;
        let contacts = self.book.unlinked_contacts(|peer| self.is_linked(peer));
        let mut due: Vec<(Contact, bool, String)> = Vec::new();
        let mut next = Duration::MAX;
        for (contact, entry, at) in contacts {
            match at {
                Some(at) if at <= now && self.is_wanted(entry) => {
                    due.push((
                        contact.clone(),
                        entry.is_sure(),
                        entry.next_host().to_owned(),
                    ));
                }
                Some(at) if at > now => next = next.min(at),
                _ => {}
            }
        }
        cx.timers.dial = next;
        cx.rng.shuffle(&mut due);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut ranked: Vec<(usize, Contact, bool)> = Vec::with_capacity(due.len());
        for (contact, is_sure, host) in due {
            let before = seen.entry(host).or_default();
            ranked.push((*before, contact, is_sure));
            *before += 1;
        }
        ranked.sort_by_key(|(before, ..)| *before);
        let (sure, unsure): (Vec<_>, Vec<_>) =
            ranked.into_iter().partition(|(_, _, is_sure)| *is_sure);
        [sure, unsure].map(|list| list.into_iter().map(|(_, contact, _)| contact).collect())
    }

    /// Something in the book is new: it is written before long.
    pub(in crate::node) fn book_changed(&mut self, cx: &mut Context) {
        let due = (cx.now.elapsed + BOOK_GATHER).max(self.saved_book.0 + BOOK_EVERY);
        cx.timers.save_book.get_or_insert(due);
    }

    /// Has the book written, if it is another than the one on disk.
    pub(in crate::node) fn save_book_if_due(&mut self, cx: &mut Context) {
        if cx.timers.save_book.is_some_and(|due| due <= cx.now.elapsed) {
            cx.timers.save_book = None;
            let text = self.book.to_text();
            if self.saved_book.1 != text {
                self.saved_book = (cx.now.elapsed, text.clone());
                cx.effects.push(Effect::Disk(DiskJob::Addresses(text)));
            }
        }
    }

    /// How many more dials may begin now.
    fn places(&self) -> usize {
        let free = DIALS_MAX.saturating_sub(self.book.dialling());
        if !self.is_large() {
            return free;
        }
        if self.links.is_empty() {
            return free;
        }
        let missing = OUTGOING.saturating_sub(self.outgoing().len() + self.book.dialling());
        let configured = self.outgoing().iter().any(|id| self.is_configured(*id));
        // One place is kept for a configured address, so that a segment joined by one `--peer`
        // stays joined.
        free.min(missing.max(usize::from(!configured && self.book.dialling() == 0)))
    }

    /// Whether nobody is wanted, so that there is no need to look through the book.
    fn is_sated(&self, cx: &Context) -> bool {
        let outgoing = self.outgoing();
        let has_configured =
            || cx.setup.peers.is_empty() || outgoing.iter().any(|id| self.is_configured(*id));
        self.is_large() && outgoing.len() >= OUTGOING && has_configured()
    }

    /// Whether a link with this contact is wanted.
    fn is_wanted(&self, entry: &Entry) -> bool {
        let full = self.is_large() && self.outgoing().len() >= OUTGOING;
        !full || (entry.configured && !self.outgoing().iter().any(|id| self.is_configured(*id)))
    }

    /// Dials a contact at its next address, if the ration allows it: where nobody but this host
    /// itself is, or where enough was tried on somebody's word, the one after it.
    pub(in crate::node) fn dial(&mut self, cx: &mut Context, contact: &Contact, is_urgent: bool) {
        let now = cx.now.elapsed;
        if !self.ration.allows(now, is_urgent) {
            return;
        }
        while let Some(dial) = self.book.dial(contact, now) {
            let parsed: Option<SocketAddr> = dial.address.parse().ok();
            let is_own = parsed.is_some_and(|address| self.is_own(&address));
            let is_exempt = dial.sure || parsed.is_some_and(|address| self.is_here(&address.ip()));
            if !is_own
                && (is_exempt || parsed.is_some_and(|address| self.ration.admits(&address, now)))
            {
                self.ration.spend(now);
                return cx.effects.push(Effect::Dial {
                    dial: dial.number,
                    address: dial.address,
                });
            }
            if !self.book.passed_over(dial.number, now, &mut cx.rng) {
                // Others may wait, but not all who are passed over are to be looked through in one
                // go.
                cx.timers.dial = cx.timers.dial.min(now + RETRY_SOON);
                return;
            }
        }
    }

    /// Whether an IP is this very host's: how many peers run on it, and at which ports, is its own
    /// affair.
    fn is_here(&self, ip: &IpAddr) -> bool {
        ip.is_loopback()
            || self
                .own
                .iter()
                .chain(&self.addresses)
                .any(|own| own.ip() == *ip)
    }
}
