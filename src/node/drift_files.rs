//! The configurations that are kept of what somebody had put on the server: listed, shown,
//! acknowledged, and published again.
//!
//! What is published is what was changed there, as an ordinary change of the head: where the head
//! has something else by now than the server had been given then, or where this host's overlay
//! acts, nothing is guessed and the change is refused.

use super::Node;
use super::Waiting;
use super::answer::{Answer, Problem};
use super::effect::{DiskJob, Effect};
use super::input::{Ask, ClientId, Ticket};
use super::kept_file::{Changed, changes_in};
use super::plan::Plan;
use super::writes::Wish;
use super::{Changes, Context, Local};
use crate::limits::{NEEDED_MAX, OPERATIONS_MAX};
use crate::model::edit::{Change, Op};
use crate::model::json;

/// Who wants a file published.
pub(super) struct Adopting {
    client: ClientId,
    name: String,
    if_match: Option<String>,
    note: String,
}

impl Node {
    /// A question about the files, or something to be done with one.
    pub(super) fn ask_of_drifts(&mut self, client: ClientId, ask: Ask) {
        let answer = match ask {
            Ask::Drifts(None) => Answer::Json(self.local.drifts_view()),
            Ask::Drifts(Some(name)) => match self.local.drift_file(&name) {
                Ok(name) => Answer::KeptDrift(name),
                Err(problem) => problem.into(),
            },
            Ask::AcknowledgeDrift(name) => {
                return self.local.acknowledge_drift(&mut self.cx, client, &name);
            }
            Ask::AdoptDrift {
                name,
                if_match,
                note,
            } => return self.adopt_drift(client, &name, if_match, note),
            _ => Problem::new(500, "This cannot be.", "").into(),
        };
        self.cx.effects.push(Effect::Answer(client, answer));
    }

    fn adopt_drift(
        &mut self,
        client: ClientId,
        name: &str,
        if_match: Option<String>,
        note: String,
    ) {
        let name = match self.local.drift_file(name) {
            Ok(name) => name,
            Err(problem) => return self.cx.reply(client, problem),
        };
        let read = self
            .cx
            .tickets
            .values()
            .filter(|waiting| matches!(waiting, Waiting::Adopting(_)))
            .count();
        if read + self.changes.writes.holding() >= NEEDED_MAX {
            return self.cx.reply(
                client,
                Problem::new(
                    503,
                    "Too many files are being read for changes.",
                    "try again in a moment",
                ),
            );
        }
        let note = if note.is_empty() {
            format!("what {name} holds")
        } else {
            note
        };
        let ticket = self.cx.ticket(Waiting::Adopting(Adopting {
            client,
            name: name.clone(),
            if_match,
            note,
        }));
        self.cx.effects.push(Effect::LoadDrift(ticket, name));
    }

    /// What was changed on the server, as a change made on the head.
    pub(super) fn plan_adoption(&self, changes: &[Changed]) -> Result<Plan, Answer> {
        let before = self.base_document()?;
        let head = self.store.head(&self.cx).map(|head| head.id());
        let refused =
            |error, detail: String| Answer::from(Problem::new(409, error, detail).at(head));
        if changes.len() > OPERATIONS_MAX {
            return Err(refused(
                "That is more than one change may touch.",
                "take from the file what is wanted by hand".into(),
            ));
        }
        let effective = self.cx.setup.overlay.apply(&before).map_err(|unfit| {
            refused(
                "The document and this host do not go together.",
                unfit.to_string(),
            )
        })?;
        let mut ops = Vec::new();
        for Changed { path, was, now } in changes {
            let present = before.get(path);
            let is = |other: &Option<_>| match (present, other) {
                (Some(present), Some(other)) => json::same(present, other),
                (present, other) => present.is_none() && other.is_none(),
            };
            if is(now) {
                continue;
            }
            if effective.is_own(&path.to_string()) {
                let detail = format!(
                    "{path}: change the overlay on this host, or the document with PUT, and see GET /fleet/effective"
                );
                return Err(refused(
                    "The difference lies where this host's overlay or variables act.",
                    detail,
                ));
            }
            if !is(was) {
                return Err(refused(
                    "It collides with a newer change.",
                    path.to_string(),
                ));
            }
            let change = now.clone().map_or(Change::Delete, Change::Put);
            ops.push(Op {
                path: path.clone(),
                change,
            });
        }
        self.store.plan_of(&self.cx, before, ops)
    }
}

impl Local {
    /// The one file whose name is this, or begins or ends so.
    fn drift_file(&self, given: &str) -> Result<String, Problem> {
        let names = || self.kept_files().iter().map(|file| &file.name);
        if let Some(name) = names().find(|name| *name == given) {
            return Ok(name.clone());
        }
        let matches: Vec<&String> = names()
            .filter(|name| !given.is_empty() && name.contains(given))
            .collect();
        match matches[..] {
            [name] => Ok(name.clone()),
            [] => Err(Problem::new(
                404,
                "No such file.",
                format!("nothing that is kept here is called {given}"),
            )),
            _ => Err(Problem::new(
                409,
                "More than one file.",
                format!("{} that are kept here are called so", matches.len()),
            )),
        }
    }

    fn acknowledge_drift(&mut self, cx: &mut Context, client: ClientId, name: &str) {
        match self.drift_file(name) {
            Err(problem) => cx.reply(client, problem),
            Ok(name) => {
                let ticket = cx.ticket(Waiting::Acknowledged(client, name.clone()));
                cx.disk(DiskJob::AcknowledgeDrift(ticket, name));
            }
        }
    }

    /// That somebody has seen a file is on disk, or could not be written.
    pub(super) fn is_acknowledged(
        &mut self,
        cx: &mut Context,
        client: ClientId,
        name: &str,
        result: Result<(), String>,
    ) {
        if let Err(error) = result {
            return cx.reply(client, Problem::new(507, "That cannot be stored.", error));
        }
        if let Some(file) = self.kept_file_mut(name) {
            file.acknowledged = true;
            let view = file.to_json();
            cx.effects.push(Effect::Answer(client, Answer::Json(view)));
            return cx.own_record_changed();
        }
        cx.reply(
            client,
            Problem::new(
                404,
                "No such file.",
                "it has just made room for a newer one",
            ),
        );
    }
}

impl Changes {
    /// A file was read, if it was for this: else the ticket is still to be answered.
    pub(super) fn drift_loaded(
        &mut self,
        cx: &mut Context,
        ticket: Ticket,
        read: &Result<Option<Vec<u8>>, String>,
    ) -> bool {
        if !matches!(cx.tickets.get(&ticket), Some(Waiting::Adopting(_))) {
            return false;
        }
        let Some(Waiting::Adopting(adopting)) = cx.tickets.remove(&ticket) else {
            return false;
        };
        let Adopting {
            client,
            name,
            if_match,
            note,
        } = adopting;
        let changes = match read {
            Ok(Some(text)) => changes_in(text).ok_or_else(|| {
                let detail =
                    format!("{name} does not say what the server had been given before: take from it what is wanted by hand");
                Problem::new(409, "What was changed is not known.", detail)
            }),
            Ok(None) => Err(Problem::new(404, "No such file.", format!("{name} is not there any more"))),
            Err(reason) => Err(Problem::new(500, "The file cannot be read.", reason)),
        };
        match changes {
            Ok(changes) => self.wish(cx, client, Wish::Adopt(changes), if_match, note, Vec::new()),
            Err(problem) => cx.reply(client, problem),
        }
        true
    }
}
