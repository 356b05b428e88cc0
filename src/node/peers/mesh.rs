//! Whom to be linked with.
//!
//! Up to eight known hosts everybody is linked with everybody. Above that a peer keeps three
//! outgoing links (one place for a configured address), and every half minute or so it exchanges
//! one for a peer that it has no link with: without that, two halves of a fleet that was split stay
//! two. Links are never closed because the count of known hosts has changed, only because there are
//! too many of them: while a fleet starts, everybody seems to be one of few, and is linked with all
//! it has heard of.

use std::time::Duration;

use super::Peers;
use super::link::Link;
use crate::limits::{DEGREE_MAX, DIALS_MET, FULL_MESH, OUTGOING, ROTATE_EVERY, TRIM_EVERY};
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::event::Event;
use crate::node::input::LinkId;
use crate::wire::frame::{Frame, Goodbye};

impl Peers {
    /// Links to one more known peer, the one longest neither spoken with nor dialled, and gives up
    /// one outgoing link if there are enough of them. Were dials not counted, a host that is
    /// gone for good would be first for ever.
    pub(in crate::node) fn rotate(&mut self, cx: &mut Context, is_needed: impl Fn(LinkId) -> bool) {
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

    pub(in crate::node) fn outgoing(&self) -> Vec<LinkId> {
        self.links
            .values()
            .filter(|link| link.outgoing)
            .map(|link| link.id)
            .collect()
    }

    pub(in crate::node) fn is_configured(&self, id: LinkId) -> bool {
        self.links
            .get(&id)
            .is_some_and(|link| self.book.is_configured(&link.hello.peer))
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
