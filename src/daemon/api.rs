//! REST: from requests to questions for the node, and from its answers to responses.
//!
//! `/config` speaks Unit's control API to the letter: its paths, codes, bodies and formatting (what
//! an existing client parses is not ours to change); facts of our own go into headers. `/fleet` is
//! ours. Requests are understood on the http thread and answers are written on the answer thread,
//! so a large document costs the loop nothing.

mod drifts;
mod groups;
mod history;
pub(in crate::daemon) mod json_body;
mod patch;
pub mod refusals;
pub(in crate::daemon) mod rendering;
mod resources;
pub mod views;

use self::json_body::json_response;
use super::gate::{HttpRequest, HttpResponse, RequestOrigin};
use crate::limits::{NOTE_MAX, SETTLES_MAX};
use crate::model::edit::{self, Op};
use crate::model::error_body;
use crate::model::json::{self, JsonError, Value, object};
use crate::model::path::Path;
use crate::model::resources::ResourceKind;
use crate::node::ask::{Ask, Change, Command, HostQuery, PastQuery, Query, Question};
use crate::settings::nearest::nearest;
use crate::wire::forwarded::ForwardedRequest;

/// What a request asks for; or the answer, if the request itself is at fault. `now_ms` is what the
/// host's clock shows, in milliseconds since 1970.
pub(in crate::daemon) fn ask(request: &HttpRequest, now_ms: u64) -> Result<Ask, HttpResponse> {
    let path = Path::parse(&request.target)
        .map_err(|error| HttpResponse::error(400, "Invalid request path.", &error.to_string()))?;
    check_words(request, &path)?;
    let ask = asked(request, path, now_ms)?;
    match ask {
        Ask::Query { query, .. } => Ok(Ask::Query {
            group: group(request)?,
            query,
        }),
        Ask::Command { command, .. } => {
            let command = if patch::is_dry_run(request)? {
                patch::dry_run(command)?
            } else {
                command
            };
            let group = group(request)?;
            let forwarded = group.as_ref().map(|group| forwarded(request, group));
            Ok(Ask::Command {
                group,
                command,
                forwarded: forwarded.map(Box::new),
            })
        }
    }
}

/// The request as it goes to a host of that group.
fn forwarded(request: &HttpRequest, group: &str) -> ForwardedRequest {
    let known = |name: &str| {
        PASSED_ON
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    };
    ForwardedRequest {
        group: group.to_owned(),
        method: request.method.clone(),
        target: request.target.clone(),
        headers: request
            .headers
            .iter()
            .filter(|(name, _)| known(name))
            .cloned()
            .collect(),
        body: request.body.clone(),
    }
}

/// What a peer wants done, like a request of this host's own clients; and the answer, if it is at
/// fault or is no change of a document.
pub(in crate::daemon) fn ask_for_peer(
    forwarded: ForwardedRequest,
    now_ms: u64,
) -> Result<Ask, HttpResponse> {
    let ForwardedRequest {
        method,
        target,
        headers,
        body,
        ..
    } = forwarded;
    let request = HttpRequest {
        method,
        target,
        headers,
        body,
        origin: RequestOrigin::Unix,
    };
    match ask(&request, now_ms)? {
        Ask::Command {
            group,
            command:
                command @ (Command::Write(_)
                | Command::Patch(_)
                | Command::DryRun(_)
                | Command::Restore { .. }
                | Command::Settle { .. }
                | Command::Repair),
            ..
        } => Ok(Ask::Command {
            group,
            command,
            // The request has been forwarded once: this host is the one that was meant, or nobody
            // is.
            forwarded: None,
        }),
        _ => Err(HttpResponse::error(
            400,
            "Only changes of a document are carried out for other hosts.",
            "",
        )),
    }
}

/// The group that is named by a header or in the query, if one is. A name that is none must not
/// pass for the own group.
fn group(request: &HttpRequest) -> Result<Option<String>, HttpResponse> {
    let named = [request.header("starling-group"), query(request, "group")];
    let [header, query] = named.map(|name| name.map(str::trim));
    if header.is_some() && query.is_some() && header != query {
        return Err(HttpResponse::error(
            400,
            "Two groups are named.",
            "Starling-Group and ?group differ",
        ));
    }
    header.or(query).map(groups::name).transpose()
}

fn asked(request: &HttpRequest, path: Path, now_ms: u64) -> Result<Ask, HttpResponse> {
    let tokens: Vec<&str> = path.tokens().iter().map(String::as_str).collect();
    match tokens[..] {
        ["config", ..] => config(request, path),
        ["healthz"] => get_only(request, HostQuery::Health),
        ["fleet"] => get_only(request, HostQuery::Fleet),
        ["fleet", "effective"] => get_only(request, HostQuery::Effective),
        ["fleet", "nodes"] => get_only(request, HostQuery::Nodes),
        ["fleet", "nodes", id, "repair"] => drifts::repair_host(request, id).map(Ask::from),
        ["fleet", "repair"] => only("POST", request).map(|()| Command::Repair.into()),
        ["fleet", "drift"] => get_only(request, HostQuery::Drifts),
        ["fleet", "drift", file] => get_only(request, HostQuery::Drift(file.to_owned())),
        ["fleet", "drift", file, what @ ("acknowledge" | "adopt")] => {
            drifts::deal_with(request, file, what == "adopt").map(Ask::from)
        }
        ["fleet", "nodes", id] => get_only(request, HostQuery::Node(id.to_owned())),
        ["fleet", "groups"] => get_only(request, HostQuery::Groups),
        ["fleet", "groups", name] => groups::remove(request, name).map(Ask::from),
        ["fleet", "links"] => get_only(request, HostQuery::Links),
        ["fleet", "revisions"] => get_only(request, PastQuery::Revisions),
        ["fleet", "revisions", id] => get_only(request, history::revision(request, id)),
        ["fleet", "revisions", id, "restore"] => history::restore(request, id).map(Ask::from),
        ["fleet", "blame", ..] => history::blame_of(request, &tokens[2..]),
        ["fleet", "conflicts"] => get_only(request, PastQuery::Conflicts),
        ["fleet", "conflicts", id] => get_only(request, PastQuery::Conflict(id.to_owned())),
        ["fleet", "conflicts", id, what @ ("keep" | "drop")] => {
            history::settle(request, id, what == "keep").map(Ask::from)
        }
        ["certificates", ..] if request.method != "GET" => {
            resources::change(request, ResourceKind::Certificate, now_ms).map(Ask::from)
        }
        ["js_modules", ..] if request.method != "GET" => {
            resources::change(request, ResourceKind::JsModule, now_ms).map(Ask::from)
        }
        ["certificates", ..] => resources::held(request, ResourceKind::Certificate).map(Ask::from),
        ["js_modules", ..] => resources::held(request, ResourceKind::JsModule).map(Ask::from),
        [] if request.method == "GET" => Ok(HostQuery::Server(Question::Everything).into()),
        ["status", ..] if request.method == "GET" => {
            Ok(HostQuery::Server(Question::Status(owned(&tokens[1..]))).into())
        }
        [] | ["status", ..] => Err(HttpResponse::error(405, resources::INVALID_METHOD, "")),
        // Unit restarts by GET only. A GET that changes something is nobody's expectation, so there
        // is POST too.
        ["control", "applications", _, "restart"]
            if matches!(request.method.as_str(), "GET" | "POST") =>
        {
            Ok(Command::Control(owned(&tokens[1..])).into())
        }
        ["control", ..] if request.method == "GET" => {
            Ok(Command::Control(owned(&tokens[1..])).into())
        }
        // Unit has nothing at `/control` itself, whatever the method.
        ["control", _, ..] => Err(HttpResponse::error(405, NOT_ALLOWED, "")),
        _ => Err(HttpResponse::error(404, NO_VALUE, "")),
    }
}

fn config(request: &HttpRequest, path: Path) -> Result<Ask, HttpResponse> {
    let is_root = path.tokens().len() == 1;
    let change = |change| {
        let change = Change {
            op: Op {
                path: path.clone(),
                change,
            },
            if_match: if_match(request),
            note: note(request)?,
            settles: settles(request)?,
        };
        Ok(Command::Write(change).into())
    };
    match request.method.as_str() {
        "GET" => Ok(Query::Document(path).into()),
        "PUT" => change(edit::Change::Put(body(request)?)),
        "POST" if is_root && request.body.is_empty() => {
            let force = query(request, "force").is_some();
            let (if_match, note) = (if_match(request), note(request)?);
            Ok(Command::PublishLocal {
                force,
                if_match,
                note,
            }
            .into())
        }
        "POST" if is_root => Err(HttpResponse::error(405, NOT_ALLOWED, "")),
        "POST" => change(edit::Change::Append(body(request)?)),
        "DELETE" => change(edit::Change::Delete),
        "PATCH" => patch::patch(request, path.clone()).map(Ask::from),
        _ => Err(HttpResponse::error(405, NOT_ALLOWED, "")),
    }
}

fn get_only(request: &HttpRequest, query: impl Into<Ask>) -> Result<Ask, HttpResponse> {
    only("GET", request).map(|()| query.into())
}

fn only(method: &str, request: &HttpRequest) -> Result<(), HttpResponse> {
    if request.method == method {
        return Ok(());
    }
    let mut response = HttpResponse::error(405, NOT_ALLOWED, "");
    response.headers.push(("Allow".into(), method.into()));
    Err(response)
}

/// The value of a word of the query, as it stands there; empty if the word stands alone.
fn query<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    words(request)
        .find(|(word, _)| *word == name)
        .map(|(_, value)| value)
}

/// All parameters of the request's query, each with its value.
fn words(request: &HttpRequest) -> impl Iterator<Item = (&str, &str)> {
    let (target, _) = request
        .target
        .split_once('#')
        .unwrap_or((&request.target, ""));
    let words = target.split_once('?').map(|(_, words)| words.split('&'));
    words
        .into_iter()
        .flatten()
        .map(|word| word.split_once('=').unwrap_or((word, "")))
}

/// Whether each word of the query is one. Below `/fleet` every other is refused; at the paths that
/// Unit has, which does not look at queries, one that is spelt in another way, for then another
/// thing would be done than was meant.
fn check_words(request: &HttpRequest, path: &Path) -> Result<(), HttpResponse> {
    let is_ours = path.tokens().first().is_some_and(|first| first == "fleet");
    let letters = |word: &str| {
        let word = word.to_ascii_lowercase().replace("%2d", "-");
        word.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
    };
    for (word, _) in words(request).filter(|(word, _)| !word.is_empty() && !WORDS.contains(word)) {
        let alike = WORDS
            .into_iter()
            .find(|known| letters(known) == letters(word));
        let near = alike.or_else(|| nearest(word, WORDS).filter(|_| is_ours));
        if near == Some("dry-run") {
            return Err(HttpResponse::error(
                400,
                "Invalid dry run.",
                "it is ?dry-run, or a request without it",
            ));
        }
        if near.is_some() || is_ours {
            let word: String = word.chars().take(WORD_SHOWN).collect();
            let hint = near.map_or_else(
                || format!("there are {}", WORDS.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            return Err(HttpResponse::error(
                400,
                "Unknown word in the query.",
                &format!("{word:?}: {hint}"),
            ));
        }
    }
    Ok(())
}

fn owned(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| (*token).to_owned()).collect()
}

/// The path that consists of these tokens.
fn below(tokens: &[&str]) -> Path {
    let root = Path::parse("/").expect("it is a path");
    tokens
        .iter()
        .try_fold(root, |path, token| path.child(token))
        .expect("they were part of a path")
}

/// The body as Unit reads JSON; errors are in its words, and say where.
fn body(request: &HttpRequest) -> Result<Value, HttpResponse> {
    json::parse(&request.body).map_err(|error| {
        let JsonError {
            detail,
            offset,
            line,
            column,
        } = error;
        let location = object! { "offset": offset, "line": line, "column": column };
        let mut members = error_body::members("Invalid JSON.", detail);
        members.extend(object! { "location": location });
        json_response(400, &members.into())
    })
}

/// All `If-Match` headers as one list (RFC 9110, section 5.3).
fn if_match(request: &HttpRequest) -> Option<String> {
    let given = request
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("if-match"));
    let given: Vec<&str> = given.map(|(_, value)| value.as_str()).collect();
    (!given.is_empty()).then(|| given.join(","))
}

fn note(request: &HttpRequest) -> Result<String, HttpResponse> {
    let note = request.header("starling-note").unwrap_or_default();
    if note.len() > NOTE_MAX {
        return Err(HttpResponse::error(
            400,
            "The note is too long.",
            &format!("Starling-Note takes {NOTE_MAX} bytes at most"),
        ));
    }
    Ok(note.to_owned())
}

/// The conflicts that a change settles: a list of IDs or their beginnings, or `*`.
fn settles(request: &HttpRequest) -> Result<Vec<String>, HttpResponse> {
    let given = request.header("starling-settles").unwrap_or_default();
    let named: Vec<String> = given
        .split(',')
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
        .collect();
    if named.len() > SETTLES_MAX {
        return Err(HttpResponse::error(
            400,
            "Too many conflicts are named.",
            &format!("Starling-Settles takes {SETTLES_MAX} at most, or *"),
        ));
    }
    Ok(named)
}

/// The parameters that a query may have.
const WORDS: [&str; 5] = ["diff", "dry-run", "force", "group", "path"];
/// Characters of an unknown parameter that are shown in the refusal.
const WORD_SHOWN: usize = 32;
const NO_VALUE: &str = "Value doesn't exist.";
const NOT_ALLOWED: &str = "Method isn't allowed.";
/// Headers of a request that a host of another group has to know.
const PASSED_ON: [&str; 4] = [
    "If-Match",
    "Starling-Note",
    "Starling-Settles",
    "Content-Type",
];
