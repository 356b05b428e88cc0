//! The difference between two configurations, or two documents, as the operations that lead from
//! one to the other.
//!
//! Certificates and modules are replaced whole. In the configuration objects are compared member by
//! member; anything else that differs is replaced whole. Members keep the order of the first
//! configuration, so a server that shows its own in another order has not changed anything.

use super::document::Document;
use super::edit::{Change, Op};
use super::json::{self, Value};
use super::path::Path;
use super::resources::ResourceKind;
use crate::limits::OPERATIONS_MAX;

/// The operations that make the whole of `to` of `from`; none if they are the same. `None` if they
/// are more than an edit may have, for so many certificates and modules differ.
pub fn document_difference(from: &Document, to: &Document) -> Option<Vec<Op>> {
    let texts = texts_difference(from, to);
    let config = Path::parse("/config").expect("it is a path");
    let mut ops = bounded_difference(
        &config,
        from.config(),
        to.config(),
        OPERATIONS_MAX.saturating_sub(texts.len()),
    );
    ops.extend(texts);
    (ops.len() <= OPERATIONS_MAX).then_some(ops)
}

/// The operations that make the certificates and modules of `to` of those of `from`; one for each
/// that differs.
pub fn texts_difference(from: &Document, to: &Document) -> Vec<Op> {
    let mut ops = Vec::new();
    for kind in ResourceKind::ALL {
        let of = |document: &'_ Document| {
            document.value()[kind.member()]
                .as_object()
                .cloned()
                .unwrap_or_default()
        };
        let (old, new) = (of(from), of(to));
        let path = |name: &String| kind.path(name).expect("a document has no other names");
        let gone = old.keys().filter(|name| !new.contains_key(name));
        ops.extend(gone.map(|name| Op {
            path: path(name),
            change: Change::Delete,
        }));
        let put = new
            .iter()
            .filter(|(name, text)| old.get(name) != Some(text));
        ops.extend(put.map(|(name, text)| Op {
            path: path(name),
            change: Change::Put(text.clone()),
        }));
    }
    ops
}

/// The operations that make `to` of `from`, both standing at `path`; none if they are the same.
/// More than an edit may have become a single PUT.
pub fn difference(path: &Path, from: &Value, to: &Value) -> Vec<Op> {
    bounded_difference(path, from, to, OPERATIONS_MAX)
}

/// The operations of [`difference`], where more than `most` of them become a single PUT.
pub fn bounded_difference(path: &Path, from: &Value, to: &Value, most: usize) -> Vec<Op> {
    let mut ops = Vec::new();
    if collect(path, from, to, &mut ops).is_none() || ops.len() > most {
        return vec![Op {
            path: path.clone(),
            change: Change::Put(to.clone()),
        }];
    }
    ops
}

/// `None` if a member has a name that no path can have.
fn collect(path: &Path, from: &Value, to: &Value, ops: &mut Vec<Op>) -> Option<()> {
    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        if !json::same(from, to) {
            ops.push(Op {
                path: path.clone(),
                change: Change::Put(to.clone()),
            });
        }
        return Some(());
    };
    for (name, value) in old {
        let path = path.child(name).ok()?;
        match new.get(name) {
            Some(next) => collect(&path, value, next, ops)?,
            None => ops.push(Op {
                path,
                change: Change::Delete,
            }),
        }
    }
    for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(name)) {
        ops.push(Op {
            path: path.child(name).ok()?,
            change: Change::Put(value.clone()),
        });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document::Document;
    use crate::model::edit::apply;

    fn value(text: &str) -> Value {
        json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_operations_lead_from_one_to_the_other() {
        let cases = [
            (
                r#"{"a":1,"b":{"c":[1],"d":2}}"#,
                r#"{"b":{"d":2,"c":[1,2]},"e":{}}"#,
                3,
            ),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, 0),
            (r#"{"a":1}"#, r#"[]"#, 1),
            (r#"{"a":1}"#, r#"{"a":1.0}"#, 1),
        ];
        let config = Path::parse("/config").unwrap();
        for (from, to, count) in cases {
            let ops = difference(&config, &value(from), &value(to));
            assert_eq!(ops.len(), count, "{from} to {to}");
            let start = Document::from_config(value(from)).unwrap();
            let end = ops
                .iter()
                .fold(start, |document, op| apply(&document, op).unwrap());
            assert!(json::same(end.config(), &value(to)), "{from} to {to}");
        }
    }

    #[test]
    fn whole_documents_differ_in_certificates_and_modules_too() {
        let document = |config: &str, certificates: &str, modules: &str| {
            let text = format!(
                r#"{{"config":{config},"certificates":{certificates},"js_modules":{modules}}}"#
            );
            Document::parse(text.as_bytes()).unwrap()
        };
        let from = document(
            r#"{"a":1}"#,
            r#"{"gone":"1","new":"2","same":"3"}"#,
            r#"{"m":"4"}"#,
        );
        let to = document(r#"{"a":2}"#, r#"{"same":"3","new":"5","more":"6"}"#, "{}");
        let ops = document_difference(&from, &to).unwrap();
        let paths: Vec<String> = ops
            .iter()
            .map(|op| format!("{} {}", op.change.verb().word(), op.path))
            .collect();
        let expected = [
            "put /config/a",
            "delete /certificates/gone",
            "put /certificates/new",
            "put /certificates/more",
            "delete /js_modules/m",
        ];
        assert_eq!(paths, expected);
        let made = crate::model::edit::apply_all(&from, &ops).unwrap();
        assert!(json::same(made.value(), to.value()));
        assert_eq!(document_difference(&to, &to), Some(Vec::new()));
    }

    #[test]
    fn more_certificates_than_an_edit_has_operations_are_no_edit() {
        let with = |count: usize| {
            let mut value = Document::factory().value().clone();
            (0..count)
                .for_each(|number| value["certificates"][&format!("c{number}")[..]] = "x".into());
            Document::new(value).unwrap()
        };
        let other = apply(
            &with(OPERATIONS_MAX),
            &Op {
                path: Path::parse("/config").unwrap(),
                change: Change::Delete,
            },
        )
        .unwrap();
        assert_eq!(
            document_difference(&with(0), &with(OPERATIONS_MAX)).map(|ops| ops.len()),
            Some(OPERATIONS_MAX)
        );
        assert_eq!(
            document_difference(&with(0), &other),
            None,
            "with the configuration it is one too many"
        );
    }

    #[test]
    fn a_large_difference_is_one_put() {
        let many: Vec<String> = (0..OPERATIONS_MAX + 1)
            .map(|n| format!("\"k{n}\":1"))
            .collect();
        let to = value(&format!("{{{}}}", many.join(",")));
        let config = Path::parse("/config").unwrap();
        assert_eq!(
            difference(&config, &value("{}"), &to),
            vec![Op {
                path: config,
                change: Change::Put(to)
            }]
        );
    }
}
