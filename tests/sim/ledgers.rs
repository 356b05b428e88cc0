//! What must hold of the ledger of each head, whoever has made it: that it says what its base said
//! and what the revision itself adds, and nothing else; that it forgets only what is below its
//! floor; and that it is right about the line that led to it.

use std::collections::{BTreeMap, BTreeSet};

use starlingd::model::ledger::{Place, Standing};
use starlingd::model::record::RecordId;
use starlingd::model::revision::{Origin, Revision};

/// How far back a head's line is looked at.
const LINE: usize = 64;

/// What is wrong with the ledger of a head that an honest host has made, if anything is.
pub fn wrong(revisions: &BTreeMap<RecordId, Revision>, head: &Revision) -> Option<String> {
    let height = head.record.header.height;
    let floor = head.ledger.floor();
    if floor >= height {
        return Some(format!(
            "the floor {floor} is not below the height {height}"
        ));
    }
    let base = revisions.get(&head.record.header.base);
    base.and_then(|base| against(base, head))
        .or_else(|| along(revisions, head))
}

fn against(base: &Revision, head: &Revision) -> Option<String> {
    if head.ledger.floor() < base.ledger.floor() {
        return Some("its floor is below that of its base".to_owned());
    }
    if let Some((place, _)) = base.ledger.beyond(&head.ledger).next() {
        return Some(format!(
            "{place:?} is in its base, and it neither has it nor says so"
        ));
    }
    let mut adds: BTreeSet<Place> = head.settled.iter().map(|edit| edit.place).collect();
    adds.extend(head.open.keys().map(|edit| edit.place));
    if !matches!(head.edit.origin, Origin::Note(..)) {
        adds.insert(head.edit_ref().place);
    }
    let mut invented = head
        .ledger
        .beyond(&base.ledger)
        .filter(|(place, _)| !adds.contains(place));
    invented
        .next()
        .map(|(place, _)| format!("{place:?} is neither in its base nor its own"))
}

/// Whatever a revision of the line has made is not out.
fn along(revisions: &BTreeMap<RecordId, Revision>, head: &Revision) -> Option<String> {
    let line = std::iter::successors(Some(head), |revision| {
        revisions.get(&revision.record.header.base)
    });
    let mut made = line.take(LINE).map(Revision::edit_ref);
    let out = made.find(|edit| head.standing(edit) == Standing::Out)?;
    Some(format!(
        "{:?} is on its line, and it says that it is out",
        out.id
    ))
}

/// Which revision was the first with each place. Whose process is honest uses none twice.
#[derive(Default)]
pub struct Places(BTreeMap<Place, RecordId>);

impl Places {
    /// The other original that has the place of this one.
    pub fn twin(&mut self, revision: &Revision) -> Option<RecordId> {
        if revision.edit.origin != Origin::Original {
            return None;
        }
        let first = self
            .0
            .entry(revision.edit_ref().place)
            .or_insert(revision.id());
        (*first != revision.id()).then_some(*first)
    }
}
