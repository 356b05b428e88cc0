//! Starling keeps the configuration of NGINX Unit the same on every host, peer to peer.
//!
//! This is the map of the program. What it does for people is in starling(8), its REST endpoint in starling-api(7), what goes over
//! links in starling-protocol(7); the words are those of the man pages, one for one thing.
//!
//! # Floors
//!
//! Each directory answers one question, and imports only from floors below its own:
//!
//! ```text
//! cli, main         what was asked: subcommands and flags
//! daemon            how it is done: threads, sockets, files, clocks
//! ═══════════════   nothing below this line does input or output
//! sim               many nodes in one thread: virtual time, and a network, disks and servers drawn from a seed
//! node              what to do: Input → Node → Effect
//! wire, settings    what peers say; what can be set
//! model             what is replicated: path, document, edit, revision, record, ledger, digest
//! limits, codec     every bound with its reason; bytes, read strictly
//! ```
//!
//! A change by a client takes this way: [`daemon::gate`] takes the request whole, [`daemon::api`] understands it, the loop hands it
//! to [`node::Node`] as an [`node::input::Input`]; the node has it written as pending, tried by the server ([`daemon::target`]) and
//! made durable ([`daemon::disk`]), each by an [`node::effect::Effect`] that a later input answers; then it floods the revision over
//! all links and answers. On other hosts it comes in as a frame of a link ([`daemon::link`]), and goes the same way to the server.
//!
//! # Threads
//!
//! One loop owns all state, and there are no locks. Every queue is bounded. **The loop never blocks on a queue but its own; everybody
//! else may block on the loop's.** That excludes deadlock.
//!
//! | thread | what it blocks on |
//! | --- | --- |
//! | `main`: the loop | its queue, until the node's deadline |
//! | `listen` | connections and their first flights, all at once |
//! | `handshake`, one each | one caller that has shown knowledge of the fleet key; 5 s at most |
//! | `dial` | its queue |
//! | `dial-N`, one each | looking up a name, connecting, the handshake; 5 s at most |
//! | `read-N`, `write-N`, two a link | the socket; the link's queue |
//! | `gate-unix`, `gate-tcp` | accepting clients |
//! | `gate`, one a client | the client, under deadlines; the answer |
//! | `http` | tiny_http's next request |
//! | `answer` | its queue, and the file of a revision that was asked for |
//! | `target` | its queue, and this host's server: a minute for a change |
//! | `disk` | its queue, and the disk |
//! | `load`, one each | reading the file of a revision that the node needs: one that was beaten, one to be restored |
//! | `mdns`, `mdns-events` | the loop's orders; mdns-sd's events |
//! | `signal` | a signal |
//!
//! mdns-sd and tiny_http have threads of their own. If one of these dies it is started again; a panic in one of ours ends the process.
//!
//! # What always holds, and where it is kept
//!
//! 1. State is a pure function of a set of signed records; flooding only makes it quick: [`model::record`] and [`model::revision`] say
//!    what a record is and which is greater, `node::replica` what is kept, `node::sync` that hosts which meet end up the same.
//! 2. A change is tried first, on its author's own server, or is marked untried: `node::writes`.
//! 3. An acknowledged change survives `kill -9` and power loss from the moment of the 200: [`daemon::disk`], [`daemon::state_dir`].
//! 4. No silent lost update: each revision says which edits it contains ([`model::ledger`]); one that lost is made again where it still
//!    fits ([`model::replay`], `node::rebase`), else listed on every host ([`model::conflict`]).
//! 5. Strangers get nothing, not one byte back: [`wire::handshake`], [`daemon::listener`].
//! 6. Desired is not applied: `node::server` keeps them apart, and believes only what was read back.
//! 7. Clocks are not trusted: [`model::stamp`] breaks ties of equal height only; waiting goes by the monotonic time of
//!    [`daemon::clock`].
//! 8. Everything is bounded: [`limits`], with the reasons; an idle peer writes nothing.
//! 9. Discovery is a hint: `node::book` retries every contact for ever, and mDNS ([`daemon::discovery`]) only makes it sooner.
//!
//! The shape itself is under test: `tests/tidy.rs` fails on an import that goes up a floor, a second door for an outside crate, a clock
//! that is read elsewhere, a lock, a file or a function grown out of hand.

pub mod cli;
pub mod codec;
pub mod daemon;
pub mod limits;
pub mod model;
pub mod node;
pub mod settings;
pub mod sim;
pub mod wire;
