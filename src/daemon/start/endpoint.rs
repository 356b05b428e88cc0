//! The REST endpoint: who may use it, and how its requests come to the loop.
//!
//! Group, mode and token are looked up here, once, before the gate opens; the gate is only told
//! numbers and texts.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::mpsc::TrySendError;

use super::RunError;
use crate::daemon::clock::Clock;
use crate::daemon::event_loop::LoopEvent;
use crate::daemon::gate::{self, Gate, GateSettings, HttpResponse, Responder, Rights, TcpApi};
use crate::daemon::loop_queue::LoopSender;
use crate::daemon::pulse::Pulse;
use crate::daemon::{api, system};
use crate::limits::{LOOP_RETRY, TOKEN_FILE_MAX};
use crate::node::ask::Ask;
use crate::settings::Settings;

/// Opens the gate, whose requests are asked of the loop.
pub(super) fn open_gate(
    settings: &Settings,
    clock: Clock,
    pulse: &Pulse,
    events: &LoopSender<LoopEvent>,
) -> Result<Gate, RunError> {
    let token = settings
        .api_token_file
        .as_ref()
        .map(read_token)
        .transpose()?;
    let api = settings.api.map(|listen| TcpApi { listen, token });
    let (pulse, events) = (pulse.clone(), events.clone());
    let gate = gate::start(
        GateSettings {
            control: settings.control.clone(),
            rights: rights(settings)?,
            api,
        },
        move |request, responder| match api::ask(&request, clock.now().wall_ms) {
            Ok(ask) => ask_loop(&events, &pulse, (ask, responder)),
            Err(response) => responder.respond(Box::new(move || response)),
        },
    )?;
    log::info!("REST on {}", gate.control().display());
    if let Some(address) = gate.api() {
        log::info!("REST on http://{address}");
    }
    if let Some(note) = settings.shows_all() {
        log::warn!("{note}");
    }
    Ok(gate)
}

fn rights(settings: &Settings) -> Result<Rights, RunError> {
    let number = |group: &String| {
        system::group(group).ok_or_else(|| {
            RunError::Setting(format!(
                "--control-group {group}: not in {}",
                system::GROUPS
            ))
        })
    };
    let group = settings.control_group.as_ref().map(number).transpose()?;
    Ok(Rights {
        mode: settings.control_mode,
        group,
    })
}

fn read_token(path: &PathBuf) -> Result<String, RunError> {
    let wrong = |why: String| RunError::Setting(format!("token file {}: {why}", path.display()));
    // Looked at as it is open: what is read is what was judged.
    let mut file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let found = file.metadata().map_err(|error| wrong(error.to_string()))?;
    let owner = found.uid();
    if owner != 0 && system::own_user().is_some_and(|user| user != owner) {
        return Err(wrong(format!(
            "it belongs to user {owner}, who could change it: chown it to the user that runs, or \
             to root"
        )));
    }
    if found.len() > TOKEN_FILE_MAX {
        return Err(wrong(format!(
            "{} bytes are too many for a token",
            found.len()
        )));
    }
    if found.mode() & 0o077 != 0 {
        return Err(wrong(format!(
            "others can read it: chmod 600 {}",
            path.display()
        )));
    }
    let mut text = String::new();
    file.by_ref()
        .take(TOKEN_FILE_MAX)
        .read_to_string(&mut text)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(text.trim().to_owned())
}

/// Asks the loop something for a client, unless it stands: then the client is told so.
fn ask_loop(
    events: &LoopSender<LoopEvent>,
    pulse: &Pulse,
    (mut ask, mut responder): (Ask, Responder),
) {
    while !pulse.stands() {
        match events.try_send(LoopEvent::Asked(ask, responder)) {
            Err(TrySendError::Full(LoopEvent::Asked(again, to))) => (ask, responder) = (again, to),
            _taken_or_nobody_left => return,
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the loop's queue is full, and nobody tells when it is not"
        )]
        std::thread::sleep(LOOP_RETRY);
    }
    responder.respond(Box::new(|| {
        HttpResponse::error(503, "The daemon stands still.", "")
    }));
}
