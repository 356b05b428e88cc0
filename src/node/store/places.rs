//! Places for groups: the revisions of so many groups are kept, and a group that comes after them
//! is refused and named to people.

use std::sync::Arc;

use super::Store;
use crate::limits::GROUPS_MAX;
use crate::model::record::Record;
use crate::model::revision::Revision;
use crate::node::context::Context;
use crate::node::effect::Level;

impl Store {
    /// What the next revision of the own group is made on: its head, also one that removes it.
    pub(in crate::node) fn tip(&self, cx: &Context) -> Option<&Arc<Revision>> {
        self.replica.tip(&cx.setup.group)
    }

    /// Whether there is a place for the group of a record that is offered.
    pub(in crate::node) fn has_place_for(&mut self, cx: &mut Context, record: &Record) -> bool {
        let known = self.replica.refused().count();
        let admits = self.replica.admits(record);
        if !admits && self.replica.refused().count() > known {
            let text = format!(
                "group {} is not kept here: {}",
                record.header.key,
                all_places_taken()
            );
            cx.say(Level::Warn, "groups", text);
            cx.own_record_changed();
        }
        admits
    }
}

/// Why a group has no place, and what to do about that.
pub(in crate::node) fn all_places_taken() -> String {
    format!(
        "{GROUPS_MAX} are kept already; remove one that nobody follows by starling groups remove \
         NAME"
    )
}
