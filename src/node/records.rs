//! Frames as they come in, and the records they bring.
//!
//! A record is believed only with the author's signature over its ID and, before it counts, with
//! the body that its header names. A bad one is the fault of the link that brought it, which is
//! closed; it is never held against the record's ID. What is held already is dropped after one
//! look-up, so a doubled flood costs next to nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::book::usable;
use super::decode::Body;
use super::effect::Level;
use super::input::LinkId;
use super::replica::Taken;
use super::roster::NodeRecord;
use super::{Context, Exchange, Peers};
use crate::limits::{ADDRESSES_MAX, LATELY_HELD_MAX, PROBLEMS_MAX, REBASE_JITTER};
use crate::model::document::{BundleId, Document};
use crate::model::ledger::{EditRef, Standing};
use crate::model::peer_id::PeerId;
use crate::model::record::{Kind, Record, RecordId, hash_of};
use crate::model::revision::Revision;
use crate::wire::frame::{Frame, Payload, carried};

impl Node {
    pub(super) fn frame(&mut self, id: LinkId, bytes: &[u8]) {
        let Some(link) = self.peers.links.get_mut(&id) else {
            return;
        };
        let first = (link.bytes_in == 0).then_some(link.hello.peer);
        link.hears(self.cx.now.elapsed);
        link.bytes_in += bytes.len() as u64;
        first
            .iter()
            .for_each(|peer| self.peers.speaks(&mut self.cx, peer));
        let Some(link) = self.peers.links.get_mut(&id) else {
            return;
        };
        if link.is_held() {
            return link.keep(bytes.to_vec());
        }
        self.take_bytes(id, bytes);
    }

    /// Takes in a frame that its link may say now.
    pub(super) fn take_bytes(&mut self, id: LinkId, bytes: &[u8]) {
        let Some(link) = self.peers.links.get_mut(&id) else {
            return;
        };
        if let Some(record) =
            carried(bytes).filter(|record| self.exchange.lately_held.contains(record))
        {
            link.learn(record);
            return;
        }
        match Frame::decode(bytes) {
            Ok(Some(frame)) => self.take_frame(id, frame),
            Ok(None) => {}
            Err(error) => self.peers.fault(&mut self.cx, id, &error.to_string()),
        }
    }

    fn take_frame(&mut self, id: LinkId, frame: Frame) {
        match frame {
            Frame::Ping(number) => self.peers.answer(&mut self.cx, id, &Frame::Pong(number)),
            Frame::Pong(sent) => self.peers.pong(&self.cx, id, sent),
            Frame::Degree(others) => self.degree(id, others),
            Frame::Record(record, age, payload) => {
                self.record(id, record, Duration::from_millis(age), payload)
            }
            Frame::Pull {
                id: wanted,
                offset,
                have,
            } => self.serve_pull(id, wanted, offset as usize, have),
            Frame::Piece {
                id: of,
                offset,
                bytes,
            } => self.piece(id, of, offset as usize, &bytes),
            Frame::Missing(of) => {
                self.pull_missing(id, of);
                self.fetch_missing(id, of);
            }
            Frame::Root(scope, complete, root) => self.root(id, scope, complete, root),
            Frame::Buckets(scope, buckets) => self.buckets(id, scope, &buckets),
            Frame::Ids(scope, asks, buckets, ids) => self.ids(id, scope, asks, &buckets, &ids),
            Frame::Done(scope, complete) => self.exchange_done(id, scope, complete),
            Frame::Want(wanted) => self.wanted_by(id, wanted),
            Frame::ContainmentQuery { group, head, edits } => {
                self.containment_query(id, group, head, &edits)
            }
            Frame::ContainmentReply {
                group,
                head,
                contained,
                out,
            } => self
                .store
                .containment_reply(&mut self.cx, &group, head, contained, out),
            Frame::Addresses(addresses) => addresses
                .iter()
                .for_each(|address| self.peers.book.hint(address)),
            Frame::ForwardedRequest(ticket, more, bytes) => {
                self.forwarded_request_comes(id, ticket, more, &bytes)
            }
            Frame::ForwardedResponse(ticket, more, bytes) => self.told(id, ticket, more, &bytes),
            Frame::Bye(why, text) => self.goodbye(id, why, &text),
        }
    }

    fn record(&mut self, id: LinkId, record: Record, age: Duration, payload: Payload) {
        if let Some(link) = self.peers.links.get_mut(&id) {
            link.learn(record.id);
        }
        if record.header.fleet != *self.cx.setup.fleet.id().as_bytes() {
            return self
                .peers
                .fault(&mut self.cx, id, "a record of another fleet");
        }
        if self.passes_over(id, &record) {
            return;
        }
        let held = match record.header.kind {
            Kind::Document => self.store.replica.holds(&record.header.key, &record.rank()),
            Kind::Node => self
                .peers
                .roster
                .get(&record.header.author)
                .is_some_and(|node| node.record.rank() >= record.rank()),
            Kind::Policy => true,
        };
        if held {
            return self.exchange.note_held(record.id);
        }
        // A signature costs more than anything else that is done about a node record, and whoever
        // holds the key of a fleet may invent as many hosts as it likes. What is passed
        // over here comes again with a later exchange.
        let is_own = self
            .peers
            .links
            .get(&id)
            .is_some_and(|link| link.hello.peer == record.header.author);
        if record.header.kind == Kind::Node && !is_own && !self.peers.may_check(&self.cx, id) {
            return;
        }
        if !(self.cx.setup.is_signed)(&record) {
            return self
                .peers
                .fault(&mut self.cx, id, "a record that its author did not sign");
        }
        match record.header.kind {
            Kind::Document => self.document_record(id, record, payload),
            Kind::Node => self.node_record(id, record, age, payload),
            Kind::Policy => {}
        }
    }

    pub(super) fn document_record(&mut self, id: LinkId, record: Record, payload: Payload) {
        // Judged by its header, before a body is fetched or a delta, a few bytes perhaps, becomes
        // megabytes.
        let has_room = self.exchange.missing.contains(&record.id)
            || self.store.has_place_for(&mut self.cx, &record)
                && self.store.replica.has_room_for(&record);
        if !has_room {
            return;
        }
        if self.exchange.is_decoded_for(id, &record.id) {
            return;
        }
        let body = match payload {
            Payload::Whole(body) => Body::Whole(body),
            Payload::Delta(base, delta) => match self
                .store
                .replica
                .find(&base)
                .map(|base| Arc::clone(&base.body))
            {
                Some(base) => Body::Delta { base, delta },
                None if self.exchange.waits_for_base(id, base, &record, &delta) => return,
                None => return self.without_base(id, record),
            },
            Payload::Announced => return self.offered(id, record),
        };
        self.take_body(id, record, body, Vec::new());
    }

    /// A delta against a body that is not held, or not any more: the whole body is asked for.
    fn without_base(&mut self, id: LinkId, record: Record) {
        if !self.pull_plainly(id, &record.id) {
            self.offered(id, record);
        }
    }

    /// A body may be had from this link. An original that the head contains already is not worth
    /// pulling.
    fn offered(&mut self, id: LinkId, record: Record) {
        let original = EditRef {
            stamp: record.header.stamp,
            id: record.id,
        };
        let group = self
            .store
            .replica
            .group(&record.header.key)
            .filter(|_| !self.exchange.missing.contains(&record.id));
        let head = group
            .filter(|group| !group.demotes(&record.rank()))
            .and_then(|group| group.head());
        if head.is_some_and(|head| {
            head.standing(&original) == Standing::In && head.rank() > record.rank()
        }) {
            return self.offer_head(id, &record.header.key.clone());
        }
        self.pull(id, record);
    }

    /// Takes a revision in, passes it on and stores it as far as it changes what is kept. A new
    /// head is dealt with in this order:
    ///
    /// 1. It is held, so that nothing which follows sees another.
    /// 2. It is flooded: others wait for it, and what follows may take this host a while.
    /// 3. What it does not contain is read back and asked about, for that is to be made again.
    /// 4. The server is to run it: that only marks it as desired, and the job comes at the end of
    ///    the turn.
    /// 5. It is stored. That a revision from elsewhere is on the disk was promised to nobody, and a
    ///    full disk keeps it from nobody.
    /// 6. What waited for it goes on, edits are looked at again, and what is too old is let go,
    ///    which needs all of the above.
    pub(super) fn take_revision(&mut self, from: Option<LinkId>, revision: Arc<Revision>) {
        self.store.replica.judge_by(self.peers.bound_ms(&self.cx));
        self.exchange.missing.remove(&revision.id());
        let group = revision.record.header.key.clone();
        let taken = self
            .store
            .replica
            .take(Arc::clone(&revision), self.cx.now.elapsed);
        let ours = group == self.cx.setup.group;
        self.store.note_received(&revision, self.cx.now.wall_ms);
        if !matches!(taken, Taken::Stale | Taken::NoRoom) {
            self.exchange.note_held(revision.id());
        }
        match taken {
            Taken::Head(was) => {
                self.flood_revision(from, &revision);
                self.store.read_uncontained(&mut self.cx, &group);
                if was
                    .as_ref()
                    .is_some_and(|was| revision.standing(&was.edit_ref()) != Standing::In)
                {
                    self.peers
                        .links
                        .values_mut()
                        .for_each(|link| link.containment_query = (Duration::ZERO, 0));
                }
                from.into_iter().for_each(|from| self.ask_about_edits(from));
                match ours {
                    _ if revision.is_removal() => self.group_goes(&revision),
                    true => self.head_moved(was.as_deref(), &revision, from.is_some()),
                    false => {}
                }
            }
            Taken::Uncontained => self.flood_revision(from, &revision),
            Taken::History => {}
            Taken::Stale => {
                return from
                    .into_iter()
                    .for_each(|from| self.offer_head(from, &group));
            }
            Taken::Held => return,
            Taken::NoRoom => {
                self.pull_settled(&revision.id());
                return self.prune(&group);
            }
        }
        if from.is_some() {
            self.store.store(&mut self.cx, &revision);
        }
        self.pull_settled(&revision.id());
        if ours {
            self.cx.rebase_soon(REBASE_JITTER);
        }
        self.prune(&group);
    }

    /// Forgets and removes what is more than is kept of a group.
    pub(super) fn prune(&mut self, group: &str) {
        let pruned = self
            .store
            .replica
            .group_mut(group)
            .map(super::replica::Group::prune)
            .unwrap_or_default();
        pruned.iter().for_each(|record| self.cx.remove_file(record));
        self.remove_dropped();
        self.store.look_for_keys(&self.cx);
    }

    /// Removes what went over a budget, and says of whom it was.
    pub(super) fn remove_dropped(&mut self) {
        for (record, was_uncontained) in self.store.replica.dropped() {
            self.cx.remove_file(&record);
            self.exchange.lately_held.retain(|held| *held != record.id);
            if was_uncontained {
                let author = self.peers.called(&record.header.author);
                self.cx.say_once(
                    "records",
                    format!(
                        "{author} has more changes beside the head than are kept: its oldest go"
                    ),
                );
            }
        }
    }

    fn head_moved(&mut self, was: Option<&Revision>, head: &Revision, received: bool) {
        let header = &head.record.header;
        if received {
            let author = self.peers.called(&header.author);
            let text = format!(
                "revision {} by {author} received: height {}",
                head.id().short(),
                header.height
            );
            // With a server, what is said is that it was applied.
            self.cx.say(
                if self.local.server.present {
                    Level::Debug
                } else {
                    Level::Info
                },
                "config",
                text,
            );
        }
        if was.is_some_and(|was| head.standing(&was.edit_ref()) == Standing::Out) {
            self.cx.say(
                Level::Info,
                "records",
                format!(
                    "revision {} wins over {}",
                    head.id().short(),
                    was.map_or_else(String::new, |was| was.id().short())
                ),
            );
        }
        self.local.server.head_moved(head, self.cx.now.elapsed);
        self.cx.own_record_changed();
    }

    fn node_record(&mut self, id: LinkId, record: Record, age: Duration, payload: Payload) {
        let Payload::Whole(body) = payload else {
            return self
                .peers
                .fault(&mut self.cx, id, "a node record without its body");
        };
        if !record.matches(&body) {
            return self.peers.fault(
                &mut self.cx,
                id,
                "a node record whose body is not the one its header names",
            );
        }
        let author = record.header.author;
        let Some(node) = NodeRecord::decode(record, body, age, self.cx.now.elapsed) else {
            return self
                .peers
                .fault(&mut self.cx, id, "a node record that is no JSON object");
        };
        if author == self.cx.me {
            return self.peers.overtake(node.record);
        }
        let frame = node_frame(&node, self.cx.now.elapsed);
        let (record_id, addresses) = (node.record.id, node_addresses(&node));
        let is_first = self.peers.roster.get(&author).is_none();
        let known: BTreeSet<PeerId> = self
            .peers
            .links
            .values()
            .map(|link| link.hello.peer)
            .collect();
        let (me, book) = (self.cx.me, &self.peers.book);
        let is_known =
            |peer: &PeerId| *peer == me || known.contains(peer) || book.is_acquainted(peer);
        if !self.peers.roster.take(node, self.cx.now.elapsed, is_known) {
            return;
        }
        self.exchange.note_held(record_id);
        self.clock_heard(&author, is_first);
        if !addresses.is_empty()
            && self
                .peers
                .book
                .hear_of(author, &self.cx.instance_of(&author), &addresses)
        {
            self.peers.book_changed(&mut self.cx);
            self.cx.wake_dialler();
        }
        self.peers
            .flood_node(&mut self.cx, Some(id), author, record_id, &frame);
    }
}

impl Peers {
    pub(super) fn sent(&mut self, cx: &mut Context, id: LinkId, credit: u32) {
        if let Some(link) = self.links.get_mut(&id) {
            // What goes out is a sign of life too: a ping may wait behind a large body, and TCP
            // ends a wire that takes nothing. Not for long, for it shows no more than
            // that the other host's kernel takes it.
            link.heard = cx.now.elapsed;
            link.sent(credit, &mut cx.effects);
        }
    }

    fn pong(&mut self, cx: &Context, id: LinkId, sent: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.pinged = None;
        link.round_trip = cx.now.elapsed.checked_sub(Duration::from_micros(sent));
    }

    /// Whether one more node record of a third host, brought by this link, is looked at now.
    fn may_check(&mut self, cx: &Context, id: LinkId) -> bool {
        let now = cx.now.elapsed;
        self.links
            .get_mut(&id)
            .is_some_and(|link| link.may_check(now))
    }
}

impl Exchange {
    /// The next copies of a record that is held need not even be decoded.
    fn note_held(&mut self, id: RecordId) {
        self.lately_held.push_back(id);
        if self.lately_held.len() > LATELY_HELD_MAX {
            self.lately_held.pop_front();
        }
    }
}

impl Context {
    /// A problem that is logged when it is found first.
    fn say_once(&mut self, area: &'static str, problem: String) {
        if self.problems.len() < PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.say(Level::Warn, area, problem.clone());
            self.report_problem(problem);
        }
    }
}

/// A revision as it is kept in a file: what it is, header and signature in hexadecimal, and the
/// body as it travelled.
pub fn file_text(revision: &Revision) -> Vec<u8> {
    let hex = crate::codec::hex;
    let head = format!(
        "{FIRST_LINE}\nheader {}\nsignature {}\n\n",
        hex(&revision.record.bytes),
        hex(&revision.record.signature)
    );
    [head.as_bytes(), &revision.body].concat()
}

/// A revision as a file had it.
pub struct Filed {
    /// The revision; if bundles were struck out of it, with their fingerprints in its document, so
    /// that it is not what its author has signed.
    pub revision: Revision,
    /// Whether bundles were struck out.
    pub is_struck: bool,
}

/// The whole revision that [`file_text`] wrote; `None` if it is anything else. Signature and hash
/// are checked here too.
pub fn from_file(bytes: &[u8], fleet: &[u8; 32]) -> Option<Revision> {
    judge_file(bytes, fleet)
        .ok()
        .filter(|filed| !filed.is_struck)
        .map(|filed| filed.revision)
}

/// The revision in a file that [`file_text`] or [`struck_text`] wrote, or what is wrong.
pub fn judge_file(bytes: &[u8], fleet: &[u8; 32]) -> Result<Filed, FileFault> {
    let parts = FileParts::of(bytes).ok_or(FileFault::Form)?;
    let record = parts.record().ok_or(FileFault::Header)?;
    let faults = [
        (record.header.kind != Kind::Document, FileFault::Header),
        (record.header.fleet != *fleet, FileFault::Fleet),
        (!record.is_signed(), FileFault::Signature),
        (!parts.is_whole(&record), FileFault::Body),
    ];
    match faults
        .into_iter()
        .find_map(|(is_so, fault)| is_so.then_some(fault))
    {
        Some(fault) => Err(fault),
        None => {
            let revision =
                Revision::decode(record, parts.body.into()).map_err(|_| FileFault::Content)?;
            Ok(Filed {
                revision,
                is_struck: parts.struck.is_some(),
            })
        }
    }
}

/// The document of this revision in such a file; `None` if it is anything else. Hashes lead from
/// the ID to the document, so nobody's signature is needed.
pub fn document_in(bytes: &[u8], id: &RecordId) -> Option<Document> {
    let parts = FileParts::of(bytes)?;
    let record = parts
        .record()
        .filter(|record| record.id == *id && parts.is_whole(record));
    record.and_then(|_| Document::parse(parts.lines()?.1).ok())
}

/// Such a file with these bundles struck out: it says so, with the hash of what is left. `None` if
/// there is none of them in it, or it is damaged.
pub fn struck_text(bytes: &[u8], goes: &[BundleId]) -> Option<Vec<u8>> {
    let parts = FileParts::of(bytes)?;
    parts.record().filter(|record| parts.is_whole(record))?;
    let (edit, text) = parts.lines()?;
    let document = Document::parse(text).ok()?;
    let struck = document.struck(|bundle| goes.contains(&bundle));
    if struck == document {
        return None;
    }
    let body = [edit, b"\n", struck.bytes()].concat();
    let hex = crate::codec::hex;
    let head = format!(
        "{FIRST_LINE}\nheader {}\nsignature {}\nstruck {}\n\n",
        hex(&parts.header),
        hex(&parts.signature),
        hex(&hash_of(&body))
    );
    Some([head.as_bytes(), &body].concat())
}

/// What a file is made of.
struct FileParts<'a> {
    header: Vec<u8>,
    signature: [u8; 64],
    /// The hash of the body, if bundles were struck out of it.
    struck: Option<[u8; 32]>,
    body: &'a [u8],
}

impl<'a> FileParts<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.lines();
        (lines.next()? == FIRST_LINE).then_some(())?;
        let header = crate::codec::unhex(lines.next()?.strip_prefix("header ")?)?;
        let signature = crate::codec::unhex_array(lines.next()?.strip_prefix("signature ")?)?;
        let struck = match lines.next() {
            Some(line) => Some(crate::codec::unhex_array(line.strip_prefix("struck ")?)?),
            None => None,
        };
        Some(Self {
            header,
            signature,
            struck,
            body: &bytes[end + 2..],
        })
    }

    fn record(&self) -> Option<Record> {
        Record::decode(&self.header, self.signature).ok()
    }

    /// Whether the body is the record's, or what was left of that.
    fn is_whole(&self, record: &Record) -> bool {
        self.struck.map_or_else(
            || record.matches(self.body),
            |hash| hash == hash_of(self.body),
        )
    }

    /// What the body says of its edit, and its document.
    fn lines(&self) -> Option<(&'a [u8], &'a [u8])> {
        let line_end = self.body.iter().position(|byte| *byte == b'\n')?;
        Some((&self.body[..line_end], &self.body[line_end + 1..]))
    }
}

/// How a revision's file begins.
const FIRST_LINE: &str = "starling revision 1";

/// Why a file is no revision of this fleet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// The file does not begin as [`file_text`] begins.
    Form,
    /// The header cannot be decoded, or is not that of a document.
    Header,
    /// The revision belongs to another fleet.
    Fleet,
    /// The signature is not the author's, over this header.
    Signature,
    /// The body is not the one that the header names.
    Body,
    /// Signed and whole, and yet no revision: its author's program was at fault.
    Content,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "is not a revision's file",
            Self::Header => "its header is damaged",
            Self::Fleet => "it is a revision of another fleet",
            Self::Signature => "its author did not sign this header",
            Self::Body => "its body is not the one that its header names",
            Self::Content => "its body is no revision",
        })
    }
}

/// A node record as it is sent: its age goes beside it.
pub(super) fn node_frame(node: &NodeRecord, now: Duration) -> Frame {
    let age = u64::try_from(node.age(now).as_millis()).expect("ages are below a week");
    Frame::Record(node.record.clone(), age, Payload::Whole(node.body.clone()))
}

/// Where a peer says that it listens, as far as another host can use that.
fn node_addresses(node: &NodeRecord) -> Vec<String> {
    let said = node.said();
    let list = said
        .get("addresses")
        .and_then(|list| list.as_array())
        .map_or(&[][..], Vec::as_slice);
    let parsed = list
        .iter()
        .filter_map(|text| text.as_str()?.parse::<std::net::SocketAddr>().ok());
    parsed
        .filter_map(|address| usable(&address, false))
        .take(ADDRESSES_MAX)
        .map(|address| address.to_string())
        .collect()
}
