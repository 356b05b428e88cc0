//! What to do: the state machine of a peer.
//!
//! No socket, no thread, no file, no clock, no chance but a seed. [`Node::handle`] takes one thing
//! that happened and says what is to be done; the caller performs all of it, in order, before the
//! next. [`Node::deadline`] says when it wants to be called at the latest. `input` and `effect`
//! list everything that can come in and go out, and `turn` what recurs. What clients want is in
//! `ask`, what they are told in `answer`, and why they are denied something in `refusal`: values,
//! which the daemon alone spells.
//!
//! The state stands in six parts, each a directory: `context` has what all share, `peers` who is
//! known and linked, `store` what is held, `exchange` what is asked of peers, `local` the own
//! server, and `changes` what is in the making. A part is handed the context and the parts before
//! it in this row, calls them itself, and tells those after it by an `event`; `views` looks at all
//! of them. [`Node`] only takes things to where they belong: its doors are here, its ways in
//! `route`.

pub mod answer;
mod applied;
pub mod ask;
mod changes;
mod context;
pub mod effect;
mod event;
pub mod exchange;
pub mod input;
pub mod kept_file;
pub mod load;
mod local;
pub mod over;
mod peers;
pub mod refusal;
pub mod rng;
mod route;
mod setup;
pub mod software;
pub mod store;
mod turn;
pub mod undecoded;
mod views;
mod waiting;

pub use self::setup::Setup;

use std::sync::Arc;
use std::time::Duration;

use self::changes::Changes;
use self::context::Context;
use self::effect::{DiskJob, Effect};
use self::exchange::Exchange;
use self::input::{Input, Now};
use self::local::Local;
use self::local::server::Server;
use self::peers::Peers;
use self::store::Store;
use self::store::replica::Keeping;
use crate::model::fingerprint::Fingerprint;
use crate::model::json::Value;
use crate::model::overlay::Overlay;
use crate::model::peer_id::PeerId;
use crate::model::record::RecordId;
use crate::model::revision::Revision;
use crate::node::kept_file::KeptFile;
use crate::node::store::given::GivenNames;
use crate::node::views::inspect::{Counts, HeadsTold};
use crate::wire::frame::{Frame, Goodbye};

/// A peer of a fleet.
pub struct Node {
    /// What all parts share, and where their effects go.
    cx: Context,
    /// Who is known, and who is linked.
    peers: Peers,
    /// What is asked of linked peers.
    exchange: Exchange,
    /// What is held, and what of it is on disk.
    store: Store,
    /// This host's own server.
    local: Local,
    /// Changes in the making.
    changes: Changes,
}

impl Node {
    /// A node that holds nothing yet; `book` is what was kept of its address book.
    pub fn new(setup: Setup, book: &[u8], now: Now) -> Self {
        let cx = Context::new(setup, now);
        let setup = &cx.setup;
        let keeping = Keeping {
            me: cx.me,
            group: setup.group.clone(),
            history: setup.history,
            files_max: setup.files_max,
        };
        let mut node = Self {
            peers: Peers::new(cx.me, book),
            exchange: Exchange::new(setup.joined),
            store: Store::new(keeping),
            local: Local::new(setup.server, setup.before_kept),
            changes: Changes::new(),
            cx,
        };
        let (key, id) = (node.cx.setup.fleet.key().clone(), *node.cx.setup.fleet.id());
        node.peers.book.read(book, |peer| key.instance(&id, peer));
        node.cx
            .setup
            .peers
            .clone()
            .iter()
            .for_each(|address| node.peers.book.configure(address, true));
        node
    }

    /// A change was under way when the host stopped: what was kept of it is dropped. The head is
    /// applied at the start in any case.
    pub fn forget_pending(&mut self, group: String, name: String) {
        self.local.server.doubt();
        self.cx.disk(DiskJob::Discard(group, name));
    }

    /// This peer's ID.
    pub fn peer(&self) -> PeerId {
        self.cx.me
    }

    /// Reports something wrong with what was found at the start; shown until the node ends.
    pub fn report_problem(&mut self, problem: String) {
        self.cx.report_problem(problem);
    }

    /// Says goodbye on all links.
    pub fn leave(&mut self, effects: &mut Vec<Effect>) {
        let links = self.peers.link_ids();
        links.into_iter().for_each(|id| {
            self.peers.answer(
                &mut self.cx,
                id,
                &Frame::Bye(Goodbye::Leaving, "this host stops".into()),
            )
        });
        effects.append(&mut self.cx.effects);
    }

    /// Takes in one thing that happened and appends what is to be done.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        self.cx.now = now;
        match input {
            Input::Linked {
                link,
                hello,
                address,
                dial,
            } => self.peers.linked(&mut self.cx, link, hello, address, dial),
            Input::Frame(link, bytes) => self.frame(link, &bytes),
            Input::Sent(link, credit) => self.peers.sent(&mut self.cx, link, credit),
            Input::Unlinked(link, reason) => self.peers.lost(&mut self.cx, link, &reason),
            Input::DialFailed(dial, reason) => self.peers.dial_failed(&mut self.cx, dial, &reason),
            Input::Found {
                instance,
                addresses,
                unheard,
            } => self
                .peers
                .found(&mut self.cx, &instance, &addresses, unheard),
            Input::Addresses(addresses) => self.peers.readdressed(&mut self.cx, addresses),
            Input::Own(addresses) => self.peers.own = addresses,
            Input::Trouble(what, why) => self.cx.troubled(what, why),
            Input::Stored(ticket, result) => self.stored(ticket, result),
            Input::Decoded(ticket, decoded) => self.decoded(ticket, decoded),
            Input::Loaded(ticket, read) => self.loaded(ticket, read),
            Input::Accepted(ticket) => self.server_accepts(ticket),
            Input::Server(report) => self.server_reports(report),
            Input::ServerGone => self.local.server.look_soon(self.cx.now.elapsed),
            Input::Overlay(overlay) => self.local.overlay_changed(&mut self.cx, overlay),
            Input::ForwardedDone(number, response) => {
                self.changes(|changes, below| changes.forwarded_done(below, number, &response));
            }
            Input::Asked(client, ask) => self.asked(client, ask),
            Input::Tick => {}
        }
        self.route();
        self.take_turns();
        self.expect_disk();
        effects.append(&mut self.cx.effects);
    }

    /// When [`Node::handle`] must be called at the latest, if nothing happens before.
    pub fn deadline(&self) -> Duration {
        self.next_turn().expect("there is always a next exchange")
    }

    /// Notes for which of the jobs that are handed over an answer of the disk is awaited.
    fn expect_disk(&mut self) {
        for effect in &self.cx.effects {
            if let Effect::Disk(job) = effect
                && let Some(ticket) = job.ticket()
            {
                self.store.storing.expect(ticket, self.cx.now.elapsed);
            }
        }
    }

    /// There is a server to configure after all.
    pub fn server_appears(&mut self) {
        self.local.server = Server::new(true, self.local.server.before_is_kept());
        self.cx.own_record_changed();
    }

    /// A damaged head was set aside: until an exchange is completed this host must not speak for
    /// the fleet.
    pub fn distrust(&mut self) {
        self.exchange.joined = false;
    }

    /// Whether that holds for later runs too. A host that has never met another has nobody to wait
    /// for: a restart is its owner's word.
    pub fn is_distrusted(&self) -> bool {
        !self.exchange.joined && (self.peers.book.known() > 0 || !self.cx.setup.peers.is_empty())
    }

    /// Takes in a revision that was kept, whose signature and body the caller has checked. Oldest
    /// first is quickest.
    pub fn load(&mut self, revision: Revision) {
        self.load_received(revision, 0);
    }

    /// As [`Node::load`], with the time at which it was kept, in milliseconds since 1970.
    pub fn load_received(&mut self, revision: Revision, received_ms: u64) {
        self.store
            .load(&mut self.cx, &self.peers, revision, received_ms);
    }

    /// What was found on disk of this kind: a file `drift-TIME.json`.
    pub fn remember_drift(&mut self, file: KeptFile) {
        self.local.kept.remember(file);
    }

    /// What the server ran before it was first configured, which is kept, as it was found on disk.
    pub fn remember_before(&mut self, config: &Value) {
        self.local.kept.before = Some(Fingerprint::of(config));
    }

    /// What earlier runs applied, the last first: by group, revision and what it came to on this
    /// host. To be told when all that is on disk was taken in.
    pub fn remember_applied(&mut self, applied: &[(String, RecordId, Fingerprint)]) {
        self.local.remember_applied(&self.cx, &self.store, applied);
    }

    /// A revision was being tried when the last run ended: the server may run it.
    pub fn remember_transaction(&mut self, file: &[u8]) {
        self.local.remember_transaction(&self.cx, file);
    }

    /// The names that were given to what lies on the server, as they were found on disk. To be told
    /// before all else of that kind.
    pub fn remember_given(&mut self, names: GivenNames) {
        self.local.kept.names = names;
    }

    /// The names that were given to what lies on the server.
    pub fn given(&self) -> &GivenNames {
        &self.local.kept.names
    }

    /// What this host makes of its group's document from the start; or that this is not known yet,
    /// for this reason: until it is, the server is given nothing, for it would run what is meant
    /// for other hosts.
    pub fn begin_overlay(&mut self, overlay: Result<Overlay, String>) {
        self.local.begin_overlay(&mut self.cx, overlay);
    }

    /// Peers are asked for a revision by its ID. `false` if too many are asked for already.
    pub fn want(&mut self, id: RecordId) -> bool {
        self.exchange.want(&mut self.cx, &mut self.peers, id)
    }

    /// Whether a host that was linked a short time ago is not.
    pub fn misses_somebody(&self) -> bool {
        self.peers.misses_somebody(&self.cx)
    }

    /// Whether this host is linked with nobody.
    pub fn is_alone(&self) -> bool {
        self.peers.links().next().is_none()
    }

    /// How long this host's node record lasts before it is made anew.
    pub fn refresh_every(&self) -> Duration {
        self.peers.refresh_every()
    }

    /// The head of each group that is held.
    pub fn heads(&self) -> impl Iterator<Item = (&str, &Arc<Revision>)> {
        self.store.heads()
    }

    /// The head of the group that this peer follows.
    pub fn own_head(&self) -> Option<&Arc<Revision>> {
        self.store.head(&self.cx)
    }

    /// The uncontained revisions of the group that this peer follows.
    pub fn uncontained(&self) -> impl Iterator<Item = &Arc<Revision>> {
        self.store
            .replica
            .group(&self.cx.setup.group)
            .into_iter()
            .flat_map(|group| group.uncontained().map(|uncontained| &uncontained.revision))
    }

    /// Whether a revision is held in any form.
    pub fn keeps(&self, id: &RecordId) -> bool {
        self.store.replica.kept(id).is_some()
    }

    /// Whether this host speaks for its fleet.
    pub fn is_joined(&self) -> bool {
        self.exchange.joined
    }

    /// What the own server runs, as far as is known.
    pub fn runs(&self) -> Option<RecordId> {
        self.local.applied_id()
    }

    /// How the last attempt to apply the head went, in one word.
    pub fn verdict(&self) -> &'static str {
        self.local.server.word()
    }

    /// What a peer has said of itself last, as far as this host has heard of it.
    pub fn told_by(&self, peer: &PeerId) -> Option<HeadsTold> {
        self.view().told_by(peer)
    }

    /// About how many bytes of memory are held for the fleet: documents, node records, the address
    /// book, and what waits for links. What the allocator adds is not counted.
    pub fn held_bytes(&self) -> usize {
        size_of_val(self) + self.view().held_bytes()
    }

    /// How much is held of everything that is bounded.
    pub fn counts(&self) -> Counts {
        self.view().counts(self.changes.writes.len())
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
