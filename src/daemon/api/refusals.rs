//! How each denial of a request is said to a client: status code, sentence, particulars and
//! headers.
//!
//! The whole of it is the tables below, one for each fault; nothing else in the program knows these
//! sentences. A sentence ends with a full stop, as Unit's do; the particulars do not.

use super::HttpResponse;
use crate::limits::{FORWARDED_MAX, SHORT_ID_MIN};
use crate::model::name::listed;
use crate::model::path::Path;
use crate::model::record::RecordId;
use crate::model::resources::ResourceKind;
use crate::node::refusal::{
    Denial, DiskFault, FleetState, LimitReached, Obstacle, RequestFault, ServerFault, Silence,
    WantedGap,
};

/// A denial as a client is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The status code.
    pub status: u16,
    /// The sentence.
    pub error: &'static str,
    /// The particulars; may be empty.
    pub detail: String,
    /// The head that the request met, where that matters.
    pub revision: Option<RecordId>,
}

/// Status code, sentence and particulars: what a row of the tables says of a denial.
type Wording = (u16, &'static str, String);

/// How a denial is said.
pub fn said(denial: &Denial) -> Said {
    let (status, error, detail) = match &denial.obstacle {
        Obstacle::Request(fault) => request(fault),
        Obstacle::Fleet(state) => fleet(state),
        Obstacle::Server(fault) => server(fault),
        Obstacle::Disk(fault) => disk(fault),
        Obstacle::Limit(limit) => bound(limit),
    };
    Said {
        status,
        error,
        detail,
        revision: denial.head,
    }
}

/// A denial in one line: what is said to people without HTTP is said in the same words.
pub fn words(denial: &Denial) -> String {
    let Said { error, detail, .. } = said(denial);
    format!("{}: {detail}", error.trim_end_matches('.'))
}

/// The response to a request that was denied.
pub(super) fn response(denial: &Denial) -> HttpResponse {
    let Said {
        status,
        error,
        detail,
        revision,
    } = said(denial);
    let mut response = HttpResponse::error(status, error, &detail);
    let revision = revision.map(|id| ("Starling-Revision".into(), id.to_string()));
    response.headers.extend(revision);
    if status == 503 {
        response.headers.push(("Retry-After".into(), "1".into()));
    }
    response
}

#[rustfmt::skip]
fn request(fault: &RequestFault) -> Wording {
    use RequestFault as F;
    match fault {
        F::OfNoGroup => (400, "This does not depend on a group.", "ask without Starling-Group and ?group".into()),
        F::NoSuchGroup { name, known } => (404, "No such group.", format!("{name} is not known here; there are {}", known.join(", "))),
        F::GroupWithoutHead { name } => (404, "The group has no head.", format!("nothing was ever changed in group {name}; what its servers run is known on its hosts")),
        F::NoSuchPeer { ending } => (404, "No such peer.", format!("no peer ID ends with {ending}")),
        F::ManyPeers { ending, count } => (409, "More than one peer.", format!("{count} peer IDs end with {ending}")),
        F::NoSuchRevision { beginning } => (404, "No such revision.", format!("none that is kept here begins with {beginning} (at least {SHORT_ID_MIN} digits)")),
        F::ManyRevisions { beginning, count } => (409, "More than one revision.", format!("{count} revisions begin with {beginning}")),
        F::NoBase { revision, base } => (404, "The revision that it was made on is not kept here.", format!("{} was made on {}", revision.short(), base.short())),
        F::NothingChanged => (404, "Value doesn't exist.", "nothing was ever changed".into()),
        F::NoSuchConflict { beginning } => (404, "No such conflict.", format!("none begins with {beginning} (at least {SHORT_ID_MIN} digits)")),
        F::ManyConflicts { beginning, count } => (409, "More than one conflict.", format!("{count} conflicts begin with {beginning}")),
        F::NotOneConflict { beginning, count } => (409, "No such conflict.", format!("{count} open conflicts have an ID that begins with {beginning}")),
        F::NoSuchFile { name } => (404, "No such file.", format!("nothing that is kept here is called {name}")),
        F::FileGone { name } => (404, "No such file.", format!("{name} is not there any more")),
        F::FileReplaced => (404, "No such file.", "it has just made room for a newer one".into()),
        F::ManyFiles { count } => (409, "More than one file.", format!("{count} that are kept here are called so")),
        F::Absent(ResourceKind::Certificate) => (404, "Certificate doesn't exist.", String::new()),
        F::Absent(ResourceKind::JsModule) => (404, "JS module doesn't exist.", String::new()),
        F::Exists(ResourceKind::Certificate) => (400, "Certificate already exists.", String::new()),
        F::Exists(ResourceKind::JsModule) => (400, "JS module already exists.", String::new()),
        F::InUse(ResourceKind::Certificate) => (400, "Certificate is used in the configuration.", String::new()),
        F::InUse(ResourceKind::JsModule) => (400, "JS module is used in the configuration.", String::new()),
        F::ValueExists { reason } => (409, "Value exists already.", reason.clone()),
        F::TestFails { reason } => (409, "A test of the patch does not hold.", reason.clone()),
        F::PatchMisfit { reason } => (409, "The patch does not fit the document.", reason.clone()),
        F::Misfit { reason } => (409, "It does not fit the present document.", reason.clone()),
        F::KeyStruck { path } => (410, "The key of this certificate is not kept any more.", format!("{path} was struck out of the history: upload it again, or restore another path")),
    }
}

#[rustfmt::skip]
fn fleet(state: &FleetState) -> Wording {
    use FleetState as S;
    match state {
        S::NotInStep => (503, "This host is not in step with its fleet yet.", "it takes changes once it has completed an exchange with a host that is".into()),
        S::HasMoved { is_tag: true } => (412, "The document has changed.", "the ETag given is not that of the present revision".into()),
        S::HasMoved { is_tag: false } => (412, "The document has changed.", "If-Match has no ETag in it: one stands in quotes".into()),
        S::Collides { path } => (409, "It collides with a newer change.", path.as_ref().map(Path::to_string).unwrap_or_default()),
        S::OthersAreChanging => (503, "Others are changing the document too.", MOMENT.into()),
        S::NotOurs { own, group, hosts } => (409, "A change is made on a host of its group.", format!("this host is in group {own}; send it to a host of group {group}: {}", if hosts.is_empty() { "none is known".into() } else { listed(hosts.clone()) })),
        S::FollowedHere => (409, "The group is followed.", "it is this host's own".into()),
        S::Followed { by, are_away: false } => (409, "The group is followed.", format!("by {}: set another group there first", listed(by.clone()))),
        S::Followed { by, are_away: true } => (409, "The group is followed.", format!("by {}, away now; {FORCE}", listed(by.clone()))),
        S::Unheard { hosts } => (409, "The group may be followed.", format!("{} of the fleet have not been heard of lately: {}; {FORCE}", hosts.len(), listed(hosts.clone()))),
        S::Unsettled { group, count } => (409, "Conflicts are not settled.", format!("{count} changes that lost go with it: see starling conflicts --group {group}; {FORCE}")),
        S::NoHead => (409, "This host has no head.", "nothing was ever changed in its group, so there is nothing to be given to its server".into()),
        S::Unlisted { has_exchanged: true } => (503, "The head does not list this conflict yet.", "its author, or another host, lists it or makes the change again within seconds".into()),
        S::Unlisted { has_exchanged: false } => (503, "The head does not list this conflict yet.", "that takes a link to another host, which this one has not had since it was started".into()),
        S::Fetching { revision } => (503, "What the change wanted is being fetched.", format!("peers are asked for the revision {}; ask again in a moment", revision.short())),
        S::WantedUnknown(WantedGap::Unsaid) => (409, "What the change wanted is not known here.", "the revision of this name does not say it".into()),
        S::WantedUnknown(WantedGap::Lost) => (409, "What the change wanted is not known here.", "neither this host nor a linked one has the revision that first made it: drop it, or make the change anew".into()),
        S::Unreachable { host } => (503, "The host cannot be reached.", format!("no link to {host}")),
        S::Unanswered(silence) => (503, "Nobody knows whether the change was made.", format!("a host of the group was asked, and {}: look before you repeat the change", match silence {
            Silence::Unreadable => "its answer cannot be read",
            Silence::Late => "it has not answered in time",
            Silence::LinkBroke => "the link to it broke",
        })),
    }
}

#[rustfmt::skip]
fn server(fault: &ServerFault) -> Wording {
    use ServerFault as F;
    match fault {
        F::NoneToAsk => (503, "This host has no server.", "ask a host that has one".into()),
        F::NoneToRepair => (409, "This host has no server.", String::new()),
        F::NoneToTry { other: Some(other) } => (409, "This host has no server to try the change on.", format!("send the change to {other}, which can try it")),
        F::NoneToTry { other: None } => (409, "This host has no server to try the change on.", "send it to a host that has one".into()),
        F::Unreachable { reason } => (503, "The server cannot be reached.", reason.clone()),
        F::Untouched { reason } => (503, UNTOUCHED, reason.clone()),
        F::OverlayUnknown { reason } => (503, "This host's overlay is not known.", reason.clone()),
        F::OverlayMisfit { reason } => (409, "The document and this host do not go together.", reason.clone()),
        F::IsOwn { path: None } => (409, "The difference lies where this host's overlay or variables act.", OWN.into()),
        F::IsOwn { path: Some(path) } => (409, "The difference lies where this host's overlay or variables act.", format!("{path}: {OWN}")),
        F::RefusesHead { reason } => (409, "This host does not run the fleet's revision.", reason.clone()),
        F::RefusesBoth { reason } => (409, "This host does not run the fleet's revision.", format!("send the change to a host in step; this one is not: {reason}")),
        F::Unseen { reason } => (503, "The server was not seen to run the head.", reason.clone()),
        F::NothingToRollBackTo => (409, "There is no revision yet to be put back.", "publish what the server runs first, by POST /config with an empty body".into()),
        F::Drifted { paths } => (409, "The server runs something else than the head.", format!("a dry run would undo what was changed at {}", paths.join(", "))),
        F::OffHead { reason, refuses: true } => (409, "The server does not run the head now.", reason.clone()),
        F::OffHead { reason, refuses: false } => (503, "The server does not run the head now.", reason.clone()),
        F::WouldDisturb { reason } => (409, "Running applications would be disturbed.", reason.clone()),
        F::NotRolledBack { reason } => (500, "The server took the change, and was not given back what it ran.", reason.clone()),
        F::NothingToPublish { has_server: true } => (409, "There is nothing to publish.", "what the server runs has not been read yet".into()),
        F::NothingToPublish { has_server: false } => (409, "There is nothing to publish.", "this host has no server".into()),
        F::FactoryDefault => (409, "The server shows its factory default.", "to publish an empty configuration, DELETE /config here".into()),
        F::NothingApplied => (409, "Nothing of the fleet's has been applied here yet.", MOMENT.into()),
        F::NoDocument { reason } => (409, "What the server runs cannot be a fleet's document.", reason.clone()),
        F::ChangesUnknown { file } => (409, "What was changed is not known.", format!("{file} does not say what the server had been given before: take from it what is wanted by hand")),
        F::NamesMissing { reason } => (409, "The server's configuration names what the fleet does not hold.", reason.clone()),
    }
}

#[rustfmt::skip]
fn disk(fault: &DiskFault) -> Wording {
    use DiskFault as F;
    match fault {
        F::NotStored { reason } => (507, "The change cannot be stored.", reason.clone()),
        F::BeforeNotKept { reason } => (507, UNTOUCHED, reason.clone()),
        F::DriftNotKept { reason } => (507, "What the server runs cannot be kept.", reason.clone()),
        F::NotAcknowledged { reason } => (507, "That cannot be stored.", reason.clone()),
        F::OnlyPublished { reason } => (507, "The change is made, but is not stored on this host.", format!("{reason}: linked peers have it, and it is stored here when the disk takes writes again; it need not be asked for once more")),
        F::Silent { reason } => (504, "The disk does not answer.", format!("{reason}: it was taken back; but should this host stop before the disk answers, it may come about after all")),
        F::FileUnreadable { reason } => (500, "The file cannot be read.", reason.clone()),
        F::RevisionUnreadable { reason } => (500, "The revision cannot be read.", reason.clone()),
    }
}

#[rustfmt::skip]
fn bound(limit: &LimitReached) -> Wording {
    use LimitReached as L;
    match limit {
        L::RevisionTooLarge => (413, "The revision is too large.", "with the edit and the open conflicts it would be longer than peers take".into()),
        L::RemovalTooLarge => (413, "The revision is too large.", "its names would not fit".into()),
        L::ForwardedTooLarge { group } => (413, "The change is too large to be passed on.", format!("send it to a host of group {group}: over a link go {FORWARDED_MAX} bytes at most")),
        L::StateFull => (507, "The change cannot be stored.", "what must be kept fills what --state-max allows: settle conflicts, or set more".into()),
        L::ChangesWaiting => (503, "Too many changes are waiting.", MOMENT.into()),
        L::FilesBeingRead => (503, "Too many files are being read for changes.", MOMENT.into()),
        L::RevisionsBeingRead => (503, "Too many revisions are being read for changes.", MOMENT.into()),
        L::ConflictsOpen => (409, "Too many conflicts are open.", "settle some of those in /fleet/conflicts: name them in a header Starling-Settles of a change".into()),
        L::GroupsKept { reason } => (503, "There is no room for one more group.", format!("others would not keep it: {reason}")),
        L::OperationsInFile => (409, "That is more than one change may touch.", "take from the file what is wanted by hand".into()),
        L::OperationsInDocument => (409, "That is more than one change may touch.", "so many certificates and modules differ: restore /config, and each of them by its path".into()),
    }
}

const MOMENT: &str = "try again in a moment";
const UNTOUCHED: &str = "The server is left alone.";
const OWN: &str =
    "change the overlay on this host, or the document with PUT, and see GET /fleet/effective";
const FORCE: &str = "to remove it all the same give --force (?force)";

#[cfg(test)]
mod tests;
