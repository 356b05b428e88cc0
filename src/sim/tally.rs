//! Counting: how far each change has come, by which way and when, and what went over links for
//! which purpose.
//!
//! A change is followed from the moment when it becomes the head of its author, where a client's
//! 200 comes from. A host has it as soon as its head is that revision or one made on it. Bytes are
//! those of sealed frames; what TCP and IP put around them is not known here.

use std::collections::BTreeMap;
use std::time::Duration;

use super::host::FarEnd;
use super::purpose::{FramePurpose, purpose};
use super::world::{Observer, World};
use crate::model::record::RecordId;
use crate::model::revision::{Origin, Revision};
use crate::node::effect::Effect;
use crate::node::input::Input;
use crate::wire::frame;
use crate::wire::session::SEALED_MORE;

/// Frames, and their bytes as sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How a change has spread.
#[derive(Debug, Default)]
pub struct Spread {
    /// When its author published it.
    pub published: Duration,
    /// When it reached each host that it has reached, in this order, and over how many links.
    pub reached: Vec<(Duration, u16)>,
    /// Frames with it that hosts received, first and further ones.
    pub copies: u64,
    hops: BTreeMap<usize, u16>,
}

impl Spread {
    /// How long after it was published the change had reached so many hosts, and over how many
    /// links at most; `None` if it has reached fewer.
    pub(super) fn has_reached(&self, hosts: usize) -> Option<(Duration, u16)> {
        let (at, _) = self.reached.get(hosts.saturating_sub(1))?;
        let until_then = self.reached.iter().filter(|(time, _)| time <= at);
        let hops = until_then.map(|(_, hops)| *hops).max();
        Some((*at - self.published, hops.unwrap_or_default()))
    }

    /// Frames with it that hosts received beyond the first, in a fleet of so many.
    pub(super) fn further_copies(&self, hosts: usize) -> u64 {
        self.copies.saturating_sub(hosts as u64 - 1)
    }
}

/// Who counts.
#[derive(Debug, Default)]
pub struct Tally {
    /// What was sent for which purpose.
    pub sent: BTreeMap<FramePurpose, Sent>,
    /// All changes that were followed, in the order in which they were made.
    pub spreads: Vec<Spread>,
    /// Whether new changes are followed: they must be made one after the other.
    pub follows: bool,
    /// When a head last changed anywhere.
    pub moved: Duration,
    /// Revisions that made an uncontained edit again.
    pub replays: u64,
    /// Revisions that listed one as a conflict.
    pub notes: u64,
    places: BTreeMap<RecordId, usize>,
    heads: BTreeMap<usize, RecordId>,
    /// How many of the followed changes each host has.
    has: BTreeMap<usize, usize>,
    /// The host whose frame is being handled.
    from: Option<usize>,
}

impl Tally {
    /// What was sent since this was last asked, by purpose.
    pub fn take_sent(&mut self) -> BTreeMap<FramePurpose, Sent> {
        std::mem::take(&mut self.sent)
    }

    fn head_moved(&mut self, world: &World<Self>, host: usize, head: &Revision) {
        self.moved = world.now;
        let own = self.from.is_none() && head.record.header.author == world.hosts[host].node.peer();
        match head.edit.origin {
            Origin::Replay(..) if own => self.replays += 1,
            Origin::Note(..) if own => self.notes += 1,
            _ => {}
        }
        if own && self.follows {
            self.places.insert(head.id(), self.spreads.len());
            self.spreads.push(Spread {
                published: world.now,
                ..Spread::default()
            });
        }
        let Some(place) = self.places.get(&head.id()).copied() else {
            return;
        };
        let has = self.has.entry(host).or_default();
        for spread in &mut self.spreads[(*has).min(place)..=place] {
            let before = self.from.and_then(|from| spread.hops.get(&from)).copied();
            let hops = before.map_or(0, |before| before + 1);
            if spread.hops.insert(host, hops).is_none() {
                spread.reached.push((world.now, hops));
            }
        }
        *has = place + 1;
    }
}

impl Observer for Tally {
    fn input(&mut self, world: &World<Self>, host: usize, input: &Input) {
        self.from = None;
        let Input::Frame(link, bytes) = input else {
            return;
        };
        if let Some(FarEnd::Host(from, _)) = world.hosts[host].links.get(link).map(|end| end.other)
        {
            self.from = Some(from);
        }
        if purpose(bytes) == FramePurpose::Documents
            && let Some(place) =
                frame::carried(bytes).and_then(|carried| self.places.get(&carried.id))
            && let Some(spread) = self.spreads.get_mut(*place)
        {
            spread.copies += 1;
        }
    }

    fn handled(&mut self, world: &World<Self>, host: usize) {
        let Some(head) = world.hosts[host].node.own_head() else {
            return;
        };
        if self.heads.insert(host, head.id()) != Some(head.id()) {
            self.head_moved(world, host, head);
        }
    }

    fn effect(&mut self, world: &World<Self>, _host: usize, effect: &Effect) {
        let Effect::Send(_, bytes) = effect else {
            return;
        };
        let purpose = purpose(bytes);
        if !world.leaves_out(purpose) {
            let sent = self.sent.entry(purpose).or_default();
            sent.frames += 1;
            sent.bytes += (bytes.len() + SEALED_MORE) as u64;
        }
    }
}
