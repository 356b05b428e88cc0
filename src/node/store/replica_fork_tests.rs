use super::*;

/// Two revisions that name so many edits, each in a series of its own, that the ledger is full.
fn aged() -> [Arc<Revision>; 2] {
    let mut all: Vec<Arc<Revision>> = Vec::new();
    for part in 0..2_u64 {
        let named = (1..=200).map(|number| 200 * part + number);
        let name = |ms: u64| {
            let (high, low) = ((ms >> 8) as u8, ms as u8);
            let id = RecordId(std::array::from_fn(|at| if at == 0 { high } else { low }));
            EditRef::odd(Stamp::from_u64(ms << 16).unwrap(), id, 1)
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
        all.push(sign(all.last().map(|last| &**last), 1, 1000 + part, draft));
    }
    all.try_into().expect("two were made")
}

fn branch(base: &Arc<Revision>, who: u8, length: u64, ms: u64) -> Vec<Arc<Revision>> {
    let mut all = vec![Arc::clone(base)];
    (0..length).for_each(|number| all.push(child(all.last(), who, ms + number)));
    all.split_off(1)
}

#[test]
fn what_a_fork_contained_is_known_for_contained_after_another_branch_has_won() {
    let [root, base] = aged();
    let (lost, won) = (branch(&base, 2, 5, 2000), branch(&base, 3, 12, 2001));
    let own = lost.iter().map(|revision| revision.edit_ref());
    let named: Vec<EditRef> = root.settled.iter().copied().chain(own).collect();
    let mut replica = taken([&root, &base].into_iter().chain(&lost));
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
    let [_, base] = aged();
    let early = child(None, 7, 50);
    let uncontained = child(Some(&base), 8, 1500);
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

/// A change by one whose memory was copied: both go on with one number.
fn twin(base: &Arc<Revision>, ms: u64) -> Arc<Revision> {
    let numbered = crate::model::record::Numbered {
        nonce: [5; 8],
        number: 1,
    };
    let author = Author {
        secret: &SecretKey::from_seed(&[2; 32]),
        fleet: [2; 32],
        group: "default",
        stamp: Stamp::from_u64(ms << 16).unwrap(),
        numbered: Some(numbered),
    };
    let draft = Draft {
        edit: Edit {
            origin: Origin::Original,
            operations: Vec::new(),
        },
        document: base.document.clone(),
        opens: BTreeMap::new(),
        settles: Vec::new(),
        flags: 0,
        note: String::new(),
    };
    Arc::new(Revision::author(&author, Some(base), draft).unwrap())
}

#[test]
fn of_two_edits_with_one_number_the_one_that_lost_goes_by_a_place_of_its_own() {
    let base = child(None, 1, 1);
    let (lost, won) = (twin(&base, 10), twin(&base, 11));
    let later = child(Some(&won), 3, 12);
    assert_eq!(lost.edit_ref().place, won.edit_ref().place);
    assert_eq!(
        later.standing(&lost.edit_ref()),
        Standing::In,
        "by its number"
    );
    for order in [
        [&base, &lost, &won, &later],
        [&base, &won, &lost, &later],
        [&base, &won, &later, &lost],
    ] {
        let replica = taken(order);
        let group = replica.group("default").unwrap();
        assert_eq!(group.standing(&won.edit_ref()), Standing::In);
        assert_eq!(group.standing(&lost.edit_ref()), Standing::Out);
        assert!(group.is_odd(&lost.edit_ref()) && !group.is_odd(&won.edit_ref()));
        let uncontained = group.uncontained().map(|held| held.revision.id());
        assert_eq!(Vec::from_iter(uncontained), [lost.id()]);
        // A note lists it by that place, and then it is in for all.
        let listed = group.judged(&lost.edit_ref());
        let noted = sign(
            Some(&later),
            4,
            13,
            Draft {
                edit: Edit {
                    origin: Origin::Note(listed, lost.edit_author()),
                    operations: Vec::new(),
                },
                document: later.document.clone(),
                opens: BTreeMap::from([(listed, lost.as_conflict())]),
                settles: Vec::new(),
                flags: 0,
                note: String::new(),
            },
        );
        let mut replica = taken(order);
        replica.take(noted, Duration::ZERO);
        let group = replica.group("default").unwrap();
        assert_eq!(group.standing(&lost.edit_ref()), Standing::In);
        assert_eq!(group.uncontained().count(), 0);
    }
}
