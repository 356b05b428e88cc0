use std::collections::BTreeSet;

use super::*;
use crate::limits::HEIGHT_LIMIT;
use crate::model::record::RecordId;
use crate::model::stamp::Stamp;

fn place(name: u16, number: u64) -> Place {
    let mut series = Series::default();
    series.0[..2].copy_from_slice(&name.to_be_bytes());
    Place { series, number }
}

fn edit(place: Place, height: u64) -> EditRef {
    EditRef {
        stamp: Stamp::at(height),
        id: RecordId([height as u8; 32]),
        height,
        place,
    }
}

/// The ledger of the last of so many revisions, each the first of a series of its own.
fn strangers(count: u64) -> Ledger {
    (1..=count).fold(Ledger::default(), |ledger, height| {
        ledger.with(height, [place(height as u16, 1)])
    })
}

#[test]
fn few_series_are_kept_however_long_ago_they_were_changed() {
    let first = (0..LEDGER_SERIES as u16).map(|name| place(name, 1));
    let ledger = Ledger::default().with(1, first.clone());
    let later = ledger.with(1_000_000, [place(0, 2)]);
    assert_eq!((later.floor(), later.series()), (0, LEDGER_SERIES));
    assert!(first.into_iter().all(|place| later.has(&place)));
    let one_more = later.with(1_000_001, [place(999, 1)]);
    assert_eq!(
        (one_more.floor(), one_more.series()),
        (1, LEDGER_SERIES),
        "one of those that were changed at height 1 is gone"
    );
}

#[test]
fn an_edit_is_in_out_or_too_old_to_say() {
    let count = LEDGER_HEIGHTS + LEDGER_SERIES as u64 + 40;
    let ledger = strangers(count);
    let floor = ledger.floor();
    assert_eq!(floor, count - LEDGER_SERIES_MAX as u64);
    for height in 1..=count {
        let expected = if height > floor {
            Standing::In
        } else {
            Standing::Unknown
        };
        assert_eq!(
            ledger.standing(&edit(place(height as u16, 1), height)),
            expected
        );
    }
    assert_eq!(
        ledger.standing(&edit(place(9999, 1), floor)),
        Standing::Unknown
    );
    assert_eq!(
        ledger.standing(&edit(place(9999, 1), floor + 1)),
        Standing::Out
    );
    assert_eq!(
        Ledger::default().standing(&edit(place(1, 1), 1)),
        Standing::Out
    );
}

#[test]
fn what_a_revision_adds_itself_never_drops_out_of_its_ledger() {
    let many = || (0..600).map(|name| place(name, 1));
    let ledger = strangers(300).with(301, many());
    assert!(many().all(|place| ledger.has(&place)));
    assert!(ledger.floor() < 301 && ledger.text().len() <= crate::limits::LEDGER_TEXT_MAX);
    let next = ledger.with(302, [place(700, 1)]);
    assert_eq!((next.series(), next.floor()), (LEDGER_SERIES_MAX, 301));
    assert_eq!(Ledger::from_text(next.floor(), &next.text()), Some(next));
}

/// Whatever is put in, in whatever order: nothing is taken for out that is in, for in that is not,
/// and each ledger survives its text.
#[test]
fn a_ledger_is_right_about_all_that_it_says() {
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % bound
    };
    for names in [2, 20, 60, 400] {
        let (mut ledger, mut all) = (Ledger::default(), BTreeSet::new());
        for height in 1..900 {
            let (floor, before) = (ledger.floor(), ledger.clone());
            let added: Vec<Place> = (0..=below(3))
                .map(|_| place(below(names) as u16, below(1 + height / 4) + 1))
                .collect();
            ledger = ledger.with(height, added.iter().copied());
            all.extend(added.iter().map(|place| (*place, height)));
            assert!(floor <= ledger.floor() && ledger.floor() < height);
            assert!(added.iter().all(|place| ledger.has(place)));
            let beyond: BTreeSet<Place> = ledger.beyond(&before).map(|(place, _)| place).collect();
            let new = added.iter().filter(|place| !before.has(place)).copied();
            assert!(new.collect::<BTreeSet<_>>().is_subset(&beyond));
            for (place, height) in &all {
                // The edit was made at that height at the latest.
                assert_ne!(ledger.standing(&edit(*place, *height)), Standing::Out);
            }
            assert_eq!(
                ledger.standing(&edit(place(9999, 1), height)),
                Standing::Out
            );
            assert_eq!(
                Ledger::from_text(ledger.floor(), &ledger.text()).as_ref(),
                Some(&ledger)
            );
        }
        assert!(names > LEDGER_SERIES as u64 || names == 20 || ledger.floor() == 0);
    }
}

#[test]
fn three_authors_take_80_bytes_and_thirty_take_800() {
    for (authors, most) in [(1, 30), (3, 80), (30, 800)] {
        let ledger = (1..2000).fold(Ledger::default(), |ledger, height| {
            ledger.with(
                height,
                [place((height % authors) as u16, height / authors + 1)],
            )
        });
        let length = ledger.text().len();
        assert!(length <= most, "{authors} authors take {length} bytes");
    }
}

#[test]
fn the_extent_of_a_series_is_its_greatest_number_and_its_runs() {
    let ledger = Ledger::default().with(1, [place(1, 1), place(1, 2), place(1, 7)]);
    assert_eq!(ledger.extent(&place(1, 1).series), (7, 2));
    assert_eq!(ledger.extent(&place(2, 1).series), (0, 0));
}

/// Whoever signs it may claim any numbers: none of them is counted one by one.
#[test]
fn a_ledger_that_claims_all_numbers_of_a_series_is_judged_at_once() {
    let extent = |changed, last| Extent {
        changed,
        runs: Runs(vec![runs::Run { first: 1, last }]),
    };
    let (old, new) = (Series([1; 12]), Series([2; 12]));
    let liar = Ledger {
        floor: 1,
        entries: BTreeMap::from([(old, extent(2, 1)), (new, extent(3, HEIGHT_LIMIT - 1))]),
    };
    let head = Ledger {
        floor: 0,
        entries: BTreeMap::from([(old, extent(2, 1))]),
    };
    assert!(!liar.is_cut_short(&head));
    assert!(liar.is_cut_short(&Ledger::default()));
    assert_eq!(liar.beyond(&head).take(3).count(), 3);
}
