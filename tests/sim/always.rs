//! What must hold after every step of every host.

use std::sync::Arc;
use std::time::Duration;

use starlingd::limits::{
    AHEAD_MAX_MS, AHEAD_SLACK_MS, HISTORY_KEPT, LINKS_MAX, NODES_MAX, PULLS_MAX, QUEUE_MAX,
    UNCONTAINED_MAX, WANTED_MAX, WRITES_MAX,
};
use starlingd::model::document::Document;
use starlingd::model::fingerprint::Fingerprint;
use starlingd::model::json;
use starlingd::model::ledger::Standing;
use starlingd::model::overlay::Overlay;
use starlingd::model::record::{Header, Record, RecordId};
use starlingd::model::resources;
use starlingd::model::revision::{Origin, Revision};
use starlingd::model::stamp::Stamp;
use starlingd::node::effect::DiskJob;
use starlingd::node::effect::revision_name;
use starlingd::node::kept_file::KeptFile;
use starlingd::node::store::revision_file::from_file;
use starlingd::sim::{SimClock, fleet};

use crate::ledgers;
use crate::servers::laid;
use crate::watch::{Seen, World};

impl Seen {
    /// After a start: what was acknowledged is there, and the head is the greatest of what is on
    /// disk.
    pub fn check_start(&mut self, world: &World, host: usize) {
        let here = &world.hosts[host];
        if world.now == Duration::ZERO {
            self.accepted.insert(Document::factory().text().to_owned());
        }
        let head = tip(world, host, &here.spec.group);
        let memory = self.hosts.entry(host).or_default();
        (memory.applied, memory.trying, memory.given) = (None, None, Default::default());
        (memory.unread, memory.unwritten) = (None, None);
        memory.overlay = Overlay::default();
        if memory.group != here.spec.group {
            memory.group.clone_from(&here.spec.group);
            memory.head = None;
        }
        let missing = memory.acknowledged.iter().find(|id| {
            let in_head = || {
                self.revisions.get(id).is_some_and(|was| {
                    tip(world, host, &was.record.header.key)
                        .is_some_and(|head| head.standing(&was.edit_ref()) != Standing::Out)
                })
            };
            !here.node.keeps(id) && !in_head()
        });
        let missing = missing.copied();
        let on_disk = |name: &str| here.disk.revisions.keys().any(|(_, other)| other == name);
        let back = memory
            .head
            .as_ref()
            .filter(|(rank, name)| on_disk(name) && head.is_none_or(|head| head.rank() < *rank));
        let back = back
            .filter(|(rank, _)| !is_ahead(world, rank.stamp))
            .cloned();
        memory.head = head.map(|head| (head.rank(), revision_name(head.rank().height, &head.id())));
        let own = |revision: &&Revision| {
            revision.record.header.author == here.node.peer() && here.node.keeps(&revision.id())
        };
        memory.stamp = self
            .revisions
            .values()
            .filter(own)
            .map(|revision| revision.record.header.stamp)
            .max();
        if let Some(id) = missing {
            self.broken(
                world.now,
                format!("host {host} has acknowledged {id:?} and does not have it after a start"),
            );
        }
        if let Some((rank, _)) = back {
            self.broken(
                world.now,
                format!(
                    "host {host} was at {:?}, has it on disk, and is behind it after a start",
                    rank.id
                ),
            );
        }
    }

    fn check_ledger(&mut self, world: &World, head: &Revision) {
        let author = head.record.header.author;
        let is_honest = world.hosts.iter().any(|host| host.node.peer() == author);
        if !is_honest || !self.judged.insert(head.id()) {
            return;
        }
        let what = match self.places.twin(head) {
            Some(twin) => Some(format!("it bears the number of {twin:?}")),
            None => ledgers::wrong(&self.revisions, head),
        };
        if let Some(what) = what {
            self.broken(world.now, format!("the head {:?}: {what}", head.id()));
        }
    }

    /// After an input: the head has not gone back, applied is what the server runs, and everything
    /// bounded is within its bounds.
    pub fn check_node(&mut self, world: &World, host: usize) {
        let here = &world.hosts[host];
        let head = tip(world, host, &here.spec.group);
        let rank = head.map(|head| head.rank());
        let unwritten = self.memory(host).unwritten.take();
        if let Some(id) = unwritten.filter(|id| !self.revisions.contains_key(id)) {
            self.broken(
                world.now,
                format!("host {host} publishes {id:?} and does not write it down"),
            );
        }
        let memory = self.memory(host);
        let was = memory.head.as_ref().map(|(rank, _)| *rank);
        if rank < was && !was.is_some_and(|was| is_ahead(world, was.stamp)) {
            self.broken(
                world.now,
                format!("the head of host {host} goes back from {was:?} to {rank:?}"),
            );
        } else if rank != was {
            memory.head =
                head.map(|head| (head.rank(), revision_name(head.rank().height, &head.id())));
            if let Some(head) = head {
                self.learn(head.record.clone(), Arc::clone(&head.body));
                let kind = match head.edit.origin {
                    Origin::Original => "original",
                    Origin::Replay(..) => "replay",
                    Origin::Note(..) => "note",
                };
                let text = format!(
                    "host {host} is at height {} {:?} ({kind} of {:?}, {} open)",
                    head.rank().height,
                    head.id(),
                    head.edit_ref().id,
                    head.open.len()
                );
                self.note(world.now, text);
                // What a host makes is in its disk's hands before it is sent, which is seen of each
                // frame.
                let is_own = head.record.header.author == here.node.peer();
                match self.revisions.contains_key(&head.id()) {
                    false if is_own => self.memory(host).unwritten = Some(head.id()),
                    _ => self.check_known(world, host, &head.record),
                }
                self.check_date(world, host, &head.record);
                self.check_tried(world, host, head);
                self.check_ledger(world, head);
                let is_whole = self
                    .revisions
                    .get(&head.id())
                    .is_none_or(|known| known.body == head.body);
                if !is_whole {
                    self.broken(
                        world.now,
                        format!(
                            "host {host} holds {:?} with another body than its author's",
                            head.id()
                        ),
                    );
                }
            }
        }
        self.check_applied(world, host);
        self.check_counts(world, host);
    }

    /// No head is higher than its date permits, and where all clocks are right none is dated ahead
    /// of what may be.
    fn check_date(&mut self, world: &World, host: usize, head: &Record) {
        let (height, stamp) = (head.header.height, head.header.stamp);
        if height > stamp.wall_ms() {
            self.broken(
                world.now,
                format!("host {host} is at a height that nobody can have written: {height}"),
            );
        }
        let right = world
            .hosts
            .iter()
            .all(|host| host.clock.off_ms == 0 && host.clock.stands_at_ms.is_none());
        if right
            && is_ahead(
                world,
                Stamp::at(stamp.wall_ms().saturating_sub(AHEAD_SLACK_MS)),
            )
            && !self.were_wrong
        {
            self.broken(
                world.now,
                format!("host {host} is at a head that is dated ahead of all clocks: {stamp}"),
            );
        }
        self.were_wrong |= !right;
    }

    fn check_applied(&mut self, world: &World, host: usize) {
        let here = &world.hosts[host];
        let applied = here.node.runs();
        let memory = self.memory(host);
        if applied == memory.applied {
            return;
        }
        memory.applied = applied;
        let Some(revision) = applied.and_then(|id| self.revisions.get(&id)) else {
            return;
        };
        let (revision_id, document) = (revision.id(), revision.document.clone());
        let Some(memory) = self.hosts.get(&host) else {
            return;
        };
        // What the server has lost since it was last asked, and what somebody has put there, nobody
        // can know yet.
        let is_theirs = memory.theirs.is_some();
        let runs = laid(&memory.overlay, &document)
            .is_some_and(|document| json::same(&here.server.config, document.config()))
            || here.server.lost.is_some()
            || is_theirs;
        let (id, unread) = (revision_id, memory.unread);
        if here.spec.server && unread == Some(id) {
            self.broken(
                world.now,
                format!("host {host} says that its server runs {id:?} before it is read back"),
            );
        }
        if here.spec.server && !runs {
            self.broken(
                world.now,
                format!("host {host} says that its server runs {id:?}, which it does not"),
            );
        }
    }

    /// What somebody has put on a server past Starling is not replaced unless it is kept on the
    /// host's disk.
    pub fn check_theirs(&mut self, world: &World, host: usize) {
        let here = &world.hosts[host];
        let memory = self.memory(host);
        let Some(theirs) = memory
            .theirs
            .take_if(|theirs| !json::same(theirs, &here.server.config))
        else {
            return;
        };
        let fingerprint = Fingerprint::of(&theirs);
        let files = here
            .disk
            .drifts
            .iter()
            .filter_map(|(name, text)| KeptFile::parse(name, text));
        if !files
            .into_iter()
            .any(|file| file.fingerprint == fingerprint)
        {
            self.broken(world.now, format!("host {host} has replaced what somebody had put on its server, and kept it nowhere"));
        }
    }

    fn check_counts(&mut self, world: &World, host: usize) {
        let counts = world.hosts[host].node.counts();
        let bounds = [
            ("links", counts.links, LINKS_MAX),
            ("bytes queued for a link", counts.queued_max, 2 * QUEUE_MAX),
            ("pulls", counts.pulls, PULLS_MAX),
            (
                "uncontained revisions",
                counts.uncontained_max,
                UNCONTAINED_MAX,
            ),
            ("revisions of the history", counts.history_max, HISTORY_KEPT),
            ("node records", counts.nodes, NODES_MAX),
            ("revisions wanted", counts.wanted, WANTED_MAX),
            ("changes that wait", counts.writes, WRITES_MAX),
        ];
        if let Some((what, count, most)) = bounds.into_iter().find(|(_, count, most)| count > most)
        {
            self.broken(
                world.now,
                format!("host {host} has {count} {what}; {most} are the most"),
            );
        }
    }

    /// What goes to disk is a revision, rightly signed, under its own name, and above what its
    /// author has made before.
    pub fn check_job(&mut self, world: &World, host: usize, job: &DiskJob) {
        match job {
            DiskJob::Pending(_, group, name, bytes) => {
                self.check_file(world, host, group, name, bytes);
                self.memory(host).trying = id_in(name);
            }
            DiskJob::Store(_, group, name, bytes) => {
                self.check_file(world, host, group, name, bytes)
            }
            DiskJob::Commit(..) => {
                self.check_base(world, host);
                self.memory(host).trying = None;
            }
            // The one before may be thrown away while the next is tried.
            DiskJob::Discard(_, name) => {
                let memory = self.memory(host);
                memory.trying = memory.trying.filter(|trying| id_in(name) != Some(*trying));
            }
            _ => {}
        }
    }

    /// What was tried is published on the head, and thrown away if that has moved meanwhile.
    fn check_base(&mut self, world: &World, host: usize) {
        let head = tip(world, host, &world.hosts[host].spec.group)
            .map_or(RecordId::NONE, |head| head.id());
        let tried = self
            .memory(host)
            .trying
            .and_then(|id| self.revisions.get(&id));
        let moved = tried
            .filter(|tried| ![tried.record.header.base, tried.id()].contains(&head))
            .map(Revision::id);
        if let Some(id) = moved {
            self.broken(
                world.now,
                format!("host {host} publishes {id:?} on what is its head no more"),
            );
        }
    }

    fn check_file(&mut self, world: &World, host: usize, group: &str, name: &str, bytes: &[u8]) {
        if id_in(name).is_some_and(|id| self.revisions.contains_key(&id)) {
            return;
        }
        let Some(revision) = from_file(bytes, fleet().id().as_bytes()) else {
            self.broken(
                world.now,
                format!("host {host} stores {name}, which is no signed revision"),
            );
        };
        self.learn(revision.record.clone(), Arc::clone(&revision.body));
        if self.revisions.contains_key(&revision.id()) {
            return;
        }
        let header = &revision.record.header;
        if revision_name(header.height, &revision.id()) != name || header.key != group {
            self.broken(
                world.now,
                format!("host {host} stores {name} of group {group} under a wrong name"),
            );
        }
        if header.author != world.hosts[host].node.peer() {
            self.broken(
                world.now,
                format!("host {host} stores {name}, which its author has never written down"),
            );
        }
        let (stamp, memory) = (header.stamp, self.memory(host));
        // What was dated by a wrong clock that nobody was there to tell of is not followed for
        // ever.
        let rises = memory
            .stamp
            .is_none_or(|before| stamp > before || is_ahead(world, before))
            || memory.unnatural;
        memory.stamp = Some(stamp);
        if !rises {
            self.broken(
                world.now,
                format!("host {host} makes {name} with a stamp that is not above its last"),
            );
        }
        if let Origin::Replay(edit, _) = &revision.edit.origin
            && self
                .revisions
                .get(&edit.id)
                .is_some_and(|original| original.record.header.flags & Header::GUARDED != 0)
        {
            self.broken(
                world.now,
                format!(
                    "host {host} replays {:?}, which was to be made on one head only",
                    edit.id
                ),
            );
        }
        self.check_uploads(world, host, &revision);
        self.revisions.insert(revision.id(), revision);
        let (made, asked) = (self.revisions.len() - self.behind, self.asked.len());
        if made > MADE_MAX * (asked + 1) {
            self.broken(
                world.now,
                format!(
                    "{made} revisions were made of {asked} changes, and it does not come to rest"
                ),
            );
        }
    }

    /// No configuration names a certificate that is not there, and none stands beside the document
    /// in clear.
    fn check_uploads(&mut self, world: &World, host: usize, revision: &Revision) {
        let (id, document) = (revision.id(), revision.document.value());
        let before = self
            .revisions
            .get(&revision.record.header.base)
            .map(|base| base.document.value());
        // Without a base it was made on what the server ran, which may name what nobody has.
        let lacking = match before {
            Some(before) => resources::newly_missing(before, document),
            None => {
                let config = (*world.hosts[host].server.config).clone();
                let ran = Document::from_config(config).unwrap_or_else(|_| Document::factory());
                resources::newly_missing(ran.value(), document)
            }
        };
        if let Some(named) = lacking.first() {
            self.broken(
                world.now,
                format!("host {host} makes {id:?}, which names {named:?} and does not have it"),
            );
        }
        let before = self
            .revisions
            .get(&revision.record.header.base)
            .map(|base| base.document.value());
        let bundles = [Some(document), before]
            .into_iter()
            .flatten()
            .filter_map(|document| document["certificates"].as_object());
        let texts: Vec<String> = bundles
            .flat_map(|held| held.values().map(json::compact))
            .collect();
        let head = String::from_utf8_lossy(&revision.body)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        if texts.iter().any(|text| head.contains(text)) {
            self.broken(
                world.now,
                format!("host {host} makes {id:?}, which shows a certificate: {head}"),
            );
        }
    }
}

/// What a group is at, by what a host holds: also if that says that it is removed.
fn tip<'a>(world: &'a World, host: usize, group: &str) -> Option<&'a Arc<Revision>> {
    let mut heads = world.hosts[host].node.heads();
    heads.find(|(name, _)| *name == group).map(|(_, head)| head)
}

/// Whether a stamp is so far ahead of the right time that it may be passed over, and need not be
/// followed.
fn is_ahead(world: &World, stamp: Stamp) -> bool {
    stamp.wall_ms() > SimClock::default().wall_ms(world.now) + AHEAD_MAX_MS
}

/// The ID in the name of a revision's file.
fn id_in(name: &str) -> Option<RecordId> {
    name.split_once('-').and_then(|(_, id)| RecordId::parse(id))
}

/// Revisions that may be made for one change: it is tried three times, and made again or noted by
/// each who stands in while heads move.
const MADE_MAX: usize = 20;
