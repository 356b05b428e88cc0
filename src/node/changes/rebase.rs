//! What becomes of edits that lost.
//!
//! The author of an uncontained edit *replays* it: if every place that it touches still holds what
//! it found, or what it wanted, and the own server accepts the result, the edit is published again
//! on the head. Otherwise it publishes a *note*: the head's document unchanged, the edit among its
//! open conflicts, so that every host lists it. Oldest edits come first. Edits that the uncontained
//! revision was made on, and that nobody holds any more, are listed with it. Only an original shows
//! what its author asked for, by his signature: who replays an edit only says whose it is. So
//! nothing is made again from a replay; the original is sought for ten seconds, and then the
//! edit is listed in the name of whoever signed what is held. If an author stays away for ten
//! seconds, whoever holds the edit and has a server that can judge it does this in its place; doing
//! it twice is harmless, for the ledger names it.

use crate::node::changes::Below;
use crate::node::changes::Changes;
use crate::node::event::Event;
use crate::node::local::Local;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::transaction::Cause;
use crate::limits::{OPEN_LISTED_MAX, REAPPLY_MIN, REBASE_JITTER, STAND_IN_AFTER};
use crate::model::conflict::OpenConflict;
use crate::model::document::Document;
use crate::model::edit::{self, Verb};
use crate::model::ledger::{EditRef, Standing};
use crate::model::peer_id::PeerId;
use crate::model::record::{Header, RecordId};
use crate::model::replay::replayed;
use crate::model::revision::{Draft, Edit, Origin, Revision};
use crate::model::stamp::Stamp;
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::effect::revision_name;
use crate::node::effect::{DiskJob, Level};
use crate::node::local::server::Verdict;
use crate::node::store::Store;
use crate::node::store::replica::{Group, Uncontained};
use crate::node::store::revision_file::file_text;
use crate::node::waiting::Reading;
use crate::node::waiting::Waiting;

/// Of each uncontained edit a revision that carries it, oldest edit first.
type Held<'a> = BTreeMap<EditRef, &'a Uncontained>;

/// When edits are to be looked at again.
type Later = BTreeMap<EditRef, Duration>;

/// Edits with what they wanted.
type Conflicts = BTreeMap<EditRef, OpenConflict>;

/// What is to be done about an uncontained edit.
enum Remedy {
    /// The edit still fits: this is the head's document with it.
    Replay(Document),
    /// The edit has to be listed.
    Note,
    /// The head has what it wanted, whether by it or not.
    Nothing,
    /// Somebody else is to do it, or what it was made on comes first: look again at this time.
    Later(Duration),
    /// The body of its revision has to be read from disk first.
    Load,
}

impl Changes {
    /// When the uncontained edits are to be looked at, unless something is being made or tried, or
    /// edits are being read back without which others would seem to collide: its end brings the
    /// next look.
    pub(in crate::node) fn rebase_due(
        &self,
        cx: &Context,
        store: &Store,
        local: &Local,
    ) -> Option<Duration> {
        let awaited = |waiting: &Waiting| {
            matches!(
                waiting,
                Waiting::Note(_) | Waiting::Read(_, Reading::Uncontained | Reading::Former)
            )
        };
        let busy = store.storing.hangs()
            || self.transaction.is_some()
            || !local.server.is_free()
            || cx.tickets.values().any(awaited);
        cx.timers.rebase.filter(|_| !busy)
    }

    pub(in crate::node) fn rebase_if_due(&mut self, below: &mut Below<'_>) {
        if self
            .rebase_due(below.cx, below.store, below.local)
            .is_none_or(|due| due > below.cx.now.elapsed)
        {
            return;
        }
        below.cx.timers.rebase = None;
        // Without an exchange in this run what is held may be old, and a revision made on it would
        // beat what the fleet has agreed on since. The exchange comes first, and brings the
        // next look. Later a host that is alone goes on: perhaps all others are gone.
        if below.exchange.exchanged && below.local.may_configure(below.cx) {
            self.rebase(below);
        }
    }

    /// A replay could not be made: noted if the server refused it, else tried again later.
    pub(in crate::node) fn replay_failed(
        &mut self,
        below: &mut Below<'_>,
        uncontained: &Arc<Revision>,
        answer: &Answer,
    ) {
        let name = uncontained.edit_ref().id.short();
        match answer {
            Answer::Refused(..) if !below.store.is_last_resort(below.cx, uncontained) => {
                // Only this host's server may refuse it, for want of a module, say: another that
                // holds the edit may do better.
                if let Some(head) = below.store.head(below.cx).map(|head| head.id()) {
                    self.refused = (head, std::mem::take(&mut self.refused.1));
                    self.refused.1.insert(uncontained.edit_ref());
                }
                below.cx.timers.rebase = Some(below.cx.now.elapsed + STAND_IN_AFTER);
            }
            Answer::Refused(..)
            | Answer::Problem(crate::node::answer::Problem { status: 413, .. }) => {
                below.cx.say(
                    Level::Info,
                    "rebase",
                    format!("the edit {name} does not fit the head any more"),
                );
                below.note(std::slice::from_ref(uncontained));
            }
            _ => below.cx.timers.rebase = Some(below.cx.now.elapsed + REAPPLY_MIN),
        }
    }

    /// Does the next thing about the uncontained edits, oldest first: one replay, or one note of
    /// all that must be noted before it.
    fn rebase(&mut self, below: &mut Below<'_>) {
        if below
            .store
            .tip(below.cx)
            .is_some_and(|tip| tip.is_removal())
        {
            return below.keep_group();
        }
        let Some((group, head)) = below
            .store
            .replica
            .group(&below.cx.setup.group)
            .and_then(|group| Some((group, group.head()?)))
        else {
            return;
        };
        let held = carriers(group);
        let missing = below.store.missing(group, &held);
        let unruled = group.unruled();
        let mut next = unruled
            .as_ref()
            .map(|(since, _)| *since + 3 * STAND_IN_AFTER)
            .filter(|at| *at > below.cx.now.elapsed);
        let mut noted: Vec<Arc<Revision>> = Vec::new();
        let (mut replay, mut done, mut later, mut load) = (None, Vec::new(), BTreeMap::new(), None);
        for uncontained in held.values() {
            match self.remedy(below, group, head, &held, &later, uncontained) {
                Remedy::Later(at) => {
                    later.insert(uncontained.revision.edit_ref(), at);
                    next = Some(next.map_or(at, |next| next.min(at)));
                }
                Remedy::Note => noted.push(Arc::clone(&uncontained.revision)),
                Remedy::Nothing => done.push(uncontained.revision.edit_ref()),
                Remedy::Load => {
                    load = Some(uncontained.revision.record.clone());
                    break;
                }
                Remedy::Replay(document) if noted.is_empty() => {
                    replay = Some((Arc::clone(&uncontained.revision), document));
                    break;
                }
                Remedy::Replay(_) => break,
            }
        }
        match replay {
            _ if !noted.is_empty() => below.note(&noted),
            Some((uncontained, document)) => self.replay(below, uncontained, document),
            None if load.is_some() => {
                load.into_iter()
                    .for_each(|record| below.cx.read_kept(record, Reading::Uncontained));
                below.cx.timers.rebase = Some(below.cx.now.elapsed + STAND_IN_AFTER);
            }
            // Jitter, so that not all hosts stand in at once for one that is away.
            None => {
                below.cx.timers.rebase = next.map(|at| at + below.cx.rng.up_to(STAND_IN_AFTER / 4))
            }
        }
        self.seek(below, missing);
        if let (Some((_, edits)), None) = (unruled, next) {
            below.cx.report_unruled(&edits);
        }
        if let Some(group) = below.store.replica.group_mut(&below.cx.setup.group) {
            group.learn(&done, &[]);
        }
    }

    /// Asks peers for the originals of edits; what was asked for before and is not needed any more
    /// is asked for no more.
    fn seek(&mut self, below: &mut Below<'_>, missing: BTreeSet<RecordId>) {
        for done in self.missing.difference(&missing) {
            below.exchange.missing.remove(done);
        }
        let (asked, new): (BTreeSet<RecordId>, Vec<RecordId>) = {
            let new = missing.difference(&self.missing).copied().collect();
            (missing.intersection(&self.missing).copied().collect(), new)
        };
        self.missing = asked;
        for id in new {
            // Those for which there is no room come when others have been found.
            if below.exchange.want(below.cx, below.peers, id) {
                self.missing.insert(id);
            }
        }
    }

    /// `later` has the edits that come first and are to be looked at again.
    fn remedy(
        &self,
        below: &Below<'_>,
        group: &Group,
        head: &Arc<Revision>,
        held: &Held<'_>,
        later: &Later,
        uncontained: &Uncontained,
    ) -> Remedy {
        let (now, revision) = (below.cx.now.elapsed, &uncontained.revision);
        let stand_in = uncontained.since + STAND_IN_AFTER;
        if stand_in > now && !(is_original(revision) && is_by(group, revision, &below.cx.me)) {
            return Remedy::Later(stand_in);
        }
        let made_on = made_on(group, revision);
        // Their authors hold them, or other peers do, and bring them within moments; else they can
        // only be listed by name. Those out of whose files keys were struck are known here,
        // and nobody else may be able to say what they wanted.
        let awaited = |edit: &&EditRef| is_missing(group, held, edit) && !group.is_struck(edit);
        if stand_in > now && made_on.iter().any(|edit| awaited(&edit)) {
            return Remedy::Later(stand_in);
        }
        let is_unknown = |edit: &EditRef| group.standing(edit) == Standing::Unknown;
        let doubted = made_on.iter().any(is_unknown) || is_unknown(&revision.edit_ref());
        let decided = if doubted {
            uncontained.since + 3 * STAND_IN_AFTER
        } else {
            uncontained.since
        };
        if decided > now {
            return Remedy::Later(decided);
        }
        // Not what this host knows but what the ledger says: all must come to the same, or an edit
        // would be made twice.
        let is_out = head.standing(&revision.edit_ref()) == Standing::Out;
        // A ledger that is full and reaches less far back would forget the edit in the very
        // revision that replays it.
        let is_named = head
            .ledger
            .with([revision.edit_ref()])
            .standing(&revision.edit_ref())
            == Standing::In;
        let guarded = revision.record.header.flags & Header::GUARDED != 0;
        let may_replay = is_out
            && is_named
            && is_original(revision)
            && !guarded
            && !settles_again(head, revision);
        if revision.is_light() && (may_replay || !is_out) {
            return Remedy::Load;
        }
        if !is_out && is_done(head, revision) {
            return Remedy::Nothing;
        }
        let fit = may_replay
            .then(|| replayed(&head.document, revision))
            .flatten();
        let pending = below.cx.pending(group, held, revision);
        // What it was made on may be on its way into the head: only then it is known what it meets
        // there.
        let early = match &fit {
            Some(fit) if fit.strictly => {
                pending.iter().any(|other| touch(&other.revision, revision))
            }
            Some(_) => !pending.is_empty(),
            None => may_replay && !pending.is_empty(),
        };
        // However long that takes: before what it was made on is in the head or listed, there is
        // nothing to judge it by.
        let before = pending
            .iter()
            .filter_map(|other| later.get(&other.revision.edit_ref()))
            .max();
        let waits = before
            .copied()
            .unwrap_or_default()
            .max(decided + 2 * STAND_IN_AFTER);
        match fit {
            _ if early && waits > now => Remedy::Later(waits),
            Some(fit) if !fit.strictly && early => Remedy::Note,
            Some(_)
                if self.refused.0 == head.id()
                    && self.refused.1.contains(&revision.edit_ref())
                    && waits > now =>
            {
                Remedy::Later(waits)
            }
            Some(fit) if below.can_judge(head) => Remedy::Replay(fit.document),
            Some(_) => Remedy::Later(now + STAND_IN_AFTER),
            None => Remedy::Note,
        }
    }

    fn replay(&mut self, below: &mut Below<'_>, uncontained: Arc<Revision>, document: Document) {
        below.store.report_beyond(below.cx, &uncontained);
        let Some(head) = below.store.head(below.cx).cloned() else {
            return;
        };
        let origin = Origin::Replay(uncontained.edit_ref(), uncontained.edit_author());
        let mut opens = below.store.lost_with(below.cx, &uncontained);
        if opens.len() > room_on(&head) {
            return below.note(std::slice::from_ref(&uncontained));
        }
        opens.retain(|edit, _| !uncontained.settled.contains(edit));
        let draft = Draft {
            // What it found is what it found when it was asked for: on a newer base that is still
            // there, else it would not be replayed.
            edit: Edit {
                origin,
                operations: uncontained.edit.operations.clone(),
            },
            document,
            opens,
            settles: uncontained.settled.clone(),
            flags: if below.local.server.present {
                0
            } else {
                Header::UNTRIED
            },
            note: uncontained.record.header.note.clone(),
        };
        self.begin_transaction(
            below,
            Cause::Replay(uncontained),
            draft,
            head.document.clone(),
        );
    }
}

impl Below<'_> {
    /// A note of our own is durable, or could not be written: it is published if the head is still
    /// the one it was made on.
    pub(in crate::node) fn note_stored(&mut self, note: Arc<Revision>, durable: bool) {
        let base = self
            .store
            .tip(self.cx)
            .filter(|head| head.id() == note.record.header.base);
        if durable && let Some(base) = base {
            let text = match note.edit.origin {
                Origin::Original if base.is_removal() => {
                    format!(
                        "revision {} keeps the group, which was removed and is followed by this host",
                        note.id().short()
                    )
                }
                Origin::Original => format!("revision {} dates the head anew", note.id().short()),
                _ => format!(
                    "{} listed as open conflict by {}",
                    note.edit_ref().id.short(),
                    note.id().short()
                ),
            };
            self.cx.say(Level::Info, "rebase", text);
            self.cx.tell(Event::Revision(None, note));
        } else {
            self.cx.remove_file(&note.record);
        }
        if durable {
            self.cx.rebase_soon(REBASE_JITTER);
        } else {
            self.cx.timers.rebase = Some(self.cx.now.elapsed + REAPPLY_MIN);
        }
    }

    /// Whether what the own server says of a replay says something about the replay. A host without
    /// a server leaves it to those that have one.
    fn can_judge(&self, head: &Revision) -> bool {
        match &self.local.server.verdict {
            Verdict::NoServer => self.peers.live_server(self.cx).is_none(),
            Verdict::Refused(_) => self
                .local
                .server
                .applied
                .as_ref()
                .is_some_and(|applied| applied.id == head.id()),
            Verdict::Unreachable(_) | Verdict::Untouched(_) => false,
            Verdict::Pending | Verdict::Applied | Verdict::Unverified(_) => true,
        }
    }

    /// Lists edits as open conflicts, the oldest first and as many as fit: the others come when
    /// some are settled. One whose words alone would fill a revision is listed by its name.
    fn note(&mut self, due: &[Arc<Revision>]) {
        let (Some(head), Some(first)) = (self.store.head(self.cx).cloned(), due.first()) else {
            return;
        };
        self.store.report_beyond(self.cx, first);
        let opens = self.store.listed(self.cx, due, room_on(&head));
        if opens.is_empty() {
            return self.cx.too_many_conflicts();
        }
        if let Some(note) = self.note_on(&head, opens.clone()) {
            return self.cx.store_note(note);
        }
        if due.len() > 1 {
            return self.note(&due[..due.len() / 2]);
        }
        let names = opens
            .into_keys()
            .map(|edit| (edit, OpenConflict::default()))
            .collect();
        match self.note_on(&head, names) {
            Some(note) => self.cx.store_note(note),
            None => {
                let text = format!(
                    "the open conflicts of group {} fill a whole revision: settle some",
                    self.cx.setup.group
                );
                self.cx.report_problem(text);
            }
        }
    }

    /// A note of the oldest of these, with the others; `None` if it would be too long.
    fn note_on(&mut self, head: &Arc<Revision>, opens: Conflicts) -> Option<Revision> {
        let (edit, conflict) = opens.first_key_value()?;
        let author = conflict.author.unwrap_or(self.cx.me);
        let operations = conflict
            .operations
            .iter()
            .map(|(operation, _)| operation.clone())
            .collect();
        let edit = Edit {
            origin: Origin::Note(*edit, author),
            operations,
        };
        let flags = head.record.header.flags & Header::UNTRIED;
        let draft = Draft {
            edit,
            document: head.document.clone(),
            opens,
            settles: Vec::new(),
            flags,
            note: String::new(),
        };
        self.author(Some(head), draft)
    }
}

impl Store {
    /// How long the next rebase waits at most: not at all if all that is left is this host's own to
    /// do.
    pub(in crate::node) fn rebase_jitter(&self, cx: &Context) -> Duration {
        let group = self.replica.group(&cx.setup.group);
        let others = group.is_some_and(|group| {
            group
                .uncontained()
                .any(|uncontained| !is_by(group, &uncontained.revision, &cx.me))
        });
        if others {
            REBASE_JITTER
        } else {
            Duration::ZERO
        }
    }

    /// Whether it is this host that has to list an edit which its server refuses: it is its own, or
    /// nobody else has done anything about it.
    fn is_last_resort(&self, cx: &Context, uncontained: &Revision) -> bool {
        let Some(group) = self.replica.group(&cx.setup.group) else {
            return true;
        };
        let since = carriers(group)
            .get(&uncontained.edit_ref())
            .map(|uncontained| uncontained.since);
        is_by(group, uncontained, &cx.me)
            || since.is_none_or(|since| since + 2 * STAND_IN_AFTER <= cx.now.elapsed)
    }

    /// The originals of uncontained edits, and of those that they were made on and that are lost
    /// like them, as far as they are not held.
    fn missing(&self, group: &Group, held: &Held<'_>) -> BTreeSet<RecordId> {
        let said = held
            .values()
            .filter(|uncontained| !is_original(&uncontained.revision))
            .map(|uncontained| uncontained.revision.edit_ref());
        let made_on = held
            .values()
            .flat_map(|uncontained| made_on(group, &uncontained.revision));
        let all = said.chain(made_on.filter(|edit| is_missing(group, held, edit)));
        all.map(|edit| edit.id)
            .filter(|id| self.replica.whole(id).is_none())
            .collect()
    }

    /// A branch that lost may be longer than a ledger: of its first edits not even the names are
    /// known.
    fn report_beyond(&mut self, cx: &mut Context, uncontained: &Revision) {
        let Some(group) = self.replica.group(&cx.setup.group) else {
            return;
        };
        let first = uncontained.ledger.entries().next();
        if uncontained.ledger.floor() > Stamp::default()
            && first.is_some_and(|edit| group.standing(edit) == Standing::Out)
        {
            let name = uncontained.id().short();
            cx.report_problem(format!("the branch of revision {name} lost and is so long that its first changes are not listed"));
        }
    }

    /// The edits that a revision was made on and that would be forgotten with it, as open
    /// conflicts: nobody holds a record of them any more.
    fn lost_with(&self, cx: &Context, revision: &Revision) -> Conflicts {
        let Some(group) = self.replica.group(&cx.setup.group) else {
            return Conflicts::new();
        };
        let held = carriers(group);
        let ghosts = made_on(group, revision)
            .into_iter()
            .filter(|edit| is_missing(group, &held, edit));
        let remembered = |edit: &EditRef| {
            revision
                .open
                .get(edit)
                .or_else(|| group.remembered(edit))
                .cloned()
                .unwrap_or_default()
        };
        ghosts.map(|edit| (edit, remembered(&edit))).collect()
    }

    /// The edits of these revisions as open conflicts, and with each those that are lost with it:
    /// the oldest for which there is room.
    fn listed(&self, cx: &Context, due: &[Arc<Revision>], room: usize) -> Conflicts {
        let mut opens = Conflicts::new();
        for revision in due {
            let mut all = self.lost_with(cx, revision);
            let rest = all.len() + 1;
            // All or none: what is cut off here would stand nowhere. But what is lost with it can
            // be listed before it.
            if opens.len() + rest > room {
                return if opens.is_empty() && rest > 1 {
                    all.into_iter().take(room).collect()
                } else {
                    opens
                };
            }
            all.insert(revision.edit_ref(), revision.as_conflict());
            opens.extend(all);
        }
        opens
    }
}

impl Context {
    /// The uncontained edits that an uncontained revision was made on. A newer one is none of
    /// these, though a replay of this edit may have been made on it: else two that were made
    /// again on each other's branches would wait for each other.
    fn pending<'a>(
        &self,
        group: &Group,
        held: &Held<'a>,
        revision: &Revision,
    ) -> Vec<&'a Uncontained> {
        let own = revision.edit_ref();
        let others = made_on(group, revision)
            .into_iter()
            .filter(|edit| *edit < own && group.standing(edit) == Standing::Out);
        others.filter_map(|edit| held.get(&edit).copied()).collect()
    }

    /// Nobody is left who has followed the head for long enough to tell what of this host's own
    /// history it contains.
    fn report_unruled(&mut self, edits: &[EditRef]) {
        let Some(last) = edits.last() else { return };
        let (count, name) = (edits.len(), last.id.short());
        let text = format!(
            "nobody can tell whether {count} changes up to {name} are contained: see starling log and starling diff"
        );
        self.report_problem(text);
    }

    fn too_many_conflicts(&mut self) {
        let text = format!(
            "too many open conflicts in group {}: settle some",
            self.setup.group
        );
        if !self.problems.contains(&text) {
            self.say(Level::Error, "rebase", text.clone());
        }
        self.report_problem(text);
        self.timers.rebase = Some(self.now.elapsed + STAND_IN_AFTER);
    }

    pub(in crate::node) fn store_note(&mut self, note: Revision) {
        let note = Arc::new(note);
        let ticket = self.ticket(Waiting::Note(Arc::clone(&note)));
        let name = revision_name(note.record.header.height, &note.id());
        self.disk(DiskJob::Store(
            ticket,
            self.setup.group.clone(),
            name,
            file_text(&note),
        ));
    }
}

/// The edits that the uncontained revisions which carry this one's edit contain or list: what is
/// lost with them.
fn made_on(group: &Group, revision: &Revision) -> BTreeSet<EditRef> {
    let edit = revision.edit_ref();
    let carriers = group
        .uncontained()
        .map(|uncontained| &uncontained.revision)
        .filter(|other| other.edit_ref() == edit);
    carriers
        .flat_map(|carrier| carrier.ledger.entries().chain(carrier.open.keys()))
        .copied()
        .collect()
}

/// How many more open conflicts a child of `head` may list.
fn room_on(head: &Revision) -> usize {
    OPEN_LISTED_MAX.saturating_sub(head.open.len())
}

/// Whether an edit is lost, and no record that carries it is held.
fn is_missing(group: &Group, held: &Held<'_>, edit: &EditRef) -> bool {
    group.standing(edit) == Standing::Out && !held.contains_key(edit)
}

/// Whether an edit appends what others have meanwhile settled the same conflict with, or without:
/// then it may be there already under another name, and a person has to look.
fn settles_again(head: &Revision, revision: &Revision) -> bool {
    let is_settled =
        |edit: &EditRef| head.standing(edit) == Standing::In && !head.open.contains_key(edit);
    let appends = revision
        .edit
        .operations
        .iter()
        .any(|operation| operation.verb == Verb::Append);
    appends && revision.settled.iter().any(is_settled)
}

/// Whether the head is at each place as the edit of `revision` wants it.
fn is_done(head: &Revision, revision: &Revision) -> bool {
    revision
        .ops()
        .is_some_and(|ops| ops.iter().all(|op| edit::is_done(&head.document, op)))
}

/// Whether two edits have to do with one place: the path of one leads to or through that of the
/// other.
fn touch(one: &Revision, other: &Revision) -> bool {
    let pairs = one.edit.operations.iter().flat_map(|a| {
        other
            .edit
            .operations
            .iter()
            .map(move |b| (&a.path, &b.path))
    });
    pairs
        .into_iter()
        .any(|(a, b)| a.tokens().iter().zip(b.tokens()).all(|(a, b)| a == b))
}

/// Whether a revision carries an edit of its own author's: then it is he who has signed what the
/// edit wants.
fn is_original(revision: &Revision) -> bool {
    revision.edit.origin == Origin::Original
}

/// Of each uncontained edit the revision that carries it, oldest edit first: the original if it is
/// held, for that shows what the author saw; else the greatest of those that have its values.
fn carriers(group: &Group) -> Held<'_> {
    let worth = |uncontained: &Uncontained| {
        let kind = match uncontained.revision.edit.origin {
            Origin::Original => 2,
            Origin::Replay(..) => 1,
            Origin::Note(..) => 0,
        };
        (kind, uncontained.revision.rank())
    };
    let mut edits: Held<'_> = BTreeMap::new();
    for uncontained in group.uncontained() {
        let best = edits
            .entry(uncontained.revision.edit_ref())
            .or_insert(uncontained);
        if worth(uncontained) > worth(best) {
            *best = uncontained;
        }
    }
    edits
}

/// Whether the edit, or a held revision that carries it, is by `peer`.
fn is_by(group: &Group, revision: &Revision, peer: &PeerId) -> bool {
    let edit = revision.edit_ref();
    let carries = |uncontained: &Uncontained| {
        uncontained.revision.edit_ref() == edit
            && uncontained.revision.record.header.author == *peer
    };
    revision.edit_author() == *peer || group.uncontained().any(carries)
}
