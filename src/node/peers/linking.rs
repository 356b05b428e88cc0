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
        let old = self
            .links
            .values()
            .find(|old| old.hello.peer == peer)
            .map(|old| (old.id, old.hello.run, old.since, old.outgoing));
        let Some((old, run, since, outgoing)) = old else {
            return self.admit(cx, link, Level::Info);
        };
        if run != link.hello.run {
            return self.wait_for_old(cx, link, old);
        }
        let recent = cx.now.elapsed.saturating_sub(since) < DIALS_MET;
        let newer_stays = match (recent, outgoing == link.outgoing) {
            (false, _) => true,
            // Two dials that met.
            (true, false) => link.outgoing == (cx.me < peer),
            // One side dialled twice. Which link came first looks different from here and there, so
            // the dialler alone decides.
            (true, true) if link.outgoing => false,
            (true, true) => return self.admit(cx, link, Level::Debug),
        };
        if newer_stays {
            self.dismiss(cx, old, Goodbye::Duplicate, REPLACED);
            self.admit(cx, link, Level::Debug);
        } else {
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

    /// Decides about newcomers: the old link has answered, or its time is up.
    pub(in crate::node) fn judge_newcomers(&mut self, cx: &mut Context) {
        let now = cx.now.elapsed;
        for newcomer in std::mem::take(&mut self.newcomers) {
            match self.has_answered(&newcomer) {
                Some(true) => {
                    self.answer_bye(
                        cx,
                        newcomer.old,
                        Goodbye::Clone,
                        "another host with the same identity has knocked",
                    );
                    self.refuse_clone(
                        cx,
                        newcomer.link,
                        "another host with the same identity answers",
                    );
                }
                Some(false) if now < newcomer.until => self.newcomers.push(newcomer),
                Some(false) => {
                    self.dismiss(
                        cx,
                        newcomer.old,
                        Goodbye::Duplicate,
                        "the peer has started anew",
                    );
                    self.admit_late(cx, newcomer);
                }
                None => self.admit_late(cx, newcomer),
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

    /// Whether the link that a newcomer waits for has shown that it is alive; `None` if it is gone.
    fn has_answered(&self, newcomer: &Newcomer) -> Option<bool> {
        let old = self.links.get(&newcomer.old)?;
        Some(old.pinged.is_none() && old.heard + CLONE_TEST >= newcomer.until)
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
                "{beginning} ({name}){at}: the state directory of one was copied to the other; on one of them stop starling, remove its \
                 state directory, and join again with a token of another host"
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
