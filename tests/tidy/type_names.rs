//! The names of types: one name for one type in the whole crate, and none that only asks a
//! question.
//!
//! Whoever reads `Job` or `Place` must know which one is meant without a look at the imports.
//! Associated types, whose names a trait gives, are left out.

use std::collections::BTreeMap;

use crate::source::{Source, words};

/// Names that still stand twice, or say nothing, in what is taken apart now. This list only ever
/// gets shorter; nothing else may be in it.
pub const NAMES_LEFT: [&str; 6] = ["Change", "Found", "Kept", "Known", "Place", "Wish"];

/// Names that could be the name of any type.
const SAY_NOTHING: [&str; 5] = ["What", "Why", "How", "Whose", "Other"];

/// The names at fault, each with the places where types have it.
pub fn faults(sources: &[Source]) -> BTreeMap<String, Vec<String>> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        for (offset, name) in types(source) {
            let place = format!("src/{}:{}", source.path, source.line(offset));
            places.entry(name.to_string()).or_default().push(place);
        }
    }
    places.retain(|name, places| places.len() > 1 || SAY_NOTHING.contains(&&name[..]));
    places
}

/// The types that a file's product declares, with their offsets.
fn types(source: &Source) -> Vec<(usize, &str)> {
    let product = &source.product;
    let kinds = ["struct", "enum", "union", "trait", "type"];
    let declared = kinds
        .into_iter()
        .flat_map(|kind| words(product, kind).map(move |at| (at, kind)));
    declared
        .filter(|(at, kind)| *kind != "type" || !is_indented(product, *at))
        .filter_map(|(at, kind)| Some((at, name_at(&product[at + kind.len()..])?)))
        .collect()
}

/// Whether the line of `at` is indented: an associated type stands within a trait or an `impl`.
fn is_indented(product: &str, at: usize) -> bool {
    let start = product[..at].rfind('\n').map_or(0, |end| end + 1);
    product[start..].starts_with(' ')
}

/// The name that comes next, if it is a type's.
fn name_at(rest: &str) -> Option<&str> {
    let name = rest.strip_prefix(' ')?;
    let end = name
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(name.len());
    name[..end]
        .starts_with(char::is_uppercase)
        .then_some(&name[..end])
}

#[test]
fn a_type_name_that_stands_twice_or_says_nothing_is_noticed() {
    let found = |files: &[(&str, &str)]| {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new(path, text))
            .collect();
        faults(&sources).into_keys().collect::<Vec<_>>()
    };
    let node = ("node/job.rs", "pub(super) struct Job<'a>(&'a str);");
    for text in [
        "struct Job;",
        "pub enum Job { One }",
        "pub(crate) trait Job {}",
        "type Job = u8;",
        "mod inner { struct Job; }",
    ] {
        assert_eq!(found(&[node, ("daemon/job.rs", text)]), ["Job"], "{text}");
    }
    for text in [
        "impl Work for A {\n    type Job = u8;\n}",
        "#[cfg(test)]\nmod tests { struct Job; }",
        "// struct Job\nstruct Jobs;",
        "fn f(job: Job) -> Job { job }",
    ] {
        assert_eq!(found(&[node, ("daemon/job.rs", text)]), [""; 0], "{text}");
    }
    for name in SAY_NOTHING {
        assert_eq!(found(&[("sim/a.rs", &format!("enum {name} {{}}"))]), [name]);
    }
}
