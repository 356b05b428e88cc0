//! Every size, count, wait and retry of the program, each with its reason.
//!
//! Those in `protocol` are part of the protocol: two peers that differ there do not understand each
//! other. All others are tuning: a peer may choose otherwise and still be one of the fleet. Those
//! here concern the fleet, those in `host` one host's own sockets, server and clients. What must
//! hold between limits is asserted when the program is compiled.

use std::ops::Range;
use std::time::Duration;

mod host;
mod protocol;

pub use self::host::*;
pub use self::protocol::*;

// ── tuning: documents and clocks
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// A revision that will be taken within so many milliseconds is asked for again then, rather than
/// at the next exchange.
pub const AHEAD_SOON_MS: u64 = 60_000;
/// By how much, in milliseconds, a clock may differ from most others before it is named.
pub const CLOCK_DIFFERS_MS: u64 = 60_000;
/// Hosts whose clocks are named at once: whoever invents hosts does not fill the page.
pub const CLOCKS_NAMED_MAX: usize = 8;
/// Operations of a JSON Patch. Each may move all elements of a long array by one, which takes a
/// millisecond at the worst, ten on a small board, and meanwhile the loop does nothing else.
/// Whoever has more to say has a new document.
pub const PATCH_OPERATIONS_MAX: usize = 256;

/// Places where a host's overlay acts that are shown to people, and as many where its variables
/// stand.
pub const PLACES_SHOWN: usize = 256;
/// Places where a host's overlay acts that are noted, and as many where its variables stand. A host
/// with more of either cannot tell what is its own, and publishes nothing of its server's.
pub const PLACES_MAX: usize = 4096;

// ── tuning: what is held
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Groups in a fleet. Every peer holds every group's head.
pub const GROUPS_MAX: usize = 64;
/// Removals of groups that are kept, so that a host which was away does not bring them back: a few
/// kilobytes each, and who removes more groups than that has had long enough to switch the other
/// hosts on.
pub const REMOVALS_MAX: usize = 256;
/// Body of a removal of a group, in bytes: names of edits beside an empty document. All that are
/// kept together must leave room on disk for what people have written.
pub const REMOVAL_BODY_MAX: usize = 64 << 10;
/// Groups that are named of those for which there is no room: what is to be done is the same for
/// all.
pub const GROUPS_NAMED: usize = 4;
/// Hosts of a group that are named where a change must be sent to one of them: one is enough, and
/// some may be down.
pub const GROUP_HOSTS_NAMED: usize = 8;
/// A request that a peer of another group is asked to carry out, in bytes, and its answer: the
/// queue of a link takes it at once.
pub const FORWARDED_MAX: usize = 512 << 10;
/// Headers that travel with a forwarded request, or with the answer to one.
pub const FORWARDED_HEADERS_MAX: usize = 16;
/// Forwarded requests under way at once, and as many that others have asked this host to carry out.
pub const RELAYED_MAX: usize = 16;
/// Hosts that are dialled in order to find one that can carry out a forwarded request.
pub const FORWARDED_DIALS_MAX: usize = 16;
/// Hosts that are dialled at once for one forwarded request.
pub const FORWARDED_DIALS: usize = 3;
/// How long a host is looked for that can carry out a forwarded request: time for twice three dials
/// to hosts that are gone without a word.
pub const FORWARDED_SEEK: Duration = Duration::from_secs(20);
/// How long a client waits for a forwarded request: longer than a server may take for a change,
/// with a turn to be waited for.
pub const FORWARDED_WAIT: Duration = Duration::from_secs(90);
/// Older revisions of a group kept on disk, beside the head and the uncontained ones, unless the
/// settings say otherwise: weeks of a busy fleet's changes, and a few megabytes of a small flash at
/// usual sizes.
pub const HISTORY_KEPT: usize = 64;
/// The least that can be set. When another branch wins, what it does not contain is read back from
/// the history: a host that has been cut off for long must still have its own changes to list them.
pub const HISTORY_KEPT_MIN: usize = 16;
/// The most: in memory each costs its header and its edit, usually less than a kilobyte, and 4 KiB
/// of values and the edit's paths at the worst.
pub const HISTORY_KEPT_MAX: usize = 1024;
/// Uncontained revisions of a group. Writes stop at [`OPEN_MAX`]; the rest is room for what other
/// hosts wrote before they saw that.
pub const UNCONTAINED_MAX: usize = 256;
/// Uncontained revisions of one author, in bytes on disk: half a dozen of the largest bodies, as
/// one host may make while it is cut off.
pub const UNCONTAINED_AUTHOR_BYTES_MAX: u64 = 32 << 20;
/// Uncontained revisions of one group, in bytes on disk.
pub const UNCONTAINED_GROUP_BYTES_MAX: u64 = 64 << 20;
/// All uncontained revisions, in bytes on disk: a fifth of what the state directory may take unless
/// told otherwise.
pub const UNCONTAINED_BYTES_MAX: u64 = 96 << 20;
/// What uncontained revisions and the heads of groups that are not followed take of memory, in
/// bytes: two of the largest bodies, on hosts with 32 MB. The bodies of the rest are on disk only.
pub const UNCONTAINED_MEMORY_MAX: usize = 12 << 20;
/// A body that is shorter is not worth a file being read for it.
pub const SPILL_MIN: usize = 2 << 10;
/// Seconds that the key of a certificate which was deleted or replaced stays in the history, unless
/// the settings say otherwise: time enough to notice that it was the wrong one, or that the new one
/// does not serve, and to restore it.
pub const KEYS_KEPT: u64 = 3600;
/// The most that [`KEYS_KEPT`] can be set to, and after so many seconds a key goes whoever is away:
/// by then nobody would remember what a host that comes back knew either.
pub const KEYS_KEPT_MAX: u64 = NODE_AGE_MAX.as_secs();
/// [`KEYS_KEPT_MAX`] as a duration.
pub const KEYS_AWAY_MAX: Duration = NODE_AGE_MAX;
/// How often it is looked whether keys may go, while there are any: about as often as node records
/// change.
pub const KEYS_LOOK_EVERY: Duration = Duration::from_secs(5);
/// Files out of which keys are struck at once: each takes a turn of the disk, which clients'
/// changes wait for.
pub const STRIKES_MAX: usize = 8;
/// Bundles of one group that are waited for at once: ten times as many as are deleted at once by
/// people. What is more has its turn later.
pub const WITHDRAWN_MAX: usize = 1024;
/// What is known of older revisions, in bytes of memory: those of 64 groups at usual sizes, four
/// times over.
pub const HISTORY_MEMORY_MAX: usize = 16 << 20;
/// What a file takes beside a revision's body and header: two short lines, and what a file system
/// rounds up to.
pub const FILE_AROUND: u64 = 4 << 10;
/// Bytes that are on their way to the disk. More is stored when these are there; meanwhile it is in
/// memory only once.
pub const WRITING_MAX: usize = 16 << 20;
/// Edits of the head's line that are remembered by their names, which tell of each place whose it
/// is and of what the ledger has dropped whether it was contained; and as many that are known for
/// not contained.
pub const SEEN_MAX: usize = 1024;
/// By how many milliseconds the wall clock may have moved against the time that a process runs
/// before this takes itself for one that was stopped, and perhaps copied, and begins another series
/// of edits.
pub const CLOCKS_PART_MS: u128 = 5_000;
/// Runs of numbers in the series that a process writes, at which it begins another.
pub const OWN_RUNS_MAX: usize = 16;
/// Node records held: far above any fleet this is meant for, and 40 MB at the very worst.
pub const NODES_MAX: usize = 8192;
/// Node records of third hosts that one link may bring at once: those of a fleet of a thousand.
pub const NODE_CHECKS_MAX: u32 = 1024;
/// Node records of third hosts that one link may bring a second beyond [`NODE_CHECKS_MAX`]: each
/// costs a tenth of a millisecond, ten times that on a small board,
/// so that invented hosts take a tenth of its time at most.
pub const NODE_CHECKS_EACH_SECOND: u32 = 100;
/// A node record older than this is neither sent nor taken.
pub const NODE_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Contacts in the address book.
pub const CONTACTS_MAX: usize = 1024;
/// A delta is worth sending if it is this many times shorter than the body.
pub const DELTA_WORTH: usize = 2;

// ── tuning: links
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Bytes that may wait for one link before floods are dropped. Answers may use twice this; beyond
/// it the link is closed.
pub const QUEUE_MAX: usize = 1 << 20;
/// A link that has not answered about edits is asked again after this, doubling up to 600 times as
/// long.
pub const CONTAINMENT_QUERY_AGAIN: [Duration; 2] =
    [Duration::from_secs(1), Duration::from_secs(600)];
/// Bodies that one link is sent at a time.
pub const SERVING_MAX: usize = 4;
/// IDs of records that the other side is known to have, per link: enough for what crosses a link in
/// a burst.
pub const KNOWN_MAX: usize = 128;
/// Silence after which a link is pinged by whoever has dialled it.
pub const PING_AFTER: Duration = Duration::from_secs(10);
/// Silence after which a link is pinged when somebody is pinged anyway, or pings this host: a host
/// that is idle wakes up once for all its links, and a fleet at one time.
pub const PING_ALONG_AFTER: Duration = Duration::from_secs(6);
/// Silence after which a link is pinged by the other side too, should the dialler not: both at a
/// time would be twice as many frames.
pub const PING_SECOND_AFTER: Duration = Duration::from_secs(11);
/// Silence after which a link is dead: with the ping at 10 s, a dead link is noticed within 15 s.
pub const DEAD_AFTER: Duration = Duration::from_millis(14_500);
/// A peer that has said nothing for so long is pinged also while it is sent to: its kernel takes
/// what nobody there may read.
pub const SPEAK_AFTER: Duration = Duration::from_secs(20);
/// A peer that has said nothing for so long is given up: what is sent to it keeps an answer waiting
/// for half a minute at most, on the slowest of links.
pub const SILENT_AFTER: Duration = Duration::from_secs(60);
/// So many links in a row over which a peer has said nothing: then it is left in peace for a while,
/// and named.
pub const SILENT_LINKS: u32 = 2;
/// Peers that are counted as silent; each has proved that it knows the fleet's key.
pub const SILENT_PEERS_MAX: usize = 64;
/// Newcomers that wait for an old link's answer at once.
pub const NEWCOMERS_MAX: usize = 8;
/// How long an old link has to answer when a newcomer with the same identity but another run
/// knocks.
pub const CLONE_TEST: Duration = Duration::from_secs(1);
/// Two links of the same two runs, begun within this of each other from both sides, are two dials
/// that met.
pub const DIALS_MET: Duration = Duration::from_secs(5);

// ── tuning: mesh
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Up to this many known hosts everybody is linked with everybody.
pub const FULL_MESH: usize = 8;
/// Outgoing links in a larger fleet: 99.6 % of the survivors stay in one piece when 30 % die at
/// once.
pub const OUTGOING: usize = 3;
/// Links above which a caller that has others is sent elsewhere.
pub const DEGREE_MAX: usize = 12;
/// Above [`DEGREE_MAX`] one link is given up this often (plus or minus a half): slow enough that
/// whoever loses one finds another meanwhile.
pub const TRIM_EVERY: Duration = Duration::from_secs(1);
/// Links above which everybody is sent elsewhere.
pub const LINKS_MAX: usize = 64;
/// Dials under way at once.
pub const DIALS_MAX: usize = 8;
/// There is a dial this often in the long run, whoever it is for: whoever names addresses to a
/// fleet must not aim it at anybody.
pub const DIAL_EVERY: Duration = Duration::from_millis(250);
/// Dials at once after a calm: all of a full mesh at two addresses each.
pub const DIAL_BURST: u32 = 16;
/// Dials that clients who wait may have on account of those to come.
pub const DIALS_OWED_MAX: u32 = FORWARDED_DIALS_MAX as u32;
/// Dials in vain after which an address is forgotten that is only somebody's word.
pub const UNSURE_ROUNDS: u32 = 3;
/// Ports of one IP that are tried on somebody's word: more is a search for open ones, made by this
/// host for somebody else.
pub const UNSURE_PORTS: usize = 4;
/// How long [`UNSURE_ROUNDS`] and [`UNSURE_PORTS`] are counted for: an honest host says anew where
/// it listens about as often.
pub const UNSURE_FOR: Duration = Duration::from_secs(60);
/// Addresses of a contact that are kept as sure. The others of [`ADDRESSES_MAX`] are for those that
/// nobody has tried yet.
pub const SURE_MAX: usize = ADDRESSES_MAX / 2;
/// The shortest wait before a contact is tried again.
pub const RETRY_MIN: Duration = Duration::from_millis(500);
/// The shortest wait of all, for what must not be done in a circle without any.
pub const RETRY_SOON: Duration = Duration::from_millis(50);
/// The longest wait before a contact is tried again.
pub const RETRY_MAX: Duration = Duration::from_secs(60);
/// The longest wait while the contact was linked a short time ago: it is probably being restarted
/// or plugged in.
pub const RETRY_LATELY_MAX: Duration = Duration::from_secs(4);
/// A contact counts as linked a short time ago for this long; see [`RETRY_LATELY_MAX`].
pub const LATELY: Duration = Duration::from_secs(600);
/// Of two peers that find each other by mDNS, the one with the greater instance name waits this
/// long for the other to dial.
pub const MDNS_PATIENCE: Duration = Duration::from_millis(500);
/// In a fleet above [`FULL_MESH`], one link is exchanged for another this often (plus or minus a
/// half): heals what was split.
pub const ROTATE_EVERY: Duration = Duration::from_secs(30);

// ── tuning: spreading
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Documents are compared with one random peer this often, plus or minus a half.
pub const SYNC_EVERY: Duration = Duration::from_secs(30);
/// Node records are compared with one random peer this often, plus or minus a half.
pub const SYNC_NODES_EVERY: Duration = Duration::from_secs(300);
/// A body up to this is decoded where it comes, in bytes: that takes a quarter of a millisecond.
pub const DECODED_AT_ONCE_MAX: usize = 64 << 10;
/// From so many bytes on a document's value does not stay in memory when nobody looks into it.
pub const FOLD_MIN: usize = 16 << 10;
/// How long a document's value stays in memory after somebody has looked into it: a client that
/// asks for one part after another, or changes one after another, finds it there.
pub const FOLD_AFTER: Duration = Duration::from_secs(5);
/// Records of which further copies are passed over without decoding them.
pub const LATELY_HELD_MAX: usize = 128;
/// Trees over which revisions spread that are known at once: as many hosts as make changes within
/// some hours. Of one that was forgotten every link takes revisions whole.
pub const TREES_MAX: usize = 32;
/// Trees whose branches a new one begins with, together. With two of them a change takes twice the
/// time of one that every link takes, with four a fifth more.
pub const TREES_TAKEN: usize = 4;
/// Peers that are sent to whole over one tree: those of two generations of links.
pub const EAGER_MAX: usize = 2 * LINKS_MAX;
/// Revisions of which it is remembered over which link they came.
pub const CAME_MAX: usize = LATELY_HELD_MAX;
/// Revisions that are to be named over one link: what is more comes by an exchange.
pub const HAVES_WAITING_MAX: usize = 64;
/// Revisions that were named and have not come.
pub const ANNOUNCED_MAX: usize = 256;
/// Of these, those that one link has named: whoever names what does not exist takes no place of
/// others.
pub const ANNOUNCED_BY_LINK_MAX: usize = 64;
/// How long the name of a revision waits for others to go with it.
pub const HAVE_GATHER: Duration = Duration::from_millis(3);
/// The longest that one end of a link waits to hear from the other that it has a revision too.
pub const HAVE_SECOND_MAX: Duration = Duration::from_millis(200);
/// How long a link takes there and back that was not pinged yet.
pub const ROUND_TRIP_UNKNOWN: Duration = Duration::from_millis(20);
/// The least and the most that is waited for what was named, before it is asked for, where it
/// spreads over a tree of its author's own.
pub const GRAFT_OWN: Range<Duration> = Duration::from_millis(5)..Duration::from_millis(500);
/// The same where it spreads over the tree that all share.
pub const GRAFT_SHARED: Range<Duration> = Duration::from_millis(25)..Duration::from_secs(1);
/// The least and the most by which the name of a revision must be earlier than the revision, for
/// the link that has brought it to be tried in place of the other.
pub const GRAFT_BETTER: Range<Duration> = Duration::from_millis(2)..Duration::from_millis(100);
/// The least and the most that is waited for the answer before the next is asked.
pub const GRAFT_AGAIN: Range<Duration> = Duration::from_millis(50)..Duration::from_secs(1);
/// Whoever goes on to send twice is told so again after this: it may have forgotten.
pub const PRUNE_AGAIN: Duration = Duration::from_secs(1);
/// Bodies being pulled at once; their buffers are the only memory that a peer can make us hold.
pub const PULLS_MAX: usize = 4;
/// Revisions asked for by ID at once, and files read for peers at once.
pub const WANTED_MAX: usize = 64;
/// Deltas that wait for a body which is being pulled: a few changes made while a large document
/// crosses a slow link.
pub const BEHIND_MAX: usize = 16;
/// Without a new piece for this long, or three times as long as the slowest took, the next peer
/// that offered is asked.
pub const PULL_PATIENCE: Duration = Duration::from_secs(2);
/// So many times in a row without a new piece, and a pull is given up until the next exchange.
pub const PULL_ROUNDS_MAX: u32 = 15;
/// Values in a node record, so that 8 192 of them stay within a few dozen megabytes however they
/// are written.
pub const NODE_VALUES_MAX: usize = 64;
/// A host says that it still runs this often, for each 32 peers.
pub const BEAT_EVERY: Duration = Duration::from_secs(60);
/// A node record is made anew after this: well before others would take it for too old.
pub const RECORD_LASTS: Duration = Duration::from_secs(2 * 24 * 3600);
/// By how much, in milliseconds, the clock may go away from what a node record shows of it before
/// the record is made anew: half of what others are told of.
pub const CLOCK_SHOWN_MS: u64 = CLOCK_DIFFERS_MS / 2;
/// A node record changes at most this often.
pub const REFRESH_MIN: Duration = Duration::from_secs(2);
/// How long a change of the node record waits for others to go with it.
pub const REFRESH_GATHER: Duration = Duration::from_millis(100);
/// So many node records may come before their time, after a while of silence.
pub const REFRESH_EARLY: u32 = 2;
/// Steps are at least this far apart in the long run, for each 32 peers.
pub const STEP_MIN: Duration = Duration::from_millis(250);
/// So many steps may come before their time, after a while of silence.
pub const STEP_EARLY: u32 = 8;
/// How long the server has to run a new head before a node record is made to say that it does not
/// yet: most do in a few milliseconds, and then a step says all.
pub const STEP_PATIENCE: Duration = Duration::from_secs(1);
/// How long the first news of hosts waits on a link for more, for each 32 peers.
pub const NEWS_GATHER: Duration = Duration::from_millis(25);
/// The longest wait for that: with five links on the way everybody has heard within three seconds.
pub const NEWS_GATHER_MAX: Duration = Duration::from_millis(400);
/// How long it waits if all that there is to say is that hosts still run.
pub const BEAT_GATHER: Duration = Duration::from_secs(15);
/// News of hosts that a link carries each second, in bytes, however many hosts have some: a hundred
/// node records, or steps of a thousand hosts.
pub const NEWS_EACH_SECOND: usize = 32 << 10;
/// News that a link carries at once after a while of silence.
pub const NEWS_AT_ONCE: usize = 64 << 10;
/// A node record below another host's copy of it is signed anew at most this often.
pub const OVERTAKE_EVERY: Duration = Duration::from_secs(10);
/// How long a change of the address book waits for others to go with it.
pub const BOOK_GATHER: Duration = Duration::from_secs(5);
/// The address book is written at most this often.
pub const BOOK_EVERY: Duration = Duration::from_secs(60);
/// A rebase waits a random time up to this, so that several authors do not collide again.
pub const REBASE_JITTER: Duration = Duration::from_millis(400);
/// An edit uncontained for this long may be noted by whoever holds it: its author is away.
pub const STAND_IN_AFTER: Duration = Duration::from_secs(10);
/// What may wait for the loop. The threads that fill it wait when it is full, so this only bounds
/// memory: 256 frames of 40 KiB.
pub const EVENTS_MAX: usize = 256;
/// A disk that has not answered a job for so long hangs: a slow card takes a tenth of a second for
/// each, and dozens may wait.
pub const DISK_PATIENCE: Duration = Duration::from_secs(10);
/// Jobs that wait for a place in the disk's queue before the disk is given up.
pub const DISK_WAITING_MAX: usize = 256;
/// Files of the history that are read at a time: each is a document in memory and a thread.
pub const LOADS_MAX: usize = 4;
/// How often interfaces are looked at.
pub const WATCH_EVERY: Duration = Duration::from_secs(15);
/// How often interfaces are looked at while a peer that was linked lately is missing: a cable that
/// is plugged in must not wait.
pub const WATCH_LOST_EVERY: Duration = Duration::from_millis(250);

// ── tuning: server and clients
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Changes by clients that may wait their turn.
pub const WRITES_MAX: usize = 64;
/// Fewer digits of an ID are not taken for its beginning.
pub const SHORT_ID_MIN: usize = 4;
/// Problems that are remembered until the end of the run.
pub const PROBLEMS_MAX: usize = 32;
/// Conflicts that one change may settle by name.
pub const SETTLES_MAX: usize = 64;
/// Restored revisions and conflicts to be kept that are being read or wait their turn: each may
/// hold a whole document.
pub const NEEDED_MAX: usize = 4;
/// Older revisions that no linked peer had are asked for again after this, or when there is a new
/// link.
pub const FETCH_AGAIN: Duration = Duration::from_secs(60);
/// Bodies that are read to find out since when a value stands, in bytes: 32 of a megabyte each take
/// about a second.
pub const BLAME_READ_MAX: usize = 32 << 20;
/// Changes that a difference lists one by one: a page that a person can still look through.
pub const DIFFERENCE_MAX: usize = 1024;
/// The values of a difference taken together, as compact text in bytes; what is longer is given by
/// its length. With tabs and line ends the answer still fits what clients of Unit take.
pub const DIFFERENCE_VALUES_MAX: usize = DOCUMENT_MAX;
/// How long a change is tried again when the head moves under it: with a dozen clients that write
/// at once each try succeeds once in three or four times, and whoever waits longer than this for an
/// answer has given up by himself.
pub const TRIED_FOR: Duration = Duration::from_secs(8);
/// A change waits a random time up to this before the second try, up to twice that before the
/// third, and so on.
pub const TRY_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause before a further try, so that several authors do not keep each other from it.
pub const TRY_PAUSE_MAX: Duration = Duration::from_millis(400);
/// The server is looked at this often: what it lost is given back within about 2 s.
pub const OBSERVE_EVERY: Duration = Duration::from_secs(2);
/// Looks that have found all as it should be before they become rare: half a minute, for whoever
/// has changed one thing changes the next.
pub const OBSERVES_CLOSE: u32 = 15;
/// How often a server is looked at on which nobody has changed anything for [`OBSERVES_CLOSE`]
/// looks, and of which it is noticed without a look if it is started anew: a look costs more than
/// all else that an idle host does in that time.
pub const OBSERVE_CALM_EVERY: Duration = Duration::from_secs(10);
/// So much sooner it is looked at if this host is awake anyway.
pub const OBSERVE_CALM_SLACK: Duration = Duration::from_secs(2);
/// A refused head is offered to the server again after this, doubling.
pub const REAPPLY_MIN: Duration = Duration::from_secs(5);
/// The longest wait before a refused head is offered again.
pub const REAPPLY_MAX: Duration = Duration::from_secs(300);
/// A server that somebody has changed past Starling is left alone for this long after a repair,
/// doubling if it is changed again.
pub const REPAIR_MIN: Duration = Duration::from_secs(1);
/// The longest wait between two repairs: whoever changes the server may be another program, and the
/// two must not keep the server busy.
pub const REPAIR_MAX: Duration = Duration::from_secs(300);
/// After so long without a change the next is repaired at once again.
pub const REPAIR_CALM: Duration = Duration::from_secs(60);
/// A head that does not contain the applied edit is applied after this: one that does may be on its
/// way.
pub const FLAP_PATIENCE: Duration = Duration::from_secs(1);
/// Configurations that somebody had put on the server, kept before they were replaced: more than a
/// person looks through.
pub const DRIFTS_KEPT: usize = 8;
/// Paths at which a kept configuration differs that are noted in its file.
pub const KEPT_PATHS_MAX: usize = 64;
/// How often a server is found changed once more while it is to be given something, before that is
/// put off.
pub const DRIFT_ROUNDS_MAX: usize = 4;
/// Documents that a server may run at one time: what it was last seen to run, and what it was given
/// since without a clear answer.
pub const GIVEN_MAX: usize = 4;
/// What was applied is written down at most this often: a host that follows many changes must not
/// write each twice.
pub const REMEMBER_EVERY: Duration = Duration::from_secs(1);
/// Names of certificates that are remembered as given, besides what a document has now: a host that
/// sees one renewed every day knows those of eight months.
pub const GIVEN_NAMES_MAX: usize = 256;
/// Copies of modules that somebody else had put on the server, and that were replaced: as many as
/// configurations are kept.
pub const COPIES_KEPT: usize = DRIFTS_KEPT;
/// Certificates on a server that are not ours, and that a person is told of by name.
pub const LEFT_SHOWN: usize = 8;
/// Applied revisions that are written down: a server may come back with what it ran some changes
/// ago.
pub const APPLIED_REMEMBERED: usize = 8;
/// The file with the token for REST over TCP, in bytes.
pub const TOKEN_FILE_MAX: u64 = 4096;
/// A server's words as shown to others, in bytes.
pub const WORDS_MAX: usize = 512;

// ── the simulation of `starling sim`
// ────────────────────────────────────────────────────────────────────────────────────────────

/// Hosts: less than [`NODES_MAX`], beyond which no fleet is meant to grow.
pub const SIM_HOSTS_MAX: usize = 8000;
/// With more hosts node records are left out unless asked for: they cost by the square of the
/// fleet.
pub const SIM_NODE_RECORDS_HOSTS: usize = 200;
/// Contacts in the address book of each host, drawn at random, when nobody learns of others from
/// node records.
pub const SIM_CONTACTS: usize = 128;
/// Links are given up after some 15 s of silence, so a slower network is none.
pub const SIM_DELAY_MAX: Duration = Duration::from_secs(10);
/// The document, in bytes: a listener and what the changes change take 200.
pub const SIM_SIZE_MIN: usize = 200;
/// A larger one would make thousands of hosts fill the machine's memory.
pub const SIM_SIZE_MAX: usize = 1 << 20;
/// Changes, one after the other.
pub const SIM_CHANGES_MAX: u32 = 1000;
/// The longest partition.
pub const SIM_PARTITION_MAX: Duration = Duration::from_secs(3600);

const _: () = assert!(SIM_HOSTS_MAX <= NODES_MAX && SIM_CONTACTS <= CONTACTS_MAX);
const _: () = assert!(
    LINK_WINDOW as usize >= 2 * FRAME_MAX,
    "a frame always fits the window"
);
const _: () = assert!(
    REMOVAL_BODY_MAX >= LEDGER_TEXT_MAX + OPEN_LISTED_MAX * 140 + NOTE_MAX,
    "a removal settles all"
);
const _: () = assert!(
    FORWARDED_MAX <= QUEUE_MAX,
    "a forwarded request must not cost the link"
);
