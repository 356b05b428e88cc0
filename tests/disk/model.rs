//! A file system that knows what is durable, and every state in which a power cut may leave it.
//!
//! What was written to a file is durable after fsync of the file, a name after fsync of its
//! directory. Until then each write may be there, torn in half or lost, and each change of a name
//! may be there or not, in any combination: more than any real file system permits. A rename within
//! one directory is one change, as POSIX has it; between two directories it is two.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::strace::Step;

/// What is on the disk after a cut: each file's content, by its path below the root, which is `""`;
/// `None` for a directory.
pub type Image = BTreeMap<String, Option<Arc<Content>>>;

/// The content of a file, with its hash: most files are the same in most images.
#[derive(Debug, Default, PartialEq)]
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    hash: u64,
}

impl Content {
    fn new(bytes: Vec<u8>) -> Arc<Self> {
        let hash = Sha256::digest(&bytes)
            .iter()
            .take(8)
            .fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        Arc::new(Self { bytes, hash })
    }
}

impl Hash for Content {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// The file system below a root; the root itself is durable.
#[derive(Clone)]
pub struct Model {
    root: PathBuf,
    inodes: Vec<Inode>,
    /// The open files: which, and where the next write goes.
    open: BTreeMap<u32, (usize, usize)>,
}

#[derive(Clone)]
enum Inode {
    File {
        durable: Arc<Content>,
        unsynced: Vec<Change>,
    },
    Directory {
        durable: BTreeMap<String, usize>,
        now: BTreeMap<String, usize>,
        unsynced: Vec<Change>,
    },
}

/// What fsync would make durable.
#[derive(Clone)]
enum Change {
    /// Bytes at an offset.
    Write(usize, Vec<u8>),
    /// A new length.
    Length(usize),
    /// Names that from now on stand for these inodes, or for none: together or not at all.
    Names(Vec<(String, Option<usize>)>),
}

/// How much of a change has come to the disk.
#[derive(Clone, Copy, PartialEq)]
enum Share {
    None,
    /// Of a write, the first half.
    Half,
    Whole,
}

impl Model {
    /// What is below `root` now, all of it durable.
    pub fn of(root: &Path) -> Self {
        let mut model = Self {
            root: root.to_owned(),
            inodes: Vec::new(),
            open: BTreeMap::new(),
        };
        model.take_in(root);
        model
    }

    fn take_in(&mut self, path: &Path) -> usize {
        let number = self.inodes.len();
        if !path.is_dir() {
            let content = fs::read(path).expect("the test's own file");
            self.inodes.push(Inode::File {
                durable: Content::new(content),
                unsynced: Vec::new(),
            });
            return number;
        }
        self.inodes.push(Inode::Directory {
            durable: BTreeMap::new(),
            now: BTreeMap::new(),
            unsynced: Vec::new(),
        });
        let names = super::names(path);
        let found: BTreeMap<String, usize> = names
            .into_iter()
            .map(|name| (name.clone(), self.take_in(&path.join(name))))
            .collect();
        self.inodes[number] = Inode::Directory {
            durable: found.clone(),
            now: found,
            unsynced: Vec::new(),
        };
        number
    }

    /// Whether a step is one after which a cut may leave something new, or somebody knows something
    /// new.
    pub fn matters(&self, step: &Step) -> bool {
        match step {
            Step::Process | Step::Close { .. } => false,
            Step::Open {
                path,
                create,
                truncate,
                ..
            } => *truncate || (*create && self.find(path).is_none()),
            _ => true,
        }
    }

    /// Does what the program did. Gives what it said to somebody, if that was it.
    pub fn perform<'a>(&mut self, step: &'a Step) -> Option<&'a [u8]> {
        match step {
            Step::Process => self.open.clear(),
            Step::Open {
                fd,
                path,
                create,
                truncate,
            } => self.open(*fd, path, *create, *truncate),
            Step::Write { fd, bytes } => match self.open.get(fd).copied() {
                Some((inode, at)) => {
                    self.change(inode, Change::Write(at, bytes.clone()));
                    self.open.insert(*fd, (inode, at + bytes.len()));
                }
                None => return Some(bytes),
            },
            Step::Length { fd, length } => {
                let known = self.open.get(fd).copied();
                known
                    .into_iter()
                    .for_each(|(inode, _)| self.change(inode, Change::Length(*length)));
            }
            Step::Sync { fd } => self
                .open
                .get(fd)
                .copied()
                .into_iter()
                .for_each(|(inode, _)| self.sync(inode)),
            Step::Close { fd } => drop(self.open.remove(fd)),
            Step::Rename { from, to } => self.rename(from, to),
            Step::Link { from, to } => {
                if let (Some(inode), Some((directory, name))) = (self.find(from), self.place(to)) {
                    self.name(directory, vec![(name, Some(inode))]);
                }
            }
            Step::Unlink { path } => {
                if let Some((directory, name)) = self.place(path) {
                    self.name(directory, vec![(name, None)]);
                }
            }
            Step::MakeDirectory { path } => {
                let new = Inode::Directory {
                    durable: BTreeMap::new(),
                    now: BTreeMap::new(),
                    unsynced: Vec::new(),
                };
                self.make(path, new);
            }
        }
        None
    }

    /// What a program would read now at a path below the root.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        match &self.inodes[self.find(&self.root.join(path))?] {
            Inode::File { durable, unsynced } => {
                Some(content(durable, unsynced, |_| Share::Whole).bytes.clone())
            }
            Inode::Directory { .. } => None,
        }
    }

    /// The names in a directory below the root, as a program would see them now.
    pub fn list(&self, path: &Path) -> Vec<String> {
        match self
            .find(&self.root.join(path))
            .map(|inode| &self.inodes[inode])
        {
            Some(Inode::Directory { now, .. }) => now.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Every state in which a cut at this moment may leave the disk: all of them if they are few;
    /// otherwise those with all, nothing, all but one and one only of what is not durable, and
    /// some taken by chance, of which `seed` is the beginning.
    pub fn cut(&self, seed: u64, each: &mut impl FnMut(Image)) {
        let kinds: Vec<bool> = self
            .changes()
            .map(|change| matches!(change, Change::Write(..)))
            .collect();
        choices(&kinds, seed, &mut |shares| each(self.image(shares)));
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        self.inodes.iter().flat_map(|inode| match inode {
            Inode::File { unsynced, .. } | Inode::Directory { unsynced, .. } => unsynced,
        })
    }

    fn image(&self, shares: &[Share]) -> Image {
        let (mut image, mut first, mut starts) = (Image::new(), 0, Vec::new());
        for inode in &self.inodes {
            starts.push(first);
            first += match inode {
                Inode::File { unsynced, .. } | Inode::Directory { unsynced, .. } => unsynced.len(),
            };
        }
        let mut left = vec![(String::new(), 0)];
        while let Some((path, number)) = left.pop() {
            let share = |index: usize| shares[starts[number] + index];
            match &self.inodes[number] {
                Inode::File { durable, unsynced } => {
                    drop(image.insert(path, Some(content(durable, unsynced, share))))
                }
                Inode::Directory {
                    durable, unsynced, ..
                } => {
                    let mut names = durable.clone();
                    for (index, change) in unsynced.iter().enumerate() {
                        if let (Change::Names(changed), Share::Whole) = (change, share(index)) {
                            changed
                                .iter()
                                .for_each(|(name, inode)| set(&mut names, name, *inode));
                        }
                    }
                    left.extend(
                        names
                            .into_iter()
                            .map(|(name, inode)| (format!("{path}/{name}"), inode)),
                    );
                    image.insert(path, None);
                }
            }
        }
        image
    }

    fn open(&mut self, fd: u32, path: &Path, create: bool, truncate: bool) {
        self.open.remove(&fd);
        if create && self.find(path).is_none() {
            self.make(
                path,
                Inode::File {
                    durable: Arc::default(),
                    unsynced: Vec::new(),
                },
            );
        }
        let Some(inode) = self.find(path) else { return };
        self.open.insert(fd, (inode, 0));
        if truncate {
            self.change(inode, Change::Length(0));
        }
    }

    fn make(&mut self, path: &Path, new: Inode) {
        let Some((directory, name)) = self.place(path) else {
            return;
        };
        self.inodes.push(new);
        let number = self.inodes.len() - 1;
        self.name(directory, vec![(name, Some(number))]);
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let (Some(inode), Some(old), Some(new)) =
            (self.find(from), self.place(from), self.place(to))
        else {
            return;
        };
        if old.0 == new.0 {
            return self.name(old.0, vec![(old.1, None), (new.1, Some(inode))]);
        }
        self.name(new.0, vec![(new.1, Some(inode))]);
        self.name(old.0, vec![(old.1, None)]);
    }

    fn name(&mut self, directory: usize, names: Vec<(String, Option<usize>)>) {
        if let Inode::Directory { now, .. } = &mut self.inodes[directory] {
            names
                .iter()
                .for_each(|(name, inode)| set(now, name, *inode));
        }
        self.change(directory, Change::Names(names));
    }

    fn change(&mut self, inode: usize, change: Change) {
        match &mut self.inodes[inode] {
            Inode::File { unsynced, .. } | Inode::Directory { unsynced, .. } => {
                unsynced.push(change)
            }
        }
    }

    fn sync(&mut self, inode: usize) {
        match &mut self.inodes[inode] {
            Inode::File { durable, unsynced } => {
                *durable = content(durable, unsynced, |_| Share::Whole);
                unsynced.clear();
            }
            Inode::Directory {
                durable,
                now,
                unsynced,
            } => {
                durable.clone_from(now);
                unsynced.clear();
            }
        }
    }

    fn find(&self, path: &Path) -> Option<usize> {
        path.strip_prefix(&self.root)
            .ok()?
            .iter()
            .try_fold(0, |inode, name| match &self.inodes[inode] {
                Inode::Directory { now, .. } => now.get(name.to_str()?).copied(),
                Inode::File { .. } => None,
            })
    }

    /// The directory that a path is in, and its name there; `None` outside the root.
    fn place(&self, path: &Path) -> Option<(usize, String)> {
        Some((
            self.find(path.parent()?)?,
            path.file_name()?.to_str()?.to_owned(),
        ))
    }
}

fn set(names: &mut BTreeMap<String, usize>, name: &str, inode: Option<usize>) {
    match inode {
        Some(inode) => drop(names.insert(name.to_owned(), inode)),
        None => drop(names.remove(name)),
    }
}

fn content(
    durable: &Arc<Content>,
    unsynced: &[Change],
    share: impl Fn(usize) -> Share,
) -> Arc<Content> {
    if unsynced.is_empty() {
        return Arc::clone(durable);
    }
    let mut content = durable.bytes.clone();
    for (index, change) in unsynced.iter().enumerate() {
        match (change, share(index)) {
            (Change::Length(length), Share::Whole) => content.resize(*length, 0),
            (Change::Write(at, bytes), share @ (Share::Half | Share::Whole)) => {
                let bytes = if share == Share::Half {
                    &bytes[..bytes.len() / 2]
                } else {
                    bytes
                };
                // What is written beyond a write that was lost leaves a hole.
                content.resize(content.len().max(at + bytes.len()), 0);
                content[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            _ => {}
        }
    }
    Content::new(content)
}

/// Which share of each change has come to the disk. `true` in `kinds` is a write, which can be
/// torn.
fn choices(kinds: &[bool], seed: u64, each: &mut impl FnMut(&[Share])) {
    let options = |is_write: bool| if is_write { &SHARES[..] } else { &SHARES[1..] };
    let all: usize = kinds
        .iter()
        .map(|kind| options(*kind).len())
        .try_fold(1_usize, usize::checked_mul)
        .unwrap_or(usize::MAX);
    if all <= ALL_MAX {
        for mut number in 0..all {
            let shares = kinds.iter().map(|kind| {
                let options = options(*kind);
                let share = options[number % options.len()];
                number /= options.len();
                share
            });
            each(&shares.collect::<Vec<_>>());
        }
        return;
    }
    for base in [Share::None, Share::Whole] {
        each(&vec![base; kinds.len()]);
        for (index, kind) in kinds.iter().enumerate() {
            for share in options(*kind).iter().filter(|share| **share != base) {
                let mut shares = vec![base; kinds.len()];
                shares[index] = *share;
                each(&shares);
            }
        }
    }
    let mut state = seed;
    let mut chance = |below: usize| {
        // Knuth's MMIX generator: its upper bits are good enough to choose by.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..SAMPLES {
        let shares: Vec<Share> = kinds
            .iter()
            .map(|kind| options(*kind)[chance(options(*kind).len())])
            .collect();
        each(&shares);
    }
}

const SHARES: [Share; 3] = [Share::Half, Share::None, Share::Whole];
/// As many as this are tried one and all.
const ALL_MAX: usize = 96;
/// So many beyond the regular ones where there are more.
const SAMPLES: usize = 24;
