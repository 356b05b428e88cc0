mod random;

use super::pointer::Pointer;
use super::*;
use crate::model::edit::Change;
use crate::model::json::{Map, compact, parse, parse_own, same};

fn value(text: &str) -> Value {
    parse(text.as_bytes()).unwrap()
}

fn document(config: &str) -> Document {
    Document::from_config(value(config)).unwrap()
}

fn json_patch(text: &str) -> Patch {
    Patch::Json(JsonPatch::read(&value(text)).unwrap())
}

fn config() -> Path {
    Path::parse("/config").unwrap()
}

/// What becomes of a configuration, and what its edit says: `put /config/a`, ….
fn made(before: &str, patch: &Patch) -> Result<(String, Vec<String>), String> {
    let (ops, after) = patch
        .edit(&document(before), &config())
        .map_err(|error| error.to_string())?;
    let said = ops
        .iter()
        .map(|op| format!("{} {}", op.change.verb().word(), op.path));
    Ok((compact(after.config()), said.collect()))
}

fn why(before: &str, patch: &str) -> String {
    made(before, &json_patch(patch)).unwrap_err()
}

/// All of a suite that is not disabled there: so many come out as expected, and so many are
/// refused.
fn suite(text: &str) -> (usize, usize) {
    let (mut made, mut refused) = (0, 0);
    // Some of the cases are about members that are there twice.
    let cases = serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap();
    for case in cases
        .iter()
        .map(|case| parse_own(case.to_string().as_bytes()).unwrap())
    {
        if case.get("disabled").is_some() {
            continue;
        }
        let before = Document::from_config(case["doc"].clone()).unwrap();
        let after = JsonPatch::read(&case["patch"])
            .map_err(|bad| bad.to_string())
            .and_then(|patch| {
                Patch::Json(patch)
                    .edit(&before, &config())
                    .map(|(_, after)| after)
                    .map_err(|error| error.to_string())
            });
        match (after, case.get("expected")) {
            (Ok(after), Some(expected)) => {
                assert!(same(after.config(), expected), "{case}: {}", after.text());
                made += 1;
            }
            (Ok(_), None) if case.get("error").is_none() => made += 1,
            (Err(_), None) if case.get("error").is_some() => refused += 1,
            (after, _) => panic!("{case}: {after:?}"),
        }
    }
    (made, refused)
}

#[test]
fn the_examples_of_rfc_6902_come_out_as_it_says() {
    assert_eq!(
        suite(include_str!(
            "../../../tests/fixtures/json-patch-tests/spec_tests.json"
        )),
        (12, 4)
    );
}

#[test]
fn the_suite_that_other_implementations_share_comes_out_as_it_says() {
    assert_eq!(
        suite(include_str!(
            "../../../tests/fixtures/json-patch-tests/tests.json"
        )),
        (62, 30)
    );
}

#[test]
fn an_edit_names_the_members_that_a_patch_changes_and_no_others() {
    let before = r#"{"a":1,"b":{"x":1,"y":2},"l":[1,2]}"#;
    let merge = |patch: &str| made(before, &Patch::Merge(value(patch))).unwrap();
    let said = |(after, said): (String, Vec<String>)| (after, said.join(", "));
    let cases = [
        (
            r#"{"b":{"y":3,"z":{}}}"#,
            r#"{"a":1,"b":{"x":1,"y":3,"z":{}},"l":[1,2]}"#,
            "put /config/b/y, put /config/b/z",
        ),
        (
            r#"{"a":null,"l":[1,2,3]}"#,
            r#"{"b":{"x":1,"y":2},"l":[1,2,3]}"#,
            "delete /config/a, put /config/l",
        ),
        (r#"{"a":1,"b":{"x":1},"n":null}"#, before, ""),
        (
            r#"{"a":{"n":null,"m":1}}"#,
            r#"{"a":{"m":1},"b":{"x":1,"y":2},"l":[1,2]}"#,
            "put /config/a",
        ),
        ("[]", "[]", "put /config"),
    ];
    for (patch, after, edit) in cases {
        assert_eq!(
            said(merge(patch)),
            (after.to_owned(), edit.to_owned()),
            "{patch}"
        );
    }
}

#[test]
fn an_edit_says_what_a_json_patch_does_to_arrays() {
    let before = r#"{"a":{"x":1},"l":[1,{"m":2},3],"n":[[1],[2]]}"#;
    let cases = [
        (
            r#"[{"op":"add","path":"/l/-","value":9}]"#,
            "append /config/l",
        ),
        (
            r#"[{"op":"add","path":"/n/0/-","value":9}]"#,
            "append /config/n/0",
        ),
        (r#"[{"op":"add","path":"/l/3","value":9}]"#, "put /config/l"),
        (r#"[{"op":"add","path":"/l/0","value":9}]"#, "put /config/l"),
        (
            r#"[{"op":"add","path":"/l/-","value":8},{"op":"add","path":"/l/-","value":9}]"#,
            "put /config/l",
        ),
        (
            r#"[{"op":"add","path":"/l/-","value":8},{"op":"replace","path":"/a/x","value":9}]"#,
            "append /config/l, put /config/a/x",
        ),
        (r#"[{"op":"remove","path":"/l/1"}]"#, "delete /config/l/1"),
        (
            r#"[{"op":"remove","path":"/l/1"},{"op":"remove","path":"/l/1"}]"#,
            "put /config/l",
        ),
        (
            r#"[{"op":"replace","path":"/l/1/m","value":7},{"op":"replace","path":"/l/0","value":8}]"#,
            "put /config/l/1/m, put /config/l/0",
        ),
        (
            r#"[{"op":"replace","path":"/l/1/m","value":7},{"op":"remove","path":"/l/0"}]"#,
            "put /config/l",
        ),
        (
            r#"[{"op":"remove","path":"/l/0"},{"op":"replace","path":"/l/0/m","value":7}]"#,
            "put /config/l",
        ),
        (
            r#"[{"op":"move","from":"/a/x","path":"/b"}]"#,
            "delete /config/a/x, put /config/b",
        ),
        (
            r#"[{"op":"copy","from":"/a","path":"/l/-"}]"#,
            "append /config/l",
        ),
        (
            r#"[{"op":"add","path":"/b","value":{}},{"op":"add","path":"/b/c","value":1}]"#,
            "put /config/b",
        ),
        (
            r#"[{"op":"add","path":"/a/y","value":1},{"op":"replace","path":"/a","value":5}]"#,
            "put /config/a",
        ),
        (
            r#"[{"op":"add","path":"/b","value":1},{"op":"remove","path":"/b"}]"#,
            "",
        ),
    ];
    for (patch, edit) in cases {
        assert_eq!(
            made(before, &json_patch(patch)).unwrap().1.join(", "),
            edit,
            "{patch}"
        );
    }
}

/// Whoever makes the edit again must find what the author has tested.
#[test]
fn what_is_tested_is_among_the_places_of_the_edit() {
    let before = r#"{"a":{"x":1},"l":[1,2]}"#;
    let cases = [
        (
            r#"[{"op":"test","path":"/a/x","value":1.0},{"op":"add","path":"/b","value":2}]"#,
            "put /config/a/x, put /config/b",
        ),
        (
            r#"[{"op":"test","path":"/a/x","value":1},{"op":"replace","path":"/a/x","value":1}]"#,
            "put /config/a/x",
        ),
        (
            r#"[{"op":"test","path":"/a","value":{"x":1}},{"op":"replace","path":"/a/x","value":3}]"#,
            "put /config/a",
        ),
        (
            r#"[{"op":"test","path":"/l/0","value":1},{"op":"add","path":"/l/-","value":3}]"#,
            "put /config/l",
        ),
        (
            r#"[{"op":"test","path":"/a/x","value":1},{"op":"test","path":"/a","value":{"x":1}}]"#,
            "put /config/a",
        ),
    ];
    for (patch, edit) in cases {
        let (after, said) = made(before, &json_patch(patch)).unwrap();
        assert_eq!(said.join(", "), edit, "{patch}");
        assert!(
            after.contains(r#""x":1"#) || after.contains(r#""x":3"#),
            "{after}: the number keeps its text"
        );
    }
}

#[test]
fn members_keep_their_places_and_numbers_their_text() {
    let before = r#"{"a":1.0,"b":{"x":2e2,"y":1},"c":3}"#;
    let patch = r#"[{"op":"replace","path":"/b/x","value":1.50},{"op":"add","path":"/a","value":2E1},
        {"op":"remove","path":"/c"},{"op":"add","path":"/d","value":0}]"#;
    assert_eq!(
        made(before, &json_patch(patch)).unwrap().0,
        r#"{"a":2E1,"b":{"x":1.50,"y":1},"d":0}"#
    );
    let again = r#"[{"op":"remove","path":"/a"},{"op":"add","path":"/a","value":4}]"#;
    assert_eq!(
        made(before, &json_patch(again)).unwrap().0,
        r#"{"a":4,"b":{"x":2e2,"y":1},"c":3}"#,
        "it is the same member"
    );
}

#[test]
fn numbers_are_tested_by_their_worth() {
    for (is, test, holds) in [
        ("1", "1.0", true),
        ("200", "2e2", true),
        ("0.010", "1E-2", true),
        ("-0", "0.0", true),
        ("100", "10", false),
        ("1", "-1", false),
        ("1e-300", "1e-301", false),
        ("10e-301", "1e-300", true),
    ] {
        let patch = json_patch(&format!(
            r#"[{{"op":"test","path":"/n","value":[{test}]}}]"#
        ));
        assert_eq!(
            made(&format!(r#"{{"n":[{is}]}}"#), &patch).is_ok(),
            holds,
            "{is} and {test}"
        );
    }
}

#[test]
fn what_is_no_patch_is_refused_by_operation_and_member() {
    for (patch, words) in [
        ("{}", "a JSON Patch is an array of operations"),
        ("[1]", "operation 0 is not an object"),
        (r#"[{"path":"/a"}]"#, "operation 0 has no member \"op\""),
        (r#"[{"op":"remove"}]"#, "operation 0 has no member \"path\""),
        (
            r#"[{"op":"remove","path":"/a"},{"op":"add","path":"/a"}]"#,
            "operation 1 has no member \"value\"",
        ),
        (
            r#"[{"op":"copy","path":"/a"}]"#,
            "operation 0 has no member \"from\"",
        ),
        (
            r#"[{"op":7,"path":"/a"}]"#,
            "operation 0, member \"op\": it is a string",
        ),
        (
            r#"[{"op":"put","path":"/a"}]"#,
            "operation 0, member \"op\": it is add, remove, replace, move, copy or test",
        ),
        (
            r#"[{"op":"remove","path":["a"]}]"#,
            "operation 0, member \"path\": it is a string",
        ),
        (
            r#"[{"op":"remove","path":""}]"#,
            "operation 0, member \"path\": what the request names is removed by DELETE",
        ),
        (
            r#"[{"op":"move","from":"/a","path":"/a/b"}]"#,
            "operation 0, member \"path\": nothing can be moved into itself",
        ),
    ] {
        assert_eq!(
            JsonPatch::read(&value(patch)).unwrap_err().to_string(),
            words,
            "{patch}"
        );
    }
    for pointer in ["a", "a/b", "/a~2", "/a~", "~0/a"] {
        let patch = Value::Array(vec![Value::Object(Map::from_iter(
            [("op", "remove"), ("path", pointer)]
                .map(|(name, text)| (name.to_owned(), text.into())),
        ))]);
        let BadPatch::Wrong(0, "path", _) = JsonPatch::read(&patch).unwrap_err() else {
            panic!("{pointer}")
        };
    }
    let many =
        vec![r#"{"op":"test","path":"","value":1}"#; crate::limits::PATCH_OPERATIONS_MAX + 1];
    assert_eq!(
        JsonPatch::read(&value(&format!("[{}]", many.join(",")))).unwrap_err(),
        BadPatch::TooMany
    );
}

#[test]
fn what_does_not_fit_is_refused_by_operation_and_reason_and_nothing_is_changed() {
    let before = r#"{"a":{"x":1},"l":[1,2]}"#;
    for (patch, words) in [
        (
            r#"[{"op":"add","path":"/b","value":1},{"op":"remove","path":"/z"}]"#,
            "operation 1 (remove \"/z\"): nothing is there",
        ),
        (
            r#"[{"op":"replace","path":"/a/y","value":1}]"#,
            "operation 0 (replace \"/a/y\"): nothing is there",
        ),
        (
            r#"[{"op":"add","path":"/b/c","value":1}]"#,
            "operation 0 (add \"/b/c\"): what should hold it is not there",
        ),
        (
            r#"[{"op":"add","path":"/a/x/y","value":1}]"#,
            "operation 0 (add \"/a/x/y\"): what should hold it is neither an object nor an array",
        ),
        (
            r#"[{"op":"add","path":"/l/3","value":1}]"#,
            "operation 0 (add \"/l/3\"): it is no index of the array, or one beyond its end",
        ),
        (
            r#"[{"op":"replace","path":"/l/-","value":1}]"#,
            "operation 0 (replace \"/l/-\"): nothing is there",
        ),
        (
            r#"[{"op":"copy","from":"/q","path":"/b"}]"#,
            "operation 0 (copy \"from\"): nothing is there",
        ),
        (
            r#"[{"op":"test","path":"/a","value":{}}]"#,
            "operation 0 (test \"/a\"): the value there is {\"x\":1}",
        ),
    ] {
        assert_eq!(why(before, patch), words, "{patch}");
    }
    let absent = Path::parse("/config/q").unwrap();
    assert_eq!(
        Patch::Merge(value("{}"))
            .edit(&document(before), &absent)
            .unwrap_err(),
        PatchError::Edit(EditError::Missing),
        "there must be something to patch"
    );
}

#[test]
fn a_patch_below_a_path_has_its_pointers_from_there() {
    let path = Path::parse("/config/routes/a%2Fb").unwrap();
    let patch = json_patch(r#"[{"op":"add","path":"/-","value":1}]"#);
    let (ops, after) = patch
        .edit(&document(r#"{"routes":{"a/b":[]}}"#), &path)
        .unwrap();
    assert_eq!(compact(after.config()), r#"{"routes":{"a/b":[1]}}"#);
    assert_eq!(
        ops,
        vec![Op {
            path,
            change: Change::Append(value("1"))
        }]
    );
}

#[test]
fn a_patch_of_many_places_becomes_an_edit_of_few_that_says_the_same() {
    let steps = |count: usize, at: fn(usize) -> String| {
        let step = |n| format!(r#"{{"op":"add","path":"{}","value":{n}}}"#, at(n));
        json_patch(&format!(
            "[{}]",
            (0..count).map(step).collect::<Vec<_>>().join(",")
        ))
    };
    let before = r#"{"a":{},"b":{}}"#;
    let (after, said) = made(before, &steps(64, |n| format!("/a/m{n}"))).unwrap();
    assert_eq!((said.len(), &said[63][..]), (64, "put /config/a/m63"));
    assert!(after.starts_with(r#"{"a":{"m0":0,"m1":1,"#));
    let (after, said) = made(before, &steps(65, |n| format!("/a/m{n}"))).unwrap();
    assert_eq!(said, ["put /config/a"]);
    assert!(after.ends_with(r#""m64":64},"b":{}}"#));
    let (_, said) = made(
        before,
        &steps(65, |n| {
            if n == 3 {
                "/b/x".to_owned()
            } else {
                format!("/m{n}")
            }
        }),
    )
    .unwrap();
    assert_eq!(said, ["put /config"]);
    let members: Vec<String> = (0..100).map(|n| format!(r#""m{n}":{n}"#)).collect();
    let merge = Patch::Merge(value(&format!(
        r#"{{"a":{{{}}},"c":1}}"#,
        members.join(",")
    )));
    assert_eq!(
        made(before, &merge).unwrap().1,
        ["put /config/a", "put /config/c"]
    );
}

#[test]
fn names_that_no_path_can_have_are_patched_in_what_holds_them() {
    let long = "k".repeat(crate::limits::PATH_TOKEN_MAX + 1);
    for name in ["", "\\u0000", &long] {
        let before = format!(r#"{{"a":{{"{name}":{{"x":1}}}}}}"#);
        let patch = format!(r#"[{{"op":"replace","path":"/a/{name}/x","value":2}}]"#);
        let (after, said) = made(&before, &json_patch(&patch)).unwrap();
        assert_eq!(
            (after, &said[..]),
            (before.replace('1', "2"), &["put /config/a".to_owned()][..])
        );
        let merge = Patch::Merge(value(&before.replace('1', "3")));
        assert_eq!(
            made(&before, &merge).unwrap(),
            (before.replace('1', "3"), vec!["put /config/a".to_owned()])
        );
    }
}

#[test]
fn copies_fill_no_memory_and_nothing_becomes_too_deep() {
    let growing = r#"{"op":"copy","from":"","path":"/x"},{"op":"copy","from":"","path":"/y"}"#;
    let patch = format!("[{}]", vec![growing; 40].join(","));
    assert_eq!(
        why(r#"{"a":"0123456789"}"#, &patch),
        EditError::TooLarge.to_string()
    );
    let deep = format!("{}{}", "[".repeat(90), "]".repeat(90));
    let nested = format!(
        r#"[{{"op":"add","path":"/a","value":{deep}}},{{"op":"move","from":"/a","path":"/l{}"}}]"#,
        "/0".repeat(20)
    );
    let before = format!(r#"{{"l":{}{}}}"#, "[".repeat(20), "]".repeat(20));
    assert_eq!(why(&before, &nested), EditError::TooLarge.to_string());
}
