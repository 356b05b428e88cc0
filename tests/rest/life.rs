//! Starting, stopping and being killed: what was answered with 200 is there again, and nobody else
//! gets in between.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use super::host::{Host, STARLING, request};
use super::watch::{parsed, text, until};

fn run_besides(host: &Host, flags: &[&str]) -> Output {
    let mut command = Command::new(STARLING);
    command
        .args(["run", "--no-mdns", "--listen", "127.0.0.1:0"])
        .args(host.flags())
        .args(flags);
    command.output().expect("the program is built")
}

#[test]
fn a_second_process_on_the_same_state_or_socket_refuses_and_harms_nothing() {
    let mut host = Host::new();
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    let other = host.path("other.sock");
    let output = run_besides(&host, &["--control", other.to_str().expect("it is text")]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("state") && !other.exists(), "{words}");

    let state = host.path("state2");
    let init = Command::new(STARLING)
        .args(["init", "--state"])
        .arg(&state)
        .output()
        .expect("the program is built");
    assert!(init.status.success());
    let output = run_besides(&host, &["--state", state.to_str().expect("it is text")]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(
        words.contains("control.sock") && words.contains("in use"),
        "{words}"
    );
    host.is_unharmed();
    host.change("PUT", "/config", "{}");
}

#[test]
fn sigterm_ends_it_with_status_0_and_leaves_no_socket() {
    let mut host = Host::new();
    let head = host.change("PUT", "/config", r#"{"routes":[]}"#);
    let (status, log) = host.running.take().expect("it runs").terminate();
    assert_eq!(status, Some(0), "{log}");
    let sockets = |name: &str| name.contains("control.sock");
    let left = fs::read_dir(&host.dir)
        .expect("it is there")
        .map(|entry| entry.expect("so is this").file_name());
    assert_eq!(
        left.filter(|name| sockets(&name.to_string_lossy())).count(),
        0
    );
    host.start();
    assert_eq!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{head}\"")[..])
    );
    until("its server is as it was", || host.verdict() == "applied");
    assert!(
        host.server.tell("stats").contains("\"writes\":1"),
        "what the server runs was sent to it again"
    );
}

#[test]
fn a_change_that_was_answered_survives_a_kill_right_after_it() {
    let mut host = Host::new();
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    for n in 0..8 {
        let head = host.change(
            "POST",
            "/config/routes",
            &format!("{{\"action\":{{\"return\":{n}}}}}"),
        );
        host.running.take().expect("it runs").kill();
        assert!(
            host.path("control.sock").exists(),
            "a kill leaves the socket's file"
        );
        host.start();
        let read = host.ask("GET", "/config", "");
        assert_eq!(read.header("ETag"), Some(&format!("\"{head}\"")[..]));
        assert_eq!(
            parsed(&read.body)["routes"].as_array().map(Vec::len),
            Some(n + 1)
        );
    }
    assert_eq!(host.json("/fleet/revisions")[0]["height"].as_u64(), Some(9));
    assert_eq!(
        host.json("/fleet")["problems"].as_array().map(Vec::len),
        Some(0)
    );
}

/// What the server runs is looked at every two seconds; at the start the head is applied first, and
/// that says enough.
#[test]
fn a_change_right_after_a_start_does_not_wait_for_the_next_look_at_the_server() {
    let mut host = Host::new();
    host.change("PUT", "/config", r#"{"routes":[]}"#);
    let timed = (0..4).map(|n| {
        host.running.take().expect("it runs").terminate();
        host.start();
        let begun = Instant::now();
        host.change(
            "POST",
            "/config/routes",
            &format!("{{\"action\":{{\"return\":{n}}}}}"),
        );
        begun.elapsed()
    });
    let quickest = timed.min().expect("there are four");
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
}

#[test]
fn a_change_that_was_under_way_at_a_kill_is_put_back() {
    let mut host = Host::new();
    let config = r#"{"routes":[]}"#;
    let head = host.change("PUT", "/config", config);
    host.server.tell("slow 60000");
    let door = host.door().clone();
    let client = thread::spawn(move || {
        let mut stream = door.connect();
        std::io::Write::write_all(
            &mut stream,
            &request("PUT", "/config", "", "{\"routes\":{}}"),
        )
        .expect("a request is taken");
        stream.rest()
    });
    until("it is under way", || {
        host.server.tell("stats").contains("\"writes\":2")
    });
    host.running.take().expect("it runs").kill();
    assert_eq!(client.join().expect("its connection is closed"), b"");
    host.server.tell("ok");
    until("the server has taken it", || {
        host.server_config() == parsed(r#"{"routes":{}}"#)
    });
    host.start();
    assert_eq!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{head}\"")[..])
    );
    until("it is put back", || host.server_config() == parsed(config));
    assert_eq!(
        host.json("/fleet/revisions").as_array().map(Vec::len),
        Some(1)
    );
    assert!(
        host.running()
            .log()
            .contains("a change was under way when this host stopped")
    );
}

#[test]
fn a_change_that_comes_about_only_after_a_kill_and_a_new_start_is_put_back_too() {
    let mut host = Host::new();
    let config = r#"{"routes":[]}"#;
    host.change("PUT", "/config", config);
    host.server.tell("slow 60000");
    let mut client = host.door().connect();
    std::io::Write::write_all(
        &mut client,
        &request("PUT", "/config", "", "{\"routes\":{}}"),
    )
    .expect("a request is taken");
    until("it is under way", || {
        host.server.tell("stats").contains("\"writes\":2")
    });
    host.running.take().expect("it runs").kill();
    host.start();
    // It shows what it ran before, and that is not believed.
    (0..50).for_each(|_| assert_eq!(host.verdict(), "pending"));
    host.server.tell("ok");
    until("both have come about", || {
        host.server.tell("stats").contains("\"applied\":3")
    });
    until("the head runs", || host.verdict() == "applied");
    assert_eq!(host.server_config(), parsed(config));
}

#[test]
fn a_damaged_head_is_set_aside_and_told_of_and_nothing_is_written_on_what_is_left() {
    let mut host = Host::new();
    let first = host.change("PUT", "/config", r#"{"routes":[]}"#);
    let second = host.change("PUT", "/config", r#"{"routes":{}}"#);
    host.running.take().expect("it runs").kill();
    let file = host
        .path("state/revisions/default")
        .join(format!("{:015}-{second}", 2));
    let mut bytes = fs::read(&file).expect("a revision is a file");
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&file, bytes).expect("it can be written");
    host.start();
    assert_eq!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{first}\"")[..])
    );
    let fleet = host.json("/fleet");
    // What the server ran is kept too, if it was not written down in time that it was this host's
    // own.
    assert!(
        fleet["problems"].to_string().contains("damaged"),
        "{}",
        fleet["problems"]
    );
    assert_eq!(fleet["peer"]["joined"], false);
    let reply = host.ask("PUT", "/config", "{}");
    assert_eq!(
        (reply.status, reply.header("Retry-After")),
        (503, Some("1")),
        "{}",
        reply.body
    );
    host.is_unharmed();
}

#[test]
fn a_disk_that_is_full_or_closed_loses_the_change_and_says_so() {
    let mut host = Host::new();
    let config = r#"{"routes":[]}"#;
    let head = host.change("PUT", "/config", config);
    // A file in the place of a directory stops even root.
    let (pending, aside) = (host.path("state/pending"), host.path("state/pending.aside"));
    fs::rename(&pending, &aside).expect("it can be moved");
    fs::write(&pending, "in the way").expect("it can be written");
    let reply = host.ask("PUT", "/config", "{}");
    assert_eq!(
        (reply.status, text(&parsed(&reply.body)["error"])),
        (507, "The change cannot be stored.".to_owned())
    );
    assert_eq!(
        host.ask("GET", "/config", "").header("ETag"),
        Some(&format!("\"{head}\"")[..])
    );
    assert_eq!(host.server_config(), parsed(config));
    fs::remove_file(&pending).expect("it can be removed");
    fs::rename(&aside, &pending).expect("it can be moved");
    host.change("PUT", "/config", "{}");
    host.is_unharmed();

    let (revisions, aside) = (
        host.path("state/revisions"),
        host.path("state/revisions.aside"),
    );
    fs::rename(&revisions, &aside).expect("it can be moved");
    fs::write(&revisions, "in the way").expect("it can be written");
    assert_eq!(
        host.ask("PUT", "/config", config).status,
        507,
        "it was tried, and could not be made durable"
    );
    until("the server is given back what it had", || {
        host.server_config() == parsed("{}")
    });
    assert_eq!(host.config(), parsed("{}"));
    fs::remove_file(&revisions).expect("it can be removed");
    fs::rename(&aside, &revisions).expect("it can be moved");
    host.change("PUT", "/config", config);
    host.is_unharmed();
}

#[test]
fn a_control_path_that_is_somebody_elses_is_left_alone() {
    let host = Host::founded();
    fs::write(host.path("control.sock"), "a letter").expect("the directory can be written");
    let output = run_besides(&host, &[]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && words.contains("is not a socket, and is left alone"),
        "{words}"
    );
    assert_eq!(
        fs::read_to_string(host.path("control.sock")).expect("it is there"),
        "a letter"
    );
    fs::remove_file(host.path("control.sock")).expect("it can be removed");
    drop(UnixListener::bind(host.path("control.sock")).expect("a socket that nobody listens on"));
    let mut host = host;
    host.start();
    host.is_unharmed();
}
