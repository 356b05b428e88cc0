//! The places that a patch touches, and the operations of an edit that say so.
//!
//! An edit names what it changes, so that two which touch different places get along. A patch may
//! touch many places, one of them twice, or shift the elements of an array under its own feet. What
//! is noted here ends up as at most [`OPERATIONS_MAX`] places of which none lies within another:
//! where two meet, or elements are shifted beside other changes, the whole that holds them is the
//! place. An element that is added at the end of an array, and nothing else there, stays an append.

use super::document::member;
use super::edit::{Change, Op};
use super::json::{self, Value};
use super::path::{Path, is_token};
use crate::limits::{OPERATIONS_MAX, PATH_MAX, PATH_TOKEN_MAX};

/// Where a patch has been, below a path.
pub struct TouchedPlaces {
    base: Path,
    places: Vec<TouchedPlace>,
}

/// How a place is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// The value is set, or the member removed.
    Set,
    /// The value is what something depends on, and may well stay as it is.
    Tested,
    /// The array there has got one more element at its end.
    Append,
    /// The element was removed from its array, so that all behind it have other indexes.
    Cut,
}

struct TouchedPlace {
    tokens: Vec<String>,
    touch: Touch,
    /// Whether something depends on what was there.
    tested: bool,
}

impl TouchedPlace {
    /// All that is affected: with elements that are added or removed, their array.
    fn region(&self) -> &[String] {
        match self.touch {
            Touch::Cut => &self.tokens[..self.tokens.len() - 1],
            Touch::Set | Touch::Tested | Touch::Append => &self.tokens,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        let (here, there) = (self.region(), other.region());
        here.starts_with(there) || there.starts_with(here)
    }
}

impl TouchedPlaces {
    /// None yet.
    pub fn below(base: &Path) -> Self {
        Self {
            base: base.clone(),
            places: Vec::new(),
        }
    }

    /// The value that these tokens lead to is touched. Tokens that no path can have lead to the
    /// last value that one can name.
    pub fn touch(&mut self, tokens: &[String], touch: Touch) {
        let named = self.named(tokens);
        let is_root = named == 0 && self.base.tokens().len() <= 1;
        let touch = match touch {
            Touch::Tested => touch,
            // An edit cannot append to the configuration itself, as POST cannot.
            Touch::Append if is_root => Touch::Set,
            _ if named < tokens.len() => Touch::Set,
            _ => touch,
        };
        self.add(TouchedPlace {
            tokens: tokens[..named].to_vec(),
            touch,
            tested: touch == Touch::Tested,
        });
        while self.places.len() > OPERATIONS_MAX {
            self.lift();
        }
    }

    /// The operations that make what is now at these places of what was there; both values stand at
    /// the base.
    pub fn ops(&self, before: &Value, after: &Value) -> Vec<Op> {
        self.places
            .iter()
            .filter_map(|place| self.op(place, before, after))
            .collect()
    }

    fn op(&self, place: &TouchedPlace, before: &Value, after: &Value) -> Option<Op> {
        let value = |root| {
            place
                .tokens
                .iter()
                .try_fold(root, |value, token| member(value, token))
        };
        let same = |was: &Value, is: &Value| json::compact(was) == json::compact(is);
        let change = match (place.touch, value(before), value(after)) {
            (Touch::Append, _, Some(Value::Array(elements))) => {
                Change::Append(elements.last()?.clone())
            }
            (Touch::Cut, _, _) => Change::Delete,
            (_, Some(was), Some(is)) if !place.tested && same(was, is) => return None,
            (_, _, Some(is)) => Change::Put(is.clone()),
            (_, Some(_), None) => Change::Delete,
            (_, None, None) => return None,
        };
        let path = place
            .tokens
            .iter()
            .try_fold(self.base.clone(), |path, token| path.child(token));
        Some(Op {
            path: path.expect("only tokens that a path can have are noted"),
            change,
        })
    }

    /// Adds a place, and makes one of it and all that it meets.
    fn add(&mut self, place: TouchedPlace) {
        let Some(at) = self.places.iter().position(|other| other.meets(&place)) else {
            return self.places.push(place);
        };
        let (mut met, rest): (Vec<TouchedPlace>, Vec<TouchedPlace>) =
            self.places.drain(..).partition(|other| other.meets(&place));
        met.push(place);
        let shortest = met
            .iter()
            .map(TouchedPlace::region)
            .min_by_key(|region| region.len())
            .unwrap_or_default();
        let touch = if met.iter().all(|place| place.touch == Touch::Tested) {
            Touch::Tested
        } else {
            Touch::Set
        };
        let one = TouchedPlace {
            tokens: shortest.to_vec(),
            touch,
            tested: met.iter().any(|place| place.tested),
        };
        self.places = rest;
        self.places.insert(at, one);
    }

    /// The deepest places give way to what holds them.
    fn lift(&mut self) {
        let deepest = self
            .places
            .iter()
            .map(|place| place.tokens.len())
            .max()
            .unwrap_or(0);
        let deep: Vec<TouchedPlace> = self
            .places
            .extract_if(.., |place| place.tokens.len() == deepest)
            .collect();
        for mut place in deep {
            place.tokens.pop();
            place.touch = if place.touch == Touch::Tested {
                Touch::Tested
            } else {
                Touch::Set
            };
            self.add(place);
        }
    }

    /// How many of these tokens a path can have.
    fn named(&self, tokens: &[String]) -> usize {
        let mut bytes: usize = self.base.tokens().iter().map(String::len).sum();
        let fits = |token: &&String| {
            bytes += token.len();
            is_token(token) && token.len() <= PATH_TOKEN_MAX && bytes <= PATH_MAX
        };
        tokens.iter().take_while(fits).count()
    }
}
