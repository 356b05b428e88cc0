//! What is on disk, and what is in memory only because the disk would not take it.
//!
//! A revision from elsewhere is taken up, passed on and applied whether it can be stored or not;
//! one that cannot is marked, and stored when the disk takes writes again, which a probe finds out.
//! Nothing that was acknowledged here is ever among them: a client hears 200 only when its change
//! is durable.
//!
//! A disk may also do nothing at all for a while. What waits for it then waits, but for a client's
//! change, which would keep heads from the server: that one is given up, and none is begun before
//! the disk answers again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Store;
use crate::limits::{DISK_PATIENCE, PROBE_MAX, PROBE_MIN, RETRY_MIN, WRITING_MAX};
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Level, revision_name};
use crate::node::input::Ticket;
use crate::node::peers::Peers;
use crate::node::store::revision_file::file_text;
use crate::node::waiting::Waiting;

/// What is known of the disk.
pub(in crate::node) struct Storing {
    /// Revisions that are held and could not be written.
    unstored: BTreeSet<RecordId>,
    /// Bytes on their way to the disk.
    writing: BTreeMap<Ticket, usize>,
    /// Revisions that are stored when these are there.
    later: VecDeque<RecordId>,
    /// Why the disk takes no writes, if it takes none.
    error: Option<String>,
    probe_at: Option<Duration>,
    wait: Duration,
    /// When the jobs were handed over whose answers have not come, by ticket: the oldest is the
    /// first.
    awaited: BTreeMap<Ticket, Duration>,
    /// When the disk last answered. One that works off a long queue, slowly, does not hang.
    answered: Duration,
    /// Whether the oldest of them has taken too long.
    hangs: bool,
    /// Whether it has taken a write since the start.
    has_written: bool,
}

impl Default for Storing {
    fn default() -> Self {
        let (unstored, writing, later) = (BTreeSet::new(), BTreeMap::new(), VecDeque::new());
        let (error, probe_at, wait, awaited) = (None, None, PROBE_MIN, BTreeMap::new());
        Self {
            unstored,
            writing,
            later,
            error,
            probe_at,
            wait,
            awaited,
            answered: Duration::ZERO,
            hangs: false,
            has_written: false,
        }
    }
}

impl Storing {
    /// When the disk is to be probed, or has taken too long.
    pub(in crate::node) fn due(&self) -> Option<Duration> {
        self.probe_at.into_iter().chain(self.late_at()).min()
    }

    /// A job that will be answered was handed over.
    pub(in crate::node) fn expect(&mut self, ticket: Ticket, now: Duration) {
        self.awaited.insert(ticket, now);
    }

    /// Whether the disk has not answered for too long.
    pub(in crate::node) fn hangs(&self) -> bool {
        self.hangs
    }

    fn late_at(&self) -> Option<Duration> {
        let oldest = self.awaited.values().next().filter(|_| !self.hangs)?;
        Some((*oldest).max(self.answered) + DISK_PATIENCE)
    }

    /// Whether the disk took no write when it was last asked to.
    pub(in crate::node) fn is_failing(&self) -> bool {
        self.error.is_some()
    }

    /// Whether the disk has taken what it was last asked to write, answers, and has room for more.
    pub(in crate::node) fn takes_writes(&self) -> bool {
        self.has_written && self.error.is_none() && !self.hangs && self.has_room()
    }

    fn has_room(&self) -> bool {
        self.writing.values().sum::<usize>() <= WRITING_MAX
    }

    /// How many revisions are in memory only.
    pub(in crate::node) fn in_memory(&self) -> usize {
        self.unstored.len()
    }

    /// Whether a revision that is held is on disk too, or on its way there.
    pub(in crate::node) fn has(&self, id: &RecordId) -> bool {
        !self.unstored.contains(id)
    }

    /// What is wrong with the disk, for people.
    pub(in crate::node) fn problem(&self) -> Option<String> {
        if self.hangs {
            return Some(hanging());
        }
        let error = self.error.as_ref()?;
        Some(match self.unstored.len() {
            0 => format!("the disk takes no writes: {error}"),
            count => format!(
                "the disk takes no writes: {error}; {count} of the revisions held are in memory \
                 only"
            ),
        })
    }
}

impl Store {
    /// Forgets and removes what is more than is kept of a group.
    pub(in crate::node) fn prune(&mut self, cx: &mut Context, peers: &Peers, group: &str) {
        let pruned = self
            .replica
            .group_mut(group)
            .map(crate::node::store::replica::Group::prune)
            .unwrap_or_default();
        pruned.iter().for_each(|record| cx.remove_file(record));
        self.remove_dropped(cx, peers);
        self.look_for_keys(cx);
    }

    /// Removes what went over a budget, and says of whom it was.
    pub(in crate::node) fn remove_dropped(&mut self, cx: &mut Context, peers: &Peers) {
        for (record, was_uncontained) in self.replica.dropped() {
            cx.remove_file(&record);
            self.lately_held.retain(|held| *held != record.id);
            if was_uncontained {
                let author = peers.called(&record.header.author);
                cx.say_once(
                    "records",
                    format!(
                        "{author} has more changes beside the head than are kept: its oldest go"
                    ),
                );
            }
        }
    }

    /// Takes in a revision that was kept, with the time at which that was, in milliseconds since
    /// 1970; its signature and body were checked.
    pub(in crate::node) fn load(
        &mut self,
        cx: &mut Context,
        peers: &Peers,
        revision: Revision,
        received_ms: u64,
    ) {
        self.note_own_stamp(cx, &revision);
        self.replica.judge_by(peers.bound_ms(cx));
        let revision = Arc::new(revision);
        self.replica.take(Arc::clone(&revision), cx.now.elapsed);
        self.note_received(&revision, received_ms);
        self.remove_dropped(cx, peers);
        let uncontained = self
            .replica
            .group(&cx.setup.group)
            .is_some_and(|group| group.uncontained().next().is_some());
        cx.timers.rebase = uncontained.then_some(RETRY_MIN);
    }

    /// What this host dates from now on is later than what it has dated before.
    pub(in crate::node) fn note_own_stamp(&mut self, cx: &Context, revision: &Revision) {
        if revision.record.header.author == cx.me {
            self.stamps.resume(revision.record.header.stamp);
        }
    }

    /// Takes in a revision out of whose file bundles were struck in an earlier run.
    pub(in crate::node) fn load_struck(&mut self, revision: &Revision, received_ms: u64) {
        self.replica.take_struck(revision);
        self.note_received(revision, received_ms);
    }

    /// A write is durable, or has failed: what the ticket was for, if anybody waits.
    pub(in crate::node) fn answered(
        &mut self,
        cx: &mut Context,
        ticket: Ticket,
        result: &Result<(), String>,
    ) -> Option<Waiting> {
        self.storing.awaited.remove(&ticket);
        self.storing.answered = cx.now.elapsed;
        if std::mem::take(&mut self.storing.hangs) {
            cx.say(Level::Info, "disk", "the disk answers again");
            cx.own_record_changed();
        }
        let waiting = cx.tickets.remove(&ticket)?;
        match result {
            Ok(()) => self.storing.has_written = true,
            Err(error) => self.disk_fails(cx, error),
        }
        Some(waiting)
    }

    /// A revision from elsewhere is durable, or could not be written: the next has its turn.
    pub(in crate::node) fn written(
        &mut self,
        cx: &mut Context,
        peers: &Peers,
        ticket: Ticket,
        id: RecordId,
        is_durable: bool,
    ) {
        self.storing.writing.remove(&ticket);
        if is_durable {
            self.is_stored(cx, peers, id);
        } else {
            self.discard_pending(cx, &id);
            self.keep_in_memory(id);
        }
        self.store_next(cx);
    }

    /// Looks whether the disk answers; `false` if it hangs.
    pub(in crate::node) fn judge_disk(&mut self, cx: &mut Context) -> bool {
        if self
            .storing
            .late_at()
            .is_some_and(|late_at| late_at <= cx.now.elapsed)
        {
            self.storing.hangs = true;
            cx.say(
                Level::Error,
                "disk",
                format!(
                    "{}; changes by clients are refused until it does",
                    hanging()
                ),
            );
            cx.own_record_changed();
        }
        !self.storing.hangs
    }

    /// Removes what is left in `pending/` of a revision of our own that could not be made durable.
    fn discard_pending(&self, cx: &mut Context, id: &RecordId) {
        let own = self
            .replica
            .find(id)
            .map(|revision| &revision.record.header);
        if let Some(header) = own.filter(|header| header.author == cx.me) {
            let name = revision_name(header.height, id);
            cx.disk(DiskJob::Discard(header.key.clone(), name));
        }
    }

    /// A revision is on disk: its body may leave memory.
    fn is_stored(&mut self, cx: &mut Context, peers: &Peers, id: RecordId) {
        self.storing.unstored.remove(&id);
        self.replica.written(&id);
        self.remove_dropped(cx, peers);
    }

    /// Has a revision from elsewhere written.
    pub(in crate::node) fn store(&mut self, cx: &mut Context, revision: &Revision) {
        self.replica.writing(revision.id());
        if !self.storing.has_room() {
            self.storing.later.push_back(revision.id());
            return;
        }
        let ticket = cx.ticket(Waiting::Stored(revision.id()));
        self.storing.writing.insert(ticket, revision.body.len());
        let header = &revision.record.header;
        let name = revision_name(header.height, &revision.id());
        cx.disk(DiskJob::Store(
            ticket,
            header.key.clone(),
            name,
            file_text(revision),
        ));
    }

    /// Has a revision of our own, which is on the disk as pending and was published, made durable.
    pub(in crate::node) fn commit(&mut self, cx: &mut Context, revision: &Revision) {
        self.replica.writing(revision.id());
        let ticket = cx.ticket(Waiting::Stored(revision.id()));
        let header = &revision.record.header;
        let name = revision_name(header.height, &revision.id());
        cx.disk(DiskJob::Commit(ticket, header.key.clone(), name));
    }

    /// Has that written for which there was no room before.
    fn store_next(&mut self, cx: &mut Context) {
        while self.storing.has_room() {
            let Some(id) = self.storing.later.pop_front() else {
                return;
            };
            match self.replica.find(&id).cloned() {
                Some(revision) => self.store(cx, &revision),
                None => self.forget_unstored(id),
            }
        }
    }

    /// Whether a revision is on its way to the disk.
    pub(in crate::node) fn is_being_stored(&self, cx: &Context, id: &RecordId) -> bool {
        if self.storing.later.contains(id) {
            return true;
        }
        cx.tickets
            .values()
            .any(|waiting| matches!(waiting, Waiting::Stored(other) if other == id))
    }

    pub(in crate::node) fn probe_if_due(&mut self, cx: &mut Context) {
        if self
            .storing
            .probe_at
            .is_some_and(|due| due <= cx.now.elapsed)
        {
            self.storing.probe_at = None;
            let ticket = cx.ticket(Waiting::Probe);
            cx.disk(DiskJob::Probe(ticket));
        }
    }

    fn disk_fails(&mut self, cx: &mut Context, error: &str) {
        if self.storing.error.is_none() {
            cx.say(
                Level::Error,
                "disk",
                format!("{error}; what comes is kept in memory until the disk takes writes again"),
            );
            cx.own_record_changed();
        }
        self.storing.error = Some(error.to_owned());
        self.replica.set_spills(false);
        if self.storing.probe_at.is_none() {
            self.storing.probe_at = Some(cx.now.elapsed + self.storing.wait);
            self.storing.wait = (self.storing.wait * 2).min(PROBE_MAX);
        }
    }

    /// The disk takes writes again: all that is in memory only is given to it.
    pub(in crate::node) fn store_again(&mut self, cx: &mut Context) {
        let unstored: Vec<RecordId> = self.storing.unstored.iter().copied().collect();
        for id in unstored {
            match self.replica.find(&id).cloned() {
                Some(revision) => self.store(cx, &revision),
                None => self.forget_unstored(id),
            }
        }
        if self.storing.unstored.is_empty() {
            (self.storing.error, self.storing.probe_at, self.storing.wait) =
                (None, None, PROBE_MIN);
            self.replica.set_spills(true);
            cx.say(Level::Info, "disk", "the disk takes writes again");
            cx.own_record_changed();
        } else {
            // Whether all of them fit shows at the next probe.
            self.storing
                .probe_at
                .get_or_insert(cx.now.elapsed + PROBE_MIN);
        }
    }

    /// A revision could not be written. Those that have become history since are let go: only what
    /// is in memory whole can be written later.
    fn keep_in_memory(&mut self, id: RecordId) {
        self.storing.unstored.insert(id);
        let gone = self
            .storing
            .unstored
            .iter()
            .filter(|id| self.replica.find(id).is_none());
        gone.copied()
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|id| self.forget_unstored(id));
    }

    /// A revision has become history, and its body is not in memory: it is held no more.
    fn forget_unstored(&mut self, id: RecordId) {
        self.storing.unstored.remove(&id);
        self.replica.written(&id);
        let Some(record) = self.replica.kept(&id).cloned() else {
            return;
        };
        if let Some(group) = self.replica.group_mut(&record.header.key) {
            group.forget(&record.rank());
        }
    }
}

/// What is said of a disk that hangs.
pub(in crate::node) fn hanging() -> String {
    format!(
        "the disk has not answered for {} s",
        DISK_PATIENCE.as_secs()
    )
}
