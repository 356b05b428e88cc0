use super::*;
use crate::limits::DOCUMENT_MAX;
use crate::model::json::{compact, parse};

fn document(config: &str) -> Document {
    Document::from_config(parse(config.as_bytes()).unwrap()).unwrap()
}

fn host(patch: &str) -> Overlay {
    let variables = [
        ("name", "gull"),
        ("address", "192.0.2.7"),
        ("var.root", "/srv/a"),
    ];
    Overlay {
        patch: (!patch.is_empty()).then(|| parse(patch.as_bytes()).unwrap()),
        variables: variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn made(config: &str, patch: &str) -> String {
    host(patch).apply(&document(config)).map_or_else(
        |error| error.to_string(),
        |made| compact(made.document.config()),
    )
}

#[test]
fn a_merge_patch_is_laid_on_top_and_members_keep_their_places() {
    let config =
        r#"{"listeners":{"*:80":{"pass":"routes"}},"routes":[],"settings":{"http":{"a":1}}}"#;
    let patch =
        r#"{"listeners":{"*:80":null,"*:8080":{"pass":"routes"}},"settings":{"http":{"a":2.0}}}"#;
    assert_eq!(
        made(config, patch),
        r#"{"listeners":{"*:8080":{"pass":"routes"}},"routes":[],"settings":{"http":{"a":2.0}}}"#
    );
    let effective = host(patch).apply(&document(config)).unwrap();
    assert_eq!(
        effective.overlaid,
        [
            "/config/listeners/*:80",
            "/config/listeners/*:8080/pass",
            "/config/settings/http/a"
        ]
    );
}

#[test]
fn single_elements_of_an_array_are_addressed_by_their_index_in_the_groups_document() {
    assert_eq!(
        made(
            r#"{"r":["a","b","c"]}"#,
            r#"{"r":{"0":null,"2":"C","-":"d"}}"#
        ),
        r#"{"r":["b","C","d"]}"#
    );
    assert_eq!(
        made(r#"{"r":[{"x":1,"y":2}]}"#, r#"{"r":{"0":{"x":3}}}"#),
        r#"{"r":[{"x":3,"y":2}]}"#
    );
    assert_eq!(
        made(r#"{"r":[1]}"#, r#"{"r":[2,3]}"#),
        r#"{"r":[2,3]}"#,
        "an array replaces, as in the RFC"
    );
    assert_eq!(
        made(r#"{"r":[1]}"#, r#"{"r":{"a":1,"0":2}}"#),
        r#"{"r":{"a":1,"0":2}}"#,
        "names are no indices"
    );
    assert_eq!(
        made(r#"{"r":{"0":1}}"#, r#"{"r":{"0":2}}"#),
        r#"{"r":{"0":2}}"#
    );
    assert_eq!(
        made(r#"{"r":[1]}"#, r#"{"r":{"0":null,"00":null}}"#),
        r#"{"r":[]}"#,
        "one element by two spellings"
    );
    assert_eq!(
        made(r#"{"r":[1]}"#, r#"{"r":{"1":2}}"#),
        "this host's overlay addresses element 1 of /config/r, which has 1"
    );
}

#[test]
fn variables_are_put_into_strings_and_names_and_units_own_stay() {
    let config = r#"{"listeners":{"${starling.address}:80":{"pass":"x"}},"a":"${starling.name}-${starling.var.root}","b":"$host ${host} `${1+1}`"}"#;
    assert_eq!(
        made(config, ""),
        r#"{"listeners":{"192.0.2.7:80":{"pass":"x"}},"a":"gull-/srv/a","b":"$host ${host} `${1+1}`"}"#
    );
    let effective = host("").apply(&document(config)).unwrap();
    let used = |path: &str, name: &str| Used {
        path: path.into(),
        name: name.into(),
    };
    assert_eq!(
        effective.used,
        [
            used("/config/listeners/192.0.2.7:80", "address"),
            used("/config/a", "name"),
            used("/config/a", "var.root")
        ]
    );
    assert_eq!(
        made("{}", r#"{"a":"${starling.name}"}"#),
        r#"{"a":"gull"}"#,
        "those of the overlay too"
    );
}

#[test]
fn what_is_a_hosts_own_is_known_by_its_place_and_by_what_stands_above_and_below() {
    let effective = host(r#"{"b":{"c":1}}"#)
        .apply(&document(r#"{"a":["${starling.name}",1],"b":{},"ab":1}"#))
        .unwrap();
    for own in [
        "/config",
        "/config/a",
        "/config/a/0",
        "/config/a/0/x",
        "/config/b",
        "/config/b/c",
    ] {
        assert!(effective.is_own(own), "{own}");
    }
    for shared in ["/config/a/1", "/config/ab", "/config/b/d"] {
        assert!(!effective.is_own(shared), "{shared}");
    }
}

#[test]
fn a_short_document_cannot_ask_for_more_than_a_document_may_have() {
    let mut host = host("");
    host.variables
        .insert("var.long".into(), "x".repeat(100_000));
    let many = |count: usize| format!("[{}]", vec![r#""${starling.var.long}""#; count].join(","));
    assert!(host.apply(&document(&many(10))).is_ok());
    let error = host
        .apply(&document(&many(100)))
        .expect_err("it would have ten megabytes");
    assert_eq!(error, Unfit::Document(NotADocument::TooLarge));
}

#[test]
fn where_not_all_places_can_be_noted_every_place_may_be_the_hosts_own() {
    let many = format!(
        "[{}]",
        vec![r#""${starling.name}""#; PLACES_MAX + 1].join(",")
    );
    let effective = host("")
        .apply(&document(&format!(r#"{{"a":{many},"b":1}}"#)))
        .unwrap();
    assert!(effective.used.len() == PLACES_MAX && effective.is_own("/config/b"));
    let name = "n".repeat(DOCUMENT_MAX / 8);
    let few = format!(
        r#"{{"{name}":[{}],"b":1}}"#,
        vec![r#""${starling.name}""#; 20].join(",")
    );
    let effective = host("").apply(&document(&few)).unwrap();
    assert!(
        effective.used.len() < 8 && effective.is_own("/config/b"),
        "long names take room too"
    );
}

#[test]
fn a_value_is_not_looked_through_for_variables_again() {
    let mut host = host("");
    host.variables
        .insert("name".into(), "${starling.name}".into());
    let made = host
        .apply(&document(r#"{"a":"${starling.name}"}"#))
        .unwrap();
    assert_eq!(
        compact(made.document.config()),
        r#"{"a":"${starling.name}"}"#
    );
}

#[test]
fn what_does_not_go_together_is_named_with_its_place() {
    assert_eq!(
        made(r#"{"a":["${starling.nope}"]}"#, ""),
        "this host has no value for ${starling.nope} at /config/a/0"
    );
    assert_eq!(
        made(r#"{"a":"${starling.name"}"#, ""),
        "a variable at /config/a has no closing brace"
    );
    assert_eq!(
        made(r#"{"gull":1,"${starling.name}":2}"#, ""),
        "with this host's variables two members are called /config/gull"
    );
}

#[test]
fn a_document_without_either_is_the_same_and_its_certificates_are_never_looked_into() {
    let text = br#"{"config":{"b":1,"a":1.0},"certificates":{"c":"${starling.name}"},"js_modules":{"m":"${starling.nope}"}}"#;
    let document = Document::parse(text).unwrap();
    let effective = host("").apply(&document).unwrap();
    assert_eq!(effective.document, document);
    let effective = host(r#"{"a":2}"#).apply(&document).unwrap();
    assert!(
        effective
            .document
            .text()
            .contains(r#"{"c":"${starling.name}"}"#)
    );
}
