//! Starling keeps the configuration of NGINX Unit the same on every host, peer to peer.
//!
//! This is the map of the program. What it does for people is in starling(8), its REST endpoint in
//! starling-api(7), what goes over links in starling-protocol(7); the words are in the glossary
//! below.
//!
//! # Floors
//!
//! Each directory answers one question, and imports only from floors below its own:
//!
//! ```text
//! cli, main         what was asked: subcommands and flags
//! daemon            how it is done: threads, sockets, files, clocks
//! ═══════════════   nothing below this line does input or output
//! sim               many nodes in one thread: virtual time; network, disks and servers from a seed
//! node              what to do: Input → Node → Effect
//! wire, settings    what peers say; what can be set
//! model             what is replicated: path, document, edit, revision, record, ledger, digest
//! limits, codec     every bound with its reason; bytes, read strictly
//! ```
//!
//! A change by a client takes this way: [`daemon::gate`] takes the request whole, [`daemon::api`]
//! understands it, the loop hands it to [`node::Node`] as an [`node::input::Input`]; the node has
//! it written as pending and tried by the server ([`daemon::target`]), each by an
//! [`node::effect::Effect`] that a later input answers; then it floods the revision while that is
//! made durable ([`daemon::disk`]) and the server is read back, and answers when both are done. On
//! other hosts it comes in
//! as a frame of a link ([`daemon::link`]), and goes the same way to the server.
//!
//! # Glossary
//!
//! One word for one thing, here, in the man pages, over REST and in the log.
//!
//! - **peer**: a host that runs Starling, named by its peer ID: an Ed25519 public key.
//! - **fleet**: the peers that share a fleet key and an owner.
//! - **member, stranger**: whoever has shown that it knows the fleet key; everybody else.
//! - **token**: all that a host needs to join a fleet, as one line of text.
//! - **group**: the hosts of a fleet that follow one document; `default` unless told otherwise.
//! - **document**: the whole desired state of a group: configuration, certificates, JS modules.
//! - **record**: what is replicated, signed by its author: a revision or a node record.
//! - **revision**: one version of a document: that of its base, with one edit applied.
//! - **base**: the revision that another was made on.
//! - **head**: the revision that a group is at: the greatest of all in the order.
//! - **height, stamp**: the base's height and one; the author's time, which only breaks ties.
//! - **node record**: what a host says of itself: name, version, addresses, what its server runs.
//! - **proof, chain**: twelve bytes that only one host can have named; those of a node record, each
//!   of which hashes to the one before it.
//! - **step, beat**: a proof that a host is at a later head, and nothing else has changed; a proof
//!   that it still runs.
//! - **news**: node records, steps and beats, as they go over a link, many in a frame.
//! - **edit**: what a client asked for, once, with what it found there.
//! - **guarded**: of an edit: made for one head only (`If-Match`), and never replayed.
//! - **series, place**: the edits that one process of a host makes in one group, numbered from 1
//!   on; of an edit: its series and number.
//! - **ledger, floor**: the places of the edits that a revision contains; the height up to which
//!   those of series that were not changed for long have dropped out.
//! - **contained, uncontained**: whether the head says that it has an edit, or that it lacks it.
//! - **containment**: what peers are asked about, of edits that a ledger has forgotten.
//! - **replay**: a revision that makes an uncontained edit again, on the head.
//! - **conflict**: an edit that the head lists because it could not be replayed; open until
//!   settled.
//! - **settle**: to decide what becomes of a conflict: its edit is made after all, or dropped.
//! - **transaction**: a change in the making: tried by the server, then published and made durable.
//! - **roll back**: to give the server again what it ran before a transaction.
//! - **dry run**: a transaction that is rolled back whatever comes of it.
//! - **untried**: of a revision: published without any server having tried it.
//! - **link**: one authenticated, encrypted TCP connection between two peers.
//! - **handshake, session, frame**: how a link begins; its keys; one message over it.
//! - **flood**: to pass a new record on to every link but the one that it came from.
//! - **tree**: over which links a revision is passed on whole; over the others only its name goes.
//! - **have, graft, prune**: to name what one holds; to ask for it and be sent whole what follows;
//!   to say that names are enough.
//! - **anti-entropy, exchange**: to compare what two peers hold and send what one lacks; once.
//! - **forwarded request**: a client's change to a group that its host does not follow, carried out
//!   by one that does.
//! - **address book**: the peers that a host knows, with the addresses at which they may be met.
//! - **server**: what a host configures: NGINX Unit or FreeUnit, by its control socket.
//! - **desired, applied**: the head of a host's group; the revision that its server was seen to
//!   run.
//! - **overlay**: what one host puts over its group's document, for its own server only.
//! - **effective document**: the document under a host's overlay: what its server is given.
//! - **drift**: that a server runs something else than it was given, by somebody else's doing.
//! - **adopt, acknowledge, repair**: to publish a drift; to mark it as seen; to end it.
//! - **strike**: to take private keys out of revisions that are history.
//! - **state directory**: where a host keeps its identity, its revisions and what drifted.
//!
//! # Threads
//!
//! One loop owns all state, and there are no locks. Every queue is bounded. **The loop never blocks
//! on a queue but its own; everybody else may block on the loop's.** That excludes deadlock.
//!
//! | thread | what it blocks on |
//! | --- | --- |
//! | `main`: the loop | its queue, until the node's deadline |
//! | `listen` | connections and their first flights, all at once |
//! | `handshake`, one each | one caller that has shown knowledge of the fleet key; 5 s at most |
//! | `dial` | its queue |
//! | `dial-N`, one each | looking up a name, connecting, the handshake; 5 s at most |
//! | `gate-unix`, `gate-tcp` | accepting clients |
//! | `gate`, one a client | the client, under deadlines; the answer; a moment for the next client |
//! | `http` | its queue; the loop's |
//! | `answer` | its queue; the file of a revision that was asked for |
//! | `pass` | its queue, this host's server, and the change that it has under way |
//! | `target` | its queue, and this host's server: a minute for a change |
//! | `reason`, one at a time | files and `/proc`; the target waits for it 2 s at most |
//! | `disk` | its queue, and the disk |
//! | `decode`, while there is a large body | the loop's queue |
//! | `load`, one each | reading the file of a revision that the node needs |
//! | `mdns`, `mdns-events` | the loop's orders; mdns-sd's events |
//! | `signal` | a signal; the time between two looks at the pulse of the loop |
//! | `watch` | its time; the kernel; the file system of a server's socket |
//! | `overlay` | its time; the file system of this host's overlay |
//! | `log` | whoever reads standard error |
//!
//! What the loop does itself is this, and none of it can wait for anybody:
//!
//! - It waits for the sockets of all links at once, for as long as the node has nothing due, and is
//!   woken when something is put into its queue.
//! - It reads those sockets and writes to them, as far as they give and take at once.
//! - It hands things to other threads by queues that it never waits for: jobs to `disk`, `target`,
//!   `pass`, `dial` and `mdns`, answers to `answer`, lines to `log`. Where there is no room the
//!   thing is kept for later, refused with words, or counted.
//! - It starts threads: one for a file to be read or a large body to be decoded, those of a server
//!   that appears. That takes memory and nobody else.
//! - It sets options of connected sockets, shuts them down and closes them; none of them lingers.
//! - It reads the clock, signs, checks, and works on what it holds.
//!
//! All else is left to others: it opens no file, resolves no name, lists no interface and writes to
//! no descriptor. Only when it has been told to end does it remove its socket and wait for the
//! gate, mDNS and the disk, each for a bounded time, and all of it for no longer than the thread
//! `signal` has patience. That it turns is the only sign of life that there is ([`daemon::pulse`]).
//!
//! mdns-sd has a thread of its own. If that panics it is held where it is and another is started, a
//! few times; a panic in one of ours ends the process. Nothing is unwound, and the static binary
//! could not.
//!
//! # The way of a request
//!
//! A request is parsed once, by the gate, which has to bound it, and an answer is printed once, by
//! tiny_http's `Response`. On the way a request is handed over five times: from the listener to a
//! `gate` thread, to `http`, to the loop, from the loop to `answer`, and back to the `gate` thread,
//! which writes the answer as it was printed. A write waits besides for `disk` and `target`.
//!
//! tiny_http's `Server` cannot stand on that way. It takes nothing but a bound socket, parses the
//! bytes of each connection itself, and offers no constructor of its `Request` but one for tests,
//! whose body is `&'static str` and whose answer goes nowhere. It sets no bound and no deadline,
//! and believes any length, so that something before it must know where a request ends, which is to
//! parse it. Behind the gate it would cost a second socket per request, three hand-overs more (to
//! its accepting thread, to one of its pool, to its queue), five threads, the request's second
//! print and parse, and the answer's second parse, for the gate must find the end of what it
//! relays.
//!
//! # What always holds, where it is kept, and what tries to break it
//!
//! 1. State is a pure function of a set of signed records; flooding only makes it quick:
//!    [`model::record`] and [`model::revision`] say what a record is and which is greater,
//!    `node::store::replica` what is kept, `node::exchange::sync` that hosts which meet end up the
//!    same. *Checked by* `replica_tests` (any order, any doubling), `check_known`, `check_file` and
//!    `check_frame` of tests/sim/always.rs (nothing unsigned is held, stored or sent, no head goes
//!    back), `apart` of tests/sim/eventually.rs (one head everywhere).
//! 2. A change is tried first, on its author's own server, or is marked untried:
//!    `node::changes::transaction`. *Checked by* `check_server_job` (a server is given only what
//!    some server has accepted), `check_tried` (so is what is published), `check_base` (what was
//!    tried is published on the head it was made on) and tests/rest/faults.rs. That what is only
//!    tried is found nowhere afterwards: the dry runs of tests/sim/scenarios.rs and
//!    tests/rest/dry_runs.rs.
//! 3. An acknowledged change survives `kill -9` and power loss from the moment of the 200:
//!    [`daemon::disk`], [`daemon::state_dir`]. *Checked by* `check_start` (what was acknowledged is
//!    there after every crash), `unstored` (in the end heads are on disk), tests/disk/power.rs (the
//!    recorded system calls, cut at each), tests/lab/kills.rs (200 real kills).
//! 4. No silent lost update: each revision says which edits it contains ([`model::ledger`]); one
//!    that lost is made again where it still fits ([`model::replay`], `node::changes::rebase`),
//!    else listed on every host ([`model::conflict`]). *Checked by* `judge` of
//!    tests/sim/content.rs: by content, each acknowledged edit is there once, overwritten by who
//!    had seen it, listed, or settled; and `check_ledger`: each head says what its base said, what
//!    it adds itself, and nothing else.
//! 5. Strangers get nothing, not one byte back: [`wire::handshake`], [`daemon::listener`]. *Checked
//!    by* tests/net.rs and tests/lab/strangers.rs.
//! 6. Desired is not applied: `node::local::server` keeps them apart, and believes only what was
//!    read back. *Checked by* `check_applied` (what is said to run runs) and `misapplied` (in the
//!    end every server runs the head or its refusal is shown).
//! 7. Clocks are not trusted: [`model::stamp`] breaks ties of equal height only; waiting goes by
//!    the monotonic time of [`daemon::clock`]. Heights are bounded by dates, and dates by the time
//!    that most hosts show: `node::peers::clocks`. *Checked by* the wrong, jumping and standing
//!    clocks of tests/sim/nemesis.rs, `check_job` (own stamps only rise), the liars of
//!    tests/sim/dated.rs with `check_date`, tests/mesh/dates.rs, tests/lab/clocks.rs.
//! 8. Everything is bounded: [`limits`], with the reasons; an idle peer writes nothing. *Checked
//!    by* `check_counts`, `count_crossing` (a body crosses a link at most twice in each direction),
//!    tests/lab/scarce.rs.
//! 9. Discovery is a hint: `node::peers::book` retries everybody who was met for ever, and mDNS
//!    ([`daemon::discovery`]) only makes it sooner. What is only somebody's word aims a fleet at
//!    nobody: `node::peers::ration`, `node::peers::whereabouts`, tests/mesh/aimed.rs. *Checked by*
//!    `badly_linked` (one mesh in the end; the simulator has no mDNS at all) and tests/lab/away.rs.
//! 10. Private keys stand in documents only, and no configuration names what its document does not
//!     hold: [`model::resources`]. The keys of certificates that are gone leave the history:
//!     `node::store::keys`. *Checked by* `check_uploads`, tests/rest/secrets.rs (all that is
//!     answered, printed and logged, and the disks), tests/mesh/keys.rs.
//!
//! 11. Nothing is put over what was not kept: `node::local::kept` says of everything that goes to
//!     the server what it may be put over, and the target looks once more right before. *Checked
//!     by* `check_theirs` of tests/sim/always.rs, tests/mesh/drift.rs, tests/rest/kept.rs (the real
//!     files, over kills), and tests/target/large.rs where a server does not show all that it runs.
//!     What alone may escape that look stands in starling(8).
//! 12. The loop never waits for anybody, and life is told only by what works: see above. *Checked
//!     by* tests/rest/hung.rs (the log, the overlay's file system, the disk and the loop itself
//!     stand still), the disks that hang of tests/sim/nemesis.rs, tests/lab/stalled.rs.
//!
//! That these checkers bite is shown by `make teeth`: deliberate faults, tests/teeth, each of which
//! one of them must notice.
//!
//! The shape itself is checked: clippy (`.clippy.toml`) fails on a clock that is read elsewhere, a
//! lock, a map without order, a function grown out of hand; `tests/tidy.rs` on an import that goes
//! up a floor or round in a circle, a second door for an outside crate, a file grown out of hand.

// Tests wait, lock and unwrap; the product does not.
#![cfg_attr(
    not(test),
    warn(
        clippy::cognitive_complexity,
        clippy::disallowed_methods,
        clippy::disallowed_types,
        clippy::unwrap_used
    )
)]

pub mod cli;
pub mod codec;
pub mod daemon;
pub mod limits;
pub mod model;
pub mod node;
pub mod settings;
pub mod sim;
pub mod wire;
