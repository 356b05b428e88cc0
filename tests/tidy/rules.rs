//! The rules, one function each: from a source file to what is wrong in it.
//!
//! Tests may do what product code may not: most rules look at the product only. Sizes and marks
//! count everywhere. What clippy can see is not here but in `.clippy.toml` and in the lints of
//! `Cargo.toml`.

use crate::source::{Path, Source, inline_modules, paths, words};

/// What is wrong, and where.
#[derive(Debug, PartialEq)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub what: String,
}

pub type Rule = fn(&Source) -> Vec<Finding>;

/// Every rule that looks at one file, by the name that `snippets.rs` calls it.
pub const RULES: [(&str, Rule); 9] = [
    ("floors", floors),
    ("doors", doors),
    ("io", io),
    ("reasons", reasons),
    ("file length", file_length),
    ("marks", marks),
    ("module doc", module_doc),
    ("limits", limits),
    ("hooks", hooks),
];

/// What stands directly below `src/`, lowest floor first. A file may import from lower floors and
/// from its own.
pub const FLOORS: [&[&str]; 7] = [
    &["limits", "codec"],
    &["model"],
    &["wire", "settings"],
    &["node"],
    &["sim"],
    &["daemon"],
    &["cli", "main", "lib"],
];

/// The floors that decide and never act.
const PURE: [&str; 7] = [
    "limits", "codec", "model", "wire", "settings", "node", "sim",
];

/// An outside crate, and the only files that may name it.
pub struct Door {
    pub name: &'static str,
    /// Files below `src/`; with `*` at the end, all that begin so.
    pub files: &'static [&'static str],
    /// How many of these may really name it.
    pub files_max: usize,
}

const fn door(name: &'static str, files: &'static [&'static str], files_max: usize) -> Door {
    Door {
        name,
        files,
        files_max,
    }
}

/// Every dependency with a door.
pub const DOORS: [Door; 15] = [
    door("base64", &["model/bundle/pem.rs"], 1),
    door(
        "bs58",
        &["model/peer_id.rs", "wire/token.rs", "wire/fleet.rs"],
        3,
    ),
    door("ed25519_dalek", &["model/signature.rs"], 1),
    door("getrandom", &["daemon/*"], 1),
    door("hkdf", &["wire/fleet.rs"], 1),
    door("httparse", &["daemon/gate*"], 1),
    door("if_addrs", &["daemon/interfaces.rs"], 1),
    door("lexopt", &["cli*"], 1),
    door("mdns_sd", &["daemon/discovery*"], 2),
    door(
        "mio",
        &[
            "daemon/link.rs",
            "daemon/links.rs",
            "daemon/listener*",
            "daemon/loop_queue.rs",
        ],
        5,
    ),
    door("signal_hook", &["daemon/signals.rs"], 1),
    door(
        "snow",
        &[
            "wire/handshake.rs",
            "wire/handshake/error.rs",
            "wire/session.rs",
        ],
        3,
    ),
    door(
        "socket2",
        &[
            "daemon/listener*",
            "daemon/peer_socket.rs",
            "daemon/stream.rs",
            "daemon/target/reason/listeners.rs",
            "daemon/unix.rs",
        ],
        6,
    ),
    door("tiny_http", &["daemon/http.rs"], 1),
    door("ureq", &["daemon/unit*"], 2),
];

/// Dependencies that any file may name: a hash, and the facade for logging.
pub const OPEN: [&str; 2] = ["log", "sha2"];

const FILE_LINES_MAX: usize = 500;
const MODULE_DOC_LINES_MIN: usize = 2;

/// What of `std::net` is a plain value.
const ADDRESSES: [&str; 7] = [
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "AddrParseError",
];

/// The members of `std` that act or look outside. A module imported whole is named here too: its
/// parts would go unseen.
const ACTS: [&[&str]; 14] = [
    &["std", "env"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "os"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["std", "time", "*"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
    &["std", "*"],
    &["getrandom"],
];

/// The floor of what stands directly below `src/` under this name.
fn floor(top: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&top))
}

/// What stands directly below `src/` and holds this file.
fn top(source: &Source) -> &str {
    source
        .path
        .split(['/', '.'])
        .next()
        .expect("a split has a first part")
}

fn is_pure(source: &Source) -> bool {
    PURE.contains(&top(source))
}

/// What of this crate's top a path leads to, if it leads into this crate.
fn destination<'a>(source: &'a Source, path: &Path<'a>) -> Option<&'a str> {
    let after = |ups: usize| path.segments.get(ups).copied().filter(|name| *name != "*");
    if matches!(path.segments[0], "crate" | "starlingd") {
        return after(1);
    }
    let ups = path
        .segments
        .iter()
        .take_while(|name| **name == "super")
        .count();
    if ups == 0 {
        return None;
    }
    let inline = inline_modules(&source.product)
        .iter()
        .filter(|body| body.contains(&path.offset))
        .count();
    let module = source.module();
    match (module.len() + inline).checked_sub(ups)? {
        0 => after(ups),
        _ => module.first().copied(),
    }
}

fn floors(source: &Source) -> Vec<Finding> {
    let Some(own) = floor(top(source)) else {
        return vec![find(
            source,
            0,
            format!("`{}` stands on no floor", top(source)),
        )];
    };
    let mut findings = Vec::new();
    for path in paths(&source.product) {
        // Of the crate's own root only the programs are on the top floor; what main.rs declares
        // beside itself is its own.
        let Some(name) = destination(source, &path).filter(|_| source.path != "lib.rs") else {
            continue;
        };
        match floor(name) {
            Some(other) if other <= own => {}
            Some(_) => findings.push(find(
                source,
                path.offset,
                format!("`{}` goes up a floor, to `{name}`", text(&path)),
            )),
            None => findings.push(find(
                source,
                path.offset,
                format!("`{}`: `{name}` stands on no floor", text(&path)),
            )),
        }
    }
    findings
}

/// Whether the file names the crate, and where first.
pub fn naming(source: &Source, name: &str) -> Option<usize> {
    let is_named =
        |path: &Path<'_>| path.segments[0] == name && (path.imported || path.segments.len() > 1);
    paths(&source.product)
        .into_iter()
        .find(is_named)
        .map(|path| path.offset)
}

fn doors(source: &Source) -> Vec<Finding> {
    let is_inside = |door: &Door| {
        door.files.iter().any(|file| match file.strip_suffix('*') {
            Some(start) => source.path.starts_with(start),
            None => source.path == *file,
        })
    };
    let outside = DOORS.iter().filter(|door| !is_inside(door));
    outside
        .filter_map(|door| Some((door, naming(source, door.name)?)))
        .map(|(door, offset)| {
            find(
                source,
                offset,
                format!(
                    "`{}` is named outside its door ({})",
                    door.name,
                    door.files.join(", ")
                ),
            )
        })
        .collect()
}

fn io(source: &Source) -> Vec<Finding> {
    if !is_pure(source) {
        return Vec::new();
    }
    let is_value = |path: &Path<'_>| {
        path.segments.starts_with(&["std", "net"])
            && path.segments.get(2).is_some_and(|n| ADDRESSES.contains(n))
    };
    let acts = |path: &Path<'_>| {
        let is_whole_time = path.imported && path.segments[..] == ["std", "time"];
        is_whole_time || ACTS.iter().any(|act| path.segments.starts_with(act))
    };
    let said = ["print", "println", "eprint", "eprintln", "dbg"]
        .into_iter()
        .flat_map(|name| {
            words(&source.product, name)
                .filter(|at| source.product[at + name.len()..].starts_with('!'))
                .map(move |at| (at, name.to_string()))
        });
    let reached = paths(&source.product)
        .into_iter()
        .filter(|path| acts(path) && !is_value(path));
    reached
        .map(|path| (path.offset, text(&path)))
        .chain(said)
        .map(|(offset, name)| {
            find(
                source,
                offset,
                format!("`{name}` below the daemon: nothing there does I/O"),
            )
        })
        .collect()
}

fn reasons(source: &Source) -> Vec<Finding> {
    const CALL: &str = ".expect(";
    let reason = |at: usize| {
        source.text[at + CALL.len()..]
            .strip_prefix('"')?
            .split('"')
            .next()
    };
    let calls = source.product.match_indices(CALL).map(|(at, _)| at);
    calls
        .filter(|&at| reason(at).is_some_and(|words| words.split_whitespace().count() < 2))
        .map(|at| find(source, at, "`expect` without the reason why it holds"))
        .collect()
}

fn file_length(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let end = source.text.trim_end().len();
    vec![find(
        source,
        end,
        format!("{lines} lines; {FILE_LINES_MAX} are the most"),
    )]
}

fn marks(source: &Source) -> Vec<Finding> {
    let in_text = ["TODO", "FIXME", "XXX"]
        .into_iter()
        .flat_map(|mark| words(&source.text, mark).map(move |at| (at, mark)));
    let in_code = ["allow(dead_code)", "#[ignore"]
        .into_iter()
        .flat_map(|mark| {
            source
                .code
                .match_indices(mark)
                .map(move |(at, _)| (at, mark))
        });
    in_text
        .chain(in_code)
        .map(|(at, mark)| find(source, at, format!("`{mark}`: unfinished")))
        .collect()
}

fn module_doc(source: &Source) -> Vec<Finding> {
    let is_public = words(&source.product, "pub").next().is_some();
    let head = source
        .text
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("//") || line.starts_with("#!["));
    let lines = head
        .filter(|line| {
            line.strip_prefix("//!")
                .is_some_and(|doc| !doc.trim().is_empty())
        })
        .count();
    let is_bare = is_public && lines < MODULE_DOC_LINES_MIN;
    let what = format!("{lines} lines of module doc; {MODULE_DOC_LINES_MIN} are the least");
    is_bare.then(|| find(source, 0, what)).into_iter().collect()
}

fn limits(source: &Source) -> Vec<Finding> {
    if top(source) != "limits" {
        return Vec::new();
    }
    let constants = paths(&source.product)
        .into_iter()
        .filter(|path| path.segments[..] == ["const"]);
    let named = constants.filter(|path| !source.product[path.offset..].starts_with("const _"));
    named
        .filter(|path| !line_above(source, path.offset).starts_with("///"))
        .map(|path| find(source, path.offset, "a limit without its reason"))
        .collect()
}

/// A feature or a configuration that exists for tests grows the instrument into the product: it has
/// to say above why it must.
fn hooks(source: &Source) -> Vec<Finding> {
    let attributes = source
        .text
        .match_indices("cfg")
        .map(|(at, _)| at)
        .filter(|&at| source.code[at..].starts_with("cfg"));
    let is_hook = |at: usize| {
        let rest = source.text[at..].lines().next().unwrap_or("");
        rest.contains("feature = \"test")
            || rest.starts_with("cfg(any(test")
            || rest.starts_with("cfg(not(test")
    };
    attributes
        .filter(|&at| is_hook(at) && !line_above(source, at).starts_with("//"))
        .map(|at| find(source, at, "a hook for tests that does not say why"))
        .collect()
}

/// The nearest line above `offset` that is no attribute, trimmed.
fn line_above(source: &Source, offset: usize) -> &str {
    let start = source.text[..offset].rfind('\n').unwrap_or(0);
    let above = source.text[..start]
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.starts_with("#["));
    above.unwrap_or("")
}

fn text(path: &Path<'_>) -> String {
    path.segments.join("::")
}

fn find(source: &Source, offset: usize, what: impl Into<String>) -> Finding {
    Finding {
        path: format!("src/{}", source.path),
        line: source.line(offset),
        what: what.into(),
    }
}
