//! The server's store of certificates and modules: what is put there before a configuration names it, and removed after none does.
//!
//! Nothing that a person has put there is touched: of certificates only names that Starling gives are removed, of modules only those that
//! a document has held since this process started. Unit refuses to remove what its configuration names, which is the last safeguard.

use std::collections::{BTreeMap, BTreeSet};

use super::Outcome;
use super::wanted::{Upload, Wanted};
use crate::daemon::unit::{Failure, Unit, resource_path};
use crate::model::alias::is_alias;
use crate::model::json::{self, Map, Value};
use crate::model::resources::Kind;
use crate::node::input::Refusal;

/// What the server holds, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Stock {
    certificates: BTreeSet<String>,
    modules: BTreeMap<String, String>,
}

impl Stock {
    /// Whether this very content is there.
    pub(super) fn has(&self, upload: &Upload<'_>) -> bool {
        match upload.kind {
            Kind::Certificate => self.certificates.contains(upload.stored),
            Kind::JsModule => self.modules.get(upload.stored).is_some_and(|source| source == upload.content),
        }
    }

    /// Whether something else is there under its name; never so of certificates.
    pub(super) fn has_other(&self, upload: &Upload<'_>) -> bool {
        upload.kind == Kind::JsModule && self.modules.get(upload.stored).is_some_and(|source| source != upload.content)
    }

    /// A module has been removed.
    pub(super) fn forget_module(&mut self, stored: &str) {
        self.modules.remove(stored);
    }
}

/// What is remembered of the store from job to job.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Whether the server is known to hold no certificate that Starling put there: then nobody need look.
    is_clear: bool,
    /// Modules that some document has held.
    modules: BTreeSet<String>,
}

impl Store {
    /// Looks what is there, if it matters for what is wanted.
    pub(super) fn look(&self, unit: &Unit, wanted: &Wanted) -> Result<Stock, Outcome> {
        let mut stock = Stock::default();
        if wanted.has(Kind::Certificate) || !self.is_clear {
            stock.certificates = certificates(unit, wanted)?;
        }
        if wanted.has(Kind::JsModule) || !self.modules.is_empty() {
            stock.modules = modules(unit, wanted)?;
        }
        Ok(stock)
    }

    /// Uploads what is lacking, and says what that was. If one is refused, what was uploaded with it is removed again.
    pub(super) fn fill<'a>(&mut self, unit: &Unit, wanted: &'a Wanted, stock: &Stock) -> Result<Vec<Upload<'a>>, Outcome> {
        let mut uploaded = Vec::new();
        for upload in wanted.uploads().filter(|upload| !stock.has(upload)) {
            self.is_clear = false;
            if upload.kind == Kind::JsModule {
                self.modules.insert(upload.stored.to_owned());
            }
            match put(unit, wanted, &upload) {
                Ok(()) => uploaded.push(upload),
                Err(outcome) => {
                    take_back(unit, &uploaded);
                    return Err(outcome);
                }
            }
        }
        Ok(uploaded)
    }

    /// Removes what is not wanted any more. What cannot be removed now is tried again with the next job.
    pub(super) fn clear(&mut self, unit: &Unit, wanted: &Wanted, stock: &Stock) {
        let old = stock.certificates.iter().filter(|name| is_alias(name) && !wanted.holds(Kind::Certificate, name));
        let removed: Vec<bool> = old.map(|name| remove(unit, Kind::Certificate, name)).collect();
        self.is_clear = !wanted.has(Kind::Certificate) && removed.into_iter().all(|removed| removed);
        self.modules.retain(|name| {
            let is_there = stock.modules.contains_key(name);
            wanted.holds(Kind::JsModule, name) || (is_there && !remove(unit, Kind::JsModule, name))
        });
        self.modules.extend(wanted.uploads_of(Kind::JsModule).map(|upload| upload.stored.to_owned()));
    }

    /// What of the wanted is not there, as paths; nothing if it cannot be told.
    pub(super) fn missing(&self, unit: &Unit, wanted: &Wanted) -> Vec<String> {
        if wanted.uploads().next().is_none() {
            return Vec::new();
        }
        let Ok(stock) = self.look(unit, wanted) else { return Vec::new() };
        let lacking = wanted.uploads().filter(|upload| !stock.has(upload));
        lacking.filter_map(|upload| upload.kind.path(upload.name)).map(|path| path.to_string()).collect()
    }
}

/// Removes what was uploaded for nothing.
pub(super) fn take_back(unit: &Unit, uploaded: &[Upload<'_>]) {
    for upload in uploaded {
        remove(unit, upload.kind, upload.stored);
    }
}

/// Removes one. Says whether it is gone.
pub(super) fn remove(unit: &Unit, kind: Kind, stored: &str) -> bool {
    let answer = unit.request("DELETE", &resource_path(kind.member(), stored), None);
    let gone = answer.is_ok_and(|reply| matches!(reply.status, 200 | 404));
    if !gone {
        log::debug!(target: "server", "{kind} {stored:?} cannot be removed from the server yet");
    }
    gone
}

fn put(unit: &Unit, wanted: &Wanted, upload: &Upload<'_>) -> Result<(), Outcome> {
    let path = resource_path(upload.kind.member(), upload.stored);
    let reply = match unit.request("PUT", &path, Some(upload.content.as_bytes())) {
        Ok(reply) => reply,
        Err(Failure::Unreachable(why)) => return Err(Outcome::Unreachable(why)),
        Err(failure) => return Err(Outcome::Unknown(format!("{} {:?} was uploaded: {failure}", upload.kind, upload.name))),
    };
    match reply.status {
        200 => {
            log::debug!(target: "server", "{} {:?} uploaded", upload.kind, upload.name);
            Ok(())
        }
        // An alias names its content, so whoever was quicker has uploaded just this.
        400 if upload.kind == Kind::Certificate && is_there(unit, upload) => Ok(()),
        404 => Err(Outcome::Refused(unsupported(upload))),
        status => {
            let reason = format!("this host's server does not take the {}", noun(upload.kind));
            Err(Outcome::Refused(Refusal { status, body: wanted.aliases().plain_words(&reply.body), reason }))
        }
    }
}

fn is_there(unit: &Unit, upload: &Upload<'_>) -> bool {
    unit.request("GET", &resource_path(upload.kind.member(), upload.stored), None).is_ok_and(|reply| reply.status == 200)
}

fn certificates(unit: &Unit, wanted: &Wanted) -> Result<BTreeSet<String>, Outcome> {
    match unit.request("GET", &collection(Kind::Certificate), None) {
        Ok(reply) if reply.status == 200 => Ok(members(&reply.body)?.into_iter().map(|(name, _)| name).collect()),
        // Built without TLS: there are none.
        Ok(reply) if reply.status == 404 => Ok(BTreeSet::new()),
        Ok(reply) => Err(unexpected(Kind::Certificate, reply.status)),
        // Too many to come whole. Those that matter are asked for one by one; old ones stay until there are fewer.
        Err(Failure::Cut { .. }) => {
            let there = wanted.uploads_of(Kind::Certificate).filter(|upload| is_there(unit, upload));
            Ok(there.map(|upload| upload.stored.to_owned()).collect())
        }
        Err(failure) => Err(Outcome::Unreachable(failure.to_string())),
    }
}

fn modules(unit: &Unit, wanted: &Wanted) -> Result<BTreeMap<String, String>, Outcome> {
    match unit.request("GET", &collection(Kind::JsModule), None) {
        Ok(reply) if reply.status == 200 => {
            let all = members(&reply.body)?.into_iter();
            Ok(all.filter_map(|(name, source)| Some((name, source.as_str()?.to_owned()))).collect())
        }
        Ok(reply) if reply.status == 404 => Ok(BTreeMap::new()),
        Ok(reply) => Err(unexpected(Kind::JsModule, reply.status)),
        Err(Failure::Cut { .. }) => {
            wanted.uploads_of(Kind::JsModule).filter_map(|upload| module(unit, &upload).transpose()).collect()
        }
        Err(failure) => Err(Outcome::Unreachable(failure.to_string())),
    }
}

/// One module of many.
fn module(unit: &Unit, upload: &Upload<'_>) -> Result<Option<(String, String)>, Outcome> {
    let source = match unit.request("GET", &resource_path(upload.kind.member(), upload.stored), None) {
        Ok(reply) if reply.status == 200 => {
            json::parse_own(&reply.body).ok().and_then(|source| Some(source.as_str()?.to_owned()))
        }
        Ok(_) => None,
        // One that is too long to come whole is there; its beginning and its length are all that there is to go by.
        Err(Failure::Cut { received, expected }) => {
            let wanted = json::unit_format(&upload.content.into()).into_bytes();
            let same = wanted.len() as u64 == expected && wanted.starts_with(&received);
            Some(if same { upload.content.to_owned() } else { String::new() })
        }
        Err(failure) => return Err(Outcome::Unreachable(failure.to_string())),
    };
    Ok(source.map(|source| (upload.stored.to_owned(), source)))
}

fn members(body: &[u8]) -> Result<Map<String, Value>, Outcome> {
    match json::parse_own(body) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Outcome::Unknown("the server's list of certificates or modules cannot be read".into())),
    }
}

fn unexpected(kind: Kind, status: u16) -> Outcome {
    Outcome::Unknown(format!("GET {} is answered with {status}", collection(kind)))
}

/// A server that was built without TLS or without njs answers as if it had never heard of them.
fn unsupported(upload: &Upload<'_>) -> Refusal {
    let lacking = match upload.kind {
        Kind::Certificate => "this host's server was built without TLS",
        Kind::JsModule => "this host's server was built without njs",
    };
    let detail = format!("{} \"{}\" cannot be stored: {lacking}.", upload.kind, upload.name);
    let members = [("error", "Invalid configuration.".to_owned()), ("detail", detail)];
    let body = members.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    Refusal { status: 400, body: json::unit_format(&Value::Object(body)).into_bytes(), reason: lacking.to_owned() }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Certificate => "certificate",
        Kind::JsModule => "JS module",
    }
}

fn collection(kind: Kind) -> String {
    format!("/{}", kind.member())
}
