//! Does the server run what it was given?
//!
//! Where one `GET /config` shows all of it, that answers the question. Where Unit cuts the answer
//! off, what came must agree, and the announced length; and what the change has changed is asked
//! for place by place. The rest is the same text as before and was sent in one piece with that: it
//! is looked at in turn afterwards ([`Unit::look_on`]). Of a change in very many places, or one of
//! which nobody knows what was there before, everything is read.

use super::reading::{Glance, Sight, answered, is_too_deep};
use super::{CONFIG, Failure, Match, Unit, encoded, is_beginning, readable};
use crate::limits::{
    DIFFERENCES_MAX, PASS_PATH_MAX, PATH_TOKEN_MAX, PLACES_CHECKED_MAX, REORDERED_FROM,
};
use crate::model::json::{self, Beginning, Value};

impl Unit {
    /// Compares what runs with `want`, and gives what was seen. `before` is what the server ran
    /// before it was given that, as far as is known.
    pub fn verify(&self, want: &Value, before: Option<&Value>) -> Result<(Match, Sight), Failure> {
        let glance = self.glance()?;
        let is_same = match before {
            // As a rule it is the same text as ours, and nothing need be made of it.
            _ if glance.is_whole() => json::unit_format(want).as_bytes() == &glance.received[..],
            Some(before) => self.is_changed_to(&glance, want, before)?,
            None => false,
        };
        if is_same {
            return Ok((Match::Same, Sight::new(glance, want.clone().into())));
        }
        let sight = self.whole(glance, Some(want))?;
        let paths = json::differing(sight.config(), want, DIFFERENCES_MAX);
        let paths: Vec<String> = paths
            .into_iter()
            .map(|path| format!("{CONFIG}{path}"))
            .collect();
        Ok((
            if paths.is_empty() {
                Match::Same
            } else {
                Match::Differs(paths)
            },
            sight,
        ))
    }

    /// Whether what came agrees, and it is as wanted wherever that differs from `before`.
    fn is_changed_to(
        &self,
        glance: &Glance,
        want: &Value,
        before: &Value,
    ) -> Result<bool, Failure> {
        let (Ok(beginning), Some(places)) = (
            json::parse_beginning(&glance.received),
            places(before, want),
        ) else {
            return Ok(false);
        };
        if !is_as_long(glance, want) || !agrees(&beginning.value, want, beginning.open) {
            return Ok(false);
        }
        for place in places.iter().filter(|place| !covers(&beginning, place)) {
            let mut place = &place[..];
            // What no path can name is asked for with what it stands in.
            let path = loop {
                match path_of(place) {
                    Some(path) => break path,
                    None => place = &place[..place.len() - 1],
                }
            };
            if !part(self, &path, found(want, place))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether there is, at a path of the server's, what should be there; `None` is nothing. A member
/// that no path can name is left out.
pub(super) fn part(unit: &Unit, path: &str, want: Option<&Value>) -> Result<bool, Failure> {
    match (unit.request("GET", path, None), want) {
        (Ok(reply), want) if reply.status == 404 => Ok(want.is_none()),
        (Ok(reply), Some(want)) if reply.status == 200 => {
            Ok(json::same(&readable(&reply.body)?, want))
        }
        (Ok(reply), None) if reply.status == 200 => Ok(false),
        (Err(Failure::Cut { received, expected }), Some(want)) => {
            pieces(unit, path, want, &Glance::new(expected, received))
        }
        (Err(Failure::Cut { .. }), None) => Ok(false),
        (Ok(reply), _) => Err(answered(path, reply.status)),
        (Err(failure), _) => Err(failure),
    }
}

/// The same for what does not come whole.
fn pieces(unit: &Unit, path: &str, want: &Value, glance: &Glance) -> Result<bool, Failure> {
    if !seems(glance, want) {
        return Ok(false);
    }
    if is_too_deep(path) {
        return Err(Failure::Unreadable(format!(
            "{path} is cut off, and too deep to be read in parts"
        )));
    }
    let Ok(beginning) = json::parse_beginning(&glance.received) else {
        return Ok(true);
    };
    let is_open = |token: &str| !covers(&beginning, &[token.to_owned()]);
    match want {
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| is_open(name)) {
                if let Ok(below) = below(path, name)
                    && !part(unit, &below, Some(member))?
                {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Value::Array(elements) => {
            for (place, element) in elements
                .iter()
                .enumerate()
                .filter(|(place, _)| is_open(&place.to_string()))
            {
                if !part(unit, &format!("{path}/{place}"), Some(element))? {
                    return Ok(false);
                }
            }
            part(unit, &format!("{path}/{}", elements.len()), None)
        }
        _ => Ok(true),
    }
}

/// Whether what came of an answer, and its announced length, are those of `want`.
pub(super) fn seems(glance: &Glance, want: &Value) -> bool {
    if !matches!(want, Value::Array(_) | Value::Object(_)) {
        return is_beginning(&glance.received, glance.expected, want);
    }
    let agree = |beginning: Beginning| agrees(&beginning.value, want, beginning.open);
    is_as_long(glance, want) && json::parse_beginning(&glance.received).is_ok_and(agree)
}

fn is_as_long(glance: &Glance, want: &Value) -> bool {
    json::unit_length(want).abs_diff(glance.expected) <= 2 * reordered(want)
}

/// Whether the beginning of a value is that of `want`; so many levels of it are open.
fn agrees(came: &Value, want: &Value, open: usize) -> bool {
    let below = |place: usize, of: usize| {
        if place + 1 == of {
            open.saturating_sub(1)
        } else {
            0
        }
    };
    match (came, want) {
        _ if open == 0 => json::same(came, want),
        (Value::Array(came), Value::Array(want)) => {
            let mut both = came.iter().zip(want).enumerate();
            came.len() <= want.len()
                && both.all(|(place, (value, want))| agrees(value, want, below(place, came.len())))
        }
        (Value::Object(came), Value::Object(want)) => {
            let mut members = came.iter().enumerate();
            members.all(|(place, (name, value))| {
                want.get(name)
                    .is_some_and(|want| agrees(value, want, below(place, came.len())))
            })
        }
        _ => false,
    }
}

/// Whether what stands there, or that nothing does, has come with the beginning.
fn covers(beginning: &Beginning, place: &[String]) -> bool {
    let (mut value, mut open) = (&beginning.value, beginning.open);
    for token in place {
        if open == 0 {
            return true;
        }
        let (child, is_last) = match value {
            Value::Object(members) => (
                members.get(token),
                members.keys().next_back() == Some(token),
            ),
            Value::Array(elements) => {
                let index = token.parse::<usize>().ok();
                (
                    index.and_then(|index| elements.get(index)),
                    index.is_some_and(|index| index + 1 == elements.len()),
                )
            }
            _ => return false,
        };
        let Some(child) = child else { return false };
        (value, open) = (child, if is_last { open - 1 } else { 0 });
    }
    open == 0
}

/// The paths at which `want` differs from `before`; none if they are too many, or what no request
/// can bear.
pub(super) fn changed_paths(before: &Value, want: &Value) -> Vec<String> {
    places(before, want)
        .into_iter()
        .flatten()
        .filter_map(|place| path_of(&place))
        .collect()
}

/// Where `want` differs from `before`, as tokens from the root; `None` if that is in more places
/// than are worth being asked for one by one.
fn places(before: &Value, want: &Value) -> Option<Vec<Vec<String>>> {
    let mut places = Places {
        found: Vec::new(),
        at: Vec::new(),
    };
    places.add(before, want);
    (places.found.len() <= PLACES_CHECKED_MAX).then_some(places.found)
}

struct Places {
    found: Vec<Vec<String>>,
    at: Vec<String>,
}

impl Places {
    fn add(&mut self, before: &Value, want: &Value) {
        match (before, want) {
            _ if self.found.len() > PLACES_CHECKED_MAX => {}
            (Value::Object(before), Value::Object(want)) => {
                for (name, want) in want {
                    self.below(name.clone(), before.get(name), want);
                }
                before
                    .keys()
                    .filter(|name| !want.contains_key(name))
                    .for_each(|name| self.note(name.clone()));
            }
            (Value::Array(before), Value::Array(want)) if before.len() == want.len() => {
                let both = before
                    .iter()
                    .zip(want)
                    .enumerate()
                    .filter(|(_, (before, want))| !json::same(before, want));
                both.for_each(|(place, (before, want))| {
                    self.below(place.to_string(), Some(before), want)
                });
            }
            (Value::Array(before), Value::Array(want)) => self.shifted(before, want),
            _ if json::same(before, want) => {}
            _ => self.found.push(self.at.clone()),
        }
    }

    /// Elements have come or gone: those that are new, the last, for those behind them have moved,
    /// and that nothing comes after it.
    fn shifted(&mut self, before: &[Value], want: &[Value]) {
        let shorter = before.len().min(want.len());
        let first = before
            .iter()
            .zip(want)
            .take_while(|(before, want)| json::same(before, want))
            .count();
        let tail = before
            .iter()
            .rev()
            .zip(want.iter().rev())
            .take(shorter - first);
        let tail = tail
            .take_while(|(before, want)| json::same(before, want))
            .count();
        let new = first..want.len() - tail;
        if new.len() > PLACES_CHECKED_MAX {
            return self.found.push(self.at.clone());
        }
        new.chain(want.len().saturating_sub(1)..want.len() + 1)
            .for_each(|place| self.note(place.to_string()));
    }

    fn below(&mut self, token: String, before: Option<&Value>, want: &Value) {
        let Some(before) = before else {
            return self.note(token);
        };
        self.at.push(token);
        self.add(before, want);
        self.at.pop();
    }

    fn note(&mut self, token: String) {
        let mut place = self.at.clone();
        place.push(token);
        self.found.push(place);
    }
}

/// What stands at a place.
pub(super) fn found<'a>(value: &'a Value, place: &[String]) -> Option<&'a Value> {
    place.iter().try_fold(value, |value, token| match value {
        Value::Array(elements) => elements.get(token.parse::<usize>().ok()?),
        value => value.get(token),
    })
}

/// The path of a place; `None` if no request can bear it.
fn path_of(place: &[String]) -> Option<String> {
    let path = place
        .iter()
        .try_fold(CONFIG.to_owned(), |path, token| below(&path, token))
        .ok()?;
    (path.len() <= PASS_PATH_MAX).then_some(path)
}

/// How many objects in `value` Unit reorders. It puts an empty line after a member that is a filled
/// array or object unless that is the last, so such an object may come out two bytes longer or
/// shorter than in our order.
fn reordered(value: &Value) -> u64 {
    match value {
        Value::Object(members) => {
            u64::from(members.len() >= REORDERED_FROM)
                + members.values().map(reordered).sum::<u64>()
        }
        Value::Array(elements) => elements.iter().map(reordered).sum(),
        _ => 0,
    }
}

/// The path of a member. Unit splits at slashes, then decodes each token once; a token it would
/// take for another cannot be asked for.
pub(super) fn below(path: &str, key: &str) -> Result<String, Failure> {
    if matches!(key, "" | "." | "..") || key.len() > PATH_TOKEN_MAX {
        return Err(Failure::Unreadable(format!(
            "{path} is cut off and has a member that no path can name"
        )));
    }
    Ok(format!("{path}/{}", encoded(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_member_is_named_as_unit_decodes_it() {
        assert_eq!(
            below("/config/routes", "a/b").unwrap(),
            "/config/routes/a%2Fb"
        );
        assert_eq!(below("/config", "p%q é").unwrap(), "/config/p%25q%20%C3%A9");
        assert_eq!(
            below("/config/listeners", "*:8080").unwrap(),
            "/config/listeners/*:8080"
        );
    }

    #[test]
    fn a_member_that_unit_would_take_for_another_is_not_asked_for() {
        for key in ["", ".", "..", &"x".repeat(PATH_TOKEN_MAX + 1)] {
            assert!(below("/config", key).is_err());
        }
    }

    #[test]
    fn what_is_asked_for_after_a_change_is_what_it_changed() {
        let paths = |before: &str, want: &str| {
            let places = places(&json(before), &json(want)).unwrap();
            places
                .iter()
                .map(|place| place.join("/"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            paths(r#"{"a": [1, {"b": 2}]}"#, r#"{"a": [1, {"b": 3}]}"#),
            "a/1/b"
        );
        assert_eq!(paths(r#"{"a": 1, "b": 2}"#, r#"{"c": 1, "b": 2}"#), "c a");
        assert_eq!(paths("[1, 2, 3]", "[1, 2, 3, 4]"), "3 3 4");
        assert_eq!(paths("[1, 2, 3]", "[1, 3]"), "1 2");
        assert_eq!(paths("[1, 2, 3]", "[0, 1, 2, 3]"), "0 3 4");
        assert_eq!(paths("[1, 1]", "[1, 1, 1]"), "2 2 3");
        assert_eq!(paths("[1]", "[]"), "0");
        assert_eq!(paths("[1]", "{}"), "");
        let many = |word: &str| {
            json(&format!(
                "[{}]",
                vec![word; PLACES_CHECKED_MAX + 1].join(",")
            ))
        };
        assert_eq!(places(&many("1"), &many("2")), None);
    }

    #[test]
    fn a_beginning_is_that_of_a_value_or_of_another() {
        let want = json(r#"{"a": [{"x": 1}, {"y": 2, "z": 3}], "b": "long"}"#);
        let text = json::unit_format(&want);
        for end in 1..text.len() {
            let glance =
                |expected: usize| Glance::new(expected as u64, text.as_bytes()[..end].to_vec());
            assert!(seems(&glance(text.len()), &want) && !seems(&glance(text.len() + 1), &want));
        }
        let beginning = json::parse_beginning(br#"{"a": [{"x": 1}, {"y": 2, "#).unwrap();
        let covered = |place: &str| {
            covers(
                &beginning,
                &place.split('/').map(str::to_owned).collect::<Vec<_>>(),
            )
        };
        assert!(covered("a/0/x") && covered("a/0/none") && covered("a/1/y") && covered("a/0"));
        assert!(
            !covered("a/1/z")
                && !covered("a/1")
                && !covered("a/2")
                && !covered("b")
                && !covered("a")
        );
        assert!(!agrees(
            &beginning.value,
            &json(r#"{"a": [{"x": 1}, {"y": 4}]}"#),
            beginning.open
        ));
    }
}
