//! What makes this host's overlay: a file, its variables, its addresses; and the notice when one of them changes.
//!
//! The file is looked at every two seconds and read when it is another than before, so that an editor's save is all it takes. What cannot
//! be read changes nothing: the node is told why, and keeps what it had.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::interfaces;
use crate::limits::OVERLAY_FILE_MAX;
use crate::model::json::{self, Value};
use crate::model::overlay::Overlay;

/// Where the parts come from.
pub(super) struct OverlaySource {
    file: Option<PathBuf>,
    /// Variables that stay for as long as the process runs.
    fixed: BTreeMap<String, String>,
    seen: Option<Seen>,
    patch: Option<Value>,
    last: Option<Overlay>,
}

/// What tells one state of the file from another: device, inode, length, and time of the last write.
type Seen = (u64, u64, u64, i64, i64);

impl OverlaySource {
    /// From the settings: the file, `NAME=VALUE` of the host's own, and what else is known of it. The environment is taken over as it is
    /// now.
    pub(super) fn new(file: Option<PathBuf>, own: &[String], known: [(&str, String); 4]) -> Self {
        let mut fixed: BTreeMap<String, String> = std::env::vars_os().filter_map(from_environment).collect();
        fixed.extend(known.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let own = own.iter().filter_map(|text| text.split_once('='));
        fixed.extend(own.map(|(name, value)| (format!("var.{name}"), value.to_owned())));
        Self { file, fixed, seen: None, patch: None, last: None }
    }

    /// Whether there is a file to be looked at.
    pub(super) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// What the overlay is now. An error names the file, and what is wrong with it and where.
    pub(super) fn read(&mut self, addresses: &[SocketAddr]) -> Result<Overlay, String> {
        if let Some(path) = &self.file {
            let wrong = |why: String| format!("overlay {}: {why}", path.display());
            let found = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
            // A pipe would keep the loop waiting for whoever writes into it.
            if !found.is_file() {
                return Err(wrong("it is no file".into()));
            }
            let seen = (found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec());
            if self.seen != Some(seen) {
                let mut text = Vec::new();
                let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
                file.take(OVERLAY_FILE_MAX + 1).read_to_end(&mut text).map_err(|error| wrong(error.to_string()))?;
                if text.len() as u64 > OVERLAY_FILE_MAX {
                    return Err(wrong(format!("it has more than {OVERLAY_FILE_MAX} bytes")));
                }
                let patch = json::parse(&text).map_err(|error| wrong(error.to_string()))?;
                if !patch.is_object() {
                    return Err(wrong(
                        "it is no object: a merge patch of anything else would replace the whole configuration".into(),
                    ));
                }
                (self.patch, self.seen) = (Some(patch), Some(seen));
            }
        }
        let mut variables = self.fixed.clone();
        variables.extend(addresses.first().map(|address| ("address".to_owned(), address.ip().to_string())));
        let named = |(name, ip): (String, IpAddr)| (format!("address.{name}"), ip.to_string());
        variables.extend(interfaces::by_name().into_iter().map(named));
        Ok(Overlay { patch: self.patch.clone(), variables })
    }

    /// The same, if it is another than at the last call, or cannot be read.
    pub(super) fn changed(&mut self, addresses: &[SocketAddr]) -> Option<Result<Overlay, String>> {
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

/// What is not text has no place in a document.
fn from_environment((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((format!("env.{}", name.into_string().ok()?), value.into_string().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: &std::path::Path) -> OverlaySource {
        let known = [("name", "gull".to_owned()), ("peer", "p".to_owned()), ("group", "g".to_owned()), ("fleet", "f".to_owned())];
        OverlaySource::new(Some(file.to_owned()), &["root=/srv=x".to_owned()], known)
    }

    #[test]
    fn a_file_is_read_when_it_is_another_and_a_bad_one_is_named_until_it_is_mended() {
        let path = std::env::temp_dir().join(format!("starling-overlay-{}.json", std::process::id()));
        std::fs::write(&path, "{\"a\": 1 // mine\n}").unwrap();
        let mut source = source(&path);
        let here = ["192.0.2.7:7117".parse().unwrap()];
        let first = source.changed(&here).expect("it is the first").expect("it is sound");
        assert_eq!(first.patch, Some(json::parse(br#"{"a":1}"#).unwrap()));
        let value = |name: &str| first.variables.get(name).map(String::as_str);
        assert_eq!((value("name"), value("var.root"), value("address")), (Some("gull"), Some("/srv=x"), Some("192.0.2.7")));
        assert!(value("env.PATH").is_some(), "the environment is there");
        assert!(source.changed(&here).is_none(), "nothing has changed");
        std::fs::write(&path, "{\"a\":\n 2,, }").unwrap();
        let error = source.changed(&here).expect("it is another").expect_err("it is no JSON");
        assert!(error.contains("line 2") && error.contains("overlay"), "{error}");
        std::fs::write(&path, "[]").unwrap();
        assert!(source.changed(&here).is_some_and(|read| read.is_err()), "an array would replace everything");
        std::fs::write(&path, "{\"a\": 1}").unwrap();
        assert!(source.changed(&here).is_some_and(|read| read == Ok(first)), "mended, though it is as it was");
        std::fs::remove_file(&path).unwrap();
        assert!(source.changed(&here).is_some_and(|read| read.is_err()));
    }
}
