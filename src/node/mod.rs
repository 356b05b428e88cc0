//! What to do: the state machine of a peer.
//!
//! No socket, no thread, no file, no clock, no chance but a seed. [`Node::handle`] takes one thing that happened and says what is to be
//! done; the caller performs all of it, in order, before the next. [`Node::deadline`] says when it wants to be called at the latest.
//! `input` and `effect` list everything that can come in and go out; the other files are one concern each, most of them an `impl` of
//! [`Node`] over state that they own.

pub mod answer;
mod before;
mod book;
mod clocks;
pub mod decode;
mod doubts;
mod drift;
mod drift_files;
mod dry_run;
pub mod effect;
mod effective;
mod errands;
mod fetch;
mod fold;
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
mod mesh;
pub mod over;
mod peers;
mod plan;
mod problems;
mod pulls;
mod put_back;
mod ration;
mod reading;
mod rebase;
mod recall;
pub mod records;
mod removal;
mod replica;
pub mod rng;
mod roster;
mod selfie;
mod server;
mod settle;
mod silence;
pub mod software;
mod spread;
mod state;
mod storing;
mod sync;
mod trial;
mod uploads;
mod views;
mod whereabouts;
mod writes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use self::book::Book;
use self::clocks::Clocks;
use self::drift_files::Adopting;
use self::effect::{DiskJob, Effect, Level};
use self::errands::Errands;
use self::fetch::Fetch;
use self::input::{Ask, ClientId, Input, LinkId, Now, Ticket, Trouble};
use self::kept::Kept;
use self::keys::Keys;
use self::link::Link;
use self::peers::Newcomer;
use self::pulls::Pulls;
use self::ration::Ration;
use self::reading::Reading;
use self::removal::Removal;
use self::replica::{Keeping, Replica};
use self::rng::Rng;
use self::roster::Roster;
use self::selfie::Selfie;
use self::server::Server;
use self::silence::Silences;
use self::storing::Storing;
use self::trial::Trial;
use self::writes::Writes;
use crate::limits::{RETRY_SOON, SYNC_EVERY, SYNC_NODES_EVERY};
use crate::model::document::Bundle;
use crate::model::ledger::EditRef;
use crate::model::overlay::Overlay;
use crate::model::path::Path;
use crate::model::peer_id::PeerId;
use crate::model::record::{Record, RecordId};
use crate::model::revision::Revision;
use crate::model::signature::SecretKey;
use crate::model::stamp::StampClock;
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
    /// How long the key of a certificate that was deleted or replaced stays in the history: at least until, and then at most.
    pub keys_kept: Range<Duration>,
    /// Seeds the jitter.
    pub seed: u64,
    /// Says what [`Record::is_signed`] says; it may remember what it was asked.
    pub is_signed: fn(&Record) -> bool,
}

/// A peer of a fleet.
pub struct Node {
    setup: Setup,
    me: PeerId,
    instance: String,
    now: Now,
    rng: Rng,
    stamps: StampClock,
    clocks: Clocks,
    joined: bool,
    addresses: Vec<SocketAddr>,
    problems: BTreeSet<String>,
    /// Why the overlay that is set is not the one in use.
    overlay_problem: Option<String>,
    /// Whether the overlay that is set has been read at all.
    is_overlay_known: bool,
    /// What does not work now.
    troubles: BTreeMap<Trouble, String>,
    replica: Replica,
    roster: Roster,
    book: Book,
    ration: Ration,
    /// Every address where this host itself listens, told to others or not.
    own: Vec<SocketAddr>,
    /// When the address book was last written, and its text then.
    saved_book: (Duration, Vec<u8>),
    links: BTreeMap<LinkId, Link>,
    newcomers: Vec<Newcomer>,
    silences: Silences,
    pulls: Pulls,
    /// The newest of the records that are held.
    lately_held: VecDeque<RecordId>,
    /// Revisions that peers are asked for by ID.
    wanted: BTreeSet<RecordId>,
    /// Those among them that were lost with others, and are to be made again or listed.
    sought: BTreeSet<RecordId>,
    /// The edits of others that the own server refuses on this head.
    refused: (RecordId, BTreeSet<EditRef>),
    /// The one of them that somebody waits for who looks at the history.
    fetch: Option<Fetch>,
    server: Server,
    kept: Kept,
    keys: Keys,
    writes: Writes,
    errands: Errands,
    trial: Option<Trial>,
    /// Who asked for the document before the server was seen.
    early: Vec<(ClientId, Path)>,
    selfie: Selfie,
    storing: Storing,
    timers: Timers,
    /// Whether an exchange about documents has ended in this run: before that, what is held may be old.
    exchanged: bool,
    tickets: BTreeMap<Ticket, Waiting>,
    next_ticket: Ticket,
    effects: Vec<Effect>,
}

/// When each of the things that recur is due.
struct Timers {
    sync: Duration,
    sync_nodes: Duration,
    rotate: Duration,
    trim: Duration,
    rebase: Option<Duration>,
    dial: Duration,
    save_book: Option<Duration>,
    fold: Option<Duration>,
}

/// What a ticket at the disk or the server is for.
enum Waiting {
    /// A revision from elsewhere.
    Stored(RecordId),
    /// Whether the disk takes writes again.
    Probe,
    /// What the server ran before it was first configured.
    Before,
    /// What the server runs past Starling.
    Kept,
    /// That somebody has seen a file of what it ran so, and who waits for that.
    Acknowledged(ClientId, String),
    /// A file of what it ran so, for a client who wants it published.
    Adopting(Adopting),
    /// A note of our own, to be published when it is durable.
    Note(Arc<Revision>),
    /// The revision in the making.
    Trial,
    /// The removal of a group, for a client who waits.
    Removal(Box<Removal>),
    /// The server's job in hand.
    Server,
    /// A file that is read.
    Read(Record, Reading),
    /// A file out of which these bundles are struck.
    Struck(Record, Vec<Bundle>),
    /// The body of this record, which this link has brought.
    Decoded(LinkId, RecordId),
}

impl Node {
    /// A node that holds nothing yet; `book` is what was kept of its address book.
    pub fn new(setup: Setup, book: &[u8], now: Now) -> Self {
        let me = PeerId::from_bytes(setup.secret.public()).expect("a key pair's public half is sound");
        let instance = setup.fleet.key().instance(setup.fleet.id(), &me);
        let mut node = Self {
            me,
            instance,
            now,
            rng: Rng::new(setup.seed),
            stamps: StampClock::default(),
            clocks: Clocks::default(),
            joined: setup.joined,
            addresses: Vec::new(),
            problems: BTreeSet::new(),
            overlay_problem: None,
            is_overlay_known: true,
            troubles: BTreeMap::new(),
            replica: Replica::new(Keeping { me, group: setup.group.clone(), history: setup.history, files_max: setup.files_max }),
            roster: Roster::default(),
            book: Book::of(&me),
            ration: Ration::default(),
            own: Vec::new(),
            saved_book: (Duration::ZERO, book.to_vec()),
            links: BTreeMap::new(),
            newcomers: Vec::new(),
            silences: Silences::default(),
            pulls: Pulls::default(),
            lately_held: VecDeque::new(),
            wanted: BTreeSet::new(),
            sought: BTreeSet::new(),
            refused: (RecordId::NONE, BTreeSet::new()),
            fetch: None,
            server: Server::new(setup.server, setup.before_kept),
            kept: Kept::default(),
            keys: Keys::default(),
            writes: Writes::default(),
            errands: Errands::default(),
            trial: None,
            early: Vec::new(),
            selfie: Selfie::default(),
            storing: Storing::default(),
            timers: Timers {
                sync: SYNC_EVERY,
                sync_nodes: SYNC_NODES_EVERY,
                rotate: SYNC_EVERY,
                trim: Duration::ZERO,
                rebase: None,
                dial: Duration::ZERO,
                save_book: None,
                fold: None,
            },
            exchanged: false,
            tickets: BTreeMap::new(),
            next_ticket: 0,
            effects: Vec::new(),
            setup,
        };
        let (key, id) = (node.setup.fleet.key().clone(), *node.setup.fleet.id());
        node.book.read(book, |peer| key.instance(&id, peer));
        node.setup.peers.clone().iter().for_each(|address| node.book.configure(address, true));
        node
    }

    /// A change was under way when the host stopped: what was kept of it is dropped. The head is applied at the start in any case.
    pub fn forget_pending(&mut self, group: String, name: String) {
        self.server.doubt();
        self.disk(DiskJob::Discard(group, name));
    }

    /// This peer's ID.
    pub fn peer(&self) -> PeerId {
        self.me
    }

    /// Says goodbye on all links.
    pub fn leave(&mut self, effects: &mut Vec<Effect>) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        links.into_iter().for_each(|id| self.answer(id, &Frame::Bye(Goodbye::Leaving, "this host stops".into())));
        effects.append(&mut self.effects);
    }

    /// Takes in one thing that happened and appends what is to be done.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        self.now = now;
        match input {
            Input::Linked { link, hello, address, dial } => self.linked(link, hello, address, dial),
            Input::Frame(link, bytes) => self.frame(link, &bytes),
            Input::Sent(link, credit) => self.sent(link, credit),
            Input::Unlinked(link, reason) => self.lost(link, &reason),
            Input::DialFailed(dial, reason) => self.dial_failed(dial, &reason),
            Input::Found { instance, addresses, unheard } => self.found(&instance, &addresses, unheard),
            Input::Addresses(addresses) => self.readdressed(addresses),
            Input::Own(addresses) => self.own = addresses,
            Input::Trouble(what, why) => self.troubled(what, why),
            Input::Stored(ticket, result) => self.stored(ticket, result),
            Input::Decoded(ticket, decoded) => self.decoded(ticket, decoded),
            Input::Loaded(ticket, read) => self.loaded(ticket, read),
            Input::Server(report) => self.server_reports(report),
            Input::Overlay(overlay) => self.overlay_changed(overlay),
            Input::ErrandDone(number, told) => self.errand_done(number, &told),
            Input::Asked(client, Ask::OfGroup(group, ask, errand)) if group != self.setup.group => {
                self.ask_of_group(client, &group, *ask, errand.map(|errand| *errand));
            }
            Input::Asked(client, Ask::OfGroup(_, ask, _)) => self.asked(client, *ask),
            Input::Asked(client, ask) => self.asked(client, ask),
            Input::Tick => {}
        }
        self.turn();
        effects.append(&mut self.effects);
    }

    /// When [`Node::handle`] must be called at the latest, if nothing happens before.
    pub fn deadline(&self) -> Duration {
        let timers = [self.timers.sync, self.timers.sync_nodes, self.timers.dial, self.selfie.due(), self.pings_due()];
        let optional = [
            self.rebase_due(),
            self.writes.due(),
            self.timers.save_book,
            self.fold_due(),
            self.pulls.due(),
            self.storing.due(),
            self.errands.due(),
            self.kept.due(),
            self.strike_due(),
            self.trim_due(),
            self.server.due().filter(|_| self.trial.is_none()),
            self.links
                .values()
                .filter(|link| link.overflowed)
                .map(|link| link.exchange_at.max(self.now.elapsed + RETRY_SOON))
                .min(),
            self.newcomers.iter().map(|newcomer| newcomer.until).min(),
            self.is_large().then_some(self.timers.rotate),
        ];
        timers.into_iter().chain(optional.into_iter().flatten()).min().expect("there is always a next exchange")
    }

    /// There is a server to configure after all.
    pub fn server_appears(&mut self) {
        self.server = Server::new(true, self.server.before_is_kept());
        self.selfie_changed();
    }

    /// A damaged head was set aside: until an exchange is completed this host must not speak for the fleet.
    pub fn distrust(&mut self) {
        self.joined = false;
    }

    /// Whether that holds for later runs too. A host that has never met another has nobody to wait for: a restart is its owner's word.
    pub fn is_distrusted(&self) -> bool {
        !self.joined && (self.book.known() > 0 || !self.setup.peers.is_empty())
    }

    fn asked(&mut self, client: ClientId, ask: Ask) {
        match ask {
            Ask::Write(change) => self.write(client, change),
            Ask::Patch(patching) => self.patch(client, patching),
            Ask::DryRun(change) => self.dry_run(client, change),
            Ask::PublishLocal { force, if_match, note } => self.publish_local(client, force, if_match, note),
            Ask::Repair => self.repair_on_purpose(client),
            Ask::RemoveGroup { name, force, note } => self.remove_group(client, &name, force, note),
            Ask::RepairHost(ending, errand) => self.repair_elsewhere(client, &ending, *errand),
            ask @ (Ask::Drifts(_) | Ask::AcknowledgeDrift(_) | Ask::AdoptDrift { .. }) => self.ask_of_drifts(client, ask),
            ask => self.read(client, ask),
        }
    }

    /// Everything that is due by now, whatever it was that happened.
    fn turn(&mut self) {
        self.judge_newcomers();
        self.check_pings();
        self.stalled_pulls();
        self.follow_pulls();
        self.fetch_on();
        self.probe_if_due();
        self.judge_disk();
        self.rebase_if_due();
        self.exchange_if_due();
        self.serve_early_reads();
        self.late_errands();
        self.serve_writes();
        self.serve_server();
        self.note_adoption();
        self.remember_if_due();
        self.strike_if_due();
        self.refresh_selfie();
        self.trim_if_due();
        self.dial_if_due();
        self.save_book_if_due();
        self.fold_if_due();
    }

    /// The own group's head; none if the group was removed.
    fn head(&self) -> Option<&Arc<Revision>> {
        self.replica.head(&self.setup.group)
    }

    /// A ticket for something that is answered by an input.
    fn ticket(&mut self, waiting: Waiting) -> Ticket {
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket, waiting);
        self.next_ticket
    }

    fn disk(&mut self, job: DiskJob) {
        job.ticket().into_iter().for_each(|ticket| self.storing.expect(ticket, self.now.elapsed));
        self.effects.push(Effect::Disk(job));
    }

    fn remove_file(&mut self, record: &Record) {
        let name = revision_name(record.header.height, &record.id);
        self.disk(DiskJob::Remove(record.header.key.clone(), name));
    }

    fn say(&mut self, level: Level, area: &'static str, text: impl Into<String>) {
        self.effects.push(Effect::Say(level, area, text.into()));
    }

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
