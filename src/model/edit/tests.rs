use super::*;

fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).unwrap()
}

fn document(config: &str) -> Document {
    Document::from_config(value(config)).unwrap()
}

fn op(method: &str, target: &str, body: &str) -> Op {
    let change = match method {
        "PUT" => Change::Put(value(body)),
        "POST" => Change::Append(value(body)),
        _ => Change::Delete,
    };
    Op {
        path: Path::parse(target).unwrap(),
        change,
    }
}

fn applied(config: &str, method: &str, target: &str, body: &str) -> Result<String, EditError> {
    apply(&document(config), &op(method, target, body)).map(|after| json::compact(after.config()))
}

const BASE: &str = r#"{"a":1,"o":{"x":1,"y":2,"z":3},"l":[10,[20],{"m":30}]}"#;

#[test]
fn put_replaces_in_place_and_creates_at_the_end() {
    for (target, body, expected) in [
        ("/config", "[]", "[]"),
        (
            "/config/o/x",
            "9",
            r#"{"a":1,"o":{"x":9,"y":2,"z":3},"l":[10,[20],{"m":30}]}"#,
        ),
        (
            "/config/a",
            "{}",
            r#"{"a":{},"o":{"x":1,"y":2,"z":3},"l":[10,[20],{"m":30}]}"#,
        ),
        (
            "/config/o/w",
            "9",
            r#"{"a":1,"o":{"x":1,"y":2,"z":3,"w":9},"l":[10,[20],{"m":30}]}"#,
        ),
        (
            "/config/l/00",
            "9",
            r#"{"a":1,"o":{"x":1,"y":2,"z":3},"l":[9,[20],{"m":30}]}"#,
        ),
        (
            "/config/l/3",
            "9",
            r#"{"a":1,"o":{"x":1,"y":2,"z":3},"l":[10,[20],{"m":30},9]}"#,
        ),
        (
            "/config/l/2/m",
            "9",
            r#"{"a":1,"o":{"x":1,"y":2,"z":3},"l":[10,[20],{"m":9}]}"#,
        ),
    ] {
        assert_eq!(
            applied(BASE, "PUT", target, body).as_deref(),
            Ok(expected),
            "{target}"
        );
    }
    for target in [
        "/config/p/q",
        "/config/l/4",
        "/config/l/x",
        "/config/a/b",
        "/config/a/b/c",
        "/certificates",
        "/",
        "/foo",
    ] {
        assert_eq!(
            applied(BASE, "PUT", target, "1"),
            Err(EditError::Missing),
            "{target}"
        );
    }
}

#[test]
fn post_appends_to_arrays_only() {
    assert_eq!(
        applied(r#"{"l":[1]}"#, "POST", "/config/l/", "2").as_deref(),
        Ok(r#"{"l":[1,2]}"#)
    );
    assert_eq!(
        applied(r#"{"l":[[]]}"#, "POST", "/config/l/0", "2").as_deref(),
        Ok(r#"{"l":[[2]]}"#)
    );
    for target in ["/config", "/config/a", "/config/o"] {
        assert_eq!(
            applied(BASE, "POST", target, "1"),
            Err(EditError::NotAllowed),
            "{target}"
        );
    }
    for target in ["/config/p", "/config/l/3", "/config/a/b"] {
        assert_eq!(
            applied(BASE, "POST", target, "1"),
            Err(EditError::Missing),
            "{target}"
        );
    }
}

#[test]
fn delete_closes_the_gap_and_keeps_the_order() {
    for (target, expected) in [
        (
            "/config/a",
            r#"{"o":{"x":1,"y":2,"z":3},"l":[10,[20],{"m":30}]}"#,
        ),
        (
            "/config/o/x",
            r#"{"a":1,"o":{"y":2,"z":3},"l":[10,[20],{"m":30}]}"#,
        ),
        (
            "/config/l/0",
            r#"{"a":1,"o":{"x":1,"y":2,"z":3},"l":[[20],{"m":30}]}"#,
        ),
        ("/config", "{}"),
    ] {
        assert_eq!(
            applied(BASE, "DELETE", target, "").as_deref(),
            Ok(expected),
            "{target}"
        );
    }
    for target in [
        "/config/p",
        "/config/l/3",
        "/config/l/x",
        "/config/a/b",
        "/js_modules",
    ] {
        assert_eq!(
            applied(BASE, "DELETE", target, ""),
            Err(EditError::Missing),
            "{target}"
        );
    }
}

#[test]
fn a_certificate_or_a_module_is_put_and_deleted_as_one_text() {
    let base =
        Document::parse(br#"{"config":{},"certificates":{"a":"1","b":"2"},"js_modules":{}}"#)
            .unwrap();
    let after = |method: &str, target: &str, body: &str| {
        apply(&base, &op(method, target, body)).map(|after| after.text().to_owned())
    };
    for (method, target, body, expected) in [
        (
            "PUT",
            "/certificates/a",
            r#""9""#,
            r#"{"config":{},"certificates":{"a":"9","b":"2"},"js_modules":{}}"#,
        ),
        (
            "PUT",
            "/certificates/x%252Fy",
            r#""9""#,
            r#"{"config":{},"certificates":{"a":"1","b":"2","x%2Fy":"9"},"js_modules":{}}"#,
        ),
        (
            "PUT",
            "/js_modules/m.js",
            r#""""#,
            r#"{"config":{},"certificates":{"a":"1","b":"2"},"js_modules":{"m.js":""}}"#,
        ),
        (
            "DELETE",
            "/certificates/a",
            "",
            r#"{"config":{},"certificates":{"b":"2"},"js_modules":{}}"#,
        ),
    ] {
        assert_eq!(
            after(method, target, body).as_deref(),
            Ok(expected),
            "{method} {target}"
        );
    }
    for (method, target, error) in [
        ("PUT", "/certificates/a", EditError::NotText),
        ("POST", "/certificates/a", EditError::NotAllowed),
        ("DELETE", "/certificates/c", EditError::Missing),
        ("DELETE", "/js_modules/a", EditError::Missing),
        ("PUT", "/certificates/a/b", EditError::Missing),
        ("PUT", "/certificates/a%2Fb", EditError::Missing),
        ("DELETE", "/certificates", EditError::Missing),
    ] {
        assert_eq!(
            after(method, target, "[1]"),
            Err(error),
            "{method} {target}"
        );
    }
    let op = op("PUT", "/certificates/a", r#""the key""#);
    assert_eq!(
        format!("{op:?}"),
        "Op { path: Path(/certificates/a), change: Put(9 bytes) }"
    );
}

#[test]
fn a_certificate_is_found_by_hash_and_collides_with_every_other_change_of_it() {
    let with = |bundle: &str| {
        let text =
            format!(r#"{{"config":{{}},"certificates":{{{bundle}}},"js_modules":{{"a":"1"}}}}"#);
        Document::parse(text.as_bytes()).unwrap()
    };
    let put = op("PUT", "/certificates/a", r#""9""#);
    let met = found(&with(r#""a":"1""#), &put);
    assert_eq!(
        met,
        Found::Long {
            hash: resources::fingerprint("1")
        }
    );
    assert_eq!(
        found(&with(r#""a":"1""#), &op("PUT", "/js_modules/a", r#""9""#)),
        Found::Short("1".into()),
        "a module is no secret"
    );
    assert!(still_there(&with(r#""b":"2","a":"1""#), &put, &met));
    assert!(!still_there(&with(r#""a":"2""#), &put, &met) && !still_there(&with(""), &put, &met));
    let absent = found(&with(""), &put);
    assert!(
        still_there(&with(r#""b":"2""#), &put, &absent)
            && !still_there(&with(r#""a":"2""#), &put, &absent)
    );
    assert!(
        is_done(&with(r#""a":"9""#), &put)
            && is_done(&with(""), &op("DELETE", "/certificates/a", ""))
    );
}

#[test]
fn a_token_that_is_too_long_is_met_in_its_turn() {
    let long = "x".repeat(PATH_TOKEN_MAX + 1);
    for target in [
        format!("/config/{long}"),
        format!("/config/{long}/y"),
        format!("/config/a/{long}"),
    ] {
        assert_eq!(
            applied(BASE, "PUT", &target, "1"),
            Err(EditError::TokenTooLong)
        );
        assert_eq!(
            applied(BASE, "DELETE", &target, ""),
            Err(EditError::TokenTooLong)
        );
        assert_eq!(
            applied(BASE, "POST", &target, "1"),
            Err(EditError::TokenTooLong)
        );
    }
    assert_eq!(
        applied(BASE, "PUT", &format!("/config/p/{long}"), "1"),
        Err(EditError::Missing)
    );
}

#[test]
fn no_sequence_of_edits_makes_a_document_that_cannot_be_read_back() {
    let deep = "[".repeat(60) + &"]".repeat(60);
    let once = apply(&document("[]"), &op("PUT", "/config", &deep)).unwrap();
    let innermost = "/config".to_owned() + &"/0".repeat(59);
    assert_eq!(
        apply(&once, &op("POST", &innermost, &deep)),
        Err(EditError::TooLarge)
    );
    assert!(apply(&once, &op("POST", &innermost, &deep[20..100])).is_ok());

    let half = Value::String("x".repeat(crate::limits::DOCUMENT_MAX / 2));
    let put = |name: &str| Op {
        path: Path::parse(format!("/config/{name}")).unwrap(),
        change: Change::Put(half.clone()),
    };
    let one = apply(&document("{}"), &put("a")).unwrap();
    assert_eq!(apply(&one, &put("b")), Err(EditError::TooLarge));
}

/// What an operation meets in one configuration, and whether it is still there in another.
fn survives(op: &Op, before: &str, after: &str) -> bool {
    still_there(&document(after), op, &found(&document(before), op))
}

#[test]
fn an_edit_survives_what_happens_elsewhere() {
    let put = op("PUT", "/config/o/x", "9");
    assert!(survives(&put, BASE, BASE));
    assert!(survives(
        &put,
        r#"{"o":{"x":1}}"#,
        r#"{"p":0,"o":{"y":2,"x":1}}"#
    ));
    assert!(!survives(&put, r#"{"o":{"x":1}}"#, r#"{"o":{"x":1.0}}"#));
    assert!(!survives(&put, r#"{"o":{"x":1}}"#, r#"{"o":{}}"#));
    assert!(survives(&put, r#"{"o":{}}"#, r#"{"o":{"y":1}}"#));
    assert!(!survives(&put, r#"{"o":{}}"#, r#"{"o":{"x":1}}"#));
    assert!(
        !survives(&put, r#"{"o":{}}"#, "{}"),
        "the object it was to be created in is gone"
    );
    assert!(!survives(&put, r#"{"o":{}}"#, r#"{"o":1}"#));
    assert!(!survives(
        &op("DELETE", "/config/o", ""),
        r#"{"o":{"x":1}}"#,
        r#"{"o":{"x":1,"y":1}}"#
    ));
    assert!(survives(&op("PUT", "/config", "{}"), BASE, BASE));
    assert!(!survives(&op("PUT", "/config", "{}"), BASE, "{}"));
}

#[test]
fn two_appends_to_one_array_do_not_collide() {
    let append = op("POST", "/config/l", "9");
    assert!(survives(
        &append,
        r#"{"l":[1,{"a":2}]}"#,
        r#"{"l":[1,{"a":2},3]}"#
    ));
    assert!(survives(&append, r#"{"l":[]}"#, r#"{"l":[1]}"#));
    assert!(!survives(&append, r#"{"l":[1,2]}"#, r#"{"l":[2]}"#));
    assert!(!survives(&append, r#"{"l":[1,2]}"#, r#"{"l":[1,3,2]}"#));
    assert!(!survives(&append, r#"{"l":[1]}"#, r#"{"l":{}}"#));
    assert!(
        !survives(
            &op("POST", "/config/l/0", "9"),
            r#"{"l":{"0":[1]}}"#,
            r#"{"l":[[1]]}"#
        ),
        "it is an element now"
    );
    assert!(
        !survives(
            &op("PUT", "/config/l", "[]"),
            r#"{"l":[1]}"#,
            r#"{"l":[1,2]}"#
        ),
        "only an append lets an array grow"
    );
}

#[test]
fn a_change_inside_an_array_touches_all_of_it() {
    let put = op("PUT", "/config/l/0/a", "9");
    assert!(survives(
        &put,
        r#"{"l":[{"a":1},{"a":1}],"m":1}"#,
        r#"{"l":[{"a":1},{"a":1}],"m":2}"#
    ));
    assert!(
        !survives(&put, r#"{"l":[{"a":1},{"a":1}]}"#, r#"{"l":[{"a":1}]}"#),
        "the element is another, though it looks the same"
    );
    assert!(!survives(
        &op("DELETE", "/config/l/0", ""),
        r#"{"l":[1,1]}"#,
        r#"{"l":[1]}"#
    ));
    assert!(!survives(
        &op("POST", "/config/l/0", "1"),
        r#"{"l":[[],[]]}"#,
        r#"{"l":[[]]}"#
    ));
    assert!(
        !survives(
            &op("PUT", "/config/l/1", "2"),
            r#"{"l":[1]}"#,
            r#"{"l":[1,3]}"#
        ),
        "made again it would overwrite"
    );
    assert!(!survives(
        &op("PUT", "/config/l/1", "2"),
        r#"{"l":[1]}"#,
        r#"{"l":{"1":1}}"#
    ));
}

#[test]
fn long_values_are_found_by_hash() {
    let long = format!("{:?}", "x".repeat(SHORT_MAX - 2));
    let longer = format!("{:?}", "x".repeat(SHORT_MAX - 1));
    let find = |method: &str, held: &str| {
        found(
            &document(&format!("{{\"a\":{held}}}")),
            &op(method, "/config/a", "1"),
        )
    };
    assert_eq!(find("PUT", &long), Found::Short(value(&long)));
    assert_eq!(
        find("PUT", &longer),
        Found::Long {
            hash: Sha256::digest(&longer).into()
        }
    );
    let array = format!("[1,{longer}]");
    assert_eq!(
        find("DELETE", &array),
        Found::Array {
            len: 2,
            hash: Sha256::digest(&array).into()
        }
    );
    assert_eq!(find("DELETE", "[1]"), Found::Short(value("[1]")));
    assert_eq!(
        find("POST", "[1]"),
        Found::Array {
            len: 1,
            hash: Sha256::digest("[1]").into()
        }
    );
    let inside = found(
        &document(r#"{"a":[1,{"b":2}]}"#),
        &op("PUT", "/config/a/1/b", "1"),
    );
    assert_eq!(
        inside,
        Found::Inside {
            depth: 2,
            hash: Sha256::digest(r#"[1,{"b":2}]"#).into()
        }
    );
}

#[test]
fn forms_are_read_back() {
    let hash = [0xab; 32];
    for found in [
        Found::Absent,
        Found::Short(Value::Null),
        Found::Long { hash },
        Found::Array {
            len: u64::MAX,
            hash,
        },
        Found::Inside { depth: 2, hash },
    ] {
        assert_eq!(Found::from_json(&found.to_json()), Ok(found));
    }
}

#[test]
fn a_form_that_is_wrong_says_where() {
    let hash = "00".repeat(32);
    for (text, expected) in [
        ("1".to_owned(), BadForm::NotAnObject),
        ("{}".to_owned(), BadForm::Missing("is")),
        (r#"{"is":"gone"}"#.to_owned(), BadForm::Wrong("is")),
        (
            r#"{"is":"absent","value":1}"#.to_owned(),
            BadForm::Unknown("value".to_owned()),
        ),
        (r#"{"is":"short"}"#.to_owned(), BadForm::Missing("value")),
        (
            r#"{"is":"long","hash":"00"}"#.to_owned(),
            BadForm::Wrong("hash"),
        ),
        (
            format!(r#"{{"is":"array","hash":"{hash}"}}"#),
            BadForm::Missing("len"),
        ),
        (
            format!(r#"{{"is":"array","len":1e1,"hash":"{hash}"}}"#),
            BadForm::Wrong("len"),
        ),
        (
            format!(r#"{{"is":"inside","depth":-1,"hash":"{hash}"}}"#),
            BadForm::Wrong("depth"),
        ),
    ] {
        assert_eq!(Found::from_json(&value(&text)), Err(expected), "{text}");
    }
    assert_eq!(BadForm::Missing("len").to_string(), "no member \"len\"");
}
