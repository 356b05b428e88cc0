//! At the end, by content and not by ancestry: what became of every change.
//!
//! Every value that a client writes bears a number of its own, a *token*, so the documents
//! themselves show what happened. The head's document came about along one chain of revisions, from
//! base to base; only what stands in that chain has had an effect. For each change that was
//! acknowledged one of these must be so:
//!
//! - its token stands in the head's document, once;
//! - it stood there once, and each revision of the chain that took it away carries an edit whose
//!   author had seen it: the edit was first made on a document with that token in it;
//! - the head lists it as open conflict, or a revision of the chain settles it by name.
//!
//! A deletion has no token; what it deleted must be gone, or it must be listed or settled. No token
//! stands in the head twice, and none that its client was told was refused.

use std::collections::{BTreeMap, BTreeSet};

use starlingd::model::edit;
use starlingd::model::json::{self, Value};
use starlingd::model::ledger::EditRef;
use starlingd::model::record::RecordId;
use starlingd::model::revision::{Origin, Revision};
use starlingd::node::ask::{Ask, Change, Command, DryRun, Patching};

use crate::watch::{Asked, ForwardedResponse, Seen};

/// What begins a token in a document.
pub const MARK: &str = "edit-";
/// The token of what nobody but a liar says that anybody wanted.
pub const INVENTED: u64 = 9_999_999_999;
/// How much of a value is told, in characters.
const SAID_MAX: usize = 200;

/// What a client asks for, in words, if it is a change or the try of one; and the token in it, the
/// last one, if there are several.
pub fn asked(ask: &Ask) -> Option<(String, Option<u64>)> {
    // What is asked of another group is another host's to carry out, and has no content here.
    let Ask::Command {
        group: None,
        command,
        ..
    } = ask
    else {
        return None;
    };
    let (what, if_match, settles) = match command {
        Command::Write(Change {
            op,
            if_match,
            settles,
            ..
        }) => (said(op), if_match, settles),
        Command::DryRun(DryRun::Write(Change {
            op,
            if_match,
            settles,
            ..
        })) => (format!("to try {}", said(op)), if_match, settles),
        Command::Patch(Patching {
            path,
            patch,
            if_match,
            settles,
            ..
        }) => (format!("patch {path} {patch:?}"), if_match, settles),
        _ => return None,
    };
    let guard = if if_match.is_some() {
        " if the head is as it was"
    } else {
        ""
    };
    let settles = if settles.is_empty() {
        ""
    } else {
        ", settling all that is open"
    };
    let token = tokens(&what).into_keys().next_back();
    Some((format!("{what}{guard}{settles}"), token))
}

fn said(op: &edit::Op) -> String {
    let value = match &op.change {
        edit::Change::Put(value) | edit::Change::Append(value) => json::compact(value),
        edit::Change::Delete => String::new(),
    };
    let short = value
        .char_indices()
        .nth(SAID_MAX)
        .map_or(&value[..], |(end, _)| &value[..end]);
    format!("{} {} {short}", op.change.verb().word(), op.path)
}

/// The value that bears a token.
pub fn value_of(token: u64) -> Value {
    Value::from(format!("{MARK}{token}"))
}

/// All tokens in a text, and how often each stands there.
fn tokens(text: &str) -> BTreeMap<u64, usize> {
    let mut found = BTreeMap::new();
    for (at, _) in text.match_indices(MARK) {
        let digits: String = text[at + MARK.len()..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        if let Ok(token) = digits.parse() {
            *found.entry(token).or_default() += 1;
        }
    }
    found
}

/// The way in which the head came about.
struct Chain<'a> {
    seen: &'a Seen,
    /// From the head to the first revision.
    revisions: Vec<&'a Revision>,
    /// The tokens in each.
    tokens: Vec<BTreeMap<u64, usize>>,
    settled: BTreeSet<EditRef>,
}

impl<'a> Chain<'a> {
    fn of(seen: &'a Seen, head: RecordId) -> Result<Self, String> {
        let mut chain = Self {
            seen,
            revisions: Vec::new(),
            tokens: Vec::new(),
            settled: BTreeSet::new(),
        };
        let mut next = head;
        while next != RecordId::NONE {
            let revision = seen
                .revisions
                .get(&next)
                .ok_or_else(|| format!("{next:?} is in the head's past and was never written"))?;
            chain.revisions.push(revision);
            chain.tokens.push(tokens(revision.document.text()));
            chain.settled.extend(&revision.settled);
            next = revision.record.header.base;
        }
        Ok(chain)
    }

    fn head(&self) -> &Revision {
        self.revisions[0]
    }

    fn is_listed_or_settled(&self, edit: RecordId) -> bool {
        // Of what nobody holds any more only the place is known.
        let original = self.seen.revisions.get(&edit).map(Revision::edit_ref);
        let mut listed = self.head().open.keys().chain(&self.settled);
        listed.any(|other| {
            other.id == edit || original.is_some_and(|original| other.names(&original))
        })
    }

    /// The tokens of the document that an edit was first made on.
    fn seen_by(&self, edit: RecordId) -> BTreeMap<u64, usize> {
        let base = self
            .seen
            .revisions
            .get(&edit)
            .map(|original| original.record.header.base);
        base.and_then(|base| self.seen.revisions.get(&base))
            .map(|base| tokens(base.document.text()))
            .unwrap_or_default()
    }

    fn judge(&self, asked: &Asked) -> Result<(), String> {
        let Some(ForwardedResponse::Done(edit)) = asked.answer else {
            return self.judge_refused(asked);
        };
        match asked.token {
            Some(token) => self.judge_value(token, edit, asked),
            None => self.judge_deletion(edit, asked),
        }
    }

    fn judge_refused(&self, asked: &Asked) -> Result<(), String> {
        let is_refused = matches!(asked.answer, Some(ForwardedResponse::Refused(_)));
        let Some(token) = asked.token.filter(|_| is_refused) else {
            return Ok(());
        };
        let made = self.tokens.iter().any(|tokens| tokens.contains_key(&token));
        if made {
            Err(format!(
                "{MARK}{token} is made, and its client was told {:?}",
                asked.answer
            ))
        } else {
            Ok(())
        }
    }

    fn judge_value(&self, token: u64, edit: RecordId, asked: &Asked) -> Result<(), String> {
        let has = |number: usize| self.tokens[number].contains_key(&token);
        let was_there = (0..self.tokens.len()).any(has);
        if has(0) || self.is_listed_or_settled(edit) || (asked.excused && !was_there) {
            return Ok(());
        }
        if !was_there {
            return Err(format!(
                "{MARK}{token} ({edit:?}), acknowledged by host {}, is in no document of the head's past and not listed",
                asked.host
            ));
        }
        for number in 0..self.revisions.len() {
            let revision = self.revisions[number];
            let taken_away = !has(number) && number + 1 < self.tokens.len() && has(number + 1);
            let by = revision.edit_ref().id;
            let saw =
                revision.edit.origin == Origin::Original || self.seen_by(by).contains_key(&token);
            if taken_away && !saw {
                let id = revision.id();
                return Err(format!(
                    "{MARK}{token} ({edit:?}) is overwritten by {id:?}, whose author had not seen it, and is not listed"
                ));
            }
        }
        Ok(())
    }

    fn judge_deletion(&self, edit: RecordId, asked: &Asked) -> Result<(), String> {
        let Some(original) = self.seen.revisions.get(&edit) else {
            return Err(format!("{edit:?} was never written"));
        };
        let after = tokens(original.document.text());
        let gone: Vec<u64> = self
            .seen_by(edit)
            .into_keys()
            .filter(|token| !after.contains_key(token))
            .collect();
        let back = gone
            .into_iter()
            .find(|token| self.tokens[0].contains_key(token));
        match back.filter(|_| !self.is_listed_or_settled(edit) && !asked.excused) {
            Some(token) => Err(format!(
                "{MARK}{token} was deleted by {edit:?}, acknowledged, and is there; the deletion is not listed"
            )),
            None => Ok(()),
        }
    }
}

/// Judges every change that any client asked for: the first that is wrong, or how many conflicts
/// are open, of how many of them nothing is known, and how many replays the head was made on.
pub fn judge(seen: &Seen, head: RecordId) -> Result<(usize, usize, usize), String> {
    let chain = Chain::of(seen, head)?;
    if let Some((token, count)) = chain.tokens[0].iter().find(|(_, count)| **count > 1) {
        return Err(format!("{MARK}{token} stands in the head {count} times"));
    }
    if chain
        .tokens
        .iter()
        .any(|tokens| tokens.contains_key(&INVENTED))
    {
        return Err("what nobody but a liar says that anybody wanted was made".to_owned());
    }
    seen.asked
        .values()
        .try_for_each(|asked| chain.judge(asked))?;
    let replays = chain
        .revisions
        .iter()
        .filter(|revision| matches!(revision.edit.origin, Origin::Replay(..)))
        .count();
    let open = &chain.head().open;
    let nameless = open
        .values()
        .filter(|conflict| conflict.author.is_none())
        .count();
    Ok((open.len(), nameless, replays))
}
