//! The difference between two configurations, as the operations that lead from one to the other.
//!
//! Objects are compared member by member; anything else that differs is replaced whole. Members keep the order of the first
//! configuration, so a server that shows its own in another order has not changed anything.

use super::edit::{Change, Op};
use super::json::{self, Value};
use super::path::Path;
use crate::limits::OPERATIONS_MAX;

/// The operations that make `to` of `from`, both standing at `path`; none if they are the same. More than an edit may have become a
/// single PUT.
pub fn difference(path: &Path, from: &Value, to: &Value) -> Vec<Op> {
    bounded_difference(path, from, to, OPERATIONS_MAX)
}

/// The same, where more than `most` operations become a single PUT.
pub fn bounded_difference(path: &Path, from: &Value, to: &Value, most: usize) -> Vec<Op> {
    let mut ops = Vec::new();
    if collect(path, from, to, &mut ops).is_none() || ops.len() > most {
        return vec![Op { path: path.clone(), change: Change::Put(to.clone()) }];
    }
    ops
}

/// `None` if a member has a name that no path can have.
fn collect(path: &Path, from: &Value, to: &Value, ops: &mut Vec<Op>) -> Option<()> {
    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        if !json::same(from, to) {
            ops.push(Op { path: path.clone(), change: Change::Put(to.clone()) });
        }
        return Some(());
    };
    for (name, value) in old {
        let path = path.child(name).ok()?;
        match new.get(name) {
            Some(next) => collect(&path, value, next, ops)?,
            None => ops.push(Op { path, change: Change::Delete }),
        }
    }
    for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        ops.push(Op { path: path.child(name).ok()?, change: Change::Put(value.clone()) });
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
            (r#"{"a":1,"b":{"c":[1],"d":2}}"#, r#"{"b":{"d":2,"c":[1,2]},"e":{}}"#, 3),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, 0),
            (r#"{"a":1}"#, r#"[]"#, 1),
            (r#"{"a":1}"#, r#"{"a":1.0}"#, 1),
        ];
        let config = Path::parse("/config").unwrap();
        for (from, to, count) in cases {
            let ops = difference(&config, &value(from), &value(to));
            assert_eq!(ops.len(), count, "{from} to {to}");
            let start = Document::from_config(value(from)).unwrap();
            let end = ops.iter().fold(start, |document, op| apply(&document, op).unwrap());
            assert!(json::same(end.config(), &value(to)), "{from} to {to}");
        }
    }

    #[test]
    fn a_large_difference_is_one_put() {
        let many: Vec<String> = (0..OPERATIONS_MAX + 1).map(|n| format!("\"k{n}\":1")).collect();
        let to = value(&format!("{{{}}}", many.join(",")));
        let config = Path::parse("/config").unwrap();
        assert_eq!(difference(&config, &value("{}"), &to), vec![Op { path: config, change: Change::Put(to) }]);
    }
}
