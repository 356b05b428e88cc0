//! Dry runs: whether a change can be tried and taken back without anybody noticing more than a
//! moment of it.
//!
//! Unit has no dry run: the own server really runs the document for a moment, and is then given
//! back the head's. So there must be a head, the server must run it, and nothing that runs may
//! suffer: Unit restarts an application when the text of its object is another, the
//! order of members included, and ends one whose object is gone. What would do so is refused before
//! the server hears of it.

use super::Below;
use crate::limits::DIFFERENCES_MAX;
use crate::model::document::Document;
use crate::model::json::{self, Map, Value};
use crate::node::answer::Answer;
use crate::node::local::effective::effective_or_refuse;
use crate::node::local::state::Verdict;
use crate::node::refusal::ServerFault;

impl Below<'_> {
    /// Whether this document may be tried and taken back now. That nothing would change is an
    /// answer too.
    pub(in crate::node) fn may_dry_run(&self, after: &Document) -> Result<(), Answer> {
        let refused = |fault: ServerFault| {
            let head = self.store.head(self.cx).map(|head| head.id());
            Err(fault.at(head).into())
        };
        if !self.local.server.is_present() {
            return refused(ServerFault::NoneToTry { other: None });
        }
        let Some(head) = self.store.head(self.cx) else {
            return refused(ServerFault::NothingToRollBackTo);
        };
        if head.document.text() == after.text() {
            return Err(Answer::DryRun {
                changes: false,
                head: head.id(),
                applied: self.local.applied_id(),
            });
        }
        if !self.local.server.drift().is_empty() {
            let paths = self.local.server.drift().to_vec();
            return refused(ServerFault::Drifted { paths });
        }
        let applied = self
            .local
            .server
            .applied()
            .filter(|applied| applied.id == head.id());
        let Some(applied) = applied.filter(|_| self.local.server.stands_so(&Verdict::Applied))
        else {
            let detail = format!(
                "it is {}: {}",
                self.local.server.word(),
                self.local.server.detail()
            );
            return refused(ServerFault::OffHead {
                reason: detail.trim_end_matches(": ").to_owned(),
                refuses: self.refuses_head(),
            });
        };
        let effective = effective_or_refuse(self.cx, after).map_err(Answer::Refused)?;
        match disturbed(applied.effective.config(), effective.config()) {
            detail if detail.is_empty() => Ok(()),
            reason => refused(ServerFault::WouldDisturb { reason }),
        }
    }
}

/// The applications that would not survive it, in words; nothing if all would.
fn disturbed(running: &Value, next: &Value) -> String {
    let applications = |config: &Value| match config.get("applications") {
        Some(Value::Object(applications)) => applications.clone(),
        _ => Map::new(),
    };
    let (running, next) = (applications(running), applications(next));
    let differs = |name: &String, is: &Value| {
        next.get(name)
            .is_some_and(|next| json::compact(next) != json::compact(is))
    };
    let changed = running
        .iter()
        .filter(|(name, is)| differs(name, is))
        .map(|(name, _)| name);
    let gone = running.keys().filter(|name| !next.contains_key(name));
    let words = [
        ("would be restarted", named(changed)),
        ("would be stopped", named(gone)),
    ];
    let words = words
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{names} {what}"));
    words.collect::<Vec<_>>().join("; ")
}

/// A list of names, the first of them.
fn named<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    let more = quoted.len().saturating_sub(DIFFERENCES_MAX);
    let list = quoted
        .into_iter()
        .take(DIFFERENCES_MAX)
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        format!("{list} and {more} more")
    } else {
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(running: &str, next: &str) -> String {
        let value = |text: &str| json::parse(text.as_bytes()).expect("tests write JSON");
        disturbed(&value(running), &value(next))
    }

    #[test]
    fn an_application_is_disturbed_by_another_text_and_by_nothing_else() {
        let running =
            r#"{"applications":{"a":{"type":"php","root":"/a"},"b":{"processes":1}},"routes":[]}"#;
        let cases = [
            (
                r#"{"applications":{"b":{"processes":1},"a":{"type":"php","root":"/a"},"c":{}},"routes":[{}]}"#,
                "",
            ),
            (
                r#"{"applications":{"a":{"root":"/a","type":"php"},"b":{"processes":1.0}}}"#,
                r#""a", "b" would be restarted"#,
            ),
            (
                r#"{"applications":{"a":{}}}"#,
                r#""a" would be restarted; "b" would be stopped"#,
            ),
            ("{}", r#""a", "b" would be stopped"#),
            ("[]", r#""a", "b" would be stopped"#),
        ];
        for (next, words) in cases {
            assert_eq!(said(running, next), words, "{next}");
        }
        assert_eq!(
            said("{}", running),
            "",
            "one that is added is nobody's loss"
        );
    }

    #[test]
    fn of_many_applications_the_first_are_named() {
        let names: Vec<String> = (0..DIFFERENCES_MAX + 3)
            .map(|n| format!(r#""n{n}":{{}}"#))
            .collect();
        let words = said(
            &format!(r#"{{"applications":{{{}}}}}"#, names.join(",")),
            "{}",
        );
        assert!(
            words.starts_with(r#""n0", "n1""#)
                && words.ends_with(r#""n7" and 3 more would be stopped"#),
            "{words}"
        );
    }
}
