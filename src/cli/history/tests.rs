use super::*;

fn parsed(text: &str) -> Value {
    json::parse_own(text.as_bytes()).unwrap()
}

const REVISIONS: &str = r#"[
  {"id": "aaaaaaaaaaaa", "height": 4, "author": "12D3KooWAAAAAAAA", "author_name": "gull", "time": 1763843460000, "note": "keep of 77",
   "size": 1204, "kind": "original", "edit": [], "settled": ["77aabbccddee"]},
  {"id": "bbbbbbbbbbbb", "height": 3, "author": "12D3KooWAAAAAAAA", "author_name": "gull", "time": 1763843460000, "note": "",
   "size": 1204, "kind": "note", "edit_id": "77aabbccddee", "edit_author": "12D3KooWBBBBBBBB", "edit_author_name": "tern", "edit": [{"op": "delete", "path": "/config/x"}]},
  {"id": "cccccccccccc", "height": 2, "author": "12D3KooWAAAAAAAA", "author_name": "gull", "time": 1763843460000, "note": "more \u001b[2J",
   "size": 99, "kind": "replay", "beaten": true, "edit_id": "88", "edit_author": "12D3KooWBBBBBBBB", "edit_author_name": "tern",
   "edit": [{"op": "put", "path": "/config/a", "found": {"is": "absent"}}, {"op": "put", "path": "/config/b", "found": {"is": "short"}},
            {"op": "append", "path": "/config/c", "found": {"is": "array"}}, {"op": "delete", "path": "/config/d"},
            {"op": "delete", "path": "/config/e"}, {"op": "delete", "path": "/config/f"}]}
]"#;

#[test]
fn the_log_says_who_changed_what_and_names_the_edits_own_author() {
    let expected = "\
REVISION  AUTHOR           TIME                  BYTES  CHANGE
aaaaaaaa  gull (AAAAAAAA)  2025-11-22 20:31 UTC  1204   settled 77aabbcc: keep of 77
bbbbbbbb  gull (AAAAAAAA)  2025-11-22 20:31 UTC  1204   listed 77aabbcc by tern (BBBBBBBB) as conflict: removed /config/x
cccccccc  tern (BBBBBBBB)  2025-11-22 20:31 UTC  99     added /config/a, replaced /config/b, added to /config/c, removed /config/d, and 2 more, replayed by gull (AAAAAAAA) (beaten): more \\u{1b}[2J
";
    assert_eq!(log_page(&parsed(REVISIONS)), expected);
    assert_eq!(log_page(&parsed("[]")), "nothing was ever changed\n");
}

#[test]
fn a_revision_is_shown_with_its_document() {
    let mut revision = parsed(REVISIONS)[2].clone();
    let members = revision.as_object_mut().unwrap();
    members.insert("untried".into(), true.into());
    members.insert(
        "document".into(),
        parsed("{\"config\": {\"a\": \"\u{9b}2J\"}}"),
    );
    let expected = "\
revision  cccccccccccc
base      -
height    2
author    tern (BBBBBBBB)
time      2025-11-22 20:31 UTC
note      more \\u{1b}[2J
bytes     99
marks     untried
change    added /config/a, replaced /config/b, added to /config/c, removed /config/d, and 2 more, replayed by gull (AAAAAAAA) (beaten)

{
    \"config\": {
        \"a\": \"\\u{9b}2J\"
    }
}
";
    assert_eq!(show_page(&revision), expected);
}

#[test]
fn a_difference_shows_old_and_new_values() {
    let answer = r#"{"from": {"id": "aaaaaaaaaaaa", "author_name": "gull", "time": 0}, "to": {"id": "bbbbbbbbbbbb", "author_name": "tern", "time": 0},
      "changes": [{"what": "replaced", "path": "/config/a", "old": "1", "new": {"b": [1, 2]}}, {"what": "removed", "path": "/config/c", "old_len": 9000000}]}"#;
    let expected = "\
from  aaaaaaaa by gull, 1970-01-01 00:00 UTC
to    bbbbbbbb by tern, 1970-01-01 00:00 UTC

replaced /config/a
  - \"1\"
  + {\"b\":[1,2]}

removed /config/c
  - 9000000 bytes, too long to be shown
";
    assert_eq!(diff_page(&parsed(answer)), expected);
    assert!(
        diff_page(&parsed(r#"{"from": null, "changes": []}"#))
            .contains("from  nothing: the first revision of all\n")
    );
    assert!(diff_page(&parsed("{}")).ends_with("\nno difference\n"));
}

#[test]
fn blame_says_how_far_it_has_seen() {
    let blame = |reach: &str| {
        let mut answer = parsed(r#"{"path": "/config/a", "value": 1}"#);
        answer["reach"] = reach.into();
        answer["revision"] = parsed(REVISIONS)[0].clone();
        blame_page(&answer)
    };
    let set = "/config/a = 1\nsince aaaaaaaa by gull (AAAAAAAA), 2025-11-22 20:31 UTC: keep of 77\n  settled 77aabbcc\n";
    assert_eq!(blame("set"), set);
    assert_eq!(blame("kept"), format!("{set}it is older than that\n"));
    assert!(
        blame("first").contains("the first revision of all")
            && blame("read").contains("not read at once")
    );
}

#[test]
fn whatever_is_missing_or_odd_is_no_panic() {
    for odd in [
        "{}",
        "[]",
        "null",
        "3",
        r#"[{}, 3, null, {"edit": [1, {}], "settled": [[], 3]}]"#,
        r#"{"edit": 3, "changes": [1, {}]}"#,
    ] {
        let odd = parsed(odd);
        [
            log_page(&odd),
            show_page(&odd),
            diff_page(&odd),
            blame_page(&odd),
        ]
        .iter()
        .for_each(|page| assert!(!page.is_empty()));
    }
}
