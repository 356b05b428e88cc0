//! Why a client's request was not carried out, as values: by whose fault, with what is needed to
//! say it.
//!
//! The node decides by these and never by words: how one is said to a client, and with which status
//! code, is for the daemon (`daemon::api::refusals`). What the server itself refuses, in its own
//! words, is `input::Refusal`. Strings called `reason` are the words of a system, a server or
//! another part, passed on as they are.

mod consequences;

use crate::model::path::Path;
use crate::model::record::RecordId;
use crate::model::resources::ResourceKind;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What stood in the way.
    pub obstacle: Obstacle,
    /// The head that the request met, where that matters.
    pub head: Option<RecordId>,
}

/// What stands in the way of a request, by whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The request itself: what it names is not there, or does not fit.
    Request(RequestFault),
    /// The state of the fleet: others have changed something, or what is needed is elsewhere.
    Fleet(FleetState),
    /// This host's server, or what this host makes of the document for it.
    Server(ServerFault),
    /// This host's disk.
    Disk(DiskFault),
    /// A bound of what is done at once, or kept.
    Limit(LimitReached),
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFault {
    /// A group is named for what does not depend on one.
    OfNoGroup,
    /// No group of this name is known; these are.
    NoSuchGroup {
        /// The name that was given.
        name: String,
        /// The names of those that are known.
        known: Vec<String>,
    },
    /// Nothing was ever changed in the group.
    GroupWithoutHead {
        /// The name that was given.
        name: String,
    },
    /// No peer ID ends so.
    NoSuchPeer {
        /// The end that was given.
        ending: String,
    },
    /// So many peer IDs end so.
    ManyPeers {
        /// The end that was given.
        ending: String,
        /// How many there are.
        count: usize,
    },
    /// No revision that is kept begins so.
    NoSuchRevision {
        /// The beginning that was given.
        beginning: String,
    },
    /// So many revisions that are kept begin so.
    ManyRevisions {
        /// The beginning that was given.
        beginning: String,
        /// How many there are.
        count: usize,
    },
    /// What a revision was made on is not kept.
    NoBase {
        /// The revision.
        revision: RecordId,
        /// The revision that it was made on.
        base: RecordId,
    },
    /// No revision that is kept has set a value there, for there is none.
    NothingChanged,
    /// No conflict begins so.
    NoSuchConflict {
        /// The beginning that was given.
        beginning: String,
    },
    /// So many conflicts begin so.
    ManyConflicts {
        /// The beginning that was given.
        beginning: String,
        /// How many there are.
        count: usize,
    },
    /// Of the conflicts that a change is to settle, so many begin so: none, or several.
    NotOneConflict {
        /// The beginning that was given.
        beginning: String,
        /// How many there are.
        count: usize,
    },
    /// Nothing that is kept of a server is called so.
    NoSuchFile {
        /// The name that was given.
        name: String,
    },
    /// The file has gone while it was to be read.
    FileGone {
        /// The name that was given.
        name: String,
    },
    /// The file has made room for a newer one while it was acknowledged.
    FileReplaced,
    /// So many files are called so.
    ManyFiles {
        /// How many there are.
        count: usize,
    },
    /// There is no such certificate or module to be deleted.
    Absent(ResourceKind),
    /// There is such a module already.
    Exists(ResourceKind),
    /// The configuration names the certificate or the module that is to go.
    InUse(ResourceKind),
    /// A patch adds what is there already.
    ValueExists {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// A test of a patch does not hold.
    TestFails {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// A patch does not fit the document.
    PatchMisfit {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// What was worked out of an older document does not fit the present one.
    Misfit {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// The key of the certificate at this path was struck out of the history.
    KeyStruck {
        /// Where.
        path: Path,
    },
}

/// How the state of the fleet stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetState {
    /// This host has not completed an exchange with its fleet.
    NotInStep,
    /// The head is not the one that the request was made for; `is_tag` says whether it named one.
    HasMoved {
        /// Whether the request named a head at all.
        is_tag: bool,
    },
    /// What was to be changed is changed by a newer revision, at this path if one is to be blamed.
    Collides {
        /// Where.
        path: Option<Path>,
    },
    /// Others were quicker each time that it was tried.
    OthersAreChanging,
    /// The document is that of another group, which these hosts follow.
    NotOurs {
        /// The group of this host.
        own: String,
        /// The name of the group.
        group: String,
        /// The names of the hosts.
        hosts: Vec<String>,
    },
    /// This host's own group is to go.
    FollowedHere,
    /// These hosts follow the group, by their own account.
    Followed {
        /// The names of the hosts.
        by: Vec<String>,
        /// Whether the hosts are away now.
        are_away: bool,
    },
    /// These hosts have not been heard of, and may follow the group.
    Unheard {
        /// The names of the hosts.
        hosts: Vec<String>,
    },
    /// So many conflicts would go with the group.
    Unsettled {
        /// The name of the group.
        group: String,
        /// How many there are.
        count: usize,
    },
    /// The group of this host has no head to be given to a server.
    NoHead,
    /// The head does not list the conflict yet.
    Unlisted {
        /// Whether this host has compared with another since it was started.
        has_exchanged: bool,
    },
    /// The revision that is needed is asked for.
    Fetching {
        /// The revision.
        revision: RecordId,
    },
    /// What an edit wanted is not to be had.
    WantedUnknown(WantedGap),
    /// There is no link to the host that is meant.
    Unreachable {
        /// The name of the host.
        host: String,
    },
    /// A host was asked for the change, and nobody knows whether it was made.
    Unanswered(Silence),
}

/// Why nobody here knows what an edit wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedGap {
    /// The revision of its name wants something else than the head lists.
    Unsaid,
    /// Nobody in reach has the revision.
    Lost,
}

/// Why a host that was asked for a change is not known to have made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Its answer cannot be read.
    Unreadable,
    /// Its answer has not come in time.
    Late,
    /// The link to it broke.
    LinkBroke,
}

/// How this host's server stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFault {
    /// There is none to be asked.
    NoneToAsk,
    /// There is none to be given the head.
    NoneToRepair,
    /// There is none to try a change on; this host has one.
    NoneToTry {
        /// The name of a host that has one, if any is known.
        other: Option<String>,
    },
    /// The server cannot be reached.
    Unreachable {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// What the server runs cannot be read, so that it is given nothing.
    Untouched {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// What this host makes of the document is not known.
    OverlayUnknown {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// The document and what this host makes of it do not go together.
    OverlayMisfit {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// What was changed on the server is this host's own, at this path if one is to be blamed.
    IsOwn {
        /// Where.
        path: Option<Path>,
    },
    /// The server refuses the head, in these words.
    RefusesHead {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// The server refuses the change, and refuses the head too.
    RefusesBoth {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// The server was not seen to run the head.
    Unseen {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// There is no head that the server could be given after a dry run.
    NothingToRollBackTo,
    /// The server runs something else than the head at these paths, which a dry run would undo.
    Drifted {
        /// Where the server was changed.
        paths: Vec<String>,
    },
    /// The server does not run the head: what is said of it, and whether it refuses it.
    OffHead {
        /// Why, in the words of whoever knows.
        reason: String,
        /// Whether the server refuses the head.
        refuses: bool,
    },
    /// A dry run would disturb running applications.
    WouldDisturb {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// After a dry run the server was not given back what it ran.
    NotRolledBack {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// Nothing is known of a server that could be published.
    NothingToPublish {
        /// Whether there is a server at all.
        has_server: bool,
    },
    /// The server shows its factory default, which nobody has said is meant.
    FactoryDefault,
    /// The server has not run anything of the fleet's.
    NothingApplied,
    /// What the server runs cannot be a document.
    NoDocument {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// The server's configuration names what the document does not hold.
    NamesMissing {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// What the server had been given when it was changed is not known.
    ChangesUnknown {
        /// The name of the file.
        file: String,
    },
}

/// How this host's disk stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskFault {
    /// The change cannot be stored.
    NotStored {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// What the server ran before Starling configured it cannot be kept.
    BeforeNotKept {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// What the server runs past Starling cannot be kept.
    DriftNotKept {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// That a file was acknowledged cannot be stored.
    NotAcknowledged {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// The change is published, and this host's disk did not take it, or does not say that it did.
    OnlyPublished {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// The disk has not said whether it has stored the change.
    Silent {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// A kept file cannot be read.
    FileUnreadable {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// A revision cannot be read.
    RevisionUnreadable {
        /// Why, in the words of whoever knows.
        reason: String,
    },
}

/// Which bound stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitReached {
    /// The revision would be longer than peers take.
    RevisionTooLarge,
    /// The removal of a group would be longer than peers take.
    RemovalTooLarge,
    /// The request would be longer than goes over a link.
    ForwardedTooLarge {
        /// The name of the group.
        group: String,
    },
    /// What must be kept fills the room for revisions.
    StateFull,
    /// Too many changes wait.
    ChangesWaiting,
    /// Too many kept files are being read.
    FilesBeingRead,
    /// Too many revisions are being read.
    RevisionsBeingRead,
    /// Too many conflicts are open.
    ConflictsOpen,
    /// Too many groups are kept.
    GroupsKept {
        /// Why, in the words of whoever knows.
        reason: String,
    },
    /// A file holds more changes than one edit may have.
    OperationsInFile,
    /// Two documents differ in more certificates and modules than one edit may touch.
    OperationsInDocument,
}

/// What became of the document that a request was to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aftermath {
    /// Nothing: it is as it was, on every host.
    Unchanged,
    /// It was changed as was asked, on every host that could be reached.
    Changed,
    /// Nobody knows: the change may come about, or have been made.
    Unknown,
}

impl Denial {}

/// Makes a denial of a fault, with or without the head that the request met.
macro_rules! denial_of {
    ($($kind:ident: $fault:ty),+ $(,)?) => {
        $(impl From<$fault> for Denial {
            fn from(fault: $fault) -> Self {
                Self { obstacle: Obstacle::$kind(fault), head: None }
            }
        }

        impl $fault {
            /// The denial of a request that met this head.
            pub(in crate::node) fn at(self, head: Option<RecordId>) -> Denial {
                Denial { head, ..self.into() }
            }
        })+
    };
}

denial_of! {
    Request: RequestFault,
    Fleet: FleetState,
    Server: ServerFault,
    Limit: LimitReached,
}
