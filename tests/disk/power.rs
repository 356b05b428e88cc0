//! Power cuts: runs of the real program are recorded, the power is cut at every step, and every
//! disk that may be left is judged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::judge::Judge;
use super::model::Model;
use super::peer::Peer;
use super::private::Scratch;
use super::skip::skip;
use super::strace::{Step, lacks, recorder, steps};
use super::wait;

/// What becomes of one state directory, recorded over several processes.
struct Recording {
    scratch: Scratch,
    model: Model,
    steps: Vec<Step>,
    peer: Peer,
}

impl Recording {
    /// The state directory is `deep/state` below a root of its own; `prepare` sees the peer before
    /// anything is recorded.
    fn new(prepare: impl FnOnce(&mut Peer, &Path)) -> Self {
        let scratch = Scratch::new();
        let root = scratch.path().join("root");
        fs::create_dir(&root).unwrap();
        let mut peer = Peer::new(
            &scratch.path().join("p"),
            &root.join("deep/state"),
            "recorded",
        );
        prepare(&mut peer, scratch.path());
        let model = Model::of(&root);
        Self {
            scratch,
            model,
            steps: Vec::new(),
            peer,
        }
    }

    /// Records what the program does while `run` has it started, under a fault that strace is to
    /// inject.
    fn record<T>(&mut self, inject: &str, run: impl FnOnce(&mut Peer) -> T) -> T {
        let file = self.scratch.path().join("strace");
        self.peer.through = recorder(&file, inject);
        let result = run(&mut self.peer);
        self.peer.through.clear();
        self.steps
            .extend(steps(&fs::read_to_string(&file).unwrap()));
        result
    }

    /// Cuts the power at every step.
    fn judge(mut self) -> Vec<Step> {
        let mut judge = Judge::new("deep/state");
        judge.replay(&mut self.model, &self.steps);
        let (cuts, images, different) = (judge.cuts, judge.images, judge.different());
        println!(
            "{} steps, {cuts} cuts, {images} disks left, {different} of them different",
            self.steps.len()
        );
        self.steps
    }
}

/// One at a time: each is busy, and a recorded program is slow enough as it is.
fn turn() -> Option<std::sync::MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    match lacks() {
        Some(need) => {
            skip(&need);
            None
        }
        None => Some(TURN.lock().unwrap_or_else(|failed| failed.into_inner())),
    }
}

fn renames(steps: &[Step], from: &str, to: &str) -> usize {
    let has = |path: &PathBuf, part: &str| path.display().to_string().contains(part);
    steps.iter().filter(|step| matches!(step, Step::Rename { from: old, to: new } if has(old, from) && has(new, to))).count()
}

fn unlinks(steps: &[Step], part: &str) -> usize {
    steps.iter().filter(|step| matches!(step, Step::Unlink { path } if path.display().to_string().contains(part))).count()
}

#[test]
fn a_founder_that_makes_changes_may_lose_its_power_at_any_instant() {
    let Some(_turn) = turn() else { return };
    let mut recording = Recording::new(|peer, _| peer.serve());
    recording.record("", |peer| peer.command(&["init"], ""));
    recording.record("", |peer| {
        peer.start(&[]);
        assert_eq!(peer.put("/config", FIRST).status, 200);
        peer.server().tell("refuse teapot");
        assert_eq!(peer.put("/config/routes/teapot", "[]").status, 400);
        peer.change("a");
        peer.change("b");
        peer.stop();
    });
    let steps = recording.judge();
    assert_eq!(renames(&steps, "/pending/", "/revisions/"), 3);
    assert_eq!(unlinks(&steps, "/pending/default/0"), 1, "the refused one");
}

#[test]
fn a_host_that_joins_and_receives_may_lose_its_power_at_any_instant() {
    let Some(_turn) = turn() else { return };
    let mut other = None;
    let mut recording = Recording::new(|_, dir| {
        let [mut founder] = Peer::fleet(dir);
        founder.start(&[]);
        assert_eq!(founder.put("/config", FIRST).status, 200);
        other = Some(founder);
    });
    let founder = other.unwrap();
    let token = founder.command(&["token", "--peer", &founder.address()], "");
    recording.record("", |peer| peer.command(&["join", "-"], &token));
    recording.record("", |peer| {
        peer.start(&[&founder]);
        wait("it is in step", || peer.has("first"));
        founder.change("a");
        wait("a change is received", || peer.has("a"));
        wait("it takes changes", || {
            peer.put("/config/routes/b", "[]").status == 200
        });
        peer.stop();
    });
    let steps = recording.judge();
    assert!(renames(&steps, ".new-0", "/revisions/default/0") >= 3);
    assert_eq!(
        renames(&steps, ".new-fleet.json", "fleet.json"),
        1,
        "its joining is complete"
    );
    assert_eq!(
        renames(&steps, ".new-addresses.json", "addresses.json"),
        1,
        "the first address book"
    );
}

#[test]
fn a_host_that_mends_and_prunes_its_history_may_lose_its_power_at_any_instant() {
    let Some(_turn) = turn() else { return };
    let mut other = None;
    let mut recording = Recording::new(|peer, dir| {
        let [mut founder] = Peer::fleet(dir);
        founder.start(&[]);
        let token = founder.command(&["token", "--peer", &founder.address()], "");
        peer.command(&["join", "-"], &token);
        peer.start(&[&founder]);
        assert_eq!(founder.put("/config", FIRST).status, 200);
        (0..HISTORY + 1).for_each(|number| founder.change(&format!("r{number}")));
        // It may have been linked only after some of the changes, and fetches those when somebody
        // looks.
        let looked_at = |peer: &Peer| peer.json("/fleet/revisions").is_array();
        wait("all is received and kept", || {
            looked_at(peer) && peer.kept() == founder.kept()
        });
        peer.stop();
        let kept = peer.kept();
        let damaged = peer.revisions().join(&kept[kept.len() / 2]);
        let mut bytes = fs::read(&damaged).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::create_dir_all(peer.state.join("pending/default")).unwrap();
        fs::copy(
            peer.revisions().join(&kept[0]),
            peer.state.join("pending/default").join(&kept[0]),
        )
        .unwrap();
        other = Some((founder, damaged, bytes));
    });
    let (founder, damaged, bytes) = other.unwrap();
    // The model took it in sound: what is recorded begins with the damage.
    fs::write(&damaged, &bytes).unwrap();
    recording.record("", |peer| {
        peer.start(&[&founder]);
        wait("the damaged one is fetched again", || {
            peer.kept() == founder.kept()
        });
        wait("it takes changes", || {
            peer.put("/config/routes/mine", "[]").status == 200
        });
        peer.change("more");
        wait("what is too old is removed", || {
            peer.kept() == founder.kept()
        });
        peer.stop();
    });
    let steps = recording.judge();
    assert_eq!(renames(&steps, "/revisions/", ".damaged-1"), 1);
    assert_eq!(unlinks(&steps, "/pending/default/0"), 1);
    assert!(
        unlinks(&steps, "/revisions/default/0") >= 2,
        "the oldest are pruned"
    );
}

#[test]
fn a_host_that_was_killed_at_an_fsync_goes_on_and_may_then_lose_its_power() {
    let Some(_turn) = turn() else { return };
    let mut killed = 0;
    for number in 1..=KILLED_AT_MAX {
        let mut recording = Recording::new(|peer, _| {
            peer.command(&["init"], "");
            peer.serve();
        });
        recording.record(&format!("fsync:signal=SIGKILL:when={number}"), |peer| {
            peer.launch(&[]);
            // Killed before, it does not answer; then there is no change.
            wait("it answers or is gone", || {
                peer.get("/healthz").is_some() || peer.is_over()
            });
            peer.try_put("/config", FIRST);
            wait(&format!("it is gone by fsync {number}"), || peer.is_over());
            killed += usize::from(peer.ended().is_none());
        });
        recording.record("", |peer| {
            peer.start(&[]);
            peer.put("/config", FIRST);
            peer.change("a");
            peer.stop();
        });
        recording.judge();
    }
    assert_eq!(killed, KILLED_AT_MAX, "each fault struck");
}

/// A document that NGINX Unit takes without any application being there.
const FIRST: &str = r#"{"listeners":{},"routes":{"first":[{"action":{"return":200}}]}}"#;
/// A history of this length is pruned with the next change.
const HISTORY: usize = starlingd::limits::HISTORY_KEPT;
/// A start and its first change make at least this many fsyncs.
const KILLED_AT_MAX: usize = 8;
