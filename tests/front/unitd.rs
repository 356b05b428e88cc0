//! A real unitd, where the environment names one: `UNITD=/path make test`.
//!
//! The recorded one was 1.35.0. What another version or machine answers otherwise by its nature is
//! not compared: versions and counters, and the place that FreeUnit names besides; and what needs
//! the recorded application is passed over where that is missing.

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::transcripts::{Exchange, Recorded};
use starlingd::model::json::{self, Value};

/// One with a state directory of its own. Stops when dropped.
pub struct Unitd {
    child: Child,
    dir: PathBuf,
    /// The recorded host had something at this port.
    _taken: Option<TcpListener>,
    /// All of them listen at the recorded ports.
    _turn: MutexGuard<'static, ()>,
}

impl Unitd {
    /// Listens at `socket` when this returns. `None` if there is none on this machine, which it
    /// says.
    pub fn start(socket: &Path) -> Option<Self> {
        let Some(program) = std::env::var_os("UNITD").filter(|program| !program.is_empty()) else {
            println!("skipped: UNITD names no unitd");
            return None;
        };
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(|failed| failed.into_inner());
        let dir = socket.with_extension("unitd");
        std::fs::create_dir_all(dir.join("state")).expect("the directory can be written");
        let help = help(Path::new(&program));
        let mut command = Command::new(&program);
        command
            .arg("--no-daemon")
            .arg("--control")
            .arg(format!("unix:{}", socket.display()));
        for (flag, name) in [
            ("--state", "state"),
            ("--statedir", "state"),
            ("--pid", "pid"),
            ("--log", "log"),
            ("--tmpdir", "."),
        ] {
            // The flag for the state had another name before 1.31.
            if help.contains(&format!("{flag} ")) {
                command.arg(flag).arg(dir.join(name));
            }
        }
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .expect("UNITD names a program");
        let unitd = Self {
            child,
            dir,
            _taken: TcpListener::bind("127.0.0.1:8439").ok(),
            _turn: turn,
        };
        let late = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(socket).is_err() {
            let log = || std::fs::read_to_string(unitd.dir.join("log")).unwrap_or_default();
            assert!(Instant::now() < late, "it does not listen:\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(unitd)
    }

    /// Whether this machine has what the exchange needs.
    pub fn can(&self, exchange: &Exchange) -> bool {
        let can = Path::new(APPLICATION).exists()
            || !NEEDS_APPLICATION
                .iter()
                .any(|start| exchange.name.starts_with(start));
        if !can {
            println!("passed over, for want of {APPLICATION}: {}", exchange.name);
        }
        can
    }
}

impl Drop for Unitd {
    fn drop(&mut self) {
        // Its other processes go when they see that it is gone; asked politely it takes its socket
        // with it.
        let _ = Command::new("kill")
            .arg("-TERM")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn help(program: &Path) -> String {
    let output = Command::new(program)
        .arg("--help")
        .output()
        .expect("UNITD names a program");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Whether it is the recorded answer, as far as it can be.
pub fn is_alike(exchange: &Exchange, recorded: &Recorded, body: &str) -> bool {
    if exchange.varies {
        alike(&recorded.body, body)
    } else {
        same(&recorded.body, body)
    }
}

fn same(recorded: &str, body: &str) -> bool {
    let plain = |text: &str| {
        let mut value = json::parse_own(text.as_bytes()).ok()?;
        if let Value::Object(members) = &mut value {
            match members.get("error").and_then(Value::as_str) {
                Some("Invalid configuration.") => {
                    members.retain(|name, _| name != "location" && name != "suggestion")
                }
                Some("Failed to apply new configuration.") => {
                    members.retain(|name, _| name != "detail")
                }
                _ => {}
            }
        }
        Some(json::unit_format(&value))
    };
    recorded == body || plain(recorded) == plain(body)
}

/// Whether both have the same members of the same kind; what is in an object of versions and
/// counters is their own business.
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
const NEEDS_APPLICATION: [&str; 5] = [
    "app: ",
    "status: ",
    "GET / (everything)",
    "PUT below a scalar crashes",
    "GET /config after that crash",
];
const APPLICATION: &str = "/srv/unit-apps/app/wsgi.py";
