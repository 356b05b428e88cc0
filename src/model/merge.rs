//! JSON Merge Patch (RFC 7396): a value that looks like the one to be changed, with what is to be
//! different.
//!
//! An object is merged member by member, `null` removes, and anything else replaces what is there:
//! an array always as a whole. Members that stay keep their places, new ones come last, and numbers
//! keep their text, since a server may restart an application over either. It recurses as deep as
//! the patch, which whoever read it has bounded.

use super::json::{Map, Value};

/// Makes of `target` what `patch` says (RFC 7396, section 2).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        unreachable!("it was just made an object")
    };
    members.remove_nulls(patch);
    for (name, value) in patch.iter().filter(|(_, value)| !value.is_null()) {
        merge(members.get_or_null(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::{compact, parse};

    fn merged(target: &str, patch: &str) -> String {
        let mut target = parse(target.as_bytes()).unwrap();
        merge(&mut target, &parse(patch.as_bytes()).unwrap());
        compact(&target)
    }

    /// Appendix A of the RFC.
    const EXAMPLES: [(&str, &str, &str); 15] = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ];

    /// One by one that would take minutes, on the loop.
    #[test]
    fn fifty_thousand_members_are_removed_at_once() {
        let all = |value: Value| {
            Value::Object(
                (0..50_000)
                    .map(|number| (format!("m{number}"), value.clone()))
                    .collect(),
            )
        };
        let (mut target, mut patch) = (all(1.into()), all(Value::Null));
        target["stays"] = 1.into();
        patch["comes"] = 2.into();
        merge(&mut target, &patch);
        assert_eq!(compact(&target), r#"{"stays":1,"comes":2}"#);
    }

    #[test]
    fn the_examples_of_the_rfc_come_out_as_it_says() {
        for (target, patch, expected) in EXAMPLES {
            assert_eq!(merged(target, patch), expected, "{target} with {patch}");
        }
    }

    #[test]
    fn members_keep_their_places_and_numbers_their_text() {
        let target = r#"{"a":1.0,"b":{"x":2e2,"y":1},"c":3,"d":-0}"#;
        let patch = r#"{"d":4.50,"b":{"y":1.0,"w":0},"a":null,"n":9}"#;
        assert_eq!(
            merged(target, patch),
            r#"{"b":{"x":2e2,"y":1.0,"w":0},"c":3,"d":4.50,"n":9}"#
        );
    }
}
