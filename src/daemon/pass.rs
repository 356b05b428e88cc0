//! What is passed through to this host's server: what it holds, how it does, and the restart of an
//! application.
//!
//! On a thread of its own, for the server answers such questions only after the change that it is
//! making, and neither the loop nor other answers may wait for that. Answers are the server's, byte
//! for byte, but for the names of certificates: people see those that they gave. Nothing here
//! changes the document.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use super::api::json_body::json_type;
use super::gate::{HttpResponse, Responder};
use super::unit::{Reply, RequestFailure, Unit, encoded, resource_path};
use crate::limits::{PASS_PATH_MAX, PASS_QUEUE, TARGET_STACK};
use crate::model::alias::is_alias;
use crate::model::aliases::Aliases;
use crate::model::document::Document;
use crate::model::json::{self, Map, Value, object};
use crate::model::resources::ResourceKind;
use crate::node::ask::Question;

/// The way to the thread `pass`, which ends with it.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    jobs: SyncSender<PassJob>,
}

struct PassJob {
    question: Question,
    document: Document,
    responder: Responder,
}

impl Pass {
    /// Starts the thread "pass".
    pub(super) fn start(unit: Unit) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(PASS_QUEUE);
        thread::Builder::new()
            .name("pass".to_owned())
            .stack_size(TARGET_STACK)
            .spawn(move || run(&unit, &queue))?;
        Ok(Self { jobs })
    }

    /// Has the server asked, and the client answered. Never blocks.
    pub(super) fn ask(&self, question: Question, document: Document, responder: Responder) {
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.jobs.try_send(PassJob {
                question,
                document,
                responder,
            })
        {
            let busy = || unreachable("too many questions wait for it");
            job.responder.respond(Box::new(busy));
        }
    }
}

fn run(unit: &Unit, queue: &Receiver<PassJob>) {
    for PassJob {
        question,
        document,
        responder,
    } in queue
    {
        let server = NamedServer {
            unit,
            aliases: Aliases::of(&document),
            document,
        };
        let response = server.answer(&question).unwrap_or_else(|response| response);
        responder.respond(Box::new(move || response));
    }
}

/// The server, and the document that says how people call what it holds.
struct NamedServer<'a> {
    unit: &'a Unit,
    document: Document,
    aliases: Aliases,
}

impl NamedServer<'_> {
    fn answer(&self, question: &Question) -> Result<HttpResponse, HttpResponse> {
        match question {
            // Unit decodes before it resolves dots: what is a name here would lead it elsewhere,
            // even to the restart of an application.
            Question::Held(_, path) | Question::Status(path) | Question::Control(path)
                if path.iter().any(is_dots) =>
            {
                Err(absent())
            }
            Question::Everything => self.everything(),
            Question::Held(kind, path) => match path.split_first() {
                None => Ok(match self.held(*kind)? {
                    Some(held) => answered(200, &Value::Object(held)),
                    None => absent(),
                }),
                Some((name, rest)) => self.one(*kind, name, rest),
            },
            Question::Status(path) => self.status(path),
            Question::Control(path) => self.raw(&below("/control", path)),
        }
    }

    /// Put together from its parts: what is longer than Unit's socket takes at once would not come
    /// whole.
    fn everything(&self) -> Result<HttpResponse, HttpResponse> {
        let mut all = Map::new();
        for kind in ResourceKind::ALL {
            all.extend(
                self.held(kind)?
                    .map(|held| (kind.member().to_owned(), Value::Object(held))),
            );
        }
        let status = self.status(&[])?;
        let status = json::parse_own(&status.body).map_err(|_| unreadable())?;
        all.extend(object! { "config": self.document.config().clone(), "status": status });
        Ok(answered(200, &Value::Object(all)))
    }

    /// All certificates or modules, by the names that people know; `None` if the server was built
    /// without such.
    fn held(&self, kind: ResourceKind) -> Result<Option<Map<String, Value>>, HttpResponse> {
        let held = match self
            .unit
            .request("GET", &format!("/{}", kind.member()), None)
        {
            Ok(reply) if reply.status == 404 => return Ok(None),
            Ok(reply) if reply.status == 200 => {
                json::parse_own(&reply.body).map_err(|_| unreadable())?
            }
            Ok(reply) => {
                return Err(HttpResponse {
                    status: reply.status,
                    headers: vec![json_type()],
                    body: reply.body,
                });
            }
            Err(RequestFailure::Cut { expected, .. }) => Value::Object(self.known(kind, expected)?),
            Err(failure) => return Err(failed(&failure)),
        };
        let Value::Object(held) = held else {
            return Err(unreadable());
        };
        Ok(Some(if kind == ResourceKind::Certificate {
            self.plain(held)
        } else {
            held
        }))
    }

    /// Certificates under their plain names, and without those that stand for what the document
    /// does not hold any more.
    fn plain(&self, held: Map<String, Value>) -> Map<String, Value> {
        let own: Vec<&str> = self.aliases.iter().map(|(name, _)| name).collect();
        let named = held
            .into_iter()
            .filter_map(|(name, value)| match self.aliases.name(&name) {
                Some(plain) => Some((plain.to_owned(), value)),
                None if is_alias(&name) || own.contains(&&name[..]) => None,
                None => Some((name, value)),
            });
        named.collect()
    }

    /// What the document holds of a list that does not come whole, one by one. The announced length
    /// tells whether that is all there is.
    fn known(&self, kind: ResourceKind, expected: u64) -> Result<Map<String, Value>, HttpResponse> {
        let names = self.document.value()[kind.member()]
            .as_object()
            .into_iter()
            .flatten();
        let mut known = Map::new();
        for (name, content) in names {
            match kind {
                ResourceKind::JsModule => drop(known.insert(name.clone(), content.clone())),
                ResourceKind::Certificate => {
                    let stored = self.aliases.alias(name).unwrap_or(name);
                    let reply = self
                        .unit
                        .request("GET", &resource_path(kind.member(), stored), None)
                        .map_err(|error| failed(&error))?;
                    if reply.status == 200 {
                        known.insert(
                            stored.to_owned(),
                            json::parse_own(&reply.body).map_err(|_| unreadable())?,
                        );
                    }
                }
            }
        }
        let is_all = json::unit_format(&Value::Object(known.clone())).len() as u64 == expected;
        if is_all { Ok(known) } else { Err(cut()) }
    }

    fn one(
        &self,
        kind: ResourceKind,
        name: &str,
        rest: &[String],
    ) -> Result<HttpResponse, HttpResponse> {
        let stored = match kind {
            ResourceKind::Certificate => self.aliases.alias(name).unwrap_or(name),
            ResourceKind::JsModule => name,
        };
        let path = below(&resource_path(kind.member(), stored), rest);
        match self.ask(&path)? {
            // The server has the very source that the document has, or it would be missing, and is
            // given it.
            Err(RequestFailure::Cut { .. })
                if kind == ResourceKind::JsModule && rest.is_empty() =>
            {
                let source = self.document.value()[kind.member()]
                    .get(name)
                    .ok_or_else(cut)?;
                Ok(answered(200, source))
            }
            answer => passed(answer),
        }
    }

    /// What is too long to come whole is put together from the members that a status has.
    fn status(&self, path: &[String]) -> Result<HttpResponse, HttpResponse> {
        let answer = self.ask(&below("/status", path))?;
        let applications = || {
            self.document
                .config()
                .get("applications")
                .and_then(Value::as_object)
        };
        let names: Vec<&str> = match (&answer, path.first().map(String::as_str)) {
            (Err(RequestFailure::Cut { .. }), None) => STATUS.to_vec(),
            (Err(RequestFailure::Cut { .. }), Some("applications")) if path.len() == 1 => {
                applications()
                    .into_iter()
                    .flat_map(|all| all.keys().map(String::as_str))
                    .collect()
            }
            _ => return passed(answer),
        };
        let part = |name: &str| {
            let whole = self.status(&[path, &[name.to_owned()]].concat())?;
            Ok((
                name.to_owned(),
                json::parse_own(&whole.body).map_err(|_| unreadable())?,
            ))
        };
        let parts: Map<String, Value> = names
            .into_iter()
            .map(part)
            .collect::<Result<_, HttpResponse>>()?;
        Ok(answered(200, &Value::Object(parts)))
    }

    fn raw(&self, path: &str) -> Result<HttpResponse, HttpResponse> {
        passed(self.ask(path)?)
    }

    /// The server closes without a word on a head that is too long, and has nothing at such a path
    /// anyway.
    fn ask(&self, path: &str) -> Result<Result<Reply, RequestFailure>, HttpResponse> {
        if path.len() > PASS_PATH_MAX {
            return Err(nowhere());
        }
        Ok(self.unit.wait_and_get(path))
    }
}

fn passed(answer: Result<Reply, RequestFailure>) -> Result<HttpResponse, HttpResponse> {
    let reply = answer.map_err(|failure| failed(&failure))?;
    let response = HttpResponse {
        status: reply.status,
        headers: vec![json_type()],
        body: reply.body,
    };
    if response.status == 200 {
        Ok(response)
    } else {
        Err(response)
    }
}

fn below(path: &str, tokens: &[String]) -> String {
    tokens.iter().fold(path.to_owned(), |path, token| {
        format!("{path}/{}", encoded(token))
    })
}

/// Whether Unit would take a name for a direction.
fn is_dots(token: &String) -> bool {
    token == "." || token == ".."
}

fn answered(status: u16, value: &Value) -> HttpResponse {
    HttpResponse {
        status,
        headers: vec![json_type()],
        body: json::unit_format(value).into_bytes(),
    }
}

fn absent() -> HttpResponse {
    HttpResponse::error(404, "Value doesn't exist.", "")
}

/// Unit would close on it without a word.
fn nowhere() -> HttpResponse {
    HttpResponse::error(
        404,
        "Value doesn't exist.",
        "nothing on the server has a path as long as this",
    )
}

fn cut() -> HttpResponse {
    HttpResponse::error(502, "The server cut its answer short.", "")
}

fn unreadable() -> HttpResponse {
    HttpResponse::error(502, "The server's answer cannot be read.", "")
}

/// Why the server has not answered. A question changes nothing, so it may be asked again.
fn failed(why: &RequestFailure) -> HttpResponse {
    match why {
        RequestFailure::Unreachable(why) => unreachable(why),
        RequestFailure::Lost(why) | RequestFailure::Late(why) | RequestFailure::Unreadable(why) => {
            HttpResponse::error(502, "The server did not answer.", why)
        }
        RequestFailure::Cut { .. } => cut(),
    }
}

fn unreachable(why: &str) -> HttpResponse {
    let mut response = HttpResponse::error(503, "The server cannot be reached.", why);
    response
        .headers
        .push(("Retry-After".to_owned(), "1".to_owned()));
    response
}

/// The members of Unit's status, in order.
const STATUS: [&str; 4] = ["modules", "connections", "requests", "applications"];
