//! A head that is dated too far ahead is published once more with a date that all others take.
//!
//! Its author does so at once, anybody else if that does not happen.

use std::sync::Arc;

use super::{Below, Changes};
use crate::limits::{AHEAD_MAX_MS, AHEAD_SLACK_MS, STAND_IN_AFTER};
use crate::model::record::Header;
use crate::model::revision::{Draft, Edit, Origin};
use crate::node::effect::{DiskJob, revision_name};
use crate::node::store::revision_file::file_text;
use crate::node::waiting::Waiting;

impl Changes {
    /// Publishes the head once more with a date that all others take: its author at once, anybody
    /// else if that does not happen.
    pub(in crate::node) fn date_anew(&mut self, below: &mut Below<'_>) {
        let Some((head, now)) = below
            .store
            .head(below.cx)
            .cloned()
            .zip(below.peers.time(below.cx).dating())
        else {
            return;
        };
        let header = &head.record.header;
        if header.stamp.wall_ms() <= now + AHEAD_MAX_MS + AHEAD_SLACK_MS || header.height >= now {
            below.peers.clocks.ahead = None;
            return;
        }
        let since = below
            .peers
            .clocks
            .ahead
            .filter(|(id, _)| *id == head.id())
            .map_or(below.cx.now.elapsed, |(_, since)| since);
        below.peers.clocks.ahead = Some((head.id(), since));
        let is_due = header.author == below.cx.me || since + STAND_IN_AFTER <= below.cx.now.elapsed;
        let is_busy = self.transaction.is_some()
            || below
                .cx
                .tickets
                .values()
                .any(|waiting| matches!(waiting, Waiting::Note(_)));
        if !is_due
            || is_busy
            || !below.exchange.exchanged
            || !below.exchange.joined
            || !below.local.may_configure(below.cx)
        {
            return;
        }
        let edit = Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        };
        let (document, note) = (head.document.clone(), "dated anew".to_owned());
        let flags = header.flags & Header::UNTRIED;
        let draft = Draft {
            edit,
            document,
            opens: Default::default(),
            settles: Vec::new(),
            flags,
            note,
        };
        let Some(again) = below.author(Some(&head), draft).map(Arc::new) else {
            return;
        };
        below.store.numbers.use_up(below.cx, &again.record);
        let ticket = below.cx.ticket(Waiting::Note(Arc::clone(&again)));
        let name = revision_name(again.record.header.height, &again.id());
        below.cx.disk(DiskJob::Store(
            ticket,
            below.cx.setup.group.clone(),
            name,
            file_text(&again),
        ));
    }
}
