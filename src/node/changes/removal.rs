//! Removing a group that nobody follows, and what becomes of it where somebody does.
//!
//! ```text
//!  asked for ──▶ somebody follows it, or may, or conflicts are open ──▶ refused, with names
//!      │
//!      ▼
//!  made on the head, durable ──▶ the head has moved ──▶ looked at once more
//!      │
//!      ▼
//!  published: all hosts forget the rest
//!      │
//!      ▼
//!  a host that follows it and was away ──▶ it goes on with what it had
//! ```
//!
//! A removal is a revision like any other, on the head, with an empty document that no server is
//! ever given. So it wins over what it was made on, loses against a longer branch, and is then
//! listed as a conflict. A host whose own group it is has not been asked: its server stays as it
//! is, and it makes the group anew with the document that it had, and with what the removal has
//! settled as open conflicts. A host without such a document is where one is without a head: the
//! first change makes the group anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Below;
use super::notes::store_note;
use super::uncontained::held;
use crate::limits::{OPEN_LISTED_MAX, REAPPLY_MIN, STAND_IN_AFTER};
use crate::model::conflict::OpenConflict;
use crate::model::document::Document;
use crate::model::ledger::EditRef;
use crate::model::record::Header;
use crate::model::revision::{Draft, Edit, Origin, Revision};
use crate::node::answer::{Answer, Success};
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Effect, revision_name};
use crate::node::input::ClientId;
use crate::node::local::Local;
use crate::node::peers::Peers;
use crate::node::peers::node_record::text;
use crate::node::refusal::{Denial, DiskFault, FleetState, LimitReached};
use crate::node::store::replica::Group;
use crate::node::store::revision_file::file_text;
use crate::node::store::storing::hanging;
use crate::node::waiting::{Reading, Removal, Waiting};

impl Below<'_> {
    /// Removes a group, unless somebody would miss it.
    pub(in crate::node) fn remove_group(
        &mut self,
        client: ClientId,
        name: &str,
        force: bool,
        note: String,
    ) {
        if let Err(answer) = self.may_remove(name, force) {
            return self.cx.effects.push(Effect::Answer(client, answer));
        }
        let Some(base) = self.store.replica.tip(name).cloned() else {
            return self.cx.reply(client, self.view().unknown_group(name));
        };
        let uncontained = self
            .store
            .replica
            .group(name)
            .into_iter()
            .flat_map(Group::uncontained)
            .map(|uncontained| uncontained.revision.edit_ref());
        let settles: Vec<EditRef> = base
            .open
            .keys()
            .copied()
            .chain(uncontained)
            .take(OPEN_LISTED_MAX)
            .collect();
        // Guarded: where it has lost, nobody makes it again but a person.
        let flags = Header::REMOVED | Header::UNTRIED | Header::GUARDED;
        let edit = Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        };
        let words = if note.is_empty() {
            "the group is removed".to_owned()
        } else {
            note.clone()
        };
        let draft = Draft {
            edit,
            document: Document::factory(),
            opens: BTreeMap::new(),
            settles,
            flags,
            note: words,
        };
        let Some(revision) = self.author_of(name, Some(&base), draft).map(Arc::new) else {
            return self.cx.reply(client, LimitReached::RemovalTooLarge);
        };
        self.store.numbers.use_up(self.cx, &revision.record);
        let removal = Removal {
            client,
            force,
            note,
            revision: Arc::clone(&revision),
        };
        let ticket = self.cx.ticket(Waiting::Removal(Box::new(removal)));
        let file = revision_name(revision.record.header.height, &revision.id());
        self.cx.disk(DiskJob::Store(
            ticket,
            name.to_owned(),
            file,
            file_text(&revision),
        ));
    }

    /// Why a group is not removed, if it is not.
    fn may_remove(&self, name: &str, force: bool) -> Result<(), Answer> {
        let refused = |state: FleetState| Err(Denial::from(state).into());
        let group = self
            .store
            .replica
            .group(name)
            .filter(|group| group.head().is_some());
        let unsettled = group.map_or(0, Group::unsettled);
        let (live, away) = followers(self.peers, self.cx, name);
        let unheard = unheard(self.peers);
        match () {
            () if !self.exchange.joined => Err(Denial::from(FleetState::NotInStep).into()),
            () if name == self.cx.setup.group => refused(FleetState::FollowedHere),
            () if !live.is_empty() => refused(FleetState::Followed {
                by: live,
                are_away: false,
            }),
            () if unsettled == 0 && group.is_some_and(Group::is_removed) => {
                Err(self.nothing_to_remove(name))
            }
            () if !away.is_empty() && !force => refused(FleetState::Followed {
                by: away,
                are_away: true,
            }),
            () if group.is_none() => Err(self.view().unknown_group(name).into()),
            () if !unheard.is_empty() && !force => refused(FleetState::Unheard { hosts: unheard }),
            () if unsettled > 0 && !force => refused(FleetState::Unsettled {
                group: name.to_owned(),
                count: unsettled,
            }),
            () if self.store.storing.hangs() => {
                Err(Denial::from(DiskFault::NotStored { reason: hanging() }).into())
            }
            () if is_being_removed(self.cx, name) => {
                Err(Denial::from(FleetState::OthersAreChanging).into())
            }
            () => Ok(()),
        }
    }

    fn nothing_to_remove(&self, name: &str) -> Answer {
        match self.store.replica.tip(name) {
            Some(tip) => removed(self.local, tip, Success::NothingToRemove, false),
            None => self.view().unknown_group(name).into(),
        }
    }

    /// A removal is durable, or could not be written.
    pub(in crate::node) fn removal_stored(&mut self, removal: Removal, result: Result<(), String>) {
        let Removal {
            client,
            force,
            note,
            revision,
        } = removal;
        let name = revision.record.header.key.clone();
        if let Err(error) = result {
            self.cx.remove_file(&revision.record);
            return self
                .cx
                .reply(client, DiskFault::NotStored { reason: error });
        }
        let is_on_head = self
            .store
            .replica
            .tip(&name)
            .is_some_and(|tip| tip.id() == revision.record.header.base);
        if !is_on_head || self.may_remove(&name, force).is_err() {
            self.cx.remove_file(&revision.record);
            return self.remove_group(client, &name, force, note);
        }
        self.take_revision(None, Arc::clone(&revision));
        let done = removed(self.local, &revision, Success::GroupRemoved, true);
        self.cx.effects.push(Effect::Answer(client, done));
    }

    /// The own group was removed, and this host follows it: what it was before is read, if it is
    /// held.
    pub(in crate::node) fn keep_group(&mut self) {
        let former = self
            .store
            .replica
            .group(&self.cx.setup.group)
            .and_then(Group::former)
            .map(|summary| summary.record.clone());
        let Some(former) = former else { return };
        if self.awaits_base_of_removal() {
            return;
        }
        match self.store.replica.find(&former.id).cloned() {
            Some(revision) => self.keep_group_as(&revision),
            None => {
                self.cx.read_kept(former, Reading::Former);
                self.cx.timers.rebase = Some(self.cx.now.elapsed + STAND_IN_AFTER);
            }
        }
    }

    /// What the removal was made on may be newer than all that is held here: then it is asked for,
    /// and waited for a while.
    fn awaits_base_of_removal(&mut self) -> bool {
        let Some(group) = self.store.replica.group(&self.cx.setup.group) else {
            return false;
        };
        let Some(base) = group.head().map(|removal| removal.record.header.base) else {
            return false;
        };
        let until = group.head_since() + STAND_IN_AFTER;
        if self.store.replica.kept(&base).is_some() || until <= self.cx.now.elapsed {
            self.exchange.missing.remove(&base);
            return false;
        }
        self.exchange.want(self.cx, self.peers, base);
        self.cx.timers.rebase = Some(until.min(self.cx.now.elapsed + REAPPLY_MIN));
        true
    }

    /// Makes the own group anew as it was in this revision. What lost there, what the removal has
    /// settled, and what it contains and the revision does not, is listed: by name, where
    /// nobody here knows more of it.
    pub(in crate::node) fn keep_group_as(&mut self, former: &Revision) {
        let Some(tip) = self
            .store
            .tip(self.cx)
            .filter(|tip| tip.is_removal())
            .cloned()
        else {
            return;
        };
        let Some(group) = self.store.replica.group(&self.cx.setup.group) else {
            return;
        };
        let conflict = |edit: &EditRef| {
            former
                .open
                .get(edit)
                .or_else(|| group.remembered(edit))
                .cloned()
                .unwrap_or_default()
        };
        let (own, held) = (tip.edit_ref(), held(group));
        let unknown = tip
            .ledger
            .beyond(&former.ledger)
            .filter(|(place, _)| *place != own.place && !former.lists(place))
            .map(|(place, height)| held.name(place, height))
            .take(2 * OPEN_LISTED_MAX);
        let listed = former.open.keys().chain(&tip.settled).copied();
        let listed = listed.chain(unknown).filter(|edit| !tip.lists(&edit.place));
        let listed: BTreeMap<EditRef, OpenConflict> =
            listed.map(|edit| (edit, conflict(&edit))).collect();
        let surplus = listed.len().saturating_sub(OPEN_LISTED_MAX);
        let opens: BTreeMap<EditRef, OpenConflict> = listed.into_iter().skip(surplus).collect();
        let names: BTreeMap<EditRef, OpenConflict> = opens
            .keys()
            .map(|edit| (*edit, OpenConflict::default()))
            .collect();
        let flags = former.record.header.flags & Header::UNTRIED;
        let draft = |opens| Draft {
            edit: Edit {
                origin: Origin::Original,
                operations: Vec::new(),
            },
            document: former.document.clone(),
            opens,
            settles: Vec::new(),
            flags,
            note: "the group is followed, and kept".to_owned(),
        };
        // With all their words they may be too long for a revision.
        let kept = self
            .author(Some(&tip), draft(opens))
            .or_else(|| self.author(Some(&tip), draft(names)));
        let group = &self.cx.setup.group;
        if surplus > 0 {
            let text = format!(
                "group {group} was removed and is kept: {surplus} older changes that lost with it \
                 are not listed"
            );
            self.cx.report_problem(text);
        }
        match kept {
            Some(kept) => {
                self.store.numbers.use_up(self.cx, &kept.record);
                store_note(self.cx, kept);
            }
            None => self.cx.report_problem(format!(
                "group {} was removed, and is too large to be kept",
                self.cx.setup.group
            )),
        }
    }
}

/// The hosts that say that they follow a group: those that are there, and those that are not.
fn followers(peers: &Peers, cx: &Context, name: &str) -> (Vec<String>, Vec<String>) {
    let others = peers
        .roster
        .iter()
        .filter(|(peer, node)| **peer != cx.me && text(&node.said(), "group") == Some(name));
    let (live, away): (Vec<_>, Vec<_>) =
        others.partition(|(peer, node)| peers.is_there(cx, peer, node));
    let names = |hosts: Vec<(_, _)>| {
        hosts
            .into_iter()
            .map(|(peer, _)| peers.roster.name(peer))
            .collect()
    };
    (names(live), names(away))
}

/// The hosts of which nobody knows which group they follow: they were linked once, and have
/// said nothing to anybody since.
fn unheard(peers: &Peers) -> Vec<String> {
    let unheard = peers
        .book
        .acquaintances()
        .filter(|peer| peers.roster.get(peer).is_none());
    unheard.map(|peer| format!("…{}", peer.short())).collect()
}

fn is_being_removed(cx: &Context, name: &str) -> bool {
    let mut waiting = cx.tickets.values();
    waiting.any(|waiting| matches!(waiting, Waiting::Removal(removal) if removal.revision.record.header.key == name))
}

fn removed(local: &Local, removal: &Revision, success: Success, changed: bool) -> Answer {
    Answer::Done {
        success,
        revision: removal.id(),
        applied: local.applied_id(),
        changed,
        kept: None,
    }
}
