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

/// A link, as far as it decides whether that may go.
#[derive(Debug, Clone, Copy)]
struct Tie {
    id: LinkId,
    /// Whether this host has dialled.
    is_outgoing: bool,
    /// Whether an address of the peer was configured.
    is_configured: bool,
    /// How many others the peer is linked with, as it says.
    others: u16,
    /// Whether a client's change goes over it.
    is_needed: bool,
    /// Whether revisions spread over it whole.
    is_branch: bool,
    since: Duration,
}

impl Tie {
    /// From when on the link may be given up: the peer may have dialled too, and before that both
    /// sides have to agree which one stays.
    fn spare_from(&self) -> Duration {
        self.since + DIALS_MET
    }
}

/// The links that both sides can do without.
fn spare(ties: &[Tie]) -> impl Iterator<Item = &Tie> {
    let outgoing = ties.iter().filter(|tie| tie.is_outgoing).count();
    let is_kept = move |tie: &Tie| tie.is_outgoing && (outgoing <= OUTGOING || tie.is_configured);
    ties.iter()
        .filter(move |tie| tie.others > 0 && !tie.is_needed && !is_kept(tie))
}

/// Whether a link that its peer has dialled is one that both sides can do without.
fn is_callers_spare(ties: &[Tie], id: LinkId) -> bool {
    spare(ties).any(|tie| tie.id == id && !tie.is_outgoing)
}

/// Of too many links, those of which one is to be given up now: of those this host has dialled if
/// it has enough of them, else of the others.
fn to_give_up(ties: &[Tie], now: Duration) -> Vec<LinkId> {
    let (dialled, others): (Vec<&Tie>, Vec<&Tie>) = spare(ties)
        .filter(|tie| tie.spare_from() <= now)
        .partition(|tie| tie.is_outgoing);
    let spares = if dialled.is_empty() { others } else { dialled };
    rather_not_branches(spares.into_iter())
}

/// Those that revisions do not spread over whole; all if there are none.
fn rather_not_branches<'a>(ties: impl Iterator<Item = &'a Tie>) -> Vec<LinkId> {
    let (branches, others): (Vec<&Tie>, Vec<&Tie>) = ties.partition(|tie| tie.is_branch);
    let rather = if others.is_empty() { branches } else { others };
    rather.iter().map(|tie| tie.id).collect()
}

/// Of the links this host has dialled those that may be exchanged for a peer without a link; not
/// the only one of its peer.
fn to_exchange(ties: &[Tie]) -> Vec<LinkId> {
    let may_go =
        |tie: &&Tie| tie.is_outgoing && tie.others > 0 && !tie.is_configured && !tie.is_needed;
    match ties.iter().filter(may_go).count() {
        0..=OUTGOING => Vec::new(),
        _ => rather_not_branches(ties.iter().filter(may_go)),
    }
}

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
        let outgoing = to_exchange(&self.ties(is_needed));
        if let Some(gone) = cx.rng.pick(&outgoing).copied() {
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
        let is_crowded = self.is_crowded();
        if is_crowded && is_callers_spare(&self.ties(is_needed), id) {
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
        let first = spare(&self.ties(is_needed))
            .map(|tie| tie.spare_from())
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
        let spares = to_give_up(&self.ties(is_needed), now);
        if let Some(id) = cx.rng.pick(&spares) {
            self.send_away(cx, *id);
        }
    }

    /// Whether the fleet is too large for everybody to be linked with everybody.
    pub(in crate::node) fn is_large(&self) -> bool {
        self.book.knows_more_than(FULL_MESH)
    }

    fn is_crowded(&self) -> bool {
        self.is_large() && self.links.len() > DEGREE_MAX
    }

    fn send_away(&mut self, cx: &mut Context, id: LinkId) {
        let addresses = self.other_addresses(cx, id);
        self.answer(cx, id, &Frame::Addresses(addresses));
        self.dismiss(cx, id, Goodbye::Full, "enough links here");
    }

    /// All links, with what decides which of them may go.
    fn ties(&self, is_needed: impl Fn(LinkId) -> bool) -> Vec<Tie> {
        let tie = |link: &Link| Tie {
            id: link.id,
            is_outgoing: link.outgoing,
            is_configured: self.book.is_configured(&link.hello.peer),
            others: link.others,
            is_needed: is_needed(link.id),
            is_branch: link.is_branch,
            since: link.since,
        };
        self.links.values().map(tie).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that the peer has dialled long ago, and can do without.
    const CALLER: Tie = Tie {
        id: 0,
        is_outgoing: false,
        is_configured: false,
        others: 5,
        is_needed: false,
        is_branch: false,
        since: Duration::ZERO,
    };
    /// The same, dialled by this host.
    const DIALLED: Tie = Tie {
        is_outgoing: true,
        ..CALLER
    };

    /// These links, numbered from 1 on.
    fn numbered(ties: &[Tie]) -> Vec<Tie> {
        (1..)
            .zip(ties)
            .map(|(id, tie)| Tie { id, ..*tie })
            .collect()
    }

    #[test]
    fn the_link_that_goes_is_one_that_both_sides_can_do_without() {
        let three = [DIALLED; OUTGOING];
        let with = |more: &[Tie]| numbered(&[&three[..], more].concat());
        let spared = OUTGOING as LinkId + 1;
        for (what, more, expected) in [
            ("a caller with others", vec![CALLER], vec![spared]),
            (
                "a caller with nobody else",
                vec![Tie {
                    others: 0,
                    ..CALLER
                }],
                vec![],
            ),
            (
                "one that a change goes over",
                vec![Tie {
                    is_needed: true,
                    ..CALLER
                }],
                vec![],
            ),
            (
                "one that has just come",
                vec![Tie {
                    since: DIALS_MET,
                    ..CALLER
                }],
                vec![],
            ),
            // More than enough are dialled: of those one goes, whoever else might.
            (
                "one dialled too many",
                vec![DIALLED, CALLER],
                (1..=spared).collect(),
            ),
            (
                "a configured one too many",
                vec![
                    Tie {
                        is_configured: true,
                        ..DIALLED
                    },
                    CALLER,
                ],
                (1..spared).collect(),
            ),
        ] {
            assert_eq!(to_give_up(&with(&more), DIALS_MET), expected, "{what}");
        }
    }

    #[test]
    fn only_callers_are_sent_elsewhere_as_soon_as_they_have_others() {
        let ties = numbered(&[
            CALLER,
            DIALLED,
            Tie {
                others: 0,
                ..CALLER
            },
        ]);
        let sent: Vec<LinkId> = (1..=3).filter(|id| is_callers_spare(&ties, *id)).collect();
        assert_eq!(sent, [1]);
    }

    #[test]
    fn what_is_exchanged_was_dialled_and_is_neither_configured_nor_needed() {
        let ties = numbered(&[
            DIALLED,
            CALLER,
            Tie {
                is_configured: true,
                ..DIALLED
            },
            Tie {
                is_needed: true,
                ..DIALLED
            },
            Tie {
                others: 0,
                ..DIALLED
            },
        ]);
        assert!(
            to_exchange(&ties).is_empty(),
            "there are not more than are kept"
        );
        let more = numbered(&[&ties[..], &[DIALLED; 3]].concat());
        assert_eq!(
            to_exchange(&more),
            [1, 6, 7, 8],
            "5 is all that its peer has"
        );
        let branch = Tie {
            is_branch: true,
            ..DIALLED
        };
        let most = numbered(&[branch, branch, DIALLED, branch]);
        assert_eq!(to_exchange(&most), [3], "revisions spread over the others");
        assert_eq!(to_exchange(&numbered(&[branch; 4])), [1, 2, 3, 4]);
    }
}
