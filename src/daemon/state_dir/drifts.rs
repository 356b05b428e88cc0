//! What somebody had put on the server past Starling, one file each, and what Starling has given it
//! lately.
//!
//! A file is durable, and read back, before the answer is made: then the server may be given
//! something else. Whether a server is to be given something, and which file makes room, is decided
//! by the node.

use std::fs;
use std::path::Path;

use super::error::StateError;
use super::write::{entries, whole, whole_new};
use super::{APPLIED, BEFORE, GIVEN, StateDir, read_bounded};
use crate::limits::{
    APPLIED_REMEMBERED, DRIFT_FILE_MAX, GIVEN_FILE_MAX, REVISION_FILE_MAX, STATE_FILE_MAX,
};
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{self, Value, object};
use crate::model::record::RecordId;
use crate::node::kept_file::{KeptFile, acknowledged, is_name};
use crate::node::store::given::GivenNames;

/// What an applied revision was to the server: its group, its ID, and what it came to on this host.
type AppliedEntry = (String, RecordId, Fingerprint);

/// The kept drifts that were found at the start.
#[derive(Debug, Default)]
pub struct FoundDrifts {
    /// The files, as far as they are sound.
    pub files: Vec<KeptFile>,
    /// What is wrong with others, and what became of them.
    pub problems: Vec<String>,
}

/// The bytes of a file that was kept, by its path.
pub(crate) fn read_drift(path: &Path) -> Result<Vec<u8>, StateError> {
    read_bounded(path, DRIFT_FILE_MAX)
}

impl StateDir {
    /// Keeps what the server runs past Starling, durably, under a name of its own; then removes the
    /// file that makes room for it, if one does. Needs the lock. On an error nothing is kept
    /// and nothing has gone.
    pub(crate) fn keep_drift(
        &self,
        name: &str,
        bytes: &[u8],
        goes: Option<&str>,
    ) -> Result<(), StateError> {
        let (path, goes) = (
            self.drift_path(name)?,
            goes.map(|name| self.drift_path(name)).transpose()?,
        );
        whole_new(&self.locked().path, name, bytes)?;
        if read_bounded(&path, bytes.len())? != bytes {
            return Err(StateError::Io(
                path,
                std::io::Error::other("it does not read back as it was written"),
            ));
        }
        // It is a matter of room only, and tried again with the next.
        let removed = goes.map(|goes| {
            fs::remove_file(goes).and_then(|()| fs::File::open(&self.path)?.sync_all())
        });
        if let Some(Err(error)) = removed {
            log::warn!(target: "disk", "a file that was to make room for {name} stays: {error}");
        }
        Ok(())
    }

    /// Marks such a file as one that somebody has seen, durably. Needs the lock.
    pub fn acknowledge_drift(&self, name: &str) -> Result<(), StateError> {
        let path = self.drift_path(name)?;
        let text = acknowledged(&read_drift(&path)?);
        let text =
            text.ok_or_else(|| StateError::Io(path, std::io::ErrorKind::InvalidData.into()))?;
        whole(&self.locked().path, name, &text)
    }

    /// All such files that are there. One that is none is set aside, and reported. Needs the lock.
    pub fn drifts(&self) -> FoundDrifts {
        let mut found = FoundDrifts::default();
        for path in entries(&self.path).unwrap_or_default() {
            let Some(name) = path
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|name| is_name(name))
            else {
                continue;
            };
            match read_drift(&path).map(|text| KeptFile::parse(name, &text)) {
                Ok(Some(file)) => found.files.push(file),
                Ok(None) => found.problems.push(match self.set_aside(&path) {
                    Ok(aside) => format!(
                        "{} is damaged and was set aside as {}",
                        path.display(),
                        aside.display()
                    ),
                    Err(error) => format!(
                        "{} is damaged, and cannot be set aside: {error}",
                        path.display()
                    ),
                }),
                Err(error) => found.problems.push(error.to_string()),
            }
        }
        found
    }

    /// Remembers what the server runs, durably, unless that is what was remembered last. Needs the
    /// lock.
    pub fn remember_applied(
        &self,
        group: &str,
        id: &RecordId,
        fingerprint: Fingerprint,
    ) -> Result<(), StateError> {
        let mut all = self.applied();
        let newest = (group.to_owned(), *id, fingerprint);
        if all.first() == Some(&newest) {
            return Ok(());
        }
        all.retain(|known| *known != newest);
        all.insert(0, newest);
        all.truncate(APPLIED_REMEMBERED);
        let entry = |(group, id, fingerprint): &AppliedEntry| {
            object! { "group": group.as_str(), "revision": id.to_string(), "configuration": fingerprint.to_string() }
        };
        let file = object! { APPLIED_MEMBER: all.iter().map(entry).collect::<Vec<_>>() };
        whole(
            &self.locked().path,
            APPLIED,
            json::unit_format(&Value::Object(file)).as_bytes(),
        )
    }

    /// What the server was given by earlier runs, the last first. It only spares a false alarm, so
    /// a file that is none counts as absent.
    pub fn applied(&self) -> Vec<AppliedEntry> {
        let text = self
            .read(APPLIED, STATE_FILE_MAX)
            .ok()
            .flatten()
            .unwrap_or_default();
        let file = json::parse_own(&text).unwrap_or_default();
        let entries = file
            .get(APPLIED_MEMBER)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let entry = |entry: &Value| {
            let member = |name: &str| entry.get(name).and_then(Value::as_str);
            let fingerprint = Fingerprint::parse(member("configuration")?)?;
            Some((
                member("group")?.to_owned(),
                RecordId::parse(member("revision")?)?,
                fingerprint,
            ))
        };
        entries.filter_map(entry).take(APPLIED_REMEMBERED).collect()
    }

    /// Keeps the names that were given to what lies on the server, durably. Needs the lock.
    pub(crate) fn keep_given(&self, bytes: &[u8]) -> Result<(), StateError> {
        whole(&self.locked().path, GIVEN, bytes)
    }

    /// The names of what this host has put on the server; none, if there is no file. A file that
    /// cannot be used is an error in words for people: of what is not among the names nothing is
    /// taken away, so this host can do without.
    pub fn given(&self) -> Result<GivenNames, String> {
        let text = self
            .read(GIVEN, GIVEN_FILE_MAX)
            .map_err(|error| error.to_string())?;
        let names = text.map_or_else(
            || Some(GivenNames::default()),
            |text| GivenNames::parse(&text),
        );
        let without = "what earlier runs have put on the server is left there; the file is made \
                       anew with the next certificate";
        names.ok_or_else(|| {
            format!(
                "{} is not what Starling writes: {without}",
                self.path.join(GIVEN).display()
            )
        })
    }

    /// What the server ran before it was first configured, if it is kept and can be read.
    pub(crate) fn before_starling(&self) -> Option<Value> {
        self.read(BEFORE, REVISION_FILE_MAX)
            .ok()
            .flatten()
            .and_then(|text| json::parse_own(&text).ok())
    }

    fn drift_path(&self, name: &str) -> Result<std::path::PathBuf, StateError> {
        if is_name(name) {
            Ok(self.path.join(name))
        } else {
            Err(StateError::Name(name.to_owned()))
        }
    }
}

const APPLIED_MEMBER: &str = "applied";

#[cfg(test)]
mod tests {
    use super::super::Scratch;
    use super::*;
    use crate::node::kept_file::name_at;

    fn locked(scratch: &Scratch) -> StateDir {
        let mut dir = StateDir::create(scratch.path()).unwrap();
        dir.lock().unwrap();
        dir
    }

    fn file(number: u64, config: &Value) -> (KeptFile, Vec<u8>) {
        let (name, fingerprint) = (name_at(number, |_| false), Fingerprint::of(config));
        let (group, paths) = ("default".to_owned(), Vec::new());
        let file = KeptFile {
            name,
            number,
            time_ms: number,
            group,
            revision: None,
            paths,
            acknowledged: false,
            fingerprint,
        };
        let text = file.text(None, config);
        (file, text)
    }

    #[test]
    fn what_is_kept_is_found_again_and_makes_room_only_when_it_is_there() {
        let scratch = Scratch::new();
        let dir = locked(&scratch);
        let (one, two) = (file(1, &1.into()), file(2, &2.into()));
        dir.keep_drift(&one.0.name, &one.1, None).unwrap();
        assert!(
            dir.keep_drift(&one.0.name, &two.1, None).is_err(),
            "no file is written over"
        );
        assert!(dir.keep_drift("../x", &two.1, None).is_err());
        dir.acknowledge_drift(&one.0.name).unwrap();
        assert!(dir.acknowledge_drift(&two.0.name).is_err());
        assert_eq!(
            dir.drifts().files,
            [KeptFile {
                acknowledged: true,
                ..one.0.clone()
            }]
        );
        dir.keep_drift(&two.0.name, &two.1, Some(&one.0.name))
            .unwrap();
        assert_eq!(dir.drifts().files, [two.0]);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_said() {
        let scratch = Scratch::new();
        let dir = locked(&scratch);
        let (one, text) = file(1, &1.into());
        dir.keep_drift(&one.name, &text[..20], None).unwrap();
        let found = dir.drifts();
        assert!(
            found.files.is_empty() && found.problems[0].contains("damaged"),
            "{found:?}"
        );
        assert!(
            scratch
                .path()
                .join(format!("{}.damaged-1", one.name))
                .exists()
        );
    }

    #[test]
    fn what_was_applied_is_remembered_newest_first_and_written_once() {
        let scratch = Scratch::new();
        let dir = locked(&scratch);
        let id = |number: u8| RecordId::parse(&format!("{number:064x}")).unwrap();
        let fingerprint = |number: u8| Fingerprint::of(&number.into());
        for number in 0..20 {
            dir.remember_applied("default", &id(number), fingerprint(number))
                .unwrap();
        }
        let applied = dir.applied();
        assert_eq!(
            (applied.len(), &applied[0]),
            (
                APPLIED_REMEMBERED,
                &("default".to_owned(), id(19), fingerprint(19))
            )
        );
        let path = scratch.path().join(APPLIED);
        let made = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let before = made(&path);
        dir.remember_applied("default", &id(19), fingerprint(19))
            .unwrap();
        assert_eq!(made(&path), before);
        fs::write(&path, "{").unwrap();
        assert!(dir.applied().is_empty());
    }
}
