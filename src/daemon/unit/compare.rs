//! Does the server run what it was given?
//!
//! Where one `GET /config` shows all of it, that answers the question. Where Unit cuts the answer
//! off, what came must agree, and the announced length; and what the change has changed is asked
//! for place by place. The rest is the same text as before and was sent in one piece with that: it
//! is looked at in turn afterwards ([`Sight::check_next_parts`]). Of a change in very many places,
//! or one of which nobody knows what was there before, everything is read.

use super::glance::{Glance, covers};
use super::place::{changed_places, is_too_deep, member_path, path_of, value_at};
use super::reading::Sight;
use super::{CONFIG, Match, RequestFailure, Unit, readable, unexpected_status};
use crate::limits::DIFFERENCES_MAX;
use crate::model::json::{self, Value};

/// Compares what runs with `want`, as [`Unit::verify`] says.
pub(super) fn verify(
    unit: &Unit,
    want: &Value,
    before: Option<&Value>,
) -> Result<(Match, Sight), RequestFailure> {
    let glance = Glance::of(unit)?;
    let is_same = match before {
        // As a rule it is the same text as ours, and nothing need be made of it.
        _ if glance.is_whole() => json::unit_format(want).as_bytes() == &glance.received[..],
        Some(before) => is_changed_to(unit, &glance, want, before)?,
        None => false,
    };
    if is_same {
        return Ok((Match::Same, Sight::new(glance, want.clone().into())));
    }
    let sight = Sight::whole(unit, glance, Some(want))?;
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
    unit: &Unit,
    glance: &Glance,
    want: &Value,
    before: &Value,
) -> Result<bool, RequestFailure> {
    let (Ok(beginning), Some(places)) = (
        json::parse_beginning(&glance.received),
        changed_places(before, want),
    ) else {
        return Ok(false);
    };
    if !glance.agrees_with(&beginning, want) {
        return Ok(false);
    }
    let open: Vec<_> = places
        .iter()
        .filter(|place| !covers(&beginning, place))
        .collect();
    // The value takes many times the memory of its text, and the parts are read in parts too.
    drop(beginning);
    for place in open {
        let mut place = &place[..];
        // What no path can name is asked for with what it stands in.
        let path = loop {
            match path_of(place) {
                Some(path) => break path,
                None => place = &place[..place.len() - 1],
            }
        };
        if !is_there(unit, &path, value_at(want, place))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether there is, at a path of the server's, what should be there; `None` is nothing. A member
/// that no path can name is left out.
fn is_there(unit: &Unit, path: &str, want: Option<&Value>) -> Result<bool, RequestFailure> {
    match (unit.request("GET", path, None), want) {
        (Ok(reply), want) if reply.status == 404 => Ok(want.is_none()),
        (Ok(reply), Some(want)) if reply.status == 200 => {
            Ok(json::same(&readable(&reply.body)?, want))
        }
        (Ok(reply), None) if reply.status == 200 => Ok(false),
        (Err(RequestFailure::Cut { received, expected }), Some(want)) => {
            is_there_in_parts(unit, path, want, &Glance::new(expected, received))
        }
        (Err(RequestFailure::Cut { .. }), None) => Ok(false),
        (Ok(reply), _) => Err(unexpected_status(path, reply.status)),
        (Err(failure), _) => Err(failure),
    }
}

/// Whether `want` is at a path whose answer was cut off, asked for in parts.
fn is_there_in_parts(
    unit: &Unit,
    path: &str,
    want: &Value,
    glance: &Glance,
) -> Result<bool, RequestFailure> {
    let beginning = json::parse_beginning(&glance.received).ok();
    let agrees = match &beginning {
        Some(beginning) if matches!(want, Value::Array(_) | Value::Object(_)) => {
            glance.agrees_with(beginning, want)
        }
        _ => glance.seems(want),
    };
    if !agrees {
        return Ok(false);
    }
    if is_too_deep(path) {
        return Err(RequestFailure::Unreadable(format!(
            "{path} is cut off, and too deep to be read in parts"
        )));
    }
    let Some(beginning) = beginning else {
        return Ok(true);
    };
    let is_open = |token: &str| !covers(&beginning, &[token.to_owned()]);
    match want {
        Value::Object(members) => {
            let open = members.iter().filter(|(name, _)| is_open(name));
            let open: Vec<_> = open.collect();
            // As above.
            drop(beginning);
            for (name, member) in open {
                if let Ok(path) = member_path(path, name)
                    && !is_there(unit, &path, Some(member))?
                {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Value::Array(elements) => {
            let all = elements.iter().enumerate();
            let open: Vec<_> = all
                .filter(|(place, _)| is_open(&place.to_string()))
                .collect();
            drop(beginning);
            for (place, element) in open {
                if !is_there(unit, &format!("{path}/{place}"), Some(element))? {
                    return Ok(false);
                }
            }
            is_there(unit, &format!("{path}/{}", elements.len()), None)
        }
        _ => Ok(true),
    }
}
