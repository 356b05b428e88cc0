//! The sizes, counts and waits of one host: its sockets, its server, its clients, its disk.
//!
//! All of it is tuning: no other host notices what is chosen here.

use std::time::Duration;

use super::protocol::{DEPTH_MAX, DOCUMENT_MAX, FRAME_MAX};

// ── tuning: sockets of links, listener, dialler
// ────────────────────────────────────────────────────────────────────────────────

/// What may be on its way to one peer before it is written to the socket, in bytes of credit. Six
/// of the largest frames: enough to keep a gigabit wire busy over the milliseconds that the loop
/// takes to refill it, little enough for 64 links on a host with 32 MB.
pub const LINK_WINDOW: u32 = 256 << 10;
/// The least that a frame is charged, in bytes of credit: a queue's place costs memory however
/// short the frame. With it the window is also a bound on the number of frames.
pub const CREDIT_MIN: u32 = 1024;
/// Credit is given back in parts of at least this: a wake-up of the loop for a frame would cost
/// more than the frame.
pub const CREDIT_STEP: u32 = LINK_WINDOW / 4;
/// Sealed frames are gathered into one write until there are this many bytes: above it a system
/// call is no longer what costs.
pub const WRITE_BATCH: usize = 64 << 10;
/// What is read of one link before the others have their turn, in bytes, and read at once where it
/// is there: a large frame and a half.
pub const READ_TURN: usize = 64 << 10;
/// How long a link that is being closed may take to send what is queued, and again to hear the
/// other side close. A restart must not hang on a peer that has stopped reading.
pub const LINK_LINGER: Duration = Duration::from_secs(1);
/// Written bytes that the other host's kernel has not acknowledged for this long end the link, as
/// does a reader that takes nothing for this long: TCP alone would wait a quarter of an hour on a
/// cable that was pulled.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);
/// Bytes that the kernel takes of a link beyond those that are on the wire. It would take
/// megabytes, and what is written after them would wait for minutes on a slow wire; this is a
/// piece, and keeps a fast one busy all the same.
pub const UNSENT_MAX: u32 = 16 << 10;
/// The port where peers listen unless told otherwise.
pub const PORT: u16 = 7117;
/// Connections whose first flight has not come yet. A stranger holds one for a second, the oldest
/// loses its place to the next.
pub const FIRST_FLIGHTS_MAX: usize = 64;
/// How long the first flight may take after the connection: a dialler sends it with the last packet
/// of the TCP handshake.
pub const FIRST_FLIGHT_WAIT: Duration = Duration::from_secs(1);
/// Handshakes at once whose first message has verified. Each costs a thread and two signatures.
pub const HANDSHAKES_MAX: usize = 8;
/// Peers that have shown knowledge of the fleet key and wait for a place among
/// [`HANDSHAKES_MAX`]: a whole mesh
/// that dials a host which has just come back.
pub const VERIFIED_MAX: usize = 64;
/// Places for handshakes that callers from one IP take at most.
pub const HANDSHAKES_FROM_ONE: usize = 2;
/// Verified callers from one IP that wait for a handshake place at most: a handful of peers behind
/// one router, while whoever plays back what he has recorded of a fleet's first flights keeps
/// nobody out.
pub const VERIFIED_FROM_ONE: usize = 8;
/// Handshake places that are kept for IPs from which a handshake was completed: whoever plays back
/// first flights may do so from many IPs.
pub const HANDSHAKES_KEPT: usize = 2;
/// IPs that are remembered, the last ones, because a handshake was completed from them.
pub const MET_IPS_MAX: usize = 1024;
const _: () = assert!(
    HANDSHAKES_FROM_ONE + HANDSHAKES_KEPT <= HANDSHAKES_MAX && VERIFIED_FROM_ONE < VERIFIED_MAX
);
/// How long a whole handshake may take, a dial's connecting included: three messages over the worst
/// of links.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
/// The stack of a thread that has to do with handshakes: curve arithmetic with its tables on the
/// stack. Optimised it needs less than 32 KiB (measured), in a debug build between 64 and 128.
pub const HANDSHAKE_STACK: usize = 256 << 10;
/// The stack of the dial and mdns threads, which only pass things on.
pub const SMALL_STACK: usize = 128 << 10;
/// Connections that the kernel may keep for us: a burst of a whole fleet's dials.
pub const BACKLOG: i32 = 128;
/// The pause after `accept` has failed (no file descriptors, no memory): what is short comes back
/// when connections end, not by trying.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(250);
/// Dials that wait for one of those places: the addresses of a large segment's peers, which mDNS
/// gives all at once.
pub const DIALS_QUEUED: usize = 64;
/// Addresses of one host name that a dial tries, each with an even share of the time that is left.
pub const RESOLVED_MAX: usize = 8;
/// A wait that the system rounds to nothing would be no time-out at all.
pub const CONNECT_WAIT_MIN: Duration = Duration::from_millis(10);

// ── tuning: discovery
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Browsing begins anew this often while somebody is missing: every host on the wire answers.
pub const BROWSE_EVERY: Duration = Duration::from_secs(30);
/// Browses while somebody is missing before they become rare.
pub const BROWSES_EAGER: u32 = 10;
/// How often one of the hosts on a wire browses when nobody is missing: it only has to find those
/// that were never met, and whoever starts looks himself. Each host does it so many times rarer as
/// there are hosts.
pub const BROWSE_CALM_EVERY: Duration = Duration::from_secs(300);
/// How long a browse lasts. In it mdns-sd asks four times, the last after seven seconds.
pub const BROWSE_FOR: Duration = Duration::from_secs(10);
/// From a change of the network to a browse: mdns-sd, told to look at its interfaces, does so after
/// a second.
pub const BROWSE_NEW_NETWORK_AFTER: Duration = Duration::from_secs(2);
/// A daemon that has not heard its own announcement by then is deaf (the port is taken, avahi
/// refuses company, no interface is up).
pub const DEAF_AFTER: Duration = Duration::from_secs(3);
/// The longest pause between two tries of a deaf or flooded daemon.
pub const MDNS_RETRY_MAX: Duration = Duration::from_secs(30);
/// How often the size of mdns-sd's cache is looked at, one look after it was asked for. A flood of
/// 6 000 records a second, all that a small sender makes, grows it by 10 MB in two such times.
pub const MDNS_CHECK_EVERY: Duration = Duration::from_secs(10);
/// How often mdns-sd looks for new interfaces and addresses of its own accord, in seconds; it is
/// told to when the thread `watch` has found some.
pub const MDNS_INTERFACES_EVERY_S: u32 = 60;
/// Records and timers that mdns-sd may hold: a thousand hosts' worth, some 5 MB by measurement. It
/// has no bound of its own.
pub const MDNS_RECORDS_MAX: i64 = 8 << 10;
/// Timers count less: 16 bytes each.
pub const MDNS_TIMERS_MAX: i64 = 64 << 10;
/// How often mdns-sd is started again in one run of the program after its thread has panicked. Each
/// that has leaves a stack, its sockets and its cache behind.
pub const MDNS_DEATHS_MAX: u32 = 3;
/// Instances remembered so as not to report them twice; beyond it nobody new is reported until
/// browsing begins anew.
pub const INSTANCES_MAX: usize = 512;
/// Addresses reported of one instance.
pub const FOUND_ADDRESSES_MAX: usize = 16;
/// An announcement that is made within this time of another may not go out: `mdns-sd` sends each
/// twice, 1.1 s apart, and nothing within a second of either (RFC 6762, sections 6 and 8.3).
pub const ANNOUNCED_LATELY: Duration = Duration::from_millis(2200);
/// With more hosts than this on the wire nobody announces itself because somebody new was heard:
/// the answers to the newcomer's own question come soon enough, and a thousand hosts that start at
/// once must not each answer each.
pub const GREETED_FLEET_MAX: usize = 16;
/// How long stopping waits for the goodbye to be sent. It takes less than a millisecond unless
/// something is wrong.
pub const GOODBYE_WAIT: Duration = Duration::from_millis(500);
/// Events between mdns-sd's channel and the mdns thread. When it is full mdns-sd's own channel
/// (1000) fills, and browsing begins anew.
pub const MDNS_QUEUE: usize = 64;

const _: () = assert!(
    CREDIT_STEP + FRAME_MAX as u32 <= LINK_WINDOW,
    "a frame must fit beside what was written but not yet given back"
);

// ── unit and target: this host's server
// ─────────────────────────────────────────────────────────────────────────────────────────

/// A request's head, in bytes, line and headers and empty line: at one more Unit closes without a
/// word.
pub const REQUEST_HEAD_MAX: usize = 1024;
/// The path of a question that is passed through to the server: three bytes for each of a name's,
/// at most 256 of which Unit looks up, and what stands around it. It leaves the other lines of the
/// head more than they need.
pub const PASS_PATH_MAX: usize = 800;
const _: () = assert!(PASS_PATH_MAX + 200 < REQUEST_HEAD_MAX);
/// An answer's body, in bytes. Unit writes tabs and line ends, and a document of [`DOCUMENT_MAX`]
/// in many short lines grows threefold.
pub const ANSWER_MAX: u64 = 16 << 20;
/// Each of ureq's two buffers for a connection, in bytes; it must hold an answer's head, which Unit
/// keeps below 200.
pub const HTTP_BUFFER: usize = 16 << 10;
/// Until a TCP control socket must have accepted. It is on this host.
pub const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Until a change must be answered: Unit answers when the applications have started, and a large
/// one takes its time.
pub const CHANGE_WAIT: Duration = Duration::from_secs(60);
/// Until a read must be answered. Unit takes 40 µs, also while a change is pending.
pub const READ_WAIT: Duration = Duration::from_secs(10);
/// Times that a server which is gone is asked again after a change.
pub const READ_BACK_TRIES: u32 = 50;
/// The pause between two of [`READ_BACK_TRIES`]: five seconds in all, in which a service manager
/// has restarted it.
pub const READ_BACK_WAIT: Duration = Duration::from_millis(100);
/// Paths that are named where two documents differ: more tell a person nothing.
pub const DIFFERENCES_MAX: usize = 8;
/// Members from which on Unit no longer keeps an object's order.
pub const REORDERED_FROM: usize = 11;
/// Places that a change has changed and that are read back one by one where a configuration does
/// not come whole. A change in more of them is most of a document, and all of it is read.
pub const PLACES_CHECKED_MAX: usize = 32;
/// Observations in which every part of a configuration that does not come whole is looked at once:
/// some two minutes.
pub const ROUND_LOOKS: usize = 60;
/// Parts of a configuration that does not come whole which are looked at right before it is
/// replaced, one request each: mostly all of them, but a third in an array of 2 420 routes in 589
/// kB. Some 900 requests take as long as Unit itself does for a small change of that one, and
/// with all else a change may take twice that.
pub const LOOK_BEFORE_MAX: usize = 512;
/// How often it is begun to read a configuration in parts, if it is changed meanwhile. Three
/// changes within a second are no accident.
pub const WHOLE_TRIES: u32 = 3;
/// Configurations of which it is remembered that the server was given them in this run: one that is
/// set back some changes is told from one that somebody has changed.
pub const OWN_REMEMBERED: usize = 32;
/// Jobs that wait for the server: a try, an apply, an observation, and one to spare.
pub const TARGET_QUEUE: usize = 4;
/// Questions of clients that wait for the server: each holds a place of the gate, so a handful is
/// much.
pub const PASS_QUEUE: usize = 16;
/// Levels of a configuration below each of which something does not come whole: Unit knows of no
/// configuration with more.
pub const PARTS_DEPTH_MAX: usize = 16;
/// The stack of the thread, in bytes, and of the one that passes questions on: ureq keeps its state
/// there, a document [`DEPTH_MAX`] deep is parsed and compared, and [`PARTS_DEPTH_MAX`] levels are
/// read in parts. What is not used of it takes no memory.
pub const TARGET_STACK: usize = 1 << 20;
/// The reason for a refusal that is looked for on this host, in bytes: it travels in a header and
/// in a line of the status.
pub const REFUSAL_REASON_MAX: usize = 512;
/// Findings in it: whoever has mended four tries again.
pub const REASONS_MAX: usize = 4;
/// How long the client of a refused change waits for the reason. It is there in milliseconds,
/// unless a file system hangs.
pub const REASON_WAIT: Duration = Duration::from_secs(2);
/// The stack of the thread that looks, in bytes: it reads tables of `/proc`, and drops a document.
pub const REASON_STACK: usize = 256 << 10;
/// Listeners that are tried in search of the reason for a refusal.
pub const LISTENERS_TRIED_MAX: usize = 64;
/// Applications that are looked at in search of the reason for a refusal: each is a few system
/// calls.
pub const APPLICATIONS_LOOKED_AT_MAX: usize = 64;
/// The kernel's table of routes, in bytes: a hundred for each, and a default route is never far
/// behind.
pub const ROUTE_TABLE_MAX: u64 = 256 << 10;
/// A kernel's table of sockets, in bytes: 150 for each, and a busy server has ten thousand
/// connections.
pub const SOCKET_TABLE_MAX: u64 = 4 << 20;
/// Processes that are looked through for the one that holds a port.
pub const HOLDER_PROCESSES_MAX: usize = 4096;
/// Open files that are looked through for the process that holds a port: 50 ms of system calls.
pub const HOLDER_FILES_MAX: usize = 65_536;
/// `/etc/passwd` or `/etc/group`, in bytes: whatever is longer is not read to its end, and then
/// nothing is said of it.
pub const ACCOUNTS_MAX: u64 = 1 << 20;

const _: () = assert!(
    ANSWER_MAX >= 2 * DOCUMENT_MAX as u64,
    "a document must come back"
);
const _: () = assert!(DEPTH_MAX < 128, "the recursion must fit a 64 KiB stack");

// ── gate: the REST endpoint's front
// ─────────────────────────────────────────────────────────────────────────────────────────────

/// Connections at once on each of the gate's listeners. A person, a script and a scraper need
/// three; each costs a thread. The Unix socket and TCP are counted apart, so that a browser cannot
/// keep the operator out.
pub const GATE_CONNECTIONS_MAX: usize = 64;
/// The stack of a connection's thread, in bytes: its buffers are on the heap, and nothing in it
/// recurses.
pub const GATE_STACK_BYTES: usize = 64 << 10;
/// Threads for clients that wait for the next one when theirs is gone, of each listener. Those who
/// change something again and again have one or two connections at a time.
pub const GATE_THREADS_KEPT: usize = 8;
/// How long such a thread waits: longer than between the requests of a script, and so short that a
/// host which nobody asks has none.
pub const GATE_THREAD_WAIT: Duration = Duration::from_secs(2);
/// A request's head, in bytes. Unit takes 1 KiB, browsers with cookies send up to 16.
pub const GATE_HEAD_MAX: usize = 32 << 10;
/// Header lines of a request; a browser sends about 20.
pub const GATE_HEADERS_MAX: usize = 100;
/// A request's body, in bytes: a whole document as it is shown, indented, may be sent back as it
/// was read.
pub const GATE_BODY_MAX: usize = DOCUMENT_MAX + (2 << 20);
/// A chunk's size line, or all trailers of a chunked body, in bytes: both are read and thrown away.
pub const GATE_CHUNK_LINE_MAX: usize = 4 << 10;
/// All bodies and long answers held at once, in bytes: the daemon must fit a host with 32 MB.
pub const GATE_HELD_MAX: usize = 24 << 20;
/// An answer up to this length, in bytes, is not counted against [`GATE_HELD_MAX`]: `GET /healthz`
/// works when nothing else does.
pub const GATE_ANSWER_SMALL: usize = 32 << 10;
/// The most that is read from a connection at once, in bytes.
pub const GATE_READ_BYTES: usize = 16 << 10;
/// The whole head must be here by then; an honest client sends it in one packet.
pub const GATE_HEAD_WAIT: Duration = Duration::from_secs(10);
/// Without a byte for so long, the client is taken for gone.
pub const GATE_IDLE_WAIT: Duration = Duration::from_secs(10);
/// The whole body must be here by then: 6 MiB at 100 kB/s.
pub const GATE_BODY_WAIT: Duration = Duration::from_secs(60);
/// An answer must have begun by then. A server that restarts its applications takes minutes at
/// worst.
pub const GATE_ANSWER_WAIT: Duration = Duration::from_secs(300);
/// The whole answer must be taken by then.
pub const GATE_WRITE_WAIT: Duration = Duration::from_secs(60);
/// After the answer, what the client still sends is thrown away for so long: closing at once would
/// reset the connection under an answer that the client has not read.
pub const GATE_LINGER_WAIT: Duration = Duration::from_secs(1);
/// Between two tries of accepting, which may fail for want of descriptors.
pub const GATE_RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long a listener waits for the descriptors of connections that it has evicted; their threads
/// end at once.
pub const GATE_EVICT_WAIT: Duration = Duration::from_millis(50);
/// How long a stop waits for requests that are under way.
pub const GATE_STOP_WAIT: Duration = Duration::from_secs(1);
/// Descriptors that must be free for a connection to be let in, so that links and files find some.
pub const GATE_FILES_SPARE: usize = 8;

const _: () = assert!(
    GATE_HELD_MAX >= 2 * GATE_BODY_MAX,
    "one upload must not keep out another"
);

// ── the loop
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// A loop that should have turned so long ago is taken for standing: nothing that it does takes a
/// tenth of this. Shorter than the patience of peers with a silent link, so that they find no
/// second one.
pub const LOOP_LATE: Duration = Duration::from_secs(5);
/// How often the watchdog looks.
pub const WATCHDOG_EVERY: Duration = Duration::from_secs(20);
/// The loop stands at so many looks in a row: the process is ended after about a minute.
pub const WATCHDOG_BEATS: u32 = 3;
/// How long a request waits between two tries to hand it to a loop that is behind.
pub const LOOP_RETRY: Duration = Duration::from_millis(20);
/// After a signal the process has so long to end in good order, which takes the waits for the gate,
/// the goodbyes and the disk at most.
pub const STOP_WAIT: Duration = Duration::from_secs(10);

// ── the log
// ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Lines that wait for whoever reads the log: a start at debug writes some dozens before anybody
/// may read.
pub const LOG_QUEUE_LINES: usize = 1024;
/// Bytes of lines that wait for whoever reads the log: twice what a pipe holds. Beyond it lines are
/// dropped and counted.
pub const LOG_QUEUE_BYTES: usize = 128 << 10;
/// The pause before a line is offered again to a pipe or terminal that somebody else has told not
/// to let anybody wait.
pub const LOG_RETRY: Duration = Duration::from_millis(50);
/// How long the end of the process waits for its last lines to be read.
pub const LOG_END_WAIT: Duration = Duration::from_secs(1);
/// The stack of the thread, in bytes: it formats one number and writes.
pub const LOG_STACK: usize = 64 << 10;

// ── settings, command line, state directory
// ─────────────────────────────────────────────────────────────────────────────────────

/// The overlay's file, in bytes: it says what is different on one host, and is never as long as a
/// document.
pub const OVERLAY_FILE_MAX: u64 = 1 << 20;
/// How often it is looked at: whoever has saved it waits as long as for anything else that is
/// noticed by looking.
pub const OVERLAY_EVERY: Duration = Duration::from_secs(2);
/// How long a start waits for it. Then it goes on, and gives the server nothing until the file is
/// read.
pub const OVERLAY_START_WAIT: Duration = Duration::from_secs(2);
/// The stack of the thread that reads it, in bytes: a patch [`DEPTH_MAX`] deep is parsed there.
pub const OVERLAY_STACK: usize = 256 << 10;
/// Names of variables that are set for a host, in bytes.
pub const VARIABLE_NAME_MAX: usize = 63;
/// The settings file, in bytes: a few dozen lines are usual; whatever is longer is some other file.
pub const SETTINGS_FILE_MAX: usize = 64 << 10;
/// The name of a user or group of the system, in bytes: Linux's tools make none longer.
pub const SYSTEM_NAME_MAX: usize = 32;
/// Peers and interfaces that can be named in the settings: beyond a few, peers tell each other of
/// the rest.
pub const SETTING_LIST_MAX: usize = 64;
/// A network interface's name, in bytes: Linux has 16 with the terminating zero.
pub const INTERFACE_NAME_MAX: usize = 15;
/// The path of a Unix socket, in bytes: `sun_path` has 108 with the terminating zero. The REST
/// endpoint opens two sockets beside it under longer names (`.http.tmp`), for which nine bytes are
/// kept free.
pub const SOCKET_PATH_MAX: usize = 107 - 9;
/// `identity.key`, `owner.key` and `fleet.json`, in bytes: each has a few hundred.
pub const STATE_FILE_MAX: usize = 16 << 10;
/// `given.json`, in bytes: the names of the certificates of a document of 4 MiB, each with a
/// bundle.
pub const GIVEN_FILE_MAX: usize = 4 << 20;
/// `addresses.json`, in bytes: 8 192 peers with eight addresses each are about 3 MB.
pub const ADDRESSES_FILE_MAX: usize = 4 << 20;
/// A revision's file, in bytes: its document, and in the worst case an edit that replaced all of
/// it.
pub const REVISION_FILE_MAX: usize = 2 * DOCUMENT_MAX + (1 << 20);
/// The name of a revision's file, in bytes: height, a dash and 64 hexadecimal digits, with room to
/// spare.
pub const REVISION_NAME_MAX: usize = 128;
/// A file that holds what somebody had put on the server, in bytes: its configuration as it is
/// read, and at each place what stood there.
pub const DRIFT_FILE_MAX: usize = 2 * ANSWER_MAX as usize;
/// Copies of one damaged file that are set aside before that is refused: a disk that damages more
/// must be looked at by a person.
pub const DAMAGED_MAX: u32 = 99;
/// What the revisions in the state directory may take unless the settings say otherwise, in MiB.
pub const STATE_MIB: u64 = 512;
/// The least that [`STATE_MIB`] can be set to, in MiB: several of the largest documents with a
/// little history.
pub const STATE_MIB_MIN: u64 = 64;
/// The most that [`STATE_MIB`] can be set to, in MiB.
pub const STATE_MIB_MAX: u64 = 1 << 20;
/// The stack of the thread that decodes bodies, in bytes: the parser keeps its own, and what is
/// dropped is a hundred levels deep.
pub const DECODE_STACK: usize = 256 << 10;
/// Jobs that wait for the disk. A slow SD card takes 100 ms for one; more than this waiting means
/// that it has stopped.
pub const DISK_QUEUE: usize = 64;
/// A disk that has failed is probed after this, doubling: a few hundred bytes each time.
pub const PROBE_MIN: Duration = Duration::from_secs(2);
/// The longest such wait: somebody who has made room should not wait long for it to be noticed.
pub const PROBE_MAX: Duration = Duration::from_secs(15);
/// Jobs that share their fsyncs: more would make the first wait long for the last.
pub const DISK_BATCH: usize = 16;
/// How long a stop waits for the jobs that are queued: longer than a slow card takes, shorter than
/// service managers wait.
pub const DISK_STOP_WAIT: Duration = Duration::from_secs(5);
/// The stack of the disk thread, in bytes: paths and system calls, and now and then the text of
/// `fleet.json`.
pub const DISK_STACK: usize = 128 << 10;
