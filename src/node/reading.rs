//! Revisions of the history, whose bodies are on disk only: read back when somebody wants them.
//!
//! What was read is checked like anything from elsewhere. A file that is damaged, or gone, is set
//! aside and reported, and the revision is asked of the peers again; whoever waited for it is told,
//! and nothing is guessed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::effect::{DiskJob, Effect, Level};
use super::input::{LinkId, Ticket};
use super::records::{Filed, judge_file};
use super::settle::Needing;
use super::{Context, Peers, Store};
use super::{Node, Waiting, revision_name};
use crate::limits::{INLINE_MAX, REBASE_JITTER, WANTED_MAX};
use crate::model::record::{Record, RecordId};
use crate::model::revision::Revision;
use crate::wire::frame::{Frame, Payload};

/// Who wants a revision of the history, and what for.
pub(super) enum Reading {
    /// The head does not contain it any more: another branch has won.
    Uncontained,
    /// The own group was removed: this is what it was before.
    Former,
    /// A peer has asked for it by its ID alone.
    Wanted(LinkId),
    /// A peer pulls its body from an offset on.
    Pulled(LinkId, usize),
    /// A client's change needs what it says.
    Needed(Needing),
}

impl Node {
    /// A revision was read from disk, or could not be.
    pub(super) fn loaded(&mut self, ticket: Ticket, read: Result<Option<Vec<u8>>, String>) {
        if self.changes.drift_loaded(&mut self.cx, ticket, &read) {
            return;
        }
        let Some(Waiting::Read(record, reading)) = self.cx.tickets.remove(&ticket) else {
            return;
        };
        // What bundles were struck out of is only good for what people want of it.
        let filed = self.sound(&record, read);
        match (
            reading,
            filed.map(|filed| (filed.is_struck, Arc::new(filed.revision))),
        ) {
            (Reading::Uncontained, Ok((false, revision))) => self.hold_again(revision),
            (Reading::Former, Ok((false, revision))) => self.keep_group_as(&revision),
            (Reading::Uncontained | Reading::Former, _) => {}
            (Reading::Wanted(link), Ok((false, revision))) => self.offer_revision(link, &revision),
            (Reading::Pulled(link, offset), Ok((false, revision))) => {
                self.peers.serve_body(&mut self.cx, link, &revision, offset)
            }
            (Reading::Wanted(link) | Reading::Pulled(link, _), _) => {
                self.peers
                    .answer(&mut self.cx, link, &Frame::Missing(record.id))
            }
            (Reading::Needed(needing), Ok((_, revision))) => {
                self.needed_is_here(needing, &revision)
            }
            (Reading::Needed(needing), Err(reason)) => {
                self.cx.needed_is_not_to_be_had(needing, reason)
            }
        }
    }

    /// The revision in a file that was read, if it is the one that was to be there; else why it is
    /// not to be had.
    fn sound(
        &mut self,
        record: &Record,
        read: Result<Option<Vec<u8>>, String>,
    ) -> Result<Filed, String> {
        let is_kept = self.store.replica.kept(&record.id).is_some();
        match read {
            Ok(Some(bytes)) => {
                let filed = judge_file(&bytes, self.cx.setup.fleet.id().as_bytes()).ok();
                let filed = filed.filter(|filed| filed.revision.id() == record.id);
                filed.ok_or_else(|| self.lose_file(record, "is damaged"))
            }
            // Not written yet, or not at all because the disk takes no writes: it will be, or is in
            // memory while it is needed.
            Ok(None)
                if self.store.is_being_stored(&self.cx, &record.id)
                    || !self.store.storing.has(&record.id) =>
            {
                Err(format!("revision {} is not on disk yet", record.id.short()))
            }
            // Pruned in the meantime: nothing is wrong with that.
            Ok(None) if !is_kept => Err(format!(
                "revision {} is not kept any more",
                record.id.short()
            )),
            Ok(None) => Err(self.lose_file(record, "is gone")),
            // The file may be sound: it stays where it is.
            Err(reason) => {
                let text = format!("revision {} cannot be read: {reason}", record.id.short());
                self.cx.say(Level::Error, "disk", text.clone());
                Err(text)
            }
        }
    }

    /// Peers are asked for a revision by its ID: its file was damaged, or is not kept here.
    /// `false` if too many are asked for already.
    pub fn want(&mut self, id: RecordId) -> bool {
        if self.exchange.missing.len() >= WANTED_MAX {
            return false;
        }
        self.exchange.missing.insert(id);
        let links: Vec<LinkId> = self.peers.links.keys().copied().collect();
        links
            .into_iter()
            .for_each(|link| self.peers.answer(&mut self.cx, link, &Frame::Want(id)));
        true
    }

    /// A new link is asked for what is still wanted.
    pub(super) fn want_from(&mut self, link: LinkId) {
        let wanted: Vec<RecordId> = self.exchange.missing.iter().copied().collect();
        wanted
            .into_iter()
            .for_each(|id| self.peers.answer(&mut self.cx, link, &Frame::Want(id)));
    }

    /// A peer asks for a revision by its ID: whatever is kept here is given.
    pub(super) fn wanted_by(&mut self, link: LinkId, id: RecordId) {
        if let Some(revision) = self.store.replica.find(&id).cloned() {
            return self.offer_revision(link, &revision);
        }
        match self.store.replica.whole(&id).cloned() {
            // A long body is announced, which takes no reading.
            Some(record) if record.header.body_len as usize > INLINE_MAX => {
                self.peers.answer(
                    &mut self.cx,
                    link,
                    &Frame::Record(record, 0, Payload::Announced),
                );
            }
            Some(record) if self.cx.may_read() => self.cx.read_kept(record, Reading::Wanted(link)),
            _ => self.peers.answer(&mut self.cx, link, &Frame::Missing(id)),
        }
    }

    fn hold_again(&mut self, revision: Arc<Revision>) {
        let group = revision.record.header.key.clone();
        if self
            .store
            .replica
            .hold_again(Arc::clone(&revision), self.cx.now.elapsed)
        {
            self.flood_revision(None, &revision);
        }
        self.remove_dropped();
        // Perhaps it was read because it is to be the head.
        let rightful = self
            .store
            .replica
            .group(&group)
            .and_then(super::replica::Group::rightful);
        rightful
            .filter(|rightful| !rightful.is_light())
            .into_iter()
            .for_each(|rightful| self.take_revision(None, rightful));
        if group == self.cx.setup.group {
            self.cx.rebase_soon(REBASE_JITTER);
        }
    }

    /// The file of a revision that is kept turns out to be damaged or gone; what was said about it.
    fn lose_file(&mut self, record: &Record, what: &str) -> String {
        let name = revision_name(record.header.height, &record.id);
        let text = format!(
            "the file of revision {} {what}; peers are asked for it again",
            record.id.short()
        );
        self.cx.say(Level::Error, "disk", text.clone());
        self.cx.report_problem(text.clone());
        self.cx
            .disk(DiskJob::SetAside(record.header.key.clone(), name));
        if let Some(group) = self.store.replica.group_mut(&record.header.key) {
            group.forget(&record.rank());
        }
        self.exchange.lately_held.retain(|held| *held != record.id);
        self.want(record.id);
        text
    }
}

impl Store {
    /// Another branch has won: what it does not contain of the old one is read from disk and
    /// becomes uncontained again.
    pub(super) fn read_uncontained(&mut self, cx: &mut Context, group: &str) {
        let uncontained_on_disk = self
            .replica
            .group(group)
            .map(super::replica::Group::uncontained_on_disk)
            .unwrap_or_default();
        let reads = cx.tickets.values().filter_map(|waiting| match waiting {
            Waiting::Read(record, Reading::Uncontained) => Some(record.id),
            _ => None,
        });
        let reads: BTreeSet<RecordId> = reads.collect();
        let uncontained_on_disk = uncontained_on_disk
            .into_iter()
            .filter(|record| !reads.contains(&record.id));
        uncontained_on_disk.for_each(|record| cx.read_kept(record, Reading::Uncontained));
    }

    /// Reads back what is uncontained in whatever group: after the start, and where a read has
    /// failed before.
    pub(super) fn read_all_uncontained(&mut self, cx: &mut Context) {
        let groups: Vec<String> = self
            .replica
            .groups()
            .map(|(name, _)| name.to_owned())
            .collect();
        groups
            .iter()
            .for_each(|group| self.read_uncontained(cx, group));
    }
}

impl Context {
    /// Whether it is being read for this host itself.
    pub(super) fn is_being_read(&self, id: &RecordId) -> bool {
        let mut waiting = self.tickets.values();
        waiting.any(
            |waiting| matches!(waiting, Waiting::Read(record, Reading::Uncontained) if record.id == *id),
        )
    }

    /// Reads a revision that is kept.
    pub(super) fn read_kept(&mut self, record: Record, reading: Reading) {
        let (group, name) = (
            record.header.key.clone(),
            revision_name(record.header.height, &record.id),
        );
        let ticket = self.ticket(Waiting::Read(record, reading));
        self.effects.push(Effect::Load(ticket, group, name));
    }

    /// Whether one more file may be read for a peer: what peers can make this host do at once is
    /// bounded.
    pub(super) fn may_read(&self) -> bool {
        let reads = self
            .tickets
            .values()
            .filter(|waiting| matches!(waiting, Waiting::Read(..)));
        reads.count() < WANTED_MAX
    }
}

impl Peers {
    /// A body from disk goes to a peer that pulls it.
    fn serve_body(&mut self, cx: &mut Context, id: LinkId, revision: &Revision, offset: usize) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let (record, body) = (revision.id(), Arc::clone(&revision.body));
        if offset >= body.len()
            || !link.serve(record, body, offset, cx.now.elapsed, &mut cx.effects)
        {
            self.answer(cx, id, &Frame::Missing(record));
        }
    }
}
