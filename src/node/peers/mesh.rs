//! Whom to be linked with.
//!
//! Up to eight known hosts everybody is linked with everybody. Above that a peer keeps three
//! outgoing links (one place for a configured address), and every half minute or so it exchanges
//! one for a peer that it has no link with: without that, two halves of a fleet that was split stay
//! two. Links are never closed because the count of known hosts has changed, only because there are
//! too many of them: while a fleet starts, everybody seems to be one of few, and is linked with all
//! it has heard of.

use crate::node::event::Event;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Peers;
use super::book::{Contact, Entry};
use super::link::Link;
use crate::limits::{
    BOOK_EVERY, BOOK_GATHER, DEGREE_MAX, DIALS_MAX, DIALS_MET, FULL_MESH, LATELY, MDNS_PATIENCE,
    OUTGOING, RETRY_SOON, ROTATE_EVERY, TRIM_EVERY,
};
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Effect, Level};
use crate::node::input::LinkId;
use crate::wire::frame::{Frame, Goodbye};

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

    /// Links to one more known peer, the one longest neither spoken with nor dialled, and gives up
    /// one outgoing link if there are enough of them. Were dials not counted, a host that is
    /// gone for good would be first for ever.
    fn rotate(&mut self, cx: &mut Context, is_needed: impl Fn(LinkId) -> bool) {
        cx.timers.rotate = cx.now.elapsed + cx.rng.around(ROTATE_EVERY);
        let contacts = self.book.unlinked_contacts(|peer| self.is_linked(peer));
        let free = contacts.into_iter().filter(|(_, _, at)| at.is_some());
        let first = free
            .min_by_key(|(_, entry, _)| (entry.spoken.max(entry.tried), !entry.configured))
            .map(|(contact, _, _)| contact.clone());
        let Some(contact) = first else { return };
        self.dial(cx, &contact, false);
        let outgoing: Vec<LinkId> = self
            .outgoing()
            .into_iter()
            .filter(|id| !self.is_configured(*id) && !is_needed(*id))
            .collect();
        if outgoing.len() > OUTGOING {
            let gone = *cx.rng.pick(&outgoing).expect("there are more than three");
            self.answer(
                cx,
                gone,
                &Frame::Bye(Goodbye::Full, "making room for another peer".into()),
            );
            cx.effects.push(Effect::Close(gone));
            self.unlinked(cx, gone, "exchanged for another peer");
        }
    }

    /// The other side says how many others it is linked with: a caller that has some can be sent
    /// elsewhere when this host has enough.
    pub(in crate::node) fn degree(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        others: u16,
        is_needed: impl Fn(LinkId) -> bool,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.others = others;
        if self.is_crowded()
            && self
                .links
                .get(&id)
                .is_some_and(|link| !link.outgoing && self.is_spare(link, &is_needed))
        {
            self.send_away(cx, id);
        }
    }

    /// Tells a peer how many links to others this host has; none, as long as it needs this one: who
    /// is crowded gives up no link that the other side has said 0 about.
    pub(in crate::node) fn tell_degree(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        is_sought: impl Fn(&Link) -> bool,
    ) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let others = if is_sought(link) {
            0
        } else {
            self.links.len() - 1
        };
        let others = u16::try_from(others).expect("links are few");
        self.answer(cx, id, &Frame::Degree(others));
    }

    /// A link has come or gone: tells the only other one, if there is just one, that it is the last
    /// one or no longer that.
    pub(in crate::node) fn tell_degree_of_the_other(&mut self, cx: &mut Context, than: LinkId) {
        let mut others = self.links.keys().filter(|id| **id != than);
        if let (Some(id), None) = (others.next().copied(), others.next()) {
            cx.tell(Event::Degree(id));
        }
    }

    /// When the next link is to be given up because there are too many.
    pub(in crate::node) fn trim_due(
        &self,
        cx: &Context,
        is_needed: impl Fn(LinkId) -> bool,
    ) -> Option<Duration> {
        if !self.is_crowded() {
            return None;
        }
        let first = self
            .links
            .values()
            .filter(|link| self.is_spare(link, &is_needed))
            .map(|link| link.since + DIALS_MET)
            .min()?;
        Some(first.max(cx.timers.trim))
    }

    /// Gives up one link that there is too many: of those this host has dialled if it has enough of
    /// them, else of the others.
    pub(in crate::node) fn trim_if_due(
        &mut self,
        cx: &mut Context,
        is_needed: impl Fn(LinkId) -> bool,
    ) {
        let now = cx.now.elapsed;
        if self.trim_due(cx, &is_needed).is_none_or(|due| due > now) {
            return;
        }
        cx.timers.trim = now + cx.rng.around(TRIM_EVERY);
        let spare = |link: &&Link| self.is_spare(link, &is_needed) && link.since + DIALS_MET <= now;
        let (dialled, others): (Vec<&Link>, Vec<&Link>) = self
            .links
            .values()
            .filter(spare)
            .partition(|link| link.outgoing);
        let spares: Vec<LinkId> = if dialled.is_empty() { others } else { dialled }
            .iter()
            .map(|link| link.id)
            .collect();
        if let Some(id) = cx.rng.pick(&spares) {
            self.send_away(cx, *id);
        }
    }

    /// Whether both sides can do without this link.
    fn is_spare(&self, link: &Link, is_needed: impl Fn(LinkId) -> bool) -> bool {
        let is_kept =
            link.outgoing && (self.outgoing().len() <= OUTGOING || self.is_configured(link.id));
        link.others > 0 && !is_kept && !is_needed(link.id)
    }

    /// Whether the fleet is too large for everybody to be linked with everybody.
    pub(in crate::node) fn is_large(&self) -> bool {
        self.book.knows_more_than(FULL_MESH)
    }

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

    pub(in crate::node) fn book_changed(&mut self, cx: &mut Context) {
        let due = (cx.now.elapsed + BOOK_GATHER).max(self.saved_book.0 + BOOK_EVERY);
        cx.timers.save_book.get_or_insert(due);
    }

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
    pub(in crate::node) fn wake_dialler(&mut self) {
        self.timers.dial = self.now.elapsed;
    }
}
