//! The built program: founding, joining, and what it says when it cannot.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

const STARLING: &str = env!("CARGO_BIN_EXE_starling");

/// A directory of the test's own, and the program run as if the machine had no settings but those
/// in it.
struct Bench(PathBuf);

impl Bench {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("starling-cli-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("empty.conf"), "{}").unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", &self.0)
            .current_dir(&self.0)
            .stdin(Stdio::null());
        command
    }

    fn run<S: AsRef<OsStr>>(&self, words: &[S]) -> Output {
        self.command(STARLING)
            .args(words)
            .args(["-f", "empty.conf"])
            .output()
            .unwrap()
    }

    fn feed(&self, words: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(STARLING);
        command
            .args(words)
            .args(["-f", "empty.conf"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that refuses at once does not read it all.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    fn init(&self, state: &str) -> String {
        good(&self.run(&["init", "--state", state, "--fleet", "gulls"]))
    }

    fn token(&self, state: &str) -> String {
        good(&self.run(&["token", "--state", state, "--peer", "gull:7117"]))
            .trim()
            .to_owned()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn good(output: &Output) -> String {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn bad(output: &Output, status: i32) -> String {
    let words = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{words}");
    assert!(output.stdout.is_empty());
    assert!(words.starts_with("starling: "), "{words}");
    words
}

fn entries(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn one_host_founds_a_fleet_and_another_joins_it() {
    let bench = Bench::new("join");
    let words = bench.init("a");
    assert!(
        words.contains("fleet gulls")
            && words.contains("starling run --state a\n")
            && words.contains("starling token --state a | ssh HOST starling join -"),
        "what is to be typed finds what was made: {words}"
    );
    let id = good(&bench.run(&["id", "--state", "a"]));
    assert_eq!(id.trim().len(), 52);
    assert!(words.contains(id.trim()));

    let token = bench.token("a");
    assert_eq!(
        token,
        bench.token("a"),
        "the token of a fleet does not change"
    );
    let words = good(&bench.feed(
        &["join", "-", "--state", "b"],
        format!("\n {token}\n\n").as_bytes(),
    ));
    assert!(
        words.contains("the fleet gulls, to be found at: gull:7117."),
        "{words}"
    );
    let other = good(&bench.run(&["id", "--state", "b"]));
    assert_ne!(id, other);
    assert!(words.contains(other.trim()));
    good(&bench.run(&["join", &token, "--state", "c"]));

    assert_eq!(
        entries(&bench.path("a")),
        ["fleet.json", "identity.key", "lock", "owner.key"]
    );
    assert_eq!(
        entries(&bench.path("b")),
        ["addresses.json", "fleet.json", "identity.key", "lock"]
    );
    assert!(
        fs::read_to_string(bench.path("a/fleet.json"))
            .unwrap()
            .contains("\"joined\": true")
    );
    assert!(
        fs::read_to_string(bench.path("b/fleet.json"))
            .unwrap()
            .contains("\"joined\": false")
    );
    assert_eq!(
        fs::read_to_string(bench.path("b/addresses.json")).unwrap(),
        "{\"addresses\":[{\"address\":\"gull:7117\"}]}\n"
    );
    assert_eq!(bench.token("b"), token, "any member can bring in others");
}

#[test]
fn nobody_joins_with_nothing() {
    let bench = Bench::new("nothing");
    for input in ["", " \n"] {
        let said = bad(
            &bench.feed(&["join", "-", "--state", "a"], input.as_bytes()),
            2,
        );
        assert!(
            said.contains("standard input is empty") && said.contains("starling token | ssh HOST"),
            "{said}"
        );
    }
    assert!(!bench.path("a").exists());
}

#[test]
fn nothing_secret_is_readable_by_others_whatever_the_umask() {
    let bench = Bench::new("umask");
    let line = format!("umask 000; exec {STARLING} init --state deep/down/a -f empty.conf");
    good(&bench.command("sh").args(["-c", &line]).output().unwrap());
    let state = bench.path("deep/down/a");
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o700);
    for name in entries(&state) {
        assert_eq!(
            fs::metadata(state.join(&name)).unwrap().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
}

#[test]
fn a_member_neither_founds_nor_joins_again() {
    let bench = Bench::new("twice");
    bench.init("a");
    let token = bench.token("a");
    let id = good(&bench.run(&["id", "--state", "a"]));
    bench.init("other");
    let foreign = bench.token("other");
    for words in [
        vec!["init", "--state", "a"],
        vec!["join", &foreign, "--state", "a"],
    ] {
        let said = bad(&bench.run(&words), 1);
        assert!(
            said.contains("in the fleet gulls already") && said.contains("rm -r a"),
            "{said}"
        );
    }
    let said = good(&bench.run(&["join", &token, "--state", "a"]));
    assert!(
        said.contains("in the fleet gulls already") && said.contains("starling run --state a\n"),
        "it is so: {said}"
    );
    assert_eq!(good(&bench.run(&["id", "--state", "a"])), id);
    assert_eq!(bench.token("a"), token);
}

#[test]
fn a_founding_that_was_cut_short_goes_on_with_the_keys_that_were_made() {
    let bench = Bench::new("short");
    bench.init("a");
    let id = good(&bench.run(&["id", "--state", "a"]));
    let owner = fs::read(bench.path("a/owner.key")).unwrap();
    fs::remove_file(bench.path("a/fleet.json")).unwrap();
    fs::write(bench.path("a/.new-fleet.json"), "{").unwrap();
    bench.init("a");
    assert_eq!(good(&bench.run(&["id", "--state", "a"])), id);
    assert_eq!(fs::read(bench.path("a/owner.key")).unwrap(), owner);
    assert_eq!(
        entries(&bench.path("a")),
        ["fleet.json", "identity.key", "lock", "owner.key"]
    );
}

#[test]
fn what_is_wrong_is_found_before_anything_is_made() {
    let bench = Bench::new("before");
    bench.init("a");
    let token = bench.token("a");
    let before = entries(&bench.0);
    let mistyped = format!(
        "{}{}",
        &token[..token.len() - 1],
        if token.ends_with('2') { '3' } else { '2' }
    );
    for words in [
        vec!["join", "gibberish"],
        vec!["join", &mistyped],
        vec!["join", &token[..40]],
        vec!["join", ""],
        vec!["init", "--fleet", "../gulls"],
        vec!["init", "--fleet", ""],
        vec!["token", "--listen", "7117"],
    ] {
        bad(&bench.run(&[&words[..], &["--state", "b"]].concat()), 2);
    }
    bad(
        &bench.feed(&["join", "-", "--state", "b"], &vec![b'x'; 1 << 20]),
        2,
    );
    bad(
        &bench.feed(&["join", "-", "--state", "b"], &[0xff, 0xfe]),
        1,
    );
    assert_eq!(entries(&bench.0), before);
}

#[test]
fn a_host_in_no_fleet_is_told_what_to_type() {
    let bench = Bench::new("none");
    for command in ["run", "token", "id"] {
        let words = bad(&bench.run(&[command, "--state", "a"]), 1);
        assert!(
            words.contains("starling init") && words.contains("starling join TOKEN"),
            "{words}"
        );
    }
    assert_eq!(entries(&bench.0), ["empty.conf"]);
}

#[test]
fn a_member_whose_key_is_gone_is_not_told_that_it_is_none() {
    let bench = Bench::new("keyless");
    bench.init("a");
    fs::remove_file(bench.path("a/identity.key")).unwrap();
    for command in ["run", "id"] {
        let words = bad(&bench.run(&[command, "--state", "a"]), 1);
        assert!(
            words.contains("a/identity.key: is missing; put back a copy of it, or"),
            "{words}"
        );
    }
}

#[test]
fn a_key_that_others_can_read_stops_everything() {
    let bench = Bench::new("open");
    bench.init("a");
    good(
        &bench
            .command("chmod")
            .args(["644", "a/identity.key"])
            .output()
            .unwrap(),
    );
    for command in ["run", "token", "id", "init"] {
        let words = bad(&bench.run(&[command, "--state", "a"]), 1);
        assert!(words.contains("chmod 600 a/identity.key"), "{words}");
    }
}

#[test]
fn check_prints_what_was_understood_and_from_where() {
    let bench = Bench::new("check");
    fs::write(
        bench.path("s.conf"),
        "{ /* ours */ \"name\": \"tern\", \"peer\": [\"gull:7117\"], }",
    )
    .unwrap();
    let output = bench
        .command(STARLING)
        .args(["check", "-f", "s.conf", "--group", "edge"])
        .output()
        .unwrap();
    let words = good(&output);
    let lines: Vec<Vec<&str>> = words
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for expected in [
        ["name", "tern", "(file)"],
        ["peer", "gull:7117", "(file)"],
        ["group", "edge", "(flag)"],
        ["log", "info", "(default)"],
    ] {
        assert!(lines.contains(&expected.to_vec()), "{words}");
    }
    fs::write(bench.path("s.conf"), "{\n  \"nmae\": \"tern\"\n}").unwrap();
    for command in ["check", "run", "init", "status"] {
        let words = bad(
            &bench
                .command(STARLING)
                .args([command, "-f", "s.conf"])
                .output()
                .unwrap(),
            2,
        );
        assert_eq!(
            words,
            "starling: s.conf: unknown member \"nmae\"; did you mean \"name\"?\n"
        );
    }
    let words = bad(
        &bench
            .command(STARLING)
            .args(["check", "-f", "missing.conf"])
            .output()
            .unwrap(),
        2,
    );
    assert!(words.contains("missing.conf: "), "{words}");
}

#[test]
fn usage_mistakes_end_with_2_and_help_with_0() {
    let bench = Bench::new("usage");
    assert!(bad(&bench.run::<&str>(&[]), 2).contains("usage: starling COMMAND"));
    assert!(bad(&bench.run(&["satus"]), 2).contains("did you mean \"status\"?"));
    assert!(bad(&bench.run(&["run", "--lsten", "x"]), 2).contains("did you mean --listen?"));
    assert!(good(&bench.run(&["--help"])).starts_with("usage: starling COMMAND"));
    assert!(good(&bench.run(&["join", "--help"])).starts_with("usage: starling join TOKEN|-"));
    assert_eq!(
        good(&bench.run(&["--version"])),
        format!("starling {}\n", env!("CARGO_PKG_VERSION"))
    );
}

/// Answers one request on a Unix socket with this body.
fn answering(path: &Path, status: &'static str, body: &'static str) -> thread::JoinHandle<String> {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        String::from_utf8(request).unwrap()
    })
}

#[test]
fn status_asks_the_daemon_and_prints_its_answer() {
    const BODY: &str = "{\"fleet\": {\"name\": \"gulls\"}, \"nodes\": [{\"id\": \"12D3KooWxxxxxxxxYYYYYYYY\", \"name\": \"tern\", \"linked\": true}]}\n";
    let bench = Bench::new("status");
    let asked = answering(&bench.path("one.sock"), "200 OK", BODY);
    let words = good(&bench.run(&["status", "--control", "one.sock"]));
    assert!(asked.join().unwrap().starts_with("GET /fleet HTTP/1."));
    assert!(words.starts_with("fleet gulls, "), "{words}");
    assert!(
        words.contains("tern  YYYYYYYY  unknown  "),
        "an older daemon has no word for it: {words}"
    );
    answering(&bench.path("two.sock"), "200 OK", BODY);
    assert_eq!(
        good(&bench.run(&["status", "--json", "--control", "two.sock"])),
        BODY
    );
    answering(
        &bench.path("three.sock"),
        "503 Service Unavailable",
        "{\"error\": \"no\"}",
    );
    assert!(
        bad(&bench.run(&["status", "--control", "three.sock"]), 1)
            .contains("three.sock: answered 503: no\n")
    );
    answering(&bench.path("four.sock"), "200 OK", "<html>");
    assert!(bad(&bench.run(&["status", "--control", "four.sock"]), 1).contains("no JSON"));
}

#[test]
fn status_without_a_daemon_says_so() {
    let bench = Bench::new("nobody");
    let words = bad(&bench.run(&["status", "--control", "none.sock"]), 1);
    assert!(
        words.contains("none.sock: ") && words.contains("is `starling run` running here?"),
        "{words}"
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let bench = Bench::new("pipe");
    let line =
        format!("{STARLING} --help | true; {STARLING} check -f empty.conf | true; echo done");
    let output = bench
        .command("sh")
        .args(["-c", &line])
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert_eq!(good(&output), "done\n");
}

#[test]
fn what_is_asked_of_the_history_is_checked_before_the_daemon_is() {
    let bench = Bench::new("history");
    let long = "x".repeat(513);
    for words in [
        &["show"][..],
        &["show", "123"],
        &["show", "12345g"],
        &["diff", "1234", "../.."],
        &["diff", "1234", "5678", "9abc"],
        &["blame", "config"],
        &["blame", "/status"],
        &["blame", "/config/%zz"],
        &["restore", "1234", "--path", "/certificates"],
        &["restore", "1234", "--note", "\n"],
        &["restore", "1234", "--note", &long],
        &["restore", "1234", "--json"],
        &["resolve", "1234"],
        &["resolve", "1234", "--keep", "--drop"],
        &["resolve", "--keep"],
        &["conflicts", "1234"],
        &["log", "1234"],
    ] {
        bad(&bench.run(words), 2);
    }
    for words in [
        &["log"][..],
        &["show", "1234"],
        &["diff", "1234"],
        &["blame", "/config"],
        &["restore", "1234"],
        &["conflicts"],
        &["resolve", "1234", "--drop"],
    ] {
        let words = bad(
            &bench.run(&[words, &["--control", "none.sock"]].concat()),
            1,
        );
        assert!(words.contains("is `starling run` running here?"), "{words}");
    }
}

#[test]
fn the_unit_for_systemd_starts_this_program_with_what_it_understands() {
    let bench = Bench::new("service");
    let unit = good(&bench.run(&["service"]));
    assert!(
        unit.lines()
            .any(|line| line == format!("ExecStart={STARLING} run")),
        "{unit}"
    );
    for line in unit
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let is_section = line.starts_with('[') && line.ends_with(']');
        let is_key = line
            .split_once('=')
            .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric()));
        assert!(is_section || is_key, "{line}");
    }
    for sure in [
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "UMask=0077",
        "StateDirectory=starling",
        "Restart=always",
    ] {
        assert!(unit.lines().any(|line| line == sure), "{sure}");
    }
    let capabilities: Vec<&str> = unit
        .lines()
        .filter(|line| line.contains("CapabilityBoundingSet="))
        .collect();
    let variants_follow =
        capabilities.len() == 4 && capabilities[1..].iter().all(|line| line.starts_with('#'));
    assert!(
        variants_follow,
        "an empty line takes back those before it: {capabilities:?}"
    );
    let variant = unit
        .lines()
        .find_map(|line| line.strip_prefix(&format!("#ExecStart={STARLING} run ")))
        .unwrap();
    let words: Vec<&str> = ["check"].into_iter().chain(variant.split(' ')).collect();
    let page = good(&bench.run(&words));
    assert!(
        page.contains("control-mode    0660  (flag)\ncontrol-group   starling  (flag)\n"),
        "{page}"
    );
    assert!(
        bad(&bench.run(&["check", "--control-mode", "666"]), 2).contains("600, 620, 640 or 660")
    );
}

#[test]
fn an_endpoint_without_a_token_is_said_to_show_everything() {
    let bench = Bench::new("shows-all");
    let said = |words: &[&str]| String::from_utf8(bench.run(words).stderr).unwrap();
    let told = said(&["check", "--api", "127.0.0.1:3000"]);
    assert!(
        told.contains("every user and every program of this host can read the whole configuration"),
        "{told}"
    );
    assert_eq!(
        said(&["check", "--api", "127.0.0.1:3000", "--api-token-file", "/t"]),
        ""
    );
    assert_eq!(said(&["check"]), "");
}
