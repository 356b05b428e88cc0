//! The recorded exchanges with a server itself: the stand-in, which must answer as the recorded one did, and a real unitd where the
//! environment names one (`UNITD=/path make test`).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::standin::{Setup, StandIn};
use super::transcripts::{self, Exchange, Recorded};
use starlingd::model::json::{self, Value};

#[test]
fn the_stand_in_answers_as_the_recorded_server_did() {
    let socket = std::env::temp_dir().join(format!("starling-transcripts-{}.sock", std::process::id()));
    let standin = StandIn::start(Setup { socket: socket.clone(), ..Setup::default() }).unwrap();
    for exchange in transcripts::all() {
        compare(&exchange, &ask(&socket, &exchange), |recorded, body| recorded.body == body);
    }
    let counted = r#""restarts":0,"uploads":4,"removals":2,"asked_restarts":1"#;
    assert!(standin.tell("stats").contains(counted), "{}", standin.tell("stats"));
}

/// Sends what was sent and reads to the end; an empty answer is a close without a word. Of a request that was recorded in pieces, and
/// whose head announces no body, only the head is sent: whatever followed, the server had answered by then.
fn ask(socket: &Path, exchange: &Exchange) -> String {
    let sent = match exchange.pieces.first() {
        Some(&head) if !String::from_utf8_lossy(&exchange.bytes[..head]).contains("Content-Length") => &exchange.bytes[..head],
        _ => &exchange.bytes[..],
    };
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    // The server closes on some requests before it has read them whole, and a close with bytes unread shows as a reset.
    let _ = stream.write_all(sent);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn compare(exchange: &Exchange, answer: &str, same: impl Fn(&Recorded, &str) -> bool) {
    let name = &exchange.name;
    let Some(recorded) = &exchange.answer else {
        return assert_eq!(answer, "", "{name}: closed without a word");
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{name}: answered with {answer:?}"));
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some(&recorded.status_line[..]), "{name}: {body}");
    let names = |text: &str| text.split_once(':').unwrap().0.to_owned();
    assert_eq!(lines.map(names).collect::<Vec<_>>(), recorded.headers, "{name}");
    assert!(same(recorded, body), "{name}: {body}, not {}", recorded.body);
}

/// A unitd with a state directory of its own. Stops when dropped.
struct Unitd {
    child: Child,
    dir: PathBuf,
}

impl Unitd {
    fn start(program: &Path) -> Self {
        let dir = std::env::temp_dir().join(format!("starling-unitd-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("state")).unwrap();
        let mut command = Command::new(program);
        command.arg("--no-daemon").arg("--control").arg(format!("unix:{}", dir.join("unit.sock").display()));
        for (flag, name) in [("--state", "state"), ("--statedir", "state"), ("--pid", "pid"), ("--log", "log"), ("--tmpdir", ".")]
        {
            // Since 1.30 the flag for the state is --statedir; a unitd names those that it has in its help.
            if help(program).contains(&format!("{flag} ")) {
                command.arg(flag).arg(dir.join(name));
            }
        }
        let child = command.stdin(Stdio::null()).spawn().expect("UNITD names a program");
        let unitd = Self { child, dir };
        let late = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(unitd.socket()).is_err() {
            let log = || std::fs::read_to_string(unitd.dir.join("log")).unwrap_or_default();
            assert!(Instant::now() < late, "it does not listen:\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        unitd
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("unit.sock")
    }
}

impl Drop for Unitd {
    fn drop(&mut self) {
        // Its other processes go when they see that it is gone; asked politely it takes its socket with it.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn help(program: &Path) -> String {
    let output = Command::new(program).arg("--help").output().expect("UNITD names a program");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_real_unitd_answers_as_the_recorded_one_did() {
    let Some(program) = std::env::var_os("UNITD").filter(|program| !program.is_empty()) else {
        return println!("skipped: UNITD names no unitd");
    };
    let unitd = Unitd::start(Path::new(&program));
    // The recorded host had something at this port, and these files.
    let _taken = TcpListener::bind("127.0.0.1:8439");
    let has_app = Path::new("/srv/unit-apps/app/wsgi.py").exists();
    let mut passed_over = Vec::new();
    for exchange in transcripts::all() {
        if !has_app && NEEDS_APP.iter().any(|start| exchange.name.starts_with(start)) {
            passed_over.push(exchange.name);
            continue;
        }
        let answer = ask(&unitd.socket(), &exchange);
        compare(
            &exchange,
            &answer,
            |recorded, body| if exchange.varies { alike(&recorded.body, body) } else { same(&recorded.body, body) },
        );
    }
    println!("passed over, for want of /srv/unit-apps/app/wsgi.py: {passed_over:?}");
}

/// But for the place of what is invalid, which FreeUnit says besides.
fn same(recorded: &str, body: &str) -> bool {
    let plain = |text: &str| {
        let mut value = json::parse_own(text.as_bytes()).ok()?;
        if let Value::Object(members) = &mut value
            && members.get("error").and_then(Value::as_str) == Some("Invalid configuration.")
        {
            members.retain(|name, _| name != "location" && name != "suggestion");
        }
        Some(json::unit_format(&value))
    };
    recorded == body || plain(recorded) == plain(body)
}

/// Whether both have the same members of the same kind; what is in an object of versions and counters is their own business.
fn alike(recorded: &str, body: &str) -> bool {
    let value = |text: &str| json::parse_own(text.as_bytes()).unwrap_or(Value::Null);
    shape(&value(recorded)) == shape(&value(body))
}

fn shape(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let below = |(name, value): (&String, &Value)| match name.as_str() {
                "modules" => vec![name.clone()],
                _ => std::iter::once(name.clone()).chain(shape(value)).collect(),
            };
            members.iter().flat_map(below).collect()
        }
        Value::Array(elements) => elements.iter().flat_map(shape).collect(),
        Value::Number(_) => vec!["a number".to_owned()],
        Value::String(_) => vec!["a text".to_owned()],
        other => vec![other.to_string()],
    }
}

/// Exchanges that need an application to be there, by the beginning of their names.
const NEEDS_APP: [&str; 5] =
    ["app: ", "status: whole", "GET / (everything)", "PUT below a scalar crashes", "GET /config after that crash"];
