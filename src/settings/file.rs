//! The settings file: JSON with comments, one object, its members those of the table.
//!
//! It decides which member is which option, and whether it has the JSON type for it. It opens no
//! file, and does not judge what a value says: the functions that take the flags do that.

use super::error::SettingsError;
use super::given::Given;
use super::nearest::nearest;
use super::options::OPTIONS;
use super::table::Opt;
use crate::limits;
use crate::model::json::{self, Value};

/// A settings file: its name, for messages, and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct SettingsFile<'a> {
    /// The path as the user knows it.
    pub name: &'a str,
    /// At most [`limits::SETTINGS_FILE_MAX`] bytes.
    pub text: &'a [u8],
}

/// What the file sets, in its order. The values are of the right JSON type; what they say is
/// checked by whoever takes them.
pub(super) fn read(file: SettingsFile<'_>) -> Result<Vec<Given>, SettingsError> {
    let shape = |expected: &str| SettingsError::Shape {
        file: file.name.to_owned(),
        expected: expected.to_owned(),
    };
    if file.text.len() > limits::SETTINGS_FILE_MAX {
        return Err(shape("at most 64 KiB of settings"));
    }
    let value = json::parse_own(file.text).map_err(|error| SettingsError::Syntax {
        file: file.name.to_owned(),
        error,
    })?;
    let Value::Object(members) = value else {
        return Err(shape("an object: { \"name\": \"gull\", … }"));
    };
    members
        .iter()
        .map(|(member, value)| given(file.name, member, value))
        .collect()
}

fn given(file: &str, member: &str, value: &Value) -> Result<Given, SettingsError> {
    let option = OPTIONS
        .iter()
        .find(|option| option.member().as_deref() == Some(member))
        .ok_or_else(|| unknown(file, member))?;
    let texts = texts(option, value).ok_or_else(|| SettingsError::Type {
        place: format!("{file}: \"{member}\""),
        expected: expected(option),
        found: json::compact(value).chars().take(SHOWN).collect(),
    })?;
    Ok(Given {
        option,
        texts,
        member: Some((file.to_owned(), member.to_owned())),
    })
}

/// The texts of a member; `None` if its JSON type is not the option's.
fn texts(option: &Opt, value: &Value) -> Option<Vec<String>> {
    match (option.is_list(), option.argument, value) {
        (true, _, Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect(),
        (false, Some(_), Value::Number(number)) if option.is_count() => {
            Some(vec![number.to_string()])
        }
        (false, Some(_), Value::String(text)) if !option.is_count() => Some(vec![text.clone()]),
        (false, None, Value::Bool(yes)) => Some(vec![yes.to_string()]),
        _ => None,
    }
}

fn expected(option: &Opt) -> &'static str {
    match (option.is_list(), option.argument) {
        (true, _) => "a list of texts",
        (false, Some(_)) if option.is_count() => "a number",
        (false, Some(_)) => "a text",
        (false, None) => "true or false",
    }
}

fn unknown(file: &str, member: &str) -> SettingsError {
    let known: Vec<String> = OPTIONS.iter().filter_map(Opt::member).collect();
    let nearest = nearest(member, known.iter().map(String::as_str)).map(str::to_owned);
    SettingsError::Unknown {
        file: file.to_owned(),
        member: member.to_owned(),
        nearest,
    }
}

/// Characters of a wrong value that are shown.
const SHOWN: usize = 60;
