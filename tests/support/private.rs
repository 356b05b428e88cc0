//! Runs a test or the bench in mount, network and process namespaces of its own, by starting
//! this same program again inside them: whatever happens, nothing is left behind, and labs
//! that run side by side cannot meet.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A directory for sockets and state, gone when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one under the system's temporary directory: socket paths must stay below 108 bytes.
    pub fn new() -> Scratch {
        Self::below(&std::env::temp_dir())
    }

    /// Makes one in this directory.
    pub fn below(directory: &Path) -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "starling-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = directory.join(name);
        fs::create_dir_all(&path).expect("the directory can be written");
        Scratch(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The directory that the outer run made for us, if we are the inner one.
pub fn inside() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// Why this machine cannot run a lab, or nothing.
pub fn lacks() -> Option<String> {
    if let Some(tool) = TOOLS.iter().find(|tool| !in_path(tool)) {
        return Some(format!("the program `{tool}`"));
    }
    let tried = Command::new(NETLAB)
        .args(["private", NETLAB, "up", "2"])
        .stdin(Stdio::null())
        .output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "root or user namespaces ({})",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("{NETLAB} to be runnable ({error})")),
    }
}

/// Runs this program again inside, with `arguments`, its output going to `output` if given and
/// else to ours. True when it ended well within the time; it is killed with all it started when the
/// time is up.
pub fn run_inside(
    scratch: &Scratch,
    arguments: &[&str],
    output: Option<&Path>,
    within: Duration,
) -> bool {
    let own = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(NETLAB);
    command
        .arg("private")
        .arg(own)
        .args(arguments)
        .env(INSIDE, scratch.path())
        .stdin(Stdio::null());
    if let Some(path) = output {
        let file = File::create(path).expect("the scratch directory can be written");
        command
            .stdout(file.try_clone().expect("a file can be opened twice"))
            .stderr(file);
    }
    let mut child = command.spawn().expect("netlab.sh was run a moment ago");
    let deadline = Instant::now() + within;
    loop {
        match child.try_wait().expect("our own child") {
            Some(status) => return status.success(),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn in_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).exists())
}

/// The script that makes the network.
pub const NETLAB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/netlab.sh");
const INSIDE: &str = "STARLING_LAB_DIR";
const TOOLS: [&str; 6] = ["bash", "ip", "nft", "unshare", "setpriv", "awk"];
