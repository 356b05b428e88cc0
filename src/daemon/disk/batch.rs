//! How several jobs are performed at once: prepare each (write, fsync), publish each (rename,
//! remove), then fsync each directory once.
//!
//! Preparing one job before publishing another must not be seen, not even after a power cut: a job
//! that touches a name again, or that takes something away, begins the next batch.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::state_dir::{
    RevisionDirectory, StateDir, StateError, make_group, open_own, place, read_revision, sync,
    write_temporary,
};
use super::DiskDone;
use crate::model::document::BundleId;
use crate::node::effect::DiskJob;
use crate::node::store::revision_file::struck_text;

/// Performs batches of jobs in a state directory.
pub(super) struct BatchWriter {
    dir: StateDir,
    /// The address book as it is on the disk.
    addresses: Option<Vec<u8>>,
    /// The last failure that nobody waited for; a repeated one is logged once.
    complaint: Option<String>,
}

/// A job of a batch.
struct Work {
    job: DiskJob,
    result: Result<Prepared, String>,
}

/// What is left to do for a job that was prepared.
enum Prepared {
    /// Nothing.
    Finished,
    /// The file is there already: make its name durable, for whoever gave it that may not have come
    /// to it.
    Kept(PathBuf),
    /// Give the file its name, and make that durable.
    Rename { from: PathBuf, to: PathBuf },
    /// Remove the file, if it is there.
    Remove(PathBuf),
}

impl Prepared {
    /// The directory that must be synced before the job is done.
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Rename { to, .. } | Self::Kept(to) => to.parent(),
            Self::Finished | Self::Remove(_) => None,
        }
    }
}

impl BatchWriter {
    pub(super) fn new(dir: StateDir) -> Self {
        // One that cannot be read is another than whatever comes to be kept.
        let addresses = dir.addresses().ok().flatten();
        Self {
            dir,
            addresses,
            complaint: None,
        }
    }

    /// Performs the jobs as if one after the other, and returns the answers in their order.
    pub(super) fn perform(&mut self, jobs: Vec<DiskJob>) -> Vec<DiskDone> {
        let mut answers = Vec::new();
        let mut works: Vec<Work> = Vec::new();
        for job in jobs {
            if must_come_after(&job, &works) {
                answers.extend(self.finish(std::mem::take(&mut works)));
            }
            let result = self.prepare(&job).map_err(|error| error.to_string());
            works.push(Work { job, result });
        }
        answers.extend(self.finish(works));
        answers
    }

    fn prepare(&self, job: &DiskJob) -> Result<Prepared, StateError> {
        let state = self.dir.path();
        match job {
            DiskJob::Pending(_, group, name, bytes) => {
                let (_, to) = place(state, RevisionDirectory::Pending, group, name)?;
                let (from, _) = write_temporary(&to, bytes)?;
                rename(&from, &to).inspect_err(|_| remove(&from))?;
                Ok(Prepared::Finished)
            }
            DiskJob::Commit(_, group, name) => {
                let (_, from) = place(state, RevisionDirectory::Pending, group, name)?;
                let (directory, to) = place(state, RevisionDirectory::Revisions, group, name)?;
                open_own(&from)?
                    .sync_all()
                    .map_err(|error| StateError::Io(from.clone(), error))?;
                make_group(&directory)?;
                Ok(Prepared::Rename { from, to })
            }
            DiskJob::Store(_, group, name, bytes) => durable(
                place(state, RevisionDirectory::Revisions, group, name)?.1,
                bytes,
            ),
            DiskJob::Strike(_, group, name, goes) => strike(
                place(state, RevisionDirectory::Revisions, group, name)?.1,
                goes,
            ),
            DiskJob::Discard(group, name) => Ok(Prepared::Remove(
                place(state, RevisionDirectory::Pending, group, name)?.1,
            )),
            DiskJob::Remove(group, name) => Ok(Prepared::Remove(
                place(state, RevisionDirectory::Revisions, group, name)?.1,
            )),
            DiskJob::Probe(_) => self.dir.probe().map(|()| Prepared::Finished),
            DiskJob::SetAside(group, name) => self.set_aside(group, name),
            DiskJob::Addresses(bytes) if self.addresses.as_ref() == Some(bytes) => {
                Ok(Prepared::Finished)
            }
            DiskJob::Addresses(bytes) => {
                self.dir.keep_addresses(bytes).map(|()| Prepared::Finished)
            }
            DiskJob::Given(bytes) => self.dir.keep_given(bytes).map(|()| Prepared::Finished),
            DiskJob::Joined => self.dir.set_joined(true).map(|()| Prepared::Finished),
            DiskJob::BeforeStarling(_, bytes) => self
                .dir
                .keep_before_starling(bytes)
                .map(|()| Prepared::Finished),
            DiskJob::KeepDrift(_, name, bytes, goes) => self
                .dir
                .keep_drift(name, bytes, goes.as_deref())
                .map(|()| Prepared::Finished),
            DiskJob::AcknowledgeDrift(_, name) => self
                .dir
                .acknowledge_drift(name)
                .map(|()| Prepared::Finished),
            DiskJob::Applied(group, id, document) => {
                let fingerprint = document.fingerprint();
                self.dir
                    .remember_applied(group, id, fingerprint)
                    .map(|()| Prepared::Finished)
            }
        }
    }

    fn set_aside(&self, group: &str, name: &str) -> Result<Prepared, StateError> {
        match self.dir.set_revision_aside(group, name) {
            Err(StateError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Prepared::Finished)
            }
            other => other.map(|_| Prepared::Finished),
        }
    }

    fn finish(&mut self, mut works: Vec<Work>) -> Vec<DiskDone> {
        let mut directories = BTreeSet::new();
        for work in &mut works {
            if let Ok(prepared) = &work.result
                && let Err(error) = publish(prepared, &mut directories)
            {
                undo(&work.job, prepared);
                work.result = Err(error.to_string());
            }
        }
        let failed: BTreeMap<PathBuf, String> = directories
            .into_iter()
            .filter_map(|path| sync(&path).err().map(|error| (path, error.to_string())))
            .collect();
        works
            .into_iter()
            .filter_map(|work| self.answer(work, &failed))
            .collect()
    }

    fn answer(&mut self, work: Work, failed: &BTreeMap<PathBuf, String>) -> Option<DiskDone> {
        let result = work.result.and_then(|prepared| {
            match prepared
                .directory()
                .and_then(|directory| failed.get(directory))
            {
                Some(reason) => {
                    undo(&work.job, &prepared);
                    Err(reason.clone())
                }
                None => Ok(()),
            }
        });
        let ticket = work.job.ticket();
        if ticket.is_none() {
            self.note(work.job, result.clone());
        }
        ticket.map(|ticket| DiskDone { ticket, result })
    }

    /// Logs the failure of a job that nobody waits for, a repeated one once.
    fn note(&mut self, job: DiskJob, result: Result<(), String>) {
        match (result, job) {
            (Err(reason), _) if self.complaint.as_ref() != Some(&reason) => {
                log::warn!(target: "disk", "{reason}");
                self.complaint = Some(reason);
            }
            (Ok(()), DiskJob::Addresses(bytes)) => self.addresses = Some(bytes),
            _ => {}
        }
    }
}

/// Whether all before `job` must be done and durable before it is begun: if one of them changes the
/// same name, and if the job relies on them. A removed revision was replaced by one that must be
/// safe first, and a host that is marked as joined must hold what it took.
fn must_come_after(job: &DiskJob, works: &[Work]) -> bool {
    let is_new_content = matches!(
        job,
        DiskJob::Pending(..) | DiskJob::Commit(..) | DiskJob::Store(..)
    );
    !is_new_content || works.iter().any(|work| touched(&work.job) == touched(job))
}

/// What a job changes; two jobs of one batch must not have this in common.
fn touched(job: &DiskJob) -> (&str, &str) {
    match job {
        DiskJob::Pending(_, group, name, _)
        | DiskJob::Commit(_, group, name)
        | DiskJob::Discard(group, name)
        | DiskJob::Store(_, group, name, _)
        | DiskJob::Strike(_, group, name, _)
        | DiskJob::SetAside(group, name)
        | DiskJob::Remove(group, name) => (group, name),
        // No group's name begins with a dot.
        DiskJob::Addresses(_) => (".addresses", ""),
        DiskJob::Given(_) => (".given", ""),
        DiskJob::Probe(_) => (".probe", ""),
        DiskJob::Joined => (".joined", ""),
        DiskJob::BeforeStarling(..) => (".before", ""),
        DiskJob::KeepDrift(_, name, ..) | DiskJob::AcknowledgeDrift(_, name) => (".drift", name),
        DiskJob::Applied(..) => (".applied", ""),
    }
}

/// A revision that is there already is not written again: that spares the flash, and no failure can
/// harm what is kept.
fn durable(to: PathBuf, bytes: &[u8]) -> Result<Prepared, StateError> {
    if fs::symlink_metadata(&to).is_ok_and(|metadata| metadata.len() == bytes.len() as u64)
        && read_revision(&to).is_ok_and(|kept| kept.is_some_and(|kept| kept == bytes))
    {
        return Ok(Prepared::Kept(to));
    }
    let (from, file) = write_temporary(&to, bytes)?;
    match file.sync_all() {
        Ok(()) => Ok(Prepared::Rename { from, to }),
        Err(error) => {
            remove(&from);
            Err(StateError::Io(from, error))
        }
    }
}

/// A revision that is there gets a file without these bundles. It keeps its time, which is when the
/// revision came.
fn strike(to: PathBuf, goes: &[BundleId]) -> Result<Prepared, StateError> {
    let Some(text) = read_revision(&to)?.and_then(|bytes| struck_text(&bytes, goes)) else {
        return Ok(Prepared::Finished);
    };
    let written = fs::metadata(&to).and_then(|found| found.modified());
    let prepared = durable(to, &text)?;
    if let (Ok(written), Prepared::Rename { from, .. }) = (written, &prepared) {
        // A file system that keeps no times has none to lose.
        drop(fs::File::open(from).and_then(|file| file.set_modified(written)));
    }
    Ok(prepared)
}

/// Undoes what a job has done before it failed: nothing may be found in `revisions/` at the next
/// start whose author was told that it failed. What was being tried stays in `pending/`, which says
/// at the next start that the server may run it.
fn undo(job: &DiskJob, prepared: &Prepared) {
    let Prepared::Rename { from, to } = prepared else {
        return;
    };
    match (job, from.exists()) {
        (DiskJob::Commit(..), true) => {}
        // What is left of it is the revision all the same.
        (DiskJob::Strike(..), false) => {}
        // If this fails too there is nothing left to try: the disk takes no change at all.
        (DiskJob::Commit(..), false) => drop(fs::rename(to, from)),
        (_, true) => remove(from),
        (_, false) => remove(to),
    }
}

/// Removes a file that is to be gone after a failure; a second failure changes nothing.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Does what is left of a job, and adds the directories whose names have changed.
fn publish(prepared: &Prepared, directories: &mut BTreeSet<PathBuf>) -> Result<(), StateError> {
    match prepared {
        Prepared::Finished => Ok(()),
        Prepared::Kept(path) => {
            directories.extend(path.parent().map(Path::to_owned));
            Ok(())
        }
        Prepared::Rename { from, to } => {
            rename(from, to)?;
            // Where it came from it may turn up once more after a power cut: what is found in
            // `pending/` beside the same in `revisions/` does no harm.
            directories.extend(to.parent().map(Path::to_owned));
            Ok(())
        }
        Prepared::Remove(path) => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Io(path.clone(), error))
            }
            _ => Ok(()),
        },
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), StateError> {
    fs::rename(from, to).map_err(|error| StateError::Io(to.to_owned(), error))
}
