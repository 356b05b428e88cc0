use super::*;

/// A revision with so many edits behind it that its ledger is full; only their names are left.
fn aged() -> Arc<Revision> {
    let mut last: Option<Arc<Revision>> = None;
    for part in 0..2_u64 {
        let named = (1..=200).map(|number| 200 * part + number);
        let name = |ms: u64| EditRef {
            stamp: Stamp::from_u64(ms << 16).unwrap(),
            id: RecordId([ms as u8; 32]),
        };
        let settles = named.map(name).collect();
        let edit = Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        };
        let draft = Draft {
            edit,
            document: Document::factory(),
            opens: BTreeMap::new(),
            settles,
            flags: 0,
            note: String::new(),
        };
        last = Some(sign(last.as_deref(), 1, 1000 + part, draft));
    }
    last.expect("two were made")
}

fn branch(base: &Arc<Revision>, who: u8, length: u64, ms: u64) -> Vec<Arc<Revision>> {
    let mut all = vec![Arc::clone(base)];
    (0..length).for_each(|number| all.push(child(all.last(), who, ms + number)));
    all.split_off(1)
}

#[test]
fn what_a_fork_contained_is_known_for_contained_after_another_branch_has_won() {
    let base = aged();
    let (lost, won) = (branch(&base, 2, 5, 2000), branch(&base, 3, 12, 2001));
    let named: Vec<EditRef> = lost.last().unwrap().ledger.entries().copied().collect();
    let mut replica = taken([&base].into_iter().chain(&lost));
    won.iter()
        .for_each(|revision| drop(replica.take(Arc::clone(revision), Duration::ZERO)));
    let group = replica.group("default").unwrap();
    assert_eq!(group.head().unwrap().id(), won.last().unwrap().id());
    let unknown = |edit: &&EditRef| group.head().unwrap().standing(edit) == Standing::Unknown;
    assert!(
        named.iter().filter(unknown).count() > 5,
        "the winner's ledger does not reach so far back"
    );
    let out: BTreeSet<EditRef> = named
        .iter()
        .filter(|edit| group.standing(edit) != Standing::In)
        .copied()
        .collect();
    assert_eq!(
        out,
        lost.iter().map(|revision| revision.edit_ref()).collect()
    );
    assert!(group.unsure().is_empty());
}

/// A note may list several edits, some of them too old for any ledger. If its branch loses, none of
/// them is contained any more.
#[test]
fn what_only_the_branch_that_lost_had_listed_is_not_taken_for_contained() {
    let base = aged();
    let early = child(None, 7, 50);
    let uncontained = child(None, 8, 1500);
    let edit = Edit {
        origin: Origin::Note(uncontained.edit_ref(), uncontained.edit_author()),
        operations: Vec::new(),
    };
    let opens = [&uncontained, &early]
        .into_iter()
        .map(|lost| (lost.edit_ref(), lost.as_conflict()))
        .collect();
    let draft = Draft {
        edit,
        document: base.document.clone(),
        opens,
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    };
    let noted = sign(Some(&base), 2, 2000, draft);
    assert_eq!(noted.standing(&early.edit_ref()), Standing::In);
    let won = branch(&base, 3, 3, 3000);
    let replica = taken(
        [&base, &early, &uncontained, &noted]
            .into_iter()
            .chain(&won),
    );
    let group = replica.group("default").unwrap();
    assert_eq!(group.standing(&uncontained.edit_ref()), Standing::Out);
    assert_eq!(group.standing(&early.edit_ref()), Standing::Unknown);
    assert!(
        group.unsure().contains(&early.edit_ref()),
        "and peers are asked"
    );
}

#[test]
fn what_an_uncontained_revision_was_made_on_is_asked_about_without_the_fork() {
    let base = aged();
    let line = branch(&base, 2, 12, 2000);
    let side = child(Some(&base), 3, 3000);
    let mut newcomer = taken(&line[11..]);
    assert!(newcomer.group("default").unwrap().unsure().is_empty());
    newcomer.take(Arc::clone(&side), Duration::ZERO);
    let group = newcomer.group("default").unwrap();
    assert_eq!(group.standing(&side.edit_ref()), Standing::Out);
    let unsure = group.unsure();
    assert_eq!(
        unsure.len(),
        11,
        "the names that its ledger has and the head's has not any more"
    );
    newcomer.group_mut("default").unwrap().learn(&unsure, &[]);
    assert!(newcomer.group("default").unwrap().unsure().is_empty());
}
