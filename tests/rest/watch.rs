//! Looking at a host from outside: is it alive, is it the same, what does it hold, what does it
//! say, and does it come to pass.

use std::thread;
use std::time::{Duration, Instant};

use starlingd::model::json::{self, Value};

use super::host::{Host, request};
use harness::daemon::Daemon;
use harness::http::{Door, Reply};

impl Host {
    pub fn running(&mut self) -> &mut Daemon {
        self.running.as_mut().expect("it runs")
    }

    pub fn doors(&self) -> [Door; 2] {
        self.doors.clone().expect("it was started")
    }

    /// The answer to GET, as JSON. It must be 200.
    pub fn json(&self, target: &str) -> Value {
        let reply = self.ask("GET", target, "");
        assert_eq!(reply.status, 200, "{target}: {}", reply.body);
        parsed(&reply.body)
    }

    /// A request with headers.
    pub fn ask_with(&self, method: &str, target: &str, headers: &str, body: &str) -> Reply {
        self.door().send(&request(method, target, headers, body))
    }

    /// A change that must be taken; gives the head that it makes.
    pub fn change(&self, method: &str, target: &str, body: &str) -> String {
        let reply = self.ask(method, target, body);
        assert_eq!(reply.status, 200, "{method} {target}: {}", reply.body);
        reply
            .header("Starling-Revision")
            .expect("a change names its revision")
            .to_owned()
    }

    /// The configuration, as the fleet has it.
    pub fn config(&self) -> Value {
        self.json("/config")
    }

    /// The configuration, as the server shows it itself.
    pub fn server_config(&self) -> Value {
        parsed(
            &self
                .server_door()
                .send(b"GET /config HTTP/1.1\r\n\r\n")
                .body,
        )
    }

    /// What `/fleet` says of the server: applied, refused, unreachable.
    pub fn verdict(&self) -> String {
        text(&self.json("/fleet")["group"]["verdict"])
    }

    /// The test of every attack: it goes on, and no thread has panicked.
    pub fn is_unharmed(&mut self) {
        self.goes_on();
        let log = self.running().log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// The same process still, served by both doors, and grown by no more than it may hold.
    pub fn goes_on(&mut self) {
        for door in self.doors() {
            for target in ["/healthz", "/config"] {
                let mut reply = door.send(&request("GET", target, "", ""));
                // Connections of a burst that was just reset may still hold their places: whoever
                // is told so comes again.
                until("it has places again", || {
                    if reply.status == 503 {
                        reply = door.send(&request("GET", target, "", ""));
                    }
                    reply.status != 503
                });
                assert_eq!(reply.status, 200, "{door:?} {target}: {}", reply.body);
            }
        }
        let running = self.running();
        assert_eq!(running.child.try_wait().expect("it is our child"), None);
        let most = running.memory_kib("VmHWM");
        assert!(most < MEMORY_KIB_MAX, "it has held {most} KiB");
    }
}

/// Waits for a condition.
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    within(UNTIL_MAX, what, condition);
}

/// Waits for a condition, for so long.
pub fn within(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let late = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < late, "in vain: {what}");
        thread::sleep(POLL);
    }
}

pub fn parsed(text: &str) -> Value {
    json::parse_own(text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {text:.300}"))
}

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// The debug build idles at 11 MiB; bodies and answers together may hold 24, and a document in the
/// making its own size a few times, which on a machine that stands still now and then add up: 113
/// MiB were seen with the largest documents.
const MEMORY_KIB_MAX: u64 = 160 << 10;
/// Longer than anything takes that has not failed: a server that refused is asked again after five
/// seconds.
const UNTIL_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
