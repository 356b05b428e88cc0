//! What must hold of everything that goes over a link.

use starlingd::model::record::{Kind, Record, RecordId};
use starlingd::node::input::LinkId;
use starlingd::wire::frame::{Frame, Payload};

use crate::watch::{Seen, World};

impl Seen {
    /// What goes over a link is rightly signed, and no body goes more than twice.
    pub fn check_frame(&mut self, world: &World, host: usize, link: LinkId, bytes: &[u8]) {
        // Records, pieces and news only.
        if !matches!(bytes.first(), Some(4 | 6 | 24)) {
            return;
        }
        match Frame::decode(bytes) {
            Ok(Some(Frame::Record(record, _, payload))) => {
                self.check_known(world, host, &record);
                if self.came.contains(&(link, record.id)) {
                    self.broken(
                        world.now,
                        format!(
                            "host {host} sends {:?} back to whom it came from",
                            record.id
                        ),
                    );
                }
                if let Payload::Whole(body) = &payload
                    && !record.matches(body)
                {
                    self.broken(
                        world.now,
                        format!("host {host} sends {:?} with another body", record.id),
                    );
                }
                if matches!(payload, Payload::Whole(_)) {
                    self.count_crossing(world, host, link, record.id);
                }
            }
            Ok(Some(Frame::News(news))) => self.check_news(world, host, &news),
            Ok(Some(Frame::Piece { id, offset: 0, .. })) => {
                self.count_crossing(world, host, link, id)
            }
            Ok(_) => {}
            Err(error) => self.broken(
                world.now,
                format!("host {host} sends what nobody can read: {error}"),
            ),
        }
    }

    /// A record that is held or sent: a document that its author has written down, or a node's that
    /// is signed.
    pub fn check_known(&mut self, world: &World, host: usize, record: &Record) {
        let sound = match record.header.kind {
            Kind::Document => match self.revisions.get(&record.id) {
                Some(known) => {
                    known.record.bytes == record.bytes && known.record.signature == record.signature
                }
                None => self.said.contains(&record.id) && record.is_signed(),
            },
            _ if self.signed.contains(&record.id) => true,
            _ => record.is_signed() && self.signed.insert(record.id),
        };
        if !sound {
            self.broken(
                world.now,
                format!(
                    "host {host} holds or sends {:?}, which its author never signed",
                    record.id
                ),
            );
        }
    }

    /// A body has crossed a link when it went whole or with its first piece; a delta is no body,
    /// and is of no use where its base is not held. In each direction once by a flood, once more by
    /// a flood when another branch has won and it was read back, for it is to be made again, and
    /// once by each exchange that was under way at that moment: either side may have begun one.
    /// Whoever seems to lack it must then be sent it whatever was sent before, or exchanges would
    /// not be enough to converge.
    fn count_crossing(&mut self, world: &World, host: usize, link: LinkId, id: RecordId) {
        let count = self.crossed.entry((link, id)).or_default();
        *count += 1;
        if *count > CROSSINGS_MAX {
            let count = *count;
            self.broken(
                world.now,
                format!(
                    "host {host} sends the body of {id:?} over link {link} for the {count}. time"
                ),
            );
        }
    }
}

/// Two floods, and an exchange begun by either side.
const CROSSINGS_MAX: u32 = 4;
