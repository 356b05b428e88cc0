//! Every denial with its status code and words, against a list that only a change of the interface
//! changes.

use std::fmt::Write as _;

use super::*;
use crate::node::refusal::Aftermath;

fn id(byte: u8) -> RecordId {
    RecordId([byte; 32])
}

fn config() -> Path {
    Path::parse("/config/a").expect("a path")
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn of_requests() -> Vec<Denial> {
    use RequestFault as F;
    let (name, ending, beginning) = ("n".to_owned(), "e".to_owned(), "b".to_owned());
    let (reason, count) = ("why".to_owned(), 2);
    let kinds = [ResourceKind::Certificate, ResourceKind::JsModule];
    let mut all = vec![
        F::OfNoGroup,
        F::NoSuchGroup {
            name: name.clone(),
            known: names(&["default", "edge"]),
        },
        F::GroupWithoutHead { name: name.clone() },
        F::NoSuchPeer {
            ending: ending.clone(),
        },
        F::ManyPeers { ending, count },
        F::NoSuchRevision {
            beginning: beginning.clone(),
        },
        F::ManyRevisions {
            beginning: beginning.clone(),
            count,
        },
        F::NoBase {
            revision: id(1),
            base: id(2),
        },
        F::NothingChanged,
        F::NoSuchConflict {
            beginning: beginning.clone(),
        },
        F::ManyConflicts {
            beginning: beginning.clone(),
            count,
        },
        F::NotOneConflict { beginning, count },
        F::NoSuchFile { name: name.clone() },
        F::FileGone { name },
        F::FileReplaced,
        F::ManyFiles { count },
    ];
    all.extend(kinds.map(F::Absent));
    all.extend(kinds.map(F::Exists));
    all.extend(kinds.map(F::InUse));
    all.extend([
        F::ValueExists {
            reason: reason.clone(),
        },
        F::TestFails {
            reason: reason.clone(),
        },
        F::PatchMisfit {
            reason: reason.clone(),
        },
        F::Misfit { reason },
        F::KeyStruck { path: config() },
    ]);
    all.into_iter().map(Denial::from).collect()
}

fn of_the_fleet() -> Vec<Denial> {
    use FleetState as S;
    let (own, group) = ("default".to_owned(), "edge".to_owned());
    let many: Vec<String> = (0..10).map(|host| format!("h{host}")).collect();
    let mut all = vec![
        S::NotInStep,
        S::HasMoved { is_tag: true },
        S::HasMoved { is_tag: false },
        S::Collides { path: None },
        S::Collides {
            path: Some(config()),
        },
        S::OthersAreChanging,
        S::NotOurs {
            own: own.clone(),
            group: group.clone(),
            hosts: Vec::new(),
        },
        S::NotOurs {
            own,
            group: group.clone(),
            hosts: many,
        },
        S::FollowedHere,
        S::Followed {
            by: names(&["b", "a"]),
            are_away: false,
        },
        S::Followed {
            by: names(&["b", "a"]),
            are_away: true,
        },
        S::Unheard {
            hosts: names(&["b", "a"]),
        },
        S::Unsettled { group, count: 3 },
        S::NoHead,
        S::Unlisted {
            has_exchanged: true,
        },
        S::Unlisted {
            has_exchanged: false,
        },
        S::Fetching { revision: id(1) },
        S::WantedUnknown(WantedGap::Unsaid),
        S::WantedUnknown(WantedGap::Lost),
        S::Unreachable { host: "h".into() },
    ];
    all.extend([Silence::Unreadable, Silence::Late, Silence::LinkBroke].map(S::Unanswered));
    all.into_iter().map(Denial::from).collect()
}

fn of_the_server() -> Vec<Denial> {
    use ServerFault as F;
    let reason = || "why".to_owned();
    let all = [
        F::NoneToAsk,
        F::NoneToRepair,
        F::NoneToTry {
            other: Some("h".into()),
        },
        F::NoneToTry { other: None },
        F::Unreachable { reason: reason() },
        F::Untouched { reason: reason() },
        F::OverlayUnknown { reason: reason() },
        F::OverlayMisfit { reason: reason() },
        F::IsOwn { path: None },
        F::IsOwn {
            path: Some(config()),
        },
        F::RefusesHead { reason: reason() },
        F::RefusesBoth { reason: reason() },
        F::Unseen { reason: reason() },
        F::NothingToRollBackTo,
        F::Drifted {
            paths: names(&["/config/a", "/config/b"]),
        },
        F::OffHead {
            reason: reason(),
            refuses: true,
        },
        F::OffHead {
            reason: reason(),
            refuses: false,
        },
        F::WouldDisturb { reason: reason() },
        F::NotRolledBack { reason: reason() },
        F::NothingToPublish { has_server: true },
        F::NothingToPublish { has_server: false },
        F::FactoryDefault,
        F::NothingApplied,
        F::NoDocument { reason: reason() },
        F::NamesMissing { reason: reason() },
        F::ChangesUnknown { file: "f".into() },
    ];
    all.into_iter().map(Denial::from).collect()
}

fn of_disk_and_limits() -> Vec<Denial> {
    use DiskFault as F;
    use LimitReached as L;
    let reason = || "why".to_owned();
    let faults = [
        F::NotStored { reason: reason() },
        F::BeforeNotKept { reason: reason() },
        F::DriftNotKept { reason: reason() },
        F::NotAcknowledged { reason: reason() },
        F::OnlyPublished { reason: reason() },
        F::Silent { reason: reason() },
        F::FileUnreadable { reason: reason() },
        F::RevisionUnreadable { reason: reason() },
    ];
    let limits = [
        L::RevisionTooLarge,
        L::RemovalTooLarge,
        L::ForwardedTooLarge {
            group: "edge".into(),
        },
        L::StateFull,
        L::ChangesWaiting,
        L::FilesBeingRead,
        L::RevisionsBeingRead,
        L::ConflictsOpen,
        L::GroupsKept { reason: reason() },
        L::OperationsInFile,
        L::OperationsInDocument,
    ];
    let faults = faults.into_iter().map(Denial::from);
    faults.chain(limits.into_iter().map(Denial::from)).collect()
}

fn all() -> Vec<Denial> {
    [
        of_requests(),
        of_the_fleet(),
        of_the_server(),
        of_disk_and_limits(),
    ]
    .concat()
}

#[test]
fn each_denial_keeps_its_status_and_its_words() {
    let mut list = String::new();
    for denial in all() {
        let Said {
            status,
            error,
            detail,
            ..
        } = said(&denial);
        assert!(error.ends_with('.') && !detail.ends_with('.'), "{denial:?}");
        writeln!(list, "{status} {error} {detail}").expect("a string takes all");
    }
    assert_eq!(list, include_str!("golden.txt"));
}

#[test]
fn what_may_pass_is_said_to_be_for_now_and_nothing_else_but_two() {
    for denial in all() {
        let is_for_now = matches!(said(&denial).status, 503 | 507);
        // To repeat what may have been done, or was, is no help, nor is it to ask a host without a
        // server.
        let is_left_alone =
            denial.aftermath() != Aftermath::Unchanged || denial == ServerFault::NoneToAsk.into();
        assert_eq!(denial.passes(), is_for_now && !is_left_alone, "{denial:?}");
    }
}

#[test]
fn a_response_names_the_head_and_says_when_to_come_again() {
    let headers = |denial: &Denial| {
        let headers = response(denial).headers.into_iter();
        headers
            .filter(|(name, _)| name != "Content-Type")
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    let moved = Denial::from(FleetState::HasMoved { is_tag: true }).at(Some(id(1)));
    assert_eq!(headers(&moved), ["Starling-Revision"]);
    let others = Denial::from(FleetState::OthersAreChanging).at(Some(id(1)));
    assert_eq!(headers(&others), ["Starling-Revision", "Retry-After"]);
    assert_eq!(
        headers(
            &DiskFault::NotStored {
                reason: String::new(),
            }
            .into()
        ),
        Vec::<String>::new()
    );
}
