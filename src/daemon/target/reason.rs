//! Why a server refused: what can be seen on this host of a refusal that comes without a reason.
//!
//! Unit answers 500 to whatever only this host makes impossible, and says why in its log alone. So
//! the usual causes are looked for, among the listeners and applications that the server does not
//! run already. Only what was seen is said, and nothing is decided by it: the server may live in
//! another container, or be gone from the state that it refused in. A thread of its own looks,
//! because a file system may hang; the target waits for it a bounded time.

mod applications;
pub(in crate::daemon) mod holder;
mod listeners;

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread;

use crate::codec::percent;
use crate::daemon::unit::Control;
use crate::limits::{REASON_STACK, REASON_WAIT, REASONS_MAX, REFUSAL_REASON_MAX};
use crate::model::bundle;
use crate::model::document::Document;
use crate::model::json::{Map, Value};
use crate::model::resources;

/// Looks for the reasons of refusals that the server does not give, one after another.
#[derive(Debug, Default)]
pub(super) struct Finder {
    /// A search that was not done in time, and may hang for ever.
    late: Option<Receiver<String>>,
}

impl Finder {
    /// Why the server at `control` may have refused the document, while it runs that configuration;
    /// if nobody knows what it runs, no listener is judged, for the server itself may hold its
    /// port. Printable ASCII of at most [`REFUSAL_REASON_MAX`] bytes; empty if nothing was
    /// found, or not in time.
    pub fn find(
        &mut self,
        control: &Control,
        document: &Document,
        running: Option<Value>,
    ) -> String {
        if !is_here(control) || self.is_busy() {
            return String::new();
        }
        let (found, result) = sync_channel(1);
        let (control, document) = (control.clone(), document.clone());
        let examine = move || {
            // Whoever asked may have stopped waiting.
            let _ = found.send(reason(&control, &document, running.as_ref()));
        };
        if let Err(error) = thread::Builder::new()
            .name("reason".to_owned())
            .stack_size(REASON_STACK)
            .spawn(examine)
        {
            log::debug!("nobody looks for the reason of a refusal: {error}");
            return String::new();
        }
        match result.recv_timeout(REASON_WAIT) {
            Ok(reason) => reason,
            Err(RecvTimeoutError::Timeout) => {
                self.late = Some(result);
                String::new()
            }
            Err(RecvTimeoutError::Disconnected) => String::new(),
        }
    }

    fn is_busy(&mut self) -> bool {
        let is_busy = self
            .late
            .as_ref()
            .is_some_and(|late| late.try_recv() == Err(TryRecvError::Empty));
        if !is_busy {
            self.late = None;
        }
        is_busy
    }
}

/// Whether the server is on this host, as far as its address tells.
fn is_here(control: &Control) -> bool {
    match control {
        Control::Unix(_) => true,
        Control::Tcp(address) => {
            let host = address
                .rsplit_once(':')
                .map_or(&address[..], |(host, _)| host);
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

fn reason(control: &Control, document: &Document, running: Option<&Value>) -> String {
    let config = document.config();
    let mut found = Vec::new();
    if let Some(running) = running {
        let runs = |name: &str| {
            running
                .get("listeners")
                .is_some_and(|listeners| listeners.get(name).is_some())
        };
        listeners::examine(
            &new(config, running, "listeners"),
            runs,
            server_user(control),
            &mut found,
        );
    }
    let listeners = config.get("listeners").and_then(Value::as_object);
    listeners::examine_sockets(listeners.into_iter().flat_map(Map::keys), &mut found);
    examine_resources(document, &mut found);
    applications::examine(
        &new(config, running.unwrap_or(&Value::Null), "applications"),
        &mut found,
    );
    let mut text = String::new();
    for finding in found
        .iter()
        .map(|finding| printable(finding))
        .take(REASONS_MAX)
    {
        let joint = if text.is_empty() { "" } else { "; " };
        if text.len() + joint.len() + finding.len() <= REFUSAL_REASON_MAX {
            text = text + joint + &finding;
        }
    }
    text
}

/// The members of this name that the server does not run just so.
fn new<'a>(
    config: &'a Value,
    running: &Value,
    name: &str,
) -> Vec<(&'a str, &'a Map<String, Value>)> {
    let members = config
        .get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let changed = members.filter(|(member, value)| {
        running.get(name).and_then(|old| old.get(member)) != Some(*value)
    });
    changed
        .filter_map(|(member, value)| Some((member.as_str(), value.as_object()?)))
        .collect()
}

/// The user that runs the server: it owns its control socket.
fn server_user(control: &Control) -> Option<u32> {
    match control {
        Control::Unix(path) => fs::metadata(path).ok().map(|found| found.uid()),
        Control::Tcp(_) => None,
    }
}

fn examine_resources(document: &Document, found: &mut Vec<String>) {
    let missing = resources::missing(document.value());
    found.extend(
        missing
            .iter()
            .map(|named| format!("{} \"{}\" is not held by the fleet", named.kind, named.name)),
    );
    let bundles = document.value().get("certificates");
    for name in resources::certificates(document.config()) {
        let bundle = bundles
            .and_then(|bundles| bundles.get(name))
            .and_then(Value::as_str);
        match bundle.map(bundle::check) {
            Some(Err(error)) => found.push(format!("certificate \"{name}\": {error}")),
            Some(Ok(bundle)) => {
                found.extend(
                    bundle.weakness().map(|weakness| {
                        format!("certificate \"{name}\" may be at fault: {weakness}")
                    }),
                );
            }
            None => {}
        }
    }
}

/// Why a server may not have taken this bundle, though it has been looked at before it was
/// published.
pub(super) fn of_bundle(text: &str) -> String {
    let why = match bundle::check(text) {
        Err(error) => error.to_string(),
        Ok(bundle) => bundle.weakness().unwrap_or_else(|| {
            format!(
                "nothing is seen to be wrong with it (its key is {}); the server's log may say \
                 what its OpenSSL found",
                bundle.key
            )
        }),
    };
    printable(&why)
}

/// The text as a header bears it: whatever is not printable ASCII is percent-encoded.
fn printable(text: &str) -> String {
    percent::encode(text, |c| matches!(c, ' '..='~'))
}

#[cfg(test)]
mod tests;
