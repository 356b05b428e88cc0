//! What somebody had put on the server past Starling, and how a server is given the head again,
//! over REST.
//!
//! A file is read on the answer thread, as revisions are: it may be as long as a configuration.

use std::path::Path as FilePath;

use super::json_body::json_response;
use super::{HttpResponse, if_match, note, only};
use crate::daemon::gate::HttpRequest;
use crate::daemon::state_dir::read_drift;
use crate::model::json;
use crate::node::ask::Command;
use crate::wire::forwarded::ForwardedRequest;

/// `POST /fleet/drift/FILE/acknowledge` and `…/adopt`
pub(super) fn deal_with(
    request: &HttpRequest,
    file: &str,
    adopts: bool,
) -> Result<Command, HttpResponse> {
    only("POST", request)?;
    let name = file.to_owned();
    Ok(match adopts {
        true => Command::AdoptDrift {
            name,
            if_match: if_match(request),
            note: note(request)?,
        },
        false => Command::AcknowledgeDrift(name),
    })
}

/// `POST /fleet/nodes/ID/repair`: what goes to that host is `POST /fleet/repair`.
pub(super) fn repair_host(request: &HttpRequest, id: &str) -> Result<Command, HttpResponse> {
    only("POST", request)?;
    let (method, target) = ("POST".to_owned(), "/fleet/repair".to_owned());
    // Which group the host is of is for the node to say.
    let forwarded = ForwardedRequest {
        group: String::new(),
        method,
        target,
        headers: Vec::new(),
        body: Vec::new(),
    };
    Ok(Command::RepairHost(id.to_owned(), Box::new(forwarded)))
}

/// The whole of a file. `name` is that of one that is kept.
pub(super) fn shown(name: &str, state: &FilePath) -> HttpResponse {
    match read_drift(&state.join(name)).map_err(|error| error.to_string()) {
        Ok(text) => match json::parse_own(&text) {
            Ok(file) => json_response(200, &file),
            Err(error) => {
                HttpResponse::error(500, "The file cannot be read.", &format!("{name}: {error}"))
            }
        },
        Err(error) => HttpResponse::error(500, "The file cannot be read.", &error),
    }
}
