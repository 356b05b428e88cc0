//! The shape of the program, under test: reads the source as text, and names the file and the line
//! of whatever has lost it.
//!
//! What the rules are stands in `tidy/rules.rs`; that each of them would notice, in
//! `tidy/snippets.rs`.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/glossary.rs"]
mod glossary;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/snippets.rs"]
mod snippets;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/sprawl.rs"]
mod sprawl;
#[path = "tidy/type_names.rs"]
mod type_names;

use std::fs;
use std::path::{Path, PathBuf};

use rules::{DOORS, OPEN, RULES};
use source::{Source, blank};
use sprawl::IMPL_FILES_MAX;
use type_names::NAMES_LEFT;

/// What may stand at the top of the repository, beside names with a dot in front, the licences and
/// cargo's `target`.
const TOP: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "Makefile",
    "README.md",
    "man",
    "src",
    "tests",
    "target",
];
const README_LINES_MAX: usize = 150;
const MAKEFILE_LINES_MAX: usize = 80;
/// Lines of a file below `tests`.
const TEST_LINES_MAX: usize = 600;
/// Columns of a comment, as of code.
const WIDTH: usize = 100;
/// Letters of a function's name.
const NAME_MAX: usize = 80;

#[test]
fn the_source_keeps_its_shape() {
    let sources = sources();
    assert!(
        sources.len() > 5,
        "only {} files below src/ were found",
        sources.len()
    );
    let findings: Vec<String> = sources
        .iter()
        .flat_map(|source| RULES.iter().flat_map(move |(_, rule)| rule(source)))
        .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.what))
        .collect();
    assert!(
        findings.is_empty(),
        "{} findings\n{}",
        findings.len(),
        findings.join("\n")
    );
}

#[test]
fn no_files_of_a_floor_import_each_other_in_a_circle() {
    let found = circles::circles(&sources());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_type_name_stands_twice_or_says_nothing() {
    let mut faults = type_names::faults(&sources());
    faults.retain(|name, _| !NAMES_LEFT.contains(&&name[..]));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_methods_of_a_type_stand_in_two_files_at_most() {
    let sources = sources();
    for (name, files) in sprawl::impl_files(&sources) {
        assert!(
            files.len() <= IMPL_FILES_MAX || sprawl::are_of_one_directory(&files),
            "{name} has `impl` blocks in {} files, {IMPL_FILES_MAX} are the most: {files:?}",
            files.len()
        );
    }
}

#[test]
fn the_man_pages_have_the_terms_of_the_glossary() {
    let pages: String = files(&root().join("man"))
        .iter()
        .map(|page| read(page))
        .collect();
    let lib = read(&root().join("src/lib.rs"));
    let terms = glossary::terms(&lib);
    assert!(terms.len() > 30, "the glossary has only {terms:?}");
    let strange: Vec<&str> = terms
        .into_iter()
        .filter(|term| !glossary::has(&pages, term))
        .collect();
    assert!(strange.is_empty(), "in no man page: {strange:?}");
}

#[test]
fn words_that_were_given_up_stand_in_no_page_and_no_doc_comment() {
    let mut found = Vec::new();
    for below in ["man", "src", "tests"] {
        for file in files(&root().join(below)) {
            let name = file.strip_prefix(root()).expect("it is below the root");
            let outdated = match below {
                "man" => glossary::outdated_in_page(&read(&file)),
                _ if file.extension().is_some_and(|end| end == "rs") => {
                    glossary::outdated_in_docs(&read(&file))
                }
                _ => Vec::new(),
            };
            found.extend(
                outdated
                    .into_iter()
                    .map(|(line, what)| format!("{}:{line}: {what}", name.display())),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whoever scans a list of tests reads their names as sentences. Comments are wrapped where rustfmt
/// wraps code, which leaves them as they are.
#[test]
fn names_and_comments_are_not_longer_than_can_be_read() {
    let all = ["src", "tests"]
        .iter()
        .flat_map(|below| files(&root().join(below)));
    let mut found = Vec::new();
    for file in all.filter(|file| file.extension().is_some_and(|end| end == "rs")) {
        let long = too_long(&read(&file), WIDTH);
        found.extend(
            long.into_iter()
                .map(|(line, what)| format!("{}:{line}: {what}", file.display())),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_file_of_tests_is_longer_than_can_be_read() {
    let long: Vec<String> = files(&root().join("tests"))
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .map(|file| (file, read(file).lines().count()))
        .filter(|(_, lines)| *lines > TEST_LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(
        long.is_empty(),
        "{TEST_LINES_MAX} are the most\n{}",
        long.join("\n")
    );
}

#[test]
fn a_name_or_a_comment_that_is_too_long_is_noticed() {
    let long = |text: &str| too_long(text, 90).len();
    let name = |length| format!("    fn {}() {{}}\n", "n".repeat(length));
    assert_eq!((long(&name(80)), long(&name(81))), (0, 1));
    let comment =
        |start: &str, length: usize| format!("{start}{}\n", "ü".repeat(length - start.len()));
    assert_eq!(
        (
            long(&comment("  /// ", 90)),
            long(&comment("  /// ", 91)),
            long(&comment("let x = ", 91))
        ),
        (0, 1, 0)
    );
    assert_eq!(
        long(&format!("// https://example.org/{}\n", "x".repeat(90))),
        0,
        "what cannot be broken"
    );
}

/// The lines of `text`, counted from 1, with functions whose names, or comments which are too long.
fn too_long(text: &str, width: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line_trimmed = line.trim_start();
        let name = line_trimmed
            .trim_start_matches("pub ")
            .strip_prefix("fn ")
            .and_then(|rest| rest.split(['(', '<']).next());
        if let Some(name) = name.filter(|name| name.len() > NAME_MAX) {
            found.push((
                number,
                format!("fn {name}: {} letters, {NAME_MAX} are the most", name.len()),
            ));
        }
        let columns = line.chars().count();
        let is_address = line_trimmed
            .split_whitespace()
            .any(|word| word.contains("://"));
        if line_trimmed.starts_with("//") && columns > width && !is_address {
            found.push((
                number,
                format!("a comment of {columns} columns; {width} are the most"),
            ));
        }
    }
    found
}

#[test]
fn a_crate_has_no_more_doors_than_it_was_given() {
    let sources = sources();
    for door in &DOORS {
        let naming: Vec<&str> = sources
            .iter()
            .filter(|source| rules::naming(source, door.name).is_some())
            .map(|source| &source.path[..])
            .collect();
        assert!(
            naming.len() <= door.files_max,
            "{} is named in {}",
            door.name,
            naming.join(", ")
        );
    }
}

#[test]
fn every_dependency_has_a_door_and_every_door_a_dependency() {
    let manifest = read(&root().join("Cargo.toml"));
    let mut listed = dependencies(&manifest);
    let mut known: Vec<String> = DOORS
        .iter()
        .map(|door| door.name)
        .chain(OPEN)
        .map(str::to_string)
        .collect();
    listed.sort();
    known.sort();
    assert_eq!(
        listed, known,
        "Cargo.toml on the left, tests/tidy/rules.rs on the right"
    );
}

#[test]
fn the_top_of_the_repository_holds_only_what_it_was_given() {
    let entries = fs::read_dir(root()).expect("the repository is readable");
    let names = entries.map(|entry| {
        entry
            .expect("its entries too")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    let strange: Vec<String> = names
        .filter(|name| {
            !name.starts_with('.') && !name.starts_with("LICENSE") && !TOP.contains(&&name[..])
        })
        .collect();
    assert!(
        strange.is_empty(),
        "at the top of the repository: {}",
        strange.join(", ")
    );
}

#[test]
fn the_readme_and_the_makefile_stay_short() {
    for (name, lines_max) in [
        ("README.md", README_LINES_MAX),
        ("Makefile", MAKEFILE_LINES_MAX),
    ] {
        let lines = fs::read_to_string(root().join(name)).map_or(0, |text| text.lines().count());
        assert!(
            lines <= lines_max,
            "{name} has {lines} lines; {lines_max} are the most"
        );
    }
}

#[test]
fn the_man_pages_name_every_option() {
    let settings: Vec<Source> = sources()
        .into_iter()
        .filter(|source| source.path.starts_with("settings"))
        .collect();
    let options: Vec<String> = settings.iter().flat_map(options).collect();
    assert!(
        settings.is_empty() || !options.is_empty(),
        "src/settings* has no table that this test can read"
    );
    let pages: String = files(&root().join("man"))
        .iter()
        .map(|page| read(page))
        .collect();
    let unnamed: Vec<String> = options
        .into_iter()
        .filter(|option| !is_named(&pages, option))
        .collect();
    assert!(
        unnamed.is_empty(),
        "not in any man page: {}",
        unnamed.join(", ")
    );
}

#[test]
fn an_option_that_no_man_page_names_is_noticed() {
    let table =
        "Opt {\n name: \"state\",\n help: \"name: it\" },\nOpt { name: \"api-token-file\" }";
    let test = "#[cfg(test)]\nmod tests { const X: Opt = Opt { name: \"other\" }; }\n";
    let source = Source::new(
        "settings/table.rs",
        &format!("const OPTIONS: [Opt; 2] = [{table}];\n{test}"),
    );
    assert_eq!(options(&source), ["state", "api-token-file"]);
    assert!(is_named(".It Fl -state Ar dir\n", "state"));
    assert!(is_named(".It Fl f , Fl -state Ar dir\n", "state"));
    assert!(!is_named(".It Fl -state-dir Ar dir\n", "state"));
}

#[test]
fn a_dependency_is_read_from_the_manifest_in_either_form() {
    let manifest = "[dependencies]\nsnow = \"1\"\n# no\n[dependencies.mdns-sd]\nversion = \"1\"\n[profile.release]\nlto = \"fat\"\n";
    assert_eq!(dependencies(manifest), ["snow", "mdns_sd"]);
}

/// The long names, without dashes, of the options in the table below `src/settings`, where each is
/// a `name: "…"`.
fn options(settings: &Source) -> Vec<String> {
    const MEMBER: &str = "name: \"";
    let starts = settings.text.match_indices(MEMBER).map(|(at, _)| at);
    let in_table = starts.filter(|&at| settings.product[at..].starts_with(MEMBER));
    in_table
        .filter_map(|at| settings.text[at + MEMBER.len()..].split('"').next())
        .map(str::to_string)
        .collect()
}

/// Whether some line of the pages, in mdoc, has the option as a flag of its own.
fn is_named(pages: &str, option: &str) -> bool {
    let flag = format!("-{option}");
    pages.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words
            .windows(2)
            .any(|pair| pair[0].ends_with("Fl") && pair[1] == flag)
    })
}

/// The names of a manifest's dependencies, as code spells them.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            names.extend(section.strip_prefix("dependencies.").map(str::to_string));
        } else if let Some((name, _)) = line
            .split_once('=')
            .filter(|(name, _)| section == "dependencies" && !name.starts_with('#'))
        {
            names.push(name.trim().to_string());
        }
    }
    names.iter().map(|name| name.replace('-', "_")).collect()
}

/// All of `src/`, the files that only tests have without their product.
fn sources() -> Vec<Source> {
    let below = root().join("src");
    let read_source = |file: &PathBuf| {
        let path = file
            .strip_prefix(&below)
            .expect("it was found there")
            .to_string_lossy()
            .into_owned();
        Source::new(&path, &read(file))
    };
    let mut sources: Vec<Source> = files(&below)
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .map(read_source)
        .collect();
    let tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        if tests.iter().any(|test| {
            source.path == *test || (test.ends_with('/') && source.path.starts_with(test))
        }) {
            source.product = blank(&source.text);
        }
    }
    sources
}

/// Every file below `directory`, in the order of their names.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory's entries are readable").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
