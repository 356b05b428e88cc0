//! Changes by clients, and what became of them: each is known again by its mark, a word that stands
//! nowhere else.
//!
//! A change that was answered 200 must be accounted for on every host: it is in the document, or it
//! was overwritten by somebody who had seen it, or it is listed as an open conflict.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::host::Host;
use super::support::lab::Lab;
use harness::http::{self, Reply};

/// A client of one host, which may be down at any moment.
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of this host.
    pub fn of(host: &Host) -> Client {
        Client {
            socket: host.control_socket(),
        }
    }

    /// Sends a request; nothing if no whole answer came.
    pub fn send(&self, method: &str, target: &str, body: &Value) -> Option<Reply> {
        http::request(&self.socket, method, target, body.to_string().as_bytes()).ok()
    }

    /// Holds a connection for a while, if there is one to be had, and says nothing.
    pub fn idle(&self, time: Duration) {
        let _connection = UnixStream::connect(&self.socket);
        thread::sleep(time);
    }

    /// Sends a change that bears `mark`. Nothing unless it was answered 200: 409, 503 and 507 are
    /// fair answers, as is none at all; any other is not.
    pub fn change(&self, method: &str, target: &str, mark: &str, body: &Value) -> Option<Change> {
        let reply = self.send(method, target, body)?;
        assert!(
            [200, 409, 503, 507].contains(&reply.status),
            "{method} {target}: {} {}",
            reply.status,
            reply.body
        );
        let revision = (reply.status == 200).then(|| {
            reply
                .header("Starling-Revision")
                .expect("each change makes a revision")
        })?;
        Some(Change {
            mark: mark.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// Sends a change again until it is answered 200, as a patient person would.
    pub fn insist(
        &self,
        method: &str,
        target: &str,
        mark: &str,
        body: &Value,
        within: Duration,
    ) -> Change {
        let deadline = Instant::now() + within;
        loop {
            if let Some(change) = self.change(method, target, mark, body) {
                return change;
            }
            assert!(
                Instant::now() < deadline,
                "{method} {target} was not taken within {within:?}"
            );
            thread::sleep(AGAIN);
        }
    }

    /// Makes a route of the name `mark` that bears it; gives the change if it was answered 200.
    pub fn add(&self, mark: &str) -> Option<Change> {
        self.change("PUT", &format!("/config/routes/{mark}"), mark, &route(mark))
    }
}

/// A change that was answered 200.
#[derive(Debug, PartialEq)]
pub struct Change {
    /// The word by which it is known.
    pub mark: String,
    /// The ID of the revision that it made.
    pub revision: String,
}

/// A route that bears `mark`.
pub fn route(mark: &str) -> Value {
    json!([{"match": {"uri": format!("/{mark}")}, "action": {"return": 204}}])
}

/// An element of a list of routes that bears `mark`.
pub fn step(mark: &str) -> Value {
    json!({"match": {"uri": format!("/{mark}")}, "action": {"return": 204}})
}

/// What one host knows of all changes.
pub struct Account {
    document: String,
    open: String,
    /// What was changed on the way to the head.
    contained: String,
}

impl Account {
    /// Asks the host of this number.
    pub fn of(host: &Host) -> Account {
        let revisions = host.json("/fleet/revisions");
        let mut contained = String::new();
        let mut next = host.head();
        for revision in revisions.as_array().into_iter().flatten() {
            if next.as_deref() != revision["id"].as_str() {
                continue;
            }
            next = revision["base"].as_str().map(str::to_owned);
            if revision["kind"] != "note" {
                contained += &revision["edit"].to_string();
            }
        }
        Account {
            document: host.json("/config").to_string(),
            open: Value::from(host.conflicts()).to_string(),
            contained,
        }
    }

    /// How often the document has the change that is known by `mark`.
    pub fn times(&self, mark: &str) -> usize {
        self.document.matches(&word(mark)).count()
    }

    /// Whether the change is listed as an open conflict, at least by the name of its revision.
    pub fn lists(&self, change: &Change) -> bool {
        self.open.contains(&change.revision)
    }

    /// Whether it is nowhere lost.
    pub fn has(&self, change: &Change) -> bool {
        self.times(&change.mark) > 0
            || self.lists(change)
            || self.contained.contains(&word(&change.mark))
    }
}

/// Those of `changes` that host `number` does not account for.
pub fn lost<'a>(lab: &Lab, number: usize, changes: &'a [Change]) -> Vec<&'a Change> {
    let account = Account::of(lab.host(number));
    changes
        .iter()
        .filter(|change| !account.has(change))
        .collect()
}

/// A mark as it stands in a route.
fn word(mark: &str) -> String {
    format!("\"/{mark}\"")
}

const AGAIN: Duration = Duration::from_millis(100);
