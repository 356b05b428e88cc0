//! What makes this host's overlay: a file, its variables, its addresses; and the notice when one of
//! them changes.
//!
//! The file is read every two seconds, whatever its time and length say, so that an editor's save
//! is all it takes. What cannot be read changes nothing: the node is told why, and keeps what it
//! had. The thread `overlay` does it, which alone waits for the file's file system: that may be a
//! mount whose server is gone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::{io, thread};

use super::dialler::Addresses;
use super::interfaces;
use crate::limits::{OVERLAY_EVERY, OVERLAY_FILE_MAX, OVERLAY_STACK};
use crate::model::json::{self, Value};
use crate::model::overlay::Overlay;

/// The file and the variables of which the overlay is made.
pub(super) struct OverlaySource {
    file: Option<PathBuf>,
    /// Variables that stay for as long as the process runs.
    fixed: BTreeMap<String, String>,
    /// The file's text, when it was last read, and what it says.
    seen: Option<(Vec<u8>, Value)>,
    last: Option<Overlay>,
}

/// What the thread `overlay` reports: the overlay, or what is wrong with its file.
pub(super) type OverlayReading = Result<Overlay, String>;

/// The way to the thread `overlay`.
#[derive(Clone)]
pub(super) struct OverlayWatch {
    /// The file that is read, if there is one.
    file: Option<PathBuf>,
    nudges: SyncSender<()>,
    state: Arc<AtomicU8>,
}

/// Starts the thread. The first reading comes over the channel, or, once nobody waits for it there
/// any more, by `sink` like all others that differ from the one before. An error means that there
/// is no thread to be had.
pub(super) fn start(
    source: OverlaySource,
    addresses: Addresses,
    sink: impl Fn(OverlayReading) + Send + 'static,
) -> io::Result<(OverlayWatch, Receiver<OverlayReading>)> {
    let (nudges, nudged) = sync_channel(1);
    let (first, reading) = sync_channel(0);
    let state = Arc::new(AtomicU8::new(READING));
    let watch = OverlayWatch {
        file: source.file.clone(),
        nudges,
        state: Arc::clone(&state),
    };
    let reader = OverlayReader {
        source,
        addresses,
        nudged,
        state,
    };
    thread::Builder::new()
        .name("overlay".to_owned())
        .stack_size(OVERLAY_STACK)
        .spawn(move || reader.run(first, sink))?;
    Ok((watch, reading))
}

impl OverlayWatch {
    /// The host's addresses are others now. Never blocks.
    pub(super) fn nudge(&self) {
        // One that waits already does for this too.
        let _one_is_enough = self.nudges.try_send(());
    }

    /// To be called now and then: what to tell of a thread that has been reading since the last
    /// call. Told once, until it is done.
    pub(super) fn check(&self) -> Option<String> {
        let seen =
            self.state
                .compare_exchange(READING, SEEN_READING, Ordering::AcqRel, Ordering::Acquire);
        let is_late = seen == Err(SEEN_READING);
        let tells = is_late
            && self
                .state
                .compare_exchange(SEEN_READING, TOLD, Ordering::AcqRel, Ordering::Acquire)
                .is_ok();
        tells.then(|| self.lateness()).flatten()
    }

    /// The words for an overlay that is read for too long; `None` without a file.
    pub(super) fn lateness(&self) -> Option<String> {
        self.file.as_deref().map(late)
    }
}

/// What is said of a file that is neither read nor known to be unreadable.
fn late(file: &Path) -> String {
    format!(
        "overlay {}: its file system does not answer, and is waited for",
        file.display()
    )
}

/// The state of the thread `overlay`.
struct OverlayReader {
    source: OverlaySource,
    addresses: Addresses,
    nudged: Receiver<()>,
    state: Arc<AtomicU8>,
}

impl OverlayReader {
    fn run(mut self, first: SyncSender<OverlayReading>, sink: impl Fn(OverlayReading)) {
        let mut first = Some(first);
        loop {
            let reading = self.source.changed(&(self.addresses)());
            if self.state.swap(DONE, Ordering::AcqRel) == TOLD && reading.is_none() {
                // The node was told that it does not come.
                self.source
                    .last
                    .clone()
                    .into_iter()
                    .for_each(|overlay| sink(Ok(overlay)));
            }
            if let Some(reading) = reading {
                self.report(reading, &mut first, &sink);
            }
            let nudged = match self.source.file {
                Some(_) => self.nudged.recv_timeout(OVERLAY_EVERY),
                None => self.nudged.recv().map_err(RecvTimeoutError::from),
            };
            if nudged == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            self.state.store(READING, Ordering::Release);
        }
    }

    fn report(
        &self,
        reading: OverlayReading,
        first: &mut Option<SyncSender<OverlayReading>>,
        sink: &impl Fn(OverlayReading),
    ) {
        let unsent = match first.take() {
            Some(first) => first.send(reading).err().map(|unsent| unsent.0),
            None => Some(reading),
        };
        unsent.into_iter().for_each(sink);
    }
}

impl OverlaySource {
    /// An overlay's parts from the settings: the file, `NAME=VALUE` of the host's own, and what
    /// else is known of it. The environment is taken over as it is now.
    pub(super) fn new(file: Option<PathBuf>, own: &[String], known: [(&str, String); 4]) -> Self {
        let mut fixed: BTreeMap<String, String> =
            std::env::vars_os().filter_map(from_environment).collect();
        fixed.extend(
            known
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        let own = own.iter().filter_map(|text| text.split_once('='));
        fixed.extend(own.map(|(name, value)| (format!("var.{name}"), value.to_owned())));
        Self {
            file,
            fixed,
            seen: None,
            last: None,
        }
    }

    /// What the overlay is now. An error names the file, and what is wrong with it and where.
    fn read(&mut self, addresses: &[SocketAddr]) -> Result<Overlay, String> {
        if let Some(path) = &self.file {
            let wrong = |why: String| format!("overlay {}: {why}", path.display());
            let found = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
            // A pipe would be waited for without end.
            if !found.is_file() {
                return Err(wrong("it is no file".into()));
            }
            let mut text = Vec::new();
            let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
            file.take(OVERLAY_FILE_MAX + 1)
                .read_to_end(&mut text)
                .map_err(|error| wrong(error.to_string()))?;
            if text.len() as u64 > OVERLAY_FILE_MAX {
                return Err(wrong(format!("it has more than {OVERLAY_FILE_MAX} bytes")));
            }
            if self.seen.as_ref().is_none_or(|(seen, _)| *seen != text) {
                let patch = json::parse(&text).map_err(|error| wrong(error.to_string()))?;
                if !patch.is_object() {
                    return Err(wrong(
                        "it is no object: a merge patch of anything else would replace the whole \
                         configuration"
                            .into(),
                    ));
                }
                self.seen = Some((text, patch));
            }
        }
        let mut variables = self.fixed.clone();
        variables.extend(
            addresses
                .first()
                .map(|address| ("address".to_owned(), address.ip().to_string())),
        );
        let named = |(name, ip): (String, IpAddr)| (format!("address.{name}"), ip.to_string());
        variables.extend(interfaces::by_name().into_iter().map(named));
        Ok(Overlay {
            patch: self.seen.as_ref().map(|(_, patch)| patch.clone()),
            variables,
        })
    }

    /// Reads the overlay; `None` if it is the same as at the last call.
    fn changed(&mut self, addresses: &[SocketAddr]) -> Option<Result<Overlay, String>> {
        match self.read(addresses) {
            Ok(overlay) if self.last.as_ref() == Some(&overlay) => None,
            Ok(overlay) => {
                self.last = Some(overlay.clone());
                Some(Ok(overlay))
            }
            Err(error) => {
                // Once it is mended, the node must hear of it even if it is as it was.
                self.last = None;
                self.seen = None;
                Some(Err(error))
            }
        }
    }
}

/// What the thread does: it waits for the time to read;
const DONE: u8 = 0;
/// it reads;
const READING: u8 = 1;
/// it does so since before somebody looked;
const SEEN_READING: u8 = 2;
/// and that was told.
const TOLD: u8 = 3;

/// What is not text has no place in a document.
fn from_environment((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((
        format!("env.{}", name.into_string().ok()?),
        value.into_string().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: &std::path::Path) -> OverlaySource {
        let known = [
            ("name", "gull".to_owned()),
            ("peer", "p".to_owned()),
            ("group", "g".to_owned()),
            ("fleet", "f".to_owned()),
        ];
        OverlaySource::new(Some(file.to_owned()), &["root=/srv=x".to_owned()], known)
    }

    #[test]
    fn a_file_is_read_when_it_is_another_and_a_bad_one_is_named_until_it_is_mended() {
        let path =
            std::env::temp_dir().join(format!("starling-overlay-{}.json", std::process::id()));
        std::fs::write(&path, "{\"a\": 1 // mine\n}").unwrap();
        let mut source = source(&path);
        let here = ["192.0.2.7:7117".parse().unwrap()];
        let first = source
            .changed(&here)
            .expect("it is the first")
            .expect("it is sound");
        assert_eq!(first.patch, Some(json::parse(br#"{"a":1}"#).unwrap()));
        let value = |name: &str| first.variables.get(name).map(String::as_str);
        assert_eq!(
            (value("name"), value("var.root"), value("address")),
            (Some("gull"), Some("/srv=x"), Some("192.0.2.7"))
        );
        assert!(value("env.PATH").is_some(), "the environment is there");
        assert!(source.changed(&here).is_none(), "nothing has changed");
        let time = std::fs::metadata(&path)
            .and_then(|found| found.modified())
            .unwrap();
        std::fs::write(&path, "{\"a\": 2 // mine\n}").unwrap();
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(time))
            .unwrap();
        let second = source
            .changed(&here)
            .expect("it is another, though as long and as old")
            .expect("it is sound");
        assert_eq!(second.patch, Some(json::parse(br#"{"a":2}"#).unwrap()));
        std::fs::write(&path, "{\"a\":\n 2,, }").unwrap();
        let error = source
            .changed(&here)
            .expect("it is another")
            .expect_err("it is no JSON");
        assert!(
            error.contains("line 2") && error.contains("overlay"),
            "{error}"
        );
        std::fs::write(&path, "[]").unwrap();
        assert!(
            source.changed(&here).is_some_and(|read| read.is_err()),
            "an array would replace everything"
        );
        std::fs::write(&path, "{\"a\": 1}").unwrap();
        assert!(
            source.changed(&here).is_some_and(|read| read == Ok(first)),
            "mended, though it is as it was"
        );
        std::fs::remove_file(&path).unwrap();
        assert!(source.changed(&here).is_some_and(|read| read.is_err()));
    }
}
