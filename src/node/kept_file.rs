//! The form of `drift-TIME.json`: what a server ran past Starling, kept before something else is
//! put over it.
//!
//! It is one JSON object that a person can read: when it was kept and beside which revision, where
//! it differs from what the server had been given, what stood at each place then and now, and the
//! whole configuration last. Nothing here decides what is kept, or reads a file.

use crate::limits::{DEPTH_MAX, DRIFT_FILE_MAX, KEPT_PATHS_MAX, OWN_LEVELS_MAX, OWN_VALUES_MAX};
use crate::model::date::date;
use crate::model::difference::difference;
use crate::model::document::Document;
use crate::model::edit::Change;
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{self, Value, object};
use crate::model::path::Path;
use crate::model::record::RecordId;

/// What is known of a file without its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// What it is called in the state directory.
    pub name: String,
    /// Counts the files that were ever kept, from 1: clocks may go back.
    pub number: u64,
    /// When it was kept by this host's clock, in milliseconds since 1970.
    pub time_ms: u64,
    /// The group that the host followed.
    pub group: String,
    /// What had been applied before, if that was known.
    pub revision: Option<RecordId>,
    /// Where the configuration differs from that: at most [`KEPT_PATHS_MAX`] paths.
    pub paths: Vec<String>,
    /// Whether somebody has said that he has seen it.
    pub acknowledged: bool,
    /// Of the configuration.
    pub fingerprint: Fingerprint,
}

/// A place at which the server was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Where.
    pub path: Path,
    /// What the server had been given there, if anything.
    pub was: Option<Value>,
    /// What it ran there instead, if anything.
    pub now: Option<Value>,
}

impl KeptFile {
    /// The file's text. `base` is what the server had been given before, if that is known.
    pub fn text(&self, base: Option<&Document>, config: &Value) -> Vec<u8> {
        let changes = base.map(|base| {
            changed(base, config)
                .iter()
                .map(Changed::to_json)
                .collect::<Vec<_>>()
        });
        let file = object! {
            NUMBER: self.number,
            TIME: self.time_ms,
            ACKNOWLEDGED: self.acknowledged,
            GROUP: self.group.as_str(),
            REVISION: self.revision.map(|id| id.to_string()),
            PATHS: self.paths.clone(),
            CHANGES: changes,
            CONFIG: config.clone(),
        };
        let mut file = Value::Object(file);
        let text = json::unit_format(&file);
        if text.len() <= DRIFT_FILE_MAX
            && json::fits(&file, DEPTH_MAX + OWN_LEVELS_MAX, OWN_VALUES_MAX)
        {
            return text.into_bytes();
        }
        // The configuration is what matters.
        file[CHANGES] = Value::Null;
        json::unit_format(&file).into_bytes()
    }

    /// What stands in a file of this name; `None` if it is none of these.
    pub fn parse(name: &str, text: &[u8]) -> Option<Self> {
        let file = json::parse_own(text).ok()?;
        let member = |name: &str| file.get(name).and_then(Value::as_str);
        let paths = file
            .get(PATHS)?
            .as_array()?
            .iter()
            .filter_map(Value::as_str)
            .take(KEPT_PATHS_MAX);
        Some(Self {
            name: name.to_owned(),
            number: file.get(NUMBER)?.as_u64()?,
            time_ms: file.get(TIME)?.as_u64()?,
            group: member(GROUP)?.to_owned(),
            revision: member(REVISION).and_then(RecordId::parse),
            paths: paths.map(str::to_owned).collect(),
            acknowledged: file.get(ACKNOWLEDGED)?.as_bool()?,
            fingerprint: Fingerprint::of(file.get(CONFIG)?),
        })
    }
}

impl Changed {
    fn to_json(&self) -> Value {
        let mut members = object! { PATH: self.path.to_string() };
        members.extend(self.was.clone().map(|was| (WAS.to_owned(), was)));
        members.extend(self.now.clone().map(|now| (NOW.to_owned(), now)));
        Value::Object(members)
    }

    fn from_json(value: &Value) -> Option<Self> {
        let path = Path::parse(value.get(PATH)?.as_str()?).ok()?;
        Some(Self {
            path,
            was: value.get(WAS).cloned(),
            now: value.get(NOW).cloned(),
        })
    }
}

/// Where a configuration differs from what a server had been given.
fn changed(base: &Document, config: &Value) -> Vec<Changed> {
    let root = Path::parse("/config").expect("it is a path");
    let ops = difference(&root, base.config(), config).into_iter();
    let changed = ops.map(|op| {
        let now = match op.change {
            Change::Put(value) | Change::Append(value) => Some(value),
            Change::Delete => None,
        };
        Changed {
            was: base.get(&op.path).cloned(),
            path: op.path,
            now,
        }
    });
    changed.collect()
}

/// The changes in a file's text; `None` if it does not say them, for nobody knew what the server
/// had been given, or is no such file.
pub fn changes_in(text: &[u8]) -> Option<Vec<Changed>> {
    let file = json::parse_own(text).ok()?;
    file.get(CHANGES)?
        .as_array()?
        .iter()
        .map(Changed::from_json)
        .collect()
}

/// The same text, marked as one that somebody has seen; `None` if it is no such file.
pub fn acknowledged(text: &[u8]) -> Option<Vec<u8>> {
    let mut file = json::parse_own(text).ok()?;
    *file.get_mut(ACKNOWLEDGED)? = true.into();
    Some(json::unit_format(&file).into_bytes())
}

/// What a file is called that is kept at this time, by a host that has those of the names that
/// `is_taken` says.
pub fn name_at(time_ms: u64, is_taken: impl Fn(&str) -> bool) -> String {
    let names = (time_ms.min(YEAR_9999_MS)..).map(|ms| {
        let (year, month, day) = date(ms / 86_400_000);
        let (seconds, ms) = (ms / 1000 % 86_400, ms % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!(
            "{BEGINNING}{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{ms:03}Z{END}"
        )
    });
    names
        .into_iter()
        .find(|name| !is_taken(name))
        .expect("few names are taken")
}

/// Whether a file can be one of these, by its name, which then leads nowhere else.
pub fn is_name(name: &str) -> bool {
    let time = name
        .strip_prefix(BEGINNING)
        .and_then(|name| name.strip_suffix(END));
    time.is_some_and(|time| {
        (1..=TIME_LEN_MAX).contains(&time.len()) && time.bytes().all(is_of_time)
    })
}

fn is_of_time(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b'.')
}

/// How the name of every such file begins.
const BEGINNING: &str = "drift-";
const END: &str = ".json";
const TIME_LEN_MAX: usize = 32;
const YEAR_9999_MS: u64 = 253_370_764_800_000;
const NUMBER: &str = "number";
const TIME: &str = "time";
const ACKNOWLEDGED: &str = "acknowledged";
const GROUP: &str = "group";
const REVISION: &str = "revision";
const PATHS: &str = "paths";
const CHANGES: &str = "changes";
const CONFIG: &str = "config";
const PATH: &str = "path";
const WAS: &str = "was";
const NOW: &str = "now";

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        json::parse(text.as_bytes()).expect("tests write JSON")
    }

    fn file(config: &Value) -> KeptFile {
        KeptFile {
            name: name_at(1_795_888_632_123, |_| false),
            number: 7,
            time_ms: 1_795_888_632_123,
            group: "default".into(),
            revision: None,
            paths: vec!["/config/a".into()],
            acknowledged: false,
            fingerprint: Fingerprint::of(config),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (base, config) = (
            Document::from_config(value(r#"{"a":1,"b":{"c":2}}"#)).unwrap(),
            value(r#"{"a":[1],"b":{},"d":null}"#),
        );
        let file = file(&config);
        let text = file.text(Some(&base), &config);
        assert_eq!(KeptFile::parse(&file.name, &text), Some(file.clone()));
        let changes: Vec<_> = changes_in(&text)
            .unwrap()
            .into_iter()
            .map(|at| (at.path.to_string(), at.was, at.now))
            .collect();
        let of = |path: &str, was: Option<&str>, now: Option<&str>| {
            (path.to_owned(), was.map(value), now.map(value))
        };
        let expected = [
            of("/config/a", Some("1"), Some("[1]")),
            of("/config/b/c", Some("2"), None),
            of("/config/d", None, Some("null")),
        ];
        assert_eq!(changes, expected);
        let seen = acknowledged(&text).unwrap();
        assert_eq!(
            KeptFile::parse(&file.name, &seen),
            Some(KeptFile {
                acknowledged: true,
                ..file
            })
        );
        assert_eq!(changes_in(&seen).unwrap().len(), 3);
    }

    #[test]
    fn without_what_was_before_no_changes_are_said() {
        let config = value("{}");
        let text = file(&config).text(None, &config);
        assert!(KeptFile::parse("drift-1.json", &text).is_some() && changes_in(&text).is_none());
        for end in 0..text.len() - 3 {
            assert!(
                KeptFile::parse("drift-1.json", &text[..end]).is_none(),
                "cut anywhere it is no such file"
            );
        }
    }

    #[test]
    fn names_sort_by_time_and_never_repeat_and_lead_nowhere() {
        assert_eq!(
            name_at(1_795_888_632_123, |_| false),
            "drift-20261128T175712.123Z.json"
        );
        assert_eq!(
            name_at(1_795_888_632_123, |name| name.contains("123Z")),
            "drift-20261128T175712.124Z.json"
        );
        assert!(is_name(&name_at(0, |_| false)) && is_name(&name_at(u64::MAX, |_| false)));
        for other in [
            "",
            "drift-.json",
            "drift-x.json",
            "drift-1",
            "drift-../1.json",
            "addresses.json",
            "drift-1.json.damaged-1",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }
}
