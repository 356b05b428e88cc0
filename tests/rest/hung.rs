//! What stands still around the daemon does not make it stand still: whoever reads its log. And
//! should its loop stand all the same, nobody takes it for healthy, and it is ended.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use starlingd::daemon::clock::Clock;
use starlingd::daemon::listener::{Listener, ListenerSettings};
use starlingd::daemon::pulse::Pulse;
use starlingd::daemon::state_dir::StateDir;
use starlingd::wire::handshake::LocalPeer;

use super::host::{Host, STARLING};
use super::skip::skip;
use super::standstill::{Standstill, lacks};
use super::watch::{parsed, until, within};
use harness::daemon::Daemon;
use harness::http::Door;

/// What a pipe holds on Linux.
const PIPE: usize = 64 << 10;
/// How long something may take that takes the program a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts the daemon with its standard error in a pipe that nobody reads, into which `before` bytes
/// were written already.
fn launch_unread(host: &Host, before: usize) -> Child {
    let pipe = host.path("log");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .expect("coreutils are there")
            .success()
    );
    let how = format!("exec 2<>\"$0\"; head -c {before} /dev/zero >&2; exec \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(how).arg(&pipe).arg(STARLING).args([
        "run",
        "--no-mdns",
        "--listen",
        "127.0.0.1:0",
        "--name",
        "gull",
    ]);
    command
        .args(host.flags())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("there is a shell")
}

/// The same, and waits until it answers.
fn start_unread(host: &mut Host, before: usize) {
    let child = launch_unread(host, before);
    let door = Door::Unix(host.path("control.sock"));
    host.doors = Some([door.clone(), door]);
    host.running = Some(Daemon::unheard(child));
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
        host.change(
            "PUT",
            &format!("/config/routes/{name}"),
            &format!(r#"[{{"action":{{"return":{}}}}}]"#, 200 + n % 2),
        );
    }
}

/// What can be read of a pipe until a line says what is wanted.
fn read_until(pipe: &Path, wanted: &str) -> String {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(pipe)
        .expect("it is there");
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
    let said = read_until(
        &host.path("log"),
        "lines are missing here: the log was not read",
    );
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
    until("it ends", || {
        child.try_wait().expect("it is our child").is_some()
    });
    assert_eq!(child.wait().expect("it is our child").code(), Some(1));
}

/// Nobody reads what it would say in the end.
fn stops_unread(host: &mut Host) {
    let (status, _) = host.running.take().expect("it runs").terminate();
    assert_eq!(status, Some(0));
    assert!(!host.path("control.sock").exists());
}

/// Two hosts that are linked, and the loop of the first stands from now on.
fn one_of_two_stands() -> (Host, Host, Standstill) {
    let mut one = Host::founded();
    one.start();
    let mut two = Host::joined_to(&one);
    two.start_linked(&[one.address()]);
    until("they are linked", || is_linked(&one) && is_linked(&two));
    let held = Standstill::of_loop(one.running().child.id(), "futex");
    within(PATIENCE, "it stands, and says so", || {
        one.running().log().contains("the loop has not turned")
    });
    (one, two, held)
}

fn is_linked(host: &Host) -> bool {
    host.json("/fleet/links")
        .as_array()
        .is_some_and(|links| !links.is_empty())
}

/// The exit of a process that is to end by itself, within two minutes. What is left of it is then
/// only the thread that strace holds.
fn ends(host: &mut Host, held: Standstill) -> (ExitStatus, String) {
    let running = host.running.take().expect("it runs");
    let threads = format!("/proc/{}/task", running.child.id());
    within(PATIENCE, "it ends", || {
        std::fs::read_dir(&threads).map_or(true, |threads| threads.count() <= 1)
    });
    drop(held);
    running.ended()
}

#[test]
fn a_loop_that_stands_gives_no_sign_of_life_and_its_process_is_ended() {
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let (mut one, two, held) = one_of_two_stands();
    let reply = one.ask("GET", "/healthz", "");
    assert_eq!(
        (reply.status, &parsed(&reply.body)["error"]),
        (503, &"The daemon stands still.".into())
    );
    // Its peer gives up the link, and gets no other.
    until("the link is given up", || !is_linked(&two));
    let (status, said) = ends(&mut one, held);
    assert!(
        !status.success() && said.contains("this process ends, to be started anew"),
        "{status} {said}"
    );
    assert!(!is_linked(&two));
    one.start();
    one.is_unharmed();
}

#[test]
fn a_loop_that_stands_does_not_keep_a_signal_from_ending_the_process() {
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let (mut one, _two, held) = one_of_two_stands();
    one.running().signal_to_end();
    let (status, said) = ends(&mut one, held);
    assert!(
        status.code() == Some(1) && said.contains("did not stop in good order"),
        "{status} {said}"
    );
}

#[test]
fn a_peer_that_takes_connections_and_says_nothing_is_named_until_it_speaks() {
    let mut one = Host::founded();
    let mut two = Host::joined_to(&one);
    // Its key, with nothing behind its listener.
    let dir = StateDir::open(&two.path("state")).expect("it is ours");
    let fleet = dir
        .membership()
        .expect("it can be read")
        .expect("it has joined")
        .fleet;
    let identity = dir.member_identity().expect("it is there");
    let local = Arc::new(LocalPeer {
        identity,
        fleet,
        static_secret: [7; 32],
        run: 7,
        features: 0,
    });
    let listen = vec!["127.0.0.1:0".parse().expect("it is an address")];
    let settings = ListenerSettings {
        listen,
        local,
        addresses: Arc::new(Vec::new),
        pulse: Pulse::new(Clock::new()),
    };
    let (tell, held) = std::sync::mpsc::channel();
    let listener = Listener::start(settings, move |parts| tell.send(parts).unwrap_or(()))
        .expect("a port is free");
    one.start_linked(&[listener.local_addrs()[0].to_string()]);
    let named = |host: &Host| {
        host.json("/fleet")["problems"]
            .to_string()
            .contains("takes connections and says nothing")
    };
    within(PATIENCE, "it is named", || named(&one));
    // A dial may have been under way when the last of them ended.
    let (links, most) = (
        held.try_iter().count(),
        starlingd::limits::SILENT_LINKS as usize + 1,
    );
    assert!(links + 1 >= most && links <= most, "{links} links");
    drop((dir, listener));
    two.start_linked(&[one.address()]);
    until("it speaks", || is_linked(&one) && !named(&one));
}

#[test]
fn a_disk_that_hangs_during_a_change_keeps_no_head_from_the_server() {
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let mut one = Host::founded();
    one.start();
    let mut two = Host::joined_to(&one);
    two.start_linked(&[one.address()]);
    until("the second has joined", || {
        two.json("/fleet")["peer"]["joined"] == true
    });
    one.change("PUT", "/config", r#"{"routes":["first"]}"#);
    until("both run it", || {
        two.server_config()["routes"][0] == "first"
    });
    let held = Standstill::of_all(one.running().child.id(), "fsync,fdatasync");
    // Whatever else is written meanwhile, the disk is seen to hang sooner or later.
    let reply = one.ask("PUT", "/config/routes", r#"["mine"]"#);
    assert!(
        reply.status == 507 && reply.body.contains("the disk has not answered for 10 s"),
        "{reply:?}"
    );
    // It is made if the server had it before that, and the client is told which.
    let first = match reply.body.contains("The change is made") {
        true => "mine",
        false => "first",
    };
    assert!(
        one.json("/fleet")["problems"]
            .to_string()
            .contains("the disk has not answered for 10 s")
    );
    two.change("PUT", "/config/settings", r#"{"http":{"max_body_size":2}}"#);
    until("it is applied", || {
        one.server_config()["settings"]["http"]["max_body_size"] == 2
    });
    assert_eq!(one.server_config()["routes"][0], first);
    assert_eq!(one.ask("PUT", "/config/routes", r#"["again"]"#).status, 507);
    drop(held);
    until("the disk answers", || {
        one.json("/fleet")["problems"] == parsed("[]")
    });
    one.running.take().expect("it runs").terminate();
    one.start();
    until("it runs the head", || one.verdict() == "applied");
    assert_eq!(
        (&one.config()["routes"][0], &two.config()["routes"][0]),
        (&first.into(), &first.into())
    );
    one.is_unharmed();
}
