use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::model::signature::SecretKey;
use crate::wire::fleet::{Fleet, FleetId, FleetKey};

/// A directory of a test's own that goes away with it; not yet made.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("starling-test-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn locked(scratch: &Scratch) -> StateDir {
    let mut dir = StateDir::create(scratch.path()).unwrap();
    dir.lock().unwrap();
    dir
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn some_membership(joined: bool) -> Membership {
    let id = FleetId::from_bytes(SecretKey::from_seed(&[3; 32]).public()).unwrap();
    let fleet = Fleet::new("gulls".to_owned(), id, vec![FleetKey::from_bytes([5; 32])]).unwrap();
    Membership { fleet, joined }
}

/// Everything below a directory, with its permissions.
fn tree(path: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = vec![(path.to_owned(), mode(path))];
    if path.is_dir() {
        found.extend(
            write::entries(path)
                .unwrap()
                .iter()
                .flat_map(|path| tree(path)),
        );
    }
    found
}

#[test]
fn everything_in_it_is_for_its_owner_alone() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    dir.keep_identity(&SecretKey::from_seed(&[1; 32])).unwrap();
    dir.keep_owner(&SecretKey::from_seed(&[2; 32])).unwrap();
    dir.keep_membership(&some_membership(false)).unwrap();
    dir.keep_addresses(b"[]").unwrap();
    dir.keep_before_starling(b"{}").unwrap();
    let (_, path) = place(dir.path(), RevisionDirectory::Revisions, "edge", "1-aa").unwrap();
    write_temporary(&path, b"x").unwrap();
    let tree = tree(scratch.path());
    assert_eq!(tree.len(), 10, "{tree:?}");
    for (path, mode) in tree {
        assert_eq!(
            mode,
            if path.is_dir() { 0o700 } else { 0o600 },
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_directory_or_key_that_others_can_read_is_refused_with_what_to_type() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    dir.keep_identity(&SecretKey::from_seed(&[1; 32])).unwrap();
    chmod(scratch.path(), 0o750);
    let words = StateDir::open(scratch.path()).unwrap_err().to_string();
    assert!(
        words.ends_with(&format!("type: chmod 700 {}", scratch.path().display())),
        "{words}"
    );
    chmod(scratch.path(), 0o700);
    let key = scratch.path().join("identity.key");
    chmod(&key, 0o640);
    let words = StateDir::open(scratch.path()).unwrap_err().to_string();
    assert!(
        words.ends_with(&format!("type: chmod 600 {}", key.display())),
        "{words}"
    );
    chmod(&key, 0o600);
    assert!(StateDir::open(scratch.path()).is_ok());
}

#[test]
fn what_is_kept_is_read_back() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    assert!(dir.identity().unwrap().is_none());
    assert!(dir.membership().unwrap().is_none());
    assert!(dir.addresses().unwrap().is_none());
    dir.keep_identity(&SecretKey::from_seed(&[1; 32])).unwrap();
    dir.keep_membership(&some_membership(false)).unwrap();
    assert_eq!(dir.identity().unwrap().unwrap().seed(), [1; 32]);
    assert!(dir.owner().unwrap().is_none());
    let read = dir.membership().unwrap().unwrap();
    assert_eq!(read.fleet, some_membership(false).fleet);
    assert!(!read.joined);
    dir.set_joined(true).unwrap();
    assert!(dir.membership().unwrap().unwrap().joined);
    assert_eq!(
        dir.membership().unwrap().unwrap().fleet,
        some_membership(true).fleet
    );
}

#[test]
fn a_key_is_made_once_and_a_membership_too() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    dir.keep_identity(&SecretKey::from_seed(&[1; 32])).unwrap();
    assert!(matches!(
        dir.keep_identity(&SecretKey::from_seed(&[9; 32])),
        Err(StateError::Exists(_))
    ));
    assert_eq!(dir.identity().unwrap().unwrap().seed(), [1; 32]);
    dir.keep_membership(&some_membership(true)).unwrap();
    assert!(matches!(
        dir.keep_membership(&some_membership(false)),
        Err(StateError::Exists(_))
    ));
    assert!(dir.membership().unwrap().unwrap().joined);
}

#[test]
fn a_key_file_says_what_it_is_and_nothing_else_is_taken_for_one() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    dir.keep_owner(&SecretKey::from_seed(&[2; 32])).unwrap();
    let text = fs::read_to_string(scratch.path().join("owner.key")).unwrap();
    assert!(text.starts_with("starling owner key 1, secret"));
    let identity = scratch.path().join("identity.key");
    for wrong in [
        "",
        "\n",
        "02",
        text.as_str(),
        &text.replace("owner", "identity")[..60],
        "starling identity key 1\nzz\n",
    ] {
        fs::write(&identity, wrong).unwrap();
        chmod(&identity, 0o600);
        assert!(
            matches!(dir.identity(), Err(StateError::Content { .. })),
            "{wrong:?}"
        );
    }
    fs::write(&identity, vec![b'x'; limits::STATE_FILE_MAX + 1]).unwrap();
    assert!(matches!(dir.identity(), Err(StateError::TooLong { .. })));
}

#[test]
fn a_membership_that_was_tampered_with_is_refused_by_name() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    dir.keep_membership(&some_membership(true)).unwrap();
    let path = scratch.path().join("fleet.json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("gulls", "../x"),
        ("0505", "05"),
        ("true", "1"),
        ("joined", "jioned"),
        ("{", "["),
    ] {
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let words = dir.membership().expect_err(to).to_string();
        assert!(words.contains("fleet.json: "), "{words}");
    }
}

#[test]
fn a_second_process_is_told_who_has_it() {
    let scratch = Scratch::new();
    let _held = locked(&scratch);
    let mut second = StateDir::open(scratch.path()).unwrap();
    let error = second.lock().unwrap_err();
    assert!(
        matches!(error, StateError::Held { process: Some(process), .. } if process == std::process::id())
    );
    assert!(
        error
            .to_string()
            .contains("another starling uses it, process ")
    );
}

#[test]
fn the_lock_goes_with_its_holder() {
    let scratch = Scratch::new();
    drop(locked(&scratch));
    locked(&scratch);
}

#[test]
fn what_a_crash_left_half_written_is_cleared_away_and_only_that() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    dir.keep_addresses(b"[]").unwrap();
    let (_, kept) = place(dir.path(), RevisionDirectory::Revisions, "edge", "1-aa").unwrap();
    let (_, torn) = place(dir.path(), RevisionDirectory::Pending, "edge", "2-bb").unwrap();
    let (temporary, _) = write_temporary(&kept, b"x").unwrap();
    fs::rename(temporary, &kept).unwrap();
    let leftovers = [
        write_temporary(&torn, b"h").unwrap().0,
        write_temporary(&scratch.path().join("fleet.json"), b"{")
            .unwrap()
            .0,
    ];
    drop(dir);
    assert!(leftovers.iter().all(|path| path.exists()));
    locked(&scratch);
    assert!(!leftovers.iter().any(|path| path.exists()));
    assert!(kept.exists() && scratch.path().join("addresses.json").exists());
}

#[test]
fn a_leftover_does_not_stop_the_next_writing() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    write_temporary(&scratch.path().join("identity.key"), b"star").unwrap();
    dir.keep_identity(&SecretKey::from_seed(&[1; 32])).unwrap();
    assert_eq!(dir.identity().unwrap().unwrap().seed(), [1; 32]);
}

#[test]
fn a_damaged_file_is_set_aside_and_never_replaces_another() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    for (number, bytes) in [(1, b"one"), (2, b"two")] {
        dir.keep_addresses(bytes).unwrap();
        let aside = dir.set_aside(&dir.addresses_path()).unwrap();
        assert_eq!(
            aside,
            scratch
                .path()
                .join(format!("addresses.json.damaged-{number}"))
        );
        assert!(dir.addresses().unwrap().is_none());
    }
    assert_eq!(
        fs::read(scratch.path().join("addresses.json.damaged-1")).unwrap(),
        b"one"
    );
    assert_eq!(
        fs::read(scratch.path().join("addresses.json.damaged-2")).unwrap(),
        b"two"
    );
    assert!(matches!(
        dir.set_aside(&dir.addresses_path()),
        Err(StateError::Io(..))
    ));
}

#[test]
fn a_damaged_file_of_a_directory_that_is_named_from_here_is_set_aside_too() {
    let path = PathBuf::from(format!("target/aside-{}", std::process::id()));
    let mut dir = StateDir::create(&path).unwrap();
    dir.lock().unwrap();
    dir.keep_addresses(b"one").unwrap();
    let aside = dir.set_aside(&dir.addresses_path());
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(aside.unwrap(), path.join("addresses.json.damaged-1"));
}

#[test]
fn revisions_are_read_in_order_and_what_is_not_one_is_passed_over() {
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    for (group, name) in [
        ("edge", "0002-bb"),
        ("edge", "0001-aa"),
        ("default", "0003-cc"),
        ("edge", "0004-dd"),
    ] {
        let (_, path) = place(dir.path(), RevisionDirectory::Revisions, group, name).unwrap();
        let (temporary, _) = write_temporary(&path, name.as_bytes()).unwrap();
        fs::rename(temporary, path).unwrap();
    }
    let edge = scratch.path().join("revisions/edge");
    fs::write(edge.join("0009-ee"), vec![0; limits::REVISION_FILE_MAX + 1]).unwrap();
    fs::write(edge.join("notes.txt"), b"mine").unwrap();
    assert_eq!(
        dir.set_revision_aside("edge", "0004-dd").unwrap(),
        edge.join("0004-dd.damaged-1")
    );
    let mut read = Vec::new();
    fs::create_dir(edge.join("0008-dd")).unwrap();
    let unread = dir.load_revisions(|file| read.push((file.group, file.name, file.bytes)));
    // What cannot be a revision reads as empty, and is then found damaged.
    let expected = [
        ("default", "0003-cc", "0003-cc"),
        ("edge", "0001-aa", "0001-aa"),
        ("edge", "0002-bb", "0002-bb"),
        ("edge", "0008-dd", ""),
        ("edge", "0009-ee", ""),
    ];
    assert_eq!(
        read,
        expected.map(|(group, name, text)| (
            group.to_owned(),
            name.to_owned(),
            text.as_bytes().to_owned()
        ))
    );
    assert!(unread.is_empty(), "{unread:?}");
    assert!(
        dir.load_pending(|_| panic!("nothing is pending"))
            .is_empty()
    );
}

#[test]
fn a_link_in_it_is_refused_and_what_it_leads_to_is_not_touched() {
    for name in [
        "lock",
        "identity.key",
        "fleet.json",
        "addresses.json",
        "before-starling.json",
        "applied.json",
        "given.json",
        "revisions",
        "pending",
    ] {
        let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
        let target = elsewhere.path().to_owned();
        fs::write(&target, "precious").unwrap();
        chmod(&target, 0o600);
        let mut dir = StateDir::create(scratch.path()).unwrap();
        let link = scratch.path().join(name);
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let error = dir.lock().unwrap_err();
        assert!(
            matches!(&error, StateError::Link(path) if *path == link),
            "{name}: {error}"
        );
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious", "{name}");
        let report = check(scratch.path()).unwrap();
        assert!(report.findings.iter().any(|found| found.path == link
            && found.is_wrong
            && found.what == "is a symbolic link"));
        fs::remove_file(&target).unwrap();
    }
    let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
    drop(locked(&scratch));
    let group = scratch.path().join("revisions/edge");
    fs::create_dir_all(elsewhere.path()).unwrap();
    fs::create_dir_all(group.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &group).unwrap();
    assert!(
        matches!(StateDir::open(scratch.path()).unwrap().lock(), Err(StateError::Link(path)) if path == group)
    );
    let file = group.join("1-aa");
    assert!(
        write_temporary(&file, b"x").is_err()
            && fs::read_dir(elsewhere.path()).unwrap().next().is_none()
    );
}

#[test]
fn what_belongs_to_another_user_is_refused_with_what_to_do() {
    if crate::daemon::system::own_user() != Some(0) {
        return;
    }
    let nobody = |path: &Path| std::os::unix::fs::chown(path, Some(65_534), None).unwrap();
    let scratch = Scratch::new();
    let dir = locked(&scratch);
    dir.keep_identity(&SecretKey::from_seed(&[1; 32])).unwrap();
    dir.keep_addresses(b"{}").unwrap();
    drop(dir);
    for name in ["lock", "addresses.json"] {
        let path = scratch.path().join(name);
        nobody(&path);
        let error = StateDir::open(scratch.path())
            .unwrap()
            .lock()
            .unwrap_err()
            .to_string();
        let expected = format!(
            "{0}: belongs to user 65534, and this is user 0; type this as user 65534, or: chown -h 0 {0}",
            path.display()
        );
        assert_eq!(error, expected);
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    nobody(scratch.path());
    let error = StateDir::open(scratch.path()).unwrap_err().to_string();
    assert!(
        error.ends_with(&format!("or: chown -h -R 0 {}", scratch.path().display())),
        "{error}"
    );
    assert!(matches!(
        StateDir::create(scratch.path()),
        Err(StateError::Owner {
            owner: 65_534,
            user: 0,
            ..
        })
    ));
}
