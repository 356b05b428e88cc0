//! What servers are given, and what becomes of it: what must hold after every step.

use starlingd::model::document::Document;
use starlingd::model::json;
use starlingd::model::overlay::Overlay;
use starlingd::model::record::{Header, RecordId};
use starlingd::model::revision::Revision;
use starlingd::node::effect::ServerJob;
use starlingd::node::input::{Outcome, ServerReport, Ticket};

use crate::watch::{Seen, World};

impl Seen {
    /// What a host with a server publishes was accepted by that server, or says that nobody has
    /// tried it.
    pub fn check_tried(&mut self, world: &World, host: usize, head: &Revision) {
        let (here, header) = (&world.hosts[host], &head.record.header);
        let is_own = header.author == here.node.peer() && header.key == here.spec.group;
        let is_tried = header.flags & Header::UNTRIED != 0
            || head.is_removal()
            || self.accepted.contains(head.document.text());
        if is_own && here.spec.server && !is_tried {
            let id = head.id();
            self.broken(
                world.now,
                format!("host {host} publishes {id:?}, which its server has not accepted"),
            );
        }
    }

    /// Only what some server has accepted is given to a server, but for what is being tried there:
    /// that stands in `pending/`.
    pub fn check_server_job(
        &mut self,
        world: &World,
        host: usize,
        ticket: Ticket,
        job: &ServerJob,
    ) {
        let (document, tries) = match job {
            ServerJob::Try { document, .. } => (document, true),
            ServerJob::Apply(document, _) => (document, false),
            ServerJob::Observe => return,
        };
        self.tries += u64::from(tries);
        self.hosts.entry(host).or_default();
        let memory = &self.hosts[&host];
        let trying = memory.trying.and_then(|id| self.revisions.get(&id));
        let is_given = |revision: &Revision| {
            laid(&memory.overlay, &revision.document).is_some_and(|given| given == *document)
        };
        let tried = trying.filter(|revision| tries && is_given(revision));
        let is_known = || {
            let of = |revision: &Revision| {
                let untried = revision.record.header.flags & Header::UNTRIED != 0;
                untried || self.accepted.contains(revision.document.text())
            };
            self.revisions
                .values()
                .any(|revision| of(revision) && is_given(revision))
        };
        let unasked = tried.is_none() && !self.accepted.contains(document.text()) && !is_known();
        let tried = tried.map(Revision::id);
        if unasked {
            self.broken(
                world.now,
                format!("host {host} gives its server a document that no server has accepted"),
            );
        }
        self.memory(host)
            .given
            .insert(ticket, (document.clone(), tried));
    }

    /// A server has accepted what it was to try, and is not read back yet.
    pub fn server_accepts(&mut self, host: usize, ticket: Ticket) {
        let Some((document, tried)) = self.memory(host).given.get(&ticket).cloned() else {
            return;
        };
        self.memory(host).unread = tried;
        self.accepts(&document, tried);
    }

    /// What some server has accepted may be given to others.
    fn accepts(&mut self, document: &Document, tried: Option<RecordId>) {
        self.accepted.insert(document.text().to_owned());
        // The same without what is this host's own.
        let tried = tried.and_then(|id| self.revisions.get(&id));
        self.accepted
            .extend(tried.map(|revision| revision.document.text().to_owned()));
    }

    pub fn server_reports(&mut self, world: &World, host: usize, report: &ServerReport) {
        let Some((document, tried)) = self.memory(host).given.remove(&report.ticket) else {
            return;
        };
        self.memory(host).unread = None;
        let accepted = match &report.outcome {
            Outcome::Applied | Outcome::Unverified(_) => true,
            Outcome::Unknown(_) => json::same(&world.hosts[host].server.config, document.config()),
            _ => false,
        };
        if accepted {
            self.accepts(&document, tried);
        }
    }
}

/// What a host gives to its server of its group's document.
pub fn laid(overlay: &Overlay, document: &Document) -> Option<Document> {
    overlay
        .apply(document)
        .ok()
        .map(|effective| effective.document)
}
