//! Types whose methods stand in many files: nobody sees all that can happen to them.
//!
//! A type is told by its name alone, which stands for one type in the crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, words};

/// In how many files the inherent `impl` blocks of a type may stand that has no directory.
pub const IMPL_FILES_MAX: usize = 2;

/// Whether these files are one directory and, perhaps, the file of its name: a type may have that
/// for itself.
pub fn are_of_one_directory(files: &BTreeSet<&str>) -> bool {
    let directory = |file: &str| match file.rsplit_once('/') {
        Some((directory, _)) if directory.contains('/') => Some(directory.to_owned()),
        _ => None,
    };
    let Some(own) = files
        .iter()
        .filter_map(|file| directory(file))
        .min_by_key(String::len)
    else {
        return false;
    };
    let is_inside =
        |file: &&str| file.starts_with(&format!("{own}/")) || **file == format!("{own}.rs");
    files.iter().all(is_inside)
}

/// Each type that has inherent `impl` blocks, with the files in which they stand.
pub fn impl_files(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources {
        for at in words(&source.product, "impl") {
            if let Some(name) = inherent(&source.product, at) {
                files.entry(name).or_default().insert(&source.path);
            }
        }
    }
    files
}

/// The type whose inherent block begins with the `impl` at `at`; `None` where a trait is
/// implemented, and where the word stands in a type (`-> impl Iterator`).
fn inherent(code: &str, at: usize) -> Option<&str> {
    let before = code[..at].trim_end().chars().next_back();
    before
        .is_none_or(|last| "{};]".contains(last))
        .then_some(())?;
    let head = after_generics(&code[at + "impl".len()..]);
    let head = &head[..head.find(['{', ';'])?];
    let of = &head[..words(head, "where").next().unwrap_or(head.len())];
    words(of, "for").next().is_none().then_some(())?;
    of.split('<').next()?.trim().rsplit("::").next()
}

/// What follows the parameters in angle brackets that `head` begins with, if it does.
fn after_generics(head: &str) -> &str {
    if !head.starts_with('<') {
        return head;
    }
    let mut depth = 0;
    let mut last = ' ';
    for (at, letter) in head.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' if last != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &head[at + 1..];
        }
        last = letter;
    }
    ""
}

#[test]
fn inherent_blocks_are_told_from_those_of_traits() {
    let code = "#[x]\nimpl A {}\nimpl<S: Fn(u8) -> u8> b::B<S> where S: Send {}\nimpl fmt::Debug for C {}\n\
                impl<T> From<T> for D {}\nfn f(x: impl E) -> impl F {}\n#[cfg(test)]\nimpl G {}\n";
    let sources = ["node/a.rs", "node/b.rs"].map(|path| Source::new(path, code));
    let files = impl_files(&sources);
    assert_eq!(files.keys().copied().collect::<Vec<_>>(), ["A", "B"]);
    assert!(files.values().all(|files| files.len() == 2));
}

#[test]
fn a_type_may_have_a_directory_for_itself() {
    let own = |files: &[&'static str]| are_of_one_directory(&files.iter().copied().collect());
    assert!(own(&[
        "node/peers/mod.rs",
        "node/peers/mesh.rs",
        "node/peers/link.rs"
    ]));
    assert!(own(&["daemon/unit.rs", "daemon/unit/access.rs"]));
    assert!(!own(&["node/peers/mod.rs", "node/store/mod.rs"]));
    assert!(!own(&["node/a.rs", "node/b.rs", "node/c.rs"]));
}
