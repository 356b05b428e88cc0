//! Uploads and deletions of certificates and modules, at the paths that Unit has for them.
//!
//! A name is one piece of the path: `%2F` and `%25` stay in it as they are written, as in Unit, and
//! all else is decoded. What is uploaded is text, not JSON. A bundle is looked at before anything
//! else happens, for a server's own words about one are few.

use super::{HttpResponse, if_match, note, query, settles};
use crate::daemon::gate::HttpRequest;
use crate::model::bundle::{self, Bundle};
use crate::model::edit::{Change as Edit, Op};
use crate::model::path::Path;
use crate::model::resources::ResourceKind;
use crate::node::ask::{Change, Command, HostQuery, Question};

/// `PUT` or `DELETE` of `/certificates/NAME` or `/js_modules/NAME`; any other method is refused.
/// The time is that of the host's clock.
pub(super) fn change(
    request: &HttpRequest,
    kind: ResourceKind,
    now_ms: u64,
) -> Result<Command, HttpResponse> {
    let path = path(request, kind)?;
    let change = match request.method.as_str() {
        "PUT" => Edit::Put(text(request, kind, now_ms)?.into()),
        "DELETE" => Edit::Delete,
        _ => return Err(HttpResponse::error(405, INVALID_METHOD, "")),
    };
    let op = Op { path, change };
    Ok(Command::Write(Change {
        op,
        if_match: if_match(request),
        note: note(request)?,
        settles: settles(request)?,
    }))
}

/// `GET` of all of them, of one, or of something about one.
pub(super) fn held(request: &HttpRequest, kind: ResourceKind) -> Result<HostQuery, HttpResponse> {
    let path = parsed(request).ok_or_else(|| HttpResponse::error(400, invalid_name(kind), ""))?;
    Ok(HostQuery::Server(Question::Held(
        kind,
        path.tokens()[1..].to_vec(),
    )))
}

/// The request's path, with names of resources decoded as Unit decodes them.
fn parsed(request: &HttpRequest) -> Option<Path> {
    let target = request
        .target
        .replace("%25", "%2525")
        .replace("%2F", "%252F")
        .replace("%2f", "%252f");
    Path::parse(&target).ok()
}

fn path(request: &HttpRequest, kind: ResourceKind) -> Result<Path, HttpResponse> {
    let parsed = parsed(request);
    let name = parsed.as_ref().and_then(|path| match path.tokens() {
        [_, name] => Some(name.as_str()),
        _ => None,
    });
    name.and_then(|name| kind.path(name))
        .ok_or_else(|| HttpResponse::error(400, invalid_name(kind), ""))
}

/// The text of the resource that the request uploads, checked.
fn text(request: &HttpRequest, kind: ResourceKind, now_ms: u64) -> Result<String, HttpResponse> {
    let refused = |detail: &str| HttpResponse::error(400, invalid(kind), detail);
    if kind == ResourceKind::JsModule {
        // What a module's source is worth only the server can tell.
        return String::from_utf8(request.body.clone()).map_err(|_| refused("it is not UTF-8"));
    }
    let (bundle, text) =
        bundle::uploaded(&request.body).map_err(|error| refused(&error.to_string()))?;
    if query(request, "force").is_none() {
        bundle
            .check_time(now_ms)
            .map_err(|error| refused(&error.to_string()))?;
    }
    let Bundle {
        names,
        key,
        until,
        is_matched,
        ..
    } = bundle;
    let doubt = if is_matched {
        ""
    } else {
        "; whether the key belongs to it cannot be told"
    };
    let cleaned = if text.as_bytes() == request.body {
        ""
    } else {
        "; what servers do not take was left out"
    };
    log::info!(
        "a certificate is uploaded: for {names:?}, {key}, valid until {until}{doubt}{cleaned}"
    );
    Ok(text)
}

fn invalid(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Certificate => "Invalid certificate.",
        ResourceKind::JsModule => "Invalid JS module.",
    }
}

fn invalid_name(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Certificate => "Invalid certificate name.",
        ResourceKind::JsModule => "Invalid JS module name.",
    }
}

pub(super) const INVALID_METHOD: &str = "Invalid method.";
