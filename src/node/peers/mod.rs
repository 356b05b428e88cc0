//! Links coming and going: who stays when two peers have two links, how many are kept, which are
//! dead.
//!
//! Of two links between the same two runs that met, the one begun by the smaller peer ID stays, so
//! both sides decide alike; of two that one side began, that side alone closes the newer. Otherwise
//! the newer stays, for it has just proved its peer alive, unless the run differs and the old one
//! answers: then two hosts bear one identity, the newcomer is refused, and both are told.

pub(in crate::node) mod book;
pub(in crate::node) mod clocks;
pub(in crate::node) mod link;
pub(in crate::node) mod mesh;
pub(in crate::node) mod own_record;
pub(in crate::node) mod ration;
pub(in crate::node) mod roster;
pub(in crate::node) mod silence;
pub(in crate::node) mod whereabouts;

use self::book::Book;
use self::clocks::Clocks;
use self::own_record::OwnRecord;
use self::ration::Ration;
use self::roster::Roster;
use self::silence::Silences;
use crate::node::event::Event;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use self::book::usable;
use self::link::Link;
use super::context::Context;
use super::effect::{Effect, Level, address_texts};
use super::input::LinkId;
use crate::limits::{ADDRESSES_MAX, CLONE_TEST, DIALS_MET, LINKS_MAX, NEWCOMERS_MAX, REASON_MAX};
use crate::model::peer_id::PeerId;
use crate::wire::frame::{Frame, Goodbye};
use crate::wire::handshake::Hello;

/// A link whose peer is linked already by another run: it waits for the old link's answer.
pub(in crate::node) struct Newcomer {
    link: Link,
    old: LinkId,
    pub(in crate::node) until: Duration,
}

/// Who is known to be somewhere, who is linked, and what they say of themselves.
pub(in crate::node) struct Peers {
    pub(in crate::node) addresses: Vec<SocketAddr>,
    /// Every address where this host itself listens, told to others or not.
    pub(in crate::node) own: Vec<SocketAddr>,
    pub(in crate::node) book: Book,
    /// When the address book was last written, and its text then.
    pub(in crate::node) saved_book: (Duration, Vec<u8>),
    pub(in crate::node) ration: Ration,
    pub(in crate::node) links: BTreeMap<LinkId, Link>,
    pub(in crate::node) newcomers: Vec<Newcomer>,
    pub(in crate::node) silences: Silences,
    pub(in crate::node) roster: Roster,
    pub(in crate::node) own_record: OwnRecord,
    pub(in crate::node) clocks: Clocks,
}

impl Peers {
    /// A frame came over a link, which is a sign of life. Whether it is looked at now; else it is
    /// kept until what came before it was.
    pub(in crate::node) fn hears(&mut self, cx: &mut Context, id: LinkId, bytes: &[u8]) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        let first = (link.bytes_in == 0).then_some(link.hello.peer);
        link.hears(cx.now.elapsed);
        link.bytes_in += bytes.len() as u64;
        if let Some(peer) = first {
            self.speaks(cx, &peer);
        }
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        if link.is_held() {
            link.keep(bytes.to_vec());
            return false;
        }
        true
    }

    /// When the next newcomer has waited long enough.
    pub(in crate::node) fn newcomers_due(&self) -> Option<Duration> {
        self.newcomers.iter().map(|newcomer| newcomer.until).min()
    }

    /// There is a head that does not contain the last: peers may be asked at once what they know of
    /// the edits that this host is unsure about.
    pub(in crate::node) fn is_unsure_again(&mut self) {
        self.links
            .values_mut()
            .for_each(|link| link.containment_query = (Duration::ZERO, 0));
    }

    /// How a peer is called in the log: its name, if it has said one, and the end of its peer ID.
    pub(in crate::node) fn called(&self, peer: &PeerId) -> String {
        match self
            .roster
            .get(peer)
            .and_then(self::roster::NodeRecord::name)
        {
            Some(name) => format!("{name} …{}", peer.short()),
            None => format!("…{}", peer.short()),
        }
    }

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
            cx.turn_away(link, Goodbye::Duplicate, REPLACED);
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

    /// Nobody is known but those in `book`, the address book as it was last written, which is still
    /// to be read.
    pub(in crate::node) fn new(me: PeerId, book: &[u8]) -> Self {
        Self {
            addresses: Vec::new(),
            own: Vec::new(),
            book: Book::of(&me),
            saved_book: (Duration::ZERO, book.to_vec()),
            ration: Ration::default(),
            links: BTreeMap::new(),
            newcomers: Vec::new(),
            silences: Silences::default(),
            roster: Roster::default(),
            own_record: OwnRecord::default(),
            clocks: Clocks::default(),
        }
    }
}

impl Peers {
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

    /// When the next link has to be pinged or given up.
    pub(in crate::node) fn pings_due(&self) -> Duration {
        self.links
            .values()
            .map(Link::due)
            .min()
            .unwrap_or(Duration::MAX)
    }

    pub(in crate::node) fn check_pings(&mut self, cx: &mut Context) {
        let now = cx.now.elapsed;
        if self.pings_due() > now {
            return;
        }
        // Whoever is due within a second is pinged now too: one wake-up for all links of an idle
        // host.
        let quiet =
            |link: &&mut Link| link.pinged.is_none() && link.due() <= now + Duration::from_secs(1);
        let mut silent: Vec<LinkId> = Vec::new();
        for link in self.links.values_mut().filter(quiet) {
            link.pinged = Some(now);
            silent.push(link.id);
        }
        silent
            .iter()
            .for_each(|id| self.answer(cx, *id, &Frame::Ping(now.as_micros() as u64)));
        let dead: Vec<LinkId> = self
            .links
            .values()
            .filter(|link| link.dies_at() <= now)
            .map(|link| link.id)
            .collect();
        for id in dead {
            cx.effects.push(Effect::Close(id));
            self.lost(cx, id, "no sign of life");
        }
    }

    /// Queues what must be sent; a link that cannot keep up is closed instead.
    pub(in crate::node) fn answer(&mut self, cx: &mut Context, id: LinkId, frame: &Frame) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if !link.answer(frame, &mut cx.effects) {
            cx.effects.push(Effect::Close(id));
            self.unlinked(cx, id, "it does not read what it asked for");
        }
    }

    /// Closes a link because of what came over it.
    pub(in crate::node) fn fault(&mut self, cx: &mut Context, id: LinkId, what: &str) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let called = self.called(&link.hello.peer);
        cx.say(
            Level::Warn,
            "link",
            format!("{called} at {} is at fault: {what}", link.address),
        );
        self.dismiss(cx, id, Goodbye::Fault, what);
    }

    /// Says goodbye on an admitted link and closes it.
    pub(in crate::node) fn dismiss(
        &mut self,
        cx: &mut Context,
        id: LinkId,
        why: Goodbye,
        text: &str,
    ) {
        self.answer_bye(cx, id, why, text);
        cx.effects.push(Effect::Close(id));
        self.unlinked(cx, id, text);
    }

    fn answer_bye(&mut self, cx: &mut Context, id: LinkId, why: Goodbye, text: &str) {
        let mut end = text.len().min(REASON_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.answer(cx, id, &Frame::Bye(why, text[..end].to_owned()));
    }

    /// There is no room for a link. Its peer may know nobody else, so it is told of others.
    fn send_elsewhere(&mut self, cx: &mut Context, mut link: Link) {
        let addresses = Frame::Addresses(self.other_addresses(cx, link.id));
        let told = link.answer(&addresses, &mut cx.effects);
        debug_assert!(told, "a new link has room");
        cx.turn_away(link, Goodbye::Full, "no room for another link");
    }

    fn refuse_clone(&mut self, cx: &mut Context, link: Link, text: &str) {
        self.report_clone(cx, &link.hello.peer, Some(link.address.ip()));
        cx.say(
            Level::Debug,
            "link",
            format!("one of them is at {}", link.address),
        );
        cx.turn_away(link, Goodbye::Clone, text);
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

    /// Where some of the other peers listen, drawn by chance: all who are sent away must not meet
    /// at the same few.
    pub(in crate::node) fn other_addresses(
        &mut self,
        cx: &mut Context,
        except: LinkId,
    ) -> Vec<SocketAddr> {
        let others = self
            .links
            .values()
            .filter(|link| link.id != except)
            .flat_map(|link| &link.hello.addresses);
        let mut others: Vec<SocketAddr> = others.copied().collect();
        while others.len() > ADDRESSES_MAX {
            others.swap_remove(cx.rng.below(others.len() as u64) as usize);
        }
        others
    }
}

impl Context {
    pub(in crate::node) fn instance_of(&self, peer: &PeerId) -> String {
        self.setup.fleet.key().instance(self.setup.fleet.id(), peer)
    }

    /// Says goodbye on a link that was never admitted.
    fn turn_away(&mut self, mut link: Link, why: Goodbye, text: &str) {
        if !link.answer(&Frame::Bye(why, text.to_owned()), &mut self.effects) {
            self.say(Level::Debug, "link", "a new link had no room for a goodbye");
        }
        self.effects.push(Effect::Close(link.id));
    }
}

/// Why the loser of two links to one peer is closed.
const REPLACED: &str = "another link to the same peer stays";
