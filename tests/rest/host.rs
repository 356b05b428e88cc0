//! One host: the built program in a directory of its own, in front of a stand-in server, with both
//! doors open.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::standin::{Setup, StandIn};
use harness::daemon::Daemon;
use harness::http::{Door, Reply};
use harness::log::Log;

pub const STARLING: &str = env!("CARGO_BIN_EXE_starling");
/// What requests over TCP must bear, unless a test starts the daemon otherwise.
pub const TOKEN: &str = "open-sesame";

/// Stops, and leaves nothing behind, when dropped.
pub struct Host {
    pub dir: PathBuf,
    pub server: StandIn,
    pub running: Option<Daemon>,
    /// Of the last start: the control socket, and the address that the log names.
    pub doors: Option<[Door; 2]>,
}

impl Host {
    /// With a fleet of its own and a server that was never configured, up and answering.
    pub fn new() -> Self {
        let mut host = Self::founded();
        host.start();
        host
    }

    /// The same, but nothing runs yet save the server.
    pub fn founded() -> Self {
        let host = Self::outside();
        let init = Command::new(STARLING)
            .args(["init", "--fleet", "gulls", "--state"])
            .arg(host.path("state"))
            .output();
        assert!(init.expect("the program is built").status.success());
        host
    }

    /// In no fleet yet.
    pub fn outside() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "starling-rest-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir).expect("the directory is new");
        write_private(&dir.join("token"), &format!("{TOKEN}\n"));
        std::fs::write(dir.join("empty.conf"), "{}").expect("the directory can be written");
        let server = StandIn::start(Setup {
            socket: dir.join("unit.sock"),
            ..Setup::default()
        })
        .expect("the stand-in starts");
        Self {
            dir,
            server,
            running: None,
            doors: None,
        }
    }

    pub fn start(&mut self) {
        let token = self.path("token");
        self.start_as(
            "exec \"$@\"",
            &["--api-token-file", token.to_str().expect("it is text")],
        );
    }

    /// Through the shell command `how`, which is to `exec "$@"`, with `flags` besides; waits until
    /// it answers.
    pub fn start_as(&mut self, how: &str, flags: &[&str]) {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            how,
            "sh",
            STARLING,
            "run",
            "--no-mdns",
            "--listen",
            "127.0.0.1:0",
            "--api",
            "127.0.0.1:0",
        ]);
        command
            .args(["--name", "gull"])
            .args(self.flags())
            .args(flags);
        command.stdin(Stdio::null());
        let daemon = Daemon::launch(command, &Log::default());
        let api = daemon
            .says("REST on http://")
            .parse()
            .expect("it is an address");
        self.running = Some(daemon);
        self.doors = Some([Door::Unix(self.path("control.sock")), Door::Tcp(api)]);
        // The loop is the last to start.
        assert_eq!(self.ask("GET", "/healthz", "").status, 200);
    }

    /// The flags that name what is this host's.
    pub fn flags(&self) -> Vec<PathBuf> {
        let file = |(flag, name): (&str, &str)| [PathBuf::from(flag), self.path(name)];
        let all = [
            ("--state", "state"),
            ("--control", "control.sock"),
            ("--unit", "unit.sock"),
            ("-f", "empty.conf"),
        ];
        all.into_iter().flat_map(file).collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The control socket.
    pub fn door(&self) -> &Door {
        &self.doors.as_ref().expect("it was started")[0]
    }

    /// What the server itself says.
    pub fn server_door(&self) -> Door {
        Door::Unix(self.path("unit.sock"))
    }

    /// One request over the control socket.
    pub fn ask(&self, method: &str, target: &str, body: &str) -> Reply {
        self.door().send(&request(method, target, "", body))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(daemon) = self.running.take().filter(|_| thread::panicking()) {
            eprintln!("--- its log\n{}", daemon.log());
        }
        remove(&self.dir);
    }
}

/// A request that both doors let in: with a host, the token, and the body's length. `headers` end
/// in CRLF each.
pub fn request(method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let own =
        format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n");
    format!("{method} {target} HTTP/1.1\r\n{own}{headers}\r\n{body}").into_bytes()
}

fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the directory can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
}
