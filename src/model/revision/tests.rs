use super::*;
use crate::codec::hex;
use crate::limits::LEDGER_HEIGHTS;
use crate::model::delta;
use crate::model::edit::apply;
use crate::model::operation::operations;
use crate::model::path::Path;

fn config_op(path: &str, value: &str) -> Op {
    Op {
        path: Path::parse(path).unwrap(),
        change: Change::Put(json::parse(value.as_bytes()).unwrap()),
    }
}

fn sign(base: Option<&Revision>, ms: u64, draft: Draft) -> Revision {
    let secret = SecretKey::from_seed(&[1; 32]);
    let stamp = Stamp::from_u64(ms << 16).unwrap();
    Revision::author(
        &Author {
            secret: &secret,
            fleet: [2; 32],
            group: "default",
            stamp,
            numbered: None,
        },
        base,
        draft,
    )
    .unwrap()
}

fn draft(origin: Origin, operations: Vec<Operation>, document: Document) -> Draft {
    Draft {
        edit: Edit { origin, operations },
        document,
        opens: BTreeMap::new(),
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    }
}

fn change(base: Option<&Revision>, ms: u64, op: &Op) -> Revision {
    let before = base.map_or_else(Document::factory, |base| base.document.clone());
    let after = apply(&before, op).unwrap();
    sign(
        base,
        ms,
        draft(
            Origin::Original,
            operations(&before, std::slice::from_ref(op)),
            after,
        ),
    )
}

fn routes(base: Option<&Revision>, ms: u64) -> Revision {
    change(base, ms, &config_op("/config/routes", &format!("[{ms}]")))
}

fn note(base: &Revision, lost: &Revision, ms: u64) -> Revision {
    let origin = Origin::Note(lost.edit_ref(), lost.edit_author());
    let opens = BTreeMap::from([(lost.edit_ref(), lost.as_conflict())]);
    sign(
        Some(base),
        ms,
        Draft {
            opens,
            ..draft(origin, lost.edit.operations.clone(), base.document.clone())
        },
    )
}

fn settle(base: &Revision, edit: EditRef, ms: u64) -> Revision {
    let op = config_op("/config/applications", "{}");
    let operations = operations(&base.document, &[op]);
    sign(
        Some(base),
        ms,
        Draft {
            settles: vec![edit],
            ..draft(Origin::Original, operations, base.document.clone())
        },
    )
}

fn decode(revision: &Revision, body: &[u8]) -> Result<Revision, BadBody> {
    Revision::decode(revision.record.clone(), body.into())
}

/// The same body with something else in place of `from`.
fn with(revision: &Revision, from: &str, to: &str) -> Result<Revision, BadBody> {
    let body = String::from_utf8(revision.body.to_vec()).unwrap();
    assert!(body.contains(from), "{body}");
    decode(revision, body.replacen(from, to, 1).as_bytes())
}

/// The form cannot change any more: this is a body, byte for byte.
#[test]
fn the_bytes_of_a_body_are_these() {
    let first = change(None, 1, &config_op("/config/routes", "[1]"));
    let head = r#"{"edit":{"kind":"original","ops":[{"op":"put","path":"/config/routes","found":{"is":"short","value":[]}}]},"#;
    let rest = r#""settled":[],"open":[],"floor":0,"ledger":""}"#;
    let document = r#"{"config":{"listeners":{},"routes":[1],"applications":{}},"certificates":{},"js_modules":{}}"#;
    assert_eq!(
        String::from_utf8(first.body.to_vec()).unwrap(),
        format!("{head}{rest}\n{document}")
    );
    let second = routes(Some(&first), 2);
    let body = String::from_utf8(second.body.to_vec()).unwrap();
    let ledger = r#""ledger":"BGXDvQJz0coZj2XyIAA"}"#;
    assert!(body.lines().next().unwrap().ends_with(ledger), "{body}");
    assert_eq!(hex(&first.record.header.body_hash), GOLDEN_HASH);
}

#[test]
fn revisions_of_every_kind_survive_their_bytes() {
    let first = routes(None, 1);
    let (won, lost) = (routes(Some(&first), 3), routes(Some(&first), 2));
    let noted = note(&won, &lost, 4);
    let settled = settle(&noted, lost.edit_ref(), 5);
    let replay = Origin::Replay(lost.edit_ref(), lost.edit_author());
    let replayed = sign(
        Some(&won),
        6,
        draft(replay, lost.edit.operations.clone(), lost.document.clone()),
    );
    for revision in [first, won, lost, noted, settled, replayed] {
        let back = decode(&revision, &revision.body).unwrap();
        assert_eq!(
            (&back.edit, &back.open, &back.settled),
            (&revision.edit, &revision.open, &revision.settled)
        );
        assert_eq!(
            (&back.ledger, &back.document),
            (&revision.ledger, &revision.document)
        );
        assert_eq!(
            (back.edit_ref(), back.edit_author(), back.rank()),
            (revision.edit_ref(), revision.edit_author(), revision.rank())
        );
    }
}

#[test]
fn a_revision_contains_its_own_edit_and_those_of_all_it_was_made_on() {
    let first = routes(None, 1);
    let second = routes(Some(&first), 2);
    let other = routes(Some(&first), 3);
    assert_eq!(second.standing(&first.edit_ref()), Standing::In);
    assert_eq!(second.standing(&second.edit_ref()), Standing::In);
    assert_eq!(second.standing(&other.edit_ref()), Standing::Out);
    assert_eq!(first.standing(&second.edit_ref()), Standing::Out);
}

#[test]
fn a_note_opens_a_conflict_and_settling_removes_it_for_good() {
    let first = routes(None, 1);
    let (won, lost) = (routes(Some(&first), 3), routes(Some(&first), 2));
    let noted = note(&won, &lost, 4);
    assert_eq!(noted.document, won.document, "a note changes nothing");
    assert_eq!(noted.edit_ref(), lost.edit_ref());
    assert_eq!(noted.open[&lost.edit_ref()], lost.as_conflict());
    assert_eq!(noted.standing(&lost.edit_ref()), Standing::In);
    let later = routes(Some(&noted), 5);
    assert_eq!(
        later.open, noted.open,
        "it is handed on until somebody settles it"
    );
    let settled = settle(&later, lost.edit_ref(), 6);
    assert!(settled.open.is_empty());
    assert_eq!(
        routes(Some(&settled), 7).standing(&lost.edit_ref()),
        Standing::In,
        "and does not come back"
    );
}

#[test]
fn a_replay_contains_its_edit_and_takes_it_off_the_open_conflicts() {
    let first = routes(None, 1);
    let (won, lost) = (routes(Some(&first), 3), routes(Some(&first), 2));
    let noted = note(&won, &lost, 4);
    let origin = Origin::Replay(lost.edit_ref(), lost.edit_author());
    let replayed = sign(
        Some(&noted),
        5,
        draft(origin, lost.edit.operations.clone(), lost.document.clone()),
    );
    assert!(replayed.open.is_empty());
    assert_eq!(replayed.standing(&lost.edit_ref()), Standing::In);
    assert_eq!(replayed.edit_ref(), lost.edit_ref());
}

#[test]
fn a_note_that_is_beaten_itself_passes_on_what_it_listed() {
    let first = routes(None, 1);
    let (won, lost) = (routes(Some(&first), 3), routes(Some(&first), 2));
    let noted = note(&won, &lost, 4);
    assert_eq!(noted.as_conflict(), lost.as_conflict());
    assert_eq!(
        noted.as_conflict().operations[0].1,
        super::super::conflict::WantedValue::Value(json::parse(b"[2]").unwrap())
    );
}

#[test]
fn the_ledger_of_a_long_branch_without_numbers_keeps_256_edits_and_a_floor() {
    let mut all = vec![routes(None, 1)];
    (2..=LEDGER_HEIGHTS + 10).for_each(|ms| all.push(routes(all.last(), ms)));
    let last = all.last().unwrap();
    let back = decode(last, &last.body).unwrap();
    assert_eq!(back.ledger, last.ledger);
    assert_eq!(last.ledger.series() as u64, LEDGER_HEIGHTS);
    assert_eq!(last.standing(&all[0].edit_ref()), Standing::Unknown);
    assert_eq!(last.standing(&all[11].edit_ref()), Standing::In);
}

#[test]
fn the_ledger_of_many_series_grows_by_a_short_delta() {
    let minute = 60_000;
    let mut last = routes(None, minute);
    let mut before = None;
    for number in 2..=LEDGER_HEIGHTS + 10 {
        before = Some(last);
        last = routes(before.as_ref(), number * minute);
    }
    let before = before.unwrap();
    assert!(last.body.len() < 6_000, "{} bytes", last.body.len());
    let delta = delta::between(&before.body, &last.body);
    assert!(delta.len() < 500, "{} bytes", delta.len());
    assert_eq!(
        delta::apply(&before.body, &delta, last.body.len()).unwrap(),
        *last.body
    );
    // Edits that come in between belong to the middle.
    let lost = routes(None, 100 * minute + 1);
    let noted = note(&last, &lost, 300 * minute);
    let delta = delta::between(&last.body, &noted.body);
    assert!(delta.len() < 1000, "{} bytes", delta.len());
    assert_eq!(
        delta::apply(&last.body, &delta, noted.body.len()).unwrap(),
        *noted.body
    );
    assert_eq!(decode(&noted, &noted.body).unwrap().ledger, noted.ledger);
}

#[test]
fn members_of_a_later_version_are_left_alone() {
    let revision = note(&routes(None, 1), &routes(None, 2), 3);
    for (from, to) in [
        ("{\"edit\":", "{\"later\":[1],\"edit\":"),
        ("{\"kind\":", "{\"later\":{},\"kind\":"),
        ("{\"op\":", "{\"later\":0,\"op\":"),
    ] {
        let back = with(&revision, from, to).unwrap();
        assert_eq!(
            (back.edit, back.open),
            (revision.edit.clone(), revision.open.clone())
        );
    }
}

#[test]
fn each_member_that_is_missing_or_wrong_is_named() {
    let revision = note(&routes(None, 1), &routes(None, 2), 3);
    let bad = |from: &str, to: &str| with(&revision, from, to).unwrap_err();
    for name in ["edit", "settled", "open", "floor", "ledger"] {
        assert_eq!(
            bad(&format!("\"{name}\":"), &format!("\"no-{name}\":")),
            BadBody::Member(name),
            "missing"
        );
    }
    assert_eq!(bad("\"ops\":", "\"no-ops\":"), BadBody::Member("ops"));
    assert_eq!(
        bad("\"kind\":\"note\"", "\"kind\":\"joke\""),
        BadBody::Member("edit")
    );
    assert_eq!(
        bad("\"kind\":\"note\"", "\"kind\":\"original\""),
        BadBody::Member("edit"),
        "an original has no other's name"
    );
    assert_eq!(bad("\"of\":\"0", "\"of\":\"x"), BadBody::Member("edit"));
    assert_eq!(
        bad("\"op\":\"put\"", "\"op\":\"patch\""),
        BadBody::Member("ops")
    );
    assert_eq!(
        bad("\"settled\":[]", "\"settled\":[1]"),
        BadBody::Member("settled")
    );
    assert_eq!(bad("\"open\":[{", "\"open\":[1,{"), BadBody::Member("open"));
    for floor in ["-1", "1.5", "\"0\"", "281474976710656"] {
        assert_eq!(
            bad("\"floor\":0", &format!("\"floor\":{floor}")),
            BadBody::Member("floor")
        );
    }
    assert_eq!(
        bad("\"floor\":0", "\"floor\":2"),
        BadBody::Member("heights"),
        "as high as the revision itself"
    );
    assert_eq!(
        bad("\"floor\":0", "\"floor\":1"),
        BadBody::Member("heights"),
        "what was changed last is above it by as much"
    );
    assert_eq!(
        bad("\"ledger\":\"", "\"ledger\":\"="),
        BadBody::Member("ledger")
    );
    assert_eq!(
        decode(&revision, b"{}").unwrap_err(),
        BadBody::Member("line end")
    );
    assert!(matches!(
        decode(&revision, b"{\n{}").unwrap_err(),
        BadBody::Head(_)
    ));
    assert!(matches!(
        bad("\"certificates\":", "\"diplomas\":"),
        BadBody::Document(_)
    ));
    assert_eq!(
        bad("\"floor\":", "\"loor\":").to_string(),
        "bad floor in a revision"
    );
}

#[test]
fn an_operation_is_read_where_an_edit_can_have_one_and_no_certificate_in_clear() {
    let read = |op: &str, path: &str, found: &str| {
        let text = format!(r#"{{"op":"{op}","path":"{path}","found":{found}}}"#);
        Operation::from_json(&json::parse_own(text.as_bytes()).unwrap()).is_some()
    };
    let (absent, short) = (r#"{"is":"absent"}"#, r#"{"is":"short","value":"x"}"#);
    assert!(
        read("put", "/certificates/a", absent) && read("delete", "/js_modules/sp%20ace", short)
    );
    assert!(!read("append", "/certificates/a", absent) && !read("append", "/js_modules/a", absent));
    for path in [
        "/certificates",
        "/certificates/a/b",
        "/certificates/a%2Fb",
        "/js_modules/%2E%2E",
        "/status/a",
        "/",
    ] {
        assert!(!read("put", path, absent), "{path}");
    }
    assert!(!read("put", "/certificates/a", short) && read("put", "/js_modules/a", short));
}

#[test]
fn a_delta_leads_to_the_next_revision_and_is_short_though_the_document_is_long() {
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(200_000));
    let mut base = change(None, 1, &config_op("/config/applications", &long));
    (2..300).for_each(|ms| {
        base = settle(
            &base,
            EditRef::odd(Stamp::default(), RecordId([3; 32]), 1),
            ms,
        )
    });
    let next = routes(Some(&base), 400);
    let delta = delta::between(&base.body, &next.body);
    assert!(delta.len() < 700, "{} bytes", delta.len());
    assert_eq!(
        delta::apply(&base.body, &delta, next.body.len()).unwrap(),
        *next.body
    );
    let noted = note(&next, &routes(Some(&base), 399), 401);
    let delta = delta::between(&next.body, &noted.body);
    assert!(delta.len() < 1_500, "{} bytes", delta.len());
    assert_eq!(
        delta::apply(&next.body, &delta, noted.body.len()).unwrap(),
        *noted.body
    );
}

const GOLDEN_HASH: &str = "5b6b2bb327f48cf59665dffd9660f0a1328fa42f11cfafeee87bc25973f0b768";

/// The text of a document stands in the body; its value, many times as large, is made when somebody
/// looks.
#[test]
fn a_revision_that_came_holds_its_body_and_no_values() {
    let base = sign(
        None,
        5,
        draft(Origin::Original, Vec::new(), Document::factory()),
    );
    let back = Revision::decode(base.record.clone(), Arc::clone(&base.body)).unwrap();
    let inside = back.body.as_ptr_range();
    assert!(
        inside.contains(&back.document.bytes().as_ptr()),
        "the text is there twice"
    );
    assert!(
        !back.document.is_unfolded(),
        "its values were made for nobody"
    );
    assert!(back.document.config().is_object() && back.document.is_unfolded());
    assert!(!back.folded().document.is_unfolded());
}

/// Nobody who only passes a revision on makes its values, so its form must be plain from the text.
#[test]
fn a_document_that_is_not_compact_makes_no_revision() {
    let sound = sign(
        None,
        5,
        draft(Origin::Original, Vec::new(), Document::factory()),
    );
    assert!(with(&sound, "\n{", "\n{").is_ok());
    assert!(matches!(
        with(&sound, "\n{", "\n {"),
        Err(BadBody::Document(_))
    ));
}

/// What is known of each old revision is in memory, on every host.
#[test]
fn an_edit_with_a_great_deal_of_paths_makes_no_revision() {
    let path = |number: usize| config_op(&format!("/config/{number}{}", "/x".repeat(1_000)), "1");
    let operations = |count: usize| {
        operations(
            &Document::factory(),
            &(0..count).map(path).collect::<Vec<_>>(),
        )
    };
    let of = |count| {
        let secret = SecretKey::from_seed(&[1; 32]);
        let author = Author {
            secret: &secret,
            fleet: [2; 32],
            group: "default",
            stamp: Stamp::from_u64(9 << 16).unwrap(),
            numbered: None,
        };
        Revision::author(
            &author,
            None,
            draft(Origin::Original, operations(count), Document::factory()),
        )
    };
    assert!(of(30).is_some() && of(40).is_none());
}
