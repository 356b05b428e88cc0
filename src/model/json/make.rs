//! What the parser makes of a text: a tree of values, or less where somebody only wants to know
//! whether it is sound. A tree takes many times the memory of its text.

use std::borrow::Cow;

use super::{Map, Number, Value};

/// What is made of a text while it is read: a tree of values, or only what somebody wants to know
/// of them.
pub(in crate::model) trait Make<'a> {
    /// What a value becomes.
    type Made;
    /// An array whose end has not been seen.
    type Elements: Default;
    /// An object whose end has not been seen.
    type Members: Default;

    /// `true`, `false` or `null`.
    fn literal(value: Value) -> Self::Made;
    /// A number, as it is written.
    fn number(text: &'a str) -> Self::Made;
    /// A string, without its escapes.
    fn string(text: Cow<'a, str>) -> Self::Made;
    /// Adds an element.
    fn push(elements: &mut Self::Elements, element: Self::Made);
    /// Whether an object has a member of this name.
    fn has(members: &Self::Members, name: &str) -> bool;
    /// Adds a member.
    fn insert(members: &mut Self::Members, name: Cow<'a, str>, member: Self::Made);
    /// The array is whole.
    fn array(elements: Self::Elements) -> Self::Made;
    /// The object is whole.
    fn object(members: Self::Members) -> Self::Made;
}

/// A text that was read to its end.
#[derive(Debug)]
pub(in crate::model) struct Whole<T> {
    /// What was made of it.
    pub made: T,
    /// Whether it is written as [`super::compact`] would write it.
    pub is_compact: bool,
    /// Levels of arrays and objects.
    pub levels: usize,
    /// Scalars, arrays and objects.
    pub values: usize,
}

/// Makes nothing, and does not look for members that are there twice.
pub(super) struct Nothing;

impl<'a> Make<'a> for Nothing {
    type Made = ();
    type Elements = ();
    type Members = ();

    fn literal(_: Value) {}

    fn number(_: &'a str) {}

    fn string(_: Cow<'a, str>) {}

    fn push((): &mut (), (): ()) {}

    fn has((): &(), _: &str) -> bool {
        false
    }

    fn insert((): &mut (), _: Cow<'a, str>, (): ()) {}

    fn array((): ()) {}

    fn object((): ()) {}
}

/// Makes values of a text.
pub(super) struct Tree;

impl<'a> Make<'a> for Tree {
    type Made = Value;
    type Elements = Vec<Value>;
    type Members = Map<String, Value>;

    fn literal(value: Value) -> Value {
        value
    }

    fn number(text: &'a str) -> Value {
        // Everything was checked by the parser.
        Value::Number(Number::unchecked(text))
    }

    fn string(text: Cow<'a, str>) -> Value {
        Value::String(text.into_owned())
    }

    fn push(elements: &mut Vec<Value>, element: Value) {
        elements.push(element);
    }

    fn has(members: &Map<String, Value>, name: &str) -> bool {
        members.contains_key(name)
    }

    fn insert(members: &mut Map<String, Value>, name: Cow<'a, str>, member: Value) {
        members.push(name.into_owned(), member);
    }

    fn array(mut elements: Vec<Value>) -> Value {
        elements.shrink_to_fit();
        Value::Array(elements)
    }

    fn object(mut members: Map<String, Value>) -> Value {
        members.shrink_to_fit();
        Value::Object(members)
    }
}
