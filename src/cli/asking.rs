//! Asking the daemon over its control socket, and what a person may name in a question.
//!
//! What was typed is checked here before anything is asked, so that a slip of the hand is one of
//! the arguments (exit status 2) and never half done. An answer other than 200 is a failure, in the
//! daemon's own words.

use std::path::Path as FilePath;

use super::failure::CommandError;
use super::page::harmless;
use crate::codec::percent;
use crate::daemon::logger::one_line;
use crate::daemon::unit::{self, Reply};
use crate::limits::{NOTE_MAX, SHORT_ID_MIN};
use crate::model::edit::{Verb, is_editable};
use crate::model::error_body::ErrorBody;
use crate::model::json::{self, Value};
use crate::model::path::Path;

/// An answer of the daemon with status 200.
pub(super) struct DaemonAnswer {
    reply: Reply,
    control: String,
}

impl DaemonAnswer {
    /// The body, JSON for programs that may pass through a terminal.
    pub(super) fn json_text(&self) -> String {
        harmless(&String::from_utf8_lossy(&self.reply.body))
    }

    /// The answer's body as JSON.
    pub(super) fn json(&self) -> Result<Value, CommandError> {
        json::parse_own(&self.reply.body).map_err(|error| {
            CommandError::Failed(format!("{}: answered no JSON: {error}", self.control))
        })
    }

    /// Whether the request has left the document as it was.
    pub(super) fn is_unchanged(&self) -> bool {
        self.reply.is_unchanged
    }

    /// The file that holds what was on the server past Starling and was replaced.
    pub(super) fn kept(&self) -> Option<String> {
        self.reply.kept.as_deref().map(one_line)
    }

    /// What is to be said of revisions older than those that are kept; nothing if there are none.
    pub(super) fn older(&self) -> Option<&'static str> {
        match self.reply.older.as_deref()? {
            "asked" => Some("older revisions are being fetched from other hosts: ask again"),
            "nowhere" => Some("there are older revisions, which no linked host has"),
            _ => Some("there are older revisions, which are not kept"),
        }
    }
}

/// The daemon that is asked, and the group that it is asked about.
pub(super) struct Daemon<'a> {
    /// The daemon's control socket.
    pub(super) control: &'a FilePath,
    /// A group as the settings take it; `None` for the daemon's own.
    pub(super) group: Option<&'a str>,
}

impl Daemon<'_> {
    pub(super) fn get(&self, target: &str) -> Result<DaemonAnswer, CommandError> {
        self.answer(unit::get(self.control, &self.about(target)))
    }

    /// Has something published, with this note if there is one.
    pub(super) fn post(
        &self,
        target: &str,
        note: Option<&str>,
    ) -> Result<DaemonAnswer, CommandError> {
        let headers: Vec<(&str, &str)> = note
            .map(|note| ("Starling-Note", note))
            .into_iter()
            .collect();
        self.answer(unit::post(self.control, &self.about(target), &headers))
    }

    /// Has something removed, with this note if there is one.
    pub(super) fn delete(
        &self,
        target: &str,
        note: Option<&str>,
    ) -> Result<DaemonAnswer, CommandError> {
        let headers: Vec<(&str, &str)> = note
            .map(|note| ("Starling-Note", note))
            .into_iter()
            .collect();
        self.answer(unit::delete(self.control, &self.about(target), &headers))
    }

    fn about(&self, target: &str) -> String {
        let mark = if target.contains('?') { '&' } else { '?' };
        self.group.map_or_else(
            || target.to_owned(),
            |group| format!("{target}{mark}group={group}"),
        )
    }

    fn answer(
        &self,
        reply: Result<Reply, unit::RequestFailure>,
    ) -> Result<DaemonAnswer, CommandError> {
        let control = self.control.display().to_string();
        let reply = reply.map_err(|error| match error {
            unit::RequestFailure::Unreachable(why) => CommandError::Failed(why),
            _ => CommandError::Failed(format!("{control}: {error}")),
        })?;
        if reply.status == 200 {
            return Ok(DaemonAnswer { reply, control });
        }
        Err(CommandError::Failed(format!(
            "{control}: answered {}: {}",
            reply.status,
            words(&reply.body)
        )))
    }
}

/// The beginning of an ID, in the digits that IDs have.
pub(super) fn id(text: &str) -> Result<String, CommandError> {
    let is_good = (SHORT_ID_MIN..=ID_LEN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let wrong = || {
        CommandError::Usage(format!(
            "{text:?}: expected an ID, or its first digits: {SHORT_ID_MIN} at least"
        ))
    };
    if is_good {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(wrong())
    }
}

/// A path that an edit can have, encoded so that it can stand in a request, also in a query.
pub(super) fn path(text: &str) -> Result<String, CommandError> {
    let wrong = |why: &str| {
        CommandError::Usage(format!(
            "{text:?}: expected a path such as /config/listeners/*:80: {why}"
        ))
    };
    let path = Path::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !is_editable(&path, Verb::Put) {
        return Err(wrong(
            "it does not begin with /config, nor is it /certificates/NAME or /js_modules/NAME",
        ));
    }
    Ok(percent::encode(&path.to_string(), |c| {
        c.is_ascii_alphanumeric() || PLAIN.contains(c)
    }))
}

/// The note, checked to be fit for a header; `None` for a blank one.
pub(super) fn note(text: Option<&str>) -> Result<Option<&str>, CommandError> {
    let is_good = |text: &str| {
        text.len() <= NOTE_MAX
            && text
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    match text {
        Some(text) if !is_good(text) => Err(CommandError::Usage(format!(
            "--note: expected at most {NOTE_MAX} bytes of printable ASCII, found {text:?}"
        ))),
        _ => Ok(text.filter(|text| !text.trim().is_empty())),
    }
}

/// The error in an answer's body, with its particulars; the body as it is if that is something
/// else.
fn words(body: &[u8]) -> String {
    let Some(ErrorBody { error, detail }) = ErrorBody::read(body) else {
        return one_line(String::from_utf8_lossy(body).trim());
    };
    let error = one_line(error.trim_end_matches('.'));
    match detail {
        Some(detail) => format!("{error} ({})", one_line(&detail)),
        None => error,
    }
}

/// The number of hexadecimal digits of a whole ID.
pub(super) const ID_LEN: usize = 64;
/// What may stand in a path and in a query as it is, beside letters and digits; the percent signs
/// are the path's own.
const PLAIN: &str = "/%-._~:*@!$'(),;=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_checked_before_anything_is_asked() {
        assert_eq!(id("12Ab").unwrap(), "12ab");
        for wrong in ["", "123", "12 4", "wxyz", "../..", &"0".repeat(65)] {
            assert_eq!(id(wrong).unwrap_err().status(), 2, "{wrong}");
        }
        assert_eq!(
            path("/config/listeners/*:80/").unwrap(),
            "/config/listeners/*:80"
        );
        assert_eq!(
            path("/config/a%2Fb/é&c#d").unwrap(),
            "/config/a%2Fb/%C3%A9%26c"
        );
        for wrong in ["", "config", "/status", "/config/..", "/config/%zz"] {
            assert_eq!(path(wrong).unwrap_err().status(), 2, "{wrong}");
        }
        assert_eq!(note(Some("why not")).unwrap(), Some("why not"));
        assert_eq!(note(Some(" ")).unwrap(), None);
        for wrong in ["é", "a\nb", &"x".repeat(NOTE_MAX + 1)] {
            assert_eq!(note(Some(wrong)).unwrap_err().status(), 2, "{wrong}");
        }
    }

    #[test]
    fn the_words_of_an_error_are_the_daemons_and_harmless() {
        assert_eq!(
            words(b"{\"error\": \"No such revision.\", \"detail\": \"none\"}"),
            "No such revision (none)"
        );
        assert_eq!(words(b"{\"error\": \"No.\\u001b[2J\"}"), "No.\\u{1b}[2J");
        assert_eq!(words(b"<html>\n\x1b</html>\n"), "<html>\\n\\u{1b}</html>");
    }
}
