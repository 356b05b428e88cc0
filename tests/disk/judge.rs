//! Whether a disk that a power cut has left is one that Starling may leave: nothing torn, nothing
//! lost that was promised.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use starlingd::daemon::state_dir::{StateDir, check};

use super::model::{Image, Model};
use super::private::Scratch;
use super::strace::Step;

/// Looks at each different disk once.
pub struct Judge {
    /// The state directory, below the root.
    state: PathBuf,
    scratch: Scratch,
    /// By the hash of the image: what is wrong with it.
    seen: HashMap<u64, Option<String>>,
    /// What whoever asked was told is kept: each file as it was then. `None` if it may become
    /// another, but not nothing.
    promised: Vec<(PathBuf, Option<Vec<u8>>)>,
    /// At how many moments the power was cut, and how many disks that left.
    pub cuts: usize,
    pub images: usize,
}

impl Judge {
    /// For a state directory at this path below the model's root.
    pub fn new(state: &str) -> Self {
        let (seen, promised) = (HashMap::new(), Vec::new());
        // In memory, if possible: thousands of disks are made.
        let memory = Path::new("/dev/shm");
        let scratch = if memory.is_dir() {
            Scratch::below(memory)
        } else {
            Scratch::new()
        };
        Self {
            state: PathBuf::from(state),
            scratch,
            seen,
            promised,
            cuts: 0,
            images: 0,
        }
    }

    /// Performs the steps on the model, cuts the power after each that touched the disk, and judges
    /// what is left.
    pub fn replay(&mut self, model: &mut Model, steps: &[Step]) {
        for (number, step) in steps.iter().enumerate() {
            let matters = model.matters(step);
            let promises = model
                .perform(step)
                .is_none_or(|said| self.promise(model, said));
            if !matters || !promises {
                continue;
            }
            self.cuts += 1;
            let mut failed = None;
            model.cut(number as u64, &mut |image| {
                self.images += 1;
                failed = failed
                    .take()
                    .or_else(|| self.judge(&image, model).map(|wrong| (wrong, image)));
            });
            if let Some((wrong, image)) = failed {
                let last: Vec<String> = steps[..=number]
                    .iter()
                    .rev()
                    .take(12)
                    .map(summary)
                    .collect();
                let names: Vec<&String> = image.keys().collect();
                panic!(
                    "after a power cut: {wrong}\nlast steps, newest first:\n{}\non the disk: {names:#?}",
                    last.join("\n")
                );
            }
        }
    }

    /// How many different disks were looked at.
    pub fn different(&self) -> usize {
        self.seen.len()
    }

    /// Takes note of what somebody was told. `false` if that promises nothing.
    fn promise(&mut self, model: &Model, said: &[u8]) -> bool {
        let text = String::from_utf8_lossy(said);
        let before = self.promised.len();
        let mut keep = |path: PathBuf, is_fixed: bool| {
            if let Some(content) = model.read(&path) {
                self.promised.push((path, is_fixed.then_some(content)));
            }
        };
        if text.starts_with("This host is ") {
            keep(self.state.join("identity.key"), true);
            keep(self.state.join("owner.key"), true);
            keep(self.state.join("fleet.json"), false);
        }
        if let (true, Some((_, id))) = (
            text.starts_with("HTTP/1.1 200"),
            text.split_once("\r\nStarling-Revision: "),
        ) {
            let id = id.split_once('\r').expect("a header ends").0;
            let group = self.state.join("revisions/default");
            let name = model
                .list(&group)
                .into_iter()
                .find(|name| name.ends_with(id))
                .expect("an acknowledged revision has a file");
            keep(group.join(name), true);
            keep(self.state.join("before-starling.json"), true);
        }
        self.promised.len() > before
    }

    fn judge(&mut self, image: &Image, model: &Model) -> Option<String> {
        let broken = self.promised.iter().find(|(path, content)| {
            match image.get(&format!("/{}", path.display())) {
                Some(Some(found)) => content
                    .as_ref()
                    .is_some_and(|content| *content != found.bytes),
                // Pruned, it need not be there.
                _ => model.read(path).is_some(),
            }
        });
        if let Some((path, _)) = broken {
            return Some(format!(
                "{} was promised and is not there as it was",
                path.display()
            ));
        }
        let mut hasher = DefaultHasher::new();
        image.hash(&mut hasher);
        let key = hasher.finish();
        if let Some(verdict) = self.seen.get(&key) {
            return verdict.clone();
        }
        let root = self.scratch.path().join("disk");
        materialise(image, &root);
        let verdict = unsound(&root.join(&self.state));
        fs::remove_dir_all(&root).unwrap();
        self.seen.insert(key, verdict.clone());
        verdict
    }
}

fn materialise(image: &Image, root: &Path) {
    for (path, content) in image {
        let path = PathBuf::from(format!("{}{path}", root.display()));
        match content {
            None => fs::DirBuilder::new().mode(0o700).create(&path).unwrap(),
            Some(content) => {
                fs::write(&path, &content.bytes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
}

/// What `fsck` and the next start find wrong with the state directory.
fn unsound(state: &Path) -> Option<String> {
    if !state.exists() {
        return None;
    }
    let wrong = || {
        let report = check(state).map_err(|error| error.to_string()).unwrap();
        report
            .findings
            .into_iter()
            .find(|finding| finding.is_wrong)
            .map(|finding| format!("fsck: {finding:?}"))
    };
    wrong().or_else(|| {
        let mut dir = StateDir::open(state).unwrap();
        dir.lock().unwrap();
        let report = check(state).unwrap();
        let left = report
            .findings
            .iter()
            .find(|finding| finding.what.contains("being written"));
        left.map(|finding| format!("left over after the next start: {finding:?}"))
            .or_else(wrong)
    })
}

fn summary(step: &Step) -> String {
    match step {
        Step::Write { fd, bytes } => format!("  Write {{ fd: {fd}, {} bytes }}", bytes.len()),
        other => format!("  {other:?}"),
    }
}
