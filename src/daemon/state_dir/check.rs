//! What can be said of a state directory by reading it: `starling fsck`.
//!
//! Nothing is written and no lock is taken, so a running daemon is not disturbed; a file that it
//! takes away meanwhile is passed over. Only what is certain counts as wrong: what Starling would
//! refuse or set aside at its next start. Everything else that a person may wonder about is a
//! remark.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::drifts::read_drift;
use super::error::{StateError, cure_of, io_error};
use super::revisions::names;
use super::write::{RevisionDirectory, TEMPORARY, entries, place};
use super::{
    ADDRESSES, APPLIED, BEFORE, DAMAGED, FLEET, GIVEN, IDENTITY, LOCK, OTHERS, OWNER, StateDir,
    owner, read_bounded, refuse_open,
};
use crate::limits;
use crate::model::json;
use crate::model::record::Rank;
use crate::node::effect::revision_name;
use crate::node::kept_file::{KeptFile, is_name};
use crate::node::store::revision_file::judge_file;

/// Something in the state directory that is wrong or worth a remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file or directory that the finding is about.
    pub path: PathBuf,
    /// Whether something is wrong. Otherwise it is a remark, and nothing need be done.
    pub is_wrong: bool,
    /// What was found.
    pub what: String,
    /// What the user is to do about it.
    pub cure: String,
}

/// All that was found in a state directory.
#[derive(Debug, Default)]
pub struct Report {
    /// The findings, in the order of the files.
    pub findings: Vec<Finding>,
    /// The name of the fleet, if this host is in one.
    pub fleet: Option<String>,
    /// For each group, the number of its sound revisions and the rank of the greatest.
    pub groups: BTreeMap<String, (usize, Rank)>,
}

impl Report {
    /// The number of findings that are faults.
    pub fn faults(&self) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.is_wrong)
            .count()
    }

    /// The number of sound revisions in all groups.
    pub fn revisions(&self) -> usize {
        self.groups.values().map(|(count, _)| count).sum()
    }

    fn wrong(&mut self, path: &Path, what: impl Into<String>, cure: impl Into<String>) {
        self.findings.push(Finding {
            path: path.to_owned(),
            is_wrong: true,
            what: what.into(),
            cure: cure.into(),
        });
    }

    fn remark(&mut self, path: &Path, what: impl Into<String>, cure: impl Into<String>) {
        self.findings.push(Finding {
            path: path.to_owned(),
            is_wrong: false,
            what: what.into(),
            cure: cure.into(),
        });
    }

    /// Takes note of an error, unless the file has just gone away.
    fn error(&mut self, path: &Path, error: &StateError) {
        match error {
            StateError::Io(_, gone) if gone.kind() == io::ErrorKind::NotFound => {}
            _ => self.wrong(
                path,
                error.wrong(),
                error.cure().unwrap_or_else(|| LOOK.to_owned()),
            ),
        }
    }
}

/// Reads the whole directory. The error is that there is none, or that it cannot be read at all.
pub fn check(path: &Path) -> Result<Report, StateError> {
    let metadata = fs::metadata(path).map_err(io_error(path))?;
    if !metadata.is_dir() {
        return Err(StateError::Io(
            path.to_owned(),
            io::ErrorKind::NotADirectory.into(),
        ));
    }
    let dir = StateDir {
        path: path.to_owned(),
        lock: None,
    };
    let mut report = Report::default();
    owner::refuse_foreign(path, &metadata).unwrap_or_else(|error| report.error(path, &error));
    refuse_open(path, &metadata).unwrap_or_else(|error| report.error(path, &error));
    owner::foreign(path)
        .iter()
        .for_each(|(path, error)| report.error(path, error));
    let listed = entries(path)?;
    let fleet = keys(&dir, &mut report);
    hints(&dir, &mut report);
    for path in &listed {
        match path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
        {
            IDENTITY | OWNER | FLEET | ADDRESSES | BEFORE | APPLIED | GIVEN | LOCK => {}
            name if is_name(name) => drift(path, name, &mut report),
            // The REST endpoint's, where the system has no other place for them.
            name if name.starts_with(CONTROL) => {}
            name if name == RevisionDirectory::Revisions.name() => check_revisions(
                &dir,
                RevisionDirectory::Revisions,
                fleet.as_ref(),
                &mut report,
            ),
            name if name == RevisionDirectory::Pending.name() => check_revisions(
                &dir,
                RevisionDirectory::Pending,
                fleet.as_ref(),
                &mut report,
            ),
            name => stray(path, name, &mut report),
        }
    }
    Ok(report)
}

/// Who this host is and which fleet it is in; the fleet's ID.
fn keys(dir: &StateDir, report: &mut Report) -> Option<[u8; 32]> {
    for name in [IDENTITY, OWNER, FLEET] {
        let path = dir.path.join(name);
        let is_open = fs::metadata(&path).is_ok_and(|metadata| metadata.mode() & OTHERS != 0);
        if is_open
            && let Err(error) = fs::metadata(&path)
                .map_err(io_error(&path))
                .and_then(|found| refuse_open(&path, &found))
        {
            report.error(&path, &error);
        }
    }
    let mut note = |name: &str, error: &StateError| report.error(&dir.path.join(name), error);
    let identity = dir.identity().inspect_err(|error| note(IDENTITY, error));
    let _ = dir.owner().inspect_err(|error| note(OWNER, error));
    let member = dir.membership().inspect_err(|error| note(FLEET, error));
    let (identity_path, fleet_path) = (dir.path.join(IDENTITY), dir.path.join(FLEET));
    match (&identity, &member) {
        (Ok(None), Ok(Some(_))) => report.wrong(
            &identity_path,
            "is missing",
            cure_of(&identity_path).unwrap_or(LOOK),
        ),
        (_, Ok(None)) if dir.path.join(RevisionDirectory::Revisions.name()).exists() => {
            report.wrong(
                &fleet_path,
                "is missing",
                cure_of(&fleet_path).unwrap_or(LOOK),
            );
        }
        (_, Ok(None)) => report.remark(
            &fleet_path,
            "is not there: this host is in no fleet",
            "type: starling init, or join",
        ),
        _ => {}
    }
    let member = member.ok().flatten()?;
    report.fleet = Some(member.fleet.name().to_owned());
    Some(*member.fleet.id().as_bytes())
}

/// Checks the files that Starling can do without.
fn hints(dir: &StateDir, report: &mut Report) {
    match dir.addresses() {
        Ok(Some(book)) if !StateDir::is_address_book(&book) => report.wrong(
            &dir.path.join(ADDRESSES),
            "is no address book",
            ASIDE_AT_START,
        ),
        Ok(_) => {}
        Err(error) => report.error(&dir.path.join(ADDRESSES), &error),
    }
    match dir.read(BEFORE, limits::REVISION_FILE_MAX) {
        Ok(Some(config)) if json::parse_own(&config).is_err() => {
            report.wrong(
                &dir.path.join(BEFORE),
                "is no JSON",
                "move it away; Starling does not need it",
            );
        }
        Ok(_) => {}
        Err(error) => report.error(&dir.path.join(BEFORE), &error),
    }
}

/// Everything below `revisions/` or `pending/`.
fn check_revisions(
    dir: &StateDir,
    kind: RevisionDirectory,
    fleet: Option<&[u8; 32]>,
    report: &mut Report,
) {
    let top = dir.path.join(kind.name());
    let groups = entries(&top)
        .inspect_err(|error| report.error(&top, error))
        .unwrap_or_default();
    for group in groups {
        if !group.is_dir()
            || !crate::model::name::is_name(
                &group.file_name().unwrap_or_default().to_string_lossy(),
            )
        {
            report.remark(&group, "is no group's directory", FOREIGN);
            continue;
        }
        let files = entries(&group)
            .inspect_err(|error| report.error(&group, error))
            .unwrap_or_default();
        for path in files {
            let named =
                names(&path).filter(|(group, name)| place(&dir.path, kind, group, name).is_ok());
            match (named, kind, fleet) {
                (None, ..) => stray(
                    &path,
                    &path.file_name().unwrap_or_default().to_string_lossy(),
                    report,
                ),
                (Some(_), RevisionDirectory::Pending, _) => {
                    report.remark(
                        &path,
                        "is being tried, or was when this host stopped",
                        "nothing: the next start clears it away",
                    );
                }
                (Some((group, name)), RevisionDirectory::Revisions, Some(fleet)) => {
                    revision(&path, group, &name, fleet, report)
                }
                // Nothing can be said without the fleet's key, which has been found missing.
                (Some(_), RevisionDirectory::Revisions, None) => {}
            }
        }
    }
}

/// Checks a stored revision.
fn revision(path: &Path, group: String, name: &str, fleet: &[u8; 32], report: &mut Report) {
    let bytes = match read_bounded(path, limits::REVISION_FILE_MAX) {
        Ok(bytes) => bytes,
        Err(StateError::Io(_, error)) if error.kind() == io::ErrorKind::IsADirectory => {
            return report.wrong(path, "is a directory", REFETCHED);
        }
        Err(error) => return report.error(path, &error),
    };
    match judge_file(&bytes, fleet).map(|filed| filed.revision) {
        Err(fault) => report.wrong(path, fault.to_string(), REFETCHED),
        Ok(revision) if revision.record.header.key != group => {
            report.wrong(
                path,
                format!("belongs to group {}", revision.record.header.key),
                RENAMED,
            );
        }
        Ok(revision) if name != revision_name(revision.rank().height, &revision.id()) => {
            let right = revision_name(revision.rank().height, &revision.id());
            report.wrong(path, format!("should be called {right}"), RENAMED);
        }
        Ok(revision) => {
            let (count, head) = report.groups.entry(group).or_insert((0, revision.rank()));
            (*count, *head) = (*count + 1, revision.rank().max(*head));
        }
    }
}

/// Checks a file that keeps a drift.
fn drift(path: &Path, name: &str, report: &mut Report) {
    match read_drift(path).map(|text| KeptFile::parse(name, &text)) {
        Ok(Some(file)) if file.acknowledged => {}
        Ok(Some(_)) => report.remark(
            path,
            "holds what somebody had put on the server and was replaced",
            SEE_DRIFT,
        ),
        Ok(None) => report.wrong(
            path,
            "is damaged",
            "start starling again, which sets it aside",
        ),
        Err(error) => report.error(path, &error),
    }
}

/// A file under a name that Starling does not take for one of its own.
fn stray(path: &Path, name: &str, report: &mut Report) {
    if name.starts_with(TEMPORARY) {
        report.remark(
            path,
            "is being written, or was when this host stopped",
            "nothing: the next start clears it away",
        );
    } else if name.contains(DAMAGED) {
        report.remark(
            path,
            "was found damaged and set aside",
            "remove it when you have seen it",
        );
    } else {
        report.remark(path, "does not belong here", FOREIGN);
    }
}

/// How the names of the REST endpoint's sockets begin.
const CONTROL: &str = "control.sock";
const SEE_DRIFT: &str = "type: starling drift";
const LOOK: &str = "look at the disk and at the file's owner and mode";
const FOREIGN: &str = "Starling leaves it alone";
const ASIDE_AT_START: &str =
    "start starling again, which sets it aside and goes by what else it knows";
const RENAMED: &str = "start starling again, which gives it its own name, or sets it aside if \
                       there is another of that name";
const REFETCHED: &str =
    "start starling again, which sets it aside and fetches the revision from other hosts";
