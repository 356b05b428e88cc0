//! The protocol's bounds: two peers that differ in one of these do not understand each other.
//!
//! What a peer may choose for itself stands in the other files of this directory.

// ── protocol
// ─────────────────────────────────────────────────────────────────────────────────────────────────

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
/// A record's body in bytes: a document, and beside it the ledger (24 KiB) and the open conflicts.
pub const BODY_MAX: usize = DOCUMENT_MAX + (2 << 20);
/// The body of a node record, in bytes: it is kept in memory, 8 192 times.
pub const NODE_BODY_MAX: usize = 4096;
/// Series that stay in a ledger however long ago they were changed: as many as a fleet has hosts
/// that are written to, and some of their restarts.
pub const LEDGER_SERIES: usize = 32;
/// Revisions for which more series stay in a ledger after their last change; an edit made on a base
/// that is further back can then not be judged any more.
pub const LEDGER_HEIGHTS: u64 = 256;
/// Series that a ledger has but for those which one revision adds.
pub const LEDGER_SERIES_MAX: usize = 256;
/// Runs of numbers that a ledger has but for those which one revision adds.
pub const LEDGER_RUNS_MAX: usize = 512;
/// The text of a ledger, but for what one revision adds, in bytes.
pub const LEDGER_TEXT: usize = 8 << 10;
/// The text of a ledger in bytes, whatever one revision adds.
pub const LEDGER_TEXT_MAX: usize = 24 << 10;
/// Edits that a revision may name whose stamps are above its own. A host whose clock is years
/// ahead, and who has nobody to tell it, makes so many changes that can still be made again under a
/// right date.
pub const NAMES_AHEAD_MAX: usize = 64;
/// Proofs of a chain: after so many a node record is made anew. Each is worked out from the last,
/// so that a host keeps none of them; that takes no longer than a signature.
pub const PROOFS_MAX: u16 = 256;
/// News of hosts in one frame, in bytes: no more than a body that travels with its record, so that
/// nothing waits longer for them.
pub const NEWS_MAX: usize = INLINE_MAX;
/// Operations in one edit.
pub const OPERATIONS_MAX: usize = 64;
/// Open conflicts and uncontained records of a group, taken together, at which new writes are
/// refused.
pub const OPEN_MAX: usize = 64;
/// Open conflicts that a body may list: more than [`OPEN_MAX`], since notes are never refused.
pub const OPEN_LISTED_MAX: usize = 256;
/// The values of one open conflict taken together, as compact text in bytes; what is longer is
/// given by length and hash.
pub const OPEN_VALUE_MAX: usize = 4096;
/// The operations of one edit, as compact text in bytes: what is known of each old revision holds
/// them in memory.
pub const EDIT_TEXT_MAX: usize = 64 << 10;
/// Values in the head line of a body. One takes up to 300 bytes of memory, and this much is made of
/// it for every host.
pub const HEAD_VALUES_MAX: usize = 1 << 17;
/// A header: the fixed part is 165 bytes.
pub const HEADER_MAX: usize = 165 + NAME_MAX + NOTE_MAX + EXTENSION_MAX;
/// A body up to this size travels with its record; above it the record is announced and the body
/// pulled. Also the size of a piece: between two pieces other frames pass, so nothing waits longer
/// than 16 KiB take.
pub const INLINE_MAX: usize = 16 << 10;
/// A frame before sealing: an inline body, its header and what is around them.
pub const FRAME_MAX: usize = 40 << 10;
/// Buckets of a digest.
pub const BUCKETS: usize = 256;
/// IDs in one list of an anti-entropy exchange (32 bytes each): a longer list goes as several
/// frames.
pub const IDS_MAX: usize = 512;
/// Edits that one frame asks or tells about (68 bytes each): all that may be uncontained in a group
/// and as many besides.
pub const CONTAINMENT_EDITS_MAX: usize = 512;
/// Revisions that one frame names as held (40 bytes each): more than a link names in a burst.
pub const HAVES_MAX: usize = 256;
/// Words with which a link is closed, in bytes.
pub const REASON_MAX: usize = 200;

// ── wire: fleet, token, handshake, session
// ──────────────────────────────────────────────────────────────────────────────────────

/// Keys that a fleet may accept at once: the old, the new, and one more for a change that was begun
/// twice.
pub const FLEET_KEYS_MAX: usize = 3;
/// A token's text, in bytes. Base58 decoding is quadratic: this keeps it at a few milliseconds, and
/// the token in one terminal line.
pub const TOKEN_TEXT_MAX: usize = 2 << 10;
/// An address in a token (`host:port`), in bytes: so many that eight of them fit
/// [`TOKEN_TEXT_MAX`].
pub const TOKEN_ADDRESS_MAX: usize = 160;
/// The second and third message of a handshake, in bytes, without their length prefix: the largest
/// hello, the largest extension, and some room. What an unproven peer can make a listener hold.
pub const HANDSHAKE_MESSAGE_MAX: usize = 1024;
/// What a later version may add to a hello, in bytes.
pub const HANDSHAKE_EXTENSION_MAX: usize = 512;
/// Ephemeral keys of first messages that are not answered twice: 4 096 replays cost a replayer as
/// many connections, us 256 KiB.
pub const SEEN_EPHEMERALS: usize = 4096;
/// Version, name, fleet, key, count, addresses, checksum.
const TOKEN_BYTES_MAX: usize =
    1 + 1 + NAME_MAX + 32 + 32 + 1 + ADDRESSES_MAX * (1 + TOKEN_ADDRESS_MAX) + 4;
const _: () = assert!(
    TOKEN_BYTES_MAX * 138 / 100 + 1 + 10 <= TOKEN_TEXT_MAX,
    "base58 needs 1.366 letters a byte, the prefix 10"
);

// ── JSON, paths, documents, edits
// ───────────────────────────────────────────────────────────────────────────────────────────────

/// Values (scalars, arrays and objects) in a document. One takes up to 300 bytes of memory however
/// short its text, so without this bound 4 MiB of `[1,1,…` or `[{"":0},…` would take hundreds of
/// megabytes. 50 000 routes of five values each fit; FreeUnit allows 100 000 elements to one array.
pub const VALUES_MAX: usize = 1 << 18;
/// Levels that Starling's own texts (a record's body, an answer of the API) may put around a
/// document.
pub const OWN_LEVELS_MAX: usize = 8;
/// Values in a text of Starling's own: a document, the edit that made it, and the open conflicts
/// beside them.
pub const OWN_VALUES_MAX: usize = 3 * VALUES_MAX;
/// The characters of a number: Unit's own bound (`NXT_CONF_MAX_NUMBER_LEN`).
pub const NUMBER_MAX: usize = 14;
/// The tokens of a path, decoded, taken together, in bytes: eight times what fits into the head of
/// a request to Unit.
pub const PATH_MAX: usize = 8 << 10;
/// The name of a certificate or a module, in bytes: Unit keeps each in a file of that name, with
/// thirteen bytes more for a certificate's, and a file's name has 255.
pub const RESOURCE_NAME_MAX: usize = 240;
/// Certificates and modules in a document, taken together: 1 024 bundles of an RSA key and two
/// certificates fill it.
pub const RESOURCES_MAX: usize = 1024;
/// Names of a certificate that are kept to be shown.
pub const CERTIFICATE_NAMES_MAX: usize = 8;
/// The first of November 2026, in milliseconds since 1970. This program is younger: a clock that
/// shows less is wrong, a board's without a battery for instance, and says nothing about a
/// certificate's dates.
pub const CLOCK_SOUND_FROM_MS: i64 = 1_793_491_200_000;
/// The year 2126: a clock that shows more is wrong too. Between a stamp of that time and the
/// greatest there is are two thousand years of heights.
pub const CLOCK_SOUND_UNTIL_MS: u64 = 4_922_000_000_000;
/// How far ahead of the time a revision may be dated, in milliseconds; until then one that is dated
/// later is passed over. A day: hosts whose zone is set wrong, or whose clock was set by hand, are
/// within it.
pub const AHEAD_MAX_MS: u64 = 86_400_000;
/// By how much what is made on a revision that was taken may be ahead beyond that, in milliseconds:
/// the clocks of other hosts may be so much behind that of the host that took it first.
pub const AHEAD_SLACK_MS: u64 = 3_600_000;
/// By how much a clock may be late, in milliseconds, before a certificate counts as not valid yet:
/// one issued just now is uploaded.
pub const CLOCK_SLACK_MS: i64 = 86_400_000;
/// A value that an edit found is named by itself up to this length of its compact text, and by a
/// hash beyond it: a conflict can then show what stood there, while no edit carries a second copy
/// of anything long.
pub const SHORT_MAX: usize = 256;

const _: () = assert!(
    DEPTH_MAX + OWN_LEVELS_MAX < 128,
    "what recurses over a value must fit a small stack"
);

const _: () = assert!(
    INLINE_MAX + HEADER_MAX + 256 <= FRAME_MAX,
    "a record with an inline body is one frame"
);
const _: () = assert!(
    CONTAINMENT_EDITS_MAX * 68 + NAME_MAX + 64 <= FRAME_MAX,
    "a list of edits is one frame"
);
const _: () = assert!(
    IDS_MAX * 32 + BUCKETS * 8 + 64 <= FRAME_MAX,
    "a list of IDs is one frame"
);
const _: () = assert!(FRAME_MAX <= 65_519, "a frame is one Noise message");
const _: () = assert!(
    BODY_MAX >= DOCUMENT_MAX + OPEN_LISTED_MAX * (OPEN_VALUE_MAX + 2048),
    "conflicts fit beside the document"
);
