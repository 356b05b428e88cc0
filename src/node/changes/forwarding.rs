//! Changes of another group's document: a peer of that group is asked to make them.
//!
//! This host's server does not run that document, so it cannot say whether one would take it. The
//! client's request goes over a link to a host of the group whose server can; it comes in there
//! like a request of that host's own clients, and the client here gets its answer. If no such host
//! is linked, which in a large fleet may well be, some are dialled. If the link breaks before the
//! answer, nobody here knows what became of it, and that is said: it is never asked for twice.

mod incoming;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Below, Changes};
use crate::limits::{
    FORWARDED_DIALS, FORWARDED_DIALS_MAX, FORWARDED_MAX, FORWARDED_SEEK, FORWARDED_WAIT, QUEUE_MAX,
    RELAYED_MAX,
};
use crate::model::json::Value;
use crate::model::peer_id::PeerId;
use crate::node::answer::Answer;
use crate::node::changes::forwarding::incoming::send_pieces;
use crate::node::context::Context;
use crate::node::effect::Effect;
use crate::node::event::Event;
use crate::node::input::{ClientId, LinkId};
use crate::node::peers::Peers;
use crate::node::peers::book::Contact;
use crate::node::peers::node_record::text;
use crate::node::refusal::{Denial, FleetState, LimitReached, Silence};
use crate::wire::forwarded::{ForwardedRequest, ForwardedResponse};
use crate::wire::frame::Frame;

/// What a client here wants done.
pub(in crate::node) struct Outgoing {
    client: ClientId,
    group: String,
    /// The one host that is meant, if one is.
    host: Option<PeerId>,
    /// The forwarded request, as bytes.
    forwarded: Vec<u8>,
    /// By when somebody who can do it must be found.
    until: Duration,
    /// Whom to dial yet, the last first.
    left: Vec<PeerId>,
    /// Who was dialled.
    dialled: Vec<PeerId>,
}

/// A forwarded request that waits for a peer's answer.
struct Asked {
    wish: Outgoing,
    link: LinkId,
    until: Duration,
    answer: Vec<u8>,
}

/// What a peer asks for, on its way here.
struct Coming {
    /// What has come of it; nothing is kept of one for which there is no room, or not any more.
    bytes: Option<Vec<u8>>,
    /// Whoever asked does not wait longer for it.
    until: Duration,
}

/// What is under way.
#[derive(Default)]
pub(in crate::node) struct Forwarding {
    next: u64,
    /// For which nobody is linked.
    missing: Vec<Outgoing>,
    /// Asked of others, by ticket.
    asked: BTreeMap<u64, Asked>,
    coming: BTreeMap<(LinkId, u64), Coming>,
    /// Being done for others, who may be gone.
    doing: BTreeMap<u64, (LinkId, u64)>,
}

impl Forwarding {
    /// When the next client has waited long enough, here or elsewhere.
    pub(in crate::node) fn due(&self) -> Option<Duration> {
        let kept = self
            .coming
            .values()
            .filter(|coming| coming.bytes.is_some())
            .map(|coming| coming.until);
        let missing = self.missing.iter().map(|wish| wish.until);
        self.asked
            .values()
            .map(|asked| asked.until)
            .chain(missing)
            .chain(kept)
            .min()
    }

    /// Whether a peer was dialled for something that it is to do.
    pub(in crate::node) fn seek(&self, peer: &PeerId) -> bool {
        self.missing.iter().any(|wish| wish.dialled.contains(peer))
    }

    /// Whether a link is needed until an answer has been given.
    pub(in crate::node) fn need(&self, link: LinkId) -> bool {
        let comes = self
            .coming
            .iter()
            .any(|((from, _), coming)| *from == link && coming.bytes.is_some());
        comes
            || self.doing.values().any(|(from, _)| *from == link)
            || self.asked.values().any(|asked| asked.link == link)
    }

    /// Whether one more can be taken from a peer.
    fn has_room(&self) -> bool {
        self.coming
            .values()
            .filter(|coming| coming.bytes.is_some())
            .count()
            + self.doing.len()
            < RELAYED_MAX
    }

    /// How many are on their way over a link.
    fn coming_from(&self, link: LinkId) -> usize {
        self.coming.range((link, 0)..=(link, u64::MAX)).count()
    }
}

impl Changes {
    /// Sends a client's change to a host that can make it.
    pub(in crate::node) fn forward(
        &mut self,
        below: &mut Below<'_>,
        client: ClientId,
        forwarded: &ForwardedRequest,
    ) {
        let under_way = self.forwarding.asked.len() + self.forwarding.missing.len();
        let denial = match forwarded.encode() {
            _ if under_way >= RELAYED_MAX => Denial::from(LimitReached::ChangesWaiting),
            None => {
                let group = forwarded.group.clone();
                Denial::from(LimitReached::ForwardedTooLarge { group })
            }
            Some(bytes) => return self.seek_executor(below, client, &forwarded.group, bytes),
        };
        below.cx.reply(client, denial);
    }

    /// Sends a request of a client's to the one host that is meant.
    pub(in crate::node) fn forward_to(
        &mut self,
        below: &mut Below<'_>,
        client: ClientId,
        host: PeerId,
        forwarded: &ForwardedRequest,
    ) {
        let Some(forwarded_bytes) = forwarded
            .encode()
            .filter(|_| self.forwarding.asked.len() + self.forwarding.missing.len() < RELAYED_MAX)
        else {
            return below
                .cx
                .reply(client, Denial::from(LimitReached::ChangesWaiting));
        };
        let until = below.cx.now.elapsed + FORWARDED_SEEK;
        let (group, left) = (forwarded.group.clone(), vec![host]);
        self.forwarding.missing.push(Outgoing {
            client,
            group,
            host: Some(host),
            forwarded: forwarded_bytes,
            until,
            left,
            dialled: Vec::new(),
        });
        self.find_executors(below);
    }

    fn seek_executor(
        &mut self,
        below: &mut Below<'_>,
        client: ClientId,
        group: &str,
        forwarded: Vec<u8>,
    ) {
        let mut left = executors(below.peers, below.cx, group);
        while left.len() > FORWARDED_DIALS_MAX {
            left.swap_remove(below.cx.rng.below(left.len() as u64) as usize);
        }
        let until = below.cx.now.elapsed + FORWARDED_SEEK;
        self.forwarding.missing.push(Outgoing {
            client,
            group: group.to_owned(),
            host: None,
            forwarded,
            until,
            left,
            dialled: Vec::new(),
        });
        self.find_executors(below);
    }

    /// Asks whoever is linked by now, and dials those who are not.
    pub(in crate::node) fn find_executors(&mut self, below: &mut Below<'_>) {
        for mut wish in std::mem::take(&mut self.forwarding.missing) {
            let link = match &wish.host {
                Some(host) => link_to(below.peers, host),
                None => executor(below.peers, &wish.group),
            };
            if let Some(link) = link {
                self.ask_forwarded(below, link, wish);
            } else if wish.until > below.cx.now.elapsed
                && dial_executors(below.peers, below.cx, &mut wish)
            {
                self.forwarding.missing.push(wish);
            } else {
                let denial = match &wish.host {
                    Some(host) => Denial::from(FleetState::Unreachable {
                        host: below.peers.called(host),
                    }),
                    None => below.peers.not_ours(below.cx, &wish.group),
                };
                below.cx.reply(wish.client, denial);
            }
        }
    }

    fn ask_forwarded(&mut self, below: &mut Below<'_>, link: LinkId, wish: Outgoing) {
        // What does not fit would cost the link, and all that waits for an answer over it.
        if below
            .peers
            .link(link)
            .is_none_or(|link| link.queued() + wish.forwarded.len() > QUEUE_MAX)
        {
            return below
                .cx
                .reply(wish.client, Denial::from(LimitReached::ChangesWaiting));
        }
        self.forwarding.next += 1;
        let (ticket, bytes) = (self.forwarding.next, wish.forwarded.clone());
        let until = below.cx.now.elapsed + FORWARDED_WAIT;
        self.forwarding.asked.insert(
            ticket,
            Asked {
                wish,
                link,
                until,
                answer: Vec::new(),
            },
        );
        send_pieces(below.peers, below.cx, link, &bytes, |more, bytes| {
            Frame::ForwardedRequest(ticket, more, bytes)
        });
    }

    /// A host has no room for this link: it has not begun what it was asked for over it, so another
    /// can be asked.
    pub(in crate::node) fn ask_others(&mut self, below: &mut Below<'_>, link: LinkId) {
        let over: Vec<u64> = self
            .forwarding
            .asked
            .iter()
            .filter(|(_, asked)| asked.link == link)
            .map(|(ticket, _)| *ticket)
            .collect();
        let wishes = over
            .iter()
            .filter_map(|ticket| self.forwarding.asked.remove(ticket))
            .map(|asked| asked.wish);
        self.forwarding.missing.extend(wishes);
        self.find_executors(below);
    }

    /// A piece of an answer to what a client here wants.
    pub(in crate::node) fn told(
        &mut self,
        below: &mut Below<'_>,
        link: LinkId,
        ticket: u64,
        more: bool,
        bytes: &[u8],
    ) {
        let Some(asked) = self
            .forwarding
            .asked
            .get_mut(&ticket)
            .filter(|asked| asked.link == link)
        else {
            return;
        };
        asked.answer.extend_from_slice(bytes);
        let too_long = asked.answer.len() > FORWARDED_MAX;
        if more && !too_long {
            return;
        }
        let Some(Asked {
            wish: Outgoing { client, .. },
            answer,
            ..
        }) = self.forwarding.asked.remove(&ticket)
        else {
            return;
        };
        let told = if too_long {
            None
        } else {
            ForwardedResponse::decode(&answer).ok()
        };
        let Some(mut told) = told else {
            below
                .cx
                .reply(client, FleetState::Unanswered(Silence::Unreadable));
            return below
                .peers
                .fault(below.cx, link, "an answer that cannot be read");
        };
        // A peer may say anything; what has no meaning here goes no further.
        told.headers.retain(|(name, _)| {
            PASSED_ON
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
        });
        if let Some(peer) = below.peers.link(link).map(|link| link.hello.peer) {
            told.headers
                .push(("Starling-Host".to_owned(), below.peers.roster.name(&peer)));
        }
        below
            .cx
            .effects
            .push(Effect::Answer(client, Answer::Relayed(told)));
        // It may have been told that this link is needed.
        below.cx.tell(Event::Degree(link));
    }

    /// Those who have waited long enough are told so, and what nobody waits for any more is not
    /// kept.
    pub(in crate::node) fn late_forwarded(&mut self, below: &mut Below<'_>) {
        let now = below.cx.now.elapsed;
        self.forwarding
            .coming
            .values_mut()
            .filter(|coming| coming.until <= now)
            .for_each(|coming| coming.bytes = None);
        self.give_up_forwarded(below.cx, Silence::Late, |asked| asked.until <= now);
        self.find_executors(below);
    }

    /// A link is gone: whoever waited for an answer over it cannot know what became of it.
    pub(in crate::node) fn forwarding_without(&mut self, cx: &mut Context, link: LinkId) {
        self.forwarding.coming.retain(|(from, _), _| *from != link);
        self.give_up_forwarded(cx, Silence::LinkBroke, |asked| asked.link == link);
    }

    fn give_up_forwarded(
        &mut self,
        cx: &mut Context,
        why: Silence,
        is_over: impl Fn(&Asked) -> bool,
    ) {
        let over: Vec<u64> = self
            .forwarding
            .asked
            .iter()
            .filter(|(_, asked)| is_over(asked))
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in over {
            if let Some(asked) = self.forwarding.asked.remove(&ticket) {
                cx.reply(asked.wish.client, FleetState::Unanswered(why));
            }
        }
    }
}

/// Whether a host that says this of itself can make changes of this group.
fn can_do(said: &Value, group: &str) -> bool {
    text(said, "group") == Some(group) && said.get("server") == Some(&Value::Bool(true))
}

/// Headers of an answer that a client of another host is given.
const PASSED_ON: [&str; 11] = [
    "Content-Type",
    "ETag",
    "Starling-Revision",
    "Starling-Applied",
    "Starling-Reason",
    "Starling-Changed",
    "Starling-Kept",
    "Starling-Dry-Run",
    "Accept-Patch",
    "Allow",
    "Retry-After",
];

/// Dials hosts that may be asked, a few at a time. Whether there is anybody to wait for.
fn dial_executors(peers: &mut Peers, cx: &mut Context, wish: &mut Outgoing) -> bool {
    loop {
        let under_way = wish
            .dialled
            .iter()
            .filter(|peer| peers.book.is_dialled(peer))
            .count();
        if under_way >= FORWARDED_DIALS {
            return true;
        }
        let Some(peer) = wish.left.pop() else {
            return under_way > 0;
        };
        wish.dialled.push(peer);
        // The other addresses of a host come after the other hosts.
        if wish.dialled.iter().filter(|other| **other == peer).count() < peers.book.addresses(&peer)
        {
            wish.left.insert(0, peer);
        }
        peers.dial(cx, &Contact::Peer(peer), true);
    }
}

/// Hosts of the group that are not linked and have a server, those of which news is fresh last.
fn executors(peers: &Peers, cx: &Context, group: &str) -> Vec<PeerId> {
    let fit = peers
        .roster
        .iter()
        .filter(|(peer, node)| !peers.is_linked(peer) && can_do(&node.said(), group));
    let mut fit: Vec<(Duration, PeerId)> = fit
        .map(|(peer, node)| (node.heard(cx.now.elapsed), *peer))
        .collect();
    fit.sort_unstable();
    fit.into_iter().rev().map(|(_, peer)| peer).collect()
}

/// A linked host of the group with a server, best one that runs the head.
fn executor(peers: &Peers, group: &str) -> Option<LinkId> {
    let fit = peers
        .links
        .values()
        .filter(|link| link.goodbye.is_none())
        .filter_map(|link| {
            let said = peers.roster.get(&link.hello.peer)?.said();
            can_do(&said, group).then(|| (text(&said, "verdict") == Some("applied"), link.id))
        });
    fit.max_by_key(|(in_step, id)| (*in_step, std::cmp::Reverse(*id)))
        .map(|(_, id)| id)
}

fn link_to(peers: &Peers, host: &PeerId) -> Option<LinkId> {
    let fit =
        |link: &&crate::node::peers::link::Link| link.goodbye.is_none() && link.hello.peer == *host;
    peers.links.values().find(fit).map(|link| link.id)
}
