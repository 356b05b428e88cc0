//! Edits that Unit lacks: PATCH, and changes that are tried only.
//!
//! Which kind of patch a body is, its `Content-Type` says (RFC 5789, RFC 6902, RFC 7396). A request
//! for a dry run must never be taken for a change because somebody has asked for it where there is
//! none, so it is refused there.

use super::json_body::{applied_header, json_response};
use super::{HttpResponse, body, if_match, note, query, settles};
use crate::daemon::gate::HttpRequest;
use crate::model::json::{Value, object};
use crate::model::patch::{JsonPatch, Patch};
use crate::model::path::Path;
use crate::model::record::RecordId;
use crate::node::ask::{Command, DryRun, Patching};

/// `PATCH /config…`
pub(super) fn patch(request: &HttpRequest, path: Path) -> Result<Command, HttpResponse> {
    let body = body(request)?;
    let is_json_patch = is_json_patch(request, &body)?;
    let patch = match is_json_patch {
        true => JsonPatch::read(&body)
            .map(Patch::Json)
            .map_err(|bad| HttpResponse::error(400, "Invalid patch.", &bad.to_string()))?,
        false => Patch::Merge(body),
    };
    let (if_match, note, settles) = (if_match(request), note(request)?, settles(request)?);
    Ok(Command::Patch(Patching {
        path,
        patch,
        if_match,
        note,
        settles,
    }))
}

/// Whether a change is to be tried only. The word spelt in another way has been refused before: the
/// change must not be made.
pub(super) fn is_dry_run(request: &HttpRequest) -> Result<bool, HttpResponse> {
    match query(request, "dry-run") {
        None => Ok(false),
        Some("" | "true" | "1") => Ok(true),
        _ => Err(HttpResponse::error(
            400,
            "Invalid dry run.",
            "it is ?dry-run, or a request without it",
        )),
    }
}

/// Turns a request for a change into one for its dry run.
pub(super) fn dry_run(command: Command) -> Result<Command, HttpResponse> {
    match command {
        Command::Write(change) => Ok(Command::DryRun(DryRun::Write(change))),
        Command::Patch(patching) => Ok(Command::DryRun(DryRun::Patch(patching))),
        _ => Err(HttpResponse::error(
            400,
            "Invalid dry run.",
            "what can be tried is PUT, POST, PATCH or DELETE of /config or below it, of a \
             certificate or of a module",
        )),
    }
}

/// The answer to a dry run that the server has not refused.
pub(super) fn tried(changes: bool, head: RecordId, applied: Option<RecordId>) -> HttpResponse {
    let (success, word) = match changes {
        true => (
            "The server takes the change. Nothing was published.",
            "accepted",
        ),
        false => ("The change would change nothing.", "unchanged"),
    };
    let mut response = json_response(200, &object! { "success": success }.into());
    response
        .headers
        .push(("Starling-Dry-Run".into(), word.into()));
    response
        .headers
        .push(("ETag".into(), format!("\"{head}\"")));
    response.headers.extend(applied_header(applied));
    response
}

/// Which of the two the body is, by its media type; parameters do not matter. What curl says of
/// every body unless it is told otherwise says nothing, but an object can only be one of them.
fn is_json_patch(request: &HttpRequest, body: &Value) -> Result<bool, HttpResponse> {
    let given = request.header("content-type").unwrap_or_default();
    let media_type = given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match media_type.as_str() {
        MERGE_PATCH | "application/json" | "" => Ok(false),
        JSON_PATCH => Ok(true),
        CURLS_OWN if body.is_object() => Ok(false),
        _ => {
            let detail = format!(
                "a patch is {MERGE_PATCH} or {JSON_PATCH}; with curl, say which by -H \
                 'Content-Type: ...'"
            );
            let mut response = HttpResponse::error(415, "Unsupported media type.", &detail);
            response.headers.push((
                "Accept-Patch".into(),
                format!("{MERGE_PATCH}, {JSON_PATCH}"),
            ));
            Err(response)
        }
    }
}

const MERGE_PATCH: &str = "application/merge-patch+json";
const CURLS_OWN: &str = "application/x-www-form-urlencoded";
const JSON_PATCH: &str = "application/json-patch+json";
