//! The configurations that are kept of what somebody had put on the server: listed, shown,
//! acknowledged, and published again.
//!
//! What is published is what was changed there, as an ordinary change of the head: where the head
//! has something else by now than the server had been given then, or where this host's overlay
//! acts, nothing is guessed and the change is refused.

use super::Local;
use crate::node::answer::Answer;
use crate::node::context::Context;
use crate::node::effect::{DiskJob, Effect};
use crate::node::input::ClientId;
use crate::node::refusal::{Denial, DiskFault, RequestFault};
use crate::node::waiting::Waiting;

impl Local {
    /// The one file whose name is this, or begins or ends so.
    pub(in crate::node) fn drift_file(&self, given: &str) -> Result<String, Denial> {
        let names = || self.kept_files().iter().map(|file| &file.name);
        if let Some(name) = names().find(|name| *name == given) {
            return Ok(name.clone());
        }
        let matches: Vec<&String> = names()
            .filter(|name| !given.is_empty() && name.contains(given))
            .collect();
        match matches[..] {
            [name] => Ok(name.clone()),
            [] => Err(RequestFault::NoSuchFile {
                name: given.to_owned(),
            }
            .into()),
            _ => Err(RequestFault::ManyFiles {
                count: matches.len(),
            }
            .into()),
        }
    }

    pub(in crate::node) fn acknowledge_drift(
        &mut self,
        cx: &mut Context,
        client: ClientId,
        name: &str,
    ) {
        match self.drift_file(name) {
            Err(denial) => cx.reply(client, denial),
            Ok(name) => {
                let ticket = cx.ticket(Waiting::Acknowledged(client, name.clone()));
                cx.disk(DiskJob::AcknowledgeDrift(ticket, name));
            }
        }
    }

    /// That somebody has seen a file is on disk, or could not be written.
    pub(in crate::node) fn is_acknowledged(
        &mut self,
        cx: &mut Context,
        client: ClientId,
        name: &str,
        result: Result<(), String>,
    ) {
        if let Err(error) = result {
            return cx.reply(client, DiskFault::NotAcknowledged { reason: error });
        }
        if let Some(file) = self.kept_file_mut(name) {
            file.acknowledged = true;
            let answer = Answer::Acknowledged(Box::new(file.clone()));
            cx.effects.push(Effect::Answer(client, answer));
            return cx.own_record_changed();
        }
        cx.reply(client, RequestFault::FileReplaced);
    }
}
