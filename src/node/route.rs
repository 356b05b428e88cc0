//! What goes where: inputs to the part that they concern, and what one part has to say to others.
//!
//! A part is handed what it needs of those below it, in the order `context`, `peers`, `store`,
//! `exchange`, `local`, `changes`, and calls them itself. To those above it says its word by an
//! [`Event`]; each is passed on before the next thing begins. Here, and nowhere else, several parts
//! are dealt with in a row, and each such row says why it is in that order.

mod commands;
mod frames;

use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::answer::{Answer, Older};
use super::ask::{Ask, PastQuery, Query};
use super::changes::{Below, Changes};
use super::effect::Effect;
use super::event::Event;
use super::input::{ClientId, LinkId, Outcome, ServerReport, Ticket};
use super::local::kept::Found;
use super::peers::link::Link;
use super::turn;
use super::views::View;
use super::waiting::{Reading, ServerPurpose, Waiting};
use crate::model::revision::Revision;
use crate::node::changes::settle::needed_is_not_to_be_had;
use crate::node::route::commands::of_no_group;
use crate::wire::frame::{Frame, Scope, carried};

impl Node {
    /// All parts, to be looked at.
    pub(super) fn view(&self) -> View<'_> {
        View {
            cx: &self.cx,
            peers: &self.peers,
            store: &self.store,
            exchange: &self.exchange,
            local: &self.local,
        }
    }

    /// Passes on what was told, and what is told meanwhile.
    pub(super) fn route(&mut self) {
        while let Some(event) = self.cx.events.pop_front() {
            self.pass_on(event);
        }
    }

    /// Gives all that recurs its turn, and passes on what each means before the next.
    pub(super) fn take_turns(&mut self) {
        for recurring in &turn::ALL {
            (recurring.act)(self);
            self.route();
        }
    }

    /// When the next of what recurs is due.
    pub(super) fn next_turn(&self) -> Option<Duration> {
        turn::ALL
            .iter()
            .filter_map(|recurring| (recurring.due)(self))
            .min()
    }

    fn pass_on(&mut self, event: Event) {
        let (mut below, changes) = self.below();
        match event {
            Event::Linked(link, has_dialled) => {
                below.exchange.trees_with(below.peers, link);
                below.exchange.want_from(below.cx, below.peers, link);
                if has_dialled {
                    self.compare(link, &[Scope::Documents, Scope::Nodes]);
                }
            }
            Event::Unlinked(link) => {
                below.peers.tell_degree_of_the_other(below.cx, link);
                below
                    .exchange
                    .pulls_without(below.cx, below.peers, below.store, link);
                below.exchange.trees_without(below.cx, below.peers, link);
                changes.forwarding_without(below.cx, link);
            }
            Event::TurnedAway(link) => changes.ask_others(&mut below, link),
            Event::Unheard(link) => self.compare(link, &[Scope::Documents, Scope::Nodes]),
            Event::PassedOver(link) => self.compare(link, &[Scope::Documents]),
            Event::Degree(link) => {
                let seeks = |link: &Link| changes.forwarding.seek(&link.hello.peer);
                below.peers.tell_degree(below.cx, link, seeks);
            }
            Event::Revision(from, revision) => below.take_revision(from, revision),
            Event::Heads => self.judge_heads(),
            Event::Whole(link) => {
                below
                    .exchange
                    .join_if_done(below.cx, below.peers, below.store, link);
            }
            Event::Adopt => changes.adopt_now(below.cx),
            Event::AdoptionEnded(adoption) => below.local.adoption_ended(below.cx, adoption),
            Event::LookedInVain => changes.looked_in_vain(&mut below),
            Event::LookAgain => changes.look_again(),
            Event::Deny(denial) => changes.deny_next(below.cx, denial),
            Event::NotTried(denial) => changes.drop_transaction(&mut below, denial),
            Event::NotInStep(denial) => changes.not_in_step(below.cx, denial),
        }
    }

    /// Begins to compare what is held with the peer of a link.
    fn compare(&mut self, link: LinkId, scopes: &[Scope]) {
        for scope in scopes {
            self.exchange
                .begin_exchange(&mut self.cx, &mut self.peers, &self.store, link, *scope);
        }
    }

    /// A frame came over a link. What comes after a body that is being decoded waits for that.
    pub(super) fn frame(&mut self, id: LinkId, bytes: &[u8]) {
        if self.peers.hears(&mut self.cx, id, bytes) {
            self.take_bytes(id, bytes);
        }
    }

    /// Takes in a frame that its link may say now.
    fn take_bytes(&mut self, id: LinkId, bytes: &[u8]) {
        let Some(link) = self.peers.link_mut(id) else {
            return;
        };
        // The next copies of a record that is held need not even be decoded.
        if let Some(came) = carried(bytes).filter(|came| self.store.lately_held.contains(&came.id))
        {
            link.learn(came.id);
            let Self {
                cx,
                peers,
                exchange,
                ..
            } = self;
            return exchange.comes_again(cx, peers, id, &came.id, came.aside);
        }
        match Frame::decode(bytes) {
            Ok(Some(frame)) => frames::take_frame(self, id, frame),
            Ok(None) => {}
            Err(error) => self.peers.fault(&mut self.cx, id, &error.to_string()),
        }
        self.route();
    }

    /// A body was decoded beside the loop. What its link has brought since is looked at now, after
    /// the revision was taken in: it may rest on that.
    pub(super) fn decoded(&mut self, ticket: Ticket, decoded: Result<Arc<Revision>, String>) {
        let Some(Waiting::Decoded(link, id)) = self.cx.tickets.remove(&ticket) else {
            return;
        };
        self.exchange
            .decoded(&mut self.cx, &mut self.peers, link, &id, decoded);
        self.route();
        self.peers.link_mut(link).into_iter().for_each(Link::go_on);
        while let Some(frame) = self.peers.link_mut(link).and_then(Link::next_held) {
            self.take_bytes(link, &frame);
        }
        if self.peers.link(link).is_some_and(|link| !link.is_held()) {
            self.cx.effects.push(Effect::GoOn(link));
        }
        self.cx.tell(Event::Whole(link));
    }

    /// Takes up what has waited for bodies that are here now, one after the other: the next may
    /// rest on the last.
    pub(super) fn follow_pulls(&mut self) {
        while self
            .exchange
            .follow_pull(&mut self.cx, &mut self.peers, &mut self.store)
        {
            self.route();
        }
    }

    /// Looks whether heads are dated far ahead by what is known of the time now. One that is gives
    /// way to a revision that is not, if one is held; the own group's is else dated anew:
    /// others with a right clock would not take it.
    pub(super) fn judge_heads(&mut self) {
        let rightful = self.store.rightful_heads(&mut self.cx, &self.peers);
        for revision in rightful {
            self.changes(|_, below| below.take_revision(None, revision));
        }
        self.changes(|changes, below| changes.date_anew(below));
        self.peers.name_clocks(&mut self.cx);
    }

    /// Lets the changes in the making do something with all parts below them.
    pub(super) fn changes<T>(&mut self, act: impl FnOnce(&mut Changes, &mut Below<'_>) -> T) -> T {
        let (mut below, changes) = self.below();
        act(changes, &mut below)
    }

    /// The parts below the changes, and these.
    fn below(&mut self) -> (Below<'_>, &mut Changes) {
        let below = Below {
            cx: &mut self.cx,
            peers: &mut self.peers,
            store: &mut self.store,
            exchange: &mut self.exchange,
            local: &mut self.local,
        };
        (below, &mut self.changes)
    }

    /// A write is durable, or has failed.
    pub(super) fn stored(&mut self, ticket: Ticket, result: Result<(), String>) {
        let Some(waiting) = self.store.answered(&mut self.cx, ticket, &result) else {
            return;
        };
        match waiting {
            Waiting::Note(note) => {
                self.changes(|_, below| below.note_stored(note, result.is_ok()));
            }
            Waiting::Transaction => {
                self.changes(|changes, below| changes.transaction_stored(below, result));
            }
            Waiting::Removal(removal) => {
                self.changes(|_, below| below.removal_stored(*removal, result));
            }
            Waiting::Stored(id) => {
                let is_durable = result.is_ok();
                self.store
                    .written(&mut self.cx, &self.peers, ticket, id, is_durable);
                self.changes
                    .unacknowledged
                    .stored(&mut self.cx, &id, &result);
            }
            Waiting::Probe if result.is_ok() => self.store.store_again(&mut self.cx),
            Waiting::Before => self.local.before_stored(&mut self.cx, result),
            Waiting::Kept => self.local.drift_kept(&mut self.cx, &self.store, result),
            Waiting::Struck(record, goes) => {
                self.store
                    .is_struck(&mut self.cx, &record, &goes, result.is_ok());
            }
            Waiting::Acknowledged(client, name) => {
                self.local
                    .is_acknowledged(&mut self.cx, client, &name, result);
            }
            Waiting::Probe
            | Waiting::Server(_)
            | Waiting::Read(..)
            | Waiting::Adopting(_)
            | Waiting::Decoded(..) => {}
        }
    }

    /// A revision was read from disk, or could not be.
    pub(super) fn loaded(&mut self, ticket: Ticket, read: Result<Option<Vec<u8>>, String>) {
        if self.changes.drift_loaded(&mut self.cx, ticket, &read) {
            return;
        }
        let Some(Waiting::Read(record, reading)) = self.cx.tickets.remove(&ticket) else {
            return;
        };
        let Self {
            cx,
            peers,
            store,
            exchange,
            ..
        } = self;
        // What bundles were struck out of is only good for what people want of it.
        let filed = exchange.sound(cx, peers, store, &record, read);
        match (
            reading,
            filed.map(|filed| (filed.is_struck, Arc::new(filed.revision))),
        ) {
            (Reading::Uncontained, Ok((false, revision))) => {
                exchange.hold_again(cx, peers, store, revision);
            }
            (Reading::Former, Ok((false, revision))) => {
                self.changes(|_, below| below.keep_group_as(&revision));
            }
            (Reading::Uncontained | Reading::Former, _) => {}
            (Reading::Wanted(link), Ok((false, revision))) => {
                exchange.offer_revision(cx, peers, store, link, &revision);
            }
            (Reading::Pulled(link, offset), Ok((false, revision))) => {
                peers.serve_body(cx, link, &revision, offset);
            }
            (Reading::Wanted(link) | Reading::Pulled(link, _), _) => {
                peers.answer(cx, link, &Frame::Missing(record.id));
            }
            (Reading::Needed(needing), Ok((_, revision))) => {
                self.changes(|changes, below| changes.needed_is_here(below, needing, &revision));
            }
            (Reading::Needed(needing), Err(reason)) => needed_is_not_to_be_had(cx, needing, reason),
        }
    }

    /// The server has accepted what it was asked to try.
    pub(super) fn server_accepts(&mut self, ticket: Ticket) {
        let is_tried = matches!(
            self.cx.tickets.get(&ticket),
            Some(Waiting::Server(ServerPurpose::Try))
        );
        if is_tried {
            self.changes(|changes, below| changes.is_accepted(below));
        }
    }

    /// The server has done, or not done, what it was asked.
    pub(super) fn server_reports(&mut self, report: ServerReport) {
        let Some(Waiting::Server(purpose)) = self.cx.tickets.remove(&report.ticket) else {
            return;
        };
        self.local.hears_of_server(&mut self.cx, &report);
        if let Outcome::Found {
            config,
            fingerprint,
        } = report.outcome
        {
            // What it was asked for is still to be done.
            let (found, is_tried_only) = (
                Found {
                    config,
                    fingerprint,
                },
                self.changes.is_tried_only(),
            );
            return self.local.found_changed(
                &mut self.cx,
                &self.store,
                purpose,
                found,
                is_tried_only,
            );
        }
        let Self {
            cx,
            peers,
            store,
            local,
            changes,
            ..
        } = self;
        local.server.end(cx, &purpose);
        match purpose {
            ServerPurpose::Apply(applied) => local.applied(cx, peers, store, applied, report),
            ServerPurpose::InStep(applied) => {
                self.changes(|changes, below| changes.is_put_in_step(below, applied, report));
            }
            ServerPurpose::Observe => {
                local.observed(cx, store, report.outcome, changes.is_default_meant());
            }
            ServerPurpose::Try => {
                self.changes(|changes, below| changes.tried(below, report.outcome))
            }
            ServerPurpose::RollBack => local.rolled_back(cx, report.outcome),
            ServerPurpose::RollBackToApplied(applied) => {
                local.rolled_back_to_applied(cx, applied, report.outcome);
            }
        }
    }

    /// A client asks something of the document of the own group, or of another. Whoever names the
    /// own group says nothing new.
    pub(super) fn asked(&mut self, client: ClientId, ask: Ask) {
        let own = &self.cx.setup.group;
        match ask {
            Ask::Query { group, query } => match group.filter(|group| group != own) {
                Some(group) => self.query_group(client, &group, query),
                None => self.query(client, query),
            },
            Ask::Command {
                group,
                command,
                forwarded,
            } => match group.filter(|group| group != own) {
                Some(group) => commands::command_group(self, client, &group, &command, forwarded),
                None => commands::command(self, client, command),
            },
        }
    }

    /// Reads something for a client.
    fn query(&mut self, client: ClientId, query: Query) {
        let answer = match query {
            // At most one from each of the gate's connections.
            Query::Document(path) if self.view().is_blind() => {
                return self.local.early.push((client, path));
            }
            Query::Document(path) => self.view().value(path),
            Query::Past(query) => self.past(&self.cx.setup.group.clone(), query),
            Query::Host(query) => self.view().read(query),
        };
        self.cx.effects.push(Effect::Answer(client, answer));
    }

    /// Reads something of another group than the own.
    fn query_group(&mut self, client: ClientId, group: &str, query: Query) {
        let answer = match query {
            _ if !self.view().is_known_group(group) => self.view().unknown_group(group).into(),
            Query::Document(path) => match self.store.light_head(group) {
                Some(head) => return self.changes.show(&mut self.cx, client, head, path),
                None => self.view().value_of_group(group, path),
            },
            Query::Past(query) => self.past(group, query),
            Query::Host(_) => of_no_group().into(),
        };
        self.cx.effects.push(Effect::Answer(client, answer));
    }

    /// What is asked of the history and the conflicts of a group: whoever looks at the history
    /// sets off that more of it is fetched.
    fn past(&mut self, group: &str, query: PastQuery) -> Answer {
        let looks_back = match query {
            PastQuery::Revisions | PastQuery::Difference { .. } | PastQuery::Blame(_) => true,
            PastQuery::Revision(_) | PastQuery::Conflicts | PastQuery::Conflict(_) => false,
        };
        let older = looks_back.then(|| {
            self.exchange
                .fetch_older(&mut self.cx, &mut self.peers, &self.store, group)
        });
        self.view()
            .past(group, query, older.unwrap_or(Older::Nothing))
    }

    /// Answers those who asked for the document before there was one to show.
    pub(super) fn serve_early_reads(&mut self) {
        if self.view().is_blind() {
            return;
        }
        for (client, path) in std::mem::take(&mut self.local.early) {
            let answer = self.view().value(path);
            self.cx.effects.push(Effect::Answer(client, answer));
        }
    }

    /// A change that waits for a disk which hangs is given up: heads may have come meanwhile, and
    /// it keeps them from the server.
    pub(super) fn judge_disk(&mut self) {
        if !self.store.judge_disk(&mut self.cx) {
            self.changes(|changes, below| changes.give_up_what_hangs(below));
        }
    }

    /// Compares with peers. Heads are judged first: what is dated too far ahead is not offered.
    pub(super) fn compare_if_due(&mut self) {
        if self.cx.timers.sync <= self.cx.now.elapsed {
            self.judge_heads();
            self.route();
        }
        self.exchange
            .compare_if_due(&mut self.cx, &mut self.peers, &self.store);
    }

    /// Says of this host what there is to say.
    pub(super) fn refresh_own_record(&mut self) {
        if self.peers.own_record.due() <= self.cx.now.elapsed {
            let said = self.view().said_of_self();
            let head = self.store.head(&self.cx);
            let head = head.map(|head| (head.rank().height, head.id()));
            self.peers.refresh_own_record(&mut self.cx, said, head);
        }
    }
}
