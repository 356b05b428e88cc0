//! The history and the conflicts over REST: what is asked of them, and the answers that take
//! documents from disk. Certificates are shown by their fingerprints.
//!
//! Documents are read and compared here, on the answer thread, one at a time, so that the loop does
//! neither. A file that is gone was pruned since the node named it; one that cannot be read is said
//! to be so, and nothing is guessed.

use std::path::Path as FilePath;

use super::{
    HttpResponse, NO_VALUE, below, get_only, if_match, json_response, note, only, query, views,
};
use crate::daemon::gate::HttpRequest;
use crate::daemon::state_dir::read_revision;
use crate::limits::{BLAME_READ_MAX, DIFFERENCE_MAX, DIFFERENCE_VALUES_MAX};
use crate::model::difference::{bounded_difference, texts_difference};
use crate::model::document::Document;
use crate::model::edit::{Change, Op, Verb, is_editable};
use crate::model::json::{self, Value, object};
use crate::model::operation::Operation;
use crate::model::path::Path;
use crate::model::resources::showable;
use crate::node::answer::views::RevisionView;
use crate::node::answer::{Kept, Older, Place};
use crate::node::ask::{Ask, Command, PastQuery};
use crate::node::store::revision_file::document_in;

/// `GET /fleet/revisions/ID[?diff[=OTHER]]`
pub(super) fn revision(request: &HttpRequest, id: &str) -> PastQuery {
    match query(request, "diff") {
        None => PastQuery::Revision(id.to_owned()),
        Some(from) => PastQuery::Difference {
            to: id.to_owned(),
            from: (!from.is_empty()).then(|| from.to_owned()),
        },
    }
}

/// `GET /fleet/blame/…`: of any path that an edit can have.
pub(super) fn blame_of(request: &HttpRequest, tokens: &[&str]) -> Result<Ask, HttpResponse> {
    let path = below(tokens);
    if !is_editable(&path, Verb::Put) {
        return Err(HttpResponse::error(404, NO_VALUE, ""));
    }
    get_only(request, PastQuery::Blame(path))
}

/// `POST /fleet/revisions/ID/restore[?path=/config/…]`: the path is written as revisions show it.
pub(super) fn restore(request: &HttpRequest, id: &str) -> Result<Command, HttpResponse> {
    only("POST", request)?;
    let wrong = |detail: &str| HttpResponse::error(400, "Invalid request path.", detail);
    let path = Path::parse(query(request, "path").unwrap_or("/"))
        .map_err(|error| wrong(&error.to_string()))?;
    if !path.tokens().is_empty() && !is_editable(&path, Verb::Put) {
        return Err(wrong(
            "what can be restored is /config or below it, /certificates/NAME, /js_modules/NAME, \
             or all",
        ));
    }
    Ok(Command::Restore {
        id: id.to_owned(),
        path,
        if_match: if_match(request),
        note: note(request)?,
    })
}

/// `POST /fleet/conflicts/ID/keep` and `…/drop`
pub(super) fn settle(request: &HttpRequest, id: &str, keep: bool) -> Result<Command, HttpResponse> {
    only("POST", request)?;
    Ok(Command::Settle {
        id: id.to_owned(),
        keep,
        if_match: if_match(request),
        note: note(request)?,
    })
}

/// The answer that shows a revision with its document.
pub(super) fn shown(kept: Kept, state: &FilePath) -> HttpResponse {
    let document = match read(&kept, state) {
        Ok(document) => document,
        Err(missing) => return missing.response(),
    };
    let mut shown = views::revision(&kept.view);
    shown.as_object_mut().into_iter().for_each(|members| {
        members.extend(object! { "document": showable(&below(&[]), document.value()).into_owned() })
    });
    json_response(200, &shown)
}

/// What leads from one revision to another, place by place.
pub(super) fn difference(
    from: Option<Kept>,
    to: Kept,
    older: Older,
    state: &FilePath,
) -> HttpResponse {
    let documents = || -> Result<_, Missing> {
        let old = from.as_ref().map(|from| read(from, state)).transpose()?;
        Ok((old, read(&to, state)?))
    };
    let (old, new) = match documents() {
        Ok(documents) => documents,
        Err(missing) => return missing.response(),
    };
    let config = Path::parse("/config").expect("it is a path");
    let mut ops = match &old {
        Some(old) => bounded_difference(&config, old.config(), new.config(), DIFFERENCE_MAX),
        None => vec![Op {
            path: config,
            change: Change::Put(new.config().clone()),
        }],
    };
    ops.extend(texts_difference(
        old.as_ref().unwrap_or(&Document::factory()),
        &new,
    ));
    let mut room = DIFFERENCE_VALUES_MAX;
    let changes: Vec<Value> = ops
        .iter()
        .map(|op| change(op, old.as_ref(), &mut room))
        .collect();
    let (from, to) = (
        from.map(|from| views::revision(&from.view)),
        views::revision(&to.view),
    );
    with_older(
        json_response(
            200,
            &object! { "from": from, "to": to, "changes": changes }.into(),
        ),
        older,
    )
}

/// Since which revision the value at a path stands there.
pub(super) fn blame(path: &Path, line: Vec<Kept>, older: Older, state: &FilePath) -> HttpResponse {
    let mut line = line.into_iter().peekable();
    let mut read_bytes = line.peek().map_or(0, |head| head.view.size as usize);
    let Some(mut since) = line.next() else {
        return HttpResponse::error(404, NO_VALUE, "");
    };
    let value = match read(&since, state) {
        Ok(head) => head.get(path).cloned(),
        Err(missing) => return missing.response(),
    };
    let Some(value) = value else {
        return HttpResponse::error(404, NO_VALUE, "");
    };
    let text = json::compact(&value);
    let mut reach = if older == Older::Nothing {
        "first"
    } else {
        "kept"
    };
    for kept in line {
        read_bytes += kept.view.size as usize;
        if read_bytes > BLAME_READ_MAX {
            reach = "read";
            break;
        }
        match read(&kept, state) {
            Ok(document)
                if document
                    .get(path)
                    .is_none_or(|value| json::compact(value) != text) =>
            {
                reach = "set";
                break;
            }
            Ok(_) => since = kept,
            Err(Missing::Gone) => {
                reach = "kept";
                break;
            }
            Err(missing) => return missing.response(),
        }
    }
    if reach == "first" && covers(&since.view, path) {
        reach = "set";
    }
    let value = showable(path, &value).into_owned();
    let shown = object! { "path": path.to_string(), "value": value, "reach": reach, "revision": views::revision(&since.view) };
    with_older(json_response(200, &shown.into()), older)
}

/// Whether an edit is made at or above the path: of the first revision of all there is no other way
/// to know whether it set a value.
fn covers(revision: &RevisionView, path: &Path) -> bool {
    let covers = |operation: &Operation| path.tokens().starts_with(operation.path.tokens());
    revision.edit.iter().any(covers)
}

/// The answer, and whether there are older revisions than are kept here.
pub(super) fn with_older(mut response: HttpResponse, older: Older) -> HttpResponse {
    response.headers.extend(
        older
            .word()
            .map(|word| ("Starling-Older".into(), word.into())),
    );
    response
}

/// A place that differs: what was there, and what is there now.
fn change(op: &Op, old: Option<&Document>, room: &mut usize) -> Value {
    let old = old.and_then(|old| old.get(&op.path));
    let new = match &op.change {
        Change::Put(value) | Change::Append(value) => Some(value),
        Change::Delete => None,
    };
    let what = match (old, new) {
        (None, _) => "added",
        (Some(_), Some(_)) => "replaced",
        (Some(_), None) => "removed",
    };
    let mut members = object! { "what": what, "path": op.path.to_string() };
    for (name, value) in [("old", old), ("new", new)] {
        let Some(value) = value.map(|value| showable(&op.path, value)) else {
            continue;
        };
        let len = json::compact(&value).len();
        if len <= *room {
            *room -= len;
            members.insert(name.into(), value.into_owned());
        } else {
            members.insert(format!("{name}_len"), len.into());
        }
    }
    Value::Object(members)
}

/// Why a kept revision cannot be shown with its document.
enum Missing {
    /// The revision's file is not there any more.
    Gone,
    /// The file cannot be read, for this reason.
    Unreadable(String),
}

impl Missing {
    fn response(self) -> HttpResponse {
        match self {
            Self::Gone => {
                HttpResponse::error(404, "No such revision.", "its file is not there any more")
            }
            Self::Unreadable(reason) => {
                HttpResponse::error(500, "The revision cannot be read.", &reason)
            }
        }
    }
}

/// The revision's document, with the fingerprints of bundles in their places: of some revisions
/// that is all that is left of them.
fn read(kept: &Kept, state: &FilePath) -> Result<Document, Missing> {
    read_whole(kept, state).map(|document| document.struck(|_| true))
}

fn read_whole(kept: &Kept, state: &FilePath) -> Result<Document, Missing> {
    let (group, name) = match &kept.place {
        Place::Memory(document) => return Ok(document.clone()),
        Place::File { group, name } => (group, name),
    };
    let file = state.join("revisions").join(group).join(name);
    let bytes = read_revision(&file)
        .map_err(|error| Missing::Unreadable(error.to_string()))?
        .ok_or(Missing::Gone)?;
    document_in(&bytes, &kept.view.id).ok_or_else(|| {
        Missing::Unreadable(format!("the file of {} is damaged", kept.view.id.short()))
    })
}
