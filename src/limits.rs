//! Every size, count, wait and retry of the program, each with its reason.
//!
//! The first part is the protocol: two peers that differ there do not understand each other. The rest is tuning: a peer may choose
//! otherwise and still be one of the fleet. What must hold between them is asserted at the foot, when the program is compiled.

use std::time::Duration;

// ── protocol ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A document, as compact JSON text, in bytes.
pub const DOCUMENT_MAX: usize = 4 << 20;
/// Levels of arrays and objects in a document. FreeUnit refuses more; a parser that recurses must.
pub const DEPTH_MAX: usize = 100;
/// A path's token, decoded, in bytes: Unit's own bound.
pub const PATH_TOKEN_MAX: usize = 256;
/// A group's or fleet's name, in bytes.
pub const NAME_MAX: usize = 63;
/// The note of a record (who and why), in bytes.
pub const NOTE_MAX: usize = 512;
/// Addresses that a handshake or a node record may carry.
pub const ADDRESSES_MAX: usize = 8;

/// What a later version may add to a header, a handshake payload or a token, in bytes.
pub const EXTENSION_MAX: usize = 1024;
/// Heights are below this.
pub const HEIGHT_LIMIT: u64 = 1 << 48;
/// A record's body in bytes: a document, and beside it the ledger (21 KiB) and the open conflicts.
pub const BODY_MAX: usize = DOCUMENT_MAX + (2 << 20);
/// The body of a node record, in bytes: it is kept in memory, 8 192 times.
pub const NODE_BODY_MAX: usize = 4096;
/// Edits that a ledger names; an edit made on a base more than this many edits old cannot be judged any more.
pub const LEDGER_MAX: usize = 256;
/// Operations in one edit.
pub const OPERATIONS_MAX: usize = 64;
/// Open conflicts and uncontained records of a group, taken together, at which new writes are refused.
pub const OPEN_MAX: usize = 64;
/// Open conflicts that a body may list: more than [`OPEN_MAX`], since notes are never refused.
pub const OPEN_LISTED_MAX: usize = 256;
/// The values of one open conflict taken together, as compact text in bytes; what is longer is given by length and hash.
pub const OPEN_VALUE_MAX: usize = 4096;
/// A header: the fixed part is 165 bytes.
pub const HEADER_MAX: usize = 165 + NAME_MAX + NOTE_MAX + EXTENSION_MAX;
/// A body up to this size travels with its record; above it the record is announced and the body pulled. Also the size of a piece:
/// between two pieces other frames pass, so nothing waits longer than 16 KiB take.
pub const INLINE_MAX: usize = 16 << 10;
/// A frame before sealing: an inline body, its header and what is around them.
pub const FRAME_MAX: usize = 40 << 10;
/// Buckets of a digest.
pub const BUCKETS: usize = 256;
/// IDs in one list of an anti-entropy exchange (32 bytes each): a longer list goes as several frames.
pub const IDS_MAX: usize = 512;
/// Edits that one frame asks or tells about (40 bytes each): more than two ledgers with the open conflicts between them.
pub const DOUBTS_MAX: usize = 768;
/// A link that has not answered about edits is asked again after this, doubling up to 600 times as long.
pub const DOUBTS_AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(600)];
/// Words with which a link is closed, in bytes.
pub const REASON_MAX: usize = 200;

// ── wire: fleet, token, handshake, session ──────────────────────────────────────────────────────────────────────────────────────

/// Keys that a fleet may accept at once: the old, the new, and one more for a change that was begun twice.
pub const FLEET_KEYS_MAX: usize = 3;
/// A token's text, in bytes. Base58 decoding is quadratic: this keeps it at a few milliseconds, and the token in one terminal line.
pub const TOKEN_TEXT_MAX: usize = 2 << 10;
/// An address in a token (`host:port`), in bytes: so many that eight of them fit [`TOKEN_TEXT_MAX`].
pub const TOKEN_ADDRESS_MAX: usize = 160;
/// The second and third message of a handshake, in bytes, without their length prefix: the largest hello, the largest extension, and
/// some room. What an unproven peer can make a listener hold.
pub const HANDSHAKE_MESSAGE_MAX: usize = 1024;
/// What a later version may add to a hello, in bytes.
pub const HANDSHAKE_EXTENSION_MAX: usize = 512;
/// Ephemeral keys of first messages that are not answered twice: 4 096 replays cost a replayer as many connections, us 256 KiB.
pub const SEEN_EPHEMERALS: usize = 4096;
/// Version, name, fleet, key, count, addresses, checksum.
const TOKEN_BYTES_MAX: usize = 1 + 1 + NAME_MAX + 32 + 32 + 1 + ADDRESSES_MAX * (1 + TOKEN_ADDRESS_MAX) + 4;
const _: () = assert!(TOKEN_BYTES_MAX * 138 / 100 + 1 + 10 <= TOKEN_TEXT_MAX, "base58 needs 1.366 letters a byte, the prefix 10");

// ── JSON, paths, documents, edits ───────────────────────────────────────────────────────────────────────────────────────────────

/// Values (scalars, arrays and objects) in a document. One takes up to 300 bytes of memory however short its text, so without this
/// bound 4 MiB of `[1,1,…` or `[{"":0},…` would take hundreds of megabytes. 50 000 routes of five values each fit; FreeUnit allows
/// 100 000 elements to one array.
pub const VALUES_MAX: usize = 1 << 18;
/// Levels that Starling's own texts (a record's body, an answer of the API) may put around a document.
pub const OWN_LEVELS_MAX: usize = 8;
/// Values in a text of Starling's own: a document, the edit that made it, and the open conflicts beside them.
pub const OWN_VALUES_MAX: usize = 3 * VALUES_MAX;
/// The characters of a number: Unit's own bound (`NXT_CONF_MAX_NUMBER_LEN`).
pub const NUMBER_MAX: usize = 14;
/// The tokens of a path, decoded, taken together, in bytes: eight times what fits into the head of a request to Unit.
pub const PATH_MAX: usize = 8 << 10;
/// A value that an edit found is named by itself up to this length of its compact text, and by a hash beyond it: a conflict can then
/// show what stood there, while no edit carries a second copy of anything long.
pub const SHORT_MAX: usize = 256;

const _: () = assert!(DEPTH_MAX + OWN_LEVELS_MAX < 128, "what recurses over a value must fit a small stack");

// ── tuning: what is held ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Groups in a fleet. Every peer holds every group's head.
pub const GROUPS_MAX: usize = 64;
/// Older revisions of a group kept on disk, beside the head and the uncontained ones, unless the settings say otherwise: weeks of a
/// busy fleet's changes, and a few megabytes of a small flash at usual sizes.
pub const HISTORY_KEPT: usize = 64;
/// The least that can be set. When another branch wins, what it does not contain is read back from the history: a host that has been
/// cut off for long must still have its own changes to list them.
pub const HISTORY_KEPT_MIN: usize = 16;
/// The most: in memory each costs its header and its edit, usually less than a kilobyte, and 4 KiB of values and the edit's paths at
/// the worst.
pub const HISTORY_KEPT_MAX: usize = 1024;
/// Uncontained revisions of a group. Writes stop at [`OPEN_MAX`]; the rest is room for what other hosts wrote before they saw that.
pub const UNCONTAINED_MAX: usize = 256;
/// Edits remembered as contained after the ledger has forgotten them, and as not contained: four ledgers each.
pub const SEEN_MAX: usize = 4 * LEDGER_MAX;
/// Node records held: far above any fleet this is meant for, and 40 MB at the very worst.
pub const NODES_MAX: usize = 8192;
/// A node record older than this is neither sent nor taken.
pub const NODE_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Contacts in the address book.
pub const CONTACTS_MAX: usize = 1024;
/// A delta is worth sending if it is this many times shorter than the body.
pub const DELTA_WORTH: usize = 2;

// ── tuning: links ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Bytes that may wait for one link before floods are dropped. Answers may use twice this; beyond it the link is closed.
pub const QUEUE_MAX: usize = 1 << 20;
/// Bodies that one link is sent at a time.
pub const SERVING_MAX: usize = 4;
/// IDs of records that the other side is known to have, per link: enough for what crosses a link in a burst.
pub const KNOWN_MAX: usize = 64;
/// Silence after which a link is pinged.
pub const PING_AFTER: Duration = Duration::from_secs(10);
/// Silence after which a link is dead: with the ping at 10 s, a dead link is noticed within 15 s.
pub const DEAD_AFTER: Duration = Duration::from_millis(14_500);
/// Newcomers that wait for an old link's answer at once.
pub const NEWCOMERS_MAX: usize = 8;
/// How long an old link has to answer when a newcomer with the same identity but another run knocks.
pub const CLONE_TEST: Duration = Duration::from_secs(1);
/// Two links of the same two runs, begun within this of each other from both sides, are two dials that met.
pub const DIALS_MET: Duration = Duration::from_secs(5);

// ── tuning: mesh ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Up to this many known hosts everybody is linked with everybody.
pub const FULL_MESH: usize = 8;
/// Outgoing links in a larger fleet: 99.6 % of the survivors stay in one piece when 30 % die at once.
pub const OUTGOING: usize = 3;
/// Links above which a caller that has others is sent elsewhere.
pub const DEGREE_MAX: usize = 12;
/// Links above which everybody is.
pub const LINKS_MAX: usize = 64;
/// Dials under way at once.
pub const DIALS_MAX: usize = 8;
/// The shortest wait before a contact is tried again.
pub const RETRY_MIN: Duration = Duration::from_millis(500);
/// The shortest wait of all, for what must not be done in a circle without any.
pub const RETRY_SOON: Duration = Duration::from_millis(50);
/// The longest.
pub const RETRY_MAX: Duration = Duration::from_secs(60);
/// The longest while the contact was linked a short time ago: it is probably being restarted or plugged in.
pub const RETRY_LATELY_MAX: Duration = Duration::from_secs(4);
/// That short time.
pub const LATELY: Duration = Duration::from_secs(600);
/// Of two peers that find each other by mDNS, the one with the greater instance name waits this long for the other to dial.
pub const MDNS_PATIENCE: Duration = Duration::from_millis(500);
/// In a fleet above [`FULL_MESH`], one link is exchanged for another this often (plus or minus a half): heals what was split.
pub const ROTATE_EVERY: Duration = Duration::from_secs(30);

// ── tuning: spreading ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Documents are compared with one random peer this often, plus or minus a half.
pub const SYNC_EVERY: Duration = Duration::from_secs(30);
/// Node records likewise.
pub const SYNC_NODES_EVERY: Duration = Duration::from_secs(300);
/// Records of which further copies are passed over without decoding them.
pub const LATELY_HELD_MAX: usize = 128;
/// Bodies being pulled at once; their buffers are the only memory that a peer can make us hold.
pub const PULLS_MAX: usize = 4;
/// Revisions asked for by ID at once, and files read for peers at once.
pub const WANTED_MAX: usize = 64;
/// Deltas that wait for a body which is being pulled: a few changes made while a large document crosses a slow link.
pub const BEHIND_MAX: usize = 16;
/// Without a new piece for this long, or three times as long as the slowest took, the next peer that offered is asked.
pub const PULL_PATIENCE: Duration = Duration::from_secs(2);
/// So many times in a row without a new piece, and a pull is given up until the next exchange.
pub const PULL_ROUNDS_MAX: u32 = 15;
/// Values in a node record, so that 8 192 of them stay within a few dozen megabytes however they are written.
pub const NODE_VALUES_MAX: usize = 64;
/// A node record is made anew this often for each 32 peers. Ten seconds, as first planned, cost five idle hosts four times the rest.
pub const REFRESH_EVERY: Duration = Duration::from_secs(60);
/// A node record changes at most this often.
pub const REFRESH_MIN: Duration = Duration::from_secs(2);
/// How long a change of the node record waits for others to go with it.
pub const REFRESH_GATHER: Duration = Duration::from_millis(100);
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
/// What may wait for the loop. The threads that fill it wait when it is full, so this only bounds memory: 256 frames of 40 KiB.
pub const EVENTS_MAX: usize = 256;
/// Jobs that wait for a place in the disk's queue before the disk is given up.
pub const DISK_WAITING_MAX: usize = 256;
/// Files of the history that are read at a time: each is a document in memory and a thread.
pub const LOADS_MAX: usize = 4;
/// How often interfaces are looked at.
pub const WATCH_EVERY: Duration = Duration::from_secs(15);
/// The same while a peer that was linked lately is missing: a cable that is plugged in must not wait.
pub const WATCH_LOST_EVERY: Duration = Duration::from_millis(250);

// ── tuning: server and clients ──────────────────────────────────────────────────────────────────────────────────────────────────

/// Changes by clients that may wait their turn.
pub const WRITES_MAX: usize = 64;
/// Fewer digits of an ID are not taken for its beginning.
pub const SHORT_ID_MIN: usize = 4;
/// Problems that are remembered until the end of the run.
pub const PROBLEMS_MAX: usize = 32;
/// Conflicts that one change may settle by name.
pub const SETTLES_MAX: usize = 64;
/// Restored revisions and conflicts to be kept that are being read or wait their turn: each may hold a whole document.
pub const ERRANDS_MAX: usize = 4;
/// Older revisions that no linked peer had are asked for again after this, or when there is a new link.
pub const FETCH_AGAIN: Duration = Duration::from_secs(60);
/// Bodies that are read to find out since when a value stands, in bytes: 32 of a megabyte each take about a second.
pub const BLAME_READ_MAX: usize = 32 << 20;
/// Changes that a difference lists one by one: a page that a person can still look through.
pub const DIFFERENCE_MAX: usize = 1024;
/// The values of a difference taken together, as compact text in bytes; what is longer is given by its length. With tabs and line ends
/// the answer still fits what clients of Unit take.
pub const DIFFERENCE_VALUES_MAX: usize = DOCUMENT_MAX;
/// How often a change is redone when the head moves under it.
pub const WRITE_TRIES: usize = 3;
/// The server is looked at this often: what it lost is given back within about 2 s.
pub const OBSERVE_EVERY: Duration = Duration::from_secs(2);
/// A refused head is offered to the server again after this, doubling.
pub const REAPPLY_MIN: Duration = Duration::from_secs(5);
/// The longest such wait.
pub const REAPPLY_MAX: Duration = Duration::from_secs(300);
/// A head that does not contain the applied edit is applied after this: one that does may be on its way.
pub const FLAP_PATIENCE: Duration = Duration::from_secs(1);
/// The file with the token for REST over TCP, in bytes.
pub const TOKEN_FILE_MAX: u64 = 4096;
/// A server's words as shown to others, in bytes.
pub const WORDS_MAX: usize = 512;

// ── tuning: sockets of links, listener, dialler ────────────────────────────────────────────────────────────────────────────────

/// What may be on its way to one peer before it is written to the socket, in bytes of credit. Six of the largest frames: enough
/// to keep a gigabit wire busy over the milliseconds that the loop takes to refill it, little enough for 64 links on a host with
/// 32 MB.
pub const LINK_WINDOW: u32 = 256 << 10;
/// The least that a frame is charged, in bytes of credit: a queue's place costs memory however short the frame. With it the
/// window is also a bound on the number of frames.
pub const CREDIT_MIN: u32 = 1024;
/// Credit is given back in parts of at least this: a wake-up of the loop for a frame would cost more than the frame.
pub const CREDIT_STEP: u32 = LINK_WINDOW / 4;
/// Sealed frames are gathered into one write until there are this many bytes: above it a system call is no longer what costs.
pub const WRITE_BATCH: usize = 64 << 10;
/// What a link's reader reads ahead, in bytes: the small frames of a busy link come several to a system call, and an idle link
/// costs no more than a page for it. Larger frames are read straight into their own place.
pub const READ_AHEAD: usize = 4 << 10;
/// How long a link that is being closed may take to send what is queued, and again to hear the other side close. A restart must
/// not hang on a peer that has stopped reading.
pub const LINK_LINGER: Duration = Duration::from_secs(1);
/// A write that cannot go on looks up this often whether the link is being closed. Only stalled links wake for it.
pub const WRITE_PATIENCE: Duration = Duration::from_millis(250);
/// Written bytes that the other host's kernel has not acknowledged for this long end the link, as does a reader that takes
/// nothing for this long: TCP alone would wait a quarter of an hour on a cable that was pulled.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);
/// Bytes that the kernel takes of a link beyond those that are on the wire. It would take megabytes, and what is written after them
/// would wait for minutes on a slow wire; this is a piece, and keeps a fast one busy all the same.
pub const UNSENT_MAX: u32 = 16 << 10;
/// The stack of a link's reader and writer: they seal, open, read and write. Optimised they need less than 16 KiB (measured), in a
/// debug build between 32 and 64; the rest is for the sink, which is the daemon's. Only pages that are touched cost memory.
pub const LINK_STACK: usize = 128 << 10;
/// The port where peers listen unless told otherwise.
pub const PORT: u16 = 7117;
/// Connections whose first flight has not come yet. A stranger holds one for a second, the oldest loses its place to the next.
pub const FIRST_FLIGHTS_MAX: usize = 64;
/// How long the first flight may take after the connection: a dialler sends it with the last packet of the TCP handshake.
pub const FIRST_FLIGHT_WAIT: Duration = Duration::from_secs(1);
/// Handshakes at once whose first message has verified. Each costs a thread and two signatures.
pub const HANDSHAKES_MAX: usize = 8;
/// Peers that have shown knowledge of the fleet key and wait for one of those places: a whole mesh that dials a host which has
/// just come back.
pub const VERIFIED_MAX: usize = 64;
/// How long a whole handshake may take, a dial's connecting included: three messages over the worst of links.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
/// The stack of a thread that has to do with handshakes: curve arithmetic with its tables on the stack. Optimised it needs less than
/// 32 KiB (measured), in a debug build between 64 and 128.
pub const HANDSHAKE_STACK: usize = 256 << 10;
/// The stack of the dial and mdns threads, which only pass things on.
pub const SMALL_STACK: usize = 128 << 10;
/// Connections that the kernel may keep for us: a burst of a whole fleet's dials.
pub const BACKLOG: i32 = 128;
/// The pause after `accept` has failed (no file descriptors, no memory): what is short comes back when connections end, not by
/// trying.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(250);
/// Dials that wait for one of those places: the addresses of a large segment's peers, which mDNS gives all at once.
pub const DIALS_QUEUED: usize = 64;
/// Addresses of one host name that a dial tries, each with an even share of the time that is left.
pub const RESOLVED_MAX: usize = 8;
/// A wait that the system rounds to nothing would be no time-out at all.
pub const CONNECT_WAIT_MIN: Duration = Duration::from_millis(10);

// ── tuning: discovery ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Browsing begins anew this often. mdns-sd's own browsing backs off to an hour, and a healed partition would go unnoticed for
/// long.
pub const BROWSE_EVERY: Duration = Duration::from_secs(30);
/// So many times after the start or a change of the network, and then
pub const BROWSES_EAGER: u32 = 10;
/// this often: each browse is answered by every host on the wire, which costs five idle hosts more than all else they do. Known peers
/// are reconnected from the address book; mDNS only has to find those that were never met.
pub const BROWSE_CALM_EVERY: Duration = Duration::from_secs(300);
/// A daemon that has not heard its own announcement by then is deaf (the port is taken, avahi refuses company, no interface is up).
pub const DEAF_AFTER: Duration = Duration::from_secs(3);
/// The longest pause between two tries of a deaf or flooded daemon.
pub const MDNS_RETRY_MAX: Duration = Duration::from_secs(30);
/// How often the size of mdns-sd's cache is looked at, one look after it was asked for. A flood of 6 000 records a second, all that a
/// small sender makes, grows it by 10 MB in two such times.
pub const MDNS_CHECK_EVERY: Duration = Duration::from_secs(10);
/// How often mdns-sd looks for new interfaces and addresses, in seconds.
pub const MDNS_INTERFACES_EVERY_S: u32 = 15;
/// Records and timers that mdns-sd may hold: a thousand hosts' worth, some 5 MB by measurement. It has no bound of its own.
pub const MDNS_RECORDS_MAX: i64 = 8 << 10;
/// Timers count less: 16 bytes each.
pub const MDNS_TIMERS_MAX: i64 = 64 << 10;
/// Instances remembered so as not to report them twice; beyond it nobody new is reported until browsing begins anew.
pub const INSTANCES_MAX: usize = 512;
/// Addresses reported of one instance.
pub const FOUND_ADDRESSES_MAX: usize = 16;
/// mdns-sd sends an announcement, and again 1.1 s later, and nothing of it within a second of either (RFC 6762, sections 6 and
/// 8.3): one made within this time of another may not go out.
pub const ANNOUNCED_LATELY: Duration = Duration::from_millis(2200);
/// With more hosts than this on the wire nobody announces itself because somebody new was heard: the answers to the newcomer's
/// own question come soon enough, and a thousand hosts that start at once must not each answer each.
pub const GREETED_FLEET_MAX: usize = 16;
/// How long stopping waits for the goodbye to be sent. It takes less than a millisecond unless something is wrong.
pub const GOODBYE_WAIT: Duration = Duration::from_millis(500);
/// Events between mdns-sd's channel and the mdns thread. When it is full mdns-sd's own channel (1000) fills, and browsing begins
/// anew.
pub const MDNS_QUEUE: usize = 64;

const _: () =
    assert!(CREDIT_STEP + FRAME_MAX as u32 <= LINK_WINDOW, "a frame must fit beside what was written but not yet given back");

// ── unit and target: this host's server ─────────────────────────────────────────────────────────────────────────────────────────

/// A request's head, in bytes, line and headers and empty line: at one more Unit closes without a word.
pub const REQUEST_HEAD_MAX: usize = 1024;
/// An answer's body, in bytes. Unit writes tabs and line ends, and a document of [`DOCUMENT_MAX`] in many short lines grows threefold.
pub const ANSWER_MAX: u64 = 16 << 20;
/// Each of ureq's two buffers for a connection, in bytes; it must hold an answer's head, which Unit keeps below 200.
pub const HTTP_BUFFER: usize = 16 << 10;
/// Until a TCP control socket must have accepted. It is on this host.
pub const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Until a change must be answered: Unit answers when the applications have started, and a large one takes its time.
pub const CHANGE_WAIT: Duration = Duration::from_secs(60);
/// Until a read must be answered. Unit takes 40 µs, also while a change is pending.
pub const READ_WAIT: Duration = Duration::from_secs(10);
/// How often a server that is gone is asked again after a change, and
pub const READ_BACK_TRIES: u32 = 50;
/// the pause between: five seconds in all, in which a service manager has restarted it.
pub const READ_BACK_WAIT: Duration = Duration::from_millis(100);
/// Paths that are named where two documents differ: more tell a person nothing.
pub const DIFFERENCES_MAX: usize = 8;
/// Members from which on Unit no longer keeps an object's order.
pub const REORDERED_FROM: usize = 11;
/// Observations of a configuration too long to come whole that look at its beginning and length only, before one compares every part:
/// that takes a request for each of them, thousands for a long list of routes.
pub const GLANCES_MAX: u32 = 60;
/// Jobs that wait for the server: a try, an apply, an observation, and one to spare.
pub const TARGET_QUEUE: usize = 4;
/// The stack of the thread, in bytes: ureq keeps its state there, and a document [`DEPTH_MAX`] deep is parsed and compared.
pub const TARGET_STACK: usize = 256 << 10;

const _: () = assert!(ANSWER_MAX >= 2 * DOCUMENT_MAX as u64, "a document must come back");
const _: () = assert!(DEPTH_MAX < 128, "the recursion must fit a 64 KiB stack");

// ── gate: the REST endpoint's front ─────────────────────────────────────────────────────────────────────────────────────────────

/// Connections at once on each of the gate's listeners. A person, a script and a scraper need three; each costs a thread. The Unix
/// socket and TCP are counted apart, so that a browser cannot keep the operator out.
pub const GATE_CONNECTIONS_MAX: usize = 64;
/// The stack of a connection's thread, in bytes: its buffers are on the heap, and nothing in it recurses.
pub const GATE_STACK_BYTES: usize = 64 << 10;
/// A request's head, in bytes. Unit takes 1 KiB, browsers with cookies send up to 16.
pub const GATE_HEAD_MAX: usize = 32 << 10;
/// Header lines of a request; a browser sends about 20.
pub const GATE_HEADERS_MAX: usize = 100;
/// A request's body, in bytes: a whole document as it is shown, indented, may be sent back as it was read.
pub const GATE_BODY_MAX: usize = DOCUMENT_MAX + (2 << 20);
/// A chunk's size line, or all trailers of a chunked body, in bytes: both are read and thrown away.
pub const GATE_CHUNK_LINE_MAX: usize = 4 << 10;
/// All bodies and long answers held at once, in bytes: the daemon must fit a host with 32 MB.
pub const GATE_HELD_MAX: usize = 24 << 20;
/// An answer up to this length, in bytes, is not counted against [`GATE_HELD_MAX`]: `GET /healthz` works when nothing else does.
pub const GATE_ANSWER_SMALL: usize = 32 << 10;
/// One read from a connection, in bytes.
pub const GATE_READ_BYTES: usize = 16 << 10;
/// The whole head must be here by then; an honest client sends it in one packet.
pub const GATE_HEAD_WAIT: Duration = Duration::from_secs(10);
/// Without a byte for so long, the client is taken for gone.
pub const GATE_IDLE_WAIT: Duration = Duration::from_secs(10);
/// The whole body must be here by then: 6 MiB at 100 kB/s.
pub const GATE_BODY_WAIT: Duration = Duration::from_secs(60);
/// An answer must have begun by then. A server that restarts its applications takes minutes at worst.
pub const GATE_ANSWER_WAIT: Duration = Duration::from_secs(300);
/// The whole answer must be taken by then.
pub const GATE_WRITE_WAIT: Duration = Duration::from_secs(60);
/// After the answer, what the client still sends is thrown away for so long: closing at once would reset the connection under an
/// answer that the client has not read.
pub const GATE_LINGER_WAIT: Duration = Duration::from_secs(1);
/// How long a request waits for descriptors, or for the server behind the gate to be made anew.
pub const GATE_HANDOVER_WAIT: Duration = Duration::from_secs(2);
/// Between two tries of what may fail for want of descriptors: accepting, handing over, making the server anew.
pub const GATE_RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long a listener waits for the descriptors of connections that it has evicted; their threads end at once.
pub const GATE_EVICT_WAIT: Duration = Duration::from_millis(50);
/// How long a stop waits for requests that are under way.
pub const GATE_STOP_WAIT: Duration = Duration::from_secs(1);
/// Descriptors that must be free for a connection to be let in, so that links, files and the server behind the gate find some.
pub const GATE_FILES_SPARE: usize = 8;
/// Descriptors that must be free for a request to be handed over. It takes three: the gate's end, the server's end, and the server's
/// second handle on it; and another request may be on its way.
pub const GATE_FILES_HANDOVER: usize = 6;

const _: () = assert!(GATE_FILES_HANDOVER <= GATE_FILES_SPARE);
const _: () = assert!(GATE_HELD_MAX >= 2 * GATE_BODY_MAX, "one upload must not keep out another");

// ── settings, command line, state directory ─────────────────────────────────────────────────────────────────────────────────────

/// The settings file, in bytes: a few dozen lines are usual; whatever is longer is some other file.
pub const SETTINGS_FILE_MAX: usize = 64 << 10;
/// Peers and interfaces that can be named in the settings: beyond a few, peers tell each other of the rest.
pub const SETTING_LIST_MAX: usize = 64;
/// A network interface's name, in bytes: Linux has 16 with the terminating zero.
pub const INTERFACE_NAME_MAX: usize = 15;
/// The path of a Unix socket, in bytes: `sun_path` has 108 with the terminating zero. The REST endpoint opens two sockets beside it
/// under longer names (`.http.tmp`), for which nine bytes are kept free.
pub const SOCKET_PATH_MAX: usize = 107 - 9;
/// `identity.key`, `owner.key` and `fleet.json`, in bytes: each has a few hundred.
pub const STATE_FILE_MAX: usize = 16 << 10;
/// `addresses.json`, in bytes: 8 192 peers with eight addresses each are about 3 MB.
pub const ADDRESSES_FILE_MAX: usize = 4 << 20;
/// A revision's file, in bytes: its document, and in the worst case an edit that replaced all of it.
pub const REVISION_FILE_MAX: usize = 2 * DOCUMENT_MAX + (1 << 20);
/// The name of a revision's file, in bytes: height, a dash and 64 hexadecimal digits, with room to spare.
pub const REVISION_NAME_MAX: usize = 128;
/// Copies of one damaged file that are set aside before that is refused: a disk that damages more must be looked at by a person.
pub const DAMAGED_MAX: u32 = 99;
/// Jobs that wait for the disk. A slow SD card takes 100 ms for one; more than this waiting means that it has stopped.
pub const DISK_QUEUE: usize = 64;
/// A disk that has failed is probed after this, doubling: a few hundred bytes each time.
pub const PROBE_MIN: Duration = Duration::from_secs(2);
/// The longest such wait: somebody who has made room should not wait long for it to be noticed.
pub const PROBE_MAX: Duration = Duration::from_secs(15);
/// Jobs that share their fsyncs: more would make the first wait long for the last.
pub const DISK_BATCH: usize = 16;
/// How long a stop waits for the jobs that are queued: longer than a slow card takes, shorter than service managers wait.
pub const DISK_STOP_WAIT: Duration = Duration::from_secs(5);
/// The stack of the disk thread, in bytes: paths and system calls, and now and then the text of `fleet.json`.
pub const DISK_STACK: usize = 128 << 10;

// ── the simulation of `starling sim` ────────────────────────────────────────────────────────────────────────────────────────────

/// Hosts: less than [`NODES_MAX`], beyond which no fleet is meant to grow.
pub const SIM_HOSTS_MAX: usize = 8000;
/// With more hosts node records are left out unless asked for: they cost by the square of the fleet.
pub const SIM_NODE_RECORDS_HOSTS: usize = 200;
/// Contacts in the address book of each host, drawn at random, when nobody learns of others from node records.
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
const _: () = assert!(LINK_WINDOW as usize >= 2 * FRAME_MAX, "a frame always fits the window");
const _: () = assert!(INLINE_MAX + HEADER_MAX + 256 <= FRAME_MAX, "a record with an inline body is one frame");
const _: () = assert!(DOUBTS_MAX * 40 + NAME_MAX + 64 <= FRAME_MAX, "a list of edits is one frame");
const _: () = assert!(IDS_MAX * 32 + BUCKETS * 8 + 64 <= FRAME_MAX, "a list of IDs is one frame");
const _: () = assert!(FRAME_MAX <= 65_519, "a frame is one Noise message");
const _: () = assert!(BODY_MAX >= DOCUMENT_MAX + OPEN_LISTED_MAX * (OPEN_VALUE_MAX + 2048), "conflicts fit beside the document");
