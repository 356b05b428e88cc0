//! A system in which little is mounted, as early in its start or in a container.

use std::process::{Command, Stdio};

use super::skip;
use super::support::private::{NETLAB, lacks};
use super::support::program;

#[test]
fn root_is_root_also_where_nothing_tells_of_processes() {
    if let Some(need) = lacks() {
        return skip(&need);
    }
    let script = "mount -t tmpfs none /proc && test ! -e /proc/self && exec \"$0\" check";
    let mut command = Command::new(NETLAB);
    command
        .args(["private", "sh", "-c", script])
        .arg(program("starling"))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("netlab.sh can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("state           /var/lib/starling  (default)"),
        "{said}"
    );
    assert!(
        said.contains("control         /run/starling/control.sock  (default)"),
        "{said}"
    );
}
