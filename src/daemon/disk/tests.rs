use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::super::state_dir::{Scratch, StateDir};
use super::*;

fn start(dir: &Path) -> (Disk, Receiver<DiskDone>) {
    let mut state = StateDir::create(dir).unwrap();
    state.lock().unwrap();
    let (sink, done) = channel();
    (
        Disk::start(state, move |answer| sink.send(answer).unwrap_or(())).unwrap(),
        done,
    )
}

fn answer(done: &Receiver<DiskDone>) -> DiskDone {
    done.recv_timeout(Duration::from_secs(10))
        .expect("every job with a ticket is answered")
}

fn pending(ticket: u64, name: &str, bytes: &[u8]) -> DiskJob {
    DiskJob::Pending(ticket, "edge".to_owned(), name.to_owned(), bytes.to_owned())
}

fn commit(ticket: u64, name: &str) -> DiskJob {
    DiskJob::Commit(ticket, "edge".to_owned(), name.to_owned())
}

fn store(ticket: u64, name: &str, bytes: &[u8]) -> DiskJob {
    DiskJob::Store(ticket, "edge".to_owned(), name.to_owned(), bytes.to_owned())
}

fn remove(name: &str) -> DiskJob {
    DiskJob::Remove("edge".to_owned(), name.to_owned())
}

fn discard(name: &str) -> DiskJob {
    DiskJob::Discard("edge".to_owned(), name.to_owned())
}

/// A writer without its thread: what is performed in one batch is then certain.
fn writer(dir: &Path) -> BatchWriter {
    let mut state = StateDir::create(dir).unwrap();
    state.lock().unwrap();
    BatchWriter::new(state)
}

fn good(tickets: &[u64]) -> Vec<DiskDone> {
    tickets
        .iter()
        .map(|ticket| DiskDone {
            ticket: *ticket,
            result: Ok(()),
        })
        .collect()
}

fn names(directory: PathBuf) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_tried_revision_moves_from_pending_to_revisions() {
    let scratch = Scratch::new();
    let (disk, done) = start(scratch.path());
    disk.submit(pending(1, "1-aa", b"whole")).unwrap();
    assert_eq!(
        answer(&done),
        DiskDone {
            ticket: 1,
            result: Ok(())
        }
    );
    assert_eq!(
        fs::read(scratch.path().join("pending/edge/1-aa")).unwrap(),
        b"whole"
    );
    disk.submit(commit(2, "1-aa")).unwrap();
    assert_eq!(
        answer(&done),
        DiskDone {
            ticket: 2,
            result: Ok(())
        }
    );
    assert_eq!(
        fs::read(scratch.path().join("revisions/edge/1-aa")).unwrap(),
        b"whole"
    );
    assert!(names(scratch.path().join("pending/edge")).is_empty());
    assert!(disk.stop());
}

#[test]
fn jobs_of_one_batch_take_effect_in_their_order() {
    let scratch = Scratch::new();
    let mut writer = writer(scratch.path());
    let jobs = vec![
        store(1, "1-aa", b"a"),
        remove("1-aa"),
        store(2, "1-aa", b"b"),
        pending(3, "2-bb", b"c"),
        discard("2-bb"),
        pending(4, "2-bb", b"d"),
        commit(5, "2-bb"),
        pending(6, "3-cc", b"e"),
        discard("3-cc"),
        store(7, "4-dd", b"f"),
        remove("4-dd"),
    ];
    assert_eq!(writer.perform(jobs), good(&[1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(
        names(scratch.path().join("revisions/edge")),
        ["1-aa", "2-bb"]
    );
    assert_eq!(
        fs::read(scratch.path().join("revisions/edge/1-aa")).unwrap(),
        b"b"
    );
    assert_eq!(
        fs::read(scratch.path().join("revisions/edge/2-bb")).unwrap(),
        b"d"
    );
    assert!(names(scratch.path().join("pending/edge")).is_empty());
}

#[test]
fn a_failing_job_is_told_with_path_and_reason_and_harms_no_other() {
    let scratch = Scratch::new();
    let mut writer = writer(scratch.path());
    fs::create_dir(scratch.path().join("revisions")).unwrap();
    fs::write(
        scratch.path().join("revisions/stuck"),
        b"a file where a directory should be",
    )
    .unwrap();
    let stuck = DiskJob::Store(1, "stuck".to_owned(), "1-aa".to_owned(), vec![1]);
    let answers = writer.perform(vec![stuck, store(2, "1-aa", b"a"), commit(3, "9-none")]);
    assert_eq!(answers.len(), 3);
    let words = answers[0].result.clone().unwrap_err();
    assert!(
        words.contains("revisions/stuck") && words.contains("ot a directory"),
        "{words}"
    );
    assert_eq!(
        answers[1],
        DiskDone {
            ticket: 2,
            result: Ok(())
        }
    );
    assert!(
        answers[2]
            .result
            .clone()
            .unwrap_err()
            .contains("pending/edge/9-none")
    );
    assert_eq!(names(scratch.path().join("revisions/edge")), ["1-aa"]);
}

#[test]
fn a_failed_rename_leaves_nothing_under_a_temporary_name() {
    let scratch = Scratch::new();
    let mut writer = writer(scratch.path());
    fs::create_dir_all(scratch.path().join("revisions/edge/1-aa/full")).unwrap();
    let answers = writer.perform(vec![store(1, "1-aa", b"a")]);
    assert!(answers[0].result.is_err());
    assert_eq!(names(scratch.path().join("revisions/edge")), ["1-aa"]);
}

#[test]
fn a_revision_that_is_there_is_not_written_again_unless_it_was_altered() {
    use std::os::unix::fs::MetadataExt;
    let scratch = Scratch::new();
    let mut writer = writer(scratch.path());
    let path = scratch.path().join("revisions/edge/1-aa");
    assert_eq!(writer.perform(vec![store(1, "1-aa", b"whole")]), good(&[1]));
    let inode = fs::metadata(&path).unwrap().ino();
    assert_eq!(writer.perform(vec![store(2, "1-aa", b"whole")]), good(&[2]));
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    fs::write(&path, b"whale").unwrap();
    assert_eq!(writer.perform(vec![store(3, "1-aa", b"whole")]), good(&[3]));
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

#[test]
fn a_failed_commit_leaves_the_revision_pending() {
    let scratch = Scratch::new();
    let mut writer = writer(scratch.path());
    fs::create_dir_all(scratch.path().join("revisions/edge/1-aa/full")).unwrap();
    let answers = writer.perform(vec![pending(1, "1-aa", b"a"), commit(2, "1-aa")]);
    assert!(
        answers[0].result.is_ok() && answers[1].result.is_err(),
        "{answers:?}"
    );
    assert_eq!(names(scratch.path().join("pending/edge")), ["1-aa"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let scratch = Scratch::new();
    let mut writer = writer(scratch.path());
    for (group, name) in [
        ("..", "1-aa"),
        ("a/b", "1-aa"),
        ("edge", "../1"),
        ("edge", ".new-1"),
        ("edge", ""),
        ("", "1-aa"),
    ] {
        let job = DiskJob::Store(1, group.to_owned(), name.to_owned(), vec![]);
        assert!(
            writer.perform(vec![job])[0].result.is_err(),
            "{group:?} {name:?}"
        );
    }
    assert_eq!(names(scratch.path().to_owned()), ["lock"]);
}

#[test]
fn an_address_book_that_has_not_changed_is_not_written_again() {
    use std::os::unix::fs::MetadataExt;
    let scratch = Scratch::new();
    let path = scratch.path().join("addresses.json");
    let mut first = writer(scratch.path());
    let inode = || fs::metadata(&path).unwrap().ino();
    let keep = |bytes: &[u8]| vec![DiskJob::Addresses(bytes.to_owned())];
    first.perform(keep(b"one"));
    let kept = inode();
    first.perform(keep(b"one"));
    assert_eq!(inode(), kept);
    drop(first);
    let mut second = writer(scratch.path());
    second.perform(keep(b"one"));
    assert_eq!(inode(), kept, "not after a restart either");
    second.perform(keep(b"two"));
    assert_eq!(fs::read(&path).unwrap(), b"two");
}

#[test]
fn what_the_server_ran_before_is_kept_once() {
    let scratch = Scratch::new();
    let mut writer = writer(scratch.path());
    let keep = |bytes: &[u8]| vec![DiskJob::BeforeStarling(0, bytes.to_owned())];
    writer.perform(keep(b"first"));
    writer.perform(keep(b"second"));
    assert_eq!(
        fs::read(scratch.path().join("before-starling.json")).unwrap(),
        b"first"
    );
    assert_eq!(
        names(scratch.path().to_owned()),
        ["before-starling.json", "lock"]
    );
}

#[test]
fn a_full_queue_gives_the_job_back_and_a_stop_writes_what_is_queued() {
    let scratch = Scratch::new();
    let mut state = StateDir::create(scratch.path()).unwrap();
    state.lock().unwrap();
    let (gate, wait) = channel::<()>();
    // The first answer holds the thread up until the gate is dropped.
    let disk = Disk::start(state, move |_| wait.recv().unwrap_or(())).unwrap();
    let mut accepted = 0;
    let refused = loop {
        match disk.submit(store(accepted, &format!("{accepted}-aa"), b"x")) {
            Ok(()) => accepted += 1,
            Err(job) => break job,
        }
        assert!(accepted < 1000, "the queue has no bound");
    };
    assert!(matches!(refused, DiskJob::Store(ticket, ..) if ticket == accepted));
    drop(gate);
    assert!(disk.stop());
    assert_eq!(
        names(scratch.path().join("revisions/edge")).len() as u64,
        accepted
    );
}
