//! Disks that are full, read-only or fail fsync: no change is taken and none is lost, what comes
//! from others is served from memory, and all is on disk again within seconds of the disk's being
//! well.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::peer::Peer;
use super::private::Scratch;
use super::privately::{privately, test_name};
use super::skip::skip;
use super::strace::{failing_fsync, lacks};
use super::{names, wait};

/// Two peers of a fleet, each with a server, the second with its state on a small disk of its own
/// if `size` is given.
fn fleet(dir: &Path, size: Option<&str>) -> [Peer; 2] {
    if let Some(size) = size {
        let state = dir.join("p1/state");
        fs::create_dir_all(&state).unwrap();
        mount(
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=700"),
                "tmpfs",
            ],
            &state,
        );
    }
    let [mut one, mut two] = Peer::fleet(dir);
    one.serve();
    two.serve();
    one.start(&[]);
    two.start(&[&one]);
    assert_eq!(
        one.put("/config", r#"{"listeners":{},"routes":{}}"#).status,
        200
    );
    wait("both are in step", || {
        two.is_in_step() && two.kept() == one.kept()
    });
    [one, two]
}

fn mount(options: &[&str], at: &Path) {
    let output = Command::new("mount")
        .args(options)
        .arg(at)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "mount {options:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Fills the disk to its last block.
fn fill(directory: &Path) {
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(directory.join("filler"))
        .unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
}

fn make_room(directory: &Path) {
    fs::remove_file(directory.join("filler")).unwrap();
}

/// Waits until changes are refused, and sees that all else goes on.
fn refuses_and_serves(one: &Peer, two: &Peer, reason: &str) {
    // Until the fault strikes a change is still taken, and then it counts.
    let mut tries = 0;
    let refused = loop {
        tries += 1;
        let reply = two.put(&format!("/config/routes/try{tries}"), "[]");
        // The change that shows the fault may be made already.
        let is_made = reply.status == 507
            && reply.json()["error"] == "The change is made, but is not stored on this host.";
        if reply.status != 200 && !is_made {
            break reply;
        }
        assert!(tries < 1000, "changes are taken on and on");
    };
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert_eq!(refused.json()["error"], "The change cannot be stored.");
    assert!(
        refused.json()["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains(reason)),
        "{}",
        refused.body
    );
    assert!(!two.has(&format!("try{tries}")));
    ["x", "y", "z"].iter().for_each(|name| one.change(name));
    wait("what others change is served", || two.has("z"));
    wait("the server runs it", || {
        two.json("/fleet").pointer("/group/applied") == one.json("/fleet").pointer("/group/head/id")
    });
    wait("it is reported", || {
        two.problems()
            .iter()
            .any(|problem| problem.contains(reason))
    });
    assert_eq!(two.put("/config/routes/again", "[]").status, 507);
    assert!(
        (1..tries).all(|number| two.has(&format!("try{number}"))),
        "what was acknowledged is there"
    );
    let left = |directory: &Path| {
        names(directory)
            .into_iter()
            .filter(|name| name.starts_with(".new-"))
            .count()
    };
    wait("nothing half written is left", || {
        left(&two.revisions()) + left(&two.state.join("pending/default")) == 0
    });
}

/// Waits until all that was received is on disk, and sees that nothing is wrong any more.
fn recovers(one: &Peer, two: &mut Peer) {
    wait("all is on disk", || {
        two.kept().last() == one.kept().last() && two.problems().is_empty()
    });
    two.change("after");
    wait("the other has the change", || one.has("after"));
    assert_eq!(
        two.command(&["fsck"], "")
            .lines()
            .filter(|line| line.starts_with("wrong"))
            .count(),
        0
    );
    two.stop();
    two.start(&[]);
    assert!(
        ["x", "y", "z", "after"].iter().all(|name| two.has(name)),
        "after a start without any other"
    );
    assert!(two.problems().is_empty(), "{:?}", two.problems());
}

fn on_a_small_disk<F: FnOnce(&Path, Peer, Peer)>(size: &str, scenario: F) {
    privately(test_name::<F>(), TIME_MAX, |dir| {
        let [one, two] = fleet(dir, Some(size));
        let state = two.state.clone();
        scenario(&state, one, two);
    });
}

#[test]
fn a_full_disk_refuses_changes_and_recovers_when_there_is_room() {
    on_a_small_disk("256k", |state, one, mut two| {
        two.change("before");
        fill(state);
        refuses_and_serves(&one, &two, "No space left on device");
        assert!(two.kept().len() < one.kept().len());
        make_room(state);
        recovers(&one, &mut two);
        assert!(two.has("before"));
    });
}

#[test]
fn a_peer_starts_on_a_full_disk_and_serves() {
    on_a_small_disk("256k", |state, one, mut two| {
        two.change("before");
        two.stop();
        fill(state);
        two.start(&[&one]);
        assert!(two.has("before"));
        refuses_and_serves(&one, &two, "No space left on device");
        make_room(state);
        recovers(&one, &mut two);
    });
}

#[test]
fn a_read_only_disk_refuses_changes_and_recovers_when_it_is_writable() {
    on_a_small_disk("1m", |state, one, mut two| {
        two.change("before");
        mount(&["-o", "remount,ro"], state);
        refuses_and_serves(&one, &two, "Read-only file system");
        mount(&["-o", "remount,rw"], state);
        recovers(&one, &mut two);
    });
}

#[test]
fn a_peer_starts_on_a_read_only_disk_says_so_and_serves() {
    on_a_small_disk("1m", |state, one, mut two| {
        two.change("before");
        let kept = two.kept();
        two.stop();
        fs::write(state.join(".new-fleet.json"), "{").unwrap();
        fs::write(two.revisions().join(&kept[0]), "damaged").unwrap();
        mount(&["-o", "remount,ro"], state);
        let before = two.log.size();
        two.start(&[&one]);
        assert!(two.has("before"));
        let said = |line: &str| {
            line.contains("Read-only file system") && line.contains("; what is there is served")
        };
        assert!(
            two.log.wait(before, super::SOON, said).is_some(),
            "{}",
            two.log.tail(20)
        );
        assert!(
            two.problems()
                .iter()
                .any(|problem| problem.contains("a damaged revision cannot be set aside: "))
        );
        refuses_and_serves(&one, &two, "Read-only file system");
        two.stop();
        mount(&["-o", "remount,rw"], state);
        two.start(&[&one]);
        assert!(
            two.revisions()
                .join(format!("{}.damaged-1", kept[0]))
                .exists()
        );
        wait("the damaged one is whole again", || {
            two.kept().first() == Some(&kept[0])
        });
        wait("the head is on disk", || {
            two.kept().last() == one.kept().last()
        });
        assert_eq!(
            two.command(&["fsck"], "")
                .lines()
                .filter(|line| line.starts_with("wrong"))
                .count(),
            0
        );
    });
}

#[test]
fn what_is_pruned_makes_room_on_a_full_disk_for_what_is_new() {
    on_a_small_disk("8m", |state, one, two| {
        // Large beside what a change adds to it: what goes is then about as long as what comes.
        let large = vec![r#"{"action":{"return":200}}"#; 1600].join(",");
        assert_eq!(
            one.put("/config/routes/large", &format!("[{large}]"))
                .status,
            200
        );
        let change = |number| {
            let reply = one.put(
                "/config/routes/small",
                &format!(r#"[{{"action":{{"return":{}}}}}]"#, 200 + number),
            );
            assert_eq!(reply.status, 200, "{}", reply.body);
        };
        (0..=starlingd::limits::HISTORY_KEPT).for_each(change);
        // What a link dropped of so many is fetched when somebody looks.
        wait("all is stored", || {
            two.json("/fleet/revisions").is_array() && two.kept() == one.kept()
        });
        fill(state);
        (100..103).for_each(change);
        wait("the newest is on disk, without anybody's help", || {
            two.kept().last() == one.kept().last()
        });
        wait("nothing is wrong any more", || two.problems().is_empty());
        assert!(state.join("filler").exists());
    });
}

#[test]
fn a_disk_that_fails_fsync_refuses_changes_and_recovers_when_it_is_well() {
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let scratch = Scratch::new();
    let [one, mut two] = fleet(scratch.path(), None);
    two.change("before");
    let mut strace = failing_fsync(&two.process(), "EIO")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    refuses_and_serves(&one, &two, "Input/output error");
    let _ = Command::new("kill").arg(strace.id().to_string()).status();
    strace.wait().unwrap();
    recovers(&one, &mut two);
    assert!(two.has("before"));
}

/// The slowest of them waits for two probes of the disk.
const TIME_MAX: Duration = Duration::from_secs(120);
