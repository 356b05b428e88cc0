//! What unitd keeps: the configuration, certificates and modules; in memory, and where they outlive
//! it.
//!
//! As with unitd the configuration is one file, written anew after the answer was sent, and each
//! bundle and each module is another.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use starlingd::model::json::{self, Map, Value};

use super::certificate::Certificate;
use super::config;
use super::validate::{self, Named};

/// All that a restart brings back.
#[derive(Debug, Clone)]
pub struct State {
    /// What it runs.
    pub config: Value,
    /// By name.
    pub certificates: BTreeMap<String, Certificate>,
    /// The sources, by name.
    pub modules: BTreeMap<String, String>,
}

impl State {
    /// As at the first start.
    pub fn factory() -> Self {
        Self {
            config: config::factory(),
            certificates: BTreeMap::new(),
            modules: BTreeMap::new(),
        }
    }

    /// What is kept at `path`, and beside it. A configuration that cannot be read or applied is
    /// left where it is, and the default runs.
    pub fn load(path: &Path) -> Self {
        let read = |(name, text): (String, Vec<u8>)| Some((name, Certificate::parse(&text)?));
        let source = |(name, text): (String, Vec<u8>)| Some((name, String::from_utf8(text).ok()?));
        let mut state = Self::factory();
        state.certificates = files(&beside(path, CERTIFICATES))
            .into_iter()
            .filter_map(read)
            .collect();
        state.modules = files(&beside(path, MODULES))
            .into_iter()
            .filter_map(source)
            .collect();
        let stored = fs::read(path)
            .ok()
            .and_then(|text| json::parse_own(&text).ok());
        let sound = |config: &Value| {
            validate::refusal(config, &state.named()).is_none()
                && !validate::cannot_run(config, &Value::Null, &state.certificates)
        };
        if let Some(config) = stored.filter(sound) {
            state.config = config;
        }
        state
    }

    /// Writes it all to `path` and beside it, and removes what is gone.
    pub fn store(&self, path: &Path) {
        let _ = fs::write(path, json::compact(&self.config));
        let pems = self
            .certificates
            .iter()
            .map(|(name, certificate)| (name, &certificate.pem));
        rewrite(&beside(path, CERTIFICATES), pems);
        rewrite(&beside(path, MODULES), self.modules.iter());
    }

    /// What a configuration may name.
    pub fn named(&self) -> Named {
        Named {
            certificates: self.certificates.keys().cloned().collect(),
            modules: self.modules.keys().cloned().collect(),
        }
    }

    /// `GET /certificates`.
    pub fn shown_certificates(&self) -> Value {
        Value::Object(
            self.certificates
                .iter()
                .map(|(name, certificate)| (name.clone(), certificate.shown.clone()))
                .collect(),
        )
    }

    /// `GET /js_modules`.
    pub fn shown_modules(&self) -> Value {
        Value::Object(
            self.modules
                .iter()
                .map(|(name, source)| (name.clone(), source.as_str().into()))
                .collect::<Map<_, _>>(),
        )
    }
}

fn rewrite<'a>(dir: &Path, wanted: impl Iterator<Item = (&'a String, &'a String)>) {
    let wanted: BTreeMap<_, _> = wanted.collect();
    for (name, _) in files(dir) {
        if !wanted.contains_key(&name) {
            let _ = fs::remove_file(dir.join(name));
        }
    }
    if !wanted.is_empty() {
        let _ = fs::create_dir_all(dir);
    }
    for (name, text) in wanted {
        let _ = fs::write(dir.join(name), text);
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            Some((
                entry.file_name().into_string().ok()?,
                fs::read(entry.path()).ok()?,
            ))
        })
        .collect()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

const CERTIFICATES: &str = ".certs";
const MODULES: &str = ".scripts";
