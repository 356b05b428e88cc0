//! Places in a server's configuration, and the paths under which Unit is asked for them.
//!
//! Where two configurations differ is worked out here too, for only those places are asked for
//! after a change. Nothing here asks the server.

use super::{CONFIG, RequestFailure, encoded};
use crate::limits::{PARTS_DEPTH_MAX, PASS_PATH_MAX, PATH_TOKEN_MAX, PLACES_CHECKED_MAX};
use crate::model::json::{self, Value};

/// The paths at which `want` differs from `before`; none if they are too many, or what no request
/// can bear.
pub(super) fn changed_paths(before: &Value, want: &Value) -> Vec<String> {
    changed_places(before, want)
        .into_iter()
        .flatten()
        .filter_map(|place| path_of(&place))
        .collect()
}

/// Where `want` differs from `before`, as tokens from the root; `None` if that is in more places
/// than are worth being asked for one by one.
pub(super) fn changed_places(before: &Value, want: &Value) -> Option<Vec<Vec<String>>> {
    let mut places = ChangedPlaces {
        found: Vec::new(),
        at: Vec::new(),
    };
    places.add(before, want);
    (places.found.len() <= PLACES_CHECKED_MAX).then_some(places.found)
}

struct ChangedPlaces {
    found: Vec<Vec<String>>,
    at: Vec<String>,
}

impl ChangedPlaces {
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

/// The value at a place, if there is one.
pub(super) fn value_at<'a>(value: &'a Value, place: &[String]) -> Option<&'a Value> {
    place.iter().try_fold(value, |value, token| match value {
        Value::Array(elements) => elements.get(token.parse::<usize>().ok()?),
        value => value.get(token),
    })
}

/// The path of a place; `None` if no request can bear it.
pub(super) fn path_of(place: &[String]) -> Option<String> {
    let path = place
        .iter()
        .try_fold(CONFIG.to_owned(), |path, token| member_path(&path, token))
        .ok()?;
    (path.len() <= PASS_PATH_MAX).then_some(path)
}

/// The path of a member. Unit splits at slashes, then decodes each token once; a token it would
/// take for another cannot be asked for.
pub(super) fn member_path(path: &str, key: &str) -> Result<String, RequestFailure> {
    if matches!(key, "" | "." | "..") || key.len() > PATH_TOKEN_MAX {
        return Err(RequestFailure::Unreadable(format!(
            "{path} is cut off and has a member that no path can name"
        )));
    }
    Ok(format!("{path}/{}", encoded(key)))
}

/// Whether a path leads deeper than is read in parts.
pub(super) fn is_too_deep(path: &str) -> bool {
    path.bytes().filter(|byte| *byte == b'/').count() > PARTS_DEPTH_MAX
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
            member_path("/config/routes", "a/b").unwrap(),
            "/config/routes/a%2Fb"
        );
        assert_eq!(
            member_path("/config", "p%q é").unwrap(),
            "/config/p%25q%20%C3%A9"
        );
        assert_eq!(
            member_path("/config/listeners", "*:8080").unwrap(),
            "/config/listeners/*:8080"
        );
    }

    #[test]
    fn a_member_that_unit_would_take_for_another_is_not_asked_for() {
        for key in ["", ".", "..", &"x".repeat(PATH_TOKEN_MAX + 1)] {
            assert!(member_path("/config", key).is_err());
        }
    }

    #[test]
    fn what_is_asked_for_after_a_change_is_what_it_changed() {
        let paths = |before: &str, want: &str| {
            let places = changed_places(&json(before), &json(want)).unwrap();
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
        assert_eq!(changed_places(&many("1"), &many("2")), None);
    }
}
