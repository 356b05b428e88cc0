//! Links coming and going: who stays when two peers have two links, and who is refused.
//!
//! Of two links between the same two runs that met, the one begun by the smaller peer ID stays, so
//! both sides decide alike; of two that one side began, that side alone closes the newer. Otherwise
//! the newer stays, for it has just proved its peer alive, unless the run differs and the old one
//! answers: then two hosts bear one identity, the newcomer is refused, and both are told.
//!
//! How many links there are to be is not decided here, see `mesh`. Invariant: no link is admitted
//! whose peer is linked already by another run that answers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Peers;
use super::book::usable;
use super::link::Link;
use crate::limits::{CLONE_TEST, DIALS_MET, LINKS_MAX, NEWCOMERS_MAX};
use crate::model::peer_id::PeerId;
use crate::node::context::Context;
use crate::node::effect::{Effect, Level, address_texts};
use crate::node::event::Event;
use crate::node::input::LinkId;
use crate::wire::frame::{Frame, Goodbye};
use crate::wire::handshake::Hello;

/// A link whose peer is linked already by another run: it waits for the old link's answer.
pub(in crate::node) struct Newcomer {
    link: Link,
    old: LinkId,
    pub(in crate::node) until: Duration,
}

/// What is known of a new link and an old one with the same peer.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// Whether the peer is in the same run as when the old one began.
    is_same_run: bool,
    /// Whether the old one is so young that two dials may have met.
    is_old_recent: bool,
    /// Whether this host has dialled the old one.
    old_is_outgoing: bool,
    /// Whether this host has dialled the new one.
    new_is_outgoing: bool,
    /// Whether this host's ID is smaller than the peer's.
    is_smaller: bool,
}

/// What becomes of two links with one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meeting {
    /// The new one stays.
    NewReplaces,
    /// The old one stays.
    OldStays,
    /// Both stay, until the peer closes one.
    BothStay,
    /// The old one has to show that it is alive, for there may be two hosts.
    OldIsTested,
}

impl Pair {
    fn meet(self) -> Meeting {
        match (self.is_same_run, self.is_old_recent) {
            (false, _) => Meeting::OldIsTested,
            // The newer has just proved its peer alive.
            (true, false) => Meeting::NewReplaces,
            // One side dialled twice. Which link came first looks different from here and there, so
            // the dialler alone decides.
            (true, true) if self.old_is_outgoing == self.new_is_outgoing => {
                if self.new_is_outgoing {
                    Meeting::OldStays
                } else {
                    Meeting::BothStay
                }
            }
            // Two dials that met.
            (true, true) if self.new_is_outgoing == self.is_smaller => Meeting::NewReplaces,
            (true, true) => Meeting::OldStays,
        }
    }
}

/// What becomes of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The newcomer is admitted: the link that it waited for is gone.
    Admitted,
    /// The newcomer is admitted in place of a link that has not answered.
    Replaces,
    /// The newcomer is another host with the same identity.
    Refused,
    /// The time of the old link is not over.
    Waits,
}

/// What becomes of a newcomer that waits until `until` for the old link: of that whether a ping is
/// not answered, and when the last frame came; `None` if it is gone.
fn fate(old: Option<(bool, Duration)>, until: Duration, now: Duration) -> Fate {
    match old {
        None => Fate::Admitted,
        Some((false, heard)) if heard + CLONE_TEST >= until => Fate::Refused,
        Some(_) if now < until => Fate::Waits,
        Some(_) => Fate::Replaces,
    }
}

impl Peers {
    /// When the next newcomer has waited long enough.
    pub(in crate::node) fn newcomers_due(&self) -> Option<Duration> {
        self.newcomers.iter().map(|newcomer| newcomer.until).min()
    }

    /// A connection has passed the handshake, over this dial if this host has made it.
    pub(in crate::node) fn linked(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        hello: Hello,
        address: SocketAddr,
        dial: Option<u64>,
    ) {
        let peer = hello.peer;
        if let Some(dial) = dial {
            self.ration.answered(&address);
            let is_news = self
                .book
                .answered(dial, peer, &cx.instance_of(&peer), cx.now.elapsed);
            is_news.then(|| self.book_changed(cx));
        }
        self.place(cx, Link::new(id, hello, address, dial.is_some(), cx.now));
    }

    /// Finds a place for a link, beside or instead of another with the same peer.
    fn place(&mut self, cx: &mut Context, link: Link) {
        let peer = link.hello.peer;
        if peer == cx.me {
            return self.refuse_clone(cx, link, "it bears this host's own identity");
        }
        let Some(old) = self.links.values().find(|old| old.hello.peer == peer) else {
            return self.admit(cx, link, Level::Info);
        };
        let old_id = old.id;
        let pair = Pair {
            is_same_run: old.hello.run == link.hello.run,
            is_old_recent: cx.now.elapsed.saturating_sub(old.since) < DIALS_MET,
            old_is_outgoing: old.outgoing,
            new_is_outgoing: link.outgoing,
            is_smaller: cx.me < peer,
        };
        match pair.meet() {
            Meeting::OldIsTested => self.wait_for_old(cx, link, old_id),
            Meeting::BothStay => self.admit(cx, link, Level::Debug),
            Meeting::NewReplaces => {
                self.dismiss(cx, old_id, Goodbye::Duplicate, REPLACED);
                self.admit(cx, link, Level::Debug);
            }
            Meeting::OldStays => {
                self.book.linked(
                    peer,
                    &cx.instance_of(&peer),
                    &[],
                    link.address.ip(),
                    cx.now.elapsed,
                );
                turn_away(cx, link, Goodbye::Duplicate, REPLACED);
            }
        }
    }

    /// Decides about newcomers: the old link has answered, or its time is up.
    pub(in crate::node) fn judge_newcomers(&mut self, cx: &mut Context) {
        let now = cx.now.elapsed;
        for newcomer in std::mem::take(&mut self.newcomers) {
            let old = self.links.get(&newcomer.old);
            let signs = old.map(|old| (old.pinged.is_some(), old.heard));
            match fate(signs, newcomer.until, now) {
                Fate::Refused => {
                    let text = "another host with the same identity has knocked";
                    self.answer_bye(cx, newcomer.old, Goodbye::Clone, text);
                    let text = "another host with the same identity answers";
                    self.refuse_clone(cx, newcomer.link, text);
                }
                Fate::Waits => self.newcomers.push(newcomer),
                Fate::Replaces => {
                    let text = "the peer has started anew";
                    self.dismiss(cx, newcomer.old, Goodbye::Duplicate, text);
                    self.admit_late(cx, newcomer);
                }
                Fate::Admitted => self.admit_late(cx, newcomer),
            }
        }
    }

    /// What a newcomer said while it waited was not heard, so this side begins to compare, whoever
    /// dialled.
    fn admit_late(&mut self, cx: &mut Context, newcomer: Newcomer) {
        let id = newcomer.link.id;
        self.place(cx, newcomer.link);
        if self.links.get(&id).is_some_and(|link| !link.outgoing) {
            cx.tell(Event::Unheard(id));
        }
    }

    /// The other side is about to close the link.
    pub(in crate::node) fn goodbye(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        why: Goodbye,
        text: &str,
    ) {
        let alone = self.links.len() == 1;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let peer = link.hello.peer;
        link.goodbye = Some((why, text.chars().filter(|c| !c.is_control()).collect()));
        // Whoever gives up a host's last link after a while has not heard yet that it is the last:
        // there it can come back at once.
        let hasty = alone && link.since + DIALS_MET < cx.now.elapsed;
        if why == Goodbye::Clone || why == Goodbye::Full && !hasty {
            self.book.refused(peer, cx.now.elapsed, &mut cx.rng);
        }
        if why == Goodbye::Full {
            cx.tell(Event::TurnedAway(id));
        }
        if why == Goodbye::Clone {
            // It is this host's identity that somebody else bears too.
            let me = cx.me;
            self.report_clone(cx, &me, None);
        }
    }

    /// The link counts from now on, if there is room for one more.
    fn admit(&mut self, cx: &mut Context, mut link: Link, level: Level) {
        let (id, peer, address, outgoing) = (link.id, link.hello.peer, link.address, link.outgoing);
        if self.links.len() >= LINKS_MAX {
            return self.send_elsewhere(cx, link);
        }
        // The other side may have waited for the old link's answer: its silence began then.
        (link.heard, link.spoke) = (cx.now.elapsed, cx.now.elapsed);
        // Loopback addresses mean something only to a peer on this very host.
        let here = link.address.ip().is_loopback();
        let of_use: Vec<SocketAddr> = link
            .hello
            .addresses
            .iter()
            .filter_map(|address| usable(address, here))
            .collect();
        let texts = address_texts(&of_use);
        self.roster.find(&peer);
        let is_news = self.book.linked(
            peer,
            &cx.instance_of(&peer),
            &texts,
            address.ip(),
            cx.now.elapsed,
        );
        self.links.insert(id, link);
        let called = self.called(&peer);
        let direction = if outgoing { "dialled" } else { "they dialled" };
        cx.say(
            level,
            "link",
            format!("linked with {called} at {address} ({direction})"),
        );
        cx.tell(Event::Degree(id));
        self.tell_degree_of_the_other(cx, id);
        cx.tell(Event::Linked(id, outgoing));
        is_news.then(|| self.book_changed(cx));
        cx.wake_dialler();
    }

    /// The same identity in another run: the old link has a second to show that it is still there.
    fn wait_for_old(&mut self, cx: &mut Context, link: Link, old: LinkId) {
        if self.newcomers.len() >= NEWCOMERS_MAX {
            return self.send_elsewhere(cx, link);
        }
        self.links.get_mut(&old).expect("it was just found").pinged = Some(cx.now.elapsed);
        self.answer(cx, old, &Frame::Ping(cx.now.elapsed.as_micros() as u64));
        self.newcomers.push(Newcomer {
            link,
            old,
            until: cx.now.elapsed + CLONE_TEST,
        });
    }

    /// The link is gone, for this reason.
    pub(in crate::node) fn unlinked(&mut self, cx: &mut Context, id: LinkId, reason: &str) {
        self.newcomers.retain(|newcomer| newcomer.link.id != id);
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        let peer = link.hello.peer;
        let called = self.called(&peer);
        let replaced = reason == REPLACED || matches!(link.goodbye, Some((Goodbye::Duplicate, _)));
        let level = if replaced { Level::Debug } else { Level::Info };
        if !replaced && !matches!(link.goodbye, Some((Goodbye::Full, _))) {
            self.roster.lose(&peer);
        }
        let reason = link.goodbye.as_ref().map_or(reason, |(_, text)| text);
        cx.say(
            level,
            "link",
            format!("lost {called} at {}: {reason}", link.address),
        );
        self.book.unlinked(peer, cx.now.elapsed, &mut cx.rng);
        cx.tell(Event::Unlinked(id));
        cx.wake_dialler();
    }

    /// There is no room for a link. Its peer may know nobody else, so it is told of others.
    fn send_elsewhere(&mut self, cx: &mut Context, mut link: Link) {
        let addresses = Frame::Addresses(self.other_addresses(cx, link.id));
        let told = link.answer(&addresses, &mut cx.effects);
        debug_assert!(told, "a new link has room");
        turn_away(cx, link, Goodbye::Full, "no room for another link");
    }

    /// Sends a link away whose peer is another host with an identity that is taken.
    fn refuse_clone(&mut self, cx: &mut Context, link: Link, text: &str) {
        self.report_clone(cx, &link.hello.peer, Some(link.address.ip()));
        cx.say(
            Level::Debug,
            "link",
            format!("one of them is at {}", link.address),
        );
        turn_away(cx, link, Goodbye::Clone, text);
    }

    /// Two hosts bear one identity; one of them was seen at `ip`, if it is not told by somebody
    /// else.
    fn report_clone(&mut self, cx: &mut Context, peer: &PeerId, ip: Option<IpAddr>) {
        let (name, at) = (
            self.called(peer),
            ip.map_or(String::new(), |ip| format!(", one of them at {ip}")),
        );
        let who = if *peer == cx.me {
            "this host and another bear"
        } else {
            "two hosts bear"
        };
        // Found again by its beginning: names and addresses of the same two come and go.
        let beginning = format!("{who} one identity, {peer}");
        if !cx
            .problems
            .iter()
            .any(|problem| problem.starts_with(&beginning))
        {
            let problem = format!(
                "{beginning} ({name}){at}: the state directory of one was copied to the other; on \
                 one of them stop starling, remove its state directory, and join again with a \
                 token of another host"
            );
            cx.say(Level::Error, "link", problem.clone());
            cx.report_problem(problem);
        }
    }
}

/// Says goodbye on a link that was never admitted.
fn turn_away(cx: &mut Context, mut link: Link, why: Goodbye, text: &str) {
    if !link.answer(&Frame::Bye(why, text.to_owned()), &mut cx.effects) {
        cx.say(Level::Debug, "link", "a new link had no room for a goodbye");
    }
    cx.effects.push(Effect::Close(link.id));
}

/// Why the loser of two links to one peer is closed.
const REPLACED: &str = "another link to the same peer stays";

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn of_two_links_with_one_peer_both_sides_keep_the_same() {
        let young = Pair {
            is_same_run: true,
            is_old_recent: true,
            old_is_outgoing: true,
            new_is_outgoing: true,
            is_smaller: true,
        };
        let old = Pair {
            is_old_recent: false,
            ..young
        };
        for (old_is_outgoing, new_is_outgoing, is_smaller, expected) in [
            // Two dials that met: that of the smaller ID stays.
            (false, true, true, Meeting::NewReplaces),
            (true, false, true, Meeting::OldStays),
            (false, true, false, Meeting::OldStays),
            (true, false, false, Meeting::NewReplaces),
            // One side has dialled twice, and closes the newer itself.
            (true, true, true, Meeting::OldStays),
            (true, true, false, Meeting::OldStays),
            (false, false, true, Meeting::BothStay),
            (false, false, false, Meeting::BothStay),
        ] {
            let way = |pair| Pair {
                old_is_outgoing,
                new_is_outgoing,
                is_smaller,
                ..pair
            };
            assert_eq!(way(young).meet(), expected, "{:?}", way(young));
            assert_eq!(way(old).meet(), Meeting::NewReplaces, "it is alive");
            let other_run = Pair {
                is_same_run: false,
                ..way(young)
            };
            assert_eq!(other_run.meet(), Meeting::OldIsTested);
        }
    }

    #[test]
    fn of_two_dials_that_met_each_side_keeps_the_one_that_the_other_keeps() {
        // This host's dial and the peer's; each side sees them in either order.
        let keeps_own_dial = |is_smaller: bool, own_is_newer: bool| {
            let pair = Pair {
                is_same_run: true,
                is_old_recent: true,
                old_is_outgoing: !own_is_newer,
                new_is_outgoing: own_is_newer,
                is_smaller,
            };
            (pair.meet() == Meeting::NewReplaces) == own_is_newer
        };
        for here in [true, false] {
            for there in [true, false] {
                assert!(keeps_own_dial(true, here) && !keeps_own_dial(false, there));
            }
        }
    }

    #[test]
    fn a_newcomer_is_refused_only_if_the_old_link_answers_in_time() {
        let until = 10 * SECOND;
        let asked_at = until - CLONE_TEST;
        for (old, now, expected) in [
            (None, asked_at, Fate::Admitted),
            (Some((false, asked_at)), asked_at, Fate::Refused),
            // Pinged, and not heard of since.
            (Some((true, asked_at)), asked_at, Fate::Waits),
            (Some((true, asked_at)), until, Fate::Replaces),
            // No ping is open, but what was heard is older than the newcomer.
            (Some((false, SECOND)), asked_at, Fate::Waits),
            (Some((false, SECOND)), until, Fate::Replaces),
        ] {
            assert_eq!(fate(old, until, now), expected, "{old:?} {now:?}");
        }
    }
}
