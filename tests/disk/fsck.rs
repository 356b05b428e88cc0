//! `starling fsck`: each kind of damage, made by hand, is named with its file, and nothing is
//! changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::names;
use super::peer::Peer;
use super::private::Scratch;

/// A stopped peer with three revisions, looked at with `fsck`.
struct Bench {
    _scratch: Scratch,
    peer: Peer,
}

impl Bench {
    fn new() -> Self {
        let scratch = Scratch::new();
        let [mut peer] = Peer::fleet(scratch.path());
        peer.start(&[]);
        assert_eq!(
            peer.put("/config", r#"{"listeners":{},"routes":{}}"#)
                .status,
            200
        );
        peer.change("a");
        peer.change("b");
        peer.stop();
        Self {
            _scratch: scratch,
            peer,
        }
    }

    fn revision(&self, number: usize) -> String {
        format!("revisions/default/{}", self.peer.kept()[number])
    }

    /// What is wrong now: each a file, below the state directory, and what of it. Nothing may have
    /// changed by that.
    fn wrong(&self) -> Vec<(String, String)> {
        self.findings(true)
    }

    fn findings(&self, wrong: bool) -> Vec<(String, String)> {
        let before = tree(&self.peer.state);
        let (status, printed, complaint) = self.peer.try_command(&["fsck", "--json"], "");
        let report: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(
            status,
            i32::from(report["sound"] == false),
            "{printed}{complaint}"
        );
        assert_eq!(complaint.is_empty(), status == 0);
        assert_eq!(tree(&self.peer.state), before);
        let state = format!("{}/", self.peer.state.display());
        let findings = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["wrong"] == wrong);
        let text = |value: &Value| value.as_str().unwrap().replace(&state, "");
        findings
            .map(|finding| (text(&finding["file"]), text(&finding["what"])))
            .collect()
    }

    /// Does something to a file, looks, and puts it back.
    fn with(&self, name: &str, spoil: impl FnOnce(&Path), what: &str) {
        let path = self.peer.state.join(name);
        let content = fs::read(&path).unwrap();
        spoil(&path);
        assert_eq!(self.wrong(), [(name.to_owned(), what.to_owned())]);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(self.wrong().is_empty());
    }
}

/// Every file, with its content.
fn tree(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let below = |name: String| match directory.join(&name) {
        path if path.is_dir() => tree(&path),
        path => vec![(
            path.display().to_string(),
            fs::read(&path).unwrap_or_default(),
        )],
    };
    names(directory).into_iter().flat_map(below).collect()
}

fn flip(path: &Path, from_end: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_sound_directory_is_summed_up_whether_its_daemon_runs_or_not() {
    let mut bench = Bench::new();
    let (status, printed, complaint) = bench.peer.try_command(&["fsck"], "");
    assert_eq!((status, complaint.as_str()), (0, ""));
    let head = bench.peer.kept()[2].split_once('-').unwrap().1[..12].to_owned();
    assert!(
        printed.ends_with(&format!(
            ": 3 revisions of 1 group; default is at {head}, height 3\n"
        )),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 1);
    bench.peer.start(&[]);
    assert_eq!(bench.peer.command(&["fsck"], ""), printed);
}

#[test]
fn each_damage_of_a_revision_is_named() {
    let bench = Bench::new();
    let name = bench.revision(1);
    let write = |text: &'static str| move |path: &Path| fs::write(path, text).unwrap();
    bench.with(
        &name,
        |path| flip(path, 1),
        "its body is not the one that its header names",
    );
    bench.with(&name, write(""), "is not a revision's file");
    bench.with(
        &name,
        write("starling revision 1\nheader 00\n\n"),
        "is not a revision's file",
    );
    let content = fs::read(bench.peer.state.join(&name)).unwrap();
    let lines = content.iter().position(|byte| *byte == b'\n').unwrap();
    // The last digit of the version, with which it begins.
    let header = content.len() - lines - "\nheader 0".len();
    let signature = content
        .windows(11)
        .position(|part| part == b"\nsignature ")
        .unwrap()
        + 12;
    let mut altered = content.clone();
    altered[signature] = if content[signature] == b'0' {
        b'1'
    } else {
        b'0'
    };
    bench.with(
        &name,
        |path| fs::write(path, altered).unwrap(),
        "its author did not sign this header",
    );
    bench.with(&name, |path| flip(path, header), "its header is damaged");
    let torn = &content[..content.len() - 1];
    bench.with(
        &name,
        |path| fs::write(path, torn).unwrap(),
        "its body is not the one that its header names",
    );
    let head = fs::read(bench.peer.state.join(bench.revision(2))).unwrap();
    let right = bench.peer.kept()[2].clone();
    bench.with(
        &name,
        |path| fs::write(path, head).unwrap(),
        &format!("should be called {right}"),
    );
    let path = bench.peer.state.join(&name);
    fs::remove_file(&path).unwrap();
    assert!(
        bench.wrong().is_empty(),
        "a gap in the history is nothing wrong"
    );
    fs::create_dir(&path).unwrap();
    assert_eq!(bench.wrong(), [(name.clone(), "is a directory".to_owned())]);
}

#[test]
fn a_revision_of_another_group_or_another_fleet_is_named() {
    let (bench, other) = (Bench::new(), Bench::new());
    let strange = fs::read(other.peer.state.join(other.revision(1))).unwrap();
    let name = bench.revision(1);
    bench.with(
        &name,
        |path| fs::write(path, strange).unwrap(),
        "it is a revision of another fleet",
    );
    fs::create_dir(bench.peer.state.join("revisions/edge")).unwrap();
    let moved = name.replace("default", "edge");
    fs::rename(bench.peer.state.join(&name), bench.peer.state.join(&moved)).unwrap();
    assert_eq!(
        bench.wrong(),
        [(moved, "belongs to group default".to_owned())]
    );
}

#[test]
fn damaged_keys_and_modes_are_named_with_what_to_do() {
    let bench = Bench::new();
    fs::write(bench.peer.state.join("addresses.json"), "{}").unwrap();
    fs::write(bench.peer.state.join("before-starling.json"), "{}").unwrap();
    let chmod = |mode| {
        move |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap()
    };
    bench.with("identity.key", chmod(0o640), "others can read it");
    bench.with("owner.key", |path| fs::write(path, "x").unwrap(), OWNER);
    bench.with(
        "addresses.json",
        |path| fs::write(path, "[").unwrap(),
        "is no address book",
    );
    bench.with(
        "before-starling.json",
        |path| fs::write(path, "{").unwrap(),
        "is no JSON",
    );
    fs::set_permissions(&bench.peer.state, fs::Permissions::from_mode(0o755)).unwrap();
    let (status, printed, _) = bench.peer.try_command(&["fsck"], "");
    assert_eq!(status, 1);
    assert!(
        printed.contains(&format!(
            "others can read it; type: chmod 700 {}\n",
            bench.peer.state.display()
        )),
        "{printed}"
    );
    fs::set_permissions(&bench.peer.state, fs::Permissions::from_mode(0o700)).unwrap();
    for (name, spoil) in [
        ("identity.key", None),
        ("fleet.json", Some("{}")),
        ("fleet.json", None),
    ] {
        let path = bench.peer.state.join(name);
        let content = fs::read(&path).unwrap();
        spoil
            .map_or_else(|| fs::remove_file(&path), |text| fs::write(&path, text))
            .unwrap();
        let (status, printed, _) = bench.peer.try_command(&["fsck"], "");
        let line = printed
            .lines()
            .find(|line| line.contains(name))
            .unwrap_or_else(|| panic!("{printed}"));
        assert!(
            status == 1
                && line.starts_with("wrong: ")
                && line.contains("join again with the token"),
            "{line}"
        );
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn what_is_left_over_or_does_not_belong_is_noted_and_nothing_wrong() {
    let bench = Bench::new();
    let name = bench.peer.kept()[0].clone();
    fs::create_dir_all(bench.peer.state.join("pending/default")).unwrap();
    let written = [
        ".new-fleet.json".to_owned(),
        "notes".to_owned(),
        format!("pending/default/{name}"),
        "revisions/default/.new-x".to_owned(),
        "revisions/default/x.damaged-1".to_owned(),
        "revisions/notes".to_owned(),
    ];
    written
        .iter()
        .for_each(|name| fs::write(bench.peer.state.join(name), "x").unwrap());
    assert!(bench.wrong().is_empty());
    let mut noted: Vec<String> = bench
        .findings(false)
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    noted.sort();
    assert_eq!(noted, written);
}

#[test]
fn a_directory_that_is_none_fails_and_a_mistyped_option_is_a_usage_mistake() {
    let scratch = Scratch::new();
    let peer = Peer::new(scratch.path(), &scratch.path().join("nothing"), "p");
    let (status, printed, complaint) = peer.try_command(&["fsck"], "");
    assert_eq!((status, printed.as_str()), (1, ""));
    assert!(complaint.contains("nothing: No such file"), "{complaint}");
    assert_eq!(peer.try_command(&["fsck", "--jsn"], "").0, 2);
    fs::create_dir(&peer.state).unwrap();
    fs::set_permissions(&peer.state, fs::Permissions::from_mode(0o700)).unwrap();
    let (status, printed, _) = peer.try_command(&["fsck"], "");
    assert_eq!(status, 0);
    assert!(
        printed.contains("this host is in no fleet")
            && printed.ends_with("no fleet: 0 revisions of 0 groups\n"),
        "{printed}"
    );
}

const OWNER: &str = "expected the line \"starling owner key 1, secret: whoever has it owns the fleet\" and 64 hexadecimal digits";
