//! What stands beside each other in a directory and makes use of each other in a circle: none of it
//! can be read, tested or replaced without all the rest. A file and the directory of its name count
//! as one; what is directly below `src/` counts beside what its directory holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Path, Source, inline_modules, paths, words};

/// Product files by the modules that they are, with the paths in them.
type Files<'a> = BTreeMap<Vec<&'a str>, (&'a Source, Vec<Path<'a>>)>;
/// What each makes use of.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The circles, each with the modules in it.
pub fn circles(sources: &[Source]) -> Vec<BTreeSet<String>> {
    let product = sources
        .iter()
        .filter(|source| !source.product.trim().is_empty());
    let files: Files<'_> = product
        .map(|source| (source.module(), (source, paths(&source.product))))
        .collect();
    let pairs: Vec<(Vec<&str>, Vec<&str>)> = files
        .keys()
        .flat_map(|module| pairs(&files, module))
        .collect();
    let directories: BTreeSet<&[&str]> = files
        .keys()
        .flat_map(|module| (1..=module.len()).map(|length| &module[..length]))
        .collect();
    directories
        .into_iter()
        .flat_map(|directory| circles_of(&uses(directory, &pairs)))
        .collect()
}

fn circles_of(uses: &Uses) -> BTreeSet<BTreeSet<String>> {
    let reached: Uses = uses
        .keys()
        .map(|module| (module.clone(), reach(uses, module)))
        .collect();
    let circle = |module: &String| -> BTreeSet<String> {
        reached[module]
            .iter()
            .filter(|other| {
                reached
                    .get(*other)
                    .is_some_and(|back| back.contains(module))
            })
            .cloned()
            .collect()
    };
    reached
        .keys()
        .map(circle)
        .filter(|modules| !modules.is_empty())
        .collect()
}

/// What of a directory makes use of what else of it.
fn uses(directory: &[&str], pairs: &[(Vec<&str>, Vec<&str>)]) -> Uses {
    let part = |module: &[&str]| -> Option<String> {
        let is_inside = module.starts_with(directory)
            && (module.len() > directory.len() || directory.len() == 1);
        is_inside.then(|| module[..module.len().min(directory.len() + 1)].join("/"))
    };
    let mut uses = Uses::new();
    for (from, to) in pairs {
        if let (Some(from), Some(to)) = (part(from), part(to))
            && from != to
        {
            uses.entry(from).or_default().insert(to);
        }
    }
    uses
}

/// What can be reached from a module, itself only in a circle.
fn reach(uses: &Uses, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut rest: Vec<&String> = uses[from].iter().collect();
    while let Some(next) = rest.pop() {
        if reached.insert(next.clone()) {
            rest.extend(uses.get(next).into_iter().flatten());
        }
    }
    reached
}

/// A file with each of the other files that it makes use of.
fn pairs<'a>(files: &Files<'a>, module: &[&'a str]) -> Vec<(Vec<&'a str>, Vec<&'a str>)> {
    let (source, paths) = &files[module];
    let needed: BTreeSet<Vec<&str>> = paths
        .iter()
        .filter(|path| !is_passed_on(source, path) && !is_visibility(source, path))
        .filter_map(|path| absolute(files, source, path))
        .collect();
    needed
        .into_iter()
        .filter_map(|path| target(files, path, 0))
        .map(|other| (module.to_vec(), other))
        .collect()
}

/// Whether an import is for others only: the file names it nowhere else.
fn is_passed_on(source: &Source, path: &Path<'_>) -> bool {
    let name = path.segments.last().expect("a path has a name");
    let is_renamed = || source.product.contains(&format!("{name} as "));
    path.imported && *name != "*" && words(&source.product, name).count() == 1 && !is_renamed()
}

/// Whether a path says who may see an item, as in `pub(super)`: that makes use of nothing.
fn is_visibility(source: &Source, path: &Path<'_>) -> bool {
    let before = source.product[..path.offset].trim_end();
    before.ends_with("pub(") || before.ends_with("pub(in")
}

/// The file in which stands what a path leads to; what a file only imports itself is looked for
/// where it has that from.
fn target<'a>(files: &Files<'a>, path: Vec<&'a str>, depth: usize) -> Option<Vec<&'a str>> {
    let length = (1..=path.len())
        .rev()
        .find(|length| files.contains_key(&path[..*length]))?;
    let module = path[..length].to_vec();
    let Some(name) = path.get(length).filter(|_| depth < IMPORTS_MAX) else {
        return Some(module);
    };
    let (source, paths) = &files[&module];
    let import = paths
        .iter()
        .find(|other| other.imported && other.segments.last() == Some(name));
    let further =
        import.and_then(|import| target(files, absolute(files, source, import)?, depth + 1));
    further.or(Some(module))
}

/// A path's segments from the crate's root, if it leads into this crate.
fn absolute<'a>(files: &Files<'a>, source: &'a Source, path: &Path<'a>) -> Option<Vec<&'a str>> {
    let mut module = source.module();
    let (first, rest) = path.segments.split_first().expect("a path has a name");
    match *first {
        "crate" | "starlingd" => return Some(rest.to_vec()),
        "self" => module.extend(rest),
        "super" => {
            let ups = path
                .segments
                .iter()
                .take_while(|name| **name == "super")
                .count();
            let inline = inline_modules(&source.product)
                .iter()
                .filter(|body| body.contains(&path.offset))
                .count();
            module.truncate(module.len().checked_sub(ups.checked_sub(inline)?)?);
            module.extend(&path.segments[ups..]);
        }
        child => {
            module.push(child);
            // A name alone is a variable, or the declaration of the module.
            let is_path = path.imported || !rest.is_empty();
            (is_path && files.contains_key(&module[..])).then_some(())?;
            module.extend(rest);
        }
    }
    Some(module)
}

/// Through so many files a name is followed that each only imports.
const IMPORTS_MAX: usize = 4;

#[test]
fn a_circle_is_found_through_whatever_way_a_file_names_another() {
    let found = |files: &[(&str, &str)]| {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new(path, text))
            .collect();
        circles(&sources)
            .into_iter()
            .map(|circle| Vec::from_iter(circle).join(" "))
            .collect::<Vec<_>>()
    };
    let back = ("node/b.rs", "use super::a::A;\nfn f(a: A) {}");
    for text in [
        "use super::b::B;\nfn f(b: B) {}",
        "use crate::node::{b::{self}, c};\nfn f() { b::f(); }",
        "fn f() { super::b::f(); }",
    ] {
        assert_eq!(
            found(&[("node/a.rs", text), back]),
            ["node/a node/b"],
            "{text}"
        );
    }
    assert_eq!(
        found(&[("node/a.rs", "use super::c::C;\nfn f(c: C) {}"), back]),
        [""; 0]
    );
    assert_eq!(
        found(&[
            (
                "node/a.rs",
                "#[cfg(test)]\nmod tests { use super::super::b::B; fn f(b: B) {} }"
            ),
            back
        ]),
        [""; 0]
    );
    // A file and its directory are one, but for those directly below `src/`.
    let child = |own: &str| format!("use super::{own};\nfn f(x: {own}) {{}}");
    assert_eq!(
        found(&[
            ("node/a.rs", "struct D;\nfn f() { c::f(D); }"),
            ("node/a/c.rs", &child("D"))
        ]),
        [""; 0]
    );
    assert_eq!(
        found(&[
            ("node/mod.rs", "struct D;\nfn f() { c::f(D); }"),
            ("node/c.rs", &child("D"))
        ]),
        ["node node/c"]
    );
    // Who may see an item says nothing of what it needs.
    let parent = ("node/mod.rs", "fn f() { c::f(); }");
    for text in ["pub(super) fn f() {}", "pub(in crate::node) fn f() {}"] {
        assert_eq!(found(&[parent, ("node/c.rs", text)]), [""; 0], "{text}");
    }
    // What the parent only passes on, or has from elsewhere, is not its own.
    let passes = (
        "node/mod.rs",
        "pub use self::c::C;\nuse self::d::D;\nfn f(d: D) {}",
    );
    assert_eq!(
        found(&[
            passes,
            ("node/c.rs", &child("D")),
            ("node/d.rs", "struct D;")
        ]),
        [""; 0]
    );
}
