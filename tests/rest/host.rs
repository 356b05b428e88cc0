//! One host: the built program in a directory of its own, in front of a stand-in server, with both doors open.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::http::{Door, Reply};
use super::standin::{Setup, StandIn};

pub const STARLING: &str = env!("CARGO_BIN_EXE_starling");
/// What requests over TCP must bear, unless a test starts the daemon otherwise.
pub const TOKEN: &str = "open-sesame";

/// Stops, and leaves nothing behind, when dropped.
pub struct Host {
    pub dir: PathBuf,
    pub server: StandIn,
    pub running: Option<Running>,
}

/// A daemon that has answered.
pub struct Running {
    pub child: Child,
    /// The control socket, and the address of the log.
    pub doors: [Door; 2],
    /// What it says from then on.
    pub log: Receiver<String>,
    /// What it has said so far, as far as somebody has looked.
    pub said: String,
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
        let init = Command::new(STARLING).args(["init", "--fleet", "gulls", "--state"]).arg(host.path("state")).output();
        assert!(init.expect("the program is built").status.success());
        host
    }

    /// In no fleet yet.
    pub fn outside() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("starling-rest-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir).expect("the directory is new");
        write_private(&dir.join("token"), &format!("{TOKEN}\n"));
        std::fs::write(dir.join("empty.conf"), "{}").expect("the directory can be written");
        let server = StandIn::start(Setup { socket: dir.join("unit.sock"), ..Setup::default() }).expect("the stand-in starts");
        Self { dir, server, running: None }
    }

    pub fn start(&mut self) {
        let token = self.path("token");
        self.start_as("exec \"$@\"", &["--api-token-file", token.to_str().expect("it is text")]);
    }

    /// Through the shell command `how`, which is to `exec "$@"`, with `flags` besides; waits until it answers.
    pub fn start_as(&mut self, how: &str, flags: &[&str]) {
        let mut command = Command::new("sh");
        command.args(["-c", how, "sh", STARLING, "run", "--no-mdns", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
        command.args(["--name", "gull"]).args(self.flags()).args(flags);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("there is a shell");
        let stderr = BufReader::new(child.stderr.take().expect("it was piped"));
        let (tell, log) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).all(|line| tell.send(line).is_ok()));
        let (mut said, late) = (String::new(), Instant::now() + START_WAIT);
        let api = loop {
            let line = log.recv_timeout(late.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("it did not start: {:?}\n{said}", child.try_wait()));
            said.extend([&line, "\n"]);
            if let Some((_, address)) = line.split_once("REST on http://") {
                break address.parse().expect("it is an address");
            }
        };
        let doors = [Door::Unix(self.path("control.sock")), Door::Tcp(api)];
        let running = self.running.insert(Running { child, doors, log, said });
        // The loop is the last to start.
        assert_eq!(running.doors[0].send(&request("GET", "/healthz", "", "")).status, 200);
    }

    /// The flags that name what is this host's.
    pub fn flags(&self) -> Vec<PathBuf> {
        let file = |(flag, name): (&str, &str)| [PathBuf::from(flag), self.path(name)];
        let all = [("--state", "state"), ("--control", "control.sock"), ("--unit", "unit.sock"), ("-f", "empty.conf")];
        all.into_iter().flat_map(file).collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The control socket.
    pub fn door(&self) -> &Door {
        &self.running.as_ref().expect("it runs").doors[0]
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
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
            if thread::panicking() {
                let rest: Vec<String> = running.log.try_iter().collect();
                eprintln!("--- its log\n{}{}", running.said, rest.join("\n"));
            }
        }
        remove(&self.dir);
    }
}

/// A request that both doors let in: with a host, the token, and the body's length. `headers` end in CRLF each.
pub fn request(method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let own = format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n");
    format!("{method} {target} HTTP/1.1\r\n{own}{headers}\r\n{body}").into_bytes()
}

fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}

/// More than a start takes on a busy machine with two cores.
const START_WAIT: Duration = Duration::from_secs(30);

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the directory can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
}
