//! Revisions: document records with their bodies, decoded.
//!
//! A body is two lines of JSON: the *head* says which edit made the revision, what it settles, the
//! open conflicts, floor and ledger; the second line is the document. Nothing that stands in the
//! document stands in the head. The edit of an original revision has that revision's own ID and
//! stamp, and perhaps a place that follows from the ID, so it is added to the ledger here rather
//! than written down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use self::head_line::HeadLine;
use super::conflict::{OpenConflict, WantedValue};
use super::document::Document;
use super::edit::{Change, Op, Verb};
use super::json::{self, JsonError};
use super::ledger::{EditRef, Ledger, Place, Standing};
use super::operation::Operation;
use super::peer_id::PeerId;
use super::record::{Header, Kind, Numbered, Rank, Record, RecordId};
use super::signature::SecretKey;
use super::stamp::Stamp;
use crate::limits::{
    BODY_MAX, EDIT_TEXT_MAX, HEAD_VALUES_MAX, HEADER_MAX, HEIGHT_LIMIT, LEDGER_TEXT_MAX,
    NAMES_AHEAD_MAX, REMOVAL_BODY_MAX,
};

mod head_line;
#[cfg(test)]
mod tests;

/// What a revision does with its edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The revision is the first with this edit: the edit has the revision's own ID and stamp.
    Original,
    /// The revision applies an uncontained edit again, on a newer base.
    Replay(EditRef, PeerId),
    /// The revision leaves the document alone and lists an uncontained edit as open conflict.
    Note(EditRef, PeerId),
}

/// What a client asked for, once.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Whether the revision is the edit's first, a replay of it, or a note about it.
    pub origin: Origin,
    /// The operations, at most 64, at places that do not overlap.
    pub operations: Vec<Operation>,
}

/// A document record with its body.
pub struct Revision {
    /// Header and signature.
    pub record: Record,
    /// The body as it came.
    pub body: Arc<[u8]>,
    /// The edit that the revision applies to its base.
    pub edit: Edit,
    /// Its name.
    name: EditRef,
    /// The edits that it contains or settles, its own included.
    pub ledger: Ledger,
    /// The edits that it says it does not contain and nobody has settled.
    pub open: BTreeMap<EditRef, OpenConflict>,
    /// The open conflicts that it settles.
    pub settled: Vec<EditRef>,
    /// The whole desired state.
    pub document: Document,
    /// The open conflict that the edit would become; only in a revision without its body, from
    /// which it could not be made any more.
    listed: Option<Box<OpenConflict>>,
}

impl fmt::Debug for Revision {
    /// The revision's name and edit: there may be private keys in the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Revision({}, {:?}, {:?})",
            self.record.id.short(),
            self.edit,
            self.document
        )
    }
}

/// What an author decides about a revision; the rest follows from the base.
pub struct Draft {
    /// The edit to be applied to the base.
    pub edit: Edit,
    /// The document with the edit applied.
    pub document: Document,
    /// Conflicts that it opens (a note's).
    pub opens: BTreeMap<EditRef, OpenConflict>,
    /// Conflicts that it settles.
    pub settles: Vec<EditRef>,
    /// [`Header::UNTRIED`], [`Header::GUARDED`], [`Header::REMOVED`].
    pub flags: u16,
    /// The note of the record: who made the change, and why.
    pub note: String,
}

/// In whose name a revision is made.
pub struct Author<'a> {
    /// The author's key pair, which signs the revision.
    pub secret: &'a SecretKey,
    /// The public key of the fleet's owner.
    pub fleet: [u8; 32],
    /// The group whose document is changed.
    pub group: &'a str,
    /// The stamp of the revision, above those of all revisions that the author has seen.
    pub stamp: Stamp,
    /// The number of the edit, if the revision is the first that carries it.
    pub numbered: Option<Numbered>,
}

impl Revision {
    /// Makes and signs the child of `base` (of nothing, if there is none) that `draft` describes.
    /// `None` if no other peer would take it: its body would be too long or have too much in
    /// its head line, or its height be too great.
    pub fn author(author: &Author<'_>, base: Option<&Revision>, draft: Draft) -> Option<Self> {
        let mut open = base.map(|base| base.open.clone()).unwrap_or_default();
        let named = draft.settles.iter().chain(draft.opens.keys());
        let mut added: BTreeSet<Place> = named.map(|edit| edit.place).collect();
        open.retain(|edit, _| !draft.settles.contains(edit));
        if let Origin::Replay(edit, _) = &draft.edit.origin {
            open.remove(edit);
            added.insert(edit.place);
        }
        open.extend(draft.opens);
        let height = base.map_or(0, |base| base.record.header.height) + 1;
        let said = base
            .map(|base| base.ledger.clone())
            .unwrap_or_default()
            .with(height, added);
        let head = head_line::text(&draft.edit, &draft.settles, &open, &said);
        let body: Arc<[u8]> = [head.as_bytes(), b"\n", draft.document.bytes()]
            .concat()
            .into();
        let is_bounded = json::count(head.as_bytes()).is_ok_and(|values| values <= HEAD_VALUES_MAX)
            && said.text().len() <= LEDGER_TEXT_MAX;
        let body_max = if draft.flags & Header::REMOVED != 0 {
            REMOVAL_BODY_MAX
        } else {
            BODY_MAX
        };
        if !is_bounded
            || head_line::operations_len(&draft.edit) > EDIT_TEXT_MAX
            || body.len() > body_max
            || height >= HEIGHT_LIMIT
        {
            return None;
        }
        let header = Header {
            kind: Kind::Document,
            flags: draft.flags,
            fleet: author.fleet,
            key: author.group.to_owned(),
            author: PeerId::from_bytes(author.secret.public())
                .expect("a key pair's public half is sound"),
            height,
            stamp: author.stamp,
            base: base.map_or(RecordId::NONE, Revision::id),
            body_len: 0,
            body_hash: [0; 32],
            numbered: match draft.edit.origin {
                Origin::Original => author.numbered,
                Origin::Replay(..) | Origin::Note(..) => None,
            },
            note: draft.note,
        };
        let record = Record::sign(header, &body, author.secret);
        let name = name_of(&draft.edit, &record);
        let ledger = effective(&said, &draft.edit, &record, name);
        let Draft {
            edit,
            document,
            settles: settled,
            ..
        } = draft;
        let document = document.moved_into(&body, head.len() + 1);
        Some(Self {
            record,
            body,
            edit,
            name,
            ledger,
            open,
            settled,
            document,
            listed: None,
        })
    }

    /// Decodes the body of a document record. The caller has checked that the body is the record's
    /// own.
    pub fn decode(record: Record, body: Arc<[u8]>) -> Result<Self, BadBody> {
        let line_end = body
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(BadBody::Member("line end"))?;
        let HeadLine {
            edit,
            settled,
            open,
            ledger: said,
        } = HeadLine::read(&body[..line_end])?;
        let document = Document::within(&body, line_end + 1)
            .map_err(|error| BadBody::Document(error.to_string()))?;
        // Were the floor as high, the ledger would tell nothing of the edits that are made at once.
        if said.floor() >= record.header.height || said.last_changed() > record.header.height {
            return Err(BadBody::Member("heights"));
        }
        // A few names may be dated later: a host whose clock was wrong has dated edits that are
        // followed no further.
        let of = match &edit.origin {
            Origin::Original => None,
            Origin::Replay(of, _) | Origin::Note(of, _) => Some(of),
        };
        let named = of.into_iter().chain(&settled).chain(open.keys());
        let ahead: BTreeSet<&EditRef> = named
            .filter(|edit| edit.stamp > record.header.stamp)
            .collect();
        if ahead.len() > NAMES_AHEAD_MAX {
            return Err(BadBody::Member("stamps"));
        }
        let name = name_of(&edit, &record);
        let ledger = effective(&said, &edit, &record, name);
        Ok(Self {
            record,
            body,
            edit,
            name,
            ledger,
            open,
            settled,
            document,
            listed: None,
        })
    }

    /// The revision with nothing of the document but its text in memory, for whoever only keeps it.
    pub fn folded(&self) -> Self {
        self.with(
            Arc::clone(&self.body),
            self.document.folded(),
            self.listed.clone(),
        )
    }

    /// The revision without its body, for whoever needs only what can be said without the document.
    /// Its document and its values must not be used.
    pub fn light(&self) -> Self {
        self.with(
            Arc::default(),
            Document::factory(),
            Some(Box::new(self.as_conflict())),
        )
    }

    /// Whether this is what [`Revision::light`] leaves.
    pub fn is_light(&self) -> bool {
        self.listed.is_some()
    }

    /// About how many bytes of memory it takes: its body, and what of the head line is kept as
    /// values.
    pub fn weight(&self) -> usize {
        let names = (self.open.len() + self.settled.len()) * NAME_WEIGHT + self.ledger.weight();
        let listed: usize = self.open.values().map(OpenConflict::weight).sum();
        let own: usize = self.edit.operations.iter().map(Operation::weight).sum();
        self.body.len() + self.document.weight() + names + listed + 2 * own + HEADER_MAX
    }

    fn with(&self, body: Arc<[u8]>, document: Document, listed: Option<Box<OpenConflict>>) -> Self {
        let Self {
            record,
            edit,
            ledger,
            open,
            settled,
            ..
        } = self;
        let (edit, ledger, open, settled) =
            (edit.clone(), ledger.clone(), open.clone(), settled.clone());
        Self {
            record: record.clone(),
            body,
            edit,
            name: self.name,
            ledger,
            open,
            settled,
            document,
            listed,
        }
    }

    /// The record's ID.
    pub fn id(&self) -> RecordId {
        self.record.id
    }

    /// Whether the revision removes its group.
    pub fn is_removal(&self) -> bool {
        self.record.header.is_removal()
    }

    /// The revision's place in the order.
    pub fn rank(&self) -> Rank {
        self.record.rank()
    }

    /// The least stamp that a revision on this one may have: with few names above it.
    pub fn least_stamp(&self) -> Stamp {
        let mut named: BTreeSet<&EditRef> = self.open.keys().collect();
        // One more may be named by what is made on it, and as many as are open may be settled.
        (0..NAMES_AHEAD_MAX - 1).for_each(|_| _ = named.pop_last());
        named.last().map_or(Stamp::default(), |edit| edit.stamp)
    }

    /// The edit that it carries, under the edit's own name.
    pub fn edit_ref(&self) -> EditRef {
        self.name
    }

    /// Who asked for the edit that it carries.
    pub fn edit_author(&self) -> PeerId {
        match &self.edit.origin {
            Origin::Original => self.record.header.author,
            Origin::Replay(_, author) | Origin::Note(_, author) => *author,
        }
    }

    /// Whether this revision contains `edit`, settles it or lists it as open conflict.
    pub fn standing(&self, edit: &EditRef) -> Standing {
        if self.lists(&edit.place) {
            Standing::In
        } else {
            self.ledger.standing(edit)
        }
    }

    /// Whether this revision lists the edit at this place as open conflict.
    pub fn lists(&self, place: &Place) -> bool {
        self.open.keys().any(|edit| edit.place == *place)
    }

    /// The operations of the edit with their values, which stand in the document; `None` of a note,
    /// whose document does not have them, and of a revision without its body.
    pub fn ops(&self) -> Option<Vec<Op>> {
        if matches!(self.edit.origin, Origin::Note(..)) || self.is_light() {
            return None;
        }
        self.edit
            .operations
            .iter()
            .map(|operation| self.op(operation))
            .collect()
    }

    fn op(&self, operation: &Operation) -> Option<Op> {
        let value = || self.document.get(&operation.path);
        let change = match operation.verb {
            Verb::Put => Change::Put(value()?.clone()),
            Verb::Append => Change::Append(value()?.as_array()?.last()?.clone()),
            Verb::Delete => Change::Delete,
        };
        Some(Op {
            path: operation.path.clone(),
            change,
        })
    }

    /// The edit as an open conflict, its values included where they are short.
    pub fn as_conflict(&self) -> OpenConflict {
        if let Some(listed) = &self.listed {
            return OpenConflict::clone(listed);
        }
        if let (Origin::Note(..), Some(listed)) =
            (&self.edit.origin, self.open.get(&self.edit_ref()))
        {
            return listed.clone();
        }
        let header = &self.record.header;
        OpenConflict {
            author: Some(header.author),
            guarded: header.flags & Header::GUARDED != 0,
            note: header.note.clone(),
            operations: WantedValue::by(&self.edit.operations, &self.document),
        }
    }
}

/// Why bytes are not the body of a revision.
#[derive(Debug, PartialEq)]
pub enum BadBody {
    /// The head line is no JSON.
    Head(JsonError),
    /// The document is none, in these words.
    Document(String),
    /// This member is missing, of the wrong type or out of bounds.
    Member(&'static str),
}

impl fmt::Display for BadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "bad head line: {error}"),
            Self::Document(error) => write!(f, "bad document: {error}"),
            Self::Member(name) => write!(f, "bad {name} in a revision"),
        }
    }
}

impl std::error::Error for BadBody {}

/// The name of a revision's edit.
fn name_of(edit: &Edit, record: &Record) -> EditRef {
    match &edit.origin {
        Origin::Original => EditRef::of(record),
        Origin::Replay(edit, _) | Origin::Note(edit, _) => *edit,
    }
}

/// The original's own edit is in its ledger too, though it cannot always be written there: its
/// place may follow from the ID, which is a hash over the body.
fn effective(said: &Ledger, edit: &Edit, record: &Record, name: EditRef) -> Ledger {
    match edit.origin {
        Origin::Original => said.with(record.header.height, [name.place]),
        Origin::Replay(..) | Origin::Note(..) => said.clone(),
    }
}

/// What an edit's name takes in a set, in bytes.
const NAME_WEIGHT: usize = 104;
