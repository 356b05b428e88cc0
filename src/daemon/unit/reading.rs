//! What a server runs, whole, also where it does not show it so.
//!
//! Unit cuts off answers beyond its socket's send buffer, some 213 kB on a Unix socket, and has no
//! way to ask for a part of an array. What came before the cut counts. The element or member that
//! the cut went through is asked for by itself, then the elements after it one by one,
//! and the members after it by the names that they may have: those of a configuration, of what was
//! last known, and those that something refers to. Whether these are all is told by the length that
//! Unit announced. At the end the beginning is asked for once more, so that parts
//! of two configurations are never taken for one.

use std::collections::BTreeSet;

use super::glance::Glance;
use super::place::{changed_paths, is_too_deep, member_path, value_at};
use super::rest::{Part, Rest};
use super::{CONFIG, RequestFailure, Unit, is_beginning, readable, unexpected_status};
use crate::limits::WHOLE_TRIES;
use crate::model::fingerprint::Fingerprint;
use crate::model::json::{self, Beginning, Map, Value};
use crate::model::path::Path;
use crate::model::shown::ShownConfig;

/// What a server was seen to run, and by what it is known again.
#[derive(Debug, Clone)]
pub struct Sight {
    glance: Glance,
    config: ShownConfig,
    /// What lies beyond the glance; not worked out before it is needed.
    rest: Option<Rest>,
    /// How many of those parts have been looked at in this round.
    looked_at: usize,
}

impl Sight {
    pub(super) fn new(glance: Glance, config: ShownConfig) -> Self {
        Self {
            glance,
            config,
            rest: None,
            looked_at: 0,
        }
    }

    /// Goes on with the look at what does not come whole where that had come to in another sight.
    pub(crate) fn go_on_from(&mut self, other: &Self) {
        self.looked_at = other.looked_at;
    }

    /// The configuration, under the names that the server has for certificates.
    pub fn config(&self) -> &ShownConfig {
        &self.config
    }

    /// Whether it came whole, so that one look at all of it is enough.
    pub fn is_whole(&self) -> bool {
        self.glance.is_whole()
    }

    /// Leaves of it in memory what it takes to know it again.
    pub fn fold(&mut self) {
        if self.config.is_unfolded() {
            // The next look needs it, and would have to make the value anew for it.
            if !self.glance.is_whole() {
                self.rest();
            }
            self.config = self.config.folded();
        }
    }

    /// The parts that did not come, and how many of them have been looked at.
    fn rest(&mut self) -> (&Rest, &mut usize) {
        let rest =
            self.rest
                .get_or_insert_with(|| match json::parse_beginning(&self.glance.received) {
                    Ok(beginning) if !self.glance.is_whole() => {
                        Rest::of(&self.config, &beginning, self.glance.received.len())
                    }
                    _ => Rest::default(),
                });
        (rest, &mut self.looked_at)
    }

    /// Reads what the server runs now, as [`Unit::see`] says.
    pub(super) fn read(
        unit: &Unit,
        before: Option<&Sight>,
        hint: Option<&Value>,
    ) -> Result<Self, RequestFailure> {
        let glance = Glance::of(unit)?;
        match before {
            Some(before) if before.glance.is_like(&glance) => Ok(before.clone()),
            _ => Self::whole(
                unit,
                glance,
                before.map(|before| before.config().value()).or(hint),
            ),
        }
    }

    /// Looks at the next few parts of what does not come whole, whether they are still as they were
    /// seen; in some sixty calls at all of them.
    pub(crate) fn check_next_parts(&mut self, unit: &Unit) -> Result<bool, RequestFailure> {
        let (rest, looked_at) = self.rest();
        let parts = rest.next(looked_at);
        self.are_as_seen(unit, &parts)
    }

    /// Looks at what does not come whole right before it is replaced by `want`, whether it is still
    /// as it was seen: at the parts that this changes, and at as many others as are worth it,
    /// which is all of them unless they are many.
    pub(crate) fn check_before_change(
        &mut self,
        unit: &Unit,
        want: &Value,
    ) -> Result<bool, RequestFailure> {
        if self.glance.is_whole() {
            return Ok(true);
        }
        let paths = changed_paths(&self.config, want);
        let (rest, looked_at) = self.rest();
        let parts = rest.before_change(looked_at, &paths);
        self.are_as_seen(unit, &parts)
    }

    fn are_as_seen(&self, unit: &Unit, parts: &[Part]) -> Result<bool, RequestFailure> {
        for part in parts {
            if !self.is_as_seen(unit, part)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_as_seen(&self, unit: &Unit, part: &Part) -> Result<bool, RequestFailure> {
        match unit.request("GET", &part.path, None) {
            Ok(reply) if reply.status == 200 => {
                Ok(Fingerprint::of(&readable(&reply.body)?) == part.fingerprint)
            }
            Ok(reply) if reply.status == 404 => Ok(false),
            Ok(reply) => Err(unexpected_status(&part.path, reply.status)),
            // A text that is longer than what comes at once.
            Err(RequestFailure::Cut { received, expected }) => {
                let path = Path::parse(&*part.path).ok();
                let want = path
                    .as_ref()
                    .and_then(|path| value_at(&self.config, &path.tokens()[1..]));
                Ok(want.is_some_and(|want| Glance::new(expected, received).seems(want)))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Reads what `glance` shows the beginning of.
    pub(super) fn whole(
        unit: &Unit,
        mut glance: Glance,
        hint: Option<&Value>,
    ) -> Result<Self, RequestFailure> {
        for _ in 0..WHOLE_TRIES {
            if glance.is_whole() {
                let config = readable(&glance.received)?;
                return Ok(Self::new(glance, config.into()));
            }
            let read = PartsReader::new(unit).read(&glance, hint);
            let again = Glance::of(unit)?;
            match read {
                Ok(config) if again.is_like(&glance) => {
                    return Ok(Self::new(glance, config.into()));
                }
                Err(PartsError::Failed(failure)) => return Err(failure),
                Ok(_) | Err(PartsError::Moved) => glance = again,
            }
        }
        Err(RequestFailure::Unreadable(
            "it is changed again and again while it is read in parts".to_owned(),
        ))
    }
}

/// Why reading in parts does not go on.
enum PartsError {
    Failed(RequestFailure),
    /// The configuration has changed meanwhile: a part is not there any more.
    Moved,
}

impl From<RequestFailure> for PartsError {
    fn from(failure: RequestFailure) -> Self {
        Self::Failed(failure)
    }
}

struct PartsReader<'a> {
    unit: &'a Unit,
    /// What is referred to: where it stands below the configuration, and its name.
    names: BTreeSet<(String, String)>,
    /// An object of which not all members were found.
    short: Option<String>,
}

impl<'a> PartsReader<'a> {
    fn new(unit: &'a Unit) -> Self {
        Self {
            unit,
            names: BTreeSet::new(),
            short: None,
        }
    }

    /// Reads all of it; once more if names have come to light that were not known when they were
    /// needed.
    fn read(&mut self, glance: &Glance, hint: Option<&Value>) -> Result<Value, PartsError> {
        loop {
            let known = self.names.len();
            let (config, _) = self.complete(CONFIG, &glance.received, glance.expected, hint)?;
            match self.short.take() {
                None => return Ok(config),
                Some(path) if self.names.len() == known => return Err(hidden(&path).into()),
                Some(_) => {}
            }
        }
    }

    /// What stands at a path, and how many bytes longer or shorter than in this order of members it
    /// may be; `None` if nothing does.
    fn value_at(
        &mut self,
        path: &str,
        hint: Option<&Value>,
    ) -> Result<Option<(Value, u64)>, PartsError> {
        match self.unit.request("GET", path, None) {
            Ok(reply) if reply.status == 200 => {
                let value = readable(&reply.body)?;
                self.note_names(&value);
                Ok(Some((value, 0)))
            }
            Ok(reply) if reply.status == 404 => Ok(None),
            Ok(reply) => Err(unexpected_status(path, reply.status).into()),
            Err(RequestFailure::Cut { received, expected }) => {
                self.complete(path, &received, expected, hint).map(Some)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Reads the rest of what stands at a path and did not come whole.
    fn complete(
        &mut self,
        path: &str,
        received: &[u8],
        expected: u64,
        hint: Option<&Value>,
    ) -> Result<(Value, u64), PartsError> {
        if received.first().is_none_or(|byte| !b"{[".contains(byte)) || is_too_deep(path) {
            return match hint {
                Some(hint) if is_beginning(received, expected, hint) => Ok((hint.clone(), 0)),
                _ => Err(too_long(path, expected).into()),
            };
        }
        let Beginning {
            mut value,
            open,
            next,
        } = json::parse_beginning(received).map_err(|error| {
            RequestFailure::Unreadable(format!("the beginning of {path} cannot be read: {error}"))
        })?;
        self.note_names(&value);
        let slack = match &mut value {
            _ if open == 0 => 0,
            Value::Array(elements) => {
                elements.truncate(elements.len() - usize::from(open > 1));
                self.elements(path, elements, hint)?
            }
            Value::Object(members) => {
                let last = if open > 1 {
                    members.keys().next_back().cloned()
                } else {
                    None
                };
                last.iter()
                    .for_each(|last| drop(members.shift_remove(last)));
                self.members(path, members, last.or(next), hint)?
            }
            _ => 0,
        };
        if json::unit_length(&value).abs_diff(expected) > slack {
            self.short.get_or_insert_with(|| path.to_owned());
        }
        Ok((value, slack))
    }

    fn elements(
        &mut self,
        path: &str,
        elements: &mut Vec<Value>,
        hint: Option<&Value>,
    ) -> Result<u64, PartsError> {
        let mut slack = 0;
        loop {
            let place = elements.len();
            let Some((element, own)) = self.value_at(
                &format!("{path}/{place}"),
                hint.and_then(|hint| hint.get(place)),
            )?
            else {
                return Ok(slack);
            };
            elements.push(element);
            slack += own;
        }
    }

    /// The order in which members are found need not be that in which Unit has them, and with it
    /// goes an empty line.
    fn members(
        &mut self,
        path: &str,
        members: &mut Map<String, Value>,
        next: Option<String>,
        hint: Option<&Value>,
    ) -> Result<u64, PartsError> {
        let mut slack = EMPTY_LINE;
        let is_known = next.is_some();
        for (place, name) in next
            .into_iter()
            .chain(self.candidates(path, hint))
            .enumerate()
        {
            let (false, Ok(path)) = (members.contains_key(&name), member_path(path, &name)) else {
                continue;
            };
            match self.value_at(&path, hint.and_then(|hint| hint.get(&name)))? {
                Some((member, own)) => {
                    members.insert(name, member);
                    slack += own;
                }
                None if is_known && place == 0 => return Err(PartsError::Moved),
                None => {}
            }
        }
        Ok(slack)
    }

    /// The names that members of an object may have.
    fn candidates(&self, path: &str, hint: Option<&Value>) -> Vec<String> {
        let mut names: Vec<String> = hint
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect();
        let place = path
            .strip_prefix(CONFIG)
            .unwrap_or(path)
            .trim_start_matches('/');
        if place.is_empty() {
            names.extend(MEMBERS.map(str::to_owned));
        }
        names.extend(
            self.names
                .iter()
                .filter(|(of, _)| of == place)
                .map(|(_, name)| name.clone()),
        );
        if place == "applications"
            && let Ok(reply) = self.unit.wait_and_get("/status/applications")
            && let Ok(Value::Object(running)) = json::parse_own(&reply.body)
        {
            names.extend(running.into_iter().map(|(name, _)| name));
        }
        names
    }

    /// Routes, applications and upstreams are referred to by `pass`.
    fn note_names(&mut self, value: &Value) {
        match value {
            Value::Array(elements) => elements.iter().for_each(|element| self.note_names(element)),
            Value::Object(members) => {
                if let Some(Value::String(pass)) = members.get("pass")
                    && let Ok(path) = Path::parse(format!("/{pass}"))
                    && let [of, name, ..] = path.tokens()
                {
                    self.names.insert((of.clone(), name.clone()));
                }
                members.values().for_each(|member| self.note_names(member));
            }
            _ => {}
        }
    }
}

fn too_long(path: &str, expected: u64) -> RequestFailure {
    RequestFailure::Unreadable(format!(
        "of {path}, {expected} bytes long, only the beginning comes over its control socket; \
         {CURE}"
    ))
}

fn hidden(path: &str) -> RequestFailure {
    RequestFailure::Unreadable(format!(
        "{path} does not come whole over its control socket, and has members that nothing else \
         names; {CURE}"
    ))
}

/// A TCP socket takes some megabytes at once, and a Unix socket what the system says.
const CURE: &str =
    "raise net.core.wmem_default with sysctl, or start NGINX Unit with --control 127.0.0.1:PORT";
/// The bytes of an empty line between members: see [`json::unit_format`].
const EMPTY_LINE: u64 = 2;
/// The members that Unit's configuration may have at its root.
const MEMBERS: [&str; 6] = [
    "settings",
    "listeners",
    "routes",
    "applications",
    "upstreams",
    "access_log",
];
