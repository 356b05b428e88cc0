//! Revisions of the history, whose bodies are on disk only: read back when somebody wants them.
//!
//! What was read is checked like anything from elsewhere. A file that is damaged, or gone, is set
//! aside and reported, and the revision is asked of the peers again; whoever waited for it is told,
//! and nothing is guessed.

use std::sync::Arc;

use crate::limits::{INLINE_MAX, REBASE_JITTER, WANTED_MAX};
use crate::model::record::{Record, RecordId};
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Level, revision_name};
use crate::node::event::Event;
use crate::node::exchange::Exchange;
use crate::node::input::LinkId;
use crate::node::peers::Peers;
use crate::node::store::Store;
use crate::node::store::revision_file::{Filed, judge_file};
use crate::node::waiting::Reading;
use crate::wire::frame::{Frame, Payload};

impl Exchange {
    /// Peers are asked for a revision by its ID: its file was damaged, or is not kept here.
    /// `false` if too many are asked for already.
    pub(in crate::node) fn want(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        id: RecordId,
    ) -> bool {
        if self.missing.len() >= WANTED_MAX {
            return false;
        }
        self.missing.insert(id);
        let links = peers.link_ids();
        links
            .into_iter()
            .for_each(|link| peers.answer(cx, link, &Frame::Want(id)));
        true
    }

    /// The revision in a file that was read, if it is the one that was to be there; else why it is
    /// not to be had.
    pub(in crate::node) fn sound(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        record: &Record,
        read: Result<Option<Vec<u8>>, String>,
    ) -> Result<Filed, String> {
        let is_kept = store.replica.kept(&record.id).is_some();
        match read {
            Ok(Some(bytes)) => {
                let filed = judge_file(&bytes, cx.setup.fleet.id().as_bytes()).ok();
                let filed = filed.filter(|filed| filed.revision.id() == record.id);
                filed.ok_or_else(|| self.lose_file(cx, peers, store, record, "is damaged"))
            }
            // Not written yet, or not at all because the disk takes no writes: it will be, or is in
            // memory while it is needed.
            Ok(None) if store.is_being_stored(cx, &record.id) || !store.storing.has(&record.id) => {
                Err(format!("revision {} is not on disk yet", record.id.short()))
            }
            // Pruned in the meantime: nothing is wrong with that.
            Ok(None) if !is_kept => Err(format!(
                "revision {} is not kept any more",
                record.id.short()
            )),
            Ok(None) => Err(self.lose_file(cx, peers, store, record, "is gone")),
            // The file may be sound: it stays where it is.
            Err(reason) => {
                let text = format!("revision {} cannot be read: {reason}", record.id.short());
                cx.say(Level::Error, "disk", text.clone());
                Err(text)
            }
        }
    }

    /// A new link is asked for what is still wanted.
    pub(in crate::node) fn want_from(&mut self, cx: &mut Context, peers: &mut Peers, link: LinkId) {
        let wanted: Vec<RecordId> = self.missing.iter().copied().collect();
        wanted
            .into_iter()
            .for_each(|id| peers.answer(cx, link, &Frame::Want(id)));
    }

    /// A peer asks for a revision by its ID: whatever is kept here is given.
    pub(in crate::node) fn wanted_by(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &Store,
        link: LinkId,
        id: RecordId,
    ) {
        if let Some(revision) = store.replica.find(&id).cloned() {
            return self.offer_revision(cx, peers, store, link, &revision);
        }
        match store.replica.whole(&id).cloned() {
            // A long body is announced, which takes no reading.
            Some(record) if record.header.body_len as usize > INLINE_MAX => {
                peers.answer(cx, link, &Frame::Record(record, 0, Payload::Announced));
            }
            Some(record) if cx.may_read() => cx.read_kept(record, Reading::Wanted(link)),
            _ => peers.answer(cx, link, &Frame::Missing(id)),
        }
    }

    pub(in crate::node) fn hold_again(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        revision: Arc<Revision>,
    ) {
        let group = revision.record.header.key.clone();
        if store
            .replica
            .hold_again(Arc::clone(&revision), cx.now.elapsed)
        {
            self.flood_revision(cx, peers, store, None, &revision);
        }
        store.remove_dropped(cx, peers);
        // Perhaps it was read because it is to be the head.
        let rightful = store
            .replica
            .group(&group)
            .and_then(crate::node::store::replica::Group::rightful);
        rightful
            .filter(|rightful| !rightful.is_light())
            .into_iter()
            .for_each(|rightful| cx.tell(Event::Revision(None, rightful)));
        if group == cx.setup.group {
            cx.rebase_soon(REBASE_JITTER);
        }
    }

    /// The file of a revision that is kept turns out to be damaged or gone; what was said about it.
    fn lose_file(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        store: &mut Store,
        record: &Record,
        what: &str,
    ) -> String {
        let name = revision_name(record.header.height, &record.id);
        let text = format!(
            "the file of revision {} {what}; peers are asked for it again",
            record.id.short()
        );
        cx.say(Level::Error, "disk", text.clone());
        cx.report_problem(text.clone());
        cx.disk(DiskJob::SetAside(record.header.key.clone(), name));
        if let Some(group) = store.replica.group_mut(&record.header.key) {
            group.forget(&record.rank());
        }
        store.lately_held.retain(|held| *held != record.id);
        self.want(cx, peers, record.id);
        text
    }
}
