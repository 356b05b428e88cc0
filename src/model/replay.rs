//! Making an edit again on a document that others have changed meanwhile: whether it still fits
//! there, and what comes of it.
//!
//! An edit fits where each place that it touches still holds what the edit found, or already holds
//! what it wanted. An append also fits where the array has every element that its author saw, in
//! whatever order and whatever others have put between and behind: so appends by several hosts, and
//! whole runs of them, get along, though their authors may have seen them come one before the other
//! or the other way. Nothing else is merged. Nor does an edit fit that would leave the
//! configuration with the name of a certificate or a module that is not there.

use std::collections::BTreeMap;

use super::document::Document;
use super::edit::{self, Change, Op};
use super::json::{self, Value};
use super::resources;
use super::revision::Revision;

/// A document with an edit made on it again.
#[derive(Debug)]
pub struct Replayed {
    /// The document with the edit applied.
    pub document: Document,
    /// Whether each place held just what the edit found. If not, it may only seem to fit because
    /// something that it was made on is missing: who deletes what somebody else has added
    /// finds it deleted where it was never added.
    pub strictly: bool,
}

/// Makes the edit of `revision` again on `document`. `None` if the edit does not fit there, if the
/// result would be no document, or if the revision is a note, which does not have the edit's
/// values.
pub fn replayed(document: &Document, revision: &Revision) -> Option<Replayed> {
    let ops = revision.ops()?;
    let mut strictly = true;
    let mut left: Vec<&Op> = Vec::new();
    for (op, operation) in ops.iter().zip(&revision.edit.operations) {
        if !edit::still_there(document, op, &operation.found) {
            strictly = false;
            if edit::is_done(document, op) {
                continue;
            }
            has_grown(document, &revision.document, op).then_some(())?;
        }
        left.push(op);
    }
    let after = edit::apply_all(document, left).ok()?;
    resources::newly_missing(document.value(), after.value())
        .is_empty()
        .then_some(Replayed {
            document: after,
            strictly,
        })
}

/// Whether `op` is an append, and `document` has all that the array held before it, as `after`
/// shows it with the appended element.
fn has_grown(document: &Document, after: &Document, op: &Op) -> bool {
    let elements = |document| edit::outermost_array(document, &op.path);
    match (
        &op.change,
        elements(after).and_then(<[Value]>::split_last),
        elements(document),
    ) {
        (Change::Append(_), Some((_, before)), Some(present)) => has_all(present, before),
        _ => false,
    }
}

/// Whether each element of `few` is among `many`, and as often.
fn has_all(many: &[Value], few: &[Value]) -> bool {
    let mut counts: BTreeMap<String, isize> = BTreeMap::new();
    many.iter()
        .for_each(|element| *counts.entry(json::compact(element)).or_default() += 1);
    few.iter()
        .for_each(|element| *counts.entry(json::compact(element)).or_default() -= 1);
    counts.into_values().all(|left| left >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::operations;
    use crate::model::path::Path;
    use crate::model::revision::{Author, Draft, Edit, Origin};
    use crate::model::signature::SecretKey;
    use crate::model::stamp::Stamp;

    fn document(config: &str) -> Document {
        Document::from_config(json::parse(config.as_bytes()).unwrap()).unwrap()
    }

    fn put(path: &str, value: &str) -> Op {
        Op {
            path: Path::parse(path).unwrap(),
            change: Change::Put(json::parse(value.as_bytes()).unwrap()),
        }
    }

    fn append(path: &str, value: &str) -> Op {
        Op {
            path: Path::parse(path).unwrap(),
            change: Change::Append(json::parse(value.as_bytes()).unwrap()),
        }
    }

    fn delete(path: &str) -> Op {
        Op {
            path: Path::parse(path).unwrap(),
            change: Change::Delete,
        }
    }

    /// What becomes of `config` when `ops`, made on `base`, are made on it.
    fn replay(base: &str, ops: &[Op], config: &str) -> Option<String> {
        replay_on(document(base), ops, document(config)).map(|after| json::compact(after.config()))
    }

    fn replay_on(base: Document, ops: &[Op], present: Document) -> Option<Document> {
        let after = ops.iter().fold(base.clone(), |document, op| {
            edit::apply(&document, op).unwrap()
        });
        let edit = Edit {
            origin: Origin::Original,
            operations: operations(&base, ops),
        };
        let (opens, settles) = (Default::default(), Vec::new());
        let draft = Draft {
            edit,
            document: after,
            opens,
            settles,
            flags: 0,
            note: String::new(),
        };
        let secret = SecretKey::from_seed(&[1; 32]);
        let author = Author {
            secret: &secret,
            fleet: [2; 32],
            group: "default",
            stamp: Stamp::default(),
            numbered: None,
        };
        let revision = Revision::author(&author, None, draft).unwrap();
        replayed(&present, &revision).map(|replayed| replayed.document)
    }

    #[test]
    fn an_edit_fits_where_its_place_is_as_it_was() {
        let ops = [put("/config/a", "2")];
        assert_eq!(
            replay(r#"{"a":1}"#, &ops, r#"{"b":9,"a":1}"#).as_deref(),
            Some(r#"{"b":9,"a":2}"#)
        );
        assert_eq!(
            replay(r#"{"a":1}"#, &ops, r#"{"a":3}"#),
            None,
            "somebody else has changed it"
        );
        assert_eq!(
            replay(r#"{"a":1}"#, &ops, "{}"),
            None,
            "somebody else has removed it"
        );
        assert_eq!(
            replay(
                "{}",
                &[put("/config/a/b", "1")].map(|_| put("/config/a", "1")),
                r#"{"a":0}"#
            ),
            None
        );
        assert_eq!(
            replay(r#"{"a":{}}"#, &[put("/config/a/b", "1")], "{}"),
            None,
            "what it stood in is gone"
        );
    }

    #[test]
    fn uploads_collide_only_with_themselves_and_where_the_configuration_needs_them() {
        let whole = |config: &str, certificates: &str| {
            let text =
                format!(r#"{{"config":{config},"certificates":{certificates},"js_modules":{{}}}}"#);
            Document::parse(text.as_bytes()).unwrap()
        };
        let tls = r#"{"listeners":{"*:1":{"tls":{"certificate":"a"}}}}"#;
        let (upload, gone) = (
            put("/certificates/a", r#""new""#),
            delete("/certificates/a"),
        );
        let one = std::slice::from_ref;
        let old = || whole("{}", r#"{"a":"old"}"#);
        let after = replay_on(old(), one(&upload), whole(tls, r#"{"a":"old","b":"x"}"#)).unwrap();
        assert_eq!(after, whole(tls, r#"{"a":"new","b":"x"}"#));
        assert!(
            replay_on(old(), one(&upload), whole(tls, r#"{"a":"other"}"#)).is_none(),
            "somebody else has replaced it"
        );
        assert!(
            replay_on(
                whole("{}", "{}"),
                one(&upload),
                whole("{}", r#"{"a":"other"}"#)
            )
            .is_none(),
            "both have uploaded it"
        );
        assert!(
            replay_on(old(), one(&gone), whole(tls, r#"{"a":"old"}"#)).is_none(),
            "it is used by now"
        );
        assert!(replay_on(old(), one(&gone), old()).is_some());
        let using = put("/config", tls);
        assert!(
            replay_on(
                whole("{}", r#"{"a":"old"}"#),
                one(&using),
                whole("{}", "{}")
            )
            .is_none(),
            "it is gone by now"
        );
        assert!(
            replay_on(
                whole("{}", r#"{"a":"old"}"#),
                one(&using),
                whole("{}", r#"{"a":"new"}"#)
            )
            .is_some()
        );
    }

    #[test]
    fn an_edit_that_is_made_already_fits_and_changes_nothing() {
        assert_eq!(
            replay(r#"{"a":1}"#, &[put("/config/a", "2")], r#"{"a":2}"#).as_deref(),
            Some(r#"{"a":2}"#)
        );
        assert_eq!(
            replay(r#"{"a":1}"#, &[delete("/config/a")], "{}").as_deref(),
            Some("{}")
        );
        let both = [put("/config/a", "2"), put("/config/b", "2")];
        assert_eq!(
            replay(r#"{"a":1}"#, &both, r#"{"a":2}"#).as_deref(),
            Some(r#"{"a":2,"b":2}"#)
        );
        let other = r#"{"a":{"y":1,"x":1}}"#;
        assert_eq!(
            replay("{}", &[put("/config/a", r#"{"x":1,"y":1}"#)], other),
            None,
            "the order of members matters to a server"
        );
    }

    #[test]
    fn an_append_fits_where_all_that_its_author_saw_is_there() {
        let ops = [append("/config/l", "9")];
        let case = |config: &str| replay(r#"{"l":[1,2]}"#, &ops, config);
        assert_eq!(case(r#"{"l":[1,2]}"#).as_deref(), Some(r#"{"l":[1,2,9]}"#));
        assert_eq!(
            case(r#"{"l":[1,2,3]}"#).as_deref(),
            Some(r#"{"l":[1,2,3,9]}"#)
        );
        assert_eq!(
            case(r#"{"l":[1,7,8,2,3]}"#).as_deref(),
            Some(r#"{"l":[1,7,8,2,3,9]}"#),
            "others' appends came first"
        );
        assert_eq!(
            case(r#"{"l":[1,2,9]}"#).as_deref(),
            Some(r#"{"l":[1,2,9,9]}"#),
            "two who append the same want it twice"
        );
        assert_eq!(
            case(r#"{"l":[2,3,1]}"#).as_deref(),
            Some(r#"{"l":[2,3,1,9]}"#),
            "they were made again in another order"
        );
        assert_eq!(
            replay(r#"{"l":[1,1]}"#, &ops, r#"{"l":[1,2]}"#),
            None,
            "one of two that are alike is gone"
        );
        for gone in [
            r#"{"l":[2,3]}"#,
            r#"{"l":[1]}"#,
            r#"{"l":[]}"#,
            r#"{"l":{}}"#,
            "{}",
        ] {
            assert_eq!(case(gone), None, "{gone}");
        }
    }

    #[test]
    fn a_change_inside_an_array_fits_only_where_the_whole_array_is_as_it_was() {
        let ops = [put("/config/l/0", "5")];
        assert_eq!(
            replay(r#"{"l":[1,2]}"#, &ops, r#"{"l":[1,2],"m":1}"#).as_deref(),
            Some(r#"{"l":[5,2],"m":1}"#)
        );
        assert_eq!(replay(r#"{"l":[1,2]}"#, &ops, r#"{"l":[1,2,3]}"#), None);
        let inner = [append("/config/l/0", "5")];
        assert_eq!(
            replay(r#"{"l":[[1],2]}"#, &inner, r#"{"l":[[1],2,3]}"#),
            None
        );
    }
}
