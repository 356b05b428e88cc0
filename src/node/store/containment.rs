//! Edits that the head's ledger does not reach any more: whether the head contains them, as far as
//! this host can know.
//!
//! A host that has followed the head from child to child, or at least without a gap that a ledger
//! cannot bridge, has seen each edit that dropped out, and knows of any other that it is not
//! contained. Nor is anything forgotten when another branch wins and both are held as far as their
//! fork: what the fork contained both contain, so only edits above it are in question. Where the
//! head has come from elsewhere (the fork is not held, or this host was away while more than a
//! whole ledger was written) a host knows nothing of what the new ledger does not reach, and says
//! so: then peers that have followed the head are asked. Guessing would lose edits without a word
//! in the one case, and list the whole past as conflicts in the other.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::limits::SEEN_MAX;
use crate::model::ledger::{EditRef, Standing};
use crate::model::revision::Revision;
use crate::model::stamp::Stamp;

/// What is remembered of the edits of one group.
#[derive(Debug, Default)]
pub(in crate::node) struct Containment {
    /// Contained, though the ledger does not say so any more.
    seen: BTreeSet<EditRef>,
    /// Not contained, as a peer has said that knows.
    out: BTreeSet<EditRef>,
    /// What the head before contained and of this one cannot be told.
    unsure: BTreeSet<EditRef>,
    /// Since when.
    since: Duration,
    /// Of an edit with a later stamp that has dropped out of the ledger, `seen` tells whether it
    /// is contained.
    reach: Stamp,
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
    /// The head has moved, from nothing or from `was`; `parting` is `None` if the two are not held
    /// as far as their fork.
    pub(in crate::node) fn moved(
        &mut self,
        was: Option<&Revision>,
        head: &Revision,
        parting: Option<Parting>,
        now: Duration,
    ) {
        let Some(was) = was else {
            self.reach = head.ledger.floor();
            return;
        };
        let beyond = |edit: &&EditRef| head.standing(edit) == Standing::Unknown;
        let contained = was
            .ledger
            .entries()
            .chain(was.open.keys())
            .filter(beyond)
            .copied();
        match parting {
            Some(Parting { lost, won }) => {
                self.seen
                    .extend(contained.filter(|edit| !lost.contains(edit)));
                self.fall(lost.into_iter().filter(|edit| beyond(&edit)), now);
                self.learn(
                    &won.into_iter()
                        .filter(|edit| beyond(&edit))
                        .collect::<Vec<_>>(),
                    &[],
                );
            }
            None if head.standing(&was.edit_ref()) == Standing::In => {
                self.seen.extend(contained);
                // Of what came and went in between nothing was seen.
                self.reach = self.reach.max(head.ledger.floor());
            }
            None => {
                *self = Self {
                    unsure: contained.collect(),
                    since: now,
                    reach: head.ledger.floor(),
                    ..Self::default()
                };
            }
        }
        if beyond(&&head.edit_ref()) {
            self.seen.insert(head.edit_ref());
        }
        while self.seen.len() > SEEN_MAX {
            let forgotten = self.seen.pop_first().expect("it is not empty");
            self.reach = self.reach.max(forgotten.stamp);
        }
        self.unsure
            .retain(|edit| head.standing(edit) == Standing::Unknown);
        self.out
            .retain(|edit| head.standing(edit) == Standing::Unknown);
    }

    /// These came in on a branch that lost: whether they were contained before it nobody can tell
    /// from that.
    fn fall(&mut self, lost: impl Iterator<Item = EditRef>, now: Duration) {
        for edit in lost {
            self.seen.remove(&edit);
            if self.unsure.insert(edit) {
                self.since = now;
            }
        }
    }

    /// Whether `head` contains `edit`: as it says itself, or as this host knows;
    /// [`Standing::Unknown`] if it does not.
    pub(in crate::node) fn standing(&self, head: &Revision, edit: &EditRef) -> Standing {
        match head.standing(edit) {
            Standing::Unknown if self.seen.contains(edit) => Standing::In,
            Standing::Unknown if self.out.contains(edit) => Standing::Out,
            Standing::Unknown if edit.stamp > self.reach && !self.unsure.contains(edit) => {
                Standing::Out
            }
            other => other,
        }
    }

    /// What a peer knows that has followed the head.
    pub(in crate::node) fn learn(&mut self, contained: &[EditRef], out: &[EditRef]) {
        for (edits, set) in [(contained, &mut self.seen), (out, &mut self.out)] {
            for edit in edits.iter().take(SEEN_MAX) {
                self.unsure.remove(edit);
                set.insert(*edit);
            }
        }
        self.out.retain(|edit| !contained.contains(edit));
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
