use super::*;
use crate::model::document::Document;
use crate::model::json;

fn document(config: &str, certificates: &str, modules: &str) -> Value {
    let text =
        format!(r#"{{"config":{config},"certificates":{certificates},"js_modules":{modules}}}"#);
    Document::parse(text.as_bytes()).unwrap().value().clone()
}

fn lacks(document: &Value) -> Vec<String> {
    missing(document)
        .into_iter()
        .map(|named| format!("{} {}", named.kind, named.name))
        .collect()
}

#[test]
fn names_are_found_as_strings_and_in_arrays_and_nowhere_else() {
    let config = r#"{
        "listeners": {
            "*:1": {"pass": "routes", "tls": {"certificate": "a"}},
            "*:2": {"tls": {"certificate": ["b", "a", 7]}},
            "*:3": {"tls": {}}, "*:4": 1
        },
        "routes": [{"tls": {"certificate": "no"}}],
        "settings": {"js_module": ["m", "n"], "http": {"js_module": "no"}}
    }"#;
    let config = json::parse(config.as_bytes()).unwrap();
    assert_eq!(
        certificates(&config).into_iter().collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(
        js_modules(&config).into_iter().collect::<Vec<_>>(),
        ["m", "n"]
    );
    for odd in [
        "[]",
        "1",
        r#"{"listeners":[]}"#,
        r#"{"settings":1}"#,
        r#"{"settings":{"js_module":{"m":1}}}"#,
    ] {
        let odd = json::parse(odd.as_bytes()).unwrap();
        assert!(certificates(&odd).is_empty() && js_modules(&odd).is_empty());
    }
}

#[test]
fn what_is_named_and_not_held_is_missing_and_a_name_of_variables_is_not_judged() {
    let config = r#"{"listeners":{"*:1":{"tls":{"certificate":["a","b","${peer}-c"]}}},"settings":{"js_module":"m"}}"#;
    assert_eq!(
        lacks(&document(config, "{}", "{}")),
        ["Certificate a", "Certificate b", "JS module m"]
    );
    assert_eq!(
        lacks(&document(config, r#"{"b":"x","m":"x"}"#, "{}")),
        ["Certificate a", "JS module m"]
    );
    let before = document(config, r#"{"b":"x"}"#, "{}");
    assert!(
        newly_missing(&before, &before).is_empty(),
        "what was missing before does not count"
    );
    let after = document(config, "{}", r#"{"m":""}"#);
    assert_eq!(
        newly_missing(&before, &after),
        [Named {
            kind: ResourceKind::Certificate,
            name: "b".into()
        }]
        .into()
    );
}

#[test]
fn of_several_the_first_in_the_configuration_is_named_with_its_place() {
    let first = |config: &str| {
        let document = document(config, r#"{"a":"x"}"#, r#"{"m":"x"}"#);
        first_refused(&missing(&document), &document["config"])
            .map(|(named, place)| format!("{} {} {place}", named.kind, named.name))
    };
    let listeners = r#""listeners":{"*:1":{"tls":{"certificate":"a"}},"unix:/x~":{"tls":{"certificate":["a","z","b"]}}}"#;
    let settings = r#""settings":{"js_module":["m","n"]}"#;
    let certificate = Some("Certificate z /listeners/unix:~1x~0/tls/certificate/1".to_owned());
    assert_eq!(first(&format!("{{{listeners},{settings}}}")), certificate);
    assert_eq!(
        first(&format!("{{{settings},{listeners}}}")),
        Some("JS module n /settings/js_module/1".to_owned())
    );
    assert_eq!(
        first(r#"{"settings":{"js_module":"n"}}"#),
        Some("JS module n /settings/js_module".to_owned())
    );
    assert_eq!(first("{}"), None);
}

#[test]
fn a_path_names_one_of_them_if_it_is_just_that_long() {
    let path = |text: &str| Path::parse(text).unwrap();
    assert_eq!(
        resource_at(&path("/certificates/a")),
        Some((ResourceKind::Certificate, "a"))
    );
    assert_eq!(
        resource_at(&path("/js_modules/sp%20ace.js/")),
        Some((ResourceKind::JsModule, "sp ace.js"))
    );
    assert_eq!(
        resource_at(&path("/certificates/x%252Fy")),
        Some((ResourceKind::Certificate, "x%2Fy"))
    );
    for other in [
        "/",
        "/certificates",
        "/certificates/a/chain",
        "/certificates/a%2Fb",
        "/config/a",
        "/js_modules/%2E%2E",
    ] {
        assert_eq!(resource_at(&path(other)), None, "{other}");
    }
    assert!(
        is_resource_name(&"n".repeat(RESOURCE_NAME_MAX))
            && !is_resource_name(&"n".repeat(RESOURCE_NAME_MAX + 1))
    );
    assert_eq!(
        ResourceKind::JsModule
            .path("p%q")
            .map(|path| path.to_string())
            .as_deref(),
        Some("/js_modules/p%25q")
    );
    assert_eq!(ResourceKind::Certificate.path("a/b"), None);
}

#[test]
fn a_bundle_is_shown_by_its_fingerprint_alone_from_wherever_one_looks() {
    let document = document(r#"{"a":"secret"}"#, r#"{"c":"key"}"#, r#"{"m":"source"}"#);
    let shown_at = |path: &str| {
        let path = Path::parse(path).unwrap();
        json::compact(&showable(
            &path,
            path.tokens()
                .iter()
                .fold(&document, |value, token| &value[token]),
        ))
    };
    let print = "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
    assert_eq!(redacted("key"), print);
    assert_eq!(
        (redacted(print), is_fingerprint_text(print)),
        (print.to_owned(), true),
        "what stands for it is shown as it"
    );
    assert!(
        [
            "key",
            "sha256:",
            &print[1..],
            &print[..70],
            &print.to_uppercase()
        ]
        .iter()
        .all(|other| !is_fingerprint_text(other))
    );
    assert_eq!(shown_at("/certificates/c"), format!("\"{print}\""));
    assert_eq!(shown_at("/certificates"), format!(r#"{{"c":"{print}"}}"#));
    assert_eq!(
        shown_at("/"),
        json::compact(&document).replace("key", print)
    );
    assert_eq!(shown_at("/config"), r#"{"a":"secret"}"#);
    assert_eq!(shown_at("/js_modules/m"), r#""source""#);
    let path = |text: &str| Path::parse(text).unwrap();
    assert!(
        is_secret(&path("/certificates/c"))
            && is_secret(&path("/certificates/c/d"))
            && !is_secret(&path("/config/c"))
    );
}
