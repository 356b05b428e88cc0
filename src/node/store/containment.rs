//! What a host knows of edits beyond what the head's ledger says: whose each place is, and of what
//! has dropped out, whether the head contains it.
//!
//! A host that has followed the head from child to child, or at least without a gap that a ledger
//! cannot bridge, has seen each edit come, and knows of any other that it is not contained. Nor is
//! anything forgotten when another branch wins and both are held as far as their fork: what the
//! fork contained both contain, so only edits above it are in question. Where the head has come
//! from elsewhere (the fork is not held, or this host was away for long) a host knows nothing of
//! what the new ledger does not reach, and says so: then peers that have followed the head are
//! asked. Guessing would lose edits without a word in the one case, and list the whole past as
//! conflicts in the other.
//!
//! Two edits may bear one number, if the memory of a host was copied and both go on. Then the
//! ledger speaks of the one that was seen on the head's line, and the other is *odd*: it goes by a
//! place of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::limits::SEEN_MAX;
use crate::model::ledger::{EditRef, Place, Standing};
use crate::model::record::RecordId;
use crate::model::revision::Revision;

/// What is remembered of the edits of one group.
#[derive(Debug, Default)]
pub(in crate::node) struct Containment {
    /// What the revisions of the head's line contain, list and settle, as far as it was followed.
    seen: BTreeMap<Place, EditRef>,
    /// Not contained, as a peer has said that knows.
    out: BTreeSet<EditRef>,
    /// What the head before contained and of this one cannot be told.
    unsure: BTreeSet<EditRef>,
    /// Since when.
    since: Duration,
    /// Of an edit with a greater height `seen` tells whether it is contained.
    reach: u64,
}

/// The edits of two branches above their fork: what their revisions carry, list and settle.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::node) struct Parting {
    /// Of the one that lost.
    pub(in crate::node) lost: BTreeSet<EditRef>,
    /// Of the one that won.
    pub(in crate::node) won: BTreeSet<EditRef>,
}

impl Containment {
    /// The head has moved from `was`, or from nothing; it adds `new` to its base. `parting` is
    /// `None` if the two are not held as far as their fork.
    pub(in crate::node) fn moved(
        &mut self,
        was: Option<&Revision>,
        head: &Revision,
        new: Vec<EditRef>,
        parting: Option<Parting>,
        now: Duration,
    ) {
        let height = head.record.header.height;
        match (was, parting) {
            (Some(_), Some(Parting { lost, won })) => self.part(head, lost, won, now),
            (None, _) if head.record.header.base == RecordId::NONE => self.see(new),
            (Some(was), None) if head.standing(&was.edit_ref()) == Standing::In => {
                self.see(new);
                // Of what came and went in between nothing was seen.
                self.reach = height;
            }
            _ => {
                let seen = std::mem::take(self).seen.into_values();
                let unknown = |edit: &EditRef| head.standing(edit) == Standing::Unknown;
                (self.unsure, self.since) = (seen.filter(unknown).collect(), now);
                self.see(new);
                self.reach = height;
            }
        }
        self.forget();
        for edits in [&mut self.unsure, &mut self.out] {
            edits.retain(|edit| head.standing(edit) == Standing::Unknown);
        }
    }

    /// Another branch has won, or the same has grown.
    fn part(
        &mut self,
        head: &Revision,
        lost: BTreeSet<EditRef>,
        won: BTreeSet<EditRef>,
        now: Duration,
    ) {
        self.seen
            .retain(|_, seen| !lost.contains(seen) || won.contains(seen));
        self.learn(&Vec::from_iter(won), &[]);
        for edit in lost {
            match head.standing(&edit) {
                // That it came in on a branch that lost does not tell whether it was contained
                // before.
                Standing::Unknown if !self.has_seen(&edit) => {
                    if self.unsure.insert(edit) {
                        self.since = now;
                    }
                }
                Standing::In => self.see([edit]),
                Standing::Unknown | Standing::Out => {}
            }
        }
    }

    /// What came first at a place has it.
    fn see(&mut self, edits: impl IntoIterator<Item = EditRef>) {
        for edit in edits {
            self.seen.entry(edit.place).or_insert(edit);
        }
    }

    fn has_seen(&self, edit: &EditRef) -> bool {
        self.seen
            .get(&edit.place)
            .is_some_and(|seen| seen.names(edit) || edit.names(seen))
    }

    fn forget(&mut self) {
        while self.seen.len() > SEEN_MAX {
            let lowest = self
                .seen
                .values()
                .map(|edit| (edit.height, edit.place))
                .min();
            let (height, place) = lowest.expect("it is not empty");
            self.seen.remove(&place);
            self.reach = self.reach.max(height);
        }
    }

    /// Whether another edit that bears the same number was seen in the head's line.
    pub(in crate::node) fn is_odd(&self, edit: &EditRef) -> bool {
        self.seen.contains_key(&edit.place) && !self.has_seen(edit)
    }

    /// The edit by the place that it goes by.
    pub(in crate::node) fn judged(&self, edit: &EditRef) -> EditRef {
        if self.is_odd(edit) {
            EditRef::odd(edit.stamp, edit.id, edit.height)
        } else {
            *edit
        }
    }

    /// Whether `head` contains `edit`: as it says itself, or as this host knows;
    /// [`Standing::Unknown`] if it does not.
    pub(in crate::node) fn standing(&self, head: &Revision, edit: &EditRef) -> Standing {
        let edit = &self.judged(edit);
        match head.standing(edit) {
            Standing::Unknown if self.has_seen(edit) => Standing::In,
            Standing::Unknown if self.out.contains(edit) => Standing::Out,
            Standing::Unknown if edit.height > self.reach && !self.unsure.contains(edit) => {
                Standing::Out
            }
            other => other,
        }
    }

    /// What a peer knows that has followed the head.
    pub(in crate::node) fn learn(&mut self, contained: &[EditRef], out: &[EditRef]) {
        for edit in contained.iter().take(SEEN_MAX) {
            self.unsure.remove(edit);
            self.out.remove(edit);
            self.see([*edit]);
        }
        for edit in out
            .iter()
            .filter(|edit| !contained.contains(edit))
            .take(SEEN_MAX)
        {
            self.unsure.remove(edit);
            self.out.insert(*edit);
        }
        while self.out.len() > SEEN_MAX {
            self.out.pop_first();
        }
    }

    /// What the head before contained and of this one cannot be told.
    pub(in crate::node) fn unsure(&self) -> impl Iterator<Item = &EditRef> {
        self.unsure.iter()
    }

    /// Since when it cannot be told.
    pub(in crate::node) fn since(&self) -> Duration {
        self.since
    }
}
