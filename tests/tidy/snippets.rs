//! What each rule must notice, and what it must let pass.

use crate::rules::{FLOORS, RULES};
use crate::source::{Source, paths};

/// Rule, file, and code that the rule must find fault with.
const BAD: [(&str, &str, &str); 39] = [
    ("floors", "model/path.rs", "use crate::wire::frame::Frame;"),
    (
        "floors",
        "model/path.rs",
        "use crate::{limits::NAME_MAX, node::{Node, Input}};",
    ),
    ("floors", "model/path.rs", "use super::super::wire::Frame;"),
    ("floors", "model/mod.rs", "use super::wire::Frame;"),
    (
        "floors",
        "model/json/parse.rs",
        "use super::super::super::wire::Frame;",
    ),
    (
        "floors",
        "model/path.rs",
        "mod inner { use super::super::super::wire::Frame; }",
    ),
    (
        "floors",
        "wire/frame.rs",
        "fn f() -> crate::node::Effect { starlingd::limits::f() }",
    ),
    ("floors", "settings.rs", "use starlingd::daemon::Loop;"),
    ("floors", "daemon/links.rs", "pub use crate::cli;"),
    (
        "floors",
        "limits.rs",
        "#[cfg(test)]\nmod tests { use crate::node; }\nuse crate::model::Path;",
    ),
    ("floors", "node/mod.rs", "use crate::metrics::Count;"),
    ("floors", "metrics.rs", "pub struct Count;"),
    ("doors", "wire/frame.rs", "use snow::Builder;"),
    (
        "doors",
        "daemon/links.rs",
        "fn f() { let s = socket2::Socket::new(); }",
    ),
    ("doors", "daemon/api.rs", "use base64 as text;"),
    ("doors", "daemon/api.rs", "use ::tiny_http::Server;"),
    ("doors", "daemon/api.rs", "use {std::fmt, ureq::Agent};"),
    ("io", "node/mod.rs", "use std::net::TcpStream;"),
    (
        "io",
        "wire/frame.rs",
        "use std::{fmt, net::{SocketAddr, UdpSocket}};",
    ),
    ("io", "wire/frame.rs", "use std::net;"),
    ("io", "model/json.rs", "fn f() { std::fs::read(p); }"),
    ("io", "settings.rs", "use std::env;"),
    ("io", "codec.rs", "use std::thread::spawn;"),
    ("io", "node/mod.rs", "use std::time::{Duration, Instant};"),
    ("io", "node/mod.rs", "use std::time;"),
    ("io", "node/mod.rs", "fn f() { println!(\"here\"); }"),
    (
        "io",
        "model/peer_id.rs",
        "fn f() { getrandom::fill(&mut seed); }",
    ),
    ("reasons", "daemon/links.rs", "fn f() { x.expect(\"ok\"); }"),
    ("marks", "daemon/links.rs", "// TODO: the rest"),
    ("marks", "daemon/links.rs", "/* FIXME */"),
    ("marks", "daemon/links.rs", "#[allow(dead_code)]\nfn f() {}"),
    (
        "module doc",
        "daemon/links.rs",
        "//! Links.\n\npub struct Link;",
    ),
    (
        "module doc",
        "daemon/links.rs",
        "// Links of one peer\n// to another.\npub(crate) fn f() {}",
    ),
    (
        "limits",
        "limits.rs",
        "/// As long as a name.\npub const A_MAX: usize = 1;\npub const B_MAX: usize = 2;",
    ),
    (
        "limits",
        "limits.rs",
        "// Not shown to the reader.\npub const WAIT_MS: u64 = 1;",
    ),
    (
        "hooks",
        "daemon/links.rs",
        "#[cfg(feature = \"testing\")]\nfn f() {}",
    ),
    (
        "hooks",
        "daemon/links.rs",
        "fn f() { if cfg!(feature = \"test-clock\") {} }",
    ),
    (
        "hooks",
        "daemon/links.rs",
        "#[cfg(any(test, feature = \"simulate\"))]\nfn f() {}",
    ),
    ("hooks", "daemon/links.rs", "#[cfg(not(test))]\nfn f() {}"),
];

/// File, and code with which no rule must find fault.
const GOOD: [(&str, &str); 22] = [
    (
        "wire/frame.rs",
        "use crate::{codec::Reader, limits, model::{peer_id::PeerId, signature::*}};",
    ),
    (
        "wire/frame.rs",
        "use super::session::Session;\nuse super::super::model::Path;",
    ),
    (
        "wire/mod.rs",
        "use super::model::Path;\nuse super::settings::Settings;",
    ),
    (
        "model/path.rs",
        "mod inner { use super::super::super::limits::NAME_MAX; use super::super::edit::Edit; }",
    ),
    (
        "main.rs",
        "use starlingd::cli;\nfn main() { cli::main(std::env::args_os()); }",
    ),
    (
        "model/path.rs",
        "// use crate::wire::Frame;\nconst S: &str = \"use crate::wire; x.unwrap() unsafe\";",
    ),
    (
        "model/path.rs",
        "const S: &str = r#\"say \"Mutex\" here\"#; const C: char = '\"'; const D: char = '\\'';",
    ),
    (
        "model/path.rs",
        "/* HashMap /* unsafe */ .unwrap() */ fn f<'a>(x: &'a str) -> &'a str { x }",
    ),
    (
        "model/path.rs",
        "#[cfg(test)]\nmod tests {\n use crate::node::Node;\n fn f() { x.unwrap(); Instant::now(); }\n}",
    ),
    (
        "model/path.rs",
        "#[cfg(test)]\n#[path = \"odd.rs\"]\nmod tests;\nfn f() {}",
    ),
    (
        "model/path.rs",
        "struct S {\n #[cfg(test)]\n lock: std::sync::Mutex<u8>,\n n: u8,\n}\nfn f() {}",
    ),
    (
        "wire/handshake.rs",
        "use snow::Builder;\nuse std::net::{IpAddr, SocketAddr};\nuse std::time::Duration;",
    ),
    (
        "wire/handshake.rs",
        "use std::io::Read;\nfn f(a: std::net::Ipv4Addr) {}",
    ),
    (
        "daemon/unit/transport.rs",
        "use ureq::Agent;\nuse std::net::TcpStream;\nuse std::thread;",
    ),
    (
        "daemon/clock.rs",
        "use std::time::Instant;\nfn f() { Instant::now().elapsed(); }",
    ),
    (
        "daemon/links.rs",
        "use std::collections::HashMap;\nfn f(snow: u8) { let mio = link.mio; println!(\"{mio}\"); }",
    ),
    (
        "daemon/links.rs",
        "fn f() { x.expect(\"the queue outlives us\"); self.expect(b'{')?; y.unwrap_or(1); }",
    ),
    (
        "daemon/links.rs",
        "//! Links of one peer\n//! to another.\n\npub struct Link;",
    ),
    (
        "limits.rs",
        "/// As long as a name.\n#[allow(clippy::all)]\nconst A_MAX: usize = 1;\nconst _: () = assert!(A_MAX > 0);",
    ),
    (
        "limits.rs",
        "/// A doubling.\nconst fn twice(n: usize) -> usize { n * 2 }",
    ),
    (
        "daemon/links.rs",
        "// The simulator drives it by hand.\n#[cfg(feature = \"testing\")]\nfn f() {}",
    ),
    (
        "daemon/links.rs",
        "fn f() { let method = TODOS; macro_rules!(x); }",
    ),
];

#[test]
fn each_rule_notices_what_it_is_there_for() {
    for (name, path, code) in BAD {
        let (_, rule) = RULES
            .iter()
            .find(|(rule, _)| *rule == name)
            .expect("the snippet names a rule");
        assert!(
            !rule(&Source::new(path, code)).is_empty(),
            "{name} lets pass, in {path}: {code}"
        );
    }
}

#[test]
fn no_rule_is_without_a_snippet() {
    let by_hand = ["file length"];
    for (name, _) in RULES {
        assert!(
            by_hand.contains(&name) || BAD.iter().any(|(rule, ..)| *rule == name),
            "{name}"
        );
    }
}

#[test]
fn no_rule_finds_fault_with_good_code() {
    for (path, code) in GOOD {
        for (name, rule) in RULES {
            assert_eq!(
                rule(&Source::new(path, code)),
                [],
                "{name}, in {path}: {code}"
            );
        }
    }
}

#[test]
fn each_name_below_the_crate_stands_on_one_floor() {
    let mut names = FLOORS.concat();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_file_that_has_grown_out_of_hand_is_noticed() {
    let (_, rule) = RULES
        .iter()
        .find(|(name, _)| *name == "file length")
        .expect("the rule is there");
    assert_eq!(rule(&Source::new("codec.rs", &"\n".repeat(500))), []);
    assert_eq!(rule(&Source::new("codec.rs", &"\n".repeat(501))).len(), 1);
}

#[test]
fn a_finding_names_the_file_and_the_line() {
    let (_, rule) = RULES
        .iter()
        .find(|(name, _)| *name == "reasons")
        .expect("the rule is there");
    let findings = rule(&Source::new(
        "daemon/links.rs",
        "/* a\nb */\nfn f() {\n    g(\"ü\").expect(\"ok\");\n}\n",
    ));
    assert_eq!(
        (&findings[0].path[..], findings[0].line),
        ("src/daemon/links.rs", 4)
    );
}

#[test]
fn the_files_of_test_modules_are_known_by_their_declaration() {
    let declared = |path: &str, code: &str| Source::new(path, code).test_modules();
    assert_eq!(
        declared("wire/token.rs", "#[cfg(test)]\nmod tests;"),
        ["wire/token/tests.rs", "wire/token/tests/"]
    );
    assert_eq!(
        declared("wire/mod.rs", "#[cfg(test)]\nmod pair;"),
        ["wire/pair.rs", "wire/pair/"]
    );
    assert_eq!(
        declared(
            "wire/token.rs",
            "#[cfg(test)]\n#[path = \"token_tests.rs\"]\nmod tests;"
        ),
        ["wire/token_tests.rs"]
    );
    assert_eq!(
        declared(
            "wire/token.rs",
            "mod tests;\n#[cfg(test)]\nmod inline { fn f() {} }"
        ),
        [""; 0]
    );
}

#[test]
fn a_group_of_imports_is_several_paths() {
    let found: Vec<String> = paths("use a::{self, b::{c, d as e}, f::*};")
        .iter()
        .map(|path| path.segments.join("::"))
        .collect();
    assert_eq!(found, ["a", "a::b::c", "a::b::d", "a::f::*"]);
}
