//! A value of JSON, as small as can be: a document has many.
//!
//! A number is its text, for Unit tells `1` from `1.0`. Objects are shared by those that are the
//! same by descent.

use std::fmt;
use std::ops::{Index, IndexMut};

pub use self::map::Map;

mod map;

/// A value. A clone shares objects with the original until one of them is changed.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(Number),
    /// A string, without its escapes.
    String(String),
    /// Elements in their order.
    Array(Vec<Value>),
    /// Members in the order in which they came, which makes no difference.
    Object(Map<String, Value>),
}

/// The text of a number. `1` is not `1.0`.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(NumberText);

/// As a rule it is short, and then takes no memory of its own.
#[derive(Clone, PartialEq, Eq)]
enum NumberText {
    /// So many bytes of these; the others are zero.
    Short(u8, [u8; SHORT_MAX]),
    Long(Box<str>),
}

impl Number {
    /// Of a text of which somebody has made sure that it is a number.
    pub(super) fn unchecked(text: &str) -> Self {
        let mut bytes = [0; SHORT_MAX];
        Self(match bytes.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                NumberText::Short(text.len() as u8, bytes)
            }
            None => NumberText::Long(text.into()),
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            NumberText::Short(length, bytes) => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).expect("it was a text")
            }
            NumberText::Long(text) => text,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value {
    /// The member of a name, or the element at a place.
    pub fn get(&self, index: impl ValueIndex) -> Option<&Self> {
        index.of(self)
    }

    /// The member of a name, or the element at a place, to be changed.
    pub fn get_mut(&mut self, index: impl ValueIndex) -> Option<&mut Self> {
        index.of_mut(self)
    }

    /// What a JSON Pointer leads to.
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        let tokens = if pointer.is_empty() {
            ""
        } else {
            pointer.strip_prefix('/')?
        };
        let tokens = tokens
            .split('/')
            .take(if pointer.is_empty() { 0 } else { usize::MAX });
        tokens
            .map(|token| token.replace("~1", "/").replace("~0", "~"))
            .try_fold(self, |value, token| match value {
                Self::Array(elements) => elements.get(token.parse::<usize>().ok()?),
                value => value.get(&token[..]),
            })
    }

    /// Takes the value out and leaves `null` in its place.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The value of `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(is_so) = self {
            Some(*is_so)
        } else {
            None
        }
    }

    /// A number that is written without fraction and exponent, and fits.
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Number(number) = self {
            number.as_str().parse().ok()
        } else {
            None
        }
    }

    /// A number that is written without fraction and exponent, may be below zero, and fits.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Number(number) = self {
            number.as_str().parse().ok()
        } else {
            None
        }
    }

    /// A number as the nearest `f64`.
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Number(number) = self {
            number.as_str().parse().ok()
        } else {
            None
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        if let Self::Array(elements) = self {
            Some(elements)
        } else {
            None
        }
    }

    /// The elements of an array, to be changed.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::Array(elements) = self {
            Some(elements)
        } else {
            None
        }
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&Map<String, Self>> {
        if let Self::Object(members) = self {
            Some(members)
        } else {
            None
        }
    }

    /// The members of an object, to be changed.
    pub fn as_object_mut(&mut self) -> Option<&mut Map<String, Self>> {
        if let Self::Object(members) = self {
            Some(members)
        } else {
            None
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

/// What names a part of a value: the name of a member, or the place of an element.
pub trait ValueIndex {
    /// The part of a value that this names.
    fn of(self, value: &Value) -> Option<&Value>;
    /// The part of a value that this names, to be changed.
    fn of_mut(self, value: &mut Value) -> Option<&mut Value>;
}

impl<S: AsRef<str> + ?Sized> ValueIndex for &S {
    fn of(self, value: &Value) -> Option<&Value> {
        value.as_object()?.get(self.as_ref())
    }

    fn of_mut(self, value: &mut Value) -> Option<&mut Value> {
        value.as_object_mut()?.get_mut(self.as_ref())
    }
}

impl ValueIndex for usize {
    fn of(self, value: &Value) -> Option<&Value> {
        value.as_array()?.get(self)
    }

    fn of_mut(self, value: &mut Value) -> Option<&mut Value> {
        value.as_array_mut()?.get_mut(self)
    }
}

impl<P: ValueIndex> Index<P> for Value {
    type Output = Self;

    /// `null` where nothing stands.
    fn index(&self, index: P) -> &Self {
        index.of(self).unwrap_or(&NULL)
    }
}

impl IndexMut<&str> for Value {
    /// Makes the member, and an object of `null`, where nothing stands.
    fn index_mut(&mut self, name: &str) -> &mut Self {
        if self.is_null() {
            *self = Self::Object(Map::new());
        }
        self.as_object_mut()
            .expect("only an object has members")
            .get_or_null(name)
    }
}

impl IndexMut<usize> for Value {
    fn index_mut(&mut self, index: usize) -> &mut Self {
        &mut self.as_array_mut().expect("only an array has elements")[index]
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Self {
        Self::Bool(is_so)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        if number.is_finite() {
            Self::Number(Number::unchecked(&format!("{number:?}")))
        } else {
            Self::Null
        }
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(elements: Vec<T>) -> Self {
        elements.into_iter().collect()
    }
}

impl From<Map<String, Value>> for Value {
    fn from(members: Map<String, Value>) -> Self {
        Self::Object(members)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self::Array(elements.into_iter().map(Into::into).collect())
    }
}

impl FromIterator<(String, Value)> for Value {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        Self::Object(members.into_iter().collect())
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == Some(text)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, text: &&str) -> bool {
        self.as_str() == Some(text)
    }
}

impl PartialEq<String> for Value {
    fn eq(&self, text: &String) -> bool {
        self.as_str() == Some(text)
    }
}

impl PartialEq<bool> for Value {
    fn eq(&self, is_so: &bool) -> bool {
        self.as_bool() == Some(*is_so)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::Number(Number::unchecked(&number.to_string()))
            }
        }

        impl PartialEq<$number> for Value {
            fn eq(&self, number: &$number) -> bool {
                matches!(self, Self::Number(own) if own.as_str().parse() == Ok(*number))
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i32, i64);

/// A number of so many bytes makes no value larger than texts and arrays make it.
const SHORT_MAX: usize = 22;

/// What stands where nothing does.
static NULL: Value = Value::Null;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_text_and_makes_no_value_larger() {
        for length in [1, SHORT_MAX - 1, SHORT_MAX, SHORT_MAX + 1, 300] {
            let text = "1".repeat(length);
            assert_eq!(Number::unchecked(&text).as_str(), text);
        }
        assert_eq!(size_of::<Value>(), size_of::<String>() + size_of::<usize>());
    }
}
