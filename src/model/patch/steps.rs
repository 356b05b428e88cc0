//! JSON Patch (RFC 6902): a list of operations, each made on what the one before has left.
//!
//! What a text must be to be a patch is decided once, when it is read; whether it fits is decided
//! where it is made. Errors name the operation by its place in the list, counted from 0. StepKind
//! `copy` and `move` carry is bounded by what a document may hold, or forty copies of the whole
//! into itself would fill any memory.

use std::fmt;

use super::super::json::{self, Number, Value};
use super::super::places::{Touch, TouchedPlaces};
use super::pointer::{self, Pointer};
use super::{EditError, PatchError};
use crate::limits::{DEPTH_MAX, DOCUMENT_MAX, PATCH_OPERATIONS_MAX, VALUES_MAX};

/// At most [`PATCH_OPERATIONS_MAX`] operations.
#[derive(Debug)]
pub struct JsonPatch(Vec<Step>);

#[derive(Debug)]
struct Step {
    kind: StepKind,
    /// As it was written.
    text: String,
    path: Pointer,
}

#[derive(Debug)]
enum StepKind {
    Add(Value),
    Remove,
    Replace(Value),
    Move(Pointer),
    Copy(Pointer),
    Test(Value),
}

impl StepKind {
    fn word(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Remove => "remove",
            Self::Replace(_) => "replace",
            Self::Move(_) => "move",
            Self::Copy(_) => "copy",
            Self::Test(_) => "test",
        }
    }
}

/// Why a value is no JSON Patch. Operations are named by their place in the list, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadPatch {
    /// No array.
    NotAList,
    /// More operations than [`PATCH_OPERATIONS_MAX`].
    TooMany,
    /// This operation is no object.
    NotAnObject(usize),
    /// This operation lacks this member.
    Missing(usize, &'static str),
    /// This operation's member is not what it must be.
    Wrong(usize, &'static str, &'static str),
}

impl fmt::Display for BadPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAList => f.write_str("a JSON Patch is an array of operations"),
            Self::TooMany => write!(
                f,
                "a JSON Patch has at most {PATCH_OPERATIONS_MAX} operations"
            ),
            Self::NotAnObject(index) => write!(f, "operation {index} is not an object"),
            Self::Missing(index, name) => write!(f, "operation {index} has no member \"{name}\""),
            Self::Wrong(index, name, must) => {
                write!(f, "operation {index}, member \"{name}\": {must}")
            }
        }
    }
}

impl std::error::Error for BadPatch {}

/// Why an operation does not fit what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The operation's place in the list, from 0.
    pub index: usize,
    word: &'static str,
    /// The operation's path, or that it is its `from` which is at fault.
    at: String,
    cause: MisfitCause,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum MisfitCause {
    /// Nothing is there.
    Nothing,
    /// What should hold the value is not there.
    NoHolder,
    /// What is there is a scalar that should hold the value.
    Scalar,
    /// The token is no index, or one beyond the end.
    NoIndex,
    /// Something else is there than the test says; its text, cut.
    Differs(String),
}

impl Misfit {
    /// Whether it is a test that does not hold.
    pub fn is_failed_test(&self) -> bool {
        self.word == "test"
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {} ({} {}): ", self.index, self.word, self.at)?;
        match &self.cause {
            MisfitCause::Nothing => f.write_str("nothing is there"),
            MisfitCause::NoHolder => f.write_str("what should hold it is not there"),
            MisfitCause::Scalar => {
                f.write_str("what should hold it is neither an object nor an array")
            }
            MisfitCause::NoIndex => {
                f.write_str("it is no index of the array, or one beyond its end")
            }
            MisfitCause::Differs(text) => write!(f, "the value there is {text}"),
        }
    }
}

impl std::error::Error for Misfit {}

impl JsonPatch {
    /// Reads a patch. Members that operations do not have are left alone, as the RFC says.
    pub fn read(patch: &Value) -> Result<Self, BadPatch> {
        let list = patch.as_array().ok_or(BadPatch::NotAList)?;
        if list.len() > PATCH_OPERATIONS_MAX {
            return Err(BadPatch::TooMany);
        }
        list.iter()
            .enumerate()
            .map(|(index, step)| Step::read(index, step))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// What the patch makes of a value. The places that it touches are noted.
    pub(super) fn made_on(
        &self,
        target: &Value,
        places: &mut TouchedPlaces,
    ) -> Result<Value, PatchError> {
        let budget = CarryBudget {
            bytes: DOCUMENT_MAX,
            values: VALUES_MAX,
        };
        let mut making = Making {
            value: target.clone(),
            places,
            budget,
        };
        for (index, step) in self.0.iter().enumerate() {
            making.make(step).map_err(|error| error.at(index, step))?;
        }
        Ok(making.value)
    }
}

impl Step {
    fn read(index: usize, step: &Value) -> Result<Self, BadPatch> {
        let members = step.as_object().ok_or(BadPatch::NotAnObject(index))?;
        let member = |name| members.get(name).ok_or(BadPatch::Missing(index, name));
        let text = |name| {
            member(name)?
                .as_str()
                .ok_or(BadPatch::Wrong(index, name, "it is a string"))
        };
        let pointer =
            |name| Pointer::parse(text(name)?).ok_or(BadPatch::Wrong(index, name, A_POINTER));
        let value = || member("value").cloned();
        let word = text("op")?;
        let path = pointer("path")?;
        let kind = match word {
            "add" => StepKind::Add(value()?),
            "remove" if path.tokens().is_empty() => {
                return Err(BadPatch::Wrong(index, "path", NOT_THE_WHOLE));
            }
            "remove" => StepKind::Remove,
            "replace" => StepKind::Replace(value()?),
            "move" => StepKind::Move(pointer("from")?),
            "copy" => StepKind::Copy(pointer("from")?),
            "test" => StepKind::Test(value()?),
            _ => {
                return Err(BadPatch::Wrong(
                    index,
                    "op",
                    "it is add, remove, replace, move, copy or test",
                ));
            }
        };
        if matches!(&kind, StepKind::Move(from) if path.is_within(from)) {
            return Err(BadPatch::Wrong(
                index,
                "path",
                "nothing can be moved into itself",
            ));
        }
        Ok(Self {
            kind,
            text: text("path")?.to_owned(),
            path,
        })
    }
}

/// Why a patch ends half-way.
enum StepError {
    At(MisfitCause),
    /// The value at `from` is at fault.
    From(MisfitCause),
    TooLarge,
}

impl StepError {
    fn at(self, index: usize, step: &Step) -> PatchError {
        let word = step.kind.word();
        let (at, cause) = match self {
            Self::TooLarge => return PatchError::Edit(EditError::TooLarge),
            Self::At(cause) => (
                format!("\"{}\"", step.text.chars().take(SHOWN).collect::<String>()),
                cause,
            ),
            Self::From(cause) => ("\"from\"".to_owned(), cause),
        };
        PatchError::Misfit(Misfit {
            index,
            word,
            at,
            cause,
        })
    }
}

/// What the operations that are left may carry from one place to another.
struct CarryBudget {
    bytes: usize,
    values: usize,
}

/// A patch under way.
struct Making<'a> {
    value: Value,
    places: &'a mut TouchedPlaces,
    budget: CarryBudget,
}

impl Making<'_> {
    fn make(&mut self, step: &Step) -> Result<(), StepError> {
        let path = &step.path;
        match &step.kind {
            StepKind::Add(value) => self.add(path, value.clone()),
            StepKind::Remove => self.remove(path).map(drop).map_err(StepError::At),
            StepKind::Replace(value) => self.replace(path, value),
            StepKind::Test(value) => self.test(path, value),
            StepKind::Copy(from) => {
                let value = self
                    .find(from)
                    .cloned()
                    .ok_or(StepError::From(MisfitCause::Nothing))?;
                self.carry(&value)?;
                self.add(path, value)
            }
            StepKind::Move(from) if from == path => self
                .find(from)
                .map(drop)
                .ok_or(StepError::From(MisfitCause::Nothing)),
            StepKind::Move(from) => {
                let value = self.remove(from).map_err(StepError::From)?;
                self.carry(&value)?;
                self.add(path, value)
            }
        }
    }

    fn find(&self, at: &Pointer) -> Option<&Value> {
        at.tokens().iter().try_fold(&self.value, pointer::member)
    }

    fn add(&mut self, at: &Pointer, value: Value) -> Result<(), StepError> {
        let tokens = at.tokens();
        is_shallow(&value, tokens)?;
        let Some((last, above)) = tokens.split_last() else {
            self.value = value;
            self.places.touch(tokens, Touch::Set);
            return Ok(());
        };
        match self.holder(above).map_err(StepError::At)? {
            Value::Object(members) => {
                members.insert(last.clone(), value);
                self.places.touch(tokens, Touch::Set);
            }
            Value::Array(elements) if last == "-" => {
                elements.push(value);
                self.places.touch(above, Touch::Append);
            }
            Value::Array(elements) => {
                let index = pointer::index(last)
                    .filter(|index| *index <= elements.len())
                    .ok_or(StepError::At(MisfitCause::NoIndex))?;
                elements.insert(index, value);
                self.places.touch(above, Touch::Set);
            }
            _ => return Err(StepError::At(MisfitCause::Scalar)),
        }
        Ok(())
    }

    fn remove(&mut self, at: &Pointer) -> Result<Value, MisfitCause> {
        let tokens = at.tokens();
        let (last, above) = tokens.split_last().ok_or(MisfitCause::Nothing)?;
        match self.holder(above)? {
            Value::Object(members) => {
                // Not `remove`, which fills the gap with the last member.
                let value = members.shift_remove(last).ok_or(MisfitCause::Nothing)?;
                self.places.touch(tokens, Touch::Set);
                Ok(value)
            }
            Value::Array(elements) => {
                let index = pointer::index(last)
                    .filter(|index| *index < elements.len())
                    .ok_or(MisfitCause::NoIndex)?;
                let value = elements.remove(index);
                self.places.touch(tokens, Touch::Cut);
                Ok(value)
            }
            _ => Err(MisfitCause::Scalar),
        }
    }

    fn replace(&mut self, at: &Pointer, value: &Value) -> Result<(), StepError> {
        let tokens = at.tokens();
        is_shallow(value, tokens)?;
        let present = tokens
            .iter()
            .try_fold(&mut self.value, pointer::member_mut)
            .ok_or(StepError::At(MisfitCause::Nothing))?;
        *present = value.clone();
        self.places.touch(tokens, Touch::Set);
        Ok(())
    }

    fn test(&mut self, at: &Pointer, value: &Value) -> Result<(), StepError> {
        let present = self.find(at).ok_or(StepError::At(MisfitCause::Nothing))?;
        if !is_equal(present, value) {
            let text = json::compact(present);
            let cut: String = text.chars().take(SHOWN).collect();
            let dots = if cut.len() < text.len() { "..." } else { "" };
            return Err(StepError::At(MisfitCause::Differs(format!("{cut}{dots}"))));
        }
        self.places.touch(at.tokens(), Touch::Tested);
        Ok(())
    }

    fn holder(&mut self, above: &[String]) -> Result<&mut Value, MisfitCause> {
        above
            .iter()
            .try_fold(&mut self.value, pointer::member_mut)
            .ok_or(MisfitCause::NoHolder)
    }

    fn carry(&mut self, value: &Value) -> Result<(), StepError> {
        let fits = json::count_down(value, DEPTH_MAX, &mut self.budget.values);
        let bytes = if fits {
            self.budget.bytes.checked_sub(json::compact(value).len())
        } else {
            None
        };
        self.budget.bytes = bytes.ok_or(StepError::TooLarge)?;
        Ok(())
    }
}

/// Refuses what would stand deeper than anything in a document: what is deep enough cannot even be
/// dropped.
fn is_shallow(value: &Value, tokens: &[String]) -> Result<(), StepError> {
    let depth = DEPTH_MAX.checked_sub(tokens.len());
    depth
        .is_some_and(|depth| json::fits(value, depth, usize::MAX))
        .then_some(())
        .ok_or(StepError::TooLarge)
}

/// Whether two values are equal as a test sees it: numbers by what they are worth (RFC 6902,
/// section 4.6), members in any order.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || Decimal::of(a).is_some_and(|a| Some(a) == Decimal::of(b))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| is_equal(a, b)))
        }
        _ => a == b,
    }
}

/// A number by its worth: its digits without zeros at either end, times ten to the power.
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    digits: String,
    power: i64,
}

impl Decimal {
    /// `None` if its exponent is beyond all reason.
    fn of(number: &Number) -> Option<Self> {
        let text = number.to_string();
        let (negative, text) = text
            .strip_prefix('-')
            .map_or((false, &text[..]), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let kept = digits.trim_end_matches('0');
        let shift =
            i64::try_from(digits.len() - kept.len()).ok()? - i64::try_from(fraction.len()).ok()?;
        let significant = kept.trim_start_matches('0');
        let power = exponent.parse::<i64>().ok()?.checked_add(shift)?;
        match significant {
            "" => Some(Self {
                negative: false,
                digits: String::new(),
                power: 0,
            }),
            _ => Some(Self {
                negative,
                digits: significant.to_owned(),
                power,
            }),
        }
    }
}

const A_POINTER: &str = "a pointer is empty or begins with a slash, and has ~ only in ~0 and ~1";
const NOT_THE_WHOLE: &str = "what the request names is removed by DELETE";
/// How much of a foreign text an error shows, in characters.
const SHOWN: usize = 64;
