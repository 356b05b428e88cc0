//! What stands still around the daemon does not make it stand still: whoever reads its log.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::host::{Host, Running, STARLING};
use super::http::Door;
use super::watch::until;

/// What a pipe holds on Linux.
const PIPE: usize = 64 << 10;

/// Starts the daemon with its standard error in a pipe that nobody reads, into which `before` bytes were written already.
fn launch_unread(host: &Host, before: usize) -> Child {
    let pipe = host.path("log");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("coreutils are there").success());
    let how = format!("exec 2<>\"$0\"; head -c {before} /dev/zero >&2; exec \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(how).arg(&pipe).arg(STARLING).args(["run", "--no-mdns", "--listen", "127.0.0.1:0", "--name", "gull"]);
    command.args(host.flags()).stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("there is a shell")
}

/// The same, and waits until it answers.
fn start_unread(host: &mut Host, before: usize) {
    let child = launch_unread(host, before);
    let door = Door::Unix(host.path("control.sock"));
    let doors = [door.clone(), door];
    let log = std::sync::mpsc::channel().1;
    host.running = Some(Running { child, doors, log, said: String::new() });
    until("it opens its socket", || host.path("control.sock").exists());
    assert_eq!(host.ask("GET", "/healthz", "").status, 200);
}

/// More lines than pipe and queue hold.
fn say_much(host: &Host) {
    host.change("PUT", "/config", r#"{"routes":{}}"#);
    let name = "x".repeat(240);
    let bytes = PIPE + starlingd::limits::LOG_QUEUE_BYTES;
    // Its line names the place.
    for n in 0..=bytes / name.len() {
        host.change("PUT", &format!("/config/routes/{name}"), &format!(r#"[{{"action":{{"return":{}}}}}]"#, 200 + n % 2));
    }
}

/// What can be read of a pipe until a line says what is wanted.
fn read_until(pipe: &Path, wanted: &str) -> String {
    let mut file = OpenOptions::new().read(true).write(true).open(pipe).expect("it is there");
    let (mut said, mut part) = (String::new(), [0; 4096]);
    while !said.contains(wanted) {
        let count = file.read(&mut part).expect("it can be read");
        said.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    said
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_what_is_missing_is_counted() {
    let mut host = Host::founded();
    start_unread(&mut host, 0);
    say_much(&host);
    assert_eq!(host.ask("GET", "/healthz", "").status, 200);
    let said = read_until(&host.path("log"), "lines are missing here: the log was not read");
    assert!(said.contains("my peer ID is"), "{said:.300}");
    stops_unread(&mut host);
}

#[test]
fn a_start_on_a_log_that_is_full_and_not_read_serves_and_ends() {
    let mut host = Host::founded();
    start_unread(&mut host, PIPE);
    host.change("PUT", "/config", r#"{"routes":{}}"#);
    stops_unread(&mut host);
    std::fs::remove_file(host.path("log")).expect("it is ours");
    std::fs::remove_dir_all(host.path("state")).expect("it is ours");
    // Nor does a start wait that fails.
    let mut child = launch_unread(&host, PIPE);
    until("it ends", || child.try_wait().expect("it is our child").is_some());
    assert_eq!(child.wait().expect("it is our child").code(), Some(1));
}

/// Nobody reads what it would say in the end.
fn stops_unread(host: &mut Host) {
    let (status, _) = host.running.take().expect("it runs").terminate();
    assert_eq!(status, Some(0));
    assert!(!host.path("control.sock").exists());
}
