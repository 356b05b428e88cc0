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

/// How far this host's links and dials reach.
#[derive(Debug, Clone, Copy)]
struct Reach {
    /// Whether the fleet is too large for everybody to be linked with everybody.
    is_large: bool,
    /// Whether there is any link.
    is_linked: bool,
    /// Links that this host has dialled.
    outgoing: usize,
    /// Dials under way.
    dialling: usize,
    /// Whether one of the links that it has dialled is with a configured address.
    has_configured: bool,
}

impl Reach {
    /// How many more dials may begin now.
    fn places(self) -> usize {
        let free = DIALS_MAX.saturating_sub(self.dialling);
        if !self.is_large || !self.is_linked {
            return free;
        }
        let missing = OUTGOING.saturating_sub(self.outgoing + self.dialling);
        // One place is kept for a configured address, so that a segment joined by one `--peer`
        // stays joined.
        let kept = usize::from(!self.has_configured && self.dialling == 0);
        free.min(missing.max(kept))
    }

    /// Whether a link is wanted with a contact, of which an address may be configured.
    fn wants(self, is_configured: bool) -> bool {
        let is_full = self.is_large && self.outgoing >= OUTGOING;
        !is_full || (is_configured && !self.has_configured)
    }

    /// Whether nobody is wanted, so that there is no need to look through the book.
    fn is_sated(self, are_any_configured: bool) -> bool {
        !self.wants(are_any_configured)
    }
}

/// Somebody who is wanted and due.
#[derive(Debug, Clone)]
struct Due {
    contact: Contact,
    /// Whether the contact is more than somebody's word.
    is_sure: bool,
    /// The host of the address to be tried.
    host: String,
}

/// These, the sure and the others apart, in the order in which they are to be dialled. Of one host
/// with many names, or many peers at one place, one comes before the second: many that somebody has
/// invented there keep out nobody else.
fn in_turn(due: Vec<Due>) -> [VecDeque<Contact>; 2] {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, Contact, bool)> = Vec::with_capacity(due.len());
    for Due {
        contact,
        is_sure,
        host,
    } in due
    {
        let before = seen.entry(host).or_default();
        ranked.push((*before, contact, is_sure));
        *before += 1;
    }
    ranked.sort_by_key(|(before, ..)| *before);
    let (sure, unsure): (Vec<_>, Vec<_>) = ranked.into_iter().partition(|(_, _, is_sure)| *is_sure);
    [sure, unsure].map(|list| list.into_iter().map(|(_, contact, _)| contact).collect())
}

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
        let reach = self.reach();
        if reach.is_sated(!cx.setup.peers.is_empty()) {
            // The dialler is woken when a link ends.
            cx.timers.dial = Duration::MAX;
            return;
        }
        if !self.ration.allows(now, false) {
            // Whoever is due then, there is no need to look before.
            cx.timers.dial = self.ration.ready_at();
            return;
        }
        let [mut sure, mut unsure] = self.look_who_is_due(cx, reach);
        for _ in 0..reach.places() {
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

    /// Who is wanted and due, in the order in which they are to be dialled; and notes when the next
    /// will be.
    fn look_who_is_due(&mut self, cx: &mut Context, reach: Reach) -> [VecDeque<Contact>; 2] {
        let now = cx.now.elapsed;
        let contacts = self.book.unlinked_contacts(|peer| self.is_linked(peer));
        let mut due: Vec<Due> = Vec::new();
        let mut next = Duration::MAX;
        for (contact, entry, at) in contacts {
            match at {
                Some(at) if at <= now && reach.wants(entry.configured) => due.push(Due {
                    contact: contact.clone(),
                    is_sure: entry.is_sure(),
                    host: entry.next_host().to_owned(),
                }),
                Some(at) if at > now => next = next.min(at),
                _ => {}
            }
        }
        cx.timers.dial = next;
        cx.rng.shuffle(&mut due);
        in_turn(due)
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

    fn reach(&self) -> Reach {
        let outgoing = || self.links.values().filter(|link| link.outgoing);
        Reach {
            is_large: self.is_large(),
            is_linked: !self.links.is_empty(),
            outgoing: outgoing().count(),
            dialling: self.book.dialling(),
            has_configured: outgoing().any(|link| self.book.is_configured(&link.hello.peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host in a large fleet that has dialled nobody yet, and was dialled.
    const DIALLED_BY_OTHERS: Reach = Reach {
        is_large: true,
        is_linked: true,
        outgoing: 0,
        dialling: 0,
        has_configured: false,
    };

    #[test]
    fn as_many_are_dialled_as_links_are_missing_and_one_for_a_configured_address() {
        let reach = DIALLED_BY_OTHERS;
        let full = Reach {
            outgoing: OUTGOING,
            ..reach
        };
        for (reach, places) in [
            (reach, OUTGOING),
            (
                Reach {
                    dialling: 1,
                    ..reach
                },
                OUTGOING - 1,
            ),
            // In a small fleet everybody is dialled; so is, for a host without a link.
            (
                Reach {
                    is_large: false,
                    ..full
                },
                DIALS_MAX,
            ),
            (
                Reach {
                    is_linked: false,
                    ..reach
                },
                DIALS_MAX,
            ),
            (
                Reach {
                    dialling: DIALS_MAX,
                    is_large: false,
                    ..full
                },
                0,
            ),
            // The place that is kept for a configured address.
            (full, 1),
            (
                Reach {
                    dialling: 1,
                    ..full
                },
                0,
            ),
            (
                Reach {
                    has_configured: true,
                    ..full
                },
                0,
            ),
        ] {
            assert_eq!(reach.places(), places, "{reach:?}");
        }
    }

    #[test]
    fn with_enough_links_only_a_configured_address_is_wanted_unless_there_is_one() {
        let reach = DIALLED_BY_OTHERS;
        let full = Reach {
            outgoing: OUTGOING,
            ..reach
        };
        let whole = Reach {
            has_configured: true,
            ..full
        };
        for (reach, wants_any, wants_configured) in [
            (reach, true, true),
            (full, false, true),
            (whole, false, false),
            (
                Reach {
                    is_large: false,
                    ..whole
                },
                true,
                true,
            ),
        ] {
            assert_eq!(reach.wants(false), wants_any, "{reach:?}");
            assert_eq!(reach.wants(true), wants_configured, "{reach:?}");
            assert_eq!(reach.is_sated(true), !wants_configured, "{reach:?}");
        }
    }

    #[test]
    fn many_names_at_one_host_keep_out_nobody() {
        let due = |name: &str, host: &str, is_sure| Due {
            contact: Contact::Address(name.to_owned()),
            is_sure,
            host: host.to_owned(),
        };
        let names = |list: &VecDeque<Contact>| -> Vec<String> {
            let name = |contact: &Contact| match contact {
                Contact::Address(name) => name.clone(),
                other => panic!("{other:?} is no address"),
            };
            list.iter().map(name).collect()
        };
        let [sure, unsure] = in_turn(vec![
            due("a1", "a", false),
            due("a2", "a", false),
            due("a3", "a", false),
            due("b1", "b", false),
            due("c1", "c", true),
            due("b2", "b", true),
        ]);
        assert_eq!(names(&sure), ["c1", "b2"]);
        assert_eq!(names(&unsure), ["a1", "b1", "a2", "a3"]);
    }
}
