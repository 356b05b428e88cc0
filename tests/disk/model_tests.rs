//! The model bites: a writer that forgets one fsync is found out, the one that forgets none is not.

use std::fs;
use std::path::{Path, PathBuf};

use super::model::Model;
use super::private::Scratch;
use super::strace::{Step, steps};

/// Writes `kept` in place of the old one as it should be done, but for the steps that `forgets`
/// likes.
fn replacing(root: &Path, forgets: impl Fn(&Step) -> bool) -> Vec<Step> {
    let open = |fd, name: &str, create| Step::Open {
        fd,
        path: root.join(name),
        create,
        truncate: false,
    };
    let steps = vec![
        open(3, "new", true),
        Step::Write {
            fd: 3,
            bytes: b"the new".to_vec(),
        },
        Step::Sync { fd: 3 },
        Step::Close { fd: 3 },
        Step::Rename {
            from: root.join("new"),
            to: root.join("kept"),
        },
        open(4, "", false),
        Step::Sync { fd: 4 },
        Step::Write {
            fd: 1,
            bytes: b"done".to_vec(),
        },
    ];
    steps.into_iter().filter(|step| !forgets(step)).collect()
}

/// What can be found as `kept` after a cut, before it was said that the new is kept and after.
fn found(steps: &[Step], root: &Path) -> (Vec<String>, Vec<String>) {
    let mut model = Model::of(root);
    let (mut before, mut after, mut is_said) = (Vec::new(), Vec::new(), false);
    for step in steps {
        is_said |= model.perform(step).is_some();
        model.cut(1, &mut |image| {
            let content = image.get("/kept").and_then(Option::as_ref);
            let content = content.map_or("nothing".into(), |content| {
                String::from_utf8_lossy(&content.bytes).into_owned()
            });
            if is_said { &mut after } else { &mut before }.push(content);
        });
    }
    for found in [&mut before, &mut after] {
        found.sort();
        found.dedup();
    }
    (before, after)
}

fn with_the_old() -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    let root = scratch.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("kept"), "the old").unwrap();
    (scratch, root)
}

#[test]
fn a_writer_that_forgets_nothing_leaves_the_old_or_the_new_and_after_that_the_new() {
    let (_scratch, root) = with_the_old();
    let (before, after) = found(&replacing(&root, |_| false), &root);
    assert_eq!(before, ["the new", "the old"]);
    assert_eq!(after, ["the new"]);
}

#[test]
fn a_writer_that_forgets_to_sync_the_file_leaves_a_torn_one() {
    let (_scratch, root) = with_the_old();
    let (before, after) = found(
        &replacing(&root, |step| *step == Step::Sync { fd: 3 }),
        &root,
    );
    assert_eq!(before, ["", "the", "the new", "the old"]);
    assert_eq!(after, ["", "the", "the new"]);
}

#[test]
fn a_writer_that_forgets_to_sync_the_directory_says_too_early_that_it_is_done() {
    let (_scratch, root) = with_the_old();
    let (before, after) = found(
        &replacing(&root, |step| *step == Step::Sync { fd: 4 }),
        &root,
    );
    assert_eq!(before, ["the new", "the old"]);
    assert_eq!(after, ["the new", "the old"], "the old can come back");
}

#[test]
fn a_directory_whose_own_name_is_not_durable_takes_all_that_is_in_it_along() {
    let (_scratch, root) = with_the_old();
    let open = |fd, name: &str, create| Step::Open {
        fd,
        path: root.join(name),
        create,
        truncate: false,
    };
    let steps = [
        Step::MakeDirectory {
            path: root.join("group"),
        },
        open(3, "group/file", true),
        Step::Write {
            fd: 3,
            bytes: b"x".to_vec(),
        },
        Step::Sync { fd: 3 },
        open(4, "group", false),
        Step::Sync { fd: 4 },
    ];
    let mut model = Model::of(&root);
    for step in &steps {
        model.perform(step);
    }
    let mut lost = 0;
    model.cut(1, &mut |image| {
        lost += usize::from(!image.contains_key("/group/file"))
    });
    assert_eq!(
        lost, 1,
        "one of the two states is that without the directory"
    );
}

#[test]
fn a_trace_is_read_with_its_failures_left_out_and_its_halves_put_together() {
    let record = concat!(
        "7 openat(AT_FDCWD, \"\\x2f\\x61\", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 3\n",
        "7 openat(AT_FDCWD, \"\\x2f\\x62\", O_RDONLY) = -1 ENOENT (No such file or directory)\n",
        "7 write(3, \"\\x28\\x29\\x2c\\x20\" <unfinished ...>\n",
        "8 fsync(9)                          = -1 EIO (Input/output error) (INJECTED)\n",
        "7 <... write resumed>, 4)            = 3\n",
        "7 fsync(3)                          = 0\n",
        "7 close(3)                          = ?\n",
        "7 +++ exited with 0 +++\n",
    );
    let expected = [
        Step::Process,
        Step::Open {
            fd: 3,
            path: "/a".into(),
            create: true,
            truncate: false,
        },
        Step::Write {
            fd: 3,
            bytes: b"(),".to_vec(),
        },
        Step::Sync { fd: 3 },
    ];
    assert_eq!(steps(record), expected);
}
