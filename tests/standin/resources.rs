//! What unitd answers at which path: the configuration, certificates, modules, status and control.
//!
//! The order of the checks is unitd's, and so are the texts, which differ from one resource to the
//! next.

use std::sync::MutexGuard;
use std::time::Duration;

use starlingd::model::json::{self, Value};

use super::certificate::Certificate;
use super::config::{self, Denied, listing};
use super::exchange::{Answer, Request, object};
use super::faults::Ending;
use super::{Shared, World, modules, moments, validate};

impl Shared {
    /// A request that changes nothing. One for the configuration is answered at once, the others
    /// after the change under way.
    pub(super) fn look(&self, request: &Request, run: u64) -> Option<Answer> {
        let (tokens, method) = (config::tokens(&request.target)?, request.method.as_str());
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let at_once = method != "GET"
            || matches!(
                tokens.first(),
                Some(&"config" | &"certificates" | &"js_modules")
            );
        let _turn = (!at_once).then(|| self.turn());
        let mut world = self.wait(run, Duration::MAX)?;
        world.stats.reads += 1;
        Some(match (method, tokens.split_first()) {
            (_, Some((&"certificates", _))) if world.faults.no_tls => Answer::error(404, ABSENT),
            (_, Some((&"js_modules", _))) if world.faults.no_js => Answer::error(404, ABSENT),
            ("GET", Some((&"config", path))) => {
                found(config::find(&world.state.config, path), ABSENT)
            }
            ("GET", Some((&"status", path))) => {
                found(config::find(&status(&world.state.config), path), WRONG_PATH)
            }
            ("GET", Some((&"certificates", _))) => certificate(&world, &request.target)?,
            ("GET", Some((&"js_modules", _))) => module(&world, &request.target)?,
            ("GET", Some((&"control", ["applications", name, "restart"]))) => {
                restart(&mut world, name)
            }
            ("GET", None) => Answer::listing(&everything(&world)),
            ("GET", Some(_)) => Answer::error(404, ABSENT),
            (_, Some((&"control", []))) => Answer::error(404, ABSENT),
            (_, Some((&"config" | &"control", _))) => Answer::error(405, NOT_ALLOWED),
            (_, Some((&"certificates", path))) if path.len() != 1 => {
                Answer::error(400, CERTIFICATE_NAME)
            }
            (_, Some((&"js_modules", path))) if path.len() != 1 => Answer::error(400, MODULE_NAME),
            (_, _) => Answer::error(405, NO_METHOD),
        })
    }

    /// PUT, POST or DELETE.
    pub(super) fn change(&self, request: &Request, run: u64) -> Option<Answer> {
        let _turn = self.turn();
        let mut world = self.wait(run, Duration::MAX)?;
        world.stats.writes += 1;
        let tokens = config::tokens(&request.target)?;
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        match tokens.split_first() {
            Some((&"certificates", _)) if !world.faults.no_tls => {
                store_certificate(&mut world, request)
            }
            Some((&"js_modules", _)) if !world.faults.no_js => store_module(&mut world, request),
            Some((&"config", path)) => self.edit(world, request, path, run),
            Some((&"control", [])) => Some(Answer::error(404, ABSENT)),
            Some((&"control", _)) => Some(Answer::error(405, NOT_ALLOWED)),
            Some((&"status", _)) | None => Some(Answer::error(405, NO_METHOD)),
            Some(_) => Some(Answer::error(404, ABSENT)),
        }
    }

    fn edit(
        &self,
        world: MutexGuard<'_, World>,
        request: &Request,
        path: &[&str],
        run: u64,
    ) -> Option<Answer> {
        let body = match request.method.as_str() {
            "DELETE" => Value::Null,
            _ => match json::parse(&request.body) {
                Ok(body) => body,
                Err(error) => return Some(Answer::invalid_json(&error)),
            },
        };
        let mut next = world.state.config.clone();
        match config::edit(&mut next, &request.method, path, body) {
            Ok(()) => self.apply(world, next, run),
            Err(Denied::Crash) => None,
            Err(Denied::Missing) => Some(Answer::error(404, ABSENT)),
            Err(Denied::NotAllowed) => Some(Answer::error(405, NOT_ALLOWED)),
            Err(Denied::TooLong) => Some(Answer::error(500, "Memory allocation failed.")),
        }
    }

    /// Validates the whole, takes its time, and puts it in force unless a fault says otherwise.
    fn apply(&self, world: MutexGuard<'_, World>, next: Value, run: u64) -> Option<Answer> {
        let text = json::compact(&next);
        let refusal = world
            .faults
            .refusal(&text)
            .or_else(|| validate::refusal(&next, &world.state.named()));
        if let Some(refusal) = refusal {
            let at = world.faults.freeunit.then_some(refusal.at.as_str());
            let detail = refusal
                .freeunit
                .as_ref()
                .filter(|_| at.is_some())
                .unwrap_or(&refusal.detail);
            return Some(Answer::invalid_configuration(detail, at));
        }
        let slow = world.faults.slow;
        drop(world);
        let mut world = self.wait(run, slow)?;
        let ending = world.faults.ending();
        if ending == Ending::CloseNotApplied {
            return None;
        }
        if world.faults.failure(&text)
            || validate::cannot_run(&next, &world.state.config, &world.state.certificates)
        {
            return Some(Answer::error(500, "Failed to apply new configuration."));
        }
        let World {
            stats,
            state,
            before,
            ..
        } = &mut *world;
        stats.count(&state.config, &next);
        *before = std::mem::replace(&mut state.config, next);
        if let Some(name) = &self.setup.moments {
            moments::print(name, &text);
        }
        (ending == Ending::Answer).then(|| Answer::success("Reconfiguration done."))
    }
}

/// The name in the path, and what is below it; in a name `%2F` and `%25` stay as they are.
fn name_and_rest(target: &str) -> Option<(String, Vec<String>)> {
    let kept = target
        .replace("%25", "%2525")
        .replace("%2F", "%252F")
        .replace("%2f", "%252f");
    let mut tokens = config::tokens(&kept)?.into_iter().skip(1);
    Some((tokens.next().unwrap_or_default(), tokens.collect()))
}

fn certificate(world: &World, target: &str) -> Option<Answer> {
    let (name, rest) = name_and_rest(target)?;
    if name.is_empty() {
        return Some(Answer::listing(&world.state.shown_certificates()));
    }
    let path: Vec<&str> = rest.iter().map(String::as_str).collect();
    Some(match world.state.certificates.get(&name) {
        Some(certificate) => found(config::find(&certificate.shown, &path), WRONG_PATH),
        None => Answer::error(404, NO_CERTIFICATE),
    })
}

fn module(world: &World, target: &str) -> Option<Answer> {
    let (name, rest) = name_and_rest(target)?;
    if name.is_empty() {
        return Some(Answer::listing(&world.state.shown_modules()));
    }
    let source = world.state.modules.get(&name).filter(|_| rest.is_empty());
    Some(source.map_or_else(
        || Answer::error(404, NO_MODULE),
        |source| Answer::listing(&source.as_str().into()),
    ))
}

fn store_certificate(world: &mut World, request: &Request) -> Option<Answer> {
    let (name, rest) = name_and_rest(&request.target)?;
    if name.is_empty() || !rest.is_empty() {
        return Some(Answer::error(400, CERTIFICATE_NAME));
    }
    let World {
        state,
        faults,
        stats,
        ..
    } = world;
    Some(match request.method.as_str() {
        "PUT" => {
            match Certificate::parse(&request.body).filter(|_| !faults.refuses_upload(&name)) {
                None => Answer::error(400, "Invalid certificate."),
                Some(_) if state.certificates.contains_key(&name) => {
                    Answer::error(400, "Certificate already exists.")
                }
                Some(certificate) => {
                    state.certificates.insert(name, certificate);
                    stats.uploads += 1;
                    Answer::success("Certificate chain uploaded.")
                }
            }
        }
        "DELETE" if validate::certificates(&state.config).contains(&name.as_str()) => {
            Answer::error(400, "Certificate is used in the configuration.")
        }
        "DELETE" if state.certificates.remove(&name).is_some() => {
            stats.removals += 1;
            Answer::success("Certificate deleted.")
        }
        "DELETE" => Answer::error(404, NO_CERTIFICATE),
        _ => Answer::error(405, NO_METHOD),
    })
}

fn store_module(world: &mut World, request: &Request) -> Option<Answer> {
    let (name, rest) = name_and_rest(&request.target)?;
    if name.is_empty() || !rest.is_empty() {
        return Some(Answer::error(400, MODULE_NAME));
    }
    let World {
        state,
        faults,
        stats,
        ..
    } = world;
    Some(match request.method.as_str() {
        "PUT" => match modules::source(&name, &request.body) {
            Err(detail) => Answer::invalid_module(&detail),
            Ok(_) if faults.refuses_upload(&name) => {
                Answer::invalid_module("\"this name is refused here\"")
            }
            Ok(_) if state.modules.contains_key(&name) => {
                Answer::error(400, "JS module already exists.")
            }
            Ok(source) => {
                state.modules.insert(name, source);
                stats.uploads += 1;
                Answer::success("JS module uploaded.")
            }
        },
        "DELETE" if validate::modules(&state.config).contains(&name.as_str()) => {
            Answer::error(400, "JS module is used in the configuration.")
        }
        "DELETE" if state.modules.remove(&name).is_some() => {
            stats.removals += 1;
            Answer::success("JS module deleted.")
        }
        "DELETE" => Answer::error(404, NO_MODULE),
        _ => Answer::error(405, NO_METHOD),
    })
}

fn restart(world: &mut World, name: &str) -> Answer {
    if config::find(&world.state.config, &["applications", name]).is_none() {
        return Answer::error(404, ABSENT);
    }
    world.stats.asked_restarts += 1;
    Answer::success("Ok")
}

fn found(value: Option<&Value>, otherwise: &str) -> Answer {
    value.map_or_else(
        || Answer::error(404, otherwise),
        |value| Answer::listing(&listing(value)),
    )
}

/// A server that nobody has asked anything yet, with the one module of the recorded one, and a
/// process for each application.
fn status(config: &Value) -> Value {
    let zero = |name| (name, Value::from(0));
    let python = object([
        ("version", "3.11.2".into()),
        (
            "lib",
            "/usr/lib/x86_64-gnu/unit/modules/python3.unit.so".into(),
        ),
    ]);
    let processes = object([
        ("running", 1.into()),
        ("starting", 0.into()),
        ("idle", 1.into()),
    ]);
    let application = object([
        ("processes", processes),
        ("requests", object([zero("active")])),
    ]);
    let applications = config.get("applications").and_then(Value::as_object);
    let applications = applications
        .into_iter()
        .flatten()
        .map(|(name, _)| (name.clone(), application.clone()));
    object([
        ("modules", object([("python", python)])),
        (
            "connections",
            object(["accepted", "active", "idle", "closed"].map(zero)),
        ),
        ("requests", object([zero("total")])),
        ("applications", Value::Object(applications.collect())),
    ])
}

fn everything(world: &World) -> Value {
    let state = &world.state;
    let mut all = object([
        ("certificates", state.shown_certificates()),
        ("js_modules", state.shown_modules()),
        ("config", listing(&state.config)),
        ("status", status(&state.config)),
    ]);
    if let Value::Object(members) = &mut all {
        members.retain(|name, _| {
            !(name == "certificates" && world.faults.no_tls
                || name == "js_modules" && world.faults.no_js)
        });
    }
    all
}

const ABSENT: &str = "Value doesn't exist.";
const WRONG_PATH: &str = "Invalid path.";
const NOT_ALLOWED: &str = "Method isn't allowed.";
const NO_METHOD: &str = "Invalid method.";
const NO_CERTIFICATE: &str = "Certificate doesn't exist.";
const NO_MODULE: &str = "JS module doesn't exist.";
const CERTIFICATE_NAME: &str = "Invalid certificate name.";
const MODULE_NAME: &str = "Invalid JS module name.";
