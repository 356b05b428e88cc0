//! What to do: the state machine of a peer.
//!
//! No socket, no thread, no file, no clock, no chance but a seed. [`Node::handle`] takes one thing
//! that happened and says what is to be done; the caller performs all of it, in order, before the
//! next. [`Node::deadline`] says when it wants to be called at the latest. `input` and `effect`
//! list everything that can come in and go out, and `turn` what recurs.
//!
//! The state stands in six parts: `context` has what all share, `peers` who is known and linked,
//! `exchange` what is asked of them, `store` what is held, `local` the own server, and `changes`
//! what is in the making. The other files are one concern each: what has to do with one
//! part only is a method of that part, and what takes several is one of [`Node`], which passes on
//! what one part means for the others.

pub mod answer;
mod before;
mod book;
mod changes;
mod clocks;
mod containment;
mod containment_query;
mod context;
pub mod decode;
mod drift;
mod drift_files;
mod dry_run;
pub mod effect;
mod effective;
mod exchange;
mod fetch;
mod fold;
mod forwarding;
pub mod given;
mod groups;
mod history;
mod in_step;
pub mod input;
mod inspect;
mod kept;
pub mod kept_file;
mod keys;
mod link;
pub mod load;
mod local;
mod mesh;
pub mod over;
mod own_record;
mod peers;
mod plan;
mod problems;
mod pulls;
mod ration;
mod reading;
mod rebase;
pub mod records;
mod removal;
mod replica;
pub mod rng;
mod roll_back;
mod roster;
mod server;
mod settle;
mod silence;
pub mod software;
mod spread;
mod state;
mod store;
mod storing;
mod sync;
mod transaction;
mod turn;
mod uploads;
mod views;
mod whereabouts;
mod writes;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use self::changes::Changes;
use self::context::{Context, Waiting};
use self::effect::{DiskJob, Effect};
use self::exchange::Exchange;
use self::input::{Ask, ClientId, Input, LinkId, Now};
use self::local::Local;
use self::peers::Peers;
use self::replica::Keeping;
use self::server::Server;
use self::store::Store;
use crate::model::overlay::Overlay;
use crate::model::peer_id::PeerId;
use crate::model::record::{Record, RecordId};
use crate::model::revision::Revision;
use crate::model::signature::SecretKey;
use crate::settings::DriftChoice;
use crate::wire::fleet::Fleet;
use crate::wire::frame::{Frame, Goodbye};

/// What a node is made with and never changes.
pub struct Setup {
    /// The peer's identity.
    pub secret: SecretKey,
    /// The fleet and its keys.
    pub fleet: Fleet,
    /// This run's number, as in the handshake.
    pub run: u64,
    /// The name shown to people.
    pub name: String,
    /// The group that this peer follows.
    pub group: String,
    /// Version of the program.
    pub version: String,
    /// Whether there is a server to configure.
    pub server: bool,
    /// Whether an exchange with the fleet has been completed, in this run or an earlier one.
    pub joined: bool,
    /// Configured addresses, `host:port`.
    pub peers: Vec<String>,
    /// Whether what the server ran before Starling first configured it is kept already.
    pub before_kept: bool,
    /// What this host makes of its group's document.
    pub overlay: Overlay,
    /// What is to be done when somebody changes the server's configuration past Starling.
    pub drift: DriftChoice,
    /// How many older revisions of a group are kept beside the head and the uncontained ones.
    pub history: usize,
    /// What the files of all revisions may take, in bytes.
    pub files_max: u64,
    /// How long the key of a certificate that was deleted or replaced stays in the history: at
    /// least until, and then at most.
    pub keys_kept: Range<Duration>,
    /// Seeds the jitter.
    pub seed: u64,
    /// Says what [`Record::is_signed`] says; it may remember what it was asked.
    pub is_signed: fn(&Record) -> bool,
}

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
        let links: Vec<LinkId> = self.peers.links.keys().copied().collect();
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
            } => self.linked(link, hello, address, dial),
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
            Input::Server(report) => self.server_reports(report),
            Input::Overlay(overlay) => self.local.overlay_changed(&mut self.cx, overlay),
            Input::ForwardedDone(number, told) => self.forwarded_done(number, &told),
            Input::Asked(client, Ask::OfGroup(group, ask, forwarded))
                if group != self.cx.setup.group =>
            {
                self.ask_of_group(client, &group, *ask, forwarded.map(|forwarded| *forwarded));
            }
            Input::Asked(client, Ask::OfGroup(_, ask, _)) => self.asked(client, *ask),
            Input::Asked(client, ask) => self.asked(client, ask),
            Input::Tick => {}
        }
        self.without_gone();
        self.turn();
        self.without_gone();
        self.expect_disk();
        effects.append(&mut self.cx.effects);
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

    fn asked(&mut self, client: ClientId, ask: Ask) {
        match ask {
            Ask::Write(change) => self.changes.write(&mut self.cx, client, change),
            Ask::Patch(patching) => self.changes.patch(&mut self.cx, client, patching),
            Ask::DryRun(change) => self.changes.dry_run(&mut self.cx, client, change),
            Ask::PublishLocal {
                force,
                if_match,
                note,
            } => self
                .changes
                .publish_local(&mut self.cx, client, force, if_match, note),
            Ask::Repair => self.changes.repair_on_purpose(&mut self.cx, client),
            Ask::RemoveGroup { name, force, note } => self.remove_group(client, &name, force, note),
            Ask::RepairHost(ending, forwarded) => {
                self.repair_elsewhere(client, &ending, *forwarded)
            }
            ask @ (Ask::Drifts(_) | Ask::AcknowledgeDrift(_) | Ask::AdoptDrift { .. }) => {
                self.ask_of_drifts(client, ask)
            }
            ask => self.read(client, ask),
        }
    }

    /// What the ends of links mean for what was asked over them. It may end others.
    fn without_gone(&mut self) {
        while let Some(id) = self.cx.gone.pop() {
            self.tell_degree_of_the_other(id);
            self.pulls_without(id);
            self.changes.forwarding_without(&mut self.cx, id);
        }
    }
}

impl Store {
    /// The own group's head; none if the group was removed.
    fn head(&self, cx: &Context) -> Option<&Arc<Revision>> {
        self.replica.head(&cx.setup.group)
    }
}

impl Context {
    fn remove_file(&mut self, record: &Record) {
        let name = revision_name(record.header.height, &record.id);
        self.disk(DiskJob::Remove(record.header.key.clone(), name));
    }
}

impl Peers {
    /// How a peer is called in the log: its name, if it has said one, and the end of its peer ID.
    fn called(&self, peer: &PeerId) -> String {
        match self.roster.get(peer).and_then(roster::NodeRecord::name) {
            Some(name) => format!("{name} …{}", peer.short()),
            None => format!("…{}", peer.short()),
        }
    }
}

/// The name of a revision's file: sorts by height, and is found by ID.
pub fn revision_name(height: u64, id: &RecordId) -> String {
    format!("{height:015}-{id}")
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
