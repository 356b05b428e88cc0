//! The gate as clients meet it: real sockets, through both doors, with waits short enough to be
//! waited for.

use std::io::ErrorKind;
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use super::*;
use crate::daemon::stream::{Deadline, Stream};

mod crowds;
mod rules;

const TOKEN: &str = "open-sesame";
const DOORS: [RequestOrigin; 2] = [RequestOrigin::Unix, RequestOrigin::Tcp];
const BIG: usize = 6 << 20;
/// What a client waits at most for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open gate in a directory of its own.
struct Rig {
    gate: Option<Gate>,
    directory: PathBuf,
    doors: Doors,
}

/// Where a gate can be called at.
#[derive(Clone)]
struct Doors {
    control: PathBuf,
    api: SocketAddr,
}

impl Doors {
    fn connect(&self, door: RequestOrigin) -> Stream {
        match door {
            RequestOrigin::Unix => Stream::Unix(
                UnixStream::connect(&self.control).expect("the control socket is there"),
            ),
            RequestOrigin::Tcp => {
                Stream::Tcp(TcpStream::connect(self.api).expect("the port is open"))
            }
        }
    }

    /// Sends `bytes`, as far as they are taken, and returns all that comes back.
    fn ask(&self, door: RequestOrigin, bytes: &[u8]) -> String {
        let stream = self.connect(door);
        let _ = stream.write_all_by(bytes, &patience());
        rest(&stream)
    }
}

impl Rig {
    fn new(timing: Timing, token: Option<&str>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("starling-gate-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory for the test");
        let control = directory.join("control.sock");
        let api = TcpApi {
            listen: "127.0.0.1:0".parse().expect("an address"),
            token: token.map(str::to_owned),
        };
        let settings = GateSettings {
            control: control.clone(),
            rights: Rights::PRIVATE,
            api: Some(api),
        };
        let gate = start_with(settings, timing, echo).expect("the gate opens");
        assert_eq!(gate.control(), control);
        let doors = Doors {
            control,
            api: gate.api().expect("TCP is on"),
        };
        Self {
            gate: Some(gate),
            directory,
            doors,
        }
    }

    fn open() -> Self {
        Self::new(Timing::default(), Some(TOKEN))
    }

    fn hasty() -> Self {
        let short = Duration::from_millis(300);
        let timing = Timing {
            head: short,
            idle: short,
            body: 4 * short,
            ..Timing::default()
        };
        Self::new(timing, Some(TOKEN))
    }

    fn control(&self) -> PathBuf {
        self.doors.control.clone()
    }

    fn connect(&self, door: RequestOrigin) -> Stream {
        self.doors.connect(door)
    }

    fn ask(&self, door: RequestOrigin, bytes: &[u8]) -> String {
        self.doors.ask(door, bytes)
    }

    fn expect(&self, door: RequestOrigin, bytes: &[u8], status: u16) -> String {
        let answer = self.ask(door, bytes);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{door:?}: wanted {status}, got {answer:.300}"
        );
        answer
    }

    /// The test of every trigger: whatever was done before, the next client is served.
    fn still_serves(&self) {
        for door in DOORS {
            self.expect(door, &request("GET", "/config", "", ""), 200);
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.stop();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Tells what it was asked; `/big`, `/drop`, `/later` and `/threads` do what they say.
fn echo(request: HttpRequest, responder: Responder) {
    let HttpRequest {
        method,
        target,
        origin,
        body,
        ..
    } = &request;
    let text = format!(
        "{method} {target} {origin:?} {} {:?}",
        body.len(),
        request.headers
    )
    .into_bytes();
    match target.as_str() {
        "/drop" => {}
        "/threads" => {
            let asked = thread_name();
            responder.respond(Box::new(move || {
                ok(format!("{asked} {}", thread_name()).into_bytes())
            }));
        }
        "/big" => responder.respond(Box::new(|| ok(vec![b'x'; BIG]))),
        "/later" => drop(std::thread::spawn(move || {
            responder.respond(Box::new(move || ok(text)))
        })),
        _ => responder.respond(Box::new(move || ok(text))),
    }
}

fn thread_name() -> String {
    std::thread::current()
        .name()
        .unwrap_or("nameless")
        .to_owned()
}

fn ok(body: Vec<u8>) -> HttpResponse {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![
        header("Content-Type", "text/plain"),
        header("ETag", "\"1\""),
        header("Bad", "a\r\nb: c"),
    ];
    HttpResponse {
        status: 200,
        headers,
        body,
    }
}

fn request(method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
    let token = format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
    format!("{method} {target} HTTP/1.1\r\n{token}{headers}\r\n{body}").into_bytes()
}

fn patience() -> Deadline {
    Deadline::new(PATIENCE, PATIENCE)
}

fn rest(stream: &Stream) -> String {
    let mut all = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    // A reset after the answer is the end of it, too.
    while let Ok(count @ 1..) = stream.read_by(&mut buffer, &patience()) {
        all.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(all).expect("answers are text")
}

#[test]
fn a_request_and_its_answer_come_through_whole_by_either_door() {
    let rig = Rig::open();
    for door in DOORS {
        let head = "Content-Length: 5\r\nX-One: 1\r\nx-one: 2\r\nConnection: keep-alive\r\nTE: chunked\r\n";
        let answer = rig.expect(
            door,
            &request("PUT", "/config/a%2Fb/\u{e9}?x=1", head, "hello"),
            200,
        );
        assert!(
            answer.contains(&format!(
                "\r\n\r\nPUT /config/a%2Fb/%C3%A9?x=1 {door:?} 5 ["
            )),
            "{answer}"
        );
        assert!(
            answer.contains(r#"("X-One", "1"), ("x-one", "2")]"#),
            "{answer}"
        );
        for header in [
            "Server: Starling/",
            "Date: ",
            "Content-Type: text/plain",
            "ETag: \"1\"",
            "Content-Length: ",
            "Connection: close",
        ] {
            assert!(
                answer.contains(&format!("\r\n{header}")),
                "{header}: {answer}"
            );
        }
        assert!(
            !answer.contains("b: c"),
            "a header that ends the head early was sent"
        );
        rig.expect(door, &request("foo!", "/later", "", ""), 200);
        assert!(rig.ask(door, &request("GET", "/drop", "", "")).ends_with(
            "\r\n\r\n{\r\n\t\"error\": \"The request could not be answered.\"\r\n}\r\n"
        ));
        let answer = rig.expect(door, &request("HEAD", "/big", "", ""), 200);
        assert!(
            answer.ends_with("\r\n\r\n") && answer.contains(&format!("Content-Length: {BIG}")),
            "{answer:.300}"
        );
    }
}

#[test]
fn an_answer_of_six_mebibytes_comes_whole_though_others_do_not_take_theirs() {
    let rig = Rig::open();
    let lazy: Vec<_> = DOORS.map(|door| rig.connect(door)).into();
    for stream in &lazy {
        stream
            .write_all_by(&request("GET", "/big", "", ""), &patience())
            .expect("a request is taken");
    }
    for door in DOORS {
        let answer = rig.expect(door, &request("GET", "/big", "", ""), 200);
        assert_eq!(
            answer.split_once("\r\n\r\n").map(|(_, body)| body.len()),
            Some(BIG)
        );
    }
    rig.still_serves();
}

#[test]
fn a_request_is_handed_to_one_thread_and_its_answer_to_one_other() {
    let rig = Rig::open();
    for door in DOORS {
        assert!(
            rig.expect(door, &request("GET", "/threads", "", ""), 200)
                .ends_with("\r\n\r\nhttp answer")
        );
    }
}

#[test]
fn an_answer_is_printed_once_with_its_length_and_the_end_of_the_connection() {
    let rig = Rig::open();
    let answer = rig.expect(RequestOrigin::Unix, &request("GET", "/later", "", ""), 200);
    let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
    let names: Vec<_> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "Date",
            "Server",
            "Content-Type",
            "ETag",
            "Content-Length",
            "Connection"
        ]
    );
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
        "{head}"
    );
}

/// Trigger (a).
#[test]
fn a_declared_length_beyond_all_bounds_is_refused_unread() {
    let rig = Rig::open();
    for door in DOORS {
        for length in [
            "9000000000000000000",
            "18446744073709551615",
            "99999999999999999999999",
            "6291457",
        ] {
            rig.expect(
                door,
                &request("POST", "/x", &format!("Content-Length: {length}\r\n"), ""),
                413,
            );
        }
    }
    rig.still_serves();
}

/// Trigger (f).
#[test]
fn a_head_that_does_not_end_is_refused_at_its_bound() {
    let rig = Rig::open();
    for door in DOORS {
        rig.expect(
            door,
            &request("GET", "/", &format!("X: {}", "a".repeat(1 << 20)), ""),
            431,
        );
        rig.expect(
            door,
            &request(
                "GET",
                "/",
                &"a: b\r\n".repeat(limits::GATE_HEADERS_MAX + 1),
                "",
            ),
            431,
        );
        rig.expect(
            door,
            &request("GET", "/", &format!("X: {}\r\n", "a".repeat(30 << 10)), ""),
            200,
        );
        let answer = rig.expect(
            door,
            &request("GET", "/", &format!("X: {}\r\n", "a".repeat(32 << 10)), ""),
            431,
        );
        assert!(
            answer.ends_with(
                "\r\n\r\n{\r\n\t\"error\": \"The request's head is too large.\"\r\n}\r\n"
            ),
            "{answer}"
        );
    }
    rig.still_serves();
}

/// Trigger (h): and the way back up.
#[test]
fn a_stopped_gate_leaves_no_socket_and_can_be_opened_again() {
    for _ in 0..3 {
        let mut rig = Rig::open();
        let idle = rig.connect(RequestOrigin::Unix);
        let mode = std::fs::metadata(rig.control())
            .expect("the socket is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        rig.still_serves();
        rig.gate.take().expect("it is open").stop();
        let left = std::fs::read_dir(&rig.directory)
            .expect("the directory is there")
            .count();
        assert_eq!(left, 0);
        drop(idle);
    }
}

/// Trigger (i), and requests that follow one another on a connection.
#[test]
fn a_second_request_on_a_connection_is_dropped() {
    let rig = Rig::open();
    for door in DOORS {
        let chunked = request(
            "POST",
            "/first",
            "Transfer-Encoding: chunked\r\n",
            "3;x=y\r\nabc\r\n0\r\nTrailer: t\r\n\r\n",
        );
        for first in [request("GET", "/first", "", ""), chunked] {
            let answer = rig.expect(
                door,
                &[first, request("GET", "/second", "", "")].concat(),
                200,
            );
            assert!(
                answer.contains("/first") && !answer.contains("/second"),
                "{answer}"
            );
        }
    }
    rig.still_serves();
}

#[test]
fn why_the_gate_does_not_open_is_said_with_what_to_do() {
    let home =
        std::env::temp_dir().join(format!("starling-gate-missing-{}/run", std::process::id()));
    let control = home.join("starling/control.sock");
    let refused = |control: &Path, api: Option<TcpApi>| {
        let settings = GateSettings {
            control: control.to_owned(),
            rights: Rights::PRIVATE,
            api,
        };
        start(settings, |_, _| ())
            .expect_err("it does not open")
            .to_string()
    };
    let words = refused(&control, None);
    assert!(
        words.ends_with("make it, or name another place with --control"),
        "{words}"
    );
    assert!(
        words.contains(&format!(
            "there is no directory {}",
            control.parent().unwrap().display()
        )),
        "{words}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = taken.local_addr().expect("it is bound");
    let words = refused(
        &std::env::temp_dir().join("starling-gate-taken.sock"),
        Some(TcpApi {
            listen,
            token: None,
        }),
    );
    assert!(
        words.contains(&format!("by process {} ", std::process::id())),
        "{words}"
    );
}
