//! What a client asks of a node: a query, which only reads, or a command, which changes something.
//!
//! The daemon reads this out of requests, and so does whoever drives a simulated host. Nothing here
//! was looked at against what the node holds.

use crate::model::edit::Op;
use crate::model::patch::Patch;
use crate::model::path::Path;
use crate::model::resources::ResourceKind;
use crate::wire::forwarded::ForwardedRequest;

/// What a client asks, and of which group's document.
#[derive(Debug)]
pub enum Ask {
    /// Something to be read.
    Query {
        /// The group, if one is named; else this host's own.
        group: Option<String>,
        /// What is to be read.
        query: Query,
    },
    /// Something to be done.
    Command {
        /// The group, if one is named; else this host's own.
        group: Option<String>,
        /// What is to be done.
        command: Command,
        /// The request itself, for a host of that group. What was forwarded already comes without:
        /// this host is the one that was meant, or nobody is.
        forwarded: Option<Box<ForwardedRequest>>,
    },
}

/// What is to be read. No query changes anything that others can see.
#[derive(Debug)]
pub enum Query {
    /// `GET /config…`: what is at a path of the group's document.
    Document(Path),
    /// What was: the history and the conflicts of the group.
    Past(PastQuery),
    /// What does not depend on a group.
    Host(HostQuery),
}

/// What is to be read of the history and the conflicts of a group. IDs are given by how they begin.
#[derive(Debug)]
pub enum PastQuery {
    /// `GET /fleet/revisions`
    Revisions,
    /// `GET /fleet/revisions/ID`
    Revision(String),
    /// `GET /fleet/revisions/ID?diff[=OTHER]`: what leads to a revision from another, or from the
    /// one that it was made on.
    Difference {
        /// The beginning of its ID.
        to: String,
        /// The beginning of the other's.
        from: Option<String>,
    },
    /// `GET /fleet/blame/…`, of a path that an edit can have.
    Blame(Path),
    /// `GET /fleet/conflicts`
    Conflicts,
    /// `GET /fleet/conflicts/ID`
    Conflict(String),
}

/// What is to be read of a host and of the fleet as it sees it.
#[derive(Debug)]
pub enum HostQuery {
    /// `GET /fleet`
    Fleet,
    /// `GET /fleet/groups`
    Groups,
    /// `GET /fleet/effective`: what the own server is given, and what of it is this host's own.
    Effective,
    /// `GET /fleet/nodes`
    Nodes,
    /// `GET /fleet/nodes/ID`, of which the end is given.
    Node(String),
    /// `GET /fleet/links`
    Links,
    /// `GET /fleet/drift`
    Drifts,
    /// `GET /fleet/drift/FILE`, of which a part is given.
    Drift(String),
    /// What only this host's own server can answer.
    Server(Question),
    /// `GET /healthz`
    Health,
}

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    /// `PUT`, `POST` or `DELETE /config…`
    Write(Change),
    /// `PATCH /config…`
    Patch(Patching),
    /// Any of these with `?dry-run`: try it, give the server back what it ran, and publish nothing.
    DryRun(DryRun),
    /// `POST /config` with an empty body: publish what the local server runs.
    PublishLocal {
        /// Even if the server shows its factory default or `{}`.
        force: bool,
        /// The `If-Match` header as sent.
        if_match: Option<String>,
        /// Who and why.
        note: String,
    },
    /// `POST /fleet/revisions/ID/restore`: make of the document, or of what is at a path, what it
    /// was in another revision.
    Restore {
        /// The beginning of its ID.
        id: String,
        /// `/` for all of it, or a path that an edit can have.
        path: Path,
        /// As in a [`Change`].
        if_match: Option<String>,
        /// As in a [`Change`]; if it is empty it says what was restored.
        note: String,
    },
    /// `POST /fleet/conflicts/ID/keep` or `…/drop`
    Settle {
        /// The beginning of its ID.
        id: String,
        /// Whether the change that lost is made now.
        keep: bool,
        /// As in a [`Change`].
        if_match: Option<String>,
        /// As in a [`Change`]; if it is empty it says what was settled.
        note: String,
    },
    /// `DELETE /fleet/groups/NAME`
    RemoveGroup {
        /// The group; not this host's own.
        name: String,
        /// Even if hosts that are away follow it, or may, and if conflicts in it are not settled.
        force: bool,
        /// As in a [`Change`]; if it is empty it says that the group is removed.
        note: String,
    },
    /// `POST /fleet/drift/FILE/acknowledge`
    AcknowledgeDrift(String),
    /// `POST /fleet/drift/FILE/adopt`: publish what somebody had changed on the server then.
    AdoptDrift {
        /// The file's name, or a part of it.
        name: String,
        /// As in a [`Change`].
        if_match: Option<String>,
        /// As in a [`Change`]; if it is empty it names the file.
        note: String,
    },
    /// `POST /fleet/repair`: have the server run the head.
    Repair,
    /// `POST /fleet/nodes/ID/repair`: have another host's server do so, to which the request goes.
    RepairHost(String, Box<ForwardedRequest>),
    /// `/control…`, without the first token: what it does only the own server knows.
    Control(Vec<String>),
}

impl From<Query> for Ask {
    fn from(query: Query) -> Self {
        Self::Query { group: None, query }
    }
}

impl From<PastQuery> for Ask {
    fn from(query: PastQuery) -> Self {
        Query::Past(query).into()
    }
}

impl From<HostQuery> for Ask {
    fn from(query: HostQuery) -> Self {
        Query::Host(query).into()
    }
}

impl From<Command> for Ask {
    fn from(command: Command) -> Self {
        Self::Command {
            group: None,
            command,
            forwarded: None,
        }
    }
}

impl Ask {
    /// The same, of the document of this group.
    pub fn of_group(mut self, name: String) -> Self {
        let (Self::Query { group, .. } | Self::Command { group, .. }) = &mut self;
        *group = Some(name);
        self
    }
}

/// What a client wants to know of this host's own server. Tokens of paths are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `GET /`
    Everything,
    /// `GET /certificates…` or `/js_modules…`: the name, if one is given, and what is asked for
    /// below it.
    Held(ResourceKind, Vec<String>),
    /// `GET /status…`, without the first token.
    Status(Vec<String>),
    /// `GET /control…`, without the first token.
    Control(Vec<String>),
}

/// A patch that a client wants made.
#[derive(Debug)]
pub struct Patching {
    /// Below what; something must be there.
    pub path: Path,
    /// What is to become of it.
    pub patch: Patch,
    /// As in a [`Change`].
    pub if_match: Option<String>,
    /// As in a [`Change`].
    pub note: String,
    /// As in a [`Change`].
    pub settles: Vec<String>,
}

/// What is to be tried and not published.
#[derive(Debug)]
pub enum DryRun {
    /// A change.
    Write(Change),
    /// A patch.
    Patch(Patching),
}

/// A change that a client wants.
#[derive(Debug, Clone)]
pub struct Change {
    /// What and where.
    pub op: Op,
    /// The `If-Match` header as sent.
    pub if_match: Option<String>,
    /// Who and why; at most 512 bytes.
    pub note: String,
    /// Open conflicts that the change settles: beginnings of their IDs, or `*` for all.
    pub settles: Vec<String>,
}
