//! Three hosts on this one, and a shell in which `starling`, `ssh` and `curl` are those of the host
//! that the variable HOST names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::page;
use super::standin::{Setup, StandIn};

/// Stop, and leave nothing behind, when dropped.
pub struct Hosts {
    dir: PathBuf,
    running: Vec<Child>,
    servers: Vec<StandIn>,
}

/// Whether a program is missing.
pub fn lacks(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    !std::env::split_paths(&path).any(|dir| dir.join(program).exists())
}

impl Hosts {
    /// With a configuration at hand, and servers.
    pub fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("starling-walk-{}", std::process::id()));
        let bin = dir.join("bin");
        fs::create_dir_all(&bin).expect("the directory is new");
        for (name, script) in [("starling", STARLING), ("ssh", SSH), ("curl", CURL)] {
            fs::write(bin.join(name), script).expect("the directory can be written");
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755))
                .expect("it is ours");
        }
        fs::write(dir.join("conf.json"), CONF).expect("the directory can be written");
        fs::write(dir.join("bundle.pem"), BUNDLE).expect("the directory can be written");
        fs::write(dir.join("empty.conf"), "{}").expect("the directory can be written");
        let server = |host: &&str| {
            fs::create_dir(dir.join(host)).expect("the directory can be written");
            StandIn::start(Setup {
                socket: dir.join(host).join("unit.sock"),
                ..Setup::default()
            })
            .expect("the stand-in starts")
        };
        let servers = HOSTS.iter().map(server).collect();
        Self {
            dir,
            running: Vec::new(),
            servers,
        }
    }

    /// What `line` prints when it is typed on `host`.
    pub fn shell(&self, host: &str, line: &str) -> String {
        let output = self.command(host, line).output().expect("there is a shell");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).replace('\r', "")
    }

    /// Starts `line` on `host`, and waits until REST answers there.
    pub fn run(&mut self, host: &str, line: &str) {
        self.running.push(
            self.command(host, &format!("exec {line}"))
                .spawn()
                .expect("there is a shell"),
        );
        let late = Instant::now() + START_WAIT;
        while !self.log(host).contains("REST on") {
            assert!(
                Instant::now() < late,
                "{host} did not start:\n{}",
                self.log(host)
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it on `host`; on one that is not the page's own, after `join`, which is the page's
    /// line for that one.
    pub fn join_and_run(&mut self, host: &str, join: &str) {
        if !self.dir.join(host).join("state").exists() {
            let (before, after) = join.split_once("| ssh ").expect("it is a line with ssh");
            let (_, after) = after.split_once(' ').expect("a host, and a command");
            self.shell("host-a", &format!("{before}| ssh {host} {after}"));
        }
        self.run(host, "starling run");
    }

    /// `joined`, and whoever is still to join.
    pub fn others(&self, joined: &str) -> Vec<String> {
        let is_new = |host: &&str| **host == *joined || !self.dir.join(host).join("state").exists();
        HOSTS
            .iter()
            .filter(|host| is_new(host))
            .map(|host| (*host).to_owned())
            .collect()
    }

    /// What the daemon on `host` has said.
    pub fn log(&self, host: &str) -> String {
        fs::read_to_string(self.dir.join(host).join("log")).unwrap_or_default()
    }

    /// The lines of `printed` without what differs each time.
    pub fn plain(&self, printed: &str) -> Vec<String> {
        let known = HOSTS
            .iter()
            .filter(|host| self.dir.join(host).join("state").exists());
        let ids: Vec<String> = known
            .map(|host| self.shell(host, "starling id").trim().to_owned())
            .collect();
        let ends: Vec<&str> = ids
            .iter()
            .filter_map(|id| id.get(id.len().checked_sub(8)?..))
            .collect();
        page::without_variables(printed, &ends)
    }

    /// No server was given an application in another order or spelling, for which it would have
    /// been restarted.
    pub fn have_touched_no_application(&self) {
        for server in &self.servers {
            let stats = server.tell("stats");
            assert!(stats.contains(r#""reordered":0,"restarts":0"#), "{stats}");
        }
    }

    fn command(&self, host: &str, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .env("HOST", host)
            .env("DIR", &self.dir);
        command
            .env("STARLING", Path::new(env!("CARGO_BIN_EXE_starling")))
            .env("SYSTEM_PATH", &path);
        command.env("PATH", format!("{}:{path}", self.dir.join("bin").display()));
        command
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            HOSTS
                .iter()
                .for_each(|host| eprintln!("--- {host}\n{}", self.log(host)));
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

const HOSTS: [&str; 3] = ["host-a", "host-b", "host-c"];
/// What the page's conf.json may be.
const CONF: &str = r#"{"listeners":{"*:8080":{"pass":"routes"}},"routes":[{"action":{"return":200}}],"applications":{}}"#;
const BUNDLE: &str = include_str!("../fixtures/bundles/a.pem");
/// More than a start takes on a busy machine with two cores.
const START_WAIT: Duration = Duration::from_secs(30);
/// Each host finds those that run already by their addresses: there is one network for all of them,
/// and its mDNS is everybody's.
const STARLING: &str = r#"#!/bin/sh
own=$DIR/$HOST
case $1 in
run)
    set --
    for log in "$DIR"/*/log; do
        address=$(sed -n 's/.*listening on //p' "$log" 2>/dev/null)
        [ -z "$address" ] || set -- "$@" --peer "$address"
    done
    exec "$STARLING" run --state "$own/state" --control "$own/control.sock" --unit "$own/unit.sock" -f "$DIR/empty.conf" \
        --listen 127.0.0.1:0 --no-mdns --name "$HOST" "$@" 2>"$own/log" ;;
init | id | join | token) exec "$STARLING" "$@" --state "$own/state" ;;
*) exec "$STARLING" "$@" --control "$own/control.sock" ;;
esac
"#;
const SSH: &str = "#!/bin/sh\nHOST=$1\nexport HOST\nshift\nexec \"$@\"\n";
const CURL: &str = r#"#!/bin/sh
for word; do
    shift
    case $word in /run/starling/control.sock) word=$DIR/$HOST/control.sock ;; esac
    set -- "$@" "$word"
done
PATH=$SYSTEM_PATH exec curl -sS --globoff "$@"
"#;
