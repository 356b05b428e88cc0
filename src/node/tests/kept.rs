use super::*;

#[test]
fn what_is_loaded_is_the_head_and_is_not_written_again() {
    let mut lone = Lone::new(false);
    lone.write(1, "one");
    lone.serve(&Outcome::Applied);
    let text = crate::node::store::revision_file::file_text(lone.node.head().unwrap());
    let mut next = Lone::new(false);
    next.node.load(
        crate::node::store::revision_file::from_file(
            &text,
            lone.node.cx.setup.fleet.id().as_bytes(),
        )
        .unwrap(),
    );
    next.now.wall_ms = 0;
    next.deliver(Input::Tick);
    assert_eq!(
        next.node.head().map(|head| head.id()),
        lone.node.head().map(|head| head.id())
    );
    assert!(
        !next
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Disk(DiskJob::Store(..))))
    );
    next.write(2, "two");
    next.serve(&Outcome::Applied);
    let (old, new) = (lone.node.head().unwrap(), next.node.head().unwrap());
    assert!(
        new.record.header.stamp > old.record.header.stamp,
        "a clock that went back moves nothing"
    );
}

#[test]
fn a_file_of_another_fleet_or_with_a_flipped_byte_is_not_a_revision() {
    let mut lone = Lone::new(false);
    lone.write(1, "one");
    lone.serve(&Outcome::Applied);
    let fleet = *lone.node.cx.setup.fleet.id().as_bytes();
    let text = crate::node::store::revision_file::file_text(lone.node.head().unwrap());
    assert!(crate::node::store::revision_file::from_file(&text, &[3; 32]).is_none());
    for at in (0..text.len()).step_by(7) {
        let mut bad = text.clone();
        bad[at] ^= 1;
        assert!(
            crate::node::store::revision_file::from_file(&bad, &fleet).is_none(),
            "byte {at}"
        );
    }
    let head = lone.node.head().expect("it was published").clone();
    assert_eq!(
        crate::node::store::revision_file::document_in(&text, &head.id()).as_ref(),
        Some(&head.document)
    );
    assert_eq!(
        crate::node::store::revision_file::document_in(&text, &head.record.header.base),
        None,
        "another revision's"
    );
}

/// A document was kept five times over, each time with values of thirty times its text, and what it
/// took stayed when it was gone.
#[test]
fn a_large_document_takes_a_few_times_its_text_and_gives_it_back() {
    let mut lone = Lone::new(true);
    let small = lone.node.held_bytes();
    let routes: Vec<String> = (0..8_000)
        .map(|n| format!(r#"{{"match":{{"uri":"/{n}"}},"action":{{"return":200}}}}"#))
        .collect();
    let config = json::parse(format!("[{}]", routes.join(",")).as_bytes()).unwrap();
    let op = Op {
        path: Path::parse("/config/routes").unwrap(),
        change: EditChange::Put(config),
    };
    lone.deliver(Input::Asked(
        1,
        Command::Write(Change {
            op,
            if_match: None,
            note: String::new(),
            settles: Vec::new(),
        })
        .into(),
    ));
    lone.serve(&Outcome::Applied);
    assert!(lone.statuses().contains(&(1, 200)));
    let text = lone.node.head().unwrap().document.bytes().len();
    lone.effects.clear();
    let rest = |lone: &mut Lone| {
        for look in 0..3 {
            lone.now.elapsed += crate::limits::FOLD_AFTER;
            lone.deliver(Input::Tick);
            let asked = lone.effects.iter().filter_map(|effect| {
                if let Effect::Server(ticket, _) = effect {
                    Some(*ticket)
                } else {
                    None
                }
            });
            let asked: Vec<Ticket> = asked.collect();
            lone.effects.clear();
            for ticket in asked {
                // As a server shows it: in memory beside the document.
                let outcome = if look == 0 {
                    shows(&lone.node.head().unwrap().document)
                } else {
                    Outcome::Unchanged
                };
                lone.deliver(Input::Server(ServerReport::new(ticket, outcome)));
            }
        }
        lone.node.held_bytes() - small
    };
    let held = rest(&mut lone);
    assert!(
        text > 300_000 && held < 6 * text,
        "{held} bytes for a document of {text}"
    );
    let shown = lone
        .node
        .head()
        .unwrap()
        .document
        .get(&Path::parse("/config/routes/7999/action").unwrap())
        .cloned();
    assert_eq!(
        shown.map(|shown| json::compact(&shown)).as_deref(),
        Some(r#"{"return":200}"#)
    );
    let held = rest(&mut lone);
    assert!(held < 6 * text, "{held} bytes after somebody looked");
    lone.write(2, "small");
    lone.serve(&Outcome::Applied);
    let held = rest(&mut lone);
    assert!(
        held < text / 2,
        "{held} bytes are left of a document of {text}"
    );
}

#[test]
fn problems_found_at_the_start_are_shown_and_a_distrusted_head_takes_no_changes() {
    let mut lone = Lone::new(false);
    lone.node.report_problem("a file was damaged".into());
    lone.node.distrust();
    assert!(
        !lone.node.is_distrusted(),
        "it knows nobody who could put it right: not for longer than this run"
    );
    lone.linked(1, 2);
    assert!(lone.node.is_distrusted());
    lone.node.forget_pending("default".into(), "000-x".into());
    lone.deliver(Input::Asked(1, HostQuery::Fleet.into()));
    assert!(
        lone.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Disk(DiskJob::Discard(..))))
    );
    let shown = lone.effects.iter().any(|effect| match effect {
        Effect::Answer(1, Answer::Fleet(view)) => view.problems[0] == "a file was damaged",
        _ => false,
    });
    assert!(shown);
    lone.write(2, "x");
    assert_eq!(lone.statuses(), vec![(2, 503)]);
}

#[test]
fn the_name_of_a_file_sorts_by_height() {
    let id = RecordId([1; 32]);
    assert!(revision_name(9, &id) < revision_name(10, &id));
    assert!(revision_name((1 << 48) - 1, &id).len() <= crate::limits::REVISION_NAME_MAX);
}
