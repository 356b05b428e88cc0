use super::*;
use crate::model::json;

fn parsed(text: &str) -> Value {
    json::parse_own(text.as_bytes()).unwrap()
}

const ANSWER: &str = r#"{
  "fleet": {"name": "gulls", "id": "x"},
  "peer": {"id": "12D3KooWaaaaaaaaAAAAAAAA", "name": "gull", "group": "default", "joined": true},
  "group": {"name": "default", "verdict": "applied", "drift": ["/config/routes"], "head":
    {"id": "41d0c3aabbccddee", "height": 12, "author": "12D3KooWbbbbbbbbBBBBBBBB", "author_name": "tern",
     "time": 1763843460000, "note": "PUT /config/routes"}},
  "nodes": [
    {"id": "12D3KooWaaaaaaaaAAAAAAAA", "name": "gull", "group": "default", "desired": "41", "applied": "41", "verdict": "applied", "drift": false, "state": "in step", "age_ms": 5, "linked": false, "self": true},
    {"id": "12D3KooWbbbbbbbbBBBBBBBB", "name": "tern", "group": "default", "desired": "41", "applied": "40", "verdict": "refused", "detail": "no such \u001b[2Jmodule", "state": "refused", "age_ms": 5100, "linked": true},
    {"id": "12D3KooWccccccccCCCCCCCC", "name": "Möwe", "group": "edge", "desired": null, "server": false, "state": "away", "age_ms": 7300000, "problem": "the disk takes no writes"}
  ],
  "links": [{"peer": "12D3KooWddddddddDDDDDDDD", "name": "…DDDDDDDD"}, {"peer": "12D3KooWbbbbbbbbBBBBBBBB", "name": "tern"}],
  "conflicts": [{"id": "77", "author_name": "tern", "author": "12D3KooWBBBBBBBB", "time": 1763843460000, "note": "because",
    "edit": [{"op": "put", "path": "/config/routes", "value": []}]}],
  "problems": ["revision 9 was damaged"]
}"#;

#[test]
fn the_page_shows_head_peers_conflicts_and_problems() {
    let expected = "\
fleet gulls, host gull (AAAAAAAA), group default
head 41d0c3aa, height 12, by tern (BBBBBBBB), 2025-11-22 20:31 UTC: PUT /config/routes
here: applied

NAME       PEER      STATE    RUNS       NEWS     CONTACT    GROUP
gull       AAAAAAAA  in step  41         now      this host  default
Möwe       CCCCCCCC  away     no server  2 h ago  -          edge
tern       BBBBBBBB  refused  40         5 s ago  linked     default
…DDDDDDDD  DDDDDDDD  unknown  -          -        linked     -

conflicts:
  77  put /config/routes = [], by tern (BBBBBBBB), 2025-11-22 20:31 UTC: because

problems:
  revision 9 was damaged

drift:
  /config/routes

problems elsewhere:
  tern (BBBBBBBB): refused: no such \\u{1b}[2Jmodule
  Möwe (CCCCCCCC): the disk takes no writes
";
    assert_eq!(page(&parsed(ANSWER), None), expected);
}

#[test]
fn rows_are_cut_at_the_terminals_width() {
    let page = page(&parsed(ANSWER), Some(40));
    assert!(
        page.lines().all(|line| line.chars().count() <= 40),
        "{page}"
    );
    assert!(
        page.contains("\ntern       BBBBBBBB  refused  40       …\n"),
        "{page}"
    );
}

#[test]
fn whatever_is_missing_or_odd_is_no_panic() {
    let whole = parsed(ANSWER);
    for answer in [
        "{}",
        "[]",
        "null",
        "3",
        r#"{"nodes": [{}, 3, null], "group": {"head": {}}, "conflicts": [[], 1], "problems": 3}"#,
    ] {
        page(&parsed(answer), Some(0));
    }
    let Value::Object(members) = &whole else {
        panic!("an object")
    };
    for missing in members.keys() {
        let mut fewer = members.clone();
        fewer.shift_remove(missing);
        page(&Value::Object(fewer), None);
    }
    assert!(page(&parsed(r#"{"group": {"head": null}}"#), None).contains("no head yet"));
}
