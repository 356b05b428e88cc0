//! From what the server has to what it is to have, and back if it will not.
//!
//! First comes what the new configuration may name, then the configuration; what only the old one
//! named goes last, so that at no moment the configuration names something that is not there. Only
//! a module of another source under the same name does not fit into that, because Unit lets nobody
//! touch one that is in use: one that the new configuration does not name is replaced after it, one
//! that both name needs the listeners closed for a moment. If the server refuses in the end,
//! everything is put back as it was.

use super::TargetWorker;
use super::inventory::{Lacking, ResourceLists, WantedDocument, called, words};
use crate::daemon::unit::{Reply, RequestFailure, ResourceList, ResourceState};
use crate::model::alias::alias;
use crate::model::aliases::Aliases;
use crate::model::json::{Map, Value, object};
use crate::model::resources::{self, Named, ResourceKind};
use crate::node::input::Outcome;

/// What has been done to the server for a change, besides its configuration.
#[derive(Default)]
struct StepsTaken {
    /// Resources that were uploaded, and were not there before.
    uploaded: Vec<Named>,
    /// Modules that are others now, with the sources that they had, where those are known.
    replaced: Vec<(String, Option<String>)>,
    /// Modules to be replaced once the old configuration is gone.
    late: Vec<Lacking>,
    /// The configuration that ran before the listeners were closed for this.
    paused: Option<Value>,
}

impl TargetWorker {
    /// Has the server take the document. `before` is what it runs, if that is known.
    pub(super) fn change(
        &mut self,
        wanted: WantedDocument,
        lacking: Vec<Lacking>,
        before: Option<&Value>,
        lists: &ResourceLists,
        accepted: &dyn Fn(),
    ) -> Outcome {
        let last = self.seen.as_ref().map(|seen| seen.config().clone());
        let mut done = StepsTaken::default();
        let outcome = match self.bring(&wanted, lacking, before, &mut done) {
            Ok(()) => {
                let before = done.paused.as_ref().or(before);
                self.put(&wanted, before, last.as_deref(), accepted)
            }
            Err(outcome) => outcome,
        };
        match outcome {
            Outcome::Applied | Outcome::Unverified(_) => {
                for module in &done.late {
                    if let Err(failed) = self.replace(module, &wanted.aliases, &mut Vec::new()) {
                        let (what, why) = (called(module.kind, &module.plain), why(failed));
                        log::warn!(target: "server", "{what} could not be replaced on the server: {why}");
                    }
                }
                self.took(wanted, lists);
                outcome
            }
            Outcome::Refused(_) => {
                self.undo(done);
                outcome
            }
            Outcome::Unreachable(why) if !done.replaced.is_empty() || done.paused.is_some() => {
                self.to_remove.extend(done.uploaded);
                Outcome::Unknown(format!("{why}, while modules were being replaced"))
            }
            other => {
                self.to_remove.extend(done.uploaded);
                other
            }
        }
    }

    /// The server runs this document: what the one before needed is not needed any more.
    pub(super) fn took(&mut self, wanted: WantedDocument, lists: &ResourceLists) {
        self.own.took(wanted.document.fingerprint());
        self.interim = None;
        if let Some(before) = self.taken.replace(wanted) {
            for kind in ResourceKind::ALL {
                let names = before.held(kind).map(|(_, name, _)| name.to_owned());
                self.to_remove
                    .extend(names.map(|name| Named { kind, name }));
            }
        }
        self.remove_unneeded(lists);
        self.find_leftovers(lists);
    }

    fn bring(
        &mut self,
        wanted: &WantedDocument,
        lacking: Vec<Lacking>,
        before: Option<&Value>,
        done: &mut StepsTaken,
    ) -> Result<(), Outcome> {
        let (mut others, new): (Vec<_>, Vec<_>) =
            lacking.into_iter().partition(|lacking| lacking.is_other);
        for lacking in new {
            self.upload(&lacking, &wanted.aliases)?;
            done.uploaded.push(Named {
                kind: lacking.kind,
                name: lacking.name,
            });
        }
        if others.is_empty() {
            return Ok(());
        }
        others
            .iter_mut()
            .try_for_each(|module| self.keep_other(module))?;
        let running = match before {
            Some(before) => before.clone(),
            None => self.running()?,
        };
        let (now, then) = (
            resources::js_modules(&running),
            resources::js_modules(wanted.config()),
        );
        let (used, unused): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|module| now.contains(module.name.as_str()));
        let (both, late): (Vec<_>, Vec<_>) = used
            .into_iter()
            .partition(|module| then.contains(module.name.as_str()));
        done.late = late;
        for module in &unused {
            self.replace(module, &wanted.aliases, &mut done.replaced)?;
        }
        if !both.is_empty() {
            self.pause(&running, &both)?;
            done.paused = Some(running.clone());
        }
        both.iter()
            .try_for_each(|module| self.replace(module, &wanted.aliases, &mut done.replaced))
    }

    /// The source that a module is about to take the place of is kept on the server itself, under a
    /// name of its own, unless it is that of the document before: nobody else may have it.
    fn keep_other(&mut self, module: &mut Lacking) -> Result<(), Outcome> {
        let unkept = |failure: RequestFailure| {
            Outcome::Unreadable(format!("{}: {failure}", called(module.kind, &module.plain)))
        };
        let before = self.taken.as_ref().and_then(|taken| {
            taken
                .held(module.kind)
                .find(|(_, name, _)| *name == module.name)
        });
        let before = before.map(|(.., text)| text);
        // Of one that does not come whole it can be told whether it is this one, and no more.
        let stands = |text: &str| {
            self.unit
                .resource_state(&ResourceList::UNREAD, module.kind, &module.name, text)
                == Ok(ResourceState::There)
        };
        let source = match (&module.other, before) {
            (Some(source), _) => source.clone(),
            (None, Some(text)) if stands(text) => text.to_owned(),
            (None, _) => self.unit.module_source(&module.name).map_err(unkept)?,
        };
        if before.is_none_or(|text| text != source) {
            let name = alias(&module.name, &source);
            let (kind, plain, text) = (module.kind, name.clone(), source.clone());
            self.upload(
                &Lacking {
                    kind,
                    plain,
                    name: name.clone(),
                    text,
                    is_other: false,
                    other: None,
                },
                &Aliases::default(),
            )?;
            self.given.copied(&name);
            let what = called(module.kind, &module.plain);
            log::warn!(target: "server", "{what} was another on the server, which is kept there as {name:?}");
        }
        module.other = Some(source);
        Ok(())
    }

    /// Reads the configuration that the server runs.
    fn running(&self) -> Result<Value, Outcome> {
        self.unit.read_config().map_err(|failure| match failure {
            RequestFailure::Unreadable(why) => Outcome::Unreadable(why),
            failure => Outcome::Unreachable(failure.to_string()),
        })
    }

    /// The applications go on; nothing is listened for and no module is named.
    fn pause(&mut self, running: &Value, modules: &[Lacking]) -> Result<(), Outcome> {
        let names: Vec<_> = modules.iter().map(|module| module.plain.as_str()).collect();
        let names = names.join(", ");
        log::warn!(target: "server", "the listeners are closed for a moment: JS modules in use are replaced ({names})");
        let interim = self.interim.insert(paused(running)).clone();
        match self.send(&interim) {
            Ok(Reply { status: 200, .. }) => Ok(()),
            Ok(Reply { body, .. }) => Err(Outcome::Unreachable(format!(
                "it will not pause: {}",
                words(&body)
            ))),
            Err(RequestFailure::Unreachable(why)) => Err(Outcome::Unreachable(why)),
            Err(failure) => Err(Outcome::Unknown(format!(
                "{failure}, while modules were being replaced"
            ))),
        }
    }

    /// Puts a module in the place of another that is not in use.
    fn replace(
        &self,
        module: &Lacking,
        aliases: &Aliases,
        replaced: &mut Vec<(String, Option<String>)>,
    ) -> Result<(), Outcome> {
        match self.unit.remove(module.kind, &module.name) {
            Ok(Reply {
                status: 200 | 404, ..
            }) => {}
            Ok(Reply { body, .. }) => return Err(Outcome::Unreachable(words(&body))),
            Err(failure) => return Err(Outcome::Unknown(failure.to_string())),
        }
        replaced.push((module.name.clone(), module.other.clone()));
        self.upload(module, aliases)
    }

    /// Undoes the steps that were taken: the server gets back what it had.
    fn undo(&mut self, done: StepsTaken) {
        let told = |what: &str, result: Result<Reply, RequestFailure>| match result {
            Ok(Reply { status: 200, .. }) => {}
            Ok(Reply { body, .. }) => {
                log::warn!(target: "server", "{what} could not be put back: {}", words(&body))
            }
            Err(failure) => log::warn!(target: "server", "{what} could not be put back: {failure}"),
        };
        for (name, source) in done.replaced {
            // It may not be there: the new one may have been refused.
            let _ = self.unit.remove(ResourceKind::JsModule, &name);
            if let Some(source) = source {
                told(
                    &called(ResourceKind::JsModule, &name),
                    self.unit.upload(ResourceKind::JsModule, &name, &source),
                );
            }
        }
        if let Some(running) = done.paused {
            told("the configuration", self.send(&running));
        }
        self.discard(done.uploaded);
    }
}

/// The reason of an outcome, on one line.
fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(refusal) => words(&refusal.body),
        Outcome::Unreachable(why)
        | Outcome::Unreadable(why)
        | Outcome::Unknown(why)
        | Outcome::Unverified(why) => why,
        Outcome::Applied
        | Outcome::Observed { .. }
        | Outcome::Found { .. }
        | Outcome::Unchanged => String::new(),
    }
}

/// A configuration in which no module is in use, and the same applications run.
fn paused(running: &Value) -> Value {
    let mut settings = running
        .get("settings")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    settings.retain(|name, _| name != "js_module");
    let mut paused = object! { "listeners": Map::new() };
    if !settings.is_empty() {
        paused.extend(object! { "settings": settings });
    }
    paused.extend(
        running
            .get("applications")
            .map(|applications| ("applications".to_owned(), applications.clone())),
    );
    Value::Object(paused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json;

    #[test]
    fn a_pause_leaves_applications_alone_and_names_no_module() {
        let running = json::parse(
            br#"{"listeners":{"*:1":{"pass":"routes"}},"settings":{"js_module":"m","http":{"idle_timeout":1}},
                "applications":{"a":{"type":"python","path":"/a"}},"routes":[{"action":{"location":"`${m.f()}`"}}]}"#,
        );
        let expected = r#"{"listeners":{},"settings":{"http":{"idle_timeout":1}},"applications":{"a":{"type":"python","path":"/a"}}}"#;
        assert_eq!(json::compact(&paused(&running.unwrap())), expected);
        assert_eq!(
            json::compact(&paused(&Value::Object(Map::new()))),
            r#"{"listeners":{}}"#
        );
    }
}
