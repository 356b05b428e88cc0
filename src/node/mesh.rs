//! Whom to be linked with.
//!
//! Up to eight known hosts everybody is linked with everybody. Above that a peer keeps three
//! outgoing links (one place for a configured address), and every half minute or so it exchanges
//! one for a peer that it has no link with: without that, two halves of a fleet that was split stay
//! two. Links are never closed because the count of known hosts has changed, only because there are
//! too many of them: while a fleet starts, everybody seems to be one of few, and is linked with all
//! it has heard of.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Node;
use super::book::{Contact, Entry};
use super::effect::{DiskJob, Effect, Level};
use super::input::LinkId;
use super::link::Link;
use super::{Context, Peers};
use crate::limits::{
    BOOK_EVERY, BOOK_GATHER, DEGREE_MAX, DIALS_MAX, DIALS_MET, FULL_MESH, LATELY, MDNS_PATIENCE,
    OUTGOING, RETRY_SOON, ROTATE_EVERY, TRIM_EVERY,
};
use crate::wire::frame::{Frame, Goodbye};

impl Node {
    /// Whether a host that was linked a short time ago is not.
    pub fn misses_somebody(&self) -> bool {
        if self.peers.is_large() && !self.peers.links.is_empty() {
            return false;
        }
        let lately = |entry: &Entry| {
            entry
                .spoken
                .is_some_and(|spoken| self.cx.now.elapsed.saturating_sub(spoken) < LATELY)
        };
        self.peers
            .book
            .unlinked_contacts(|peer| self.peers.is_linked(peer))
            .iter()
            .any(|(_, entry, _)| lately(entry))
    }

    /// Dials what is wanted and due, and notes when to look again.
    pub(super) fn dial_if_due(&mut self) {
        let now = self.cx.now.elapsed;
        if self.peers.is_large() && self.cx.timers.rotate <= now {
            self.rotate();
        }
        if self.cx.timers.dial > now {
            return;
        }
        if self.peers.is_sated(&self.cx) {
            // The dialler is woken when a link ends.
            self.cx.timers.dial = Duration::MAX;
            return;
        }
        if !self.peers.ration.allows(now, false) {
            // Whoever is due then, there is no need to look before.
            self.cx.timers.dial = self.peers.ration.ready_at();
            return;
        }
        let [mut sure, mut unsure] = self.peers.look_who_is_due(&mut self.cx);
        for _ in 0..self.peers.places() {
            let is_turn_of_unsure =
                !unsure.is_empty() && (sure.is_empty() || self.peers.ration.is_turn_of_unsure());
            let Some(contact) = (if is_turn_of_unsure {
                &mut unsure
            } else {
                &mut sure
            })
            .pop_front() else {
                return;
            };
            if !self.peers.ration.allows(now, false) {
                self.cx.timers.dial = self.cx.timers.dial.min(self.peers.ration.ready_at());
                return;
            }
            self.peers.dial(&mut self.cx, &contact, false);
        }
    }

    /// Links to one more known peer, the one longest neither spoken with nor dialled, and gives up
    /// one outgoing link if there are enough of them. Were dials not counted, a host that is
    /// gone for good would be first for ever.
    fn rotate(&mut self) {
        self.cx.timers.rotate = self.cx.now.elapsed + self.cx.rng.around(ROTATE_EVERY);
        let contacts = self
            .peers
            .book
            .unlinked_contacts(|peer| self.peers.is_linked(peer));
        let free = contacts.into_iter().filter(|(_, _, at)| at.is_some());
        let first = free
            .min_by_key(|(_, entry, _)| (entry.spoken.max(entry.tried), !entry.configured))
            .map(|(contact, _, _)| contact.clone());
        let Some(contact) = first else { return };
        self.peers.dial(&mut self.cx, &contact, false);
        let outgoing: Vec<LinkId> = self
            .peers
            .outgoing()
            .into_iter()
            .filter(|id| !self.peers.is_configured(*id) && !self.changes.forwarding.need(*id))
            .collect();
        if outgoing.len() > OUTGOING {
            let gone = *self
                .cx
                .rng
                .pick(&outgoing)
                .expect("there are more than three");
            self.peers.answer(
                &mut self.cx,
                gone,
                &Frame::Bye(Goodbye::Full, "making room for another peer".into()),
            );
            self.cx.effects.push(Effect::Close(gone));
            self.peers
                .unlinked(&mut self.cx, gone, "exchanged for another peer");
        }
    }

    /// The other side says how many others it is linked with: a caller that has some can be sent
    /// elsewhere when this host has enough.
    pub(super) fn degree(&mut self, id: LinkId, others: u16) {
        let Some(link) = self.peers.links.get_mut(&id) else {
            return;
        };
        link.others = others;
        if self.peers.is_crowded()
            && self
                .peers
                .links
                .get(&id)
                .is_some_and(|link| !link.outgoing && self.is_spare(link))
        {
            self.peers.send_away(&mut self.cx, id);
        }
    }

    /// Tells a peer how many links to others this host has; none, as long as it needs this one: who
    /// is crowded gives up no link that the other side has said 0 about.
    pub(super) fn tell_degree(&mut self, id: LinkId) {
        let Some(link) = self.peers.links.get(&id) else {
            return;
        };
        let others = if self.changes.forwarding.seek(&link.hello.peer) {
            0
        } else {
            self.peers.links.len() - 1
        };
        let others = u16::try_from(others).expect("links are few");
        self.peers.answer(&mut self.cx, id, &Frame::Degree(others));
    }

    /// A link has come or gone: tells the only other one, if there is just one, that it is the last
    /// one or no longer that.
    pub(super) fn tell_degree_of_the_other(&mut self, than: LinkId) {
        let mut others = self.peers.links.keys().filter(|id| **id != than);
        if let (Some(id), None) = (others.next().copied(), others.next()) {
            self.tell_degree(id);
        }
    }

    /// When the next link is to be given up because there are too many.
    pub(super) fn trim_due(&self) -> Option<Duration> {
        if !self.peers.is_crowded() {
            return None;
        }
        let first = self
            .peers
            .links
            .values()
            .filter(|link| self.is_spare(link))
            .map(|link| link.since + DIALS_MET)
            .min()?;
        Some(first.max(self.cx.timers.trim))
    }

    /// Gives up one link that there is too many: of those this host has dialled if it has enough of
    /// them, else of the others.
    pub(super) fn trim_if_due(&mut self) {
        let now = self.cx.now.elapsed;
        if self.trim_due().is_none_or(|due| due > now) {
            return;
        }
        self.cx.timers.trim = now + self.cx.rng.around(TRIM_EVERY);
        let spare = |link: &&Link| self.is_spare(link) && link.since + DIALS_MET <= now;
        let (dialled, others): (Vec<&Link>, Vec<&Link>) = self
            .peers
            .links
            .values()
            .filter(spare)
            .partition(|link| link.outgoing);
        let spares: Vec<LinkId> = if dialled.is_empty() { others } else { dialled }
            .iter()
            .map(|link| link.id)
            .collect();
        if let Some(id) = self.cx.rng.pick(&spares) {
            self.peers.send_away(&mut self.cx, *id);
        }
    }

    /// Whether both sides can do without this link.
    fn is_spare(&self, link: &Link) -> bool {
        let is_kept = link.outgoing
            && (self.peers.outgoing().len() <= OUTGOING || self.peers.is_configured(link.id));
        link.others > 0 && !is_kept && !self.changes.forwarding.need(link.id)
    }
}

impl Peers {
    /// Whether the fleet is too large for everybody to be linked with everybody.
    pub(super) fn is_large(&self) -> bool {
        self.book.knows_more_than(FULL_MESH)
    }

    pub(super) fn found(
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
    pub(super) fn readdressed(&mut self, cx: &mut Context, addresses: Vec<SocketAddr>) {
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

    pub(super) fn dial_failed(&mut self, cx: &mut Context, dial: u64, reason: &str) {
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

    pub(super) fn book_changed(&mut self, cx: &mut Context) {
        let due = (cx.now.elapsed + BOOK_GATHER).max(self.saved_book.0 + BOOK_EVERY);
        cx.timers.save_book.get_or_insert(due);
    }

    pub(super) fn save_book_if_due(&mut self, cx: &mut Context) {
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

    fn is_wanted(&self, entry: &Entry) -> bool {
        let full = self.is_large() && self.outgoing().len() >= OUTGOING;
        !full || (entry.configured && !self.outgoing().iter().any(|id| self.is_configured(*id)))
    }

    fn outgoing(&self) -> Vec<LinkId> {
        self.links
            .values()
            .filter(|link| link.outgoing)
            .map(|link| link.id)
            .collect()
    }

    fn is_configured(&self, id: LinkId) -> bool {
        self.links
            .get(&id)
            .is_some_and(|link| self.book.is_configured(&link.hello.peer))
    }

    /// Dials a contact at its next address, if the ration allows it: where nobody but this host
    /// itself is, or where enough was tried on somebody's word, the one after it.
    pub(super) fn dial(&mut self, cx: &mut Context, contact: &Contact, is_urgent: bool) {
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

    fn is_crowded(&self) -> bool {
        self.is_large() && self.links.len() > DEGREE_MAX
    }

    fn send_away(&mut self, cx: &mut Context, id: LinkId) {
        let addresses = self.other_addresses(cx, id);
        self.answer(cx, id, &Frame::Addresses(addresses));
        self.dismiss(cx, id, Goodbye::Full, "enough links here");
    }
}

impl Context {
    pub(super) fn wake_dialler(&mut self) {
        self.timers.dial = self.now.elapsed;
    }
}
