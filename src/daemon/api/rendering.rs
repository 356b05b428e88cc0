//! How an answer becomes a response: status, headers and body.
//!
//! What the node says in values is spelt here and in `refusals` and `views`; nothing is decided.

use std::path::Path as FilePath;

use super::super::gate::HttpResponse;
use super::drifts;
use super::history;
use super::json_body::{applied_header, json_response, json_type};
use super::patch;
use super::refusals;
use super::views;
use crate::daemon::api::{NO_VALUE, NOT_ALLOWED};
use crate::limits::DOCUMENT_MAX;
use crate::model::document::Document;
use crate::model::edit::EditError;
use crate::model::json::{self, Value, object};
use crate::model::path::Path;
use crate::model::record::RecordId;
use crate::model::resources::ResourceKind;
use crate::node::answer::{Answer, Success};
use crate::node::input::Refusal;
use crate::wire::forwarded::ForwardedResponse;

/// The response to an answer. `state` is where stored revisions are.
pub(in crate::daemon) fn render(answer: Answer, state: &FilePath) -> HttpResponse {
    match answer {
        Answer::Value {
            document,
            path,
            head,
            applied,
        } => value(&document, &path, head, applied),
        Answer::Done {
            success,
            revision,
            applied,
            changed,
            kept,
        } => {
            let mut response = json_response(200, &object! { "success": done(success) }.into());
            response
                .headers
                .push(("ETag".into(), format!("\"{revision}\"")));
            response
                .headers
                .push(("Starling-Revision".into(), revision.to_string()));
            response.headers.push((
                "Starling-Changed".into(),
                if changed { "yes" } else { "no" }.into(),
            ));
            response
                .headers
                .extend(kept.map(|file| ("Starling-Kept".into(), file)));
            response.headers.extend(applied_header(applied));
            response
        }
        Answer::DryRun {
            changes,
            head,
            applied,
        } => patch::tried(changes, head, applied),
        Answer::Edit(EditError::Missing) => HttpResponse::error(404, NO_VALUE, ""),
        Answer::Edit(EditError::NotAllowed) => HttpResponse::error(405, NOT_ALLOWED, ""),
        Answer::Edit(error @ EditError::NotText) => {
            HttpResponse::error(400, "Invalid value.", &error.to_string())
        }
        Answer::Edit(EditError::TokenTooLong) => {
            HttpResponse::error(500, "Memory allocation failed.", "")
        }
        Answer::Edit(EditError::TooLarge) => HttpResponse::error(
            413,
            "The document is too large.",
            &format!("as compact JSON it has {DOCUMENT_MAX} bytes at most"),
        ),
        Answer::Refused(Refusal {
            status,
            body,
            reason,
        }) => {
            let body = with_detail(body, &reason);
            let mut headers = vec![json_type()];
            headers.extend((!reason.is_empty()).then(|| ("Starling-Reason".into(), reason)));
            HttpResponse {
                status,
                headers,
                body,
            }
        }
        Answer::History(_, older) => history::with_older(view(&answer), older),
        Answer::Fleet(_)
        | Answer::Nodes(_)
        | Answer::Node(_)
        | Answer::Links(_)
        | Answer::Groups(_)
        | Answer::Effective(_)
        | Answer::Conflicts(_)
        | Answer::Conflict(_)
        | Answer::Drifts(_)
        | Answer::Acknowledged(_)
        | Answer::Healthy => view(&answer),
        Answer::KeptDrift(name) => drifts::shown(&name, state),
        Answer::Revision(kept) => history::shown(*kept, state),
        Answer::Difference { from, to, older } => {
            history::difference(from.map(|from| *from), *to, older, state)
        }
        Answer::Blame { path, line, older } => history::blame(&path, line, older, state),
        Answer::Denied(denial) => refusals::response(&denial),
        Answer::Relayed(ForwardedResponse {
            status,
            headers,
            body,
        }) => HttpResponse {
            status,
            headers,
            body,
        },
        Answer::Server { .. } => HttpResponse::error(
            500,
            "This cannot be.",
            "a question for the server came to the wrong thread",
        ),
    }
}

/// What was done, in Unit's words for such a change, or in ours.
fn done(success: Success) -> &'static str {
    use ResourceKind::{Certificate, JsModule};
    match success {
        Success::Configured => "Reconfiguration done.",
        Success::Uploaded(Certificate) => "Certificate chain uploaded.",
        Success::Uploaded(JsModule) => "JS module uploaded.",
        Success::Deleted(Certificate) => "Certificate deleted.",
        Success::Deleted(JsModule) => "JS module deleted.",
        Success::InStep => "The server runs the head.",
        Success::GroupRemoved => "The group is removed.",
        Success::NothingToRemove => "There was nothing to do.",
    }
}

/// The response that is a view of the fleet.
fn view(answer: &Answer) -> HttpResponse {
    json_response(200, &views::json(answer).unwrap_or_default())
}

fn value(
    document: &Document,
    path: &Path,
    head: Option<RecordId>,
    applied: Option<RecordId>,
) -> HttpResponse {
    let Some(value) = document.get(path) else {
        return HttpResponse::error(404, NO_VALUE, "");
    };
    let mut response = json_response(200, value);
    response
        .headers
        .extend(head.map(|head| ("ETag".into(), format!("\"{head}\""))));
    response.headers.extend(applied_header(applied));
    response
}

/// A refusal in which the reason stands as `detail`, which clients show, where the server has left
/// that empty. It stays a map of strings for those that read it as one.
fn with_detail(body: Vec<u8>, reason: &str) -> Vec<u8> {
    match json::parse_own(&body) {
        Ok(Value::Object(mut members))
            if !reason.is_empty()
                && members.get("error").is_some()
                && members.get("detail").is_none() =>
        {
            members.extend(object! { "detail": reason });
            json::unit_format(&Value::Object(members)).into_bytes()
        }
        _ => body,
    }
}
