//! What chance rarely brings about, told deed by deed: who writes what when, who is cut off, who
//! lies.
//!
//! Each stands for a promise that the drawn mixture tries too seldom, and the deliberate faults in
//! tests/teeth name the one that is to notice them.

use std::sync::Arc;
use std::time::Duration;

use starlingd::model::record::RecordId;
use starlingd::model::revision::Revision;
use starlingd::model::stamp::Stamp;
use starlingd::sim::DiskFailure;
use starlingd::wire::frame::{Frame, Scope};

use crate::clients::{Clients, ask_for_first, write, write_long};
use crate::members::{self, announced, draft, hello, signed, whole};
use crate::nemesis::{Fault, Nemesis};
use crate::run::{Plan, Ran, Servers};
use crate::scenarios::holds;
use crate::watch::{Watch, World};

const SECOND: Duration = Duration::from_secs(1);
const LIAR: u64 = 99;

fn at(after: Duration, deed: impl FnOnce(&mut Nemesis, &mut World) + 'static) -> (Duration, Fault) {
    (after, Fault::Deed(Box::new(deed)))
}

fn writes(after: Duration, host: usize, member: &str, token: u64) -> (Duration, Fault) {
    let member = member.to_owned();
    at(after, move |_, world| write(world, host, &member, token))
}

fn parts(after: Duration, parts: &[&[usize]]) -> (Duration, Fault) {
    let parts: Vec<Vec<usize>> = parts.iter().map(|part| part.to_vec()).collect();
    at(after, move |_, world| world.partition(&parts))
}

fn heals(after: Duration) -> (Duration, Fault) {
    at(after, |_, world| world.heal())
}

/// Runs deeds among so many hosts, whose clients do nothing else.
fn told(
    seeds: u64,
    hosts: usize,
    length: u64,
    deeds: impl Fn() -> Vec<(Duration, Fault)>,
) -> Vec<Ran> {
    let plan = || Plan {
        hosts,
        clients: Clients::new(SECOND, 0),
        faults: deeds(),
        length: Duration::from_secs(length),
        servers: Servers::All,
        past: 0,
    };
    holds(seeds, plan)
}

/// Whether the head of a host has a member of this name.
fn has(world: &World, host: usize, member: &str) -> bool {
    let mut heads = world.hosts[host].node.heads();
    heads.any(|(_, head)| head.document.text().contains(member))
}

/// Two halves write at places of their own, each host knowing what the others of its half have
/// written.
fn halves_write(often: u64, seldom: u64) -> Vec<(Duration, Fault)> {
    let mut deeds = vec![parts(SECOND, &[&[0, 1], &[2, 3]])];
    let apart = 24 * SECOND;
    for number in 0..often {
        let after = 2 * SECOND + apart * number as u32 / often as u32;
        deeds.push(writes(
            after,
            number as usize % 2,
            &format!("a{}", number % 3),
            1000 + number,
        ));
    }
    for number in 0..seldom {
        let after = 2 * SECOND + apart * number as u32 / seldom as u32;
        deeds.push(writes(
            after,
            2 + number as usize % 2,
            &format!("b{}", number % 3),
            2000 + number,
        ));
    }
    deeds.push(heals(30 * SECOND));
    deeds
}

#[test]
fn two_halves_that_write_at_different_places_agree_without_a_conflict() {
    let ran = told(3, 4, 40, || halves_write(12, 10));
    assert!(
        ran.iter().all(|ran| ran.open == 0 && ran.done == 24),
        "nothing collides and something is listed: {ran:?}"
    );
    assert!(
        ran.iter().all(|ran| ran.replays == 10),
        "an edit is made again more than once: {ran:?}"
    );
}

/// One half writes more than a ledger names; the other loses a host in the moment in which its
/// branch loses.
#[test]
fn a_half_that_writes_more_than_a_ledger_holds_takes_nothing_from_the_other() {
    let deeds = || {
        let mut deeds = halves_write(300, 50);
        deeds.push(at(31 * SECOND, |_, world| world.crash(2, true)));
        deeds.push(at(33 * SECOND, |_, world| world.restart(2)));
        deeds
    };
    let ran = told(1, 4, 60, deeds);
    assert!(
        ran.iter().all(|ran| ran.nameless == 0),
        "what a host holds is listed by name only: {ran:?}"
    );
}

/// The half that lost cannot make its edits again for a while, and meanwhile the other writes more
/// than a history holds.
#[test]
fn what_is_not_contained_is_kept_however_much_is_written() {
    let deeds = || {
        let mut deeds = halves_write(12, 10);
        deeds.push(at(28 * SECOND, |_, world| {
            [2, 3]
                .into_iter()
                .for_each(|host| world.hosts[host].server.up = false)
        }));
        for number in 0..80 {
            deeds.push(writes(
                31 * SECOND + SECOND * number / 12,
                0,
                "more",
                3000 + u64::from(number),
            ));
        }
        deeds.push(at(39 * SECOND, |_, world| {
            [2, 3].into_iter().for_each(|host| world.crash(host, true))
        }));
        deeds.push(at(40 * SECOND, |_, world| {
            [2, 3].into_iter().for_each(|host| world.restart(host))
        }));
        deeds
    };
    told(2, 4, 45, deeds);
}

/// Of a branch whose author is gone for good only the last revision is left, on a host that has no
/// server: others stand in for that edit, and list those before it by name.
#[test]
fn what_somebody_wrote_who_never_comes_back_is_taken_up_by_others() {
    let deeds = || {
        let mut deeds = vec![
            at(Duration::ZERO, |_, world| {
                world.hosts[3].spec.server = false;
                world.crash(3, false);
                world.restart(3);
            }),
            parts(4 * SECOND, &[&[0, 1], &[2], &[3]]),
            at(25 * SECOND, |_, world| world.join(3, 2)),
            at(36 * SECOND, |nemesis, world| {
                world.crash(2, false);
                nemesis.gone.insert(2);
            }),
            heals(37 * SECOND),
        ];
        deeds.extend((0..3).map(|number| {
            writes(
                (5 + number) * SECOND,
                2,
                &format!("gone-{number}"),
                10 + u64::from(number),
            )
        }));
        deeds.extend((0..8).map(|number| {
            writes(
                (5 + number) * SECOND,
                0,
                &format!("here-{number}"),
                20 + u64::from(number),
            )
        }));
        deeds
    };
    let ran = told(4, 4, 60, deeds);
    assert!(
        ran.iter().all(|ran| ran.open == 2 && ran.replays == 1),
        "what somebody wrote is not taken up: {ran:?}"
    );
}

/// By no more than is permitted: what is dated further ahead is below everything anyway.
#[test]
fn a_clock_that_is_ahead_wins_nothing_over_a_longer_branch() {
    let deeds = || {
        let mut deeds = vec![
            at(Duration::ZERO, |_, world| {
                world.hosts[2].clock.off_ms = 3 * 3600 * 1000
            }),
            parts(SECOND, &[&[0, 1], &[2]]),
            writes(3 * SECOND, 2, "ahead", 10),
            heals(12 * SECOND),
        ];
        deeds.extend((0..6).map(|number| {
            writes(
                (3 + number) * SECOND,
                0,
                &format!("right-{number}"),
                20 + u64::from(number),
            )
        }));
        deeds
    };
    let ran = told(2, 3, 20, deeds);
    assert!(
        ran.iter().all(|ran| ran.replays == 1),
        "the longer branch is beaten by a clock: {ran:?}"
    );
}

#[test]
fn two_hosts_that_write_in_the_same_millisecond_agree() {
    let deeds = || {
        vec![
            writes(2 * SECOND, 1, "one", 1),
            writes(2 * SECOND, 2, "other", 2),
        ]
    };
    let ran = told(3, 3, 10, deeds);
    assert!(
        ran.iter().all(|ran| ran.done == 4 && ran.replays == 1),
        "{ran:?}"
    );
}

/// One of them wins, and the others make their edits again, one after the other: whoever waits a
/// moment first seldom tries in vain.
#[test]
fn twelve_hosts_that_write_in_one_instant_try_little_in_vain() {
    let deeds = || {
        (0..12)
            .map(|host| writes(2 * SECOND, host, &format!("h{host}"), 100 + host as u64))
            .collect()
    };
    let ran = told(6, 12, 20, deeds);
    // Who hears of another's change while its own is being tried makes it on that one in the first
    // place, or is told so.
    assert!(
        ran.iter()
            .all(|ran| ran.open == 0 && (9..=11).contains(&ran.replays)),
        "{ran:?}"
    );
    // Fourteen changes were asked for and eleven are made again; of these each is tried in vain
    // twice at most, on the average.
    assert!(
        ran.iter().all(|ran| ran.tries <= 14 + 3 * 11),
        "servers are made to try too much in vain: {ran:?}"
    );
}

#[test]
fn a_change_survives_power_loss_in_the_moment_of_its_answer() {
    let deeds = || {
        vec![at(SECOND, |nemesis, world| {
            write(world, 1, "kept", 1);
            world.run_until(SECOND / 1000, SECOND, |world| {
                !world.hosts[1].answers.is_empty()
            });
            world.crash(1, true);
            nemesis.after(world, SECOND, |_, world| world.restart(1));
        })]
    };
    told(8, 3, 10, deeds);
}

/// A change is flooded as soon as the author's server has taken it. Whoever asked for it has been
/// told nothing when the author loses power before it is durable, but others have it by then: it is
/// back, on the author's server too, and neither made again nor listed.
#[test]
fn a_change_that_was_flooded_comes_back_to_its_author_after_power_loss() {
    let deeds = || {
        vec![
            at(SECOND, |nemesis, world| {
                world.hosts[1].disk.slow = Duration::from_millis(300);
                write(world, 1, "flooded", 1);
                let is_flooded = |world: &mut World| {
                    let elsewhere = [0, 2].map(|host| has(world, host, "flooded"));
                    elsewhere.contains(&true)
                };
                world.run_until(SECOND / 5000, SECOND, is_flooded);
                assert!(has(world, 0, "flooded") || has(world, 2, "flooded"));
                assert!(
                    !world.hosts[1].disk.pending.is_empty(),
                    "it is durable already"
                );
                assert!(
                    world.hosts[1].answers.is_empty(),
                    "it is acknowledged already"
                );
                world.crash(1, true);
                nemesis.after(world, SECOND, |_, world| world.restart(1));
            }),
            at(9 * SECOND, |_, world| {
                for host in 0..3 {
                    assert!(has(world, host, "flooded"), "host {host} lacks it");
                }
            }),
        ]
    };
    let ran = told(8, 3, 10, deeds);
    assert!(
        ran.iter().all(|ran| ran.replays == 0 && ran.open == 0),
        "{ran:?}"
    );
}

#[test]
fn a_change_stands_if_the_disk_fails_only_after_the_server_has_taken_it() {
    let deeds = || {
        vec![at(SECOND, |_, world| {
            write(world, 1, "unstored", 1);
            world.run_until(SECOND / 1000, SECOND, |world| {
                !world.hosts[1].disk.pending.is_empty()
            });
            world.hosts[1].disk.failure = Some(DiskFailure::Full);
        })]
    };
    told(4, 3, 10, deeds);
}

#[test]
fn what_came_while_the_disk_was_full_is_stored_when_it_has_room_again() {
    let deeds = || {
        vec![
            at(SECOND, |_, world| {
                world.hosts[2].disk.failure = Some(DiskFailure::Full)
            }),
            writes(2 * SECOND, 0, "full", 1),
            at(6 * SECOND, |_, world| world.hosts[2].disk.failure = None),
        ]
    };
    told(2, 3, 10, deeds);
}

/// Its hosts know each other from their address books alone, and have given up all links across the
/// cut long before it is mended.
#[test]
fn halves_of_a_large_fleet_find_each_other_after_a_long_cut() {
    const HOSTS: usize = 20;
    let deeds = || {
        let restart = |_: &mut Nemesis, world: &mut World| {
            for host in 0..HOSTS {
                world.hosts[host].spec.peers.clear();
                world.crash(host, false);
            }
            (0..HOSTS).for_each(|host| world.restart(host));
        };
        let halves: Vec<usize> = (0..HOSTS).collect();
        let (one, other) = halves.split_at(HOSTS / 2);
        vec![
            at(80 * SECOND, restart),
            parts(100 * SECOND, &[one, other]),
            heals(180 * SECOND),
        ]
    };
    told(1, HOSTS, 182, deeds);
}

#[test]
fn a_host_that_has_met_nobody_takes_no_change() {
    let deeds = || {
        vec![
            at(SECOND, |_, world| {
                let number = world.add(World::spec(3));
                world.partition(&[vec![number]]);
            }),
            at(4 * SECOND, |_, world| ask_for_first(world, 3)),
            heals(8 * SECOND),
        ]
    };
    told(1, 3, 10, deeds);
}

fn head(world: &World, host: usize) -> Arc<Revision> {
    Arc::clone(
        world.hosts[host]
            .node
            .own_head()
            .expect("all have the first document"),
    )
}

#[test]
fn what_its_author_has_not_signed_is_not_taken() {
    let forge = |_: &mut Nemesis, world: &mut World| {
        let base = head(world, 1);
        let stamp = Stamp::from_u64(1_800_000_000_000 << 16).expect("it is a stamp");
        let draft = draft(base.document.clone());
        let mut forged = signed(LIAR, "default", stamp, Some(&base), draft);
        forged.record.signature[9] ^= 1;
        let liar = world.puppet(1, hello(LIAR));
        world.says(liar, whole(&forged));
    };
    told(1, 3, 5, || vec![at(2 * SECOND, forge)]);
}

#[test]
fn a_body_that_is_not_its_authors_is_not_taken() {
    let alter = |_: &mut Nemesis, world: &mut World| {
        let honest = head(world, 0);
        let mut body = honest.body.to_vec();
        let token = body
            .windows(5)
            .rposition(|text| text == b"edit-")
            .expect("a token was written");
        body[token] = b'E';
        let liar = world.puppet(2, hello(LIAR));
        world.says(liar, members::record(&honest.record, &body));
    };
    let deeds = || {
        vec![
            parts(SECOND, &[&[0, 1], &[2]]),
            writes(2 * SECOND, 0, "true", 7),
            at(4 * SECOND, alter),
            heals(6 * SECOND),
        ]
    };
    told(1, 3, 8, deeds);
}

/// It offers a body before anybody else, is alive, and never sends it.
#[test]
fn a_body_is_had_from_others_if_the_first_who_offers_it_falls_silent() {
    let offer = |_: &mut Nemesis, world: &mut World| {
        let (was, liar) = (head(world, 0).id(), world.puppet(2, hello(LIAR)));
        write_long(world, 0, "long", 7);
        let moment = Duration::from_micros(100);
        world.run_until(moment, SECOND, |world| head(world, 0).id() != was);
        let offered = head(world, 0);
        world.says(liar, announced(&offered.record));
        for _ in 0..3 {
            world.run(3 * SECOND);
            world.says(liar, Frame::Ping(1).encode());
        }
        if !world.hosts[2].node.keeps(&offered.id()) {
            let what = format!(
                "host 2 waits for the body of {:?} from one who sends nothing",
                offered.id()
            );
            world.observer().seen_mut().broken(world.now, what);
        }
    };
    told(2, 3, 15, || vec![at(2 * SECOND, offer)]);
}

#[test]
fn one_who_asks_and_does_not_read_is_given_up() {
    let ask = |_: &mut Nemesis, world: &mut World| {
        let liar = world.puppet(0, hello(LIAR));
        for number in 0..5000_u32 {
            let root = std::array::from_fn(|at| number.to_be_bytes()[at % 4] ^ 0x55);
            world.says(liar, Frame::Root(Scope::Documents, false, root).encode());
        }
    };
    told(1, 2, 5, || vec![at(2 * SECOND, ask)]);
}

/// More heads than bodies may be fetched at once, and one host only to fetch them from.
#[test]
fn a_joiner_has_the_heads_of_all_groups_within_seconds() {
    const GROUPS: usize = 8;
    for seed in 0..4 {
        let mut world = World::new(seed, Watch::default());
        for number in 0..GROUPS {
            let mut spec = World::spec(number);
            spec.group = format!("group-{number}");
            world.add(spec);
        }
        world.run(5 * SECOND);
        for host in 0..GROUPS {
            ask_for_first(&mut world, host);
        }
        world.run(SECOND);
        (0..GROUPS).for_each(|host| write_long(&mut world, host, "long", host as u64));
        let heads = |world: &World, host: usize| -> Vec<RecordId> {
            world.hosts[host]
                .node
                .heads()
                .filter(|(_, head)| head.rank().height == 2)
                .map(|(_, head)| head.id())
                .collect()
        };
        assert!(
            world.run_until(SECOND / 20, 100 * SECOND, |world| heads(world, 0).len()
                == GROUPS)
        );
        let joiner = world.add(World::spec(GROUPS));
        for other in 1..GROUPS {
            world.cut(joiner, other, true);
            world.cut(other, joiner, true);
        }
        let has_all = world.run_until(SECOND / 20, 10 * SECOND, |world| {
            heads(world, joiner).len() == GROUPS
        });
        let count = heads(&world, joiner).len();
        assert!(
            has_all,
            "seed {seed}: the joiner has {count} of {GROUPS} heads after ten seconds"
        );
    }
}
